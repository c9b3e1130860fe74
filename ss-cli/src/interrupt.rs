//! Ctrl-C, once: end the run and print what was seen. Twice: end at once.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What shells report of a program that Ctrl-C ended.
const EXIT_BY_SIGINT: i32 = 130;

/// Listens from now on. SIGTERM and SIGHUP count as Ctrl-C.
pub(crate) fn listen() {
    // If this fails Ctrl-C ends the program without a summary, which is no reason not to run.
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, SeqCst) {
            std::process::exit(EXIT_BY_SIGINT);
        }
    });
}

/// Whether the run should end.
pub(crate) fn is_requested() -> bool {
    REQUESTED.load(SeqCst)
}
