//! Stores on disk as tests need them: a disk in memory that can fail, a writer that was made from
//! FORMAT.md and shares no code with the engine, and the golden stores that it made.
#![allow(missing_docs, reason = "names of tests' helpers say it")]

pub mod damage;
pub mod edits;
pub mod golden;
pub mod memory;
pub mod page;
pub mod store;
