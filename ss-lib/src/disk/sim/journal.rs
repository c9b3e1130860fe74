//! What was done to a simulated disk, in order, and what of it a power cut may still take.

use super::{
    super::io::FileName,
    image::{BLOCK_BYTES, Block, Content, Image},
};
use std::{fmt, sync::Arc};

/// One operation that reached the disk.
#[derive(Clone)]
pub enum Step {
    /// Bytes were written: those of them that the disk took.
    Write {
        /// The file.
        file: u32,
        /// Where.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// A file was cut or extended.
    SetLen {
        /// The file.
        file: u32,
        /// To how many bytes.
        len: u64,
    },
    /// A file's writes became durable.
    Sync {
        /// The file.
        file: u32,
    },
    /// A sync failed: the file's writes since the last one never become durable by another sync.
    SyncFailed {
        /// The file.
        file: u32,
    },
    /// A file was created.
    Create {
        /// Its name.
        name: FileName,
        /// Its number.
        file: u32,
    },
    /// A name was removed.
    Unlink {
        /// The name.
        name: FileName,
    },
    /// A file got another name.
    Rename {
        /// The old one.
        from: FileName,
        /// The new one.
        to: FileName,
        /// The file.
        file: u32,
    },
    /// The directory became durable.
    SyncDir,
    /// The power was cut, and this was left.
    PowerCut(Arc<Image>),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Step {
    /// The operation's word in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::SetLen { .. } => "set-len",
            Self::Sync { .. } => "sync",
            Self::SyncFailed { .. } => "failed sync",
            Self::Create { .. } => "create",
            Self::Unlink { .. } => "unlink",
            Self::Rename { .. } => "rename",
            Self::SyncDir => "sync of the directory",
            Self::PowerCut(_) => "power cut",
        }
    }

    pub(super) const fn is_of_directory(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Unlink { .. } | Self::Rename { .. })
    }

    /// Does it to `image`, whole.
    pub(super) fn apply(&self, image: &mut Image) {
        match self {
            Self::Write { file, offset, bytes } => {
                let content = image.file_mut(*file);
                content.put(bytes, *offset);
                content.grow_to(offset + bytes.len() as u64);
            }
            Self::SetLen { file, len } => image.file_mut(*file).set_len(*len),
            Self::Create { name, file } => {
                image.file_mut(*file);
                image.link(*name, *file);
            }
            Self::Unlink { name } => image.unlink(name),
            Self::Rename { from, to, file } => {
                image.unlink(from);
                image.link(*to, *file);
            }
            Self::PowerCut(left) => *image = (**left).clone(),
            Self::Sync { .. } | Self::SyncFailed { .. } | Self::SyncDir => {}
        }
    }
}

/// A step that is not durable, with its blocks made once for all the states that share them.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) step: Step,
    /// Whole blocks, if it is a write of such: the first one's place in the file, and each.
    pub(super) blocks: Vec<Arc<Block>>,
    /// A sync failed over it: no later one makes it durable.
    pub(super) is_doomed: bool,
}

impl Waiting {
    fn new(step: Step) -> Self {
        let mut blocks = Vec::new();
        if let Step::Write { offset, bytes, .. } = &step
            && offset.is_multiple_of(BLOCK_BYTES as u64)
            && bytes.len().is_multiple_of(BLOCK_BYTES)
        {
            for chunk in bytes.chunks_exact(BLOCK_BYTES) {
                let mut block = [0; BLOCK_BYTES];
                block.copy_from_slice(chunk);
                blocks.push(Arc::new(Block::new(&block)));
            }
        }
        Self { step, blocks, is_doomed: false }
    }

    /// The file and the bytes of it that it writes.
    fn range(&self) -> Option<(u32, u64, u64)> {
        match &self.step {
            Step::Write { file, offset, bytes } => {
                Some((*file, *offset, offset + bytes.len() as u64))
            }
            _ => None,
        }
    }

