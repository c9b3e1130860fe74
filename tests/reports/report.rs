//! One store's report.

use ss_lib::{
    BatchToken, Record, SensorConfig, crc32c_append,
    disk::{RepairOptions, SalvageOptions, Verdict, decode_page, plan, repair, salvage, scan},
    gateway::{DrainLimits, Gateway, GatewayConfig},
};
use ss_tests::disk::{damage::export, faulty::FaultyDisk, memory::MemoryDisk};
use std::{
    env,
    fmt::{Display, Write},
    fs,
    path::Path,
};

/// A report: its words, and everything.
#[derive(Default)]
pub(crate) struct Report {
    words: String,
    all: String,
}

impl Report {
    /// Of a store that everything is done with: each on a copy of it.
    pub(crate) fn of(disk: &MemoryDisk) -> Self {
        let mut report = Self::default();
        look(disk, &mut report);
        mend(disk, &mut report);
        save(disk, &mut report);
        go_on(disk, &mut report);
        report
    }

    /// Adds a part with words, and says in a checksum what else it has.
    fn part(&mut self, name: &str, words: impl Display, rest: &str) {
        let crc = crc32c_append(0, rest.as_bytes());
        write!(self.words, "; {name} {words} {crc:08x}").unwrap();
        writeln!(self.all, "== {name}\n{words}\n{rest}").unwrap();
    }
}

/// Every file.
fn files(disk: &MemoryDisk) -> String {
    let mut text = String::new();
    for (name, bytes) in &disk.files() {
        let crc = crc32c_append(0, bytes);
        writeln!(text, "{name}: {} B {crc:08x}", bytes.len()).unwrap();
    }
    text
}

/// A copy that writes down what is done to it.
fn recorded(disk: &MemoryDisk) -> FaultyDisk {
    let disk = FaultyDisk::over(disk.clone());
    disk.record();
    disk.set_now_ms(1_800_000_000_000);
    disk
}

fn look(disk: &MemoryDisk, report: &mut Report) {
    let scan = match scan(disk) {
        Ok(scan) => scan,
        Err(error) => {
            report.part("look", error, "");
            return;
        }
    };
    let plan = plan(&scan);
    let totals = scan.totals();
    let mut rest = format!("{scan:#?}\n{plan:#?}\n{totals:#?}\n");
    for segment in &scan.segments {
        let role = (segment.role.name(), segment.role.is_log(), segment.is_longer_than_read());
        writeln!(rest, "{} {role:?}", segment.file.as_str()).unwrap();
    }
    writeln!(rest, "{} pages missing at the end", scan.pages_missing_at_end()).unwrap();
    for sentence in &plan.findings {
        writeln!(rest, "{}", sentence.text).unwrap();
    }
    for action in &plan.actions {
        writeln!(rest, "{action}").unwrap();
    }
    for segment in &scan.segments {
        for page in 0..segment.pages {
            match decode_page(disk, &scan, &segment.file, page) {
                Ok(dump) => {
                    let header = (dump.class, dump.class.name(), dump.info, dump.used, dump.crc);
                    writeln!(rest, "{page}: {header:?} {:?}", dump.chunks).unwrap();
                }
                Err(error) => writeln!(rest, "{page}: {error}").unwrap(),
            }
        }
    }
    let found = export(disk, &scan);
    writeln!(rest, "{found:?}").unwrap();
    let verdict = match plan.verdict {
        Verdict::Sound => "sound",
        Verdict::Damaged => "damaged",
        Verdict::Unusable(_) => "unusable",
    };
    let words = format!(
        "{verdict}, {} held, {} lost, pages {} bad {} torn, {} findings",
        found.len(),
        plan.records_lost,
        totals.pages_bad,
        totals.pages_torn,
        plan.findings.len(),
    );
    report.part("look", words, &rest);
}

fn mend(disk: &MemoryDisk, report: &mut Report) {
    let faulty = recorded(disk);
    let disk = faulty.memory();
    let (words, rest) = match repair(&faulty, &RepairOptions { now_ms: 1 }) {
        Ok(repaired) => {
            (format!("{} steps", repaired.actions.len()), format!("{repaired:#?}\n{}", files(disk)))
        }
        Err(error) => (error.to_string(), files(disk)),
    };
    report.part("repair", words, &format!("{rest}{:?}", faulty.take_done()));
}

