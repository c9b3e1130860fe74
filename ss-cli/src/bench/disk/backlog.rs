//! A backlog of a gateway that was offline, and the ways to get rid of it.

use crate::text;
use ss_lib::{
    BatchToken, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    gateway::{DrainLimits, Durability, Gateway, GatewayConfig},
};
use std::{
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

pub(super) const SENSORS: u32 = 2_048;
/// Virtual milliseconds of a step: each sensor adds once in a second, at its own time.
const STEP_MS: u64 = 100;
/// After so long without another squeezed segment, in ms of the store's clock, there will be none: a
/// segment takes some 300 ticks.
const IDLE_MS: u64 = 2_000;
const START_MS: u64 = 1_767_225_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Events,
    Series,
}

pub(super) const KINDS: [Kind; 2] = [Kind::Events, Kind::Series];

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Series => "series",
        }
    }
}

fn config(squeezes: bool) -> GatewayConfig {
    GatewayConfig {
        squeezes,
        durability: Durability::Interval { ms: 1_000 },
        ..GatewayConfig::new(SENSORS)
    }
}

/// A store with records of every sensor, left as a kill leaves it. The directory goes with it.
pub(super) struct Backlog {
    path: PathBuf,
    kind: Kind,
    records: u64,
    pub(super) add_ns: f64,
    pub(super) bytes_per_record: f64,
}

impl Drop for Backlog {
    fn drop(&mut self) {
        // What cannot be removed is in a directory that the user named, and is seen there.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn fresh_path(directory: &Path) -> PathBuf {
    let number = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    directory.join(format!("ss-bench-{}-{number}", std::process::id()))
}

fn register(gateway: &mut Gateway, kind: Kind) -> Result<Vec<Sensor>, Box<dyn Error>> {
    let sensors = (0..SENSORS).map(|id| {
        let key = SensorKey { source: 2, id };
        gateway.register(match kind {
            Kind::Events => SensorConfig::event(key),
            Kind::Series => SensorConfig::time_series(key, 1_000),
        })
    });
    Ok(sensors.collect::<Result<_, _>>()?)
}

#[expect(clippy::cast_precision_loss, reason = "figures are rounded")]
fn ratio(of: u128, to: u64) -> f64 {
    of as f64 / to.max(1) as f64
}

impl Backlog {
    pub(super) fn build(
        directory: &Path,
        kind: Kind,
        per_sensor: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let path = fresh_path(directory);
        let mut gateway = Gateway::open_dir(&path, &config(false))?;
        let mut backlog = Self { path, kind, records: 0, add_ns: 0.0, bytes_per_record: 0.0 };
        let sensors = register(&mut gateway, kind)?;
        let started = Instant::now();
        let steps = 1_000 / STEP_MS;
        for second in 0..per_sensor {
            for step in 0..steps {
                for (index, &sensor) in sensors.iter().enumerate() {
                    // Sensors are spread over the second in an order that is not that of their keys.
                    let phase = (index as u64 * 7_919) % 1_000;
                    if phase / STEP_MS != step {
                        continue;
                    }
                    let at_ms = START_MS + second * 1_000 + phase;
                    let value = (second << 11) as u32 ^ index as u32;
                    match kind {
                        Kind::Events => gateway.append_event(sensor, value, at_ms)?,
                        Kind::Series => gateway.append(sensor, value, Timestamp::utc(at_ms))?,
                    };
                }
                gateway.tick(START_MS + second * 1_000 + step * STEP_MS);
            }
        }
        let added = per_sensor * u64::from(SENSORS);
        backlog.add_ns = ratio(started.elapsed().as_nanos(), added);
        let disk = gateway.disk();
        backlog.records = disk.records;
        backlog.bytes_per_record = ratio(u128::from(disk.bytes), disk.records);
        Ok(backlog)
    }

    /// The same store again.
    pub(super) fn copy(&self) -> Result<Self, Box<dyn Error>> {
        let path = fresh_path(self.path.parent().unwrap_or(&self.path));
        std::fs::create_dir(&path)?;
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            std::fs::copy(entry.path(), path.join(entry.file_name()))?;
        }
        Ok(Self { path, ..*self })
    }

