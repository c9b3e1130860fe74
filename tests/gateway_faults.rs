//! A gateway on a disk that fails: nothing that was accepted is lost, a failed sync is never believed, and
//! when the disk is well again the store goes on by itself and says so.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    AppendError, Record, Sensor, SensorConfig, SensorKey,
    gateway::{Durability, Gateway, GatewayConfig, HealthCause, WhenFull},
};
use ss_tests::disk::{
    damage::look,
    faulty::{Call, Due, Fault, FaultyDisk},
};

const SENSORS: u64 = 3;

fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        full: WhenFull::Wait { ms: 0 },
        durability: Durability::Interval { ms: 1_000 },
        ..GatewayConfig::new(4)
    }
}

/// A store with three sensors, whose nth event has the number n as value and time.
struct Story {
    disk: FaultyDisk,
    gateway: Gateway<FaultyDisk>,
    sensors: Vec<Sensor>,
    now_ms: u64,
    /// What the uploader has got of each sensor.
    got: Vec<u64>,
}

impl Story {
    fn begin(disk: FaultyDisk, config: &GatewayConfig) -> Self {
        let mut gateway = Gateway::open(disk.clone(), config).unwrap();
        let sensors = (0..SENSORS as u32)
            .map(|id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap())
            .collect();
        Self { disk, gateway, sensors, now_ms: 1_000, got: vec![0; SENSORS as usize] }
    }

