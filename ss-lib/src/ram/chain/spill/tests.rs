//! What another tier is shown and takes is what the chain holds, record by record.

use super::{Chain, Owner, Retired, Run, Slots, Visit};
use crate::{
    BatchToken, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Config, Env, Inline, Store, backing::Memory},
};

/// A sector holds 12 records on the grid, or 6 events.
type Small = Store<Inline<1, 8, 16, 4>>;

const PERIOD_MS: u64 = 10;
const BEGIN_MS: u64 = 1_000;

struct Bench {
    store: Small,
    sensor: Sensor,
}

impl Bench {
    /// A sensor with so many records on the grid, whose values are their numbers.
    fn with_records(records: u64) -> Self {
        let mut store = Small::open(Config::default());
        let key = SensorKey { source: 1, id: 7 };
        let sensor = store.register(SensorConfig::time_series(key, PERIOD_MS as u32)).unwrap();
        let mut bench = Self { store, sensor };
        for seq in 0..records {
            bench.append(seq);
        }
        bench
    }

    fn append(&mut self, seq: u64) {
        let at = Timestamp::utc(BEGIN_MS + seq * PERIOD_MS);
        assert_eq!(self.store.append(self.sensor, seq as u32, at), Ok(seq));
    }

    fn consume(&mut self, records: usize) -> BatchToken {
        self.store.consume(self.sensor, &mut vec![Record::default(); records]).unwrap().unwrap()
    }

    fn chain<R>(&mut self, f: impl FnOnce(&mut Chain, Slots<'_>, Owner) -> R) -> R {
        let owner = Owner { sensor: self.sensor, epoch: self.store.epoch() };
        self.store
            .backing
            .with_chain(self.sensor, |chain, env| f(chain, env.slots(), owner))
            .unwrap()
    }

    /// First number, count and time of each run that is shown.
    fn runs(&mut self, from_seq: u64, takes_open: bool) -> Vec<(u64, u32, u64)> {
        let mut runs = Vec::new();
        let is_cut = self.chain(|chain, slots, owner| {
            chain.visit_runs(slots, owner, from_seq, takes_open, |run: &Run<'_>| {
                runs.push((run.first_seq, run.count, run.base_ms));
                Visit::Next
            })
        });
        assert!(!is_cut, "a sound sector was taken for a corrupt one");
        runs
    }

    fn retire(&mut self, below_seq: u64) -> Option<Retired> {
        let owner = Owner { sensor: self.sensor, epoch: self.store.epoch() };
        let backing = &mut self.store.backing;
        let retired = backing
            .with_chain(self.sensor, |chain, env| chain.retire_first(env, owner, below_seq))
            .unwrap();
        self.store.check().unwrap();
        retired
    }

    fn counts(&self) -> (u64, u64) {
        let stats = self.store.stats(self.sensor).unwrap();
        (stats.pending, stats.unsent)
    }
}

const fn run(first_seq: u64, count: u32) -> (u64, u32, u64) {
    (first_seq, count, BEGIN_MS + first_seq * PERIOD_MS)
}

#[test]
fn complete_sectors_are_shown_from_where_the_records_are_new() {
    let mut bench = Bench::with_records(30);
    assert_eq!(bench.runs(0, false), [run(0, 12), run(12, 12)]);
    assert_eq!(bench.runs(11, false), [run(0, 12), run(12, 12)]);
    assert_eq!(bench.runs(12, false), [run(12, 12)]);
    assert_eq!(bench.runs(24, false), []);
    let token = bench.consume(5);
    bench.store.ack(token).unwrap();
    assert_eq!(bench.runs(0, false), [run(5, 7), run(12, 12)]);
    let complete = |bench: &mut Bench, most| {
        bench.chain(|chain, slots, owner| chain.complete_sectors(slots, owner, most))
    };
    assert_eq!((complete(&mut bench, 9), complete(&mut bench, 1)), (2, 1));
    // The last one is complete when it is full, or was shown.
    for seq in 30..36 {
        assert_eq!(complete(&mut bench, 9), 2);
        bench.append(seq);
    }
    assert_eq!(complete(&mut bench, 9), 3);
    bench.append(36);
    assert_eq!(bench.runs(24, false), [run(24, 12)]);
    assert_eq!(bench.runs(24, true), [run(24, 12), run(36, 1)]);
    assert_eq!(complete(&mut bench, 9), 4);
    bench.append(37);
    assert_eq!(bench.runs(36, false), [run(36, 1)]);
    assert_eq!(bench.runs(36, true), [run(36, 1), run(37, 1)]);
    // Whoever has enough sees no more.
    let mut seen = 0;
    let stop = |_: &Run<'_>| {
        seen += 1;
        Visit::Stop
    };
    assert!(!bench.chain(|chain, slots, owner| chain.visit_runs(slots, owner, 0, true, stop)));
    assert_eq!(seen, 1);
}

