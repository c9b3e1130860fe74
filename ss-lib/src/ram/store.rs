//! The engine's public face. Each rule that concerns more than one chain stands here.

use super::{
    Backing, Env, LedgerStats, PoolStats,
    chain::{Chain, Owner},
    check::Fault,
    sector::Sample,
    slots::Sector,
};
use crate::{
    AppendError, BatchToken, ClockKind, ConsumeError, Kind, Loss, ReadError, ReconfigureError,
    Record, RegisterError, Sensor, SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
    UnknownSensor,
};

/// What an add does when the pool has no sector left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum FullPolicy {
    /// Drops the oldest sector without pending records: of the same sensor, else of the sensor that
    /// holds most such sectors. Refuses only when everything is pending. (With more threads adding
    /// than there are sectors, also when other threads have just taken the last ones.)
    #[default]
    RecycleOldest,
    /// Refuses at once.
    RefuseNew,
}

/// What a store is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// What an add does when the pool has no sector left.
    pub policy: FullPolicy,
    /// The number of this opening. Whoever keeps records over several openings gives each its own
    /// number, so that (epoch, seq) never names two records. Tokens tell stores apart by nothing
    /// else: two stores whose tokens could meet, or one before and after `reopen`, need two epochs.
    pub epoch: u32,
}

/// How often an add looks for a victim before it gives up. One thread needs one look; with several
/// each look can find its victim emptied by another, which is progress for that one.
const RECYCLE_ATTEMPTS: u32 = 8;

/// A store of readings in RAM.
///
/// Reading methods take `&self`; what changes something takes `&mut self`. A [`Shared`] store is a
/// handle: clone it for each thread. Batches of different sensors are independent; each sensor has
/// at most one batch pending.
///
/// [`Shared`]: super::Shared
#[derive(Clone, Debug)]
pub struct Store<B> {
    pub(super) backing: B,
}

impl<B: Backing> Store<B> {
    /// The number of this opening.
    pub fn epoch(&self) -> u32 {
        self.backing.config().epoch
    }

