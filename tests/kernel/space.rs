//! File systems that are full, and a disk that is smaller than its file system believes.

use crate::{
    mounts::{Image, Mount},
    support::{CHILD, judge_by, read_all, run, signal, steps_of, tool},
};
use rustix::process::Signal;
use ss_lib::torture::{Floor, Told};
use ss_tests::settings;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// More than any of these runs takes.
const ROOM_KIB: u64 = 64 << 10;

#[test]
fn a_full_file_system_loses_nothing_that_was_written_and_the_store_goes_on() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let mut full = 0;
    for kib in (160..=400).step_by(16) {
        let mount = Mount::tmpfs(kib);
        let at = format!("tmpfs of {kib} KiB, seed {seed}");
        let ran = run(&steps_of(mount.path(), seed + kib, 400));
        ran.assert_orderly(&at, false);
        let is_full = ran.stderr.contains("No space left") && mount.free_bytes() < 64 << 10;
        full += u64::from(is_full);
        // The judge writes as well, and so does the next process.
        mount.resize(ROOM_KIB);
        let told = ran.judge(&at, mount.path(), &Told::default(), Floor::Written, seed);
        let ran = run(&steps_of(mount.path(), seed + kib + 1, 50));
        assert!(ran.status.success(), "{at}: {}", ran.stderr);
        ran.judge(&at, mount.path(), &told, Floor::Written, seed);
    }
    eprintln!("{full} of 16 file systems were full at the end");
    assert!(full >= 12, "the file systems were not full");
}

/// The file system has space and its disk has not: writes succeed, their sync fails, and the next sync
/// succeeds with the data gone.
///
/// A loop device calls a write done of which its file took a part. A disk that lies is another one than a
/// disk that fails, so that no write is larger than a block, which is taken or not.
#[test]
fn a_sync_that_fails_for_real_loses_nothing_that_was_durable() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let rounds = settings::number("SS_FAILED_DISKS", 12);
    let mut failed = 0;
    for round in 0..rounds {
        let at = format!("disk {round}, seed {seed}");
        let disk = Mount::tmpfs(ROOM_KIB);
        let image = Image::ext4_at(disk.path().join("image"), 48 << 20);
        // The journal has its space, free blocks have none: only data can fail, and goes on to.
        image.fill();
        let mut mount = Mount::image(&image);
        tool(&["fstrim", mount.text()]);
        mount.write_single_blocks();
        let store = mount.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let mut child = Command::new(CHILD)
            .arg(&store)
            .args([(seed + round).to_string(), "600".to_owned()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        for _ in 0..8 * (10 + 17 * (round % 12)) {
            lines.read_line(&mut said).unwrap();
        }
        signal(&child, Signal::STOP);
        tool(&["sync", "-f", mount.text()]);
        disk.resize(disk.used_kib());
        signal(&child, Signal::CONT);
        said += &read_all(&mut lines);
        let stderr = read_all(&mut child.stderr.take().unwrap());
        assert!(matches!(child.wait().unwrap().code(), Some(0 | 1)), "{at}: {stderr}");
        // The file system itself was far from full.
        assert!(mount.free_bytes() > 16 << 20, "{at}: {} B left", mount.free_bytes());
        let error = ["Input/output error", "No space left", "Read-only file system"];
        failed += u64::from(error.iter().any(|error| stderr.contains(error)));
        // The machine is taken home: what its memory had is gone, and the disk has space.
        mount.unmount();
        disk.resize(ROOM_KIB);
        image.check();
        mount.mount(&image);
        judge_by(&at, &store, &Told::default(), &said, Floor::Synced, seed);
        mount.unmount();
    }
    eprintln!("{failed} of {rounds} disks failed until the end");
    assert!(failed >= rounds / 2, "the syncs did not fail");
}
