//! What a scan's answers come to.

use super::Scan;
use crate::disk::superblock::Superblock;

/// Only an orderly shutdown, and of the newest opening, says how far the log went.
#[test]
fn pages_are_missing_at_the_end_only_after_an_orderly_shutdown() {
    let missing = |is_clean, closed_epoch, epoch, last_lsn, newest_lsn| {
        let superblock = Superblock {
            store_id: [7; 16],
            segment_pages: 16,
            epoch: closed_epoch,
            sequence: 2,
            created_ms: 0,
            opened_ms: 0,
            last_lsn,
            is_clean,
        };
        let superblock = Some(superblock);
        Scan { superblock, newest_lsn, epoch, ..Scan::default() }.pages_missing_at_end()
    };
    assert_eq!(missing(true, 3, 3, 40, 31), 9);
    assert_eq!(missing(true, 4, 3, 40, 31), 9);
    assert_eq!(missing(true, 3, 3, 40, 40), 0);
    assert_eq!(missing(true, 3, 3, 40, 41), 0);
    assert_eq!(missing(false, 3, 3, 40, 31), 0);
    assert_eq!(missing(true, 2, 3, 40, 31), 0);
    assert_eq!(missing(false, 2, 3, 40, 31), 0);
    assert_eq!(Scan { newest_lsn: 5, ..Scan::default() }.pages_missing_at_end(), 0);
}
