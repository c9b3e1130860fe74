//! A chunk of joined runs says what the runs said, and is as large as its page lets it be.

use super::{CHUNK_ROOM_MIN, HEAD_BYTES, JOINED_BYTES, Joined, RUN_BYTES, RUNS_MAX};
use crate::{
    ClockKind, Record,
    disk::{
        chunk::{
            Chunk, Form, RunHeader,
            tests::{INFO, header},
        },
        page::{PAGE_BYTES, PageBuilder, PageView, SegmentSeed},
    },
};

/// Of `header`.
const PERIOD_MS: u32 = 1_000;

/// So many records, each with its place in the run as its value and, off the grid, `apart_ms` from the last.
fn payload(form: Form, records: u32, apart_ms: i32) -> Vec<u8> {
    let delta = |at: u32| (at.cast_signed() * apart_ms).to_le_bytes();
    (0..records)
        .flat_map(|at| match form {
            Form::Grid => at.to_le_bytes().to_vec(),
            Form::Stamped | Form::Event => [delta(at), at.to_le_bytes()].concat(),
        })
        .collect()
}

/// Number, time and value of each record of the chunk, as a reader of its page sees them.
fn read(joined: &mut Joined) -> Vec<(u64, u64, u32)> {
    let (header, runs, payload) = joined.take().unwrap();
    let count = payload.len() / header.form.record_bytes();
    let mut bytes = Box::new([0; PAGE_BYTES]);
    let mut builder = PageBuilder::begin(&mut *bytes, INFO);
    assert_eq!(
        builder.push_runs(&header, runs, payload),
        count,
        "an empty page has no room for it"
    );
    let seed = SegmentSeed::new(&[7; 16], 1, 0);
    builder.seal(seed, 5);
    let view = PageView::check(&bytes, seed, 5).unwrap();
    let Some(Ok(Chunk::Records(chunk))) = view.chunks().next() else { panic!("no records") };
    let mut out = vec![Record::default(); count];
    assert_eq!(chunk.copy_records(chunk.header.first_seq, &mut out), count);
    out.iter().map(|record| (record.seq, record.time_ms, record.value)).collect()
}

/// Joins runs of `records` each, `off_ms` from where the one before would have gone on. How many fitted.
fn fill(joined: &mut Joined, records: u32, off_ms: u64, room: usize) -> u64 {
    let mut run = header(Form::Grid);
    let mut runs = 0;
    while joined.join(&run, &payload(Form::Grid, records, 0), room) {
        runs += 1;
        run.first_seq += u64::from(records);
        run.base_ms += u64::from(records * PERIOD_MS) + off_ms;
        assert!(runs < 10_000, "there is always room");
    }
    runs
}

/// Not for an interpreter, which takes minutes: a chunk is filled to its last byte again and again.
#[cfg(not(miri))]
#[test]
fn runs_off_the_grid_share_a_chunk_as_long_as_their_codings_fit() {
    let mut joined = Joined::new();
    // Each is one byte for the records of the last run, and three for so many ms; there is a first run too.
    let coded = |bytes: usize| 1 + ((RUN_BYTES - 3) / bytes) as u64;
    for (off_ms, most) in [(5_000, 1 + RUNS_MAX as u64), (500_000, coded(4)), (1 << 40, coded(7))] {
        for records in [1, 2] {
            assert_eq!(fill(&mut joined, records, off_ms, 0), most, "{records}, {off_ms} ms");
            let read = read(&mut joined);
            assert_eq!(read.len() as u64, most * u64::from(records));
            for (place, record) in (0..).zip(read) {
                let (run, at) = (place / u64::from(records), place % u64::from(records));
                let time_ms =
                    header(Form::Grid).base_ms + place * u64::from(PERIOD_MS) + run * off_ms;
                assert_eq!(record, (1_000 + place, time_ms, at as u32), "{records}, {off_ms} ms");
            }
        }
    }
    assert!(joined.take().is_none());
}

