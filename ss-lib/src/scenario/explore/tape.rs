//! What is noted while a workload runs: every operation on the disk, and what the store had promised
//! when it was made.

use crate::{
    DropCause, Kind, Levels, Loss, Sensor, SensorConfig,
    disk::{
        DiskError,
        sim::{Outcome, SimDisk, Step},
    },
    gateway::GatewayConfig,
    scenario::{
        Given, Stop,
        run::{Home, HomeGateway},
    },
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries of the ledger that are looked at.
const LEDGER_LOOK: usize = 4_096;

/// What the store had said of every sensor at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Promised {
    pub(super) epoch: u32,
    /// In order of registration.
    pub(super) levels: Vec<Levels>,
    pub(super) quota_bytes: u64,
    pub(super) pool_bytes: u64,
}

/// The readings of one sensor that an opening was given.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) epoch: u32,
    pub(super) first_seq: u64,
    /// Value and time.
    pub(super) given: Vec<(u32, u64)>,
}

/// Records that the ledger named by some operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dropped {
    /// Operations before.
    pub(super) step: u64,
    pub(super) first_seq: u64,
    pub(super) end_seq: u64,
    pub(super) cause: DropCause,
}

/// One sensor of the workload.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) config: SensorConfig,
    pub(super) runs: Vec<Run>,
    pub(super) dropped: Vec<Dropped>,
    /// What was written and not durable when the power went: first, end. Where a sync had failed it may be
    /// missing among what is there, which an opening does not look for.
    pub(super) in_doubt: Vec<(u64, u64)>,
}

impl Member {
    /// What was given under this number, as it stood when the store was in `epoch`.
    pub(super) fn given(&self, seq: u64, epoch: u32) -> Option<(u32, u32, u64)> {
        let run = self.runs.iter().rev().find(|run| run.epoch <= epoch && run.first_seq <= seq)?;
        let at = usize::try_from(seq - run.first_seq).ok()?;
        run.given.get(at).map(|&(value, time_ms)| (run.epoch, value, time_ms))
    }

    /// Whether all of the numbers had been named as lost before this operation.
    pub(super) fn was_dropped(&self, first_seq: u64, end_seq: u64, step: u64) -> bool {
        let mut at = first_seq;
        while at < end_seq {
            match self.dropped_until(at, step) {
                Some(until) => at = until,
                None => return false,
            }
        }
        true
    }

    /// Where the range ends that had been named as lost before this operation with this number in it.
    pub(super) fn dropped_until(&self, seq: u64, step: u64) -> Option<u64> {
        let is_it = |dropped: &&Dropped| {
            dropped.step <= step && (dropped.first_seq..dropped.end_seq).contains(&seq)
        };
        self.dropped.iter().find(is_it).map(|dropped| dropped.end_seq)
    }

    /// Where the range ends that was in doubt at a power cut with this number in it.
    pub(super) fn in_doubt_until(&self, seq: u64) -> Option<u64> {
        self.in_doubt.iter().find(|&&(first, end)| (first..end).contains(&seq)).map(|&(_, end)| end)
    }
}

/// What a workload did, ready to be cut anywhere.
pub(super) struct Recording {
    pub(super) config: GatewayConfig,
    pub(super) members: Vec<Member>,
    pub(super) steps: Vec<Step>,
    /// What had been promised before each step and, in the end, after the last: an index.
    pub(super) promised_at: Vec<u32>,
    pub(super) promised: Vec<Promised>,
    /// Virtual time of each step, in ms.
    pub(super) times_ms: Vec<u64>,
    pub(super) records: u64,
    /// From this step on a sync has failed: what it left in doubt may be missing, and is named as lost.
    pub(super) doubtful_from: usize,
}

impl Recording {
    pub(super) fn promised(&self, step: usize) -> (u32, &Promised) {
        let index = self.promised_at[step.min(self.promised_at.len() - 1)];
        (index, &self.promised[index as usize])
    }
}

/// The tape while it runs.
pub(super) struct Tape {
    gateway: Option<HomeGateway<SimHome>>,
    handles: Vec<Option<Sensor>>,
    members: Vec<Member>,
    now: Promised,
    losses_seen: u64,
    promised_at: Vec<u32>,
    promised: Vec<Promised>,
    times_ms: Vec<u64>,
    now_ms: u64,
    records: u64,
}

