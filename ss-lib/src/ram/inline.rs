//! A whole store in one value: for a static on a microcontroller.

use super::{
    Env, LedgerStats, PoolStats,
    backing::Memory,
    chain::Chain,
    check::{self, Fault},
    holders::{self, Holders},
    ledger::{Ledger, LedgerState},
    pool::{Pool, PoolState},
    slots::Slots,
    store::{Config, Store},
};
use crate::{DropCause, Loss, RegisterError, Sensor, SensorKey};
use core::sync::atomic::AtomicU32;

/// Memory for `SENSORS` sensors, `SECTORS` sectors of `SECTOR_WORDS` × 4 B, and a ledger of
/// `LOSSES` entries. At most 255 sectors, so that a byte counts them; every rule is checked at compile
/// time. A larger pool takes a [`Lent`](super::Lent) store.
pub struct Inline<
    const SENSORS: usize,
    const SECTORS: usize,
    const SECTOR_WORDS: usize,
    const LOSSES: usize,
> {
    memory: SectorMemory<SECTORS, SECTOR_WORDS>,
    chains: [Chain; SENSORS],
    books: Books<SENSORS, SECTORS, LOSSES>,
    config: Config,
    sensors: u32,
}

/// What sectors are made of. The links come first, where a load reaches them from the store's own address
/// without another instruction.
#[repr(C)]
struct SectorMemory<const SECTORS: usize, const SECTOR_WORDS: usize> {
    links: [AtomicU32; SECTORS],
    words: [[AtomicU32; SECTOR_WORDS]; SECTORS],
}

/// What all chains share beside the sectors.
struct Books<const SENSORS: usize, const SECTORS: usize, const LOSSES: usize> {
    ring: [Loss; LOSSES],
    ledger: LedgerState,
    pool: PoolState,
    /// See [`Holders`].
    order: [u8; SENSORS],
    ranks: [u8; SENSORS],
    more_than: [u8; SECTORS],
    droppable_max: u8,
    newest_losses: [u8; SENSORS],
    now_ms: u64,
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
    Store<Inline<STM32_SENSORS, STM32_SECTORS, { STM32_SECTOR_BYTES as usize / 4 }, 8>>;

const _: () = assert!(size_of::<Stm32Store>() <= 32 * 1024, "the store outgrew its 32 KiB");
const _: () = assert!(STM32_SECTORS * 60 >= 6_000, "the store holds too few records");

impl<const S: usize, const N: usize, const W: usize, const L: usize> Store<Inline<S, N, W, L>> {
    const VALID: () = {
        assert!(L <= 255, "more ledger entries than 8 bits can name");
        assert!(N >= S && N >= 1, "each sensor needs a sector");
        assert!(N <= u8::MAX as usize, "more sectors than 8 bits can count");
        assert!(W.is_power_of_two() && W >= 8 && W <= 1024, "a sector has 32 B to 4 KiB");
    };

    /// A store that is not open yet: it has no sector, so that adds find the pool full. For the
    /// initial value of a static; call [`reopen`](Self::reopen) before use.
    pub const fn vacant() -> Self {
        const { Self::VALID };
        let backing = Inline {
            memory: SectorMemory {
                words: [const { [const { AtomicU32::new(0) }; W] }; N],
                links: [const { AtomicU32::new(0) }; N],
            },
            chains: [const { Chain::VACANT }; S],
            books: Books {
                ring: [Loss::NONE; L],
                ledger: LedgerState::EMPTY,
                pool: PoolState::EMPTY,
                order: [0; S],
                ranks: [0; S],
                more_than: [0; N],
                droppable_max: 0,
                newest_losses: [0; S],
                now_ms: 0,
                is_closing: false,
            },
            config: Config { policy: super::FullPolicy::RecycleOldest, epoch: 0 },
            sensors: 0,
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
        inline.config = config;
        inline.books.now_ms = 0;
        inline.sensors = 0;
        inline.books.is_closing = false;
        inline.env().pool(|mut pool| pool.format());
        inline.env().ledger(|mut ledger| ledger.clear());
    }
}

/// The parts of an [`Inline`] beside its chains. Two pointers: with every length known when the program
/// is built, the rest costs an add nothing.
pub struct InlineEnv<
    'm,
    const SENSORS: usize,
    const SECTORS: usize,
    const SECTOR_WORDS: usize,
    const LOSSES: usize,
> {
    memory: &'m SectorMemory<SECTORS, SECTOR_WORDS>,
    books: &'m mut Books<SENSORS, SECTORS, LOSSES>,
}

impl<'m, const S: usize, const N: usize, const W: usize, const L: usize> Env<'m>
    for InlineEnv<'m, S, N, W, L>
{
    type Count = u8;
    type LedgerPlace = u8;

    #[inline]
    fn slots(&self) -> Slots<'m> {
        self.memory.slots()
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.books.is_closing
    }

