//! What a failed sync leaves in doubt, over kills, power cuts and openings: it is never called durable
//! before it is, its numbers are never given twice, and no gap is seen that the store does not name.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

#[path = "doubt/copies.rs"]
mod copies;
#[path = "doubt/durable.rs"]
mod durable;
#[path = "doubt/names.rs"]
mod names;
#[path = "doubt/numbers.rs"]
mod numbers;
#[path = "doubt/support.rs"]
mod support;
