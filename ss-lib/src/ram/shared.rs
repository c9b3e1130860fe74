//! A store for threads: heap memory taken once, and a lock for each sensor.
//!
//! Producers of different sensors meet only at the pool, for the few instructions in which a sector
//! is taken or given; the uploader meets a producer only at the sensor that both use. README.md has
//! what that was measured to cost against one lock for a store.

use super::{
    Env, Geometry, GeometryError, LedgerStats, PoolStats,
    backing::Memory,
    chain::Chain,
    check::{self, Fault},
    holders::{self, Holders, Small},
    ledger::{Ledger, LedgerState},
    pool::{Pool, PoolState},
    slots::Slots,
    store::{Config, Store},
};
use crate::{
    Loss, RegisterError, Sensor, SensorConfig, SensorKey,
    sync::{
        Arc, Mutex,
        atomic::{self, AtomicBool, AtomicU64},
        enter,
    },
};
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

/// What a shared store is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// The pool. Cut it for `sensors_max` sensors: in one cut for fewer they compete for sectors.
    pub geometry: Geometry,
    /// The most sensors that can be registered.
    pub sensors_max: u32,
    /// Entries of the loss ledger.
    pub losses_max: u32,
    /// Policy and epoch.
    pub config: Config,
}

impl SharedConfig {
    /// A pool of `pool_bytes` in the largest sectors that serve `sensors` sensors, a ledger of an
    /// entry a sensor (at least 256), and the default policy.
    pub fn auto(pool_bytes: u64, sensors: u32) -> Result<Self, GeometryError> {
        Ok(Self {
            geometry: Geometry::auto(pool_bytes, sensors)?,
            sensors_max: sensors,
            losses_max: sensors.max(256),
            config: Config::default(),
        })
    }
}

