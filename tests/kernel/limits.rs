//! Limits of a process: the size of files, how many may be open, memory.

use crate::{
    mounts::{Image, Mount},
    support::{CHILD, judge_by, read_all, run, signal},
};
use rustix::process::Signal;
use ss_lib::torture::{Floor, Told};
use ss_tests::settings;
use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// The steps of a run under what a shell sets first.
fn limited(limit: &str, store: &Path, seed: u64) -> Vec<OsString> {
    let script = format!("{limit} && exec \"$0\" \"$@\"");
    let mut line = vec!["bash".into(), "-c".into(), script.into()];
    line.extend(crate::support::steps_of(store, seed, 60));
    line
}

fn under(limit: &str, seed: u64, may_be_killed: bool) -> bool {
    let at = format!("{limit}, seed {seed}");
    let store = tempfile::tempdir_in("/dev/shm").unwrap();
    let ran = run(&limited(limit, store.path(), seed));
    ran.assert_orderly(&at, may_be_killed);
    let told = ran.judge(&at, store.path(), &Told::default(), Floor::Written, seed);
    // Without the limit it goes on.
    let freed = run(&crate::support::steps_of(store.path(), seed + 1, 20));
    assert!(freed.status.success(), "{at}: {}", freed.stderr);
    freed.judge(&at, store.path(), &told, Floor::Written, seed);
    !ran.status.success()
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let mut hit = 0;
    for kib in 0..=64 {
        hit += u64::from(under(&format!("trap '' XFSZ && ulimit -f {kib}"), seed + kib, false));
        // Where the signal is not ignored it is a kill.
        hit += u64::from(under(&format!("ulimit -f {kib}"), seed + kib, true));
    }
    eprintln!("RLIMIT_FSIZE: {hit} of 130 runs met it");
    assert!(hit > 40, "{hit} runs met the limit");
}

#[test]
fn a_limit_on_open_files_is_an_error_like_any_other() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let limits = 4..24_u64;
    let count = limits.end - limits.start;
    let hit: u64 = limits
        .map(|files| u64::from(under(&format!("ulimit -n {files}"), seed + files, false)))
        .sum();
    eprintln!("RLIMIT_NOFILE: {hit} of {count} runs met it");
    assert!(hit > 2, "{hit} runs met the limit");
}

/// A memory cgroup, of either version.
struct Cgroup(PathBuf);

const LIMIT_BYTES: u64 = 8 << 20;

impl Cgroup {
    fn new() -> Self {
        let name = format!("sensor-store-test-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/memory");
        let (parent, limit) = if first.is_dir() {
            (first, "memory.limit_in_bytes")
        } else {
            // The root's children have the controller only if the root hands it on.
            let root = Path::new("/sys/fs/cgroup");
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
            (root, "memory.max")
        };
        let group = Self(parent.join(name));
        fs::create_dir(&group.0).unwrap();
        fs::write(group.0.join(limit), LIMIT_BYTES.to_string()).unwrap();
        group
    }

    fn peak_bytes(&self) -> Option<u64> {
        ["memory.max_usage_in_bytes", "memory.peak"]
            .iter()
            .find_map(|name| fs::read_to_string(self.0.join(name)).ok()?.trim().parse().ok())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn eight_mib_of_memory_are_enough_with_the_kernels_share() {
    let seed: u64 = settings::number("SS_KERNEL_SEED", 7);
    let image = Image::new("ext4");
    let mount = Mount::image(&image);
    let group = Cgroup::new();
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let mut child = Command::new("bash")
        .args(["-c", &script, CHILD])
        .arg(mount.path().join("store"))
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    lines.read_line(&mut said).unwrap();
    let listener = thread::spawn(move || read_all(&mut lines));
    thread::sleep(Duration::from_secs(4));
    signal(&child, Signal::TERM);
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: the kernel ends what takes more than it may");
    said += &listener.join().unwrap();
    assert!(said.ends_with("end\n"));
    let peak = group.peak_bytes();
    eprintln!("memory cgroup of {LIMIT_BYTES} B: peak {peak:?} B, page cache and kernel included");
    assert!(peak.is_none_or(|peak| peak <= LIMIT_BYTES));
    judge_by("cgroup", &mount.path().join("store"), &Told::default(), &said, Floor::Durable, seed);
}
