//! The scenario language: what it accepts, and that every mistake is told with its place, what was
//! found and what is possible.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::scenario::{
    Outage, Shape,
    expect::{Bound, Expectation, Figure, Unit},
    text::{FILE_BYTES_MAX, Overrides, Profile, Scenario, ScenarioError},
};
use std::fs;

/// The least that is a scenario, with `extra` before its only group.
fn minimal(extra: &str) -> String {
    format!(
        "profile = \"linux-ram\"\nduration = \"1h\"\n{extra}\n\
         [[sensors]]\nname = \"a\"\nkind = \"time-series\"\nperiod = \"1s\"\n"
    )
}

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(text, "test.toml", "test", &Overrides::default())
}

fn accepted(text: &str) -> Scenario {
    parse(text).unwrap_or_else(|error| panic!("{error}\n---\n{text}"))
}

/// The error's first line: place and sentence.
fn refused(text: &str) -> String {
    let error = parse(text).map(|_| ()).expect_err(text).to_string();
    error.lines().next().unwrap().to_owned()
}

#[test]
fn the_least_scenario_gets_the_documented_defaults() {
    let scenario = accepted(&minimal(""));
    assert_eq!((scenario.name.as_str(), scenario.profile), ("test", Profile::LinuxRam));
    assert_eq!((scenario.geometry.sectors(), scenario.geometry.sector_bytes()), (16, 4096));
    let description = scenario.description();
    assert_eq!((description.seed, description.duration_ms), (0, 3_600_000));
    assert_eq!(description.uploader, None);
    assert_eq!(description.groups[0].count, 1);
    assert_eq!(description.groups[0].shape, Shape::Ramp { from: 0, step: 1 });
}

#[test]
fn a_mistake_is_shown_with_file_line_column_and_the_line_itself() {
    let text = minimal("").replace("period", "peroid");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.line(), Some(7));
    let shown = error.to_string();
    assert!(
        shown.starts_with("test.toml:7:1: unknown field `peroid`, expected one of `name`"),
        "{shown}"
    );
    assert!(shown.contains("\n7 | peroid = \"1s\"\n  | ^^^^^^"), "{shown}");
}

#[test]
fn values_with_units_say_what_they_expect() {
    let cases = [
        ("duration = 3600", "expected a duration such as"),
        ("duration = \"3600\"", "expected a duration such as"),
        ("duration = \"10 parsecs\"", "expected a duration such as"),
        ("duration = \"0s\"", "the duration is 0 ms"),
        ("duration = \"200000000000h\"", "possible are 1ms to"),
        ("duration = \"99999999999999999999h\"", "expected a duration such as"),
        ("duration = \"1us\"", "finer than 1 ms"),
        ("duration = \"1h\"\nseed = -1", "expected u64"),
        ("duration = \"1h\"\nclock = \"noon\"", "expected \"monotonic\", or a time such as"),
        ("duration = \"1h\"\nstore.pool = \"64 apples\"", "expected a size such as"),
        ("duration = \"1h\"\nstore.pool = -1", "below 0"),
        ("duration = \"1h\"\nstore.sector = \"big\"", "expected \"auto\", or a power of two"),
        (
            "duration = \"1h\"\nstore.policy = \"drop\"",
            "expected one of `recycle-oldest`, `refuse-new`, `wait`",
        ),
        ("duration = \"1h\"\nexpect.lost = \"none\"", "expected a whole number from 0"),
        ("duration = \"1h\"\nexpect.lost = { }", "give min, max, or both"),
        ("duration = \"1h\"\nexpect.lost = { min = 2, max = 1 }", "min is above max"),
        ("duration = \"1h\"\nexpect.losses = 0", "unknown field `losses`"),
        ("duration = \"1h\"\nexpect.digest = \"12\"", "expected 16 hexadecimal digits"),
        ("duration = \"1h\"\nexpect.oldest_age = 5", "has no unit, expected a duration"),
    ];
    for (line, expected) in cases {
        let text = minimal("").replace("duration = \"1h\"", line);
        let error = refused(&text);
        assert!(error.contains(expected), "{line}: {error}");
        assert!(error.starts_with("test.toml:"), "{line}: {error}");
    }
}

