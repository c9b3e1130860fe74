//! The `linux` profile: where its store lies, and how it is opened, stopped and opened again.

mod disk;
mod store;

use super::{Outcome, Watch, judge};
use crate::{
    RegisterError,
    gateway::GatewayConfig,
    scenario::{RestartError, text::Scenario},
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
