//! The oracle can fail: stores that break one promise each, and the oracle that must name it.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::{
    AppendError, BatchToken, ClockKind, ConsumeError, DropCause, Kind, Loss, Record, RegisterError,
    Sensor, SensorConfig, SensorStats, StaleBatch, Timestamp,
    ram::{
        Fault, FullPolicy, LedgerStats, PoolStats, Shared, SharedConfig, Store, footprint_bytes,
    },
    scenario::{
        Answer, Engine,
        oracle::{Promise, Violation},
        run::{StoreSize, Unwatched, run_in},
        text::{Overrides, Scenario},
    },
};
use std::cell::Cell;

/// A way to break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    None,
    AddIsForgotten,
    ValueIsAltered,
    TimeIsShifted,
    EpochIsWrong,
    ClockIsWrong,
    RecordsAreSwapped,
    RecordIsSkipped,
    RedeliveryDiffers,
    AckErasesNothing,
    NackErases,
    StaleAckIsAccepted,
    RightAckIsRefused,
    PeekShowsAnother,
    NothingComesOut,
    LossesAreHidden,
    RejectionsAreHidden,
    AddedIsMiscounted,
    RefusalIsMiscounted,
    RightAddIsRefused,
    WalkFails,
    PoolOutgrowsItself,
    StoredValueIsAltered,
    RefusesInsteadOfRecycling,
    RecyclesInsteadOfRefusing,
    RefusesWithoutNeed,
    RecycledIsCalledCorrupt,
    NothingIsEverReady,
    PeekShowsNothing,
    LedgerCountsNonsense,
    LedgerNamesWhatIsHeld,
}

/// A store that is right until its hundredth operation of the sabotaged kind.
struct Saboteur {
    store: Store<Shared>,
    sabotage: Sabotage,
    calls: Cell<u32>,
}

impl Saboteur {
    fn strikes(&self, sabotage: Sabotage) -> bool {
        if self.sabotage != sabotage {
            return false;
        }
        self.calls.set(self.calls.get() + 1);
        self.calls.get() > 100
    }
}

impl Saboteur {
    /// What the ledger is made to say. Returns how many entries are left of it.
    fn altered(&self, losses: &mut [Loss]) -> usize {
        match self.sabotage {
            Sabotage::LossesAreHidden | Sabotage::RejectionsAreHidden => return 0,
            Sabotage::RecycledIsCalledCorrupt => {
                for loss in losses.iter_mut() {
                    loss.cause = DropCause::Corrupt;
                }
            }
            Sabotage::LedgerNamesWhatIsHeld => {
                for loss in losses.iter_mut() {
                    loss.first_seq += 1;
                }
            }
            _ => {}
        }
        losses.len()
    }
}

