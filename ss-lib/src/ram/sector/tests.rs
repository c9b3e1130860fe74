//! What stands in a sector, against a second reading of the layout at the head of `sector`: plain, slow, and
//! with nothing of the first but the two checksums.

use super::{Opening, Sample, SectorView};
use crate::{
    ClockKind, Kind, Record,
    checksum::{crc32c_append, mix},
    ram::slots::{Slot, Slots},
};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A sector as a child would write it: its samples, and all of it anew whenever it is asked for.
struct Plain {
    sector_words: usize,
    sensor: u32,
    opening: Opening,
    samples: Vec<Sample>,
}

impl Plain {
    fn base_ms(&self) -> u64 {
        self.samples[0].time_ms
    }

    fn is_event(&self) -> bool {
        self.samples[0].kind == Kind::Event
    }

    fn is_stamped(&self) -> bool {
        self.is_event() || self.opening.stamped
    }

    fn has_prologue(&self) -> bool {
        let has_own_period = self.opening.period_ms != self.opening.implied_period_ms;
        self.base_ms() >= 1 << 48 || !self.is_stamped() && has_own_period
    }

    fn records_at(&self) -> usize {
        if self.has_prologue() { 6 } else { 4 }
    }

    fn record_words(&self) -> usize {
        if self.is_stamped() { 2 } else { 1 }
    }

    fn capacity(&self) -> usize {
        (self.sector_words - self.records_at()) / self.record_words()
    }

    /// The time of a place on the grid. Like the sector's it starts anew behind the end of time.
    fn grid_ms(&self, index: usize) -> u64 {
        self.base_ms().wrapping_add(index as u64 * u64::from(self.opening.period_ms))
    }

    /// Whether the sample belongs into the sector: see `SectorView::append`.
    fn takes(&self, sample: Sample, period_ms: u32) -> bool {
        let first = self.samples[0];
        if (sample.kind, sample.clock) != (first.kind, first.clock)
            || self.samples.len() == self.capacity()
        {
            return false;
        }
        if self.is_stamped() {
            // Two ends of time are as near each other as any other two times.
            let distance_ms = sample.time_ms.wrapping_sub(self.base_ms()).cast_signed();
            return (i64::from(i32::MIN)..=i64::from(i32::MAX)).contains(&distance_ms);
        }
        let grid_ms = self.grid_ms(self.samples.len());
        let is_on_the_grid = sample.time_ms.abs_diff(grid_ms) <= u64::from(period_ms / 2);
        let is_expressible = if self.has_prologue() {
            sample.time_ms >> 63 == grid_ms >> 63
        } else {
            sample.time_ms < 1 << 48
        };
        period_ms == self.opening.period_ms && is_on_the_grid && is_expressible
    }

    /// The sector's words up to the last one that is used.
    fn encode(&self) -> Vec<u32> {
        let first = self.samples[0];
        let seq_low = self.opening.first_seq as u32;
        let clock = match first.clock {
            ClockKind::Monotonic => 0,
            ClockKind::Utc => 1,
            ClockKind::Caller => 2,
        };
        let flags = [
            (10, u32::from(self.is_event())),
            (11, clock),
            (13, u32::from(self.is_stamped())),
            (14, u32::from(self.has_prologue())),
            (15, seq_low.count_ones() % 2),
        ];
        // Their bits are numbered behind the base's.
        let mut word_3 = (self.base_ms() >> 32) as u32 % (1 << 16);
        for (bit, value) in flags {
            word_3 += value << (16 + bit);
        }
        let header = [seq_low, self.base_ms() as u32, word_3];
        let prologue = [self.opening.period_ms, (self.base_ms() >> 48) as u32];
        let prologue = &prologue[..self.records_at() - 4];
        let mut records = Vec::new();
        for sample in &self.samples {
            if self.is_stamped() {
                records.push(sample.time_ms.wrapping_sub(self.base_ms()) as u32);
            }
            records.push(sample.value);
        }

        let hashed = prologue.iter().chain(&header).chain([&first.value]);
        let seed = hashed.fold(self.sensor, |seed, &word| mix(seed, [word]));
        let behind_the_first: Vec<_> =
            records[self.record_words()..].iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut words = vec![crc32c_append(seed, &behind_the_first)];
        words.extend(header);
        words[3] += (self.samples.len() as u32) << 16;
        words.extend(prologue);
        words.extend(records);
        words
    }

