//! Ends and openings: what must be there again, what may be, and what must not.

use super::{bench::Bench, home::Home, model::SensorModel, op::Settings};
use ss_lib::{
    Kind, ReadError, Sensor, SensorConfig,
    disk::{Plan, Scan, Severity, Verdict},
    gateway::Gateway,
};

impl<H: Home> Bench<H> {
    pub(super) fn open_new(&mut self) {
        self.open_gateway();
        for place in 0..self.models.len() {
            self.register(place);
        }
    }

    fn open_gateway(&mut self) {
        match Gateway::open(self.home.open(), &self.config()) {
            Ok(gateway) => self.gateway = Some(gateway),
            Err(error) => panic!("the store cannot be opened: {error}"),
        }
        let Some(gateway) = &self.gateway else { return };
        self.opened_bytes = gateway.disk().bytes;
        self.losses.rebase(gateway.ledger(), |out| gateway.losses(out));
    }

    fn register(&mut self, place: usize) {
        let model = &self.models[place];
        let config = SensorConfig {
            key: model.key,
            kind: model.kind,
            period_ms: model.period_ms,
            first_seq: model.next_seq,
        };
        match self.gateway().register(config) {
            Ok(handle) => self.models[place].handle = Some(handle),
            Err(error) => panic!("{:?}: {error}", config.key),
        }
        self.models[place].active = true;
    }

    /// The process dies.
    pub(super) fn kill(&mut self, settings: Settings) {
        self.close();
        self.happened.kills += 1;
        self.reopen(settings, false);
    }

    /// The store is shut down.
    pub(super) fn restart(&mut self, settings: Settings) {
        let report = self.gateway().shut_down(None, &mut |_| ());
        self.read_losses();
        let is_over = self.gateway().health().has(ss_lib::gateway::HealthCause::DiskMaxReached);
        assert!(report.is_complete() || is_over || self.is_faulty, "{report:?}");
        self.close();
        self.happened.restarts += 1;
        self.reopen(settings, report.is_complete());
    }

