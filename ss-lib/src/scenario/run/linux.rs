//! The `linux` profile: where its store lies, and how it is opened, stopped and opened again.

mod disk;
mod store;

use super::{Outcome, Watch, judge};
use crate::{
    RegisterError,
    disk::{
        DiskError,
        sim::{self, Image, SimDisk},
    },
    gateway::GatewayConfig,
    scenario::{
        Op, RestartError, Stop,
        faults::{FaultClock, Rotten},
        text::Scenario,
    },
};
use core::fmt;
use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
pub(in super::super) use store::{Home, HomeGateway, LinuxStore};

/// Where a run's store lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a directory that is removed at the end.
    Temporary,
    /// In this directory, which must not hold a store yet, and which is kept as the run leaves it.
    Kept(PathBuf),
}

/// Why a scenario was not run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// The store has no place for its sensors, which loading the scenario has ruled out.
    Register(RegisterError),
    /// The store was stopped and is not open again.
    Restart(RestartError),
    /// The store cannot be opened.
    Open(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(error) => write!(f, "the store refuses the scenario's sensors: {error}"),
            Self::Restart(error) => write!(f, "after a stop: {error}"),
            Self::Open(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for RunError {}

/// Opens the gateway's store at `place` and runs the scenario in it.
pub(super) fn run(
    scenario: &Scenario,
    config: &GatewayConfig,
    place: &Place,
    watch: &mut impl Watch,
) -> Result<Outcome, RunError> {
    if !scenario.faults.is_empty() {
        return run_simulated(scenario, config, place, watch);
    }
    // Removed when the store is closed.
    let (directory, _temporary) = match place {
        Place::Temporary => {
            let made = Temporary::create().map_err(|(path, error)| {
                let path = path.display();
                RunError::Open(format!(
                    "a directory for the store, {path}, cannot be made ({error}): make room, or name \
                     another place with TMPDIR"
                ))
            })?;
            (made.0.clone(), Some(made))
        }
        Place::Kept(directory) => {
            refuse_used(directory)?;
            (directory.clone(), None)
        }
    };
    let shown = directory.display().to_string();
    let mut store = LinuxStore::open(directory, *config)
        .map_err(|error| RunError::Open(format!("the store in {shown}: {error}")))?;
    let drains = *place == Place::Temporary;
    let judged = judge(scenario, &mut store, LinuxStore::size, drains, watch);
    if let Some(error) = store.open_error {
        return Err(RunError::Open(format!("the store in {shown} does not open again: {error}")));
    }
    let mut outcome = judged?;
    outcome.recoveries_ns = core::mem::take(&mut store.recoveries_ns);
    store.shut_down().map_err(|text| RunError::Open(format!("the store in {shown}: {text}")))?;
    Ok(outcome)
}

/// Runs the scenario on a disk in memory, which does what its faults say.
fn run_simulated(
    scenario: &Scenario,
    config: &GatewayConfig,
    place: &Place,
    watch: &mut impl Watch,
) -> Result<Outcome, RunError> {
    if let Place::Kept(directory) = place {
        refuse_used(directory)?;
    }
    let disk = SimDisk::crashable_from(&Image::default());
    let description = scenario.description();
    disk.set_now_ms(description.start.ms);
    let home = Simulated { disk: disk.clone(), seed: description.seed };
    let mut store = LinuxStore::open(home, *config)
        .map_err(|error| RunError::Open(format!("the simulated store: {error}")))?;
    let clock = FaultClock::new(disk.clone(), &scenario.faults, description.seed);
    let mut faulted = Faulted { watch, clock };
    let drains = *place == Place::Temporary;
    let judged = judge(scenario, &mut store, LinuxStore::size, drains, &mut faulted);
    if let Some(error) = store.open_error {
        return Err(RunError::Open(format!("the simulated store does not open again: {error}")));
    }
    let mut outcome = judged?;
    outcome.recoveries_ns = core::mem::take(&mut store.recoveries_ns);
    disk.heal();
    store.shut_down().map_err(|text| RunError::Open(format!("the simulated store: {text}")))?;
    if let Place::Kept(directory) = place {
        write_image(&disk.image(), directory)?;
    }
    Ok(outcome)
}

/// Writes a simulated disk's files into a directory.
pub fn write_image(image: &Image, directory: &Path) -> Result<(), RunError> {
    let mut result = std::fs::create_dir_all(directory);
    image.each_file(&mut |name, bytes| {
        if result.is_ok() {
            result = std::fs::write(directory.join(name), bytes);
        }
    });
    result.map_err(|error| {
        let shown = directory.display();
        RunError::Open(format!("the store cannot be written to {shown} ({error}): make room there"))
    })
}

/// A disk in memory, over several openings.
struct Simulated {
    disk: SimDisk,
    seed: u64,
}

impl Home for Simulated {
    type Disk = SimDisk;

    fn disk(&mut self) -> Result<SimDisk, DiskError> {
        Ok(self.disk.clone())
    }

    fn closing(&mut self, stop: Stop) {
        if stop == Stop::PowerCut {
            let number = self.disk.steps() as u32;
            self.disk.cut_power(sim::Outcome::Drawn { number, bytes: 4096 }, self.seed);
        }
    }

    fn ticked(&mut self, now_ms: u64) {
        self.disk.set_now_ms(now_ms);
    }
}

/// Tells the disk of its faults while somebody watches.
struct Faulted<'a, W> {
    watch: &'a mut W,
    clock: FaultClock,
}

impl<W: Watch> Watch for Faulted<'_, W> {
    fn begin(&mut self, op: Op) {
        self.watch.begin(op);
    }

    fn end(&mut self, op: Op) {
        self.watch.end(op);
    }

    fn progress(&mut self, virtual_ms: u64) {
        self.clock.advance(virtual_ms);
        self.watch.progress(virtual_ms);
    }

    fn take_rotten(&mut self) -> Vec<Rotten> {
        self.clock.take_rotten()
    }

    fn is_cancelled(&mut self) -> bool {
        self.watch.is_cancelled()
    }
}

/// A store is created in a directory that is not there, or that is empty.
fn refuse_used(directory: &Path) -> Result<(), RunError> {
    let shown = directory.display();
    match std::fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(RunError::Open(format!(
            "{shown} is not empty: a scenario begins with a new store, name a directory that does not \
             exist yet"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RunError::Open(format!("{shown} cannot be read: {error}"))),
    }
}

/// A directory that is removed with what is in it.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> Result<Self, (PathBuf, io::Error)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
            let path = std::env::temp_dir().join(format!("ss-simulate-{process}.{number}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err((path, error)),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the place of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
