//! The plan of a repair, as text and JSON.

use crate::{
    Answer, Failure,
    health::{held, push_findings, push_headline},
    inspect::{Finding, Lost, Missing, NOT_IN_LEDGER, losses_table},
    lines::{push_fact, push_labelled},
    output::{self, Style, printable},
    store::{Store, verdict_name},
    text::{count, shell_word},
};
use serde::Serialize;
use ss_lib::disk::{Action, CutReason, LostRange, Verdict};
use std::fmt::Write;

/// The version of the keys.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: u32,
    pub(super) store: String,
    pub(super) mode: &'static str,
    pub(super) verdict: &'static str,
    pub(super) verdict_after: Option<&'static str>,
    pub(super) records_kept: u64,
    pub(super) records_lost: u64,
    pub(super) lost: Vec<Lost>,
    pub(super) missing_segments: Vec<Missing>,
    pub(super) actions: Vec<String>,
    pub(super) quarantine: Quarantine,
    pub(super) findings: Vec<Finding>,
}

/// What goes to `lost+found/`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Quarantine {
    files: u64,
    pages: u64,
}

impl Quarantine {
    pub(super) fn of(actions: &[Action]) -> Self {
        let mut all = Self::default();
        for action in actions {
            match *action {
                Action::SetAside { .. } => all.files += 1,
                Action::ReplacePages { pages, .. }
                | Action::Cut { pages, why: CutReason::IndexBad, .. } => {
                    all.pages += u64::from(pages);
                }
                _ => {}
            }
        }
        all
    }

    pub(super) fn text(self) -> String {
        match self {
            Self { files: 0, pages: 0 } => "nothing".to_owned(),
            Self { files: 0, pages } => format!("{}, to lost+found/", count(pages, "page")),
            Self { files, pages: 0 } => format!("{}, to lost+found/", count(files, "file")),
            Self { files, pages } => {
                format!("{} and {}, to lost+found/", count(files, "file"), count(pages, "page"))
            }
        }
    }
}

impl Report {
    pub(super) fn new(store: &Store) -> Self {
        let plan = &store.plan;
        Self {
            schema: SCHEMA,
            store: store.name(),
            mode: "dry-run",
            verdict: verdict_name(plan.verdict),
            verdict_after: None,
            records_kept: store.scan.sensors.iter().map(|sensor| sensor.held).sum(),
            records_lost: plan.records_lost,
            lost: Lost::all(&plan.losses),
            missing_segments: Missing::all(&plan.missing),
            actions: plan.actions.iter().map(ToString::to_string).collect(),
            quarantine: Quarantine::of(&plan.actions),
            findings: Finding::all(plan),
        }
    }
}

/// Says what a repair would do.
pub(super) fn run(store: &Store, is_json: bool) -> Result<Answer, Failure> {
    let answer = store.answer()?;
    if is_json {
        return output::print_json(&Report::new(store), answer);
    }
    output::print(&text(store, Style::of_stdout()), answer)
}

fn text(store: &Store, style: Style) -> String {
    let (plan, columns) = (&store.plan, style.columns);
    let mut out = String::new();
    push_headline(&mut out, store, style);
    push_findings(&mut out, plan, style, usize::MAX);
    out.push('\n');
    if plan.actions.is_empty() {
        out.push_str("There is nothing to do.\n");
        return out;
    }
    push_fact(&mut out, "kept", &format!("{} records", held(store)), columns);
    push_fact(&mut out, "aside", &Quarantine::of(&plan.actions).text(), columns);
    push_fact(&mut out, "lost", &lost_text(plan.records_lost, plan.losses.len()), columns);
    out.push('\n');
    push_labelled(&mut out, "", "A repair does this, in this order:", columns);
    push_actions(&mut out, &plan.actions, columns);
    push_losses(&mut out, &plan.losses, NOT_IN_LEDGER, columns);
    out.push_str("\nNothing was changed.");
    let path = shell_word(&store.path.display().to_string());
    if let Some(pid) = store.owner {
        let _ = writeln!(out, " Process {pid} has the store open: stop it, then do it with:");
    } else if plan.verdict == Verdict::Sound {
        out.push_str(" Opening the store does what it needs of this by itself; to do all of it:\n");
    } else {
        out.push_str(" Do it with:\n");
    }
    out.push_str(&printable(&format!("  ss repair {path} --apply\n")));
    out
}

pub(super) fn lost_text(records: u64, ranges: usize) -> String {
    match records {
        0 => "nothing".to_owned(),
        _ => format!(
            "{} in {}: they enter the ledger as corrupt",
            count(records, "record"),
            count(ranges as u64, "range")
        ),
    }
}

/// Steps, numbered.
pub(super) fn push_actions(out: &mut String, actions: &[Action], columns: usize) {
    for (at, action) in actions.iter().enumerate() {
        let label = format!("{:>3}  ", at + 1);
        push_labelled(out, &label, &printable(&action.to_string()), columns);
    }
}

/// The exact ranges, and what they count as.
pub(super) fn push_losses(out: &mut String, losses: &[LostRange], cause: &str, columns: usize) {
    if !losses.is_empty() {
        out.push('\n');
        *out += &losses_table(losses, cause, &[], columns);
    }
}
