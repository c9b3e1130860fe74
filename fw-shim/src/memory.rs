//! What the image takes of memory, by the linker's symbols and the stack's paint.

use ss_lib::wire::Footprint;

/// What cortex-m-rt's `paint-stack` fills the stack with.
const PAINT: u32 = 0xCCCC_CCCC;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __sdata: u32;
    static __edata: u32;
    static __sidata: u32;
}

/// The image's memory now.
pub fn footprint() -> Footprint {
    let address = |symbol: *const u32| symbol as u32;
    let (top, bottom) = (address(&raw const _stack_start), address(&raw const _stack_end));
    let data = address(&raw const __sdata);
    let in_flash =
        address(&raw const __sidata) - FLASH_START + (address(&raw const __edata) - data);
    Footprint {
        static_bytes: bottom - RAM_START,
        stack_bytes: top - bottom,
        stack_peak_bytes: top - lowest_used(bottom, top),
        flash_bytes: in_flash,
    }
}

/// Both are the same on every STM32; another family's part would name its own in `part`.
const RAM_START: u32 = 0x2000_0000;
const FLASH_START: u32 = 0x0800_0000;

/// The lowest word of the stack that is not as it was painted.
fn lowest_used(bottom: u32, top: u32) -> u32 {
    let mut at = bottom;
    // SAFETY: the words from `bottom` to `top` are the stack, which is memory; those that are in use
    // are only read, and as integers.
    while at < top && unsafe { (at as *const u32).read_volatile() } == PAINT {
        at += 4;
    }
    at
}
