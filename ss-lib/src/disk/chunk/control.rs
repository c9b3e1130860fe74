//! Chunks of the log itself: what sensors are and where their cursors stand, what was lost, the
//! clock, and where a segment begins and ends.

use super::{
    super::{
        page::{PageBuilder, StoreId},
        varint::{Decoder, Encoder},
    },
    Body, Chunk, HEAD_BYTES_MAX, kind,
};
use crate::{DropCause, Kind};
use core::ops::Range;

#[cfg(test)]
mod tests;

const EVENT: u8 = 0x10;
const ACTIVE: u8 = 0x20;
const HOLE: u8 = 0x40;
const COUNTS: u8 = 0x80;

/// A sensor's counts that no cursor says: over its whole life, in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct LifeCounts {
    pub(crate) refused: u64,
    pub(crate) rejected: u64,
    pub(crate) recycled: u64,
    pub(crate) corrupt: u64,
    pub(crate) quota: u64,
    pub(crate) disk_max: u64,
}

/// A sensor: what it is and where its cursors stand. The newest such chunk of a sensor counts, and
/// what records follow it in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SensorChunk {
    pub(crate) key: u64,
    pub(crate) kind: Kind,
    /// It was registered in this opening: it is in the configuration.
    pub(crate) is_active: bool,
    pub(crate) period_ms: u32,
    /// The oldest record that is still held; `end_seq` if none is.
    pub(crate) head_seq: u64,
    /// The number after the last one that is in the log or was answered.
    pub(crate) end_seq: u64,
    /// Records of `head_seq .. end_seq` that the log holds: less than their numbers if some between
    /// them are gone.
    pub(crate) held: u64,
    /// Dropped records behind others that are still held, as first and end; empty if equal.
    pub(crate) hole: (u64, u64),
    /// The segment in which the head lies, or an older one.
    pub(crate) first_segment: u64,
    pub(crate) counts: LifeCounts,
}

/// The numbers of a sensor that stand in a segment in doubt alone: from here to the sensor's end.
///
/// Numbers go back only behind a sync that failed: what RAM still held was to be written again, and the log
/// was told of what came before it. No other record may get these numbers, so the end stays where it was,
/// and they count as held, until the log says of them that they are written again or gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InDoubt {
    from: u64,
}

impl InDoubt {
    pub(crate) const NONE: Self = Self { from: u64::MAX };

    /// The log tells of the sensor, whose records were seen up to `end_seq` before.
    pub(crate) fn told(&mut self, chunk: &mut SensorChunk, end_seq: u64) {
        self.from = if end_seq > chunk.end_seq { chunk.end_seq } else { u64::MAX };
        chunk.held += end_seq.saturating_sub(chunk.end_seq);
        chunk.end_seq = chunk.end_seq.max(end_seq);
    }

    /// Records `first_seq .. end_seq` come, and those before them that they skip are gone: answered or
    /// dropped before they were written again. How many of the numbers in doubt below `known_end` these are:
    /// so many fewer are held, and `chunk` has its head behind them, or a hole there.
    pub(crate) fn skipped(
        &mut self,
        chunk: &mut SensorChunk,
        records: &Range<u64>,
        skip: u64,
        known_end: u64,
    ) -> u64 {
        if self.from == u64::MAX {
            return 0;
        }
        let first = records.start.saturating_sub(skip).max(self.from);
        let end = records.start.min(known_end);
        self.from = self.from.max(records.end);
        if first >= end {
            return 0;
        }
        if chunk.head_seq >= first {
            chunk.head_seq = chunk.head_seq.max(end);
            chunk.hole = (chunk.head_seq, chunk.head_seq);
        } else if chunk.hole.0 >= chunk.hole.1 {
            chunk.hole = (first, end);
        }
        end - first
    }
}

