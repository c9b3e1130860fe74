//! The inputs on which the fuzzer of whole stores begins, and those that once broke something, as a test
//! that needs no fuzzer: ss-lib/fuzz/seeds/store has them by name.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::{
    Record,
    gateway::{Gateway, GatewayConfig},
};
use ss_tests::disk::{
    damage::{Found, look, mend},
    faulty::FaultyDisk,
    golden,
    reopening::reopen_and_survive,
};
use std::{fs, path::Path};

#[test]
fn every_seed_of_the_store_fuzzer_is_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ss-lib/fuzz/seeds/store");
    let mut count = 0;
    for entry in fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        reopen_and_survive(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 11, "{count} seeds");
}

/// A page rotted, `ss repair` listed its records as lost, and the gateway that opened the store took them
/// off once more when it came to the gap: as many whole records behind it were never handed out.
#[test]
fn what_a_repair_kept_is_handed_out_in_full_and_no_loss_counts_twice() {
    let mut repaired = 0;
    for golden in golden::all() {
        let disk = golden.writer.disk;
        let listed = mend(&disk).records_lost;
        repaired += u64::from(listed > 0);
        let (scan, _, held) = look(&disk);
        let config = GatewayConfig { segment_bytes: 64 << 10, ..GatewayConfig::new(16) };
        let mut gateway = Gateway::open(FaultyDisk::over(disk), &config).unwrap();
        let before = gateway.totals();
        let mut handed_out = Found::new();
        let mut out = [Record::default(); 33];
        let sensors: Vec<_> = gateway.sensors().collect();
        for sensor in sensors {
            let key = gateway.sensor_config(sensor).unwrap().key;
            while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
                for record in &out[..token.count() as usize] {
                    let content = (record.epoch, record.time_ms, record.value);
                    handed_out.insert((key, record.seq), content);
                }
                gateway.ack(token).unwrap();
            }
        }
        assert!(handed_out == held, "{}: {} of {}", golden.name, handed_out.len(), held.len());
        let after = gateway.totals();
        assert_eq!(after.dropped(), before.dropped(), "{}: a loss counts twice", golden.name);
        assert_eq!(
            gateway.ledger().records,
            scan.ledger.iter().map(|it| u64::from(it.count)).sum()
        );
        gateway.check().unwrap();
    }
    assert!(repaired >= 2, "{repaired} stores had losses");
}
