//! Threads as the store has them: the system's, or those of the scheduler that samples interleavings.

#[cfg(feature = "shuttle")]
pub use shuttle::thread::{JoinHandle, spawn, yield_now};
#[cfg(not(feature = "shuttle"))]
pub use std::thread::{JoinHandle, spawn, yield_now};

/// Another thread may run here. Unlike [`yield_now`] it says nothing of whether this one has to wait, after
/// which a scheduler of few preemptions would let all others go first.
pub fn may_switch() {
    #[cfg(feature = "shuttle")]
    shuttle::thread::sleep(std::time::Duration::ZERO);
    #[cfg(not(feature = "shuttle"))]
    yield_now();
}
