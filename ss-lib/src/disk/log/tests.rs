//! A sync that ends late, while somebody else goes on with the log.

#![expect(clippy::unwrap_used, reason = "helpers are tests too")]

use super::{Log, LogSizes};
use crate::disk::{
    Origin,
    sim::{Call, Due, SimDisk, SimFault},
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
