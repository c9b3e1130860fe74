//! The power is cut: the file system is stopped where it is, and what it had not written is gone.

use crate::{
    mounts::{Image, Mount},
    support::{CHILD, judge_by, read_all, signal, tool},
};
use rustix::process::Signal;
use ss_lib::torture::{Floor, Told};
use ss_tests::settings;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// What the process had said is read while it stands still.
const STOPPED: Duration = Duration::from_millis(150);

fn cut(kind: &str) {
    let cuts: u64 = settings::number("SS_POWER_CUTS", 50);
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let image = Image::new(kind);
    let mut mount = Mount::image(&image);
    let mut told = Told::default();
    let mut lost = 0;
    for nth in 0..cuts {
        let at = format!("{kind}, seed {seed}, cut {nth}");
        let store = mount.path().join("store");
        std::fs::create_dir_all(&store).unwrap();
        let mut child = Command::new(CHILD)
            .arg(&store)
            .arg((seed + nth).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        // One in eight is cut while it opens the store.
        if nth % 8 != 5 {
            lines.read_line(&mut said).unwrap();
        }
        let listener = thread::spawn(move || read_all(&mut lines));
        thread::sleep(Duration::from_micros((seed + nth).wrapping_mul(7_919) % 120_000));
        signal(&child, Signal::STOP);
        thread::sleep(STOPPED);
        tool(&["xfs_io", "-x", "-c", "shutdown", mount.text()]);
        child.kill().unwrap();
        child.wait().unwrap();
        said += &listener.join().unwrap();
        mount.unmount();
        mount.mount(&image);
        let store = mount.path().join("store");
        if !store.exists() {
            assert!(!told.has_opened && !said.contains("levels"), "{at}: the store is gone");
            continue;
        }
        let before = said.lines().filter(|line| line.starts_with("levels")).count();
        told = judge_by(&at, &store, &told, &said, Floor::Durable, seed ^ nth);
        lost += u64::from(before > 0);
    }
    eprintln!("{kind}: {cuts} power cuts, {lost} of a store at work");
    assert!(lost > cuts / 2, "{kind}: the store was hardly at work");
}

#[test]
fn a_power_cut_on_ext4_loses_nothing_that_was_durable() {
    cut("ext4");
}

#[test]
fn a_power_cut_on_xfs_loses_nothing_that_was_durable() {
    cut("xfs");
}
