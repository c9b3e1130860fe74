//! `ss hw-run`: runs a scenario on a board.

mod elf;
mod line;
mod probe;
mod report;
mod summary;
mod trouble;

use crate::{
    Answer, Failure, interrupt,
    output::{self, Style},
    progress::Progress as ProgressLine,
    text,
    virtual_board::Board,
};
use clap::ValueEnum;
use elf::Firmware;
use line::{Gone, Line};
use report::{HwReport, Ran};
use ss_lib::{
    SensorStats,
    scenario::{
        run::{self, Outcome, Unwatched},
        text::{Overrides, Profile, Scenario},
    },
    wire::{
        Answer as WireAnswer, Begin, CallError, Client, Command, Fault, Hello, OPERATIONS,
        Operation, Progress, Report,
    },
};
use std::{
    fmt::Write,
    path::PathBuf,
    process, thread,
    time::{Duration, Instant},
};
use trouble::Trouble;

/// Run a scenario on a microcontroller and judge it
///
/// The firmware (fw-shim) is written into the chip over a debug probe, runs the same scenario with the
/// same engine and driver as `ss simulate --profile stm32`, and ends with the same digest.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// The scenario: a TOML file
    #[arg(required_unless_present_any = ["list_chips", "list_probes"])]
    scenario: Option<PathBuf>,
    /// The chip on the board
    #[arg(long, value_name = "NAME", default_value = "STM32F405RGTx")]
    chip: String,
    /// The probe: VID:PID or VID:PID:SERIAL, if there are several
    #[arg(long, value_name = "SELECTOR", conflicts_with = "virtual_board")]
    probe: Option<String>,
    /// The firmware's ELF; default: where fw-shim/build puts it
    #[arg(long, value_name = "FILE")]
    elf: Option<PathBuf>,
    /// The board has this firmware already
    #[arg(long)]
    no_flash: bool,
    /// The frequency of the line to the chip, in kHz
    #[arg(long, value_name = "KHZ")]
    speed: Option<u32>,
    /// How long the board may say nothing
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    timeout: Duration,
    /// Run on a virtual STM32F405 in QEMU instead of a board
    #[arg(long = "virtual")]
    virtual_board: bool,
    /// Run it on this machine as well, and compare
    #[arg(long)]
    compare: bool,
    /// The seed of every random choice, in place of the file's
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The virtual time to run, in place of the file's: 90s, 1h, "2h 30m"
    #[arg(long, value_name = "DURATION")]
    duration: Option<String>,
    /// The microcontroller's profile, in place of the file's
    #[arg(long, value_name = "PROFILE")]
    profile: Option<BoardProfile>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Show the chips whose names contain FILTER, and end
    #[arg(long, value_name = "FILTER", exclusive = true)]
    list_chips: Option<String>,
    /// Show the probes that are attached, and end
    #[arg(long, exclusive = true)]
    list_probes: bool,
    /// Make the run break in this way, to see what is said then
    #[arg(long, value_name = "HOW", hide = true)]
    provoke: Option<Provoked>,
}

const AFTER_HELP: &str = "\
Examples:
  ss hw-run scenarios/stm32-100-sensors.toml
  ss hw-run scenarios/stm32-full.toml --virtual --compare
  ss hw-run --list-chips STM32F4

The firmware is built with fw-shim/build. Exit code 0: every expectation was met. 1: one was missed,
the store is not sound, --compare found a difference, or Ctrl-C ended the run. 2: the scenario
cannot be used on a microcontroller. 3: the board cannot be used, or broke. See --help for the JSON.";

const AFTER_LONG_HELP: &str = "\
Examples:
  ss hw-run scenarios/stm32-100-sensors.toml
  ss hw-run scenarios/stm32-full.toml --virtual --compare
  ss hw-run scenarios/stm32-full.toml --chip STM32F407VGTx --probe 0483:374b
  ss hw-run --list-chips STM32F4

Exit codes:
  0  every expectation was met
  1  one was missed, the store is not sound, --compare found a difference, or Ctrl-C ended the run
  2  wrong usage, or a scenario that cannot be used on a microcontroller
  3  no probe, no permission, the wrong chip, no firmware or another one; or the board broke, was
     reset, or said nothing