    /// Registers a sensor; it is active at once.
    pub fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        if config.kind == Kind::TimeSeries && config.period_ms == 0 {
            return Err(RegisterError::ZeroPeriod);
        }
        self.backing.claim(Chain::new(config))
    }

    /// The sensor of this name. Cost: a search; keep the answer.
    pub fn find(&self, key: SensorKey) -> Option<Sensor> {
        self.backing.find(key)
    }

    /// All sensors, in order of registration.
    pub fn sensors(&self) -> impl ExactSizeIterator<Item = Sensor> + use<B> {
        (0..self.backing.sensors()).map(Sensor)
    }

    /// The sensor's configuration now. Its `first_seq` is the number that the next record gets.
    pub fn sensor_config(&self, sensor: Sensor) -> Result<SensorConfig, UnknownSensor> {
        self.backing.read_chain(sensor, |chain, _| chain.config()).ok_or(UnknownSensor)
    }

    /// Changes a sensor's kind or period. What is stored keeps the kind and the times that it has.
    pub fn reconfigure(
        &mut self,
        sensor: Sensor,
        kind: Kind,
        period_ms: u32,
    ) -> Result<(), ReconfigureError> {
        if kind == Kind::TimeSeries && period_ms == 0 {
            return Err(ReconfigureError::ZeroPeriod);
        }
        self.backing
            .with_chain(sensor, |chain, _| chain.reconfigure(kind, period_ms))
            .ok_or(ReconfigureError::UnknownSensor)
    }

    /// Lets the sensor add again.
    pub fn activate(&mut self, sensor: Sensor) -> Result<(), UnknownSensor> {
        self.set_active(sensor, true)
    }

    /// Refuses the sensor's adds from now on. What is stored stays readable and can be consumed.
    pub fn deactivate(&mut self, sensor: Sensor) -> Result<(), UnknownSensor> {
        self.set_active(sensor, false)
    }

    fn set_active(&mut self, sensor: Sensor, active: bool) -> Result<(), UnknownSensor> {
        self.backing.with_chain(sensor, |chain, _| chain.set_active(active)).ok_or(UnknownSensor)
    }

    /// Whether the sensor may add.
    pub fn is_active(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        self.backing.read_chain(sensor, |chain, _| chain.is_active()).ok_or(UnknownSensor)
    }

    /// Adds a time-series reading taken at `at`. Returns its number.
    ///
    /// A reading within half a period of the sensor's grid is stored in 4 B and reported on the
    /// grid; any other starts a new grid, so that gaps, clock steps and changes of rate are kept.
    #[inline]
    pub fn append(
        &mut self,
        sensor: Sensor,
        value: u32,
        at: Timestamp,
    ) -> Result<u64, AppendError> {
        self.add_of_kind::<false>(sensor, at.ms, value, at.clock)
    }

    /// Adds an event with a timestamp of the caller's: kept exactly, in any order, any value.
    /// Returns its number.
    #[inline]
    pub fn append_event(
        &mut self,
        sensor: Sensor,
        value: u32,
        ts_ms: u64,
    ) -> Result<u64, AppendError> {
        self.add_of_kind::<true>(sensor, ts_ms, value, ClockKind::Caller)
    }

    #[cfg(feature = "std")]
    pub(crate) fn add(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        let Sample { time_ms, value, clock, kind } = sample;
        match kind {
            Kind::TimeSeries => self.add_of_kind::<false>(sensor, time_ms, value, clock),
            Kind::Event => self.add_of_kind::<true>(sensor, time_ms, value, clock),
        }
    }

    /// Each kind has a way of its own, straight to where almost every add ends. Never as a part of its
    /// caller, whose variables would take the registers. The sample comes in parts: in registers, and not
    /// by way of memory.
    #[inline(never)]
    fn add_of_kind<const EVENT: bool>(
        &mut self,
        sensor: Sensor,
        time_ms: u64,
        value: u32,
        clock: ClockKind,
    ) -> Result<u64, AppendError> {
        let kind = if EVENT { Kind::Event } else { Kind::TimeSeries };
        let sample = Sample { time_ms, value, clock, kind };
        let appended = self.backing.with_chain(sensor, |chain, env| {
            // Asked under the chain's lock, which `shut_down` passes through: see there.
            if env.is_closing() {
                return Err(AppendError::ShuttingDown);
            }
            chain.append(env.slots(), sensor, sample)
        });
        match appended {
            Some(Ok(Some(seq))) => return Ok(seq),
            Some(Ok(None)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(AppendError::UnknownSensor),
        }
        if B::IS_SHARED {
            self.add_among_others(sensor, sample)
        } else {
            self.add_alone(sensor, sample)
        }
    }

    /// Adds the sample if the sensor's open sector takes it.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn add_to_open_sector(
        &mut self,
        sensor: Sensor,
        sample: Sample,
    ) -> Result<Option<u64>, AppendError> {
        self.backing
            .with_chain(sensor, |chain, env| {
                // Asked under the chain's lock, which `shut_down` passes through: see there.
                if env.is_closing() {
                    return Err(AppendError::ShuttingDown);
                }
                chain.append(env.slots(), sensor, sample)
            })
            .unwrap_or(Err(AppendError::UnknownSensor))
    }

    /// Adds the sample if there is room for it without dropping anything. `None`: there is none.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn add_if_room(
        &mut self,
        sensor: Sensor,
        sample: Sample,
    ) -> Result<Option<u64>, AppendError> {
        let owner = self.owner(sensor);
        self.backing
            .with_chain(sensor, |chain, env| {
                if env.is_closing() {
                    return Err(AppendError::ShuttingDown);
                }
                match chain.append(env.slots(), sensor, sample) {
                    Ok(None) => new_sector(chain, env, owner, sample, &mut None, false),
                    appended => appended,
                }
            })
            .unwrap_or(Err(AppendError::UnknownSensor))
    }

    /// The sample needs a new sector: a free one, else by the policy one of the same sensor's, else
    /// of the sensor that holds most.
    #[cold]
    fn add_among_others(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        let owner = self.owner(sensor);
        let recycles = self.backing.config().policy == FullPolicy::RecycleOldest;
        let mut spare = None;
        for attempts_left in (0..RECYCLE_ATTEMPTS).rev() {
            let added = self.backing.with_chain(sensor, |chain, env| {
                // Between two locks another producer may have opened a sector for this sensor.
                let appended = chain.append(env.slots(), sensor, sample);
                let added = match appended {
                    Ok(None) => new_sector(chain, env, owner, sample, &mut spare, recycles),
                    appended => appended,
                };
                give_back(env, spare.take());
                added
            });
            match added {
                Some(Ok(Some(seq))) => return Ok(seq),
                Some(Ok(None)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(AppendError::UnknownSensor),
            }
            // Nothing of its own to drop. The victim's chain is locked alone; the sector changes
            // hands as a token. What is dropped is used: there is an attempt left for it.
            if attempts_left == 0 || !recycles {
                break;
            }
            let Some(victim) = self.richest() else {
                // Sectors in another thread's hand are nobody's for a moment.
                if self.backing.with_env(|env| env.pool(|pool| pool.state.in_hand())) == 0 {
                    break;
                }
                core::hint::spin_loop();
                continue;
            };
            let victim = self.owner(victim);
            spare = self
                .backing
                .with_chain(victim.sensor, |chain, env| {
                    let sector = chain.recycle(env, victim)?;
                    env.pool(|mut pool| pool.take_in_hand(victim.sensor.0));
                    Some(sector)
                })
                .flatten();
        }
        self.backing.with_chain(sensor, |chain, _| chain.count_refused());
        Err(AppendError::Full)
    }

    /// The same where nobody else can come between two steps, so that each is done once. An add on a
    /// microcontroller is bound by what this costs.
    #[expect(
        clippy::inline_always,
        reason = "what an add knows already is not looked up again: on a microcontroller, 20 instructions less"
    )]
    #[inline(always)]
    fn add_alone(&mut self, sensor: Sensor, sample: Sample) -> Result<u64, AppendError> {
        let owner = self.owner(sensor);
        let policy = self.backing.config().policy;
        let Some((places, mut env)) = self.backing.alone() else {
            return Err(AppendError::UnknownSensor);
        };
        let Some(place) = places.get_mut(sensor.index()) else {
            return Err(AppendError::UnknownSensor);
        };
        place.as_mut().may_open_sector(&env, owner)?;
        let mut sector = env.pool_alone().and_then(|mut pool| pool.take(sensor.0));
        if sector.is_none() && policy == FullPolicy::RecycleOldest {
            sector = Self::drop_for(places, &mut env, owner);
        }
        let Some(place) = places.get_mut(sensor.index()) else {
            return Err(AppendError::UnknownSensor);
        };
        let Some(sector) = sector else {
            place.as_mut().count_refused();
            return Err(AppendError::Full);
        };
        Ok(place.as_mut().append_in_new_sector(env.slots(), owner, sample, sector))
    }

    /// Drops a sector of the same sensor's, else of the one that holds most, and enters it into the
    /// pool's books as the same sensor's. Not a part of its caller: both together need more than the
    /// registers.
    #[inline(never)]
    fn drop_for(places: &mut [B::Place], env: &mut B::Env<'_>, owner: Owner) -> Option<Sector> {
        let mut holders = env.pool_alone()?.holders;
        // From a chain to the same chain: the pool's books stay as they are.
        let victim = if holders.could_give(owner.sensor.0) {
            owner.sensor
        } else {
            Sensor(holders.take_from_richest(owner.sensor.0)?)
        };
        let chain = places.get_mut(victim.index())?.as_mut();
        chain.recycle(env, Owner { sensor: victim, ..owner })
    }

    /// The sensor that holds most sectors that could be dropped.
    fn richest(&mut self) -> Option<Sensor> {
        self.backing.with_env(|env| env.pool(|pool| pool.holders.richest())).map(Sensor)
    }

    /// The oldest unsent record, without any effect on the store.
    pub fn peek(&self, sensor: Sensor) -> Result<Option<Record>, UnknownSensor> {
        let mut out = [Record::default()];
        Ok((self.peek_batch(sensor, &mut out)? == 1).then_some(out[0]))
    }

    /// Copies into `out` what `consume` would hand out next, without any effect on the store.
    /// Returns the number of records.
    pub fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> Result<usize, UnknownSensor> {
        let owner = self.owner(sensor);
        self.backing
            .read_chain(sensor, |chain, slots| chain.peek(slots, owner, out))
            .ok_or(UnknownSensor)
    }

    /// Reads one retained record, pending or unsent, by its number. For diagnostics: the cost
    /// follows the chain's length.
    pub fn read_at(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError> {
        let owner = self.owner(sensor);
        self.backing
            .read_chain(sensor, |chain, slots| chain.read_at(slots, owner, seq))
            .unwrap_or(Err(ReadError::UnknownSensor))
    }

    /// Hands out the sensor's oldest unsent records, at most `out.len()` and at most
    /// [`BATCH_RECORDS_MAX`](super::BATCH_RECORDS_MAX), as one batch, and makes them pending.
    /// `None`: nothing is unsent (or `out` is empty).
    ///
    /// A batch ends early at a gap in the numbers, so a short one is no sign that no more wait. If
    /// records are unsent, at least one is handed out, unless every one of them turns out corrupt:
    /// then they are in the ledger, and nothing is unsent any more.
    pub fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        let owner = self.owner(sensor);
        self.backing
            .with_chain(sensor, |chain, env| chain.consume(env, owner, out))
            .unwrap_or(Err(ConsumeError::UnknownSensor))
    }

    /// Erases exactly the batch's records: the cloud has them.
    pub fn ack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        self.answer(token, |chain, env, owner| chain.ack(env, owner, token))
    }

    /// Returns exactly the batch's records to unsent: they are the next to be consumed.
    pub fn nack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        self.answer(token, |chain, env, owner| chain.nack(env, owner, token))
    }

    /// Erases exactly the batch's records and enters them into the ledger: the cloud will never
    /// take them, and they must not block what follows.
    pub fn reject(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        self.answer(token, |chain, env, owner| chain.reject(env, owner, token))
    }

    fn answer(
        &mut self,
        token: BatchToken,
        f: impl FnOnce(&mut Chain, &mut B::Env<'_>, Owner) -> Result<(), StaleBatch>,
    ) -> Result<(), StaleBatch> {
        let owner = self.owner(token.sensor);
        self.backing
            .with_chain(token.sensor, |chain, env| f(chain, env, owner))
            .unwrap_or(Err(StaleBatch))
    }

    /// The token of the sensor's pending batch, for an uploader that lost it.
    pub fn pending_batch(&self, sensor: Sensor) -> Result<Option<BatchToken>, UnknownSensor> {
        let owner = self.owner(sensor);
        self.backing
            .read_chain(sensor, |chain, slots| chain.pending_token(slots, owner))
            .ok_or(UnknownSensor)
    }

    /// How many of the sensor's records wait to be consumed.
    pub fn unsent(&self, sensor: Sensor) -> Result<u32, UnknownSensor> {
        self.backing.read_chain(sensor, |chain, _| chain.unsent()).ok_or(UnknownSensor)
    }

    /// How many of the sensor's records are handed out and not yet answered.
    pub fn pending(&self, sensor: Sensor) -> Result<u32, UnknownSensor> {
        self.backing.read_chain(sensor, |chain, _| chain.pending()).ok_or(UnknownSensor)
    }

    /// Whether `consume` would look for a batch: something is unsent and nothing pending.
    pub fn is_ready(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        self.backing
            .read_chain(sensor, |chain, _| chain.unsent() > 0 && chain.pending() == 0)
            .ok_or(UnknownSensor)
    }

    /// How many of the sensor's records the store holds: pending and unsent.
    pub fn retained(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Ok(self.stats(sensor)?.retained())
    }

    /// The sensor's counts.
    pub fn stats(&self, sensor: Sensor) -> Result<SensorStats, UnknownSensor> {
        self.backing.read_chain(sensor, |chain, _| chain.stats()).ok_or(UnknownSensor)
    }

    /// The sum of all sensors' counts.
    pub fn totals(&self) -> SensorStats {
        let mut totals = SensorStats::default();
        for sensor in self.sensors() {
            totals += self.stats(sensor).unwrap_or_default();
        }
        totals
    }

    /// How the pool's sectors are used.
    pub fn pool(&self) -> PoolStats {
        self.backing.pool_stats()
    }

    /// Limits the sectors that may be in use at once, as if the pool were smaller; `u32::MAX` lifts
    /// the limit. What is stored stays stored.
    pub fn limit_sectors(&mut self, sectors: u32) {
        self.backing.with_env(|env| env.pool(|mut pool| pool.set_limit(sectors)));
    }

    /// Copies the newest losses into `out`, oldest of them first. Returns their number.
    pub fn losses(&self, out: &mut [Loss]) -> usize {
        self.backing.copy_losses(out)
    }

    /// The ledger's entry that was last made or extended.
    pub fn last_loss(&self) -> Option<Loss> {
        self.backing.last_loss()
    }

    /// Records ever entered into the ledger: `ledger().records`, without its lock.
    pub fn losses_recorded(&self) -> u64 {
        self.backing.losses_recorded()
    }

    /// What the ledger has seen, and how much of it it had to forget.
    pub fn ledger(&self) -> LedgerStats {
        self.backing.ledger_stats()
    }

    /// Tells the store the time; call it about every 100 ms. The ledger's times are as fine as that.
    pub fn tick(&mut self, now_ms: u64) {
        self.backing.set_now_ms(now_ms);
    }

    /// Refuses every add from now on. What is stored can still be consumed: when this returned, no
    /// add that was under way on another thread will store anything any more, so that who drains
    /// the store then has everything.
    pub fn shut_down(&mut self) {
        self.backing.set_closing();
        for sensor in self.sensors() {
            // An add asks under this lock. One that asked before is done when it is ours.
            self.backing.with_chain(sensor, |_, _| ());
        }
    }

    /// Walks every chain and the free list, and holds the counters, the record numbers, the pool's
    /// books and the ownership of every sector against what is there. Stops all other use while it
    /// runs.
    pub fn check(&mut self) -> Result<(), Fault> {
        self.backing.check()
    }

    pub(crate) fn owner(&self, sensor: Sensor) -> Owner {
        Owner { sensor, epoch: self.backing.config().epoch }
    }
}

