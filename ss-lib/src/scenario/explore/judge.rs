//! Holds one state of a disk against what had been promised when it came to be: opens it, reads
//! everything, opens it again, goes on working in it, and opens it once more.

use super::tape::{Member, Promised, Recording, tolerance_ms};
use crate::{
    DropCause, Kind, Levels, Loss, Record, Sensor, SensorStats, Timestamp,
    disk::{
        ScanError, Severity, plan, scan,
        sim::{Image, SimDisk, Step},
    },
    gateway::{Durability, Gateway, GatewayConfig, HealthCause},
    scenario::oracle::Promise,
};
use std::time::Instant;

/// Records that a batch takes.
const BATCH: usize = 256;
/// Readings that each sensor adds when the reopened store goes on working.
const GOES_ON: u64 = 3;
/// Calls of the disk that an opening may make beyond those that its segments cost.
const OPEN_CALLS: u64 = 64;
/// Calls of the disk that a segment may cost an opening, and a page of the newest ones.
const CALLS_PER_SEGMENT: u64 = 24;

/// A promise that a state breaks.
#[derive(Clone, Debug)]
pub(super) struct Breach {
    pub(super) promise: Promise,
    /// Which sensor of the workload.
    pub(super) member: Option<usize>,
    pub(super) seq: Option<u64>,
    pub(super) seen: String,
}

/// What a state may lack beyond what a power cut may take.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage {
    /// Records that stood in the page: which sensor, first, end.
    pub(super) records: Vec<(usize, u64, u64)>,
    /// Cursors or sensors stood there as well: what was answered may come again.
    pub(super) has_cursors: bool,
}

/// What was asked of a state.
pub(super) struct Question<'a> {
    pub(super) recording: &'a Recording,
    pub(super) promised: &'a Promised,
    /// Operations before the state.
    pub(super) step: u64,
    /// A kill left it: what was written is there.
    pub(super) is_kill: bool,
    /// It is damaged, which nobody promised anything about but that the rest is there.
    pub(super) damage: Option<&'a Damage>,
    /// Whether the recovery's own operations are to be told.
    pub(super) is_journaled: bool,
    /// Whether `verify` is asked as well, which reads everything.
    pub(super) is_scanned: bool,
}

/// What a state came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// Records that had been added and are gone, none of them promised.
    pub(super) lost: u64,
    /// Calls of the disk that the opening made.
    pub(super) calls: u64,
    /// How long it took, in ns of this machine's time.
    pub(super) open_ns: u64,
    /// What the opening did to the disk.
    pub(super) steps: Vec<Step>,
}

/// What a store says of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Said {
    levels: Levels,
    stats: SensorStats,
}

type Answer<T> = Result<T, Breach>;

fn breach<T>(promise: Promise, seen: String) -> Answer<T> {
    Err(Breach { promise, member: None, seq: None, seen })
}

fn of_member<T>(promise: Promise, member: usize, seq: Option<u64>, seen: String) -> Answer<T> {
    Err(Breach { promise, member: Some(member), seq, seen })
}

fn open(disk: &SimDisk, config: &GatewayConfig, which: &str) -> Answer<Gateway<SimDisk>> {
    match Gateway::open(disk.clone(), config) {
        Ok(gateway) => Ok(gateway),
        Err(error) => breach(Promise::Levels, format!("the store does not open{which}: {error}")),
    }
}

