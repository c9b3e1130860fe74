//! A store under torture: a process works on it and says, a line each, what it will do and what the store
//! told it; the process is ended in any way; what the store holds then is judged by those lines alone.
//!
//! | a line says | and therefore, afterwards |
//! | --- | --- |
//! | it may add up to here | nothing beyond is in the store: that would be invented |
//! | it may answer up to here | everything from there on is held: an answer erases only what it names |
//! | written up to here | held, or answered, after a kill |
//! | durable up to here | held, or answered, after a power cut |
//! | answered durably up to here | nothing before comes back |
//! | added, and ended in order | exactly this is in the store |
//!
//! A record's value and time are a function of its sensor, opening and number, so that none can be another's,
//! altered, or of an opening that never gave this number. Each judgement reads the store twice, once as
//! `ss inspect` does and once as its owner, and goes on working: the next process finds what is left.
//!
//! Lines reach the judge through a pipe, which outlives the process and is no part of the disk.

mod judge;
mod load;
mod receipt;
mod run;
mod work;

pub use judge::{Breach, Floor, Judgement, judge};
pub use load::{Load, SENSORS};
pub use receipt::{Receipt, Told};
pub use run::{Figures, Options, Torture, TortureError};
pub use work::{Outcome, Work, work};
