//! A repair that is done.

use super::plan::{Quarantine, Report, lost_text, push_actions, push_losses};
use crate::{
    Answer, Failure,
    inspect::Lost,
    lines::push_fact,
    output::{self, Style},
    store::{self, Store, verdict_name},
    text::count,
    time,
};
use ss_lib::{
    DropCause,
    disk::{self, RealDisk, RepairError, RepairOptions, Repaired, ScanError, Verdict},
};
use std::{fmt::Write, io};

/// Takes the store's lock and does what its state asks for then.
pub(super) fn run(store: &Store, is_json: bool) -> Result<Answer, Failure> {
    let disk = RealDisk::open_owned(&store.path).map_err(|error| match store.owner {
        Some(pid) if error.error.kind() == io::ErrorKind::WouldBlock => Failure::Store(format!(
            "{}: process {pid} has the store open, and nothing was changed; stop it, then start this \
             again",
            store.name()
        )),
        _ => store::cannot(&store.path, &error),
    })?;
    let repaired = disk::repair(&disk, &RepairOptions { now_ms: time::now_ms() });
    let repaired = repaired.map_err(|error| match error {
        RepairError::Disk(error) | RepairError::Scan(ScanError::Disk(error)) => {
            store::cannot(&store.path, &error)
        }
        error => Failure::Store(format!("{}: {error}", store.name())),
    })?;
    let answer = if repaired.verdict == Verdict::Sound { Answer::Yes } else { Answer::No };
    if is_json {
        return output::print_json(&report(store, &repaired), answer);
    }
    output::print(&text(store, &repaired, Style::of_stdout()), answer)
}

fn report(store: &Store, repaired: &Repaired) -> Report {
    Report {
        mode: "apply",
        verdict_after: Some(verdict_name(repaired.verdict)),
        records_lost: repaired.records_lost,
        lost: Lost::all(&repaired.losses),
        actions: repaired.actions.iter().map(ToString::to_string).collect(),
        quarantine: Quarantine::of(&repaired.actions),
        ..Report::new(store)
    }
}

fn text(store: &Store, repaired: &Repaired, style: Style) -> String {
    let columns = style.columns;
    let mut out = String::new();
    let (ansi, word, what) = match (repaired.verdict, repaired.actions.len()) {
        (Verdict::Sound, 0) => ("1;32", "SOUND", "there was nothing to do".to_owned()),
        (Verdict::Sound, steps) => (
            "1;32",
            "REPAIRED",
            format!("{} done, and the store is sound", count(steps as u64, "step")),
        ),
        (_, steps) => (
            "1;31",
            "DAMAGED",
            format!(
                "{} done, and there is still damage: see ss inspect",
                count(steps as u64, "step")
            ),
        ),
    };
    let _ = writeln!(out, "{}  {what}\n{}", style.paint(ansi, word), store.name());
    if repaired.actions.is_empty() {
        return out;
    }
    out.push('\n');
    let lost = lost_text(repaired.records_lost, repaired.losses.len());
    push_fact(&mut out, "lost", &lost, columns);
    push_fact(&mut out, "aside", &Quarantine::of(&repaired.actions).text(), columns);
    out.push_str("\nDone, in this order:\n");
    push_actions(&mut out, &repaired.actions, columns);
    push_losses(&mut out, &repaired.losses, DropCause::Corrupt.name(), columns);
    out
}
