//! `[[sensors]]`.

use super::{
    super::{
        ScenarioError,
        document::{Document, GroupTable, KindName, ShapeTable},
        error::Source,
        units::{Number, Value},
    },
    millis_u32,
};
use crate::{
    Kind, SensorKey,
    scenario::{Group, SENSORS_MAX, Shape},
};
use toml::Spanned;

/// The greatest number of a first record: four thousand million more fit behind it.
const FIRST_SEQ_MAX: u64 = u64::MAX - u32::MAX as u64;

/// The most readings of a burst.
const BURST_RECORDS_MAX: u32 = 1_000_000;

pub(super) fn groups(
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<Group>, ScenarioError> {
    let tables = document.sensors.get_ref();
    if tables.is_empty() {
        let text = "a scenario needs at least one [[sensors]] group";
        return Err(source.error(Some(document.sensors.span()), text));
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut sensors = 0_u64;
    for (at, table) in tables.iter().enumerate() {
        let name = table.name.get_ref();
        if tables[..at].iter().any(|other| other.name.get_ref() == name) {
            let text = format!("a second group is called `{name}`: names tell groups apart");
            return Err(source.error(Some(table.name.span()), text));
        }
        let group = group(table, &groups, source)?;
        sensors += u64::from(group.count);
        if sensors > u64::from(SENSORS_MAX) {
            let text = format!("{sensors} sensors in all, possible are {SENSORS_MAX}");
            return Err(source.error(Some(table.count.span()), text));
        }
        groups.push(group);
    }
    Ok(groups)
}

fn group(
    table: &GroupTable,
    before: &[Group],
    source: &Source<'_>,
) -> Result<Group, ScenarioError> {
    let name = table.name.get_ref();
    let count = *table.count.get_ref();
    if count == 0 {
        let text = format!("group `{name}` has 0 sensors: give it a count of 1 or more");
        return Err(source.error(Some(table.count.span()), text));
    }
    let period_span = table.period.span();
    let period = table.period.get_ref();
    let [period_first_ms, period_last_ms] = [period.from, period.to]
        .map(|ms| millis_u32(&Spanned::new(period_span.clone(), ms), "the period", 1, source));
    let (period_first_ms, period_last_ms) = (period_first_ms?, period_last_ms?);
    let jitter_ms = match &table.jitter {
        Some(jitter) => millis_u32(jitter, "the jitter", 0, source)?,
        None => 0,
    };
    let shortest_ms = period_first_ms.min(period_last_ms);
    if let Some(jitter) = &table.jitter
        && jitter_ms > shortest_ms / 2
    {
        let text = format!(
            "a jitter of {jitter_ms} ms is more than half of the period of {shortest_ms} ms: \
             readings would overtake each other"
        );
        return Err(source.error(Some(jitter.span()), text));
    }
    let kind = match table.kind {
        KindName::TimeSeries => Kind::TimeSeries,
        KindName::Event => Kind::Event,
    };
    let (burst_records, burst_spacing_ms) = burst(table, kind, shortest_ms, jitter_ms, source)?;
    let first_id = first_id(table, count, before, source)?;
    let first_seq = match &table.first_seq {
        Some(first) if first.get_ref().0 > FIRST_SEQ_MAX => {
            let Number(first_seq) = *first.get_ref();
            let text =
                format!("a first record number {first_seq}, possible are 0 to {FIRST_SEQ_MAX}");
            return Err(source.error(Some(first.span()), text));
        }
        Some(first) => first.get_ref().0,
        None => 0,
    };
    Ok(Group {
        kind,
        source: table.source,
        first_id,
        count,
        period_first_ms,
        period_last_ms,
        jitter_ms,
        burst_records,
        burst_spacing_ms,
        shape: shape(table.value.as_ref(), source)?,
        first_seq,
        leaves_ms: u64::MAX,
    })
}

fn burst(
    table: &GroupTable,
    kind: Kind,
    shortest_ms: u32,
    jitter_ms: u32,
    source: &Source<'_>,
) -> Result<(u32, u32), ScenarioError> {
    let Some(burst) = &table.burst else { return Ok((1, 0)) };
    let records = *burst.records.get_ref();
    let spacing_ms = millis_u32(&burst.spacing, "the spacing", 0, source)?;
    if records == 0 || records > BURST_RECORDS_MAX {
        let text = format!("a burst of {records} records, possible are 1 to {BURST_RECORDS_MAX}");
        return Err(source.error(Some(burst.records.span()), text));
    }
    if kind == Kind::TimeSeries {
        let text = "a burst is of events: a time series has one reading a period";
        return Err(source.error(Some(burst.records.span()), text));
    }
    let length_ms = u64::from(records - 1) * u64::from(spacing_ms) + 2 * u64::from(jitter_ms);
    if length_ms > u64::from(shortest_ms) {
        let text = format!(
            "a burst of {records} records lasts {length_ms} ms with its jitter, longer than the \
             period of {shortest_ms} ms"
        );
        return Err(source.error(Some(burst.records.span()), text));
    }
    Ok((records, spacing_ms))
}

/// The group's first id: as given, else behind the ids that its source has so far.
fn first_id(
    table: &GroupTable,
    count: u32,
    before: &[Group],
    source: &Source<'_>,
) -> Result<u32, ScenarioError> {
    let same_source = before.iter().filter(|group| group.source == table.source);
    let ids = |group: &Group| {
        let first = u64::from(group.first_id);
        first..first + u64::from(group.count)
    };
    let (first, span) = if let Some(id) = &table.first_id {
        (u64::from(*id.get_ref()), id.span())
    } else {
        let next = same_source.clone().map(|group| ids(group).end).max().unwrap_or(0);
        (next, table.name.span())
    };
    let end = first + u64::from(count);
    if end > 1 << 32 {
        let text = format!("the ids {first} to {} do not fit into 32 bits", end - 1);
        return Err(source.error(Some(span), text));
    }
    for group in same_source {
        let taken = ids(group);
        if first < taken.end && taken.start < end {
            let key = SensorKey { source: table.source, id: first.max(taken.start) as u32 };
            let text = format!(
                "sensor {key} is in two groups: give this group another first_id or source"
            );
            return Err(source.error(Some(span), text));
        }
    }
    Ok(first as u32)
}

fn shape(table: Option<&ShapeTable>, source: &Source<'_>) -> Result<Shape, ScenarioError> {
    Ok(match table {
        None => Shape::Ramp { from: 0, step: 1 },
        Some(ShapeTable::Constant(Value(value))) => Shape::Constant { value: *value },
        Some(ShapeTable::Ramp { from, step }) => Shape::Ramp { from: from.0, step: step.0 },
        Some(ShapeTable::RandomWalk { from, step }) => {
            Shape::RandomWalk { from: from.0, step: *step }
        }
        Some(ShapeTable::Sine { mean, amplitude, cycle }) => Shape::Sine {
            mean: mean.0,
            amplitude: *amplitude,
            cycle_ms: millis_u32(cycle, "the cycle", 1, source)?,
        },
        Some(ShapeTable::Burst { low, high, every, length }) => Shape::Burst {
            low: low.0,
            high: high.0,
            every_ms: millis_u32(every, "the time between bursts", 1, source)?,
            length_ms: millis_u32(length, "the length of a burst", 0, source)?,
        },
    })
}
