//! The segments in one line, a character each.

use crate::{lines::push_labelled, output::Style, text::grouped};
use ss_lib::disk::{Plan, Scan, SegmentScan};
use std::fmt::Write;

/// What a segment is in one character, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Drained,
    Partly,
    Full,
    Aside,
    Torn,
    Corrupt,
    Missing,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Full,
        Self::Partly,
        Self::Drained,
        Self::Torn,
        Self::Corrupt,
        Self::Missing,
        Self::Aside,
    ];

    pub(super) fn of(segment: &SegmentScan) -> Self {
        if !segment.role.is_log() {
            Self::Aside
        } else if segment.pages_corrupt > 0 || segment.misplaced.is_some() {
            Self::Corrupt
        } else if segment.tail_cut.is_some() {
            Self::Torn
        } else if segment.records_live == 0 {
            Self::Drained
        } else if segment.records_live == segment.records {
            Self::Full
        } else {
            Self::Partly
        }
    }

    const fn sign(self) -> char {
        match self {
            Self::Full => '#',
            Self::Partly => '+',
            Self::Drained => '.',
            Self::Torn => '~',
            Self::Corrupt => 'X',
            Self::Missing => '?',
            Self::Aside => '-',
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partly => "partly live",
            Self::Drained => "nothing live",
            Self::Torn => "torn",
            Self::Corrupt => "corrupt",
            Self::Missing => "missing",
            Self::Aside => "aside",
        }
    }

    const fn ansi(self) -> &'static str {
        match self {
            Self::Full | Self::Partly => "32",
            Self::Drained | Self::Aside => "2",
            Self::Torn => "33",
            Self::Corrupt | Self::Missing => "1;31",
        }
    }
}

/// Every file's state in order, and each run of missing segments as one.
fn states(scan: &Scan, plan: &Plan) -> Vec<State> {
    let mut states = Vec::with_capacity(scan.segments.len());
    let mut missing = plan.missing.iter().peekable();
    for segment in &scan.segments {
        while missing.next_if(|it| it.first < segment.segment).is_some() {
            states.push(State::Missing);
        }
        // Without the store's identity no page could be checked.
        let is_read = scan.identity.is_some();
        states.push(if is_read { State::of(segment) } else { State::Corrupt });
    }
    states.extend(missing.map(|_| State::Missing));
    states
}

/// The worst of each bucket of segments, one bucket for each segment if they fit into the columns, and
/// how many segments a bucket has.
fn buckets(states: &[State], columns: usize) -> (Vec<State>, usize) {
    let bucket = states.len().div_ceil(columns).max(1);
    let worst = states.chunks(bucket).filter_map(|states| states.iter().copied().max());
    (worst.collect(), bucket)
}

/// The segments in one line of characters, and what the characters mean.
pub(super) fn push_strip(out: &mut String, scan: &Scan, plan: &Plan, style: Style) {
    const LABEL: usize = 9;
    let states = states(scan, plan);
    let (shown, bucket) = buckets(&states, style.columns.saturating_sub(LABEL).max(20));
    let signs = shown.iter().map(|it| style.paint(it.ansi(), it.sign().encode_utf8(&mut [0; 4])));
    let strip: String = signs.collect();
    let strip = if states.is_empty() { "none".to_owned() } else { strip };
    let _ = writeln!(out, "{:LABEL$}{strip}", "segments");
    let legend = State::ALL.into_iter().filter_map(|state| {
        let number = states.iter().filter(|it| **it == state).count() as u64;
        (number > 0).then(|| format!("{} {} {}", state.sign(), grouped(number), state.name()))
    });
    let mut legend = legend.collect::<Vec<_>>().join(", ");
    if bucket > 1 {
        let _ = write!(legend, "; each character is the worst of {bucket} segments");
    }
    push_labelled(out, &" ".repeat(LABEL), &legend, style.columns);
}

#[cfg(test)]
mod tests {
    use super::{State, buckets};

    #[test]
    fn a_strip_is_never_wider_and_hides_no_fault() {
        let mut states = vec![State::Full; 1_000];
        states[537] = State::Corrupt;
        states[999] = State::Torn;
        for columns in [20, 91, 999, 1_000, 2_000] {
            let (shown, bucket) = buckets(&states, columns);
            assert!(shown.len() <= columns && shown.len() * bucket >= states.len(), "{columns}");
            assert_eq!(shown[537 / bucket], State::Corrupt, "{columns}");
            assert_eq!(shown.last(), Some(&State::Torn), "{columns}");
        }
        assert_eq!(buckets(&[], 20), (Vec::new(), 1));
    }
}
