//! Memory is bounded however many sensors and index pages a segment has.

use super::{FENCES_MAX, Fences, PAGE_BITS, shrink};
use crate::disk::{page::PAGE_BYTES, varint::Decoder};

/// Entries as a pass collects them: each sensor's pages, and pages have their sensors.
fn arena(sensors: &[(u64, u64)]) -> Vec<u64> {
    let pages = sensors.iter().map(|(_, pages)| *pages).max().unwrap_or(0);
    let mut entries = Vec::new();
    for page in 0..pages {
        for &(key, pages) in sensors {
            if page < pages {
                entries.push(key << PAGE_BITS | page);
            }
        }
    }
    entries
}

/// A pass that has no room keeps smaller keys whole and leaves larger ones to the next pass.
#[test]
fn a_pass_makes_room_without_losing_a_page_of_a_sensor() {
    let even: Vec<_> = (0..50).map(|key| (100 + key * 7, 20)).collect();
    let first_is_large = [(5, 900), (6, 10), (1 << 39, 10)];
    let last_is_large = [(5, 10), (6, 10), (7, 900)];
    for sensors in [&even[..], &first_is_large, &last_is_large, &[(9, 3)]] {
        for limit in [1 << 40, 1 << 20] {
            let mut kept = arena(sensors);
            kept.retain(|entry| entry >> PAGE_BITS < limit);
            let mut all = kept.clone();
            all.sort_unstable();
            let cut = shrink(&mut kept, limit);
            let wanted: Vec<_> =
                all.iter().copied().filter(|entry| entry >> PAGE_BITS < cut).collect();
            assert_eq!(kept, wanted, "{cut}");
            // The next pass begins at the cut: a pass that kept nothing would go on for ever.
            assert!(!kept.is_empty() && cut > all[0] >> PAGE_BITS && cut <= limit, "{cut}");
            // Half of it is free, unless one sensor has more than that.
            let is_one = kept[0] >> PAGE_BITS == kept[kept.len() - 1] >> PAGE_BITS;
            assert!(is_one || kept.len() <= all.len() / 2, "{} of {}", kept.len(), all.len());
        }
    }
    // The same entry twice is one.
    let mut twice = [arena(&even), arena(&even)].concat();
    shrink(&mut twice, 1 << 40);
    assert!(twice.is_sorted_by(|a, b| a < b));
    // With nothing collected there is nothing to leave to another pass.
    assert_eq!(shrink(&mut Vec::new(), 77), 77);
}

/// FORMAT.md: fences are the first keys of every so-manyeth index page, and there are
/// ⌈index pages / fence step⌉.
#[test]
fn a_footer_names_the_first_key_of_every_so_manyeth_index_page() {
    let most = if cfg!(miri) { 643 } else { 2_561 };
    for index_pages in (0..4).chain(639..643).chain(1_279..1_283).chain([2_561]) {
        if index_pages > most {
            break;
        }
        let mut fences = Fences::new(40);
        for page in 0..index_pages {
            // Only the first entry of a page is its fence.
            for entry in 0..3 {
                fences.note(40 + page, u64::from(page) * 1_000 + entry);
            }
        }
        let mut bytes = [0; PAGE_BYTES];
        let (fields, len) = fences.coded(&mut bytes);
        assert_eq!((fields.index_page, fields.index_pages), (40, index_pages));
        let step = fields.fence_step;
        assert!(step >= 1 && index_pages.div_ceil(step) <= FENCES_MAX, "{index_pages}: {step}");
        // No step is larger than it must be.
        assert!(step == 1 || index_pages.div_ceil(step / 2) > FENCES_MAX, "{index_pages}: {step}");
        let mut coded = Decoder::new(&bytes[..len]);
        let mut key = 0_u64;
        for page in (0..index_pages).step_by(step as usize) {
            key = key.wrapping_add_signed(coded.signed().unwrap());
            assert_eq!(key, u64::from(page) * 1_000, "{index_pages}: {page}");
        }
        assert!(coded.rest().is_empty());
    }
}
