//! Adds, and what happens when the pool has no sector for one.

use super::{Gateway, WhenFull};
use crate::{
    AppendError, ClockKind, Kind, Sensor, Timestamp,
    disk::Disk,
    ram::Sample,
    sync::{self, Instant},
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// Between two tries to make room an add sleeps this long: the disk does not get better at once.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

impl<D: Disk> Gateway<D> {
    /// Adds a time-series reading; see [`Store::append`](crate::ram::Store::append). Waits for the disk
    /// only if the pool is exhausted and the configuration says so.
    #[inline]
    pub fn append(
        &mut self,
        sensor: Sensor,
        value: u32,
        at: Timestamp,
    ) -> Result<u64, AppendError> {
        self.add(sensor, Sample { time_ms: at.ms, value, clock: at.clock, kind: Kind::TimeSeries })
    }

    /// Adds an event with a timestamp of the caller's.
    #[inline]
    pub fn append_event(
        &mut self,
        sensor: Sensor,
        value: u32,
        ts_ms: u64,
    ) -> Result<u64, AppendError> {
        self.add(
            sensor,
            Sample { time_ms: ts_ms, value, clock: ClockKind::Caller, kind: Kind::Event },
        )
    }

    #[inline]
    fn add(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        match self.ram.add_to_open_sector(sensor, sample) {
            Ok(Some(seq)) => Ok(seq),
            Ok(None) => self.add_in_new_sector(sensor, sample),
            Err(error) => Err(error),
        }
    }

    #[cold]
    fn add_in_new_sector(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        let Some(seq) = self.ram.add_if_room(sensor, sample)? else {
            return self.add_starved(sensor, sample);
        };
        // The manager is woken once; it clears the flag when it looks.
        if self.is_nearly_full() && !self.inner.is_rung.swap(true, Relaxed) {
            self.ring();
        }
        Ok(seq)
    }

    #[cold]
    fn add_starved(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        if !self.inner.is_rung.swap(true, Relaxed) {
            self.ring();
        }
        let wait = match self.inner.config.full {
            WhenFull::Refuse => return self.ram.add(sensor, sample),
            WhenFull::RecycleOldest => Duration::ZERO,
            WhenFull::Wait { ms } => Duration::from_millis(u64::from(ms)),
        };
        let mut ram = self.ram.clone();
        let started = Instant::now();
        loop {
            {
                let mut core = self.core();
                // Another add may have made room while this one waited for the lock.
                if let Some(seq) = ram.add_if_room(sensor, sample)? {
                    return Ok(seq);
                }
                // An error is in the health by now; whether there is room is asked next.
                let _ = self.make_sectors(&mut core);
                if let Some(seq) = ram.add_if_room(sensor, sample)? {
                    return Ok(seq);
                }
                // Under this lock nothing in RAM is also on disk, so that what the policy drops is gone
                // and not in two minds.
                if wait.is_zero() || core.is_down || !self.inner.has_manager.load(Relaxed) {
                    return ram.add(sensor, sample);
                }
            }
            if started.elapsed() >= wait {
                return ram.add(sensor, sample);
            }
            sync::sleep(RETRY_PAUSE);
        }
    }
}
