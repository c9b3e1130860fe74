//! Which store it is, and what becomes of one whose files are not as they should be, for an opening and a look.

use super::{FILE, KEY, half_durable, look};
use ss_lib::{
    SensorConfig, SensorKey, crc32c_append,
    disk::{
        Action, CutReason, FileName, IdentitySource, LostPlace, OpenError, Operation, PAGE_BYTES,
        PageClass, Role, SEGMENT_PAGES_MAX, SEGMENT_PAGES_MIN, Scan, ScanError, SetAside, SlotScan,
        Verdict, decode_page, plan, scan, scan_with,
    },
    gateway::{Gateway, GatewayConfig},
};
use ss_tests::disk::{
    faulty::{Call, Due, Fault, FaultyDisk},
    golden,
    memory::MemoryDisk,
    page::Place,
    store::StoreWriter,
};
use std::{error::Error, io, iter};

/// Both slots of the superblock, with right checksums behind what is changed.
fn edit_slots(disk: &MemoryDisk, edit: &dyn Fn(&mut [u8])) {
    disk.edit("superblock", |file| {
        for slot in file.chunks_mut(PAGE_BYTES) {
            edit(slot);
            let crc = crc32c_append(0, &slot[..PAGE_BYTES - 4]).to_le_bytes();
            slot[PAGE_BYTES - 4..].copy_from_slice(&crc);
        }
    });
}

/// The power went while the very first opening wrote the superblock: the look said that the store was
/// unusable and its files to be kept, though nothing was ever in it and an opening begins it anew.
#[test]
fn a_creation_that_was_cut_is_no_store_yet() {
    for bytes in [0, 512, 4096, 8192] {
        let disk = MemoryDisk::default();
        disk.edit("lock", |_| ());
        disk.edit("superblock", |file| file.resize(bytes, 0));
        assert!(matches!(scan(&disk), Err(ScanError::NotAStore)), "{bytes}");
        let gateway = Gateway::open(FaultyDisk::over(disk), &GatewayConfig::new(1)).unwrap();
        assert!(gateway.recovery().is_new);
    }
}

/// A file of this name that no creation can have left: a store is not begun in its place.
#[test]
fn a_long_file_in_the_superblock_s_place_is_kept() {
    let disk = MemoryDisk::default();
    disk.edit("superblock", |file| file.resize(3 * PAGE_BYTES, 0));
    let before = disk.files();
    let faulty = FaultyDisk::over(disk);
    let refused = Gateway::open(faulty.clone(), &GatewayConfig::new(1)).map(drop);
    assert!(matches!(refused, Err(OpenError::NoSuperblock)));
    assert_eq!(faulty.memory().files(), before);
}

/// Only what has a segment's name to the letter is one to an opening. A look reads what lies under another name
/// that ends so, and calls all else foreign.
#[test]
fn a_segment_has_its_name_to_the_letter() {
    let all = look(&golden::clean().disk).2;
    for (name, is_looked_at) in [
        ("0000000000000001-000.seg", true),
        ("00000000000000001-00.seg", true),
        ("000000000000000A-00.seg", true),
        ("000000000000001-00.seg", true),
        ("0000000000000001.seg", true),
        ("0000000000000001-00.seg.bak", false),
        ("0000000000000001-00", false),
    ] {
        let disk = golden::clean().disk;
        let bytes = disk.remove("0000000000000001-00.seg");
        disk.edit(name, |file| *file = bytes);
        let (scan, _, found) = look(&disk);
        let is_foreign = scan.foreign.iter().any(|foreign| foreign.name == name);
        assert_eq!((is_foreign, found == all), (!is_looked_at, is_looked_at), "{name}");
        let gateway = Gateway::open(FaultyDisk::over(disk), &GatewayConfig::new(8)).unwrap();
        assert_eq!(gateway.recovery().segments, 2, "{name}");
    }
}

/// A newer program's store names the file that says so.
#[test]
fn a_newer_version_is_named_with_its_file() {
    let disk = golden::clean().disk;
    edit_slots(&disk, &|slot| slot[8] = 9);
    let refused = Gateway::open(FaultyDisk::over(disk), &GatewayConfig::new(8)).map(drop);
    let Err(OpenError::FutureVersion { file, version }) = refused else { panic!("{refused:?}") };
    assert_eq!((file.as_str(), version), ("superblock", 9));
}

