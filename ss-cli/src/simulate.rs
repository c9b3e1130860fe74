//! `ss simulate`: runs a scenario on this machine.

mod explore;
mod planted;

use crate::{
    Answer, Failure, interrupt,
    meter::Meter,
    output::{self, Style},
    progress::Progress,
    report::{self, Repeat, Report, summary::summary},
    text::shell_word,
};
use clap::ValueEnum;
use ss_lib::scenario::{
    explore::StateId,
    run::{Place, RunError, Verdict, run_at},
    text::{Overrides, Profile, Scenario, duration_ms},
};
use std::{fmt::Write, path::PathBuf, time::Instant};

/// Run a scenario on this machine and judge it
///
/// Sensors, uploader, network and clock do to a store what the scenario says, over virtual time. A
/// judge that never looks into the store holds its every word against its own books.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Arguments {
    /// The scenario: a TOML file
    #[arg(required_unless_present = "planted")]
    scenario: Option<PathBuf>,
    /// The seed of every random choice, in place of the file's
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The virtual time to run, in place of the file's: 90s, 1h, "2h 30m"
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<String>,
    /// The kind of store, in place of the file's
    #[arg(long, value_name = "PROFILE")]
    profile: Option<ProfileName>,
    /// Leave the store in this directory, which must not hold one yet (profile linux only)
    #[arg(long, value_name = "DIR", conflicts_with = "repeat")]
    store: Option<PathBuf>,
    /// Leave the store, in --store or else in its temporary directory, and say where (profile linux only)
    #[arg(long, conflicts_with = "repeat")]
    keep: bool,
    /// Cut the run at every operation on its disk, in every way that a power cut or a kill may leave it,
    /// and judge each state (profile linux only)
    #[arg(long, value_name = "WHERE", conflicts_with = "repeat")]
    faults: Option<Where>,
    /// With --faults: one state again, as OPERATION.OUTCOME; --keep leaves its store
    #[arg(long, value_name = "ID", requires = "faults")]
    replay: Option<StateId>,
    /// With --faults: operations that are cut at most, sampled evenly; 0: all [default: 2000]
    #[arg(long, value_name = "N", requires = "faults")]
    cuts: Option<u64>,
    /// With --faults: run again, each time with the next seed, until there were so many states
    #[arg(long, value_name = "N", requires = "faults")]
    states: Option<u64>,
    /// Let the store break its own rules, one after the other, and show who notices (needs a build
    /// with the feature `planted`)
    #[arg(long, conflicts_with_all = ["scenario", "seed", "duration", "profile", "store", "keep", "repeat", "faults"])]
    planted: bool,
    /// Run so many times: all digests must be equal, the wall time is their median
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  ss simulate scenarios/quickstart.toml
  ss simulate scenarios/quickstart.toml --seed 8 --duration 1h --json
  ss simulate scenarios/crash-states.toml --faults everywhere

Exit code 0: every expectation was met. 1: one was missed, a promise was broken, the digests of
--repeat differ, or Ctrl-C ended the run. 2: the scenario cannot be used. 3: the store cannot be
used. See --help for the JSON.";

const AFTER_LONG_HELP: &str = "\
Examples:
  ss simulate scenarios/quickstart.toml
  ss simulate scenarios/quickstart.toml --seed 8 --duration 1h --json
  ss simulate scenarios/stm32-full.toml --repeat 3

Exit codes:
  0  every expectation was met
  1  one was missed, a promise was broken, digests of --repeat differ, or Ctrl-C ended the run
  2  wrong usage, or a scenario that cannot be read or used
  3  the store could not be opened, or not again after a stop

A store that is left (--store, --keep) is shut down as the run leaves it: what it still holds is not
read and judged at the end, as it is otherwise.

Ctrl-C ends the run and prints what was seen until then; a second one ends at once.

With --faults everywhere the scenario runs once on a simulated disk; each operation is cut, each
state is opened, read to the last record, opened again, worked in and opened once more. The JSON
object is then:
  verdict, scenario, seed, command, runs, records, operations, cuts, states,
  distinct (judged once each), second_states (the recovery was cut as well),
  rotten_states (a page was damaged), states_per_s, distinct_per_s, wall_ms,
  lost_max (records that a state had lost at most), losses_within_contract,
  recovery (mean_us, max_us, disk_calls_max), shortened_ms,
  violation (null, or id, what, promise, sensor, seq, virtual_ms, seen, command)

The JSON object (schema 1; keys may be added, never renamed):
  verdict        pass, fail or interrupted
  scenario, profile, seed, program (with its commit), command (repeats the run)
  digest         16 hexadecimal digits over every delivered record and every counter
  virtual_ms, duration_ms (virtual time that passed, and that was asked for), wall_ms
  records        added = erased + pending + unsent + dropped.recycled + dropped.corrupt
                 (+ dropped.quota + dropped.disk_max with a disk);
                 erased = acked + rejected; refused adds are counted apart
  groups[]       name, sensors, and the same counters
  latency_ns     add, consume, answer: p50, p99, p999, max, mean, count; null if none was measured
  latency_clock  name, cost_ns of one reading (part of every figure, not subtracted),
                 sampled_every (1: every operation was measured)
  ram            bytes_total, bytes_peak, sectors_total, sectors_peak, sectors_used (at the end),
                 sector_bytes
  deliveries     records, redelivered, batches, stale_answers
  ledger         entries, records, forgotten
  oldest_age_ms  the longest that a record was in the store, until answered for good or the end
  disk           bytes (at the end), bytes_peak, bytes_written (in all), sectors, segments (at the
                 end), segments_created, bytes_per_record (without the reserve, when most records
                 were on disk), fsyncs, records (on disk only, at the end), reserve_bytes (kept for
                 acknowledgements). This and the next three only with profile linux
  durable_lag_ms the longest that a record was held and not durable, seen once a second
  restarts       recoveries, lost_in_kills (records that were in RAM only; their numbers are given
                 again), shutdown_left, recoveries_ms[] and slowest_ms of wall time
  store          the directory in which the store was left, with --store or --keep
  expect[]       name, wanted, got, ok
  violation      null, or promise, sensor, seq, virtual_ms, seen
  repeat         runs, digests_equal, digests[], wall_ms[]; wall_ms above is their median";

