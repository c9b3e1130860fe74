//! The RAM engine: fixed sectors, a chain of them for each sensor, a ledger of what was lost.
//!
//! A [`Store`] is the engine over a [`Backing`], which says where the memory lies and who may touch
//! it when: [`Inline`] is one value of a size known at compile time, for a microcontroller's static;
//! [`Lent`] is the same over memory that the caller lends, cut when the store is opened;
//! [`Shared`] is heap memory behind a lock a sensor, for threads. Every rule stands once, in the
//! chain and the store, and is the same on both.

mod backing;
mod chain;
mod check;
mod count40;
#[cfg(feature = "critical-section")]
mod critical;
#[cfg(feature = "fault-injection")]
mod fault_injection;
mod geometry;
mod holders;
mod inline;
mod ledger;
mod lent;
mod pool;
mod sector;
#[cfg(feature = "std")]
mod shared;
mod slots;
mod store;

pub use backing::Backing;
pub(crate) use backing::Env;
pub use chain::{BATCH_RECORDS_MAX, ChainFault};
#[cfg(feature = "std")]
pub(crate) use chain::{Chain, Owner, Retired, Run, Visit, record_loss};
pub use check::Fault;
#[cfg(feature = "std")]
pub(crate) use count40::Count40;
#[cfg(feature = "critical-section")]
pub use critical::Critical;
pub use geometry::{Geometry, GeometryError, SECTOR_BYTES_MAX, SECTOR_BYTES_MIN};
pub use inline::{Inline, STM32_SECTOR_BYTES, STM32_SECTORS, STM32_SENSORS, Stm32Store};
pub use ledger::LedgerStats;
pub use lent::{LENT_LOSSES_MAX, LENT_SECTORS_MAX, Lent, LentError, LentMemory, SensorPlace};
pub use pool::PoolStats;
#[cfg(feature = "std")]
pub(crate) use sector::Sample;
#[cfg(feature = "std")]
pub(crate) use shared::footprint_bytes_beside;
#[cfg(feature = "std")]
pub use shared::{Shared, SharedConfig, footprint_bytes};
pub use slots::SECTORS_MAX;
#[cfg(feature = "std")]
pub(crate) use slots::Slots;
pub use store::{Config, FullPolicy, Store};
