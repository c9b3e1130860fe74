//! What a person asks of a store: was a bad page ever promised, which records of when, what does a page
//! say.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    SensorKey,
    disk::{
        Action, CutReason, Durable, Exported, FileName, Operation, PAGE_BYTES, PageClass,
        PageFault, RecordFilter, Records, Role, SalvageOptions, SensorScan, SetAside, Verdict,
        decode_page, salvage, scan,
    },
};
use ss_tests::disk::{
    damage::{look, mend},
    faulty::{Call, Due, Fault, FaultyDisk},
    golden,
    memory::MemoryDisk,
    page::{Page, Place},
    store::StoreWriter,
};

#[path = "looking/files.rs"]
mod files;

const FILE: &str = "0000000000000000-00.seg";
const KEY: SensorKey = SensorKey { source: 1, id: 5 };

/// Pages 1 and 2 are durable when page 4 is written; page 3 is not.
fn half_durable() -> StoreWriter {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    writer.register(KEY, Some(1_000), 0);
    writer.begin();
    for page in 1..=4 {
        writer.add(KEY, 10);
        writer.spill();
        if page == 2 {
            writer.commit();
        }
    }
    writer
}

#[test]
fn a_bad_page_says_whether_it_was_ever_durable() {
    for (page, durable) in [(1, Durable::Yes), (2, Durable::Yes)] {
        let disk = half_durable().disk;
        disk.edit(FILE, |file| file[page * PAGE_BYTES + 30] ^= 1);
        let (scan, plan, _) = look(&disk);
        let run = scan.bad_pages[0];
        assert_eq!((run.first_page as usize, run.durable), (page, durable));
        assert_eq!(run.class, PageClass::Corrupt(PageFault::Checksum));
        assert_eq!((plan.losses[0].first_seq, plan.losses[0].count), (page as u64 * 10 - 10, 10));
        let text = plan.findings.iter().map(|finding| finding.text.as_str());
        assert!(text.into_iter().any(|text| text.contains(durable.text())), "{plan:?}");
    }
    // What no page behind it calls durable may have been taken by a power cut, and so may what lies behind
    // it: the log ends there, and nobody was told anything of it.
    for page in [3, 4] {
        let disk = half_durable().disk;
        disk.edit(FILE, |file| file[page * PAGE_BYTES + 30] ^= 1);
        let (scan, plan, found) = look(&disk);
        let bad = scan.bad_pages[0];
        assert_eq!((bad.class, bad.durable), (PageClass::Torn, Durable::No));
        assert_eq!(
            scan.segments[0].tail_cut.map(|cut| (cut.why, cut.from_page as usize)),
            Some((CutReason::Torn, page))
        );
        assert_eq!(plan.verdict, ss_lib::disk::Verdict::Sound, "{:?}", plan.findings);
        assert_eq!((plan.records_lost, found.len()), (0, page * 10 - 10));
    }
}

/// Pages of before a cut that come back behind the log's end are right in every byte but their number.
#[test]
fn a_stale_page_is_not_part_of_the_log() {
    let writer = half_durable();
    let disk = writer.disk.clone();
    let stale = disk.files()[FILE][4 * PAGE_BYTES..].to_vec();
    // The log was cut before page 4 and went on there, with a number beyond.
    disk.edit(FILE, |file| file.truncate(4 * PAGE_BYTES));
    let mut place = Place { store_id: [1; 16], segment: 0, generation: 0, page: 4 };
    let page = Page::new(90, 2, 0, 2).seal(place);
    disk.edit(FILE, |file| file.extend(&page));
    let mut stale = stale;
    place.page = 5;
    place.fix_crc(&mut stale);
    disk.edit(FILE, |file| file.extend(&stale));
    let (scan, _, found) = look(&disk);
    assert_eq!((scan.bad_pages[0].class, scan.segments[0].pages_stale), (PageClass::Stale, 1));
    assert_eq!(found.len(), 30, "its records are not in the log");
}

