//! `ss verify`: one line and an exit code, for boot scripts.

use crate::{
    Answer, Failure, output,
    store::{Store, verdict_name},
    text::{count, shell_word},
};
use serde::Serialize;
use ss_lib::disk::{Severity, Verdict};
use std::fmt::Write;
use std::path::PathBuf;

/// Read every page of a store and say in one line whether it is sound
///
/// It changes nothing, takes no lock, and may run beside the process that owns the store. What a kill
/// or a power cut leaves behind (a torn end, a cut squeeze) is no damage: opening the store tidies it
/// up by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ss verify ss-lib/testdata/format-v1/clean

Exit code 0: sound. 1: damaged. 3: unusable (no store, not readable, or written by a newer program).
2: wrong usage.

The JSON object (schema 1; keys may be added, never renamed):
  verdict        sound, damaged or unusable
  store          the path, as it was given
  error          why it is unusable, else null
  damage[]       what is wrong, a sentence each
  notes[]        what a kill or a power cut left, a sentence each
  pages, pages_bad, pages_torn, segments, sensors
  records_held   records that can be read
  records_lost   records that are lost and not in the ledger yet: a repair enters them")]
pub(crate) struct Arguments {
    /// The store: its directory
    store: PathBuf,
    /// Print one JSON object instead of a line
    #[arg(long)]
    json: bool,
}

/// The version of the keys.
const SCHEMA: u32 = 1;

#[derive(Debug, Default, Serialize)]
struct Report {
    schema: u32,
    verdict: &'static str,
    store: String,
    error: Option<String>,
    damage: Vec<String>,
    notes: Vec<String>,
    pages: u64,
    pages_bad: u64,
    pages_torn: u64,
    segments: u64,
    sensors: u64,
    records_held: u64,
    records_lost: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let store = match Store::look(&arguments.store) {
        Ok(store) => store,
        Err(Failure::Store(text)) if arguments.json => {
            let report = Report {
                schema: SCHEMA,
                verdict: "unusable",
                store: crate::store::name(&arguments.store),
                error: Some(text.clone()),
                ..Report::default()
            };
            output::print_json(&report, Answer::No)?;
            return Err(Failure::Store(text));
        }
        Err(failure) => return Err(failure),
    };
    let report = Report::new(&store);
    if arguments.json {
        output::print_json(&report, Answer::No)?;
        return store.answer();
    }
    // An unusable store's one line is the error.
    let answer = store.answer()?;
    output::print(&line(&store, &report), answer)
}

impl Report {
    fn new(store: &Store) -> Self {
        let totals = store.scan.totals();
        let texts = |severity| {
            let findings = store.plan.findings.iter().filter(|it| it.severity == severity);
            findings.map(|finding| finding.text.clone()).collect()
        };
        Self {
            schema: SCHEMA,
            verdict: verdict_name(store.plan.verdict),
            store: store.name(),
            error: match store.plan.verdict {
                Verdict::Unusable(why) => Some(why.to_string()),
                _ => None,
            },
            damage: texts(Severity::Damage),
            notes: texts(Severity::Note),
            pages: totals.pages,
            pages_bad: totals.pages_bad,
            pages_torn: totals.pages_torn,
            segments: totals.segments,
            sensors: totals.sensors,
            records_held: store.scan.sensors.iter().map(|sensor| sensor.held).sum(),
            records_lost: store.plan.records_lost,
        }
    }
}

fn line(store: &Store, report: &Report) -> String {
    let mut text = format!("{}: {}: ", report.store, report.verdict);
    if report.verdict == "sound" {
        let _ = writeln!(
            text,
            "{} read, {} of {} held",
            count(report.pages, "page"),
            count(report.records_held, "record"),
            count(report.sensors, "sensor")
        );
    } else {
        let _ = writeln!(
            text,
            "{}, {} lost and not in the ledger; see ss inspect {}",
            count(report.damage.len() as u64, "fault"),
            count(report.records_lost, "record"),
            shell_word(&store.path.display().to_string())
        );
    }
    output::printable(&text)
}