/// A slot whose checksum is right and whose sizes no store has.
#[test]
fn a_superblock_with_sizes_that_cannot_be_is_none() {
    let edited = |at: usize, value: u32| {
        let disk = golden::clean().disk;
        edit_slots(&disk, &|slot| slot[at..at + 4].copy_from_slice(&value.to_le_bytes()));
        scan(&disk).unwrap().superblock
    };
    // Pages of a segment, and bytes of a page.
    for pages in [SEGMENT_PAGES_MIN, 77, SEGMENT_PAGES_MAX] {
        assert_eq!(edited(32, pages).map(|found| found.segment_pages), Some(pages));
    }
    for (at, value) in [
        (32, 0),
        (32, SEGMENT_PAGES_MIN - 1),
        (32, SEGMENT_PAGES_MAX + 1),
        (36, PAGE_BYTES as u32 / 2),
        (36, 0),
    ] {
        assert_eq!(edited(at, value), None, "{value} at {at}");
    }
}

/// A first page alone, under the name of a squeeze whose source is not there: it is what it says it is, and not
/// what a cut left of that squeeze.
#[test]
fn a_first_page_under_a_squeeze_s_name_is_known_by_its_content() {
    let disk = golden::clean().disk;
    let mut bytes = disk.remove("0000000000000001-00.seg");
    bytes.truncate(PAGE_BYTES);
    disk.edit("0000000000000007-01.seg", |file| *file = bytes);
    let (scan, ..) = look(&disk);
    let found: Vec<_> = scan.segments.iter().map(|it| (it.segment, it.generation)).collect();
    assert_eq!(found, [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(scan.segments[1].misplaced, Some(FileName::new("0000000000000001-00.seg")));
}

/// While a store is open its superblock does not say where its log ends.
#[test]
fn an_opening_takes_back_where_the_log_ended() {
    let disk = FaultyDisk::default();
    let mut gateway = Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap();
    let sensor = gateway.register(SensorConfig::event(KEY)).unwrap();
    gateway.append_event(sensor, 1, 1).unwrap();
    gateway.shut_down(None, &mut |_| ());
    drop(gateway);
    let told = |disk: &FaultyDisk| {
        let superblock = scan(disk.memory()).unwrap().superblock.unwrap();
        (superblock.is_clean, superblock.last_lsn > 0)
    };
    assert_eq!(told(&disk), (true, true));
    drop(Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap());
    assert_eq!(told(&disk), (false, false));
}

/// What failed below is not lost on the way up: whoever prints an error with all its causes shows the disk's.
#[test]
fn an_error_leads_to_what_the_disk_said() {
    let leads_to_disk = |error: &(dyn Error + 'static)| {
        let causes = iter::successors(Some(error), |&error| error.source());
        let last = causes.last().and_then(|error| error.downcast_ref::<io::Error>());
        assert_eq!(last.map(ToString::to_string).as_deref(), Some("the disk failed"), "{error:?}");
    };
    let disk = FaultyDisk::over(golden::clean().disk);
    disk.fail(Due { call: Call::SyncDir, fault: Fault::Io, nth: 0, times: 1 });
    let refused = Gateway::open(disk, &GatewayConfig::new(8)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Disk(_)), "{refused}");
    leads_to_disk(&refused);
    let disk = FaultyDisk::default();
    let mut gateway = Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap();
    let sensor = gateway.register(SensorConfig::event(KEY)).unwrap();
    gateway.append_event(sensor, 1, 1).unwrap();
    disk.fail(Due { call: Call::Sync, fault: Fault::Io, nth: 0, times: 1 });
    leads_to_disk(&gateway.sync().unwrap_err());
    let config = GatewayConfig { pool_bytes: 4_096, ..GatewayConfig::new(1_000) };
    let refused = Gateway::open(FaultyDisk::default(), &config).map(drop).unwrap_err();
    let cause = refused.source().expect("the pool's shape is why");
    assert_eq!(cause.to_string(), refused.to_string());
}

/// A signal that comes into a read is no fault of the disk.
#[test]
fn an_interrupted_read_is_made_again() {
    let sound = look(&golden::clean().disk).2;
    for nth in 0..12 {
        let disk = FaultyDisk::over(golden::clean().disk);
        disk.fail(Due { call: Call::Read, fault: Fault::Interrupted, nth, times: 3 });
        let found = scan(&disk).unwrap();
        assert_eq!(disk.failed(), 3, "{nth}");
        let held: u64 = found.sensors.iter().map(|sensor| sensor.held).sum();
        assert_eq!((held, plan(&found).verdict), (sound.len() as u64, Verdict::Sound), "{nth}");
    }
}

/// Whoever looks has no lock. A file that its owner erased between the list and the reading is no fault: the list
/// is asked for again, though not for ever, and not after another error.
#[test]
fn a_look_begins_again_where_a_file_went_away() {
    let sound = look(&golden::clean().disk).2.len() as u64;
    let failing = |fault, times| {
        let disk = FaultyDisk::over(golden::clean().disk);
        disk.fail(Due { call: Call::Open, fault, nth: 1, times });
        (scan(&disk), disk.failed())
    };
    for times in 1..=8 {
        let (found, failed) = failing(Fault::Missing, times);
        let held: u64 = found.unwrap().sensors.iter().map(|sensor| sensor.held).sum();
        assert_eq!((held, failed), (sound, u64::from(times)));
    }
    let kind = |found: Result<Scan, ScanError>| match found {
        Err(ScanError::Disk(error)) => error.error.kind(),
        other => panic!("{other:?}"),
    };
    let (found, failed) = failing(Fault::Missing, 1_000);
    assert_eq!((kind(found), failed), (io::ErrorKind::NotFound, 9));
    let (found, failed) = failing(Fault::Io, 1);
    assert_eq!((kind(found), failed), (io::ErrorKind::Other, 1));
}

/// A store of several segments whose newest checkpoint rotted goes on from the one before; one that has no
/// other is refused, untouched.
#[test]
fn an_opening_goes_back_to_the_checkpoint_before_and_no_further() {
    let open = |disk: &MemoryDisk| {
        Gateway::open(FaultyDisk::over(disk.clone()), &GatewayConfig::new(8))
            .map(|gateway| gateway.recovery().records)
    };
    let writer = golden::clean();
    let held = writer.sensors.values().map(|sensor| sensor.held().count() as u64).sum::<u64>();
    let sound = MemoryDisk::new(writer.disk.files());
    assert_eq!(open(&sound).unwrap(), held);
    let rotten = MemoryDisk::new(writer.disk.files());
    rotten.edit("0000000000000002-00.seg", |file| file[100] ^= 1);
    assert!(open(&rotten).is_ok());

    let disk = half_durable().disk;
    assert_eq!(open(&MemoryDisk::new(disk.files())).unwrap(), 40);
    disk.edit(FILE, |file| file[20] ^= 1);
    let before = disk.files();
    assert!(matches!(open(&disk), Err(OpenError::NoCheckpoint)));
    let mut after = disk.files();
    after.remove("lock");
    assert!(before == after, "a refused opening changed something");
}

#[test]
fn a_store_without_its_superblock_is_known_from_its_segments() {
    let writer = golden::clean();
    writer.disk.remove("superblock");
    let found = scan(&writer.disk).unwrap();
    let identity = found.identity.unwrap();
    assert_eq!((identity.store_id, identity.from), (writer.store_id, IdentitySource::Head));
    assert!(plan(&found).findings[0].text.contains("superblock"));
}

/// A store's newest segment that cannot be read at all, as a cut of its creation leaves it, is no damage where
/// nothing else was ever in the store or an older segment says what was. Else it is.
#[test]
fn an_unreadable_newest_segment_is_damage_where_it_may_have_held_something() {
    let verdict = |segments: u64, pages: usize| {
        let disk = half_durable().disk;
        disk.remove(FILE);
        for segment in 0..segments {
            let name = format!("{segment:016x}-00.seg");
            disk.edit(&name, |file| file.resize(pages * PAGE_BYTES, 0xE5));
        }
        plan(&scan(&disk).unwrap()).verdict
    };
    assert_eq!((verdict(1, 1), verdict(1, 16)), (Verdict::Sound, Verdict::Sound));
    assert_eq!((verdict(1, 17), verdict(2, 1)), (Verdict::Damaged, Verdict::Damaged));
    let disk = golden::clean().disk;
    disk.edit("0000000000000003-00.seg", |file| file.resize(PAGE_BYTES, 0xE5));
    assert_eq!(plan(&scan(&disk).unwrap()).verdict, Verdict::Sound);
}

/// A store without sensors says why, and one with too many for a look says how many chunks it left out.
#[test]
fn a_look_says_why_it_found_no_sensor() {
    let says = |disk: &MemoryDisk, text: &str| {
        let findings = plan(&scan(disk).unwrap()).findings;
        assert!(findings.iter().any(|finding| finding.text.contains(text)), "{text}: {findings:?}");
    };
    let disk = FaultyDisk::default();
    let mut gateway = Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap();
    gateway.shut_down(None, &mut |_| ());
    drop(gateway);
    says(disk.memory(), "no sensor was ever written");
    drop(Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap());
    says(disk.memory(), "there is no segment");
    let disk = half_durable().disk;
    disk.edit(FILE, |file| file.fill(0xE5));
    says(&disk, "no sensor is found");

    let mut found = scan(&golden::clean().disk).unwrap();
    let is_told = |found: &Scan| {
        plan(found)
            .findings
            .iter()
            .any(|finding| finding.text.contains("3 chunks of sensors beyond"))
    };
    assert!(!is_told(&found));
    found.sensors_beyond_limit = 3;
    assert!(is_told(&found));
}

/// Without a superblock the store is the one that most segments are of, whatever their identities' order.
#[test]
fn most_segments_say_which_store_it_is() {
    for other_id in [[0; 16], [0xFF; 16]] {
        let disk = golden::clean().disk;
        disk.remove("superblock");
        let mut other = StoreWriter::new(other_id, 9, 1, 1);
        other.register(KEY, None, 0);
        other.begin();
        let name = other.newest_file();
        let bytes = other.disk.remove(&name);
        disk.edit(&name, |file| *file = bytes);
        let found = scan(&disk).unwrap();
        assert_eq!(found.identity.unwrap().store_id, golden::clean().store_id);
        let role = found.segments.iter().find(|segment| segment.segment == 9).unwrap().role;
        assert_eq!(role, Role::OtherStore(other_id));
        // Its pages are sound where they belong.
        let dump = decode_page(&disk, &found, &FileName::new(&name), 0).unwrap();
        assert_eq!(dump.class, PageClass::Valid);
    }
}

/// When it was created and last opened a store says by the machine's clock.
#[test]
fn a_superblock_says_when_it_was_opened() {
    let disk = FaultyDisk::default();
    for (now_ms, created_ms) in [(5_000, 5_000), (9_000, 5_000)] {
        disk.set_now_ms(now_ms);
        drop(Gateway::open(disk.clone(), &GatewayConfig::new(1)).unwrap());
        let superblock = scan(disk.memory()).unwrap().superblock.unwrap();
        assert_eq!((superblock.created_ms, superblock.opened_ms), (created_ms, now_ms));
    }
}

/// A gap is blamed on what lies in it, and not on a bad page behind the records that follow it.
#[test]
fn what_is_missing_with_a_segment_is_not_blamed_on_a_bad_page_behind_it() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    writer.register(KEY, None, 0);
    writer.begin();
    for _ in 0..4 {
        writer.add(KEY, 10);
        writer.spill();
        writer.add(KEY, 10);
        writer.spill();
        writer.roll();
    }
    writer.disk.remove("0000000000000001-00.seg");
    writer.disk.edit("0000000000000003-00.seg", |file| file[PAGE_BYTES + 40] ^= 1);
    let (scan, ..) = look(&writer.disk);
    let places: Vec<_> =
        scan.lost.iter().map(|lost| (lost.first_seq, lost.count, lost.place)).collect();
    let bad = LostPlace::Pages { segment: 3, generation: 0, first_page: 1, pages: 1 };
    assert_eq!(places, [(20, 20, LostPlace::Segments { first: 1, count: 1 }), (60, 10, bad)]);
}

