//! Chunks of records: a run of one sensor's records without a gap in their numbers.
//!
//! ```text
//! tag flags: bits 4-5 form (0 grid, 1 stamped, 2 event), bits 6-7 clock
//! key, [ext: flags], first seq, count, base time - page's base time (signed), [grid: period],
//! [skip], [epoch], [runs: how many, then each: records before it, distance to the grid (signed)],
//! grid:            count x value u32
//! stamped, event:  count x (distance to the base time i32, value u32)
//! ```
//!
//! *Skip*: so many numbers before the first were already answered or listed as lost when this was
//! written, so that a reader does not take them for records that the disk lost.
//! *Runs*: a series whose sectors each begin a few ms off the last one's grid is one chunk after a
//! squeeze; its times stay what they were.

use super::{
    super::{
        page::{PageBuilder, PageInfo},
        varint::{Decoder, Encoder, varint_len},
    },
    Body, HEAD_BYTES_MAX, TYPE_MASK, kind,
};
use crate::{ClockKind, Kind, Record};

const FORM_SHIFT: u32 = 4;
const CLOCK_SHIFT: u32 = 6;
const EXT_SKIP: u64 = 1;
const EXT_EPOCH: u64 = 2;
const EXT_RUNS: u64 = 4;

/// How records' times are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A time series on its grid: 4 B a record.
    Grid,
    /// A time series with a time a record: 8 B.
    Stamped,
    /// Events: 8 B.
    Event,
}

impl Form {
    /// The form in a word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Stamped => "stamped",
            Self::Event => "event",
        }
    }

    pub(crate) const fn record_bytes(self) -> usize {
        match self {
            Self::Grid => 4,
            Self::Stamped | Self::Event => 8,
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Grid | Self::Stamped => Kind::TimeSeries,
            Self::Event => Kind::Event,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Grid => 0,
            Self::Stamped => 1,
            Self::Event => 2,
        }
    }
}

const fn clock_code(clock: ClockKind) -> u8 {
    match clock {
        ClockKind::Monotonic => 0,
        ClockKind::Utc => 1,
        ClockKind::Caller => 2,
    }
}

/// What the records of one run share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunHeader {
    pub(crate) key: u64,
    pub(crate) first_seq: u64,
    /// The time that the first record's is relative to, in ms.
    pub(crate) base_ms: u64,
    /// Numbers before the first that were gone already when this was written.
    pub(crate) skip: u64,
    pub(crate) epoch: u32,
    /// The grid's period in ms; 0 without a grid.
    pub(crate) period_ms: u32,
    pub(crate) form: Form,
    pub(crate) clock: ClockKind,
}

impl RunHeader {
    /// The same run from its record number `index` on, where nothing was skipped.
    pub(crate) fn starting_at(self, index: u32) -> Self {
        if index == 0 {
            return self;
        }
        let base_ms = match self.form {
            Form::Grid => self.base_ms.wrapping_add(u64::from(index) * u64::from(self.period_ms)),
            Form::Stamped | Form::Event => self.base_ms,
        };
        Self { first_seq: self.first_seq + u64::from(index), base_ms, skip: 0, ..self }
    }
}

impl PageBuilder<'_> {
    /// Appends records of one run; `payload` are their bytes, a whole number of records. Returns how
    /// many fitted, the first ones: 0 if this page is too full for any.
    pub(crate) fn push_records(&mut self, header: &RunHeader, payload: &[u8]) -> usize {
        self.push_runs(header, &[], payload)
    }

    /// The same for a grid of several runs: `runs` are codings of further ones, as [`RunCoder`] makes
    /// them. With further runs it is all or nothing.
    pub(crate) fn push_runs(&mut self, header: &RunHeader, runs: &[u8], payload: &[u8]) -> usize {
        let record_bytes = header.form.record_bytes();
        let wanted = payload.len() / record_bytes;
        let mut head = [0; HEAD_BYTES_MAX];
        let overhead = self.encode_head(header, runs, wanted, &mut head) + runs.len();
        let room = self.room().saturating_sub(overhead);
        // The frame's own length is one or two bytes of that room.
        let mut fitting = room.saturating_sub(2) / record_bytes;
        if room > 0 && wanted * record_bytes + overhead < 0x80 {
            fitting = (room - 1) / record_bytes;
        }
        let count = wanted.min(fitting);
        if count == 0 || (!runs.is_empty() && count < wanted) {
            return 0;
        }
        let payload = &payload[..count * record_bytes];
        let head_len = self.encode_head(header, runs, count, &mut head);
        let pushed = if runs.is_empty() {
            self.push(header.key, &head[..head_len], payload)
        } else {
            self.push_three(header.key, &head[..head_len], runs, payload)
        };
        if pushed { count } else { 0 }
    }

    fn encode_head(
        &self,
        header: &RunHeader,
        runs: &[u8],
        count: usize,
        head: &mut [u8; HEAD_BYTES_MAX],
    ) -> usize {
        let mut ext = 0;
        for (is_set, bit) in [
            (header.skip > 0, EXT_SKIP),
            (header.epoch != self.info.epoch, EXT_EPOCH),
            (!runs.is_empty(), EXT_RUNS),
        ] {
            if is_set {
                ext |= bit;
            }
        }
        let flags = header.form.code() << FORM_SHIFT | clock_code(header.clock) << CLOCK_SHIFT;
        let mut out = Encoder::new(head);
        out.byte(flags | if ext == 0 { kind::RECORDS } else { kind::RECORDS_EXT });
        out.signed(header.key.wrapping_sub(self.key).cast_signed());
        if ext != 0 {
            out.varint(ext);
        }
        out.varint(header.first_seq);
        out.varint(count as u64);
        out.signed(header.base_ms.wrapping_sub(self.info.base_ms).cast_signed());
        if header.form == Form::Grid {
            out.varint(u64::from(header.period_ms));
        }
        if header.skip > 0 {
            out.varint(header.skip);
        }
        if header.epoch != self.info.epoch {
            out.varint(u64::from(header.epoch));
        }
        out.len()
    }
}

