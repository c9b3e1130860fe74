//! Durability levels: what a store says is written and durable, looked at while it runs.

use super::{Oracle, Place, Promise};
use crate::scenario::Engine;
use core::ops::Range;

/// A tick looks at one of so many parts of the sensors: each of them is looked at once a second.
const PARTS: usize = 10;

impl Oracle {
    /// Looks at the next part of the sensors.
    pub(super) fn look_around<E: Engine>(&mut self, now_ms: u64, engine: &E) {
        let sensors = self.books.len();
        let part = self.part % PARTS;
        self.part += 1;
        self.look_at_levels(now_ms, engine, sensors * part / PARTS..sensors * (part + 1) / PARTS);
        // To count what is on disk takes a look at every sensor.
        if part != 0 {
            return;
        }
        let Some(disk) = engine.disk() else { return };
        if disk.records >= self.disk_records_peak && disk.records > 0 {
            self.disk_records_peak = disk.records;
            let bytes = disk.bytes - disk.reserve_bytes;
            self.centibytes_per_record = bytes * 100 / disk.records;
        }
        let disk_max_bytes = self.terms.disk.map_or(u64::MAX, |disk| disk.disk_max_bytes);
        if disk.bytes_peak > disk_max_bytes {
            let seen = format!("{disk:?} is above disk_max, {disk_max_bytes} B");
            self.blame(Promise::BoundedDisk, now_ms, Place::Store, seen);
        }
    }

    pub(super) fn look_at_levels<E: Engine>(
        &mut self,
        now_ms: u64,
        engine: &E,
        part: Range<usize>,
    ) {
        for index in part {
            let book = &mut self.books[index];
            let Some(levels) = book.sensor.and_then(|sensor| engine.levels(sensor)) else {
                continue;
            };
            let is_ordered = levels.durable_seq <= levels.written_seq
                && levels.written_seq <= levels.added_seq
                && levels.added_seq == book.shelf.end_seq()
                && levels.acked_durable_seq <= levels.acked_seq
                && levels.acked_seq <= book.head_seq;
            if !is_ordered {
                let (head_seq, end_seq) = (book.head_seq, book.shelf.end_seq());
                let seen = format!("{levels:?} of a sensor that holds {head_seq}..{end_seq}");
                return self.blame(Promise::Levels, now_ms, Place::Book(index), seen);
            }
            book.forget_before(levels.acked_durable_seq);
            if let Some(oldest) =
                book.shelf.get(book.gaps.skip(levels.durable_seq.max(book.head_seq)))
            {
                let lag_ms = now_ms.saturating_sub(oldest.added_ms);
                self.durable_lag_ms = self.durable_lag_ms.max(lag_ms);
            }
        }
    }
}