impl Tape {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        let now = Promised {
            quota_bytes: config.quota_bytes,
            pool_bytes: config.pool_bytes,
            ..Promised::default()
        };
        Self {
            gateway: None,
            handles: Vec::new(),
            members: Vec::new(),
            now,
            losses_seen: 0,
            promised_at: Vec::new(),
            promised: Vec::new(),
            times_ms: Vec::new(),
            now_ms: 0,
            records: 0,
        }
    }

    pub(super) fn finish(mut self, config: GatewayConfig, steps: Vec<Step>) -> Recording {
        self.note(steps.len() as u64);
        let Self { members, promised_at, promised, times_ms, records, .. } = self;
        let failed = steps.iter().position(|step| matches!(step, Step::SyncFailed { .. }));
        let doubtful_from = failed.unwrap_or(usize::MAX);
        Recording {
            config,
            members,
            steps,
            promised_at,
            promised,
            times_ms,
            records,
            doubtful_from,
        }
    }

    pub(super) fn registered(&mut self, sensor: Sensor, config: SensorConfig) {
        let epoch = self.now.epoch;
        let run = Run { epoch, first_seq: config.first_seq, given: Vec::new() };
        self.members.push(Member {
            config,
            runs: vec![run],
            dropped: Vec::new(),
            in_doubt: Vec::new(),
        });
        self.handles.push(Some(sensor));
        self.now.levels.push(Levels::default());
    }

    pub(super) fn added(&mut self, given: &Given) {
        let Some(at) = self.handles.iter().position(|&handle| handle == Some(given.sensor)) else {
            return;
        };
        self.records += 1;
        if let Some(run) = self.members[at].runs.last_mut() {
            run.given.push((given.value, given.at.ms));
        }
    }

    pub(super) fn found_again(&mut self, index: u32, sensor: Option<Sensor>) {
        self.handles[index as usize] = sensor;
    }

    /// The store is open again and knows its sensors: their numbers go on from here.
    pub(super) fn restarted(
        &mut self,
        epoch: u32,
        quota_bytes: Option<u64>,
        pool_bytes: Option<u64>,
    ) {
        self.now.epoch = epoch;
        self.now.quota_bytes = quota_bytes.unwrap_or(self.now.quota_bytes);
        self.now.pool_bytes = pool_bytes.unwrap_or(self.now.pool_bytes);
        self.refresh(0);
        for (member, levels) in self.members.iter_mut().zip(&self.now.levels) {
            member.runs.push(Run { epoch, first_seq: levels.added_seq, given: Vec::new() });
        }
    }

    /// Looks at what the store says now.
    fn refresh(&mut self, step: u64) {
        let Some(gateway) = &self.gateway else { return };
        for (levels, handle) in self.now.levels.iter_mut().zip(&self.handles) {
            if let Some(said) = handle.and_then(|sensor| gateway.levels(sensor).ok()) {
                *levels = said;
            }
        }
        let recorded = gateway.losses_recorded();
        if recorded != self.losses_seen {
            self.losses_seen = recorded;
            let mut losses = vec![Loss::NONE; LEDGER_LOOK];
            let count = gateway.losses(&mut losses);
            for loss in &losses[..count] {
                let at = self.handles.iter().position(|&handle| handle == Some(loss.sensor));
                if let Some(member) = at.map(|at| &mut self.members[at]) {
                    enter(member, loss, step);
                }
            }
        }
    }

    /// The operation number `step` is about to be done.
    pub(super) fn note(&mut self, step: u64) {
        self.refresh(step);
        if self.promised.last() != Some(&self.now) {
            self.promised.push(self.now.clone());
        }
        let index = self.promised.len() as u32 - 1;
        let step = step as usize;
        self.promised_at.resize(step, index);
        self.promised_at.push(index);
        self.times_ms.resize(step, self.now_ms);
        self.times_ms.push(self.now_ms);
    }
}

/// Notes what of a loss was not noted before.
fn enter(member: &mut Member, loss: &Loss, step: u64) {
    let mut first_seq = loss.first_seq;
    while first_seq < loss.end_seq() {
        let known = member.dropped.iter().find(|known| {
            known.cause == loss.cause && (known.first_seq..known.end_seq).contains(&first_seq)
        });
        if let Some(known) = known {
            first_seq = known.end_seq;
            continue;
        }
        let next = member.dropped.iter().filter(|known| known.cause == loss.cause);
        let end_seq = next
            .map(|known| known.first_seq)
            .filter(|&known| known > first_seq)
            .fold(loss.end_seq(), u64::min);
        member.dropped.push(Dropped { step, first_seq, end_seq, cause: loss.cause });
        first_seq = end_seq;
    }
}

pub(super) fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A simulated disk that a workload runs on.
pub(super) struct SimHome {
    pub(super) disk: SimDisk,
    pub(super) tape: Arc<Mutex<Tape>>,
    pub(super) seed: u64,
}

impl Home for SimHome {
    type Disk = SimDisk;

    fn disk(&mut self) -> Result<SimDisk, DiskError> {
        Ok(self.disk.clone())
    }

    fn opened(&mut self, gateway: &HomeGateway<Self>) {
        let mut tape = lock(&self.tape);
        if tape.members.is_empty() {
            tape.now.epoch = gateway.epoch();
        }
        tape.losses_seen = 0;
        tape.gateway = Some(gateway.clone());
    }

    fn closing(&mut self, stop: Stop) {
        let steps = self.disk.steps();
        let mut tape = lock(&self.tape);
        tape.refresh(steps);
        tape.gateway = None;
        tape.handles.fill(None);
        if stop == Stop::PowerCut {
            // What is only written is the kernel's, and goes with the power.
            let Tape { now, members, .. } = &mut *tape;
            for (levels, member) in now.levels.iter_mut().zip(members) {
                member.in_doubt.push((levels.durable_seq, levels.written_seq));
                levels.written_seq = levels.durable_seq;
            }
        }
        drop(tape);
        if stop == Stop::PowerCut {
            self.disk.cut_power(Outcome::Drawn { number: steps as u32, bytes: 512 }, self.seed);
        }
    }

    fn ticked(&mut self, now_ms: u64) {
        self.disk.set_now_ms(now_ms);
    }
}

/// A record's kind decides how exactly its time comes back.
pub(super) fn tolerance_ms(config: &SensorConfig) -> u64 {
    match config.kind {
        Kind::Event => 0,
        Kind::TimeSeries => u64::from(config.period_ms) / 2,
    }
}

impl Drop for SimHome {
    fn drop(&mut self) {
        self.disk.set_hook(None);
        // The tape's gateway has the disk, whose hook has the tape.
        lock(&self.tape).gateway = None;
    }
}

impl Tape {
    pub(super) fn set_now_ms(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }
}
