//! `ss torture`: kills a real process on the user's own disk, again and again, and judges what it left.

use crate::{
    Answer, Failure, interrupt,
    output::{self, Style, printable},
    progress::KillProgress,
    store::{self, cannot},
    text::{count, duration, grouped, shell_word},
};
use serde::Serialize;
use ss_lib::{
    disk::{Disk, RealDisk},
    torture::{Breach, Figures, Options, Outcome, Torture, TortureError, Work, work},
};
use std::{
    fmt::Write,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
    time::Instant,
};

/// Kill a real process on your own disk, again and again, and judge what it left
///
/// A process adds, uploads and writes on a store in DIR, and says through a pipe what the store promised
/// it. It is killed (SIGKILL) at a random moment, also while it opens the store; then everything that is
/// there is read, in two ways, and held against those promises. The next process goes on with it.
///
/// A kill is not a power cut: this shows what the store makes of your kernel, file system and disk at work,
/// not what the disk makes of a loss of power.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ss torture torture-here --kills 20

DIR must be empty or not there yet. When every promise was kept what was made in it is removed,
unless --keep says otherwise; else it is left: ss inspect DIR/store looks into it.

Exit code 0: every promise was kept. 1: one was broken, or Ctrl-C ended the run. 2: wrong usage, or
a DIR with something else in it. 3: the directory could not be used.

The JSON object (schema 1; keys may be added, never renamed):
  verdict               kept, broken, interrupted or unusable
  store                 the store's directory; it is there if is_left
  is_left, seed, kills  (processes killed and judged)
  kills_while_opening   those of them that had not opened the store yet
  records_checked       records that were read and found right
  lost_in_ram           records that were in RAM only and went with their process, as they may
  back_again            times that a batch came again whose answer was not durable yet, as it may
  openings              of the store, by processes and by the judge
  is_volatile           the directory is in RAM
  wall_ms               how long it took
  error                 what was broken or unusable, else null")]
pub(crate) struct Arguments {
    /// The directory to do it in, on the disk to be tried
    dir: PathBuf,
    /// How many processes to kill
    #[arg(long, value_name = "N", default_value_t = 1_000, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    kills: u64,
    /// Chooses loads, settings and moments; if none is given it is drawn, and printed
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Leave the store, also when nothing is wrong
    #[arg(long)]
    keep: bool,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Be the process that is killed
    #[arg(long, hide = true, value_name = "SEED", conflicts_with_all = ["kills", "seed", "keep", "json"])]
    victim: Option<u64>,
}

/// The version of the keys.
const SCHEMA: u32 = 1;
/// What tells a directory of ours.
const MARKER: &str = "made-by-ss-torture.txt";
/// The store in it.
const STORE: &str = "store";
/// A victim that could not open its store.
const NOT_OPENED: i32 = 3;

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    verdict: &'static str,
    store: String,
    is_left: bool,
    seed: u64,
    kills: u64,
    kills_while_opening: u64,
    records_checked: u64,
    lost_in_ram: u64,
    back_again: u64,
    openings: u32,
    is_volatile: bool,
    wall_ms: u64,
    error: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if let Some(seed) = arguments.victim {
        return be_killed(&arguments.dir, seed);
    }
    interrupt::listen();
    let seed = match arguments.seed {
        Some(seed) => seed,
        // Short enough to be typed again.
        None => getrandom::u32()
            .map(u64::from)
            .map_err(|error| Failure::Store(format!("no random seed: {error}; give --seed")))?,
    };
    let place = Place::take(&arguments.dir)?;
    let store = place.store();
    let disk = RealDisk::open_shared(&store).map_err(|error| cannot(&store, &error))?;
    let is_volatile = disk.space().is_ok_and(|space| space.is_volatile);
    let started = Instant::now();
    let (figures, outcome) = torture(&store, Options { kills: arguments.kills, seed });
    let wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (verdict, error) = match &outcome {
        Ok(()) if figures.kills < arguments.kills => ("interrupted", None),
        Ok(()) => ("kept", None),
        Err(error) => (verdict_of(error), Some(printable(&error.to_string()))),
    };
    let is_left = arguments.keep || error.is_some();
    place.leave(is_left, error.as_deref(), seed)?;
    let report = Report {
        schema: SCHEMA,
        verdict,
        store: store::name(&store),
        is_left,
        seed,
        kills: figures.kills,
        kills_while_opening: figures.kills_while_opening,
        records_checked: figures.records_checked,
        lost_in_ram: figures.lost_in_ram,
        back_again: figures.back_again,
        openings: figures.epoch,
        is_volatile,
        wall_ms,
        error,
    };
    let answer = if verdict == "kept" { Answer::Yes } else { Answer::No };
    if arguments.json {
        output::print_json(&report, answer)?;
    } else if verdict != "unusable" {
        output::print(&lines(&report, arguments, Style::of_stdout()), answer)?;
    }
    match report.error {
        Some(error) if verdict == "unusable" => Err(Failure::Store(error)),
        _ => Ok(answer),
    }
}

/// The process that is killed: this same program.
fn be_killed(store: &Path, seed: u64) -> Result<Answer, Failure> {
    let disk = RealDisk::open_owned(store).map_err(|error| cannot(store, &error))?;
    let never = AtomicBool::new(false);
    match work(disk, Work { seed, steps: None }, &never, &mut io::stdout()) {
        Outcome::NotOpened(error) => Err(Failure::Store(error.to_string())),
        // Its listener is gone, and with it the reason to go on.
        outcome => Err(Failure::Usage(outcome.to_string())),
    }
}

