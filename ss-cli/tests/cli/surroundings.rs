//! Pipes, terminals, full disks, signals.

use crate::support::{ENDLESS, GOOD, Place, number, shell, stderr, stdout};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

#[test]
fn a_pipe_gets_no_escape_byte_even_if_a_name_has_one() {
    let text = GOOD.replace("\"series\"", r#""\u001b[31mred\u0007""#);
    let place = Place::with(&format!("name = \"a\\u001b]0;title\\u0007\"\n{text}"));
    for variable in ["NO_COLOR", "UNRELATED"] {
        let output = place.command(&["simulate", "s.toml"]).env(variable, "1").output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.contains(&0x1B) && !output.stderr.contains(&0x1B), "{output:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::with(GOOD);
    place.copy("clean");
    for command in [
        "ss --help | true",
        "ss simulate --help | head -n 1",
        "ss --version | true",
        "ss simulate s.toml | true",
        "ss simulate s.toml --json | head -n 1",
        "ss completions bash | head -n 1",
        "ss inspect clean | true",
        "ss inspect clean --records | head -n 1",
        "ss inspect clean --sector 0 --hex | head -n 1",
        "ss inspect clean --segments --json | true",
        "ss verify clean | true",
        "ss repair clean | true",
        "ss export clean --format csv | head -n 1",
        "ss export clean --format jsonl | true",
    ] {
        let output = shell(&place, command);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
        assert!(output.stderr.is_empty(), "{command}: {}", stderr(&output));
    }
}

#[test]
fn a_result_that_cannot_be_written_is_3() {
    let output = shell(&Place::with(GOOD), "ss simulate s.toml > /dev/full");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).starts_with("ss: the result could not be written"));
    let place = Place::new();
    place.copy("clean");
    for command in ["inspect clean", "verify clean --json", "export clean --format csv"] {
        let output = shell(&place, &format!("ss {command} > /dev/full"));
        assert_eq!(output.status.code(), Some(3), "{command}");
        assert!(stderr(&output).starts_with("ss: the result could not be written"), "{command}");
    }
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until the process has a handler for SIGINT: bit 1 of its mask of caught signals.
fn wait_for_handler(child: &Child) {
    loop {
        let status = File::open(format!("/proc/{}/status", child.id())).unwrap();
        let caught = BufReader::new(status).lines().map_while(Result::ok).find_map(|line| {
            let mask = line.strip_prefix("SigCgt:")?;
            u64::from_str_radix(mask.trim(), 16).ok()
        });
        if caught.unwrap_or(0) & 0b10 != 0 {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn ctrl_c_prints_what_was_seen_until_then() {
    for (signal, arguments) in
        [("-INT", &["simulate", "s.toml"][..]), ("-TERM", &["simulate", "s.toml", "--repeat", "3"])]
    {
        let place = Place::with(ENDLESS);
        let mut command = place.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_handler(&child);
        kill(&child, signal);
        let output = child.wait_with_output().unwrap();
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("INTERRUPTED  ended after "), "{text}");
        assert!(text.contains("total"), "{text}");
    }
    let place = Place::with(ENDLESS);
    let mut command = place.command(&["simulate", "s.toml", "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_for_handler(&child);
    kill(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "interrupted");
    assert!(number(&report, "/virtual_ms") < number(&report, "/duration_ms"));
    assert_eq!(number(&report, "/repeat/runs"), 0);
}