    /// Adds one event to each sensor. Says how many were refused.
    fn add(&mut self) -> u32 {
        let mut refused = 0;
        for &sensor in &self.sensors {
            let seq = self.gateway.levels(sensor).unwrap().added_seq;
            match self.gateway.append_event(sensor, seq as u32, seq) {
                Ok(added) => assert_eq!(added, seq),
                Err(AppendError::Full) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        refused
    }

    fn tick(&mut self, ms: u64) {
        let before: Vec<_> =
            self.sensors.iter().map(|s| self.gateway.levels(*s).unwrap()).collect();
        let bad_before = self.disk.failed();
        let bytes_before = self.gateway.disk().bytes_written;
        self.now_ms += ms;
        self.gateway.tick(self.now_ms);
        self.gateway.check().unwrap();
        // What a write took before it failed is written too.
        assert!(self.gateway.disk().bytes_written >= bytes_before);
        for (&sensor, before) in self.sensors.iter().zip(before) {
            let levels = self.gateway.levels(sensor).unwrap();
            let at = format!("{before:?}, {levels:?}");
            assert!(levels.durable_seq >= before.durable_seq, "{at}");
            assert!(levels.acked_durable_seq >= before.acked_durable_seq, "{at}");
            assert!(levels.written_seq >= before.written_seq || self.disk.failed() > bad_before);
            assert!(levels.durable_seq <= levels.written_seq, "{at}");
        }
    }

    /// Adds and ticks for so many seconds.
    fn run(&mut self, seconds: u32) -> u32 {
        let mut refused = 0;
        for _ in 0..seconds {
            for _ in 0..24 {
                refused += self.add();
            }
            self.tick(1_000);
        }
        refused
    }

    /// The uploader takes `records` of each sensor, which must be the next ones, and acks them.
    fn upload(&mut self, records: usize) {
        let mut out = vec![Record::default(); records];
        for (place, &sensor) in self.sensors.iter().enumerate() {
            let Some(token) = self.gateway.consume(sensor, &mut out).unwrap() else { continue };
            for record in &out[..token.count() as usize] {
                assert_eq!(record.seq, self.got[place], "a record is missing");
                assert_eq!((u64::from(record.value), record.time_ms), (record.seq, record.seq));
                self.got[place] += 1;
            }
            self.gateway.ack(token).unwrap();
        }
    }

    /// Everything that was ever accepted is handed out, each once.
    fn upload_all(&mut self) {
        while self.gateway.totals().unsent > 0 {
            self.upload(100);
        }
        for (&sensor, &got) in self.sensors.iter().zip(&self.got) {
            assert_eq!(self.gateway.levels(sensor).unwrap().added_seq, got, "a record is missing");
            assert_eq!(self.gateway.stats(sensor).unwrap().dropped(), 0);
        }
    }

    /// The disk is well again: the store goes on by itself, and its health clears.
    fn recover(&mut self) {
        self.disk.heal();
        for _ in 0..4 {
            self.tick(11_000);
        }
        for cause in [HealthCause::DiskFull, HealthCause::IoError] {
            assert!(!self.gateway.health().has(cause), "{cause:?} does not clear");
        }
        assert_eq!(self.run(4), 0, "the store does not go on");
        self.gateway.sync().unwrap();
        self.upload_all();
        for _ in 0..4 {
            self.tick(2_000);
        }
        assert!(self.gateway.health().is_ok(), "{:?}", self.gateway.health());
        assert_eq!(self.gateway.disk().segments, 1);
        self.gateway.sync().unwrap();
    }
}

const CALLS: [Call; 6] =
    [Call::Write, Call::Sync, Call::SyncDir, Call::Create, Call::Unlink, Call::SetLen];

/// Every call in turn fails once, or a few times, in a run that seals, squeezes and reclaims.
fn every_call_in_turn(fault: Fault, calls: &[Call], times: u32) {
    let mut failures = 0;
    for &call in calls {
        for nth in 0.. {
            let disk = FaultyDisk::default();
            let mut story = Story::begin(disk.clone(), &config());
            disk.fail(Due { call, fault, nth, times });
            for round in 1..=10 {
                story.run(10);
                story.upload(if round % 3 == 0 { 1_200 } else { 150 });
            }
            let failed = disk.failed();
            story.recover();
            failures += failed;
            if failed == 0 {
                assert!(nth > 0 || call == Call::SetLen, "{call:?} is never done");
                break;
            }
        }
    }
    eprintln!("{fault:?}, {times} times: {failures} failures");
    assert!(failures > 0);
}

#[test]
fn field_b39_no_space_at_any_write_loses_nothing_and_clears() {
    every_call_in_turn(Fault::NoSpace, &[Call::Write, Call::Create], 1);
    every_call_in_turn(Fault::NoSpace, &[Call::Write, Call::Create], 5);
}

#[test]
fn an_error_at_any_call_loses_nothing_and_clears() {
    every_call_in_turn(Fault::Io, &CALLS, 1);
    every_call_in_turn(Fault::Io, &CALLS, 3);
}

#[test]
fn short_and_interrupted_writes_are_no_errors() {
    for fault in [Fault::Short, Fault::Interrupted] {
        let disk = FaultyDisk::default();
        let mut story = Story::begin(disk.clone(), &config());
        disk.fail(Due { call: Call::Write, fault, nth: 0, times: u32::MAX / 2 });
        if fault == Fault::Interrupted {
            disk.heal();
            for nth in 0..200 {
                disk.fail(Due { call: Call::Write, fault, nth: nth * 2, times: 1 });
            }
        }
        for _ in 0..10 {
            assert_eq!(story.run(20), 0);
            assert!(story.gateway.health().is_ok(), "{fault:?}: {:?}", story.gateway.health());
            story.upload(150);
        }
        assert!(disk.failed() > 10);
        story.recover();
    }
}

/// The page cache forgets what could not be written, and the next sync says that all is well.
#[test]
fn a_failed_sync_is_not_believed_and_not_repeated_on_its_segment() {
    for fault in [Fault::Io, Fault::Dropped] {
        for nth in 0..12 {
            let disk = FaultyDisk::default();
            let mut story = Story::begin(disk.clone(), &config());
            story.run(3);
            disk.fail(Due { call: Call::Sync, fault, nth, times: 1 });
            disk.record();
            let mut failed_file = None;
            for _ in 0..400 {
                disk.take_done();
                story.run(1);
                let done = disk.take_done();
                let of = |wanted: Call| done.iter().filter(move |(call, _)| *call == wanted);
                let syncs: Vec<_> = of(Call::Sync).collect();
                if of(Call::Create).any(|(_, file)| failed_file.as_ref() == Some(file)) {
                    // A segment whose checkpoint was not complete is begun anew.
                    break;
                }
                if disk.failed() == 0 {
                    continue;
                }
                match &failed_file {
                    None => {
                        // Nothing is synced behind it until the next tick.
                        failed_file = syncs.last().map(|(_, file)| file.clone());
                        assert!(!story.gateway.health().is_ok());
                    }
                    Some(file) if file.contains(".seg") => {
                        assert!(!syncs.iter().any(|sync| sync.1 == *file), "{file} again");
                    }
                    Some(_) => {}
                }
                if failed_file.is_some() && fault == Fault::Io {
                    break;
                }
            }
            if disk.failed() == 0 {
                continue;
            }
            for &sensor in &story.sensors {
                // What is said to be durable can be read from what is left.
                let levels = story.gateway.levels(sensor).unwrap();
                for seq in levels.acked_seq..levels.durable_seq {
                    assert!(story.gateway.read_at(sensor, seq).is_ok(), "{fault:?} {nth}: {seq}");
                }
            }
            if fault == Fault::Io {
                story.recover();
            }
        }
    }
}

#[test]
fn a_full_disk_still_takes_acknowledgements_and_the_store_goes_on_when_there_is_space() {
    let disk = FaultyDisk::default();
    let mut story = Story::begin(disk.clone(), &config());
    story.run(60);
    story.gateway.sync().unwrap();
    assert_eq!(story.gateway.disk().reserve_bytes, 16 << 10);
    disk.leave_bytes(0);
    let refused = story.run(60);
    assert!(refused > 0, "the pool took everything");
    assert!(story.gateway.health().has(HealthCause::DiskFull), "{:?}", story.gateway.health());
    let levels = |story: &Story| story.gateway.levels(story.sensors[0]).unwrap();
    // What is acknowledged now is durable though there is no space.
    story.upload(50);
    let acked = levels(&story).acked_seq;
    for _ in 0..3 {
        story.tick(11_000);
    }
    assert!(levels(&story).acked_durable_seq >= acked, "{:?}", levels(&story));
    assert!(story.gateway.health().has(HealthCause::ReserveInUse));
    // And survives a kill.
    let got = story.got.clone();
    drop(story);
    disk.heal();
    let mut story = Story::begin(disk.clone(), &config());
    for (&sensor, got) in story.sensors.iter().zip(&got) {
        assert!(story.gateway.levels(sensor).unwrap().acked_seq >= *got);
    }
    story.got = got;
    story.recover();
    assert_eq!(story.gateway.disk().reserve_bytes, 16 << 10, "the reserve is not kept again");
}

/// While one sync is under way another caller asks for one: it must wait for what the first comes to, and a
/// failure is also its own.
#[test]
fn a_sync_beside_one_that_is_under_way_believes_nothing_before_that_has_ended() {
    for fails in [false, true] {
        let disk = FaultyDisk::default();
        let mut story = Story::begin(disk.clone(), &config());
        story.gateway.sync().unwrap();
        story.add();
        // Something is written, and not synced.
        story.run(2);
        for _ in 0..400 {
            story.add();
        }
        let levels = |story: &Story| story.gateway.levels(story.sensors[0]).unwrap();
        let before = levels(&story);
        assert!(before.written_seq > before.durable_seq, "{before:?}");
        if fails {
            disk.fail(Due { call: Call::Sync, fault: Fault::Io, nth: 0, times: 1 });
        }
        let synced = disk.calls(Call::Sync);
        disk.hold_syncs();
        let (mut first, mut second) = (story.gateway.clone(), story.gateway.clone());
        let now_ms = story.now_ms + 5_000;
        std::thread::scope(|scope| {
            scope.spawn(move || first.tick(now_ms));
            while disk.calls(Call::Sync) == synced {
                std::thread::yield_now();
            }
            let asked = scope.spawn(move || second.sync());
            std::thread::sleep(std::time::Duration::from_millis(100));
            assert!(!asked.is_finished(), "it was told that all is durable");
            disk.release_syncs();
            let result = asked.join().unwrap();
            assert_eq!(result.is_err(), fails, "{result:?}");
        });
        let after = levels(&story);
        if fails {
            assert_eq!(after.durable_seq, before.durable_seq);
            assert!(story.gateway.health().has(HealthCause::SyncFailed));
        } else {
            assert_eq!(after.durable_seq, after.added_seq);
        }
        story.now_ms = now_ms;
        story.recover();
    }
}

/// A sync fails, the store begins a new segment to write again what RAM still holds, and is killed before
/// it has. The numbers of those records stand in the segment that is in doubt, whose pages the kernel may
/// well have kept. They once were given to new records, and the old ones were read in place of these.
#[test]
fn a_kill_after_a_failed_sync_gives_no_number_to_another_record() {
    let mut reached = 0;
    for nth_sync in 0..2 {
        for writes in 0..8 {
            let disk = FaultyDisk::default();
            let mut story = Story::begin(disk.clone(), &config());
            for _ in 0..=nth_sync {
                story.gateway.sync().unwrap();
                (0..20).for_each(|_| assert_eq!(story.add(), 0));
            }
            disk.fail(Due { call: Call::Sync, fault: Fault::Io, nth: 0, times: 1 });
            assert!(story.gateway.sync().is_err());
            let before: Vec<_> =
                story.sensors.iter().map(|&s| story.gateway.levels(s).unwrap()).collect();
            disk.fail(Due { call: Call::Write, fault: Fault::Io, nth: writes, times: u32::MAX });
            for _ in 0..3 {
                story.tick(61_000);
            }
            // Killed.
            drop(story);
            disk.heal();
            let mut story = Story::begin(disk.clone(), &config());
            let mut ends = Vec::new();
            for (sensor, before) in story.sensors.clone().into_iter().zip(before) {
                let end = story.gateway.levels(sensor).unwrap().added_seq;
                reached += u64::from(end > before.written_seq);
                assert!(end >= before.written_seq, "{nth_sync} {writes}: what was written is lost");
                ends.push(end);
                // So many that RAM does not hold them all: they are read where the log has them.
                for seq in end..end + 500 {
                    let added = story.gateway.append_event(sensor, !(seq as u32), seq);
                    assert_eq!(added.ok(), Some(seq));
                }
                story.tick(1_000);
            }
            story.gateway.sync().unwrap();
            let mut out = vec![Record::default(); 500];
            for (&sensor, end) in story.sensors.iter().zip(ends) {
                let mut next = 0;
                while let Some(token) = story.gateway.consume(sensor, &mut out).unwrap() {
                    for record in &out[..token.count() as usize] {
                        assert_eq!(record.seq, next, "{nth_sync} {writes}");
                        let value =
                            if next < end { record.seq as u32 } else { !(record.seq as u32) };
                        assert_eq!(record.value, value, "{nth_sync} {writes}: {next} of {end}");
                        next += 1;
                    }
                    story.gateway.ack(token).unwrap();
                }
                assert_eq!(next, end + 500, "{nth_sync} {writes}");
            }
        }
    }
    assert!(reached > 0, "no number stood in a segment in doubt only");
}

/// A disk was smaller than its file system believed: the sync that ends a segment failed for want of space,
/// the reserve was opened, the cursors were saved in another segment, and with that one's sync the records
/// that were gone counted as durable.
#[test]
fn a_sync_that_fails_for_want_of_space_makes_nothing_durable() {
    let config = GatewayConfig { durability: Durability::EverySpill, ..config() };
    let mut failed = 0;
    for nth in 0..220 {
        let disk = FaultyDisk::default();
        let mut story = Story::begin(disk.clone(), &config);
        disk.fail(Due { call: Call::Sync, fault: Fault::DroppedFull, nth, times: 1 });
        let mut durable = vec![0; SENSORS as usize];
        for second in 0..90 {
            for _ in 0..60 {
                story.add();
            }
            story.upload(1 + second % 3);
            story.tick(1_000);
            if disk.failed() > 0 {
                // At once, before anything else makes up for it.
                for (durable, &sensor) in durable.iter_mut().zip(&story.sensors) {
                    *durable = story.gateway.levels(sensor).unwrap().durable_seq;
                }
                break;
            }
        }
        failed += disk.failed();
        let got = story.got.clone();
        drop(story);
        let found = look(disk.memory()).2;
        for (id, (durable, got)) in (0..).zip(durable.into_iter().zip(got)) {
            let key = SensorKey { source: 1, id };
            let missing = (got..durable).find(|&seq| !found.contains_key(&(key, seq)));
            assert_eq!(missing, None, "sync {nth}: {key} was durable up to {durable}");
        }
    }
    assert!(failed > 60, "{failed} syncs failed");
}
