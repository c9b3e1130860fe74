//! Sensors are found from wherever the last one was.

use super::{NEAR, Position, RecoveredSensor, Roll};
use crate::disk::{LifeCounts, SensorChunk};

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