impl Engine for Saboteur {
    type Fault = Fault;

    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        self.store.register(config)
    }

    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError> {
        if self.strikes(Sabotage::RightAddIsRefused) {
            return Err(AppendError::Inactive);
        }
        if self.strikes(Sabotage::AddIsForgotten) {
            return Ok(self.store.stats(sensor).unwrap().added);
        }
        if self.strikes(Sabotage::RefusalIsMiscounted) {
            return Err(AppendError::Full);
        }
        if self.strikes(Sabotage::StoredValueIsAltered) {
            return self.store.append(sensor, value ^ 0xDEAD, at);
        }
        if self.strikes(Sabotage::RefusesWithoutNeed) {
            let _ = self.store.append_event(sensor, value, 0);
            return Err(AppendError::Full);
        }
        self.store.append(sensor, value, at)
    }

    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError> {
        self.store.append_event(sensor, value, ts_ms)
    }

    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> usize {
        let count = self.store.peek_batch(sensor, out).unwrap();
        if self.sabotage == Sabotage::PeekShowsNothing {
            return 0;
        }
        if self.sabotage == Sabotage::PeekShowsAnother && count > 0 {
            out[0].value ^= 1;
        }
        count
    }

    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        if self.strikes(Sabotage::NothingComesOut) {
            return Ok(None);
        }
        let token = self.store.consume(sensor, out)?;
        let Some(token) = token else { return Ok(None) };
        let records = &mut out[..token.count() as usize];
        let last = records.len() - 1;
        if self.strikes(Sabotage::ValueIsAltered) {
            records[last].value ^= 1 << 31;
        }
        if self.strikes(Sabotage::TimeIsShifted) {
            records[last].time_ms += 100_000;
        }
        if self.strikes(Sabotage::EpochIsWrong) {
            records[0].epoch += 1;
        }
        if self.strikes(Sabotage::ClockIsWrong) {
            records[0].clock = ClockKind::Monotonic;
        }
        if last > 0 && self.strikes(Sabotage::RecordsAreSwapped) {
            records.swap(0, last);
        }
        if last > 0 && self.strikes(Sabotage::RecordIsSkipped) {
            records[last].seq += 1;
        }
        if records[0].kind == Kind::TimeSeries && self.strikes(Sabotage::RedeliveryDiffers) {
            // One millisecond: within half a period, so right once and wrong the second time.
            records[0].time_ms += u64::from(self.calls.get() % 2);
        }
        Ok(Some(token))
    }

    fn answer(&mut self, token: BatchToken, answer: Answer) -> Result<(), StaleBatch> {
        match answer {
            Answer::Ack if self.strikes(Sabotage::AckErasesNothing) => self.store.nack(token),
            Answer::Nack if self.strikes(Sabotage::NackErases) => self.store.ack(token),
            Answer::Ack if self.strikes(Sabotage::RightAckIsRefused) => Err(StaleBatch),
            Answer::Ack if self.strikes(Sabotage::StaleAckIsAccepted) => {
                let _ = self.store.ack(token);
                Ok(())
            }
            _ => Engine::answer(&mut self.store, token, answer),
        }
    }

    fn stats(&self, sensor: Sensor) -> SensorStats {
        let mut stats = self.store.stats(sensor).unwrap();
        if self.strikes(Sabotage::AddedIsMiscounted) {
            stats.added += 1;
            stats.erased += 1;
        }
        stats
    }

    fn is_ready(&self, sensor: Sensor) -> bool {
        self.sabotage != Sabotage::NothingIsEverReady && self.store.is_ready(sensor).unwrap()
    }

    fn losses(&self, out: &mut [Loss]) -> usize {
        let count = self.store.losses(out);
        self.altered(&mut out[..count])
    }

    fn last_loss(&self) -> Option<Loss> {
        let mut last = [self.store.last_loss()?];
        (self.altered(&mut last) == 1).then_some(last[0])
    }

    fn losses_recorded(&self) -> u64 {
        self.store.losses_recorded()
    }

    fn ledger(&self) -> LedgerStats {
        let mut ledger = self.store.ledger();
        if self.sabotage == Sabotage::LedgerCountsNonsense {
            ledger.records += 1 << 40;
        }
        ledger
    }

    fn tick(&mut self, now_ms: u64) {
        self.store.tick(now_ms);
    }

    fn limit_sectors(&mut self, sectors: u32) {
        self.store.limit_sectors(sectors);
    }

    fn pool(&self) -> PoolStats {
        let mut pool = self.store.pool();
        if self.sabotage == Sabotage::PoolOutgrowsItself {
            pool.sectors_peak = pool.sectors_total + 1;
        }
        pool
    }

    fn check(&mut self) -> Result<(), Fault> {
        if self.sabotage == Sabotage::WalkFails {
            return Err(Fault::Sectors { chained: 1, free: 1, in_hand: 0, total: 3 });
        }
        self.store.check()
    }
}

/// A cloud that does everything to a small store.
const STORM: &str = r#"
profile = "linux-ram"
duration = "20m"
seed = 5
[store]
pool = "64KiB"
[[sensors]]
name = "series"
count = 10
kind = "time-series"
period = "1s"
jitter = "20ms"
value.ramp = { from = 0, step = 1 }
[[sensors]]
name = "events"
count = 4
kind = "event"
source = 1
period = "2s"
[uploader]
every = "3s"
batch = 20
latency = "200ms"
timeout = "1s"
nack = "10%"
late = "10%"
duplicate = "10%"
reject = "5%"
"#;

/// The same with a pool that is too small, and an uploader that comes too seldom.
const FLOOD: &str = r#"
profile = "linux-ram"
duration = "20m"
seed = 6
[store]
pool = "2KiB"
sector = 64
[[sensors]]
name = "series"
count = 10
kind = "time-series"
period = "1s"
[uploader]
every = "40s"
batch = 20
latency = "200ms"
"#;

/// More sensors lose by turns than the newest entries of the ledger name.
const CROWD: &str = r#"
profile = "linux-ram"
duration = "20m"
seed = 9
[store]
pool = "4KiB"
sector = 64
[[sensors]]
name = "series"
count = 60
kind = "time-series"
period = "1s"
[uploader]
every = "50s"
batch = 20
latency = "200ms"
reject = "20%"
"#;

/// Nobody comes: what is held at the end was never handed out.
const ALONE: &str = r#"
profile = "linux-ram"
duration = "20m"
seed = 7
[store]
pool = "16KiB"
policy = "refuse-new"
[[sensors]]
name = "series"
count = 10
kind = "time-series"
period = "2s"
"#;

/// The same with a pool that is too small.
const FULL: &str = r#"
profile = "linux-ram"
duration = "20m"
seed = 8
[store]
pool = "1KiB"
sector = 64
policy = "refuse-new"
[[sensors]]
name = "series"
count = 10
kind = "time-series"
period = "2s"
"#;

