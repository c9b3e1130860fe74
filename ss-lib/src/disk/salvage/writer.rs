//! Writes the fresh store: segments of data pages, each behind a checkpoint of what was written before.

use super::{
    super::{
        PAGE_BYTES,
        chunk::{ClockChunk, Form, Head, LifeCounts, RunHeader, SensorChunk, pack_key, unpack_key},
        io::{Disk, DiskError, FileName, Operation, write_all_at},
        page::{PageBuilder, PageInfo, SegmentSeed},
        repair::{Checkpoint, RepairError, balance, fail, ledger, mended},
        scan::Scan,
        superblock::{SUPERBLOCK_BYTES, SUPERBLOCK_FILE, Superblock},
    },
    SalvageError, SalvageOptions,
};
use crate::{ClockKind, Kind, Record};
use std::collections::BTreeMap;

/// Records of a chunk that is being filled.
const CHUNK_RECORDS_MAX: usize = 400;

pub(super) struct Writer<'a, T: Disk> {
    disk: &'a T,
    scan: &'a Scan,
    options: &'a SalvageOptions,
    segment_pages: u32,
    segment: u64,
    /// What each sensor has in the fresh store by now.
    sensors: BTreeMap<u64, SensorChunk>,
    pages: Checkpoint<'a, T>,
    waiting: Vec<(RunHeader, Vec<u8>)>,
}

/// A sensor's records while they are written.
pub(super) struct Series {
    header: RunHeader,
    payload: Vec<u8>,
    count: u64,
    next_seq: u64,
    last_ms: u64,
}

impl Series {
    pub(super) fn key(&self) -> u64 {
        self.header.key
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Adds a record: to the chunk, if it goes on where that ends, else to a new one.
    pub(super) fn push<T: Disk>(
        &mut self,
        writer: &mut Writer<'_, T>,
        record: &Record,
        period_ms: u32,
    ) -> Result<(), SalvageError> {
        let form = form_of(record);
        let is_on_grid = form == Form::Event
            || (period_ms == self.header.period_ms
                && Some(record.time_ms) == self.last_ms.checked_add(u64::from(period_ms)));
        let distance = record.time_ms.wrapping_sub(self.header.base_ms).cast_signed();
        let goes_on = self.count > 0
            && record.seq == self.next_seq
            && form == self.header.form
            && record.epoch == self.header.epoch
            && record.clock == self.header.clock
            && self.count < CHUNK_RECORDS_MAX as u64
            && is_on_grid
            && (form == Form::Grid || i32::try_from(distance).is_ok());
        if !goes_on {
            self.flush(writer)?;
            self.header = RunHeader {
                first_seq: record.seq,
                base_ms: record.time_ms,
                skip: record.seq - self.next_seq,
                epoch: record.epoch,
                period_ms: if form == Form::Grid { period_ms.max(1) } else { 0 },
                form,
                clock: record.clock,
                ..self.header
            };
        }
        if form == Form::Event {
            let distance = record.time_ms.wrapping_sub(self.header.base_ms) as u32;
            self.payload.extend(distance.to_le_bytes());
        }
        self.payload.extend(record.value.to_le_bytes());
        self.count += 1;
        self.next_seq = record.seq + 1;
        self.last_ms = record.time_ms;
        Ok(())
    }

    fn flush<T: Disk>(&mut self, writer: &mut Writer<'_, T>) -> Result<(), SalvageError> {
        if self.count > 0 {
            let payload = std::mem::take(&mut self.payload);
            writer.records(self.header, payload)?;
            self.count = 0;
        }
        Ok(())
    }

    pub(super) fn end<T: Disk>(mut self, writer: &mut Writer<'_, T>) -> Result<(), SalvageError> {
        self.flush(writer)
    }
}

fn form_of(record: &Record) -> Form {
    match record.kind {
        Kind::TimeSeries => Form::Grid,
        Kind::Event => Form::Event,
    }
}

impl<'a, T: Disk> Writer<'a, T> {
    /// Creates the store's superblock and its first segment.
    pub(super) fn create(
        disk: &'a T,
        scan: &'a Scan,
        options: &'a SalvageOptions,
    ) -> Result<Self, SalvageError> {
        let segment_pages = scan.identity.map_or(4_096, |identity| identity.segment_pages);
        let superblock = Superblock {
            store_id: options.store_id,
            segment_pages,
            epoch: scan.epoch,
            sequence: 1,
            created_ms: options.now_ms,
            opened_ms: options.now_ms,
            last_lsn: 0,
            is_clean: true,
        };
        let mut bytes = vec![0; SUPERBLOCK_BYTES];
        superblock.encode(&mut bytes[PAGE_BYTES..]);
        let name = SUPERBLOCK_FILE;
        let file = disk.create(name).map_err(fail(Operation::Create, name));
        let file = file.map_err(SalvageError::Into)?;
        write_all_at(disk, &file, &bytes, 0)
            .map_err(|(_, error)| SalvageError::Into(fail(Operation::Write, name)(error)))?;
        disk.sync(&file).map_err(fail(Operation::Sync, name)).map_err(SalvageError::Into)?;
        // Nothing is written yet: every sensor begins empty where its records will.
        let sensors = scan.sensors.iter().map(|sensor| {
            let held = SensorChunk {
                end_seq: sensor.head_seq,
                held: 0,
                hole: (sensor.head_seq, sensor.head_seq),
                first_segment: 0,
                ..mended(sensor, 0)
            };
            (pack_key(sensor.key), SensorChunk { counts: LifeCounts::default(), ..held })
        });
        let sensors = sensors.collect();
        let pages = begin_segment(disk, options, 0, 1, scan.epoch)?;
        let mut writer = Self {
            disk,
            scan,
            options,
            segment_pages,
            segment: 0,
            sensors,
            pages,
            waiting: Vec::new(),
        };
        writer.checkpoint()?;
        Ok(writer)
    }

