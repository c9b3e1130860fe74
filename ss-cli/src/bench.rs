//! `ss bench`: the budgets of an add, measured on this machine.

mod disk;
mod load;

use crate::{
    Answer, Failure,
    histogram::{CLOCK_NAME, Durations, clock_cost_ns},
    output::{self, Style},
    progress::Progress,
    report::median,
    text::{self, grouped, table},
};
use load::{LARGE, ManyThreads, OneLock, OneThread, PRODUCERS, Round, SENSORS, SMALL, Shape};
use serde::Serialize;
use std::{
    fmt::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Measure what an add costs on this machine
///
/// 2,048 sensors in a random order, in a store that never fills: the uploader's work is done outside
/// of the measured adds. First one thread, then four that add and one that takes away, then both
/// again with one lock for the whole store in place of one for each sensor.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ss bench --seconds 2

The machine should have nothing else to do: a second program shows in every figure.
Exit code 0, whatever was measured; with --check 1 if a budget was missed.")]
pub(crate) struct Arguments {
    /// How long to measure, in seconds
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Measure the disk tier instead, in this directory (it needs 1 GiB for a while)
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    disk: Option<PathBuf>,
    /// Events of the backlog that --disk measures with; of a time series twice as many
    #[arg(long, value_name = "N", default_value_t = 4 << 20, requires = "disk")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    records: u64,
    /// Open a store and say what that took: a part of --disk, in a process of its own
    #[arg(long, value_name = "STORE", hide = true)]
    open_only: Option<PathBuf>,
    /// Exit with 1 if a budget was missed
    #[arg(long)]
    check: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Each figure is the median of this many rounds; the loads take turns, so that a disturbance
/// meets all of them.
const ROUNDS: u32 = 5;

const MEAN_NS_MAX: f64 = 60.0;
const P999_NS_MAX: f64 = 1_000.0;

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    program: &'static str,
    machine: Machine,
    clock: Clock,
    sensors: u32,
    seconds: u64,
    rounds: u32,
    loads: Vec<Load>,
    budgets: Vec<Budget>,
    /// Several threads' figures, one thread's of the same store being 1.
    ratios: Vec<Ratio>,
}

#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    cpu: String,
}

#[derive(Debug, Serialize)]
struct Clock {
    name: &'static str,
    /// What one reading costs: part of every percentile, not subtracted.
    cost_ns: u64,
}

#[derive(Debug, Serialize)]
struct Load {
    name: &'static str,
    producers: usize,
    pool_bytes: u64,
    sector_bytes: u32,
    /// `sensor` or `store`: what one lock is for.
    lock: &'static str,
    /// Without the clock's cost: of one thread only.
    mean_ns: Option<f64>,
    /// With the clock's cost, as the percentiles.
    timed_mean_ns: f64,
    p50_ns: f64,
    p99_ns: f64,
    p999_ns: f64,
    /// The greatest of all rounds.
    max_ns: u64,
    adds_per_s: f64,
    /// Adds that the store refused: there should be none.
    refused: u64,
}

#[derive(Debug, Serialize)]
struct Budget {
    name: String,
    wanted_ns: f64,
    got_ns: f64,
    met: bool,
}

#[derive(Debug, Serialize)]
struct Ratio {
    lock: &'static str,
    p50: f64,
    mean: f64,
    adds_per_s: f64,
}

/// A load under measurement.
struct Arm {
    name: &'static str,
    producers: usize,
    shape: Shape,
    lock: &'static str,
    round: Box<dyn FnMut(Duration) -> Round>,
    rounds: Vec<Round>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if let Some(store) = &arguments.open_only {
        return disk::open_only(store);
    }
    if let Some(directory) = &arguments.disk {
        return disk::run(directory, arguments.records, arguments.json, arguments.check);
    }
    let mut arms = arms().map_err(Failure::Usage)?;
    let total = Duration::from_secs(arguments.seconds);
    let budget = total / (ROUNDS * u32::try_from(arms.len()).unwrap_or(u32::MAX));
    {
        let mut progress = Progress::new(arguments.seconds * 1_000, "");
        let started = Instant::now();
        for arm in &mut arms {
            // Memory that was never touched is not what is measured.
            (arm.round)(Duration::from_millis(1));
        }
        for _ in 0..ROUNDS {
            for arm in &mut arms {
                arm.rounds.push((arm.round)(budget));
                progress.at(u64::try_from(started.elapsed().min(total).as_millis()).unwrap_or(0));
            }
        }
    }
    let report = report(&arms, arguments);
    let met = report.budgets.iter().all(|budget| budget.met);
    let answer = if met || !arguments.check { Answer::Yes } else { Answer::No };
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&report);
        json.map_err(|error| Failure::Output(error.into()))? + "\n"
    } else {
        summary(&report, Style::of_stdout())
    };
    output::print(&text, answer)
}

