//! What a gateway store is opened with.

use crate::{
    disk::{LogSizes, OpenError, Origin, PAGE_BYTES, SEGMENT_PAGES_MAX, SEGMENT_PAGES_MIN},
    ram::{Config, FullPolicy, Geometry, SharedConfig},
};

/// What an add does when the pool is exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits for the disk to take what is in the pool, at most so long; then it is refused.
    Wait {
        /// How long at most, in ms.
        ms: u32,
    },
    /// Lets the disk take what is in the pool; if that fails, drops the oldest unsent sector in RAM.
    RecycleOldest,
    /// Is refused at once; the manager makes room.
    Refuse,
}

/// When what was written becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every so often: a power cut takes at most what was written since.
    Interval {
        /// How often, in ms.
        ms: u32,
    },
    /// With every spill, and acknowledgements with every tick.
    EverySpill,
    /// When the kernel pleases: no promise about a power cut.
    Os,
}

/// What a gateway store is opened with. Start from [`new`](Self::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The pool.
    pub pool_bytes: u64,
    /// Bytes of a RAM sector: a power of two from 32 to 4,096; `None`: the largest that gives every
    /// sensor two, else one.
    pub sector_bytes: Option<u32>,
    /// The most sensors that can be registered, those that left the configuration and still hold
    /// records included.
    pub sensors_max: u32,
    /// Entries of the loss ledger in RAM and in a checkpoint.
    pub losses_max: u32,
    /// What an add does when the pool is exhausted.
    pub full: WhenFull,
    /// When what was written becomes durable.
    pub durability: Durability,
    /// A record stays in RAM unwritten at most so long, in ms.
    pub spill_after_ms: u64,
    /// What one sensor may hold on disk: its records at 8 B an event or stamped reading, 4 B a
    /// time-series reading.
    pub quota_bytes: u64,
    /// The most that the store's files take.
    pub disk_max_bytes: u64,
    /// The size at which a segment is sealed. Of a store that exists its own counts.
    pub segment_bytes: u64,
    /// Space that is kept for acknowledgements on a full disk.
    pub reserve_bytes: u64,
    /// Whether sealed segments are squeezed.
    pub squeezes: bool,
    /// Where the numbers begin of a store that is created.
    pub origin: Origin,
}

impl GatewayConfig {
    /// The default: a 64 KiB pool, a wait of 1 s when it is full, durable within 1 s, written within
    /// 60 s, 256 MiB a sensor, 4 GiB in all, segments of 16 MiB, 256 KiB in reserve.
    pub fn new(sensors_max: u32) -> Self {
        Self {
            pool_bytes: 64 << 10,
            sector_bytes: None,
            sensors_max,
            losses_max: sensors_max.max(256),
            full: WhenFull::Wait { ms: 1_000 },
            durability: Durability::Interval { ms: 1_000 },
            spill_after_ms: 60_000,
            quota_bytes: 256 << 20,
            disk_max_bytes: 4 << 30,
            segment_bytes: 16 << 20,
            reserve_bytes: 256 << 10,
            squeezes: true,
            origin: Origin::default(),
        }
    }

    /// The settings that no store can have, by name.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let pages = self.segment_pages();
        if !(SEGMENT_PAGES_MIN..=SEGMENT_PAGES_MAX).contains(&pages) {
            return Err(OpenError::Setting("a segment has 64 KiB to 1 GiB: change segment_bytes"));
        }
        let least = self.segment_bytes.saturating_mul(4).saturating_add(self.reserve_bytes);
        if self.disk_max_bytes < least {
            return Err(OpenError::Setting(
                "disk_max_bytes is less than four segments and the reserve: raise it, or take smaller \
                 segments",
            ));
        }
        if self.origin.segment == 0 || self.origin.lsn == 0 || self.origin.epoch == 0 {
            return Err(OpenError::Setting("segments, pages and openings are numbered from 1"));
        }
        Ok(())
    }

    pub(super) fn segment_pages(&self) -> u32 {
        u32::try_from(self.segment_bytes / PAGE_BYTES as u64).unwrap_or(u32::MAX)
    }

    pub(super) fn sizes(&self, segment_pages: u32) -> LogSizes {
        // Squeezed segments are about half as large.
        let segment_bytes = u64::from(segment_pages) * PAGE_BYTES as u64;
        let segments = self.disk_max_bytes.saturating_mul(2) / segment_bytes;
        LogSizes {
            sensors_max: self.sensors_max,
            segment_pages,
            segments_max: usize::try_from(segments).unwrap_or(usize::MAX).min(1 << 20) + 16,
        }
    }

    pub(super) fn ram(&self, epoch: u32) -> Result<SharedConfig, OpenError> {
        let geometry = match self.sector_bytes {
            None => Geometry::auto(self.pool_bytes, self.sensors_max),
            Some(bytes) => Geometry::new(self.pool_bytes, bytes, self.sensors_max),
        };
        Ok(SharedConfig {
            geometry: geometry.map_err(OpenError::Geometry)?,
            sensors_max: self.sensors_max,
            losses_max: self.losses_max,
            config: Config {
                policy: match self.full {
                    WhenFull::RecycleOldest => FullPolicy::RecycleOldest,
                    WhenFull::Wait { .. } | WhenFull::Refuse => FullPolicy::RefuseNew,
                },
                epoch,
            },
        })
    }
}
