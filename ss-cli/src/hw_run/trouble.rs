//! Everything that can stand between a scenario and its board, a sentence each, with the next step.

use ss_lib::wire::{PROTOCOL, Progress, Refusal, crash::Crash};
use std::{fmt, path::PathBuf, time::Duration};

/// Why a scenario did not run to its end on a board.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// There is no probe.
    NoProbe,
    /// There are probes, and this user may open none of them.
    NoPermission { name: String, vendor: u16 },
    /// There are several, and none was chosen.
    SeveralProbes { selectors: Vec<String> },
    /// None is the one that was chosen.
    NotThatProbe { wanted: String, seen: Vec<String> },
    /// The virtual board does not start.
    Virtual(String),
    /// Nothing listens where the probe should be.
    NothingListens { address: String },
    /// `--probe` is no selector.
    BadSelector { text: String },
    /// The probe is there and does not work.
    Probe { doing: &'static str, error: String },
    /// No chip has this name.
    UnknownChip { name: String, similar: Vec<String> },
    /// The name fits several chips.
    AmbiguousChip { name: String, fitting: String },
    /// The chip on the probe is another one.
    WrongChip { chip: String, wanted: &'static str, found: &'static str },
    /// The ELF does not fit into the chip.
    DoesNotFit { chip: String, address: u32 },
    /// There is no ELF.
    NoElf { path: PathBuf },
    /// The file is no ELF, or none of the firmware.
    ForeignElf { path: PathBuf, why: String },
    /// Firmware and program speak different versions.
    Protocol { firmware: u16 },
    /// What answers on the board is not the firmware.
    ForeignFirmware,
    /// Another build runs on the board than the ELF's.
    OtherBuild { runs: String, elf: String },
    /// The firmware does not do it.
    Refused(Refusal),
    /// The firmware answered something that was not asked.
    Unexpected,
    /// The firmware never came up.
    NotUp { waited: Duration },
    /// The program on the board said nothing for too long.
    Silent { waited: Duration, last: Option<Progress> },
    /// The board was reset while the scenario ran.
    Reset { last: Option<Progress> },
    /// The core locked up.
    LockedUp { last: Option<Progress> },
    /// The program on the board broke; with the names of the places of a fault.
    Crashed { crash: Crash, places: [String; 2], last: Option<Progress> },
    /// The probe is gone.
    ProbeGone { error: String, last: Option<Progress> },
}

/// Up to so many names are shown of a long list.
const NAMES_SHOWN: usize = 8;

fn names(names: &[String]) -> String {
    let mut text =
        names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        text += &format!(" and {} more", names.len() - NAMES_SHOWN);
    }
    text
}

