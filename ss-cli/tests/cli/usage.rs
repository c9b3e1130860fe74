//! Everything that is wrong with a command line or a scenario, and what is said of it.

use crate::support::{GOOD, Place, stderr, stdout};
use std::{
    fs::{self, File},
    process::Output,
};

/// A usage error: exit code 2, nothing on standard output, one message that says `wanted`.
fn refused(output: &Output, wanted: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(text.starts_with("ss: "), "{text}");
    assert_eq!(text.matches("ss: ").count(), 1, "{text}");
    assert!(!text.contains("panicked") && !text.contains('\u{1b}'), "{text}");
    for wanted in wanted {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
}

#[test]
fn scenarios_that_cannot_be_used_are_2_with_place_and_remedy() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("seed = 3", "seed = ", &["s.toml:3:8:", "^"]),
        ("seed = 3", "sead = 3", &["s.toml:3:1:", "unknown field `sead`", "`seed`"]),
        ("\"250ms\"", "\"0s\"", &["s.toml:12:10:", "period is 0 ms", "1 to"]),
        ("count = 12", "count = 0", &["s.toml:10:9:", "`series` has 0 sensors", "1 or more"]),
        ("count = 12", "count = 500", &["s.toml:6:8:", "504 sensors", "4096 B", "at most 128"]),
        ("\"10m\"", "\"900000000000years\"", &["s.toml:2:12:", "overflows", "1h 30m"]),
        ("\"10m\"", "\"200years\"", &["s.toml:2:12:", "139 years"]),
        ("\"10m\"", "\"0s\"", &["s.toml:2:12:", "0 ms", "1ms"]),
        ("linux-ram", "esp32", &["s.toml:1:11:", "esp32", "stm32"]),
    ];
    for (from, to, wanted) in cases {
        assert!(GOOD.contains(from));
        let place = Place::with(&GOOD.replacen(from, to, 1));
        refused(&place.ss(&["simulate", "s.toml"]), wanted);
    }
    let place = Place::with("profile = \"stm32\"\nduration = \"1s\"\nseed = \u{1b}[31m\n");
    refused(&place.ss(&["simulate", "s.toml"]), &["s.toml:3:"]);
}

#[test]
fn files_that_are_no_scenario_are_2() {
    let place = Place::new();
    place.write("latin.toml", b"# f\xfcr\nprofile = 1\n");
    fs::create_dir(place.path().join("folder")).unwrap();
    let huge = File::create(place.path().join("huge.toml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    place.write("empty.toml", b"");
    let cases: &[(&str, &[&str])] = &[
        ("none.toml", &["none.toml", "cannot be read", "check the path"]),
        ("folder", &["folder", "is a directory", "*.toml"]),
        ("latin.toml", &["latin.toml", "line 1 is not UTF-8", "save"]),
        ("huge.toml", &["huge.toml", "104857600 B", "at most"]),
        ("/dev/zero", &["/dev/zero", "not a regular file"]),
        ("empty.toml", &["empty.toml", "missing field"]),
    ];
    for (file, wanted) in cases {
        refused(&place.ss(&["simulate", file]), wanted);
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_is_possible() {
    let place = Place::with(GOOD);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--repeat", "0"], &["--repeat", "1.."]),
        (&["--repeat", "-1"], &["--repeat"]),
        (&["--repeat", "many"], &["--repeat"]),
        (&["--duration", "soon"], &["--duration", "`soon` is no duration", "1h 30m"]),
        (&["--duration", "0s"], &["--duration", "1ms"]),
        (&["--duration", "200years"], &["duration", "139 years"]),
        (&["--seed", "-1"], &["--seed"]),
        (&["--seed", "99999999999999999999"], &["--seed"]),
        (&["--profile", "esp32"], &["--profile", "stm32", "linux-ram"]),
        (&["--jsom"], &["--jsom", "--json"]),
    ];
    for (arguments, wanted) in cases {
        let all: Vec<_> = ["simulate", "s.toml"].iter().chain(*arguments).copied().collect();
        refused(&place.ss(&all), wanted);
    }
    refused(&place.ss(&["simulate"]), &["SCENARIO"]);
    refused(&place.ss(&["simulated"]), &["simulate"]);
    refused(&place.ss(&["bench", "--seconds", "0"]), &["--seconds"]);
    refused(&place.ss(&["completions", "tcsh"]), &["bash", "zsh", "fish"]);
    let bare = place.ss(&[]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(stderr(&bare).contains("Usage: ss"), "{}", stderr(&bare));
}

#[test]
fn what_is_in_ram_only_cannot_be_kept() {
    let place = Place::with(GOOD);
    for option in [&["--keep"][..], &["--store", "dir"]] {
        let output = place.ss(&[&["simulate", "s.toml"], option].concat());
        assert_eq!(output.status.code(), Some(2));
        let error = stderr(&output);
        assert!(
            error.contains("nothing can be kept") && error.contains("--profile linux"),
            "{error}"
        );
    }
    let output = place.ss(&["simulate", "s.toml", "--store", "dir", "--repeat", "2"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_store_that_is_named_may_be_kept_in_so_many_words() {
    let place = Place::with(GOOD);
    let options = ["simulate", "s.toml", "--profile", "linux", "--store", "dir", "--keep"];
    let output = place.ss(&options);
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(place.ss(&["verify", "dir"]).status.code(), Some(0));
}

/// Expectations are written for a scenario as it stands: who runs a part of it is told so.
#[test]
fn a_missed_expectation_names_the_option_that_may_be_why() {
    let place = Place::with(GOOD);
    let output = place.ss(&["simulate", "s.toml", "--duration", "2m"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("those of the file as it stands; this run had --duration 2m."), "{text}");
    let output = place.ss(&["simulate", "s.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(!stdout(&output).contains("as it stands"));
}
