//! Adds: what is taken, what is refused, and who gives a sector when none is free.

use super::{Bench, Outcome, clock_of};
use crate::{
    model::{Reading, SensorModel},
    op::When,
};
use ss_lib::{AppendError, DropCause, Kind, Loss, ram::Backing};

impl<B: Backing> Bench<B> {
    pub(super) fn add(&mut self, place: usize, when: When, value: u32) -> Result<u64, AppendError> {
        let at = self.time_of_next(place, when);
        let handle = self.handles[place];
        let kind = self.models[place].kind;
        let used_before = self.store.pool().sectors_used;
        let added = match kind {
            Kind::TimeSeries => self.store.append(handle, value, at),
            Kind::Event => self.store.append_event(handle, value, at.ms),
        };
        let lost = self.losses.read(&self.store);
        let used = self.store.pool().sectors_used;
        match added {
            Ok(seq) => {
                let opened = self.account_for_sectors(place, used_before, used, &lost);
                let model = &self.models[place];
                assert!(model.active, "an inactive sensor took a reading");
                assert_eq!(seq, model.next_seq, "another number than the next");
                let (sector, in_sector) = match model.held.back() {
                    Some(newest) if !opened => (newest.sector, newest.place + 1),
                    _ => {
                        assert!(opened, "the reading lies in no sector");
                        self.sector_names += 1;
                        (self.sector_names, 0)
                    }
                };
                // A damaged header may say that events are small: what it takes then is lost too.
                let is_small = kind == Kind::TimeSeries || self.is_rotten(sector);
                let words = if is_small { 1 } else { 2 };
                assert!((in_sector + 1) * words <= self.payload_words, "sector overfull");
                let tolerance_ms = match kind {
                    Kind::TimeSeries => u64::from(model.period_ms / 2),
                    Kind::Event => 0,
                };
                self.models[place].next_seq += 1;
                self.models[place].held.push_back(Reading {
                    seq,
                    value,
                    given_ms: at.ms,
                    tolerance_ms,
                    clock: clock_of(kind, at),
                    kind,
                    sector,
                    place: in_sector,
                    reported_ms: None,
                });
                if !opened && self.is_rotten(sector) {
                    self.see_whether_it_healed(place, sector);
                }
            }
            Err(error) => {
                assert_eq!(lost, [], "a refused add dropped something");
                assert_eq!(used, used_before, "a refused add took a sector");
                self.account_for_refusal(place, error, used);
            }
        }
        added
    }

    fn account_for_refusal(&mut self, place: usize, error: AppendError, used: u32) {
        let model = &self.models[place];
        if !model.active {
            assert_eq!(error, AppendError::Inactive);
        } else if model.next_seq == u64::MAX {
            assert_eq!(error, AppendError::SeqExhausted);
        } else {
            assert_eq!(error, AppendError::Full);
            assert!(used >= self.limit, "refused as full with {used} of {} sectors", self.limit);
            if self.recycles() {
                let droppable: u32 = self.models.iter().map(SensorModel::droppable_sectors).sum();
                assert_eq!(droppable, 0, "refused as full while sectors could be dropped");
            }
            self.models[place].refused += 1;
        }
    }

    /// Says whether the accepted add opened a sector, and drops what it made room with: the
    /// sensor's own oldest sector without pending records, else that of the sensor with most.
    fn account_for_sectors(
        &mut self,
        place: usize,
        used_before: u32,
        used: u32,
        losses: &[Loss],
    ) -> bool {
        let [loss] = *losses else {
            assert_eq!(losses, [], "one add dropped several times");
            assert!(used == used_before || used == used_before + 1);
            assert!(used == used_before || used <= self.limit, "more sectors than the limit");
            return used > used_before;
        };
        assert!(self.recycles(), "refuse-new dropped something");
        assert_eq!(loss.cause, DropCause::Recycled);
        assert!(used_before >= self.limit, "dropped something while a sector was free");
        assert_eq!(used, used_before, "a dropped sector was not used");
        assert_eq!(loss.at_ms, self.now_ms);
        let victim = self.handles.iter().position(|&handle| handle == loss.sensor);
        let Some(victim) = victim.filter(|&victim| self.is_victim(victim, place)) else {
            panic!("dropped from another sensor: {loss:?}");
        };
        let Some(places) = self.models[victim].oldest_droppable() else {
            panic!("dropped pending records: {loss:?}");
        };
        let dropped = self.models[victim].remove(places);
        let first_seq = dropped[0].seq;
        assert_eq!(
            (loss.first_seq, loss.end_seq()),
            (first_seq, first_seq + dropped.len() as u64),
            "dropped another range than the oldest sector's"
        );
        self.models[victim].recycled += dropped.len() as u64;
        self.departed[victim].push((loss.first_seq, loss.end_seq(), Some(loss.cause)));
        true
    }

    /// Whether this sensor is to give a sector: the one that adds if it can, else one that could give most.
    fn is_victim(&self, victim: usize, place: usize) -> bool {
        let gives = |place: usize| self.models[place].droppable_sectors();
        let most = self.models.iter().map(SensorModel::droppable_sectors).max();
        if gives(place) > 0 { victim == place } else { Some(gives(victim)) == most }
    }

    pub(super) fn add_run(&mut self, place: usize, when: When, count: u32) -> Outcome {
        let mut accepted = 0;
        for value in 0..count {
            if self.add(place, when, value).is_ok() {
                accepted += 1;
            } else if value > 8 + accepted {
                // Refused from the start: more of the same says nothing new.
                return Outcome::AddedRun { accepted, refused: value + 1 - accepted };
            }
        }
        Outcome::AddedRun { accepted, refused: count - accepted }
    }

    pub(super) fn add_wrong_kind(&mut self, place: usize) -> Outcome {
        let handle = self.handles[place];
        let refused = match self.models[place].kind {
            Kind::TimeSeries => self.store.append_event(handle, 1, 1),
            Kind::Event => self.store.append(handle, 1, self.clocks[place]),
        };
        assert_eq!(refused, Err(AppendError::WrongKind));
        Outcome::Added(refused)
    }
}
