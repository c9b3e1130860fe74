//! A sync that ends late, while somebody else goes on with the log.

#![expect(clippy::unwrap_used, reason = "helpers are tests too")]

use super::{Log, LogSizes};
use crate::disk::{
    Disk, Operation, Origin, PAGE_BYTES,
    segment::{Segment, SegmentState},
    sim::{Call, Due, Image, SimDisk, SimFault},
};
use std::sync::Arc;

fn begin_segment(log: &mut Log<SimDisk>) {
    log.create_segment().unwrap();
    log.end_checkpoint(0).unwrap();
}

fn write_page(log: &mut Log<SimDisk>) {
    log.begin_sector();
    assert!(log.appender.put_chunk(|page| page.push_checkpoint_end(0)));
    log.flush().unwrap();
}

fn log() -> (SimDisk, Log<SimDisk>) {
    let disk = SimDisk::default();
    let sizes = LogSizes { segment_pages: 16, segments_max: 8, sensors_max: 1 };
    let opened = Log::recover(Arc::new(disk.clone()), sizes, &Origin::default(), 0);
    let mut log = opened.unwrap().0;
    begin_segment(&mut log);
    write_page(&mut log);
    (disk, log)
}

/// One thread is about to sync. Another one's sync fails meanwhile, and it begins the next segment and gives
/// that up again. The first thread found no file of its segment then, took that for a sealed one's, and called
/// durable what the failed sync had left: the next segment's first page would have said so for good.
#[test]
fn a_late_sync_of_a_segment_that_was_given_up_proves_nothing() {
    for (begun, given_up) in [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1)] {
        let (disk, mut log) = log();
        let late = log.sync_ticket().unwrap();
        let durable_lsn = log.durable_lsn;
        assert!(late.lsn > durable_lsn);
        disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
        assert!(log.sync_now().is_err());
        for _ in 0..begun {
            begin_segment(&mut log);
        }
        for _ in 0..given_up {
            log.create_segment().unwrap();
            disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
            assert!(log.end_checkpoint(0).is_err());
            log.abandon_segment();
        }
        let before = (log.durable_lsn, log.suspects());
        let result = late.sync(&disk);
        assert!(log.synced(&late, result).is_err(), "{begun} begun, {given_up} given up");
        assert_eq!((log.durable_lsn, log.suspects()), before);
        // What is written next can be made durable.
        if begun == 0 || given_up > 0 {
            begin_segment(&mut log);
        }
        write_page(&mut log);
        log.sync_now().unwrap();
        assert!(!log.has_unsynced() && log.durable_lsn > late.lsn);
    }
}

/// A sync that ends badly is late, too: meanwhile its segment was given up by another one's, squeezed, and is
/// durable again.
#[test]
fn a_late_failure_makes_no_sealed_segment_suspect() {
    let (disk, mut log) = log();
    let late = log.sync_ticket().unwrap();
    log.seal().unwrap();
    begin_segment(&mut log);
    write_page(&mut log);
    disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
    assert!(log.sync_now().is_err());
    assert_eq!(log.suspects(), 1);
    let _ = log.synced(&late, Err(std::io::ErrorKind::Other.into()));
    assert_eq!(log.suspects(), 1);
}

/// A segment that is sealed is nobody's to append to, and what is asked of the open one is of none.
#[test]
fn behind_a_seal_no_segment_is_open() {
    let (_, mut log) = log();
    let open = log.segments.last().unwrap().id;
    assert!(log.is_open() && !log.has_partial_page());
    assert_eq!((log.open_segment_id(), log.open_data_pages()), (open, 1));
    log.seal().unwrap();
    let last = log.segments.last().unwrap();
    assert!(!log.is_open() && last.pages > last.data_page + 1);
    assert_eq!((log.open_segment_id(), log.open_data_pages()), (open + 1, 0));
    begin_segment(&mut log);
    log.begin_sector();
    assert!(!log.has_partial_page());
    assert!(log.appender.put_chunk(|page| page.push_checkpoint_end(0)));
    assert!(log.has_partial_page());
    log.drop_partial_page();
    assert!(!log.has_partial_page() && log.appender.is_empty());
}

/// The last 2^20 numbers of pages are for what takes records away.
#[test]
fn the_last_numbers_are_kept_for_acknowledgements() {
    let (_, mut log) = log();
    log.next_lsn = u64::MAX - (1 << 20);
    log.check_numbers().unwrap();
    log.next_lsn += 1;
    let error = log.check_numbers().unwrap_err().to_string();
    assert!(error.contains("the numbers of pages are used up"), "{error}");
}

