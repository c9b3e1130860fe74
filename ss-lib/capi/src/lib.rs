//! The C interface of the sensor store: `libss` and its header `ss.h`.
//!
//! Three layers. `types`, `status` and `config` are plain data and safe conversions. `engine` is what
//! every kind of store does, in safe Rust. `boundary`, `handle` and `api` are where C's pointers are
//! believed: each `unsafe` block there says what it relies on, and the head of the header says what the
//! caller owes.
#![cfg_attr(not(feature = "std"), no_std)]
// C's names.
#![allow(non_camel_case_types)]

pub mod api;
mod boundary;
mod config;
mod engine;
mod handle;
mod placed;
mod status;
mod text;
mod types;

#[cfg(not(feature = "std"))]
mod bare;

pub use config::{ss_config, ss_durability, ss_profile, ss_when_full};
pub use placed::{
    SS_STORE_ALIGN_BYTES, SS_STORE_BASE_BYTES, SS_STORE_LOSS_BYTES, SS_STORE_SECTOR_LINK_BYTES,
    SS_STORE_SENSOR_BYTES,
};
pub use status::ss_status;
pub use types::*;