    /// Does it to `image`, whole.
    pub(super) fn apply(&self, image: &mut Image) {
        match &self.step {
            Step::Write { file, offset, bytes } if !self.blocks.is_empty() => {
                let content = image.file_mut(*file);
                let first = *offset as usize / BLOCK_BYTES;
                for (at, block) in self.blocks.iter().enumerate() {
                    content.put_block(first + at, Arc::clone(block));
                }
                content.grow_to(offset + bytes.len() as u64);
            }
            step => step.apply(image),
        }
    }
}

/// A disk as a power cut may leave it: what is durable, and what waits.
#[derive(Clone, Default)]
pub struct Crashable {
    pub(super) durable: Image,
    pub(super) waiting: Vec<Waiting>,
    /// The last of what waits is under way: a kill may come into it.
    pub(super) is_under_way: bool,
}

impl Crashable {
    /// A disk on which everything is durable.
    pub fn new(durable: Image) -> Self {
        Self { durable, waiting: Vec::new(), is_under_way: false }
    }

    /// Takes the next step.
    pub fn push(&mut self, step: &Step) {
        match step {
            Step::Sync { file } => {
                self.settle(|waiting| {
                    !waiting.is_doomed
                        && matches!(waiting.step, Step::Write { file: of, .. }
                            | Step::SetLen { file: of, .. } if of == *file)
                });
            }
            Step::SyncFailed { file } => {
                for waiting in &mut self.waiting {
                    if let Step::Write { file: of, .. } | Step::SetLen { file: of, .. } =
                        waiting.step
                    {
                        waiting.is_doomed |= of == *file;
                    }
                }
            }
            Step::SyncDir => {
                self.settle(|waiting| waiting.step.is_of_directory());
                // Nothing waits any more that could give one of them a name.
                self.durable.drop_nameless();
            }
            Step::PowerCut(left) => *self = Self::new((**left).clone()),
            step => self.waiting.push(Waiting::new(step.clone())),
        }
    }

    /// Takes a step that was begun: it may have done any part of what it does. A sync that did not
    /// return has promised nothing.
    pub fn push_begun(&mut self, step: &Step) {
        match step {
            Step::Sync { .. } | Step::SyncFailed { .. } | Step::SyncDir | Step::PowerCut(_) => {}
            step => {
                self.push(step);
                self.is_under_way = true;
            }
        }
    }

    /// Makes those of what waits durable.
    fn settle(&mut self, is_due: impl Fn(&Waiting) -> bool) {
        let Self { durable, waiting, .. } = self;
        let mut written = Vec::new();
        waiting.retain(|step| {
            let is_due = is_due(step);
            if is_due {
                step.apply(durable);
                written.extend(step.range());
            }
            !is_due
        });
        // What a failed sync dropped is history where something newer is durable.
        waiting.retain(|step| {
            let is_over = |(file, from, to): (u32, u64, u64)| {
                written.iter().any(|&(of, first, end)| of == file && first <= from && to <= end)
            };
            !(step.is_doomed && step.range().is_some_and(is_over))
        });
    }

    /// The disk as it is while there is power: what a kill leaves.
    pub fn whole(&self) -> Image {
        let mut image = self.durable.clone();
        for waiting in &self.waiting {
            waiting.apply(&mut image);
        }
        image
    }

    /// A file as the disk has it or will: without what a failed sync dropped.
    pub(super) fn without_doomed(&self, file: u32) -> Content {
        let mut image = Image::default();
        if let Some(content) = self.durable.file(file) {
            *image.file_mut(file) = content.clone();
        }
        let is_of_it = |waiting: &&Waiting| {
            matches!(waiting.step, Step::Write { file: of, .. } | Step::SetLen { file: of, .. }
                if of == file)
        };
        for waiting in self.waiting.iter().filter(is_of_it).filter(|waiting| !waiting.is_doomed) {
            waiting.apply(&mut image);
        }
        image.file_mut(file).clone()
    }

    /// What a power cut leaves at least.
    pub fn durable(&self) -> &Image {
        &self.durable
    }
}
