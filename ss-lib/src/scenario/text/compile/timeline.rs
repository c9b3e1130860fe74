//! `[[outage]]`, `[[clock_step]]` and `[[pool_pressure]]`: what happens when.

use super::super::{
    ScenarioError,
    document::{ClockStepTable, Document, PressureTable},
    error::Source,
    units::Millis,
};
use crate::{
    ClockKind,
    scenario::{ClockStep, Outage, Pressure},
};
use toml::Spanned;

/// What is repeated comes at most this often.
const REPEATS_MAX: usize = 100_000;

/// What comes after the end never happens: a mistake, unless the command line made the run shorter.
pub(super) fn within(
    at: &Spanned<Millis>,
    what: &str,
    document: &Document,
    source: &Source<'_>,
) -> Result<u64, ScenarioError> {
    let (Millis(at_ms), Millis(duration_ms)) = (*at.get_ref(), *document.duration.get_ref());
    if at_ms < duration_ms {
        return Ok(at_ms);
    }
    let text = format!(
        "{what} at {at_ms} ms never comes: the scenario ends at {duration_ms} ms; let it begin \
         earlier, or the scenario last longer"
    );
    Err(source.error(Some(at.span()), text))
}

fn too_many(what: &str, every: Option<&Spanned<Millis>>, source: &Source<'_>) -> ScenarioError {
    let text = format!("more than {REPEATS_MAX} {what}s: let them come less often");
    source.error(every.map(Spanned::span), text)
}

/// The times of something that comes at `at_ms` and, if it is repeated, again until the end.
pub(super) fn repeats(
    what: &str,
    at_ms: u64,
    every: Option<&Spanned<Millis>>,
    duration_ms: u64,
    source: &Source<'_>,
) -> Result<Vec<u64>, ScenarioError> {
    let every_ms = match every {
        Some(every) if every.get_ref().0 == 0 => {
            let text = format!("{what}s every 0 ms would never end: give a time between");
            return Err(source.error(Some(every.span()), text));
        }
        Some(every) => every.get_ref().0,
        None => u64::MAX,
    };
    let mut times = Vec::new();
    let mut next_ms = at_ms;
    while next_ms < duration_ms {
        if times.len() == REPEATS_MAX {
            return Err(too_many(what, every, source));
        }
        times.push(next_ms);
        next_ms = next_ms.saturating_add(every_ms);
    }
    Ok(times)
}

/// Outages in order, repeated ones written out, overlapping ones as one.
pub(super) fn outages(
    document: &Document,
    duration_ms: u64,
    source: &Source<'_>,
) -> Result<Vec<Outage>, ScenarioError> {
    let mut all = Vec::new();
    for table in &document.outage {
        let at_ms = within(&table.at, "an outage", document, source)?;
        let Millis(length_ms) = *table.length.get_ref();
        if length_ms == 0 {
            let text = "an outage of 0 ms is none: give it a length";
            return Err(source.error(Some(table.length.span()), text));
        }
        for from_ms in repeats("outage", at_ms, table.every.as_ref(), duration_ms, source)? {
            all.push(Outage { from_ms, until_ms: from_ms.saturating_add(length_ms) });
        }
        if all.len() > REPEATS_MAX {
            return Err(too_many("outage", table.every.as_ref(), source));
        }
    }
    all.sort_by_key(|outage| outage.from_ms);
    let mut merged: Vec<Outage> = Vec::new();
    for outage in all {
        match merged.last_mut() {
            Some(last) if outage.from_ms <= last.until_ms => {
                last.until_ms = last.until_ms.max(outage.until_ms);
            }
            _ => merged.push(outage),
        }
    }
    Ok(merged)
}

pub(super) fn clock_steps(
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<ClockStep>, ScenarioError> {
    let start = document.clock.unwrap_or_default().0;
    let mut tables: Vec<&ClockStepTable> = document.clock_step.iter().collect();
    tables.sort_by_key(|table| table.at.get_ref().0);
    let mut shown_at_zero_ms = i64::try_from(start.ms).unwrap_or(i64::MAX);
    let mut steps = Vec::new();
    for table in tables {
        let at_ms = within(&table.at, "a clock step", document, source)?;
        let step = match (&table.by, &table.to) {
            (Some(by), None) => ClockStep { at_ms, by_ms: by.get_ref().0, to_utc: false },
            (None, Some(to)) => {
                let shown_ms = shown_at_zero_ms.saturating_add_unsigned(at_ms);
                let to_ms = i64::try_from(to.get_ref().0).unwrap_or(i64::MAX);
                ClockStep { at_ms, by_ms: to_ms.saturating_sub(shown_ms), to_utc: true }
            }
            _ => {
                let text = "a clock step has either `by`, a duration with its sign, or `to`, the \
                            time of day that the clock then shows";
                return Err(source.error(Some(table.at.span()), text));
            }
        };
        shown_at_zero_ms = shown_at_zero_ms.saturating_add(step.by_ms);
        steps.push(step);
    }
    debug_assert!(start.clock != ClockKind::Caller);
    Ok(steps)
}

/// Begin and end of each pressure, in order.
pub(super) fn pressures(
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<Pressure>, ScenarioError> {
    let mut tables: Vec<&PressureTable> = document.pool_pressure.iter().collect();
    tables.sort_by_key(|table| table.at.get_ref().0);
    let mut pressures: Vec<Pressure> = Vec::new();
    for table in tables {
        let at_ms = within(&table.at, "a pressure", document, source)?;
        let Millis(length_ms) = *table.length.get_ref();
        if length_ms == 0 {
            let text = "a pressure of 0 ms is none: give it a length";
            return Err(source.error(Some(table.length.span()), text));
        }
        if pressures.last().is_some_and(|last| at_ms < last.at_ms) {
            let text = "this pressure begins before the one before it ends: make them one";
            return Err(source.error(Some(table.at.span()), text));
        }
        pressures.push(Pressure { at_ms, sectors_max: table.sectors });
        pressures.push(Pressure { at_ms: at_ms.saturating_add(length_ms), sectors_max: u32::MAX });
    }
    Ok(pressures)
}
