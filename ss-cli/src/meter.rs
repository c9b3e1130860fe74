//! Watches a run: measures its operations, shows its progress, ends it at Ctrl-C.

use crate::{
    histogram::{Durations, Latency, clock_cost_ns},
    interrupt,
    progress::Progress,
};
use ss_lib::scenario::{Description, Op, run::Watch};
use std::time::Instant;

/// From this many expected adds on, not every operation is measured: a day of 2,048 sensors is
/// 177 million adds, and two readings of the clock for each operation would take a quarter of its
/// run.
const ADDS_ALL_MEASURED_MAX: u64 = 5_000_000;

/// Then each this many-th of its kind is. A prime, so that it does not keep step with the number
/// of sensors, of records in a sector or in a batch.
const SAMPLED_EVERY: u32 = 17;

/// The operations, in the order of reports.
const OPS: usize = 3;

/// Measures a run.
#[derive(Debug)]
pub(crate) struct Meter {
    progress: Progress,
    every: u32,
    /// Operations of each kind until the next one that is measured.
    left: [u32; OPS],
    started: Option<Instant>,
    durations: [Durations; OPS],
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) add: Latency,
    pub(crate) consume: Latency,
    pub(crate) answer: Latency,
    /// What one reading of the clock costs, in ns: part of every figure.
    pub(crate) clock_cost_ns: u64,
    /// Each this many-th operation of a kind was measured.
    pub(crate) sampled_every: u32,
}

/// How many adds a run of `description` will try, about.
pub(crate) fn expected_adds(description: &Description<'_>) -> u64 {
    let of_group = |group: &ss_lib::scenario::Group| {
        let periods = (0..group.count).map(|index| u64::from(group.period_ms(index).max(1)));
        let bursts = periods.map(|period_ms| description.duration_ms / period_ms);
        bursts.fold(0, u64::saturating_add).saturating_mul(u64::from(group.burst_records))
    };
    description.groups.iter().map(of_group).fold(0, u64::saturating_add)
}

impl Meter {
    pub(crate) fn new(description: &Description<'_>, progress: Progress) -> Self {
        let all = expected_adds(description) <= ADDS_ALL_MEASURED_MAX;
        let every = if all { 1 } else { SAMPLED_EVERY };
        Self {
            progress,
            every,
            left: [every; OPS],
            started: None,
            durations: [Durations::new(), Durations::new(), Durations::new()],
        }
    }

    pub(crate) fn finish(self) -> Measured {
        let [add, consume, answer] = self.durations.map(|durations| durations.figures());
        let clock_cost_ns = clock_cost_ns();
        Measured { add, consume, answer, clock_cost_ns, sampled_every: self.every }
    }
}

const fn place(op: Op) -> usize {
    match op {
        Op::Add => 0,
        Op::Consume => 1,
        Op::Answer => 2,
    }
}

impl Watch for Meter {
    #[inline]
    fn begin(&mut self, op: Op) {
        let left = &mut self.left[place(op)];
        *left -= 1;
        if *left == 0 {
            *left = self.every;
            self.started = Some(Instant::now());
        }
    }

    #[inline]
    fn end(&mut self, op: Op) {
        if let Some(started) = self.started.take() {
            let duration = started.elapsed();
            self.durations[place(op)].record(duration);
        }
    }

    #[inline]
    fn progress(&mut self, virtual_ms: u64) {
        self.progress.at(virtual_ms);
    }

    fn is_cancelled(&mut self) -> bool {
        interrupt::is_requested()
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, expected_adds};
    use crate::progress::Progress;
    use ss_lib::scenario::{
        Op,
        run::Watch,
        text::{Overrides, Scenario},
    };

    fn scenario(count: u32, duration: &str) -> Scenario {
        let text = format!(
            "profile = \"linux-ram\"\nduration = \"{duration}\"\n[[sensors]]\nname = \"a\"\n\
             count = {count}\nkind = \"time-series\"\nperiod = \"1s\"\n"
        );
        Scenario::parse(&text, "a.toml", "a", &Overrides::default()).unwrap()
    }

    #[test]
    fn a_long_run_is_measured_by_samples_and_a_short_one_whole() {
        let (short, long) = (scenario(10, "1h"), scenario(2_048, "24h"));
        assert_eq!(expected_adds(&short.description()), 36_000);
        assert_eq!(expected_adds(&long.description()), 176_947_200);
        for (scenario, every) in [(short, 1), (long, 17)] {
            let mut meter = Meter::new(&scenario.description(), Progress::new(1, ""));
            for _ in 0..34 {
                meter.begin(Op::Add);
                meter.end(Op::Add);
            }
            let measured = meter.finish();
            assert_eq!(measured.sampled_every, every);
            assert_eq!((measured.add.count, measured.answer.count), (34 / u64::from(every), 0));
        }
    }
}