impl PageBuilder<'_> {
    pub(crate) fn push_sensor(&mut self, sensor: &SensorChunk) -> bool {
        let has_hole = sensor.hole.0 < sensor.hole.1;
        let has_counts = sensor.counts != LifeCounts::default();
        let mut tag = kind::SENSOR;
        for (is_set, flag) in [
            (sensor.kind == Kind::Event, EVENT),
            (sensor.is_active, ACTIVE),
            (has_hole, HOLE),
            (has_counts, COUNTS),
        ] {
            if is_set {
                tag |= flag;
            }
        }
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(tag);
        out.signed(sensor.key.wrapping_sub(self.key).cast_signed());
        out.varint(u64::from(sensor.period_ms));
        out.varint(sensor.head_seq);
        let span = sensor.end_seq - sensor.head_seq;
        out.varint(span);
        out.varint(span - sensor.held);
        out.varint(sensor.first_segment);
        if has_hole {
            out.varint(sensor.hole.0 - sensor.head_seq);
            out.varint(sensor.hole.1 - sensor.hole.0);
        }
        if has_counts {
            let counts = &sensor.counts;
            for count in [
                counts.refused,
                counts.rejected,
                counts.recycled,
                counts.corrupt,
                counts.quota,
                counts.disk_max,
            ] {
                out.varint(count);
            }
        }
        let len = out.len();
        self.push(sensor.key, &head[..len], &[])
    }

    pub(crate) fn push_loss(&mut self, loss: &LossChunk) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::LOSS | cause_code(loss.cause) << 4);
        out.signed(loss.key.wrapping_sub(self.key).cast_signed());
        out.varint(loss.first_seq);
        out.varint(u64::from(loss.count));
        out.varint(loss.at_ms);
        let len = out.len();
        self.push(loss.key, &head[..len], &[])
    }

    pub(crate) fn push_clock(&mut self, clock: &ClockChunk) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::CLOCK);
        out.varint(u64::from(clock.epoch));
        out.signed(clock.offset_ms);
        let len = out.len();
        self.push(self.key, &head[..len], &[])
    }

    pub(crate) fn push_head(&mut self, segment: &Head) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::HEAD);
        out.slice(&segment.store_id);
        out.slice(&segment.segment.to_le_bytes());
        out.byte(segment.generation);
        out.varint(u64::from(segment.segment_pages));
        let len = out.len();
        self.push(self.key, &head[..len], &[])
    }

    pub(crate) fn push_checkpoint_end(&mut self, sensors: u64) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::CHECKPOINT_END);
        out.varint(sensors);
        let len = out.len();
        self.push(self.key, &head[..len], &[])
    }

    pub(crate) fn push_footer(&mut self, footer: &FooterFields, keys: &[u8]) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::FOOTER);
        out.varint(u64::from(footer.index_page));
        out.varint(u64::from(footer.index_pages));
        out.varint(footer.records);
        out.varint(u64::from(footer.fence_step));
        let len = out.len();
        self.push(self.key, &head[..len], keys)
    }
}

pub(super) fn decode_sensor(body: Body<'_>) -> Option<SensorChunk> {
    let Body { tag, key, mut fields } = body;
    let kind = if tag & EVENT != 0 { Kind::Event } else { Kind::TimeSeries };
    let period_ms = u32::try_from(fields.varint()?).ok()?;
    let head_seq = fields.varint()?;
    let span = fields.varint()?;
    let end_seq = head_seq.checked_add(span)?;
    let held = span.checked_sub(fields.varint()?)?;
    let first_segment = fields.varint()?;
    let hole = if tag & HOLE != 0 {
        let first = head_seq.checked_add(fields.varint()?)?;
        (first, first.checked_add(fields.varint()?).filter(|&end| end <= end_seq && end > first)?)
    } else {
        (head_seq, head_seq)
    };
    let mut counts = LifeCounts::default();
    if tag & COUNTS != 0 {
        for count in [
            &mut counts.refused,
            &mut counts.rejected,
            &mut counts.recycled,
            &mut counts.corrupt,
            &mut counts.quota,
            &mut counts.disk_max,
        ] {
            *count = fields.varint()?;
        }
    }
    super::unpack_key(key)?;
    if kind == Kind::TimeSeries && period_ms == 0 {
        return None;
    }
    let is_active = tag & ACTIVE != 0;
    fields.is_empty().then_some(SensorChunk {
        key,
        kind,
        is_active,
        period_ms,
        head_seq,
        end_seq,
        held,
        hole,
        first_segment,
        counts,
    })
}

/// A range of one sensor's records that was lost. A later chunk with the same first number and cause
/// is the same loss, longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LossChunk {
    pub(crate) key: u64,
    pub(crate) first_seq: u64,
    pub(crate) at_ms: u64,
    pub(crate) count: u32,
    pub(crate) cause: DropCause,
}

const fn cause_code(cause: DropCause) -> u8 {
    match cause {
        DropCause::Recycled => 0,
        DropCause::Corrupt => 1,
        DropCause::Rejected => 2,
        DropCause::Quota => 3,
        DropCause::DiskMax => 4,
    }
}

