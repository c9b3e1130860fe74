//! Where a store's memory lies, and who may touch it when.

use super::{
    PoolStats,
    chain::Chain,
    check::Fault,
    holders::Small,
    ledger::{Ledger, LedgerStats},
    pool::Pool,
    slots::Slots,
    store::Config,
};
use crate::{DropCause, Loss, RegisterError, Sensor, SensorKey};

/// What a chain works with: the sectors' memory, and the pool and the ledger for a moment each.
///
/// Lock order: a thread holds at most one chain; with it, it may enter the pool or the ledger, and
/// from there nothing. So no cycle of waiting can form.
pub trait Env<'m> {
    /// Counts a sensor's sectors.
    type Count: Small;
    /// Names a place in the ledger.
    type LedgerPlace: Small;

    fn slots(&self) -> Slots<'m>;
    fn is_closing(&self) -> bool;
    /// The clock as it was last told, in ms.
    fn now_ms(&self) -> u64;
    fn pool<R>(&mut self, f: impl FnOnce(Pool<'_, Self::Count>) -> R) -> R;
    /// The pool where it needs no lock.
    fn pool_alone(&mut self) -> Option<Pool<'_, Self::Count>>;
    fn ledger<R>(&mut self, f: impl FnOnce(Ledger<'_, Self::LedgerPlace>) -> R) -> R;
    /// Enters a loss, not of nothing, into the ledger.
    fn record_loss(&mut self, first_seq: u64, count: u32, sensor: Sensor, cause: DropCause) {
        let at_ms = self.now_ms();
        let loss = Loss { first_seq, at_ms, count, sensor, cause };
        self.ledger(|mut ledger| ledger.record(loss));
    }
}

/// What the engine asks of a backing. Public only so that it can bound [`Backing`]; the module is
/// private, so that nobody else can call or implement it.
pub trait Memory {
    type Env<'a>: Env<'a>
    where
        Self: 'a;

    /// Where a chain lies.
    type Place: AsMut<Chain>;

    /// Whether another thread may use a chain between two uses by this one.
    const IS_SHARED: bool;

    fn config(&self) -> Config;
    fn set_now_ms(&mut self, now_ms: u64);
    fn set_closing(&mut self);

    /// Registered sensors.
    fn sensors(&self) -> u32;
    fn find(&self, key: SensorKey) -> Option<Sensor>;
    /// Gives `chain` the next place, unless its key is known or every place is taken.
    fn claim(&mut self, chain: Chain) -> Result<Sensor, RegisterError>;

    /// Runs `f` over the sensor's chain, which nobody else touches meanwhile. `None`: not ours.
    fn with_chain<R>(
        &mut self,
        sensor: Sensor,
        f: impl FnOnce(&mut Chain, &mut Self::Env<'_>) -> R,
    ) -> Option<R>;
    /// The registered sensors' chains beside what they work with, where nobody else can use them.
    fn alone(&mut self) -> Option<(&mut [Self::Place], Self::Env<'_>)>;
    /// `with_chain` for looking only.
    fn read_chain<R>(&self, sensor: Sensor, f: impl FnOnce(&Chain, Slots<'_>) -> R) -> Option<R>;
    /// Runs `f` with the pool and the ledger, outside of any chain.
    fn with_env<R>(&mut self, f: impl FnOnce(&mut Self::Env<'_>) -> R) -> R;

    fn pool_stats(&self) -> PoolStats;
    fn ledger_stats(&self) -> LedgerStats;
    /// `ledger_stats().records`, cheap enough to be asked after every operation.
    fn losses_recorded(&self) -> u64;
    fn copy_losses(&self, out: &mut [Loss]) -> usize;
    fn last_loss(&self) -> Option<Loss>;
    /// Stops everything else and walks all of it.
    fn check(&mut self) -> Result<(), Fault>;
}

/// The memory of a store: [`Inline`](super::Inline), [`Lent`](super::Lent) or
/// [`Shared`](super::Shared). Sealed.
pub trait Backing: Memory {}

impl<M: Memory> Backing for M {}
