//! `ss completions`: what a shell needs to complete `ss`.

use crate::{Answer, Cli, Failure, output};
use clap::CommandFactory;
use clap_complete::Shell;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, for bash, which reads that directory by itself:
  mkdir -p ~/.local/share/bash-completion/completions
  ss completions bash > ~/.local/share/bash-completion/completions/ss")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "ss", &mut script);
    output::print(&String::from_utf8_lossy(&script), Answer::Yes)
}
