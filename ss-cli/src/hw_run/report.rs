//! What a run on a board gave: the JSON report, which the human summary is printed from as well.

use crate::{
    report::{Counts, Expected, Group, Ledger, SCHEMA, digest},
    virtual_board::{INSTRUCTION_NS, SYSTICK_HZ},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use ss_lib::{
    SensorStats,
    scenario::{
        expect::{Expectation, Figure},
        run::{Figures, GroupFigures, Outcome, RamFigures},
        text::Scenario,
    },
    wire::{Cost, DeviceClock, Hello, OPERATIONS, Operation, Report, bucket_range, text_of},
};
use std::time::Duration;

/// Everything that came from the board.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) hello: Hello,
    pub(super) report: Report,
    /// Whether it came to its end.
    pub(super) is_whole: bool,
    pub(super) groups: Vec<SensorStats>,
    pub(super) buckets: [Vec<u32>; OPERATIONS],
    pub(super) retries: u64,
    pub(super) wall: Duration,
    pub(super) probe: String,
    pub(super) is_virtual: bool,
}

/// One `ss hw-run`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HwReport {
    pub(super) schema: u32,
    pub(super) program: &'static str,
    pub(super) scenario: String,
    pub(super) profile: &'static str,
    pub(super) verdict: &'static str,
    pub(super) seed: u64,
    pub(super) digest: String,
    pub(super) virtual_ms: u64,
    pub(super) duration_ms: u64,
    pub(super) wall_ms: f64,
    pub(super) records: Counts,
    pub(super) groups: Vec<Group>,
    pub(super) costs: Vec<OperationCost>,
    pub(super) clock: CostClock,
    pub(super) ram: BoardRam,
    pub(super) flash_bytes: u32,
    pub(super) deliveries: BoardDeliveries,
    pub(super) ledger: Ledger,
    pub(super) is_sound: bool,
    pub(super) expect: Vec<Expected>,
    pub(super) not_judged: Vec<String>,
    pub(super) board: BoardFacts,
    pub(super) compare: Option<Compared>,
    pub(super) command: String,
}

