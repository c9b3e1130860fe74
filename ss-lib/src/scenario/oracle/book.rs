//! One sensor's books: what the oracle itself knows of it.

use super::{
    Promise,
    ranges::{Gaps, Ranges},
    shelf::{Given, Shelf},
};
use crate::{BatchToken, Kind, Record, Sensor, SensorConfig, SensorKey, SensorStats};
use std::collections::VecDeque;

/// In the place of a time: the record was dropped before it was ever handed out.
const NEVER: u64 = u64::MAX;

pub(super) struct Book {
    pub(super) key: SensorKey,
    pub(super) tolerance_ms: u64,
    /// Where the store has the sensor now.
    pub(super) sensor: Option<Sensor>,
    /// What was given. On a disk's store also what was answered and may still come again after a kill.
    pub(super) shelf: Shelf,
    /// Nothing before it is held.
    pub(super) head_seq: u64,
    /// What was dropped, as far as it lies on the shelf.
    pub(super) gaps: Gaps,
    /// The times that records had when they were handed out first, from number `handed_out_seq` on.
    handed_out_ms: VecDeque<u64>,
    handed_out_seq: u64,
    pub(super) pending: Option<BatchToken>,
    /// How many records `peek_batch` just showed of the batch that is to come.
    pub(super) peeked: Option<usize>,
    pub(super) dropped: Ranges,
    pub(super) rejected_ranges: Ranges,
    /// What may be found lost: in a page that went bad, or written and not durable when the power went, where
    /// syncs fail.
    pub(super) in_doubt: Ranges,
    /// A rejected batch that the ledger has not named yet: (first, end).
    pub(super) unnamed_rejection: Option<(u64, u64)>,
    /// Its counts, but those that follow from what is held.
    pub(super) counts: SensorStats,
}

impl Book {
    pub(super) fn new(sensor: Sensor, config: SensorConfig) -> Self {
        Self {
            key: config.key,
            // A series is reported on its grid: within half a period. An event exactly.
            tolerance_ms: match config.kind {
                Kind::Event => 0,
                Kind::TimeSeries => u64::from(config.period_ms) / 2,
            },
            sensor: Some(sensor),
            shelf: Shelf::new(config.first_seq),
            head_seq: config.first_seq,
            gaps: Gaps::default(),
            handed_out_ms: VecDeque::new(),
            handed_out_seq: config.first_seq,
            pending: None,
            peeked: None,
            dropped: Ranges::default(),
            rejected_ranges: Ranges::default(),
            in_doubt: Ranges::default(),
            unnamed_rejection: None,
            counts: SensorStats { erased: config.first_seq, ..SensorStats::default() },
        }
    }

    /// How many records before number `seq` are held.
    pub(super) fn held_before(&self, seq: u64) -> u64 {
        seq.saturating_sub(self.head_seq) - self.gaps.count(self.head_seq, seq)
    }

    pub(super) fn held_count(&self) -> u64 {
        self.held_before(self.shelf.end_seq())
    }

    pub(super) fn pending_count(&self) -> u64 {
        self.pending.map_or(0, |token| u64::from(token.count()))
    }

    pub(super) fn unsent_count(&self) -> u64 {
        self.held_count() - self.pending_count()
    }

    /// Whether the sensor has a batch for the uploader.
    pub(super) fn is_ready(&self) -> bool {
        self.pending.is_none() && self.head_seq < self.shelf.end_seq()
    }

    pub(super) fn oldest(&self) -> Option<Given> {
        self.shelf.get(self.head_seq)
    }

    /// The first of `records` that is not what is held, behind `skipped` records of that.
    pub(super) fn first_difference(
        &self,
        skipped: u64,
        records: &[Record],
    ) -> Option<(u64, Promise, String)> {
        self.held().skip(skipped as usize).zip(records).find_map(|(given, record)| {
            let (promise, seen) = self.difference(&given, record)?;
            Some((record.seq, promise, seen))
        })
    }

    /// What is held, oldest first.
    fn held(&self) -> impl Iterator<Item = Given> {
        self.shelf.from(self.head_seq).filter(|given| self.gaps.skip(given.seq) == given.seq)
    }

    /// The counts that the store must show.
    pub(super) fn stats(&self) -> SensorStats {
        SensorStats {
            added: self.shelf.end_seq(),
            pending: self.pending_count(),
            unsent: self.unsent_count(),
            ..self.counts
        }
    }

    /// Nothing before `seq`, nor what was dropped at it, is held any more.
    pub(super) fn move_head(&mut self, seq: u64) {
        self.head_seq = self.gaps.skip(seq);
    }

    /// Lets go of what can never come again.
    pub(super) fn forget_before(&mut self, seq: u64) {
        self.shelf.forget_before(seq);
        self.gaps.forget_before(seq);
        let handed_out = self.handed_out_ms.len() as u64;
        let past = seq.saturating_sub(self.handed_out_seq).min(handed_out);
        self.handed_out_ms.drain(..past as usize);
        self.handed_out_seq += past;
    }

    /// Takes back the numbers from `end_seq` on.
    pub(super) fn truncate(&mut self, end_seq: u64) {
        self.shelf.truncate(end_seq);
        self.gaps.truncate(end_seq);
        self.dropped.truncate(end_seq);
        self.rejected_ranges.truncate(end_seq);
        self.in_doubt.truncate(end_seq);
        let kept = end_seq.saturating_sub(self.handed_out_seq);
        self.handed_out_ms.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Notes that `record` is handed out. Returns whether it had been before.
    pub(super) fn hand_out(&mut self, record: &Record) -> bool {
        if self.handed_out_ms.is_empty() {
            self.handed_out_seq = record.seq;
        }
        let at = record.seq.wrapping_sub(self.handed_out_seq) as usize;
        if at < self.handed_out_ms.len() && self.handed_out_ms[at] != NEVER {
            return true;
        }
        if at >= self.handed_out_ms.len() {
            self.handed_out_ms.resize(at + 1, NEVER);
        }
        self.handed_out_ms[at] = record.time_ms;
        false
    }

    fn handed_out_ms(&self, seq: u64) -> Option<u64> {
        let at = usize::try_from(seq.checked_sub(self.handed_out_seq)?).ok()?;
        self.handed_out_ms.get(at).copied().filter(|&ms| ms != NEVER)
    }

    /// Why `record` is not the one that was given, if it is not.
    fn difference(&self, given: &Given, record: &Record) -> Option<(Promise, String)> {
        if record.seq != given.seq {
            let seen = format!(
                "record {} was handed out where {} is next; the ledger names no loss between",
                record.seq, given.seq
            );
            return Some((Promise::Order, seen));
        }
        let same = (record.value, record.epoch, record.clock, record.kind)
            == (given.value, given.epoch, given.clock, given.kind);
        let handed_out_ms = self.handed_out_ms(given.seq);
        if handed_out_ms.is_some_and(|ms| !same || record.time_ms != ms) {
            return Some((Promise::Redelivery, format!("it came again as {record:?}")));
        }
        if !same || record.time_ms.abs_diff(given.time_ms) > self.tolerance_ms {
            let Given { time_ms, value, epoch, clock, .. } = given;
            let seen = format!(
                "value {value} at {time_ms} ms by {clock:?} was added in epoch {epoch}, {record:?} \
                 came out"
            );
            return Some((Promise::Order, seen));
        }
        None
    }
}
