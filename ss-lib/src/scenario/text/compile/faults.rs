//! `[[fault]]`: what goes wrong with power, process, disk and clock.

use super::{
    super::{
        Profile, ScenarioError,
        document::{Document, FaultTable},
        error::Source,
        units::{Bytes, Chance, Millis},
    },
    timeline::{repeats, within},
};
use crate::scenario::{
    ClockStep, DiskLimit, Restart, Stop,
    faults::{CallName, Fault, FaultKind},
};
use core::ops::Range;
use toml::Spanned;

/// What a fault can be that the driver itself does.
pub(super) struct Times<'a> {
    pub(super) duration_ms: u64,
    pub(super) restarts: &'a mut Vec<Restart>,
    pub(super) clock_steps: &'a mut Vec<ClockStep>,
    pub(super) disk_limits: &'a mut Vec<DiskLimit>,
}

/// The disk's faults. Stops, clock steps and full disks go to where the driver has them.
pub(super) fn faults(
    document: &Document,
    profile: Profile,
    times: Times<'_>,
    source: &Source<'_>,
) -> Result<Vec<Fault>, ScenarioError> {
    let Times { duration_ms, restarts, clock_steps, disk_limits } = times;
    let mut faults = Vec::new();
    for table in &document.fault {
        let kind = *table.kind.get_ref();
        check(table, kind, profile, source)?;
        if table.everywhere.as_ref().is_some_and(|everywhere| *everywhere.get_ref()) {
            faults.push(Fault::everywhere(kind));
            continue;
        }
        let at_ms = match &table.at {
            Some(at) => within(at, "a fault", document, source)?,
            None => 0,
        };
        if let Some(chance) = &table.chance {
            let Chance(ppm) = *chance.get_ref();
            faults.push(Fault { chance_ppm: ppm, ..fault(table, kind, at_ms) });
            continue;
        }
        for at_ms in repeats("fault", at_ms, table.every.as_ref(), duration_ms, source)? {
            match kind {
                FaultKind::Kill => restarts.push(stop(at_ms, Stop::Kill)),
                FaultKind::PowerCut | FaultKind::TornWrite | FaultKind::Reorder => {
                    restarts.push(stop(at_ms, Stop::PowerCut));
                    // How the cut falls is told to the disk.
                    faults.push(fault(table, kind, at_ms));
                }
                FaultKind::ClockJump => {
                    let by_ms = table.by.as_ref().map_or(0, |by| by.get_ref().0);
                    clock_steps.push(ClockStep { at_ms, by_ms, to_utc: false });
                }
                FaultKind::DiskFull => {
                    let free_bytes = table.free.as_ref().map_or(0, |free| free.get_ref().0);
                    let length_ms = table.length.as_ref().map_or(0, |length| length.get_ref().0);
                    let until_ms = at_ms.saturating_add(length_ms);
                    disk_limits.push(DiskLimit { at_ms, free_bytes });
                    disk_limits.push(DiskLimit { at_ms: until_ms, free_bytes: u64::MAX });
                }
                _ => faults.push(fault(table, kind, at_ms)),
            }
        }
    }
    restarts.sort_by_key(|restart| restart.at_ms);
    clock_steps.sort_by_key(|step| step.at_ms);
    disk_limits.sort_by_key(|limit| limit.at_ms);
    faults.sort_by_key(|fault| fault.at_ms);
    Ok(faults)
}

const fn stop(at_ms: u64, stop: Stop) -> Restart {
    Restart { at_ms, stop, pool_bytes: None, quota_bytes: None }
}

fn fault(table: &FaultTable, kind: FaultKind, at_ms: u64) -> Fault {
    Fault {
        kind,
        at_ms,
        length_ms: table.length.as_ref().map_or(0, |length| length.get_ref().0),
        chance_ppm: 0,
        call: table.call.as_ref().map_or(CallName::Write, |call| *call.get_ref()),
        is_everywhere: false,
    }
}

