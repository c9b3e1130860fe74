//! What a power cut leaves, and what it cannot: the second part of the fault model.

use super::{
    super::{Call, Disk, Due, SimDisk, SimFault, SimFile},
    Crashable, GRAIN_BYTES, Image, Outcome, Rest, SUBSETS_DRAWN, Step,
};
use crate::disk::PAGE_BYTES;
use std::collections::BTreeSet;

const PAGE: u64 = PAGE_BYTES as u64;
const GRAINS: usize = PAGE_BYTES / GRAIN_BYTES;

/// What the image has under this name.
fn content(image: &Image, name: &str) -> Option<Vec<u8>> {
    let mut found = None;
    image.each_file(&mut |known, bytes| {
        if known == name {
            found = Some(bytes.to_vec());
        }
    });
    found
}

fn names(image: &Image) -> Vec<&str> {
    image.list().map(|(name, _)| name).collect()
}

/// Each page has its number for its bytes.
fn pages(numbers: &[u8]) -> Vec<u8> {
    numbers.iter().flat_map(|number| [*number; PAGE_BYTES]).collect()
}

/// A disk on which these files are durable.
fn durable(files: &[(&str, &[u8])]) -> SimDisk {
    let disk = SimDisk::journaled(&Image::default());
    for (name, numbers) in files {
        let file = disk.create(name).unwrap();
        disk.write_at(&file, &pages(numbers), 0).unwrap();
        disk.sync(&file).unwrap();
    }
    disk.sync_dir().unwrap();
    assert!(disk.crashable().unwrap().outcomes() == [Outcome::Everything]);
    disk
}

fn write(disk: &SimDisk, name: &str, numbers: &[u8], page: u64) -> SimFile {
    let file = disk.open(name).unwrap();
    disk.write_at(&file, &pages(numbers), page * PAGE).unwrap();
    file
}

fn after(disk: &SimDisk, outcome: Outcome) -> Image {
    disk.crashable().unwrap().after(outcome, 7)
}

#[test]
fn what_a_sync_covered_is_there_whatever_the_cut_does() {
    let disk = durable(&[("a", &[1, 2]), ("b", &[3])]);
    let a = write(&disk, "a", &[4], 1);
    disk.set_len(&a, PAGE + 100).unwrap();
    write(&disk, "b", &[5], 0);
    disk.sync(&a).unwrap();
    let crash = disk.crashable().unwrap();
    for outcome in crash.outcomes() {
        let image = after(&disk, outcome);
        assert!(content(&image, "a").unwrap() == pages(&[1, 4])[..PAGE_BYTES + 100], "{outcome}");
    }
    assert!(content(crash.durable(), "b").unwrap() == pages(&[3]));
}

#[test]
fn any_subset_of_what_waits_may_land_in_any_order() {
    let disk = durable(&[("a", &[1, 1, 1])]);
    for page in 0..3 {
        write(&disk, "a", &[2 + page as u8], page);
    }
    let landed = |outcome| {
        let found = content(&after(&disk, outcome), "a").unwrap();
        [found[0], found[PAGE_BYTES], found[2 * PAGE_BYTES]]
    };
    assert_eq!(landed(Outcome::Nothing), [1, 1, 1]);
    assert_eq!(landed(Outcome::Everything), [2, 3, 4]);
    assert_eq!([0, 1, 2].map(|at| landed(Outcome::Lost(at))), [[1, 3, 4], [2, 1, 4], [2, 3, 1]]);
    assert_eq!([0, 1, 2].map(|at| landed(Outcome::Only(at))), [[2, 1, 1], [1, 3, 1], [1, 1, 4]]);
    assert_eq!(landed(Outcome::Steps(0b101)), [2, 1, 4]);
    assert_eq!(landed(Outcome::Steps(0b110)), [1, 3, 4]);
    // Two blocks in each other's places.
    assert_eq!(landed(Outcome::Swapped(1)), [3, 2, 4]);
    assert_eq!(landed(Outcome::Swapped(2)), [2, 4, 3]);
    let outcomes = disk.crashable().unwrap().outcomes();
    let all: BTreeSet<_> = outcomes.into_iter().map(landed).collect();
    for mask in 0..8_u8 {
        let at = |page: u8| if mask >> page & 1 == 1 { 2 + page } else { 1 };
        assert!(all.contains(&[at(0), at(1), at(2)]), "{mask:#b} never landed");
    }
}

