//! `ss hw-run` and `ss virtual-board` from outside. What needs QEMU and the firmware runs against the
//! firmware's ELF, over an unmodified probe-rs.
#![allow(clippy::unwrap_used, reason = "also the helpers of tests are tests")]

mod broken;
mod equal;
mod refused;
mod sizes;
mod support;
