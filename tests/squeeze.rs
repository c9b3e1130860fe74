//! What squeezing and searching cost the disk. A squeeze is to be cheap beside what it saves: a group of sensors
//! is gathered from the pages that hold them, and one that is too large or too small costs pages read in vain.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    Record, SensorConfig, SensorKey,
    disk::PAGE_BYTES,
    gateway::{Gateway, GatewayConfig},
};
use ss_tests::disk::{
    faulty::{Call, FaultyDisk},
    memory::MemoryDisk,
};

/// Reads for each page of the segments that were squeezed, in tenths.
fn tenths_of_reads_a_page(sensors: u32, records_each: u64, busy: u64, segment_bytes: u64) -> u64 {
    let disk = FaultyDisk::over(MemoryDisk::default());
    let config = GatewayConfig {
        pool_bytes: 64 << 10,
        sector_bytes: Some(64),
        segment_bytes,
        reserve_bytes: 0,
        ..GatewayConfig::new(sensors)
    };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let key = |id| SensorKey { source: 1, id: id * 7 };
    let register = |id| gateway.register(SensorConfig::event(key(id))).unwrap();
    let all: Vec<_> = (0..sensors).map(register).collect();
    let mut added = vec![0_u64; all.len()];
    while gateway.disk().segments < 7 {
        for (place, &sensor) in all.iter().enumerate() {
            let records = if place == 3 { records_each * busy } else { records_each };
            for _ in 0..records {
                gateway.append_event(sensor, added[place] as u32 * 31, added[place]).unwrap();
                added[place] += 1;
            }
        }
        gateway.sync().unwrap();
    }
    assert_eq!(gateway.disk().segments_squeezed, 0);
    let (before, mut at_ms) = (disk.calls(Call::Read), 0);
    while gateway.disk().segments_squeezed < 3 {
        at_ms += 10;
        gateway.tick(at_ms);
        assert!(at_ms < 100_000, "no segment is squeezed");
    }
    let reads = disk.calls(Call::Read) - before;
    let pages = 3 * (config.segment_bytes / PAGE_BYTES as u64);
    // Nothing of it is lost by it.
    let mut out = vec![Record::default(); 4_096];
    for (place, &sensor) in all.iter().enumerate() {
        let mut next = 0;
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            for record in &out[..token.count() as usize] {
                assert_eq!((record.seq, record.time_ms), (next, next), "{place}");
                next += 1;
            }
            gateway.ack(token).unwrap();
        }
        assert_eq!(next, added[place]);
    }
    10 * reads / pages
}

/// Of many small groups each reads pages that others read as well; the bounds are what it takes, and a tenth.
#[test]
fn a_squeeze_reads_a_page_a_few_times() {
    for (sensors, records_each, busy, tenths_max) in [
        (10, 40, 1, 95),
        (100, 4, 1, 120),
        (100, 20, 1, 66),
        (1_000, 2, 1, 107),
        // One sensor alone has more than fits into a group.
        (100, 4, 400, 46),
    ] {
        let tenths = tenths_of_reads_a_page(sensors, records_each, busy, 1 << 20);
        assert!(tenths <= tenths_max, "{sensors} sensors, {records_each}, {busy}: {tenths} tenths");
    }
}

/// The index of a squeezed segment is made of 256 pages at a time; what comes out of it is compared in there.
#[test]
fn a_squeezed_segment_of_many_pages_is_found_to_the_last_record() {
    // 512 pages, and squeezed some 470, most of them read by each of many groups. The bound is what it takes, and
    // a tenth.
    let tenths = tenths_of_reads_a_page(40, 30, 1, 2 << 20);
    assert!(tenths <= 174, "{tenths} tenths");
}

/// Without an index a sensor's records in the open segment are looked for page by page. Where that is done often
/// the segment is sealed early; where it is not, or the segment is small yet, it is filled.
#[test]
fn an_open_segment_that_is_searched_often_is_sealed_early() {
    let config = GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 256 << 10,
        reserve_bytes: 0,
        squeezes: false,
        ..GatewayConfig::new(40)
    };
    // A quarter of the segment is 16 pages. A sensor's records lie in every second one, and a batch of all of
    // them searches these.
    for (pages, batches, segments) in [(24, 12, 2), (24, 6, 1), (14, 40, 1), (18, 12, 2)] {
        let disk = FaultyDisk::over(MemoryDisk::default());
        let mut gateway = Gateway::open(disk, &config).unwrap();
        let register =
            |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
        let all: Vec<_> = (0..40).map(register).collect();
        let mut now_ms = 0;
        let mut add = |gateway: &mut Gateway<FaultyDisk>| {
            for &sensor in all.iter().cycle().take(400) {
                gateway.append_event(sensor, 1, now_ms).unwrap();
                now_ms += 1;
            }
            gateway.sync().unwrap();
        };
        while gateway.disk().bytes < (pages + 1) * PAGE_BYTES as u64 {
            add(&mut gateway);
        }
        assert_eq!(gateway.disk().segments, 1);
        let mut out = vec![Record::default(); 4_096];
        for _ in 0..batches {
            let token = gateway.consume(all[7], &mut out).unwrap().unwrap();
            gateway.nack(token).unwrap();
        }
        gateway.tick(0);
        add(&mut gateway);
        assert_eq!(gateway.disk().segments, segments, "{pages} pages, {batches} batches");
    }
}

