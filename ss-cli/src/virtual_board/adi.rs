//! Arm's debug interface: one debug port, and one access port to memory.

use super::core::Core;
use std::io;

/// A debug port of version 2, made by Arm.
const DPIDR: u32 = 0x2BA0_1477;
/// An access port to an AHB, made by Arm.
const AP_IDR: u32 = 0x2477_0011;
/// Where the core's table of components is.
const AP_BASE: u32 = 0xE00F_F003;
/// Word accesses, as they are after a reset.
const CSW: u32 = 0x2300_0040;

/// Registers of the debug port.
const CTRL_STAT: u32 = 0x4;
const SELECT: u32 = 0x8;
/// Registers of the access port.
const AP_CSW: u32 = 0x00;
const AP_TAR: u32 = 0x04;
const AP_DRW: u32 = 0x0C;

pub(super) struct Adi {
    pub(super) core: Core,
    control: u32,
    select: u32,
    csw: u32,
    address: u32,
    /// What the read of an access port before this one gave: over the line it comes one read late.
    posted: u32,
}

impl Adi {
    pub(super) fn new(core: Core) -> Self {
        Self { core, control: 0, select: 0, csw: CSW | 2, address: 0, posted: 0 }
    }

    pub(super) fn read_dp(&mut self, register: u32) -> u32 {
        match register & 0xF {
            0 => DPIDR,
            CTRL_STAT if self.select & 0xF == 0 => self.control,
            0xC => self.posted,
            _ => 0,
        }
    }

    pub(super) fn write_dp(&mut self, register: u32, value: u32) {
        match register & 0xF {
            CTRL_STAT => {
                // A request for power is acknowledged at once, in the bit above it.
                let requests = value & (1 << 28 | 1 << 30);
                self.control = value & 0x5400_0F01 | requests << 1;
            }
            SELECT => self.select = value,
            _ => {}
        }
    }

    /// The access port and register that SELECT and two address bits name.
    pub(super) fn selected(&self, register: u32) -> (u32, u32) {
        (self.select >> 24, self.select & 0xF0 | register & 0xC)
    }

    pub(super) fn read_ap(&mut self, port: u32, register: u32) -> io::Result<u32> {
        if port != 0 {
            return Ok(0);
        }
        match register & 0xFC {
            AP_CSW => Ok(self.csw),
            AP_TAR => Ok(self.address),
            AP_DRW => {
                let word = self.core.read_word(self.address & !3)?;
                self.advance();
                Ok(word)
            }
            0xF8 => Ok(AP_BASE),
            0xFC => Ok(AP_IDR),
            _ => Ok(0),
        }
    }

    pub(super) fn write_ap(&mut self, port: u32, register: u32, value: u32) -> io::Result<()> {
        if port != 0 {
            return Ok(());
        }
        match register & 0xFC {
            AP_CSW => self.csw = value & 0x3F | CSW,
            AP_TAR => self.address = value,
            AP_DRW => {
                self.core.write_word(self.address & !3, value)?;
                self.advance();
            }
            _ => {}
        }
        Ok(())
    }

    /// With bits 4 and 5 of CSW at 1 the address goes on by itself.
    fn advance(&mut self) {
        if self.csw >> 4 & 3 == 1 {
            self.address = self.address.wrapping_add(4);
        }
    }

    /// A read over the line: of an access port it gives what the one before asked for.
    pub(super) fn read_over_line(&mut self, is_ap: bool, register: u32) -> io::Result<u32> {
        if !is_ap {
            return Ok(self.read_dp(register));
        }
        let (port, register) = self.selected(register);
        let read = self.read_ap(port, register)?;
        Ok(std::mem::replace(&mut self.posted, read))
    }
}
