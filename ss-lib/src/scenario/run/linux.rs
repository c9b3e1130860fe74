//! The `linux` profile: where its store lies, and how it is opened, stopped and opened again.

use super::{Outcome, Watch};
use crate::{
    RegisterError,
    scenario::{RestartError, text::Scenario},
};
use core::fmt;
use std::path::PathBuf;

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
pub(super) fn run(_: &Scenario, _: &Place, _: &mut impl Watch) -> Result<Outcome, RunError> {
    Err(RunError::Open(
        "this build has no disk engine yet: use --profile linux-ram, or stm32".to_owned(),
    ))
}
