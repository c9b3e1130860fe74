//! REFERENCE.md names every function and every status of the header, and none that is not there.

use std::{collections::BTreeSet, fs, path::Path};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// Words that `is_one` takes, of a text.
fn words(text: &str, is_one: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| is_one(word))
        .collect()
}

/// Functions that the header declares: a name of ours with a parenthesis right behind.
fn declared(header: &str) -> BTreeSet<&str> {
    let code = header.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains('('))
        .filter(|line| !line.starts_with("typedef"))
        .filter_map(|line| line.split('(').next()?.split([' ', '*']).next_back())
        .filter(|name| name.starts_with("ss_"))
        .collect()
}

#[test]
fn each_function_of_the_header_has_its_entry_in_the_reference() {
    let (header, reference) = (read("include/ss.h"), read("REFERENCE.md"));
    let declared = declared(&header);
    assert!(declared.len() > 50, "{declared:?}");
    // An entry is a heading with the function's name.
    let headings = reference.lines().filter_map(|line| line.strip_prefix("### "));
    let described: BTreeSet<_> =
        headings.flat_map(|heading| words(heading, |word| word.starts_with("ss_"))).collect();
    let missing: Vec<_> = declared.difference(&described).collect();
    let unknown: Vec<_> = described.difference(&declared).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

#[test]
fn each_status_of_the_header_is_explained_in_the_reference() {
    let (header, reference) = (read("include/ss.h"), read("REFERENCE.md"));
    let is_status = |word: &str| {
        word == "SS_OK" || (word.starts_with("SS_E") && !word[4..].contains('_') && word.len() > 5)
    };
    let known = words(&header, is_status);
    let rows: BTreeSet<_> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .filter(|word| is_status(word))
        .collect();
    assert_eq!(known, rows);
    // What an entry says of errors are statuses that there are.
    let said = words(&reference, is_status);
    assert!(said.is_subset(&known), "{:?}", said.difference(&known).collect::<Vec<_>>());
}
