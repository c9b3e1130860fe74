use super::{Form, RunCoder, RunHeader};
use crate::{
    ClockKind, Record,
    disk::{
        chunk::Chunk,
        page::{PAGE_BYTES, PageBuilder, PageInfo, PageView, SegmentSeed},
    },
};

/// What the page says of itself that the records stand in.
pub(crate) const INFO: PageInfo =
    PageInfo { lsn: 9, durable_lsn: 7, base_ms: 1_767_225_600_000, epoch: 3 };

/// Of a run of records a second apart.
pub(crate) fn header(form: Form) -> RunHeader {
    RunHeader {
        key: 0x02_0000_01F4,
        first_seq: 1_000,
        base_ms: INFO.base_ms + 417,
        skip: 0,
        epoch: 3,
        period_ms: if form == Form::Grid { 1_000 } else { 0 },
        form,
        clock: if form == Form::Event { ClockKind::Caller } else { ClockKind::Utc },
    }
}

pub(crate) fn page(fill: impl FnOnce(&mut PageBuilder<'_>)) -> Box<[u8; PAGE_BYTES]> {
    let mut bytes = Box::new([0xEE; PAGE_BYTES]);
    let mut builder = PageBuilder::begin(&mut *bytes, INFO);
    fill(&mut builder);
    builder.seal(SegmentSeed::new(&[7; 16], 1, 0), 5);
    bytes
}

pub(crate) fn view(bytes: &[u8; PAGE_BYTES]) -> PageView<'_> {
    PageView::check(bytes, SegmentSeed::new(&[7; 16], 1, 0), 5).unwrap()
}

fn records_of(bytes: &[u8; PAGE_BYTES]) -> Vec<Record> {
    let view = view(bytes);
    assert!(view.is_whole());
    let mut all = Vec::new();
    for chunk in view.chunks() {
        let Ok(Chunk::Records(chunk)) = chunk else { panic!("only records were written") };
        let mut out = vec![Record::default(); chunk.count as usize];
        assert_eq!(chunk.copy_records(chunk.header.first_seq, &mut out), out.len());
        all.extend(out);
    }
    all
}

#[test]
fn two_events_of_one_of_many_sensors_take_24_bytes() {
    let mut room = (0, 0);
    page(|page| {
        page.push_records(&header(Form::Event), &[0; 16]);
        room.0 = page.room();
        let next = RunHeader { key: header(Form::Event).key + 1, ..header(Form::Event) };
        page.push_records(&next, &[0; 16]);
        room.1 = page.room();
    });
    assert_eq!(room.0 - room.1, 24);
}

#[test]
fn a_run_that_does_not_fit_is_cut_and_goes_on_in_the_next_page() {
    for form in [Form::Grid, Form::Stamped, Form::Event] {
        let bytes: Vec<u8> = (0..form.record_bytes() * 3_000).map(|n| n as u8).collect();
        let (mut run, mut rest) = (header(form), &bytes[..]);
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let mut pushed = 0;
            let page = page(|page| {
                pushed = page.push_records(&run, rest);
                let is_cut = pushed * form.record_bytes() < rest.len();
                let more =
                    if is_cut { page.push_records(&run, &rest[..form.record_bytes()]) } else { 0 };
                assert_eq!(more, 0, "a page that cut a run has room for another record");
            });
            assert!(pushed > 0);
            rest = &rest[pushed * form.record_bytes()..];
            run = run.starting_at(pushed as u32);
            seen.extend(records_of(&page));
        }
        assert_eq!(seen.len(), 3_000);
        for (index, record) in seen.iter().enumerate() {
            assert_eq!((record.seq, record.epoch), (1_000 + index as u64, 3));
            if form == Form::Grid {
                assert_eq!(record.time_ms, INFO.base_ms + 417 + 1_000 * index as u64);
            }
        }
    }
}

/// A short chunk's length has one byte in front of it, a longer one's two: room for either is used up.
#[test]
fn a_run_that_fills_a_page_to_its_end_is_not_cut() {
    for form in [Form::Grid, Form::Stamped, Form::Event] {
        for count in (1..60).step_by(if cfg!(miri) { 29 } else { 1 }) {
            let payload = vec![0; count * form.record_bytes()];
            // A key is written as its distance to the last one's.
            let fill = |page: &mut PageBuilder<'_>, bytes| {
                assert!(page.push(header(form).key - 1, &[], &vec![0; bytes]));
            };
            let mut taken = 0;
            page(|page| {
                fill(page, 1);
                let before = page.room();
                assert_eq!(page.push_records(&header(form), &payload), count);
                taken = before - page.room();
            });
            for spare in [0, 1] {
                page(|page| {
                    // What fills it has a length of two bytes.
                    fill(page, page.room() - 2 - (taken - spare));
                    let pushed = page.push_records(&header(form), &payload);
                    assert_eq!(pushed, count - spare, "{form:?} of {count}");
                });
            }
        }
    }
}

#[test]
fn runs_that_are_off_the_grid_keep_their_times() {
    let payload: Vec<u8> = (0..12_u32).flat_map(u32::to_le_bytes).collect();
    let page = page(|page| {
        let mut codes = [0; 32];
        let mut runs = RunCoder::new(&mut codes);
        assert!(runs.push(4, -30));
        assert!(runs.push(8, 5));
        let coding = runs.finish().to_vec();
        assert_eq!(page.push_runs(&header(Form::Grid), &coding, &payload), 12);
    });
    let times: Vec<u64> =
        records_of(&page).iter().map(|record| record.time_ms - INFO.base_ms - 417).collect();
    let grid = |index: u64, off: i64| (index * 1_000).wrapping_add_signed(off);
    let wanted: Vec<u64> = (0..12)
        .map(|index| {
            grid(
                index,
                if index < 4 {
                    0
                } else if index < 8 {
                    -30
                } else {
                    -25
                },
            )
        })
        .collect();
    assert_eq!(times, wanted);
}

