//! Durations of one operation, in ns.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The clock that durations are read from, for reports.
pub(crate) const CLOCK_NAME: &str = "std::time::Instant";

/// The longest duration that is told from longer ones, in ns.
const DURATION_NS_MAX: u64 = 60_000_000_000;
/// Figures are exact to this many decimal digits.
const DIGITS: u8 = 3;
/// Readings of the clock that its own cost is the median of.
const CLOCK_READINGS: usize = 10_001;

/// How long one operation took, over many.
#[derive(Clone, Debug)]
pub(crate) struct Durations(Histogram<u64>);

impl Default for Durations {
    fn default() -> Self {
        Self::new()
    }
}

impl Durations {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, DURATION_NS_MAX, DIGITS);
        Self(histogram.expect("the bounds are constants that fit"))
    }

    #[inline]
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so this cannot fail.
        let _ = self.0.add(&other.0);
    }

    /// The figures of a report.
    pub(crate) fn figures(&self) -> Latency {
        let histogram = (!self.0.is_empty()).then_some(&self.0);
        let at = |quantile| histogram.map(|it| it.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.map(Histogram::max),
            mean: histogram.map(|it| (it.mean() * 10.0).round() / 10.0),
            count: self.0.len(),
        }
    }
}

/// Percentiles of an operation's duration in ns; none if it was never measured.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) p999: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) mean: Option<f64>,
    pub(crate) count: u64,
}

/// What one reading of the clock costs, in ns: the median of readings one after the other. It is
/// part of every measured duration.
pub(crate) fn clock_cost_ns() -> u64 {
    let mut readings: Vec<Instant> = Vec::with_capacity(CLOCK_READINGS + 1);
    readings.extend((0..=CLOCK_READINGS).map(|_| Instant::now()));
    let mut costs: Vec<Duration> = readings.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (_, median, _) = costs.select_nth_unstable(CLOCK_READINGS / 2);
    u64::try_from(median.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Durations;
    use std::time::Duration;

    #[test]
    fn figures_are_those_of_the_durations() {
        let mut durations = Durations::new();
        assert_eq!(durations.figures().p50, None);
        for ns in 1..=1_000 {
            durations.record(Duration::from_nanos(ns));
        }
        let latency = durations.figures();
        assert_eq!((latency.p50, latency.p99, latency.p999), (Some(500), Some(990), Some(999)));
        assert_eq!((latency.max, latency.count), (Some(1_000), 1_000));
        assert_eq!(latency.mean, Some(500.5));
    }

    #[test]
    fn a_duration_beyond_the_bounds_is_counted() {
        let mut durations = Durations::new();
        durations.record(Duration::from_secs(100_000));
        assert_eq!(durations.figures().count, 1);
    }
}