/// Codes the further runs of a chunk, in memory of the caller's.
pub(crate) struct RunCoder<'a> {
    bytes: &'a mut [u8],
    used: usize,
    runs: u32,
    /// The number of the record in the chunk with which the last run begins.
    last_begins: u32,
}

impl<'a> RunCoder<'a> {
    /// Bytes that the number of runs takes at most.
    pub(crate) const COUNT_BYTES: usize = 3;

    /// Bytes of a run's coding: that of the records since the last one began, and of its distance.
    pub(crate) const fn coding_len(before: u32, off_grid_ms: i64) -> usize {
        varint_len(before as u64) + varint_len(super::super::varint::zigzag(off_grid_ms))
    }

    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, used: Self::COUNT_BYTES, runs: 0, last_begins: 0 }
    }

    /// Adds a run that begins with record number `begins` of the chunk, `off_grid_ms` from where the
    /// grid before it would have put that record. Says whether there was room.
    pub(crate) fn push(&mut self, begins: u32, off_grid_ms: i64) -> bool {
        let before = begins - self.last_begins;
        let len = Self::coding_len(before, off_grid_ms);
        if self.used + len > self.bytes.len() {
            return false;
        }
        let mut out = Encoder::new(&mut self.bytes[self.used..]);
        out.varint(before.into());
        out.signed(off_grid_ms);
        self.used += len;
        self.runs += 1;
        self.last_begins = begins;
        true
    }

    /// The coding: empty if there is only the first run.
    pub(crate) fn finish(self) -> &'a [u8] {
        if self.runs == 0 {
            return &[];
        }
        let len = varint_len(self.runs.into());
        let start = Self::COUNT_BYTES - len;
        Encoder::new(&mut self.bytes[start..Self::COUNT_BYTES]).varint(self.runs.into());
        let bytes: &'a [u8] = self.bytes;
        &bytes[start..self.used]
    }
}

/// A chunk of records, decoded but for its records.
#[derive(Clone, Copy)]
pub(crate) struct RecordsChunk<'a> {
    pub(crate) header: RunHeader,
    pub(crate) count: u32,
    runs: Decoder<'a>,
    run_count: u32,
    payload: &'a [u8],
}