#[test]
fn what_is_skipped_and_another_epoch_come_back() {
    let run = RunHeader { skip: 77, epoch: 1, ..header(Form::Stamped) };
    let page = page(|page| {
        assert_eq!(page.push_records(&run, &[1; 8]), 1);
    });
    let view = PageView::check(&page, SegmentSeed::new(&[7; 16], 1, 0), 5).unwrap();
    let Some(Chunk::Records(chunk)) = view.first_chunk() else { panic!("records") };
    assert_eq!((chunk.header, view.info), (run, INFO));
}

#[test]
fn every_clock_comes_back_with_every_form() {
    for form in [Form::Grid, Form::Stamped, Form::Event] {
        for clock in [ClockKind::Monotonic, ClockKind::Utc, ClockKind::Caller] {
            let run = RunHeader { clock, ..header(form) };
            let page = page(|page| {
                assert_eq!(page.push_records(&run, &vec![1; 2 * form.record_bytes()]), 2);
            });
            let records = records_of(&page);
            assert_eq!(records.len(), 2);
            for record in records {
                assert_eq!((record.clock, record.kind), (clock, form.kind()));
            }
        }
    }
}

#[test]
fn a_page_passes_nowhere_but_in_its_place() {
    let page = page(|_| ());
    let seeds = [
        (SegmentSeed::new(&[8; 16], 1, 0), 5),
        (SegmentSeed::new(&[7; 16], 2, 0), 5),
        (SegmentSeed::new(&[7; 16], 1, 1), 5),
        (SegmentSeed::new(&[7; 16], 1, 0), 6),
    ];
    for (seed, number) in seeds {
        assert!(PageView::check(&page, seed, number).is_err());
    }
}

/// What stands behind a chunk that cannot be decoded cannot be told apart: the page is said to have more.
#[test]
fn a_page_with_a_chunk_that_nobody_knows_is_not_whole() {
    let page = page(|page| {
        assert_eq!(page.push_records(&header(Form::Event), &[0; 16]), 2);
        assert!(page.push(header(Form::Event).key, &[0xFF, 0], &[0; 3]));
        assert_eq!(page.push_records(&header(Form::Grid), &[0; 8]), 2);
    });
    let view = PageView::check(&page, SegmentSeed::new(&[7; 16], 1, 0), 5).unwrap();
    assert!(!view.is_whole());
    assert_eq!(view.chunks().flatten().count(), 1);
}

/// Where records are is told without decoding them. It is what decoding says, whatever stands there, and never what
/// cannot be.
#[test]
fn an_extent_is_what_the_decoded_chunk_says_whatever_byte_is_changed() {
    let skipping = RunHeader { skip: 17, epoch: 2, ..header(Form::Grid) };
    let whole = page(|page| {
        assert_eq!(page.push_records(&header(Form::Event), &[3; 24]), 3);
        assert_eq!(page.push_records(&skipping, &[4; 8]), 2);
        assert_eq!(page.push_records(&header(Form::Stamped), &[5; 16]), 2);
    });
    let used = usize::from(u16::from_le_bytes([whole[6], whole[7]]));
    let (mut same, mut refused) = (0, 0);
    let changes = [0x01, 0x02, 0x40, 0x80, 0xFF];
    let all = (16..used).flat_map(|at| changes.map(|change| (at, change)));
    for (at, change) in all.step_by(if cfg!(miri) { 7 } else { 1 }) {
        let mut changed = whole.clone();
        changed[at] ^= change;
        let Some(view) = PageView::parse_unchecked(&changed) else { continue };
        let mut extents = view.chunks();
        for chunk in view.chunks() {
            if chunk.is_ok_and(|chunk| !matches!(chunk, Chunk::Records(_))) {
                continue;
            }
            let extent = extents.next_extent();
            if let Ok(Some(extent)) = extent {
                assert!(extent.first_seq < extent.end_seq && extent.skip <= extent.first_seq);
                assert!(extent.key >> 40 == 0, "{at} ^ {change:#x}");
            }
            let Ok(Chunk::Records(chunk)) = chunk else {
                refused += 1;
                break;
            };
            let extent = extent.unwrap().unwrap();
            let wanted = (chunk.header.key, chunk.header.first_seq, chunk.end_seq());
            assert_eq!((extent.key, extent.first_seq, extent.end_seq), wanted);
            assert_eq!((extent.skip, extent.kind), (chunk.header.skip, chunk.header.form.kind()));
            same += 1;
        }
    }
    let share = if cfg!(miri) { 10 } else { 1 };
    assert!(same > 500 / share && refused > 30 / share, "{same} {refused}");
}

/// Runs are coded as long as there is room for them, to the last byte.
#[test]
fn a_run_is_coded_where_it_just_fits() {
    let len = RunCoder::coding_len(5, -3);
    assert_eq!(len, 2);
    for room in 0..3 * len {
        let mut bytes = vec![0; RunCoder::COUNT_BYTES + room];
        let mut coder = RunCoder::new(&mut bytes);
        let fitted = (1..9).take_while(|&number| coder.push(5 * number, -3)).count();
        assert_eq!(fitted, room / len, "{room} B");
        let coded = coder.finish();
        let expected = if fitted > 0 { 1 + fitted * len } else { 0 };
        assert_eq!(coded.len(), expected, "{room} B");
    }
}
