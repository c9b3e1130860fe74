//! The one place from which the store takes whatever two threads share: locks, threads, and the time
//! that they wait.
//!
//! With the feature `shuttle` all of it is a scheduler's, whose choices a test samples; what does not come
//! from here the scheduler does not see. The words of RAM sectors do not: they are atomics only because the
//! core has no unsafe code, and each is read and written under the lock of the chain or the pool that
//! owns it.

use std::sync::PoisonError;

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread::{JoinHandle, spawn},
};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread::{JoinHandle, sleep, spawn},
    time::Instant,
};

#[cfg(feature = "shuttle")]
pub(crate) use steps::{Instant, sleep, wait_timeout};

/// Enters a lock. A thread that panicked while it held one leaves consistent memory behind unless
/// the engine itself is at fault, and data that exist nowhere else are worth handing out then too.
pub(crate) fn enter<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives `guard` up until somebody notifies or `at_most` has passed; takes it again.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    _mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    at_most: std::time::Duration,
) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
}

/// Time as the scheduler has it: a run takes the same turns when its schedule is repeated.
#[cfg(feature = "shuttle")]
mod steps {
    use super::{Condvar, Mutex, MutexGuard, PoisonError, enter};
    use shuttle::{
        current::context_switches,
        rand::{Rng, thread_rng},
        thread,
    };
    use std::{ops::Add, time::Duration};

    /// What a step of the scheduler takes.
    const STEP: Duration = Duration::from_millis(1);
    /// A wait of so long may have no other end than its notification.
    const LONG: Duration = Duration::from_millis(20);

    #[derive(Clone, Copy)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Self {
            Self(STEP * u32::try_from(context_switches()).unwrap_or(u32::MAX))
        }

        pub(crate) fn elapsed(&self) -> Duration {
            Self::now().saturating_duration_since(*self)
        }

        pub(crate) fn saturating_duration_since(&self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Self;

        fn add(self, duration: Duration) -> Self {
            Self(self.0 + duration)
        }
    }

    /// The others run: the scheduler's own would come back at once.
    pub(crate) fn sleep(_duration: Duration) {
        thread::yield_now();
    }

    /// Half of the long waits end only when they are notified, so that a notification that is lost is a
    /// deadlock, which the scheduler reports; the other ones end in time, or before it for no reason.
    pub(crate) fn wait_timeout<'a, T>(
        condvar: &Condvar,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        at_most: Duration,
    ) -> MutexGuard<'a, T> {
        if at_most >= LONG && thread_rng().gen_bool(0.5) {
            return condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        thread::yield_now();
        enter(mutex)
    }
}
