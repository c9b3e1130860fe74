//! Two producers beside the manager's thread, at a pace that keeps the disk tier busy.

use crate::histogram::Durations;
use ss_lib::{
    SensorConfig, SensorKey,
    gateway::{Gateway, GatewayConfig, WhenFull},
};
use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

/// How long they add.
const TIME: Duration = Duration::from_secs(4);
/// Adds of both producers in a second: ten times what 2,048 sensors at 1 Hz give.
const ADDS_PER_S: u64 = 20_000;

/// The p99.9 of an add in ns, of 2,048 sensors on a pool of 64 KiB that spills all the time.
pub(super) fn measure(directory: &Path) -> Result<f64, Box<dyn Error>> {
    let path = directory.join(format!("ss-bench-{}-producers", std::process::id()));
    let result = measure_in(&path);
    let _ = std::fs::remove_dir_all(&path);
    result
}

fn measure_in(path: &Path) -> Result<f64, Box<dyn Error>> {
    let config = GatewayConfig {
        full: WhenFull::Wait { ms: 1_000 },
        ..GatewayConfig::new(super::backlog::SENSORS)
    };
    let mut gateway = Gateway::open_dir(path, &config)?;
    let sensors = (0..super::backlog::SENSORS)
        .map(|id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })))
        .collect::<Result<Vec<_>, _>>()?;
    let manager = gateway.start_manager();
    let started = Instant::now();
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = sensors
            .chunks(sensors.len() / 2)
            .map(|sensors| {
                let mut gateway = gateway.clone();
                scope.spawn(move || {
                    let mut durations = Durations::new();
                    let mut refused = 0_u64;
                    let mut n = 0_u64;
                    while started.elapsed() < TIME {
                        // A burst each millisecond, as field buses give them.
                        for _ in 0..ADDS_PER_S / 2 / 1_000 {
                            let sensor = sensors[(n * 31 % sensors.len() as u64) as usize];
                            let before = Instant::now();
                            let added = gateway.append_event(sensor, n as u32, n);
                            durations.record(before.elapsed());
                            refused += u64::from(added.is_err());
                            n += 1;
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    (durations, refused)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    drop(manager);
    let mut all = Durations::new();
    for (durations, refused) in &parts {
        all.add(durations);
        if *refused > 0 {
            return Err(format!("{refused} adds were refused").into());
        }
    }
    if gateway.disk().sectors == 0 {
        return Err("nothing was spilled".into());
    }
    #[expect(clippy::cast_precision_loss, reason = "less than a minute, in ns")]
    let p999 = all.figures().p999.unwrap_or(0) as f64;
    Ok(p999)
}
