//! A small store on a simulated disk, and what is asked of it.

use ss_lib::{
    Levels, Record, Sensor, SensorConfig, SensorKey,
    disk::sim::{Call, Due, Image, SimDisk, SimFault},
    gateway::{Durability, Gateway, GatewayConfig},
};

pub(crate) const SENSORS: u32 = 3;

pub(crate) fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        spill_after_ms: 2_000,
        durability: Durability::Interval { ms: 60_000 },
        ..GatewayConfig::new(SENSORS)
    }
}

pub(crate) fn open(disk: &SimDisk) -> (Gateway<SimDisk>, Vec<Sensor>) {
    open_for(disk, SENSORS)
}

/// With places for so many sensors, which are registered.
pub(crate) fn open_for(disk: &SimDisk, count: u32) -> (Gateway<SimDisk>, Vec<Sensor>) {
    let config = GatewayConfig { sensors_max: count, ..config() };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, count);
    (gateway, sensors)
}

pub(crate) fn register(gateway: &mut Gateway<SimDisk>, count: u32) -> Vec<Sensor> {
    let register = |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
    (0..count).map(register).collect()
}

/// Adds records to each sensor. Their value says which opening gave them.
pub(crate) fn add(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], records: u64) {
    let epoch = gateway.epoch();
    for &sensor in sensors {
        for _ in 0..records {
            let seq = gateway.levels(sensor).unwrap().added_seq;
            let value = seq as u32 * 100 + epoch;
            assert_eq!(gateway.append_event(sensor, value, seq), Ok(seq));
        }
    }
}

pub(crate) fn levels(gateway: &Gateway<SimDisk>, sensors: &[Sensor]) -> Vec<Levels> {
    sensors.iter().map(|&sensor| gateway.levels(sensor).unwrap()).collect()
}

pub(crate) fn fail_next_sync(disk: &SimDisk) {
    disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
}

/// 20 records a sensor are durable, and none more will be by a tick for a minute: no page calls the one before it
/// durable.
pub(crate) fn with_20_durable() -> (SimDisk, Gateway<SimDisk>, Vec<Sensor>) {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    // The first tick commits.
    gateway.tick(0);
    (disk, gateway, sensors)
}

/// Adds so many records to each sensor, over which a sync fails.
pub(crate) fn add_in_doubt(
    disk: &SimDisk,
    gateway: &mut Gateway<SimDisk>,
    sensors: &[Sensor],
    records: u64,
) {
    add(gateway, sensors, records);
    fail_next_sync(disk);
    assert!(gateway.sync().is_err());
}

/// 20 records a sensor are durable, and a sync has failed over so many pages of 5 each, and one record more.
pub(crate) fn with_pages_in_doubt(pages: u64) -> (SimDisk, Gateway<SimDisk>, Vec<Sensor>) {
    let (disk, mut gateway, sensors) = with_20_durable();
    for page in 1..=pages {
        add(&mut gateway, &sensors, 5);
        gateway.tick(page * 3_000 - 1_000);
        gateway.tick(page * 3_000);
    }
    add_in_doubt(&disk, &mut gateway, &sensors, 1);
    (disk, gateway, sensors)
}

/// Takes everything out; each sensor's records, none answered twice.
pub(crate) fn drain(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor]) -> Vec<Vec<Record>> {
    let mut out = vec![Record::default(); 64];
    let mut all = vec![Vec::new(); sensors.len()];
    for (records, &sensor) in all.iter_mut().zip(sensors) {
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            records.extend_from_slice(&out[..token.count() as usize]);
            gateway.ack(token).unwrap();
        }
    }
    all
}

/// Every record of 0 to `end` comes out, once and in order. Says what is wrong.
pub(crate) fn check_all(
    gateway: &mut Gateway<SimDisk>,
    sensors: &[Sensor],
    end: u64,
) -> Result<(), String> {
    for records in drain(gateway, sensors) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        if seqs != (0..end).collect::<Vec<_>>() {
            let wrong = seqs.iter().zip(0..).find(|&(&seq, wanted)| seq != wanted);
            return Err(format!("{} records of {end}, first wrong {wrong:?}", seqs.len()));
        }
    }
    Ok(())
}

/// Each sensor's records in order: all that were called durable, whatever is left behind them.
pub(crate) fn check_durable(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], said: &[Levels]) {
    for (said, records) in said.iter().zip(drain(gateway, sensors)) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        let durable: Vec<_> = (0..said.durable_seq).collect();
        assert!(seqs.starts_with(&durable), "{said:?}, {} are left", seqs.len());
    }
}

/// Whatever becomes of the power now, nothing is missing.
pub(crate) fn check_wherever_it_is_cut(disk: &SimDisk, end: u64) {
    let crash = disk.crashable().unwrap();
    let mut wrong = Vec::new();
    for outcome in crash.outcomes() {
        let (mut gateway, sensors) = open(&SimDisk::new(&crash.after(outcome, 1)));
        if let Err(text) = check_all(&mut gateway, &sensors, end) {
            wrong.push(format!("{outcome}: {text} {:?}", gateway.recovery()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

pub(crate) fn fail_next(disk: &SimDisk, call: Call) {
    if !disk.has_due(call) {
        disk.fail(Due { call, fault: SimFault::Io, nth: 0, times: 1 });
    }
}