#[test]
fn a_run_gives_its_records_as_they_are() {
    let mut bench = Bench::with_records(24);
    let token = bench.consume(2);
    bench.store.ack(token).unwrap();
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    };
    let mut first = true;
    let look = |run: &Run<'_>| {
        let mut out = [0xFF; 40];
        let from = run.first_seq as u32;
        if core::mem::take(&mut first) {
            assert_eq!(run.copy_bytes(0, &mut out), 10);
            assert_eq!(words(&out), (from..from + 10).collect::<Vec<_>>());
        } else {
            assert_eq!(run.copy_bytes(0, &mut out[..15]), 3);
            assert_eq!(run.copy_bytes(9, &mut out), 3);
            assert_eq!(words(&out[..12]), (from + 9..from + 12).collect::<Vec<_>>());
            assert_eq!(run.copy_bytes(12, &mut out), 0);
        }
        Visit::Next
    };
    bench.chain(|chain, slots, owner| chain.visit_runs(slots, owner, 0, false, look));
    assert!(!first);

    // Events keep their distance to the sector's first one, of which the batch took two.
    let mut store = Small::open(Config::default());
    let sensor = store.register(SensorConfig::event(SensorKey { source: 1, id: 7 })).unwrap();
    for number in 0..9 {
        store.append_event(sensor, 70 + number, 1_000 + 3 * u64::from(number)).unwrap();
    }
    let mut bench = Bench { store, sensor };
    let token = bench.consume(2);
    bench.store.ack(token).unwrap();
    let look = |run: &Run<'_>| {
        assert_eq!((run.first_seq, run.count, run.base_ms), (2, 4, 1_000));
        assert_eq!((run.is_stamped, run.record_bytes()), (true, 8));
        let mut out = [0; 80];
        assert_eq!(run.copy_bytes(1, &mut out), 3);
        assert_eq!(words(&out[..24]), [9, 73, 12, 74, 15, 75]);
        Visit::Stop
    };
    bench.chain(|chain, slots, owner| chain.visit_runs(slots, owner, 0, false, look));
}

#[test]
fn records_below_a_number_are_counted_without_what_was_erased() {
    let mut bench = Bench::with_records(40);
    let token = bench.consume(15);
    bench.store.ack(token).unwrap();
    for seq in 0..45 {
        let held = bench.chain(|chain, slots, owner| chain.held_below(slots, owner, seq));
        assert_eq!(held, seq.clamp(15, 40) - 15, "below {seq}");
    }
}

#[test]
fn a_sector_goes_when_all_of_it_is_held_elsewhere_and_its_pending_records_are_told() {
    let mut bench = Bench::with_records(30);
    let token = bench.consume(5);
    bench.store.ack(token).unwrap();
    bench.consume(15);
    assert_eq!(bench.counts(), (15, 10));
    assert_eq!(bench.retire(11), None);
    assert_eq!(bench.retire(12), Some(Retired { first_seq: 5, end_seq: 12, pending: 7 }));
    assert_eq!(bench.counts(), (8, 10));
    assert_eq!(bench.retire(30), Some(Retired { first_seq: 12, end_seq: 24, pending: 8 }));
    assert_eq!(bench.counts(), (0, 6));
    // It is appended to: nobody else may have it, until it is closed.
    assert_eq!(bench.retire(30), None);
    assert_eq!(bench.runs(0, true), [run(24, 6)]);
    assert_eq!(bench.retire(30), Some(Retired { first_seq: 24, end_seq: 30, pending: 0 }));
    assert_eq!((bench.counts(), bench.store.pool().sectors_used), ((0, 0), 0));
    assert_eq!(bench.retire(30), None);
    // What comes then is no more closed than anything before.
    bench.append(30);
    bench.append(31);
    assert_eq!(bench.runs(0, false), []);
    assert_eq!(bench.store.pool().sectors_used, 1);
}

/// The batch ends in the sector that goes, whose first records were erased: those of the batch stay pending there,
/// and no others.
#[test]
fn of_a_sector_in_which_a_batch_ends_its_own_records_stay_pending() {
    let mut bench = Bench::with_records(30);
    let token = bench.consume(5);
    bench.store.ack(token).unwrap();
    bench.consume(4);
    assert_eq!(bench.counts(), (4, 21));
    assert_eq!(bench.retire(12), Some(Retired { first_seq: 5, end_seq: 12, pending: 4 }));
    assert_eq!(bench.counts(), (0, 18));
}

/// Another tier hands out batches too: it counts in the chain, which must tell its own tokens from those.
#[test]
fn batches_of_another_tier_count_as_attempts() {
    let mut bench = Bench::with_records(30);
    let token = bench.consume(5);
    assert_eq!(bench.chain(|chain, _, _| chain.attempt()), token.attempt);
    bench.store.ack(token).unwrap();
    for _ in 0..3 {
        bench.chain(|chain, _, _| chain.count_attempt());
    }
    assert_eq!(bench.consume(5).attempt, token.attempt + 4);
    assert_eq!(
        bench.chain(|chain, _, _| (chain.attempt(), chain.next_seq())),
        (token.attempt + 4, 30)
    );
    bench.chain(|chain, _, _| chain.count_rejected(2));
    bench.chain(|chain, _, _| chain.count_rejected(1));
    assert_eq!(bench.store.stats(bench.sensor).unwrap().rejected, 3);
    bench.store.check().unwrap();
}