impl Question<'_> {
    fn config(&self) -> GatewayConfig {
        GatewayConfig {
            quota_bytes: self.promised.quota_bytes,
            pool_bytes: self.promised.pool_bytes,
            ..self.recording.config
        }
    }

    /// A sync had failed before: what it left in doubt may be missing, and is named as lost. A store that
    /// leaves syncs to the kernel promises nothing of a power cut.
    fn has_doubts(&self) -> bool {
        self.recording.config.durability == Durability::Os
            || self.step > self.recording.doubtful_from as u64
    }

    fn members(&self) -> &[Member] {
        &self.recording.members
    }

    /// Holds the state against the promises.
    pub(super) fn judge(&self, image: &Image) -> Answer<Judged> {
        if self.is_scanned {
            self.verify(image)?;
        }
        let disk = if self.is_journaled { SimDisk::journaled(image) } else { SimDisk::new(image) };
        let mut judged = Judged::default();
        let config = self.config();
        let (found, epoch) = {
            let started = Instant::now();
            let mut gateway = match open(&disk, &config, "") {
                // What only a repair can mend says so, and touches nothing.
                Err(_) if self.damage.is_some_and(|damage| damage.has_cursors) => {
                    return Ok(judged);
                }
                opened => opened?,
            };
            judged.open_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            judged.calls = disk.calls();
            self.check_calls(image, judged.calls)?;
            judged.steps = disk.take_journal();
            let found = self.look(&mut gateway)?;
            judged.lost = self.hold(&found)?;
            self.read_all(&mut gateway, &found)?;
            (found, gateway.epoch())
        };
        // Nothing of that was told to the disk, so another opening finds the same.
        let mut gateway = open(&disk, &config, " a second time")?;
        let again = self.look(&mut gateway)?;
        if again != found && self.damage.is_none() {
            let seen = format!("a second opening finds {again:?}, the first one found {found:?}");
            return breach(Promise::Levels, seen);
        }
        if gateway.epoch() <= epoch {
            return breach(Promise::Levels, format!("epoch {} follows {epoch}", gateway.epoch()));
        }
        let after = self.go_on(&mut gateway, &disk)?;
        let orderly = self.step.is_multiple_of(2);
        if orderly {
            let report = gateway.shut_down(None, &mut |_| {});
            if !report.is_complete() {
                return breach(Promise::Levels, format!("it cannot be shut down: {report:?}"));
            }
        }
        drop(gateway);
        self.come_back(&disk, &config, &after)?;
        Ok(judged)
    }

    fn check_calls(&self, image: &Image, calls: u64) -> Answer<()> {
        let pages =
            u64::from(u32::try_from(self.recording.config.segment_bytes / 4096).unwrap_or(0));
        let files = image.list().count() as u64;
        let most = OPEN_CALLS + files * CALLS_PER_SEGMENT + 4 * pages;
        if calls > most {
            let seen = format!("opening made {calls} calls of the disk for {files} files");
            return breach(Promise::Levels, seen);
        }
        Ok(())
    }

    /// What `ss verify` says: a power cut is no damage.
    fn verify(&self, image: &Image) -> Answer<()> {
        let disk = SimDisk::new(image);
        let scanned = match scan(&disk) {
            Ok(scanned) => scanned,
            // It was cut before it was created.
            Err(ScanError::NotAStore) => return Ok(()),
            Err(error) => return breach(Promise::Levels, format!("it cannot be scanned: {error}")),
        };
        let plan = plan(&scanned);
        let damage = plan.findings.iter().find(|finding| finding.severity == Severity::Damage);
        let is_empty = scanned.segments.is_empty();
        match damage {
            Some(finding) if self.damage.is_none() && !is_empty && !self.has_doubts() => {
                breach(Promise::Levels, format!("`ss verify` calls it damaged: {}", finding.text))
            }
            _ => Ok(()),
        }
    }

    fn handle(&self, gateway: &Gateway<SimDisk>, member: usize) -> Option<Sensor> {
        gateway.find(self.members()[member].config.key)
    }

    /// What the store says of every sensor.
    fn look(&self, gateway: &mut Gateway<SimDisk>) -> Answer<Vec<Said>> {
        if let Err(fault) = gateway.check() {
            return breach(Promise::OneOwner, fault.to_string());
        }
        let said = |member| {
            let sensor = self.handle(gateway, member)?;
            Some(Said { levels: gateway.levels(sensor).ok()?, stats: gateway.stats(sensor).ok()? })
        };
        Ok((0..self.members().len()).map(|member| said(member).unwrap_or_default()).collect())
    }

    /// Holds what the store says against what was promised. Returns how many records are gone.
    fn hold(&self, found: &[Said]) -> Answer<u64> {
        let mut lost = 0;
        for (at, said) in found.iter().enumerate() {
            let Some(&before) = self.promised.levels.get(at) else { continue };
            self.hold_member(at, said, before)?;
            lost += before.added_seq.saturating_sub(said.levels.added_seq);
        }
        Ok(lost)
    }

    fn hold_member(&self, at: usize, said: &Said, before: Levels) -> Answer<()> {
        let Levels { added_seq: end, acked_seq: head, .. } = said.levels;
        let told = |promise, what: &str| {
            of_member(promise, at, None, format!("{what}: {said:?} follows {before:?}"))
        };
        if end > before.added_seq {
            return told(Promise::Levels, "records that nobody added are there");
        }
        let promised = if self.is_kill { before.written_seq } else { before.durable_seq };
        // A store that has forgotten a sensor knows that nothing of it was held.
        let kept = promised.max(before.acked_durable_seq);
        if end < kept && !self.may_miss(at, end, kept) && before.acked_seq < kept {
            return told(Promise::Levels, "what was promised is gone");
        }
        let may_return = self.damage.is_some_and(|damage| damage.has_cursors);
        if head < before.acked_durable_seq && end > 0 && !may_return {
            return told(Promise::Resurrection, "what was durably answered is there again");
        }
        if head > before.acked_seq && !self.may_miss(at, before.acked_seq, head) {
            return told(Promise::Levels, "what was held is not there, and nothing answered it");
        }
        if !said.stats.is_conserved() || said.stats.pending != 0 {
            return told(Promise::Conservation, "the counts do not add up");
        }
        Ok(())
    }

    /// Whether the damage explains that these numbers are not there.
    fn may_miss(&self, member: usize, first: u64, end: u64) -> bool {
        let mut at = first;
        while at < end {
            match self.damaged_until(member, at) {
                Some(until) => at = until,
                None => return false,
            }
        }
        true
    }

    /// Where the records end that stood in the damaged page with this one, if it did.
    fn damaged_until(&self, member: usize, seq: u64) -> Option<u64> {
        let records = &self.damage?.records;
        let is_it =
            |(of, first, end): &&(usize, u64, u64)| *of == member && (*first..*end).contains(&seq);
        records.iter().find(is_it).map(|&(_, _, end)| end)
    }

    /// Takes everything out, in memory only, and holds it against what was given.
    fn read_all(&self, gateway: &mut Gateway<SimDisk>, found: &[Said]) -> Answer<()> {
        let mut batch = [Record::default(); BATCH];
        for (at, said) in found.iter().enumerate() {
            let Some(sensor) = self.handle(gateway, at) else { continue };
            let mut next = said.levels.acked_seq;
            loop {
                let token = match gateway.consume(sensor, &mut batch) {
                    Ok(Some(token)) => token,
                    Ok(None) => break,
                    Err(error) => {
                        return of_member(Promise::Order, at, Some(next), error.to_string());
                    }
                };
                let records = &batch[..(token.count() as usize).min(BATCH)];
                for record in records {
                    self.hold_record(at, record, next)?;
                    next = record.seq + 1;
                }
                if let Err(error) = gateway.ack(token) {
                    return of_member(Promise::Tokens, at, Some(next), error.to_string());
                }
            }
            self.hold_gap(at, next, said.levels.added_seq)?;
        }
        self.hold_ledger(gateway)?;
        let is_damaged = gateway.health().has(HealthCause::Damaged);
        if is_damaged && self.damage.is_none() && !self.has_doubts() {
            let seen = format!("a power cut is called damage: {:?}", gateway.recovery());
            return breach(Promise::Levels, seen);
        }
        Ok(())
    }

    fn hold_record(&self, at: usize, record: &Record, next: u64) -> Answer<()> {
        if record.seq < next {
            let seen = format!("record {} came where {next} was due", record.seq);
            return of_member(Promise::Order, at, Some(record.seq), seen);
        }
        self.hold_gap(at, next, record.seq)?;
        let member = &self.members()[at];
        let given = member.given(record.seq, self.promised.epoch);
        let tolerance_ms = tolerance_ms(&member.config);
        let is_it = given.is_some_and(|(epoch, value, time_ms)| {
            (epoch, value) == (record.epoch, record.value)
                && record.time_ms.abs_diff(time_ms) <= tolerance_ms
        });
        if !is_it || record.kind != member.config.kind {
            let seen = format!("{record:?} came out, (epoch, value, time) {given:?} was added");
            return of_member(Promise::Order, at, Some(record.seq), seen);
        }
        Ok(())
    }

    /// Numbers that did not come: they were dropped before, or the damage had them, or a failed sync did
    /// and nobody had called them durable.
    fn hold_gap(&self, at: usize, first: u64, end: u64) -> Answer<()> {
        let before = self.promised.levels.get(at).copied().unwrap_or_default();
        // What was answered in RAM is not in the log, though the answer may not be durable yet.
        let mut first = first.max(before.acked_seq);
        let kept = if self.is_kill { before.written_seq } else { before.durable_seq };
        while first < end {
            let dropped = self.members()[at].dropped_until(first, self.step);
            let in_doubt =
                || self.members()[at].in_doubt_until(first).filter(|_| self.has_doubts());
            match dropped.or_else(|| self.damaged_until(at, first)).or_else(in_doubt) {
                Some(until) => first = until,
                None if self.has_doubts() && first >= kept => return Ok(()),
                None => break,
            }
        }
        if first >= end {
            return Ok(());
        }
        let seen = format!("{first}..{end} are not there, and nothing explains it; {before:?}");
        of_member(Promise::Order, at, Some(first), seen)
    }

    /// The ledger names what was lost, each with its cause, and nothing that was not.
    fn hold_ledger(&self, gateway: &Gateway<SimDisk>) -> Answer<()> {
        let totals = gateway.totals();
        let ledger = gateway.ledger();
        let has_old_counts = self.damage.is_some_and(|damage| damage.has_cursors);
        if ledger.records != totals.dropped() + totals.rejected && !has_old_counts {
            let seen = format!("{ledger:?} is not what {totals:?} lost");
            return breach(Promise::Conservation, seen);
        }
        let mut losses = vec![Loss::NONE; self.recording.config.losses_max as usize];
        let count = gateway.losses(&mut losses);
        for loss in &losses[..count] {
            let is_it = |at: &usize| self.handle(gateway, *at) == Some(loss.sensor);
            let Some(at) = (0..self.members().len()).find(is_it) else { continue };
            let is_excused =
                loss.cause == DropCause::Corrupt && (self.damage.is_some() || self.has_doubts());
            if !is_excused
                && !self.members()[at].was_dropped(loss.first_seq, loss.end_seq(), self.step)
            {
                let seen = format!("the ledger names {loss:?}, which nobody dropped");
                return of_member(Promise::Conservation, at, Some(loss.first_seq), seen);
            }
        }
        Ok(())
    }

    /// Goes on working: every sensor adds, a batch of each is answered, everything is made durable.
    fn go_on(&self, gateway: &mut Gateway<SimDisk>, disk: &SimDisk) -> Answer<Vec<Said>> {
        let now_ms = 4_000_000_000_000;
        let config = self.config();
        gateway.tick(now_ms);
        self.hold_limits(gateway, disk, &config, 0)?;
        let mut batch = [Record::default(); BATCH];
        for (at, member) in self.members().iter().enumerate() {
            let Ok(sensor) = gateway.register(member.config) else {
                return of_member(Promise::Levels, at, None, "it is not taken back".to_owned());
            };
            for number in 0..GOES_ON {
                let (value, at_ms) = (number as u32, now_ms + number * 1_000);
                let added = match member.config.kind {
                    Kind::Event => gateway.append_event(sensor, value, at_ms),
                    Kind::TimeSeries => gateway.append(sensor, value, Timestamp::utc(at_ms)),
                };
                if let Err(error) = added {
                    let seen = format!("it takes nothing any more: {error}");
                    return of_member(Promise::Conservation, at, None, seen);
                }
            }
            match gateway.consume(sensor, &mut batch) {
                Ok(Some(token)) => {
                    if let Err(error) = gateway.ack(token) {
                        return of_member(Promise::Tokens, at, None, error.to_string());
                    }
                }
                other => {
                    let seen = format!("nothing comes out of it: {other:?}");
                    return of_member(Promise::Order, at, None, seen);
                }
            }
        }
        gateway.tick(now_ms + 60_000);
        if let Err(error) = gateway.sync() {
            return breach(Promise::Levels, format!("nothing can be made durable: {error}"));
        }
        self.hold_limits(gateway, disk, &config, config.pool_bytes)?;
        let after = self.look(gateway)?;
        for (at, said) in after.iter().enumerate() {
            if said.levels.durable_seq != said.levels.added_seq && !self.has_doubts() {
                let seen = format!("a sync leaves {:?}", said.levels);
                return of_member(Promise::Levels, at, None, seen);
            }
        }
        Ok(after)
    }

    fn hold_limits(
        &self,
        gateway: &Gateway<SimDisk>,
        disk: &SimDisk,
        config: &GatewayConfig,
        ram_bytes: u64,
    ) -> Answer<()> {
        let bytes = disk.image().bytes();
        if bytes > config.disk_max_bytes {
            let seen = format!("{bytes} B are used, disk_max is {}", config.disk_max_bytes);
            return breach(Promise::BoundedDisk, seen);
        }
        for at in 0..self.members().len() {
            let Some(sensor) = self.handle(gateway, at) else { continue };
            let each = match self.members()[at].config.kind {
                Kind::Event => 8,
                Kind::TimeSeries => 4,
            };
            let held = gateway.unsent(sensor).unwrap_or(0) * each;
            // What RAM still has beside the disk counts when it is given back.
            if held > config.quota_bytes + ram_bytes {
                let seen = format!("{held} B are held, the quota is {} B", config.quota_bytes);
                return of_member(Promise::BoundedDisk, at, None, seen);
            }
        }
        Ok(())
    }

    /// What went on is there again, as it was left.
    fn come_back(&self, disk: &SimDisk, config: &GatewayConfig, after: &[Said]) -> Answer<()> {
        let mut gateway = open(disk, config, " after it went on working")?;
        let again = self.look(&mut gateway)?;
        for (at, (said, left)) in again.iter().zip(after).enumerate() {
            let is_it = said.levels.added_seq == left.levels.added_seq
                && said.levels.acked_seq == left.levels.acked_seq
                && said.stats.unsent == left.stats.unsent;
            if !is_it {
                let seen = format!("it went on and made it durable, {left:?}, and is {said:?}");
                return of_member(Promise::Levels, at, None, seen);
            }
            let Some(sensor) = self.handle(&gateway, at) else { continue };
            let last = said.levels.added_seq.wrapping_sub(1);
            let read = gateway.read_at(sensor, last);
            if said.stats.unsent > 0 && read.is_err() {
                let seen = format!("the newest record cannot be read: {read:?}");
                return of_member(Promise::Order, at, Some(last), seen);
            }
        }
        if let Err(fault) = gateway.check() {
            return breach(Promise::OneOwner, fault.to_string());
        }
        Ok(())
    }
}
