//! A store as a gateway meets it that opens what it was left, whatever that is: before anything is mended,
//! and after.

use super::{
    damage::{Found, export, export_filtered},
    edits::{hostile_or_rotten, survive},
    faulty::FaultyDisk,
    memory::MemoryDisk,
};
use ss_lib::{
    ConsumeError, Record, Sensor, SensorConfig, SensorKey,
    disk::{RecordFilter, SalvageOptions, Verdict, plan, salvage, scan},
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
};

/// A sensor that no golden store has.
const NEW: SensorKey = SensorKey { source: 77, id: 77 };
/// Batches that a store of so few pages can have at most: beyond, it hands out the same ones for ever.
const BATCHES_MAX: usize = 100_000;

/// Opens a hostile store before its repair and again behind it: each time it is used and left. Nothing
/// panics, what an open store hands out is in order, and what could be read of it is handed out in full by
/// the store that it is salvaged into. Nothing is invented, and a sound store hands out all that can be
/// read: unless somebody forged pages, who may contradict himself in what he wrote.
pub fn reopen_and_survive(bytes: &[u8]) {
    let (disk, is_forged) = hostile_or_rotten(bytes);
    use_it(disk.clone(), is_forged);
    salvaged_is_whole(&disk);
    survive(&disk);
    use_it(disk, is_forged);
}

fn salvaged_is_whole(disk: &MemoryDisk) {
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
    let handed_out = drain(&mut gateway, None);
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

fn use_it(disk: MemoryDisk, is_forged: bool) {
    let Ok(found) = scan(&disk) else { return };
    let planned = plan(&found);
    let filter = RecordFilter { is_everything: true, ..RecordFilter::default() };
    let readable = export_filtered(&disk, &found, filter);
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
    let handed_out = drain(&mut gateway, (!is_forged).then_some(&readable));
    if planned.verdict == Verdict::Sound && !is_forged {
        let held = export(disk.memory(), &found);
        let more: Vec<_> = handed_out.keys().filter(|place| !held.contains_key(place)).collect();
        let less: Vec<_> = held.keys().filter(|place| !handed_out.contains_key(place)).collect();
        assert!(handed_out == held, "handed out and not seen: {more:?}; not handed out: {less:?}");
    }
    if !work(&mut gateway) {
        return;
    }
    drop(gateway);
    // It can be looked at and opened again, and what was just added is there.
    let found = scan(disk.memory()).expect("it was open");
    drop(plan(&found));
    let gateway = Gateway::open(disk, &config()).expect("it was open");
    let sensor = gateway.find(NEW).expect("it was registered, and records of it are held");
    assert_eq!(gateway.unsent(sensor), Ok(10));
}

/// Takes everything out, leaves it there, and holds it against what the pages say.
fn drain(gateway: &mut Gateway<FaultyDisk>, readable: Option<&Found>) -> Found {
    let mut all = Found::new();
    let mut out = [Record::default(); 50];
    let sensors: Vec<Sensor> = gateway.sensors().collect();
    for sensor in sensors {
        let key = gateway.sensor_config(sensor).expect("it is the store's own").key;
        let mut last = None;
        for batch in 0.. {
            assert!(batch < BATCHES_MAX, "{key} never ends");
            let token = match gateway.consume(sensor, &mut out) {
                Ok(Some(token)) => token,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error, ConsumeError::Unreadable);
                    break;
                }
            };
            for record in &out[..token.count() as usize] {
                assert!(last.is_none_or(|last| last < record.seq), "{key}: order");
                last = Some(record.seq);
                let content = (record.epoch, record.time_ms, record.value);
                if let Some(readable) = readable {
                    let written = readable.get(&(key, record.seq));
                    assert_eq!(written, Some(&content), "{key} {}: invented", record.seq);
                }
                all.insert((key, record.seq), content);
            }
            assert_eq!(gateway.ack(token), Ok(()));
        }
        assert!(gateway.stats(sensor).expect("it is the store's own").is_conserved());
    }
    gateway.check().unwrap_or_else(|fault| panic!("{fault}"));
    all
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
