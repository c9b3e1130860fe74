//! Sensors are found from wherever the last one was.

use super::{LEDGER_MAX, LossChunk, NEAR, OpenError, Position, RecoveredSensor, Roll};
use crate::{
    DropCause,
    disk::{LifeCounts, SensorChunk},
};

fn sensor(key: u64) -> RecoveredSensor {
    let chunk = SensorChunk {
        key,
        kind: crate::Kind::Event,
        is_active: true,
        period_ms: 1,
        head_seq: 0,
        end_seq: 0,
        held: 0,
        hole: (0, 0),
        first_segment: 0,
        counts: LifeCounts::default(),
    };
    RecoveredSensor { chunk, position: Position { segment: 0, page: 0 } }
}

/// A sensor that is not found where it is would be there twice, with half of its records each.
#[test]
fn a_sensor_is_found_from_every_place() {
    let sensors = 4 * NEAR as u64;
    let mut roll = Roll::new(1);
    assert_eq!(roll.find(5), Err(0));
    for key in (0..sensors).rev() {
        let at = roll.find(10 * key).unwrap_err();
        roll.add(at, sensor(10 * key));
    }
    let step = if cfg!(miri) { 7 } else { 1 };
    for from in (0..sensors).step_by(step) {
        for to in 0..sensors {
            let place = to as usize;
            assert_eq!(roll.find(10 * from), Ok(from as usize));
            assert_eq!(roll.find(10 * to), Ok(place), "from {from}");
            assert_eq!(roll.find(10 * from), Ok(from as usize));
            // Where one would be that is not there.
            assert_eq!(roll.find(10 * to + 1), Err(place + 1), "from {from}");
        }
    }
}

/// Bytes on disk decide how many sensors there seem to be: 2^16 are told apart, or as many as the store has
/// places for, and one more is refused.
#[test]
fn more_sensors_than_can_be_told_apart_are_refused() {
    for (places, most) in [(1, 1 << 16), (1 << 16, 1 << 16), ((1 << 16) + 1, (1 << 16) + 1)] {
        assert_eq!(Roll::new(places).sensors_max, most);
    }
    let mut roll = Roll::new(1);
    roll.sensors_max = 2;
    for key in 0..3 {
        roll.check().unwrap();
        let at = roll.find(key).unwrap_err();
        roll.add(at, sensor(key));
    }
    let refused = roll.check();
    let expected = OpenError::TooManySensors { holding: 3, sensors_max: 2 };
    assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
}

/// Of one loss the longest that was told counts, and no more losses are kept than a ledger has room for.
#[test]
fn a_loss_that_grew_is_one_loss_and_their_number_is_bounded() {
    let mut roll = Roll::new(1);
    let loss = |first_seq, count, at_ms| LossChunk {
        key: 1,
        first_seq,
        at_ms,
        count,
        cause: DropCause::Quota,
    };
    let told = |roll: &Roll| {
        roll.losses.iter().map(|loss| (loss.first_seq, loss.count, loss.at_ms)).collect::<Vec<_>>()
    };
    for (count, at_ms) in [(3, 1), (5, 2), (4, 3)] {
        roll.apply_loss(&loss(7, count, at_ms));
    }
    assert_eq!(told(&roll), [(7, 5, 2)]);
    // The same once more is the newer of the two.
    roll.apply_loss(&loss(7, 5, 4));
    // Another cause, or another sensor, is another loss.
    roll.apply_loss(&LossChunk { cause: DropCause::DiskMax, ..loss(7, 2, 5) });
    roll.apply_loss(&LossChunk { key: 2, ..loss(7, 1, 6) });
    assert_eq!(told(&roll), [(7, 5, 4), (7, 2, 5), (7, 1, 6)]);
    assert_eq!(roll.losses_max, LEDGER_MAX);
    roll.losses_max = 9;
    for first_seq in 100..120 {
        roll.apply_loss(&loss(first_seq, 1, 0));
    }
    assert_eq!(told(&roll)[3..], [100, 101, 102, 103, 104, 105].map(|first_seq| (first_seq, 1, 0)));
    // What is known may still grow.
    roll.apply_loss(&loss(105, 8, 1));
    assert_eq!(roll.losses.last().map(|loss| loss.count), Some(8));
}
