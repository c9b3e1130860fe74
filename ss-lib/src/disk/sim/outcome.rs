//! What a power cut may make of what waits: every outcome that is told apart, in a fixed order.

use super::{
    image::{BLOCK_BYTES, Block, Content, GRAIN_BYTES, Image, mix},
    journal::{Crashable, Step, Waiting},
};
use std::{fmt, sync::Arc};

/// Steps of which every subset is tried; of more of them some, drawn by chance.
const SUBSETS_OF: usize = 5;
/// Subsets of blocks that are drawn at each cut.
pub const SUBSETS_DRAWN: u32 = 50;

/// What stands where a write has claimed a place and its bytes did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// What was there before; behind the old end there is nothing.
    Old,
    /// The size has grown, and there are zeros.
    Zeros,
    /// The size has grown, and there are bytes of no meaning.
    Noise,
    /// The size has grown, and there is what the block held in another file before.
    Stale,
}

/// What a power cut makes of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of it landed.
    Nothing,
    /// All of it did: also what a kill leaves.
    Everything,
    /// All but one step: its place among what waits.
    Lost(u16),
    /// One step alone.
    Only(u16),
    /// These steps, bit by bit.
    Steps(u32),
    /// Writes and sizes landed or not as a whole; of the directory's steps these did.
    Names {
        /// The directory's steps that landed, bit by bit in their order.
        landed: u32,
        /// Whether the writes did.
        with_data: bool,
    },
    /// All, and of the last write the first or the last grains of 512 B.
    Torn {
        /// How many.
        grains: u16,
        /// The first ones; else the last ones.
        is_prefix: bool,
        /// What stands in the place of the others.
        rest: Rest,
    },
    /// Sizes without their data.
    SizeOnly(Rest),
    /// Data without its size.
    DataOnly,
    /// Blocks drawn by chance.
    Drawn {
        /// Which drawing.
        number: u32,
        /// 512 B or 4 KiB.
        bytes: u16,
    },
    /// Two blocks of what waits stand in each other's places.
    Swapped(u16),
}

impl Outcome {
    /// Whether a kill leaves the same: the kernel has what was written before.
    pub fn is_kill(self, cut: &Crashable) -> bool {
        match self {
            Self::Everything => true,
            Self::Lost(at) => cut.is_under_way && usize::from(at) + 1 == cut.waiting.len(),
            Self::Torn { is_prefix, rest, .. } => {
                cut.is_under_way && is_prefix && rest == Rest::Old
            }
            _ => false,
        }
    }

    /// Whether a disk did it that does what no power cut explains.
    pub const fn is_misdirected(self) -> bool {
        matches!(self, Self::Swapped(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing that waited landed"),
            Self::Everything => f.write_str("everything landed"),
            Self::Lost(at) => write!(f, "all but waiting step {at} landed"),
            Self::Only(at) => write!(f, "only waiting step {at} landed"),
            Self::Steps(mask) => write!(f, "waiting steps {mask:#b} landed"),
            Self::Names { landed, with_data } => write!(
                f,
                "names {landed:#b} landed, {}",
                if *with_data { "with all data" } else { "without data" }
            ),
            Self::Torn { grains, is_prefix, rest } => {
                let which = if *is_prefix { "first" } else { "last" };
                write!(
                    f,
                    "of the last write the {which} {grains} x 512 B landed, the rest {rest:?}"
                )
            }
            Self::SizeOnly(rest) => write!(f, "sizes landed without data: {rest:?}"),
            Self::DataOnly => f.write_str("data landed without their sizes"),
            Self::Drawn { number, bytes } => write!(f, "drawing {number} of blocks of {bytes} B"),
            Self::Swapped(number) => write!(f, "two blocks changed places ({number})"),
        }
    }
}

impl Crashable {
    /// Every outcome of a power cut now, in a fixed order. Some of them come to the same.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut all = vec![Outcome::Everything];
        let waiting = self.waiting.len();
        if waiting == 0 {
            return all;
        }
        all.push(Outcome::Nothing);
        for at in 0..waiting.min(usize::from(u16::MAX)) as u16 {
            all.extend([Outcome::Lost(at), Outcome::Only(at)]);
        }
        if waiting <= SUBSETS_OF {
            all.extend((1..(1 << waiting) - 1).map(Outcome::Steps));
        }
        let names = self.waiting.iter().filter(|step| step.step.is_of_directory()).count();
        if names > 0 {
            let subsets = 1_u32 << names.min(SUBSETS_OF);
            for landed in 0..subsets {
                for with_data in [false, true] {
                    all.push(Outcome::Names { landed, with_data });
                }
            }
        }
        if let Some(grains) = self.last_write_grains() {
            for kept in 1..grains {
                for rest in [Rest::Old, Rest::Zeros, Rest::Noise, Rest::Stale] {
                    all.push(Outcome::Torn { grains: kept, is_prefix: true, rest });
                }
                for rest in [Rest::Zeros, Rest::Noise, Rest::Stale] {
                    all.push(Outcome::Torn { grains: kept, is_prefix: false, rest });
                }
            }
        }
        if names < waiting {
            all.extend([Rest::Zeros, Rest::Noise, Rest::Stale].map(Outcome::SizeOnly));
            all.push(Outcome::DataOnly);
            let blocks = self.blocks_waiting();
            all.extend((1..blocks.min(9)).map(Outcome::Swapped));
            for number in 0..SUBSETS_DRAWN {
                // With one block the grains within it are all that there is to draw.
                let bytes = if blocks > 1 && number % 2 == 0 { BLOCK_BYTES } else { GRAIN_BYTES };
                all.push(Outcome::Drawn { number, bytes: bytes as u16 });
            }
        }
        all
    }

