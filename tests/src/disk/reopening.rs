//! A store as a gateway meets it that opens what it was left, whatever that is: before anything is mended,
//! and after.

use super::{
    damage::{Found, export},
    edits::{hostile_or_rotten, survive},
    faulty::FaultyDisk,
    memory::MemoryDisk,
    page_records::{self, PageRecords},
};
use ss_lib::{
    BatchToken, ConsumeError, Record, Sensor, SensorConfig, SensorKey, SensorStats, UnknownSensor,
    disk::{SalvageOptions, Verdict, plan, salvage, scan},
    gateway::{DrainLimits, Durability, Gateway, GatewayConfig, WhenFull},
};

/// A sensor that no golden store has.
const NEW: SensorKey = SensorKey { source: 77, id: 77 };
/// Batches that a store of so few pages can have at most: beyond, it hands out the same ones for ever.
const BATCHES_MAX: usize = 100_000;

/// Opens a hostile store before its repair and again behind it: each time it is used and left. Nothing
/// panics, what an open store hands out is in order and stands in some page, opening twice is opening once,
/// and what could be read of it is handed out in full by the store that it is salvaged into. A sound store
/// hands out all that can be read: unless somebody forged pages, who may contradict himself in what he
/// wrote.
pub fn reopen_and_survive(bytes: &[u8]) {
    let (disk, is_forged) = hostile_or_rotten(bytes);
    let written = page_records::read_all(&disk);
    use_it(disk.clone(), is_forged, &written);
    opening_twice_is_opening_once(&disk, is_forged, &written);
    if !is_forged {
        salvaged_is_whole(&disk, &written);
    }
    survive(&disk);
    use_it(disk, is_forged, &written);
}

/// An opening that is killed at once leaves what it found, and a drain in the order of the log hands out
/// what the sensors do one by one: unless pages were forged, whose numbers may not agree with their places.
fn opening_twice_is_opening_once(disk: &MemoryDisk, is_forged: bool, written: &PageRecords) {
    let disk = FaultyDisk::over(disk.clone());
    // Openings are numbered: the numbers may end.
    let open = || Gateway::open(disk.clone(), &config()).ok();
    let Some(mut gateway) = open() else { return };
    let (stats, handed_out) = (stats(&gateway), drain(&mut gateway, written));
    let Some(mut gateway) = open() else { return };
    if !is_forged {
        assert_eq!(stats, self::stats(&gateway), "it was opened twice");
        assert!(handed_out == drain(&mut gateway, written), "it was opened twice");
    }
    let Some(mut gateway) = open() else { return };
    let in_log_order = drain_in_log_order(&mut gateway, written);
    if !is_forged {
        assert_same(&in_log_order, &handed_out, "in log order and sensor by sensor");
    }
}

fn assert_same(a: &Found, b: &Found, what: &str) {
    let more: Vec<_> = a.keys().filter(|place| !b.contains_key(place)).collect();
    let less: Vec<_> = b.keys().filter(|place| !a.contains_key(place)).collect();
    assert!(a == b, "{what}: more {more:?}, less {less:?}");
}

fn stats(gateway: &Gateway<FaultyDisk>) -> Vec<(SensorKey, SensorStats)> {
    let stats = |sensor| Ok((gateway.sensor_config(sensor)?.key, gateway.stats(sensor)?));
    let stats: Result<_, UnknownSensor> = gateway.sensors().map(stats).collect();
    stats.expect("they are the store's own")
}

fn salvaged_is_whole(disk: &MemoryDisk, written: &PageRecords) {
    let Ok(found) = scan(disk) else { return };
    let fresh = MemoryDisk::default();
    let options = SalvageOptions { is_everything: false, store_id: [9; 16], now_ms: 1 };
    if salvage(disk, &fresh, &options).is_err() {
        return;
    }
    let held = export(disk, &found);
    let sensors_max = 64.max(found.sensors.len() as u32);
    let config = GatewayConfig { pool_bytes: 32 * u64::from(sensors_max), ..config() };
    let config = GatewayConfig { sector_bytes: None, sensors_max, ..config };
    let Ok(mut gateway) = Gateway::open(FaultyDisk::over(fresh), &config) else {
        // Numbers that are used up end a store, not what is in it.
        assert!(found.epoch >= u32::MAX - 1, "what was salvaged cannot be opened");
        return;
    };
    // It may have more: a salvage reads what a cut squeeze left as well.
    let handed_out = drain(&mut gateway, written);
    assert!(held.iter().all(|(place, content)| handed_out.get(place) == Some(content)));
}

fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        disk_max_bytes: 8 << 20,
        reserve_bytes: 16 << 10,
        full: WhenFull::Refuse,
        durability: Durability::EverySpill,
        spill_after_ms: 0,
        ..GatewayConfig::new(64)
    }
}