/// An operation's cost in the clock's unit; none without any operation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OperationCost {
    pub(super) operation: &'static str,
    pub(super) count: u64,
    pub(super) min: Option<u64>,
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) mean: Option<f64>,
    /// Of operations on several records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_record: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CostClock {
    /// `cycles` or `instructions`.
    pub(super) unit: &'static str,
    /// Where the unit has a duration.
    pub(super) hz: Option<u32>,
    pub(super) empty_cost: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct BoardRam {
    pub(super) store_bytes: u32,
    pub(super) static_bytes: u32,
    pub(super) stack_bytes: u32,
    pub(super) stack_peak_bytes: u32,
    pub(super) sectors_total: u32,
    pub(super) sectors_peak: u32,
    pub(super) sectors_used: u32,
    pub(super) sector_bytes: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct BoardDeliveries {
    pub(super) records: u64,
    pub(super) batches: u64,
    pub(super) stale_answers: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct BoardFacts {
    pub(super) chip: String,
    pub(super) probe: String,
    pub(super) firmware: String,
    pub(super) is_virtual: bool,
    pub(super) frames_repeated: u64,
}

/// The same scenario on the host.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Compared {
    pub(super) digest: String,
    pub(super) digests_equal: bool,
    /// Whether every counter of both is the same.
    pub(super) figures_equal: bool,
    /// `ss simulate`'s own.
    pub(super) verdict: &'static str,
    pub(super) records: Counts,
    pub(super) deliveries: BoardDeliveries,
    pub(super) ledger: Ledger,
}

impl HwReport {
    pub(super) fn new(
        scenario: &Scenario,
        ran: &Ran,
        compared: Option<&Option<Outcome>>,
        chip: String,
        command: String,
    ) -> Self {
        let report = ran.report;
        let figures = figures(scenario, ran);
        let expectations: Vec<&Expectation> =
            if ran.is_whole { scenario.expectations.iter().collect() } else { Vec::new() };
        let (seen, unseen): (Vec<_>, Vec<_>) =
            expectations.into_iter().partition(|expectation| is_seen(expectation));
        let expect: Vec<Expected> =
            seen.iter().map(|expectation| expectation.judge(&figures).into()).collect();
        let compare =
            compared.and_then(Option::as_ref).map(|outcome| Compared::new(outcome, &figures));
        let differs = compare.as_ref().is_some_and(|it| !it.digests_equal || !it.figures_equal);
        let is_right = report.is_sound
            && report.totals.is_conserved()
            && expect.iter().all(|expected| expected.ok)
            && !(differs && ran.is_whole);
        let clock = CostClock::new(ran);
        Self {
            schema: SCHEMA,
            program: concat!("ss ", env!("SS_VERSION")),
            scenario: scenario.name.clone(),
            profile: scenario.profile.name(),
            verdict: match (is_right, ran.is_whole) {
                (false, _) => "fail",
                (true, false) => "interrupted",
                (true, true) => "pass",
            },
            seed: scenario.description().seed,
            digest: digest(report.digest),
            virtual_ms: report.virtual_ms,
            duration_ms: scenario.description().duration_ms,
            wall_ms: (ran.wall.as_secs_f64() * 1e6).round() / 1e3,
            records: Counts::new(report.totals, false),
            groups: figures
                .groups
                .iter()
                .map(|group| Group {
                    name: group.name.clone(),
                    sensors: group.sensors,
                    counts: Counts::new(group.stats, false),
                })
                .collect(),
            costs: Operation::ALL.map(|operation| cost(operation, ran)).into(),
            clock,
            ram: BoardRam {
                store_bytes: ran.hello.geometry.store_bytes,
                static_bytes: report.footprint.static_bytes,
                stack_bytes: report.footprint.stack_bytes,
                stack_peak_bytes: report.footprint.stack_peak_bytes,
                sectors_total: report.pool.sectors_total,
                sectors_peak: report.pool.sectors_peak,
                sectors_used: report.pool.sectors_used,
                sector_bytes: ran.hello.geometry.sector_bytes,
            },
            flash_bytes: report.footprint.flash_bytes,
            deliveries: BoardDeliveries::new(&figures),
            ledger: Ledger::from(figures.ledger),
            is_sound: report.is_sound,
            expect,
            not_judged: unseen.iter().map(|expectation| expectation.judge(&figures).name).collect(),
            board: BoardFacts {
                chip,
                probe: ran.probe.clone(),
                firmware: text_of(&ran.hello.version).to_owned(),
                is_virtual: ran.is_virtual,
                frames_repeated: ran.retries,
            },
            compare,
            command,
        }
    }
}

/// The board's figures. What only the judge on a host sees is 0, and no expectation is held to it.
fn figures(scenario: &Scenario, ran: &Ran) -> Figures {
    let (report, geometry) = (ran.report, ran.hello.geometry);
    let unused = report.pool.sectors_total.saturating_sub(report.pool.sectors_peak);
    let description = scenario.description();
    let groups = scenario.group_names.iter().zip(description.groups).zip(&ran.groups);
    Figures {
        digest: report.digest,
        virtual_ms: report.virtual_ms,
        totals: report.totals,
        groups: groups
            .map(|((name, group), &stats)| GroupFigures {
                name: name.clone(),
                sensors: group.count,
                stats,
            })
            .collect(),
        ram: RamFigures {
            bytes_total: geometry.store_bytes.into(),
            bytes_peak: geometry.store_bytes.saturating_sub(unused * geometry.sector_bytes).into(),
            sector_bytes: geometry.sector_bytes,
            pool: report.pool,
        },
        ledger: report.ledger,
        records_delivered: report.records_delivered,
        redelivered: 0,
        batches: report.batches,
        stale_answers: report.stale_answers,
        oldest_age_ms: 0,
        disk: None,
    }
}

/// Whether a board sees what is expected: not what takes a memory of every record.
fn is_seen(expectation: &Expectation) -> bool {
    !matches!(
        expectation,
        Expectation::Figure { figure: Figure::Redelivered | Figure::OldestAge | Figure::Ram, .. }
    )
}

impl CostClock {
    fn new(ran: &Ran) -> Self {
        let (DeviceClock::Cycles { hz } | DeviceClock::SysTick { hz }) = ran.hello.clock;
        let empty_cost = in_unit(ran.report.empty_ticks.into(), ran.is_virtual);
        if ran.is_virtual {
            return Self { unit: "instructions", hz: None, empty_cost };
        }
        Self { unit: "cycles", hz: Some(hz), empty_cost }
    }
}

/// Ticks of the board's clock in the unit of the report. A virtual board's clock says how many
/// instructions passed, because each takes the same virtual time.
fn in_unit(ticks: u64, is_virtual: bool) -> u64 {
    if !is_virtual {
        return ticks;
    }
    let (numerator, denominator) = (ticks * 1_000_000_000, SYSTICK_HZ * INSTRUCTION_NS);
    (numerator + denominator / 2) / denominator
}

#[expect(clippy::cast_precision_loss, reason = "means are rounded")]
fn mean(ticks: u64, count: u64, is_virtual: bool) -> Option<f64> {
    let scale = if is_virtual { 1e9 / (SYSTICK_HZ as f64 * INSTRUCTION_NS as f64) } else { 1.0 };
    (count > 0).then(|| (ticks as f64 * scale / count as f64 * 10.0).round() / 10.0)
}

fn cost(operation: Operation, ran: &Ran) -> OperationCost {
    let Cost { count, sum, min, max } = ran.report.costs[operation.index()];
    let (totals, is_virtual) = (ran.report.totals, ran.is_virtual);
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 1 << 32, 3).ok();
    for (bucket, &hits) in ran.buckets[operation.index()].iter().enumerate() {
        let (least, greatest) = bucket_range(bucket);
        let middle = u64::from(least).midpoint(greatest.into()).clamp(min.into(), max.into());
        if let Some(histogram) = &mut histogram {
            // The bounds hold every bucket.
            let _ = histogram.record_n(middle.max(1), hits.into());
        }
    }
    let histogram = histogram.filter(|histogram| !histogram.is_empty());
    let at = |quantile| {
        let ticks = histogram.as_ref()?.value_at_quantile(quantile);
        Some(in_unit(ticks.min(max.into()), is_virtual))
    };
    let exact = |ticks: u32| (count > 0).then(|| in_unit(ticks.into(), is_virtual));
    let (name, records) = match operation {
        Operation::AddSeries => ("add-series", None),
        Operation::AddEvent => ("add-event", None),
        Operation::Consume => ("consume", Some(ran.report.records_delivered)),
        Operation::Answer => ("answer", Some(totals.erased)),
    };
    OperationCost {
        operation: name,
        count,
        min: exact(min),
        p50: at(0.5),
        p99: at(0.99),
        max: exact(max),
        mean: mean(sum, count, is_virtual),
        per_record: records.and_then(|records| mean(sum, records, is_virtual)),
    }
}

impl BoardDeliveries {
    fn new(figures: &Figures) -> Self {
        Self {
            records: figures.records_delivered,
            batches: figures.batches,
            stale_answers: figures.stale_answers,
        }
    }
}

impl Compared {
    fn new(outcome: &Outcome, board: &Figures) -> Self {
        let host = &outcome.figures;
        let figures_equal = host.totals == board.totals
            && host.groups == board.groups
            && host.ledger == board.ledger
            && host.ram.pool == board.ram.pool
            && host.virtual_ms == board.virtual_ms
            && host.records_delivered == board.records_delivered
            && host.batches == board.batches
            && host.stale_answers == board.stale_answers;
        Self {
            digest: digest(host.digest),
            digests_equal: host.digest == board.digest,
            figures_equal,
            verdict: outcome.verdict.name(),
            records: Counts::new(host.totals, false),
            deliveries: BoardDeliveries::new(host),
            ledger: Ledger::from(host.ledger),
        }
    }
}
