//! The scenarios that come with the project: each says what it shows, passes, and is the same in
//! every run.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::scenario::{
    run::{Outcome, Unwatched, Verdict, run},
    text::{Overrides, Profile, Scenario},
};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The largest scenarios in short, for this build is not a release: virtual time of a run in this test, and
/// what counts up over the whole time or needs its end, so that only the release build's run can meet it.
fn shortened(path: &Path) -> Option<(&'static str, &'static [&'static str])> {
    match path.file_stem().unwrap().to_str().unwrap() {
        "gateway-2048-ram" => Some(("10m", &["added"])),
        // With its first outage, and the time to work that off.
        "gateway-2048" => Some(("30m", &[])),
        // The link stays down.
        "outage-24h" => Some(("1h", &["oldest_age", "unsent", "bytes_per_record"])),
        "thousand-segments" => Some(("8h", &["recoveries", "disk_segments_created"])),
        _ => None,
    }
}

fn overrides(path: &Path) -> Overrides {
    let duration = shortened(path).map(|(duration, _)| duration.to_owned());
    Overrides { duration, ..Overrides::default() }
}

fn load(path: &Path) -> Scenario {
    Scenario::load(path, &overrides(path)).unwrap_or_else(|error| panic!("{error}"))
}

fn outcome(scenario: &Scenario) -> Outcome {
    run(scenario, &mut Unwatched).unwrap()
}

fn failures(outcome: &Outcome, path: &Path) -> Vec<String> {
    let left_out = shortened(path).map_or(&[][..], |(_, left_out)| left_out);
    outcome
        .expectations
        .iter()
        .filter(|judged| !judged.ok && !left_out.contains(&judged.name.as_str()))
        .map(|judged| format!("{}: wanted {}, got {}", judged.name, judged.wanted, judged.got))
        .collect()
}

#[test]
fn every_scenario_passes_twice_with_equal_figures() {
    let files = files();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let scenario = load(&path);
        let (first, second) = (outcome(&scenario), outcome(&scenario));
        assert_eq!(first.violation, None, "{}", path.display());
        assert_eq!(failures(&first, &path), Vec::<String>::new(), "{}", path.display());
        assert_eq!(first.figures, second.figures, "{}", path.display());
        assert!(first.figures.totals.is_conserved());
    }
}

#[test]
fn every_scenario_opens_with_what_it_shows_and_expects_something() {
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let header = text.lines().take_while(|line| line.starts_with("# ")).count();
        assert!(header >= 2, "{} has no header", path.display());
        assert!(!load(&path).expectations.is_empty(), "{} expects nothing", path.display());
    }
}

/// The disk's figures take minutes each, so that nobody runs them here; they can be run.
#[test]
fn the_scenarios_of_the_figures_can_be_run() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder().join("figures")).unwrap() {
        let path = entry.unwrap().path();
        let overrides = Overrides { duration: Some("5s".to_owned()), ..Overrides::default() };
        let scenario = Scenario::load(&path, &overrides).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().unwrap().to_string_lossy();
        assert_eq!(scenario.disk.unwrap().squeezes, !name.contains("fresh"), "{name}");
        assert_eq!(outcome(&scenario).violation, None, "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn the_scenarios_that_the_documentation_names_exist() {
    let names: Vec<_> = files()
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    for name in [
        "quickstart",
        "stm32-100-sensors",
        "stm32-full",
        "stm32-refuse",
        "nack-storm",
        "burst",
        "clock-step",
        "gateway-2048-ram",
        "gateway-2048",
        "outage-24h",
        "quota",
        "restart",
        "kill-loop",
        "shutdown-deadline",
        "disk-full",
        "thousand-segments",
    ] {
        assert!(names.iter().any(|known| known == name), "{name} is missing");
    }
}

/// The digest of a run is a constant of the project: a change means that records, counters or the
/// random choices changed, and is to be explained where it is made.
#[test]
fn digests_are_the_same_on_every_machine() {
    let known = [
        ("quickstart", "dea4f6ff17108780"),
        ("stm32-100-sensors", "d76592843b921d91"),
        ("clock-step", "71006ba86a96c5ea"),
        ("nack-storm", "b57d7d5db59b729a"),
    ];
    for (name, digest) in known {
        let path = folder().join(name).with_extension("toml");
        let found = outcome(&load(&path)).figures.digest;
        assert_eq!(format!("{found:016x}"), digest, "{name}");
    }
}

#[test]
fn another_seed_is_another_run_and_the_same_seed_the_same_run() {
    let path = folder().join("quickstart.toml");
    let digest = |seed| {
        let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
        outcome(&Scenario::load(&path, &overrides).unwrap()).figures.digest
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

/// The engine is one: a scenario that fits into the microcontroller's store loses nothing in a
/// gateway's either, and delivers the same records.
#[test]
fn both_profiles_deliver_the_same_records() {
    let path = folder().join("clock-step.toml");
    let counts = |profile| {
        let overrides = Overrides { profile: Some(profile), ..Overrides::default() };
        let outcome = outcome(&Scenario::load(&path, &overrides).unwrap());
        assert_eq!(outcome.verdict, Verdict::Pass);
        (outcome.figures.digest, outcome.figures.totals)
    };
    let [stm32, linux] = [Profile::Stm32, Profile::LinuxRam].map(counts);
    assert_eq!(stm32, linux);
}
