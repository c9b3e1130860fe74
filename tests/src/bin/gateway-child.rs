//! A process to be killed: two threads add, one uploads, a manager ticks, and what the store says of
//! itself goes to standard output, each line at once. SIGTERM ends it in order.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "it is a part of a test, and test data are small"
)]

use ss_lib::{AppendError, Record, Sensor, Timestamp, disk::RealDisk, gateway::Gateway};
use ss_tests::child::{Receipt, SENSORS, config, register, value};
use std::{
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

const DEADLINE: Duration = Duration::from_secs(20);

fn add(mut gateway: Gateway<RealDisk>, own: &[(usize, Sensor)], stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        for &(place, sensor) in own {
            let seq = gateway.sensor_config(sensor).unwrap().first_seq;
            let added = if place.is_multiple_of(2) {
                gateway.append_event(sensor, value(place, seq), seq)
            } else {
                gateway.append(sensor, value(place, seq), Timestamp::utc(seq * 1_000))
            };
            assert!(matches!(added, Ok(_) | Err(AppendError::Full | AppendError::ShuttingDown)));
        }
        // Faster than the disk would only fill it.
        thread::sleep(Duration::from_micros(200));
    }
}

fn tell(gateway: &Gateway<RealDisk>, sensors: &[Sensor]) {
    let mut text = String::new();
    for (place, &sensor) in sensors.iter().enumerate() {
        let levels = gateway.levels(sensor).unwrap();
        text += &Receipt::new(place, levels).line();
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap();
}

fn main() {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop)).unwrap();
    let dir = PathBuf::from(std::env::args_os().nth(1).unwrap());
    let mut gateway = Gateway::open_dir(&dir, &config()).unwrap();
    let sensors = register(&mut gateway);
    let manager = gateway.start_manager();
    thread::scope(|scope| {
        for turn in 0..2 {
            let own: Vec<_> = sensors
                .iter()
                .copied()
                .enumerate()
                .filter(|(place, _)| place / 2 == turn)
                .collect();
            let (gateway, stop) = (gateway.clone(), &stop);
            scope.spawn(move || add(gateway, &own, stop));
        }
        let mut out = vec![Record::default(); 12];
        let mut round = 0_usize;
        while !stop.load(Relaxed) {
            round += 1;
            let place = round % SENSORS;
            if let Ok(Some(token)) = gateway.consume(sensors[place], &mut out) {
                let answered =
                    if round % 7 == 3 { gateway.nack(token) } else { gateway.ack(token) };
                answered.unwrap();
            }
            tell(&gateway, &sensors);
            // Slower than the adds, so that there is a backlog.
            thread::sleep(Duration::from_millis(3));
        }
    });
    let report = gateway.shut_down(Some(DEADLINE), &mut |_| ());
    drop(manager);
    assert!(report.is_complete(), "{report:?}");
    tell(&gateway, &sensors);
    let mut out = std::io::stdout().lock();
    out.write_all(b"complete\n").and_then(|()| out.flush()).unwrap();
}
