//! A store over memory that the caller lends: its size is known when the store is opened, not when
//! it is compiled.

use super::{
    Env, Geometry, LedgerStats, PoolStats,
    backing::Memory,
    chain::Chain,
    check::{self, Fault},
    holders::{self, Holders},
    ledger::{Ledger, LedgerState},
    pool::{Pool, PoolState},
    slots::Slots,
    store::{Config, Store},
};
use crate::{Loss, RegisterError, Sensor, SensorKey};
use core::{error::Error, fmt, sync::atomic::AtomicU32};

/// What one sensor takes of the memory that is lent.
#[repr(transparent)]
pub struct SensorPlace(Chain);

impl SensorPlace {
    /// A place that no sensor has.
    pub const VACANT: Self = Self(Chain::VACANT);
}

impl AsMut<Chain> for SensorPlace {
    #[inline]
    fn as_mut(&mut self) -> &mut Chain {
        &mut self.0
    }
}

impl fmt::Debug for SensorPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SensorPlace").finish_non_exhaustive()
    }
}

/// The memory that a store is given. What stands in it does not matter, but for vacant places.
#[derive(Debug)]
pub struct LentMemory<'m> {
    /// The pool: `sectors() × sector_bytes() / 4` words of the geometry.
    pub words: &'m [AtomicU32],
    /// A link for each of its sectors.
    pub links: &'m [AtomicU32],
    /// A place for each sensor, vacant.
    pub places: &'m mut [SensorPlace],
    /// A place for each sensor in their order by what they hold.
    pub order: &'m mut [u16],
    /// A rank in it for each sensor.
    pub ranks: &'m mut [u16],
    /// A count of sensors for each sector.
    pub more_than: &'m mut [u16],
    /// A number for each sensor.
    pub newest_losses: &'m mut [u16],
    /// Entries of the loss ledger, at most [`LENT_LOSSES_MAX`].
    pub losses: &'m mut [Loss],
}

/// Memory whose parts do not fit each other or the geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LentError;

impl fmt::Display for LentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parts of the lent memory do not fit each other")
    }
}

impl Error for LentError {}

/// Memory that the caller lends for the life of the store.
pub struct Lent<'m> {
    memory: LentMemory<'m>,
    sector_words: usize,
    ledger: LedgerState,
    pool: PoolState,
    droppable_max: u16,
    config: Config,
    now_ms: u64,
    sensors: u32,
    is_closing: bool,
}

/// The most sectors of a pool in lent memory: 16 bits count them.
pub const LENT_SECTORS_MAX: u32 = u16::MAX as u32;

/// The most entries of a loss ledger in lent memory: 16 bits name them, and none.
pub const LENT_LOSSES_MAX: u32 = u16::MAX as u32;

impl<'m> Store<Lent<'m>> {
    /// An empty store over `memory`, whose pool is cut as `geometry` says.
    pub fn open_lent(
        config: Config,
        geometry: Geometry,
        memory: LentMemory<'m>,
    ) -> Result<Self, LentError> {
        let sector_words = geometry.sector_bytes() as usize / 4;
        let sectors = geometry.sectors() as usize;
        let sensors = memory.places.len();
        let fits = memory.links.len() == sectors
            && memory.words.len() == sectors * sector_words
            && sensors <= sectors
            && sectors <= LENT_SECTORS_MAX as usize
            && memory.order.len() == sensors
            && memory.ranks.len() == sensors
            && memory.more_than.len() == sectors
            && memory.newest_losses.len() == sensors
            && memory.losses.len() <= LENT_LOSSES_MAX as usize;
        if !fits {
            return Err(LentError);
        }
        let mut lent = Lent {
            memory,
            sector_words,
            ledger: LedgerState::EMPTY,
            pool: PoolState::EMPTY,
            droppable_max: 0,
            config,
            now_ms: 0,
            sensors: 0,
            is_closing: false,
        };
        lent.env().pool(|mut pool| pool.format());
        lent.env().ledger(|mut ledger| ledger.clear());
        Ok(Self { backing: lent })
    }
}