/// The order of the outcomes is part of a report's name for a state.
#[test]
fn every_outcome_is_listed_once_and_in_order() {
    let disk = durable(&[("a", &[1])]);
    write(&disk, "a", &[2, 3], 0);
    let mut wanted =
        vec![Outcome::Everything, Outcome::Nothing, Outcome::Lost(0), Outcome::Only(0)];
    let all_rests = [Rest::Old, Rest::Zeros, Rest::Noise, Rest::Stale];
    for grains in 1..2 * GRAINS as u16 {
        wanted.extend(all_rests.map(|rest| Outcome::Torn { grains, is_prefix: true, rest }));
        let rests = &all_rests[1..];
        wanted.extend(rests.iter().map(|&rest| Outcome::Torn { grains, is_prefix: false, rest }));
    }
    wanted.extend([Rest::Zeros, Rest::Noise, Rest::Stale].map(Outcome::SizeOnly));
    wanted.extend([Outcome::DataOnly, Outcome::Swapped(1)]);
    // By turns whole blocks and grains.
    wanted.extend((0..SUBSETS_DRAWN).map(|number| Outcome::Drawn {
        number,
        bytes: if number % 2 == 0 { PAGE_BYTES } else { GRAIN_BYTES } as u16,
    }));
    assert!(disk.crashable().unwrap().outcomes() == wanted);
    // A second step: subsets of the two. A name: with the data and without them.
    disk.create("b").unwrap();
    let outcomes = disk.crashable().unwrap().outcomes();
    let begin = [
        Outcome::Everything,
        Outcome::Nothing,
        Outcome::Lost(0),
        Outcome::Only(0),
        Outcome::Lost(1),
        Outcome::Only(1),
        Outcome::Steps(1),
        Outcome::Steps(2),
        Outcome::Names { landed: 0, with_data: false },
        Outcome::Names { landed: 0, with_data: true },
        Outcome::Names { landed: 1, with_data: false },
        Outcome::Names { landed: 1, with_data: true },
        Outcome::SizeOnly(Rest::Zeros),
    ];
    assert_eq!(outcomes[..begin.len()], begin);
    // With one block there are only its grains to draw, and nothing to exchange.
    let one = durable(&[("a", &[1])]);
    write(&one, "a", &[2], 0);
    let outcomes = one.crashable().unwrap().outcomes();
    assert!(!outcomes.iter().any(|outcome| outcome.is_misdirected()));
    let grains = GRAIN_BYTES as u16;
    let is_drawn =
        |outcome: &&Outcome| matches!(outcome, Outcome::Drawn { bytes, .. } if *bytes == grains);
    assert_eq!(outcomes.iter().filter(is_drawn).count(), SUBSETS_DRAWN as usize);
    // Of six steps and more not every subset.
    let many = durable(&[("a", &[1])]);
    for page in 0..6 {
        write(&many, "a", &[2], page);
    }
    let outcomes = many.crashable().unwrap().outcomes();
    assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Steps(_))));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_misdirected()).count(), 5);
}

#[test]
fn names_land_or_not_each_by_itself_until_the_directory_is_synced() {
    let disk = durable(&[("a", &[1]), ("b", &[2])]);
    let c = disk.create("c").unwrap();
    disk.write_at(&c, &pages(&[3]), 0).unwrap();
    // What of a file is synced says nothing of its name.
    disk.sync(&c).unwrap();
    disk.unlink("a").unwrap();
    disk.rename("b", "d").unwrap();
    let left = |outcome| names(&after(&disk, outcome)).join("");
    let all = |with_data| {
        (0..8).map(|landed| left(Outcome::Names { landed, with_data })).collect::<Vec<_>>()
    };
    let wanted = ["ab", "abc", "b", "bc", "ad", "acd", "d", "cd"];
    assert_eq!(
        (all(false), all(true)),
        (wanted.map(String::from).into(), wanted.map(String::from).into())
    );
    assert!(content(&after(&disk, Outcome::Only(0)), "c").unwrap() == pages(&[3]));
    disk.sync_dir().unwrap();
    for outcome in disk.crashable().unwrap().outcomes() {
        let image = after(&disk, outcome);
        assert_eq!(names(&image), ["c", "d"], "{outcome}");
        assert!(content(&image, "c").unwrap() == pages(&[3]), "{outcome}");
        assert!(content(&image, "d").unwrap() == pages(&[2]), "{outcome}");
    }
}

#[test]
fn a_name_may_land_without_the_data_and_the_data_without_a_name() {
    let disk = durable(&[]);
    let file = disk.create("a").unwrap();
    disk.write_at(&file, &pages(&[1]), 0).unwrap();
    let left = |landed, with_data| {
        content(&after(&disk, Outcome::Names { landed, with_data }), "a").map(|bytes| bytes.len())
    };
    let found = [left(0, false), left(0, true), left(1, false), left(1, true)];
    assert_eq!(found, [None, None, Some(0), Some(PAGE_BYTES)]);
    // The directory alone does not make its data durable.
    disk.sync_dir().unwrap();
    assert_eq!(content(&after(&disk, Outcome::Nothing), "a"), Some(vec![]));
}