/// Segments that are missing in two places are two gaps, also where as many are.
#[test]
fn every_gap_of_missing_segments_is_named_once() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    let keys = [KEY, SensorKey { id: KEY.id + 1, ..KEY }];
    for key in keys {
        writer.register(key, None, 0);
    }
    writer.begin();
    for _ in 0..6 {
        for key in keys {
            writer.add(key, 10);
        }
        writer.spill();
        writer.roll();
    }
    let missing = || {
        let missing = look(&writer.disk).1.missing;
        missing.iter().map(|it| (it.first, it.count, it.records_lost)).collect::<Vec<_>>()
    };
    for segment in [1, 3] {
        writer.disk.remove(&format!("{segment:016x}-00.seg"));
    }
    assert_eq!(missing(), [(1, 1, 20), (3, 1, 20)]);
    // One gap of several segments.
    writer.disk.remove("0000000000000004-00.seg");
    assert_eq!(missing(), [(1, 1, 20), (3, 2, 40)]);
}

/// A sensor without a definition, or with counts that do not add up, is said, and mended by a new checkpoint.
#[test]
fn what_is_wrong_with_a_sensor_is_said_and_mended() {
    let sound = scan(&golden::clean().disk).unwrap();
    for (is_defined, is_conserved) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut found = sound.clone();
        found.sensors[0].is_defined = is_defined;
        found.sensors[1].is_conserved = is_conserved;
        let plan = plan(&found);
        let says = |text: &str| plan.findings.iter().any(|finding| finding.text.contains(text));
        assert_eq!(says("known from their records alone: 1 sensor"), !is_defined);
        assert_eq!(says("counts that do not add up: 1 sensor"), !is_conserved);
        let mends = plan.actions.iter().any(|it| matches!(it, Action::WriteCheckpoint { .. }));
        assert_eq!(mends, !(is_defined && is_conserved));
    }
}

