//! What is left for the host when the program breaks. It stays in memory, and the host reads it there.

use core::{
    fmt::{self, Write},
    hint::spin_loop,
    panic::PanicInfo,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
};
use cortex_m_rt::{ExceptionFrame, exception};
use ss_lib::wire::crash::{CRASH_TEXT_BYTES, CRASH_WORDS, Crash, FaultRegisters};

/// The record. Outside of what start-up writes to; the host finds it by its symbol.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".uninit.ss_crash")]
static SS_CRASH: [AtomicU32; CRASH_WORDS] = [const { AtomicU32::new(0) }; CRASH_WORDS];

/// The handler of faults is to fail, too.
static FAILS_IN_HANDLER: AtomicBool = AtomicBool::new(false);

/// There is no record: the first thing to do after a reset.
pub fn clear() {
    SS_CRASH[0].store(0, SeqCst);
}

/// The next fault locks the core up.
pub fn fail_in_handler() {
    FAILS_IN_HANDLER.store(true, SeqCst);
}

fn leave(crash: &Crash) {
    for (place, word) in SS_CRASH.iter().zip(crash.to_words()).rev() {
        place.store(word, SeqCst);
    }
}

struct Text {
    bytes: [u8; CRASH_TEXT_BYTES],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            let place = self.bytes.get_mut(self.len).ok_or(fmt::Error)?;
            *place = byte;
            self.len += 1;
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    cortex_m::interrupt::disable();
    let mut text = Text { bytes: [0; CRASH_TEXT_BYTES], len: 0 };
    // A message that is too long is cut.
    let _ = write!(text, "{info}");
    leave(&Crash::Panic { text: text.bytes, len: text.len });
    loop {
        spin_loop();
    }
}

/// An address at which no part has anything.
const NOWHERE: *const u32 = 0xF000_0000 as *const u32;

/// Reads where nothing is. A function of its own, so that a record of the fault names it.
#[inline(never)]
pub fn read_nowhere() -> u32 {
    // SAFETY: the address is aligned and no object lies there; that the bus refuses it is the purpose.
    unsafe { NOWHERE.read_volatile() }
}

/// # Safety
/// Called by the core alone.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    if FAILS_IN_HANDLER.load(SeqCst) {
        read_nowhere();
    }
    let scb = cortex_m::peripheral::SCB::PTR;
    // SAFETY: registers of the core that are read only, at their architected addresses.
    let [cfsr, hfsr, mmfar, bfar] = unsafe {
        [(*scb).cfsr.read(), (*scb).hfsr.read(), (*scb).mmfar.read(), (*scb).bfar.read()]
    };
    let stacked = [
        frame.r0(),
        frame.r1(),
        frame.r2(),
        frame.r3(),
        frame.r12(),
        frame.lr(),
        frame.pc(),
        frame.xpsr(),
    ];
    leave(&Crash::HardFault(FaultRegisters { stacked, cfsr, hfsr, mmfar, bfar }));
    loop {
        spin_loop();
    }
}
