//! Standard output and standard error: a closed pipe is no error, and what a file says can never
//! steer the terminal.

use crate::{Answer, Failure};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// The widest that human output gets, in columns.
pub(crate) const COLUMNS_MAX: usize = 100;
/// What `COLUMNS` may say at least: in less no table can be read.
const COLUMNS_MIN: usize = 20;

/// Runs a write to standard output. Whoever closed the pipe has seen enough.
pub(crate) fn write_quietly(write: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
    match write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Prints a command's result, which says `answer`.
pub(crate) fn print(text: &str, answer: Answer) -> Result<Answer, Failure> {
    write_quietly(|| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    })?;
    Ok(answer)
}

/// Prints a command's result as one JSON object.
pub(crate) fn print_json(report: &impl Serialize, answer: Answer) -> Result<Answer, Failure> {
    let json = serde_json::to_string_pretty(report);
    let text = json.map_err(|error| Failure::Output(error.into()))? + "\n";
    print(&text, answer)
}

/// Prints `ss: message` to standard error. If even that is closed there is nobody to tell.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "ss: {}", printable(message));
}

/// The text without control characters: names and lines out of a file could hold any.
pub(crate) fn printable(text: &str) -> String {
    let visible = |c: char| {
        let is_control = c.is_control() && c != '\n' && c != '\t';
        // Characters that reorder or hide what stands beside them.
        let is_format = matches!(c, '\u{61C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}');
        if is_control || is_format { '\u{FFFD}' } else { c }
    };
    text.chars().map(visible).collect()
}

/// How human output looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether there may be colour.
    pub(crate) colour: bool,
    /// The columns to use at most.
    pub(crate) columns: usize,
}

impl Style {
    /// What standard output can show: plain unless it is a terminal that wants colour.
    pub(crate) fn of_stdout() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal();
        // A pager's or a script's word goes before what a terminal says of itself.
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let told = told.filter(|&columns: &usize| columns >= COLUMNS_MIN);
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
        Self {
            colour: is_terminal && !is_dumb && !is_set("NO_COLOR"),
            columns: told.or(width).unwrap_or(COLUMNS_MAX).min(COLUMNS_MAX),
        }
    }

    /// The text in an ANSI colour, if there may be colour.
    pub(crate) fn paint(self, ansi: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{ansi}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\r\nb\tc\u{9b}"), "a\u{FFFD}[31m\u{FFFD}\nb\tc\u{FFFD}");
    }
}