    /// Grains of the last step, if it is a write.
    fn last_write_grains(&self) -> Option<u16> {
        match &self.waiting.last()?.step {
            Step::Write { bytes, .. } => u16::try_from(bytes.len().div_ceil(GRAIN_BYTES)).ok(),
            _ => None,
        }
    }

    fn blocks_waiting(&self) -> u16 {
        u16::try_from(self.blocks_that_swap().count()).unwrap_or(u16::MAX)
    }

    /// Blocks that may stand in each other's places. Not the superblock's: before its second opening a
    /// store has one slot, so that a write that goes astray over it is for a repair.
    fn blocks_that_swap(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.waiting.iter().filter(|waiting| self.may_swap(waiting)).flat_map(|it| &it.blocks)
    }

    fn may_swap(&self, waiting: &Waiting) -> bool {
        let superblock = self.durable.find("superblock");
        !matches!(waiting.step, Step::Write { file, .. } if Some(file) == superblock)
    }

    /// The disk after a power cut with this outcome. `seed` is what chance is drawn from.
    pub fn after(&self, outcome: Outcome, seed: u64) -> Image {
        let mut image = self.durable.clone();
        let mut name = 0_u32;
        let last = self.waiting.len().saturating_sub(1);
        let swap = match outcome {
            Outcome::Swapped(number) => Some((number - 1, number)),
            _ => None,
        };
        let mut block = 0;
        for (at, waiting) in self.waiting.iter().enumerate() {
            let is_name = waiting.step.is_of_directory();
            let name_bit = 1_u32.checked_shl(name).unwrap_or(0);
            name += u32::from(is_name);
            let lands = match outcome {
                Outcome::Nothing => false,
                Outcome::Everything
                | Outcome::Torn { .. }
                | Outcome::Swapped(_)
                | Outcome::SizeOnly(_)
                | Outcome::DataOnly => true,
                Outcome::Lost(lost) => at != usize::from(lost),
                Outcome::Only(only) => at == usize::from(only),
                Outcome::Steps(mask) => mask >> at & 1 == 1,
                Outcome::Names { landed, with_data } => {
                    if is_name {
                        landed & name_bit != 0
                    } else {
                        with_data
                    }
                }
                Outcome::Drawn { number, .. } => {
                    !is_name || mix(mix(seed, u64::from(number)), at as u64) & 3 != 0
                }
            };
            if !lands {
                continue;
            }
            let Step::Write { file, offset, bytes } = &waiting.step else {
                waiting.apply(&mut image);
                continue;
            };
            let write = Write { file: *file, offset: *offset, bytes };
            match outcome {
                Outcome::Torn { grains, is_prefix, rest } if at == last => {
                    let all = bytes.len().div_ceil(GRAIN_BYTES) as u16;
                    let kept = if is_prefix { 0..grains } else { all - grains..all };
                    write.land(&mut image, rest, seed, |grain| kept.contains(&(grain as u16)));
                }
                Outcome::SizeOnly(rest) => write.land(&mut image, rest, seed, |_| false),
                Outcome::DataOnly => image.file_mut(*file).put(bytes, *offset),
                Outcome::Drawn { number, bytes: each } => {
                    let draw = mix(mix(seed, u64::from(number)), at as u64 + 1_000);
                    let rest = [Rest::Old, Rest::Zeros, Rest::Noise, Rest::Stale]
                        [(draw >> 8) as usize % 4];
                    let per = usize::from(each) / GRAIN_BYTES;
                    // From almost nothing to almost everything.
                    let often = draw % 7 + 1;
                    write.land(&mut image, rest, seed, |grain| {
                        mix(draw, (grain / per) as u64) % 8 < often
                    });
                }
                Outcome::Swapped(_) => self.land_swapped(&mut image, waiting, &mut block, swap),
                _ => waiting.apply(&mut image),
            }
        }
        image
    }