/// Which bytes stand where `numbers` were to be written.
fn grains(image: &Image, name: &str) -> Vec<Vec<u8>> {
    content(image, name).unwrap().chunks(GRAIN_BYTES).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_torn_write_is_there_by_grains_and_the_rest_is_what_was_told() {
    // A write over the file's last page and one more; another file has what may stand there as well.
    let disk = durable(&[("a", &[1, 2]), ("b", &[11, 12, 13, 14])]);
    write(&disk, "a", &[8, 9], 1);
    let new: Vec<_> = pages(&[1, 8, 9]).chunks(GRAIN_BYTES).map(<[u8]>::to_vec).collect();
    let (old_end, end) = (2 * GRAINS, 3 * GRAINS);
    let mut stale_seen = BTreeSet::new();
    for seed in 0..12_u64 {
        for kept in 1..2 * GRAINS {
            for is_prefix in [true, false] {
                for rest in [Rest::Old, Rest::Zeros, Rest::Noise, Rest::Stale] {
                    let grains_kept =
                        if is_prefix { GRAINS..GRAINS + kept } else { end - kept..end };
                    let outcome = Outcome::Torn { grains: kept as u16, is_prefix, rest };
                    let crash = disk.crashable().unwrap();
                    let found = grains(&crash.after(outcome, seed << 32 | seed), "a");
                    // Behind the old end there is nothing, or what was written further on.
                    let has_grown = rest != Rest::Old || !is_prefix;
                    let wanted_len = if has_grown { end } else { grains_kept.end.max(old_end) };
                    assert_eq!(found.len(), wanted_len, "{outcome}");
                    for (at, grain) in found.iter().enumerate() {
                        let byte = grain[0];
                        let is_even = grain.iter().all(|other| *other == byte);
                        if at < GRAINS || grains_kept.contains(&at) {
                            assert!(*grain == new[at], "{outcome}: {at}");
                        } else if at < old_end {
                            assert!(is_even && byte == 2, "{outcome}: {at}");
                        } else {
                            match rest {
                                Rest::Old | Rest::Zeros => assert!(is_even && byte == 0),
                                Rest::Noise => assert!(!is_even, "{outcome}: {at}"),
                                Rest::Stale => {
                                    assert!(is_even, "{outcome}: {at}");
                                    stale_seen.insert(byte);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    // Any block of another file but its first, which says whose it is.
    assert_eq!(stale_seen.into_iter().collect::<Vec<_>>(), [12, 13, 14]);
}

#[test]
fn sizes_come_without_their_data_and_data_without_their_size() {
    let disk = durable(&[("a", &[1]), ("b", &[11, 12])]);
    write(&disk, "a", &[8, 9], 0);
    let found = |outcome| content(&after(&disk, outcome), "a").unwrap();
    assert!(found(Outcome::DataOnly) == pages(&[8]));
    assert!(found(Outcome::SizeOnly(Rest::Zeros)) == pages(&[1, 0]));
    assert!(found(Outcome::SizeOnly(Rest::Stale)) == pages(&[1, 12]));
    let noise = found(Outcome::SizeOnly(Rest::Noise));
    assert!(noise.len() == 2 * PAGE_BYTES && noise[..PAGE_BYTES] == pages(&[1]));
    let words: BTreeSet<_> = noise[PAGE_BYTES..].chunks(8).collect();
    assert_eq!(words.len(), PAGE_BYTES / 8);
    // Data that landed without their size are there when the file grows over them.
    let image = after(&disk, Outcome::DataOnly);
    let grown = SimDisk::new(&image);
    grown.set_len(&grown.open("a").unwrap(), 2 * PAGE).unwrap();
    assert!(content(&grown.image(), "a").unwrap() == pages(&[8, 9]));
}

#[test]
fn blocks_are_drawn_whole_or_by_grains_and_each_drawing_is_another() {
    for bytes in [GRAIN_BYTES, PAGE_BYTES] {
        let disk = durable(&[("a", &[1; 8])]);
        write(&disk, "a", &[2; 8], 0);
        let mut drawings = BTreeSet::new();
        let mut landed = [0_usize; 9];
        for number in 0..SUBSETS_DRAWN {
            let outcome = Outcome::Drawn { number, bytes: bytes as u16 };
            let found = content(&after(&disk, outcome), "a").unwrap();
            assert!(found == content(&after(&disk, outcome), "a").unwrap());
            let parts: Vec<u8> = found.chunks(bytes).map(|part| part[0]).collect();
            for (part, byte) in found.chunks(bytes).zip(&parts) {
                assert!([1, 2].contains(byte) && part.iter().all(|other| other == byte));
            }
            let new: usize = parts.iter().map(|byte| usize::from(*byte - 1)).sum();
            landed[new * 8 / parts.len()] += 1;
            drawings.insert(parts);
        }
        // From almost nothing to almost everything.
        assert!(drawings.len() > 30, "{} drawings", drawings.len());
        assert!(landed[..3].iter().sum::<usize>() > 3 && landed[6..].iter().sum::<usize>() > 3);
    }
    // Another seed draws others; names are drawn as well.
    let disk = durable(&[("a", &[1; 8])]);
    write(&disk, "a", &[2; 8], 0);
    disk.create("b").unwrap();
    let crash = disk.crashable().unwrap();
    let drawn = |seed| {
        let outcomes = (0..SUBSETS_DRAWN).map(|number| Outcome::Drawn { number, bytes: 4096 });
        outcomes.map(|outcome| crash.after(outcome, seed).hash()).collect::<Vec<_>>()
    };
    assert!(drawn(1) == drawn(1) && drawn(1) != drawn(2));
    let named = (0..SUBSETS_DRAWN).filter(|&number| {
        names(&crash.after(Outcome::Drawn { number, bytes: 512 }, 1)).contains(&"b")
    });
    assert!((20..50).contains(&named.count()));
}

/// Before its second opening a store has one slot of its superblock, and nothing mends it but a repair.
#[test]
fn no_block_stands_in_the_superblocks_place() {
    let disk = durable(&[("superblock", &[1, 1]), ("a", &[2, 2])]);
    write(&disk, "superblock", &[3], 1);
    write(&disk, "a", &[4, 5], 0);
    let crash = disk.crashable().unwrap();
    let swapped = |outcome: &Outcome| outcome.is_misdirected();
    let outcomes: Vec<_> = crash.outcomes().into_iter().filter(swapped).collect();
    assert_eq!(outcomes, [Outcome::Swapped(1)]);
    let image = after(&disk, outcomes[0]);
    assert!(content(&image, "superblock").unwrap() == pages(&[1, 3]));
    assert!(content(&image, "a").unwrap() == pages(&[5, 4]));
}

#[test]
fn what_a_failed_sync_dropped_no_other_sync_makes_durable() {
    let disk = durable(&[("a", &[1, 1, 1]), ("b", &[1])]);
    let a = write(&disk, "a", &[2, 2], 0);
    let b = write(&disk, "b", &[3], 0);
    disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
    assert!(disk.sync(&a).is_err());
    // Written behind it, and the next sync goes well.
    write(&disk, "a", &[4], 2);
    disk.sync(&a).unwrap();
    disk.sync(&b).unwrap();
    // Readers still see it, also after a kill.
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2, 2, 4]));
    assert!(content(&disk.crashable().unwrap().whole(), "a").unwrap() == pages(&[2, 2, 4]));
    let durable = after(&disk, Outcome::Nothing);
    assert!(content(&durable, "a").unwrap() == pages(&[1, 1, 4]));
    assert!(content(&durable, "b").unwrap() == pages(&[3]));
    // Unless the cache is told to let go of them.
    disk.forget_cached(&a, PAGE, PAGE).unwrap();
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2, 1, 4]));
    disk.forget_cached(&a, 0, PAGE).unwrap();
    assert!(content(&disk.image(), "a").unwrap() == pages(&[1, 1, 4]));
    // What is written there anew and synced is durable, and nothing of the old comes back over it.
    write(&disk, "a", &[5, 6], 0);
    disk.sync(&a).unwrap();
    for outcome in disk.crashable().unwrap().outcomes() {
        assert!(content(&after(&disk, outcome), "a").unwrap() == pages(&[5, 6, 4]), "{outcome}");
    }
}

#[test]
fn what_is_forgotten_is_what_the_disk_will_have() {
    let disk = durable(&[("a", &[1])]);
    let file = write(&disk, "a", &[2, 3], 0);
    // A write that waits is no news to the disk: it is written before it is forgotten.
    disk.forget_cached(&file, 0, 4 * PAGE).unwrap();
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2, 3]));
    write(&disk, "a", &[4], 2);
    disk.fail(Due { call: Call::Sync, fault: SimFault::Full, nth: 0, times: 1 });
    assert!(disk.sync(&file).is_err());
    // A file's size is not the cache's.
    disk.forget_cached(&file, 0, 4 * PAGE).unwrap();
    assert!(content(&disk.image(), "a").unwrap() == pages(&[1, 0, 0]));
}

