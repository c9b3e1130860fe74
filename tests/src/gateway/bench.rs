//! A gateway beside its model. After every step both must say the same.

use super::{
    home::Home,
    model::{Held, SensorModel},
    op::{Case, LOSSES, Op, Settings, Step},
};
use crate::{losses::LossReader, model::Reading};
use ss_lib::{
    AppendError, BatchToken, ClockKind, DropCause, Kind, Loss, SensorKey, Timestamp,
    gateway::{Gateway, GatewayConfig, HealthCause},
};

/// What has happened, so that a test can say that something did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named like what they are")]
pub struct Happened {
    pub added: u64,
    pub consumed: u64,
    pub kills: u64,
    pub restarts: u64,
    /// Records that came back after a kill though they had left.
    pub came_back: u64,
    pub squeezed: u64,
    pub segments_most: u64,
    pub bytes_written: u64,
    pub recycled: u64,
    pub over_quota: u64,
    pub over_disk_max: u64,
}

impl std::ops::AddAssign for Happened {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.consumed += other.consumed;
        self.kills += other.kills;
        self.restarts += other.restarts;
        self.came_back += other.came_back;
        self.squeezed += other.squeezed;
        self.segments_most = self.segments_most.max(other.segments_most);
        self.bytes_written += other.bytes_written;
        self.recycled += other.recycled;
        self.over_quota += other.over_quota;
        self.over_disk_max += other.over_disk_max;
    }
}

/// A gateway beside its model.
pub struct Bench<H: Home> {
    pub(super) home: H,
    pub(super) gateway: Option<Gateway<H::Disk>>,
    pub(super) settings: Settings,
    pub(super) models: Vec<SensorModel>,
    pub(super) tokens: Vec<BatchToken>,
    pub(super) losses: LossReader,
    pub(super) now_ms: u64,
    pub(super) clocks: Vec<(u32, i64)>,
    /// What has happened.
    pub happened: Happened,
    /// What the store's files took when it was opened: its limit may be lower now.
    pub(super) opened_bytes: u64,
    /// Reads of the disk may fail, writes too.
    pub is_faulty: bool,
}

impl<H: Home> Bench<H> {
    /// Creates the store of a case.
    ///
    /// # Panics
    /// If that fails.
    pub fn new(home: H, case: &Case) -> Self {
        let models = case.starts.iter().enumerate().map(|(id, &(kind, period_ms, first_seq))| {
            let key = SensorKey { source: (id % 2) as u8, id: id as u32 / 2 };
            SensorModel::new(key, kind, period_ms, first_seq)
        });
        let mut bench = Self {
            home,
            gateway: None,
            settings: case.settings,
            models: models.collect(),
            tokens: Vec::new(),
            losses: LossReader::new(LOSSES as usize),
            now_ms: 1_000_000_000_000,
            clocks: Vec::new(),
            happened: Happened::default(),
            opened_bytes: 0,
            is_faulty: false,
        };
        bench.open_new();
        bench.check();
        bench
    }

    /// The store.
    ///
    /// # Panics
    /// Between two openings.
    pub fn gateway(&mut self) -> &mut Gateway<H::Disk> {
        match &mut self.gateway {
            Some(gateway) => gateway,
            None => panic!("the store is not open"),
        }
    }

    pub(super) fn config(&self) -> GatewayConfig {
        self.settings.config(self.models.len() as u32 + 1)
    }

