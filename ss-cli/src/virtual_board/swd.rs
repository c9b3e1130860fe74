//! The line's bits: what a probe sends before it trusts its own commands.

use super::adi::Adi;
use std::io;

/// A request's acknowledgement, least bit first.
const ACK_OK: u64 = 0b001;
const ACK_FAULT: u64 = 0b100;
const REQUEST_BITS: u32 = 8;
const DATA_BITS: u32 = 33;

/// Bits on the line, least first.
#[derive(Debug, Default)]
pub(super) struct Swd {
    /// The last bits that were sent, the newest highest.
    sent: u64,
    sent_bits: u32,
    /// Bits that wait to be read.
    waiting: u64,
    waiting_bits: u32,
    /// The register that the next data is for: whether of the access port, and which.
    pending: Option<(bool, u32)>,
}

impl Swd {
    /// Bits that come from the probe.
    pub(super) fn take(&mut self, bits: u32, value: u64, adi: &mut Adi) -> io::Result<()> {
        for at in 0..bits.min(u64::BITS) {
            self.sent = self.sent >> 1 | (value >> at & 1) << (u64::BITS - 1);
            self.sent_bits = (self.sent_bits + 1).min(u64::BITS);
        }
        if let Some((is_ap, register)) = self.pending
            && self.sent_bits >= DATA_BITS
        {
            self.pending = None;
            let word = (self.sent >> (u64::BITS - self.sent_bits)) as u32;
            if is_ap {
                let (port, register) = adi.selected(register);
                adi.write_ap(port, register, word)?;
            } else {
                adi.write_dp(register, word);
            }
        }
        Ok(())
    }

    /// Bits that the probe wants: an idle line is high.
    pub(super) fn give(&mut self, bits: u32, adi: &mut Adi) -> u64 {
        if self.sent_bits >= REQUEST_BITS {
            self.answer((self.sent >> (u64::BITS - REQUEST_BITS)) as u8, adi);
        }
        self.sent_bits = 0;
        let mut value = 0;
        for at in 0..bits.min(u64::BITS) {
            let bit = if self.waiting_bits == 0 { 1 } else { self.waiting & 1 };
            value |= bit << at;
            self.waiting >>= 1;
            self.waiting_bits = self.waiting_bits.saturating_sub(1);
        }
        value
    }

    /// The line is reset: nothing is under way.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// request: start 1, APnDP, RnW, A2, A3, parity, stop 0, park 1.
    fn answer(&mut self, request: u8, adi: &mut Adi) {
        (self.waiting, self.waiting_bits) = (0, 0);
        let bit = |at: u32| request >> at & 1 != 0;
        let parity = bit(1) ^ bit(2) ^ bit(3) ^ bit(4);
        if !bit(0) || bit(6) || !bit(7) || parity != bit(5) {
            return;
        }
        let (is_ap, is_read) = (bit(1), bit(2));
        let register = u32::from(request >> 3 & 3) << 2;
        if !is_read {
            (self.waiting, self.waiting_bits) = (ACK_OK, 3);
            self.pending = Some((is_ap, register));
            return;
        }
        match adi.read_over_line(is_ap, register) {
            Ok(word) => {
                let parity = u64::from(word.count_ones() & 1);
                self.waiting = ACK_OK | u64::from(word) << 3 | parity << 35;
                self.waiting_bits = 36;
            }
            Err(_) => (self.waiting, self.waiting_bits) = (ACK_FAULT, 3),
        }
    }
}
