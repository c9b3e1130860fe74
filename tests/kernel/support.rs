//! A process on a store, and what is said of how it went.

use rustix::process::{Pid, Signal, kill_process};
use ss_lib::torture::{Floor, Told, judge};
use std::{
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

/// The process that works on a store.
pub const CHILD: &str = env!("CARGO_BIN_EXE_gateway-child");

/// How a process went.
pub struct Ran {
    pub said: String,
    pub stderr: String,
    pub status: ExitStatus,
}

/// The command line of a process that does so many steps.
pub fn steps_of(store: &Path, seed: u64, steps: u64) -> Vec<OsString> {
    vec![CHILD.into(), store.into(), seed.to_string().into(), steps.to_string().into()]
}

/// Runs a command line to its end.
pub fn run(line: &[OsString]) -> Ran {
    let output = Command::new(&line[0])
        .args(&line[1..])
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", line[0].display()));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { said: text(output.stdout), stderr: text(output.stderr), status: output.status }
}

/// Runs a tool that must succeed.
pub fn tool(line: &[&str]) -> String {
    let ran = run(&line.iter().map(OsString::from).collect::<Vec<_>>());
    assert!(ran.status.success(), "{line:?}: {} {}", ran.status, ran.stderr);
    ran.said
}

impl Ran {
    /// It ended as a process may that met an error: by its own, without a panic, by a signal only if `killed`.
    pub fn assert_orderly(&self, at: &str, killed: bool) {
        // 127: the loader could not read a library.
        let is_known = match self.status.code() {
            Some(code) => matches!(code, 0 | 1 | 3) || (code == 127 && self.said.is_empty()),
            None => killed,
        };
        assert!(is_known, "{at}: {} {}", self.status, self.stderr);
    }

    /// Judges the store by what was told before and what this process said. Gives what is true now.
    pub fn judge(&self, at: &str, store: &Path, told: &Told, floor: Floor, seed: u64) -> Told {
        judge_by(at, store, told, &self.said, floor, seed)
    }
}

/// Judges the store by what was told before and what was said since.
pub fn judge_by(at: &str, store: &Path, told: &Told, said: &str, floor: Floor, seed: u64) -> Told {
    let mut told = Told { has_opened: false, has_ended: false, ..*told };
    told.read(said).unwrap_or_else(|line| panic!("{at}: {line}"));
    match judge(store, &told, floor, seed) {
        Ok(judged) => judged.told,
        Err(breach) => {
            let kept = keep(store);
            fs::write(kept.join("receipts.txt"), said).unwrap();
            panic!("{at}: {breach}; the store as it was judged is {}", kept.display())
        }
    }
}

/// A copy that outlives the test.
fn keep(store: &Path) -> PathBuf {
    let kept = tempfile::tempdir().unwrap().keep();
    copy(store, &kept);
    kept
}

/// Copies a store's files.
pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Sends the process a signal.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// Reads a pipe to its end, whatever it ends with.
pub fn read_all(pipe: &mut impl Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    text
}
