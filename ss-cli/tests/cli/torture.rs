//! `ss torture` as a user meets it.

use crate::support::{Place, stderr, stdout};
use serde_json::Value;
use std::fs;

#[test]
fn a_disk_that_keeps_what_it_takes_passes_and_nothing_is_left_on_it() {
    let place = Place::new();
    let output = place.ss(&["torture", "here", "--kills", "6", "--seed", "5"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("KEPT  every promise, in 6 kills\n"), "{text}");
    assert!(text.contains("\nseed      5\n"), "{text}");
    assert!(!place.path().join("here").exists());
    // A directory of the user's own stays, without what was made in it.
    fs::create_dir(place.path().join("empty")).unwrap();
    let output = place.ss(&["torture", "empty", "--kills", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_dir(place.path().join("empty")).unwrap().count(), 0);
}

#[test]
fn a_directory_with_something_else_in_it_is_refused_and_not_touched() {
    let place = Place::new();
    fs::create_dir(place.path().join("mine")).unwrap();
    fs::write(place.path().join("mine/thesis.txt"), "years of work").unwrap();
    let output = place.ss(&["torture", "mine", "--kills", "1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("mine is not empty") && said.contains("new directory"), "{said}");
    let files: Vec<_> = fs::read_dir(place.path().join("mine")).unwrap().collect();
    assert_eq!(files.len(), 1);
    // A file is no directory.
    let output = place.ss(&["torture", "mine/thesis.txt", "--kills", "1"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let output = place.ss(&["torture", "mine", "--kills", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_broken_is_told_left_and_never_taken_again() {
    let place = Place::new();
    let output = place.ss(&["torture", "here", "--kills", "4", "--seed", "1", "--keep", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "kept");
    assert_eq!((&report["kills"], &report["seed"]), (&4.into(), &1.into()));
    assert_eq!((&report["is_left"], &report["error"]), (&true.into(), &Value::Null));
    assert!(report["records_checked"].as_u64().is_some_and(|checked| checked > 0), "{report}");
    // What was kept is gone on with, until its newest segment rots.
    let store = place.path().join("here/store");
    let rotted = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    let rotted =
        rotted.filter(|path| path.extension().is_some_and(|it| it == "seg")).max().unwrap();
    let mut bytes = fs::read(&rotted).unwrap();
    bytes[100] ^= 4;
    fs::write(&rotted, bytes).unwrap();
    let output = place.ss(&["torture", "here", "--kills", "4", "--seed", "1"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
    assert!(text.starts_with("BROKEN  after 0 kills: "), "{text}");
    assert!(text.contains("ss inspect here/store"), "{text}");
    assert!(text.contains("ss torture here-again --kills 4 --seed 1"), "{text}");
    assert!(store.join("superblock").exists());
    let output = place.ss(&["torture", "here", "--kills", "4"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("name another directory"));
}
