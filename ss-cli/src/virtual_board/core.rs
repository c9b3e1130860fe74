//! The core as a debugger sees it: memory, and the debug registers that QEMU lacks.

use super::{gdb::Gdb, qemu::Qemu, qmp::Qmp, qtest::Qtest};
use std::{io, path::Path};

/// Debug halting control and status.
const DHCSR: u32 = 0xE000_EDF0;
/// Debug core register selector.
const DCRSR: u32 = 0xE000_EDF4;
/// Debug core register data.
const DCRDR: u32 = 0xE000_EDF8;
/// Debug exception and monitor control.
const DEMCR: u32 = 0xE000_EDFC;
/// Debug fault status.
const DFSR: u32 = 0xE000_ED30;
/// Application interrupt and reset control.
const AIRCR: u32 = 0xE000_ED0C;
/// Flash patch and breakpoint: control, comparators, and how many of these.
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMP: u32 = 0xE000_2008;
const BREAKPOINTS: usize = 6;
/// Data watchpoints and trace: there is none.
const DWT: std::ops::Range<u32> = 0xE000_1000..0xE000_2000;
/// The core's own registers, which are words.
const PRIVATE: std::ops::Range<u32> = 0xE000_0000..0xE010_0000;
/// The chip's identity, which QEMU lacks too: an STM32F405, revision Y.
const DBGMCU_IDCODE: u32 = 0xE004_2000;
const STM32F405_IDCODE: u32 = 0x100F_6413;

const DHCSR_KEY: u32 = 0xA05F;
const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET_ST: u32 = 1 << 25;
const DCRSR_WRITE: u32 = 1 << 16;
const VC_CORERESET: u32 = 1;
const AIRCR_KEY: u32 = 0x05FA;
const SYSRESETREQ: u32 = 1 << 2;
/// xPSR: of the selector, and of the gdbstub.
const XPSR: u32 = 16;
const GDB_XPSR: u32 = 0x19;

pub(super) struct Core {
    qtest: Qtest,
    gdb: Gdb,
    qmp: Qmp,
    qemu: Qemu,
    is_halted: bool,
    is_locked_up: bool,
    was_reset: bool,
    is_debugged: bool,
    demcr: u32,
    dcrdr: u32,
    fp_enabled: bool,
    fp_comparators: [u32; BREAKPOINTS],
}

impl Core {
    /// A core that stands before its first instruction.
    pub(super) fn start(elf: &Path) -> Result<Self, String> {
        let mut qemu = Qemu::start(elf)?;
        Ok(Self {
            qtest: Qtest::connect(&mut qemu)?,
            gdb: Gdb::connect(&mut qemu)?,
            qmp: Qmp::connect(&mut qemu)?,
            qemu,
            is_halted: true,
            is_locked_up: false,
            was_reset: false,
            is_debugged: false,
            demcr: 0,
            dcrdr: 0,
            fp_enabled: false,
            fp_comparators: [0; BREAKPOINTS],
        })
    }

