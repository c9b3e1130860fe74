//! Figures and tables for a person.

use crate::output::printable;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::time::Duration;

/// The number with a comma at each thousand.
pub(crate) fn grouped(number: u64) -> String {
    grouped_wide(number.into())
}

/// The same of a sum that may be beyond 64 bits.
pub(crate) fn grouped_wide(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text with a comma at each thousand of every number that stands alone in it.
pub(crate) fn grouped_within(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.parse::<u64>() {
        Ok(number) if number.to_string() == word => grouped(number),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A virtual time, as scenarios write it.
pub(crate) fn duration(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

/// A wall time.
pub(crate) fn seconds(ms: f64) -> String {
    format!("{:.3} s", ms / 1_000.0)
}

/// A quotient: two digits behind the point if it is small, whole and grouped if it is large.
pub(crate) fn ratio(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { grouped(whole(value)) }
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A size in KiB, with one digit behind the point if there is one.
pub(crate) fn kib(bytes: u64) -> String {
    let tenths_kib = (u128::from(bytes) * 10 + 512) / 1_024;
    let kib = u64::try_from(tenths_kib / 10).unwrap_or(u64::MAX);
    match tenths_kib % 10 {
        0 => format!("{} KiB", grouped(kib)),
        tenth => format!("{}.{tenth} KiB", grouped(kib)),
    }
}

/// A size in the unit that makes it short.
pub(crate) fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..MIB => kib(bytes),
        _ => {
            let tenths = u128::from(bytes) * 10 / u128::from(MIB);
            format!(
                "{}.{} MiB",
                grouped(u64::try_from(tenths / 10).unwrap_or(u64::MAX)),
                tenths % 10
            )
        }
    }
}

/// `1 page`, `2 pages`: a number with the word for what it counts.
pub(crate) fn count(number: u64, one: &str) -> String {
    let more = if number == 1 { "" } else { "s" };
    format!("{} {one}{more}", grouped(number))
}

/// A word as a shell takes it: in quotes if it needs them.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A name of a file's in at most `chars` characters.
pub(crate) fn short_name(name: &str, chars: usize) -> String {
    let name = printable(name).replace(['\n', '\t'], " ");
    if name.chars().count() <= chars {
        return name;
    }
    name.chars().take(chars - 1).chain(['…']).collect()
}

/// A table whose first column names the row. Columns of figures are set flush right. One that is
/// wider than `columns` becomes several with the same first column, so that no number is ever cut.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0) + usize::from(GAP)
    };
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    for column in 1..header.len() {
        if used.saturating_add(width(column)) > columns + usize::from(GAP) {
            parts.push(vec![0]);
            used = width(0);
        }
        used += width(column);
        parts.last_mut().expect("one was just begun").push(column);
    }
    let parts: Vec<_> = parts.iter().map(|part| table_part(header, rows, part)).collect();
    parts.join("\n")
}

/// Columns of space after each column.
const GAP: u16 = 2;

fn table_part(header: &[&str], rows: &[Vec<String>], part: &[usize]) -> String {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')))
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(part.iter().map(|&column| header[column]));
    for row in rows {
        table.add_row(part.iter().map(|&column| Cell::new(&row[column])));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at + 1 < part.len() { GAP } else { 0 }));
        let mut cells = rows.iter().map(|row| row[part[at]].as_str());
        // A place without a figure, "-", stands among figures.
        if at > 0 && !cells.any(|cell| cell.contains(char::is_alphabetic) && !is_figure(cell)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Whether the cell begins as a number does.
fn is_figure(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{grouped, grouped_within, kib, ratio, shell_word, short_name, table};

    #[test]
    fn numbers_are_grouped_whole() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(grouped_within("at least 176900000 B"), "at least 176,900,000 B");
        assert_eq!(grouped_within("20m 3s 007"), "20m 3s 007");
        assert_eq!(ratio(1_234_567.4), "1,234,567");
        assert_eq!(ratio(1.304), "1.30");
    }

    #[test]
    fn sizes_name_their_unit() {
        assert_eq!(kib(1_023), "1 KiB");
        assert_eq!(kib(32_768), "32 KiB");
        assert_eq!(kib(31_800), "31.1 KiB");
        assert_eq!(kib(u64::MAX), "18,014,398,509,481,984 KiB");
    }

    #[test]
    fn words_for_a_shell_are_quoted_when_they_must_be() {
        assert_eq!(shell_word("scenarios/a-1.toml"), "scenarios/a-1.toml");
        assert_eq!(shell_word("1h 30m"), "'1h 30m'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn long_names_are_cut_and_show_it() {
        assert_eq!(short_name("temperature", 11), "temperature");
        assert_eq!(short_name("temperatures", 11), "temperatur…");
    }

    #[test]
    fn a_table_too_wide_is_split_and_no_line_is_wider() {
        let rows = vec![vec!["a".to_owned(), "1".repeat(26), "2".repeat(26), "3".to_owned()]];
        let header = ["group", "added", "acked", "lost"];
        let text = table(&header, &rows, 50);
        assert_eq!(text.matches("group").count(), 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
        for cell in &rows[0] {
            assert!(text.contains(cell.as_str()), "{text}");
        }
        assert_eq!(table(&header, &rows, 100).matches("group").count(), 1);
    }
}
