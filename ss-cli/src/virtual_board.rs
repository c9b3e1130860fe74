//! A board without a board: QEMU's STM32F405 behind a server that speaks the Black Magic Probe's remote
//! protocol (version 4), so that unmodified probe software drives it.
//!
//! ```text
//!  probe-rs --TCP--> remote -> adi -> core --qtest--> memory       of the machine in QEMU
//!                      |        |        \--gdbstub-> registers, run, halt, step, breakpoints
//!                      \- swd --/         \-QMP-----> reset
//! ```
//!
//! What QEMU does not have is kept here: the debug port, the access port, and the core's debug
//! registers. There is no flash controller, so that nothing can be flashed: QEMU is given the ELF.

mod adi;
mod core;
mod gdb;
mod qemu;
mod qmp;
mod qtest;
mod remote;
mod server;
mod swd;

pub(crate) use qemu::{INSTRUCTION_NS, SYSTICK_HZ};
pub(crate) use server::Board;

use crate::{Answer, Failure, interrupt, output};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Run a firmware on a virtual STM32F405 that probe software can attach to
///
/// QEMU runs the firmware; this command makes it look like a board on a Black Magic Probe. Any tool that
/// is built on probe-rs takes it by --probe 1d50:6018:ADDRESS.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The firmware's ELF
    #[arg(long, value_name = "FILE")]
    elf: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

const AFTER_HELP: &str = "\
Examples:
  ss virtual-board --elf target/fw-shim.elf --listen 127.0.0.1:4444
  ss hw-run scenarios/stm32-full.toml --no-flash --probe 1d50:6018:127.0.0.1:4444
  probe-rs attach --chip STM32F405RGTx --probe 1d50:6018:127.0.0.1:4444 target/fw-shim.elf

It prints one line when it listens, and runs until Ctrl-C. One tool at a time can be attached.
There is no flash controller: attach without flashing. Exit code 3: QEMU or the address cannot be
used.";

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    interrupt::listen();
    let board = Board::start(&arguments.elf, arguments.listen).map_err(Failure::Probe)?;
    output::print(
        &format!("listening on {0}: --probe 1d50:6018:{0}\n", board.address()),
        Answer::Yes,
    )?;
    while !interrupt::is_requested() {
        if let Some(error) = board.error() {
            return Err(Failure::Probe(error));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Answer::Yes)
}
