//! The sentence behind an error: what was wrong, where, and what to do next. One a thread.

use core::{ffi::CStr, fmt::Display};
use std::{cell::RefCell, ffi::CString};

thread_local! {
    static DETAIL: RefCell<CString> = RefCell::default();
}

/// Keeps what an error has to say for whoever asks this thread next.
pub(crate) fn explain(error: &dyn Display) {
    let text: Vec<u8> = error.to_string().bytes().filter(|&byte| byte != 0).collect();
    let Ok(text) = CString::new(text) else { return };
    // A thread that is ending asks nothing any more.
    let _ = DETAIL.try_with(|detail| detail.replace(text));
}

/// Looks at the last one of this thread; empty if there was none.
pub(crate) fn last<R>(f: impl FnOnce(&CStr) -> R) -> R {
    DETAIL.with(|detail| f(&detail.borrow()))
}
