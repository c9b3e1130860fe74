//! The virtual board, where there is one.

use serde_json::Value;
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Once,
};

pub(crate) const SS: &str = env!("CARGO_BIN_EXE_ss");

/// What a virtual board needs.
pub(crate) struct Bench {
    pub(crate) elf: PathBuf,
}

impl Bench {
    /// `None`, and one line on the terminal, where QEMU or the firmware is missing. In CI
    /// (`SS_REQUIRE_QEMU=1`) that is a failure.
    pub(crate) fn new() -> Option<Self> {
        static TOLD: Once = Once::new();
        let elf = firmware();
        let missing = if !has_qemu() {
            "QEMU is not installed (Debian: apt-get install qemu-system-arm)"
        } else if !elf.is_file() {
            "the firmware is not built (fw-shim/build)"
        } else {
            return Some(Self { elf });
        };
        assert_ne!(env::var("SS_REQUIRE_QEMU").as_deref(), Ok("1"), "{missing}");
        TOLD.call_once(|| {
            // Past the test harness, which shows nothing of what a passing test prints.
            let line = format!("\nSKIPPED: the tests on a virtual board: {missing}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        });
        None
    }

    /// `ss hw-run SCENARIO --virtual` with this firmware.
    pub(crate) fn hw_run(&self, scenario: &str, arguments: &[&str]) -> Output {
        let mut command = ss(&["hw-run", &path_of(scenario), "--virtual", "--elf"]);
        command.arg(&self.elf).args(arguments).output().unwrap()
    }

    /// Its JSON, and its exit code.
    pub(crate) fn json(&self, scenario: &str, arguments: &[&str]) -> (Value, Option<i32>) {
        let arguments = [&["--json"], arguments].concat();
        let output = self.hw_run(scenario, &arguments);
        let value = serde_json::from_slice(&output.stdout);
        (value.unwrap_or_else(|error| panic!("{error}: {output:?}")), output.status.code())
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where `fw-shim/build` puts the firmware.
pub(crate) fn firmware() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    root().join(target).join("fw-shim.elf")
}

fn has_qemu() -> bool {
    let version = Command::new("qemu-system-arm").arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

pub(crate) fn ss(arguments: &[&str]) -> Command {
    let mut command = Command::new(SS);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A scenario of the project's, or a path as it is.
pub(crate) fn path_of(scenario: &str) -> String {
    let path = root().join("scenarios").join(format!("{scenario}.toml"));
    if path.is_file() { path.display().to_string() } else { scenario.to_owned() }
}

/// The scenarios of the microcontroller, by name.
pub(crate) fn stm32_scenarios() -> Vec<String> {
    let files = fs::read_dir(root().join("scenarios")).unwrap();
    let names = files.filter_map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".toml")?;
        name.starts_with("stm32-").then(|| name.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// What a command complained of: it ended with `code`, printed no result, and did not panic.
#[track_caller]
pub(crate) fn complaint(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(text.starts_with("ss: ") && !text.contains("RUST_BACKTRACE"), "{text}");
    text
}