fn read(disk: &MemoryDisk, filter: RecordFilter) -> Vec<Exported> {
    let scan = scan(disk).unwrap();
    let mut records = Records::new(disk, &scan, filter);
    let mut out = vec![Exported::default(); 10_000];
    let count = records.next_records(&mut out).unwrap();
    out.truncate(count);
    out
}

#[test]
fn records_are_read_by_sensor_and_by_time() {
    let disk = golden::clean().disk;
    let all = read(&disk, RecordFilter::default());
    for key in [golden::SERIES, golden::SAME_ID, golden::EVENTS, golden::QUIET] {
        let filter = RecordFilter { keys: vec![key], ..RecordFilter::default() };
        let of_one: Vec<Exported> = all.iter().filter(|one| one.key == key).copied().collect();
        assert!(!of_one.is_empty());
        assert_eq!(read(&disk, filter), of_one);
    }
    let (from_ms, until_ms) = (1_700_000_100_000, 1_700_000_160_000);
    for (from_ms, until_ms) in
        [(Some(from_ms), Some(until_ms)), (Some(from_ms), None), (None, Some(until_ms))]
    {
        let filter = RecordFilter { from_ms, until_ms, ..RecordFilter::default() };
        let within = read(&disk, filter);
        let wanted = all.iter().filter(|one| {
            let ms = one.record.time_ms;
            from_ms.is_none_or(|from| from <= ms) && until_ms.is_none_or(|until| ms < until)
        });
        assert_eq!(within, wanted.copied().collect::<Vec<_>>());
        assert!(within.len() > 10 && within.len() < all.len());
    }
}

/// Whoever exports is told of pages that were passed over.
#[test]
fn pages_that_an_export_passes_over_are_counted() {
    let disk = golden::clean().disk;
    for skipped in 0..3 {
        let scan = scan(&disk).unwrap();
        let mut records = Records::new(&disk, &scan, RecordFilter::default());
        while records.next_records(&mut [Exported::default(); 100]).unwrap() > 0 {}
        assert_eq!(records.pages_skipped(), skipped);
        disk.edit(FILE, |file| file[(1 + skipped as usize) * PAGE_BYTES + 50] ^= 1);
    }
}

#[test]
fn a_page_is_decoded_as_far_as_it_can_be() {
    let disk = golden::clean().disk;
    let found = scan(&disk).unwrap();
    let dump = decode_page(&disk, &found, &FileName::new(FILE), 0).unwrap();
    let kinds: Vec<&str> = dump.chunks.iter().map(|chunk| chunk.kind).collect();
    assert_eq!(kinds, ["head", "sensor", "sensor", "sensor", "sensor", "checkpoint-end"]);
    assert_eq!(dump.chunks[1].key, Some(golden::SERIES));
    // A wrong checksum takes nothing from what can be told.
    disk.edit(FILE, |file| file[0] ^= 1);
    let found = scan(&disk).unwrap();
    let bad = decode_page(&disk, &found, &FileName::new(FILE), 0).unwrap();
    assert_eq!((bad.chunks.len(), bad.class), (6, PageClass::Corrupt(PageFault::Checksum)));
    assert!(decode_page(&disk, &found, &FileName::new(FILE), 9_999).is_err());
}

#[test]
fn leftovers_of_a_cut_are_no_damage() {
    let golden = golden::all().into_iter().find(|golden| golden.name == "cut-squeezes").unwrap();
    let (scan, plan, _) = look(&golden.writer.disk);
    let roles: Vec<Role> = scan.segments.iter().map(|segment| segment.role).collect();
    let (source, cut) = (Role::SqueezeSource, Role::SqueezeCut);
    assert_eq!(roles, [source, Role::Log, Role::Log, cut, Role::Log]);
    assert_eq!(plan.verdict, ss_lib::disk::Verdict::Sound);
    // A newest segment that was cut in its checkpoint holds nothing.
    let writer = golden::clean();
    let bytes = writer.disk.files()[FILE][..1_500].to_vec();
    writer.disk.edit("0000000000000003-00.seg", |file| *file = bytes);
    let (scan, plan, found) = look(&writer.disk);
    assert_eq!(plan.verdict, ss_lib::disk::Verdict::Sound, "{:?}", plan.findings);
    assert_eq!(scan.segments[3].role, Role::Unreadable);
    assert_eq!(found, look(&golden::clean().disk).2);
}