The JSON object (schema 1; keys may be added, never renamed):
  verdict        pass, fail or interrupted
  scenario, profile, seed, program (with its commit), command (repeats the run)
  digest         16 hexadecimal digits, as ss simulate --profile stm32 has them
  virtual_ms, duration_ms, wall_ms (on the host, with loading)
  records        as ss simulate has them
  groups[]       name, sensors, and the same counters
  costs[]        operation (add-series, add-event, consume, answer), count, min, p50, p99, max,
                 mean, each in the unit of `clock`; per_record where an operation has several
                 records
  clock          unit (cycles, or instructions on a virtual board), hz (null there), empty_cost:
                 what a measurement of nothing costs, part of every figure
  ram            store_bytes, static_bytes (the whole image's, with the store), stack_bytes,
                 stack_peak_bytes, sectors_total, sectors_peak, sectors_used, sector_bytes
  flash_bytes    of the whole image
  deliveries     records, batches, stale_answers
  ledger         entries, records, forgotten
  is_sound       whether a walk over the whole store at the end found it sound
  expect[]       name, wanted, got, ok
  not_judged[]   expectations on what only ss simulate's judge sees
  board          chip, probe, firmware, is_virtual, frames_repeated
  compare        null, or digest, digests_equal, figures_equal, verdict: ss simulate's";

/// What can be asked of a board.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum BoardProfile {
    /// The microcontroller's: 32 KiB, 100 sensors
    Stm32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Provoked {
    Panic,
    HardFault,
    LockUp,
    Hang,
    Reset,
}

impl From<Provoked> for Fault {
    fn from(provoked: Provoked) -> Self {
        match provoked {
            Provoked::Panic => Self::Panic,
            Provoked::HardFault => Self::HardFault,
            Provoked::LockUp => Self::LockUp,
            Provoked::Hang => Self::Hang,
            Provoked::Reset => Self::Reset,
        }
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match ss_lib::scenario::text::duration_ms(text)? {
        0 => Err("a board needs some time: give it 1s or more".to_owned()),
        ms => Ok(Duration::from_millis(ms)),
    }
}

/// How often the board is asked how far it is.
const POLL_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if let Some(filter) = &arguments.list_chips {
        return list_chips(filter);
    }
    if arguments.list_probes {
        return list_probes();
    }
    let scenario = load(arguments)?;
    interrupt::listen();
    let report =
        on_board(&scenario, arguments).map_err(|error| Failure::Probe(error.to_string()))?;
    let answer = if report.verdict == "pass" { Answer::Yes } else { Answer::No };
    if arguments.json {
        return output::print_json(&report, answer);
    }
    output::print(&summary::summary(&report, Style::of_stdout()), answer)
}

fn list_chips(filter: &str) -> Result<Answer, Failure> {
    let names = probe::chips(&probe_rs::config::Registry::from_builtin_families(), filter);
    if names.is_empty() {
        output::complain(&format!("no chip's name contains {filter}: try STM32F4"));
        return Ok(Answer::No);
    }
    output::print(&(names.join("\n") + "\n"), Answer::Yes)
}

fn list_probes() -> Result<Answer, Failure> {
    let seen = probe::list();
    if seen.is_empty() {
        return Err(Failure::Probe(Trouble::NoProbe.to_string()));
    }
    let lines = seen.iter().map(|probe| {
        let note = if probe.may_open { "" } else { "  (no permission to open it)" };
        format!("{}  {}{note}\n", probe.selector(), probe.name)
    });
    output::print(&lines.collect::<String>(), Answer::Yes)
}

/// Compiles the scenario for the microcontroller. One of another profile is refused, with the first
/// step of it that no microcontroller has, if there is one.
fn load(arguments: &Arguments) -> Result<Scenario, Failure> {
    let Some(path) = &arguments.scenario else {
        return Err(Failure::Usage("name a scenario: ss hw-run SCENARIO".to_owned()));
    };
    let load = |profile| {
        let overrides =
            Overrides { seed: arguments.seed, profile, duration: arguments.duration.clone() };
        Scenario::load(path, &overrides).map_err(|error| Failure::Usage(error.to_string()))
    };
    if arguments.profile.is_some() {
        return load(Some(Profile::Stm32));
    }
    let scenario = load(None)?;
    if scenario.profile == Profile::Stm32 {
        return Ok(scenario);
    }
    load(Some(Profile::Stm32))?;
    Err(Failure::Usage(format!(
        "{}: the scenario is for the {} profile, and nothing in it needs more than a microcontroller \
         has: run it there with --profile stm32",
        path.display(),
        scenario.profile.name()
    )))
}

fn on_board(scenario: &Scenario, arguments: &Arguments) -> Result<HwReport, Trouble> {
    let path = arguments.elf.clone().unwrap_or_else(elf::default_path);
    let firmware = Firmware::load(&path)?;
    let board = if arguments.virtual_board {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        Some(Board::start(&firmware.path, any).map_err(Trouble::Virtual)?)
    } else {
        None
    };
    let started = Instant::now();
    let selector = match &board {
        Some(board) => Some(format!("1d50:6018:{}", board.address())),
        None => arguments.probe.clone(),
    };
    let opened = probe::open(selector.as_deref())?;
    let probe_name = opened.get_name();
    let mut session = probe::attach(opened, &arguments.chip, arguments.speed, &firmware)?;
    let is_virtual = probe::is_virtual(&mut session);
    // QEMU has no flash controller, and was given the ELF.
    if !arguments.no_flash && !is_virtual {
        let bytes = firmware.segments.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let mut line = ProgressLine::new(bytes, "");
        probe::flash(&mut session, &firmware, |doing, bytes| line.flashed(doing, bytes))?;
    }
    probe::restart(&mut session, &firmware)?;
    let core = session.core(0);
    let core = core.map_err(|error| Trouble::Probe {
        doing: "attach to the core",
        error: probe::chain(&error),
    })?;
    let mut run = Running {
        client: Client::new(Line::attach(core, &firmware)?, arguments.timeout, first_number()),
        firmware: &firmware,
        last: None,
    };
    let hello = run.greet()?;
    let (report, is_whole) = run.run(scenario, arguments)?;
    let groups = run.groups(scenario)?;
    let buckets = run.buckets(&report)?;
    let ran = Ran {
        hello,
        report,
        is_whole,
        groups,
        buckets,
        retries: run.client.retries(),
        wall: started.elapsed(),
        probe: probe_name,
        is_virtual,
    };
    let compared = arguments.compare.then(|| on_host(scenario));
    Ok(HwReport::new(
        scenario,
        &ran,
        compared.as_ref(),
        arguments.chip.clone(),
        command(scenario, arguments),
    ))
}

/// A number that no run before has begun with, as far as that matters: what that one left on the line
/// is not taken for an answer.
fn first_number() -> u32 {
    process::id().wrapping_mul(0x9E37_79B9)
}

/// The same scenario on this machine. A RAM store neither fails to open nor restarts.
fn on_host(scenario: &Scenario) -> Option<Outcome> {
    run::run(scenario, &mut Unwatched).ok()
}

/// A firmware that runs.
struct Running<'r> {
    client: Client<Line<'r>>,
    firmware: &'r Firmware,
    /// What it said of itself last.
    last: Option<Progress>,
}

