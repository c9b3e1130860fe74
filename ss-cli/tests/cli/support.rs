//! Runs the binary in a directory of its own.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

pub(crate) const SS: &str = env!("CARGO_BIN_EXE_ss");

/// Ten minutes in which everything happens that a RAM store can do.
pub(crate) const GOOD: &str = r#"profile = "linux-ram"
duration = "10m"
seed = 3

[store]
pool = "4KiB"

[[sensors]]
name = "series"
count = 12
kind = "time-series"
period = "250ms"

[[sensors]]
name = "events"
count = 4
kind = "event"
source = 2
period = "1s"
jitter = "200ms"

[uploader]
every = "1s"
batch = 16
latency = "100ms"
nack = "5%"
reject = "5%"
duplicate = "5%"

[[outage]]
at = "3m"
for = "1m"

[expect]
added = { min = 20000 }
"#;

/// A run that nobody waits for.
pub(crate) const ENDLESS: &str = r#"profile = "linux-ram"
duration = "100years"

[[sensors]]
name = "a"
count = 4
kind = "time-series"
period = "1s"

[uploader]
every = "1s"
batch = 10
latency = "10ms"
"#;

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(text: &str) -> Self {
        let place = Self::new();
        place.write("s.toml", text.as_bytes());
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// A copy of a golden store, under its name.
    pub(crate) fn copy(&self, store: &str) -> PathBuf {
        let directory = self.path().join(store);
        fs::create_dir(&directory).unwrap();
        for entry in fs::read_dir(golden_stores().join(store)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
        }
        directory
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SS);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn ss(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.ss(arguments);
        let value = serde_json::from_slice(&output.stdout);
        (value.unwrap_or_else(|error| panic!("{error}: {output:?}")), output.status.code())
    }
}

/// Where the golden stores lie.
pub(crate) fn golden_stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ss-lib/testdata/format-v1")
}

/// A directory's files below it, with their bytes: what a store holds.
pub(crate) fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} of {value}"))
}

/// Runs `command` in a shell that finds this binary first.
pub(crate) fn shell(place: &Place, command: &str) -> Output {
    let folder = Path::new(SS).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("set -o pipefail; {command}")]).current_dir(place.path());
    shell.env("PATH", format!("{folder}:{path}")).env("HOME", place.path());
    shell.stdin(Stdio::null()).output().unwrap()
}