fn save(disk: &MemoryDisk, report: &mut Report) {
    let mut words = String::new();
    let mut rest = String::new();
    for is_everything in [false, true] {
        let fresh = recorded(&MemoryDisk::default());
        let options = SalvageOptions { is_everything, store_id: [0xAB; 16], now_ms: 5 };
        match salvage(disk, &fresh, &options) {
            Ok(saved) => {
                words += if is_everything { " of " } else { "" };
                write!(words, "{}", saved.records).unwrap();
                writeln!(rest, "{saved:?}\n{}{:?}", files(fresh.memory()), fresh.take_done())
                    .unwrap();
            }
            Err(error) => {
                report.part("salvage", error, "");
                return;
            }
        }
    }
    report.part("salvage", words, &rest);
}

/// Opens it, reads everything by the log and then by sensor, and closes it.
fn go_on(disk: &MemoryDisk, report: &mut Report) {
    let disk = recorded(disk);
    let config = GatewayConfig { segment_bytes: 64 << 10, ..GatewayConfig::new(16) };
    let mut gateway = match Gateway::open(disk.clone(), &config) {
        Ok(gateway) => gateway,
        Err(error) => {
            report.part("opening", error, &files(disk.memory()));
            return;
        }
    };
    let mut recovery = gateway.recovery();
    recovery.wall_us = 0;
    let mut rest = format!("{recovery:#?}\n{:?}\n", disk.take_done());
    let sensors: Vec<_> = gateway.sensors().collect();
    for &sensor in &sensors {
        let config: SensorConfig = gateway.sensor_config(sensor).unwrap();
        let (levels, stats) = (gateway.levels(sensor).unwrap(), gateway.stats(sensor).unwrap());
        writeln!(rest, "{config:?} {levels:?} {stats:?}").unwrap();
    }
    let mut out = [Record::default(); 400];
    let nothing = sensors.first().map(|&sensor| BatchToken::from_parts(0, sensor, 0, 0, 0));
    let mut batches = vec![nothing; 8].into_iter().flatten().collect::<Vec<_>>();
    let limits = DrainLimits { batch_records: 50 };
    match gateway.drain(limits, &mut out, &mut batches) {
        Ok(drained) => {
            writeln!(rest, "{drained:?} {:?}", &out[..drained.records]).unwrap();
            for &token in &batches[..drained.batches] {
                gateway.ack(token).unwrap();
            }
        }
        Err(error) => writeln!(rest, "{error}").unwrap(),
    }
    for &sensor in &sensors {
        loop {
            match gateway.consume(sensor, &mut out) {
                Ok(Some(token)) => {
                    writeln!(rest, "{:?}", &out[..token.count() as usize]).unwrap();
                    gateway.ack(token).unwrap();
                }
                Ok(None) => break,
                Err(error) => {
                    writeln!(rest, "{error}").unwrap();
                    break;
                }
            }
        }
    }
    let end = gateway.shut_down(None, &mut |_| ());
    let (health, books) = (gateway.health(), gateway.disk());
    writeln!(rest, "{end:?} {health:?} {books:#?}\n{:?}", disk.take_done()).unwrap();
    drop(gateway);
    rest += &files(disk.memory());
    let words = format!("{} held, {} pages read", recovery.records, recovery.pages_read);
    report.part("opening", words, &rest);
}

/// Holds lines against the file of this name.
pub(crate) fn hold(name: &str, lines: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("lines");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, lines));
}

/// Reports on stores, each named by what was done to it, and holds them against the file of this name.
pub(crate) fn hold_reports(name: &str, stores: impl IntoIterator<Item = (String, MemoryDisk)>) {
    let mut lines = String::new();
    for (what, disk) in stores {
        let report = Report::of(&disk);
        writeln!(lines, "{what}{}", report.words).unwrap();
        if let Some(directory) = env::var_os("SS_REPORTS") {
            let directory = Path::new(&directory).join(name);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(what.replace(' ', "_")), report.all).unwrap();
        }
    }
    hold(name, &lines);
}