/// A segment of pages that a test writes chunk by chunk.
fn by_hand(sensors: u8, pages: &[&[&[u8]]]) -> MemoryDisk {
    let writer = StoreWriter::new([1; 16], 0, 1, 1);
    let mut bytes = Vec::new();
    for (number, chunks) in pages.iter().enumerate() {
        let mut page = Page::new(number as u64 + 1, 1, 0, 1);
        if number == 0 {
            let head = [&[6][..], &[1; 16], &[0; 8], &[0, 16]].concat();
            assert!(page.framed(&head));
        }
        for chunk in *chunks {
            assert!(page.framed(chunk));
        }
        if number == 0 {
            assert!(page.framed(&[7, sensors]));
        }
        let place = Place { store_id: [1; 16], segment: 0, generation: 0, page: number as u32 };
        bytes.extend(page.seal(place));
    }
    writer.disk.edit(FILE, |file| *file = bytes);
    writer.disk
}

/// An active event sensor 0/1: period 0, head 0, `span` numbers of which `missing` are not held, from
/// segment 0 on.
fn sensor(span: u8, missing: u8) -> [u8; 7] {
    [0x33, 2, 0, 0, span, missing, 0]
}

/// Two of its records from number `first` on, at 0 ms of the caller's clock.
fn two_records(first: u8) -> Vec<u8> {
    let mut body = vec![0xA1, 2, first, 2, 0];
    body.extend([0; 16]);
    body
}

/// The ledger is bounded. A loss that it has forgotten is known from what the sensor says it holds: it is
/// not found a second time.
#[test]
fn a_gap_that_was_written_off_is_not_lost_again() {
    let (begin, records, later) = (sensor(0, 0), two_records(0), two_records(7));
    let lossy = by_hand(1, &[&[&begin], &[&records], &[&later]]);
    let (_, plan, _) = look(&lossy);
    assert_eq!((plan.losses[0].first_seq, plan.losses[0].count), (2, 5));
    let known = sensor(9, 5);
    let written_off = by_hand(1, &[&[&begin], &[&records], &[&later], &[&known]]);
    let (scan, plan, found) = look(&written_off);
    assert_eq!(plan.verdict, ss_lib::disk::Verdict::Sound, "{:?}", plan.findings);
    assert_eq!((plan.records_lost, scan.sensors[0].held, found.len()), (0, 4, 4));
}

/// Numbers that a chunk skips were dropped before they were written: they are neither held nor lost.
#[test]
fn what_records_skip_is_not_lost() {
    let (begin, records) = (sensor(0, 0), two_records(0));
    for skip in 0..=5 {
        // With an extension, which is a skip, after the key; and the skip behind the base.
        let mut later = vec![0xA2, 2, 1, 7, 2, 0, skip];
        later.extend([0; 16]);
        let (scan, plan, found) = look(&by_hand(1, &[&[&begin], &[&records], &[&later]]));
        let lost = 5 - u64::from(skip);
        assert_eq!((plan.records_lost, scan.sensors[0].lost, found.len()), (lost, lost, 4));
    }
}

/// Of five answered records no six were rejected: the counts do not add up.
#[test]
fn more_rejected_than_answered_does_not_add_up() {
    for (rejected, adds_up) in [(0, true), (5, true), (6, false)] {
        // Head and end are 5; refused, rejected, recycled, corrupt, quota, limit.
        let counted = [0xB3, 2, 0, 5, 0, 0, 0, 0, rejected, 0, 0, 0, 0];
        let found = look(&by_hand(1, &[&[&counted]])).0;
        assert_eq!(found.sensors[0].is_conserved, adds_up, "{rejected}");
    }
}

