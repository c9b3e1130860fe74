//! The run that is cut: the scenario on a simulated disk, with its oracle and a tape of what was promised.

use super::tape::{Recording, SimHome, Tape, lock};
use crate::{
    AppendError, Loss, Record, Sensor, SensorConfig,
    disk::sim::{Image, SimDisk},
    gateway::GatewayConfig,
    ram::PoolStats,
    scenario::{
        Answer, Driver, Engine, Given, Observer, Restart, Restarted,
        faults::FaultClock,
        oracle::{Oracle, Violation},
        run::{DriverTables, LinuxStore, RunError, terms},
        text::Scenario,
    },
};
use std::sync::{Arc, Mutex};

/// Operations of a scenario at most: what is longer is shortened.
const STEPS_MAX: u64 = 50_000;

/// Runs a scenario on a simulated disk and writes down what it does.
pub(super) fn record(
    scenario: &Scenario,
    config: GatewayConfig,
) -> Result<(Recording, Option<Violation>, u64), RunError> {
    let description = scenario.description();
    let disk = SimDisk::journaled(&Image::default());
    disk.set_now_ms(description.start.ms);
    let tape = Arc::new(Mutex::new(Tape::new(&config)));
    let hook = Arc::clone(&tape);
    disk.set_hook(Some(Box::new(move |steps| lock(&hook).note(steps))));
    let home = SimHome { disk: disk.clone(), tape: Arc::clone(&tape), seed: description.seed };
    let mut store = LinuxStore::open(home, config)
        .map_err(|error| RunError::Open(format!("the simulated store: {error}")))?;
    let oracle = Oracle::new(terms(scenario));
    // Rot comes to every page of some states, whatever time it has in the scenario.
    let faults: Vec<_> =
        scenario.faults.iter().filter(|fault| !fault.kind.is_rot()).copied().collect();
    let faults = FaultClock::new(disk.clone(), &faults, description.seed);
    let mut observer = Taped { oracle, tape: Arc::clone(&tape), faults };
    let mut tables = DriverTables::new(scenario);
    let driver = Driver::new(&description, &mut store, &mut observer, tables.memory());
    let summary = driver.map_err(RunError::Register)?.run();
    if let Some(error) = summary.restart_error {
        let text = store.open_error.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
        return Err(RunError::Open(format!("the simulated store does not open again: {text}")));
    }
    // An orderly end is a part of what is cut; a fault that is still due would be none of it.
    disk.heal();
    store.shut_down().map_err(RunError::Open)?;
    disk.set_hook(None);
    let steps = disk.take_journal();
    drop(disk);
    let Taped { oracle, .. } = observer;
    let tape = core::mem::replace(&mut *lock(&tape), Tape::new(&config));
    Ok((tape.finish(config, steps), oracle.into_violation(), summary.virtual_ms))
}

/// The oracle and the tape, side by side.
struct Taped {
    oracle: Oracle,
    tape: Arc<Mutex<Tape>>,
    faults: FaultClock,
}

impl<E: Engine> Observer<E> for Taped {
    fn wants_end(&mut self, now_ms: u64) -> bool {
        self.faults.advance(now_ms);
        self.faults.steps() > STEPS_MAX || Observer::<E>::wants_end(&mut self.oracle, now_ms)
    }

    fn registered(&mut self, sensor: Sensor, config: SensorConfig) {
        lock(&self.tape).registered(sensor, config);
        Observer::<E>::registered(&mut self.oracle, sensor, config);
    }

    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {
        lock(&self.tape).added(&given);
        Observer::<E>::added(&mut self.oracle, now_ms, given, seq);
    }

    fn refused(&mut self, now_ms: u64, given: Given, error: AppendError, pool: PoolStats) {
        Observer::<E>::refused(&mut self.oracle, now_ms, given, error, pool);
    }

    fn asked(&mut self, now_ms: u64, sensor: Sensor, is_ready: bool) {
        Observer::<E>::asked(&mut self.oracle, now_ms, sensor, is_ready);
    }

    fn peeked(&mut self, now_ms: u64, sensor: Sensor, records: &[Record]) {
        Observer::<E>::peeked(&mut self.oracle, now_ms, sensor, records);
    }

    fn delivered(&mut self, now_ms: u64, token: crate::BatchToken, records: &[Record]) {
        Observer::<E>::delivered(&mut self.oracle, now_ms, token, records);
    }

    fn nothing_delivered(&mut self, now_ms: u64, sensor: Sensor) {
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

    fn lost(&mut self, now_ms: u64, losses: &[Loss], engine: &E) {
        self.oracle.lost(now_ms, losses, engine);
    }

    fn ticked(&mut self, now_ms: u64, engine: &E) {
        lock(&self.tape).set_now_ms(now_ms);
        self.oracle.ticked(now_ms, engine);
    }

    fn stopping(&mut self, now_ms: u64, restart: &Restart, engine: &E) {
        self.oracle.stopping(now_ms, restart, engine);
    }

    fn found_again(&mut self, index: u32, sensor: Option<Sensor>) {
        lock(&self.tape).found_again(index, sensor);
        Observer::<E>::found_again(&mut self.oracle, index, sensor);
    }

    fn restarted(&mut self, now_ms: u64, restart: &Restart, restarted: Restarted, engine: &E) {
        lock(&self.tape).restarted(restarted.epoch, restart.quota_bytes, restart.pool_bytes);
        self.oracle.restarted(now_ms, restart, restarted, engine);
    }

    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {
        self.oracle.checkpoint(now_ms, engine);
    }
}
