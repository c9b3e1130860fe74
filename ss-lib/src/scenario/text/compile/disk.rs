//! What only the `linux` profile has: its disk, when that is full, and restarts.

use super::{
    super::{
        Profile, ScenarioError,
        document::{Document, Policy, StoreTable},
        error::Source,
        units::{Bytes, DurabilitySpec, Millis, Number, SectorSize},
    },
    geometry, millis_u32,
    timeline::{repeats, within},
};
use crate::{
    disk::Origin,
    gateway::{Durability, GatewayConfig, WhenFull},
    scenario::{DiskLimit, Group, Restart, Stop},
};
use core::ops::Range;
use toml::Spanned;

fn span_of<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
    value.map(Spanned::span)
}

/// Refuses what only a disk has.
fn refuse(document: &Document, profile: Profile, source: &Source<'_>) -> Result<(), ScenarioError> {
    let table = &document.store;
    let keys = [
        ("`wait`", span_of(table.wait.as_ref())),
        ("`durability`", span_of(table.durability.as_ref())),
        ("`spill_after`", span_of(table.spill_after.as_ref())),
        ("`quota`", span_of(table.quota.as_ref())),
        ("`disk_max`", span_of(table.disk_max.as_ref())),
        ("`segment`", span_of(table.segment.as_ref())),
        ("`reserve`", span_of(table.reserve.as_ref())),
        ("`squeeze`", span_of(table.squeeze.as_ref())),
        ("`first_segment`", span_of(table.first_segment.as_ref())),
        ("`first_lsn`", span_of(table.first_lsn.as_ref())),
        ("`first_epoch`", span_of(table.first_epoch.as_ref())),
        (
            "`policy = \"wait\"`",
            span_of(table.policy.as_ref().filter(|policy| *policy.get_ref() == Policy::Wait)),
        ),
        ("a kill", document.kill.first().map(|table| table.at.span())),
        ("a restart", document.restart.first().map(|table| table.at.span())),
        ("a full disk", document.disk_full.first().map(|table| table.at.span())),
    ];
    match keys.into_iter().find_map(|(what, span)| Some((what, span?))) {
        None => Ok(()),
        Some((what, span)) => {
            let text = format!(
                "{what} needs a disk, and the {} profile has none: take it out, or use \
                 profile = \"linux\"",
                profile.name()
            );
            Err(source.error(Some(span), text))
        }
    }
}

/// The gateway of the `linux` profile, for so many sensors and entries of the loss ledger. What the
/// file leaves out is the gateway's own default.
pub(super) fn disk(
    document: &Document,
    profile: Profile,
    (sensors_max, losses_max): (u32, u32),
    source: &Source<'_>,
) -> Result<Option<GatewayConfig>, ScenarioError> {
    if profile != Profile::Linux {
        return refuse(document, profile, source).map(|()| None);
    }
    let table = &document.store;
    let default = GatewayConfig::new(sensors_max);
    let bytes = |value: &Option<Spanned<Bytes>>, default: u64| {
        value.as_ref().map_or(default, |bytes| bytes.get_ref().0)
    };
    let config = GatewayConfig {
        pool_bytes: bytes(&table.pool, default.pool_bytes),
        sector_bytes: match table.sector.as_ref().map(Spanned::get_ref) {
            // The geometry has been judged by now, so this fits.
            Some(SectorSize::Bytes(bytes)) => u32::try_from(*bytes).ok(),
            _ => None,
        },
        losses_max,
        full: when_full(table, default.full, source)?,
        durability: match table.durability.as_ref().map(Spanned::get_ref) {
            Some(DurabilitySpec::Interval(Millis(ms))) => {
                let span = span_of(table.durability.as_ref()).unwrap_or_default();
                let ms = Spanned::new(span, Millis(*ms));
                Durability::Interval { ms: millis_u32(&ms, "the interval", 1, source)? }
            }
            Some(DurabilitySpec::EverySpill) => Durability::EverySpill,
            Some(DurabilitySpec::Os) => Durability::Os,
            None => default.durability,
        },
        spill_after_ms: table
            .spill_after
            .as_ref()
            .map_or(default.spill_after_ms, |it| it.get_ref().0),
        quota_bytes: bytes(&table.quota, default.quota_bytes),
        disk_max_bytes: bytes(&table.disk_max, default.disk_max_bytes),
        segment_bytes: bytes(&table.segment, default.segment_bytes),
        reserve_bytes: bytes(&table.reserve, default.reserve_bytes),
        squeezes: table.squeeze.as_ref().map_or(default.squeezes, |it| *it.get_ref()),
        origin: Origin {
            segment: first(table.first_segment.as_ref(), "segment", u64::MAX, source)?,
            lsn: first(table.first_lsn.as_ref(), "log number", u64::MAX, source)?,
            epoch: first(table.first_epoch.as_ref(), "epoch", u32::MAX.into(), source)? as u32,
            ..default.origin
        },
        ..default
    };
    config.check().map_err(|error| {
        let span = span_of(table.disk_max.as_ref()).or(span_of(table.segment.as_ref()));
        source.error(span, error.to_string())
    })?;
    Ok(Some(config))
}

