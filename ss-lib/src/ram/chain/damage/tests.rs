//! A sector that rotted costs exactly its own numbers, whatever of it rotted.

use super::super::tests::{Small, beginning_with, go_on_with, rot};
use crate::{DropCause, Loss, Record, Sensor, Timestamp};

const FIRST_SEQ: u64 = (3 << 32) + 1_000;

/// Words of a sector: the stored part of its number, and a value.
const NUMBER: usize = 1;
const VALUE: usize = 9;

/// Four sectors of 12 records each, and behind the first of them a gap of so many numbers.
fn used(gap: u64) -> (Small, Sensor) {
    let (mut store, sensor) = beginning_with(FIRST_SEQ);
    for index in 0..48 {
        let at_ms = if index < 12 { index * 10 } else { 500_000 + index * 10 };
        store.append(sensor, 1, Timestamp::utc(at_ms)).unwrap();
        if index == 11 {
            go_on_with(&mut store, sensor, FIRST_SEQ + 12 + gap);
        }
    }
    assert_eq!(store.pool().sectors_used, 4);
    (store, sensor)
}

/// Flips these bits of words of these sectors. What the ledger says is lost when a batch is handed out then:
/// the first number and how many. The batch begins behind it.
fn lost(gap: u64, flips: &[(usize, usize, u32)]) -> (u64, u32) {
    let (mut store, sensor) = used(gap);
    for &(nth, word, bits) in flips {
        rot(&mut store, sensor, nth, word, bits);
    }
    let mut out = [Record::default(); 50];
    let token = store.consume(sensor, &mut out).unwrap().unwrap();
    let mut losses = [Loss::NONE; 4];
    assert_eq!(store.losses(&mut losses), 1, "{flips:?}");
    let [loss, ..] = losses;
    assert_eq!((loss.sensor, loss.cause), (sensor, DropCause::Corrupt));
    let stats = store.stats(sensor).unwrap();
    assert_eq!(stats.dropped_corrupt, u64::from(loss.count));
    assert_eq!((token.count(), stats.unsent), (48 - loss.count, 0), "{flips:?}");
    assert_eq!(token.first_seq(), FIRST_SEQ + gap + u64::from(loss.count));
    (loss.first_seq, loss.count)
}

#[test]
fn a_value_that_rotted_leaves_the_number_right() {
    for gap in [0, 5_000] {
        assert_eq!(lost(gap, &[(0, VALUE, 1 << 20)]), (FIRST_SEQ, 12), "{gap}");
    }
}

#[test]
fn a_bit_of_the_number_is_flipped_back_also_in_front_of_a_gap() {
    for gap in [0, 5_000] {
        for bit in (0..32).step_by(if cfg!(miri) { 31 } else { 1 }) {
            assert_eq!(lost(gap, &[(0, NUMBER, 1 << bit)]), (FIRST_SEQ, 12), "{gap}, {bit}");
        }
    }
}

/// Two bits keep their parity; with a value beside it nothing proves a number.
#[test]
fn a_number_that_rotted_more_is_known_from_what_follows_it() {
    assert_eq!(lost(0, &[(0, NUMBER, 0b11)]), (FIRST_SEQ, 12));
    // 1,000 becomes 1,016, and 12 records from there on would be others' as well.
    let beyond = (0, NUMBER, 1 << 4);
    assert_eq!(lost(0, &[beyond, (0, VALUE, 1)]), (FIRST_SEQ, 12));
    // What follows rotted too, but not what follows that.
    let (first_seq, count) = lost(0, &[beyond, (0, VALUE, 1), (1, VALUE, 1)]);
    assert_eq!((first_seq, count), (FIRST_SEQ, 24));
    // Nothing sound follows at all: the number that comes next tells.
    let (mut store, sensor) = used(0);
    for nth in 0..4 {
        rot(&mut store, sensor, nth, VALUE, 1);
    }
    rot(&mut store, sensor, 0, NUMBER, 1 << 4);
    assert_eq!(store.consume(sensor, &mut [Record::default(); 50]), Ok(None));
    let loss = store.last_loss().unwrap();
    assert_eq!(
        (loss.first_seq, loss.count, store.losses(&mut [Loss::NONE; 4])),
        (FIRST_SEQ, 48, 1)
    );
}
