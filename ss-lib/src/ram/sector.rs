//! What stands in a RAM sector.
//!
//! ```text
//! word  0        1          2           3                    [4 5]        ...
//!      +--------+----------+-----------+--------------------+------------+-----------------------+
//!      | CRC32C | seq low  | base low  | base mid  | flags  | prologue   | records               |
//!      +--------+----------+-----------+--------------------+------------+-----------------------+
//! flags (16 bits): 0-9 records, 10 event, 11-12 clock, 13 stamped, 14 prologue, 15 parity of word 1
//! prologue (only with flag 14): word 4 the period in ms, word 5 bits 48-63 of the base
//! record on the grid: value.            Its time: base + index × period.
//! record stamped:     delta, value.     Its time: base + delta (signed, 32 bits).
//! ```
//!
//! The checksum is a CRC32C over the records behind the first. It is carried forward by each append: 4 or
//! 8 B, never the whole sector. Its seed is a hash of the sensor's place in the store, so that a sector read
//! as another sensor's does not pass, of the prologue, of words 1 to 3 (the record count taken as 0), and of
//! the first value. No sector leaves RAM as it is, so the seed need not be a CRC32C too, whose tables cost a
//! microcontroller 10 instructions a word where [`mix`] costs 3.
//!
//! Found for certain: damage within one word of what is hashed, a bit each in two neighbouring words of it,
//! and of the records behind the first what CRC32C finds; all but where it makes flag 13 or 14 lay the
//! records out anew. Any other damage passes by chance alone, once in 2^32. The delta of the first stamped
//! record is no part of the checksum: it is 0, and compared.
//!
//! The sequence number's high half is not stored: a chain never spans 2^32 numbers
//! ([`super::chain`] sees to it), so the newest number completes it.

use super::slots::{Count, Slot, Slots};
use crate::{
    ClockKind, Kind, Record,
    checksum::{crc32c_words, mix},
};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Bytes of a RAM sector's header.
pub(crate) const HEADER_BYTES: u32 = 16;

const CRC: usize = 0;
const SEQ: usize = 1;
const BASE_LOW: usize = 2;
const BASE_MID_FLAGS: usize = 3;
const HEADER_WORDS: u32 = HEADER_BYTES / 4;
const PROLOGUE_WORDS: u32 = 2;

const COUNT_SHIFT: u32 = 16;
const COUNT_MAX: u32 = 0x3FF;
const COUNT_MASK: u32 = COUNT_MAX << COUNT_SHIFT;
const EVENT: u32 = 1 << 26;
const CLOCK_SHIFT: u32 = 27;
const CLOCK_MASK: u32 = 3 << CLOCK_SHIFT;
const STAMPED: u32 = 1 << 29;
const PROLOGUE: u32 = 1 << 30;
const SEQ_PARITY_SHIFT: u32 = 31;

/// A reading on its way into a sector.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) time_ms: u64,
    pub(crate) value: u32,
    pub(crate) clock: ClockKind,
    pub(crate) kind: Kind,
}

/// What is decided when a sector is opened.
#[derive(Clone, Copy)]
pub(crate) struct Opening {
    /// The number of the first record.
    pub(crate) first_seq: u64,
    /// The sensor's period now, in ms.
    pub(crate) period_ms: u32,
    /// The period that grid sectors without a prologue have in this chain, in ms.
    pub(crate) implied_period_ms: u32,
    /// Whether a time-series sector keeps a time with each record.
    pub(crate) stamped: bool,
}

/// What a sector's records share.
#[cfg(feature = "std")]
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) base_ms: u64,
    pub(crate) period_ms: u32,
    pub(crate) kind: Kind,
    pub(crate) clock: ClockKind,
    pub(crate) is_stamped: bool,
}

/// A view of one sector's bytes. It knows the layout, no list and no lock.
#[derive(Clone, Copy)]
pub(crate) struct SectorView<'m> {
    words: &'m [AtomicU32],
    slots: Slots<'m>,
    slot: Slot,
    /// Seeds the checksum.
    sensor: u32,
    implied_period_ms: u32,
}

/// A sector's header, decoded. Of a sector whose checksum was not checked, it may say anything.
#[derive(Clone, Copy)]
struct Header {
    flags: u32,
}

impl Header {
    const fn is_stamped(self) -> bool {
        self.flags & STAMPED != 0
    }

    const fn has_prologue(self) -> bool {
        self.flags & PROLOGUE != 0
    }

    const fn kind(self) -> Kind {
        if self.flags & EVENT != 0 { Kind::Event } else { Kind::TimeSeries }
    }

    const fn clock_bits(self) -> u32 {
        self.flags >> CLOCK_SHIFT & 3
    }

    const fn clock(self) -> ClockKind {
        match self.clock_bits() {
            0 => ClockKind::Monotonic,
            1 => ClockKind::Utc,
            _ => ClockKind::Caller,
        }
    }