/// Every sync is counted that mending what a failed one left has asked for: one of what the kernel may hold, and
/// one of what was written again.
#[test]
fn the_syncs_of_a_mending_are_counted() {
    let disk = SimDisk::crashable_from(&Image::default());
    let sizes = LogSizes { segment_pages: 16, segments_max: 8, sensors_max: 1 };
    let opened = Log::recover(Arc::new(disk.clone()), sizes, &Origin::default(), 0);
    let mut log = opened.unwrap().0;
    begin_segment(&mut log);
    write_page(&mut log);
    disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
    assert!(log.sync_now().is_err());
    let (before, written) = (log.counts.fsyncs, log.counts.bytes_written);
    let index = log.segments.len() - 1;
    assert!(log.settle_suspect(index).unwrap());
    assert_eq!(log.counts.fsyncs, before + 2);
    // The page that the sync should have made durable.
    assert_eq!(log.counts.bytes_written, written + PAGE_BYTES as u64);
    let (before, written) = (log.counts.fsyncs, log.counts.bytes_written);
    assert!(log.settle_suspect(index).unwrap());
    assert_eq!((log.counts.fsyncs, log.counts.bytes_written), (before + 1, written));
}

/// What stands under the next segment's name is taken away first. Where that fails no segment is begun: only that
/// nothing stood there is no failure.
#[test]
fn a_segment_is_not_begun_over_a_file_that_stays() {
    let (disk, mut log) = log();
    log.seal().unwrap();
    let name = log.open_name();
    let next = Segment::new(log.open_segment_id(), 0, SegmentState::Open).name();
    assert_ne!(next.as_str(), name.as_str());
    disk.create(next.as_str()).unwrap();
    disk.fail(Due { call: Call::Unlink, fault: SimFault::Io, nth: 0, times: 1 });
    let error = log.create_segment().unwrap_err();
    assert_eq!((error.operation, error.file.as_str()), (Operation::Unlink, next.as_str()));
    assert!(!log.is_open());
    begin_segment(&mut log);
    assert!(log.is_open());
}

/// A sync makes durable what was written before it began, and no page that came meanwhile.
#[test]
fn what_is_written_during_a_sync_waits_for_the_next_one() {
    let (disk, mut log) = log();
    let ticket = log.sync_ticket().unwrap();
    write_page(&mut log);
    let result = ticket.sync(&disk);
    log.synced(&ticket, result).unwrap();
    assert!(log.has_unsynced());
    assert_eq!(log.durable_lsn, ticket.lsn);
    assert!(log.next_lsn > ticket.lsn);
    log.sync_now().unwrap();
    assert!(!log.has_unsynced() && log.sync_ticket().is_none());
    assert_eq!(log.durable_lsn, log.next_lsn);
}

/// A seal syncs its segment: a late sync of that does nothing to the file that is open by then.
#[test]
fn a_late_sync_of_a_sealed_segment_asks_nothing_of_the_disk() {
    let (disk, mut log) = log();
    let late = log.sync_ticket().unwrap();
    log.seal().unwrap();
    begin_segment(&mut log);
    write_page(&mut log);
    let calls = disk.calls();
    late.sync(&disk).unwrap();
    assert_eq!(disk.calls(), calls);
    log.synced(&late, Ok(())).unwrap();
    assert!(log.has_unsynced() && log.durable_lsn < log.next_lsn);
}

/// A segment is sealed early when more than four times its data pages were searched, and a quarter of it is full.
#[test]
fn an_open_segment_wants_an_index_when_it_is_searched_often() {
    let (_, mut log) = log();
    assert_eq!(log.open_data_pages(), 1);
    log.pages_searched = 1_000;
    assert!(!log.wants_index(), "it is small");
    (0..3).for_each(|_| write_page(&mut log));
    assert_eq!(log.open_data_pages(), 4);
    for (searched, wants) in [(0, false), (16, false), (17, true)] {
        log.pages_searched = searched;
        assert_eq!(log.wants_index(), wants, "{searched} pages");
    }
}

/// What waits in the buffer is forgotten, and the next page stands where it would have stood.
#[test]
fn a_buffer_that_is_reset_holds_nothing() {
    let (_, mut log) = log();
    let page = log.page_number();
    log.begin_sector();
    assert!(log.appender.put_chunk(|page| page.push_checkpoint_end(0)));
    log.appender.seal_page();
    assert_eq!((log.built_pages(), log.page_number()), (1, page + 1));
    log.reset_buffer();
    assert_eq!((log.built_pages(), log.page_number()), (0, page));
    assert!(log.appender.is_empty());
}
