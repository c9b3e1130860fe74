//! What every kind of store does, in safe Rust: the entries are written against this.

use crate::status::ss_status;
use ss_lib::{
    AppendError, BatchToken, ConsumeError, Kind, Levels, Loss, ReadError, ReconfigureError, Record,
    RegisterError, Sensor, SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
    UnknownSensor,
    ram::{BATCH_RECORDS_MAX, Backing, LedgerStats, PoolStats, Store},
};

/// What a drain handed out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Drained {
    pub(crate) batches: usize,
    pub(crate) records: usize,
}

/// Told of records that were in RAM only, and of those that still are.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

pub(crate) trait Engine {
    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError>;
    fn find(&self, key: SensorKey) -> Option<Sensor>;
    fn sensors(&self) -> u32;
    fn sensor_config(&self, sensor: Sensor) -> Result<SensorConfig, UnknownSensor>;
    fn reconfigure(
        &mut self,
        sensor: Sensor,
        kind: Kind,
        period_ms: u32,
    ) -> Result<(), ReconfigureError>;
    fn set_active(&mut self, sensor: Sensor, is_active: bool) -> Result<(), UnknownSensor>;
    fn is_active(&self, sensor: Sensor) -> Result<bool, UnknownSensor>;
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError>;
    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError>;
    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> Result<usize, UnknownSensor>;
    fn read_at(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError>;
    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError>;
    /// Batches across all sensors. `turn` is the sensor that a store without a log begins with.
    fn drain(
        &mut self,
        turn: &mut u32,
        batch_records: usize,
        out: &mut [Record],
        tokens: &mut [BatchToken],
    ) -> Result<Drained, ss_status>;
    fn ack(&mut self, token: BatchToken) -> Result<(), StaleBatch>;
    fn nack(&mut self, token: BatchToken) -> Result<(), StaleBatch>;
    fn reject(&mut self, token: BatchToken) -> Result<(), StaleBatch>;
    fn pending_batch(&self, sensor: Sensor) -> Result<Option<BatchToken>, UnknownSensor>;
    fn unsent(&self, sensor: Sensor) -> Result<u64, UnknownSensor>;
    fn pending(&self, sensor: Sensor) -> Result<u64, UnknownSensor>;
    fn is_ready(&self, sensor: Sensor) -> Result<bool, UnknownSensor>;
    fn stats(&self, sensor: Sensor) -> Result<SensorStats, UnknownSensor>;
    fn totals(&self) -> SensorStats;
    fn pool(&self) -> PoolStats;
    fn levels(&self, sensor: Sensor) -> Result<Levels, ss_status>;
    fn losses(&self, out: &mut [Loss]) -> usize;
    fn last_loss(&self) -> Option<Loss>;
    fn ledger(&self) -> LedgerStats;
    fn tick(&mut self, now_ms: u64);
    fn limit_sectors(&mut self, sectors: u32);
    fn epoch(&self) -> u32;
    /// The bits of `ss_health_cause`.
    fn health(&self) -> u32;
    fn check(&mut self) -> Result<(), ss_status>;
    /// Refuses adds from now on and saves what it can. Returns what was in RAM only, and what still is.
    fn shut_down(
        &mut self,
        deadline_ms: u32,
        progress: Progress<'_>,
    ) -> Result<(u64, u64), (ss_status, u64, u64)>;
}

impl<B: Backing> Engine for Store<B> {
    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        Self::register(self, config)
    }

    fn find(&self, key: SensorKey) -> Option<Sensor> {
        Self::find(self, key)
    }

    fn sensors(&self) -> u32 {
        Self::sensors(self).len() as u32
    }

    fn sensor_config(&self, sensor: Sensor) -> Result<SensorConfig, UnknownSensor> {
        Self::sensor_config(self, sensor)
    }

    fn reconfigure(
        &mut self,
        sensor: Sensor,
        kind: Kind,
        period_ms: u32,
    ) -> Result<(), ReconfigureError> {
        Self::reconfigure(self, sensor, kind, period_ms)
    }

    fn set_active(&mut self, sensor: Sensor, is_active: bool) -> Result<(), UnknownSensor> {
        if is_active { self.activate(sensor) } else { self.deactivate(sensor) }
    }

    fn is_active(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        Self::is_active(self, sensor)
    }

    #[inline]
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError> {
        Self::append(self, sensor, value, at)
    }

    #[inline]
    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError> {
        Self::append_event(self, sensor, value, ts_ms)
    }

    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> Result<usize, UnknownSensor> {
        Self::peek_batch(self, sensor, out)
    }

    fn read_at(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError> {
        Self::read_at(self, sensor, seq)
    }

    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        Self::consume(self, sensor, out)
    }

