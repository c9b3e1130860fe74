//! The clock that operations are measured with.

use crate::part::PART;
use cortex_m::{
    Peripherals,
    peripheral::{DWT, SYST, syst::SystClkSource},
};
use ss_lib::wire::DeviceClock;

/// The system timer has 24 bits.
const SYST_MASK: u32 = 0x00FF_FFFF;

/// A free-running counter at the core's clock.
#[derive(Clone, Copy)]
pub enum Clock {
    /// The debug unit's cycle counter, 32 bits.
    Cycles,
    /// The system timer, which counts down: where the cycle counter does not count.
    SysTick,
}

impl Clock {
    /// Starts both, and takes the cycle counter if it counts.
    pub fn start(mut core: Peripherals) -> Self {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(SYST_MASK);
        core.SYST.clear_current();
        core.SYST.enable_counter();
        core.DCB.enable_trace();
        if DWT::has_cycle_counter() {
            core.DWT.enable_cycle_counter();
            let began = DWT::cycle_count();
            cortex_m::asm::delay(64);
            if DWT::cycle_count() != began {
                return Self::Cycles;
            }
        }
        Self::SysTick
    }

    #[inline]
    pub fn ticks(self) -> u32 {
        match self {
            Self::Cycles => DWT::cycle_count(),
            Self::SysTick => SYST::get_current(),
        }
    }

    #[inline]
    pub fn elapsed(self, began: u32, ended: u32) -> u32 {
        match self {
            Self::Cycles => ended.wrapping_sub(began),
            Self::SysTick => began.wrapping_sub(ended) & SYST_MASK,
        }
    }

    pub fn kind(self) -> DeviceClock {
        let hz = PART.core_hz;
        match self {
            Self::Cycles => DeviceClock::Cycles { hz },
            Self::SysTick => DeviceClock::SysTick { hz },
        }
    }
}
