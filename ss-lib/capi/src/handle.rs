//! From what C holds to an open store.

#[cfg(feature = "std")]
mod callers;
#[cfg(feature = "std")]
mod detail;
#[cfg(not(feature = "std"))]
mod direct;
#[cfg(feature = "std")]
mod table;

#[cfg(feature = "std")]
pub(crate) use detail::{explain, last as last_detail};
#[cfg(not(feature = "std"))]
pub(crate) use direct::{close, enter, open_memory, tag, with_store};
#[cfg(feature = "std")]
pub(crate) use table::{Held, close, enter, enter_mutex, lend, open, open_memory, tag, with_store};
