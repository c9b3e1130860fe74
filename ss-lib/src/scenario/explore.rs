//! The explorer: what a scenario did to its disk is cut at every operation, in every way that a power
//! cut or a kill may leave it, and each state is opened and held against what the store had promised by
//! then. See [`crate::disk::sim`] for the fault model.
//!
//! The scenario runs once, on a simulated disk that writes down every operation. Before each of them the
//! store is asked what it calls written and durable. Then each cut is made: for every outcome the
//! disk's image is built, states that were seen before are recognised by their hash, and a new one is
//! judged: recovered, read to the last record, recovered again, worked in, and recovered once more. The
//! recovery's own operations are cut in the same way.

mod judge;
#[cfg(feature = "planted")]
pub mod planted;
mod record;
mod report;
mod rot;
mod tape;
mod work;

pub use report::{BadState, Explored, Limits, Progress, StateId, Unseen};

use super::{oracle::Violation, run::RunError, text::Scenario};
use crate::{
    SensorKey,
    disk::sim::{Crashable, Image, Outcome, SimDisk, Step},
};
use core::fmt;
use judge::{Breach, Question};
use std::time::Instant;
use tape::Recording;
use work::Work;

/// Outcomes from this number on are pages that are damaged.
const ROTTEN: u32 = 1 << 24;

/// A scenario that ran once on a simulated disk, ready to be cut anywhere.
pub struct Explorer {
    recording: Recording,
    seed: u64,
    /// What the scenario's own oracle found.
    violation: Option<Violation>,
    shortened_ms: Option<u64>,
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer").field("steps", &self.steps()).finish_non_exhaustive()
    }
}

impl Explorer {
    /// Runs the scenario, which must have a disk, and writes down what it does to it.
    pub fn record(scenario: &Scenario) -> Result<Self, RunError> {
        let config = scenario.disk.ok_or_else(|| {
            RunError::Open(format!(
                "the {} profile has no disk that could be cut: use profile = \"linux\"",
                scenario.profile.name()
            ))
        })?;
        let mut config = config;
        // The same bytes in every run.
        config.origin.store_id.get_or_insert(*b"simulated disk\r\n");
        let (recording, violation, ended_ms) = record::record(scenario, config)?;
        let description = scenario.description();
        let is_whole = violation.is_some() || ended_ms >= description.duration_ms;
        let shortened_ms = (!is_whole).then_some(ended_ms);
        Ok(Self { recording, seed: description.seed, violation, shortened_ms })
    }

    /// Operations on the disk.
    pub fn steps(&self) -> u64 {
        self.recording.steps.len() as u64
    }

    /// Records that the scenario added.
    pub fn records(&self) -> u64 {
        self.recording.records
    }

    /// What the scenario's own oracle found, before anything was cut.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// When the scenario was ended early because it has too many operations, in ms of virtual time.
    pub fn shortened_ms(&self) -> Option<u64> {
        self.shortened_ms
    }

    /// The time of an operation, in ms of virtual time.
    pub fn time_ms(&self, step: u32) -> u64 {
        let times = &self.recording.times_ms;
        times.get(step as usize).or(times.last()).copied().unwrap_or(0)
    }

