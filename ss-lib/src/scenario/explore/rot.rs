//! Rot: one bit of one page flips, or one page stands in another one's place, in a disk that was otherwise
//! left by a kill. Only what stood in that page may be missing, and the ledger names it.

use super::{judge::Damage, tape::Recording};
use crate::disk::{Chunk, FileName, PAGE_BYTES, PageView, SegmentSeed, pack_key, sim::Image};

/// One page that is to be damaged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) file: FileName,
    pub(super) page: u64,
}

fn is_segment(name: &str) -> bool {
    FileName::segment(name).is_some()
}

/// Every page of every file but the reserve and the lock, whose content means nothing.
pub(super) fn places(image: &Image) -> Vec<Place> {
    let files = image.list().filter(|(name, _)| is_segment(name) || *name == "superblock");
    let pages = |(name, bytes): (&str, u64)| {
        let file = FileName::new(name);
        (0..bytes / PAGE_BYTES as u64).map(move |page| Place { file, page })
    };
    files.flat_map(pages).collect()
}

/// What may be missing when this page is.
pub(super) fn damage(recording: &Recording, image: &Image, place: Place) -> Damage {
    let mut damage = Damage::default();
    let Some((segment, generation)) = FileName::segment(place.file.as_str()) else {
        // Before its second opening a store has one slot.
        damage.has_cursors = true;
        return damage;
    };
    let store_id = recording.config.origin.store_id.unwrap_or_default();
    let seed = SegmentSeed::new(&store_id, segment, generation);
    // One that was just created and has nothing yet is none.
    let newest = image
        .list()
        .filter(|(name, bytes)| is_segment(name) && *bytes >= PAGE_BYTES as u64)
        .map(|(name, _)| name);
    let is_newest = newest.max() == Some(place.file.as_str());
    let mut bytes = Vec::new();
    image.each_file(&mut |name, content| {
        if name == place.file.as_str() {
            bytes = content.to_vec();
        }
    });
    let pages: Vec<&[u8; PAGE_BYTES]> =
        bytes.chunks_exact(PAGE_BYTES).filter_map(|page| page.try_into().ok()).collect();
    // A page whose own writing was cut proves nothing about another one.
    let view = |(number, page)| PageView::check(page, seed, number).ok();
    let views: Vec<_> = (0..).zip(pages).map(view).collect();
    let at = place.page as usize;
    let durable_lsn = views.iter().flatten().map(|view| view.info.durable_lsn).max().unwrap_or(0);
    let lsn = views.get(at).and_then(Option::as_ref).map_or(0, |view| view.info.lsn);
    // In the newest segment, what no page calls durable yet ends where a page is bad.
    let end = if is_newest && lsn >= durable_lsn { views.len() } else { at + 1 };
    for view in views.get(at..end).unwrap_or_default() {
        let Some(view) = view else { continue };
        for chunk in view.chunks() {
            match chunk {
                Ok(Chunk::Records(chunk)) => {
                    let is_it =
                        |config: &crate::SensorConfig| pack_key(config.key) == chunk.header.key;
                    let member = recording.members.iter().position(|member| is_it(&member.config));
                    if let Some(member) = member {
                        let first = chunk.header.first_seq - chunk.header.skip;
                        damage.records.push((member, first, chunk.end_seq()));
                    }
                }
                _ => damage.has_cursors = true,
            }
        }
    }
    damage
}
