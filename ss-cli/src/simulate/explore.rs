//! `ss simulate --faults everywhere`: every operation that a scenario does to its disk is cut, in every way.

use super::{Arguments, loaded, store_place};
use crate::{
    Answer, Failure, interrupt,
    output::{self, Style},
    progress::CutProgress,
    text::{grouped as count, shell_word},
};
use serde::Serialize;
use ss_lib::scenario::{
    explore::{BadState, Explored, Explorer, Limits, Progress, StateId},
    run::{RunError, write_image},
    text::Scenario,
};
use std::{fmt::Write, path::PathBuf, sync::Mutex};

/// Operations that are cut without `--cuts`.
const CUTS: u64 = 2_000;

/// What the command tells.
#[derive(Serialize)]
struct Report {
    schema: u32,
    verdict: &'static str,
    scenario: String,
    seed: u64,
    command: String,
    runs: u64,
    records: u64,
    operations: u64,
    cuts: u64,
    states: u64,
    distinct: u64,
    second_states: u64,
    rotten_states: u64,
    states_per_s: u64,
    distinct_per_s: u64,
    wall_ms: f64,
    lost_max: u64,
    losses_within_contract: bool,
    recovery: Recovery,
    shortened_ms: Option<u64>,
    violation: Option<Violation>,
}

#[derive(Serialize)]
struct Recovery {
    mean_us: f64,
    max_us: f64,
    disk_calls_max: u64,
}

#[derive(Serialize)]
struct Violation {
    id: Option<String>,
    what: Option<String>,
    promise: String,
    sensor: Option<String>,
    seq: Option<u64>,
    virtual_ms: u64,
    seen: String,
    command: String,
}

/// Shows how far it is.
struct Shown(Mutex<CutProgress>);

impl Progress for Shown {
    fn cuts(&self, done: u64, all: u64) {
        if let Ok(mut line) = self.0.lock() {
            line.at(done, all);
        }
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_requested()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let mut scenario = loaded(arguments)?;
    interrupt::listen();
    let mut explorer = record(&scenario, arguments)?;
    if let Some(id) = arguments.replay {
        return replay(&explorer, id, arguments);
    }
    let limits = Limits { cuts_max: arguments.cuts.unwrap_or(CUTS), ..Limits::default() };
    let mut explored = Explored::default();
    let (mut runs, mut of_this) = (0, arguments.clone());
    loop {
        runs += 1;
        {
            let shown = Shown(Mutex::new(CutProgress::new()));
            explored.add(explorer.explore(&limits, &shown));
        }
        let is_over = explorer.violation().is_some()
            || !explored.bad.is_empty()
            || explored.is_cut_short
            || arguments.states.is_none_or(|wanted| explored.states >= wanted);
        if is_over {
            break;
        }
        // Another seed is another run, with other states.
        of_this.seed = Some(scenario.description().seed.wrapping_add(1));
        scenario = loaded(&of_this)?;
        explorer = record(&scenario, &of_this)?;
    }
    let report = report(&scenario, &explorer, &explored, runs, &of_this);
    let answer = if report.verdict == "pass" { Answer::Yes } else { Answer::No };
    if arguments.json {
        return output::print_json(&report, answer);
    }
    output::print(&table(&report, Style::of_stdout()), answer)
}

fn record(scenario: &Scenario, arguments: &Arguments) -> Result<Explorer, Failure> {
    Explorer::record(scenario).map_err(|error| {
        let text = format!("{}: {error}", arguments.shown());
        match error {
            RunError::Register(_) => Failure::Usage(text),
            RunError::Open(_) if scenario.disk.is_none() => Failure::Usage(text),
            RunError::Restart(_) | RunError::Open(_) => Failure::Store(text),
        }
    })
}

fn command(arguments: &Arguments, seed: u64, id: Option<StateId>) -> String {
    let mut command = format!("ss simulate {} --seed {seed}", shell_word(&arguments.shown()));
    if let Some(duration) = &arguments.duration {
        let _ = write!(command, " --duration {}", shell_word(duration));
    }
    command.push_str(" --faults everywhere");
    if let Some(id) = id {
        let _ = write!(command, " --replay {id}");
    }
    command
}

/// The shortest run that has the state: as much of it as the state needs, if that shows the same.
fn shortest(
    scenario: &Scenario,
    explorer: &Explorer,
    bad: &BadState,
    arguments: &Arguments,
) -> String {
    let seed = scenario.description().seed;
    let after_ms = explorer.time_ms(bad.id.step) + 200;
    let mut shorter = Arguments { duration: Some(format!("{after_ms}ms")), ..arguments.clone() };
    let shows_it = loaded(&shorter).ok().and_then(|scenario| {
        let explorer = Explorer::record(&scenario).ok()?;
        let (_, judged) = explorer.replay(bad.id)?;
        Some(judged.is_err_and(|again| again.violation.promise == bad.violation.promise))
    });
    if shows_it != Some(true) {
        shorter = arguments.clone();
    }
    command(&shorter, seed, Some(bad.id))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for a person, and a cast saturates"
)]
fn report(
    scenario: &Scenario,
    explorer: &Explorer,
    explored: &Explored,
    runs: u64,
    arguments: &Arguments,
) -> Report {
    let seed = scenario.description().seed;
    let seconds = (explored.wall_ns as f64 / 1e9).max(1e-9);
    let of_state = explored.bad.first().map(|bad| Violation {
        id: Some(bad.id.to_string()),
        what: Some(bad.what.clone()),
        command: shortest(scenario, explorer, bad, arguments),
        ..violation(&bad.violation)
    });
    let of_run = explorer
        .violation()
        .map(|broken| Violation { command: command(arguments, seed, None), ..violation(broken) });
    let violation = of_run.or(of_state);
    Report {
        schema: 1,
        verdict: match (&violation, explored.is_cut_short) {
            (Some(_), _) => "fail",
            (None, false) => "pass",
            (None, true) => "interrupted",
        },
        scenario: scenario.name.clone(),
        seed,
        command: command(arguments, seed, None),
        runs,
        records: explored.records,
        operations: explored.steps,
        cuts: explored.cuts,
        states: explored.states,
        distinct: explored.distinct,
        second_states: explored.second_states,
        rotten_states: explored.rotten_states,
        states_per_s: (explored.states as f64 / seconds) as u64,
        distinct_per_s: (explored.distinct as f64 / seconds) as u64,
        wall_ms: (seconds * 1e6).round() / 1e3,
        lost_max: explored.lost_max,
        losses_within_contract: violation.is_none(),
        recovery: Recovery {
            mean_us: (explored.open_ns as f64 / explored.distinct.max(1) as f64).round() / 1e3,
            max_us: (explored.open_ns_max as f64).round() / 1e3,
            disk_calls_max: explored.open_calls_max,
        },
        shortened_ms: explorer.shortened_ms(),
        violation,
    }
}

