//! What the engine says of damaged stores and does with them, to the letter. The tests of damage, of doubt and
//! of crash states say what must hold of every store; these say that nothing else has changed either: no count,
//! no reason, no page more that is read or written.
//!
//! - `damaged`: the stores of `ss-lib/testdata` in every kind of damage,
//! - `made`: stores of many histories,
//! - `cut`: what a power cut leaves of a gateway at work,
//! - `work`: every operation on the disk of a gateway at work.
//!
//! A store has one line: in words what matters most, and checksums of all that was said and of all bytes that
//! were left. A line that changes is looked at: `SS_REPORTS=DIR cargo test -p ss-tests --test reports` writes the
//! reports themselves to DIR, where those of the commit before can be compared with them. Then
//! `INSTA_UPDATE=always` accepts the lines.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "helpers are tests too, and files' names are the engine's"
)]

#[path = "reports/cut.rs"]
mod cut;
#[path = "reports/damaged.rs"]
mod damaged;
#[path = "reports/draw.rs"]
mod draw;
#[path = "reports/made.rs"]
mod made;
#[path = "reports/report.rs"]
mod report;
#[path = "reports/work.rs"]
mod work;