/// The first number of a kind, which counts from 1.
fn first(
    value: Option<&Spanned<Number>>,
    what: &str,
    most: u64,
    source: &Source<'_>,
) -> Result<u64, ScenarioError> {
    let Some(value) = value else { return Ok(1) };
    let Number(number) = *value.get_ref();
    if !(1..=most).contains(&number) {
        let text = format!("a first {what} {number}, possible are 1 to {most}");
        return Err(source.error(Some(value.span()), text));
    }
    Ok(number)
}

fn when_full(
    table: &StoreTable,
    default: WhenFull,
    source: &Source<'_>,
) -> Result<WhenFull, ScenarioError> {
    let policy = table.policy.as_ref().map(|policy| *policy.get_ref());
    let waits = matches!(policy, None | Some(Policy::Wait));
    if let Some(wait) = table.wait.as_ref().filter(|_| !waits) {
        let text = "`wait` belongs to policy = \"wait\": another one does not wait";
        return Err(source.error(Some(wait.span()), text));
    }
    Ok(match policy {
        Some(Policy::RecycleOldest) => WhenFull::RecycleOldest,
        Some(Policy::RefuseNew) => WhenFull::Refuse,
        Some(Policy::Wait) | None => match &table.wait {
            Some(wait) => WhenFull::Wait { ms: millis_u32(wait, "the wait", 0, source)? },
            None => default,
        },
    })
}

/// Begin and end of each time in which the disk is full, in order.
pub(super) fn disk_limits(
    document: &Document,
    source: &Source<'_>,
) -> Result<Vec<DiskLimit>, ScenarioError> {
    let mut tables: Vec<_> = document.disk_full.iter().collect();
    tables.sort_by_key(|table| table.at.get_ref().0);
    let mut limits: Vec<DiskLimit> = Vec::new();
    for table in tables {
        let at_ms = within(&table.at, "a full disk", document, source)?;
        let Millis(length_ms) = *table.length.get_ref();
        if length_ms == 0 {
            let text = "a disk that is full for 0 ms is not: give it a length";
            return Err(source.error(Some(table.length.span()), text));
        }
        if limits.last().is_some_and(|last| at_ms < last.at_ms) {
            let text = "the disk is already full then: make the two one";
            return Err(source.error(Some(table.at.span()), text));
        }
        let free_bytes = table.free.map_or(0, |Bytes(bytes)| bytes);
        limits.push(DiskLimit { at_ms, free_bytes });
        limits.push(DiskLimit { at_ms: at_ms.saturating_add(length_ms), free_bytes: u64::MAX });
    }
    Ok(limits)
}

/// Kills and restarts in order, repeated ones written out. Groups that leave are told when.
pub(super) fn restarts(
    document: &Document,
    duration_ms: u64,
    groups: &mut [Group],
    source: &Source<'_>,
) -> Result<Vec<Restart>, ScenarioError> {
    let mut all = Vec::new();
    for table in &document.kill {
        let at_ms = within(&table.at, "a kill", document, source)?;
        for at_ms in repeats("kill", at_ms, table.every.as_ref(), duration_ms, source)? {
            all.push(Restart { at_ms, stop: Stop::Kill, pool_bytes: None, quota_bytes: None });
        }
    }
    for table in &document.restart {
        let at_ms = within(&table.at, "a restart", document, source)?;
        let deadline_ms = match &table.deadline {
            Some(deadline) => Some(millis_u32(deadline, "the deadline", 0, source)?),
            None => None,
        };
        if let Some(pool) = &table.pool {
            let sensors = groups.iter().map(|group| group.count).sum();
            geometry(Some(pool), document.store.sector.as_ref(), sensors, None, source)?;
        }
        for at_ms in repeats("restart", at_ms, table.every.as_ref(), duration_ms, source)? {
            all.push(Restart {
                at_ms,
                stop: Stop::ShutDown { deadline_ms },
                pool_bytes: table.pool.as_ref().map(|pool| pool.get_ref().0),
                quota_bytes: table.quota.as_ref().map(|quota| quota.get_ref().0),
            });
        }
        for name in &table.drop {
            let known = document.sensors.get_ref();
            let named = known.iter().position(|group| group.name.get_ref() == name.get_ref());
            let Some(at) = named else {
                let text = format!("no group is called `{}`: only one can leave", name.get_ref());
                return Err(source.error(Some(name.span()), text));
            };
            groups[at].leaves_ms = groups[at].leaves_ms.min(at_ms);
        }
    }
    all.sort_by_key(|restart| restart.at_ms);
    Ok(all)
}
