//! Which mutant this process has: put into the copy of the engine. `@COUNT@` is filled in.
#![allow(missing_docs, unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Says of each switch whether it was come by.
const TRACE: u32 = u32::MAX;

static ACTIVE: AtomicU32 = AtomicU32::new(0);
static REACHED: [AtomicBool; @COUNT@] = [const { AtomicBool::new(false) }; @COUNT@];

/// Which of the `count` mutants from number `first` on it is, counted from 1; 0 if it is none of them.
#[inline(always)]
pub fn at(first: u32, count: u32) -> u32 {
    let active = ACTIVE.load(Relaxed);
    let index = active.wrapping_sub(first);
    if index < count {
        return index + 1;
    }
    if active == TRACE {
        REACHED[first as usize].store(true, Relaxed);
    }
    0
}

/// Before `main`, so that no call finds the switch unset.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = {
    extern "C" fn begin() {
        let number = std::env::var("MUTANT").ok().and_then(|number| number.parse().ok());
        ACTIVE.store(number.unwrap_or(0), Relaxed);
        // The first failure is enough: a property test would go on to look for a shorter one.
        if std::env::var_os("MUTANT_MAY_PANIC").is_none() {
            std::panic::set_hook(Box::new(|_| std::process::abort()));
        }
    }
    begin
};

#[used]
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = {
    extern "C" fn end() {
        if let Some(path) = std::env::var_os("MUTANT_REACHED") {
            let reached: Vec<u8> = REACHED.iter().map(|reached| u8::from(reached.load(Relaxed))).collect();
            std::fs::write(path, reached).expect("the list of what was reached is written");
        }
    }
    end
};
