//! Runs a scenario on this machine: the store that its profile names, the driver, the oracle.

mod figures;
mod linux;
mod tables;
mod watched;

pub use figures::{DiskFigures, Figures, GroupFigures, RamFigures};
pub(super) use linux::{Home, HomeGateway, LinuxStore};
pub use linux::{Place, RunError, write_image};
pub(super) use tables::DriverTables;

use super::{
    Driver, Engine, Op, SensorRun, Summary,
    expect::Judged,
    faults::{CallName, Fault, FaultKind, Rotten},
    oracle::{DiskTerms, Oracle, Terms, Violation},
    sensors::group_stats,
    text::{Profile, Scenario},
};
use crate::ram::{PoolStats, STM32_SECTOR_BYTES, SharedConfig, Stm32Store, Store, footprint_bytes};
use watched::Watched;

/// Who watches a run: measures operations, shows progress, may end it.
#[expect(unused_variables, reason = "a watch looks at what it wants to")]
pub trait Watch {
    /// An operation of the store begins.
    fn begin(&mut self, op: Op) {}
    /// It ended.
    fn end(&mut self, op: Op) {}
    /// Virtual time that has passed, in ms. Called about each 100 ms of it.
    fn progress(&mut self, virtual_ms: u64) {}
    /// The records whose page on the disk went bad since this was last asked.
    fn take_rotten(&mut self) -> Vec<Rotten> {
        Vec::new()
    }
    /// Whether the run should end early.
    fn is_cancelled(&mut self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every promise was kept and every expectation met.
    Pass,
    /// A promise was broken or an expectation missed.
    Fail,
    /// The watch ended the run; what was seen until then broke no promise.
    Interrupted,
}

impl Verdict {
    /// The verdict's word in reports and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// The seed that was used.
    pub seed: u64,
    /// What was counted.
    pub figures: Figures,
    /// Each expectation with what was found. Empty if the run was ended early.
    pub expectations: Vec<Judged>,
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// How long each opening after a stop took, in ns of this machine's time.
    pub recoveries_ns: Vec<u64>,
}

/// Runs `scenario` under the oracle; a store on disk lies in a temporary directory.
pub fn run(scenario: &Scenario, watch: &mut impl Watch) -> Result<Outcome, RunError> {
    run_at(scenario, &Place::Temporary, watch)
}

/// Runs `scenario` under the oracle; a store on disk lies at `place`.
pub fn run_at(
    scenario: &Scenario,
    place: &Place,
    watch: &mut impl Watch,
) -> Result<Outcome, RunError> {
    if let Some(config) = &scenario.disk {
        return linux::run(scenario, config, place, watch);
    }
    match scenario.profile {
        Profile::Stm32 => {
            let mut store = Box::new(Stm32Store::open(scenario.store_config()));
            let size = StoreSize {
                bytes_total: size_of::<Stm32Store>() as u64,
                sector_bytes: STM32_SECTOR_BYTES,
            };
            run_in(scenario, &mut *store, size, watch)
        }
        Profile::LinuxRam | Profile::Linux => {
            let config = SharedConfig {
                geometry: scenario.geometry,
                sensors_max: scenario.sensors(),
                losses_max: scenario.losses_max,
                config: scenario.store_config(),
            };
            let size = StoreSize {
                bytes_total: footprint_bytes(&config),
                sector_bytes: scenario.geometry.sector_bytes(),
            };
            run_in(scenario, &mut Store::open_shared(config), size, watch)
        }
    }
}

/// What a store costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSize {
    /// Bytes that it owns.
    pub bytes_total: u64,
    /// Bytes of one of its sectors.
    pub sector_bytes: u32,
}

/// Runs `scenario` in a store of the caller's, which is open, empty and as the scenario wants it.
pub fn run_in<E: Engine>(
    scenario: &Scenario,
    engine: &mut E,
    size: StoreSize,
    watch: &mut impl Watch,
) -> Result<Outcome, RunError> {
    judge(scenario, engine, |_| size, true, watch)
}

