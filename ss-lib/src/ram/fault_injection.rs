//! Rotten memory, for tests.

use super::{Backing, Env, Store};

impl<B: Backing> Store<B> {
    /// Flips one bit of a sector's memory, its header included, as failing RAM would. `sector` and
    /// `bit` count from 0; the engine is not told.
    ///
    /// # Panics
    /// If the pool has no such sector or the sector no such bit.
    pub fn flip_bit(&mut self, sector: u32, bit: u32) {
        self.backing.with_env(|env| env.slots().flip_bit(sector, bit));
    }
}