    /// Begins a sensor's records, which come in order from here on.
    pub(super) fn begin_sensor(&mut self, key: u64, period_ms: u32, first: &Record) -> Series {
        let clock = if first.kind == Kind::Event { ClockKind::Caller } else { first.clock };
        let sensor = self.sensors.entry(key).or_insert(SensorChunk {
            key,
            kind: first.kind,
            is_active: false,
            period_ms: if first.kind == Kind::Event { 0 } else { period_ms.max(1) },
            head_seq: first.seq,
            end_seq: first.seq,
            held: 0,
            hole: (first.seq, first.seq),
            first_segment: self.segment,
            counts: LifeCounts::default(),
        });
        // What lies before the first record that was saved is gone.
        sensor.head_seq = first.seq;
        sensor.end_seq = first.seq;
        sensor.hole = (first.seq, first.seq);
        sensor.first_segment = self.segment;
        Series {
            header: RunHeader {
                key,
                first_seq: first.seq,
                base_ms: first.time_ms,
                skip: 0,
                epoch: first.epoch,
                period_ms,
                form: form_of(first),
                clock,
            },
            payload: Vec::new(),
            count: 0,
            next_seq: first.seq,
            last_ms: 0,
        }
    }

    /// Lays a chunk aside; a page is written when enough of them wait.
    fn records(&mut self, header: RunHeader, payload: Vec<u8>) -> Result<(), SalvageError> {
        self.waiting.push((header, payload));
        let bytes: usize = self.waiting.iter().map(|(_, payload)| payload.len() + 64).sum();
        if bytes >= PAGE_BYTES { self.page() } else { Ok(()) }
    }

