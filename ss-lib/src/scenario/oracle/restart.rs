//! Restarts: what was written must be there again, what was durably answered must not, and what was
//! in RAM only may be gone after a kill.

use super::{Book, Oracle, Place, Promise};
use crate::{
    Sensor, SensorStats,
    scenario::{Engine, Levels, Restart, Restarted, Stop},
};

impl Oracle {
    /// Notes how far each sensor has come, as the store says it before it is stopped.
    pub(super) fn before_stop<E: Engine>(&mut self, now_ms: u64, engine: &E) {
        self.look_at_levels(now_ms, engine, 0..self.books.len());
        self.before = self
            .books
            .iter()
            .map(|book| book.sensor.and_then(|sensor| engine.levels(sensor)))
            .map(Option::unwrap_or_default)
            .collect();
        self.places.clear();
    }

    /// The store has sensor number `index` there now.
    pub(super) fn found(&mut self, index: u32, sensor: Option<Sensor>) {
        self.books[index as usize].sensor = sensor;
        if let Some(sensor) = sensor {
            self.place(sensor, index as usize);
        }
    }

    /// Holds the reopened store to what it said before.
    pub(super) fn after_open<E: Engine>(
        &mut self,
        now_ms: u64,
        restart: &Restart,
        restarted: Restarted,
        engine: &E,
    ) {
        if restarted.epoch <= self.terms.epoch {
            let seen = format!("epoch {} follows epoch {}", restarted.epoch, self.terms.epoch);
            return self.blame(Promise::Levels, now_ms, Place::Store, seen);
        }
        self.terms.epoch = restarted.epoch;
        if let (Some(disk), Some(quota_bytes)) = (&mut self.terms.disk, restart.quota_bytes) {
            disk.quota_bytes = quota_bytes;
        }
        let is_orderly = matches!(restart.stop, Stop::ShutDown { .. });
        let keeps_all = is_orderly && restarted.left == 0;
        let mut lost = 0;
        for index in 0..self.books.len() {
            let book = &mut self.books[index];
            let mut before = self.before[index];
            if restart.stop == Stop::PowerCut {
                if self.terms.disk.is_some_and(|disk| disk.sync_fails) {
                    book.in_doubt.add(before.durable_seq, before.written_seq);
                }
                // What is only written is the kernel's, and goes with the power.
                before.written_seq = before.durable_seq;
            }
            let (after, said) = match book.sensor {
                Some(sensor) => (engine.levels(sensor).unwrap_or_default(), engine.stats(sensor)),
                None => forgotten(book, before),
            };
            match book.reopen(before, after, said, keeps_all) {
                Ok(of_sensor) => lost += of_sensor,
                Err((promise, seen)) => {
                    return self.blame(promise, now_ms, Place::Book(index), seen);
                }
            }
        }
        if is_orderly && lost > restarted.left {
            let left = restarted.left;
            let seen = format!("the shutdown left {left} records unwritten, {lost} are gone");
            return self.blame(Promise::Levels, now_ms, Place::Store, seen);
        }
        if is_orderly {
            self.shutdown_left += restarted.left;
        } else {
            self.lost_in_kills += lost;
        }
    }
}

/// What a store says of a sensor that it does not know any more: that it ended where it was written.
fn forgotten(book: &Book, before: Levels) -> (Levels, SensorStats) {
    let end_seq = book.head_seq.min(before.written_seq.max(before.acked_durable_seq));
    let ended = Levels {
        added_seq: end_seq,
        written_seq: end_seq,
        durable_seq: end_seq,
        acked_seq: end_seq,
        acked_durable_seq: end_seq,
    };
    let dropped = book.counts.dropped();
    let counts = SensorStats {
        added: end_seq,
        erased: end_seq.saturating_sub(dropped),
        unsent: 0,
        ..book.counts
    };
    (ended, counts)
}

impl Book {
    /// Holds what the reopened store says against the books, and follows it as far as it may go.
    /// Returns how many records are gone that were held.
    fn reopen(
        &mut self,
        before: Levels,
        after: Levels,
        said: SensorStats,
        keeps_all: bool,
    ) -> Result<u64, (Promise, String)> {
        let (head_seq, end_seq) = (after.acked_seq, after.added_seq);
        let (old_end_seq, first_held_seq) = (self.shelf.end_seq(), self.head_seq);
        let breach = |promise, what: &str| {
            Err((promise, format!("{what}: {after:?} follows {before:?}, and it counts {said:?}")))
        };
        if end_seq > old_end_seq || end_seq < head_seq {
            return breach(Promise::Levels, "records that nobody added are there");
        }
        if end_seq < before.written_seq || after.written_seq < before.written_seq {
            return breach(Promise::Levels, "what was written is gone");
        }
        if head_seq < before.acked_durable_seq {
            return breach(Promise::Resurrection, "what was durably answered is there again");
        }
        if head_seq > self.gaps.skip(first_held_seq.min(end_seq)) {
            return breach(Promise::Levels, "what was held is not there, and nothing answered it");
        }
        let missing = self.gaps.count(head_seq, end_seq);
        let wanted = end_seq - head_seq - missing;
        if said.unsent < wanted || said.unsent > wanted + missing {
            let what = format!("{wanted} records should be unsent, {missing} were dropped");
            return breach(Promise::Levels, &what);
        }
        let own = self.stats();
        let counts = |stats: SensorStats| {
            let SensorStats { refused, rejected, dropped_recycled, dropped_corrupt, .. } = stats;
            let of_disk = [stats.dropped_quota, stats.dropped_disk_max, stats.erased];
            [refused, rejected, dropped_recycled, dropped_corrupt].into_iter().chain(of_disk)
        };
        let is_counted = said.is_conserved()
            && said.added == end_seq
            && said.pending == 0
            && counts(said).zip(counts(own)).all(|(said, own)| said <= own);
        if !is_counted {
            return breach(Promise::Conservation, &format!("it counted {own:?}"));
        }
        let unsent = own.unsent + own.pending;
        if keeps_all && said != (SensorStats { pending: 0, unsent, ..own }) {
            let what = format!("an orderly shutdown changed what was counted, {own:?}");
            return breach(Promise::Levels, &what);
        }
        let lost = self.held_count() - self.held_before(end_seq);
        self.truncate(end_seq);
        self.gaps.undo(head_seq, said.unsent - wanted);
        self.move_head(head_seq);
        self.pending = None;
        self.peeked = None;
        self.unnamed_rejection = None;
        self.counts = said;
        Ok(lost)
    }
}
