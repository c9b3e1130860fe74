//! What broke in the field in earlier systems, a test for each row of the list, named by its
//! number. Each opens with the story.
//!
//! Here are the rows that concern the memory: B01-B04, B06-B19, B21-B28, B44, B46, and those that concern
//! a store that is looked at and mended: B33, B34, B40, B43, and those of the gateway: B05, B06, B18, B29-B31,
//! B35-B38, B40, B41, B46. B47 is about the gate. A test reads the sources for a missing number. Elsewhere:
//! - B42 (the checksum that is written down) is in `format.rs`.
//! - B32 (an orderly end) is in `kill.rs`, B39 (no space) in `gateway_faults.rs`.
//! - B45 (counters above 2^32) and B48 (which binary) are the command's: ss-cli.
//! - B11 has its count of steps in `interleavings.rs`; what is observable without it is here.
//! - B20 (cross-linked chains under load) is in `concurrency.rs`.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

// An interpreter has no files, and takes hours for some of these.
#[cfg(not(miri))]
#[path = "field/configuration.rs"]
mod configuration;
#[path = "field/disk.rs"]
mod disk;
// An interpreter has no system calls.
#[cfg(not(miri))]
#[path = "field/gateway.rs"]
mod gateway;
#[cfg(not(miri))]
#[path = "field/listing.rs"]
mod listing;
#[path = "field/pool.rs"]
mod pool;
#[path = "field/reading.rs"]
mod reading;
#[path = "field/support.rs"]
mod support;
#[path = "field/upload.rs"]
mod upload;