pub(super) fn decode(body: Body<'_>, info: PageInfo) -> Option<RecordsChunk<'_>> {
    let Body { tag, key, mut fields } = body;
    let form = match tag >> FORM_SHIFT & 3 {
        0 => Form::Grid,
        1 => Form::Stamped,
        2 => Form::Event,
        _ => return None,
    };
    let clock = match tag >> CLOCK_SHIFT {
        0 => ClockKind::Monotonic,
        1 => ClockKind::Utc,
        2 => ClockKind::Caller,
        _ => return None,
    };
    let ext = if tag & TYPE_MASK == kind::RECORDS_EXT { fields.varint()? } else { 0 };
    if ext & !(EXT_SKIP | EXT_EPOCH | EXT_RUNS) != 0 {
        return None;
    }
    let first_seq = fields.varint()?;
    let count = u32::try_from(fields.varint()?).ok()?;
    let base_ms = info.base_ms.wrapping_add_signed(fields.signed()?);
    let period_ms = if form == Form::Grid { u32::try_from(fields.varint()?).ok()? } else { 0 };
    let skip = if ext & EXT_SKIP != 0 { fields.varint()? } else { 0 };
    let epoch =
        if ext & EXT_EPOCH != 0 { u32::try_from(fields.varint()?).ok()? } else { info.epoch };
    let mut run_count = 0;
    let runs = if ext & EXT_RUNS != 0 {
        run_count = u32::try_from(fields.varint()?).ok()?;
        let runs = fields;
        let mut begins = 0_u64;
        for _ in 0..run_count {
            begins = begins.checked_add(fields.varint()?)?;
            fields.signed()?;
            if begins >= u64::from(count) {
                return None;
            }
        }
        runs
    } else {
        Decoder::new(&[])
    };
    let payload = fields.rest();
    let is_sound = count >= 1
        && (form != Form::Grid || period_ms >= 1)
        && (run_count == 0 || form == Form::Grid)
        && super::unpack_key(key).is_some()
        && first_seq.checked_add(u64::from(count)).is_some()
        && skip <= first_seq
        && payload.len() as u64 == u64::from(count) * form.record_bytes() as u64;
    let header = RunHeader { key, first_seq, base_ms, skip, epoch, period_ms, form, clock };
    is_sound.then_some(RecordsChunk { header, count, runs, run_count, payload })
}

/// The records' numbers alone, as [`decode`] would give them.
#[inline]
pub(super) fn extent(body: &Body<'_>) -> Option<super::Extent> {
    let (tag, key, mut fields) = (body.tag, body.key, Decoder::new(body.fields.rest()));
    let form = tag >> FORM_SHIFT & 3;
    let ext = if tag & TYPE_MASK == kind::RECORDS_EXT { fields.varint()? } else { 0 };
    let first_seq = fields.varint()?;
    let count = fields.varint()?;
    let mut skip = 0;
    if ext & EXT_SKIP != 0 {
        fields.signed()?;
        if form == Form::Grid.code() {
            fields.varint()?;
        }
        skip = fields.varint()?;
    }
    let end_seq = first_seq.checked_add(count)?;
    let is_sound = count >= 1 && skip <= first_seq && key >> 40 == 0 && form <= Form::Event.code();
    let kind =
        if form == Form::Event.code() { crate::Kind::Event } else { crate::Kind::TimeSeries };
    is_sound.then_some(super::Extent { key, first_seq, end_seq, skip, kind })
}

impl<'a> RecordsChunk<'a> {
    /// The number after its last record's.
    pub(crate) fn end_seq(&self) -> u64 {
        self.header.first_seq + u64::from(self.count)
    }

    /// The chunk's runs, each of one grid: its header and its records' bytes.
    pub(crate) fn runs(&self) -> Runs<'a> {
        Runs { header: self.header, rest: self.payload, further: self.runs, left: self.run_count }
    }

    /// Copies the records from number `from_seq` on into `out`. Returns how many were copied.
    pub(crate) fn copy_records(&self, from_seq: u64, out: &mut [Record]) -> usize {
        let mut copied = 0;
        for (header, payload) in self.runs() {
            let records = payload.len() / header.form.record_bytes();
            let skip = from_seq.saturating_sub(header.first_seq).min(records as u64) as usize;
            copied += copy_run(&header, payload, skip, &mut out[copied..]);
            if copied == out.len() {
                break;
            }
        }
        copied
    }
}

fn copy_run(header: &RunHeader, payload: &[u8], skip: usize, out: &mut [Record]) -> usize {
    let template = Record {
        seq: header.first_seq,
        time_ms: header.base_ms,
        epoch: header.epoch,
        value: 0,
        clock: header.clock,
        kind: header.form.kind(),
    };
    let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let record_bytes = header.form.record_bytes();
    let records = payload.chunks_exact(record_bytes).enumerate().skip(skip);
    let mut copied = 0;
    for (place, (index, bytes)) in out.iter_mut().zip(records) {
        let index = index as u64;
        let (offset_ms, value) = match header.form {
            Form::Grid => (index * u64::from(header.period_ms), word(bytes)),
            Form::Stamped | Form::Event => {
                let delta = i64::from(word(bytes).cast_signed());
                (delta.cast_unsigned(), word(&bytes[4..]))
            }
        };
        *place = Record {
            seq: template.seq + index,
            time_ms: template.time_ms.wrapping_add(offset_ms),
            value,
            ..template
        };
        copied += 1;
    }
    copied
}

/// A chunk's runs.
pub(crate) struct Runs<'a> {
    header: RunHeader,
    rest: &'a [u8],
    further: Decoder<'a>,
    left: u32,
}

impl<'a> Iterator for Runs<'a> {
    type Item = (RunHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let header = self.header;
        let record_bytes = header.form.record_bytes();
        if self.left == 0 {
            return Some((header, core::mem::take(&mut self.rest)));
        }
        self.left -= 1;
        let records = self.further.varint()? as u32;
        let off_grid_ms = self.further.signed()?;
        let (run, rest) = self.rest.split_at_checked(records as usize * record_bytes)?;
        self.rest = rest;
        self.header = header.starting_at(records);
        self.header.base_ms = self.header.base_ms.wrapping_add_signed(off_grid_ms);
        Some((header, run))
    }
}

#[cfg(test)]
pub(crate) mod tests;