fn arms() -> Result<Vec<Arm>, String> {
    let arm = |name, producers, shape, lock, round| Arm {
        name,
        producers,
        shape,
        lock,
        round,
        rounds: Vec::new(),
    };
    let one_lock = |store| OneLock(Arc::new(Mutex::new(store)));
    let one = |shape| -> Result<Box<dyn FnMut(Duration) -> Round>, String> {
        let (store, sensors) = load::open(shape)?;
        let mut load = OneThread::new(store, sensors, shape);
        Ok(Box::new(move |budget| load.round(budget)))
    };
    let (store, sensors) = load::open(LARGE)?;
    let mut many = ManyThreads::new(store, sensors, LARGE);
    let (store, sensors) = load::open(LARGE)?;
    let mut one_locked = OneThread::new(one_lock(store), sensors, LARGE);
    let (store, sensors) = load::open(LARGE)?;
    let mut many_locked = ManyThreads::new(one_lock(store), sensors, LARGE);
    Ok(vec![
        arm("1 thread, 64 KiB", 1, SMALL, "sensor", one(SMALL)?),
        arm("1 thread, 2 MiB", 1, LARGE, "sensor", one(LARGE)?),
        arm("4 + uploader, 2 MiB", PRODUCERS, LARGE, "sensor", Box::new(move |b| many.round(b))),
        arm("1 thread, one lock", 1, LARGE, "store", Box::new(move |b| one_locked.round(b))),
        arm(
            "4 + uploader, one lock",
            PRODUCERS,
            LARGE,
            "store",
            Box::new(move |b| many_locked.round(b)),
        ),
    ])
}

fn report(arms: &[Arm], arguments: &Arguments) -> Report {
    let loads: Vec<Load> = arms.iter().map(figures).collect();
    let budget = |name: String, wanted_ns: f64, got_ns: f64| Budget {
        name,
        wanted_ns,
        got_ns,
        met: got_ns <= wanted_ns,
    };
    let mut budgets = Vec::new();
    for load in loads.iter().filter(|load| load.producers == 1 && load.lock == "sensor") {
        if let Some(mean_ns) = load.mean_ns {
            budgets.push(budget(format!("{}: mean", load.name), MEAN_NS_MAX, mean_ns));
        }
        budgets.push(budget(format!("{}: p99.9", load.name), P999_NS_MAX, load.p999_ns));
    }
    Report {
        schema: crate::report::SCHEMA,
        program: concat!("ss ", env!("SS_VERSION")),
        machine: machine(),
        clock: Clock { name: CLOCK_NAME, cost_ns: clock_cost_ns() },
        sensors: SENSORS,
        seconds: arguments.seconds,
        rounds: ROUNDS,
        ratios: ["sensor", "store"].into_iter().filter_map(|lock| ratio(&loads, lock)).collect(),
        budgets,
        loads,
    }
}