    /// Closes the store, and counts what it did.
    fn close(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            self.happened.squeezed += gateway.disk().segments_squeezed;
            self.happened.bytes_written += gateway.disk().bytes_written;
        }
    }

    fn reopen(&mut self, settings: Settings, is_complete: bool) {
        let (scan, plan) = self.home.look();
        assert!(is_complete || !scan.superblock.is_some_and(|block| block.is_clean));
        if !self.is_faulty {
            assert_sound(&scan, &plan);
        }
        self.settings = settings;
        self.open_gateway();
        for place in 0..self.models.len() {
            let key = self.models[place].key;
            let found = self.gateway().find(key);
            self.models[place].handle = found;
            self.recover(place, found, is_complete);
            self.agree(place, &scan);
            let Some(gateway) = &self.gateway else { return };
            let model = &mut self.models[place];
            model.active = false;
            if settings.sensors & 1 << (place % 8) != 0 {
                self.register(place);
            } else if let Some(Ok(config)) = found.map(|sensor| gateway.sensor_config(sensor)) {
                // Its numbers, kind and period are kept for it.
                (model.kind, model.period_ms) = (config.kind, config.period_ms.max(1));
            }
        }
        if !is_complete {
            let Some(gateway) = &self.gateway else { return };
            // Of one opening several may have been told; which of them was saved is open.
            self.clocks.retain_mut(|(epoch, offset_ms)| {
                gateway.clock_offset_ms(*epoch).inspect(|&now| *offset_ms = now).is_some()
            });
        }
    }

    /// The model of a sensor after an end: what the store still has must be there, what it has more must
    /// have left it shortly before.
    fn recover(&mut self, place: usize, found: Option<Sensor>, is_complete: bool) {
        let Some(gateway) = &self.gateway else { return };
        let model = &mut self.models[place];
        let written = if is_complete { model.next_seq } else { model.known_written };
        let must = |model: &SensorModel, seq: u64| {
            seq < written && model.held.iter().any(|held| held.seq() == seq)
        };
        let Some(sensor) = found else {
            assert!(model.held.iter().all(|held| held.seq() >= written), "{:?} is gone", model.key);
            assert!(!is_complete || model.held.is_empty());
            model.forget();
            return;
        };
        let Ok(levels) = gateway.levels(sensor) else { panic!("{sensor:?} is unknown") };
        let at = format!("{:?}: {:?}, then {levels:?}", model.key, model.levels);
        assert!(levels.added_seq >= written.max(model.levels.acked_durable_seq), "{at}");
        assert!(levels.added_seq <= model.next_seq, "{at}");
        assert!(levels.acked_seq >= model.levels.acked_durable_seq.min(levels.added_seq), "{at}");
        assert!(!is_complete || levels.added_seq == model.next_seq, "{at}");
        let first = model.gone.iter().chain(&model.held).map(super::model::Held::seq).min();
        let mut after = Vec::new();
        let mut all: Vec<_> = model.gone.iter().chain(&model.held).cloned().collect();
        all.sort_by_key(super::model::Held::seq);
        for mut held in all {
            let seq = held.seq();
            match gateway.read_at(sensor, seq) {
                Ok(record) => {
                    let is_back = model.gone.iter().any(|gone| gone.seq() == seq);
                    assert!(!(is_back && is_complete), "{at}: {seq} came back");
                    self.happened.came_back += u64::from(is_back);
                    held.reading.assert_is(&record, held.epoch);
                    after.push(held);
                }
                Err(ReadError::NotRetained) => assert!(!must(model, seq), "{at}: {seq} is gone"),
                Err(error) => panic!("{at}: {seq}: {error}"),
            }
        }
        let Ok(stats) = gateway.stats(sensor) else { panic!("{at}") };
        assert_eq!(stats.retained(), after.len() as u64, "{at}: from {first:?}");
        assert_eq!(stats.pending, 0, "{at}");
        let dropped = [stats.dropped_recycled, stats.dropped_quota, stats.dropped_disk_max];
        let counts = |model: &SensorModel| (model.refused, model.rejected, model.dropped);
        let (refused, rejected, drops) = counts(model);
        if is_complete {
            assert_eq!((stats.refused, stats.rejected, dropped), counts(model), "{at}");
        } else {
            assert!(stats.refused <= refused && stats.rejected <= rejected, "{at}");
            assert!(dropped.iter().zip(drops).all(|(now, before)| *now <= before), "{at}");
        }
        model.held = after.into();
        (model.refused, model.rejected, model.dropped) = (stats.refused, stats.rejected, dropped);
        model.next_seq = levels.added_seq;
        model.known_written = levels.added_seq;
        model.levels = levels;
        model.gone.clear();
        model.return_pending();
    }

    /// The scan's view of a sensor and the gateway's are the same.
    fn agree(&mut self, place: usize, scan: &Scan) {
        let model = &self.models[place];
        let Some(sensor) = scan.sensor(model.key) else {
            assert_eq!(model.handle, None, "{:?} is found, and was not scanned", model.key);
            return;
        };
        let stats = model.handle.and_then(|handle| self.gateway.as_ref()?.stats(handle).ok());
        let Some(stats) = stats else { panic!("{sensor:?} was scanned, and is not found") };
        if self.is_faulty {
            return;
        }
        assert_eq!(sensor.lost, 0, "{sensor:?}");
        assert!(sensor.is_conserved, "{sensor:?}");
        assert_eq!((sensor.held, sensor.end_seq), (model.held.len() as u64, model.next_seq));
        if let Some(first) = model.held.front() {
            assert!(sensor.head_seq <= first.seq(), "{sensor:?}, {first:?}");
        }
        assert_eq!(sensor.stats, stats, "{sensor:?}");
        if model.kind == sensor.kind && sensor.kind == Kind::Event {
            assert_eq!(sensor.period_ms, 0);
        }
    }
}

impl SensorModel {
    /// The store knows nothing of it: its numbers begin anew, in another opening.
    fn forget(&mut self) {
        let first_seq = self.next_seq;
        let fresh = Self::new(self.key, self.kind, self.period_ms, first_seq);
        *self = Self { last_ms: self.last_ms, last_token: self.last_token, ..fresh };
    }
}

fn assert_sound(scan: &Scan, plan: &Plan) {
    assert_eq!(plan.verdict, Verdict::Sound, "{:?}", plan.findings);
    let is_damaged = plan.findings.iter().any(|finding| finding.severity == Severity::Damage);
    assert!(!is_damaged && plan.records_lost == 0, "{:?}", plan.findings);
    assert_eq!(scan.superblock.map(|block| block.epoch), Some(scan.epoch));
}