/// A checkpoint in which a sensor is missing is none, whatever page it was lost from.
#[test]
fn a_checkpoint_with_a_sensor_missing_is_not_complete() {
    let begin = sensor(0, 0);
    let (complete, short) = (by_hand(1, &[&[&begin]]), by_hand(2, &[&[&begin]]));
    assert!(look(&complete).0.segments[0].has_checkpoint);
    let (scan, plan, _) = look(&short);
    assert!(!scan.segments[0].has_checkpoint && scan.is_checkpoint_damaged);
    assert_eq!(plan.verdict, ss_lib::disk::Verdict::Damaged);
}

/// A hole is known: of the gap around it only the rest is lost.
#[test]
fn what_a_hole_explains_is_not_lost() {
    let (begin, records, later) = (sensor(0, 0), two_records(0), two_records(7));
    // Nine numbers, three of them dropped: 2, 3 and 4.
    let holed = [0x73, 2, 0, 0, 9, 3, 0, 2, 3];
    let disk = by_hand(1, &[&[&begin], &[&records], &[&later], &[&holed]]);
    let (_, plan, _) = look(&disk);
    assert_eq!((plan.losses.len(), plan.records_lost), (1, 2));
    assert_eq!((plan.losses[0].first_seq, plan.losses[0].count), (5, 2));
}

/// Of one sensor, events by each clock and a series by two: what is saved of them is the same.
#[test]
fn what_changes_among_a_sensors_records_is_saved_with_them() {
    let begin = sensor(0, 0);
    // Forms and clocks as the format codes them: events of three clocks, a series by two.
    let event = vec![0_u8; 16];
    let series = [&[5][..], &[7; 8]].concat();
    for tags in [[0xA1, 0x61, 0x21, 0x81, 0x41], [0x41, 0x81, 0x21, 0x61, 0xA1]] {
        let chunks: Vec<Vec<u8>> = (0..)
            .zip(tags)
            .map(|(place, tag)| {
                let is_event = tag & 0x30 == 0x20;
                [&[tag, 2, 2 * place, 2, 0][..], if is_event { &event } else { &series }].concat()
            })
            .collect();
        // In a page each, where keys begin anew.
        let chunks: Vec<[&[u8]; 1]> = chunks.iter().map(|chunk| [chunk.as_slice()]).collect();
        let first: [&[u8]; 1] = [&begin];
        let mut pages: Vec<&[&[u8]]> = vec![&first];
        pages.extend(chunks.iter().map(|chunk| &chunk[..]));
        let old = by_hand(1, &pages);
        let records = read(&old, RecordFilter::default());
        let fresh = MemoryDisk::default();
        let options = SalvageOptions { is_everything: false, store_id: [3; 16], now_ms: 1 };
        let salvaged = salvage(&old, &fresh, &options).unwrap();
        assert_eq!((records.len(), salvaged.records, salvaged.lost), (10, 10, 0));
        assert_eq!(salvaged.sensors, 1);
        assert_eq!(read(&fresh, RecordFilter::default()), records);
    }
}

/// What is done to a segment's file.
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

/// FORMAT.md: a checkpoint is complete if every page up to its end is valid and the number in that is right.
#[test]
fn a_checkpoint_without_one_of_its_pages_or_its_number_is_not_complete() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    for id in 0..1_500 {
        writer.register(SensorKey { source: 1, id }, Some(1_000), 0);
    }
    writer.begin();
    writer.add(KEY, 10);
    writer.spill();
    let files = writer.disk.files();
    let segment = |spoil: Spoil<'_>| {
        let disk = MemoryDisk::new(files.clone());
        disk.edit(FILE, spoil);
        scan(&disk).unwrap().segments[0].clone()
    };
    let sound = segment(&|_| ());
    assert!(sound.has_checkpoint && sound.checkpoint_pages >= 3, "{sound:?}");
    let last = sound.checkpoint_pages as usize - 1;
    for page in 0..=last {
        let found = segment(&|file| file[page * PAGE_BYTES + 30] ^= 1);
        assert!(!found.has_checkpoint && found.checkpoint_pages == 0, "page {page}: {found:?}");
    }
    let found = segment(&|file| {
        let page = &mut file[last * PAGE_BYTES..][..PAGE_BYTES];
        // The number is what the page ends with.
        let used = usize::from(u16::from_le_bytes([page[6], page[7]]));
        page[used - 2] ^= 1;
        let place = Place { store_id: [1; 16], segment: 0, generation: 0, page: last as u32 };
        place.fix_crc(page);
    });
    assert_eq!(found.pages_valid, sound.pages_valid);
    assert!(!found.has_checkpoint && found.checkpoint_pages == 0, "{found:?}");
}