#[test]
fn a_kill_leaves_a_write_from_its_beginning_on() {
    let disk = durable(&[("a", &[1, 1])]);
    write(&disk, "a", &[2], 0);
    let crash = disk.crashable().unwrap();
    let file = disk.open("a").unwrap();
    let bytes = pages(&[3]).into();
    let begun = Step::Write { file: file.0, offset: PAGE, bytes };
    let torn = |is_prefix, rest| Outcome::Torn { grains: 3, is_prefix, rest };
    // No write under way: everything that was written, and nothing else.
    let kills = |crash: &Crashable| {
        let outcomes = crash.outcomes().into_iter();
        outcomes.filter(|outcome| outcome.is_kill(crash)).collect::<Vec<_>>()
    };
    assert_eq!(kills(&crash), [Outcome::Everything]);
    let mut cut = crash.clone();
    cut.push_begun(&begun);
    let mut wanted = vec![Outcome::Everything, Outcome::Lost(1)];
    wanted.extend((1..GRAINS as u16).map(|grains| Outcome::Torn {
        grains,
        is_prefix: true,
        rest: Rest::Old,
    }));
    assert_eq!(kills(&cut), wanted);
    assert!(!torn(false, Rest::Old).is_kill(&cut) && !torn(true, Rest::Zeros).is_kill(&cut));
    assert!(content(&cut.after(Outcome::Lost(1), 1), "a").unwrap() == pages(&[2, 1]));
    // A sync that did not return has promised nothing.
    let mut unsynced = crash.clone();
    unsynced.push_begun(&Step::Sync { file: file.0 });
    assert!(content(&unsynced.after(Outcome::Nothing, 1), "a").unwrap() == pages(&[1, 1]));
    assert_eq!(kills(&unsynced), [Outcome::Everything]);
}

