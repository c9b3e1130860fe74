//! A new segment whose checkpoint is the state that a scan found.

use super::{
    super::{
        PAGE_BYTES,
        chunk::{ClockChunk, Head, LifeCounts, LossChunk, SensorChunk, pack_key},
        io::{Disk, DiskError, FileName, Operation, write_all_at},
        page::{PageBuilder, PageInfo, SegmentSeed},
        scan::{Identity, LostRange, Scan, SensorScan},
    },
    LOST_AND_FOUND, RepairError, aside, fail, sync_dir, unlink_if_there,
};
use crate::{DropCause, Kind};

/// Losses of which a page holds at least so many: a chunk of one has 40 bytes at most.
const LOSSES_A_PAGE: u64 = 100;

/// Sensors of which a page usually holds at least so many.
const SENSORS_A_PAGE: u64 = 100;

/// Writes a segment's first pages one after the other into a file.
pub(crate) struct Checkpoint<'a, D: Disk> {
    pub(crate) disk: &'a D,
    pub(crate) file: D::File,
    pub(crate) name: FileName,
    pub(crate) seed: SegmentSeed,
    pub(crate) info: PageInfo,
    pub(crate) number: u32,
}

impl<D: Disk> Checkpoint<'_, D> {
    /// Writes one page, filled by `fill` from an item on; `fill` says where it stopped.
    pub(crate) fn page(
        &mut self,
        fill: &mut dyn FnMut(&mut PageBuilder<'_>),
    ) -> Result<(), RepairError> {
        let mut bytes = vec![0; PAGE_BYTES];
        let mut page = PageBuilder::begin(&mut bytes, self.info);
        fill(&mut page);
        page.seal(self.seed, self.number);
        let offset = u64::from(self.number) * PAGE_BYTES as u64;
        write_all_at(self.disk, &self.file, &bytes, offset)
            .map_err(|(_, error)| DiskError::new(Operation::Write, self.name, error))?;
        self.number += 1;
        self.info.lsn = self.info.lsn.checked_add(1).ok_or(RepairError::NumbersExhausted)?;
        Ok(())
    }

    /// Writes the whole checkpoint of a segment: its head, every item, and the end.
    pub(crate) fn write(
        &mut self,
        head: &Head,
        sensors: &[SensorChunk],
        losses: &[LossChunk],
        clocks: &[ClockChunk],
    ) -> Result<(), RepairError> {
        let (mut sensor, mut loss, mut clock, mut is_complete) = (0, 0, 0, false);
        while !is_complete {
            let is_first = self.number == 0;
            self.page(&mut |page| {
                if is_first {
                    page.push_head(head);
                }
                while sensor < sensors.len() && page.push_sensor(&sensors[sensor]) {
                    sensor += 1;
                }
                while sensor == sensors.len()
                    && loss < losses.len()
                    && page.push_loss(&losses[loss])
                {
                    loss += 1;
                }
                while sensor == sensors.len()
                    && loss == losses.len()
                    && clock < clocks.len()
                    && page.push_clock(&clocks[clock])
                {
                    clock += 1;
                }
                is_complete = sensor == sensors.len()
                    && loss == losses.len()
                    && clock == clocks.len()
                    && page.push_checkpoint_end(sensors.len() as u64);
            })?;
        }
        Ok(())
    }
}

/// A sensor's state after its losses were entered.
pub(crate) fn mended(sensor: &SensorScan, first_segment: u64) -> SensorChunk {
    let mut counts = sensor.counts;
    counts.corrupt = counts.corrupt.saturating_add(sensor.lost);
    balance(&mut counts, sensor.end_seq - sensor.held);
    SensorChunk {
        key: pack_key(sensor.key),
        kind: sensor.kind,
        is_active: sensor.is_active,
        period_ms: if sensor.kind == Kind::Event { 0 } else { sensor.period_ms.max(1) },
        head_seq: sensor.head_seq,
        end_seq: sensor.end_seq,
        held: sensor.held,
        hole: sensor.hole,
        first_segment: if sensor.held > 0 { sensor.first_segment } else { first_segment },
        counts,
    }
}

/// Brings counts that cannot be true down to what the cursors leave room for.
pub(crate) fn balance(counts: &mut LifeCounts, mut room: u64) {
    for count in
        [&mut counts.corrupt, &mut counts.recycled, &mut counts.quota, &mut counts.disk_max]
    {
        *count = (*count).min(room);
        room -= *count;
    }
    counts.rejected = counts.rejected.min(room);
}

