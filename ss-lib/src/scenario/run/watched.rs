//! What the driver shows of a run, to the oracle and to who watches it.

use super::Watch;
use crate::{
    Record,
    ram::PoolStats,
    scenario::{Answer, Engine, Given, Observer, Op, Restart, Restarted, oracle::Oracle},
};

/// The oracle and the watch, side by side. The watch measures; the oracle is outside of that.
pub(super) struct Watched<'a, W> {
    pub(super) oracle: Oracle,
    pub(super) watch: &'a mut W,
    pub(super) is_cancelled: bool,
    pub(super) recoveries: u64,
}

impl<E: Engine, W: Watch> Observer<E> for Watched<'_, W> {
    #[inline]
    fn begin(&mut self, op: Op) {
        self.watch.begin(op);
    }

    #[inline]
    fn end(&mut self, op: Op) {
        self.watch.end(op);
    }

    fn wants_end(&mut self, now_ms: u64) -> bool {
        self.watch.progress(now_ms);
        for rotten in self.watch.take_rotten() {
            self.oracle.rotted(&rotten);
        }
        self.is_cancelled = self.watch.is_cancelled();
        self.is_cancelled || Observer::<E>::wants_end(&mut self.oracle, now_ms)
    }

    fn registered(&mut self, sensor: crate::Sensor, config: crate::SensorConfig) {
        Observer::<E>::registered(&mut self.oracle, sensor, config);
    }

    #[inline]
    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {
        Observer::<E>::added(&mut self.oracle, now_ms, given, seq);
    }

    fn refused(&mut self, now_ms: u64, given: Given, error: crate::AppendError, pool: PoolStats) {
        Observer::<E>::refused(&mut self.oracle, now_ms, given, error, pool);
    }

    #[inline]
    fn asked(&mut self, now_ms: u64, sensor: crate::Sensor, is_ready: bool) {
        Observer::<E>::asked(&mut self.oracle, now_ms, sensor, is_ready);
    }

    fn peeked(&mut self, now_ms: u64, sensor: crate::Sensor, records: &[Record]) {
        Observer::<E>::peeked(&mut self.oracle, now_ms, sensor, records);
    }

    fn delivered(&mut self, now_ms: u64, token: crate::BatchToken, records: &[Record]) {
        Observer::<E>::delivered(&mut self.oracle, now_ms, token, records);
    }

    fn nothing_delivered(&mut self, now_ms: u64, sensor: crate::Sensor) {
        Observer::<E>::nothing_delivered(&mut self.oracle, now_ms, sensor);
    }

    fn answered(
        &mut self,
        now_ms: u64,
        token: crate::BatchToken,
        answer: Answer,
        result: Result<(), crate::StaleBatch>,
    ) {
        Observer::<E>::answered(&mut self.oracle, now_ms, token, answer, result);
    }

    fn lost(&mut self, now_ms: u64, losses: &[crate::Loss], engine: &E) {
        self.oracle.lost(now_ms, losses, engine);
    }

    fn ticked(&mut self, now_ms: u64, engine: &E) {
        self.oracle.ticked(now_ms, engine);
    }

    fn stopping(&mut self, now_ms: u64, restart: &Restart, engine: &E) {
        self.oracle.stopping(now_ms, restart, engine);
    }

    fn found_again(&mut self, index: u32, sensor: Option<crate::Sensor>) {
        Observer::<E>::found_again(&mut self.oracle, index, sensor);
    }

    fn restarted(&mut self, now_ms: u64, restart: &Restart, restarted: Restarted, engine: &E) {
        self.recoveries += 1;
        self.oracle.restarted(now_ms, restart, restarted, engine);
    }

    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {
        self.oracle.checkpoint(now_ms, engine);
    }
}
