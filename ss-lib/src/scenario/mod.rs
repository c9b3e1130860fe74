//! Scenarios: what sensors, uploader, network and clock do to a store, as data.
//!
//! A scenario is written in TOML (`text`, needs `std`) and compiles to a [`Description`] of integers
//! only. One [`Driver`] runs it over virtual time against anything with an [`Engine`]'s face: on a
//! host under an oracle (`oracle`), on a microcontroller alone. Both end with the same digest.

mod description;
mod driver;
mod engine;
mod heap;
mod observer;
mod replies;
mod sensors;
mod shape;

#[cfg(feature = "scenario")]
pub mod expect;
#[cfg(feature = "scenario")]
pub mod explore;
#[cfg(feature = "scenario")]
pub mod faults;
#[cfg(feature = "scenario")]
pub mod oracle;
#[cfg(feature = "scenario")]
pub mod run;
#[cfg(feature = "scenario")]
pub mod text;

pub use crate::Levels;
pub use description::{
    ClockStep, DURATION_MS_MAX, Description, DiskLimit, Group, Outage, PPM, Pressure, Restart,
    SENSORS_MAX, Shape, Stop, Uploader,
};
pub use driver::{Driver, DriverMemory, Summary};
pub use engine::{Answer, DiskUse, Engine, RestartError, Restarted};
pub use observer::{Given, Observer, Op, Unobserved};
pub use replies::{REPLIES_PER_SENSOR, Reply};
pub use sensors::{SensorRun, group_stats};
