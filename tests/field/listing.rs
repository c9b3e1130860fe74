//! The list itself: every row has a test, and a test that does not run fails the gate.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The rows of the list: what broke in the field, by number.
const ROWS: std::ops::RangeInclusive<u32> = 1..=48;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Sources below a directory, one behind the other.
fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_row_of_the_list_has_a_test_of_its_number() {
    let mut text = String::new();
    for directory in ["ss-lib/src", "ss-cli/src", "ss-cli/tests", "tests"] {
        sources(&root().join(directory), &mut text);
    }
    let missing: Vec<_> =
        ROWS.filter(|row| !text.contains(&format!("fn field_b{row:02}_"))).collect();
    assert!(missing.is_empty(), "no test named field_bNN_ for {missing:?}");
}

/// Tests passed because they left themselves out, and stubs stood where power tests were meant to be.
#[test]
fn field_b47_a_test_that_is_left_out_fails_the_gate() {
    let target = tempfile::tempdir().unwrap();
    let logs = target.path().join("ci-logs");
    fs::create_dir(&logs).unwrap();
    let is_passed = |log: Option<&str>| {
        let file = logs.join("test.log");
        match log {
            Some(log) => fs::write(&file, log).unwrap(),
            None => drop(fs::remove_file(&file)),
        }
        let mut command = Command::new("bash");
        command.arg(root().join(".ci/run")).arg("skipped").env("CARGO_TARGET_DIR", target.path());
        let output = command.output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        output.status.success()
    };
    let result = |passed, failed, ignored| {
        format!(
            "test result: ok. {passed} passed; {failed} failed; {ignored} ignored; 0 measured;\n"
        )
    };
    let ran = format!("running 3 tests\ntest a ... ok\n{}", result(3, 0, 0));
    assert!(is_passed(Some(&ran)));
    assert!(!is_passed(None), "nothing ran, and the gate was content");
    assert!(!is_passed(Some(&result(0, 0, 0))), "no test ran, and the gate was content");
    assert!(!is_passed(Some(&result(3, 1, 0))), "a test failed");
    assert!(!is_passed(Some(&result(3, 0, 1))), "a test was ignored");
    assert!(!is_passed(Some(&(ran.clone() + "test b ... ignored\n"))), "a test was ignored");
    let word = ["SKIP", "PED"].concat();
    assert!(!is_passed(Some(&(ran + &word))), "a test said that it was left out");
}