    #[inline]
    fn now_ms(&self) -> u64 {
        self.books.now_ms
    }

    #[inline]
    fn pool<R>(&mut self, f: impl FnOnce(Pool<'_, u8>) -> R) -> R {
        f(self.pool_here())
    }

    #[inline]
    fn pool_alone(&mut self) -> Option<Pool<'_, u8>> {
        Some(self.pool_here())
    }

    #[inline]
    fn ledger<R>(&mut self, f: impl FnOnce(Ledger<'_, u8>) -> R) -> R {
        let Books { ring, newest_losses: newest, ledger: state, .. } = &mut *self.books;
        f(Ledger { ring, newest, unsaved: &mut [], state })
    }

    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn record_loss(&mut self, first_seq: u64, count: u32, sensor: Sensor, cause: DropCause) {
        let Books { ring, newest_losses: newest, ledger: state, now_ms, .. } = &mut *self.books;
        let loss = Loss { first_seq, at_ms: 0, count, sensor, cause };
        // The clock is looked at last: there is no register to carry the time in.
        Ledger { ring, newest, unsaved: &mut [], state }.record_at(loss, || *now_ms);
    }
}

impl<const S: usize, const N: usize, const W: usize, const L: usize> InlineEnv<'_, S, N, W, L> {
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn pool_here(&mut self) -> Pool<'_, u8> {
        let Books { pool: state, order, ranks, more_than, droppable_max: max, .. } =
            &mut *self.books;
        let holders = Holders { order, ranks, more_than, max };
        Pool { state, holders, slots: self.memory.slots() }
    }
}

impl<const N: usize, const W: usize> SectorMemory<N, W> {
    #[inline]
    fn slots(&self) -> Slots<'_> {
        Slots::new(self.words.as_flattened(), &self.links, W)
    }
}

impl<const S: usize, const N: usize, const W: usize, const L: usize> Inline<S, N, W, L> {
    fn slots(&self) -> Slots<'_> {
        self.memory.slots()
    }

    /// The chains beside everything that they work with.
    #[inline]
    fn split(&mut self) -> (&mut [Chain], InlineEnv<'_, S, N, W, L>) {
        let env = InlineEnv { memory: &self.memory, books: &mut self.books };
        (&mut self.chains[..self.sensors as usize], env)
    }

    fn env(&mut self) -> InlineEnv<'_, S, N, W, L> {
        self.split().1
    }

    fn registered(&self) -> &[Chain] {
        &self.chains[..self.sensors as usize]
    }
}

impl<const S: usize, const N: usize, const W: usize, const L: usize> core::fmt::Debug
    for Inline<S, N, W, L>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inline").field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}

impl<const S: usize, const N: usize, const W: usize, const L: usize> Memory for Inline<S, N, W, L> {
    type Env<'a> = InlineEnv<'a, S, N, W, L>;

    type Place = Chain;

    const IS_SHARED: bool = false;

    fn config(&self) -> Config {
        self.config
    }

    fn set_now_ms(&mut self, now_ms: u64) {
        self.books.now_ms = now_ms;
    }

    fn set_closing(&mut self) {
        self.books.is_closing = true;
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
        f: impl FnOnce(&mut Chain, &mut InlineEnv<'_, S, N, W, L>) -> R,
    ) -> Option<R> {
        let (chains, mut env) = self.split();
        chains.get_mut(sensor.index()).map(|chain| f(chain, &mut env))
    }

    #[inline]
    fn alone(&mut self) -> Option<(&mut [Chain], InlineEnv<'_, S, N, W, L>)> {
        Some(self.split())
    }

    fn read_chain<R>(&self, sensor: Sensor, f: impl FnOnce(&Chain, Slots<'_>) -> R) -> Option<R> {
        self.registered().get(sensor.index()).map(|chain| f(chain, self.slots()))
    }

    fn with_env<R>(&mut self, f: impl FnOnce(&mut InlineEnv<'_, S, N, W, L>) -> R) -> R {
        f(&mut self.env())
    }

    fn pool_stats(&self) -> PoolStats {
        self.books.pool.stats(self.slots())
    }

    fn ledger_stats(&self) -> LedgerStats {
        self.books.ledger.stats(&self.books.ring)
    }

    fn losses_recorded(&self) -> u64 {
        self.books.ledger.records()
    }

    fn last_loss(&self) -> Option<Loss> {
        self.books.ledger.last(&self.books.ring)
    }

    fn copy_losses(&self, out: &mut [Loss]) -> usize {
        self.books.ledger.copy_newest(&self.books.ring, out)
    }

    fn check(&mut self) -> Result<(), Fault> {
        let slots = self.slots();
        check::walk(
            self.registered().iter(),
            &self.books.pool,
            |sensor| holders::count(&self.books.ranks, &self.books.more_than, sensor.0),
            slots,
            self.config.epoch,
        )
    }
}