/// The medians of a load's rounds.
fn figures(arm: &Arm) -> Load {
    let middle = |figure: &dyn Fn(&Round) -> f64| {
        median(&arm.rounds.iter().map(figure).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "durations of less than a minute, in ns")]
    let ns = |figure: Option<u64>| figure.unwrap_or(0) as f64;
    let mut all = Durations::new();
    for round in &arm.rounds {
        all.add(&round.durations);
    }
    let is_one = arm.producers == 1;
    Load {
        name: arm.name,
        producers: arm.producers,
        pool_bytes: arm.shape.pool_bytes,
        sector_bytes: arm.shape.sector_bytes,
        lock: arm.lock,
        mean_ns: is_one.then(|| middle(&|round| round.mean_ns.unwrap_or(0.0))),
        timed_mean_ns: middle(&|round| round.durations.figures().mean.unwrap_or(0.0)),
        p50_ns: middle(&|round| ns(round.durations.figures().p50)),
        p99_ns: middle(&|round| ns(round.durations.figures().p99)),
        p999_ns: middle(&|round| ns(round.durations.figures().p999)),
        max_ns: all.figures().max.unwrap_or(0),
        adds_per_s: middle(&|round| round.adds_per_s),
        refused: arm.rounds.iter().map(|round| round.refused).sum(),
    }
}

fn ratio(loads: &[Load], lock: &'static str) -> Option<Ratio> {
    let of = |producers| {
        loads.iter().find(|load| {
            (load.lock, load.producers) == (lock, producers) && load.pool_bytes == LARGE.pool_bytes
        })
    };
    let (many, one) = (of(PRODUCERS)?, of(1)?);
    Some(Ratio {
        lock,
        p50: many.p50_ns / one.p50_ns,
        mean: many.timed_mean_ns / one.timed_mean_ns,
        adds_per_s: many.adds_per_s / one.adds_per_s,
    })
}

fn machine() -> Machine {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
    }
}

fn summary(report: &Report, style: Style) -> String {
    let columns = style.columns;
    let Machine { cores, cpu } = &report.machine;
    let mut out = format!("{cores} cores, {}\n", text::short_name(cpu, columns.max(40) - 12));
    let missed = report.budgets.iter().filter(|budget| !budget.met).count();
    let word = match missed {
        0 => style.paint("1;32", "Every budget was met"),
        missed => style.paint("1;31", &format!("{missed} budgets were MISSED")),
    };
    let _ = write!(out, "{word}: medians of {} rounds in {} s.\n\n", report.rounds, report.seconds);
    let tenths = |ns: f64| format!("{ns:.1}");
    let rows: Vec<_> = report
        .budgets
        .iter()
        .map(|budget| {
            vec![
                budget.name.clone(),
                grouped(text::whole(budget.wanted_ns)),
                tenths(budget.got_ns),
                if budget.met { "met" } else { "MISSED" }.to_owned(),
            ]
        })
        .collect();
    out += &table(&["add, ns", "at most", "measured", ""], &rows, columns);
    out.push('\n');
    let figure = |ns: f64| grouped(text::whole(ns));
    let rows: Vec<_> = report
        .loads
        .iter()
        .map(|load| {
            vec![
                load.name.to_owned(),
                load.mean_ns.map_or("-".to_owned(), tenths),
                figure(load.p50_ns),
                figure(load.p99_ns),
                figure(load.p999_ns),
                grouped(load.max_ns),
                figure(load.adds_per_s),
            ]
        })
        .collect();
    let header = ["add, ns", "mean", "p50", "p99", "p99.9", "max", "adds/s"];
    out += &table(&header, &rows, columns);
    out.push('\n');
    for ratio in &report.ratios {
        let _ = writeln!(
            out,
            "With one lock a {}, 4 + uploader to 1 thread: p50 {:.2} x, mean {:.2} x, adds/s {:.2} x.",
            ratio.lock, ratio.p50, ratio.mean, ratio.adds_per_s
        );
    }
    for load in report.loads.iter().filter(|load| load.refused > 0) {
        let _ = writeln!(out, "{}: {} adds were REFUSED.", load.name, grouped(load.refused));
    }
    out += &notes(report);
    out
}

/// How it was measured.
fn notes(report: &Report) -> String {
    format!(
        "
{} sensors at 1 Hz of virtual time, added to in random order.
64 KiB: sectors of 32 B; the others 2 MiB in sectors of 256 B; both are drained before they fill.
mean: a pass timed without a clock between, the median of all. p50 to max: each add by itself, with
4 + uploader each {}th, by {};
one reading costs {} ns, not subtracted. adds/s of 4 + uploader: with all its waiting.
",
        grouped(report.sensors.into()),
        load::SAMPLED_EVERY,
        report.clock.name,
        report.clock.cost_ns
    )
}
