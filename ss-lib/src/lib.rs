//! A store-and-forward buffer for sensor readings: sensors add, an uploader consumes batches, the
//! cloud's acknowledgement erases them. Every reading is at all times uploaded, held, or listed as
//! lost with its exact range and cause.
//!
//! The core ([`ram`]) is `no_std`, allocates nothing and contains no `unsafe` code. The same
//! [`ram::Store`] runs in a static of 32 KiB on a microcontroller and behind fine-grained locks on
//! a gateway:
//!
//! ```
//! use ss_lib::{Record, SensorConfig, SensorKey, Timestamp};
//! use ss_lib::ram::{Config, Stm32Store};
//!
//! let mut store = Stm32Store::open(Config::default());
//! let key = SensorKey { source: 2, id: 0x1F4 };
//! let sensor = store.register(SensorConfig::time_series(key, 1_000)).unwrap();
//! for second in 0..3 {
//!     store.append(sensor, 20 + second, Timestamp::utc(1_000_000 + u64::from(second) * 1_000)).unwrap();
//! }
//!
//! let mut batch = [Record::default(); 100];
//! let token = store.consume(sensor, &mut batch).unwrap().expect("three records wait");
//! assert_eq!(token.count(), 3);
//! assert_eq!((batch[2].seq, batch[2].time_ms, batch[2].value), (2, 1_002_000, 22));
//! store.ack(token).unwrap(); // the cloud has them: erased
//! assert_eq!(store.retained(sensor), Ok(0));
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

mod checksum;
#[cfg(feature = "std")]
pub mod disk;
mod error;
#[cfg(feature = "std")]
pub mod gateway;
#[cfg(all(feature = "std", feature = "planted"))]
pub mod planted;
#[cfg(all(feature = "std", not(feature = "planted")))]
mod planted;
pub mod ram;
mod record;
#[cfg(feature = "driver")]
pub mod scenario;
mod sensor;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "torture")]
pub mod torture;
#[cfg(feature = "wire")]
pub mod wire;

pub use checksum::crc32c_append;
pub use error::{
    AppendError, ConsumeError, ReadError, ReconfigureError, RegisterError, StaleBatch,
    UnknownSensor,
};
pub use record::{BatchToken, ClockKind, DropCause, Kind, Loss, Record, Timestamp};
pub use sensor::{Levels, Sensor, SensorConfig, SensorKey, SensorStats};

/// The README's examples are tests.
#[cfg(all(doctest, feature = "std", feature = "critical-section"))]
#[doc = include_str!("../../README.md")]
struct Readme;