/// A handle to heap memory behind locks. Clones are handles to the same store. `T` is what another
/// tier keeps beside each chain, under the same lock.
pub struct Shared<T = ()>(Arc<Inner<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One chain with its lock on cache lines of its own: two producers never write the same line.
#[repr(align(64))]
struct Place<T>(Mutex<Tenant<T>>);

/// A chain, and what another tier keeps beside it.
struct Tenant<T> {
    chain: Chain,
    beside: T,
}

struct Inner<T> {
    words: Box<[AtomicU32]>,
    links: Box<[AtomicU32]>,
    sector_words: usize,
    places: Box<[Place<T>]>,
    registry: Mutex<Registry>,
    /// Places that were claimed: `registry`'s length, to be read without its lock.
    sensors: atomic::AtomicU32,
    pool: Mutex<PoolMemory>,
    ledger: Mutex<LedgerMemory>,
    /// What the ledger has recorded, to be read without its lock.
    losses_recorded: AtomicU64,
    config: Config,
    now_ms: AtomicU64,
    is_closing: AtomicBool,
}

/// The registered sensors by key. Behind its own lock: only `register` and `find` come here.
struct Registry {
    by_key: Vec<(SensorKey, Sensor)>,
}

struct PoolMemory {
    state: PoolState,
    /// See [`Holders`].
    order: Box<[u32]>,
    ranks: Box<[u32]>,
    more_than: Box<[u32]>,
    droppable_max: u32,
}

struct LedgerMemory {
    state: LedgerState,
    ring: Box<[Loss]>,
    newest: Box<[u32]>,
    unsaved: Box<[bool]>,
}

/// The bytes that a shared store takes from the heap when it is opened, and never more: the pool,
/// 4 B a sector for its link and 4 B for the pool's books, 128 B a sensor for its chain and lock, 12 B
/// for its place in the registry, 8 B for the pool's books and 4 B for the ledger's, 33 B a ledger entry,
/// and a constant.
pub fn footprint_bytes(config: &SharedConfig) -> u64 {
    footprint_bytes_beside::<()>(config)
}

/// The same with a `T` beside each chain.
pub(crate) fn footprint_bytes_beside<T>(config: &SharedConfig) -> u64 {
    let sectors = u64::from(config.geometry.sectors());
    let sensors = u64::from(config.sensors_max);
    // An Arc keeps two counters in front of its value.
    let constant = size_of::<Inner<T>>() as u64 + 2 * size_of::<usize>() as u64;
    constant
        + sectors * (u64::from(config.geometry.sector_bytes()) + 8)
        + sensors * (size_of::<Place<T>>() + size_of::<(SensorKey, Sensor)>() + 12) as u64
        + u64::from(config.losses_max) * (size_of::<Loss>() + size_of::<bool>()) as u64
}

fn zeros(count: usize) -> Box<[AtomicU32]> {
    (0..count).map(|_| AtomicU32::new(0)).collect()
}

impl Store<Shared> {
    /// Opens an empty store. All memory is taken here.
    pub fn open_shared(config: SharedConfig) -> Self {
        Self::open_beside(config)
    }
}

impl<T: Default> Store<Shared<T>> {
    /// The same with a `T` beside each chain.
    pub(crate) fn open_beside(config: SharedConfig) -> Self {
        let sector_words = config.geometry.sector_bytes() as usize / 4;
        let sectors = config.geometry.sectors() as usize;
        let sensors = config.sensors_max as usize;
        let inner = Inner {
            words: zeros(sectors * sector_words),
            links: zeros(sectors),
            sector_words,
            places: (0..sensors)
                .map(|_| Place(Mutex::new(Tenant { chain: Chain::VACANT, beside: T::default() })))
                .collect(),
            registry: Mutex::new(Registry { by_key: Vec::with_capacity(sensors) }),
            sensors: atomic::AtomicU32::new(0),
            pool: Mutex::new(PoolMemory {
                state: PoolState::EMPTY,
                order: vec![0; sensors].into(),
                ranks: vec![0; sensors].into(),
                more_than: vec![0; sectors].into(),
                droppable_max: 0,
            }),
            ledger: Mutex::new(LedgerMemory {
                state: LedgerState::EMPTY,
                ring: vec![Loss::NONE; config.losses_max as usize].into(),
                newest: vec![u32::NONE; sensors].into(),
                unsaved: vec![false; config.losses_max as usize].into(),
            }),
            losses_recorded: AtomicU64::new(0),
            config: config.config,
            now_ms: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
        };
        inner.env().pool(|mut pool| pool.format());
        Self { backing: Shared(Arc::new(inner)) }
    }
}

impl<T> Store<Shared<T>> {
    /// Runs `f` over the sensor's chain and what lies beside it, which nobody else touches meanwhile.
    #[inline]
    pub(crate) fn with_tenant<R>(
        &self,
        sensor: Sensor,
        f: impl FnOnce(&mut Chain, &mut T, &mut SharedEnv<'_, T>) -> R,
    ) -> Option<R> {
        let inner = &self.backing.0;
        let mut tenant = enter(inner.place(sensor)?);
        let Tenant { chain, beside } = &mut *tenant;
        Some(f(chain, beside, &mut inner.env()))
    }

    /// The sensor that is `index`th in the order of keys. One that is registered meanwhile moves those
    /// behind it by one place.
    pub(crate) fn nth_by_key(&self, index: usize) -> Option<(SensorKey, Sensor)> {
        enter(&self.backing.0.registry).by_key.get(index).copied()
    }

    /// The sensor of this name, and its place in the order of keys.
    pub(crate) fn find_by_key(&self, key: SensorKey) -> Option<(usize, Sensor)> {
        let registry = enter(&self.backing.0.registry);
        let at = registry.by_key.binary_search_by_key(&key, |&(key, _)| key).ok()?;
        Some((at, registry.by_key[at].1))
    }

    /// Registers a sensor with what lies beside its chain: nobody finds one without the other.
    pub(crate) fn register_beside(
        &mut self,
        config: SensorConfig,
        beside: T,
    ) -> Result<Sensor, RegisterError> {
        let tenant = Tenant { chain: Chain::new(config), beside };
        self.backing.0.claim(config.key, |place| *place = tenant)
    }

    /// Runs `f` with the loss ledger, outside of any chain.
    pub(crate) fn with_ledger<R>(&self, f: impl FnOnce(Ledger<'_, u32>) -> R) -> R {
        self.backing.0.env().ledger(f)
    }

    /// The clock as it was last told, in ms.
    pub(crate) fn now_ms(&self) -> u64 {
        self.backing.0.now_ms.load(Relaxed)
    }
}

impl<T> Inner<T> {
    /// Claims the next place; `settle` puts there what it is claimed for.
    fn claim(
        &self,
        key: SensorKey,
        settle: impl FnOnce(&mut Tenant<T>),
    ) -> Result<Sensor, RegisterError> {
        let mut registry = enter(&self.registry);
        let Err(at) = registry.by_key.binary_search_by_key(&key, |&(key, _)| key) else {
            return Err(RegisterError::Duplicate);
        };
        let sensor = Sensor(registry.by_key.len() as u32);
        let place = self.places.get(sensor.index()).ok_or(RegisterError::TooManySensors)?;
        settle(&mut enter(&place.0));
        registry.by_key.insert(at, (key, sensor));
        self.sensors.store(sensor.0 + 1, Release);
        Ok(sensor)
    }

    fn slots(&self) -> Slots<'_> {
        Slots::new(&self.words, &self.links, self.sector_words)
    }

    fn env(&self) -> SharedEnv<'_, T> {
        SharedEnv { inner: self }
    }

    /// The chain of a registered sensor. Places are claimed in order, so a number below the count
    /// is registered.
    #[inline]
    fn place(&self, sensor: Sensor) -> Option<&Mutex<Tenant<T>>> {
        if sensor.0 >= self.sensors.load(Acquire) {
            return None;
        }
        self.places.get(sensor.index()).map(|place| &place.0)
    }
}

/// The pool and the ledger of a shared store, each behind its lock.
pub struct SharedEnv<'m, T = ()> {
    inner: &'m Inner<T>,
}

