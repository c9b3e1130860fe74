//! Real processes that are killed at random moments, and ended by a signal: what the store says after it
//! is held against what the process had been told.
//!
//! `SS_KILL_CYCLES` asks for more kills, `SS_KILL_SEED` for other moments.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use rustix::process::{Pid, Signal, kill_process};
use ss_lib::{
    Record,
    disk::{RealDisk, Verdict, plan, scan},
    gateway::Gateway,
};
use ss_tests::{
    child::{Receipt, SENSORS, config, register, value},
    settings,
};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

fn spawn(dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gateway-child"))
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The last complete receipt of each sensor.
fn receipts(output: &str) -> [Receipt; SENSORS] {
    let mut last = [Receipt::default(); SENSORS];
    let end = output.rfind('\n').map_or(0, |end| end + 1);
    for receipt in output[..end].lines().filter_map(Receipt::parse) {
        last[receipt.sensor] = receipt;
    }
    last
}

/// What must hold of a store that was left: nothing written is missing, nothing durably answered is back.
fn hold(dir: &Path, told: &[Receipt; SENSORS], seed: u64) {
    let disk = RealDisk::open_shared(dir).unwrap();
    let looked = scan(&disk).unwrap();
    let planned = plan(&looked);
    assert_eq!(planned.verdict, Verdict::Sound, "seed {seed}: {:?}", planned.findings);
    let mut gateway = Gateway::open_dir(dir, &config()).unwrap();
    let sensors = register(&mut gateway);
    gateway.check().unwrap();
    let mut out = vec![Record::default(); 1_000];
    for (place, (&sensor, told)) in sensors.iter().zip(told).enumerate() {
        let levels = gateway.levels(sensor).unwrap();
        let at = format!("seed {seed}, sensor {place}: told {told:?}, then {levels:?}");
        assert!(levels.added_seq >= told.written_seq, "{at}");
        assert!(levels.acked_seq >= told.acked_durable_seq, "{at}");
        // Everything from the head on is there, in order, without a gap.
        let mut next = levels.acked_seq;
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            for record in &out[..token.count() as usize] {
                assert_eq!((record.seq, record.value), (next, value(place, next)), "{at}");
                next += 1;
            }
            // It stays for the next process, unless this is the end.
            if next >= levels.added_seq {
                gateway.nack(token).unwrap();
                break;
            }
            gateway.ack(token).unwrap();
        }
        assert_eq!(next, levels.added_seq, "{at}");
        assert!(gateway.stats(sensor).unwrap().is_conserved());
        assert_eq!(gateway.stats(sensor).unwrap().dropped(), 0, "{at}");
    }
    gateway.sync().unwrap();
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing_that_it_was_told_is_written() {
    let cycles: u64 = settings::number("SS_KILL_CYCLES", 40);
    let mut seed: u64 = settings::number("SS_KILL_SEED", 1);
    let dir = tempfile::tempdir().unwrap();
    let (mut with_receipts, mut written) = (0, 0);
    for _ in 0..cycles {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = spawn(dir.path());
        let mut output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_to_string(&mut text);
            text
        });
        std::thread::sleep(Duration::from_micros(3_000 + (seed >> 33) % 250_000));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        let told = receipts(&reader.join().unwrap());
        with_receipts += u64::from(told.iter().any(|receipt| receipt.written_seq > 0));
        written += told.iter().map(|receipt| receipt.written_seq).sum::<u64>();
        hold(dir.path(), &told, seed);
    }
    eprintln!("{cycles} kills, {with_receipts} of them after something was written");
    assert!(with_receipts > cycles / 3 && written > 0);
}

/// The service was stopped, and everything in RAM was gone; the remedy then wiped the disk.
#[test]
fn field_b32_a_process_that_is_asked_to_end_leaves_everything() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut child = spawn(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = [Receipt::default(); SENSORS];
        // Once it has said something, it is asked.
        let first = lines.next().unwrap().unwrap();
        assert!(Receipt::parse(&first).is_some(), "{first}");
        std::thread::sleep(Duration::from_millis(50 + 50 * round));
        signal(&child, Signal::TERM);
        let mut has_ended = false;
        for line in lines {
            let line = line.unwrap();
            has_ended |= line == "complete";
            if let Some(receipt) = Receipt::parse(&line) {
                last[receipt.sensor] = receipt;
            }
        }
        assert!(child.wait().unwrap().success() && has_ended);
        let mut gateway = Gateway::open_dir(dir.path(), &config()).unwrap();
        assert!(gateway.recovery().was_clean);
        let sensors = register(&mut gateway);
        for (&sensor, told) in sensors.iter().zip(&last) {
            // The last receipts are from after the end: nothing was added behind them.
            let levels = gateway.levels(sensor).unwrap();
            assert_eq!((levels.added_seq, levels.acked_seq), (told.added_seq, told.acked_seq));
            assert!(told.added_seq > 0);
        }
        drop(gateway);
        hold(dir.path(), &last, round);
    }
}