impl Running<'_> {
    fn greet(&mut self) -> Result<Hello, Trouble> {
        let hello = self.client.greet();
        let hello = hello.map_err(|error| self.trouble(error))?;
        let runs = ss_lib::wire::text_of(&hello.version);
        if runs != self.firmware.version {
            let (runs, elf) = (runs.to_owned(), self.firmware.version.clone());
            return Err(Trouble::OtherBuild { runs, elf });
        }
        Ok(hello)
    }

    /// Loads and runs the scenario. Says whether it came to its end.
    fn run(
        &mut self,
        scenario: &Scenario,
        arguments: &Arguments,
    ) -> Result<(Report, bool), Trouble> {
        let description = scenario.description();
        let begin = Begin {
            config: scenario.store_config(),
            seed: description.seed,
            duration_ms: description.duration_ms,
            start: description.start,
            uploader: description.uploader,
        };
        let loaded = self.client.load(begin, &description);
        loaded.map_err(|error| self.trouble(error))?;
        if let Some(provoked) = arguments.provoke {
            let at_ms = description.duration_ms / 2;
            self.tell(Command::Provoke { fault: provoked.into(), at_ms })?;
        }
        self.tell(Command::Run)?;
        let mut line = ProgressLine::new(description.duration_ms, "");
        let mut is_whole = true;
        loop {
            let answer = self.client.call(Command::Poll);
            match answer.map_err(|error| self.trouble(error))? {
                WireAnswer::Progress(progress) => {
                    self.last = Some(progress);
                    line.at(progress.virtual_ms);
                }
                WireAnswer::Report(report) => return Ok((report, is_whole)),
                _ => return Err(Trouble::Unexpected),
            }
            if is_whole && interrupt::is_requested() {
                is_whole = false;
                self.tell(Command::Stop)?;
            }
            thread::sleep(POLL_EVERY);
        }
    }

    fn tell(&mut self, command: Command) -> Result<(), Trouble> {
        let told = self.client.tell(command);
        told.map_err(|error| self.trouble(error))
    }

    fn groups(&mut self, scenario: &Scenario) -> Result<Vec<SensorStats>, Trouble> {
        let mut groups = Vec::new();
        for group in 0..scenario.group_names.len() as u32 {
            let stats = self.client.group_stats(group);
            groups.push(stats.map_err(|error| self.trouble(error))?);
        }
        Ok(groups)
    }

    /// The histograms' buckets that are used.
    fn buckets(&mut self, report: &Report) -> Result<[Vec<u32>; OPERATIONS], Trouble> {
        let mut all: [Vec<u32>; OPERATIONS] = Default::default();
        for operation in Operation::ALL {
            let cost = report.costs[operation.index()];
            let blocks = if cost.count == 0 {
                0
            } else {
                ss_lib::wire::bucket_of(cost.max) / ss_lib::wire::BLOCK_BUCKETS + 1
            };
            for block in 0..blocks as u16 {
                let buckets = self.client.buckets(operation, block);
                let buckets = buckets.map_err(|error| self.trouble(error))?;
                all[operation.index()].extend(buckets.counts);
            }
        }
        Ok(all)
    }

    fn trouble(&self, error: CallError<Gone>) -> Trouble {
        let last = self.last;
        match error {
            CallError::Link(Gone::Probe(error)) => Trouble::ProbeGone { error, last },
            CallError::Link(Gone::LockedUp) => Trouble::LockedUp { last },
            CallError::Link(Gone::Crashed(crash)) => {
                let name = |address| self.firmware.function(address);
                let places = match *crash {
                    ss_lib::wire::crash::Crash::HardFault(registers) => {
                        [name(registers.pc()), name(registers.lr())]
                    }
                    ss_lib::wire::crash::Crash::Panic { .. } => Default::default(),
                };
                Trouble::Crashed { crash, places, last }
            }
            CallError::Silent(waited) => Trouble::Silent { waited, last },
            CallError::Reset => Trouble::Reset { last },
            CallError::Protocol(firmware) => Trouble::Protocol { firmware },
            CallError::Foreign => Trouble::ForeignFirmware,
            CallError::Refused(refusal) => Trouble::Refused(refusal),
            CallError::Unexpected => Trouble::Unexpected,
        }
    }
}

/// The shortest command that repeats what was seen.
fn command(scenario: &Scenario, arguments: &Arguments) -> String {
    let file =
        arguments.scenario.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut command =
        format!("ss hw-run {} --seed {}", text::shell_word(&file), scenario.description().seed);
    if let Some(duration) = &arguments.duration {
        // Writing to a string cannot fail.
        let _ = write!(command, " --duration {}", text::shell_word(duration));
    }
    if arguments.profile.is_some() {
        command += " --profile stm32";
    }
    if arguments.virtual_board {
        command += " --virtual";
    } else if arguments.chip != "STM32F405RGTx" {
        let _ = write!(command, " --chip {}", text::shell_word(&arguments.chip));
    }
    command
}