    fn records(&self, epoch: u32) -> Vec<Record> {
        let record = |(index, sample): (usize, &Sample)| Record {
            seq: self.opening.first_seq + index as u64,
            time_ms: if self.is_stamped() { sample.time_ms } else { self.grid_ms(index) },
            epoch,
            value: sample.value,
            clock: sample.clock,
            kind: sample.kind,
        };
        self.samples.iter().enumerate().map(record).collect()
    }
}

/// Numbers that look random and are the same each time.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N as u64) as usize]
    }

    fn clock(&mut self) -> ClockKind {
        self.of([ClockKind::Monotonic, ClockKind::Utc, ClockKind::Caller])
    }

    fn kind(&mut self) -> Kind {
        self.of([Kind::TimeSeries, Kind::TimeSeries, Kind::Event])
    }

    fn period_ms(&mut self) -> u32 {
        self.of([1, 2, 3, 10, 61, 1_000, 3_600_000, 0x7FFF_FFFF, u32::MAX])
    }

    /// The time of a first sample: any, or one at which something ends.
    fn begin_ms(&mut self) -> u64 {
        let near = self.of([0, 1 << 32, 1 << 48, 1 << 63, 0]);
        let any = self.next() >> self.of([0, 8, 16, 24, 40]);
        match self.below(4) {
            0 => near + self.below(100),
            1 => near.wrapping_sub(self.below(5_000)),
            _ => any,
        }
    }

    /// An empty sector of a sensor, and what is opened in it.
    fn plain(&mut self) -> Plain {
        let period_ms = self.period_ms();
        let implied_period_ms = if self.one_in(3) { self.period_ms() } else { period_ms };
        let first_seq = (self.next() >> self.of([1, 20, 32, 50])) ^ self.of([0, 0, 0xFFFF_FFF0]);
        let stamped = self.one_in(4);
        Plain {
            sector_words: self.of([8, 16, 16, 64, 64, 128]),
            sensor: self.below(100) as u32,
            opening: Opening { first_seq, period_ms, implied_period_ms, stamped },
            samples: vec![Sample {
                time_ms: self.begin_ms(),
                value: self.next() as u32,
                clock: self.clock(),
                kind: self.kind(),
            }],
        }
    }

    /// What comes behind the samples: mostly what fits, and else what just does not.
    fn sample_behind(&mut self, plain: &Plain) -> Sample {
        let mut sample = plain.samples[0];
        sample.value = self.next() as u32;
        sample.time_ms = if plain.is_stamped() {
            let ends = [i32::MIN.into(), i32::MAX.into(), i64::from(i32::MIN) - 1, 1 << 31];
            let far = self.of(ends);
            let distance_ms =
                if self.one_in(4) { far } else { self.below(2_000_000).cast_signed() - 1_000 };
            plain.base_ms().wrapping_add_signed(distance_ms)
        } else {
            let period_ms = u64::from(plain.opening.period_ms);
            let half = period_ms / 2;
            let off_ms = match self.below(14) {
                0 => self.of([half + 1, period_ms, 2 * period_ms, 1 << 32, 1 << 47, 1 << 63]),
                1 => self.below(half + 1),
                2..4 => half,
                _ => 0,
            };
            let grid_ms = plain.grid_ms(plain.samples.len());
            if self.one_in(2) { grid_ms.wrapping_add(off_ms) } else { grid_ms.wrapping_sub(off_ms) }
        };
        if self.one_in(24) {
            sample.clock = self.clock();
        }
        if self.one_in(24) {
            sample.kind = self.kind();
        }
        sample
    }
}

/// The memory of three sectors, of which the second is looked at.
struct Memory {
    words: Vec<AtomicU32>,
    links: [AtomicU32; 3],
    sector_words: usize,
}

impl Memory {
    /// Memory that was used for something else before.
    fn new(sector_words: usize) -> Self {
        let words = (0..3 * sector_words as u32).map(|n| AtomicU32::new(!n)).collect();
        Self { words, links: [const { AtomicU32::new(0) }; 3], sector_words }
    }

