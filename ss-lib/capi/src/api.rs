//! The entries. What the caller owes for each pointer and handle, the head of the header says; that is
//! what `SAFETY` refers to in here.

mod adding;
mod dump;
mod library;
mod lifecycle;
mod looking;
mod sensors;
mod uploading;

pub use adding::*;
pub use dump::*;
pub use library::*;
pub use lifecycle::*;
pub use looking::*;
pub use sensors::*;
pub use uploading::*;

/// A place for a result.
macro_rules! out {
    ($place:expr) => {
        // SAFETY: the caller owes a place that can be written to, or NULL.
        unsafe { $crate::boundary::Out::new($place) }?
    };
}
use out;

/// A place for a result that need not be wanted.
macro_rules! optional_out {
    ($place:expr) => {
        if $place.is_null() { None } else { Some($crate::api::out!($place)) }
    };
}
use optional_out;

/// A struct of the caller's.
macro_rules! input {
    ($value:expr) => {
        // SAFETY: the caller owes a whole struct, or NULL; it is made of integers.
        unsafe { $crate::boundary::input($value) }?
    };
}
use input;
