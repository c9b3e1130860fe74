//! Every system call of a run fails in turn, and kills in turn: strace sees to that.

use crate::support::{Ran, copy, judge_by, run, steps_of, tool};
use ss_lib::torture::{Floor, Told};
use ss_tests::settings;
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

/// A run that is repeated with another call failing each time.
struct Script {
    base: tempfile::TempDir,
    told: Told,
    seed: u64,
    steps: u64,
}

/// Files are in RAM: the errors are injected, and the disk's own speed is no matter here.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

impl Script {
    /// The store that each run begins with: it was used, killed, and has a torn end.
    fn new() -> Self {
        let seed = settings::number("SS_KERNEL_SEED", 7);
        let steps = settings::number("SS_KERNEL_STEPS", 20);
        let base = directory();
        let ran = run(&steps_of(base.path(), seed, steps));
        ran.assert_orderly("the base", false);
        let told = ran.judge("the base", base.path(), &Told::default(), Floor::Durable, seed);
        let files = fs::read_dir(base.path()).unwrap().map(|entry| entry.unwrap().path());
        let newest = files.filter(|path| path.extension().is_some_and(|it| it == "seg")).max();
        let mut newest = OpenOptions::new().append(true).open(newest.unwrap()).unwrap();
        newest.write_all(&[0xA7; 900]).unwrap();
        Self { base, told, seed, steps }
    }

    fn run(&self, store: &Path, options: &[&str]) -> Ran {
        copy(self.base.path(), store);
        let mut line = vec![OsString::from("strace"), "-f".into(), "-qq".into()];
        line.extend(options.iter().map(OsString::from));
        line.extend(steps_of(store, self.seed ^ 1, self.steps));
        run(&line)
    }

    /// How often a run does the call.
    fn count(&self, call: &str) -> usize {
        let store = directory();
        let trace = store.path().join("trace");
        let trace = trace.to_str().unwrap();
        let ran = self.run(store.path(), &["-o", trace, "-e", &format!("trace={call}")]);
        ran.assert_orderly(call, false);
        fs::read_to_string(trace).unwrap().lines().filter(|line| line.contains(call)).count()
    }

    /// The `nth` call fails, or the process is killed there; then the store is judged.
    fn inject(&self, call: &str, what: &str, nth: usize) {
        let at = format!("seed {}, {call}:{what}:when={nth}", self.seed);
        let store = directory();
        let kills = what.starts_with("signal");
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{what}:when={nth}"));
        let mut options = vec!["-o", "/dev/null", "-e", &trace, "-e", &inject];
        // A kill needs the stop at the call's entry, which the filter leaves out.
        if !kills {
            options.push("--seccomp-bpf");
        }
        let ran = self.run(store.path(), &options);
        ran.assert_orderly(&at, kills);
        judge_by(&at, store.path(), &self.told, &ran.said, Floor::Written, self.seed ^ 2);
    }

    /// Each call in turn, with each of these.
    fn each(&self, call: &str, what: &[&str]) -> usize {
        let count = self.count(call);
        assert!(count > 0, "a run never does {call}");
        for what in what {
            for nth in 1..=count {
                self.inject(call, what, nth);
            }
        }
        eprintln!("{call}: {count} calls, each with {what:?}");
        count * what.len()
    }
}

#[test]
fn an_error_at_any_system_call_loses_nothing_that_was_written() {
    tool(&["strace", "--version"]);
    let script = Script::new();
    let injected = script.each("pwrite64", &["error=EIO", "error=ENOSPC", "error=EINTR"])
        + script.each("fdatasync", &["error=EIO", "error=ENOSPC", "error=EINTR"])
        + script.each("fsync", &["error=EIO", "error=EINTR"])
        + script.each("openat", &["error=EIO", "error=EMFILE", "error=ENOSPC", "error=EINTR"])
        + script.each("ftruncate", &["error=EIO", "error=EINTR"])
        + script.each("unlinkat", &["error=EIO", "error=EINTR"])
        + script.each("pread64", &["error=EIO"]);
    eprintln!("{injected} injected errors");
}

#[test]
fn a_kill_at_any_system_call_loses_nothing_that_was_written() {
    let script = Script::new();
    let calls = ["pwrite64", "fdatasync", "fsync", "openat", "ftruncate", "unlinkat"];
    let kills: usize = calls.iter().map(|call| script.each(call, &["signal=SIGKILL"])).sum();
    eprintln!("{kills} kills at system calls");
}