/// Whoever waits for a look sees how far it is: after each segment, and at last that it is done.
#[test]
fn a_look_tells_how_far_it_is() {
    let mut told = Vec::new();
    let found = scan_with(&golden::clean().disk, &mut |at| told.push(at)).unwrap();
    let pages: Vec<u64> = found.segments.iter().map(|it| u64::from(it.pages)).collect();
    let done: Vec<u64> = told.iter().map(|at| at.pages_done).collect();
    let sums = |sum: &mut u64, pages: &u64| {
        *sum += pages;
        Some(*sum)
    };
    assert_eq!(done, pages.iter().scan(0, sums).collect::<Vec<_>>());
    assert!(told.iter().all(|at| at.pages_all == pages.iter().sum::<u64>()) && told.len() > 2);
}

/// A superblock that the disk does not read is there, and not missing.
#[test]
fn a_slot_that_is_not_read_is_bad_and_one_behind_the_end_is_missing() {
    let disk = FaultyDisk::over(golden::clean().disk);
    disk.fail(Due { call: Call::Read, fault: Fault::Io, nth: 0, times: 1 });
    let slots = scan(&disk).unwrap().slots;
    assert!(matches!(slots, [SlotScan::Bad, SlotScan::Valid(_)]), "{slots:?}");
    let disk = golden::clean().disk;
    disk.edit("superblock", |file| file.truncate(PAGE_BYTES));
    let slots = scan(&disk).unwrap().slots;
    assert!(matches!(slots, [SlotScan::Valid(_), SlotScan::Missing]), "{slots:?}");
}

