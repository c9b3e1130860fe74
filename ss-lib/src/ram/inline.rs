//! A whole store in one value: for a static on a microcontroller.

use super::{
    Env, LedgerStats, PoolStats,
    backing::Memory,
    chain::Chain,
    check::{self, Fault},
    holders::{GROUP_SENSORS, Holders},
    ledger::{Ledger, LedgerState},
    pool::{Pool, PoolState},
    slots::{SECTORS_MAX, Slots},
    store::{Config, Store},
};
use crate::{Loss, RegisterError, Sensor, SensorKey};
use core::sync::atomic::AtomicU32;

/// Memory for `SENSORS` sensors, `SECTORS` sectors of `SECTOR_WORDS` × 4 B, and a ledger of
/// `LOSSES` entries. `GROUPS` must be `SENSORS.div_ceil(16)`; every rule is checked at compile time.
pub struct Inline<
    const SENSORS: usize,
    const GROUPS: usize,
    const SECTORS: usize,
    const SECTOR_WORDS: usize,
    const LOSSES: usize,
> {
    words: [[AtomicU32; SECTOR_WORDS]; SECTORS],
    links: [AtomicU32; SECTORS],
    chains: [Chain; SENSORS],
    droppable: [u32; SENSORS],
    group_max: [u32; GROUPS],
    ring: [Loss; LOSSES],
    ledger: LedgerState,
    pool: PoolState,
    config: Config,
    now_ms: u64,
    sensors: u32,
    is_closing: bool,
}

/// The sensors of [`Stm32Store`].
pub const STM32_SENSORS: usize = 100;
/// The sectors of [`Stm32Store`], of 256 B each.
pub const STM32_SECTORS: usize = 100;
/// Bytes of one sector of [`Stm32Store`].
pub const STM32_SECTOR_BYTES: u32 = 256;

/// The microcontroller's store: 100 sensors, 100 sectors of 256 B (6,000 time-series records), and
/// everything that the engine needs beside them, in 32 KiB.
pub type Stm32Store =
    Store<Inline<STM32_SENSORS, 7, STM32_SECTORS, { STM32_SECTOR_BYTES as usize / 4 }, 8>>;

const _: () = assert!(size_of::<Stm32Store>() <= 32 * 1024, "the store outgrew its 32 KiB");
const _: () = assert!(STM32_SECTORS * 60 >= 6_000, "the store holds too few records");

impl<const S: usize, const G: usize, const N: usize, const W: usize, const L: usize>
    Store<Inline<S, G, N, W, L>>
{
    const VALID: () = {
        assert!(G == S.div_ceil(GROUP_SENSORS), "GROUPS must be SENSORS.div_ceil(16)");
        assert!(N >= S && N >= 1, "each sensor needs a sector");
        assert!(N <= SECTORS_MAX as usize, "more sectors than a link can name");
        assert!(W.is_power_of_two() && W >= 8 && W <= 1024, "a sector has 32 B to 4 KiB");
    };

    /// A store that is not open yet: it has no sector, so that adds find the pool full. For the
    /// initial value of a static; call [`reopen`](Self::reopen) before use.
    pub const fn vacant() -> Self {
        const { Self::VALID };
        let backing = Inline {
            words: [const { [const { AtomicU32::new(0) }; W] }; N],
            links: [const { AtomicU32::new(0) }; N],
            chains: [const { Chain::VACANT }; S],
            droppable: [0; S],
            group_max: [0; G],
            ring: [Loss::NONE; L],
            ledger: LedgerState::EMPTY,
            pool: PoolState::EMPTY,
            config: Config { policy: super::FullPolicy::RecycleOldest, epoch: 0 },
            now_ms: 0,
            sensors: 0,
            is_closing: false,
        };
        Self { backing }
    }

    /// An empty store.
    pub fn open(config: Config) -> Self {
        let mut store = Self::vacant();
        store.reopen(config);
        store
    }

    /// Empties the store in place: all sectors free, no sensor registered.
    pub fn reopen(&mut self, config: Config) {
        let inline = &mut self.backing;
        inline.chains = [const { Chain::VACANT }; S];
        inline.droppable = [0; S];
        inline.group_max = [0; G];
        inline.config = config;
        inline.now_ms = 0;
        inline.sensors = 0;
        inline.is_closing = false;
        inline.env().pool(|mut pool| pool.format());
        inline.env().ledger(|mut ledger| ledger.clear());
    }
}