#[test]
fn what_cannot_run_is_refused_with_the_way_out() {
    let group = |change: (&str, &str)| minimal("").replace(change.0, change.1);
    let cases = [
        (
            group(("period = \"1s\"", "period = \"0s\"")),
            "7:10: the period is 0 ms, possible are 1 to",
        ),
        (
            group(("period = \"1s\"", "period = { from = \"1s\", to = \"0s\" }")),
            "the period is 0 ms",
        ),
        (
            group(("period = \"1s\"", "period = \"60d\"")),
            "possible are 1 to 4294967295 ms (49 days)",
        ),
        (group(("name = \"a\"", "name = \"a\"\ncount = 0")), "group `a` has 0 sensors"),
        (
            group(("name = \"a\"", "name = \"a\"\ncount = 2049")),
            "2049 sensors need a RAM sector each, but a pool of 65536 B has 2048 sectors",
        ),
        (group(("name = \"a\"", "name = \"a\"\ncount = 4000000000")), "possible are 262144"),
        (
            group(("period = \"1s\"", "period = \"1s\"\njitter = \"501ms\"")),
            "more than half of the period",
        ),
        (
            group((
                "period = \"1s\"",
                "period = \"1s\"\nburst = { records = 2, spacing = \"1ms\" }",
            )),
            "a burst is of events",
        ),
        (
            group(("name = \"a\"", "name = \"a\"\nfirst_id = 4294967295\ncount = 2")),
            "do not fit into 32 bits",
        ),
        (minimal("store.pool = \"2GiB\""), "possible are 67108864 B"),
        (minimal("store.sector = 48"), "use a power of two from 32 to 4096 B"),
        (minimal("store.ledger = 1"), "possible are 16 to 1048576"),
        (minimal("expect.groups.b.lost = 0"), "no group is called `b`, there are `a`"),
        (
            minimal("")
                .replace("linux-ram", "stm32")
                .replace("name = \"a\"", "name = \"a\"\ncount = 101"),
            "101 sensors, the stm32 profile's store has place for 100",
        ),
        (minimal("store.pool = 1024").replace("linux-ram", "stm32"), "only `policy` can be set"),
        (
            minimal("").replace("linux-ram", "windows"),
            "expected one of `stm32`, `linux`, `linux-ram`",
        ),
        (
            "profile = \"stm32\"\nduration = \"1s\"\nsensors = []\n".to_owned(),
            "at least one [[sensors]]",
        ),
        ("profile = \"stm32\"\nduration = \"1s\"\n".to_owned(), "missing field `sensors`"),
        (String::new(), "missing field `profile`"),
        ("profile = ".to_owned(), "1:"),
    ];
    for (text, expected) in cases {
        let error = refused(&text);
        assert!(error.contains(expected), "{error}\n---\n{text}");
    }
}

#[test]
fn an_uploader_that_cannot_be_is_refused() {
    let uploader = |lines: &str| {
        minimal("") + "[uploader]\nevery = \"1s\"\nbatch = 10\nlatency = \"100ms\"\n" + lines
    };
    accepted(&uploader(""));
    for (lines, expected) in [
        ("nack = \"120%\"", "expected a chance such as"),
        ("nack = -0.1", "expected a chance such as"),
        ("nack = 2", "expected a chance such as"),
        ("nack = \"many\"", "expected a chance such as"),
        ("nack = \"60%\"\nlost = 0.5", "together they are at most 100%"),
        ("timeout = \"100ms\"", "not above the slowest reply"),
        ("retries = 3", "unknown field `retries`"),
    ] {
        let error = refused(&uploader(lines));
        assert!(error.contains(expected), "{lines}: {error}");
    }
    let none = uploader("").replace("batch = 10", "batch = 0");
    assert!(refused(&none).contains("possible are 1 to 65535"));
    let never = uploader("").replace("every = \"1s\"", "every = \"0s\"");
    assert!(refused(&never).contains("the time between rounds is 0 ms"));
}

#[test]
fn two_groups_may_not_share_a_name_or_a_sensor() {
    let group = |lines: &str| format!("[[sensors]]\nkind = \"event\"\nperiod = \"1s\"\n{lines}\n");
    let two = |first: &str, second: &str| {
        format!("profile = \"stm32\"\nduration = \"1s\"\n{}{}", group(first), group(second))
    };
    let error = refused(&two("name = \"a\"", "name = \"a\""));
    assert!(error.contains("a second group is called `a`"), "{error}");
    let error =
        refused(&two("name = \"a\"\ncount = 5\nfirst_id = 10", "name = \"b\"\nfirst_id = 14"));
    assert!(error.contains("sensor 0/14 is in two groups"), "{error}");
    // The same id in another source is another sensor; without first_id the next free one is used.
    let same_ids = accepted(&two("name = \"a\"\ncount = 5", "name = \"b\"\ncount = 5\nsource = 1"));
    assert_eq!(same_ids.description().groups[1].first_id, 0);
    let following = accepted(&two("name = \"a\"\ncount = 5", "name = \"b\""));
    assert_eq!(following.description().groups[1].first_id, 5);
}

