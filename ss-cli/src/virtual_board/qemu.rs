//! The process that the machine runs in.

use std::{
    fs::File,
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PROGRAM: &str = "qemu-system-arm";

/// An STM32F405 with 1 MiB of flash and 128 KiB of RAM.
const MACHINE: &str = "netduinoplus2";

/// One instruction takes 2^5 ns of virtual time, so that the system timer, whose clock runs at
/// [`SYSTICK_HZ`], counts more than 5 ticks each: instructions are counted exactly.
const ICOUNT_SHIFT: u32 = 5;

/// What one instruction takes, in ns of virtual time.
pub(crate) const INSTRUCTION_NS: u64 = 1 << ICOUNT_SHIFT;

/// The rate of this machine's system timer, whatever the program believes.
pub(crate) const SYSTICK_HZ: u64 = 168_000_000;

/// How long the process may take to open its sockets.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// QEMU, until this is dropped.
pub(super) struct Qemu {
    child: Child,
    directory: TempDir,
}

impl Qemu {
    /// Starts the machine with the ELF in its flash. It stands still before its first instruction.
    pub(super) fn start(elf: &Path) -> Result<Self, String> {
        let directory = tempfile::Builder::new()
            .prefix("ss-board-")
            .tempdir()
            .map_err(|error| format!("no temporary directory for the board's sockets: {error}"))?;
        let socket = |name: &str| {
            format!("unix:{},server=on,wait=off", directory.path().join(name).display())
        };
        let stderr = File::create(directory.path().join("stderr"))
            .map_err(|error| format!("{}: {error}", directory.path().display()))?;
        let child = Command::new(PROGRAM)
            .args(["-M", MACHINE, "-nographic", "-monitor", "none", "-serial", "none"])
            .args(["-accel", "tcg", "-icount", &format!("shift={ICOUNT_SHIFT}"), "-S"])
            .args(["-qtest", &socket("qtest"), "-gdb", &socket("gdb"), "-qmp", &socket("qmp")])
            .args(["-qtest-log", "none"])
            .arg("-kernel")
            .arg(elf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        match child {
            Ok(child) => Ok(Self { child, directory }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
                "{PROGRAM} is not installed, which a virtual board runs in: install QEMU (Debian: \
                 apt-get install qemu-system-arm)"
            )),
            Err(error) => Err(format!("{PROGRAM} cannot be started: {error}")),
        }
    }

    /// Connects to one of the process's sockets, which it may not have opened yet.
    pub(super) fn connect(&mut self, name: &str) -> Result<UnixStream, String> {
        let path: PathBuf = self.directory.path().join(name);
        let began = Instant::now();
        loop {
            match UnixStream::connect(&path) {
                Ok(stream) => return Ok(stream),
                Err(_) if self.is_running() && began.elapsed() < START_PATIENCE => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => {
                    let said = self.said();
                    let said = if said.is_empty() { error.to_string() } else { said };
                    return Err(format!("{PROGRAM} did not start: {said}"));
                }
            }
        }
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether the process ended because the core locked up: QEMU has no such state and gives up.
    pub(super) fn has_locked_up(&mut self) -> bool {
        // It prints before it ends, and its sockets close as it ends.
        let began = Instant::now();
        while self.is_running() && began.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(5));
        }
        !self.is_running() && self.complaints().contains("Lockup")
    }

    /// The first line of what it complained of.
    fn said(&self) -> String {
        let text = self.complaints();
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.contains("warning:"));
        lines.next().unwrap_or("").to_owned()
    }

    fn complaints(&self) -> String {
        let bytes = std::fs::read(self.directory.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It has nothing to save; if it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
