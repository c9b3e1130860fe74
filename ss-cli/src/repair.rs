//! `ss repair`: says what a repair would do, and does it with permission.

mod apply;
mod plan;

use crate::{Answer, Failure, store::Store};
use std::path::PathBuf;

/// Mend a store: say what it takes, and do it with --apply
///
/// Without --apply nothing is changed. A repair moves what it cannot read to lost+found/ in the store,
/// never deletes it, and enters what is lost into the loss ledger with its exact range. It may be
/// killed at any moment and started again; on a store that is in order it changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The store: its directory
    store: PathBuf,
    /// Do it. The store must not be in use
    #[arg(long)]
    apply: bool,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  ss repair ss-lib/testdata/format-v1/clean

Exit code 0: nothing to do, or done. 1: damage was found, and --apply was not given. 2: wrong usage.
3: it could not be done: no store, in use, written by a newer program, or the disk failed.

The JSON object (schema 1; keys may be added, never renamed):
  store, mode      the path; dry-run or apply
  verdict          before: sound or damaged
  verdict_after    after --apply, else null
  records_kept     records that can be read
  records_lost     records that are lost and enter the ledger
  lost[]           their ranges: sensor, first_seq, last_seq, records, place
  missing_segments[]  first, count, records_lost
  actions[]        what is to be done, or was done, a sentence each, in order
  quarantine       files, pages that go to lost+found/
  findings[]       severity (damage, note), text";

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    // Before anything is opened for writing: a wrong path must not become a store.
    let store = Store::look(&arguments.store)?;
    store.answer()?;
    if arguments.apply {
        apply::run(&store, arguments.json)
    } else {
        plan::run(&store, arguments.json)
    }
}