/// What does not go together.
fn check(
    table: &FaultTable,
    kind: FaultKind,
    profile: Profile,
    source: &Source<'_>,
) -> Result<(), ScenarioError> {
    let name = kind.name();
    let a = if kind == FaultKind::IoError { "an" } else { "a" };
    let fail = |span: Range<usize>, text: String| Err(source.error(Some(span), text));
    if profile != Profile::Linux && kind != FaultKind::ClockJump {
        let text = format!(
            "{a} {name} needs a disk, and the {} profile has none: take it out, or use \
             profile = \"linux\"",
            profile.name()
        );
        return fail(table.kind.span(), text);
    }
    let is_everywhere = table.everywhere.as_ref().is_some_and(|it| *it.get_ref());
    let ways = [table.at.is_some(), table.chance.is_some(), is_everywhere];
    if ways == [false; 3] {
        let text = format!(
            "when is the {name} to come? Give it `at` (and `every` to repeat it), `chance`, or \
             `everywhere = true`"
        );
        return fail(table.kind.span(), text);
    }
    if let Some(everywhere) = table.everywhere.as_ref().filter(|_| is_everywhere) {
        if !kind.can_be_everywhere() {
            let text = format!(
                "{a} {name} cannot be everywhere, only what leaves a state of the disk can: power-cut, \
                 kill, torn-write, reorder, bit-rot, misdirected-write"
            );
            return fail(everywhere.span(), text);
        }
        if table.at.is_some() || table.every.is_some() || table.chance.is_some() {
            let text = "what is everywhere has no `at`, `every` or `chance`: leave them out";
            return fail(everywhere.span(), text.to_owned());
        }
    }
    if let Some(chance) = &table.chance {
        if !kind.can_have_a_chance() {
            let text = format!(
                "{a} {name} has no `chance`, which is of each call of the disk: give it `at`, and `every`"
            );
            return fail(chance.span(), text);
        }
        if let Some(every) = &table.every {
            let text = "a fault has either `every` or `chance`: leave one out";
            return fail(every.span(), text.to_owned());
        }
    }
    if let Some(every) = table.every.as_ref().filter(|_| table.at.is_none()) {
        let text = "`every` repeats what begins `at` a time: give it one";
        return fail(every.span(), text.to_owned());
    }
    let lasts = matches!(kind, FaultKind::DiskFull | FaultKind::ReadOnly);
    match &table.length {
        None if lasts => {
            let text = format!("for how long? {name} has `for`, such as \"30s\"");
            return fail(table.kind.span(), text);
        }
        Some(length) if !lasts || *length.get_ref() == Millis(0) => {
            let text = format!(
                "`for` is how long a disk-full or a read-only lasts, not 0, and not of {a} {name}"
            );
            return fail(
                length.span(),
                if lasts { "a length of 0 is none".to_owned() } else { text },
            );
        }
        _ => {}
    }
    only(table.call.as_ref(), kind == FaultKind::IoError, "`call` is of an io-error", source)?;
    only::<Bytes>(
        table.free.as_ref(),
        kind == FaultKind::DiskFull,
        "`free` is of a disk-full",
        source,
    )?;
    only(table.by.as_ref(), kind == FaultKind::ClockJump, "`by` is of a clock-jump", source)?;
    if kind == FaultKind::ClockJump && table.by.is_none() {
        let text = "by how much? A clock-jump has `by`, a duration with its sign, such as \"-5m\"";
        return fail(table.kind.span(), text.to_owned());
    }
    Ok(())
}

fn only<T>(
    value: Option<&Spanned<T>>,
    is_right: bool,
    what: &str,
    source: &Source<'_>,
) -> Result<(), ScenarioError> {
    match value {
        Some(value) if !is_right => {
            Err(source.error(Some(value.span()), format!("{what}: take it out")))
        }
        _ => Ok(()),
    }
}