/// The same. Without `drains`, what is left at the end stays in the store.
fn judge<E: Engine>(
    scenario: &Scenario,
    engine: &mut E,
    size: impl Fn(&E) -> StoreSize,
    drains: bool,
    watch: &mut impl Watch,
) -> Result<Outcome, RunError> {
    let description = scenario.description();
    let mut observer =
        Watched { oracle: Oracle::new(terms(scenario)), recoveries: 0, watch, is_cancelled: false };
    let mut tables = DriverTables::new(scenario);
    let driver = Driver::new(&description, engine, &mut observer, tables.memory());
    let summary = driver.map_err(RunError::Register)?.run();
    if let Some(error) = summary.restart_error {
        return Err(RunError::Restart(error));
    }
    let Watched { mut oracle, is_cancelled, recoveries, .. } = observer;
    let ram = ram_figures(engine.pool(), size(engine));
    let mut figures = figures(scenario, engine, &tables.sensors, &summary, &oracle, ram);
    figures.disk = engine.disk().map(|used| DiskFigures {
        used,
        centibytes_per_record: oracle.centibytes_per_record(),
        durable_lag_ms: oracle.durable_lag_ms(),
        recoveries,
        lost_in_kills: oracle.lost_in_kills(),
        shutdown_left: oracle.shutdown_left(),
    });
    if drains {
        oracle.drain(summary.virtual_ms, engine);
    }
    let expectations: Vec<Judged> = if is_cancelled {
        Vec::new()
    } else {
        scenario.expectations.iter().map(|expected| expected.judge(&figures)).collect()
    };
    let violation = oracle.into_violation();
    let verdict = if violation.is_some() || expectations.iter().any(|judged| !judged.ok) {
        Verdict::Fail
    } else if is_cancelled {
        Verdict::Interrupted
    } else {
        Verdict::Pass
    };
    let (seed, recoveries_ns) = (description.seed, Vec::new());
    Ok(Outcome { verdict, seed, figures, expectations, violation, recoveries_ns })
}

fn ram_figures(pool: PoolStats, size: StoreSize) -> RamFigures {
    let StoreSize { bytes_total, sector_bytes } = size;
    let unused = u64::from(pool.sectors_total.saturating_sub(pool.sectors_peak));
    let bytes_peak = bytes_total.saturating_sub(unused * u64::from(sector_bytes));
    RamFigures { bytes_total, bytes_peak, sector_bytes, pool }
}

fn figures<E: Engine>(
    scenario: &Scenario,
    engine: &E,
    runs: &[SensorRun],
    summary: &Summary,
    oracle: &Oracle,
    ram: RamFigures,
) -> Figures {
    let description = scenario.description();
    let groups = (0..)
        .zip(scenario.group_names.iter().zip(description.groups))
        .map(|(number, (name, group))| GroupFigures {
            name: name.clone(),
            sensors: group.count,
            stats: group_stats(engine, description.groups, runs, number),
        })
        .collect();
    Figures {
        digest: summary.digest,
        virtual_ms: summary.virtual_ms,
        totals: summary.totals,
        groups,
        ram,
        ledger: engine.ledger(),
        records_delivered: summary.records_delivered,
        redelivered: oracle.redelivered(),
        batches: summary.batches,
        stale_answers: summary.stale_answers,
        oldest_age_ms: oracle.oldest_age_ms(summary.virtual_ms),
        disk: None,
    }
}

/// What the oracle is told of a scenario's store and its disk.
pub(super) fn terms(scenario: &Scenario) -> Terms {
    let has_error = |fault: &Fault, call| fault.kind == FaultKind::IoError && fault.call == call;
    let may_fail_sync =
        |fault: &Fault| fault.kind == FaultKind::SyncLies || has_error(fault, CallName::Sync);
    Terms {
        epoch: scenario.store_config().epoch,
        policy: scenario.store_config().policy,
        sector_records_max: scenario.geometry.time_series_per_sector(),
        disk: scenario.disk.map(|disk| DiskTerms {
            quota_bytes: disk.quota_bytes,
            disk_max_bytes: disk.disk_max_bytes,
            sync_fails: scenario.faults.iter().any(may_fail_sync),
            read_fails: scenario.faults.iter().any(|fault| has_error(fault, CallName::Read)),
        }),
    }
}
