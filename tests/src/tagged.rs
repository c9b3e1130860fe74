//! Readings that say whose they are, so that a record in the wrong chain cannot pass for a right
//! one, and the account of them from the uploader's side.

use ss_lib::{
    BatchToken, ClockKind, DropCause, Kind, Loss, Record, Sensor, SensorStats, Timestamp,
    ram::{Backing, Store},
};

/// The value of a sensor's record `seq`.
pub fn value(sensor: Sensor, seq: u64) -> u32 {
    ((sensor.index() as u32) << 24) | (seq as u32 & 0x00FF_FFFF)
}

/// The time of a sensor's record `seq`, on a grid of 10 ms.
pub fn time_ms(sensor: Sensor, seq: u64) -> u64 {
    ((sensor.index() as u64) << 32) | (seq * 10)
}

/// Adds a sensor's next record as it must be: only for its single producer, who knows its number.
pub fn add<B: Backing>(
    store: &mut Store<B>,
    sensor: Sensor,
    kind: Kind,
    seq: u64,
) -> Result<u64, ss_lib::AppendError> {
    match kind {
        Kind::TimeSeries => {
            store.append(sensor, value(sensor, seq), Timestamp::utc(time_ms(sensor, seq)))
        }
        Kind::Event => store.append_event(sensor, value(sensor, seq), time_ms(sensor, seq)),
    }
}

/// What the uploader of one sensor has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// The number after the last one that was answered for good.
    next_seq: u64,
    /// Records that were skipped: the ledger must know as many.
    pub skipped: u64,
    /// Records that were acked or rejected.
    pub answered: u64,
    /// Records that were rejected.
    pub rejected: u64,
}

impl Account {
    /// Holds a batch against the tags.
    ///
    /// # Panics
    /// If a record is another's, came before, or is not in order.
    pub fn check(&self, token: BatchToken, kind: Kind, batch: &[Record]) {
        assert!(token.first_seq() >= self.next_seq, "{token:?} came before: {self:?}");
        assert_eq!(token.count() as usize, batch.len());
        for (seq, record) in (token.first_seq()..).zip(batch) {
            let sensor = token.sensor();
            let clock = if kind == Kind::Event { ClockKind::Caller } else { ClockKind::Utc };
            let (value, time_ms) = (value(sensor, seq), time_ms(sensor, seq));
            let epoch = token.epoch();
            assert_eq!(*record, Record { seq, time_ms, epoch, value, clock, kind }, "{token:?}");
        }
    }

    /// The batch was acked or rejected.
    pub fn answer(&mut self, token: BatchToken, is_rejected: bool) {
        self.skipped += token.first_seq() - self.next_seq;
        self.next_seq = token.first_seq() + u64::from(token.count());
        self.answered += u64::from(token.count());
        if is_rejected {
            self.rejected += u64::from(token.count());
        }
    }

    /// Nothing is left in the store: its counts must be this account.
    ///
    /// # Panics
    /// If they are not.
    pub fn close(&self, stats: SensorStats) {
        let skipped = self.skipped + (stats.added - self.next_seq);
        assert_eq!(stats.erased, self.answered, "{stats:?}, {self:?}");
        assert_eq!(stats.rejected, self.rejected, "{stats:?}, {self:?}");
        assert_eq!(stats.dropped_recycled, skipped, "{stats:?}, {self:?}");
        assert_eq!((stats.retained(), stats.dropped_corrupt), (0, 0), "{stats:?}");
        assert!(stats.is_conserved(), "{stats:?}");
    }
}

/// Holds the ledger against the counters: as many records as they say, and every entry plausible.
///
/// # Panics
/// If they differ.
pub fn check_ledger<B: Backing>(store: &Store<B>, places: usize) {
    let mut ring = vec![Loss::NONE; places];
    let kept = store.losses(&mut ring);
    let (totals, ledger) = (store.totals(), store.ledger());
    assert_eq!(ledger.records, totals.dropped() + totals.rejected, "{ledger:?}");
    let named: u64 = ring[..kept].iter().map(|loss| u64::from(loss.count)).sum();
    assert_eq!(named + ledger.forgotten, ledger.records, "{ledger:?}");
    for loss in &ring[..kept] {
        assert!(loss.count > 0 && loss.cause != DropCause::Corrupt, "{loss:?}");
        let next_seq = store.sensor_config(loss.sensor).map(|config| config.first_seq);
        assert!(next_seq.is_ok_and(|next| loss.end_seq() <= next), "{loss:?} was never added");
    }
}
