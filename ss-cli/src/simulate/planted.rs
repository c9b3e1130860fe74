//! `ss simulate --planted`: the store is told to break its own rules, one after the other, and the judges
//! must notice.

use super::Arguments;
use crate::{Answer, Failure};

#[cfg(not(feature = "planted"))]
pub(super) fn run(_: &Arguments) -> Result<Answer, Failure> {
    Err(Failure::Usage(
        "this program is built without the planted bugs, as everything that ships is: run `cargo run \
         --release --features planted -- simulate --planted`"
            .to_owned(),
    ))
}

#[cfg(feature = "planted")]
pub(super) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    use crate::{output, text::grouped as count};
    use serde::Serialize;
    use ss_lib::scenario::explore::planted::{self, Row};
    use std::fmt::Write;

    #[derive(Serialize)]
    struct Line {
        bug: String,
        caught: bool,
        expected: bool,
        by: Option<String>,
        seen: Option<String>,
        states: u64,
        wall_ms: f64,
    }

    let mut lines = Vec::new();
    planted::run(&mut |row: Row| {
        let (by, seen) = row.caught.unzip();
        lines.push(Line {
            bug: row.bug.map_or_else(
                || "no bug: the store as it is".to_owned(),
                |bug| format!("{bug:?}: {bug}"),
            ),
            caught: by.is_some(),
            // What is blamed on a sound store says nothing of the others.
            expected: by.is_some() == row.bug.is_some(),
            by,
            seen,
            states: row.states,
            wall_ms: (row.wall_ns as f64 / 1e3).round() / 1e3,
        });
    })
    .map_err(|error| Failure::Usage(error.to_string()))?;
    let bugs = lines.len().saturating_sub(1);
    let caught = lines.iter().skip(1).filter(|line| line.caught).count();
    let is_right = lines.iter().all(|line| line.expected);
    let answer = if is_right { Answer::Yes } else { Answer::No };
    if arguments.json {
        return output::print_json(&lines, answer);
    }
    let mut text = String::new();
    for line in &lines {
        let by = line.by.as_deref().unwrap_or("nobody notices anything");
        let states = count(line.states);
        let _ = writeln!(text, "{}", line.bug);
        let _ = writeln!(text, "    {by}, after {states} states, {:.0} ms", line.wall_ms);
        if let Some(seen) = &line.seen {
            let short: String = seen.chars().take(160).collect();
            let _ = writeln!(text, "    {short}");
        }
    }
    let _ = writeln!(text, "{bugs} bugs, {caught} caught");
    if lines.first().is_some_and(|line| line.caught) {
        text.push_str(
            "the store without a bug is blamed: what is said of the others counts for nothing\n",
        );
    }
    output::print(&text, answer)
}
