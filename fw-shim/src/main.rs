//! The firmware: the sensor store of the microcontroller, under the scenarios that a host sends.
//!
//! It does not touch the chip beyond its core: whatever clock it wakes up with, it runs on. `ss hw-run`
//! is its other end.

#![no_std]
#![no_main]

mod clock;
mod crash;
mod memory;
mod part;
mod rtt;

use clock::Clock;
use core::{
    cell::RefCell,
    fmt::Write,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};
use cortex_m::{interrupt::Mutex, peripheral::SCB};
use cortex_m_rt::entry;
use part::PART;
use ss_lib::{
    ram::Stm32Store,
    wire::{
        Board, Device, DeviceMemory, Fault, Footprint, IMAGE_BYTES, Identity, Port, image_bytes,
        version_bytes,
    },
};

const VERSION: &str = env!("SS_FIRMWARE_VERSION");

/// Tells a host that this ELF is ours.
#[used]
#[unsafe(no_mangle)]
static SS_FIRMWARE: [u8; IMAGE_BYTES] = image_bytes(VERSION);

/// Another one at each reset. It lies where start-up does not write, so that it is never the one
/// before; after the power was off it begins anywhere.
#[unsafe(link_section = ".uninit.ss_boot")]
static BOOT: AtomicU32 = AtomicU32::new(0);

/// The store, alone in its static: `ss-lib` asserts that it is 32 KiB at most.
#[unsafe(no_mangle)]
static SS_STORE: Mutex<RefCell<Stm32Store>> = Mutex::new(RefCell::new(Stm32Store::vacant()));

static MEMORY: Mutex<RefCell<DeviceMemory>> = Mutex::new(RefCell::new(DeviceMemory::new()));

struct Core {
    clock: Clock,
}

impl Board for Core {
    #[inline]
    fn ticks(&self) -> u32 {
        self.clock.ticks()
    }

    #[inline]
    fn elapsed(&self, began: u32, ended: u32) -> u32 {
        self.clock.elapsed(began, ended)
    }

    fn footprint(&self) -> Footprint {
        memory::footprint()
    }

    fn provoke(&mut self, fault: Fault) {
        match fault {
            Fault::Panic => panic!("as it was asked to"),
            Fault::HardFault => {
                crash::read_nowhere();
            }
            Fault::LockUp => {
                crash::fail_in_handler();
                crash::read_nowhere();
            }
            Fault::Hang => loop {
                core::hint::spin_loop();
            },
            Fault::Reset => SCB::sys_reset(),
        }
    }
}

#[entry]
fn main() -> ! {
    crash::clear();
    // Any generator that never stays where it is.
    let boot = BOOT.load(SeqCst).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    BOOT.store(boot, SeqCst);
    let (mut text, line) = rtt::init();
    // Nobody has taken them before: this is the first thing that runs.
    let Some(core) = cortex_m::Peripherals::take() else { panic!("the core was taken before") };
    let clock = Clock::start(core);
    // A host that does not read loses the line, no more.
    let _ = writeln!(text, "fw-shim {VERSION} on {}, run {boot:#010x}", PART.name);
    // Interrupts stay off for good: nothing here needs one, and none disturbs a measurement.
    cortex_m::interrupt::free(|token| {
        let mut store = SS_STORE.borrow(token).borrow_mut();
        let mut memory = MEMORY.borrow(token).borrow_mut();
        let identity = Identity { version: version_bytes(VERSION), clock: clock.kind() };
        let port = Port::new(line, boot);
        let mut device = Device::new(port, Core { clock }, identity, &mut store, &mut memory);
        loop {
            device.serve();
        }
    })
}
