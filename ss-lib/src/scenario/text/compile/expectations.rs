//! `[expect]`.

use super::super::{
    Document, ExpectTable, GroupExpectTable, ScenarioError,
    error::Source,
    units::{Bytes, Count, Range},
};
use crate::scenario::expect::{Bound, Expectation, Figure};

pub(super) fn expectations(
    table: &ExpectTable,
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<Expectation>, ScenarioError> {
    let count = |range: &Option<Range<Count>>| range.as_ref().map(|range| range.bound);
    let mut all = Vec::new();
    let mut expect = |group: Option<usize>, figure: Figure, bound: Option<Bound>| {
        all.extend(bound.map(|bound| Expectation::Figure { group, figure, bound }));
    };
    let ExpectTable { digest, groups, .. } = table;
    expect(None, Figure::Added, count(&table.added));
    expect(None, Figure::Refused, count(&table.refused));
    expect(None, Figure::Acked, count(&table.acked));
    expect(None, Figure::Rejected, count(&table.rejected));
    expect(None, Figure::Lost, count(&table.lost));
    expect(None, Figure::Recycled, count(&table.recycled));
    expect(None, Figure::Corrupt, count(&table.corrupt));
    expect(None, Figure::Pending, count(&table.pending));
    expect(None, Figure::Unsent, count(&table.unsent));
    expect(None, Figure::Redelivered, count(&table.redelivered));
    expect(None, Figure::StaleAnswers, count(&table.stale_answers));
    expect(None, Figure::LedgerEntries, count(&table.ledger_entries));
    expect(None, Figure::OldestAge, table.oldest_age.as_ref().map(|range| range.bound));
    let ram: Option<&Range<Bytes>> = table.ram.as_ref();
    expect(None, Figure::Ram, ram.map(|range| range.bound));
    expect(None, Figure::SectorsPeak, count(&table.sectors_peak));
    for (name, clauses) in groups {
        let known = document.sensors.get_ref();
        let Some(at) = known.iter().position(|group| group.name.get_ref() == name.get_ref()) else {
            let names: Vec<_> = known.iter().map(|g| format!("`{}`", g.name.get_ref())).collect();
            let text =
                format!("no group is called `{}`, there are {}", name.get_ref(), names.join(", "));
            return Err(source.error(Some(name.span()), text));
        };
        let GroupExpectTable {
            added,
            refused,
            acked,
            rejected,
            lost,
            recycled,
            corrupt,
            pending,
            unsent,
        } = clauses;
        let ranges = [added, refused, acked, rejected, lost, recycled, corrupt, pending, unsent];
        for (figure, range) in Figure::OF_GROUP.into_iter().zip(ranges) {
            expect(Some(at), figure, count(range));
        }
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