/// FORMAT.md: a segment is sealed if its last page is a footer, alone in its page, with its index in front of
/// it. Without that its records are found by walking, and somebody is told.
#[test]
fn a_segment_without_its_index_or_its_footer_is_not_sealed() {
    let writer = golden::clean();
    let files = writer.disk.files();
    let look_at = |spoil: Spoil<'_>| {
        let disk = MemoryDisk::new(files.clone());
        disk.edit(FILE, spoil);
        look(&disk)
    };
    let (sound, _, records) = look_at(&|_| ());
    let sound = &sound.segments[0];
    assert!(sound.is_sealed && sound.index_pages == 2 && sound.tail_cut.is_none(), "{sound:?}");
    let footer = sound.pages - 1;
    let at = |page: u32| page as usize * PAGE_BYTES;
    let dump =
        decode_page(&writer.disk, &scan(&writer.disk).unwrap(), &FileName::new(FILE), footer);
    let footer_chunk = dump.unwrap().chunks[0].offset as usize;
    let spoilers: [(&str, Spoil<'_>); 4] = [
        ("the index rots", &|file| file[at(footer - 1) + 30] ^= 1),
        ("the footer rots", &|file| file[at(footer) + 30] ^= 1),
        ("a page stands behind the footer", &|file| file.extend([0; PAGE_BYTES])),
        ("the footer says that the index begins later", &|file| {
            let page = &mut file[at(footer)..][..PAGE_BYTES];
            // Behind the length and the tag.
            page[footer_chunk + 2] += 1;
            let store_id = writer.store_id;
            Place { store_id, segment: 0, generation: 0, page: footer }.fix_crc(page);
        }),
    ];
    for (what, spoil) in spoilers {
        let (scan, plan, found) = look_at(spoil);
        let segment = &scan.segments[0];
        assert!(!segment.is_sealed, "{what}: {segment:?}");
        let cut = segment.tail_cut.unwrap_or_else(|| panic!("{what}: {segment:?}"));
        assert_eq!(cut.why, CutReason::IndexBad, "{what}");
        assert_eq!((found.len(), plan.records_lost), (records.len(), 0), "{what}");
    }
}

/// The power went while the newest segment was sealed: its footer landed in part. In any other segment that is
/// damage.
#[test]
fn a_footer_that_was_cut_is_damage_only_where_the_log_went_on() {
    for is_newest in [true, false] {
        let mut writer = golden::clean();
        writer.roll();
        if is_newest {
            writer.disk.remove("0000000000000003-00.seg");
        }
        let sound = look(&writer.disk);
        writer.disk.edit("0000000000000002-00.seg", |file| {
            let used = file.len() - PAGE_BYTES + 20;
            file[used..].fill(0);
        });
        let (scan, plan, found) = look(&writer.disk);
        assert_eq!(found, sound.2);
        let segment = &scan.segments[2];
        let why = segment.tail_cut.map(|cut| cut.why);
        let pages = (segment.pages_torn, segment.pages_corrupt);
        let wanted = if is_newest {
            (Some(CutReason::SealCut), (1, 0), Verdict::Sound)
        } else {
            (Some(CutReason::IndexBad), (0, 1), Verdict::Damaged)
        };
        assert_eq!((why, pages, plan.verdict), wanted, "{is_newest}: {:?}", plan.findings);
        assert_eq!(mend(&writer.disk).verdict, Verdict::Sound);
    }
}

