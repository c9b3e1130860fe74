//! What broke in the field in earlier systems, a test for each row of the list, named by its
//! number. Each opens with the story.
//!
//! Here are the rows that concern the memory: B01-B04, B06-B19, B21-B28, B44, B46, and those that concern
//! a store that is looked at and mended: B33, B34, B40, B43. Elsewhere:
//! - B42 (the checksum that is written down) is in `format.rs`.
//! - B05 (pending that lay on disk only) makes no sense without a disk.
//! - B11 has its count of steps in `interleavings.rs`; what is observable without it is here.
//! - B20 (cross-linked chains under load) is in `concurrency.rs`.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

#[path = "field/disk.rs"]
mod disk;
#[path = "field/pool.rs"]
mod pool;
#[path = "field/reading.rs"]
mod reading;
#[path = "field/support.rs"]
mod support;
#[path = "field/upload.rs"]
mod upload;