    /// Does one step on both, and holds them against each other.
    ///
    /// # Panics
    /// If they differ.
    pub fn step(&mut self, op: Op) {
        let of = |sensor: u8| usize::from(sensor) % self.models.len();
        match op {
            Op::Add { sensor, step, count } => {
                let place = of(sensor);
                for n in 0..count {
                    self.add(place, if n == 0 { step } else { Step::OnGrid });
                }
            }
            Op::AddAll { rounds } => {
                for _ in 0..rounds {
                    for place in 0..self.models.len() {
                        self.add(place, Step::OnGrid);
                    }
                }
            }
            Op::Fill { count, seconds } => {
                for _ in 0..seconds {
                    for place in 0..self.models.len() {
                        for _ in 0..count {
                            self.add(place, Step::OnGrid);
                        }
                    }
                    self.step(Op::Tick { ms: 1_000 });
                }
            }
            Op::AddWrongKind { sensor } => self.add_wrong_kind(of(sensor)),
            Op::ReadAt { sensor, ahead } => self.read_at(of(sensor), u64::from(ahead)),
            Op::Consume { sensor, limit } => self.consume(of(sensor), usize::from(limit)),
            Op::Answer { sensor, reply } => {
                if let Some(token) = self.models[of(sensor)].last_token {
                    self.answer(token, reply);
                }
            }
            Op::Replay { back, reply } => {
                let back = usize::from(back) % self.tokens.len().max(1);
                if let Some(&token) = self.tokens.iter().rev().nth(back) {
                    self.answer(token, reply);
                }
            }
            Op::Drain { batch, room, batches, reply } => {
                self.drain(usize::from(batch), usize::from(room), usize::from(batches), reply);
            }
            Op::Tick { ms } => {
                self.now_ms += u64::from(ms);
                let now_ms = self.now_ms;
                self.gateway().tick(now_ms);
            }
            Op::Sync => self.sync(),
            Op::Limit { part } => {
                let sectors = u32::from(self.settings.sectors) * u32::from(part) / 255;
                self.gateway().limit_sectors(sectors.max(1));
            }
            Op::ClockSynced { offset_ms } => {
                let gateway = self.gateway();
                let epoch = gateway.epoch();
                gateway.clock_synced(offset_ms);
                self.clocks.retain(|clock| clock.0 != epoch);
                self.clocks.push((epoch, offset_ms));
            }
            Op::Deactivate { sensor } => self.set_active(of(sensor), false),
            Op::Activate { sensor } => self.set_active(of(sensor), true),
            Op::Reconfigure { sensor, kind, period_ms } => {
                let place = of(sensor);
                if let Some(handle) = self.models[place].handle {
                    assert_eq!(self.gateway().reconfigure(handle, kind, period_ms), Ok(()));
                    (self.models[place].kind, self.models[place].period_ms) = (kind, period_ms);
                }
            }
            Op::Kill(settings) => self.kill(settings),
            Op::Restart(settings) => self.restart(settings),
        }
        self.check();
    }

    fn set_active(&mut self, place: usize, active: bool) {
        let Some(handle) = self.models[place].handle else { return };
        let gateway = self.gateway();
        let done = if active { gateway.activate(handle) } else { gateway.deactivate(handle) };
        assert_eq!(done, Ok(()));
        self.models[place].active = active;
    }