fn judge(text: &str, sabotage: Sabotage) -> Option<Violation> {
    let scenario =
        Scenario::parse(text, "sabotage.toml", "sabotage", &Overrides::default()).unwrap();
    let mut store_config = scenario.store_config();
    match sabotage {
        Sabotage::RefusesInsteadOfRecycling => store_config.policy = FullPolicy::RefuseNew,
        Sabotage::RecyclesInsteadOfRefusing => store_config.policy = FullPolicy::RecycleOldest,
        _ => {}
    }
    let config = SharedConfig {
        geometry: scenario.geometry,
        sensors_max: scenario.sensors(),
        losses_max: 64,
        config: store_config,
    };
    let size = StoreSize {
        bytes_total: footprint_bytes(&config),
        sector_bytes: scenario.geometry.sector_bytes(),
    };
    let mut engine = Saboteur { store: Store::open_shared(config), sabotage, calls: Cell::new(0) };
    run_in(&scenario, &mut engine, size, &mut Unwatched).unwrap().violation
}

#[test]
fn an_honest_store_is_not_blamed() {
    assert_eq!(judge(STORM, Sabotage::None), None);
    assert_eq!(judge(FLOOD, Sabotage::None), None);
    assert_eq!(judge(CROWD, Sabotage::None), None);
    assert_eq!(judge(ALONE, Sabotage::None), None);
    assert_eq!(judge(FULL, Sabotage::None), None);
}

#[test]
fn every_sabotage_is_blamed_on_the_promise_that_it_breaks() {
    let cases = [
        (STORM, Sabotage::AddIsForgotten, Promise::Order),
        (STORM, Sabotage::ValueIsAltered, Promise::Order),
        (STORM, Sabotage::TimeIsShifted, Promise::Order),
        (STORM, Sabotage::EpochIsWrong, Promise::Order),
        (STORM, Sabotage::ClockIsWrong, Promise::Order),
        (STORM, Sabotage::RecordsAreSwapped, Promise::Tokens),
        (STORM, Sabotage::RecordIsSkipped, Promise::Order),
        (STORM, Sabotage::RedeliveryDiffers, Promise::Redelivery),
        (STORM, Sabotage::AckErasesNothing, Promise::Order),
        (STORM, Sabotage::NackErases, Promise::Order),
        (STORM, Sabotage::StaleAckIsAccepted, Promise::Tokens),
        (STORM, Sabotage::RightAckIsRefused, Promise::Tokens),
        (STORM, Sabotage::PeekShowsAnother, Promise::Order),
        (STORM, Sabotage::NothingComesOut, Promise::Order),
        (FLOOD, Sabotage::LossesAreHidden, Promise::Order),
        (STORM, Sabotage::RejectionsAreHidden, Promise::Conservation),
        (STORM, Sabotage::AddedIsMiscounted, Promise::Conservation),
        (STORM, Sabotage::RefusalIsMiscounted, Promise::Conservation),
        (STORM, Sabotage::RightAddIsRefused, Promise::Conservation),
        (STORM, Sabotage::WalkFails, Promise::OneOwner),
        (STORM, Sabotage::PoolOutgrowsItself, Promise::BoundedRam),
        (ALONE, Sabotage::StoredValueIsAltered, Promise::Order),
        (FLOOD, Sabotage::RefusesInsteadOfRecycling, Promise::Conservation),
        (FULL, Sabotage::RecyclesInsteadOfRefusing, Promise::Conservation),
        (ALONE, Sabotage::RefusesWithoutNeed, Promise::Conservation),
        (FLOOD, Sabotage::RecycledIsCalledCorrupt, Promise::Conservation),
        (STORM, Sabotage::NothingIsEverReady, Promise::Order),
        (STORM, Sabotage::PeekShowsNothing, Promise::Order),
        (STORM, Sabotage::LedgerCountsNonsense, Promise::Conservation),
        (FLOOD, Sabotage::LedgerNamesWhatIsHeld, Promise::Conservation),
    ];
    for (text, sabotage, promise) in cases {
        let violation = judge(text, sabotage).unwrap_or_else(|| panic!("{sabotage:?} went unseen"));
        assert_eq!(violation.promise, promise, "{sabotage:?}: {violation}");
        assert!(violation.virtual_ms > 0, "{sabotage:?}: {violation}");
        let of_the_whole_store = matches!(promise, Promise::OneOwner | Promise::BoundedRam)
            || sabotage == Sabotage::LedgerCountsNonsense;
        assert_eq!(violation.sensor.is_none(), of_the_whole_store, "{sabotage:?}: {violation}");
    }
}

#[test]
fn a_violation_names_promise_sensor_number_and_virtual_time() {
    let violation = judge(STORM, Sabotage::ValueIsAltered).unwrap();
    assert!(violation.seq.is_some());
    let text = violation.to_string();
    assert!(text.starts_with("P2 order broken at "), "{text}");
    assert!(text.contains(", sensor 0/") || text.contains(", sensor 1/"), "{text}");
    assert!(text.contains(", seq "), "{text}");
}
