//! What was read a moment ago is not read again, and what is kept is what the disk has.

#![expect(clippy::unwrap_used, reason = "helpers are tests too")]

use super::{CACHE_PAGES, PageCache, ReadFault, Segment};
use crate::disk::{
    PAGE_BYTES,
    io::Disk,
    page::{PageBuilder, PageFault, PageInfo},
    segment::SegmentState,
    sim::{Call, Due, Image, SimDisk, SimFault},
};

const STORE: [u8; 16] = [7; 16];
const PAGES: u32 = 40;

/// A segment of which each page has its place as the number in the log.
fn segment(disk: &SimDisk, id: u64) -> Segment {
    let segment = Segment { pages: PAGES, ..Segment::new(id, 0, SegmentState::Open) };
    let file = disk.create(segment.name().as_str()).unwrap();
    for page in 0..PAGES {
        let mut bytes = Box::new([0; PAGE_BYTES]);
        let info = PageInfo { lsn: u64::from(page), durable_lsn: 0, base_ms: 0, epoch: 1 };
        PageBuilder::begin(&mut *bytes, info).seal(segment.seed(&STORE), page);
        disk.write_at(&file, &bytes[..], u64::from(page) * PAGE_BYTES as u64).unwrap();
    }
    segment
}

fn lsn(cache: &mut PageCache<SimDisk>, disk: &SimDisk, of: (&Segment, u32), ahead: usize) -> u64 {
    cache.page_ahead(disk, of.0, of.1, ahead).unwrap().info.lsn
}

#[test]
fn the_last_pages_that_were_read_are_kept() {
    let disk = SimDisk::new(&Image::default());
    let segment = segment(&disk, 1);
    let mut cache = PageCache::new(STORE);
    let kept = CACHE_PAGES as u32;
    for from in [0, 5, 20, 24] {
        cache.forget(&segment);
        let before = cache.pages_read;
        for _ in 0..3 {
            for page in from..from + kept {
                assert_eq!(lsn(&mut cache, &disk, (&segment, page), 1), u64::from(page));
            }
            assert_eq!(cache.pages_read - before, u64::from(kept), "from {from}");
        }
    }
}

#[test]
fn pages_ahead_come_with_one_read_and_end_with_the_segment() {
    let disk = SimDisk::new(&Image::default());
    let segment = segment(&disk, 1);
    let mut cache = PageCache::new(STORE);
    let calls = |cache: &mut PageCache<SimDisk>, pages: core::ops::Range<u32>, ahead| {
        let (before, read) = (disk.calls(), cache.pages_read);
        for page in pages {
            assert_eq!(lsn(cache, &disk, (&segment, page), ahead), u64::from(page));
        }
        (disk.calls() - before, cache.pages_read - read)
    };
    // The file is opened by the first.
    assert_eq!(calls(&mut cache, 0..6, 6), (2, 6));
    assert_eq!(calls(&mut cache, 6..16, 10), (1, 10));
    assert_eq!(calls(&mut cache, 10..16, 1), (0, 0));
    // No more than there is room for, and than there are.
    assert_eq!(calls(&mut cache, 16..32, usize::MAX), (1, 16));
    assert_eq!(calls(&mut cache, 30..40, 16), (1, 8));
    assert_eq!(calls(&mut cache, 39..40, 0), (0, 0));
    cache.forget(&segment);
    assert_eq!(calls(&mut cache, 39..40, 0), (2, 1));
}

#[test]
fn another_generation_or_segment_is_another_page() {
    let disk = SimDisk::new(&Image::default());
    let segments: Vec<_> = (1..=10).map(|id| segment(&disk, id)).collect();
    let mut cache = PageCache::new(STORE);
    for segment in &segments {
        assert_eq!(lsn(&mut cache, &disk, (segment, 3), 1), 3);
    }
    assert_eq!(cache.pages_read, 10);
    // A file that went, and came back with less.
    cache.forget(&segments[4]);
    let file = disk.open_writable(segments[4].name().as_str()).unwrap();
    disk.set_len(&file, 3 * PAGE_BYTES as u64).unwrap();
    for ahead in [1, 4] {
        let gone = cache.page_ahead(&disk, &segments[4], 3, ahead).err();
        assert!(matches!(gone, Some(ReadFault::Page(PageFault::Empty))), "{ahead}: {gone:?}");
    }
    assert_eq!(lsn(&mut cache, &disk, (&segments[4], 2), 4), 2);
    // Those of the others are still there.
    let before = cache.pages_read;
    for segment in segments.iter().filter(|segment| segment.id != 5) {
        assert_eq!(lsn(&mut cache, &disk, (segment, 3), 1), 3);
    }
    assert_eq!(cache.pages_read, before);
    let renewed = Segment { generation: 1, ..segments[0] };
    assert!(matches!(cache.page(&disk, &renewed, 3), Err(ReadFault::Disk(_))));
}

/// A page that rotted is asked for again: what the disk gave once need not be what it has.
#[test]
fn a_page_with_a_wrong_checksum_is_not_kept() {
    let disk = SimDisk::new(&Image::default());
    let segment = segment(&disk, 1);
    let mut cache = PageCache::new(STORE);
    let name = segment.name().as_str().to_owned();
    let flip = || disk.edit(|image| image.flip(&name, 9 * PAGE_BYTES as u64 + 100, 3));
    flip();
    let checksum = cache.page(&disk, &segment, 9).err();
    assert!(matches!(checksum, Some(ReadFault::Page(PageFault::Checksum))), "{checksum:?}");
    assert_eq!(cache.claimed_lsn(&disk, &segment, 9), Some(9));
    assert_eq!(cache.claimed_lsn(&disk, &segment, 8), None);
    flip();
    assert_eq!(lsn(&mut cache, &disk, (&segment, 9), 1), 9);
}

/// Pages are held of a file that lost its end: all that are there. A disk that does not read is another matter,
/// whether it fails at once or where the pages are read one by one.
#[test]
fn what_is_held_of_a_file_that_lost_its_end_is_what_is_there() {
    let disk = SimDisk::new(&Image::default());
    let segment = segment(&disk, 1);
    let file = disk.open_writable(segment.name().as_str()).unwrap();
    disk.set_len(&file, 20 * PAGE_BYTES as u64 + 9).unwrap();
    let mut cache = PageCache::new(STORE);
    cache.hold(&disk, &segment, 14..24).unwrap();
    let calls = disk.calls();
    for page in 14..20 {
        assert_eq!(lsn(&mut cache, &disk, (&segment, page), 1), u64::from(page));
    }
    assert_eq!(disk.calls(), calls);
    let empty = cache.page_ahead(&disk, &segment, 21, 1).map(|view| view.info.lsn);
    assert!(matches!(empty, Err(ReadFault::Page(PageFault::Empty))));
    for nth in [0, 1, 4] {
        disk.fail(Due { call: Call::Read, fault: SimFault::Io, nth, times: 1 });
        assert!(cache.hold(&disk, &segment, 14..24).is_err(), "{nth}");
    }
    disk.fail(Due { call: Call::Read, fault: SimFault::Io, nth: 0, times: 1 });
    assert!(cache.hold(&disk, &segment, 0..10).is_err());
}