    const fn record_words(self) -> u32 {
        if self.is_stamped() { 2 } else { 1 }
    }

    const fn records_at(self) -> u32 {
        HEADER_WORDS + PROLOGUE_WORDS * ((self.flags / PROLOGUE) & 1)
    }
}

const fn kind_and_clock_bits(kind: Kind, clock: ClockKind) -> u32 {
    let clock = match clock {
        ClockKind::Monotonic => 0,
        ClockKind::Utc => 1,
        ClockKind::Caller => 2,
    };
    let event = match kind {
        Kind::TimeSeries => 0,
        Kind::Event => EVENT,
    };
    event | clock << CLOCK_SHIFT
}

const fn parity(word: u32) -> u32 {
    word.count_ones() & 1
}

/// The number whose low half is `low`, and which is the nearest below `next_seq`; 0 if there is none.
#[inline]
fn complete_seq(low: u32, next_seq: u64) -> u64 {
    next_seq.saturating_sub(u64::from((next_seq as u32).wrapping_sub(low)))
}

/// The part of the first record's number that is stored in the sector.
#[inline]
pub(crate) fn first_seq_low(slots: Slots<'_>, slot: Slot) -> u32 {
    slots.words(slot)[SEQ].load(Relaxed)
}

impl<'m> SectorView<'m> {
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn new(slots: Slots<'m>, slot: Slot, sensor: u32, implied_period_ms: u32) -> Self {
        Self { words: slots.words(slot), slots, slot, sensor, implied_period_ms }
    }

    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    fn get(self, index: usize) -> u32 {
        self.words[index].load(Relaxed)
    }

    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    fn set(self, index: usize, value: u32) {
        self.words[index].store(value, Relaxed);
    }

    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    fn header(self) -> Header {
        Header { flags: self.get(BASE_MID_FLAGS) }
    }

    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn count(self) -> u32 {
        self.slots.count(self.slot)
    }