/// What was known of the run when it ended.
fn known(last: Option<Progress>) -> String {
    let Some(last) = last else { return "before it said how far it was".to_owned() };
    let Progress { virtual_ms, operations, held } = last;
    format!(
        "after {} of virtual time: {operations} operations were reported, {held} records were held \
         and not acknowledged then, and what came later is not known",
        crate::text::duration(virtual_ms)
    )
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProbe => f.write_str(
                "no debug probe is attached: plug one in (ss hw-run --list-probes shows what is \
                 seen), or run the scenario with --virtual",
            ),
            Self::NoPermission { name, vendor } => write!(
                f,
                "the probe {name} is there, and this user may not open it: put the line\n  \
                 SUBSYSTEM==\"usb\", ATTR{{idVendor}}==\"{vendor:04x}\", MODE=\"0660\", \
                 TAG+=\"uaccess\"\ninto /etc/udev/rules.d/70-debug-probe.rules, run udevadm control \
                 --reload, and plug it in again"
            ),
            Self::SeveralProbes { selectors } => write!(
                f,
                "{} debug probes are attached: choose one by --probe, of {}",
                selectors.len(),
                names(selectors)
            ),
            Self::NotThatProbe { wanted, seen } if seen.is_empty() => write!(
                f,
                "no probe {wanted} is attached, nor any other: plug it in, or run the scenario with \
                 --virtual"
            ),
            Self::NotThatProbe { wanted, seen } => {
                write!(f, "no probe {wanted} is attached: there is {}", names(seen))
            }
            Self::Virtual(why) => f.write_str(why),
            Self::NothingListens { address } => write!(
                f,
                "nothing listens on {address}: start it there first (ss virtual-board --listen \
                 {address} --elf FILE)"
            ),
            Self::BadSelector { text } => write!(
                f,
                "--probe {text} is no probe's name: it is VID:PID or VID:PID:SERIAL, as ss hw-run \
                 --list-probes shows them"
            ),
            Self::Probe { doing, error } => write!(
                f,
                "the probe could not {doing} ({error}): check the cable to the board and the board's \
                 power, try a lower --speed"
            ),
            Self::UnknownChip { name, similar } if similar.is_empty() => write!(
                f,
                "no chip is called {name}: ss hw-run --list-chips STM32F4 shows those of a family"
            ),
            Self::UnknownChip { name, similar } => {
                write!(f, "no chip is called {name}: there is {}", names(similar))
            }
            Self::AmbiguousChip { name, fitting } => {
                write!(f, "several chips are called {name}: give one of {fitting} by --chip")
            }
            Self::WrongChip { chip, wanted, found } => write!(
                f,
                "the chip on the probe has a {found} core and {chip} has a {wanted}: give the chip \
                 that is on the board by --chip (ss hw-run --list-chips FILTER)"
            ),
            Self::DoesNotFit { chip, address } => write!(
                f,
                "the firmware uses the address {address:#010x}, where {chip} has no memory: build it \
                 for this chip (fw-shim/README.md, \"Another part\"), or check --chip"
            ),
            Self::NoElf { path } => write!(
                f,
                "there is no firmware at {}: build it with fw-shim/build, or name its ELF by --elf",
                path.display()
            ),
            Self::ForeignElf { path, why } => write!(
                f,
                "{} is not the firmware ({why}): build it with fw-shim/build and name that ELF by \
                 --elf",
                path.display()
            ),
            Self::Protocol { firmware } => write!(
                f,
                "the firmware speaks version {firmware} of the protocol and this program version \
                 {PROTOCOL}: build both from the same commit (fw-shim/build), and flash it again"
            ),
            Self::ForeignFirmware => f.write_str(
                "what runs on the board answers, and is not the firmware: run again without \
                 --no-flash",
            ),
            Self::OtherBuild { runs, elf } => write!(
                f,
                "the board runs {runs} and the ELF is {elf}: run again without --no-flash, or give \
                 the ELF that is on the board by --elf"
            ),
            Self::Refused(refusal) => write!(
                f,
                "the firmware does not take the scenario: {refusal}; run a smaller one, or ss \
                 simulate --profile stm32"
            ),
            Self::Unexpected => f.write_str(
                "the firmware answered what was not asked: build program and firmware from the same \
                 commit (fw-shim/build), and flash it again",
            ),
            Self::NotUp { waited } => write!(
                f,
                "the firmware did not come up within {}: check the board's power and --chip, and run \
                 without --no-flash",
                seconds(*waited)
            ),
            Self::Silent { waited, last } => write!(
                f,
                "the board said nothing for {}, {}; give it longer by --timeout, or look at it with a \
                 debugger",
                seconds(*waited),
                known(*last)
            ),
            Self::Reset { last } => write!(
                f,
                "the board was reset in the middle of the run, {}; its store was in RAM: look for a \
                 watchdog or the supply, and run again",
                known(*last)
            ),
            Self::LockedUp { last } => write!(
                f,
                "the board's core locked up (a fault within the handler of a fault), {}; reset the \
                 board, and run again under a debugger",
                known(*last)
            ),
            Self::Crashed { crash, places, last } => {
                write!(f, "{}, {}", crashed(crash, places), known(*last))
            }
            Self::ProbeGone { error, last } => write!(
                f,
                "the probe is gone ({error}), {}; check its cable, and run again",
                known(*last)
            ),
        }
    }
}

/// The record that the program left.
fn crashed(crash: &Crash, places: &[String; 2]) -> String {
    match crash {
        Crash::Panic { text, len } => {
            let text = String::from_utf8_lossy(&text[..*len]);
            format!("the program on the board {}", text.replace('\n', " "))
        }
        Crash::HardFault(registers) => {
            let [r0, r1, r2, r3, r12, lr, pc, xpsr] = registers.stacked;
            format!(
                "the program on the board ended in a HardFault: {} at {pc:#010x} ({}), called from \
                 {lr:#010x} ({})\n  r0 {r0:#010x}  r1 {r1:#010x}  r2 {r2:#010x}  r3 {r3:#010x}\n  \
                 r12 {r12:#010x}  lr {lr:#010x}  pc {pc:#010x}  xpsr {xpsr:#010x}\n  cfsr \
                 {:#010x}  hfsr {:#010x}  mmfar {:#010x}  bfar {:#010x}\nit ended",
                registers.meaning(),
                places[0],
                places[1],
                registers.cfsr,
                registers.hfsr,
                registers.mmfar,
                registers.bfar
            )
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