fn torture(store: &Path, options: Options) -> (Figures, Result<(), TortureError>) {
    let program = std::env::current_exe();
    let victim = |store: &Path, seed: u64| {
        let mut command = Command::new(program.as_deref().unwrap_or(Path::new("ss")));
        command.arg("torture").arg(store).arg("--victim").arg(seed.to_string());
        // Ctrl-C in a terminal is for the one who judges.
        command.process_group(0);
        command
    };
    let mut progress = KillProgress::new(options.kills);
    match Torture::new(store, options, &victim) {
        Ok(mut torture) => {
            let outcome = torture.run(&mut |figures| {
                progress.at(figures.kills);
                !interrupt::is_requested()
            });
            (*torture.figures(), outcome)
        }
        Err(breach) => (Figures::default(), Err(TortureError::Breach(breach))),
    }
}

fn verdict_of(error: &TortureError) -> &'static str {
    match error {
        TortureError::Ended { status, .. } if status.code() == Some(NOT_OPENED) => "unusable",
        TortureError::Breach(Breach::Disk(_) | Breach::Look(_)) | TortureError::Process(_) => {
            "unusable"
        }
        TortureError::Breach(_) | TortureError::Ended { .. } | TortureError::Nonsense(_) => {
            "broken"
        }
    }
}

fn lines(report: &Report, arguments: &Arguments, style: Style) -> String {
    let (ansi, word) = match report.verdict {
        "kept" => ("1;32", "KEPT"),
        "interrupted" => ("1;33", "INTERRUPTED"),
        _ => ("1;31", "BROKEN"),
    };
    let mut text = style.paint(ansi, word);
    let _ = match &report.error {
        None => writeln!(text, "  every promise, in {}", count(report.kills, "kill")),
        Some(error) => writeln!(text, "  after {}: {error}", count(report.kills, "kill")),
    };
    let rate = report.kills.saturating_mul(1_000) / report.wall_ms.max(1);
    let took = duration(report.wall_ms);
    let _ = writeln!(
        text,
        "\nkills     {}, {} of them while the store was opened; {took}, {rate} a second",
        grouped(report.kills),
        grouped(report.kills_while_opening)
    );
    let _ = writeln!(text, "checked   {}", count(report.records_checked, "record"));
    let _ = writeln!(
        text,
        "lost      {} that were in RAM only, as they may be",
        count(report.lost_in_ram, "record")
    );
    let _ = writeln!(
        text,
        "again     {} came a batch back whose answer was not durable, as it may",
        count(report.back_again, "time")
    );
    if report.is_volatile {
        text += "note      the directory is in RAM: no disk was tried\n";
    }
    let directory = shell_word(&arguments.dir.display().to_string());
    let kills = arguments.kills;
    let _ = writeln!(text, "seed      {}", report.seed);
    if report.is_left {
        let store = shell_word(&report.store);
        let _ = writeln!(text, "\nThe store is left: ss inspect {store}");
    }
    if report.error.is_some() {
        let seed = report.seed;
        let _ = writeln!(
            text,
            "Again, with the same loads and moments, in a new directory:\n  ss torture \
             {directory}-again --kills {kills} --seed {seed}"
        );
    }
    output::printable(&text)
}

/// The directory that was given, and what was made in it.
struct Place {
    dir: PathBuf,
    is_made: bool,
}

impl Place {
    /// Takes a directory that is empty, not there, or left by an earlier torture that broke nothing.
    fn take(dir: &Path) -> Result<Self, Failure> {
        let name = store::name(dir);
        let fail = |error: io::Error| {
            Failure::Store(format!("{name}: {error}; name a directory that you may write to"))
        };
        let is_made = !dir.exists();
        if is_made {
            fs::create_dir_all(dir).map_err(fail)?;
        }
        let marker = dir.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) if text.contains("BROKEN") => {
                return Err(Failure::Usage(format!(
                    "{name} has the store of a torture that broke something: look at it with ss \
                     inspect, and name another directory"
                )));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::read_dir(dir).map_err(fail)?.next().is_some() {
                    return Err(Failure::Usage(format!(
                        "{name} is not empty, and not made by ss torture: name a new directory"
                    )));
                }
            }
            Err(error) => return Err(fail(error)),
        }
        fs::write(&marker, "ss torture works in this directory. It may be removed.\n")
            .map_err(fail)?;
        fs::create_dir_all(dir.join(STORE)).map_err(fail)?;
        Ok(Self { dir: dir.to_owned(), is_made })
    }

    fn store(&self) -> PathBuf {
        self.dir.join(STORE)
    }

    /// Removes what was made, or says in it why it is left.
    fn leave(&self, is_left: bool, error: Option<&str>, seed: u64) -> Result<(), Failure> {
        let done = if is_left {
            let text = match error {
                Some(error) => format!("BROKEN by ss torture with --seed {seed}: {error}\n"),
                None => {
                    format!("ss torture with --seed {seed} broke nothing. It may be removed.\n")
                }
            };
            fs::write(self.dir.join(MARKER), text)
        } else {
            fs::remove_dir_all(self.store())
                .and_then(|()| fs::remove_file(self.dir.join(MARKER)))
                .and_then(|()| if self.is_made { fs::remove_dir(&self.dir) } else { Ok(()) })
        };
        // A disk that is full of evidence cannot be written to.
        if error.is_some() { Ok(()) } else { done.map_err(Failure::Output) }
    }
}