/// Adds the sample in a new sector of `chain`: in `spare`, else in a free one, else, if the policy is
/// to recycle, in the chain's own oldest. `None`: there is no such sector.
#[inline]
fn new_sector<'m>(
    chain: &mut Chain,
    env: &mut impl Env<'m>,
    owner: Owner,
    sample: Sample,
    spare: &mut Option<Sector>,
    recycles: bool,
) -> Result<Option<u64>, AppendError> {
    let slots = env.slots();
    if env.is_closing() {
        return Err(AppendError::ShuttingDown);
    }
    chain.may_open_sector(env, owner)?;
    let sector = if let Some(sector) = spare.take() {
        env.pool(|mut pool| pool.hand_over(owner.sensor.0));
        sector
    } else if let Some(sector) = env.pool(|mut pool| pool.take(owner.sensor.0)) {
        sector
    } else {
        // From a chain to the same chain: the pool's books stay as they are.
        let own = if recycles { chain.recycle(env, owner) } else { None };
        let Some(sector) = own else { return Ok(None) };
        sector
    };
    Ok(Some(chain.append_in_new_sector(slots, owner, sample, sector)))
}

/// Returns a sector that was taken and not used.
fn give_back<'m>(env: &mut impl Env<'m>, spare: Option<Sector>) {
    if let Some(sector) = spare {
        env.pool(|mut pool| pool.give_back_from_hand(sector));
    }
}

#[cfg(test)]
mod tests;
