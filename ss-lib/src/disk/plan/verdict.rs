//! A store's state in words.

use super::super::scan::FuturePage;
use std::fmt;

/// What `verify` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every page that should be there is, or was never promised.
    Sound,
    /// Something changed, vanished, or does not belong here.
    Damaged,
    /// Nothing can be said or done.
    Unusable(Unusable),
}

/// Why nothing can be done with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A newer library wrote to it.
    FutureVersion(FuturePage),
    /// Neither the superblock nor one first page of a segment can be read.
    NoReadablePage,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FutureVersion(FuturePage { file, page, version }) => write!(
                f,
                "{file} page {page} is of format version {version}, and this program reads up to \
                 version {}; use the newer program that wrote it",
                super::super::FORMAT_VERSION
            ),
            Self::NoReadablePage => f.write_str(
                "neither the superblock nor the first page of any segment can be read, so that no \
                 other page can be checked; keep the files as they are",
            ),
        }
    }
}

impl std::error::Error for Unusable {}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// What a kill or a power cut leaves, and an opening or a repair tidies up.
    Note,
    /// What should never be.
    Damage,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What and where, in one sentence.
    pub text: String,
}

/// Segments that are not there, and what was in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingSegments {
    /// The first one's number.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Records that are lost with them.
    pub records_lost: u64,
}