/// The ledger with the losses that were found, oldest first.
pub(crate) fn ledger(scan: &Scan, now_ms: u64) -> Vec<LossChunk> {
    let known = scan.ledger.iter().map(|loss| LossChunk {
        key: pack_key(loss.key),
        first_seq: loss.first_seq,
        at_ms: loss.at_ms,
        count: loss.count,
        cause: loss.cause,
    });
    known.chain(scan.lost.iter().flat_map(|lost| chunks_of(lost, now_ms))).collect()
}

/// A loss in chunks that can count it.
fn chunks_of(lost: &LostRange, at_ms: u64) -> impl Iterator<Item = LossChunk> + use<> {
    let (key, end) = (pack_key(lost.key), lost.end_seq());
    let mut first_seq = lost.first_seq;
    core::iter::from_fn(move || {
        let count = (end - first_seq).min(u64::from(u32::MAX)) as u32;
        let chunk = LossChunk { key, first_seq, at_ms, count, cause: DropCause::Corrupt };
        first_seq += u64::from(count);
        (count > 0).then_some(chunk)
    })
    // A range of more than 2^42 records was forged; its counts have it in full.
    .take(1 << 10)
}

/// Writes the segment beside the store and brings it in by one rename, so that a kill leaves either no
/// trace in the log or all of it.
pub(super) fn append_segment<D: Disk>(
    disk: &D,
    scan: &Scan,
    identity: &Identity,
    segment: u64,
    now_ms: u64,
) -> Result<(), RepairError> {
    if scan.segments.iter().any(|other| other.segment >= segment) {
        return Err(RepairError::NumbersExhausted);
    }
    let mut sensors: Vec<(u32, SensorChunk)> =
        scan.sensors.iter().map(|sensor| (sensor.order, mended(sensor, segment))).collect();
    sensors.sort_unstable_by_key(|&(order, _)| order);
    let sensors: Vec<SensorChunk> = sensors.into_iter().map(|(_, sensor)| sensor).collect();
    let clocks: Vec<ClockChunk> = scan
        .clocks
        .iter()
        .map(|clock| ClockChunk { epoch: clock.epoch, offset_ms: clock.offset_ms })
        .collect();
    let losses = fitting(ledger(scan, now_ms), sensors.len(), identity);
    aside::make_directory(disk)?;
    let name = FileName::new(&format!("{LOST_AND_FOUND}/new-segment"));
    unlink_if_there(disk, name)?;
    let file = disk.create(name.as_str()).map_err(fail(Operation::Create, name.as_str()))?;
    let generation = 0;
    // Numbers of pages that cannot be read any more may be above the newest that can.
    let passed = scan.bad_pages.iter().map(|run| u64::from(run.pages)).sum::<u64>();
    let lsn = scan.newest_lsn.checked_add(passed).and_then(|lsn| lsn.checked_add(1));
    let mut checkpoint = Checkpoint {
        disk,
        file,
        name,
        seed: SegmentSeed::new(&identity.store_id, segment, generation),
        info: PageInfo {
            lsn: lsn.ok_or(RepairError::NumbersExhausted)?,
            durable_lsn: scan.durable_lsn,
            base_ms: 0,
            epoch: scan.epoch,
        },
        number: 0,
    };
    let segment_pages = identity.segment_pages;
    let head = Head { store_id: identity.store_id, segment, generation, segment_pages };
    checkpoint.write(&head, &sensors, &losses, &clocks)?;
    let pages = checkpoint.number;
    if pages >= segment_pages {
        unlink_if_there(disk, name)?;
        return Err(RepairError::CheckpointTooLarge { pages, segment_pages });
    }
    disk.sync(&checkpoint.file).map_err(fail(Operation::Sync, name.as_str()))?;
    let to = FileName::of_segment(segment, generation);
    disk.rename(name.as_str(), to.as_str()).map_err(fail(Operation::Rename, name.as_str()))?;
    sync_dir(disk)?;
    Ok(())
}

/// The newest losses for which half a segment has room behind the sensors. What falls out stays in the
/// sensors' counts.
fn fitting(mut losses: Vec<LossChunk>, sensors: usize, identity: &Identity) -> Vec<LossChunk> {
    let sensor_pages = sensors as u64 / SENSORS_A_PAGE;
    let room_pages = u64::from(identity.segment_pages / 2).saturating_sub(sensor_pages).max(1);
    let room = usize::try_from(room_pages * LOSSES_A_PAGE).unwrap_or(usize::MAX);
    losses.drain(..losses.len().saturating_sub(room));
    losses
}

#[cfg(test)]
mod tests;