fn violation(broken: &ss_lib::scenario::oracle::Violation) -> Violation {
    Violation {
        id: None,
        what: None,
        promise: broken.promise.to_string(),
        sensor: broken.sensor.map(|sensor| sensor.to_string()),
        seq: broken.seq,
        virtual_ms: broken.virtual_ms,
        seen: broken.seen.clone(),
        command: String::new(),
    }
}

fn table(report: &Report, _style: Style) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    line("verdict", report.verdict.to_uppercase());
    line("scenario", format!("{}, seed {}", report.scenario, report.seed));
    if report.runs > 1 {
        line(
            "runs",
            format!("{}, each with a seed of its own, up to this one", count(report.runs)),
        );
    }
    let sampled = if report.cuts < report.operations && report.verdict == "pass" {
        ", sampled evenly (--cuts 0 cuts all)"
    } else {
        ""
    };
    line(
        "operations",
        format!(
            "{} on the disk by {} records; {} cuts{sampled}",
            count(report.operations),
            count(report.records),
            count(report.cuts)
        ),
    );
    if let Some(ms) = report.shortened_ms {
        line("shortened", format!("at {} ms of virtual time: it has more operations", count(ms)));
    }
    line(
        "states",
        format!(
            "{} made, {} of them with the recovery cut as well, {} with a rotten page",
            count(report.states),
            count(report.second_states),
            count(report.rotten_states)
        ),
    );
    line("distinct", format!("{} by their bytes and by what was promised", count(report.distinct)));
    line(
        "speed",
        format!(
            "{} states/s, {} distinct/s, {:.1} s",
            count(report.states_per_s),
            count(report.distinct_per_s),
            report.wall_ms / 1e3
        ),
    );
    line(
        "lost",
        format!("at most {} records in a state, none of them promised", count(report.lost_max)),
    );
    let Recovery { mean_us, max_us, disk_calls_max } = report.recovery;
    line(
        "recovery",
        format!(
            "{mean_us:.1} us on average, {max_us:.1} us at most, {disk_calls_max} disk calls at most"
        ),
    );
    if let Some(violation) = &report.violation {
        let id = violation.id.as_deref().unwrap_or("the run itself");
        let _ = writeln!(text, "\nstate {id}: {}", violation.what.as_deref().unwrap_or("no fault"));
        let _ = write!(text, "{} broken", violation.promise);
        if let Some(sensor) = &violation.sensor {
            let _ = write!(text, ", sensor {sensor}");
        }
        if let Some(seq) = violation.seq {
            let _ = write!(text, ", seq {seq}");
        }
        let _ = writeln!(text, ": {}\nrepeat it:  {}", violation.seen, violation.command);
    }
    text
}

/// One state again, and its store if it is to be kept.
fn replay(explorer: &Explorer, id: StateId, arguments: &Arguments) -> Result<Answer, Failure> {
    let Some((image, judged)) = explorer.replay(id) else {
        let steps = explorer.steps();
        return Err(Failure::Usage(format!(
            "there is no state {id}: this run has {steps} operations, and each cut as many outcomes as \
             its table says; was it another seed or duration?"
        )));
    };
    let kept: Option<PathBuf> = store_place(arguments);
    let mut text = String::new();
    let answer = match judged {
        Ok(()) => {
            let _ = writeln!(text, "state {id}: every promise is kept");
            Answer::Yes
        }
        Err(bad) => {
            let _ = writeln!(text, "state {id}: {}\n{}", bad.what, bad.violation);
            Answer::No
        }
    };
    if let Some(directory) = kept {
        write_image(&image, &directory).map_err(|error| Failure::Store(error.to_string()))?;
        let shown = directory.display();
        let _ = writeln!(text, "store        {shown}: look at it with `ss inspect {shown}`");
    }
    output::print(&text, answer)
}