fn use_it(disk: MemoryDisk, is_forged: bool, written: &PageRecords) {
    let Ok(found) = scan(&disk) else { return };
    let planned = plan(&found);
    let before = disk.files();
    let disk = FaultyDisk::over(disk);
    let mut gateway = match Gateway::open(disk.clone(), &config()) {
        Ok(gateway) => gateway,
        Err(error) => {
            let is_untouched = disk.memory().files() == before;
            assert!(is_untouched, "an opening failed and changed something: {error}");
            return;
        }
    };
    gateway.check().unwrap_or_else(|fault| panic!("{fault}"));
    let handed_out = drain(&mut gateway, written);
    if planned.verdict == Verdict::Sound && !is_forged {
        assert_same(&handed_out, &export(disk.memory(), &found), "handed out and shown");
    }
    if !work(&mut gateway) {
        return;
    }
    drop(gateway);
    // It can be looked at and opened again, and what was just added is there.
    let found = scan(disk.memory()).expect("it was open");
    drop(plan(&found));
    let gateway = match Gateway::open(disk, &config()) {
        Ok(gateway) => gateway,
        // What somebody forged may stand behind what was just written.
        Err(_) if is_forged => return,
        Err(error) => panic!("it was open: {error}"),
    };
    let sensor = gateway.find(NEW).expect("it was registered, and records of it are held");
    assert_eq!(gateway.unsent(sensor), Ok(10));
}

/// Takes everything out, sensor by sensor, and holds it against what stands in the pages.
fn drain(gateway: &mut Gateway<FaultyDisk>, written: &PageRecords) -> Found {
    let mut all = Found::new();
    let mut out = [Record::default(); 50];
    let sensors: Vec<Sensor> = gateway.sensors().collect();
    for sensor in sensors {
        for batch in 0.. {
            assert!(batch < BATCHES_MAX, "{sensor:?} never ends");
            let token = match gateway.consume(sensor, &mut out) {
                Ok(Some(token)) => token,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error, ConsumeError::Unreadable);
                    break;
                }
            };
            take(gateway, token, &out, written, &mut all);
        }
        assert!(gateway.stats(sensor).expect("it is the store's own").is_conserved());
    }
    gateway.check().unwrap_or_else(|fault| panic!("{fault}"));
    all
}

/// Takes everything out in the order of the log.
fn drain_in_log_order(gateway: &mut Gateway<FaultyDisk>, written: &PageRecords) -> Found {
    let mut all = Found::new();
    let mut out = [Record::default(); 70];
    let Some(first) = gateway.sensors().next() else { return all };
    let mut tokens = [BatchToken::from_parts(0, first, 0, 0, 0); 5];
    for round in 0.. {
        assert!(round < BATCHES_MAX, "it never ends");
        let limits = DrainLimits { batch_records: 50 };
        let Ok(drained) = gateway.drain(limits, &mut out, &mut tokens) else { break };
        if drained.batches == 0 {
            break;
        }
        let mut at = 0;
        for &token in &tokens[..drained.batches] {
            take(gateway, token, &out[at..], written, &mut all);
            at += token.count() as usize;
        }
    }
    assert!(stats(gateway).iter().all(|(_, stats)| stats.is_conserved()));
    gateway.check().unwrap_or_else(|fault| panic!("{fault}"));
    all
}

/// Answers a batch, whose records are the first of `out`.
fn take(
    gateway: &mut Gateway<FaultyDisk>,
    token: BatchToken,
    out: &[Record],
    written: &PageRecords,
    all: &mut Found,
) {
    let key = gateway.sensor_config(token.sensor()).expect("it is the store's own").key;
    for record in &out[..token.count() as usize] {
        let last = all.range((key, 0)..=(key, u64::MAX)).next_back();
        assert!(last.is_none_or(|(&(_, last), _)| last < record.seq), "{key}: order");
        let content = (record.epoch, record.time_ms, record.value);
        let is_written = written.get(&(key, record.seq)).is_some_and(|it| it.contains(&content));
        assert!(is_written, "{key} {}: {content:?} is in no page", record.seq);
        all.insert((key, record.seq), content);
    }
    assert_eq!(gateway.ack(token), Ok(()));
}

/// Uses the store. `false`: its numbers are used up, and it says so.
fn work(gateway: &mut Gateway<FaultyDisk>) -> bool {
    let sensor = match gateway.find(NEW) {
        Some(sensor) => sensor,
        None => match gateway.register(SensorConfig::event(NEW)) {
            Ok(sensor) => sensor,
            Err(error) => panic!("{error}, of 64"),
        },
    };
    for seq in 0..10 {
        assert!(gateway.append_event(sensor, seq, 7).is_ok());
    }
    for second in 1..6 {
        gateway.tick(second * 1_000);
    }
    if let Err(error) = gateway.sync() {
        assert!(error.to_string().contains("used up"), "memory does not fail: {error}");
        return false;
    }
    gateway.check().unwrap_or_else(|fault| panic!("{fault}"));
    let report = gateway.shut_down(None, &mut |_| ());
    assert!(report.is_complete(), "{report:?}");
    true
}
