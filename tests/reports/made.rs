//! Stores of many histories, each written as FORMAT.md says and not by the engine: openings without an orderly
//! end, holes, losses, sensors that left, squeezed and erased segments.

use super::{damaged::damage_twice, draw::Draw, report::hold_reports};
use ss_lib::{DropCause, SensorKey};
use ss_tests::disk::{damage::look, memory::MemoryDisk, store::StoreWriter};

const STORES: u64 = 30;

fn history(draw: &mut Draw) -> StoreWriter {
    let first_seq = [0, 5, (1 << 32) - 40, 1 << 40][draw.below(4) as usize];
    let mut writer = StoreWriter::new([draw.below(250) as u8; 16], 0, 1, 1 + draw.below(9) as u32);
    let keys: Vec<_> = (0..=draw.below(9) as u32)
        .map(|number| SensorKey { source: draw.below(3) as u8, id: number * 1_000_003 })
        .collect();
    for &key in &keys {
        let period_ms = [None, Some(1), Some(1_000), Some(86_400_000)][draw.below(4) as usize];
        writer.register(key, period_ms, first_seq);
    }
    writer.begin();
    for _ in 0..10 + draw.below(30) {
        let key = keys[draw.below(keys.len() as u64) as usize];
        let sensor = &writer.sensors[&key];
        let (held, head) = (sensor.held().count() as u64, sensor.head);
        let has_hole = sensor.hole.1 > head;
        match draw.below(16) {
            0..=6 => {
                for &key in &keys {
                    writer.add(key, draw.below(60) * draw.below(3));
                }
                writer.spill();
            }
            7 | 8 => writer.ack(key, draw.below(held + 1)),
            9 if held > 0 && !has_hole => {
                let cause = [DropCause::Quota, DropCause::Corrupt, DropCause::Recycled];
                let count = 1 + draw.below(held) as u32;
                writer.drop_oldest(key, count, cause[draw.below(3) as usize]);
                writer.spill();
            }
            10 if held > 9 && !has_hole => {
                writer.drop_hole(
                    key,
                    head + 2,
                    1 + draw.below(held - 8) as u32,
                    DropCause::DiskMax,
                );
                writer.spill();
            }
            11 => writer.commit(),
            12 => writer.reopen(),
            13 => writer.set_clock(1_700_000_000_000 + draw.below(1_000).cast_signed()),
            14 => writer.roll(),
            _ => writer.add(key, draw.below(400)),
        }
    }
    // What was acknowledged is in the log.
    match draw.below(4) {
        0 => writer.shut_down(),
        1 => {
            writer.remove_from_configuration(keys[0]);
            writer.spill();
        }
        _ => writer.spill(),
    }
    for segment in 0..writer.segment {
        if writer.has_records(segment) {
            match draw.below(5) {
                0 => writer.squeeze(segment, false),
                1 => writer.squeeze(segment, true),
                _ => {}
            }
        }
    }
    writer
}

#[test]
fn reports_of_histories() {
    let mut stores: Vec<(String, MemoryDisk)> = Vec::new();
    for seed in 1..=STORES {
        let mut draw = Draw::new(seed);
        let writer = history(&mut draw);
        let held: usize = writer.sensors.values().map(|sensor| sensor.held().count()).sum();
        assert_eq!(look(&writer.disk).2.len(), held, "seed {seed}");
        stores.push((format!("{seed} as it is"), writer.disk.clone()));
        let damaged = damage_twice(&writer.disk, writer.store_id, &mut draw, 4);
        stores.extend(damaged.into_iter().map(|(what, disk)| (format!("{seed} {what}"), disk)));
    }
    hold_reports("histories", stores);
}
