//! Sentences and labelled lines for a person, wrapped to the terminal.

use std::fmt::Write;

/// The text in lines of at most `columns`, broken at spaces where there are any.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(20);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().expect("there is a first line");
            let used = line.chars().count();
            if used > 0 && used + 1 + rest.len() > columns {
                lines.push(String::new());
                continue;
            }
            if used > 0 {
                line.push(' ');
            }
            let fits = rest.len().min(columns);
            line.extend(rest.drain(..fits));
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// A line of facts behind its name.
pub(crate) fn push_fact(out: &mut String, name: &str, text: &str, columns: usize) {
    push_labelled(out, &format!("{name:9}"), text, columns);
}

/// The text behind its label; further lines of it are indented as far.
pub(crate) fn push_labelled(out: &mut String, label: &str, text: &str, columns: usize) {
    let indent = label.chars().count();
    let mut label = label;
    for line in wrapped(text, columns.saturating_sub(indent)) {
        let _ = writeln!(out, "{label:indent$}{line}");
        label = "";
    }
}