#[test]
fn after_a_power_cut_the_disk_goes_on_with_what_was_left() {
    let disk = durable(&[("a", &[1])]);
    write(&disk, "a", &[2], 0);
    disk.set_next_cut(Outcome::Everything);
    disk.cut_power(Outcome::Nothing, 1);
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2]));
    // That was for one cut. What it left is durable.
    write(&disk, "a", &[3], 0);
    disk.cut_power(Outcome::Nothing, 1);
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2]));
    disk.cut_power(Outcome::Nothing, 1);
    assert!(content(&disk.image(), "a").unwrap() == pages(&[2]));
    let file = write(&disk, "a", &[4], 0);
    disk.sync(&file).unwrap();
    disk.cut_power(Outcome::Nothing, 1);
    assert!(content(&disk.image(), "a").unwrap() == pages(&[4]));
    // A disk whose power cannot be cut goes on.
    let plain = SimDisk::new(&disk.image());
    write(&plain, "a", &[5], 0);
    plain.cut_power(Outcome::Nothing, 1);
    assert!(content(&plain.image(), "a").unwrap() == pages(&[5]));
    assert!(plain.crashable().is_none() && plain.take_journal().is_empty());
}

#[test]
fn an_outcome_is_told_in_words() {
    let torn = |is_prefix| Outcome::Torn { grains: 3, is_prefix, rest: Rest::Noise };
    let told = [
        (Outcome::Nothing, "nothing that waited landed"),
        (Outcome::Everything, "everything landed"),
        (Outcome::Lost(2), "all but waiting step 2 landed"),
        (Outcome::Only(3), "only waiting step 3 landed"),
        (Outcome::Steps(5), "waiting steps 0b101 landed"),
        (Outcome::Names { landed: 2, with_data: true }, "names 0b10 landed, with all data"),
        (Outcome::Names { landed: 0, with_data: false }, "names 0b0 landed, without data"),
        (torn(true), "of the last write the first 3 x 512 B landed, the rest Noise"),
        (torn(false), "of the last write the last 3 x 512 B landed, the rest Noise"),
        (Outcome::SizeOnly(Rest::Stale), "sizes landed without data: Stale"),
        (Outcome::DataOnly, "data landed without their sizes"),
        (Outcome::Drawn { number: 4, bytes: 512 }, "drawing 4 of blocks of 512 B"),
        (Outcome::Swapped(1), "two blocks changed places (1)"),
    ];
    for (outcome, words) in told {
        assert_eq!(outcome.to_string(), words);
    }
}
