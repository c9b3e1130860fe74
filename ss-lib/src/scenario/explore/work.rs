//! An exploration under way: its threads share the cuts, and know together which states were seen.

use super::{
    Explorer, ROTTEN,
    judge::{Judged, Question},
    report::{BadState, Explored, Limits, Progress, StateId},
    rot,
};
use crate::disk::sim::{Crashable, Image, Step};
use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// States that were seen are kept in so many parts, so that threads do not wait for each other.
const SHARDS: usize = 64;

/// An exploration under way.
pub(super) struct Work<'a> {
    explorer: &'a Explorer,
    limits: &'a Limits,
    seen: Vec<Mutex<HashSet<u64>>>,
    total: Mutex<Explored>,
    states: AtomicU64,
    done: AtomicU64,
    is_over: AtomicBool,
}

impl<'a> Work<'a> {
    pub(super) fn new(explorer: &'a Explorer, limits: &'a Limits) -> Self {
        Self {
            explorer,
            limits,
            seen: (0..SHARDS).map(|_| Mutex::default()).collect(),
            total: Mutex::default(),
            states: AtomicU64::new(0),
            done: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// What all threads found together.
    pub(super) fn into_total(self) -> Explored {
        self.total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every `threads`-th cut.
    pub(super) fn cut_some(
        &self,
        every: usize,
        thread: usize,
        threads: usize,
        all: u64,
        progress: &dyn Progress,
    ) {
        let explorer = self.explorer;
        let steps = &explorer.recording.steps;
        let mut cut = Crashable::default();
        let mut own = Explored::default();
        for step in 0..=steps.len() {
            if step.is_multiple_of(every) && (step / every) % threads == thread {
                if self.is_over.load(Relaxed) || progress.is_cancelled() {
                    own.is_cut_short = true;
                    break;
                }
                let mut here = cut.clone();
                if let Some(next) = steps.get(step) {
                    here.push_begun(next);
                }
                self.cut(step, &here, &mut own);
                let rot_every = self.limits.rot_every;
                if rot_every > 0 && (step / every) as u64 % rot_every == rot_every / 2 {
                    self.rot(step, &cut, &mut own);
                }
                own.cuts += 1;
                progress.cuts(self.done.fetch_add(1, Relaxed) + 1, all);
            }
            if let Some(next) = steps.get(step) {
                cut.push(next);
            }
        }
        self.add(own);
    }

    fn add(&self, own: Explored) {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.add(own);
        total.bad.sort_unstable_by_key(|bad| bad.id);
    }

    fn is_new(&self, image: &Image, promised: u32, is_kill: bool, is_second: bool) -> Option<u64> {
        let hash = image.hash();
        // Whether a recovery was cut before is told apart, or it would depend on which thread is faster
        // whose recovery is cut.
        let what = u64::from(promised) << 2 | u64::from(is_kill) << 1 | u64::from(is_second);
        let key = crate::disk::sim::draw(hash, what);
        let shard = &self.seen[key as usize % SHARDS];
        let is_new = shard.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        is_new.then_some(hash)
    }

    /// Makes every state of one cut.
    fn cut(&self, step: usize, cut: &Crashable, own: &mut Explored) {
        let explorer = self.explorer;
        let (promised, _) = explorer.recording.promised(step);
        for (number, outcome) in (0..).zip(cut.outcomes()) {
            if self.has_enough() {
                own.is_cut_short = true;
                return;
            }
            let id = StateId { step: step as u32, outcome: number, second: None };
            let is_kill = outcome.is_kill(cut);
            let image = cut.after(outcome, explorer.draw(id.step, number));
            own.states += 1;
            let Some(hash) = self.is_new(&image, promised, is_kill, false) else { continue };
            own.distinct += 1;
            let is_due = |every: u64| every > 0 && (hash >> 8).is_multiple_of(every);
            let goes_deep = is_due(self.limits.second_every);
            let question =
                explorer.question(step, is_kill, goes_deep, is_due(self.limits.scan_every));
            match question.judge(&image) {
                Ok(judged) => {
                    note(own, &judged);
                    if goes_deep {
                        self.cut_recovery(&image, id, &judged.steps, is_kill, own);
                    }
                }
                Err(breach) => self.found(explorer.bad(id, outcome, breach), own),
            }
        }
    }

    /// Damages each page once.
    fn rot(&self, step: usize, cut: &Crashable, own: &mut Explored) {
        let explorer = self.explorer;
        let image = cut.whole();
        for (number, place) in (0..).zip(rot::places(&image)) {
            if self.has_enough() {
                own.is_cut_short = true;
                return;
            }
            own.states += 1;
            own.distinct += 1;
            own.rotten_states += 1;
            let id = StateId { step: step as u32, outcome: ROTTEN + number, second: None };
            let (rotten, damage) = explorer.rotten(&image, id, place);
            let question =
                Question { damage: Some(&damage), ..explorer.question(step, true, false, false) };
            if let Err(breach) = question.judge(&rotten) {
                let what = format!("bit-rot in {} page {}", place.file, place.page);
                self.found(explorer.bad_of(id, what, breach), own);
            }
        }
    }

    /// Cuts a recovery at each of its operations.
    fn cut_recovery(
        &self,
        image: &Image,
        id: StateId,
        steps: &[Step],
        is_kill: bool,
        own: &mut Explored,
    ) {
        let explorer = self.explorer;
        let (promised, _) = explorer.recording.promised(id.step as usize);
        let mut cut = Crashable::new(image.settled());
        for (at, step) in (0..).zip(steps) {
            let mut here = cut.clone();
            here.push_begun(step);
            cut.push(step);
            for (number, outcome) in (0..).zip(here.outcomes()) {
                if self.has_enough() {
                    own.is_cut_short = true;
                    return;
                }
                let image = here.after(outcome, explorer.draw(at, number));
                own.states += 1;
                own.second_states += 1;
                if self.is_new(&image, promised, is_kill, true).is_none() {
                    continue;
                }
                own.distinct += 1;
                let question = explorer.question(id.step as usize, is_kill, false, false);
                match question.judge(&image) {
                    Ok(judged) => note(own, &judged),
                    Err(breach) => {
                        let id = StateId { second: Some((at, number)), ..id };
                        self.found(explorer.bad(id, outcome, breach), own);
                    }
                }
            }
        }
    }

    fn has_enough(&self) -> bool {
        let most = self.limits.states_max;
        most > 0 && self.states.fetch_add(1, Relaxed) >= most
    }

    fn found(&self, bad: BadState, own: &mut Explored) {
        own.bad.push(bad);
        // What comes later says the same, mostly.
        if own.bad.len() >= self.limits.bad_max.max(1) {
            self.is_over.store(true, Relaxed);
        }
    }
}

fn note(own: &mut Explored, judged: &Judged) {
    own.lost_max = own.lost_max.max(judged.lost);
    own.open_ns_max = own.open_ns_max.max(judged.open_ns);
    own.open_ns += judged.open_ns;
    own.open_calls_max = own.open_calls_max.max(judged.calls);
}