/// The parts of a [`Lent`] beside its chains.
pub struct LentEnv<'m> {
    slots: Slots<'m>,
    is_closing: bool,
    now_ms: u64,
    pool: &'m mut PoolState,
    droppable_max: &'m mut u16,
    order: &'m mut [u16],
    ranks: &'m mut [u16],
    more_than: &'m mut [u16],
    newest_losses: &'m mut [u16],
    ring: &'m mut [Loss],
    ledger: &'m mut LedgerState,
}

impl<'m> Env<'m> for LentEnv<'m> {
    type Count = u16;
    type LedgerPlace = u16;

    #[inline]
    fn slots(&self) -> Slots<'m> {
        self.slots
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.is_closing
    }

    #[inline]
    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    #[inline]
    fn pool<R>(&mut self, f: impl FnOnce(Pool<'_, u16>) -> R) -> R {
        f(self.pool_here())
    }

    #[inline]
    fn pool_alone(&mut self) -> Option<Pool<'_, u16>> {
        Some(self.pool_here())
    }

    #[inline]
    fn ledger<R>(&mut self, f: impl FnOnce(Ledger<'_, u16>) -> R) -> R {
        let (ring, newest) = (&mut *self.ring, &mut *self.newest_losses);
        f(Ledger { ring, newest, unsaved: &mut [], state: self.ledger })
    }
}

impl LentEnv<'_> {
    fn pool_here(&mut self) -> Pool<'_, u16> {
        let holders = Holders {
            order: self.order,
            ranks: self.ranks,
            more_than: self.more_than,
            max: self.droppable_max,
        };
        Pool { state: self.pool, holders, slots: self.slots }
    }
}

impl Lent<'_> {
    fn slots(&self) -> Slots<'_> {
        Slots::new(self.memory.words, self.memory.links, self.sector_words)
    }

    /// The chains beside everything that they work with.
    #[inline]
    fn split(&mut self) -> (&mut [SensorPlace], LentEnv<'_>) {
        let memory = &mut self.memory;
        let env = LentEnv {
            slots: Slots::new(memory.words, memory.links, self.sector_words),
            is_closing: self.is_closing,
            now_ms: self.now_ms,
            pool: &mut self.pool,
            droppable_max: &mut self.droppable_max,
            order: memory.order,
            ranks: memory.ranks,
            more_than: memory.more_than,
            newest_losses: memory.newest_losses,
            ring: memory.losses,
            ledger: &mut self.ledger,
        };
        let registered = memory.places.len().min(self.sensors as usize);
        (&mut memory.places[..registered], env)
    }

    fn env(&mut self) -> LentEnv<'_> {
        self.split().1
    }

    fn registered(&self) -> &[SensorPlace] {
        &self.memory.places[..self.memory.places.len().min(self.sensors as usize)]
    }
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}

