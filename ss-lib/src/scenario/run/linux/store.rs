//! The gateway as a scenario uses it: stopped, opened again, and counted over all its openings.

use super::{
    super::StoreSize,
    disk::{Meter, MeteredDisk},
};
use crate::{
    AppendError, BatchToken, ConsumeError, Levels, Loss, Record, RegisterError, Sensor,
    SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
    disk::{Disk, DiskError, RealDisk},
    gateway::{Gateway, GatewayConfig, GatewayFault, OpenError, footprint_bytes},
    ram::{LedgerStats, PoolStats},
    scenario::{Answer, DiskUse, Engine, Restart, RestartError, Restarted, Stop},
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How often a store is opened whose disk gives errors.
const OPEN_TRIES: u32 = 4;

/// Where a store's disk is to be had, again and again.
pub(in super::super::super) trait Home {
    /// The disk.
    type Disk: Disk;

    /// The disk for the next opening, as its one owner.
    fn disk(&mut self) -> Result<Self::Disk, DiskError>;
    /// The store is open on it.
    fn opened(&mut self, _gateway: &HomeGateway<Self>) {}
    /// It is about to be closed, in this way.
    fn closing(&mut self, _stop: Stop) {}
    /// It is told the time, in ms of virtual time.
    fn ticked(&mut self, _now_ms: u64) {}
}

/// A gateway on a home's disk, whose use is counted.
pub(in super::super::super) type HomeGateway<H> = Gateway<MeteredDisk<<H as Home>::Disk>>;

/// Real files in a directory.
impl Home for PathBuf {
    type Disk = RealDisk;

    fn disk(&mut self) -> Result<RealDisk, DiskError> {
        RealDisk::open_owned(self)
    }
}

/// A gateway that the scenario itself drives: its ticks are the driver's.
pub(in super::super::super) struct LinuxStore<H: Home = PathBuf> {
    /// `None` only between two openings, and for ever after one that failed.
    gateway: Option<HomeGateway<H>>,
    config: GatewayConfig,
    home: H,
    meter: Arc<Meter>,
    /// Sectors written in the openings before.
    sectors_before: u64,
    /// Why the store is not open again.
    pub(in super::super::super) open_error: Option<OpenError>,
    /// How long each opening after a stop took, in ns.
    pub(super) recoveries_ns: Vec<u64>,
}

impl<H: Home> LinuxStore<H> {
    /// Opens the store for the first time.
    pub(in super::super::super) fn open(home: H, config: GatewayConfig) -> Result<Self, OpenError> {
        let mut store = Self {
            gateway: None,
            config,
            home,
            meter: Arc::default(),
            sectors_before: 0,
            open_error: None,
            recoveries_ns: Vec::new(),
        };
        store.reopen()?;
        Ok(store)
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        let disk = MeteredDisk::new(self.home.disk()?, Arc::clone(&self.meter));
        let gateway = self.gateway.insert(Gateway::open(disk, &self.config)?);
        self.home.opened(gateway);
        Ok(())
    }

    /// What the store costs, in its present opening.
    pub(in super::super::super) fn size(&self) -> StoreSize {
        let pool = self.gateway().pool();
        let sector_bytes = self.config.pool_bytes / u64::from(pool.sectors_total.max(1));
        StoreSize {
            bytes_total: footprint_bytes(&self.config).unwrap_or(0),
            // A power of two, and the pool is cut into as many as fit.
            sector_bytes: 1 << sector_bytes.max(1).ilog2(),
        }
    }

    /// Shuts the store down in order, with what it holds.
    pub(in super::super::super) fn shut_down(mut self) -> Result<(), String> {
        let report = self.gateway_mut().shut_down(None, &mut |_| {});
        match report.error {
            Some(error) => Err(format!("{} records were left unwritten: {error}", report.left)),
            None => Ok(()),
        }
    }

    fn gateway(&self) -> &HomeGateway<H> {
        self.gateway.as_ref().expect("a run ends with an opening that failed")
    }

    fn gateway_mut(&mut self) -> &mut HomeGateway<H> {
        self.gateway.as_mut().expect("a run ends with an opening that failed")
    }
}

impl<H: Home> Engine for LinuxStore<H> {
    type Fault = GatewayFault;

    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        self.gateway_mut().register(config)
    }

    #[inline]
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError> {
        self.gateway_mut().append(sensor, value, at)
    }

    #[inline]
    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError> {
        self.gateway_mut().append_event(sensor, value, ts_ms)
    }

    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> usize {
        self.gateway().peek_batch(sensor, out).unwrap_or(0)
    }

    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        self.gateway_mut().consume(sensor, out)
    }

    fn answer(&mut self, token: BatchToken, answer: Answer) -> Result<(), StaleBatch> {
        let gateway = self.gateway_mut();
        match answer {
            Answer::Ack => gateway.ack(token),
            Answer::Nack => gateway.nack(token),
            Answer::Reject => gateway.reject(token),
        }
    }

    fn stats(&self, sensor: Sensor) -> SensorStats {
        self.gateway().stats(sensor).unwrap_or_default()
    }

    fn is_ready(&self, sensor: Sensor) -> bool {
        self.gateway().is_ready(sensor).unwrap_or(false)
    }

    fn losses(&self, out: &mut [Loss]) -> usize {
        self.gateway().losses(out)
    }

    fn last_loss(&self) -> Option<Loss> {
        self.gateway().last_loss()
    }

    fn losses_recorded(&self) -> u64 {
        self.gateway().losses_recorded()
    }

    fn ledger(&self) -> LedgerStats {
        self.gateway().ledger()
    }

    fn tick(&mut self, now_ms: u64) {
        self.home.ticked(now_ms);
        self.gateway_mut().tick(now_ms);
    }

    fn limit_sectors(&mut self, sectors: u32) {
        self.gateway_mut().limit_sectors(sectors);
    }

    fn pool(&self) -> PoolStats {
        self.gateway().pool()
    }

    fn check(&mut self) -> Result<(), GatewayFault> {
        self.gateway_mut().check()
    }

    fn find(&self, key: SensorKey) -> Option<Sensor> {
        self.gateway().find(key)
    }

    fn levels(&self, sensor: Sensor) -> Option<Levels> {
        self.gateway().levels(sensor).ok()
    }

    fn disk(&self) -> Option<DiskUse> {
        let stats = self.gateway().disk();
        let meter = &self.meter;
        Some(DiskUse {
            bytes: meter.bytes.load(Relaxed),
            bytes_peak: meter.bytes_peak.load(Relaxed),
            bytes_written: meter.bytes_written.load(Relaxed),
            sectors: self.sectors_before + stats.sectors,
            segments: stats.segments.into(),
            segments_created: meter.segments_created.load(Relaxed),
            fsyncs: meter.fsyncs.load(Relaxed),
            records: stats.records,
            reserve_bytes: stats.reserve_bytes,
        })
    }

    fn limit_disk(&mut self, free_bytes: u64) {
        self.meter.limit(free_bytes);
    }

    fn restart(&mut self, restart: &Restart) -> Result<Restarted, RestartError> {
        let mut gateway = self.gateway.take().ok_or(RestartError::Open)?;
        let left = match restart.stop {
            Stop::Kill | Stop::PowerCut => 0,
            Stop::ShutDown { deadline_ms } => {
                let deadline = deadline_ms.map(|ms| Duration::from_millis(ms.into()));
                gateway.shut_down(deadline, &mut |_| {}).left
            }
        };
        self.sectors_before += gateway.disk().sectors;
        self.home.closing(restart.stop);
        // What is in RAM only is gone with it.
        drop(gateway);
        self.config.pool_bytes = restart.pool_bytes.unwrap_or(self.config.pool_bytes);
        self.config.quota_bytes = restart.quota_bytes.unwrap_or(self.config.quota_bytes);
        let started = Instant::now();
        for tries_left in (0..OPEN_TRIES).rev() {
            match self.reopen() {
                Ok(()) => break,
                // Whoever starts the process starts it again while its disk gives errors.
                Err(OpenError::Disk(_)) if tries_left > 0 => {}
                Err(error) => {
                    self.open_error = Some(error);
                    return Err(RestartError::Open);
                }
            }
        }
        self.recoveries_ns.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Ok(Restarted { epoch: self.gateway().epoch(), left })
    }
}

