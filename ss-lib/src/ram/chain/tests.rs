//! How far a chain's numbers may reach, and what the tests of its parts share.

use super::Chain;
use crate::{
    AppendError, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Backing, Config, Env, Inline, Store},
};
use core::sync::atomic::Ordering::Relaxed;

/// A sector holds 12 records on the grid.
pub(super) type Small = Store<Inline<1, 8, 16, 4>>;

/// A sensor without records, whose first one gets this number.
pub(super) fn beginning_with(first_seq: u64) -> (Small, Sensor) {
    let mut store = Small::open(Config::default());
    let config = SensorConfig::time_series(SensorKey { source: 1, id: 7 }, 10);
    let sensor = store.register(config.starting_at(first_seq)).unwrap();
    (store, sensor)
}

/// The sensor's next record gets this number, as if what lies between had been dropped.
pub(super) fn go_on_with<B: Backing>(store: &mut Store<B>, sensor: Sensor, next_seq: u64) {
    store.backing.with_chain(sensor, |chain, _| chain.set_next_seq(next_seq)).unwrap();
}

/// Flips bits of a word of the sensor's `nth` sector.
pub(super) fn rot<B: Backing>(
    store: &mut Store<B>,
    sensor: Sensor,
    nth: usize,
    word: usize,
    bits: u32,
) {
    let flip = |chain: &mut Chain, env: &mut B::Env<'_>| {
        let slots = env.slots();
        let slot = chain.walk(slots).nth(nth).unwrap();
        slots.words(slot)[word].fetch_xor(bits, Relaxed);
    };
    store.backing.with_chain(sensor, flip).unwrap();
}

#[test]
fn a_chain_costs_60_bytes() {
    assert_eq!(size_of::<Chain>(), 60);
}

const FIRST_SEQ: u64 = (9 << 32) + 0x0010_0005;
/// Less than 2^32 by as many records as the largest sector could hold.
const SPAN_MAX: u64 = (1 << 32) - 1 - 1_024;

/// What an add says that needs a new sector, if the sensor's first record lies `span` numbers back and the
/// stored part of its number has these bits flipped.
fn added_behind(span: u64, flipped: u32) -> Result<u64, AppendError> {
    let (mut store, sensor) = beginning_with(FIRST_SEQ);
    store.append(sensor, 1, Timestamp::utc(1_000)).unwrap();
    go_on_with(&mut store, sensor, FIRST_SEQ + span);
    rot(&mut store, sensor, 0, 1, flipped);
    // Off its grid.
    let added = store.append(sensor, 2, Timestamp::utc(500_000));
    let stats = store.stats(sensor).unwrap();
    assert_eq!(stats.refused, u64::from(added.is_err()), "behind {span}");
    assert_eq!(stats.unsent, 1 + u64::from(added.is_ok()), "behind {span}");
    added
}

#[test]
fn a_chain_whose_numbers_reach_as_far_as_32_bits_can_tell_takes_no_new_sector() {
    for span in [1, 1_000, SPAN_MAX - 1, SPAN_MAX] {
        assert_eq!(added_behind(span, 0), Ok(FIRST_SEQ + span));
    }
    for span in [SPAN_MAX + 1, SPAN_MAX + 2, SPAN_MAX + 1_000] {
        assert_eq!(added_behind(span, 0), Err(AppendError::Full), "behind {span}");
    }
}

/// The flipped bit makes the first number one that has not been given yet, from which the next seems to lie
/// almost 2^32 away; or one that is just too far back, where the right one just is not.
#[test]
fn a_rotten_number_does_not_stop_a_sensor() {
    assert_eq!(added_behind(3, 1 << 3), Ok(FIRST_SEQ + 3));
    assert_eq!(added_behind(SPAN_MAX, 1), Ok(FIRST_SEQ + SPAN_MAX));
    assert_eq!(added_behind(SPAN_MAX + 1, 1), Err(AppendError::Full));
}
