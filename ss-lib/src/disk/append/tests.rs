//! What waits in the buffer, and where it will stand.

use super::{Appender, PAGE_BYTES, PageInfo, Place};
use crate::{
    ClockKind,
    disk::{
        chunk::{Form, RunHeader},
        page::{PageView, SegmentSeed},
    },
};

const fn header(key: u64) -> RunHeader {
    RunHeader {
        key,
        first_seq: 0,
        base_ms: 0,
        skip: 0,
        epoch: 1,
        period_ms: 0,
        form: Form::Event,
        clock: ClockKind::Caller,
    }
}

fn place() -> Place {
    let info = PageInfo { lsn: 40, durable_lsn: 7, base_ms: 0, epoch: 1 };
    Place { seed: SegmentSeed::new(&[7; 16], 3, 0), page: 12, info }
}

/// What a page has for its chunks behind 16 B of header and the longest preamble, three varints of 10 B.
const CHUNK_ROOM_MIN: usize = 4_096 - 16 - 30;

/// A page that is being filled waits to be written like a complete one.
#[test]
fn a_page_is_waited_for_from_its_first_chunk_on() {
    let mut appender = Appender::new(2);
    appender.begin(place());
    let state = |appender: &Appender| {
        (appender.is_empty(), appender.has_open_page(), appender.built(), appender.page_number())
    };
    assert_eq!((state(&appender), appender.room()), ((true, false, 0, 12), CHUNK_ROOM_MIN));
    assert_eq!(appender.put_records(&header(1), &[0; 80]), 10);
    assert_eq!(state(&appender), (false, true, 0, 12));
    let room = appender.room();
    assert!((CHUNK_ROOM_MIN - 120..CHUNK_ROOM_MIN).contains(&room), "{room} B are left");
    assert_eq!(appender.put_records(&header(1), &[0; 80]), 10);
    assert!((80..120).contains(&(room - appender.room())), "what was put takes room");
    appender.drop_page();
    assert_eq!((state(&appender), appender.room()), ((true, false, 0, 12), CHUNK_ROOM_MIN));
    assert_eq!(appender.put_records(&header(2), &[0; 8]), 1);
    appender.seal_page();
    assert_eq!((state(&appender), appender.room()), ((false, false, 1, 13), CHUNK_ROOM_MIN));
    assert_eq!(appender.put_records(&header(3), &[0; 8]), 1);
    assert_eq!(appender.put_records(&header(9), &[0; 8]), 1);
    appender.seal_page();
    // The buffer is full.
    assert_eq!(appender.put_records(&header(4), &[0; 8]), 0);
    assert!(!appender.put_chunk(|page| page.push_checkpoint_end(1)));
    assert_eq!(state(&appender), (false, false, 2, 14));
    assert_eq!(appender.keys(), [Some((2, 2)), Some((3, 9))]);
    for (number, page) in (12..).zip(appender.bytes().chunks_exact(PAGE_BYTES)) {
        let view = PageView::check(page.try_into().unwrap(), place().seed, number).unwrap();
        assert_eq!((view.info.lsn, view.info.durable_lsn), (u64::from(number) + 28, 7));
    }
    appender.advance();
    assert_eq!(state(&appender), (true, false, 0, 14));
    assert_eq!(appender.put_records(&header(5), &[0; 8]), 1);
    appender.seal_page();
    let page = appender.bytes().try_into().unwrap();
    assert_eq!(PageView::check(page, place().seed, 14).unwrap().info.lsn, 42);
}

/// The last number in the log is given, and none behind it.
#[test]
fn no_page_is_begun_without_a_number_for_it() {
    let mut appender = Appender::new(4);
    let info = PageInfo { lsn: u64::MAX - 1, ..place().info };
    appender.begin(Place { info, ..place() });
    assert_eq!(appender.put_records(&header(1), &[0; 8]), 1);
    appender.seal_page();
    assert_eq!(appender.put_records(&header(1), &[0; 8]), 0);
    assert_eq!(appender.built(), 1);
}