#[cfg(test)]
mod tests {
    use super::LinuxStore;
    use crate::{
        Record, Sensor, SensorConfig, SensorKey, Timestamp,
        gateway::{GatewayConfig, WhenFull},
        scenario::{Answer, Engine, Restart, Stop},
    };

    const KEY: SensorKey = SensorKey { source: 0, id: 1 };

    fn add(store: &mut LinuxStore, sensor: Sensor, seconds: core::ops::Range<u64>) {
        for second in seconds {
            for part in 0..10 {
                let ms = second * 1_000 + part * 100;
                store.append(sensor, ms as u32, Timestamp::utc(ms)).unwrap();
                store.tick(ms);
            }
        }
    }

    /// The disk is full for an hour, in which more is added than RAM holds, and the link comes back while
    /// it still is: what is answered then is durably so, because no record took the space for that.
    #[test]
    fn a_full_disk_still_takes_answers_after_a_long_time_without_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let config = GatewayConfig {
            pool_bytes: 16 << 10,
            spill_after_ms: 1_000,
            reserve_bytes: 64 << 10,
            full: WhenFull::RecycleOldest,
            ..GatewayConfig::new(4)
        };
        let mut store = LinuxStore::open(directory.path().to_path_buf(), config).unwrap();
        let sensor = store.register(SensorConfig::time_series(KEY, 100)).unwrap();
        add(&mut store, sensor, 0..100);
        store.limit_disk(0);
        add(&mut store, sensor, 100..3_700);
        assert!(store.stats(sensor).dropped_recycled > 0, "{:?}", store.stats(sensor));

        let mut batch = [Record::default(); 100];
        for second in 3_700..3_720 {
            if let Some(token) = store.consume(sensor, &mut batch).unwrap() {
                store.answer(token, Answer::Ack).unwrap();
            }
            add(&mut store, sensor, second..second + 1);
        }
        let levels = store.levels(sensor).unwrap();
        assert!(levels.acked_durable_seq >= 900, "{levels:?}, {:?}", store.disk());

        let kill = Restart { at_ms: 0, stop: Stop::Kill, pool_bytes: None, quota_bytes: None };
        store.restart(&kill).unwrap();
        let sensor = store.register(SensorConfig::time_series(KEY, 100)).unwrap();
        let after = store.levels(sensor).unwrap();
        assert!(after.acked_seq >= levels.acked_durable_seq, "{after:?} follows {levels:?}");

        // It goes on by itself.
        store.limit_disk(u64::MAX);
        let added_seq = store.levels(sensor).unwrap().added_seq;
        add(&mut store, sensor, 3_720..3_780);
        let levels = store.levels(sensor).unwrap();
        assert!(levels.durable_seq > added_seq + 400, "{levels:?}");
    }
}