/// The list of a sensor's pages in an index is cut where it does not fit into a page, and goes on in another entry.
#[test]
fn a_sensor_in_every_page_of_a_segment_of_the_default_size_is_found_by_its_index() {
    let config = GatewayConfig {
        pool_bytes: 64 << 10,
        sector_bytes: Some(4_096),
        squeezes: false,
        ..GatewayConfig::new(2)
    };
    let mut gateway = Gateway::open(FaultyDisk::over(MemoryDisk::default()), &config).unwrap();
    let register = |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
    let [busy, rare] = [1, 2].map(register);
    let mut added = 0;
    while gateway.disk().segments < 2 {
        for _ in 0..470 {
            gateway.append_event(busy, added as u32, added).unwrap();
            added += 1;
        }
        gateway.append_event(rare, 7, added).unwrap();
        gateway.sync().unwrap();
    }
    let spills = added / 470;
    assert!(spills > 4_000, "{spills} pages in {:?}", gateway.disk());
    let mut out = vec![Record::default(); 4_096];
    for (sensor, records) in [(rare, spills), (busy, added)] {
        let before = gateway.disk().pages_read;
        let mut next = 0;
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            for record in &out[..token.count() as usize] {
                assert_eq!(record.seq, next);
                next += 1;
            }
            gateway.ack(token).unwrap();
        }
        assert_eq!(next, records);
        // Each page once, and the index with every batch.
        let read = gateway.disk().pages_read - before;
        assert!(read < 4_096 * 3 / 2, "{read} pages for {records} records");
    }
}

/// The same in a squeezed segment, where a list is cut at 2,048 pages.
#[test]
fn a_sensor_in_most_pages_of_a_squeezed_segment_is_found_by_its_index() {
    let config = GatewayConfig {
        pool_bytes: 64 << 10,
        sector_bytes: Some(4_096),
        segment_bytes: 14 << 20,
        reserve_bytes: 0,
        ..GatewayConfig::new(2)
    };
    let disk = FaultyDisk::over(MemoryDisk::default());
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let register = |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
    let [busy, rare] = [1, 2].map(register);
    let mut spills = 0;
    while gateway.disk().segments < 4 {
        for at in spills * 330..(spills + 1) * 330 {
            gateway.append_event(busy, at as u32, at).unwrap();
        }
        gateway.append_event(rare, 7, spills).unwrap();
        gateway.sync().unwrap();
        spills += 1;
    }
    let mut now_ms = 0;
    while gateway.disk().segments_squeezed < 1 {
        now_ms += 10;
        gateway.tick(now_ms);
        assert!(now_ms < 1_000_000, "no segment is squeezed");
    }
    let squeezed = disk.memory().files().into_iter().find(|(name, _)| name.ends_with("-01.seg"));
    let pages = squeezed.unwrap().1.len() / PAGE_BYTES;
    assert!((2_200..3_000).contains(&pages), "{pages} pages");
    let mut out = vec![Record::default(); 4_096];
    for (sensor, records) in [(rare, spills), (busy, spills * 330)] {
        let mut next = 0;
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            for record in &out[..token.count() as usize] {
                assert_eq!(record.seq, next);
                next += 1;
            }
            gateway.ack(token).unwrap();
        }
        assert_eq!(next, records);
    }
}

/// A squeeze goes on over several ticks. The segment that it reads is not erased meanwhile though nobody needs it
/// any more, and nothing fails; all others are, but the newest.
#[test]
fn a_segment_is_erased_when_its_squeeze_has_ended() {
    let config = GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 256 << 10,
        reserve_bytes: 0,
        ..GatewayConfig::new(40)
    };
    let disk = FaultyDisk::over(MemoryDisk::default());
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let register = |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
    let all: Vec<_> = (0..40).map(register).collect();
    let names = || disk.memory().files().into_keys().collect::<Vec<_>>();
    let squeezed = || names().into_iter().find(|name| name.ends_with("-01.seg"));
    let mut now_ms = 0;
    while squeezed().is_none() {
        for &sensor in all.iter().cycle().take(400) {
            gateway.append_event(sensor, 1, now_ms).unwrap();
            now_ms += 1;
        }
        gateway.sync().unwrap();
        gateway.tick(now_ms);
        assert!(gateway.disk().segments < 9, "nothing is squeezed");
    }
    let new = squeezed().unwrap();
    let old = new.replace("-01", "-00");
    assert!(names().contains(&old), "the squeeze is under way");
    let mut out = vec![Record::default(); 4_096];
    for &sensor in &all {
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            gateway.ack(token).unwrap();
        }
    }
    gateway.sync().unwrap();
    now_ms += 1_000;
    gateway.tick(now_ms);
    assert_eq!(gateway.disk().segments, 2, "{:?}", names());
    for _ in 0..20 {
        now_ms += 1_000;
        gateway.tick(now_ms);
        assert!(gateway.health().is_ok(), "{:?}", gateway.health());
    }
    assert_eq!((gateway.disk().segments, names().len()), (1, 2), "{:?}", names());
}