/// What a cut takes with it is not put back page by page, and what lies in front of it is.
#[test]
fn a_bad_page_in_front_of_a_cut_is_replaced_and_one_behind_it_is_cut() {
    let disk = golden::clean().disk;
    let pages = look(&disk).0.segments[0].pages;
    let index = pages - 2;
    for page in [1, index] {
        disk.edit(FILE, |file| file[page as usize * PAGE_BYTES + 30] ^= 1);
    }
    let (_, plan, _) = look(&disk);
    let mut seen = Vec::new();
    for action in &plan.actions {
        match action {
            Action::ReplacePages { file, first_page, pages, .. } => {
                seen.push((file.as_str(), *first_page, *pages));
            }
            Action::Cut { file, from_page, pages, .. } => {
                seen.push((file.as_str(), *from_page, *pages));
            }
            _ => {}
        }
    }
    assert_eq!(seen, [(FILE, 1, 1), (FILE, index, 2)], "{:?}", plan.actions);
    assert_eq!(mend(&disk).verdict, Verdict::Sound);
    assert_eq!(look(&disk).1.actions, []);
}

/// A store that is damaged a second time has lost what is new, and not what the ledger has already.
#[test]
fn what_the_ledger_knows_is_not_lost_again() {
    let writer = golden::clean();
    let spoil = |page: usize| {
        let file = "0000000000000001-00.seg";
        writer.disk.edit(file, |file| file[page * PAGE_BYTES + 300] ^= 1);
    };
    spoil(1);
    let first = mend(&writer.disk);
    spoil(2);
    let second = mend(&writer.disk);
    assert_eq!(first.records_lost, writer.records_in(&[(1, 1)]).len() as u64);
    assert_eq!(second.records_lost, writer.records_in(&[(1, 2)]).len() as u64);
    assert_eq!(second.scan.ledger.len(), first.losses.len() + second.losses.len());
}

/// When a sensor's records begin and end is told without reading all of them.
#[test]
fn a_sensor_says_when_its_oldest_and_its_newest_record_were_taken() {
    let disk = golden::clean().disk;
    let found = scan(&disk).unwrap();
    assert!(found.clocks.iter().any(|clock| clock.offset_ms == 1_699_999_999_000));
    let all = read(&disk, RecordFilter::default());
    for sensor in &found.sensors {
        let mut of_one = all.iter().filter(|one| one.key == sensor.key).map(|one| one.record);
        let oldest = of_one.next().unwrap();
        let newest = of_one.next_back().unwrap_or(oldest);
        let (first, last) = (sensor.oldest_ms.unwrap(), sensor.newest_ms.unwrap());
        assert_eq!((first.ms, first.clock), (oldest.time_ms, oldest.clock), "{:?}", sensor.key);
        assert_eq!((last.ms, last.clock), (newest.time_ms, newest.clock), "{:?}", sensor.key);
    }
}

/// Whoever looks has no lock: a segment may be erased between the look and the reading, and that is no error.
#[test]
fn a_segment_that_its_owner_erased_meanwhile_is_left_out() {
    let disk = golden::clean().disk;
    let found = scan(&disk).unwrap();
    let all = read(&disk, RecordFilter::default());
    disk.remove(FILE);
    let mut records = Records::new(&disk, &found, RecordFilter::default());
    let mut out = vec![Exported::default(); all.len()];
    let count = records.next_records(&mut out).unwrap();
    assert!(count > 0 && count < all.len());
    assert_eq!(out[..count], all[all.len() - count..]);
    // A disk that does not open it is another matter.
    let disk = FaultyDisk::over(golden::clean().disk);
    let found = scan(&disk).unwrap();
    disk.fail(Due { call: Call::Open, fault: Fault::Io, nth: 1, times: 1 });
    let mut records = Records::new(&disk, &found, RecordFilter::default());
    let mut out = vec![Exported::default(); all.len() + 1];
    let refused = records.next_records(&mut out).unwrap_err();
    assert_eq!((refused.operation, disk.failed()), (Operation::Open, 1));
}

