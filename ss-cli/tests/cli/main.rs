//! The real binary, as a user meets it: exit codes, messages, tables, JSON, signals, pipes.
#![allow(clippy::unwrap_used, reason = "also the helpers of tests are tests")]

mod exports;
mod golden;
mod help;
mod mending;
mod reports;
mod stores;
mod support;
mod surroundings;
mod torture;
mod usage;
