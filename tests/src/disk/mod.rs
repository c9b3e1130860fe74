//! Stores on disk as tests need them: a disk in memory that can fail, a writer that was made from
//! FORMAT.md and shares no code with the engine, and the golden stores that it made.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "helpers are tests too, their names say what they are, and files' names are the engine's"
)]

pub mod chunks;
pub mod damage;
pub mod edits;
pub mod engine_made;
pub mod faulty;
pub mod golden;
pub mod interleaved;
pub mod memory;
pub mod page;
pub mod page_records;
pub mod reopening;
pub mod store;
