//! How a store is configured, and what a configuration costs in memory.

use crate::status::ss_status;
use ss_lib::ram::{Config, FullPolicy, Geometry, STM32_SECTOR_BYTES, STM32_SECTORS, STM32_SENSORS};

/// The kinds of store: `profile` of `ss_config`, and what `ss_config_init` is asked for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ss_profile {
    /// Memory that the caller lends: `ss_open_memory`. 100 sensors, 100 sectors of 256 B, 8 ledger
    /// entries, recycle-oldest: 33,008 B.
    SS_PROFILE_STM32 = 0,
    /// RAM of a gateway: `ss_open_ram`. 2,048 sensors, a pool of 64 KiB, recycle-oldest.
    SS_PROFILE_LINUX_RAM = 1,
    /// RAM and a directory on disk: `ss_open`. 2,048 sensors, a pool of 64 KiB, a wait of 1 s when it is
    /// full, durable within 1 s, written within 60 s, 256 MiB a sensor and 4 GiB in all, segments of
    /// 16 MiB, 256 KiB in reserve.
    SS_PROFILE_LINUX = 2,
}

/// What an add does when the pool is exhausted: `when_full` of `ss_config`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ss_when_full {
    /// Drops the oldest sector without pending records: of the same sensor, else of the one that holds
    /// most. With a disk only if the disk does not take it.
    SS_WHEN_FULL_RECYCLE = 0,
    /// Is refused at once.
    SS_WHEN_FULL_REFUSE = 1,
    /// Waits for the disk, at most `wait_ms`; then it is refused. Only with a disk.
    SS_WHEN_FULL_WAIT = 2,
}

/// When what was written becomes durable: `durability` of `ss_config`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ss_durability {
    /// Every `sync_interval_ms`: a power cut takes at most what was written since.
    SS_DURABILITY_INTERVAL = 0,
    /// With every spill, and acknowledgements with every tick.
    SS_DURABILITY_EVERY_SPILL = 1,
    /// When the kernel pleases: no promise about a power cut.
    SS_DURABILITY_OS = 2,
}

/// What a store is opened with. Always begin with `ss_config_init`. 104 B.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ss_config {
    /// `sizeof(ss_config)`, set by `ss_config_init`; a caller of another interface is found by it.
    pub size_bytes: u32,
    /// One of `ss_profile`, set by `ss_config_init`.
    pub profile: u32,
    /// The most sensors that can be registered.
    pub sensors_max: u32,
    /// Entries of the loss ledger.
    pub losses_max: u32,
    /// The pool.
    pub pool_bytes: u64,
    /// Bytes of a RAM sector: a power of two from 32 to 4,096; on Linux also 0: the largest that gives
    /// every sensor two, else one.
    pub sector_bytes: u32,
    /// The number of this opening, for stores without a disk: give each its own. (A store on disk counts
    /// its openings itself.)
    pub epoch: u32,
    /// One of `ss_when_full`.
    pub when_full: u32,
    /// How long an add waits at most, in ms.
    pub wait_ms: u32,
    /// One of `ss_durability`. This and what follows is for stores with a disk.
    pub durability: u32,
    /// Of `SS_DURABILITY_INTERVAL`, in ms.
    pub sync_interval_ms: u32,
    /// A record stays in RAM unwritten at most so long, in ms.
    pub spill_after_ms: u64,
    /// What one sensor may hold on disk, at 8 B an event and 4 B a reading of a series.
    pub quota_bytes: u64,
    /// The most that the store's files take.
    pub disk_max_bytes: u64,
    /// The size at which a segment is sealed.
    pub segment_bytes: u64,
    /// Space that is kept for acknowledgements on a full disk.
    pub reserve_bytes: u64,
    /// 1: sealed segments are squeezed; 0: they are not.
    pub squeezes: u32,
    /// 0.
    pub reserved: [u32; 3],
}

const _: () = assert!(size_of::<ss_config>() == 104);

impl ss_config {
    pub(crate) fn of_profile(profile: u32) -> Result<Self, ss_status> {
        let stm32 = Self {
            size_bytes: size_of::<Self>() as u32,
            profile,
            sensors_max: STM32_SENSORS as u32,
            losses_max: 8,
            pool_bytes: STM32_SECTORS as u64 * u64::from(STM32_SECTOR_BYTES),
            sector_bytes: STM32_SECTOR_BYTES,
            epoch: 0,
            when_full: ss_when_full::SS_WHEN_FULL_RECYCLE as u32,
            wait_ms: 0,
            durability: ss_durability::SS_DURABILITY_INTERVAL as u32,
            sync_interval_ms: 0,
            spill_after_ms: 0,
            quota_bytes: 0,
            disk_max_bytes: 0,
            segment_bytes: 0,
            reserve_bytes: 0,
            squeezes: 0,
            reserved: [0; 3],
        };
        match profile {
            0 => Ok(stm32),
            #[cfg(feature = "std")]
            1 => Ok(linux::ram(stm32)),
            #[cfg(feature = "std")]
            2 => Ok(linux::disk(stm32)),
            _ => Err(ss_status::SS_EINVAL),
        }
    }