impl Memory for Lent<'_> {
    type Env<'a>
        = LentEnv<'a>
    where
        Self: 'a;

    type Place = SensorPlace;

    const IS_SHARED: bool = false;

    fn config(&self) -> Config {
        self.config
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
        let index = self.registered().iter().position(|place| place.0.key() == key)?;
        Some(Sensor(index as u32))
    }

    fn claim(&mut self, chain: Chain) -> Result<Sensor, RegisterError> {
        if self.find(chain.key()).is_some() {
            return Err(RegisterError::Duplicate);
        }
        let sensor = Sensor(self.sensors);
        self.memory.places.get_mut(sensor.index()).ok_or(RegisterError::TooManySensors)?.0 = chain;
        self.sensors += 1;
        Ok(sensor)
    }

    #[inline]
    fn with_chain<R>(
        &mut self,
        sensor: Sensor,
        f: impl FnOnce(&mut Chain, &mut LentEnv<'_>) -> R,
    ) -> Option<R> {
        let (places, mut env) = self.split();
        places.get_mut(sensor.index()).map(|place| f(&mut place.0, &mut env))
    }

    #[inline]
    fn alone(&mut self) -> Option<(&mut [SensorPlace], LentEnv<'_>)> {
        Some(self.split())
    }

    fn read_chain<R>(&self, sensor: Sensor, f: impl FnOnce(&Chain, Slots<'_>) -> R) -> Option<R> {
        self.registered().get(sensor.index()).map(|place| f(&place.0, self.slots()))
    }

    fn with_env<R>(&mut self, f: impl FnOnce(&mut LentEnv<'_>) -> R) -> R {
        f(&mut self.env())
    }

    fn pool_stats(&self) -> PoolStats {
        self.pool.stats(self.slots())
    }

    fn ledger_stats(&self) -> LedgerStats {
        self.ledger.stats(self.memory.losses)
    }

    fn losses_recorded(&self) -> u64 {
        self.ledger.records()
    }

    fn last_loss(&self) -> Option<Loss> {
        self.ledger.last(self.memory.losses)
    }

    fn copy_losses(&self, out: &mut [Loss]) -> usize {
        self.ledger.copy_newest(self.memory.losses, out)
    }

    fn check(&mut self) -> Result<(), Fault> {
        let slots = self.slots();
        let chains = self.registered().iter().map(|place| &place.0);
        let LentMemory { ranks, more_than, .. } = &self.memory;
        let believed = |sensor: Sensor| holders::count(ranks, more_than, sensor.0);
        check::walk(chains, &self.pool, believed, slots, self.config.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::{LENT_LOSSES_MAX, LentError, LentMemory, SensorPlace};
    use crate::{
        Loss, Record, SensorConfig, SensorKey, Timestamp,
        ram::{Config, Geometry, Store},
    };
    use core::sync::atomic::AtomicU32;

    const SENSORS: usize = 17;
    const SECTORS: usize = 20;
    const WORDS: usize = 64;

    struct Parts {
        words: [AtomicU32; SECTORS * WORDS],
        links: [AtomicU32; SECTORS],
        places: [SensorPlace; SENSORS],
        order: [u16; SENSORS],
        ranks: [u16; SENSORS],
        more_than: [u16; SECTORS],
        newest: [u16; SENSORS],
        losses: [Loss; 8],
    }

    impl Parts {
        /// Memory that was used for something else before.
        fn new() -> Self {
            Self {
                words: [const { AtomicU32::new(0xDEAD_BEEF) }; _],
                links: [const { AtomicU32::new(u32::MAX) }; _],
                places: [const { SensorPlace::VACANT }; _],
                order: [7; _],
                ranks: [7; _],
                more_than: [7; _],
                newest: [7; _],
                losses: [Loss { count: 9, ..Loss::NONE }; _],
            }
        }

        fn lend(&mut self) -> LentMemory<'_> {
            LentMemory {
                words: &self.words,
                links: &self.links,
                places: &mut self.places,
                order: &mut self.order,
                ranks: &mut self.ranks,
                more_than: &mut self.more_than,
                newest_losses: &mut self.newest,
                losses: &mut self.losses,
            }
        }
    }

    fn geometry() -> Geometry {
        Geometry::new((SECTORS * WORDS * 4) as u64, WORDS as u32 * 4, SENSORS as u32).unwrap()
    }

    #[test]
    fn a_store_over_lent_memory_does_what_an_inline_one_does() {
        let mut parts = Parts::new();
        let mut lent = Store::open_lent(Config::default(), geometry(), parts.lend()).unwrap();
        let mut inline = Store::<crate::ram::Inline<SENSORS, SECTORS, WORDS, 8>>::vacant();
        inline.reopen(Config::default());
        let mut tokens = 0;
        for n in 0..SENSORS as u32 {
            let config = SensorConfig::time_series(SensorKey { source: 1, id: n }, 10);
            assert_eq!(lent.register(config), inline.register(config));
        }
        let (mut one, mut other) = ([Record::default(); 70], [Record::default(); 70]);
        let mut state = 1_u32;
        for round in 0..if cfg!(miri) { 300 } else { 30_000_u64 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sensor = crate::Sensor::from_index((state >> 8) % (SENSORS as u32 + 1));
            // What the ledger says of when something was lost.
            lent.tick(round);
            inline.tick(round);
            match state >> 29 {
                0 => {
                    let taken = lent.consume(sensor, &mut one);
                    assert_eq!(taken, inline.consume(sensor, &mut other));
                    assert_eq!(one, other);
                    tokens += u32::from(matches!(taken, Ok(Some(_))));
                }
                1 => {
                    if let Ok(Some(token)) = lent.pending_batch(sensor) {
                        assert_eq!(lent.ack(token), inline.ack(token));
                    }
                }
                2 => {
                    if let Ok(Some(token)) = lent.pending_batch(sensor) {
                        assert_eq!(lent.reject(token), inline.reject(token));
                    }
                }
                _ => {
                    let at = Timestamp::monotonic(round * 10);
                    let added = lent.append(sensor, state, at);
                    assert_eq!(added, inline.append(sensor, state, at));
                }
            }
        }
        let (mut lost, mut lost_too) = ([Loss::NONE; 8], [Loss::NONE; 8]);
        assert_eq!(lent.losses(&mut lost), inline.losses(&mut lost_too));
        assert_eq!(lost, lost_too);
        assert_eq!((lent.ledger(), lent.last_loss()), (inline.ledger(), inline.last_loss()));
        assert_eq!(lent.losses_recorded(), lent.ledger().records);
        assert_eq!(inline.losses_recorded(), inline.ledger().records);
        assert!(lent.losses_recorded() > if cfg!(miri) { 20 } else { 100 }, "{:?}", lent.ledger());
        assert_eq!((lent.totals(), lent.pool()), (inline.totals(), inline.pool()));
        assert!(tokens > 10, "{tokens} batches");
        lent.check().unwrap();
        let sensor = crate::Sensor::from_index(0);
        for number in 0..2 {
            let is_closed = number > 0;
            let added = lent.append(sensor, 1, Timestamp::monotonic(1 << 40));
            assert_eq!(added.is_err(), is_closed, "{added:?}");
            assert_eq!(added, inline.append(sensor, 1, Timestamp::monotonic(1 << 40)));
            lent.shut_down();
            inline.shut_down();
        }
    }

    fn losses<'m>(count: usize) -> &'m mut [Loss] {
        vec![Loss::NONE; count].leak()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let refused = |change: fn(&mut LentMemory<'_>)| {
            let mut parts = Parts::new();
            let mut memory = parts.lend();
            change(&mut memory);
            Store::open_lent(Config::default(), geometry(), memory).map(|_| ())
        };
        assert_eq!(refused(|_| ()), Ok(()));
        assert!(LentError.to_string().contains("do not fit each other"));
        assert_eq!(refused(|memory| memory.words = &memory.words[1..]), Err(LentError));
        assert_eq!(refused(|memory| memory.links = &memory.links[1..]), Err(LentError));
        assert_eq!(
            refused(|memory| memory.places = &mut core::mem::take(&mut memory.places)[1..]),
            Err(LentError)
        );
        assert_eq!(
            refused(|memory| memory.order = &mut core::mem::take(&mut memory.order)[1..]),
            Err(LentError)
        );
        assert_eq!(
            refused(|memory| memory.ranks = &mut core::mem::take(&mut memory.ranks)[1..]),
            Err(LentError)
        );
        assert_eq!(
            refused(|memory| {
                memory.newest_losses = &mut core::mem::take(&mut memory.newest_losses)[1..];
            }),
            Err(LentError)
        );
        assert_eq!(
            refused(|memory| memory.more_than = &mut core::mem::take(&mut memory.more_than)[1..]),
            Err(LentError)
        );
        // 16 bits name a place in the ledger. What is leaked for it an interpreter would not forgive.
        if !cfg!(miri) {
            assert_eq!(refused(|memory| memory.losses = losses(LENT_LOSSES_MAX as usize)), Ok(()));
            assert_eq!(
                refused(|memory| memory.losses = losses(LENT_LOSSES_MAX as usize + 1)),
                Err(LentError)
            );
        }
    }
}