#[test]
fn outages_are_repeated_ordered_and_merged() {
    let text = minimal("")
        + "[[outage]]\nat = \"50m\"\nfor = \"1m\"\n\
           [[outage]]\nat = \"10m\"\nfor = \"2m\"\nevery = \"20m\"\n\
           [[outage]]\nat = \"11m\"\nfor = \"5m\"\n";
    let minutes =
        |from: u64, until: u64| Outage { from_ms: from * 60_000, until_ms: until * 60_000 };
    let scenario = accepted(&text);
    assert_eq!(scenario.description().outages, [minutes(10, 16), minutes(30, 32), minutes(50, 52)]);
    let endless = minimal("") + "[[outage]]\nat = \"0s\"\nfor = \"1ms\"\nevery = \"1ms\"\n";
    assert!(refused(&endless).contains("more than 100000 outages"));
    let none = minimal("") + "[[outage]]\nat = \"0s\"\nfor = \"0s\"\n";
    assert!(refused(&none).contains("an outage of 0 ms is none"));
}

#[test]
fn clock_steps_are_relative_or_to_a_time_of_day() {
    let text = minimal("clock = \"monotonic\"")
        + "[[clock_step]]\nat = \"1s\"\nto = \"1970-01-01T00:01:40Z\"\n\
           [[clock_step]]\nat = \"2s\"\nby = \"-30s\"\n";
    let scenario = accepted(&text);
    let steps = scenario.description().clock_steps;
    assert_eq!((steps[0].by_ms, steps[0].to_utc), (99_000, true));
    assert_eq!((steps[1].by_ms, steps[1].to_utc), (-30_000, false));
    for lines in ["", "by = \"1s\"\nto = \"2026-01-01T00:00:00Z\"\n"] {
        let error = refused(&(minimal("") + "[[clock_step]]\nat = \"1s\"\n" + lines));
        assert!(error.contains("has either `by`"), "{error}");
    }
}

#[test]
fn every_figure_is_expected_under_its_own_name() {
    let value = |figure: Figure| match figure.unit() {
        Unit::Count => "7",
        Unit::Millis => "\"7ms\"",
        Unit::Bytes => "\"7B\"",
        Unit::Centibytes => "0.07",
    };
    let expected =
        |group, figure| [Expectation::Figure { group, figure, bound: Bound { min: 7, max: 7 } }];
    for &figure in Figure::ALL {
        let line = format!("expect.{} = {}", figure.name(), value(figure));
        assert_eq!(accepted(&minimal(&line)).expectations, expected(None, figure), "{line}");
    }
    for &figure in Figure::ALL.iter().filter(|figure| figure.is_of_group()) {
        let line = format!("expect.groups.a.{} = {}", figure.name(), value(figure));
        assert_eq!(accepted(&minimal(&line)).expectations, expected(Some(0), figure), "{line}");
    }
}

