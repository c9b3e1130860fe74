//! Losses: what the ledger names must have been there to lose, and the cause must be one that the
//! store has.

use super::{Book, Oracle, Place, Promise, Terms};
use crate::{
    DropCause, Loss,
    ram::FullPolicy,
    scenario::{Engine, faults::Rotten},
};

/// Records of a chunk on disk at most: it lies in one page of 4 KiB and a record takes a byte at
/// least. What is over its quota is dropped by chunks.
const CHUNK_RECORDS_MAX: u64 = 4_096;

/// What a record can take on disk at most, its share of a chunk of its own included.
const RECORD_BYTES_MAX: u64 = 64;

impl Oracle {
    /// The page of these records went bad.
    pub(in super::super) fn rotted(&mut self, rotten: &Rotten) {
        if let Some(book) = self.books.iter_mut().find(|book| book.key == rotten.key) {
            book.in_doubt.add(rotten.first_seq, rotten.end_seq);
        }
    }

    /// Takes a range that the ledger names out of the books. The newest entries are shown after
    /// every loss, so that what is new in one is what is still held of it.
    pub(super) fn enter_loss<E: Engine>(&mut self, now_ms: u64, loss: &Loss, engine: &E) {
        let (sensor, first, end) = (loss.sensor, loss.first_seq, loss.end_seq());
        let place = Place::Record(sensor, first);
        let terms = self.terms;
        let Some(book) = self.book_mut(sensor) else {
            let seen = format!("the ledger names {loss:?}, a sensor that does not exist");
            return self.blame(Promise::Conservation, now_ms, Place::Store, seen);
        };
        if loss.cause == DropCause::Rejected {
            if let Some(rejected) = book.unnamed_rejection.take_if(|(_, last)| *last == end) {
                book.rejected_ranges.add(rejected.0, rejected.1);
            }
            if !book.rejected_ranges.hold(first, end) {
                let seen = format!("the ledger names {loss:?}, which were not rejected");
                self.blame(Promise::Conservation, now_ms, place, seen);
            }
            return;
        }
        let is_in_doubt = book.in_doubt.hold(first, end);
        if let Some(why) = impossible(&terms, loss, is_in_doubt) {
            let seen = format!("{loss:?}: {why}");
            return self.blame(Promise::Conservation, now_ms, place, seen);
        }
        let new_first = book.gaps.skip(first.max(book.head_seq));
        if new_first >= end {
            if !book.dropped.hold(first, end) {
                let seen = format!("the ledger names {loss:?}, which were not held");
                self.blame(Promise::Conservation, now_ms, place, seen);
            }
            return;
        }
        if let Some(why) = needless(&terms, book, loss, engine) {
            let seen = format!("{loss:?}: {why}");
            return self.blame(Promise::Conservation, now_ms, place, seen);
        }
        let is_whole = end <= book.shelf.end_seq() && book.gaps.count(new_first, end) == 0;
        let pending = book.pending_count();
        let left_out = match loss.cause {
            // A disk keeps what is older: the oldest are those that are in RAM only.
            DropCause::Recycled if terms.disk.is_some() => {
                let in_ram_seq = engine.levels(sensor).map_or(0, |levels| levels.written_seq);
                let sent_seq = book.pending.map_or(0, |token| token.first_seq() + pending);
                let oldest_seq = in_ram_seq.max(sent_seq).min(new_first);
                new_first - oldest_seq - book.gaps.count(oldest_seq, new_first)
            }
            _ => book.held_before(new_first).wrapping_sub(pending),
        };
        // Sectors and chunks are dropped whole, and one that holds pending records is not dropped:
        // behind a batch, the rest of its last one is left out.
        let left_out_max = match loss.cause {
            DropCause::Recycled if pending > 0 || terms.disk.is_some() => {
                u64::from(terms.sector_records_max) - 1
            }
            DropCause::Quota | DropCause::DiskMax if pending > 0 => CHUNK_RECORDS_MAX - 1,
            _ => 0,
        };
        if !is_whole || left_out > left_out_max {
            let seen =
                format!("the ledger names {loss:?}, which are not the oldest unsent records");
            return self.blame(Promise::Conservation, now_ms, place, seen);
        }
        let count = end - new_first;
        book.dropped.add(new_first, end);
        book.gaps.add(new_first, end);
        book.move_head(book.head_seq);
        *match loss.cause {
            DropCause::Quota => &mut book.counts.dropped_quota,
            DropCause::DiskMax => &mut book.counts.dropped_disk_max,
            DropCause::Corrupt => &mut book.counts.dropped_corrupt,
            _ => &mut book.counts.dropped_recycled,
        } += count;
        if terms.disk.is_none() {
            let head_seq = book.head_seq;
            book.forget_before(head_seq);
        }
    }
}

/// Why this store cannot lose records for this cause, if it cannot.
fn impossible(terms: &Terms, loss: &Loss, is_in_doubt: bool) -> Option<String> {
    match loss.cause {
        // Their page went bad, or a sync had failed over them and the power went before they were durable.
        DropCause::Corrupt if is_in_doubt => None,
        // No scenario lets memory rot, so that a wrong checksum is the store's own fault.
        DropCause::Corrupt => Some("these did not rot".to_owned()),
        DropCause::Recycled if terms.policy == FullPolicy::RefuseNew => {
            Some(format!("the policy is {:?}", terms.policy))
        }
        DropCause::Quota | DropCause::DiskMax if terms.disk.is_none() => {
            Some("there is no disk".to_owned())
        }
        _ => None,
    }
}

/// Why the disk had room for what was just dropped, if it had.
fn needless<E: Engine>(terms: &Terms, book: &Book, loss: &Loss, engine: &E) -> Option<String> {
    let disk = terms.disk?;
    match loss.cause {
        DropCause::Quota => {
            let (bytes_max, quota_bytes) = (book.held_count() * RECORD_BYTES_MAX, disk.quota_bytes);
            let what = || format!("{bytes_max} B were held at most, the quota is {quota_bytes} B");
            (bytes_max < quota_bytes).then(what)
        }
        DropCause::DiskMax => {
            let bytes_peak = engine.disk().map_or(0, |disk| disk.bytes_peak);
            let limit = disk.disk_max_bytes;
            let what = || format!("{bytes_peak} B were used at most, the limit is {limit} B");
            (bytes_peak < limit / 2).then(what)
        }
        _ => None,
    }
}