    fn slots(&self) -> Slots<'_> {
        Slots::new(&self.words, &self.links, self.sector_words)
    }

    /// The second of the three.
    fn slot(&self) -> Slot {
        self.slots().mint().nth(1).unwrap().slot()
    }

    /// Everything that stands there.
    fn copy(&self) -> Vec<u32> {
        self.words.iter().map(|word| word.load(Relaxed)).collect()
    }

    /// Opens the plain sector's first sample in the sector.
    fn open(&self, plain: &Plain) -> SectorView<'_> {
        let view = SectorView::new(
            self.slots(),
            self.slot(),
            plain.sensor,
            plain.opening.implied_period_ms,
        );
        view.open(plain.opening, plain.samples[0]);
        view
    }

    /// The sector holds the plain one's words; what is behind those, and beside the sector, is as before.
    fn assert_holds(&self, plain: &Plain) {
        let mut expected: Vec<_> = (0..3 * self.sector_words as u32).map(|n| !n).collect();
        let words = plain.encode();
        expected[self.sector_words..][..words.len()].copy_from_slice(&words);
        assert_eq!(self.copy(), expected, "{}", plain.samples.len());
    }
}

/// What a sector says of itself and its records is what the plain one holds.
fn assert_reads_as(view: SectorView<'_>, plain: &Plain, gap: u64) {
    let count = plain.samples.len();
    assert!(view.is_sound());
    assert_eq!(view.count() as usize, count);
    let (first_seq, next_seq) =
        (plain.opening.first_seq, plain.opening.first_seq + count as u64 + gap);
    assert_eq!(view.first_seq(next_seq), first_seq);
    assert_eq!(view.plausible_first_seq(next_seq), Some(first_seq));
    let records = plain.records(7);
    for from in [0, count / 2, count - 1, count] {
        let read: Vec<_> = view.records(from as u32, next_seq, 7).collect();
        assert_eq!(read, records[from..], "from {from}");
    }
    let is_sparse = !plain.is_stamped() && count < (plain.sector_words - 4) / 2;
    assert_eq!(view.is_sparse_grid(view.slots.counted(view.slot)), is_sparse, "{count}");
    #[cfg(feature = "std")]
    {
        assert_eq!(view.is_full(), count == plain.capacity());
        let shape = view.shape();
        assert_eq!(shape.base_ms, plain.base_ms());
        assert_eq!((shape.kind, shape.clock), (records[0].kind, records[0].clock));
        assert_eq!(shape.is_stamped, plain.is_stamped());
        assert!(plain.is_stamped() || shape.period_ms == plain.opening.period_ms);
        let words = &plain.encode()[plain.records_at()..];
        let from = count / 3;
        let mut out = vec![0; (words.len() - from * plain.record_words()) * 4];
        view.copy_words(from as u32, (count - from) as u32, &mut out);
        let expected = words[from * plain.record_words()..].iter().flat_map(|it| it.to_le_bytes());
        assert!(out.into_iter().eq(expected));
    }
}

#[test]
fn a_sector_takes_what_belongs_into_it_and_then_stands_as_the_layout_says() {
    let mut draws = Draws(1);
    let rounds = if cfg!(miri) { 3 } else { 1_500 };
    // Samples taken and refused: on the grid, stamped, each of them without and with a prologue.
    let mut met = [[0; 2]; 4];
    for _ in 0..rounds {
        let mut plain = draws.plain();
        let memory = Memory::new(plain.sector_words);
        let view = memory.open(&plain);
        memory.assert_holds(&plain);
        let form = usize::from(plain.is_stamped()) + 2 * usize::from(plain.has_prologue());
        for _ in 0..plain.capacity().min(30) + 4 {
            let sample = draws.sample_behind(&plain);
            let is_same = !draws.one_in(24);
            let period_ms = if is_same { plain.opening.period_ms } else { draws.period_ms() };
            let takes = plain.takes(sample, period_ms);
            let times_ms = (plain.base_ms(), sample.time_ms, period_ms);
            assert_eq!(view.append(sample, period_ms), takes, "{form}: {times_ms:?}");
            if takes {
                plain.samples.push(sample);
            }
            memory.assert_holds(&plain);
            met[form][usize::from(takes)] += 1;
        }
        assert_reads_as(view, &plain, draws.below(3));
    }
    let enough = if cfg!(miri) { 0 } else { 1_000 };
    assert!(met.as_flattened().iter().all(|&samples| samples >= enough), "{met:?}");
}