    /// Reads bytes from `address` on. Nobody can read past the end of the addresses.
    pub(super) fn read(&mut self, address: u32, count: usize) -> io::Result<Vec<u8>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if !PRIVATE.contains(&address) {
            return self.noticing(|core| core.qtest.read(address, count));
        }
        let from = address & !3;
        let before = (address - from) as usize;
        let mut bytes = Vec::with_capacity(before + count + 3);
        for word in 0..(before + count).div_ceil(4) as u32 {
            let word = self.read_word(from.wrapping_add(4 * word))?;
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        Ok(bytes[before..before + count].to_vec())
    }

    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !PRIVATE.contains(&address) {
            return self.noticing(|core| core.qtest.write(address, bytes));
        }
        let mut address = address;
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_word(address, u32::from_le_bytes(word))?;
            address = address.wrapping_add(4);
        }
        Ok(())
    }

    pub(super) fn read_word(&mut self, address: u32) -> io::Result<u32> {
        match address {
            DHCSR => self.status(),
            DCRDR => Ok(self.dcrdr),
            DEMCR => Ok(self.demcr),
            DFSR => Ok(u32::from(self.is_halted)),
            DBGMCU_IDCODE => Ok(STM32F405_IDCODE),
            FP_CTRL => Ok((BREAKPOINTS as u32) << 4 | u32::from(self.fp_enabled)),
            _ if DWT.contains(&address) => Ok(0),
            _ => match comparator(address) {
                Some(at) => Ok(self.fp_comparators[at]),
                None => self.noticing(|core| core.qtest.read_word(address)),
            },
        }
    }

    pub(super) fn write_word(&mut self, address: u32, word: u32) -> io::Result<()> {
        match address {
            DHCSR if word >> 16 == DHCSR_KEY => self.noticing(|core| core.control(word)),
            DHCSR | DFSR => Ok(()),
            DCRSR => self.noticing(|core| core.transfer(word)),
            DCRDR => {
                self.dcrdr = word;
                Ok(())
            }
            DEMCR => {
                self.demcr = word;
                Ok(())
            }
            AIRCR if word >> 16 == AIRCR_KEY && word & SYSRESETREQ != 0 => {
                self.noticing(Self::reset)
            }
            FP_CTRL => {
                self.fp_enabled = word & 1 != 0;
                Ok(())
            }
            _ if DWT.contains(&address) => Ok(()),
            _ => match comparator(address) {
                Some(at) => self.noticing(|core| core.set_comparator(at, word)),
                None => self.noticing(|core| core.qtest.write_word(address, word)),
            },
        }
    }

    /// Does something that fails when QEMU ends, and notices if it ended because of a lock-up.
    fn noticing<R>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<R>) -> io::Result<R> {
        if self.is_locked_up {
            return Err(io::Error::other("the core is locked up"));
        }
        let result = work(self);
        if result.is_err() && self.qemu.has_locked_up() {
            self.is_locked_up = true;
        }
        result
    }

    fn status(&mut self) -> io::Result<u32> {
        if !self.is_halted && !self.is_locked_up {
            match self.noticing(|core| core.gdb.has_stopped()) {
                Ok(has_stopped) => self.is_halted = has_stopped,
                Err(_) if self.is_locked_up => {}
                Err(error) => return Err(error),
            }
        }
        let mut status = S_REGRDY | if self.is_debugged { C_DEBUGEN } else { 0 };
        if self.is_halted {
            status |= S_HALT | C_HALT;
        }
        if self.is_locked_up {
            status |= S_LOCKUP;
        }
        if std::mem::take(&mut self.was_reset) {
            status |= S_RESET_ST;
        }
        Ok(status)
    }

    fn control(&mut self, word: u32) -> io::Result<()> {
        self.is_debugged = word & C_DEBUGEN != 0;
        if self.is_debugged && word & C_STEP != 0 {
            self.halt()?;
            self.gdb.step()
        } else if self.is_debugged && word & C_HALT != 0 {
            self.halt()
        } else {
            self.resume()
        }
    }

    fn halt(&mut self) -> io::Result<()> {
        if !self.is_halted {
            self.gdb.halt()?;
            self.is_halted = true;
        }
        Ok(())
    }

    fn resume(&mut self) -> io::Result<()> {
        if self.is_halted {
            self.gdb.run()?;
            self.is_halted = false;
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.halt()?;
        self.qmp.reset()?;
        self.was_reset = true;
        if self.demcr & VC_CORERESET == 0 { self.resume() } else { Ok(()) }
    }

    /// Moves a register of the core to or from DCRDR. QEMU gives none away while the core runs.
    fn transfer(&mut self, selector: u32) -> io::Result<()> {
        self.halt()?;
        let register = match selector & 0x7F {
            general @ 0..XPSR => general,
            XPSR => GDB_XPSR,
            // Stack pointers by name, masks, floating point: QEMU's stub does not have them so.
            _ => {
                self.dcrdr = 0;
                return Ok(());
            }
        };
        if selector & DCRSR_WRITE != 0 {
            self.gdb.write_register(register, self.dcrdr)
        } else {
            self.dcrdr = self.gdb.read_register(register)?;
            Ok(())
        }
    }

    fn set_comparator(&mut self, at: usize, word: u32) -> io::Result<()> {
        // Bits 31 and 30 say which half of the word.
        let address = |word: u32| word & 0x1FFF_FFFC | if word >> 30 == 2 { 2 } else { 0 };
        let before = std::mem::replace(&mut self.fp_comparators[at], word);
        if before & 1 != 0 {
            self.gdb.set_breakpoint(address(before), false)?;
        }
        if word & 1 != 0 {
            self.gdb.set_breakpoint(address(word), true)?;
        }
        Ok(())
    }
}

fn comparator(address: u32) -> Option<usize> {
    let at = (address.checked_sub(FP_COMP)? / 4) as usize;
    (address.is_multiple_of(4) && at < BREAKPOINTS).then_some(at)
}
