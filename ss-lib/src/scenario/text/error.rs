//! Where a scenario is wrong, and what to do.

use core::{error::Error, fmt, ops::Range};
use std::path::Path;

/// A scenario that cannot be used: where, what is wrong, what is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    file: String,
    place: Option<Place>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The line itself, if it is worth showing.
    source: String,
    /// How many characters of it are meant.
    width: usize,
}

/// Longer lines are not shown: nobody would find the place in them.
const LINE_CHARS_MAX: usize = 160;

impl ScenarioError {
    /// An error of the file as a whole.
    pub(super) fn of_file(path: &Path, text: String) -> Self {
        Self { file: path.display().to_string(), place: None, text }
    }

    /// The line that is wrong, from 1, if one is.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "{}: {}", self.file, self.text);
        };
        let Place { line, column, source, width } = place;
        write!(f, "{}:{line}:{column}: {}", self.file, self.text)?;
        if source.chars().count() <= LINE_CHARS_MAX && !source.trim().is_empty() {
            let margin = line.to_string().len();
            let marks = "^".repeat((*width).max(1));
            write!(f, "\n{:margin$} |\n{line} | {source}\n{:margin$} | ", "", "")?;
            write!(f, "{:indent$}{marks}", "", indent = column - 1)?;
        }
        Ok(())
    }
}

impl Error for ScenarioError {}

/// The text that errors point into.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a str,
}

impl Source<'_> {
    /// An error at a range of bytes of the text, or of the file as a whole.
    pub(super) fn error(
        &self,
        span: Option<Range<usize>>,
        text: impl Into<String>,
    ) -> ScenarioError {
        let place = span.filter(|span| *span != (0..0)).and_then(|span| self.place(span));
        ScenarioError { file: self.file.to_owned(), place, text: text.into() }
    }

    /// What the parser says. What is missing has no place in the text, so the reader is told where
    /// to look it up.
    pub(super) fn syntax_error(&self, span: Option<Range<usize>>, text: &str) -> ScenarioError {
        let mut error = self.error(span, text);
        if error.place.is_none() || text.starts_with("missing field") {
            error.text.push_str(": scenarios/README.md says what each key means");
        }
        error
    }

    fn place(&self, span: Range<usize>) -> Option<Place> {
        let before = self.text.get(..span.start)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let source = self.text[start..].lines().next().unwrap_or("");
        let meant = self.text.get(span).unwrap_or("").lines().next().unwrap_or("");
        Some(Place {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            source: source.to_owned(),
            width: meant.chars().count(),
        })
    }
}
