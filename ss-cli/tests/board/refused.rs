//! What is refused before there is a board: no QEMU, no firmware and no probe are needed here.

use super::support::{Bench, SS, complaint, firmware, path_of, ss};
use std::process::Command;

#[test]
fn without_a_firmware_the_build_command_is_named() {
    let output =
        ss(&["hw-run", &path_of("stm32-full"), "--virtual", "--elf", "nowhere.elf"]).output();
    let text = complaint(&output.unwrap(), 3);
    assert!(text.contains("no firmware at nowhere.elf"), "{text}");
    assert!(text.contains("build it with fw-shim/build"), "{text}");
}

#[test]
fn a_file_that_is_not_the_firmware_is_not_taken_for_it() {
    let scenario = path_of("stm32-full");
    for (file, why) in [(SS, "no ELF of a 32-bit machine"), (&scenario, "no ELF"), ("/", "no file")]
    {
        let output = ss(&["hw-run", &scenario, "--virtual", "--elf", file]).output();
        let text = complaint(&output.unwrap(), 3);
        assert!(text.contains("is not the firmware") && text.contains(why), "{text}");
    }
}

#[test]
fn without_qemu_the_package_is_named() {
    if !firmware().is_file() {
        // Says so, and fails in CI.
        assert!(Bench::new().is_none());
        return;
    }
    let mut command = Command::new(SS);
    command.args(["hw-run", &path_of("stm32-full"), "--virtual", "--elf"]).arg(firmware());
    let text = complaint(&command.env("PATH", "/nonexistent").output().unwrap(), 3);
    assert!(text.contains("apt-get install qemu-system-arm"), "{text}");
}

#[test]
fn without_a_probe_the_sentence_says_what_can_be_done() {
    // Whoever has a probe attached sees another answer, which is right as well.
    let list = ss(&["hw-run", "--list-probes"]).output().unwrap();
    if list.status.success() {
        return;
    }
    let text = complaint(&list, 3);
    assert!(text.contains("no debug probe is attached") && text.contains("--virtual"), "{text}");
}

#[test]
fn an_address_where_nothing_listens_is_named() {
    let Some(bench) = Bench::new() else { return };
    let mut command = ss(&["hw-run", &path_of("stm32-full"), "--no-flash", "--elf"]);
    command.arg(&bench.elf).args(["--probe", "1d50:6018:127.0.0.1:1"]);
    let text = complaint(&command.output().unwrap(), 3);
    assert!(text.contains("nothing listens on 127.0.0.1:1"), "{text}");
}

#[test]
fn a_scenario_that_needs_a_disk_is_refused_with_the_step() {
    let output = ss(&["hw-run", &path_of("kill-loop"), "--virtual"]).output().unwrap();
    let text = complaint(&output, 2);
    assert!(text.contains("kill-loop.toml:") && text.contains("the stm32 profile"), "{text}");
}

#[test]
fn a_scenario_of_another_profile_that_fits_is_run_when_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("ram.toml");
    let text = "profile = \"linux-ram\"\nduration = \"5m\"\n[[sensors]]\nname = \"a\"\ncount = 3\n\
                kind = \"event\"\nperiod = \"1s\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let text = complaint(&ss(&["hw-run", &file, "--virtual"]).output().unwrap(), 2);
    assert!(text.contains("run it there with --profile stm32"), "{text}");
    let Some(bench) = Bench::new() else { return };
    let (board, code) = bench.json(&file, &["--profile", "stm32"]);
    assert_eq!((code, &board["profile"]), (Some(0), &"stm32".into()), "{board}");
}

#[test]
fn chips_are_listed_by_a_part_of_their_name() {
    let output = ss(&["hw-run", "--list-chips", "stm32f405"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.lines().count() >= 3, "{text}");
    assert!(text.lines().all(|line| line.contains("STM32F405")), "{text}");
    let none = ss(&["hw-run", "--list-chips", "no such"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
}
