//! Real processes that are killed at random moments, and ended by a signal: what the store says after it
//! is held against what the process had been told. `ss torture` does the same on a user's own disk.
//!
//! `SS_KILL_CYCLES` asks for more kills, `SS_KILL_SEED` for other moments.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use rustix::process::{Pid, Signal, kill_process};
use ss_lib::{
    disk::PAGE_BYTES,
    gateway::{Gateway, GatewayConfig},
    torture::{Breach, Floor, Options, SENSORS, Told, Torture, judge},
};
use ss_tests::settings;
use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

fn child(store: &Path, seed: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-child"));
    command.arg(store).arg(seed.to_string());
    command
}

#[test]
fn a_process_that_is_killed_at_any_moment_loses_nothing_that_it_was_told_is_written() {
    let kills = settings::number("SS_KILL_CYCLES", 100);
    let seed = settings::number("SS_KILL_SEED", 1);
    let dir = tempfile::tempdir().unwrap();
    let mut torture = Torture::new(dir.path(), Options { kills, seed }, &child).unwrap();
    let outcome = torture.run(&mut |_| true);
    let figures = *torture.figures();
    if let Err(error) = outcome {
        let store = dir.keep();
        panic!("seed {seed}, {figures:?}: {error}; the store is {}", store.display());
    }
    eprintln!("{figures:?}");
    assert_eq!(figures.kills, kills);
    assert!(figures.kills_while_opening > 0 && figures.records_checked > kills);
    assert!(figures.lost_in_ram > 0, "nothing was ever in RAM only: {figures:?}");
}

/// What a process says until it ends, which it is asked to after a while.
fn until_asked_to_end(store: &Path, seed: u64, after: Duration) -> String {
    let mut child = child(store, seed).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    lines.read_line(&mut said).unwrap();
    std::thread::sleep(after);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    std::io::Read::read_to_string(&mut lines, &mut said).unwrap();
    assert!(child.wait().unwrap().success());
    said
}

/// The service was stopped, and everything in RAM was gone; the remedy then wiped the disk.
#[test]
fn field_b32_a_process_that_is_asked_to_end_leaves_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for round in 0..5 {
        let said = until_asked_to_end(dir.path(), round, Duration::from_millis(50 + 50 * round));
        told.read(&said).unwrap();
        assert!(told.has_ended && told.receipts.iter().all(|it| it.levels.added_seq > 0));
        // The last receipts are from after the end: exactly this must be there.
        let judged = judge(dir.path(), &told, Floor::Durable, round).unwrap();
        assert!(judged.records > 0 && judged.lost_in_ram + judged.back_again == 0);
        told = judged.told;
    }
}

/// A judge that never says no proves nothing: each lie about a store that is whole is seen.
#[test]
fn a_judge_sees_what_is_missing_what_came_back_and_what_was_invented() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    told.read(&until_asked_to_end(dir.path(), 3, Duration::from_millis(100))).unwrap();
    let mut seen = Vec::new();
    for place in 0..SENSORS {
        for lie in 0..6 {
            let mut told = told;
            told.has_ended = false;
            let receipt = &mut told.receipts[place];
            let levels = &mut receipt.levels;
            let floor = if lie == 0 { Floor::Written } else { Floor::Durable };
            match lie {
                0 => levels.written_seq += 1,
                1 => levels.durable_seq += 1,
                2 => levels.acked_durable_seq += 1,
                3 => (receipt.may_ack_seq, levels.acked_seq) = (0, 0),
                4 => (receipt.may_add_seq, levels.added_seq) = (1, 1),
                _ => {
                    told.has_ended = true;
                    levels.added_seq += 1;
                }
            }
            let copy = copy_of(dir.path());
            let said = match judge(copy.path(), &told, floor, 1) {
                Err(Breach::Promise(said)) => said,
                judged => panic!("lie {lie} on {place}: {judged:?}"),
            };
            assert!(said.starts_with(&format!("sensor {place} holds")), "{said}");
            seen.push(said);
        }
    }
    assert_eq!(seen.len(), 6 * SENSORS);
    // The same store without the lies, and with pages that are gone.
    judge(copy_of(dir.path()).path(), &told, Floor::Written, 1).unwrap();
    let copy = copy_of(dir.path());
    let newest = segments(copy.path()).pop().unwrap();
    let file = OpenOptions::new().write(true).open(copy.path().join(newest)).unwrap();
    file.set_len(file.metadata().unwrap().len() - 2 * PAGE_BYTES as u64).unwrap();
    assert!(judge(copy.path(), &told, Floor::Written, 1).is_err());
}

/// A store that another program wrote is none of the torture's.
#[test]
fn a_store_with_other_sensors_is_not_taken_for_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &GatewayConfig::new(1)).unwrap();
    let key = ss_lib::SensorKey { source: 9, id: 9 };
    let sensor = gateway.register(ss_lib::SensorConfig::event(key)).unwrap();
    gateway.append_event(sensor, 1, 1).unwrap();
    gateway.sync().unwrap();
    drop(gateway);
    let options = Options { kills: 1, seed: 1 };
    assert!(matches!(Torture::new(dir.path(), options, &child), Err(Breach::Promise(_))));
}

fn segments(store: &Path) -> Vec<String> {
    let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "seg"));
    names.sort();
    names
}

fn copy_of(store: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}