#[test]
fn what_never_happens_is_refused() {
    for (table, expected) in [
        ("[[outage]]\nat = \"1h\"\nfor = \"1s\"\n", "an outage at 3600000 ms never comes"),
        ("[[clock_step]]\nat = \"2h\"\nby = \"1s\"\n", "a clock step at 7200000 ms never comes"),
        ("[[pool_pressure]]\nat = \"2h\"\nfor = \"1s\"\nsectors = 1\n", "a pressure at 7200000 ms"),
        (
            "[[pool_pressure]]\nat = \"1s\"\nfor = \"0s\"\nsectors = 1\n",
            "a pressure of 0 ms is none",
        ),
        (
            "[uploader]\nevery = \"1s\"\nbatch = 1\nlatency = \"1s\"\nnack = \"0.00001%\"\n",
            "below one part in a million",
        ),
    ] {
        let error = refused(&(minimal("") + table));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn pressures_may_not_overlap() {
    let pressure =
        |at: &str| format!("[[pool_pressure]]\nat = \"{at}\"\nfor = \"10s\"\nsectors = 2\n");
    let apart = minimal("") + &pressure("20s") + &pressure("5s");
    assert_eq!(accepted(&apart).description().pressures.len(), 4);
    let overlapping = minimal("") + &pressure("10s") + &pressure("5s");
    assert!(refused(&overlapping).contains("begins before the one before it ends"));
}

#[test]
fn overrides_stand_in_for_the_file() {
    let overrides =
        Overrides { seed: Some(9), profile: Some(Profile::Stm32), duration: Some("2m".to_owned()) };
    let scenario = Scenario::parse(&minimal(""), "test.toml", "test", &overrides).unwrap();
    assert_eq!((scenario.description().seed, scenario.description().duration_ms), (9, 120_000));
    assert_eq!(scenario.profile, Profile::Stm32);
    let wrong = Overrides { duration: Some("soon".to_owned()), ..Overrides::default() };
    let error = Scenario::parse(&minimal(""), "test.toml", "test", &wrong).unwrap_err().to_string();
    assert!(error.starts_with("test.toml: --duration: `soon` is no duration"), "{error}");
}

#[test]
fn files_that_are_no_scenarios_are_told_apart() {
    let folder = std::env::temp_dir().join(format!("ss-scenario-text-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let load = |name: &str| {
        let error = Scenario::load(&folder.join(name), &Overrides::default()).unwrap_err();
        error.to_string()
    };
    assert!(load("missing.toml").contains("cannot be read"));
    assert!(load("").contains("this is a directory"));
    fs::write(folder.join("bytes.toml"), b"name = \"x\"\n\nprofile = \"\xFF\"\n").unwrap();
    assert!(load("bytes.toml").contains("line 3 is not UTF-8 (byte 23 of the file)"));
    // 100 MB without writing them: a sparse file.
    fs::File::create(folder.join("large.toml")).unwrap().set_len(100_000_000).unwrap();
    assert!(
        load("large.toml").contains("the file has 100000000 B, a scenario has at most 1048576 B")
    );
    let padding = "#".repeat(FILE_BYTES_MAX as usize - minimal("").len());
    fs::write(folder.join("largest.toml"), minimal("") + &padding).unwrap();
    assert!(Scenario::load(&folder.join("largest.toml"), &Overrides::default()).is_ok());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn faults_are_refused_where_they_make_no_sense() {
    let fault = |lines: &str| minimal("").replace("linux-ram", "linux") + "\n[[fault]]\n" + lines;
    let cases = [
        ("kind = \"lightning\"", "unknown variant `lightning`, expected one of"),
        ("kind = \"power-cut\"", "when is the power-cut to come?"),
        ("kind = \"power-cut\"\nat = \"2h\"", "a fault at 7200000 ms never comes"),
        ("kind = \"power-cut\"\nevery = \"5m\"\neverywhere = true", "leave them out"),
        ("kind = \"power-cut\"\nchance = \"1%\"", "a power-cut has no `chance`"),
        ("kind = \"io-error\"\nchance = \"1%\"\nevery = \"1m\"", "either `every` or `chance`"),
        ("kind = \"io-error\"\nat = \"1m\"\ncall = \"seek\"", "unknown variant `seek`"),
        ("kind = \"sync-lies\"\nat = \"1m\"\ncall = \"sync\"", "`call` is of an io-error"),
        ("kind = \"io-error\"\neverywhere = true", "an io-error cannot be everywhere"),
        ("kind = \"bit-rot\"\nchance = \"1%\"", "a bit-rot has no `chance`"),
        ("kind = \"read-only\"\nat = \"1m\"", "for how long?"),
        ("kind = \"disk-full\"\nat = \"1m\"\nfor = \"0s\"", "a length of 0 is none"),
        ("kind = \"kill\"\nat = \"1m\"\nfor = \"5s\"", "not of a kill"),
        ("kind = \"kill\"\nat = \"1m\"\nfree = 5", "`free` is of a disk-full"),
        ("kind = \"clock-jump\"\nat = \"1m\"", "by how much?"),
        ("kind = \"kill\"\nat = \"1m\"\nby = \"5s\"", "`by` is of a clock-jump"),
    ];
    for (lines, expected) in cases {
        let error = refused(&fault(lines));
        assert!(error.contains(expected), "{lines}: {error}");
        assert!(error.starts_with("test.toml:"), "{lines}: {error}");
    }
    let of_the_board = fault("kind = \"power-cut\"\nat = \"1m\"").replace("\"linux\"", "\"stm32\"");
    let error = refused(&of_the_board);
    assert!(error.contains("a power-cut needs a disk, and the stm32 profile has none"), "{error}");
    let jump =
        fault("kind = \"clock-jump\"\nat = \"1m\"\nby = \"-5s\"").replace("\"linux\"", "\"stm32\"");
    assert_eq!(accepted(&jump).description().clock_steps.len(), 1);
}
