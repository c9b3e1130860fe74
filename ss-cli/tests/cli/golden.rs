//! What the commands print over the golden stores, held against files that a person has read.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test -p ss-cli --test cli golden`, then
//! read the difference. No test run writes them by itself (.cargo/config.toml).

use crate::support::{Place, golden_stores, stderr, stdout};
use std::{fmt::Write, os::unix::fs::symlink};

/// Every golden store, the sound ones first.
const STORES: [&str; 10] = [
    "clean",
    "killed",
    "squeezed",
    "losses",
    "removed",
    "numbers-end",
    "cut-squeezes",
    "damaged-torn-end",
    "damaged-bit",
    "damaged-missing",
];

/// Runs each command beside the golden stores and holds what it says against the file.
fn hold(name: &str, commands: &[&str]) {
    let place = Place::new();
    for store in STORES {
        symlink(golden_stores().join(store), place.path().join(store)).unwrap();
    }
    let mut text = String::new();
    for command in commands {
        let arguments: Vec<_> = command.split(' ').collect();
        let output = place.ss(&arguments);
        writeln!(text, "$ ss {command}").unwrap();
        // clap ends some empty lines with spaces.
        let is_help = arguments.contains(&"--help");
        for line in stdout(&output).lines() {
            text += if is_help { line.trim_end() } else { line };
            text.push('\n');
        }
        for line in stderr(&output).lines() {
            writeln!(text, "2> {line}").unwrap();
        }
        writeln!(text, "[exit {}]\n", output.status.code().unwrap()).unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn golden_overviews() {
    for store in STORES {
        hold(&format!("inspect-{store}"), &[&format!("inspect {store}")]);
    }
}

#[test]
fn golden_views() {
    hold(
        "view-sensors",
        &[
            "inspect losses --sensors",
            "inspect clean --sensors --sort backlog",
            "inspect damaged-bit --sensors --sort losses",
            "inspect removed --sensors --id 7",
            "inspect removed --sensors --source 3",
            "inspect losses --sensor 0/7",
            "inspect removed --sensor 2/7",
            "inspect damaged-bit --sensor 1/4294967295",
        ],
    );
    let each = STORES.map(|store| format!("inspect {store} --segments"));
    hold("view-segments", &each.each_ref().map(String::as_str));
    hold(
        "view-losses",
        &[
            "inspect clean --losses",
            "inspect losses --losses",
            "inspect losses --losses --sensor 0/7",
            "inspect damaged-bit --losses",
            "inspect damaged-missing --losses",
        ],
    );
    hold(
        "view-records",
        &[
            "inspect clean --records --limit 3",
            "inspect clean --records --sensor 255/0",
            "inspect removed --records --sensor 2/7",
        ],
    );
    hold(
        "view-pages",
        &[
            "inspect clean --sector 0",
            "inspect squeezed --sector 1:0",
            "inspect clean --page 1:5 --hex",
            "inspect damaged-bit --page 0x1:1",
            "inspect damaged-torn-end --page 0:7",
            "inspect cut-squeezes --page 0000000000000001-01.seg:2",
            "inspect losses --page 1:0",
        ],
    );
}

#[test]
fn golden_json() {
    hold(
        "view-json",
        &[
            "inspect losses --json",
            "inspect damaged-bit --json",
            "inspect losses --sensors --source 0 --json",
            "inspect losses --sensor 0/7 --json",
            "inspect damaged-missing --segments --json",
            "inspect damaged-bit --losses --json",
            "inspect clean --records --limit 2 --json",
            "inspect clean --page 2:1 --hex --json",
        ],
    );
    hold(
        "verify-json",
        &["verify clean --json", "verify damaged-bit --json", "verify nowhere --json"],
    );
    hold("repair-json", &["repair clean --json", "repair damaged-bit --json"]);
}

#[test]
fn golden_verify_and_repair() {
    let each = STORES.map(|store| format!("verify {store}"));
    hold("verify", &each.each_ref().map(String::as_str));
    let each = STORES.map(|store| format!("repair {store}"));
    hold("repair", &each.each_ref().map(String::as_str));
}

#[test]
fn golden_export() {
    hold(
        "export",
        &[
            "export clean --format csv --sensor 255/0",
            "export clean --format csv --sensor 0/7 --from 2023-11-14T22:19:00Z",
            "export clean --format jsonl --sensor 0/7 --to 2023-11-14T22:14:30Z",
            "export removed --format csv --sensor 2/7 --sensor 0/7 --to 2023-11-14T22:13:25Z",
            "export clean --format csv --sensor 0/7 --everything --to 2023-11-14T22:13:23Z",
            "export damaged-bit --format csv --sensor 1/4294967295 --from 1700000160000",
            "export damaged-bit --format jsonl --sensor 255/0",
        ],
    );
}

#[test]
fn golden_help() {
    for command in ["inspect", "verify", "repair", "export"] {
        hold(&format!("help-{command}"), &[&format!("{command} --help")]);
    }
    hold("help", &["--help"]);
}