/// Half a period is rounded down, be the period implied or the sector's own.
#[test]
fn a_time_may_be_off_the_grid_by_half_a_period_and_not_by_more() {
    for begin_ms in [5_000, (1 << 48) - 5_000, 1 << 48, 1 << 50] {
        for period_ms in [1, 2, 3, 4, 5, 60, 61] {
            for implied_period_ms in [period_ms, 7] {
                let mut draws = Draws(begin_ms);
                let mut plain = draws.plain();
                plain.opening = Opening { period_ms, implied_period_ms, ..plain.opening };
                plain.opening.stamped = false;
                plain.samples[0] =
                    Sample { time_ms: begin_ms, kind: Kind::TimeSeries, ..plain.samples[0] };
                for off_ms in (-70..=70_i64).step_by(if cfg!(miri) { 35 } else { 1 }) {
                    let memory = Memory::new(plain.sector_words);
                    let view = memory.open(&plain);
                    let time_ms =
                        (begin_ms + u64::from(period_ms)).checked_add_signed(off_ms).unwrap();
                    let sample = Sample { time_ms, ..plain.samples[0] };
                    let takes = off_ms.unsigned_abs() <= u64::from(period_ms / 2);
                    assert_eq!(
                        view.append(sample, period_ms),
                        takes,
                        "{begin_ms}, {period_ms}, {off_ms}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_bit_that_flips_in_a_sector_is_found_out_and_one_of_its_number_is_flipped_back() {
    let mut draws = Draws(2);
    for _ in 0..if cfg!(miri) { 1 } else { 60 } {
        let mut plain = draws.plain();
        let memory = Memory::new(plain.sector_words);
        let view = memory.open(&plain);
        for _ in 0..draws.below(20) {
            let sample = draws.sample_behind(&plain);
            if view.append(sample, plain.opening.period_ms) {
                plain.samples.push(sample);
            }
        }
        let first_seq = plain.opening.first_seq;
        let next_seq = first_seq + plain.samples.len() as u64;
        for (index, word) in view.words[..plain.encode().len()].iter().enumerate() {
            for bit in 0..32 {
                word.fetch_xor(1 << bit, Relaxed);
                assert!(!view.is_sound(), "bit {bit} of word {index}");
                let is_number = index == 1;
                assert_eq!(view.would_be_sound_from(first_seq), is_number, "{bit} of {index}");
                if is_number {
                    assert_eq!(view.plausible_first_seq(next_seq), None);
                    assert_eq!(view.first_seq_with_flip(next_seq, bit), first_seq);
                }
                word.fetch_xor(1 << bit, Relaxed);
            }
        }
        // What is not used yet may be anything.
        for word in &view.words[plain.encode().len()..] {
            word.store(draws.next() as u32, Relaxed);
        }
        assert!(view.is_sound());
        assert_reads_as(view, &plain, 0);
    }
}

/// A number of 64 bits is known by its lower half, however far its sector lies back.
#[test]
fn a_number_is_completed_by_the_one_that_comes_next() {
    let plain = Draws(3).plain();
    for first_seq in [0, 5, u64::from(u32::MAX), 1 << 32, (9 << 32) + 7, u64::MAX - (1 << 33)] {
        let memory = Memory::new(plain.sector_words);
        let opening = Opening { first_seq, ..plain.opening };
        let view = memory.open(&Plain { opening, samples: plain.samples.clone(), ..plain });
        assert_eq!(super::first_seq_low(memory.slots(), memory.slot()), first_seq as u32);
        for distance in [1, 2, 1_000, 1 << 31, u64::from(u32::MAX)] {
            assert_eq!(view.first_seq(first_seq + distance), first_seq, "{distance}");
        }
    }
}
