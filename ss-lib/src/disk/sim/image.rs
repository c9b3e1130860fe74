//! What stands on a simulated disk at one moment, shared between states as far as they are alike.

use super::super::io::FileName;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use xxhash_rust::xxh64::xxh64;

/// Bytes that are shared or copied together: a page.
pub(super) const BLOCK_BYTES: usize = 4096;
/// What a disk writes whole or not at all.
pub(super) const GRAIN_BYTES: usize = 512;

/// A block's bytes, and their hash once somebody asked for it (0: nobody did).
pub(super) struct Block {
    pub(super) bytes: [u8; BLOCK_BYTES],
    hash: AtomicU64,
}

impl Block {
    pub(super) fn new(bytes: &[u8; BLOCK_BYTES]) -> Self {
        Self { bytes: *bytes, hash: AtomicU64::new(0) }
    }

    fn hash(&self) -> u64 {
        let known = self.hash.load(Relaxed);
        if known != 0 {
            return known;
        }
        // Zeros that were written are what zeros that never were are.
        let hash = if self.bytes == [0; BLOCK_BYTES] { 0 } else { xxh64(&self.bytes, 1) };
        self.hash.store(hash, Relaxed);
        hash
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        Self::new(&self.bytes)
    }
}

/// One file's content. A block that was never written is all zeros.
#[derive(Clone, Default)]
pub(super) struct Content {
    blocks: Vec<Option<Arc<Block>>>,
    len: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Copies from `offset` on into `out`; says how many bytes there were.
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> usize {
        let count = self.len.saturating_sub(offset).min(out.len() as u64) as usize;
        let mut done = 0;
        while done < count {
            let at = offset as usize + done;
            let (block, within) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
            let part = (BLOCK_BYTES - within).min(count - done);
            match self.blocks.get(block) {
                Some(Some(block)) => {
                    out[done..done + part].copy_from_slice(&block.bytes[within..within + part]);
                }
                _ => out[done..done + part].fill(0),
            }
            done += part;
        }
        count
    }

    fn block_mut(&mut self, index: usize) -> &mut [u8; BLOCK_BYTES] {
        if self.blocks.len() <= index {
            self.blocks.resize(index + 1, None);
        }
        let block =
            self.blocks[index].get_or_insert_with(|| Arc::new(Block::new(&[0; BLOCK_BYTES])));
        let block = Arc::make_mut(block);
        *block.hash.get_mut() = 0;
        &mut block.bytes
    }

    /// Writes `bytes` at `offset`. The size is not touched: see [`grow_to`](Self::grow_to).
    pub(super) fn put(&mut self, bytes: &[u8], offset: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset as usize + done;
            let (block, within) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
            let part = (BLOCK_BYTES - within).min(bytes.len() - done);
            if part == BLOCK_BYTES {
                let mut whole = [0; BLOCK_BYTES];
                whole.copy_from_slice(&bytes[done..done + part]);
                self.put_block(block, Arc::new(Block::new(&whole)));
            } else {
                self.block_mut(block)[within..within + part]
                    .copy_from_slice(&bytes[done..done + part]);
            }
            done += part;
        }
    }

    /// The same for one whole block that may be shared with other states.
    pub(super) fn put_block(&mut self, index: usize, block: Arc<Block>) {
        if self.blocks.len() <= index {
            self.blocks.resize(index + 1, None);
        }
        self.blocks[index] = Some(block);
    }

    pub(super) fn grow_to(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    /// Cuts or extends: what is cut off is zeros if the file grows again.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let whole = len.div_ceil(BLOCK_BYTES as u64) as usize;
            self.blocks.truncate(whole);
            let within = len as usize % BLOCK_BYTES;
            if within > 0 && self.blocks.len() == whole {
                self.block_mut(whole - 1)[within..].fill(0);
            }
        }
        self.len = len;
    }

    /// What lies beyond the end: a write that landed without its size. Nobody sees it.
    fn hash(&self) -> u64 {
        let seen = self.len.div_ceil(BLOCK_BYTES as u64) as usize;
        let blocks = self.blocks.iter().take(seen).enumerate();
        let hash = |(at, block): (usize, &Option<Arc<Block>>)| match block {
            Some(block) => mix(block.hash(), at as u64 + 1),
            None => mix(0, at as u64 + 1),
        };
        let content = blocks.map(hash).fold(0, u64::wrapping_add);
        // Blocks that were never written are the zeros that they are.
        let zeros = (self.blocks.len().min(seen)..seen).map(|at| mix(0, at as u64 + 1));
        mix(zeros.fold(content, u64::wrapping_add), self.len)
    }
}

