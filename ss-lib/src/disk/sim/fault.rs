//! Faults that are due: at the nth call, or by chance.

use super::image::mix;
use rustix::io::Errno;
use std::io;

/// A call of the trait that can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the calls are named like the trait's")]
pub enum Call {
    List,
    Open,
    Create,
    Length,
    Read,
    Write,
    SetLen,
    Sync,
    SyncDir,
    Unlink,
    Rename,
}

/// How a call fails. See the fault model at the head of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimFault {
    /// `EIO`; a write takes half of its bytes first, a sync drops what it should have made durable.
    Io,
    /// `ENOSPC`; a write takes half of its bytes first.
    Full,
    /// `EDQUOT`; a write takes half of its bytes first.
    Quota,
    /// `EROFS`.
    ReadOnly,
    /// `EMFILE`.
    TooManyFiles,
    /// `EINTR`, before anything was done.
    Interrupted,
    /// A read or a write takes a third, and says so.
    Short,
    /// A read returns a flipped bit.
    Rotten,
    /// A read returns another sector.
    Misdirected,
}

impl SimFault {
    pub(super) fn error(self) -> io::Error {
        let errno = match self {
            Self::Io | Self::Rotten | Self::Misdirected => Errno::IO,
            Self::Full | Self::Short => Errno::NOSPC,
            Self::Quota => Errno::DQUOT,
            Self::ReadOnly => Errno::ROFS,
            Self::TooManyFiles => Errno::MFILE,
            Self::Interrupted => Errno::INTR,
        };
        errno.into()
    }

    /// Whether the call does something before or in place of an error.
    const fn is_partial_at(self, call: Call) -> bool {
        match call {
            Call::Write => matches!(self, Self::Io | Self::Full | Self::Quota | Self::Short),
            Call::Sync => matches!(self, Self::Io | Self::Full | Self::Quota),
            Call::Read => matches!(self, Self::Short | Self::Rotten | Self::Misdirected),
            _ => false,
        }
    }
}

/// A fault that is due at the `nth` such call from when it was set, 0 the next one, and at so many more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which call.
    pub call: Call,
    /// How it fails.
    pub fault: SimFault,
    /// Calls that go well before.
    pub nth: u64,
    /// Calls that fail.
    pub times: u32,
}

#[derive(Clone, Copy, Debug)]
struct Chance {
    call: Call,
    fault: SimFault,
    ppm: u32,
}

/// What is due on a disk.
#[derive(Debug)]
pub(super) struct Faults {
    due: Vec<Due>,
    chances: Vec<Chance>,
    drawn: u64,
    /// Bytes that the disk has room for.
    pub(super) capacity: u64,
    pub(super) is_read_only: bool,
    pub(super) failed: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            due: Vec::new(),
            chances: Vec::new(),
            drawn: 0,
            capacity: u64::MAX,
            is_read_only: false,
            failed: 0,
        }
    }
}

impl Faults {
    pub(super) fn push(&mut self, due: Due) {
        self.due.push(due);
    }

    pub(super) fn has_due(&self, call: Call) -> bool {
        self.due.iter().any(|due| due.call == call)
    }

    pub(super) fn push_chance(&mut self, call: Call, fault: SimFault, ppm: u32, seed: u64) {
        self.drawn ^= seed;
        self.chances.push(Chance { call, fault, ppm });
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.drawn = mix(self.drawn, 1);
        self.drawn
    }

    /// The fault of this call, if it has one; with whether something is done in spite of it.
    pub(super) fn due(&mut self, call: Call) -> Option<Pending> {
        let changes = !matches!(call, Call::List | Call::Open | Call::Length | Call::Read);
        let fault = if self.is_read_only && changes {
            Some(SimFault::ReadOnly)
        } else {
            self.told(call).or_else(|| self.drawn(call))
        }?;
        self.failed += 1;
        Some(Pending { fault, is_partial: fault.is_partial_at(call) })
    }

    fn told(&mut self, call: Call) -> Option<SimFault> {
        let at = self.due.iter_mut().position(|due| {
            let is_next = due.call == call && due.nth == 0;
            due.nth -= u64::from(due.call == call && due.nth > 0);
            is_next
        })?;
        let fault = self.due[at].fault;
        self.due[at].times = self.due[at].times.saturating_sub(1);
        if self.due[at].times == 0 {
            self.due.remove(at);
        }
        Some(fault)
    }

    fn drawn(&mut self, call: Call) -> Option<SimFault> {
        for at in 0..self.chances.len() {
            let chance = self.chances[at];
            if chance.call == call && self.draw() % 1_000_000 < u64::from(chance.ppm) {
                return Some(chance.fault);
            }
        }
        None
    }
}

/// A fault that a call has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) fault: SimFault,
    pub(super) is_partial: bool,
}
