//! `ss hw-run` and `ss virtual-board` from outside. What needs QEMU and the firmware runs against the
//! firmware's ELF, over an unmodified probe-rs.

mod broken;
mod equal;
mod refused;
mod sizes;
mod support;