    fn drain(
        &mut self,
        turn: &mut u32,
        batch_records: usize,
        out: &mut [Record],
        tokens: &mut [BatchToken],
    ) -> Result<Drained, ss_status> {
        let batch_records = batch_records.clamp(1, BATCH_RECORDS_MAX);
        let sensors = Self::sensors(self).len() as u32;
        let first = if *turn < sensors { *turn } else { 0 };
        let mut drained = Drained::default();
        for step in 0..sensors {
            let index = if first + step < sensors { first + step } else { first + step - sensors };
            let room = batch_records.min(out.len() - drained.records);
            if room == 0 || drained.batches == tokens.len() {
                *turn = index;
                return Ok(drained);
            }
            let out = &mut out[drained.records..drained.records + room];
            // A sensor whose batch is pending is passed by.
            if let Ok(Some(token)) = Self::consume(self, Sensor::from_index(index), out) {
                tokens[drained.batches] = token;
                drained.batches += 1;
                drained.records += token.count() as usize;
            }
        }
        Ok(drained)
    }

    fn ack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        Self::ack(self, token)
    }

    fn nack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        Self::nack(self, token)
    }

    fn reject(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        Self::reject(self, token)
    }

    fn pending_batch(&self, sensor: Sensor) -> Result<Option<BatchToken>, UnknownSensor> {
        Self::pending_batch(self, sensor)
    }

    fn unsent(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Self::unsent(self, sensor).map(u64::from)
    }

    fn pending(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Self::pending(self, sensor).map(u64::from)
    }

    fn is_ready(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        Self::is_ready(self, sensor)
    }

    fn stats(&self, sensor: Sensor) -> Result<SensorStats, UnknownSensor> {
        Self::stats(self, sensor)
    }

    fn totals(&self) -> SensorStats {
        Self::totals(self)
    }

    fn pool(&self) -> PoolStats {
        Self::pool(self)
    }

    /// Nothing is ever written.
    fn levels(&self, sensor: Sensor) -> Result<Levels, ss_status> {
        let added_seq = Self::sensor_config(self, sensor)?.first_seq;
        let oldest = match Self::pending_batch(self, sensor)? {
            Some(token) => Some(token.first_seq()),
            None => Self::peek(self, sensor)?.map(|record| record.seq),
        };
        let acked_seq = oldest.unwrap_or(added_seq);
        Ok(Levels { added_seq, acked_seq, ..Levels::default() })
    }

    fn losses(&self, out: &mut [Loss]) -> usize {
        Self::losses(self, out)
    }

    fn last_loss(&self) -> Option<Loss> {
        Self::last_loss(self)
    }

    fn ledger(&self) -> LedgerStats {
        Self::ledger(self)
    }

    fn tick(&mut self, now_ms: u64) {
        Self::tick(self, now_ms);
    }

    fn limit_sectors(&mut self, sectors: u32) {
        Self::limit_sectors(self, sectors);
    }

    fn epoch(&self) -> u32 {
        Self::epoch(self)
    }

    fn health(&self) -> u32 {
        0
    }

    fn check(&mut self) -> Result<(), ss_status> {
        Self::check(self).map_err(|_| ss_status::SS_EFAULT)
    }

    /// There is nowhere to save it: what is held can still be consumed.
    fn shut_down(
        &mut self,
        _deadline_ms: u32,
        progress: Progress<'_>,
    ) -> Result<(u64, u64), (ss_status, u64, u64)> {
        Self::shut_down(self);
        let held = Self::totals(self).retained();
        progress(held, held);
        Ok((held, held))
    }
}

#[cfg(feature = "std")]
mod disk {
    use super::{Drained, Engine, Progress};
    use crate::{handle::explain, status::ss_status};
    use ss_lib::{
        AppendError, BatchToken, ConsumeError, Kind, Levels, Loss, ReadError, ReconfigureError,
        Record, RegisterError, Sensor, SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
        UnknownSensor,
        gateway::{DrainLimits, Gateway, HealthCause},
        ram::{LedgerStats, PoolStats},
    };
    use std::time::Duration;

    impl Engine for Gateway {
        fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
            Self::register(self, config)
        }

        fn find(&self, key: SensorKey) -> Option<Sensor> {
            Self::find(self, key)
        }

        fn sensors(&self) -> u32 {
            Self::sensors(self).len() as u32
        }

        fn sensor_config(&self, sensor: Sensor) -> Result<SensorConfig, UnknownSensor> {
            Self::sensor_config(self, sensor)
        }

        fn reconfigure(
            &mut self,
            sensor: Sensor,
            kind: Kind,
            period_ms: u32,
        ) -> Result<(), ReconfigureError> {
            Self::reconfigure(self, sensor, kind, period_ms)
        }

        fn set_active(&mut self, sensor: Sensor, is_active: bool) -> Result<(), UnknownSensor> {
            if is_active { self.activate(sensor) } else { self.deactivate(sensor) }
        }

        fn is_active(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
            Self::is_active(self, sensor)
        }