    /// Writes one page of what waits. What does not fit waits on.
    fn page(&mut self) -> Result<(), SalvageError> {
        // Two pages are left for what ends a segment.
        if self.pages.number + 2 >= self.segment_pages {
            self.next_segment()?;
        }
        let (waiting, sensors) = (&mut self.waiting, &mut self.sensors);
        self.pages.info.base_ms = waiting.first().map_or(0, |(header, _)| header.base_ms);
        self.pages.page(&mut |page: &mut PageBuilder<'_>| {
            let mut whole = 0;
            for (header, payload) in waiting.iter_mut() {
                let count = page.push_records(header, payload);
                if let (true, Some(sensor)) = (count > 0, sensors.get_mut(&header.key)) {
                    sensor.end_seq = header.first_seq + count as u64;
                    sensor.held += count as u64;
                }
                let bytes = count * header.form.record_bytes();
                if bytes < payload.len() {
                    payload.drain(..bytes);
                    *header = header.starting_at(count as u32);
                    break;
                }
                whole += 1;
            }
            waiting.drain(..whole);
        })?;
        Ok(())
    }

    fn next_segment(&mut self) -> Result<(), SalvageError> {
        self.sync()?;
        self.segment += 1;
        let lsn = self.pages.info.lsn;
        let epoch = self.scan.epoch;
        self.pages = begin_segment(self.disk, self.options, self.segment, lsn, epoch)?;
        self.checkpoint()
    }

    fn checkpoint(&mut self) -> Result<(), SalvageError> {
        let sensors: Vec<SensorChunk> = self.sensors.values().copied().collect();
        let clocks = self.scan.clocks.iter();
        let clocks: Vec<ClockChunk> = clocks
            .map(|clock| ClockChunk { epoch: clock.epoch, offset_ms: clock.offset_ms })
            .collect();
        let mut losses = ledger(self.scan, self.options.now_ms);
        losses.retain(|loss| unpack_key(loss.key).is_some());
        losses.truncate(self.segment_pages as usize * 20);
        let head = Head {
            store_id: self.options.store_id,
            segment: self.segment,
            generation: 0,
            segment_pages: self.segment_pages,
        };
        self.pages.write(&head, &sensors, &losses, &clocks)?;
        let pages = self.pages.number;
        if pages + 3 >= self.segment_pages {
            let segment_pages = self.segment_pages;
            return Err(RepairError::CheckpointTooLarge { pages, segment_pages }.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SalvageError> {
        let name = self.pages.name;
        let synced = self.disk.sync(&self.pages.file).and_then(|()| self.disk.sync_dir());
        synced.map_err(|error| SalvageError::Into(DiskError::new(Operation::Sync, name, error)))
    }

    /// Writes what waits, and a last checkpoint that says what every sensor holds and has lost.
    pub(super) fn finish(mut self) -> Result<u64, SalvageError> {
        while !self.waiting.is_empty() {
            self.page()?;
        }
        for sensor in &self.scan.sensors {
            let key = pack_key(sensor.key);
            let Some(saved) = self.sensors.get_mut(&key) else { continue };
            let after = mended(sensor, self.segment + 1);
            if saved.held == 0 {
                (saved.head_seq, saved.first_segment) = (sensor.end_seq, self.segment + 1);
                saved.hole = (sensor.end_seq, sensor.end_seq);
            }
            saved.end_seq = saved.end_seq.max(sensor.end_seq);
            saved.counts = after.counts;
            // A copy in another generation may have what the log had lost.
            balance(&mut saved.counts, saved.end_seq - saved.held);
        }
        self.next_segment()?;
        self.sync()?;
        Ok(self.sensors.len() as u64)
    }
}

fn begin_segment<'a, T: Disk>(
    disk: &'a T,
    options: &SalvageOptions,
    segment: u64,
    lsn: u64,
    epoch: u32,
) -> Result<Checkpoint<'a, T>, SalvageError> {
    let name = FileName::of_segment(segment, 0);
    let file = disk.create(name.as_str()).map_err(fail(Operation::Create, name.as_str()));
    Ok(Checkpoint {
        disk,
        file: file.map_err(SalvageError::Into)?,
        name,
        seed: SegmentSeed::new(&options.store_id, segment, 0),
        info: PageInfo { lsn, durable_lsn: lsn.saturating_sub(1), base_ms: 0, epoch },
        number: 0,
    })
}
