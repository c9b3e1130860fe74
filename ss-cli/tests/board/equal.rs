//! A scenario on a board ends as on the host: to the bit, and in every counter.

use super::support::{Bench, path_of, ss, stm32_scenarios};
use serde_json::Value;

/// What `ss simulate --profile stm32` says of the same run.
fn simulated(scenario: &str, arguments: &[&str]) -> Value {
    let mut command = ss(&["simulate", &path_of(scenario), "--profile", "stm32", "--json"]);
    let output = command.args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[track_caller]
fn assert_equal(board: &Value, host: &Value, what: &str) {
    for key in ["scenario", "seed", "digest", "virtual_ms", "records", "groups", "ledger"] {
        assert_eq!(board[key], host[key], "{what}: {key}");
    }
    for key in ["records", "batches", "stale_answers"] {
        assert_eq!(board["deliveries"][key], host["deliveries"][key], "{what}: {key}");
    }
    for key in ["sectors_total", "sectors_peak", "sectors_used", "sector_bytes"] {
        assert_eq!(board["ram"][key], host["ram"][key], "{what}: {key}");
    }
    assert_eq!(board["is_sound"], true, "{what}");
}

#[test]
fn every_scenario_of_the_microcontroller_ends_as_on_the_host() {
    let Some(bench) = Bench::new() else { return };
    let scenarios = stm32_scenarios();
    assert!(scenarios.len() >= 3, "{scenarios:?}");
    for scenario in scenarios {
        let (board, code) = bench.json(&scenario, &["--compare"]);
        assert_eq!(code, Some(0), "{scenario}: {board}");
        assert_eq!(
            (&board["verdict"], &board["board"]["is_virtual"]),
            (&"pass".into(), &true.into())
        );
        assert_equal(&board, &simulated(&scenario, &[]), &scenario);
        let compare = &board["compare"];
        assert_eq!(compare["digest"], board["digest"], "{scenario}");
        assert_eq!(compare["digests_equal"], true, "{scenario}");
        assert_eq!(compare["figures_equal"], true, "{scenario}");
    }
}

#[test]
fn twenty_seeds_of_each_scenario_end_as_on_the_host() {
    let Some(bench) = Bench::new() else { return };
    for scenario in stm32_scenarios() {
        for seed in 1..=20 {
            let seed = (seed * 7_919).to_string();
            let arguments = ["--seed", &seed, "--duration", "20m"];
            let (board, _) = bench.json(&scenario, &arguments);
            assert_equal(&board, &simulated(&scenario, &arguments), &format!("{scenario} {seed}"));
        }
    }
}

#[test]
fn the_summary_names_the_costs_and_both_columns() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.hw_run("stm32-refuse", &["--compare", "--duration", "90m"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["cost, instructions", "add-series", "add-event", "board", "host", "stack peak"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("DIFFERS"), "{text}");
}

#[test]
fn a_virtual_board_of_its_own_serves_one_tool_after_the_other() {
    let Some(bench) = Bench::new() else { return };
    let board = super::broken::BoardProcess::start(&bench);
    for _ in 0..2 {
        let mut command = ss(&["hw-run", &path_of("stm32-full"), "--no-flash", "--json"]);
        command.args(["--duration", "10m", "--probe", &board.selector, "--elf"]).arg(&bench.elf);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let run: Value = serde_json::from_slice(&output.stdout).expect(&text);
        assert_equal(&run, &simulated("stm32-full", &["--duration", "10m"]), "by address");
    }
}
