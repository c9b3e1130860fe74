//! The scenario language: TOML to [`Scenario`]. Every error says where, what was found, what is
//! possible.

mod compile;
mod document;
mod error;
mod expect_table;
mod units;

pub use error::ScenarioError;
pub use units::duration_ms;

use super::{
    ClockStep, Description, DiskLimit, Group, Outage, Pressure, Restart, Uploader,
    expect::Expectation, faults::Fault,
};
use crate::{
    Timestamp,
    gateway::GatewayConfig,
    ram::{Config, FullPolicy, Geometry},
};
use document::Document;
use serde::Deserialize;
use std::{io::Read, path::Path};

/// The largest scenario file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: the file's, unless it gives one.
    pub name: String,
    /// The kind of store that it runs in.
    pub profile: Profile,
    /// The names of the groups, in their order.
    pub group_names: Vec<String>,
    /// What is expected of a run.
    pub expectations: Vec<Expectation>,
    /// The pool.
    pub geometry: Geometry,
    /// Entries of the loss ledger.
    pub losses_max: u32,
    /// The disk, if the profile has one.
    pub disk: Option<GatewayConfig>,
    /// What goes wrong with the disk: only a simulated one does it.
    pub faults: Vec<Fault>,
    policy: FullPolicy,
    first_epoch: u32,
    seed: u64,
    duration_ms: u64,
    start: Timestamp,
    groups: Vec<Group>,
    uploader: Option<Uploader>,
    outages: Vec<Outage>,
    clock_steps: Vec<ClockStep>,
    pressures: Vec<Pressure>,
    disk_limits: Vec<DiskLimit>,
    restarts: Vec<Restart>,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The microcontroller's: 32 KiB, 100 sensors, sectors of 256 B.
    Stm32,
    /// A gateway's: RAM, and real files on a disk.
    Linux,
    /// A gateway's, RAM only.
    LinuxRam,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Stm32, Self::Linux, Self::LinuxRam];

    /// Its key in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stm32 => "stm32",
            Self::Linux => "linux",
            Self::LinuxRam => "linux-ram",
        }
    }
}

/// What the command line may set in place of the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The seed.
    pub seed: Option<u64>,
    /// The profile.
    pub profile: Option<Profile>,
    /// The duration, as it would be written in the file.
    pub duration: Option<String>,
}

impl Scenario {
    /// Reads and compiles the file at `path`.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        Self::parse(&text, &path.display().to_string(), &stem.to_string_lossy(), overrides)
    }

    /// Compiles `text`. Errors name `file`; the scenario is called `name` unless it says otherwise.
    pub fn parse(
        text: &str,
        file: &str,
        name: &str,
        overrides: &Overrides,
    ) -> Result<Self, ScenarioError> {
        let place = error::Source { text, file };
        let document: Document = toml::from_str(text)
            .map_err(|error| place.syntax_error(error.span(), error.message()))?;
        compile::scenario(&document, name, overrides, &place)
    }

    /// The form that the driver runs.
    pub fn description(&self) -> Description<'_> {
        Description {
            seed: self.seed,
            duration_ms: self.duration_ms,
            start: self.start,
            groups: &self.groups,
            uploader: self.uploader,
            outages: &self.outages,
            clock_steps: &self.clock_steps,
            pressures: &self.pressures,
            disk_limits: &self.disk_limits,
            restarts: &self.restarts,
        }
    }

    /// The configuration of the store's part in RAM, at its first opening.
    pub fn store_config(&self) -> Config {
        Config { policy: self.policy, epoch: self.first_epoch }
    }

    /// The number of sensors in all groups.
    pub fn sensors(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

/// Reads a scenario's file, and nothing else that a path can lead to.
fn read(path: &Path) -> Result<String, ScenarioError> {
    let fail = |text: String| ScenarioError::of_file(path, text);
    let unreadable = |error: std::io::Error| {
        let next = if error.kind() == std::io::ErrorKind::NotFound {
            "check the path; the scenarios that come with the project are in scenarios/"
        } else {
            "check the path and its permissions"
        };
        fail(format!("the scenario cannot be read ({error}): {next}"))
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(fail("this is a directory: name one scenario file (*.toml) in it".to_owned()));
    }
    if !metadata.is_file() {
        return Err(fail("this is not a regular file: a scenario is a TOML file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fail(format!(
            "the file has {} B, a scenario has at most {FILE_BYTES_MAX} B: is this the right file?",
            metadata.len().max(bytes.len() as u64)
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        fail(format!(
            "line {line} is not UTF-8 (byte {valid} of the file): save the scenario as UTF-8 text"
        ))
    })
}