    fn add(&mut self, place: usize, step: Step) {
        let Some(handle) = self.models[place].handle else { return };
        let model = &self.models[place];
        let (kind, period_ms, seq) = (model.kind, u64::from(model.period_ms), model.next_seq);
        let given_ms = match step {
            Step::OnGrid => model.last_ms + period_ms,
            Step::Jittered(part) => (model.last_ms + period_ms)
                .saturating_add_signed(i64::from(part) * period_ms.cast_signed() / 256),
            Step::Late(ms) => model.last_ms + u64::from(ms),
            Step::Back(ms) => model.last_ms - u64::from(ms),
        };
        let value = (seq as u32).wrapping_mul(0x9E37_79B1) ^ place as u32;
        let gateway = self.gateway();
        let (epoch, added) = match kind {
            Kind::TimeSeries => {
                (gateway.epoch(), gateway.append(handle, value, Timestamp::utc(given_ms)))
            }
            Kind::Event => (gateway.epoch(), gateway.append_event(handle, value, given_ms)),
        };
        self.read_losses();
        let model = &mut self.models[place];
        match added {
            Ok(added) => {
                assert!(model.active, "an inactive sensor took a reading");
                assert_eq!(added, seq, "another number than the next");
                let is_series = kind == Kind::TimeSeries;
                model.next_seq += 1;
                model.last_ms = given_ms;
                self.happened.added += 1;
                let reading = Reading {
                    seq,
                    value,
                    given_ms,
                    tolerance_ms: if is_series { period_ms / 2 } else { 0 },
                    clock: if is_series { ClockKind::Utc } else { ClockKind::Caller },
                    kind,
                    sector: 0,
                    place: 0,
                    reported_ms: None,
                };
                model.held.push_back(Held { reading, epoch });
            }
            Err(AppendError::Inactive) => assert!(!model.active),
            Err(AppendError::SeqExhausted) => assert_eq!(seq, u64::MAX),
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                model.refused += 1;
                let pool = self.gateway().pool();
                assert!(pool.sectors_used >= pool.sectors_limit, "refused with room: {pool:?}");
            }
        }
    }

    fn add_wrong_kind(&mut self, place: usize) {
        let Some(handle) = self.models[place].handle else { return };
        let kind = self.models[place].kind;
        let wanted =
            if self.models[place].active { AppendError::WrongKind } else { AppendError::Inactive };
        let gateway = self.gateway();
        let added = match kind {
            Kind::Event => gateway.append(handle, 1, Timestamp::utc(1)),
            Kind::TimeSeries => gateway.append_event(handle, 1, 1),
        };
        match added {
            Err(AppendError::WrongKind | AppendError::Inactive) => {}
            other => panic!("{wanted:?} was expected: {other:?}"),
        }
    }

    fn sync(&mut self) {
        let synced = self.gateway().sync();
        self.read_losses();
        match synced {
            Ok(()) => {
                for model in &mut self.models {
                    let Some(handle) = model.handle else { continue };
                    let levels = self.gateway.as_ref().map(|gateway| gateway.levels(handle));
                    let Some(Ok(levels)) = levels else { panic!("{:?} is unknown", model.key) };
                    assert_eq!(levels.durable_seq, levels.added_seq, "{:?}", model.key);
                    // Nothing that left comes back.
                    model.gone.clear();
                }
            }
            Err(error) => {
                let is_over = self.gateway().health().has(HealthCause::DiskMaxReached);
                assert!(self.is_faulty || is_over, "a sound disk failed: {error}");
            }
        }
    }

    /// Takes over what the store dropped.
    pub(super) fn read_losses(&mut self) {
        let Some(gateway) = &self.gateway else { return };
        let fresh = self.losses.read_from(gateway.ledger(), |out| gateway.losses(out));
        for Loss { sensor, first_seq, count, cause, .. } in fresh {
            if cause == DropCause::Rejected {
                // Counted when it was answered.
                continue;
            }
            match cause {
                DropCause::Recycled => self.happened.recycled += u64::from(count),
                DropCause::Quota => self.happened.over_quota += u64::from(count),
                _ => self.happened.over_disk_max += u64::from(count),
            }
            match self.models.iter_mut().find(|model| model.handle == Some(sensor)) {
                Some(model) => model.drop_range(first_seq, count, cause),
                None => panic!("a loss of a sensor that nobody knows: {sensor:?}"),
            }
        }
    }

    /// Holds the store against the model.
    ///
    /// # Panics
    /// If they differ.
    pub fn check(&mut self) {
        self.read_losses();
        assert_eq!(self.gateway().check(), Ok(()));
        let Some(gateway) = &self.gateway else { return };
        for model in &mut self.models {
            let Some(handle) = model.handle else { continue };
            let (key, stats) = (model.key, gateway.stats(handle));
            assert_eq!(stats, Ok(model.stats()), "{key:?}");
            assert!(stats.is_ok_and(|stats| stats.is_conserved()), "{key:?}");
            assert_eq!(gateway.is_active(handle), Ok(model.active), "{key:?}");
            assert_eq!(gateway.pending_batch(handle), Ok(model.token), "{key:?}");
            let is_ready = model.pending == 0 && model.unsent() > 0;
            assert_eq!(gateway.is_ready(handle), Ok(is_ready), "{key:?}");
            let next = gateway.sensor_config(handle).map(|config| config.first_seq);
            assert_eq!(next, Ok(model.next_seq), "{key:?}");
            match gateway.levels(handle) {
                Ok(levels) => model.see_levels(levels),
                Err(error) => panic!("{error}"),
            }
        }
        for &(epoch, offset_ms) in &self.clocks {
            assert_eq!(gateway.clock_offset_ms(epoch), Some(offset_ms));
        }
        let disk = gateway.disk();
        self.happened.segments_most = self.happened.segments_most.max(u64::from(disk.segments));
        assert!(disk.bytes <= disk.bytes_peak && disk.damaged_pages == 0, "{disk:?}");
        let is_fine = gateway.health().causes().all(|cause| {
            use HealthCause::{DiskFull, DiskMaxReached, QuotaReached, ReserveInUse, Volatile};
            matches!(cause, DiskFull | DiskMaxReached | QuotaReached | ReserveInUse | Volatile)
        });
        assert!(self.is_faulty || is_fine, "{:?}", gateway.health());
        let most = match self.opened_bytes {
            // What is squeezed stands twice for a while, also to come below a limit that is lower now.
            opened if opened + (256 << 10) > self.settings.disk_max_bytes => opened + (256 << 10),
            _ => self.settings.disk_max_bytes,
        };
        assert!(self.is_faulty || disk.bytes_peak <= most, "{disk:?}, at most {most}");
    }
}
