//! What is printed of a run, for people and for programs.

use crate::support::{GOOD, Place, number, shell, stderr, stdout};

#[test]
fn a_run_whose_expectations_are_met_is_0_and_says_pass_first() {
    let output = Place::with(GOOD).ss(&["simulate", "s.toml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.starts_with("PASS "), "{text}");
    for wanted in ["seed 3", "series", "events", "total", "p99.9", "digest", "1 of 1 expectations"]
    {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
    assert!(!text.contains("Repeat it"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn a_missed_expectation_is_1_and_prints_the_command_that_repeats_it() {
    let place = Place::new();
    place.write("a b.toml", GOOD.replace("added = { min = 20000 }", "added = 1").as_bytes());
    let arguments = ["simulate", "a b.toml", "--seed", "9", "--duration", "2m 5s"];
    let output = place.ss(&arguments);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("FAIL "), "{text}");
    assert!(text.contains("MISSED"), "{text}");
    let command = "ss simulate 'a b.toml' --seed 9 --duration '2m 5s'";
    assert!(text.contains(command), "{text}");
    let digest =
        |text: &str| text.lines().find(|line| line.starts_with("digest")).unwrap().to_owned();
    let again = shell(&place, command);
    assert_eq!(digest(&stdout(&again)), digest(&text));
}

#[test]
fn json_is_one_object_whose_counts_are_conserved() {
    let place = Place::with(GOOD);
    let (report, code) = place.json(&["simulate", "s.toml", "--json"]);
    assert_eq!(code, Some(0), "{report}");
    let fixed =
        ["/scenario", "/profile", "/verdict", "/schema", "/seed"].map(|at| &report[&at[1..]]);
    assert_eq!(serde_json::json!(fixed), serde_json::json!(["s", "linux-ram", "pass", 1, 3]));
    let groups = report["groups"].as_array().unwrap();
    let keys = [
        "/added",
        "/refused",
        "/erased",
        "/acked",
        "/rejected",
        "/pending",
        "/unsent",
        "/dropped/recycled",
        "/dropped/corrupt",
    ];
    for counts in groups.iter().chain([&report["records"]]) {
        let [added, _, erased, acked, rejected, pending, unsent, recycled, corrupt] =
            keys.map(|key| number(counts, key));
        assert_eq!(added, erased + pending + unsent + recycled + corrupt, "{counts}");
        assert_eq!(erased, acked + rejected, "{counts}");
    }
    for key in keys {
        let sum: u64 = groups.iter().map(|group| number(group, key)).sum();
        assert_eq!(sum, number(&report["records"], key), "{key}");
    }
    // What the scenario was made for did happen.
    for key in ["/records/rejected", "/records/dropped/recycled", "/deliveries/stale_answers"] {
        assert!(number(&report, key) > 0, "{key} of {report}");
    }
    assert_eq!(number(&report, "/virtual_ms"), 600_000);
    assert!(report["wall_ms"].as_f64().unwrap() > 0.0);
    let digest = report["digest"].as_str().unwrap();
    assert!(digest.len() == 16 && u64::from_str_radix(digest, 16).is_ok(), "{digest}");
    for op in ["add", "consume", "answer"] {
        let latency = &report["latency_ns"][op];
        let [p50, p99, p999, max, count] =
            ["/p50", "/p99", "/p999", "/max", "/count"].map(|key| number(latency, key));
        assert!(p50 <= p99 && p99 <= p999 && p999 <= max && count > 0, "{latency}");
        assert!(latency["mean"].is_f64(), "{latency}");
    }
    let adds = number(&report, "/records/added") + number(&report, "/records/refused");
    assert_eq!(number(&report, "/latency_ns/add/count"), adds);
    assert_eq!(number(&report, "/latency_clock/sampled_every"), 1);
    let ram = ["bytes_peak", "bytes_total", "sectors_peak", "sectors_total"];
    let [peak, total, sectors_peak, sectors] =
        ram.map(|key| number(&report["ram"], &format!("/{key}")));
    assert!(peak <= total && sectors_peak <= sectors && number(&report, "/ram/sector_bytes") >= 32);
    for key in ["/ledger/entries", "/ledger/records", "/ledger/forgotten", "/oldest_age_ms"] {
        number(&report, key);
    }
    assert_eq!(report["expect"][0]["name"], "added");
    assert_eq!(report["expect"][0]["ok"], true);
    assert!(report["violation"].is_null());
    assert_eq!(number(&report, "/repeat/runs"), 1);
    assert!(report["latency_clock"]["name"].is_string() && report["program"].is_string());
}

#[test]
fn without_an_uploader_nothing_is_measured_of_it() {
    let text = GOOD.split("[uploader]").next().unwrap();
    let (report, code) = Place::with(text).json(&["simulate", "s.toml", "--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(number(&report, "/latency_ns/consume/count"), 0);
    assert!(report["latency_ns"]["consume"]["p50"].is_null());
}

#[test]
fn repeated_runs_have_one_digest_and_another_seed_another() {
    let place = Place::with(GOOD);
    let (report, code) = place.json(&["simulate", "s.toml", "--json", "--repeat", "3"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(number(&report, "/repeat/runs"), 3);
    assert_eq!(report["repeat"]["digests_equal"], true);
    let digests = report["repeat"]["digests"].as_array().unwrap();
    assert!(digests.len() == 3 && digests.iter().all(|digest| *digest == report["digest"]));
    let (other, _) = place.json(&["simulate", "s.toml", "--json", "--seed", "4"]);
    assert_ne!(other["digest"], report["digest"]);
    let text = stdout(&place.ss(&["simulate", "s.toml", "--repeat", "2"]));
    assert!(text.contains("\nruns     2, all of digest"), "{text}");
}

#[test]
fn profile_and_duration_can_be_set_in_place_of_the_file() {
    let place = Place::with(&GOOD.replace("[store]\npool = \"4KiB\"\n", ""));
    let arguments = ["simulate", "s.toml", "--json", "--profile", "stm32", "--duration", "1m 30s"];
    let (report, _) = place.json(&arguments);
    assert_eq!(report["profile"], "stm32");
    assert_eq!(number(&report, "/virtual_ms"), 90_000);
    assert_eq!(number(&report, "/ram/sectors_total"), 100);
    assert_eq!(
        report["command"],
        "ss simulate s.toml --seed 3 --duration '1m 30s' --profile stm32"
    );
}

#[test]
fn bench_measures_every_load_and_loses_nothing() {
    let (report, code) = Place::new().json(&["bench", "--seconds", "1", "--json"]);
    assert_eq!(code, Some(0));
    let loads = report["loads"].as_array().unwrap();
    assert_eq!(loads.len(), 5);
    for load in loads {
        assert_eq!(number(load, "/refused"), 0, "{load}");
        assert!(load["p50_ns"].as_f64() <= load["p999_ns"].as_f64(), "{load}");
    }
    for budget in report["budgets"].as_array().unwrap() {
        let met = budget["got_ns"].as_f64() <= budget["wanted_ns"].as_f64();
        assert_eq!(budget["met"], met, "{budget}");
    }
}
