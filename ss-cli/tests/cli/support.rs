//! Runs the binary in a directory of its own.

use serde_json::Value;
use std::{
    fs,
    path::Path,
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
