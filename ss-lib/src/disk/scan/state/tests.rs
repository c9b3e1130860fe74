//! Bytes on disk decide how much there seems to be, and may be hostile: what is kept of it is bounded.
// Not for an interpreter, which takes minutes.
#![cfg(not(miri))]

use super::State;
use crate::{
    DropCause, Kind,
    disk::{
        LifeCounts, SensorChunk,
        chunk::{Chunk, ClockChunk, LossChunk},
    },
};

/// What a look keeps at most: sensors, clocks, and entries of the ledger.
const SENSORS_MAX: u64 = 1 << 20;
const CLOCKS_MAX: u32 = 1 << 20;
const LEDGER_MAX: u64 = 1 << 14;

fn sensor(key: u64, end_seq: u64) -> SensorChunk {
    SensorChunk {
        key,
        kind: Kind::Event,
        is_active: true,
        period_ms: 0,
        head_seq: 0,
        end_seq,
        held: end_seq,
        hole: (0, 0),
        first_segment: 0,
        counts: LifeCounts::default(),
    }
}

#[test]
fn sensors_beyond_those_that_are_told_apart_are_counted() {
    let mut state = State::default();
    for key in 0..SENSORS_MAX {
        state.chunk(&Chunk::Sensor(sensor(key, 1)));
    }
    assert_eq!((state.sensors.len() as u64, state.sensors_beyond_limit), (SENSORS_MAX, 0));
    for key in SENSORS_MAX..SENSORS_MAX + 3 {
        state.chunk(&Chunk::Sensor(sensor(key, 1)));
    }
    // One that is known goes on.
    state.chunk(&Chunk::Sensor(sensor(7, 9)));
    assert_eq!((state.sensors.len() as u64, state.sensors_beyond_limit), (SENSORS_MAX, 3));
    assert_eq!(state.sensors[&7].chunk.end_seq, 9);
    assert_eq!(state.sensors[&(SENSORS_MAX - 1)].order, (SENSORS_MAX - 1) as u32);
}

#[test]
fn clocks_beyond_those_that_are_kept_are_left_out() {
    let mut state = State::default();
    for epoch in 0..CLOCKS_MAX + 3 {
        state.chunk(&Chunk::Clock(ClockChunk { epoch, offset_ms: 1 }));
    }
    state.chunk(&Chunk::Clock(ClockChunk { epoch: CLOCKS_MAX - 1, offset_ms: 2 }));
    assert_eq!(state.clocks.len() as u32, CLOCKS_MAX);
    assert_eq!(state.clocks.last_key_value(), Some((&(CLOCKS_MAX - 1), &2)));
}

#[test]
fn losses_beyond_those_that_are_kept_are_left_out() {
    let mut state = State::default();
    let loss = |first_seq, count, at_ms| {
        let cause = DropCause::Quota;
        Chunk::Loss(LossChunk { key: 1, first_seq, at_ms, count, cause })
    };
    for first_seq in 0..LEDGER_MAX + 3 {
        state.chunk(&loss(first_seq, 5, 6));
    }
    assert_eq!(state.ledger.len() as u64, LEDGER_MAX);
    let (&(_, newest, cause), &entry) = state.ledger.last_key_value().unwrap();
    assert_eq!((newest, entry), (LEDGER_MAX - 1, (5, 6, LEDGER_MAX - 1)));
    // One that is known grows, and does not shrink.
    for (count, at_ms, expected) in [(7, 8, (7, 8)), (6, 9, (7, 8)), (7, 10, (7, 10))] {
        state.chunk(&loss(newest, count, at_ms));
        let entry = state.ledger[&(1, newest, cause)];
        assert_eq!((entry.0, entry.1), expected);
    }
}
