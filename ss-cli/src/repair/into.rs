//! A fresh store of what is readable in an old one, which stays as it is.

use crate::{
    Answer, Failure,
    lines::push_fact,
    output::{self, Style},
    store::{self, Store, verdict_name},
    text::{count, shell_word},
    time,
};
use serde::Serialize;
use ss_lib::disk::{self, RealDisk, SalvageError, SalvageOptions, Salvaged, StoreId};
use std::{fmt::Write, fs, io, path::Path};

/// The version of the keys.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    store: String,
    mode: &'static str,
    verdict: &'static str,
    into: String,
    records_kept: u64,
    records_lost: u64,
    sensors: u64,
    duplicates: u64,
    pages_bad: u64,
}

/// Saves what can be read into a directory that is not there yet, or is empty.
pub(super) fn run(
    store: &Store,
    into: &Path,
    is_everything: bool,
    is_json: bool,
) -> Result<Answer, Failure> {
    // Before anything is created there, a lock included.
    check_place(store, into)?;
    let fresh = RealDisk::open_owned(into).map_err(|error| store::cannot(into, &error))?;
    let options = SalvageOptions { is_everything, store_id: draw_id()?, now_ms: time::now_ms() };
    let saved = disk::salvage(&store.disk, &fresh, &options).map_err(|error| match error {
        SalvageError::From(error) => store::cannot(&store.path, &error),
        SalvageError::Scan(_) | SalvageError::Unusable(_) => {
            Failure::Store(format!("{}: {error}", store.name()))
        }
        _ => Failure::Store(format!("{}: {error}", store::name(into))),
    })?;
    if is_json {
        let report = Report {
            schema: SCHEMA,
            store: store.name(),
            mode: "into",
            verdict: verdict_name(store.plan.verdict),
            into: store::name(into),
            records_kept: saved.records,
            records_lost: saved.lost,
            sensors: saved.sensors,
            duplicates: saved.duplicates,
            pages_bad: saved.pages_bad,
        };
        return output::print_json(&report, Answer::Yes);
    }
    output::print(&text(store, into, &saved, Style::of_stdout()), Answer::Yes)
}

fn check_place(store: &Store, into: &Path) -> Result<(), Failure> {
    let name = store::name(into);
    let near = into.ancestors().filter(|path| !path.as_os_str().is_empty());
    let near = near.chain([Path::new(".")]).find_map(|path| path.canonicalize().ok());
    if let (Some(near), Ok(old)) = (near, store.path.canonicalize())
        && near.starts_with(&old)
    {
        return Err(Failure::Usage(format!(
            "{name} lies in the old store, which stays as it is: name a directory elsewhere"
        )));
    }
    let first = fs::read_dir(into).map(|mut entries| entries.next());
    match first {
        Ok(Some(_)) => Err(Failure::Store(format!(
            "{name} is not empty: name a directory that is not there yet, or an empty one"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(Failure::Store(format!("{name} is a file: name a directory that is not there yet")))
        }
        _ => Ok(()),
    }
}

/// Two stores must never have one identity: their pages would pass as each other's.
fn draw_id() -> Result<StoreId, Failure> {
    let mut id = StoreId::default();
    getrandom::fill(&mut id).map_err(|error| {
        Failure::Store(format!("the system gives no random numbers ({error}): try again later"))
    })?;
    Ok(id)
}

fn text(store: &Store, into: &Path, saved: &Salvaged, style: Style) -> String {
    let (columns, into) = (style.columns, store::name(into));
    let mut out = format!("{}  {into}\n", style.paint("1;32", "SAVED"));
    let _ = writeln!(out, "of {}, which stays as it is\n", store.name());
    let kept = format!("{} of {}", count(saved.records, "record"), count(saved.sensors, "sensor"));
    push_fact(&mut out, "kept", &kept, columns);
    let lost = match saved.lost {
        0 => "nothing".to_owned(),
        lost => format!("{}: the fresh store's ledger has their ranges", count(lost, "record")),
    };
    push_fact(&mut out, "lost", &lost, columns);
    let skipped = format!(
        "{} that cannot be read, {} of records that are there",
        count(saved.pages_bad, "page"),
        if saved.duplicates == 1 {
            "1 copy".to_owned()
        } else {
            format!("{} copies", saved.duplicates)
        }
    );
    push_fact(&mut out, "skipped", &skipped, columns);
    let path = shell_word(&into);
    let _ = writeln!(out, "\nLook at it:\n  ss inspect {path}");
    out
}