    /// Cuts everywhere. See the module.
    pub fn explore(&self, limits: &Limits, progress: &dyn Progress) -> Explored {
        let started = Instant::now();
        let steps = self.recording.steps.len();
        let every = match limits.cuts_max {
            0 => 1,
            most => (steps as u64 + 1).div_ceil(most).max(1) as usize,
        };
        let threads = match limits.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let all = (steps / every + 1) as u64;
        let work = Work::new(self, limits);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let work = &work;
                scope.spawn(move || work.cut_some(every, thread, threads, all, progress));
            }
        });
        let mut total = work.into_total();
        total.records = self.recording.records;
        total.steps = steps as u64;
        total.wall_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        total
    }

    /// One state, and what it comes to. `None`: there is no such state.
    pub fn replay(&self, id: StateId) -> Option<(Image, Result<(), BadState>)> {
        let step = id.step as usize;
        if let Some(number) = id.outcome.checked_sub(ROTTEN) {
            let mut cut = Crashable::default();
            self.recording.steps.iter().take(step).for_each(|done| cut.push(done));
            let image = cut.whole();
            let place = *rot::places(&image).get(number as usize)?;
            let (image, damage) = self.rotten(&image, id, place);
            let question =
                Question { damage: Some(&damage), ..self.question(step, true, false, false) };
            let what = format!("bit-rot in {} page {}", place.file, place.page);
            let judged = question.judge(&image).map(|_| ());
            return Some((image, judged.map_err(|breach| self.bad_of(id, what, breach))));
        }
        let cut = self.cut_at(step)?;
        let outcome = *cut.outcomes().get(id.outcome as usize)?;
        let image = cut.after(outcome, self.draw(id.step, id.outcome));
        let is_kill = outcome.is_kill(&cut);
        let question = self.question(step, is_kill, true, true);
        let Some((second_step, second_outcome)) = id.second else {
            let judged = question.judge(&image).map(|_| ());
            return Some((image, judged.map_err(|breach| self.bad(id, outcome, breach))));
        };
        let journal = self.recovery(&image, step);
        let mut second = Crashable::new(image.settled());
        for done in journal.get(..second_step as usize)? {
            second.push(done);
        }
        second.push_begun(journal.get(second_step as usize)?);
        let outcome = *second.outcomes().get(second_outcome as usize)?;
        let image = second.after(outcome, self.draw(second_step, second_outcome));
        let judged = question.judge(&image).map(|_| ());
        Some((image, judged.map_err(|breach| self.bad(id, outcome, breach))))
    }

    /// What an opening does to a state.
    fn recovery(&self, image: &Image, step: usize) -> Vec<Step> {
        let question = self.question(step, false, true, false);
        if let Ok(judged) = question.judge(image) {
            return judged.steps;
        }
        let disk = SimDisk::journaled(image);
        drop(crate::gateway::Gateway::open(disk.clone(), &self.recording.config));
        disk.take_journal()
    }

    /// The disk when `step` operations were done and the next one was under way.
    fn cut_at(&self, step: usize) -> Option<Crashable> {
        let mut cut = Crashable::default();
        if step > self.recording.steps.len() {
            return None;
        }
        for done in self.recording.steps.iter().take(step) {
            cut.push(done);
        }
        if let Some(next) = self.recording.steps.get(step) {
            cut.push_begun(next);
        }
        Some(cut)
    }

    fn question(
        &self,
        step: usize,
        is_kill: bool,
        is_journaled: bool,
        is_scanned: bool,
    ) -> Question<'_> {
        let (_, promised) = self.recording.promised(step);
        Question {
            recording: &self.recording,
            promised,
            step: step as u64,
            is_kill,
            damage: None,
            is_journaled,
            is_scanned,
        }
    }

    fn draw(&self, step: u32, outcome: u32) -> u64 {
        crate::disk::sim::draw(self.seed, u64::from(step) << 32 | u64::from(outcome))
    }

    /// The image with one bit of the page flipped, and what may be missing then.
    fn rotten(&self, image: &Image, id: StateId, place: rot::Place) -> (Image, judge::Damage) {
        let damage = rot::damage(&self.recording, image, place);
        let drawn = self.draw(id.step, id.outcome);
        let mut rotten = image.clone();
        let byte = place.page * crate::disk::PAGE_BYTES as u64 + drawn % 4096;
        rotten.flip(place.file.as_str(), byte, (drawn >> 32) as u8 % 8);
        (rotten, damage)
    }

    fn bad(&self, id: StateId, outcome: Outcome, breach: Breach) -> BadState {
        let next = self.recording.steps.get(id.step as usize);
        let what = match (next, id.second) {
            (_, Some((step, _))) => format!("operation {step} of the recovery was cut: {outcome}"),
            (Some(next), None) => {
                format!("operation {}, a {}, was cut: {outcome}", id.step, next.name())
            }
            (None, None) => format!("after the last operation: {outcome}"),
        };
        self.bad_of(id, what, breach)
    }

    fn bad_of(&self, id: StateId, what: String, breach: Breach) -> BadState {
        let Breach { promise, member, seq, seen } = breach;
        let sensor: Option<SensorKey> =
            member.map(|member| self.recording.members[member].config.key);
        let virtual_ms = self.time_ms(id.step);
        BadState { id, what, violation: Violation { promise, sensor, seq, virtual_ms, seen } }
    }
}
