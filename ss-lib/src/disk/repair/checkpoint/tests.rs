//! How much of the ledger a new segment takes.

use super::{LifeCounts, LossChunk, balance, fitting, mended};
use crate::{
    DropCause, Kind, SensorKey, SensorStats,
    disk::scan::{Identity, IdentitySource, SensorScan},
};

/// The losses that are left of so many, in a segment of so many pages behind so many sensors.
fn left(losses: u64, sensors: usize, segment_pages: u32) -> Vec<u64> {
    let loss =
        |first_seq| LossChunk { key: 1, first_seq, at_ms: 0, count: 1, cause: DropCause::Corrupt };
    let identity = Identity { store_id: [7; 16], segment_pages, from: IdentitySource::Superblock };
    let fitted = fitting((0..losses).map(loss).collect(), sensors, &identity);
    fitted.iter().map(|loss| loss.first_seq).collect()
}

/// Half a segment's pages, with a hundred losses each, less a page for a hundred sensors. The oldest fall out.
#[test]
fn the_newest_losses_are_kept_that_have_room_behind_the_sensors() {
    for (sensors, segment_pages, room) in [
        (0, 16, 800),
        (1, 16, 800),
        (99, 16, 800),
        (100, 16, 700),
        (350, 16, 500),
        (350, 17, 500),
        (350, 18, 600),
        // A page in any case.
        (700, 16, 100),
        (5_000, 16, 100),
    ] {
        let case = format!("{sensors} sensors, {segment_pages} pages");
        assert!(left(room, sensors, segment_pages).into_iter().eq(0..room), "{case}");
        assert!(left(room + 3, sensors, segment_pages).into_iter().eq(3..room + 3), "{case}");
        assert_eq!(left(0, sensors, segment_pages), [], "{case}");
    }
}

/// What was dropped cannot be more than what is missing; of that the worst is believed first.
#[test]
fn counts_are_brought_down_to_what_the_cursors_leave_room_for() {
    let counts = LifeCounts {
        refused: 900,
        recycled: 20,
        quota: 30,
        disk_max: 40,
        corrupt: 10,
        rejected: 50,
    };
    for (room, [corrupt, recycled, quota, disk_max, rejected]) in [
        (150, [10, 20, 30, 40, 50]),
        (149, [10, 20, 30, 40, 49]),
        (100, [10, 20, 30, 40, 0]),
        (75, [10, 20, 30, 15, 0]),
        (60, [10, 20, 30, 0, 0]),
        (31, [10, 20, 1, 0, 0]),
        (9, [9, 0, 0, 0, 0]),
        (0, [0; 5]),
    ] {
        let mut balanced = counts;
        balance(&mut balanced, room);
        let expected = LifeCounts { rejected, recycled, corrupt, quota, disk_max, ..counts };
        assert_eq!(balanced, expected, "{room}");
    }
}

/// Of 100 numbers 30 are held, so that 70 are gone: 13 that were lost and 90 that were recycled are too many.
#[test]
fn what_was_lost_counts_as_dropped_and_no_more_than_is_missing() {
    let counts = LifeCounts { corrupt: 4, recycled: 90, ..LifeCounts::default() };
    let sensor = |kind, held| SensorScan {
        key: SensorKey { source: 1, id: 2 },
        kind,
        period_ms: 0,
        is_active: true,
        is_defined: true,
        head_seq: 100 - held,
        end_seq: 100,
        held,
        lost: 9,
        stats: SensorStats::default(),
        is_conserved: true,
        first_segment: 3,
        oldest_ms: None,
        newest_ms: None,
        hole: (100 - held, 100 - held),
        counts,
        order: 0,
    };
    let chunk = mended(&sensor(Kind::Event, 30), 8);
    assert_eq!((chunk.counts.corrupt, chunk.counts.recycled), (13, 57));
    assert_eq!((chunk.first_segment, chunk.period_ms), (3, 0));
    // Where nothing is held it is looked for in the new segment, and a series has a period.
    let chunk = mended(&sensor(Kind::TimeSeries, 0), 8);
    assert_eq!((chunk.counts.corrupt, chunk.counts.recycled), (13, 87));
    assert_eq!((chunk.first_segment, chunk.period_ms), (8, 1));
}
