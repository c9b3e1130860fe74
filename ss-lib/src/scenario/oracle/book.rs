//! One sensor's books: what the oracle itself knows of it.

use crate::{BatchToken, ClockKind, Kind, Record, SensorConfig, SensorKey, SensorStats};
use std::collections::VecDeque;

use super::Promise;

/// A record that the store should hold.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) seq: u64,
    /// The time that was given; once it was handed out, the time that it then had.
    pub(super) time_ms: u64,
    pub(super) added_ms: u64,
    pub(super) value: u32,
    pub(super) clock: ClockKind,
    pub(super) kind: Kind,
    pub(super) was_delivered: bool,
}

/// Ranges of numbers that the ledger named, in the order in which they were lost.
#[derive(Default)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub(super) fn add(&mut self, first: u64, end: u64) {
        match self.0.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => self.0.push((first, end)),
        }
    }

    /// Whether one of them holds all of `first .. end`. The newest are asked first: it is they that
    /// are shown again.
    pub(super) fn hold(&self, first: u64, end: u64) -> bool {
        self.0.iter().rev().any(|range| range.0 <= first && end <= range.1)
    }
}

pub(super) struct Book {
    pub(super) key: SensorKey,
    pub(super) tolerance_ms: u64,
    pub(super) held: VecDeque<Held>,
    pub(super) pending: Option<BatchToken>,
    /// How many records `peek_batch` just showed of the batch that is to come.
    pub(super) peeked: Option<usize>,
    pub(super) next_seq: u64,
    pub(super) dropped: Ranges,
    pub(super) rejected_ranges: Ranges,
    /// A rejected batch that the ledger has not named yet: (first, end).
    pub(super) unnamed_rejection: Option<(u64, u64)>,
    pub(super) added: u64,
    pub(super) refused: u64,
    pub(super) acked: u64,
    pub(super) rejected: u64,
    pub(super) recycled: u64,
}

impl Book {
    pub(super) fn new(config: SensorConfig) -> Self {
        Self {
            key: config.key,
            // A series is reported on its grid: within half a period. An event exactly.
            tolerance_ms: match config.kind {
                Kind::Event => 0,
                Kind::TimeSeries => u64::from(config.period_ms) / 2,
            },
            held: VecDeque::new(),
            pending: None,
            peeked: None,
            next_seq: config.first_seq,
            dropped: Ranges::default(),
            rejected_ranges: Ranges::default(),
            unnamed_rejection: None,
            added: 0,
            refused: 0,
            acked: 0,
            rejected: 0,
            recycled: 0,
        }
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending.map_or(0, |token| token.count() as usize)
    }

    pub(super) fn unsent_count(&self) -> usize {
        self.held.len() - self.pending_count()
    }

    /// Whether the sensor has a batch for the uploader.
    pub(super) fn is_ready(&self) -> bool {
        self.pending.is_none() && !self.held.is_empty()
    }

    /// The counts that the store must show.
    pub(super) fn stats(&self) -> SensorStats {
        SensorStats {
            added: self.added,
            refused: self.refused,
            erased: self.acked + self.rejected,
            rejected: self.rejected,
            pending: self.pending_count() as u64,
            unsent: self.unsent_count() as u64,
            dropped_recycled: self.recycled,
            ..SensorStats::default()
        }
    }

    /// Why `record` is not the one that is held, if it is not.
    pub(super) fn difference(
        &self,
        held: &Held,
        record: &Record,
        epoch: u32,
    ) -> Option<(Promise, String)> {
        if record.seq != held.seq {
            let seen = format!(
                "record {} was handed out where {} is next; the ledger names no loss between",
                record.seq, held.seq
            );
            return Some((Promise::Order, seen));
        }
        let same = (record.value, record.epoch, record.clock, record.kind)
            == (held.value, epoch, held.clock, held.kind);
        let distance_ms = record.time_ms.abs_diff(held.time_ms);
        if held.was_delivered && (!same || distance_ms != 0) {
            return Some((Promise::Redelivery, format!("it came again as {record:?}")));
        }
        if !same || distance_ms > self.tolerance_ms {
            let seen = format!(
                "value {} at {} ms by {:?} was added in epoch {epoch}, {record:?} came out",
                held.value, held.time_ms, held.clock
            );
            return Some((Promise::Order, seen));
        }
        None
    }
}