    /// The write of a disk that exchanges two blocks.
    fn land_swapped(
        &self,
        image: &mut Image,
        waiting: &Waiting,
        block: &mut u16,
        swap: Option<(u16, u16)>,
    ) {
        waiting.apply(image);
        let Step::Write { file, offset, .. } = &waiting.step else { return };
        if !self.may_swap(waiting) {
            return;
        }
        let first = *offset as usize / BLOCK_BYTES;
        for at in 0..waiting.blocks.len() {
            let other = match swap {
                Some((a, b)) if *block == a => Some(b),
                Some((a, b)) if *block == b => Some(a),
                _ => None,
            };
            let mut blocks = self.blocks_that_swap();
            if let Some(other) = other.and_then(|other| blocks.nth(usize::from(other))) {
                image.file_mut(*file).put_block(first + at, other.clone());
            }
            *block += 1;
        }
    }
}

/// One write that lands in part.
struct Write<'a> {
    file: u32,
    offset: u64,
    bytes: &'a [u8],
}

impl Write<'_> {
    /// The grains that `lands` says land; in the place of the others stands `rest`.
    fn land(self, image: &mut Image, rest: Rest, seed: u64, lands: impl Fn(usize) -> bool) {
        let stale = stale_block(image, self.file, seed);
        let content = image.file_mut(self.file);
        if rest != Rest::Old {
            let old_len = content.len();
            content.grow_to(self.offset + self.bytes.len() as u64);
            // Old bytes stay where there were some: it is new space that holds anything.
            let from = old_len.max(self.offset);
            let mut fill = vec![0; (content.len().saturating_sub(from)) as usize];
            match rest {
                Rest::Noise => {
                    for (at, eight) in fill.chunks_mut(8).enumerate() {
                        let noise = mix(seed, at as u64).to_le_bytes();
                        eight.copy_from_slice(&noise[..eight.len()]);
                    }
                }
                Rest::Stale => {
                    for part in fill.chunks_mut(BLOCK_BYTES) {
                        part.copy_from_slice(&stale[..part.len()]);
                    }
                }
                Rest::Old | Rest::Zeros => {}
            }
            content.put(&fill, from);
        }
        for (grain, bytes) in self.bytes.chunks(GRAIN_BYTES).enumerate() {
            if lands(grain) {
                let at = self.offset + (grain * GRAIN_BYTES) as u64;
                content.put(bytes, at);
                content.grow_to(at + bytes.len() as u64);
            }
        }
    }
}

/// A block that stands on the disk already, of this store.
fn stale_block(image: &Image, file: u32, seed: u64) -> [u8; BLOCK_BYTES] {
    let others: Vec<&Content> = image
        .files
        .iter()
        .filter(|(number, content)| *number != file && content.len() >= 2 * BLOCK_BYTES as u64)
        .map(|(_, content)| &**content)
        .collect();
    let mut bytes = [0; BLOCK_BYTES];
    if let Some(content) = others.get(seed as usize % others.len().max(1)) {
        // Not its first one: a segment's head names the segment, and the file that has it is still there.
        let blocks = content.len() / BLOCK_BYTES as u64 - 1;
        content.read(&mut bytes, ((seed >> 32) % blocks + 1) * BLOCK_BYTES as u64);
    }
    bytes
}

#[cfg(test)]
mod tests;
