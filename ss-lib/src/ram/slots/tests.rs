//! What shows that each sector is in one list, and in one place of it.

use super::{Slot, Slots, fingerprint};
use crate::{
    SensorConfig, SensorKey, Timestamp,
    ram::{Config, Env, Fault, Inline, Store, backing::Memory},
};
use core::sync::atomic::Ordering::Relaxed;

#[test]
fn a_sum_of_fingerprints_tells_which_sectors_are_in_it() {
    let sums: std::collections::BTreeSet<_> = (0..64)
        .flat_map(|a| (a..64).map(move |b| (a, b)))
        .map(|(a, b)| fingerprint(Slot(a)).wrapping_add(fingerprint(Slot(b))))
        .collect();
    assert_eq!(sums.len(), 64 * 65 / 2);
}

/// The numbers of sectors add up, and yet the last of a chain is among the free ones, and one is nowhere.
#[test]
fn a_sector_that_is_in_two_lists_is_found_out() {
    let mut store = Store::<Inline<1, 8, 16, 4>>::open(Config::default());
    let sensor =
        store.register(SensorConfig::time_series(SensorKey { source: 1, id: 7 }, 10)).unwrap();
    for number in 0..20 {
        store.append(sensor, number, Timestamp::utc(u64::from(number) * 10)).unwrap();
    }
    store.check().unwrap();
    // Two in the chain, taken from the front of the list of free ones: six are left there.
    let link = |slots: Slots<'_>, from: u32, to: u32| {
        slots.links[from as usize].store(to + 1, Relaxed);
    };
    store.backing.with_env(|env| link(env.slots(), 6, 1));
    let fault = Fault::Sectors { chained: 2, free: 6, in_hand: 0, total: 8 };
    assert_eq!(store.check(), Err(fault));
    store.backing.with_env(|env| link(env.slots(), 6, 7));
    store.check().unwrap();
}

/// What finds rot can be trusted only if what makes it can.
#[test]
#[cfg(feature = "fault-injection")]
fn a_bit_that_is_flipped_is_that_bit_and_no_other() {
    let copy = |store: &mut Store<Inline<1, 8, 16, 4>>| -> Vec<_> {
        let words = |slots: Slots<'_>| slots.words.iter().map(|it| it.load(Relaxed)).collect();
        store.backing.with_env(|env| words(env.slots()))
    };
    let mut store = Store::open(Config::default());
    for (sector, bit, word) in [(0, 0, 0), (0, 31, 0), (0, 32, 1), (3, 300, 57), (7, 511, 127)] {
        let mut expected = copy(&mut store);
        expected[word] ^= 1 << (bit % 32);
        store.flip_bit(sector, bit);
        assert_eq!(copy(&mut store), expected, "bit {bit} of sector {sector}");
    }
}
