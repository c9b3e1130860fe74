//! The store on the real kernel where it fails: full file systems, injected errors, a disk whose syncs
//! fail, power cuts, limits. Each run is a real process whose receipts are judged as in `kill.rs`.
//!
//! `.ci/kernel` runs it: it needs root (mounts, loop devices, a memory cgroup), strace, e2fsprogs and
//! xfsprogs, and says which of them is missing. Nothing in here is left out silently: what cannot be tried
//! fails. `SS_POWER_CUTS` asks for more cuts a file system, `SS_KERNEL_STEPS` for longer runs of which every
//! system call fails in turn, `SS_KERNEL_SEED` for others.
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

#[path = "kernel/injected.rs"]
mod injected;
#[path = "kernel/limits.rs"]
mod limits;
#[path = "kernel/mounts.rs"]
mod mounts;
#[path = "kernel/power.rs"]
mod power;
#[path = "kernel/space.rs"]
mod space;
#[path = "kernel/support.rs"]
mod support;
