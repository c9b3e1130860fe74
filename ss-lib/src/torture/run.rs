//! Cycles of a process that is started on a store, killed at a random moment, and judged.

use super::{
    Breach, Floor, Told, judge,
    load::{Load, mix},
};
use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A killed process lived so long at most, once the store was open.
const LIFE_MAX: Duration = Duration::from_millis(16);
/// One kill in so many comes while the store is being opened.
const OPENING_EVERY: u64 = 4;
/// An opening that takes longer is not waited for: the kill comes.
const OPENING_MAX: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Processes to kill.
    pub kills: u64,
    /// Chooses settings, loads and moments. The moments are the clock's: two runs of a seed try the same,
    /// and the system's scheduler makes them different.
    pub seed: u64,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Processes killed, and judged.
    pub kills: u64,
    /// Those of them that were killed before they had the store open.
    pub kills_while_opening: u64,
    /// Records that were read and found right, each by two ways.
    pub records_checked: u64,
    /// Records that were added, never written, and went with their process, as they may.
    pub lost_in_ram: u64,
    /// Times that a batch came again whose answer was not durable yet, as it may.
    pub back_again: u64,
    /// The newest opening.
    pub epoch: u32,
}

/// Why a run ended before its end.
#[derive(Debug)]
pub enum TortureError {
    /// The store broke a promise, or cannot be used any more.
    Breach(Breach),
    /// The process ended by itself.
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said on standard error.
        stderr: String,
    },
    /// It said something that is no receipt.
    Nonsense(String),
    /// It could not be started, killed or listened to.
    Process(io::Error),
}

impl fmt::Display for TortureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(breach) => breach.fmt(f),
            Self::Ended { status, stderr } => {
                write!(f, "the process was not killed and ended by itself ({status}): {stderr}")
            }
            Self::Nonsense(line) => write!(f, "the process said what is no receipt: {line}"),
            Self::Process(error) => write!(f, "the process could not be started or heard: {error}"),
        }
    }
}

impl std::error::Error for TortureError {}

/// A store that is tortured.
pub struct Torture<'a> {
    store: PathBuf,
    options: Options,
    /// The command that runs [`work`](super::work) on a store with a seed, lines on standard output.
    command: &'a dyn Fn(&Path, u64) -> Command,
    told: Told,
    figures: Figures,
    /// How long an opening takes, as the last one did.
    opening: Duration,
}

impl<'a> Torture<'a> {
    /// Begins with what is in the directory: nothing, or a store that was tortured before.
    pub fn new(
        store: &Path,
        options: Options,
        command: &'a dyn Fn(&Path, u64) -> Command,
    ) -> Result<Self, Breach> {
        let told = super::judge::left_behind(store, options.seed)?;
        let figures = Figures { epoch: told.epoch, ..Figures::default() };
        let opening = Duration::from_millis(5);
        Ok(Self { store: store.to_owned(), options, command, told, figures, opening })
    }

    /// What was done so far.
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Kills and judges until all was done, or `goes_on` says no.
    pub fn run(&mut self, goes_on: &mut dyn FnMut(&Figures) -> bool) -> Result<(), TortureError> {
        while self.figures.kills < self.options.kills && goes_on(&self.figures) {
            let seed = mix(self.options.seed ^ mix(self.figures.kills));
            self.cycle(seed)?;
        }
        Ok(())
    }

    fn cycle(&mut self, seed: u64) -> Result<(), TortureError> {
        let mut told = self.told.begun();
        let output = self.kill_one(seed)?;
        told.read(&output).map_err(|line| TortureError::Nonsense(line.to_owned()))?;
        let judged = judge(&self.store, &told, Floor::Written, seed ^ 1);
        let judged = judged.map_err(TortureError::Breach)?;
        self.told = judged.told;
        let figures = &mut self.figures;
        figures.kills += 1;
        figures.kills_while_opening += u64::from(!told.has_opened);
        figures.records_checked += judged.records;
        figures.lost_in_ram += judged.lost_in_ram;
        figures.back_again += judged.back_again;
        figures.epoch = judged.told.epoch;
        Ok(())
    }

    /// Starts a process, kills it at the moment that the seed chooses, and gives what it said.
    fn kill_one(&mut self, seed: u64) -> Result<String, TortureError> {
        let started = Instant::now();
        let mut child = (self.command)(&self.store, seed)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(TortureError::Process)?;
        let (said_first, first) = mpsc::channel();
        let stdout = child.stdout.take();
        let listener = thread::spawn(move || listen(stdout, &said_first));
        let random = |what, most: Duration| {
            let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
            Duration::from_micros(Load::new(seed).choose(what, most_us.max(1)))
        };
        if Load::new(seed).choose(40, OPENING_EVERY) == 0 {
            thread::sleep(random(41, self.opening));
        } else if first.recv_timeout(OPENING_MAX).is_ok() {
            self.opening = started.elapsed();
            thread::sleep(random(42, LIFE_MAX));
        }
        let ended = end(&mut child).map_err(TortureError::Process)?;
        let said =
            listener.join().unwrap_or_else(|_| Err(io::Error::other("the listener panicked")));
        let said = said.map_err(TortureError::Process)?;
        match ended {
            None => Ok(said),
            Some(status) => {
                let mut stderr = String::new();
                if let Some(mut pipe) = child.stderr.take() {
                    let _ = pipe.read_to_string(&mut stderr);
                }
                Err(TortureError::Ended { status, stderr: stderr.trim().to_owned() })
            }
        }
    }
}

/// Kills the process. `Some`: it had ended by itself before.
fn end(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    use std::os::unix::process::ExitStatusExt;
    const KILLED: i32 = 9;
    child.kill()?;
    let status = child.wait()?;
    Ok((status.signal() != Some(KILLED)).then_some(status))
}

/// Everything that the process says; tells when it has begun to.
fn listen(pipe: Option<impl Read>, said_first: &mpsc::Sender<()>) -> io::Result<String> {
    let mut text = String::new();
    if let Some(pipe) = pipe {
        let mut lines = BufReader::new(pipe);
        lines.read_line(&mut text)?;
        // Whoever does not wait for it has no receiver any more.
        let _ = said_first.send(());
        lines.read_to_string(&mut text)?;
    }
    Ok(text)
}
