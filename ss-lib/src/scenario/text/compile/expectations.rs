//! `[expect]`.

use super::super::{ScenarioError, document::Document, error::Source, expect_table::ExpectTable};
use crate::scenario::expect::{Bound, Expectation, Figure};

pub(super) fn expectations(
    table: &ExpectTable,
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<Expectation>, ScenarioError> {
    let mut all = Vec::new();
    let mut expect = |group: Option<usize>, figures: &[(Figure, Bound)]| {
        let clause = |&(figure, bound)| Expectation::Figure { group, figure, bound };
        all.extend(figures.iter().map(clause));
    };
    let ExpectTable { figures, digest, groups } = table;
    expect(None, figures);
    for (name, clauses) in groups {
        let known = document.sensors.get_ref();
        let Some(at) = known.iter().position(|group| group.name.get_ref() == name.get_ref()) else {
            let names: Vec<_> = known.iter().map(|g| format!("`{}`", g.name.get_ref())).collect();
            let text =
                format!("no group is called `{}`, there are {}", name.get_ref(), names.join(", "));
            return Err(source.error(Some(name.span()), text));
        };
        expect(Some(at), &clauses.figures);
    }
    if let Some(digest) = digest {
        let text = digest.get_ref();
        let value = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
        let Some(value) = value else {
            let text = format!("`{text}` is no digest, expected 16 hexadecimal digits");
            return Err(source.error(Some(digest.span()), text));
        };
        all.push(Expectation::Digest(value));
    }
    Ok(all)
}
