//! What wakes the manager before its time.

use crate::{
    planted::{self, Bug},
    sync::{Condvar, Instant, Mutex, enter, wait_timeout},
};
use std::time::Duration;

/// A bell that keeps its ring until somebody has heard it: one that is rung while nobody listens ends the
/// next wait at once.
#[derive(Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        let mut is_rung = enter(&self.is_rung);
        if !planted::is(Bug::RingUnkept) {
            *is_rung = true;
        }
        self.changed.notify_one();
    }

    /// Waits for a ring, or until `at_most` has passed.
    pub(super) fn wait(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut is_rung = enter(&self.is_rung);
        while !*is_rung {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            is_rung = wait_timeout(&self.changed, &self.is_rung, is_rung, left);
            if planted::is(Bug::RingUnkept) {
                return;
            }
        }
        *is_rung = false;
    }
}