        #[inline]
        fn append(
            &mut self,
            sensor: Sensor,
            value: u32,
            at: Timestamp,
        ) -> Result<u64, AppendError> {
            Self::append(self, sensor, value, at)
        }

        #[inline]
        fn append_event(
            &mut self,
            sensor: Sensor,
            value: u32,
            ts_ms: u64,
        ) -> Result<u64, AppendError> {
            Self::append_event(self, sensor, value, ts_ms)
        }

        fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> Result<usize, UnknownSensor> {
            Self::peek_batch(self, sensor, out)
        }

        fn read_at(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError> {
            Self::read_at(self, sensor, seq)
        }

        fn consume(
            &mut self,
            sensor: Sensor,
            out: &mut [Record],
        ) -> Result<Option<BatchToken>, ConsumeError> {
            Self::consume(self, sensor, out)
        }

        fn drain(
            &mut self,
            _turn: &mut u32,
            batch_records: usize,
            out: &mut [Record],
            tokens: &mut [BatchToken],
        ) -> Result<Drained, ss_status> {
            let drained = Self::drain(self, DrainLimits { batch_records }, out, tokens);
            let drained = drained.map_err(|error| {
                explain(&error);
                ss_status::SS_EUNREADABLE
            })?;
            Ok(Drained { batches: drained.batches, records: drained.records })
        }

        fn ack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
            Self::ack(self, token)
        }

        fn nack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
            Self::nack(self, token)
        }

        fn reject(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
            Self::reject(self, token)
        }

        fn pending_batch(&self, sensor: Sensor) -> Result<Option<BatchToken>, UnknownSensor> {
            Self::pending_batch(self, sensor)
        }

        fn unsent(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
            Self::unsent(self, sensor)
        }

        fn pending(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
            Self::pending(self, sensor)
        }

        fn is_ready(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
            Self::is_ready(self, sensor)
        }

        fn stats(&self, sensor: Sensor) -> Result<SensorStats, UnknownSensor> {
            Self::stats(self, sensor)
        }

        fn totals(&self) -> SensorStats {
            Self::totals(self)
        }

        fn pool(&self) -> PoolStats {
            Self::pool(self)
        }

        fn levels(&self, sensor: Sensor) -> Result<Levels, ss_status> {
            Ok(Self::levels(self, sensor)?)
        }

        fn losses(&self, out: &mut [Loss]) -> usize {
            Self::losses(self, out)
        }

        fn last_loss(&self) -> Option<Loss> {
            Self::last_loss(self)
        }

        fn ledger(&self) -> LedgerStats {
            Self::ledger(self)
        }

        fn tick(&mut self, now_ms: u64) {
            Self::tick(self, now_ms);
        }

        fn limit_sectors(&mut self, sectors: u32) {
            Self::limit_sectors(self, sectors);
        }

        fn epoch(&self) -> u32 {
            Self::epoch(self)
        }

        fn health(&self) -> u32 {
            Self::health(self).causes().fold(0, |bits, cause| bits | bit(cause))
        }

        fn check(&mut self) -> Result<(), ss_status> {
            Self::check(self).map_err(|fault| {
                explain(&fault);
                ss_status::SS_EFAULT
            })
        }

        fn shut_down(
            &mut self,
            deadline_ms: u32,
            progress: Progress<'_>,
        ) -> Result<(u64, u64), (ss_status, u64, u64)> {
            let deadline = Duration::from_millis(u64::from(deadline_ms));
            let deadline = (deadline_ms > 0).then_some(deadline);
            let report =
                Self::shut_down(self, deadline, &mut |now| progress(now.records, now.left));
            if let Some(error) = &report.error {
                explain(error);
                return Err((ss_status::SS_EIO, report.records, report.left));
            }
            if report.left > 0 {
                return Err((ss_status::SS_ETIMEDOUT, report.records, report.left));
            }
            Ok((report.records, report.left))
        }
    }

    /// The bit of `ss_health_cause`.
    const fn bit(cause: HealthCause) -> u32 {
        use crate::types::ss_health_cause as C;
        let bit = match cause {
            HealthCause::DiskFull => C::SS_HEALTH_DISK_FULL,
            HealthCause::IoError => C::SS_HEALTH_IO_ERROR,
            HealthCause::SyncFailed => C::SS_HEALTH_SYNC_FAILED,
            HealthCause::Volatile => C::SS_HEALTH_VOLATILE,
            HealthCause::Damaged => C::SS_HEALTH_DAMAGED,
            HealthCause::QuotaReached => C::SS_HEALTH_QUOTA_REACHED,
            HealthCause::DiskMaxReached => C::SS_HEALTH_DISK_MAX_REACHED,
            HealthCause::ReserveInUse => C::SS_HEALTH_RESERVE_IN_USE,
        };
        bit as u32
    }
}