pub(super) fn decode_loss(body: Body<'_>) -> Option<LossChunk> {
    let Body { tag, key, mut fields } = body;
    let cause = DropCause::ALL.into_iter().find(|&cause| cause_code(cause) == tag >> 4)?;
    super::unpack_key(key)?;
    let first_seq = fields.varint()?;
    let count = u32::try_from(fields.varint()?).ok().filter(|&count| count > 0)?;
    first_seq.checked_add(u64::from(count))?;
    let at_ms = fields.varint()?;
    fields.is_empty().then_some(LossChunk { key, first_seq, at_ms, count, cause })
}

/// How an opening's monotonic clock relates to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockChunk {
    pub(crate) epoch: u32,
    /// To be added to that epoch's monotonic times to make them UTC, in ms.
    pub(crate) offset_ms: i64,
}

pub(super) fn decode_clock(body: Body<'_>) -> Option<ClockChunk> {
    let mut fields = body.fields;
    let epoch = u32::try_from(fields.varint()?).ok()?;
    let offset_ms = fields.signed()?;
    fields.is_empty().then_some(ClockChunk { epoch, offset_ms })
}

/// The first chunk of a segment's first page: which segment of which store this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) store_id: StoreId,
    pub(crate) segment: u64,
    /// How often the segment was squeezed.
    pub(crate) generation: u8,
    /// The pages after which a segment of this store is sealed.
    pub(crate) segment_pages: u32,
}

pub(super) fn decode_head(body: Body<'_>) -> Option<Head> {
    let mut fields = body.fields;
    let store_id = fields.array()?;
    let segment = u64::from_le_bytes(fields.array()?);
    let generation = fields.byte()?;
    let segment_pages = u32::try_from(fields.varint()?).ok()?;
    fields.is_empty().then_some(Head { store_id, segment, generation, segment_pages })
}

pub(super) fn decode_checkpoint_end(body: Body<'_>) -> Option<Chunk<'_>> {
    let mut fields = body.fields;
    let sensors = fields.varint()?;
    fields.is_empty().then_some(Chunk::CheckpointEnd { sensors })
}

/// A footer's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FooterFields {
    /// The first page of the index: the pages before it are checkpoint and data.
    pub(crate) index_page: u32,
    /// Pages of the index.
    pub(crate) index_pages: u32,
    /// Records in the segment.
    pub(crate) records: u64,
    /// The footer names the first key of each so-manyeth index page.
    pub(crate) fence_step: u32,
}

/// The only chunk of a sealed segment's last page.
#[derive(Clone, Copy)]
pub(crate) struct Footer<'a> {
    pub(crate) fields: FooterFields,
    keys: Decoder<'a>,
}

pub(super) fn decode_footer(body: Body<'_>) -> Option<Footer<'_>> {
    let mut fields = body.fields;
    let index_page = u32::try_from(fields.varint()?).ok()?;
    let index_pages = u32::try_from(fields.varint()?).ok()?;
    let records = fields.varint()?;
    let fence_step = u32::try_from(fields.varint()?).ok().filter(|&step| step > 0)?;
    // A segment has far fewer pages than numbers have room for; the sums of readers must not overflow.
    index_page.checked_add(index_pages).filter(|&end| end < u32::MAX)?;
    let footer = FooterFields { index_page, index_pages, records, fence_step };
    let keys = fields;
    for _ in 0..index_pages.div_ceil(fence_step) {
        fields.signed()?;
    }
    (fields.is_empty() && index_page >= 1).then_some(Footer { fields: footer, keys })
}

impl Footer<'_> {
    /// The index pages, as a range of the segment's pages, that can hold the entries of `key`: entries
    /// are sorted by key, and those of one key can go on over several pages.
    pub(crate) fn pages_of(&self, key: u64) -> core::ops::Range<u32> {
        let FooterFields { index_page, index_pages, fence_step, .. } = self.fields;
        let mut keys = self.keys;
        let mut first_key = 0_u64;
        let (mut from, mut until) = (0, index_pages);
        for fence in 0..index_pages.div_ceil(fence_step) {
            let Some(distance) = keys.signed() else { break };
            first_key = first_key.wrapping_add_signed(distance);
            if first_key < key {
                from = fence * fence_step;
            }
            if first_key > key {
                until = until.min(fence * fence_step);
            }
        }
        index_page + from..index_page + until.max(from)
    }
}