impl<'m, T> Env<'m> for SharedEnv<'m, T> {
    type Count = u32;
    type LedgerPlace = u32;

    #[inline]
    fn slots(&self) -> Slots<'m> {
        self.inner.slots()
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.inner.is_closing.load(Relaxed)
    }

    #[inline]
    fn now_ms(&self) -> u64 {
        self.inner.now_ms.load(Relaxed)
    }

    #[inline]
    fn pool<R>(&mut self, f: impl FnOnce(Pool<'_, u32>) -> R) -> R {
        let mut memory = enter(&self.inner.pool);
        let PoolMemory { state, order, ranks, more_than, droppable_max: max } = &mut *memory;
        let holders = Holders { order, ranks, more_than, max };
        f(Pool { state, holders, slots: self.inner.slots() })
    }

    fn pool_alone(&mut self) -> Option<Pool<'_, u32>> {
        None
    }

    fn ledger<R>(&mut self, f: impl FnOnce(Ledger<'_, u32>) -> R) -> R {
        let mut memory = enter(&self.inner.ledger);
        let LedgerMemory { state, ring, newest, unsaved } = &mut *memory;
        let result = f(Ledger { ring, newest, unsaved, state });
        self.inner.losses_recorded.store(memory.state.records(), Relaxed);
        result
    }
}

impl<T> Memory for Shared<T> {
    type Env<'a>
        = SharedEnv<'a, T>
    where
        T: 'a;

    type Place = Chain;

    const IS_SHARED: bool = true;

    fn config(&self) -> Config {
        self.0.config
    }

    fn set_now_ms(&mut self, now_ms: u64) {
        self.0.now_ms.store(now_ms, Relaxed);
    }

    fn set_closing(&mut self) {
        self.0.is_closing.store(true, Relaxed);
    }

    fn sensors(&self) -> u32 {
        self.0.sensors.load(Acquire)
    }

    fn find(&self, key: SensorKey) -> Option<Sensor> {
        let registry = enter(&self.0.registry);
        let at = registry.by_key.binary_search_by_key(&key, |&(key, _)| key).ok()?;
        Some(registry.by_key[at].1)
    }

    fn claim(&mut self, chain: Chain) -> Result<Sensor, RegisterError> {
        self.0.claim(chain.key(), |tenant| tenant.chain = chain)
    }

    #[inline]
    fn with_chain<R>(
        &mut self,
        sensor: Sensor,
        f: impl FnOnce(&mut Chain, &mut SharedEnv<'_, T>) -> R,
    ) -> Option<R> {
        let mut tenant = enter(self.0.place(sensor)?);
        Some(f(&mut tenant.chain, &mut self.0.env()))
    }

    fn alone(&mut self) -> Option<(&mut [Chain], SharedEnv<'_, T>)> {
        None
    }

    fn read_chain<R>(&self, sensor: Sensor, f: impl FnOnce(&Chain, Slots<'_>) -> R) -> Option<R> {
        let tenant = enter(self.0.place(sensor)?);
        Some(f(&tenant.chain, self.0.slots()))
    }

    fn with_env<R>(&mut self, f: impl FnOnce(&mut SharedEnv<'_, T>) -> R) -> R {
        f(&mut self.0.env())
    }

    fn pool_stats(&self) -> PoolStats {
        enter(&self.0.pool).state.stats(self.0.slots())
    }

    fn ledger_stats(&self) -> LedgerStats {
        let ledger = enter(&self.0.ledger);
        ledger.state.stats(&ledger.ring)
    }

    fn losses_recorded(&self) -> u64 {
        self.0.losses_recorded.load(Relaxed)
    }

    fn last_loss(&self) -> Option<Loss> {
        let ledger = enter(&self.0.ledger);
        ledger.state.last(&ledger.ring)
    }

    fn copy_losses(&self, out: &mut [Loss]) -> usize {
        let ledger = enter(&self.0.ledger);
        ledger.state.copy_newest(&ledger.ring, out)
    }

    fn check(&mut self) -> Result<(), Fault> {
        // All chains, in order, then the pool: everybody else holds at most one chain and waits
        // with it only for the pool or the ledger, so this cannot close a cycle.
        let chains: Vec<_> = self.0.places.iter().map(|place| enter(&place.0)).collect();
        let pool = enter(&self.0.pool);
        check::walk(
            chains.iter().map(|tenant| &tenant.chain),
            &pool.state,
            |sensor| holders::count(&pool.ranks, &pool.more_than, sensor.0),
            self.0.slots(),
            self.0.config.epoch,
        )
    }
}

impl<T> core::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared").field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}
