//! From the document to integers. What the types of the document cannot rule out is ruled out here.

mod disk;
mod expectations;
mod faults;
mod groups;
mod timeline;

use super::{
    Overrides, Profile, Scenario, ScenarioError,
    document::{Document, Policy, StoreTable, UploaderTable},
    error::Source,
    units::{Bytes, Chance, Millis, SectorSize},
};
use crate::{
    gateway::WhenFull,
    ram::{
        BATCH_RECORDS_MAX, FullPolicy, Geometry, STM32_SECTOR_BYTES, STM32_SECTORS, STM32_SENSORS,
    },
    scenario::{DURATION_MS_MAX, PPM, Uploader},
};
use core::ops::Range;
use disk::{disk, disk_limits, restarts};
use expectations::expectations;
use faults::{Times, faults};
use groups::groups;
use timeline::{clock_steps, outages, pressures};
use toml::Spanned;

/// Without `pool`, a gateway's pool is this large, in bytes.
const POOL_BYTES: u64 = 64 * 1024;
/// A gateway's pool is at most this large, in bytes: the oracle's books take ten times as much.
const POOL_BYTES_MAX: u64 = 64 << 20;
/// Without `ledger`, a gateway's ledger has an entry a sensor, and at least this many.
const LEDGER_ENTRIES: u32 = 256;
/// A gateway's ledger has at least and at most this many entries.
const LEDGER_RANGE: core::ops::RangeInclusive<u32> = 16..=1 << 20;
/// Without `timeout`, the uploader waits this many times the slowest reply.
const TIMEOUT_LATENCIES: u64 = 5;

pub(super) fn scenario(
    document: &Document,
    name: &str,
    overrides: &Overrides,
    source: &Source<'_>,
) -> Result<Scenario, ScenarioError> {
    let profile = overrides.profile.unwrap_or(*document.profile.get_ref());
    let duration_ms = duration(document, overrides, source)?;
    let mut groups = groups(document, source)?;
    let sensors: u32 = groups.iter().map(|group| group.count).sum();
    let (geometry, losses_max) = store(&document.store, profile, sensors, document, source)?;
    let disk = disk(document, profile, (sensors, losses_max), source)?;
    let mut restarts = restarts(document, duration_ms, &mut groups, source)?;
    let mut clock_steps = clock_steps(document, source)?;
    let mut disk_limits = disk_limits(document, source)?;
    let times = Times {
        duration_ms,
        restarts: &mut restarts,
        clock_steps: &mut clock_steps,
        disk_limits: &mut disk_limits,
    };
    let faults = faults(document, profile, times, source)?;
    let uploader = match &document.uploader {
        Some(table) => Some(uploader(table, source)?),
        None => None,
    };
    Ok(Scenario {
        name: document.name.clone().unwrap_or_else(|| name.to_owned()),
        profile,
        group_names: document.sensors.get_ref().iter().map(|g| g.name.get_ref().clone()).collect(),
        expectations: expectations(&document.expect, document, source)?,
        geometry,
        losses_max,
        policy: match (disk, document.store.policy.as_ref().map(|policy| *policy.get_ref())) {
            // Who waits for a disk in vain is refused.
            (Some(disk), _) if disk.full != WhenFull::RecycleOldest => FullPolicy::RefuseNew,
            (_, Some(Policy::RefuseNew)) => FullPolicy::RefuseNew,
            _ => FullPolicy::RecycleOldest,
        },
        first_epoch: disk.map_or(1, |disk| disk.origin.epoch),
        disk,
        seed: overrides.seed.unwrap_or(document.seed),
        duration_ms,
        start: document.clock.unwrap_or_default().0,
        groups,
        uploader,
        outages: outages(document, duration_ms, source)?,
        clock_steps,
        pressures: pressures(document, source)?,
        disk_limits,
        restarts,
        faults,
    })
}

fn duration(
    document: &Document,
    overrides: &Overrides,
    source: &Source<'_>,
) -> Result<u64, ScenarioError> {
    let (ms, span, what) = match &overrides.duration {
        Some(text) => {
            let ms = super::duration_ms(text)
                .map_err(|error| source.error(None, format!("--duration: {error}")))?;
            (ms, None, "--duration")
        }
        None => (document.duration.get_ref().0, Some(document.duration.span()), "the duration"),
    };
    if ms == 0 || ms > DURATION_MS_MAX {
        return Err(source.error(
            span,
            format!("{what} is {ms} ms, possible are 1ms to {DURATION_MS_MAX} ms (139 years)"),
        ));
    }
    Ok(ms)
}

/// A number of ms that the description holds in 32 bits.
fn millis_u32(
    value: &Spanned<Millis>,
    what: &str,
    least: u32,
    source: &Source<'_>,
) -> Result<u32, ScenarioError> {
    let Millis(ms) = *value.get_ref();
    match u32::try_from(ms) {
        Ok(ms) if ms >= least => Ok(ms),
        _ => Err(source.error(
            Some(value.span()),
            format!("{what} is {ms} ms, possible are {least} to {} ms (49 days)", u32::MAX),
        )),
    }
}

