//! `ss export`: every record that is held, in two formats, to a pipe or a file.

use crate::support::{Place, golden_stores, stderr, stdout};
use serde_json::Value;
use std::{collections::BTreeSet, fs, os::unix::fs::symlink};

/// `sensor seq epoch time value` of each record that the golden store was made with and that is left.
fn expected(store: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(golden_stores().join(format!("{store}.expect"))).unwrap();
    let is_record = |line: &&str| {
        let words = line.split(' ').count();
        words == 5 && line.starts_with(|c: char| c.is_ascii_digit())
    };
    text.lines().filter(is_record).map(str::to_owned).collect()
}

fn from_csv(text: &str) -> BTreeSet<String> {
    let row = |line: &str| {
        let words: Vec<_> = line.split(',').collect();
        assert_eq!(words.len(), 9, "{line}");
        format!("{}/{} {} {} {} {}", words[0], words[1], words[2], words[3], words[8], words[5])
    };
    text.lines().skip(1).map(row).collect()
}

fn from_jsonl(text: &str) -> BTreeSet<String> {
    let row = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let key = |name: &str| record[name].to_string();
        let (source, id) = (key("source"), key("id"));
        format!("{source}/{id} {} {} {} {}", key("seq"), key("epoch"), key("time_ms"), key("value"))
    };
    text.lines().map(row).collect()
}

#[test]
fn both_formats_have_every_record_of_every_golden_store() {
    for entry in fs::read_dir(golden_stores()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let store = path.file_name().unwrap().to_str().unwrap();
        let place = Place::new();
        symlink(&path, place.path().join(store)).unwrap();
        let wanted = expected(store);
        let csv = place.ss(&["export", store, "--format", "csv"]);
        let jsonl = place.ss(&["export", store, "--format", "jsonl"]);
        assert_eq!(csv.status.code(), jsonl.status.code(), "{store}");
        assert_eq!(from_csv(&stdout(&csv)), wanted, "{store}");
        assert_eq!(from_jsonl(&stdout(&jsonl)), wanted, "{store}");
    }
}

#[test]
fn a_file_is_whole_or_not_there_and_never_replaced_unasked() {
    let place = Place::new();
    place.copy("clean");
    let export = ["export", "clean", "--format", "csv", "-o", "out.csv"];
    let output = place.ss(&export);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    let piped = place.ss(&export[..4]);
    let whole = fs::read(place.path().join("out.csv")).unwrap();
    assert_eq!(whole, piped.stdout);

    place.write("out.csv", b"precious");
    let output = place.ss(&export);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("out.csv is there") && stderr(&output).contains("--force"));
    assert_eq!(fs::read(place.path().join("out.csv")).unwrap(), b"precious");

    let output = place.ss(&[&export[..], &["--force"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read(place.path().join("out.csv")).unwrap(), whole);
    let left: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn places_that_are_no_files_and_the_store_itself_are_left_alone() {
    let place = Place::new();
    let store = place.copy("clean");
    let before = fs::read(store.join("superblock")).unwrap();
    symlink("out.csv", place.path().join("link")).unwrap();
    let cases: [(&str, i32, &str); 5] = [
        ("/dev/null", 2, "not a regular file"),
        ("link", 2, "not a regular file"),
        ("clean/superblock", 2, "in the store itself"),
        ("clean/new.csv", 2, "in the store itself"),
        ("nowhere/out.csv", 3, "could not be written"),
    ];
    for (file, code, wanted) in cases {
        let arguments = ["export", "clean", "--format", "csv", "--force", "-o", file];
        let output = place.ss(&arguments);
        assert_eq!(output.status.code(), Some(code), "{file}");
        assert!(stderr(&output).contains(wanted), "{file}: {}", stderr(&output));
    }
    assert_eq!(fs::read(store.join("superblock")).unwrap(), before);
}

#[test]
fn wrong_times_and_sensors_are_2() {
    let place = Place::new();
    place.copy("clean");
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["--format"]),
        (&["--format", "xml"], &["csv", "jsonl"]),
        (&["--format", "csv", "--from", "yesterday"], &["yesterday", "2023-11-14T22:13:20Z"]),
        (
            &["--format", "csv", "--from", "2023-11-15", "--to", "2023-11-14"],
            &["--from 2023-11-15T00:00:00Z is not before", "exchange them"],
        ),
        (&["--format", "csv", "--sensor", "7"], &["`7` names no sensor", "2/500"]),
        (&["--format", "csv", "--sensor", "3/7"], &["no sensor 3/7", "2/7, 0/7"]),
        (&["--format", "csv", "--force"], &["--output"]),
    ];
    for (arguments, wanted) in cases {
        let all: Vec<_> = ["export", "clean"].iter().chain(*arguments).copied().collect();
        let output = place.ss(&all);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for wanted in *wanted {
            assert!(stderr(&output).contains(wanted), "{wanted}: {}", stderr(&output));
        }
    }
}