    /// The first record's number, completed by the number that the chain will give next.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn first_seq(self, next_seq: u64) -> u64 {
        complete_seq(self.get(SEQ), next_seq)
    }

    /// The same if the stored part of the number agrees with its parity: cheap enough for an add, which
    /// cannot afford a checksum over the sector.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn plausible_first_seq(self, next_seq: u64) -> Option<u64> {
        let low = self.get(SEQ);
        let is_plausible = parity(low) == self.get(BASE_MID_FLAGS) >> SEQ_PARITY_SHIFT;
        is_plausible.then(|| complete_seq(low, next_seq))
    }

    /// What `first_seq` would say if one bit of the number flipped back.
    pub(crate) fn first_seq_with_flip(self, next_seq: u64, bit: u32) -> u64 {
        complete_seq(self.get(SEQ) ^ 1 << bit, next_seq)
    }

    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    fn capacity(self, header: Header) -> u32 {
        (self.slots.sector_words() - header.records_at()) >> u32::from(header.is_stamped())
    }

    /// Whether the sector, which holds so many records, keeps no time with them, and less than half of it is
    /// used. (A prologue is not looked at: it would take one record of the half.)
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn is_sparse_grid(self, held: Count) -> bool {
        let half = (self.slots.sector_words() - HEADER_WORDS) / 2;
        // Both in one number: with the flag it is never small.
        (self.header().flags & STAMPED | held.records()) < half
    }

    fn base_ms(self, header: Header) -> u64 {
        let high = if header.has_prologue() { u64::from(self.get(5) & 0xFFFF) } else { 0 };
        high << 48 | u64::from(header.flags & 0xFFFF) << 32 | u64::from(self.get(BASE_LOW))
    }

    #[inline]
    fn period_ms(self, header: Header) -> u32 {
        if header.has_prologue() { self.get(4) } else { self.implied_period_ms }
    }

    /// Whether there is no room for another record.
    #[cfg(feature = "std")]
    pub(crate) fn is_full(self) -> bool {
        self.count() >= self.capacity(self.header())
    }

    /// What the records share. The sector must be sound.
    #[cfg(feature = "std")]
    pub(crate) fn shape(self) -> Shape {
        let header = self.header();
        Shape {
            base_ms: self.base_ms(header),
            period_ms: self.period_ms(header),
            kind: header.kind(),
            clock: header.clock(),
            is_stamped: header.is_stamped(),
        }
    }

    /// Copies the words of `count` records from number `from` on, little-endian.
    #[cfg(feature = "std")]
    pub(crate) fn copy_words(self, from: u32, count: u32, out: &mut [u8]) {
        let header = self.header();
        let at = (header.records_at() + from * header.record_words()) as usize;
        let words = &self.words[at..at + (count * header.record_words()) as usize];
        for (bytes, word) in out.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
    }

    /// Writes a header (and a prologue if something does not fit without) and the first record.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    pub(crate) fn open(self, opening: Opening, sample: Sample) {
        let event = sample.kind == Kind::Event;
        let stamped = event || opening.stamped;
        let base_low = sample.time_ms as u32;
        let base_high = (sample.time_ms >> 48) as u32;
        let seq_low = opening.first_seq as u32;
        let other_period = if stamped { 0 } else { opening.period_ms ^ opening.implied_period_ms };
        let prologue = base_high | other_period != 0;

        let mut flags = (sample.time_ms >> 32) as u32 & 0xFFFF;
        flags |= kind_and_clock_bits(sample.kind, sample.clock);
        flags |= parity(seq_low) << SEQ_PARITY_SHIFT;
        flags |= u32::from(stamped) * STAMPED;
        self.set(SEQ, seq_low);
        self.set(BASE_LOW, base_low);
        let (mut seed, mut at) = (self.sensor, HEADER_WORDS as usize);
        if prologue {
            flags |= PROLOGUE;
            self.set(4, opening.period_ms);
            self.set(5, base_high);
            seed = mix(seed, [opening.period_ms, base_high]);
            at += PROLOGUE_WORDS as usize;
        }
        seed = mix(seed, [seq_low, base_low, flags]);
        self.set(BASE_MID_FLAGS, flags | 1 << COUNT_SHIFT);
        self.slots.set_single_record(self.slot);
        // A fresh sector has room for a record of either size, and its base is the sample's time. Where no
        // time stands in front of the value, the value takes the place of the 0.
        self.set(at, 0);
        at += usize::from(stamped);
        self.set(at, sample.value);
        self.set(CRC, mix(seed, [sample.value]));
    }

    /// Adds the sample if the sector is of its kind, clock and period, has room, and can express
    /// its time. Says whether it did; if not, nothing was written.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    pub(crate) fn append(self, sample: Sample, period_ms: u32) -> bool {
        let header = self.header();
        let expected = kind_and_clock_bits(sample.kind, sample.clock);
        let stamped = if sample.kind == Kind::Event { STAMPED } else { 0 };
        let differing = header.flags ^ (expected | stamped);
        // What almost every sample meets: no prologue, and times only beside events, so that everything
        // stands in a place that is known.
        if differing & (EVENT | CLOCK_MASK | STAMPED | PROLOGUE) == 0 {
            let base_ms = u64::from(header.flags & 0xFFFF) << 32 | u64::from(self.get(BASE_LOW));
            if sample.kind == Kind::Event {
                return self.append_stamped(sample, header, base_ms, HEADER_WORDS);
            }
            // Below 2^48 each, wrapping says nothing but which of the two is ahead.
            if sample.time_ms >> 48 == 0 {
                let (period, half) = (self.implied_period_ms, period_ms / 2);
                let count = self.slots.counted(self.slot);
                let at = HEADER_WORDS + count.records();
                // Asked first: it is why most sectors end.
                if at as usize >= self.words.len() {
                    return false;
                }
                if period != period_ms {
                    return false;
                }
                let grid_ms = base_ms + u64::from(count.records()) * u64::from(period);
                let ahead_ms = sample.time_ms.wrapping_sub(grid_ms).wrapping_add(u64::from(half));
                if ahead_ms >> 32 != 0 || ahead_ms as u32 > half * 2 {
                    return false;
                }
                return self.push(header.flags, count, at, false, 0, sample.value);
            }
        }
        if (header.flags ^ expected) & (EVENT | CLOCK_MASK) != 0 {
            return false;
        }
        if header.is_stamped() {
            let base_ms = self.base_ms(header);
            return self.append_stamped(sample, header, base_ms, header.records_at());
        }
        // Without a prologue it is a time from 2^48 ms on, and its sector will have one.
        header.has_prologue() && self.append_behind_prologue(sample, header, period_ms)
    }

    /// Adds the sample to a sector that has a prologue and times on a grid.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    fn append_behind_prologue(self, sample: Sample, header: Header, period_ms: u32) -> bool {
        let count = self.slots.counted(self.slot);
        let at = HEADER_WORDS + PROLOGUE_WORDS + count.records();
        let period = self.get(4);
        if at as usize >= self.words.len() || period != period_ms {
            return false;
        }
        let half = period_ms / 2;
        let past_ms = u64::from(count.records()) * u64::from(period);
        let grid_ms = self.base_ms(header).wrapping_add(past_ms);
        let ahead_ms = sample.time_ms.wrapping_sub(grid_ms).wrapping_add(u64::from(half));
        // The two ends of time are near each other by wrapping only. (Its two halves are near each other in
        // their middle as well: there a sector ends early.)
        if ahead_ms >> 32 != 0
            || ahead_ms as u32 > half * 2
            || (sample.time_ms ^ grid_ms) >> 63 != 0
        {
            return false;
        }
        self.push(header.flags, count, at, false, 0, sample.value)
    }

    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    fn append_stamped(self, sample: Sample, header: Header, base_ms: u64, records_at: u32) -> bool {
        let count = self.slots.counted(self.slot);
        let at = records_at + count.records() * 2;
        if at as usize + 1 >= self.words.len() {
            return false;
        }
        // Wrapping both ways makes any pair of times exact if their distance fits.
        let distance_ms = sample.time_ms.wrapping_sub(base_ms).cast_signed();
        let Ok(delta) = i32::try_from(distance_ms) else { return false };
        self.push(header.flags, count, at, true, delta.cast_unsigned(), sample.value)
    }

    /// Writes one record more at word `at`, if there is room.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    fn push(
        self,
        flags: u32,
        count: Count,
        at: u32,
        stamped: bool,
        delta: u32,
        value: u32,
    ) -> bool {
        if at as usize + usize::from(stamped) >= self.words.len() {
            return false;
        }
        let records = (count.records() + 1) & COUNT_MAX;
        self.set(BASE_MID_FLAGS, flags & !COUNT_MASK | records << COUNT_SHIFT);
        self.slots.count_record(self.slot, count);
        self.write(self.get(CRC), at as usize, stamped, delta, value);
        true
    }

    /// Writes one record at word `at`, and carries the checksum forward from `crc`.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    fn write(self, crc: u32, at: usize, stamped: bool, delta: u32, value: u32) {
        let (crc, at) = if stamped {
            self.set(at, delta);
            (crc32c_words(crc, [delta]), at + 1)
        } else {
            (crc, at)
        };
        self.set(at, value);
        self.set(CRC, crc32c_words(crc, [value]));
    }

    /// What the checksum over the records begins with, and is as long as there is no second one.
    fn seed(self, header: Header, seq_low: u32, first_value: u32) -> u32 {
        let seed = if header.has_prologue() {
            mix(self.sensor, [self.get(4), self.get(5)])
        } else {
            self.sensor
        };
        mix(seed, [seq_low, self.get(BASE_LOW), header.flags & !COUNT_MASK, first_value])
    }

    /// Carries `crc` over `count` words from word `from`, 16 at a time.
    fn crc_words(self, mut crc: u32, from: u32, count: u32) -> u32 {
        let words = &self.words[from as usize..(from + count) as usize];
        let (blocks, rest) = words.as_chunks::<16>();
        for block in blocks {
            crc = crc32c_words(crc, block.each_ref().map(|word| word.load(Relaxed)));
        }
        for word in rest {
            crc = crc32c_words(crc, [word.load(Relaxed)]);
        }
        crc
    }

    /// Whether the sector's bytes are what was written: its checksum, and its count in both places.
    pub(crate) fn is_sound(self) -> bool {
        self.is_sound_from_low(self.get(SEQ))
    }

    /// Whether the sector would be sound if the first record's number were this one.
    pub(crate) fn would_be_sound_from(self, first_seq: u64) -> bool {
        self.is_sound_from_low(first_seq as u32)
    }

    fn is_sound_from_low(self, seq_low: u32) -> bool {
        let header = self.header();
        let count = self.count();
        if (header.flags & COUNT_MASK) >> COUNT_SHIFT != count
            || count < 1
            || count > self.capacity(header)
        {
            return false;
        }
        let first = header.records_at();
        if header.is_stamped() && self.get(first as usize) != 0 {
            return false;
        }
        let second = first + header.record_words();
        let seed = self.seed(header, seq_low, self.get(second as usize - 1));
        self.get(CRC) == self.crc_words(seed, second, (count - 1) * header.record_words())
    }

    /// The records from number `from` of the sector on. The sector must be sound.
    pub(crate) fn records(
        self,
        from: u32,
        next_seq: u64,
        epoch: u32,
    ) -> impl Iterator<Item = Record> + 'm {
        let header = self.header();
        let base_ms = self.base_ms(header);
        let period_ms = self.period_ms(header);
        let first_seq = self.first_seq(next_seq);
        let clock = header.clock();
        let kind = header.kind();
        (from..self.count()).map(move |index| {
            let at = (header.records_at() + index * header.record_words()) as usize;
            let (offset_ms, value) = if header.is_stamped() {
                (i64::from(self.get(at).cast_signed()).cast_unsigned(), self.get(at + 1))
            } else {
                (u64::from(index) * u64::from(period_ms), self.get(at))
            };
            Record {
                seq: first_seq + u64::from(index),
                time_ms: base_ms.wrapping_add(offset_ms),
                epoch,
                value,
                clock,
                kind,
            }
        })
    }
}

#[cfg(test)]
mod tests;
