//! File systems that are full, and a disk that is smaller than its file system believes.

use crate::{
    mounts::{Image, Mount},
    support::{run, steps_of},
};
use ss_lib::torture::{Floor, Told};
use ss_tests::settings;

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
#[test]
fn a_sync_that_fails_for_real_loses_nothing_that_was_durable() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let mut failed = 0;
    for round in 0..6 {
        let at = format!("round {round}, seed {seed}");
        let disk = Mount::tmpfs(ROOM_KIB);
        let image = Image::ext4_at(disk.path().join("image"), 48 << 20);
        let mut mount = Mount::image(&image);
        let used_kib = ROOM_KIB - disk.free_bytes() / 1_024;
        disk.resize(used_kib + 40 + 60 * round);
        let store = mount.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let ran = run(&steps_of(&store, seed + round, 300));
        ran.assert_orderly(&at, false);
        failed += u64::from(ran.stderr.contains("Input/output error"));
        // The machine is taken home: what its memory had is gone, and the disk has space.
        mount.unmount();
        disk.resize(ROOM_KIB);
        image.check();
        mount.mount(&image);
        ran.judge(&at, &store, &Told::default(), Floor::Durable, seed);
        mount.unmount();
    }
    eprintln!("{failed} of 6 disks failed");
    assert!(failed >= 4, "the syncs did not fail");
}