/// A number out of two, so that equal parts in different places differ.
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Files by name, and files that have lost their names while somebody holds them open.
#[derive(Clone, Default)]
pub struct Image {
    /// Names, sorted, and which file each is of.
    pub(super) names: Vec<(FileName, u32)>,
    /// By number.
    pub(super) files: Vec<(u32, Arc<Content>)>,
    pub(super) directories: Vec<FileName>,
}

impl Image {
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|(known, _)| known.as_str() == name).map(|(_, file)| *file)
    }

    /// Gives `file` a name; whatever had it loses it.
    pub(super) fn link(&mut self, name: FileName, file: u32) {
        self.names.retain(|(known, _)| *known != name);
        let at = self.names.partition_point(|(known, _)| *known < name);
        self.names.insert(at, (name, file));
    }

    pub(super) fn unlink(&mut self, name: &FileName) {
        self.names.retain(|(known, _)| known != name);
    }

    pub(super) fn file_mut(&mut self, file: u32) -> &mut Content {
        let at = match self.files.binary_search_by_key(&file, |(number, _)| *number) {
            Ok(at) => at,
            Err(at) => {
                self.files.insert(at, (file, Arc::default()));
                at
            }
        };
        Arc::make_mut(&mut self.files[at].1)
    }

    fn shared(&self, file: u32) -> Option<&Arc<Content>> {
        let at = self.files.binary_search_by_key(&file, |(number, _)| *number).ok()?;
        Some(&self.files[at].1)
    }

    pub(super) fn file(&self, file: u32) -> Option<&Content> {
        self.shared(file).map(|content| &**content)
    }

    /// Drops the content of files that have no name.
    pub(super) fn drop_nameless(&mut self) {
        let Self { names, files, .. } = self;
        files.retain(|(number, _)| names.iter().any(|(_, named)| named == number));
    }

    /// The same image with the files' numbers beginning anew, and without those that have no name.
    pub fn settled(&self) -> Self {
        let mut settled = Self { directories: self.directories.clone(), ..Self::default() };
        for (name, file) in &self.names {
            let number = settled.files.len() as u32;
            settled.names.push((*name, number));
            settled.files.push((number, self.shared(*file).cloned().unwrap_or_default()));
        }
        settled
    }

    /// Bytes of all files that have a name.
    pub fn bytes(&self) -> u64 {
        self.names.iter().filter_map(|(_, file)| self.file(*file)).map(Content::len).sum()
    }

    /// Equal for images in which every name has the same content.
    pub fn hash(&self) -> u64 {
        let each = self.names.iter().map(|(name, file)| {
            let content = self.file(*file).map_or(0, Content::hash);
            mix(xxh64(name.as_str().as_bytes(), 2), content)
        });
        each.fold(0, u64::wrapping_add)
    }

    /// Hands out every file's name and content.
    pub fn each_file(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, file) in &self.names {
            let Some(content) = self.file(*file) else { continue };
            let mut bytes = vec![0; content.len() as usize];
            content.read(&mut bytes, 0);
            each(name.as_str(), &bytes);
        }
    }

    /// Names and sizes of the files.
    pub fn list(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names
            .iter()
            .map(|(name, file)| (name.as_str(), self.file(*file).map_or(0, Content::len)))
    }

    /// Flips one bit of a file.
    pub fn flip(&mut self, name: &str, byte: u64, bit: u8) {
        if let Some(file) = self.find(name) {
            let content = self.file_mut(file);
            if byte < content.len() {
                content.block_mut(byte as usize / BLOCK_BYTES)[byte as usize % BLOCK_BYTES] ^=
                    1 << bit;
            }
        }
    }

    /// Makes one page of a file a copy of a page of another: a write that went to the wrong place.
    pub fn misdirect(&mut self, from: (&str, u64), to: (&str, u64)) {
        let mut page = [0; BLOCK_BYTES];
        if let Some(content) = self.find(from.0).and_then(|file| self.file(file)) {
            content.read(&mut page, from.1 * BLOCK_BYTES as u64);
        }
        if let Some(file) = self.find(to.0) {
            self.file_mut(file).put(&page, to.1 * BLOCK_BYTES as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FileName, Image};

    fn image(parts: &[(&[u8], u64)], len: u64) -> Image {
        let mut image = Image::default();
        image.link(FileName::new("a"), 0);
        let file = image.file_mut(0);
        for (bytes, offset) in parts {
            file.put(bytes, *offset);
        }
        file.set_len(len);
        image
    }

    #[test]
    fn a_name_is_listed_once_in_order_and_leads_to_its_last_file() {
        let mut image = image(&[(&[1; 10], 0)], 10);
        image.file_mut(1).set_len(20);
        image.link(FileName::new("c"), 1);
        image.link(FileName::new("b"), 0);
        image.link(FileName::new("a"), 1);
        let listed: Vec<_> = image.list().collect();
        assert_eq!(listed, [("a", 20), ("b", 10), ("c", 20)]);
    }

    #[test]
    fn a_directory_stays_where_files_are_numbered_anew() {
        let mut image = image(&[(&[1; 10], 0)], 10);
        image.file_mut(1).set_len(20);
        image.directories.push(FileName::new("below"));
        let settled = image.settled();
        assert_eq!(settled.directories, [FileName::new("below")]);
        assert_eq!(settled.list().collect::<Vec<_>>(), [("a", 10)]);
        assert!(settled.file(1).is_none());
    }

    /// What was cut off is zeros if the file grows again, wherever in a block it was cut.
    #[test]
    fn what_was_cut_off_does_not_come_back() {
        for cut in [0, 1, 4_095, 4_096, 4_097, 8_191, 8_192] {
            let mut image = image(&[(&[7; 8_192], 0)], 8_192);
            image.file_mut(0).set_len(cut);
            image.file_mut(0).set_len(9_000);
            image.each_file(&mut |_, bytes| {
                let (kept, cut_off) = bytes.split_at(cut as usize);
                assert!(
                    kept.iter().all(|&byte| byte == 7) && cut_off.iter().all(|&byte| byte == 0)
                );
                assert_eq!(bytes.len(), 9_000);
            });
        }
    }

    /// A rotten bit is one of the file's: behind its end there is none to rot.
    #[test]
    fn a_flip_behind_the_end_changes_nothing() {
        let mut image = image(&[(&[1; 10], 0)], 10);
        image.flip("a", 10, 0);
        image.flip("b", 0, 0);
        image.file_mut(0).set_len(11);
        image.each_file(&mut |_, bytes| assert_eq!(bytes, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]));
    }

    #[test]
    fn a_hash_is_the_content_s_and_nothing_else_s() {
        let whole = image(&[(&[7; 9000], 0)], 9000);
        let parts = image(&[(&[7; 5000], 4000), (&[7; 4000], 0)], 9000);
        assert_eq!(whole.hash(), parts.hash());
        assert_ne!(whole.hash(), image(&[(&[7; 9000], 0)], 8999).hash());
        assert_ne!(whole.hash(), image(&[(&[7; 8999], 1)], 9000).hash());
        // Zeros are zeros, whether they were written or not; what lies beyond the end is nothing.
        assert_eq!(image(&[], 8192).hash(), image(&[(&[0; 8192], 0)], 8192).hash());
        assert_eq!(image(&[(&[1; 100], 0)], 100).hash(), {
            let mut beyond = image(&[(&[1; 100], 0)], 100);
            beyond.file_mut(0).put(&[5; 4096], 4096);
            beyond.hash()
        });
        let mut flipped = whole.clone();
        flipped.flip("a", 8191, 3);
        assert_ne!(flipped.hash(), whole.hash());
        flipped.flip("a", 8191, 3);
        assert_eq!(flipped.hash(), whole.hash());
    }
}