/// A person tells states apart by their names alone.
#[test]
fn every_state_has_a_name_of_its_own() {
    let fault = PageFault::Checksum;
    let lists: [&[&str]; 6] = [
        &[
            PageClass::Valid,
            PageClass::Empty,
            PageClass::Torn,
            PageClass::Corrupt(fault),
            PageClass::Stale,
            PageClass::FutureVersion(9),
            PageClass::Unreadable,
        ]
        .map(PageClass::name),
        &[
            Role::Log,
            Role::SqueezeCut,
            Role::SqueezeSource,
            Role::Duplicate,
            Role::CreationCut,
            Role::Unreadable,
            Role::OtherStore([0; 16]),
        ]
        .map(Role::name),
        &[
            SetAside::SqueezeCut,
            SetAside::SqueezeSource,
            SetAside::Duplicate,
            SetAside::CreationCut,
            SetAside::Unreadable,
            SetAside::OtherStore,
            SetAside::Misnumbered,
        ]
        .map(SetAside::text),
        &[CutReason::Torn, CutReason::Stale, CutReason::SealCut, CutReason::IndexBad]
            .map(CutReason::text),
        &[Durable::Yes, Durable::No, Durable::Unknown].map(Durable::text),
        &[
            Operation::List,
            Operation::Open,
            Operation::Create,
            Operation::Read,
            Operation::Write,
            Operation::SetLen,
            Operation::Sync,
            Operation::SyncDir,
            Operation::Unlink,
            Operation::Rename,
            Operation::Lock,
        ]
        .map(Operation::name),
    ];
    for names in lists {
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| name.len() > 2), "{names:?}");
    }
}

/// What a look says of the whole store is what it says of the parts.
#[test]
fn totals_are_sums_over_sensors_and_segments() {
    for golden in golden::all() {
        let (scan, ..) = look(&golden.writer.disk);
        let totals = scan.totals();
        let sensors = |is: fn(&SensorScan) -> bool| {
            scan.sensors.iter().filter(|sensor| is(sensor)).count() as u64
        };
        assert_eq!(totals.sensors, sensors(|_| true), "{}", golden.name);
        assert_eq!(totals.sensors_active, sensors(|sensor| sensor.is_active), "{}", golden.name);
        assert_eq!(totals.sensors_with_backlog, sensors(|sensor| sensor.held > 0));
        let lost: u64 = scan.sensors.iter().map(|sensor| sensor.lost).sum();
        assert_eq!(totals.lost, lost, "{}", golden.name);
        let log = scan.segments.iter().filter(|segment| segment.role.is_log());
        assert_eq!(totals.segments, log.count() as u64, "{}", golden.name);
        let pages: u32 = scan.segments.iter().map(|segment| segment.pages).sum();
        assert_eq!(totals.pages, u64::from(pages));
        let bad: u32 = scan.segments.iter().map(|segment| segment.pages_corrupt).sum();
        let torn: u32 = scan.segments.iter().map(|segment| segment.pages_torn).sum();
        assert_eq!((totals.pages_bad, totals.pages_torn), (u64::from(bad), u64::from(torn)));
        let files = golden.writer.disk.files();
        let bytes = scan.segments.iter().map(|segment| files[segment.file.as_str()].len() as u64);
        assert_eq!(totals.bytes, bytes.sum(), "{}", golden.name);
    }
    // A segment of another role is none of the log's, and a sensor without records has no backlog.
    let squeezed = golden::all().into_iter().find(|golden| golden.name == "cut-squeezes").unwrap();
    let (scan, ..) = look(&squeezed.writer.disk);
    assert!(scan.totals().segments < scan.segments.len() as u64);
}