/// A gateway's pool. What cannot be is blamed on sector or pool, or else on `span`.
fn geometry(
    pool: Option<&Spanned<Bytes>>,
    sector: Option<&Spanned<SectorSize>>,
    sensors: u32,
    span: Option<Range<usize>>,
    source: &Source<'_>,
) -> Result<Geometry, ScenarioError> {
    let pool_bytes = pool.map_or(POOL_BYTES, |pool| pool.get_ref().0);
    if let Some(pool) = pool
        && pool_bytes > POOL_BYTES_MAX
    {
        let text = format!("a pool of {pool_bytes} B, possible are {POOL_BYTES_MAX} B (64 MiB)");
        return Err(source.error(Some(pool.span()), text));
    }
    let cut = match sector.map_or(SectorSize::Auto, |sector| *sector.get_ref()) {
        SectorSize::Auto => Geometry::auto(pool_bytes, sensors),
        SectorSize::Bytes(bytes) => {
            Geometry::new(pool_bytes, u32::try_from(bytes).unwrap_or(u32::MAX), sensors)
        }
    };
    let blamed = sector.map(Spanned::span).or(pool.map(Spanned::span)).or(span);
    cut.map_err(|error| source.error(blamed, error.to_string()))
}

fn store(
    table: &StoreTable,
    profile: Profile,
    sensors: u32,
    document: &Document,
    source: &Source<'_>,
) -> Result<(Geometry, u32), ScenarioError> {
    let span = document.sensors.get_ref().first().map(|group| group.count.span());
    if profile == Profile::Stm32 {
        let fixed = [
            table.pool.as_ref().map(Spanned::span),
            table.sector.as_ref().map(Spanned::span),
            table.ledger.as_ref().map(Spanned::span),
        ];
        if let Some(span) = fixed.into_iter().flatten().next() {
            let text = "the stm32 profile's store has a fixed shape (100 sectors of 256 B): only \
                        `policy` can be set";
            return Err(source.error(Some(span), text));
        }
        let pool_bytes = STM32_SECTORS as u64 * u64::from(STM32_SECTOR_BYTES);
        if sensors as usize > STM32_SENSORS {
            let text = format!(
                "{sensors} sensors, the stm32 profile's store has place for {STM32_SENSORS}: \
                 use fewer, or another profile"
            );
            return Err(source.error(span, text));
        }
        return Geometry::new(pool_bytes, STM32_SECTOR_BYTES, sensors)
            .map(|geometry| (geometry, 0))
            .map_err(|error| source.error(span, error.to_string()));
    }
    let geometry = geometry(table.pool.as_ref(), table.sector.as_ref(), sensors, span, source)?;
    let losses_max = match &table.ledger {
        Some(ledger) if !LEDGER_RANGE.contains(ledger.get_ref()) => {
            let text = format!(
                "a ledger of {} entries, possible are {} to {}",
                ledger.get_ref(),
                LEDGER_RANGE.start(),
                LEDGER_RANGE.end()
            );
            return Err(source.error(Some(ledger.span()), text));
        }
        Some(ledger) => *ledger.get_ref(),
        None => sensors.max(LEDGER_ENTRIES),
    };
    Ok((geometry, losses_max))
}

fn uploader(table: &UploaderTable, source: &Source<'_>) -> Result<Uploader, ScenarioError> {
    let batch = *table.batch.get_ref();
    if batch == 0 || batch as usize > BATCH_RECORDS_MAX {
        let text = format!("a batch of {batch} records, possible are 1 to {BATCH_RECORDS_MAX}");
        return Err(source.error(Some(table.batch.span()), text));
    }
    let latency_ms = millis_u32(&table.latency, "the latency", 0, source)?;
    let latency_jitter_ms = match &table.latency_jitter {
        Some(jitter) => millis_u32(jitter, "the latency's jitter", 0, source)?,
        None => 0,
    };
    let slowest_ms = u64::from(latency_ms) + u64::from(latency_jitter_ms);
    let timeout_ms = match &table.timeout {
        Some(timeout) => millis_u32(timeout, "the timeout", 1, source)?,
        None => u32::try_from((slowest_ms * TIMEOUT_LATENCIES).max(1_000)).unwrap_or(u32::MAX),
    };
    if u64::from(timeout_ms) <= slowest_ms {
        let span = table.timeout.as_ref().map_or(table.latency.span(), Spanned::span);
        let text = format!(
            "the timeout of {timeout_ms} ms is not above the slowest reply of {slowest_ms} ms: \
             for replies after the timeout use `late`"
        );
        return Err(source.error(Some(span), text));
    }
    let backoff_ms = match &table.backoff {
        Some(backoff) => millis_u32(backoff, "the back-off", 0, source)?,
        None => 0,
    };
    let chance = |chance: &Option<Spanned<Chance>>| chance.as_ref().map_or(0, |it| it.get_ref().0);
    let uploader = Uploader {
        every_ms: millis_u32(&table.every, "the time between rounds", 1, source)?,
        batch_records: batch,
        batches_per_round: table.batches,
        latency_ms,
        latency_jitter_ms,
        timeout_ms,
        backoff_ms,
        nack_ppm: chance(&table.nack),
        lost_ppm: chance(&table.lost),
        late_ppm: chance(&table.late),
        duplicate_ppm: chance(&table.duplicate),
        reject_ppm: chance(&table.reject),
    };
    let chances = [&table.nack, &table.reject, &table.lost, &table.late, &table.duplicate];
    let mut sum = 0;
    for given in chances.into_iter().flatten() {
        sum += given.get_ref().0;
        if sum > PPM {
            let text = "nack, reject, lost, late and duplicate exclude each other: together they \
                        are at most 100%";
            return Err(source.error(Some(given.span()), text));
        }
    }
    Ok(uploader)
}
