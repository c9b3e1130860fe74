//! The golden stores with every kind of damage.

use super::{
    draw::Draw,
    report::{hold as hold_lines, hold_reports},
};
use ss_lib::{
    crc32c_append,
    disk::{decode_page, scan},
};
use ss_tests::disk::{
    golden::{Kept, kept},
    memory::MemoryDisk,
    page::{PAGE_BYTES, Place},
};
use std::fmt::Write;

/// What is done to a page of a segment's file.
#[derive(Clone, Copy)]
enum PageDamage {
    Flipped,
    Zeroed,
    Torn,
    Unreadable,
    /// Under a right checksum.
    Edited,
    Newer,
    Renumbered,
    /// The page before it was written to its place.
    Misdirected,
}

const PAGE_DAMAGES: [(&str, PageDamage); 8] = [
    ("flipped", PageDamage::Flipped),
    ("zeroed", PageDamage::Zeroed),
    ("torn", PageDamage::Torn),
    ("unreadable", PageDamage::Unreadable),
    ("edited", PageDamage::Edited),
    ("newer", PageDamage::Newer),
    ("renumbered", PageDamage::Renumbered),
    ("misdirected", PageDamage::Misdirected),
];

/// Segment and generation, by a file's name.
fn named(file: &str) -> Option<(u64, u8)> {
    let (segment, generation) = file.strip_suffix(".seg")?.split_once('-')?;
    Some((u64::from_str_radix(segment, 16).ok()?, u8::from_str_radix(generation, 16).ok()?))
}

fn damage_page(disk: &MemoryDisk, store_id: [u8; 16], file: &str, page: usize, damage: PageDamage) {
    let (segment, generation) = named(file).unwrap();
    let place = Place { store_id, segment, generation, page: page as u32 };
    let range = page * PAGE_BYTES..(page + 1) * PAGE_BYTES;
    disk.edit(file, |bytes| {
        let before = bytes[range.start.saturating_sub(PAGE_BYTES)..][..PAGE_BYTES].to_vec();
        let bytes = &mut bytes[range.clone()];
        match damage {
            PageDamage::Flipped => bytes[40] ^= 0x10,
            PageDamage::Zeroed => bytes.fill(0),
            PageDamage::Torn => bytes[1_536..].fill(0),
            PageDamage::Unreadable => {}
            PageDamage::Edited => bytes[31] ^= 0x02,
            PageDamage::Newer => bytes[5] += 1,
            // The page's number.
            PageDamage::Renumbered => bytes[8] = bytes[8].wrapping_sub(2),
            PageDamage::Misdirected => bytes.copy_from_slice(&before),
        }
        if matches!(damage, PageDamage::Edited | PageDamage::Newer | PageDamage::Renumbered) {
            place.fix_crc(bytes);
        }
    });
    if matches!(damage, PageDamage::Unreadable) {
        disk.spoil_block(file, range.start as u64 + 1_024);
    }
}

/// What is done to whole files.
fn damage_files(disk: &MemoryDisk) -> Vec<(String, MemoryDisk)> {
    let files = disk.files();
    let mut damaged = Vec::new();
    for (file, bytes) in &files {
        let mut put = |what: &str, change: &dyn Fn(&MemoryDisk)| {
            let disk = disk.clone();
            change(&disk);
            damaged.push((format!("{file} {what}"), disk));
        };
        put("removed", &|disk| drop(disk.remove(file)));
        put("emptied", &|disk| disk.edit(file, Vec::clear));
        let Some((segment, generation)) = named(file) else {
            for (slot, at) in [(0, 0), (1, PAGE_BYTES)] {
                put(&format!("slot {slot} rotten"), &|disk| disk.edit(file, |b| b[at + 50] ^= 4));
            }
            put("garbled", &|disk| disk.edit(file, |b| b.iter_mut().for_each(|b| *b ^= 0x55)));
            continue;
        };
        for cut in [700, PAGE_BYTES, 2 * PAGE_BYTES, 3 * PAGE_BYTES + 513] {
            if cut < bytes.len() {
                put(&format!("{cut} B shorter"), &|disk| {
                    disk.edit(file, |bytes| bytes.truncate(bytes.len() - cut));
                });
            }
        }
        for more in [700, PAGE_BYTES, 3 * PAGE_BYTES] {
            put(&format!("{more} B of zeros longer"), &|disk| {
                disk.edit(file, |bytes| bytes.resize(bytes.len() + more, 0));
            });
        }
        put("longer than any segment", &|disk| {
            disk.edit(file, |bytes| bytes.resize(30 * PAGE_BYTES, 0x11));
        });
        let other = segment ^ 0x20;
        for (what, name) in [
            ("copied", format!("{other:016x}-{generation:02x}.seg")),
            ("copied as squeezed", format!("{segment:016x}-{:02x}.seg", generation + 1)),
            ("copied under no segment's name", "lost.bin".to_owned()),
        ] {
            put(what, &|disk| disk.edit(&name, |new| new.clone_from(bytes)));
        }
        put("renamed", &|disk| {
            let bytes = disk.remove(file);
            disk.edit(&format!("{other:016x}-{generation:02x}.seg"), |new| *new = bytes);
        });
    }
    damaged
}

