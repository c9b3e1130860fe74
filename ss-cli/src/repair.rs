//! `ss repair`: says what a repair would do, and does it with permission.

mod apply;
mod into;
mod plan;

use crate::{Answer, Failure, store::Store};
use std::path::PathBuf;

/// Mend a store: say what it takes, and do it with --apply
///
/// Without --apply nothing is changed. A repair moves what it cannot read to lost+found/ in the store,
/// never deletes it, and enters what is lost into the loss ledger with its exact range. It may be
/// killed at any moment and started again; on a store that is in order it changes nothing.
///
/// With --into the store stays as it is, and every record that can be read goes into a fresh one.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The store: its directory
    store: PathBuf,
    /// Do it. The store must not be in use
    #[arg(long)]
    apply: bool,
    /// Leave the store as it is, and make a fresh one of what is readable in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "apply")]
    into: Option<PathBuf>,
    /// With --into: also what was uploaded or dropped and is still on disk
    #[arg(long, requires = "into")]
    everything: bool,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  ss repair ss-lib/testdata/format-v1/clean

Exit code 0: nothing to do, or done. 1: damage was found, and --apply was not given. 2: wrong usage.
3: it could not be done: no store, in use, written by a newer program, DIR is not empty, or the disk
failed.

The JSON object (schema 1; keys may be added, never renamed):
  store, mode      the path; dry-run, apply or into
  verdict          before: sound or damaged
  verdict_after    after --apply, else null
  records_kept     records that can be read
  records_lost     records that are lost and enter the ledger
  lost[]           their ranges: sensor, first_seq, last_seq, records, place
  missing_segments[]  first, count, records_lost
  actions[]        what is to be done, or was done, a sentence each, in order
  quarantine       files, pages that go to lost+found/
  findings[]       severity (damage, note), text
With --into: schema, store, mode, verdict, into (the path), records_kept, records_lost, sensors,
duplicates (copies of records that are there), pages_bad";

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    // Before anything is opened for writing: a wrong path must not become a store.
    let store = Store::look(&arguments.store)?;
    store.answer()?;
    if let Some(into) = &arguments.into {
        into::run(&store, into, arguments.everything, arguments.json)
    } else if arguments.apply {
        apply::run(&store, arguments.json)
    } else {
        plan::run(&store, arguments.json)
    }
}
