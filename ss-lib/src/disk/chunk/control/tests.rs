use super::{Footer, FooterFields, InDoubt, LifeCounts, LossChunk, SensorChunk};
use crate::{
    DropCause, Kind,
    disk::{
        chunk::{
            Chunk,
            tests::{page, view},
        },
        page::PAGE_BYTES,
        varint::Encoder,
    },
};

type Page = Box<[u8; PAGE_BYTES]>;

/// What the page's only chunk is, if it can be decoded.
fn decoded<T>(page: &Page, as_one: impl FnOnce(Chunk<'_>) -> T) -> Option<T> {
    let mut chunks = view(page).chunks();
    let chunk = chunks.next().unwrap().ok().map(as_one);
    assert!(chunks.next().is_none());
    chunk
}

fn footer_page(fields: &FooterFields, first_keys: &[u64], behind: &[u8]) -> Page {
    let mut keys = [0; PAGE_BYTES];
    let mut out = Encoder::new(&mut keys);
    let mut before = 0;
    for &key in first_keys {
        out.signed(key.wrapping_sub(before).cast_signed());
        before = key;
    }
    out.slice(behind);
    let len = out.len();
    page(|page| assert!(page.push_footer(fields, &keys[..len])))
}

fn pages_of(fields: &FooterFields, first_keys: &[u64], key: u64) -> Option<std::ops::Range<u32>> {
    decoded(&footer_page(fields, first_keys, &[]), |chunk| {
        let Chunk::Footer(footer @ Footer { .. }) = chunk else { panic!("no footer") };
        assert_eq!(footer.fields, *fields);
        footer.pages_of(key)
    })
}

/// Fences narrow an index down to the pages that can hold a key's entries, and to no page more: a page can if
/// its first key is not beyond, and the next page's not before.
#[test]
fn a_footer_names_the_index_pages_that_can_hold_a_key() {
    // The keys of each page's entries, some of them in several pages.
    let pages: [&[u64]; 7] =
        [&[10, 20, 30], &[30, 30], &[30, 40], &[40, 41], &[50], &[70, 80], &[80, 90]];
    for fence_step in 1..9_u32 {
        let fields = FooterFields { index_page: 5, index_pages: 7, records: 99, fence_step };
        let groups: Vec<&[&[u64]]> = pages.chunks(fence_step as usize).collect();
        let firsts: Vec<u64> = groups.iter().map(|group| group[0][0]).collect();
        for key in (1..100).step_by(if cfg!(miri) { 30 } else { 1 }) {
            let found = pages_of(&fields, &firsts, key).unwrap();
            for (number, group) in groups.iter().enumerate() {
                let is_beyond = firsts[number] > key;
                let is_before = firsts.get(number + 1).is_some_and(|&next| next < key);
                for (at, entries) in group.iter().enumerate() {
                    let page = 5 + number as u32 * fence_step + at as u32;
                    let is_found = found.contains(&page);
                    assert!(is_found || !entries.contains(&key), "{key}, step {fence_step}");
                    // Without a smaller one in front the first page can hold any.
                    let can = !is_beyond && !is_before;
                    assert_eq!(is_found, can, "{key}, step {fence_step}, page {page}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn a_footer_whose_numbers_cannot_be_is_none() {
    let fields = |index_page, index_pages, fence_step| FooterFields {
        index_page,
        index_pages,
        records: 1,
        fence_step,
    };
    let is_one = |fields: FooterFields, keys: &[u64], behind: &[u8]| {
        decoded(&footer_page(&fields, keys, behind), |_| ()).is_some()
    };
    assert!(is_one(fields(1, 3, 2), &[5, 9], &[]));
    assert!(is_one(fields(1, 0, 1), &[], &[]));
    assert!(!is_one(fields(0, 3, 2), &[5, 9], &[]), "an index in the first page");
    assert!(!is_one(fields(1, 3, 0), &[5, 9], &[]), "no step");
    assert!(!is_one(fields(1, 3, 2), &[5], &[]), "a key too few");
    assert!(!is_one(fields(1, 3, 2), &[5, 9], &[7]), "something behind it");
    let end = u32::MAX - 1;
    assert!(is_one(fields(end - 2, 2, 2), &[5], &[]));
    assert!(!is_one(fields(end - 1, 2, 2), &[5], &[]), "its end is no page's number");
    assert!(!is_one(fields(end, 2, 2), &[5], &[]), "its end overflows");
}

#[test]
fn a_loss_of_nothing_or_beyond_all_numbers_is_none() {
    let loss = |first_seq, count| LossChunk {
        key: 0x01_0000_0007,
        first_seq,
        at_ms: 5,
        count,
        cause: DropCause::Quota,
    };
    let read = |loss: &LossChunk| {
        decoded(&page(|page| assert!(page.push_loss(loss))), |chunk| {
            let Chunk::Loss(loss) = chunk else { panic!("no loss") };
            loss
        })
    };
    for sound in [loss(0, 1), loss(7, u32::MAX), loss(u64::MAX - 3, 3)] {
        assert_eq!(read(&sound), Some(sound));
    }
    for bad in [loss(7, 0), loss(u64::MAX - 2, 3)] {
        assert_eq!(read(&bad), None, "{bad:?}");
    }
}

fn sensor(head_seq: u64, end_seq: u64) -> SensorChunk {
    SensorChunk {
        key: 1,
        kind: Kind::Event,
        is_active: true,
        period_ms: 0,
        head_seq,
        end_seq,
        held: end_seq - head_seq,
        hole: (0, 0),
        first_segment: 0,
        counts: LifeCounts::default(),
    }
}

/// 100 to 130 were seen, and then the log says that the sensor ends at 110: 110 to 130 are in doubt.
#[test]
fn numbers_in_doubt_are_held_until_they_are_skipped() {
    let in_doubt = || {
        let (mut chunk, mut doubt) = (sensor(100, 110), InDoubt::NONE);
        doubt.told(&mut chunk, 130);
        assert_eq!((chunk.end_seq, chunk.held), (130, 30));
        (chunk, doubt)
    };
    // All are written again: none is skipped, and none is in doubt any more.
    let (mut chunk, mut doubt) = in_doubt();
    assert_eq!(doubt.skipped(&mut chunk, &(110..130), 0, 130), 0);
    assert_eq!(doubt.skipped(&mut chunk, &(140..150), 40, 130), 0);
    assert_eq!((chunk.head_seq, chunk.hole), (100, (0, 0)));
    // Five were dropped before they were written again: a hole behind those that are held.
    let (mut chunk, mut doubt) = in_doubt();
    assert_eq!(doubt.skipped(&mut chunk, &(115..120), 5, 130), 5);
    assert_eq!((chunk.head_seq, chunk.hole), (100, (110, 115)));
    // A second gap does not fit into the chunk, and counts all the same.
    assert_eq!(doubt.skipped(&mut chunk, &(125..126), 5, 130), 5);
    assert_eq!(chunk.hole, (110, 115));
    // A skip that reaches in front of the doubt is of numbers that are known to be held or gone.
    let (mut chunk, mut doubt) = in_doubt();
    assert_eq!(doubt.skipped(&mut chunk, &(112..113), 9, 130), 2);
    // Nothing is held in front: the head goes on.
    let mut doubt = InDoubt::NONE;
    let mut chunk = sensor(110, 110);
    doubt.told(&mut chunk, 130);
    assert_eq!(doubt.skipped(&mut chunk, &(128..140), 18, 130), 18);
    assert_eq!((chunk.head_seq, chunk.hole), (128, (128, 128)));
    // Only numbers that were known count, however far the skip goes.
    let (mut chunk, mut doubt) = in_doubt();
    assert_eq!(doubt.skipped(&mut chunk, &(150..151), 40, 130), 20);
    // The log knows of all: nothing is in doubt.
    let (mut chunk, mut doubt) = (sensor(100, 130), InDoubt::NONE);
    doubt.told(&mut chunk, 130);
    assert_eq!(doubt.skipped(&mut chunk, &(140..150), 40, 130), 0);
    assert_eq!((chunk.end_seq, chunk.held), (130, 30));
}

/// A hole lies between a sensor's cursors and is not empty; a series has a period; no more is missing than there
/// are numbers. What says otherwise is no sensor.
#[test]
fn a_sensor_whose_numbers_cannot_be_is_none() {
    let read = |chunk: &SensorChunk| {
        decoded(&page(|page| assert!(page.push_sensor(chunk))), |chunk| {
            let Chunk::Sensor(sensor) = chunk else { panic!("no sensor") };
            sensor
        })
    };
    let holed = |first, end| SensorChunk { hole: (first, end), ..sensor(100, 130) };
    for sound in [
        holed(100, 100),
        holed(100, 101),
        holed(129, 130),
        holed(105, 125),
        SensorChunk { kind: Kind::TimeSeries, period_ms: 1, ..holed(100, 100) },
    ] {
        assert_eq!(read(&sound), Some(sound));
    }
    assert_eq!(read(&holed(129, 131)), None, "its end is behind the sensor's");
    assert_eq!(read(&holed(130, 131)), None, "all of it is behind the sensor's");
    assert_eq!(read(&SensorChunk { kind: Kind::TimeSeries, ..holed(100, 100) }), None);
    // In the words of the format, behind tag and key: period, head, span, missing, segment, where the hole begins
    // behind the head, its length.
    let of_bytes = |fields: &[u8]| {
        let bytes = page(|page| assert!(page.push(1, &[&[0x73, 2][..], fields].concat(), &[])));
        decoded(&bytes, |_| ()).is_some()
    };
    assert!(of_bytes(&[0, 5, 9, 3, 0, 2, 3]));
    assert!(!of_bytes(&[0, 5, 9, 3, 0, 2, 0]), "a hole of nothing");
    assert!(!of_bytes(&[0, 5, 9, 10, 0, 2, 3]), "more is missing than there is");
    assert!(!of_bytes(&[0, 5, 9, 3, 0, 2, 8]), "a hole behind the end");
    assert!(!of_bytes(&[0, 5, 9, 3, 0, 2, 3, 1]), "something behind it");
}
