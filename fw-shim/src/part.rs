//! The parts: one row each. What else is theirs is in `memory/`.

/// What the program knows of its chip.
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// The core's clock after a reset, in Hz: the program leaves it as it is.
    pub core_hz: u32,
}

#[cfg(feature = "stm32f405")]
pub const PART: Part = Part { name: "STM32F405", core_hz: 16_000_000 };