/// A creation that the disk refuses says so: only a superblock that is there already is opened in its place.
#[test]
fn a_creation_that_is_refused_says_so() {
    let disk = FaultyDisk::default();
    disk.fail(Due { call: Call::Create, fault: Fault::NoSpace, nth: 0, times: 1 });
    let refused = Gateway::open(disk.clone(), &GatewayConfig::new(1)).map(drop);
    let Err(OpenError::Disk(error)) = refused else { panic!("{refused:?}") };
    assert_eq!((error.operation, error.file.as_str()), (Operation::Create, "superblock"));
    assert!(Gateway::open(disk, &GatewayConfig::new(1)).unwrap().recovery().is_new);
}

/// Whoever wrote a file in which no number is left for a bad page was not this engine: it is set aside whole.
#[test]
fn a_file_with_a_page_too_many_is_set_aside() {
    let disk = half_durable().disk;
    let store_id = [1; 16];
    disk.edit(FILE, |file| {
        // Between pages whose numbers follow each other there is another one.
        let extra = vec![0x5A; PAGE_BYTES];
        let mut pages: Vec<Vec<u8>> = file.chunks(PAGE_BYTES).map(<[u8]>::to_vec).collect();
        pages.insert(2, extra);
        for (number, page) in (0..).zip(&mut pages).skip(3) {
            Place { store_id, segment: 0, generation: 0, page: number }.fix_crc(page);
        }
        *file = pages.concat();
    });
    let plan = plan(&scan(&disk).unwrap());
    let aside = plan.actions.iter().filter_map(|action| match action {
        Action::SetAside { file, why } => Some((file.as_str(), *why)),
        _ => None,
    });
    assert_eq!(aside.collect::<Vec<_>>(), [(FILE, SetAside::Misnumbered)]);
}

