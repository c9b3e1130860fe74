//! What a repair does.

use super::super::{
    io::FileName,
    scan::{CutReason, PageClass},
};
use std::fmt;

/// One step of a repair. Printed it is one sentence: what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A whole file goes to `lost+found/`.
    SetAside {
        /// The file.
        file: FileName,
        /// Why.
        why: SetAside,
    },
    /// A segment gets the name that its content says.
    GiveName {
        /// Its name now.
        from: FileName,
        /// Its name then. If two files have each other's, one of them makes room first.
        to: FileName,
    },
    /// A new segment's checkpoint says what every sensor holds, and its ledger what was lost.
    WriteCheckpoint {
        /// The new segment's number.
        segment: u64,
        /// Lost ranges that enter the ledger.
        losses: u64,
        /// Records in them.
        records: u64,
    },
    /// Bad pages go to `lost+found/`, and empty ones take their places.
    ReplacePages {
        /// The segment's file, by the name that it has then.
        file: FileName,
        /// The segment.
        segment: u64,
        /// Its generation.
        generation: u8,
        /// The first bad page.
        first_page: u32,
        /// How many.
        pages: u32,
        /// The number that the first empty page gets.
        first_lsn: u64,
        /// What is wrong with them.
        class: PageClass,
    },
    /// The file ends with the page before.
    Cut {
        /// The segment's file.
        file: FileName,
        /// The first page that goes.
        from_page: u32,
        /// How many.
        pages: u32,
        /// Why.
        why: CutReason,
    },
    /// A slot of the superblock is written anew.
    WriteSuperblock {
        /// The slot.
        slot: u8,
    },
}

/// Why a whole file is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// A squeeze that was cut: the segment it was made from counts.
    SqueezeCut,
    /// What a complete squeeze has replaced.
    SqueezeSource,
    /// The same segment is there under its own name.
    Duplicate,
    /// A new segment that was cut before it held anything.
    CreationCut,
    /// Not one page can be read.
    Unreadable,
    /// It belongs to another store.
    OtherStore,
    /// Its pages' numbers leave no room for the pages that are bad.
    Misnumbered,
}

impl SetAside {
    /// The reason, as "FILE …" continues.
    pub const fn text(self) -> &'static str {
        match self {
            Self::SqueezeCut => "is a squeeze that was cut; its source is whole",
            Self::SqueezeSource => "was squeezed, and the cut was before its removal",
            Self::Duplicate => "is a second copy of a segment that is there",
            Self::CreationCut => "was cut while it was created, and holds nothing",
            Self::Unreadable => "has no page that can be read",
            Self::OtherStore => "belongs to another store",
            Self::Misnumbered => "has bad pages, and no room among its page numbers to mend them",
        }
    }
}

impl CutReason {
    /// The reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Torn => "torn, its writing was cut",
            Self::Stale => "left from before an earlier cut",
            Self::SealCut => "an index whose writing was cut",
            Self::IndexBad => "an index that cannot be read in full; the records before it stay",
        }
    }
}

/// `1 page`, `2 pages`.
pub(in super::super) fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { file, why } => {
                write!(f, "move {file} to lost+found/: it {}", why.text())
            }
            Self::GiveName { from, to } => {
                write!(f, "rename {from} to {to}, whose content it has")
            }
            Self::WriteCheckpoint { segment, losses, records } => write!(
                f,
                "begin segment {segment} with what every sensor holds now; {} of {} enter the ledger",
                count(*losses, "lost range"),
                count(*records, "record")
            ),
            Self::ReplacePages { file, first_page, pages: 1, class, .. } => write!(
                f,
                "copy the {} page {first_page} of {file} to lost+found/ and put an empty one in its \
                 place",
                class.name()
            ),
            Self::ReplacePages { file, first_page, pages, class, .. } => write!(
                f,
                "copy {pages} {} pages of {file}, from page {first_page} on, to lost+found/ and put \
                 empty ones in their places",
                class.name()
            ),
            Self::Cut { file, from_page, pages, why } => write!(
                f,
                "cut {} off {file}, from page {from_page} on: {}",
                count(u64::from(*pages), "page"),
                why.text()
            ),
            Self::WriteSuperblock { slot } => write!(f, "write slot {slot} of the superblock anew"),
        }
    }
}
