//! Bugs that the store can be told to have, so that whoever judges it can be seen to find them.
//!
//! Only a build with the feature `planted` has them; in every other one [`is`] is `false` when it is
//! compiled, and nothing of a bug is left. Each rule that can be broken asks in one place.

#![cfg_attr(
    not(feature = "planted"),
    expect(dead_code, reason = "only who plants them names them")
)]

use core::fmt;

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident => $text:literal),+ $(,)?) => {
        /// A rule that is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug { $($(#[$doc])* $name),+ }

        impl Bug {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What is wrong, in a few words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

bugs! {
    /// A sync returns without having synced.
    NoDataSync => "data is not synced",
    /// A new segment's name is not made durable.
    NoDirectorySync => "the directory is not synced after a create",
    /// A segment goes while the cursors that make it dead are only written.
    UnlinkTooEarly => "a segment is unlinked before its cursors are durable",
    /// Records are called durable when their sync begins.
    DurableTooEarly => "durable is said before the sync",
    /// A page's checksum is not looked at.
    ChecksumUnchecked => "a page's CRC is not checked",
    /// A page's checksum is right in any place of any store.
    ChecksumUnseeded => "a page's CRC is not seeded with its place",
    /// What was answered and is gone is taken for a gap.
    GapsBeforeCursors => "contiguity is judged before the cursors are read",
    /// A failed sync counts as one.
    SyncErrorSwallowed => "a sync's error is swallowed",
    /// What the kernel's cache has after a kill counts as written to the disk.
    CacheBelieved => "after a kill the kernel's cache is believed",
    /// What stands in a segment whose sync failed is squeezed before its numbers are told behind it.
    SqueezedUntold => "a segment in doubt is squeezed before what follows it is durable",
    /// A failed sync is tried again, and the disk says yes.
    SyncRetried => "a failed sync is tried again",
    /// Data follows a checkpoint that is not durable.
    CheckpointUnsynced => "a checkpoint is not synced before data follow",
    /// What was written in part stays in the midst of the log.
    ShortWriteKept => "the log goes on behind a write that was cut short",
    /// A sensor may hold one record more than its quota.
    QuotaOffByOne => "the quota is off by one record",
    /// What a power cut left counts as damage.
    TornIsCorrupt => "a torn end is taken for corruption",
    /// What rotted in the midst of the log counts as its end.
    CorruptIsTorn => "corruption is taken for a torn end",
    /// A footer may be durable before what it stands for.
    FooterTooEarly => "a footer is written before the pages in front of it are durable",
    /// A squeezed file takes its source's place before it is durable.
    SqueezeUnsynced => "a squeezed segment is not synced before its source goes",
    /// The superblock's new slot is not synced.
    SuperblockUnsynced => "an opening's number is not durable before it is used",
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(feature = "planted")]
mod switch {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

    const NONE: u8 = u8::MAX;
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    /// From now on every store of this process has this bug, and no other.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Relaxed);
    }

    #[inline]
    pub(crate) fn is(bug: Bug) -> bool {
        PLANTED.load(Relaxed) == bug as u8
    }
}

#[cfg(feature = "planted")]
pub(crate) use switch::is;
#[cfg(feature = "planted")]
pub use switch::plant;

/// Whether the rule is broken: never.
#[cfg(not(feature = "planted"))]
#[inline]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