/// Two pages at a time, in any two ways: what one damage hides of another.
pub(crate) fn damage_twice(
    disk: &MemoryDisk,
    store_id: [u8; 16],
    draw: &mut Draw,
    count: u64,
) -> Vec<(String, MemoryDisk)> {
    let files = disk.files();
    let pages: Vec<(&String, usize)> = files
        .iter()
        .filter(|(file, _)| named(file).is_some())
        .flat_map(|(file, bytes)| (0..bytes.len() / PAGE_BYTES).map(move |page| (file, page)))
        .collect();
    let twice = |_| {
        let disk = disk.clone();
        let mut what = String::new();
        for _ in 0..2 {
            let (file, page) = pages[draw.below(pages.len() as u64) as usize];
            let (how, damage) = PAGE_DAMAGES[draw.below(PAGE_DAMAGES.len() as u64) as usize];
            damage_page(&disk, store_id, file, page, damage);
            write!(what, "{file} {page} {how} ").unwrap();
        }
        (what.trim_end().to_owned(), disk)
    };
    (0..count).map(twice).collect()
}

fn store_id(disk: &MemoryDisk) -> [u8; 16] {
    disk.files()["superblock"][16..32].try_into().unwrap()
}

/// A golden store as it is, and damaged in every way.
fn damaged(kept: &Kept) -> Vec<(String, MemoryDisk)> {
    let store_id = store_id(&kept.disk);
    let mut stores = vec![("as it is".to_owned(), kept.disk.clone())];
    // A large store has many pages of each kind: some of them are damaged, in one way each.
    let is_large = kept.disk.files().values().map(Vec::len).sum::<usize>() > 160 << 10;
    let step = if is_large { 13 } else { 1 };
    for (file, bytes) in kept.disk.files().iter().filter(|(file, _)| named(file).is_some()) {
        for page in 0..bytes.len() / PAGE_BYTES {
            for (how, damage) in PAGE_DAMAGES.into_iter().skip(page % step).step_by(step) {
                let disk = kept.disk.clone();
                damage_page(&disk, store_id, file, page, damage);
                stores.push((format!("{file} {page} {how}"), disk));
            }
        }
    }
    stores.extend(damage_files(&kept.disk).into_iter().step_by(if is_large { 4 } else { 1 }));
    stores.extend(damage_twice(
        &kept.disk,
        store_id,
        &mut Draw::new(1),
        if is_large { 12 } else { 40 },
    ));
    stores
}

fn hold(name: &str) {
    let kept = kept().into_iter().find(|kept| kept.name == name).unwrap();
    hold_reports(name, damaged(&kept));
}

/// Every byte of a page that is used, changed in four ways under a right checksum: what can still be decoded.
#[test]
fn reports_of_edited_bytes() {
    let names = ["clean", "killed", "losses", "squeezed"];
    let mut lines = String::new();
    for kept in kept().into_iter().filter(|kept| names.contains(&kept.name.as_str())) {
        let store_id = store_id(&kept.disk);
        let sound = scan(&kept.disk).unwrap();
        for segment in &sound.segments {
            for page in 0..segment.pages {
                let whole = decode_page(&kept.disk, &sound, &segment.file, page).unwrap();
                let (mut decoded, mut crc) = (0, 0);
                for at in 16..whole.used as usize {
                    for change in [0x01, 0x10, 0x80, 0xFF] {
                        let file = segment.file.as_str();
                        let mut bytes = whole.bytes.clone();
                        bytes[at] ^= change;
                        let place = Place {
                            store_id,
                            segment: segment.segment,
                            generation: segment.generation,
                            page,
                        };
                        place.fix_crc(&mut bytes);
                        let start = page as usize * PAGE_BYTES;
                        kept.disk.edit(file, |file| {
                            file[start..start + PAGE_BYTES].copy_from_slice(&bytes);
                        });
                        let dump = decode_page(&kept.disk, &sound, &segment.file, page).unwrap();
                        let text = format!("{:?}{:?}", dump.class, dump.chunks);
                        crc = crc32c_append(crc, text.as_bytes());
                        decoded += dump.chunks.len();
                    }
                }
                kept.disk.edit(segment.file.as_str(), |file| {
                    let start = page as usize * PAGE_BYTES;
                    file[start..start + PAGE_BYTES].copy_from_slice(&whole.bytes);
                });
                let (name, file) = (&kept.name, segment.file.as_str());
                writeln!(lines, "{name} {file} {page}: {decoded} chunks {crc:08x}").unwrap();
            }
        }
    }
    hold_lines("edited-bytes", &lines);
}

/// One test for each store.
macro_rules! stores {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            hold($name);
        })*

        #[test]
        fn every_golden_store_has_its_reports() {
            let names: Vec<_> = kept().into_iter().map(|kept| kept.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

stores! {
    reports_of_clean: "clean",
    reports_of_cut_squeezes: "cut-squeezes",
    reports_of_damaged_bit: "damaged-bit",
    reports_of_damaged_missing: "damaged-missing",
    reports_of_damaged_torn_end: "damaged-torn-end",
    reports_of_engine_closed: "engine-closed",
    reports_of_engine_killed: "engine-killed",
    reports_of_killed: "killed",
    reports_of_losses: "losses",
    reports_of_numbers_end: "numbers-end",
    reports_of_removed: "removed",
    reports_of_squeezed: "squeezed",
}
