//! What goes wrong with a disk in a scenario, and who tells the simulated disk of it.

mod rot;

pub use rot::Rotten;

use crate::disk::sim::{Call, Due, Outcome, Rest, SimDisk, SimFault, draw};
use rot::Way;
use serde::Deserialize;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The power goes: of what no sync covered anything may be gone.
    PowerCut,
    /// The process dies: what the kernel has stays.
    Kill,
    /// A power cut that leaves the last write in part.
    TornWrite,
    /// A power cut that leaves later writes and not earlier ones.
    Reorder,
    /// A bit of a page flips.
    BitRot,
    /// A page stands in another one's place.
    MisdirectedWrite,
    /// A call fails with an input/output error.
    IoError,
    /// A sync fails, its pages are dropped, and later ones go well.
    SyncLies,
    /// The disk takes nothing more for some time.
    DiskFull,
    /// The disk is read-only for some time.
    ReadOnly,
    /// The device's clock jumps.
    ClockJump,
}

impl FaultKind {
    /// Its word in scenarios and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerCut => "power-cut",
            Self::Kill => "kill",
            Self::TornWrite => "torn-write",
            Self::Reorder => "reorder",
            Self::BitRot => "bit-rot",
            Self::MisdirectedWrite => "misdirected-write",
            Self::IoError => "io-error",
            Self::SyncLies => "sync-lies",
            Self::DiskFull => "disk-full",
            Self::ReadOnly => "read-only",
            Self::ClockJump => "clock-jump",
        }
    }

    /// Whether it leaves a state of the disk that an exploration can look at everywhere.
    pub const fn can_be_everywhere(self) -> bool {
        matches!(
            self,
            Self::PowerCut
                | Self::Kill
                | Self::TornWrite
                | Self::Reorder
                | Self::BitRot
                | Self::MisdirectedWrite
        )
    }

    /// Whether each call of the disk can have it with some chance.
    pub const fn can_have_a_chance(self) -> bool {
        matches!(self, Self::IoError | Self::SyncLies)
    }

    /// How a page goes bad by it, if it does.
    const fn rot(self) -> Option<Way> {
        match self {
            Self::BitRot => Some(Way::Flip),
            Self::MisdirectedWrite => Some(Way::Misdirect),
            _ => None,
        }
    }

    /// Whether it lets a page go bad that was durable.
    pub(super) const fn is_rot(self) -> bool {
        self.rot().is_some()
    }
}

/// A call of the disk, as scenarios name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the calls are named like the disk's")]
pub enum CallName {
    Read,
    Write,
    Sync,
    Create,
    Unlink,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// From when on, in ms of virtual time.
    pub at_ms: u64,
    /// For how long, in ms, if it lasts.
    pub length_ms: u64,
    /// The chance of each call, in millionths; 0: it comes once.
    pub chance_ppm: u32,
    /// Which call, of an I/O error.
    pub call: CallName,
    /// It is looked for at every operation, by an exploration alone.
    pub is_everywhere: bool,
}

impl Fault {
    pub(super) const fn everywhere(kind: FaultKind) -> Self {
        Self {
            kind,
            at_ms: 0,
            length_ms: 0,
            chance_ppm: 0,
            call: CallName::Write,
            is_everywhere: true,
        }
    }
}

/// Tells a simulated disk of each fault when its time comes.
pub(super) struct FaultClock {
    disk: SimDisk,
    faults: Vec<Fault>,
    next: usize,
    /// When the disk is writable again.
    writable_ms: u64,
    /// Rot that is due and has no page yet that it can come to, with what was drawn for it.
    waiting: Vec<(Way, u64)>,
    /// What went bad since somebody asked.
    rotten: Vec<Rotten>,
    seed: u64,
}

impl FaultClock {
    pub(super) fn new(disk: SimDisk, faults: &[Fault], seed: u64) -> Self {
        let faults = faults.iter().filter(|fault| !fault.is_everywhere).copied().collect();
        let (waiting, rotten) = (Vec::new(), Vec::new());
        Self { disk, faults, next: 0, writable_ms: u64::MAX, waiting, rotten, seed }
    }

    /// The records whose page went bad since this was last asked.
    pub(super) fn take_rotten(&mut self) -> Vec<Rotten> {
        core::mem::take(&mut self.rotten)
    }

    /// Operations that changed something on the disk.
    pub(super) fn steps(&self) -> u64 {
        self.disk.steps()
    }

    /// It is `now_ms`, in virtual time.
    pub(super) fn advance(&mut self, now_ms: u64) {
        self.tell(now_ms);
        while let Some(&(way, drawn)) = self.waiting.first()
            && let Some(rotten) = rot::rot(&self.disk, way, drawn)
        {
            self.waiting.remove(0);
            self.rotten.extend(rotten);
        }
    }

    fn tell(&mut self, now_ms: u64) {
        if now_ms >= self.writable_ms {
            self.writable_ms = u64::MAX;
            self.disk.set_read_only(false);
        }
        while let Some(fault) = self.faults.get(self.next).filter(|fault| fault.at_ms <= now_ms) {
            let drawn = draw(self.seed, self.next as u64);
            self.next += 1;
            match fault.kind {
                FaultKind::ReadOnly => {
                    self.disk.set_read_only(true);
                    self.writable_ms = fault.at_ms.saturating_add(fault.length_ms);
                }
                FaultKind::TornWrite => {
                    let grains = (drawn % 7 + 1) as u16;
                    let rest = [Rest::Old, Rest::Zeros, Rest::Noise][drawn as usize / 8 % 3];
                    self.disk.set_next_cut(Outcome::Torn {
                        grains,
                        is_prefix: drawn & 1 == 0,
                        rest,
                    });
                }
                FaultKind::PowerCut | FaultKind::Reorder => {
                    let number = drawn as u32 % 1_000;
                    self.disk.set_next_cut(Outcome::Drawn { number, bytes: 4096 });
                }
                kind => {
                    if let Some(way) = kind.rot() {
                        self.waiting.push((way, drawn));
                        continue;
                    }
                    let Some((call, how)) = call_of(kind, fault.call) else { continue };
                    if fault.chance_ppm > 0 {
                        self.disk.fail_by_chance(call, how, fault.chance_ppm, drawn);
                    } else if !self.disk.has_due(call) {
                        // One at a time: a disk that was not asked does not save its errors up.
                        self.disk.fail(Due { call, fault: how, nth: 0, times: 1 });
                    }
                }
            }
        }
    }
}

/// The call that fails, and how.
const fn call_of(kind: FaultKind, call: CallName) -> Option<(Call, SimFault)> {
    Some(match kind {
        FaultKind::SyncLies => (Call::Sync, SimFault::Io),
        FaultKind::IoError => {
            let call = match call {
                CallName::Read => Call::Read,
                CallName::Write => Call::Write,
                CallName::Sync => Call::Sync,
                CallName::Create => Call::Create,
                CallName::Unlink => Call::Unlink,
            };
            (call, SimFault::Io)
        }
        _ => return None,
    })
}