/// Files that have a segment's name, or a segment's first page under another, make a store: only where there is
/// neither is there none.
#[test]
fn a_name_or_a_first_page_alone_makes_a_store() {
    let disk = half_durable().disk;
    disk.remove("superblock");
    let bytes = disk.remove(FILE);
    assert!(matches!(scan(&disk), Err(ScanError::NotAStore)));
    disk.edit(FILE, |file| *file = vec![0xE5; PAGE_BYTES]);
    assert!(scan(&disk).unwrap().identity.is_none());
    disk.remove(FILE);
    disk.edit("found.seg", |file| file.clone_from(&bytes));
    assert!(scan(&disk).unwrap().identity.is_some());
    disk.edit("found.seg", |file| file.fill(0xE5));
    assert!(matches!(scan(&disk), Err(ScanError::NotAStore)));
}

/// Where a sensor's records begin: what was answered lies in no segment any more.
#[test]
fn a_sensor_begins_in_the_segment_of_its_oldest_record() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    writer.register(KEY, None, 0);
    writer.begin();
    for _ in 0..2 {
        writer.add(KEY, 10);
        writer.spill();
        writer.roll();
    }
    writer.add(KEY, 10);
    writer.spill();
    for (answered, first_segment) in [(0, 0), (9, 0), (1, 1), (9, 1), (1, 2)] {
        writer.ack(KEY, answered);
        writer.spill();
        let sensor = look(&writer.disk).0.sensors[0];
        assert_eq!(sensor.first_segment, first_segment, "{} are held", sensor.held);
    }
}

/// A seal's sync fails, whichever: its index stands without a footer, and the store goes on behind it. Nothing of
/// that is damage to a look.
#[test]
fn a_seal_whose_sync_failed_is_no_damage() {
    let config = GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 0,
        squeezes: false,
        ..GatewayConfig::new(1)
    };
    let mut cut_seals = 0;
    for nth in 0..24 {
        let disk = FaultyDisk::default();
        let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
        let sensor = gateway.register(SensorConfig::event(KEY)).unwrap();
        gateway.sync().unwrap();
        disk.fail(Due { call: Call::Sync, fault: Fault::Io, nth, times: 1 });
        let mut now_ms = 0;
        for number in 0..40_000 {
            // RAM is full until the disk is tried again.
            while gateway.append_event(sensor, 1, number).is_err() {
                now_ms += 1_000;
                gateway.tick(now_ms);
                assert!(now_ms < 1 << 30, "{nth}: the store does not go on");
            }
            if number % 2_000 == 0 {
                let _ = gateway.sync();
            }
        }
        assert_eq!(disk.failed(), 1, "{nth}");
        // Killed.
        drop(gateway);
        let found = scan(disk.memory()).unwrap();
        let plan = plan(&found);
        assert_eq!(plan.verdict, Verdict::Sound, "{nth}: {:?}", plan.findings);
        let cuts = found.segments.iter().filter_map(|segment| segment.tail_cut);
        cut_seals += cuts.filter(|cut| cut.why == CutReason::SealCut).count();
    }
    assert!(cut_seals > 0, "no seal was cut");
}