/// The parts of an [`Inline`] or a [`Lent`](super::Lent) beside its chains.
pub struct InlineEnv<'m> {
    pub(super) slots: Slots<'m>,
    pub(super) is_closing: bool,
    pub(super) pool: &'m mut PoolState,
    pub(super) droppable: &'m mut [u32],
    pub(super) group_max: &'m mut [u32],
    pub(super) ring: &'m mut [Loss],
    pub(super) ledger: &'m mut LedgerState,
}

impl<'m> Env<'m> for InlineEnv<'m> {
    #[inline]
    fn slots(&self) -> Slots<'m> {
        self.slots
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.is_closing
    }

    #[inline]
    fn pool<R>(&mut self, f: impl FnOnce(Pool<'_>) -> R) -> R {
        let holders = Holders { droppable: self.droppable, group_max: self.group_max };
        f(Pool { state: self.pool, holders, slots: self.slots })
    }

    #[inline]
    fn ledger<R>(&mut self, f: impl FnOnce(Ledger<'_>) -> R) -> R {
        f(Ledger { ring: self.ring, newest: &mut [], unsaved: &mut [], state: self.ledger })
    }
}

impl<const S: usize, const G: usize, const N: usize, const W: usize, const L: usize>
    Inline<S, G, N, W, L>
{
    fn slots(&self) -> Slots<'_> {
        Slots::new(self.words.as_flattened(), &self.links, W)
    }

    /// The chains beside everything that they work with.
    #[inline]
    fn split(&mut self) -> (&mut [Chain], InlineEnv<'_>) {
        let env = InlineEnv {
            slots: Slots::new(self.words.as_flattened(), &self.links, W),
            is_closing: self.is_closing,
            pool: &mut self.pool,
            droppable: &mut self.droppable,
            group_max: &mut self.group_max,
            ring: &mut self.ring,
            ledger: &mut self.ledger,
        };
        (&mut self.chains[..self.sensors as usize], env)
    }

    fn env(&mut self) -> InlineEnv<'_> {
        self.split().1
    }

    fn registered(&self) -> &[Chain] {
        &self.chains[..self.sensors as usize]
    }
}

impl<const S: usize, const G: usize, const N: usize, const W: usize, const L: usize>
    core::fmt::Debug for Inline<S, G, N, W, L>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inline").field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}

impl<const S: usize, const G: usize, const N: usize, const W: usize, const L: usize> Memory
    for Inline<S, G, N, W, L>
{
    type Env<'a> = InlineEnv<'a>;

    const IS_SHARED: bool = false;

    fn config(&self) -> Config {
        self.config
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn set_now_ms(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    fn set_closing(&mut self) {
        self.is_closing = true;
    }

    fn sensors(&self) -> u32 {
        self.sensors
    }

    fn find(&self, key: SensorKey) -> Option<Sensor> {
        let index = self.registered().iter().position(|chain| chain.key() == key)?;
        Some(Sensor(index as u32))
    }

    fn claim(&mut self, chain: Chain) -> Result<Sensor, RegisterError> {
        if self.find(chain.key()).is_some() {
            return Err(RegisterError::Duplicate);
        }
        let sensor = Sensor(self.sensors);
        *self.chains.get_mut(sensor.index()).ok_or(RegisterError::TooManySensors)? = chain;
        self.sensors += 1;
        Ok(sensor)
    }

    #[inline]
    fn with_chain<R>(
        &mut self,
        sensor: Sensor,
        f: impl FnOnce(&mut Chain, &mut InlineEnv<'_>) -> R,
    ) -> Option<R> {
        let (chains, mut env) = self.split();
        chains.get_mut(sensor.index()).map(|chain| f(chain, &mut env))
    }

    fn read_chain<R>(&self, sensor: Sensor, f: impl FnOnce(&Chain, Slots<'_>) -> R) -> Option<R> {
        self.registered().get(sensor.index()).map(|chain| f(chain, self.slots()))
    }

    fn with_env<R>(&mut self, f: impl FnOnce(&mut InlineEnv<'_>) -> R) -> R {
        f(&mut self.env())
    }

    fn pool_stats(&self) -> PoolStats {
        self.pool.stats(self.slots())
    }

    fn ledger_stats(&self) -> LedgerStats {
        self.ledger.stats()
    }

    fn losses_recorded(&self) -> u64 {
        self.ledger.records()
    }

    fn last_loss(&self) -> Option<Loss> {
        self.ledger.last(&self.ring)
    }

    fn copy_losses(&self, out: &mut [Loss]) -> usize {
        self.ledger.copy_newest(&self.ring, out)
    }

    fn check(&mut self) -> Result<(), Fault> {
        let slots = self.slots();
        check::walk(self.registered().iter(), &self.pool, &self.droppable, slots, self.config.epoch)
    }
}
