//! The line to the firmware: RTT channel 1, over the probe.

use super::{elf::Firmware, probe::chain, trouble::Trouble};
use probe_rs::{Core, MemoryInterface, rtt::Rtt};
use ss_lib::wire::{
    HostLink,
    crash::{CRASH_WORDS, Crash},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// The channel of the frames.
const CHANNEL: usize = 1;
/// How long the firmware may take from a reset to its line.
const UP_PATIENCE: Duration = Duration::from_secs(3);
/// How often the core's state is looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// From one look at the line to the next.
const IDLE: Duration = Duration::from_millis(1);
/// Debug halting control and status, and its bit that says that the core is locked up.
const DHCSR: u64 = 0xE000_EDF0;
const S_LOCKUP: u32 = 1 << 19;

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Gone {
    /// The probe does not answer.
    Probe(String),
    /// The core is locked up.
    LockedUp,
    /// The program broke, and left a record.
    Crashed(Crash),
}

/// RTT on a core.
pub(crate) struct Line<'s> {
    core: Core<'s>,
    rtt: Rtt,
    rtt_at: u64,
    crash_at: u64,
    looked: Instant,
}

impl<'s> Line<'s> {
    /// Waits until the firmware has set its line up.
    pub(crate) fn attach(mut core: Core<'s>, firmware: &Firmware) -> Result<Self, Trouble> {
        let (rtt_at, crash_at) = (u64::from(firmware.rtt), u64::from(firmware.crash));
        let began = Instant::now();
        loop {
            match Rtt::attach_at(&mut core, rtt_at) {
                Ok(rtt) => {
                    return Ok(Self { core, rtt, rtt_at, crash_at, looked: Instant::now() });
                }
                Err(probe_rs::rtt::Error::Probe(error)) => {
                    return Err(Trouble::Probe { doing: "read the memory", error: chain(&error) });
                }
                _ if began.elapsed() > UP_PATIENCE => {
                    return Err(Trouble::NotUp { waited: UP_PATIENCE });
                }
                _ => thread::sleep(IDLE),
            }
        }
    }

    /// After a reset the firmware sets its line up again, and it is taken up where it is then.
    fn attach_again(&mut self) {
        if let Ok(rtt) = Rtt::attach_at(&mut self.core, self.rtt_at) {
            self.rtt = rtt;
        }
    }

    /// What an operation on the line gave. One that found it changed gave nothing.
    fn sort(&mut self, result: Result<usize, probe_rs::rtt::Error>) -> Result<usize, Gone> {
        match result {
            Ok(count) => Ok(count),
            Err(probe_rs::rtt::Error::Probe(error)) => {
                // A core that is locked up gives its memory away or not: its status tells.
                self.look()?;
                Err(Gone::Probe(chain(&error)))
            }
            Err(_) => {
                self.attach_again();
                Ok(0)
            }
        }
    }

    /// Looks at the core: whether it is locked up, whether it left a record.
    fn look(&mut self) -> Result<(), Gone> {
        let gone = |error: probe_rs::Error| Gone::Probe(chain(&error));
        if self.core.read_word_32(DHCSR).map_err(gone)? & S_LOCKUP != 0 {
            return Err(Gone::LockedUp);
        }
        let mut words = [0; CRASH_WORDS];
        self.core.read_32(self.crash_at, &mut words[..1]).map_err(gone)?;
        if words[0] != 0 {
            self.core.read_32(self.crash_at, &mut words).map_err(gone)?;
            if let Some(crash) = Crash::from_words(&words) {
                return Err(Gone::Crashed(crash));
            }
        }
        Ok(())
    }
}

impl HostLink for Line<'_> {
    type Error = Gone;

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Gone> {
        let result = match self.rtt.up_channel(CHANNEL) {
            Some(channel) => channel.read(&mut self.core, out),
            None => Err(probe_rs::rtt::Error::MissingChannel(CHANNEL)),
        };
        self.sort(result)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Gone> {
        let result = match self.rtt.down_channel(CHANNEL) {
            Some(channel) => channel.write(&mut self.core, bytes),
            None => Err(probe_rs::rtt::Error::MissingChannel(CHANNEL)),
        };
        self.sort(result)
    }

    fn idle(&mut self) -> Result<(), Gone> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.look()?;
            self.looked = Instant::now();
        }
        thread::sleep(IDLE);
        Ok(())
    }
}