    /// Refuses what is no configuration of `profile` at all.
    pub(crate) fn check(&self, profile: ss_profile) -> Result<(), ss_status> {
        let is_one = self.size_bytes as usize == size_of::<Self>()
            && self.reserved == [0; 3]
            && self.profile == profile as u32
            && self.when_full <= ss_when_full::SS_WHEN_FULL_WAIT as u32
            && self.durability <= ss_durability::SS_DURABILITY_OS as u32
            && self.squeezes <= 1;
        if is_one { Ok(()) } else { Err(ss_status::SS_EINVAL) }
    }

    pub(crate) fn geometry(&self) -> Result<Geometry, ss_status> {
        let geometry = match self.sector_bytes {
            #[cfg(feature = "std")]
            0 => Geometry::auto(self.pool_bytes, self.sensors_max),
            bytes => Geometry::new(self.pool_bytes, bytes, self.sensors_max),
        };
        #[cfg(feature = "std")]
        if let Err(error) = geometry {
            crate::handle::explain(&error);
        }
        geometry.map_err(|_| ss_status::SS_ECONFIG)
    }

    /// The settings of a store without a disk.
    pub(crate) fn ram(&self) -> Result<Config, ss_status> {
        let policy = match self.when_full {
            0 => FullPolicy::RecycleOldest,
            1 => FullPolicy::RefuseNew,
            // There is nothing to wait for.
            _ => return Err(ss_status::SS_ECONFIG),
        };
        Ok(Config { policy, epoch: self.epoch })
    }
}

/// What only Linux has.
#[cfg(feature = "std")]
mod linux {
    use super::{ss_config, ss_durability, ss_status, ss_when_full};
    use ss_lib::{
        gateway::{Durability, GatewayConfig, WhenFull},
        ram::SharedConfig,
    };

    const SENSORS: u32 = 2_048;

    pub(super) fn ram(base: ss_config) -> ss_config {
        ss_config {
            sensors_max: SENSORS,
            losses_max: SENSORS,
            pool_bytes: 64 << 10,
            sector_bytes: 0,
            ..base
        }
    }

    pub(super) fn disk(base: ss_config) -> ss_config {
        let defaults = GatewayConfig::new(SENSORS);
        let (when_full, wait_ms) = match defaults.full {
            WhenFull::RecycleOldest => (ss_when_full::SS_WHEN_FULL_RECYCLE, 0),
            WhenFull::Refuse => (ss_when_full::SS_WHEN_FULL_REFUSE, 0),
            WhenFull::Wait { ms } => (ss_when_full::SS_WHEN_FULL_WAIT, ms),
        };
        let (durability, sync_interval_ms) = match defaults.durability {
            Durability::Interval { ms } => (ss_durability::SS_DURABILITY_INTERVAL, ms),
            Durability::EverySpill => (ss_durability::SS_DURABILITY_EVERY_SPILL, 0),
            Durability::Os => (ss_durability::SS_DURABILITY_OS, 0),
        };
        ss_config {
            sensors_max: SENSORS,
            losses_max: defaults.losses_max,
            pool_bytes: defaults.pool_bytes,
            sector_bytes: defaults.sector_bytes.unwrap_or(0),
            when_full: when_full as u32,
            wait_ms,
            durability: durability as u32,
            sync_interval_ms,
            spill_after_ms: defaults.spill_after_ms,
            quota_bytes: defaults.quota_bytes,
            disk_max_bytes: defaults.disk_max_bytes,
            segment_bytes: defaults.segment_bytes,
            reserve_bytes: defaults.reserve_bytes,
            squeezes: u32::from(defaults.squeezes),
            ..base
        }
    }

    impl ss_config {
        pub(crate) fn shared(&self) -> Result<SharedConfig, ss_status> {
            Ok(SharedConfig {
                geometry: self.geometry()?,
                sensors_max: self.sensors_max,
                losses_max: self.losses_max,
                config: self.ram()?,
            })
        }

        pub(crate) fn gateway(&self) -> GatewayConfig {
            GatewayConfig {
                pool_bytes: self.pool_bytes,
                sector_bytes: (self.sector_bytes != 0).then_some(self.sector_bytes),
                sensors_max: self.sensors_max,
                losses_max: self.losses_max,
                full: match self.when_full {
                    0 => WhenFull::RecycleOldest,
                    1 => WhenFull::Refuse,
                    _ => WhenFull::Wait { ms: self.wait_ms },
                },
                durability: match self.durability {
                    0 => Durability::Interval { ms: self.sync_interval_ms },
                    1 => Durability::EverySpill,
                    _ => Durability::Os,
                },
                spill_after_ms: self.spill_after_ms,
                quota_bytes: self.quota_bytes,
                disk_max_bytes: self.disk_max_bytes,
                segment_bytes: self.segment_bytes,
                reserve_bytes: self.reserve_bytes,
                squeezes: self.squeezes == 1,
                ..GatewayConfig::new(self.sensors_max)
            }
        }
    }
}