/// Nor this one.
#[cfg(not(miri))]
#[test]
fn runs_on_one_grid_need_no_coding_and_fill_the_room() {
    let mut joined = Joined::new();
    let mut most = |room| {
        let runs = fill(&mut joined, 10, 0, room);
        let (_, codings, payload) = joined.take().unwrap();
        assert!(codings.is_empty());
        assert_eq!(payload.len() as u64, runs * 40);
        runs as usize
    };
    assert_eq!(most(1_000), (1_000 - HEAD_BYTES) / 40);
    // Too little is left for a chunk: it goes to the next page.
    assert_eq!(most(2 * HEAD_BYTES - 1), JOINED_BYTES / 40);
    assert_eq!(most(2 * HEAD_BYTES), HEAD_BYTES / 40);
    assert_eq!(most(PAGE_BYTES), JOINED_BYTES / 40);
    // Codings take their share of the room, those that other runs brought too: 40 B and 3 to 4 B a run.
    for room in 400..500 {
        let runs = fill(&mut joined, 10, 50_000, room);
        let (_, codings, payload) = joined.take().unwrap();
        let used = |codings: usize, payload: usize| codings - 1 + payload + HEAD_BYTES;
        assert!(used(codings.len(), payload.len()) <= room, "{room}: {runs} runs");
        assert!(used(codings.len() + 4, payload.len() + 40) > room, "{room}: only {runs} runs");
    }
    // A first run that has no room is written as it is.
    assert!(!joined.join(&header(Form::Grid), &payload(Form::Grid, 300, 0), 1_000));
    assert!(joined.join(&header(Form::Grid), &payload(Form::Grid, 234, 0), 1_000));
}

#[test]
fn a_run_that_does_not_go_on_where_the_chunk_ends_is_left_out() {
    let grid = header(Form::Grid);
    let first = payload(Form::Grid, 10, 0);
    let next = RunHeader { first_seq: 1_010, base_ms: grid.base_ms + 10_000, ..grid };
    let mut joined = Joined::new();
    let mut goes_on = |run: RunHeader| {
        assert!(joined.join(&grid, &first, CHUNK_ROOM_MIN));
        let goes_on = joined.join(&run, &first, CHUNK_ROOM_MIN);
        let records = joined.take().unwrap().2.len() / 4;
        assert_eq!(records, if goes_on { 20 } else { 10 });
        goes_on
    };
    assert!(goes_on(next));
    assert!(!goes_on(RunHeader { first_seq: 1_009, ..next }));
    assert!(!goes_on(RunHeader { first_seq: 1_011, ..next }));
    assert!(!goes_on(RunHeader { skip: 1, ..next }));
    assert!(!goes_on(RunHeader { key: 1, ..next }));
    assert!(!goes_on(RunHeader { epoch: 4, ..next }));
    assert!(!goes_on(RunHeader { period_ms: 999, ..next }));
    assert!(!goes_on(RunHeader { clock: ClockKind::Monotonic, ..next }));
    assert!(!goes_on(RunHeader { form: Form::Stamped, ..next }));
}

/// Distances are counted anew from the chunk's base; one that is too far for 32 bits begins another chunk.
#[test]
fn times_that_are_kept_with_the_records_stay_what_they_are() {
    for form in [Form::Stamped, Form::Event] {
        let begin = header(form);
        let mut joined = Joined::new();
        assert!(joined.join(&begin, &payload(form, 3, 7), 0));
        let later = RunHeader { first_seq: 1_003, base_ms: begin.base_ms + 1_000_000, ..begin };
        assert!(joined.join(&later, &payload(form, 2, -5), 0));
        let earlier = RunHeader { first_seq: 1_005, base_ms: begin.base_ms - 60_000, ..begin };
        assert!(joined.join(&earlier, &payload(form, 2, 1), 0));
        // Its first record could stand there, its second one not: nothing of it does.
        let far = i32::MAX as u64 - 10;
        let far = RunHeader { first_seq: 1_007, base_ms: begin.base_ms + far, ..begin };
        assert!(!joined.join(&far, &payload(form, 2, 11), 0));
        let near = RunHeader { first_seq: 1_007, base_ms: far.base_ms - 1, ..far };
        assert!(joined.join(&near, &payload(form, 2, 11), 0));
        let times = [0, 7, 14, 1_000_000, 999_995, -60_000, -59_999, 2_147_483_636, 2_147_483_647];
        let values = [0, 1, 2, 0, 1, 0, 1, 0, 1];
        let expected: Vec<_> = (1_000..)
            .zip(times.into_iter().zip(values))
            .map(|(seq, (time, value))| (seq, begin.base_ms.wrapping_add_signed(time), value))
            .collect();
        assert_eq!(read(&mut joined), expected);
    }
}