/// Where faults come.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Where {
    /// At every operation on the disk
    Everywhere,
}

/// The profiles as the command line names them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// The microcontroller's: 32 KiB, 100 sensors
    Stm32,
    /// A gateway's: RAM, and real files on a disk
    Linux,
    /// A gateway's, RAM only
    LinuxRam,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Stm32 => Self::Stm32,
            ProfileName::Linux => Self::Linux,
            ProfileName::LinuxRam => Self::LinuxRam,
        }
    }
}

/// A duration as the scenario language takes it, and takes it again.
fn parse_duration(text: &str) -> Result<String, String> {
    match duration_ms(text)? {
        0 => Err("a run of 0 ms shows nothing: give it 1ms or more".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

impl Arguments {
    /// The scenario's path as it was given.
    fn shown(&self) -> String {
        self.scenario.as_deref().map_or_else(String::new, |path| path.display().to_string())
    }
}

fn loaded(arguments: &Arguments) -> Result<Scenario, Failure> {
    let overrides = Overrides {
        seed: arguments.seed,
        profile: arguments.profile.map(Profile::from),
        duration: arguments.duration.clone(),
    };
    let path = arguments.scenario.clone().unwrap_or_default();
    Scenario::load(&path, &overrides).map_err(|error| Failure::Usage(error.to_string()))
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if arguments.planted {
        return planted::run(arguments);
    }
    if let Some(Where::Everywhere) = arguments.faults {
        return explore::run(arguments);
    }
    let scenario = loaded(arguments)?;
    if (arguments.keep || arguments.store.is_some()) && scenario.disk.is_none() {
        let name = scenario.profile.name();
        return Err(Failure::Usage(format!(
            "the {name} profile's store is in RAM only, so that nothing can be kept: leave out \
             --store and --keep, or use --profile linux"
        )));
    }
    interrupt::listen();
    let report = run_repeatedly(&scenario, arguments)?;
    let answer = if report.verdict == Verdict::Pass.name() { Answer::Yes } else { Answer::No };
    if arguments.json {
        return output::print_json(&report, answer);
    }
    output::print(&summary(&report, Style::of_stdout()), answer)
}

/// Runs the scenario as often as asked for, until a run fails, or until Ctrl-C. Reports the last run.
fn run_repeatedly(scenario: &Scenario, arguments: &Arguments) -> Result<Report, Failure> {
    let mut repeat = Repeat::default();
    loop {
        let number = repeat.runs + 1;
        let label = match arguments.repeat {
            1 => String::new(),
            runs => format!("run {number} of {runs} "),
        };
        let description = scenario.description();
        let mut meter = Meter::new(&description, Progress::new(description.duration_ms, &label));
        let started = Instant::now();
        let place = place(arguments);
        let outcome = run_at(scenario, &place, &mut meter).map_err(|error| {
            let text = format!("{}: {error}", arguments.shown());
            match error {
                RunError::Register(_) => Failure::Usage(text),
                RunError::Restart(_) | RunError::Open(_) => Failure::Store(text),
            }
        })?;
        let wall_ms = (started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let is_whole = outcome.verdict != Verdict::Interrupted;
        if is_whole {
            repeat.runs = number;
            repeat.digests.push(report::digest(outcome.figures.digest));
            repeat.wall_ms.push(wall_ms);
        }
        // A run that failed is the one to look at: those after it would say the same.
        if outcome.verdict != Verdict::Pass || number == arguments.repeat {
            let command = command(arguments, outcome.seed, &repeat);
            let measured = meter.finish();
            let mut report = Report::new(scenario, outcome, &measured, wall_ms, command);
            report.repeated(repeat);
            overridden(arguments).trim_start().clone_into(&mut report.overridden);
            if let Place::Kept(directory) = place {
                report.store = Some(directory.display().to_string());
            }
            return Ok(report);
        }
    }
}

/// Where the store is to lie.
fn place(arguments: &Arguments) -> Place {
    store_place(arguments).map_or(Place::Temporary, Place::Kept)
}

/// Where a store is to be left.
fn store_place(arguments: &Arguments) -> Option<PathBuf> {
    let kept = || std::env::temp_dir().join(format!("ss-simulate-{}", std::process::id()));
    arguments.store.clone().or_else(|| arguments.keep.then(kept))
}

/// The options that change what the file's expectations were written for.
fn overridden(arguments: &Arguments) -> String {
    let mut options = String::new();
    if let Some(duration) = &arguments.duration {
        let _ = write!(options, " --duration {}", shell_word(duration));
    }
    if let Some(profile) = arguments.profile {
        let _ = write!(options, " --profile {}", Profile::from(profile).name());
    }
    options
}

/// The shortest command that repeats what was seen.
fn command(arguments: &Arguments, seed: u64, repeat: &Repeat) -> String {
    let file = arguments.shown();
    let mut command = format!("ss simulate {} --seed {seed}", shell_word(&file));
    command += &overridden(arguments);
    if repeat.first_differing().is_some() {
        let _ = write!(command, " --repeat {}", repeat.runs);
    }
    command
}