    /// Milliseconds that opening takes in a process that does nothing else, and the KiB that it holds.
    pub(super) fn open_in_another_process(&self) -> Result<(f64, f64), Box<dyn Error>> {
        let copy = self.copy()?;
        let output = Command::new(std::env::current_exe()?)
            .args(["bench", "--open-only"])
            .arg(&copy.path)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut figures = text.split_whitespace().map(str::parse::<f64>);
        match (figures.next(), figures.next()) {
            (Some(Ok(ms)), Some(Ok(kib))) => Ok((ms, kib)),
            _ => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }

    /// Million records a second.
    pub(super) fn drain_in_log_order(&self) -> Result<f64, Box<dyn Error>> {
        let mut gateway = Gateway::open_dir(&self.path, &config(false))?;
        let sensors = register(&mut gateway, self.kind)?;
        let mut out = vec![Record::default(); 16_384];
        let any = loop {
            // A token to fill the list with: one that is answered already.
            if let Some(token) = gateway.consume(sensors[0], &mut out[..1])? {
                gateway.ack(token)?;
                break token;
            }
        };
        let mut batches: Vec<BatchToken> = vec![any; 4_096];
        let started = Instant::now();
        let (mut drained, mut now_ms) = (0_u64, 0);
        loop {
            let part = gateway.drain(DrainLimits::default(), &mut out, &mut batches)?;
            if part.batches == 0 {
                break;
            }
            for &token in &batches[..part.batches] {
                gateway.ack(token)?;
            }
            drained += part.records as u64;
            let elapsed_ms = started.elapsed().as_millis() as u64;
            if elapsed_ms >= now_ms + 100 {
                now_ms = elapsed_ms;
                gateway.tick(now_ms);
            }
        }
        gateway.sync()?;
        self.check_drained(drained + 1)?;
        Ok(ratio(u128::from(drained) * 1_000, started.elapsed().as_nanos() as u64))
    }

    /// Nanoseconds a record, in batches of 100, each sensor until it has nothing left or gave `most`
    /// records.
    pub(super) fn drain_by_sensor(&self, most: u64) -> Result<f64, Box<dyn Error>> {
        let mut gateway = Gateway::open_dir(&self.path, &config(false))?;
        let sensors = register(&mut gateway, self.kind)?;
        let mut out = vec![Record::default(); 100];
        let started = Instant::now();
        let (mut drained, mut now_ms) = (0_u64, 0);
        for sensor in sensors {
            let mut of_sensor = 0;
            while of_sensor < most {
                let Some(token) = gateway.consume(sensor, &mut out)? else { break };
                gateway.ack(token)?;
                of_sensor += u64::from(token.count());
            }
            drained += of_sensor;
            let elapsed_ms = started.elapsed().as_millis() as u64;
            if elapsed_ms >= now_ms + 100 {
                now_ms = elapsed_ms;
                gateway.tick(now_ms);
            }
        }
        gateway.sync()?;
        if most == u64::MAX {
            self.check_drained(drained)?;
        }
        Ok(ratio(started.elapsed().as_nanos(), drained))
    }

    fn check_drained(&self, drained: u64) -> Result<(), Box<dyn Error>> {
        if drained < self.records {
            return Err(format!("{drained} of {} records came back", self.records).into());
        }
        Ok(())
    }

    /// Lets the store squeeze what it can.
    pub(super) fn squeeze(self) -> Result<Squeezed, Box<dyn Error>> {
        let fresh_bytes = self.fresh_segment_bytes()?;
        let mut gateway = Gateway::open_dir(&self.path, &config(true))?;
        let before = gateway.disk();
        let started = Instant::now();
        let (mut now_ms, mut idle_ms, mut squeezed) = (0, 0, 0);
        let mut took = started.elapsed();
        while idle_ms < IDLE_MS {
            now_ms += 1;
            idle_ms += 1;
            gateway.tick(now_ms);
            let now = gateway.disk().segments_squeezed;
            if now != squeezed {
                (squeezed, idle_ms, took) = (now, 0, started.elapsed());
            }
        }
        let after = gateway.disk();
        drop(gateway);
        if squeezed == 0 {
            return Err("no segment was squeezed: measure with more --records".into());
        }
        // The newest segments stay as they are: what the others took before, and take now.
        let records_each = ratio(u128::from(fresh_bytes), 1) / self.bytes_per_record;
        let saved = ratio(u128::from(before.bytes - after.bytes), squeezed);
        Ok(Squeezed {
            bytes_per_record: (ratio(u128::from(fresh_bytes), 1) - saved) / records_each,
            ms_per_segment: ratio(took.as_micros(), squeezed) / 1_000.0,
            // Nine tenths of what lies in squeezed segments of one sensor's.
            records_per_sensor: text::whole(records_each * ratio(u128::from(squeezed), 1) * 0.9)
                / u64::from(SENSORS),
            backlog: self,
        })
    }

    fn fresh_segment_bytes(&self) -> Result<u64, Box<dyn Error>> {
        let mut most = 0;
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with("-00.seg") {
                most = most.max(entry.metadata()?.len());
            }
        }
        Ok(most)
    }
}

/// A backlog whose older segments are squeezed.
pub(super) struct Squeezed {
    pub(super) backlog: Backlog,
    pub(super) bytes_per_record: f64,
    pub(super) ms_per_segment: f64,
    /// Records of each sensor that lie in them.
    pub(super) records_per_sensor: u64,
}

/// Opens the store in `path`; says the milliseconds that took and the process's resident KiB.
pub(super) fn open_only(path: &Path) -> Result<String, Box<dyn Error>> {
    let started = Instant::now();
    let gateway = Gateway::open_dir(path, &config(true))?;
    let ms = ratio(started.elapsed().as_nanos(), 1_000_000);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kib = kib.trim().trim_end_matches(" kB");
    drop(gateway);
    Ok(format!("{ms:.3} {kib}\n"))
}
