//! Every planted bug in turn, and who notices it: the proof that the judges can say no.

use super::{Explorer, Limits, Unseen};
use crate::{
    planted::{Bug, plant},
    scenario::{
        run::RunError,
        text::{Overrides, Scenario, ScenarioError},
    },
};
use std::time::Instant;

/// The scenarios that the bugs are looked for in, one after the other.
const WORKLOADS: [(&str, &str); 3] = [
    ("crash-states", include_str!("../../../../scenarios/crash-states.toml")),
    ("faulty-disk", include_str!("../../../../scenarios/faulty-disk.toml")),
    ("doubtful-sync", include_str!("../../../../scenarios/doubtful-sync.toml")),
];

/// One bug and what became of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The bug; `None`: the store as it is, in which nobody may notice anything.
    pub bug: Option<Bug>,
    /// Which promise was seen broken, in which scenario and what was seen. `None`: nobody noticed.
    pub caught: Option<(String, String)>,
    /// States that were judged before.
    pub states: u64,
    /// How long it took, in ns of this machine's time.
    pub wall_ns: u64,
}

/// Plants each bug and looks for it. Not beside other stores of this process: they would have it too.
pub fn run(each: &mut dyn FnMut(Row)) -> Result<(), ScenarioError> {
    let mut scenarios = Vec::new();
    for (name, text) in WORKLOADS {
        scenarios.push(Scenario::parse(text, name, name, &Overrides::default())?);
    }
    for bug in core::iter::once(None).chain(Bug::ALL.iter().copied().map(Some)) {
        plant(bug);
        let started = Instant::now();
        let (mut caught, mut states) = (None, 0);
        for scenario in &scenarios {
            caught = look(scenario, &mut states);
            if caught.is_some() {
                break;
            }
        }
        plant(None);
        let wall_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        each(Row { bug, caught, states, wall_ns });
    }
    Ok(())
}

/// Looks for a breach in one scenario.
fn look(scenario: &Scenario, states: &mut u64) -> Option<(String, String)> {
    let name = &scenario.name;
    let explorer = match Explorer::record(scenario) {
        Ok(explorer) => explorer,
        Err(RunError::Open(text)) => return Some((format!("{name}: the run itself"), text)),
        Err(error) => return Some((format!("{name}: the run itself"), error.to_string())),
    };
    if let Some(violation) = explorer.violation() {
        return Some((format!("{name}: the oracle"), violation.to_string()));
    }
    let limits =
        Limits { second_every: 64, scan_every: 4, rot_every: 4, bad_max: 1, ..Limits::default() };
    let explored = explorer.explore(&limits, &Unseen);
    *states += explored.states;
    let bad = explored.bad.first()?;
    Some((format!("{name}: state {}", bad.id), bad.violation.to_string()))
}
