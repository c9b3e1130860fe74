//! `ss`: stresses a store of sensor readings before it ships, and looks into one that came back.
//!
//! Every command is a file of its own; here outcomes become exit codes.

mod bench;
mod completions;
mod export;
mod health;
mod histogram;
#[cfg(feature = "hw")]
mod hw_run;
mod inspect;
mod interrupt;
mod lines;
mod meter;
mod output;
mod progress;
mod repair;
mod report;
mod sensor_key;
mod simulate;
mod store;
mod text;
mod time;
mod torture;
mod verify;
mod virtual_board;

use clap::{Parser, Subcommand, error::ErrorKind};
use std::process::ExitCode;

/// Stress a store-and-forward buffer of sensor readings, look into it, and mend it
#[derive(Debug, Parser)]
#[command(
    name = "ss",
    version = env!("SS_VERSION"),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  ss simulate scenarios/quickstart.toml
  ss inspect ss-lib/testdata/format-v1/clean

Exit codes:
  0  fine
  1  the answer is no: an expectation was missed, a promise broken, a store is damaged, the run
     interrupted
  2  wrong usage, or a scenario that cannot be read
  3  the store or the board could not be used, or the result could not be written";

#[derive(Debug, Subcommand)]
enum Command {
    Simulate(simulate::Arguments),
    Inspect(inspect::Arguments),
    Verify(verify::Arguments),
    Repair(repair::Arguments),
    Export(export::Arguments),
    Torture(torture::Arguments),
    #[cfg(feature = "hw")]
    HwRun(hw_run::Arguments),
    VirtualBoard(virtual_board::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

/// Why a command gave no answer.
#[derive(Debug)]
enum Failure {
    /// It was asked wrongly, or of something that cannot be read.
    Usage(String),
    /// The store is none, is in use, cannot be read, or was written by a newer program.
    Store(String),
    /// No board, or not the one that was wanted, or it broke.
    Probe(String),
    /// The answer could not be written.
    Output(std::io::Error),
}

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Simulate(arguments) => simulate::run(&arguments),
            Command::Inspect(arguments) => inspect::run(&arguments),
            Command::Verify(arguments) => verify::run(&arguments),
            Command::Repair(arguments) => repair::run(&arguments),
            Command::Export(arguments) => export::run(&arguments),
            Command::Torture(arguments) => torture::run(&arguments),
            #[cfg(feature = "hw")]
            Command::HwRun(arguments) => hw_run::run(&arguments),
            Command::VirtualBoard(arguments) => virtual_board::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::Completions(arguments) => completions::run(&arguments),
        },
        Err(error) if !error.use_stderr() => {
            output::write_quietly(|| error.print()).map(|()| Answer::Yes)
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // The help is the message: it goes to standard error as it is.
            let _ = error.print();
            return ExitCode::from(2);
        }
        Err(error) => {
            let text = error.render().to_string();
            Err(Failure::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()))
        }
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(Failure::Usage(text)) => {
            output::complain(&text);
            ExitCode::from(2)
        }
        Err(Failure::Store(text) | Failure::Probe(text)) => {
            output::complain(&text);
            ExitCode::from(3)
        }
        Err(Failure::Output(error)) => {
            output::complain(&format!(
                "the result could not be written ({error}): check where the output goes"
            ));
            ExitCode::from(3)
        }
    }
}
