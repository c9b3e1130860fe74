//! A store's health: a state, asked for at any time, never an edge that somebody could miss.

use crate::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

/// Why a store is not in full health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthCause {
    /// The disk has no space for records; they stay in RAM, and the store tries again by itself.
    DiskFull,
    /// The disk fails; the store tries again by itself.
    IoError,
    /// A sync failed: what was written before it may be gone after a power cut. It lies in a segment
    /// that is closed since, until it is delivered or squeezed.
    SyncFailed,
    /// The store's directory is in RAM: nothing in it survives a power cut.
    Volatile,
    /// Pages could not be read: their records are listed as lost when they are due.
    Damaged,
    /// A sensor reached its quota: its oldest records are dropped.
    QuotaReached,
    /// The store reached its limit on disk: the oldest records of whoever holds most are dropped.
    DiskMaxReached,
    /// The space that was reserved for acknowledgements is in use.
    ReserveInUse,
}

impl HealthCause {
    /// Every cause.
    pub const ALL: [Self; 8] = [
        Self::DiskFull,
        Self::IoError,
        Self::SyncFailed,
        Self::Volatile,
        Self::Damaged,
        Self::QuotaReached,
        Self::DiskMaxReached,
        Self::ReserveInUse,
    ];

    /// The cause's word in reports and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::IoError => "io-error",
            Self::SyncFailed => "sync-failed",
            Self::Volatile => "volatile",
            Self::Damaged => "damaged",
            Self::QuotaReached => "quota-reached",
            Self::DiskMaxReached => "disk-max-reached",
            Self::ReserveInUse => "reserve-in-use",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The causes that hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Health(u32);

impl Health {
    /// Nothing is wrong.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether this cause holds.
    pub const fn has(self, cause: HealthCause) -> bool {
        self.0 & cause.bit() != 0
    }

    /// The causes that hold.
    pub fn causes(self) -> impl Iterator<Item = HealthCause> {
        HealthCause::ALL.into_iter().filter(move |&cause| self.has(cause))
    }
}

/// Health as threads share it.
#[derive(Debug, Default)]
pub(super) struct HealthState(AtomicU32);

impl HealthState {
    pub(super) fn get(&self) -> Health {
        Health(self.0.load(Relaxed))
    }

    pub(super) fn set(&self, cause: HealthCause, holds: bool) {
        if holds {
            self.0.fetch_or(cause.bit(), Relaxed);
        } else {
            self.0.fetch_and(!cause.bit(), Relaxed);
        }
    }
}
