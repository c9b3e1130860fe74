//! What is said when a board breaks: each in one sentence that names the next step, with exit code 3.

use super::support::{Bench, SS, complaint, path_of, ss};
use ss_lib::wire::{IMAGE_MAGIC, PROTOCOL};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// `ss virtual-board`, until this is dropped.
pub(crate) struct BoardProcess {
    child: Child,
    pub(crate) selector: String,
}

impl BoardProcess {
    pub(crate) fn start(bench: &Bench) -> Self {
        let mut command = Command::new(SS);
        command.args(["virtual-board", "--elf"]).arg(&bench.elf);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let selector = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(line.starts_with("listening on 127.0.0.1:"), "{line}");
        Self { child, selector }
    }

    /// SIGTERM, so that it takes its QEMU with it; the line to the probe is cut.
    fn end(&mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Drop for BoardProcess {
    fn drop(&mut self) {
        self.end();
    }
}

#[track_caller]
fn provoked(how: &str, arguments: &[&str]) -> Option<String> {
    let bench = Bench::new()?;
    let arguments = [&["--provoke", how], arguments].concat();
    Some(complaint(&bench.hw_run("stm32-full", &arguments), 3))
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn a_panic_is_shown_with_its_place_and_message() {
    let Some(text) = provoked("panic", &[]) else { return };
    assert_says(
        &text,
        &["panicked at src/main.rs:", "as it was asked to", "operations were reported"],
    );
}

#[test]
fn a_hard_fault_is_shown_with_its_cause_place_and_registers() {
    let Some(text) = provoked("hard-fault", &[]) else { return };
    assert_says(&text, &["HardFault", "a bus error on an access to data", "bfar 0xf0000000"]);
    assert_says(&text, &["cfsr 0x00008200", "read_nowhere", "r0 ", "xpsr "]);
}

#[test]
fn a_core_that_locked_up_is_named_so() {
    let Some(text) = provoked("lock-up", &[]) else { return };
    assert_says(&text, &["core locked up", "reset the board"]);
}

#[test]
fn a_board_that_says_nothing_is_given_up_after_the_timeout() {
    let Some(text) = provoked("hang", &["--timeout", "1s"]) else { return };
    assert_says(&text, &["said nothing for 1 s", "--timeout"]);
}

#[test]
fn a_reset_in_the_middle_is_noticed_and_what_was_not_acknowledged_counted() {
    let Some(text) = provoked("reset", &[]) else { return };
    assert_says(&text, &["reset in the middle of the run", "operations were reported"]);
    // At half time 36,000 records and more were in the store or dropped, none acknowledged.
    let held = text.split(" records were held and not acknowledged").next().unwrap();
    let held: u64 = held.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(held > 1_000, "{text}");
}

#[test]
fn a_cable_that_is_pulled_in_the_middle_is_noticed() {
    let Some(bench) = Bench::new() else { return };
    let mut board = BoardProcess::start(&bench);
    let mut command = ss(&["hw-run", &path_of("stm32-100-sensors"), "--no-flash", "--probe"]);
    command.args([&board.selector, "--duration", "10000h", "--elf"]).arg(&bench.elf);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The run takes hours; whenever this comes, it is in the middle, or at the worst in the loading.
    std::thread::sleep(Duration::from_secs(2));
    board.end();
    let text = complaint(&run.wait_with_output().unwrap(), 3);
    assert_says(&text, &["the probe is gone", "check its cable"]);
}

#[test]
fn firmware_of_another_protocol_version_is_not_spoken_to() {
    let Some(bench) = Bench::new() else { return };
    let mut bytes = fs::read(&bench.elf).unwrap();
    let mark = bytes.windows(IMAGE_MAGIC.len()).position(|window| window == IMAGE_MAGIC).unwrap();
    let version = &mut bytes[mark + IMAGE_MAGIC.len()..][..2];
    assert_eq!(version, PROTOCOL.to_le_bytes());
    version.copy_from_slice(&(PROTOCOL + 41).to_le_bytes());
    let place = tempfile::tempdir().unwrap();
    let elf = place.path().join("other.elf");
    fs::write(&elf, bytes).unwrap();
    let other = Bench { elf };
    let text = complaint(&other.hw_run("stm32-full", &[]), 3);
    assert_says(&text, &[&format!("version {}", PROTOCOL + 41), "fw-shim/build"]);
}

#[test]
fn a_build_that_is_not_the_elf_on_the_board_is_noticed() {
    let Some(bench) = Bench::new() else { return };
    let mut bytes = fs::read(&bench.elf).unwrap();
    let mark = bytes.windows(IMAGE_MAGIC.len()).position(|window| window == IMAGE_MAGIC).unwrap();
    bytes[mark + IMAGE_MAGIC.len() + 4..][..5].copy_from_slice(b"9.9.9");
    let place = tempfile::tempdir().unwrap();
    let elf = place.path().join("other.elf");
    fs::write(&elf, bytes).unwrap();
    let board = BoardProcess::start(&bench);
    let mut command = ss(&["hw-run", &path_of("stm32-full"), "--no-flash", "--probe"]);
    command.arg(&board.selector).arg("--elf").arg(&elf);
    let text = complaint(&command.output().unwrap(), 3);
    assert_says(&text, &["the board runs 0.1.0", "the ELF is 9.9.9", "--no-flash"]);
}

#[test]
fn the_wrong_chip_is_noticed_before_anything_is_done_to_it() {
    let Some(bench) = Bench::new() else { return };
    let other_core = bench.hw_run("stm32-full", &["--chip", "STM32F205RE"]);
    assert_says(
        &complaint(&other_core, 3),
        &["Cortex-M4", "STM32F205RE has a Cortex-M3", "--chip"],
    );
    let too_small = bench.hw_run("stm32-full", &["--chip", "STM32F103C4"]);
    assert_says(&complaint(&too_small, 3), &["STM32F103C4 has no memory", "fw-shim/README.md"]);
    let unknown = bench.hw_run("stm32-full", &["--chip", "STM32F405X"]);
    assert_says(&complaint(&unknown, 3), &["no chip is called STM32F405X", "STM32F405RG"]);
}
