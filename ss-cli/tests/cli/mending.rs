//! `ss repair` with permission: what it takes, what it leaves, and that it can be done again.

use crate::support::{Place, files, number, stderr, stdout};
use std::{
    fs::{self, File},
    path::Path,
};

const DAMAGED: [&str; 2] = ["damaged-bit", "damaged-missing"];
const CUT: [&str; 2] = ["damaged-torn-end", "cut-squeezes"];

fn exported(place: &Place, store: &str) -> (String, Option<i32>) {
    let output = place.ss(&["export", store, "--format", "csv"]);
    (stdout(&output), output.status.code())
}

/// What a store holds beside its lock.
fn content(store: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = files(store);
    files.remove(&store.join("lock"));
    files
}

#[test]
fn a_repair_is_done_once_and_the_survivors_are_the_same() {
    for store in DAMAGED.iter().chain(&CUT) {
        let place = Place::new();
        let directory = place.copy(store);
        let before = files(&directory);
        let (records, code) = exported(&place, store);
        let is_damaged = DAMAGED.contains(store);
        assert_eq!(code, Some(i32::from(is_damaged)), "{store}");

        let (planned, code) = place.json(&["repair", store, "--json"]);
        assert_eq!(code, Some(i32::from(is_damaged)), "{store}");
        assert_eq!(files(&directory), before, "{store}: a dry run changed it");

        let (done, code) = place.json(&["repair", store, "--apply", "--json"]);
        assert_eq!(code, Some(0), "{store}");
        assert_eq!(done["verdict_after"], "sound", "{store}");
        for key in ["records_kept", "records_lost", "lost", "quarantine"] {
            assert_eq!(done[key], planned[key], "{store}: the plan was another, {key}");
        }
        assert_eq!(place.ss(&["verify", store]).status.code(), Some(0), "{store}");
        assert_eq!(exported(&place, store), (records, Some(0)), "{store}");

        let (after, _) = place.json(&["inspect", store, "--losses", "--json"]);
        let entered = after["ledger"].as_array().unwrap().iter();
        let entered: u64 = entered.map(|entry| number(entry, "/records")).sum();
        assert_eq!(entered, number(&done, "/records_lost"), "{store}");

        let mended = content(&directory);
        let again = place.ss(&["repair", store, "--apply"]);
        assert_eq!(again.status.code(), Some(0), "{store}");
        assert!(stdout(&again).starts_with("SOUND  there was nothing to do"), "{store}");
        assert_eq!(content(&directory), mended, "{store}: the second repair changed it");
    }
}

#[test]
fn what_is_taken_out_lies_in_lost_and_found_with_a_note() {
    let place = Place::new();
    let directory = place.copy("damaged-bit");
    let page = fs::read(directory.join("0000000000000001-00.seg")).unwrap()[4_096..8_192].to_vec();
    assert_eq!(place.ss(&["repair", "damaged-bit", "--apply"]).status.code(), Some(0));
    let found = files(&directory.join("lost+found"));
    assert!(found.values().any(|bytes| *bytes == page), "{:?}", found.keys());
    let notes = found.values().filter_map(|bytes| std::str::from_utf8(bytes).ok());
    let note: String = notes.collect();
    assert!(note.contains("0000000000000001-00.seg") && note.contains("page 1"), "{note}");
    // A point in time that a person can read: `… at 2026-01-02T03:04:05Z.`
    assert!(note.lines().any(|line| line.ends_with("Z.") && line.contains('T')), "{note}");
}

#[test]
fn a_store_in_use_is_looked_at_and_not_mended() {
    let place = Place::new();
    let directory = place.copy("damaged-bit");
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let before = files(&directory);
    for command in [
        &["inspect", "damaged-bit"][..],
        &["verify", "damaged-bit"],
        &["repair", "damaged-bit"],
        &["export", "damaged-bit", "--format", "csv"],
    ] {
        assert_eq!(place.ss(command).status.code(), Some(1), "{command:?}");
    }
    let output = place.ss(&["repair", "damaged-bit", "--apply"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(text.contains("has the store open") && text.contains("start this again"), "{text}");
    assert_eq!(files(&directory), before);

    // Readers take no lock: an owner that starts meanwhile is not kept out.
    drop(lock);
    assert_eq!(place.ss(&["repair", "damaged-bit", "--apply"]).status.code(), Some(0));
}

#[test]
fn a_fresh_store_has_all_that_is_readable_and_the_old_one_stays() {
    for store in DAMAGED.iter().chain(&CUT).chain(&["losses", "removed"]) {
        let place = Place::new();
        let directory = place.copy(store);
        let before = files(&directory);
        let (records, _) = exported(&place, store);
        let (saved, code) = place.json(&["repair", store, "--into", "fresh", "--json"]);
        assert_eq!(code, Some(0), "{store}");
        assert_eq!(files(&directory), before, "{store}: the old store was changed");
        assert_eq!(place.ss(&["verify", "fresh"]).status.code(), Some(0), "{store}");
        let (fresh, code) = exported(&place, "fresh");
        assert_eq!(code, Some(0), "{store}");
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&fresh), sorted(&records), "{store}");
        assert_eq!(number(&saved, "/records_kept") + 1, fresh.lines().count() as u64, "{store}");

        // A second one does not go on top of it.
        let again = place.ss(&["repair", store, "--into", "fresh"]);
        assert_eq!(again.status.code(), Some(3), "{store}");
        assert!(stderr(&again).contains("fresh is not empty"), "{}", stderr(&again));
    }
}

#[test]
fn a_fresh_store_is_not_put_into_the_old_one() {
    let place = Place::new();
    let directory = place.copy("damaged-bit");
    let before = files(&directory);
    for into in ["damaged-bit", "damaged-bit/a/b", "./damaged-bit/../damaged-bit/x"] {
        let output = place.ss(&["repair", "damaged-bit", "--into", into]);
        assert_eq!(output.status.code(), Some(2), "{into}");
        assert!(stderr(&output).contains("lies in the old store"), "{}", stderr(&output));
    }
    assert_eq!(files(&directory), before);
    assert!(!directory.join("a").exists());
}
