//! One sensor's FIFO of RAM sectors and its cursors. It knows no lock, no file, no clock.
//!
//! ```text
//!  first                       batch_end                tail
//!    |  head                       |                      |
//!    v   v                         v                      v
//!  [ erased | pending ] [ pending | unsent ] [ unsent ] [ unsent | free ]
//! ```
//!
//! Invariants, kept by every method and walked by [`Chain::check`]:
//! - `first` owns the first sector, each sector owns the next; `tail` is the address of the last.
//! - A chain without records owns no sector: an ack gives sectors back itself (field bug B23).
//! - `head_record` is below the count of the first sector.
//! - `pending` is 0, or `batch_end` is behind the last pending record, in that record's sector.
//! - The numbers in a chain span less than 2^32, so 32 bits in a sector name each (see `sector`).
//!
//! One batch is pending at a time. It never crosses a gap in the numbers, so that a token's
//! (first seq, count) is its exact range.

mod batch;
mod damage;
mod loss;
mod read;
#[cfg(feature = "std")]
mod spill;

#[cfg(feature = "std")]
pub(crate) use loss::record_loss;
pub use read::ChainFault;
#[cfg(feature = "std")]
pub(crate) use spill::{Retired, Run, Visit};

use super::{
    Env,
    count40::Count40,
    sector::{Opening, Sample, SectorView, first_seq_low},
    slots::{Count, Position, Sector, Slot, Slots},
};
use crate::{AppendError, Kind, Sensor, SensorConfig, SensorKey, SensorStats};

/// The span of numbers above which a chain takes no new sector: less than 2^32 by the largest
/// sector, so that no chain reaches 2^32.
const SPAN_MAX: u32 = u32::MAX - 1024;

/// The most records that one batch holds: its count is 16 bits in a chain.
pub const BATCH_RECORDS_MAX: usize = u16::MAX as usize;

/// One sensor: 60 B, so that 100 of them leave room for 100 sectors of 256 B in 32 KiB. Packed to
/// 4 B because `u64` would cost each chain 4 B of padding on a 32-bit machine.
#[repr(C, packed(4))]
pub struct Chain {
    next_seq: u64,
    id: u32,
    period_ms: u32,
    /// The period of grid sectors without a prologue: the one in force when the chain was last
    /// empty. After a change of period the new sectors carry theirs.
    implied_period_ms: u32,
    first: Option<Sector>,
    tail_and_head_record: Position,
    batch_end: Position,
    unsent: u32,
    dropped_corrupt: u32,
    rejected: u32,
    pending: u16,
    /// Counts the batches handed out, so that a token of an earlier attempt at the same records is
    /// told from the one that is pending (field bug B04).
    attempt: u16,
    dropped_recycled: Count40,
    refused: Count40,
    source: u8,
    flags: u8,
}

const EVENT: u8 = 1;
const ACTIVE: u8 = 2;
/// What lay behind the tail was dropped: the numbers go on behind a gap, so nothing more may enter
/// the tail, whatever room it has.
const TAIL_SEALED: u8 = 4;
/// Every number was given.
const EXHAUSTED: u8 = 8;

/// Who asks, for the checksum's seed, the ledger and the pool's books.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) sensor: Sensor,
    pub(crate) epoch: u32,
}

impl Chain {
    pub(crate) const VACANT: Self = Self {
        next_seq: 0,
        id: 0,
        period_ms: 0,
        implied_period_ms: 0,
        first: None,
        tail_and_head_record: Position::ORIGIN,
        batch_end: Position::ORIGIN,
        unsent: 0,
        dropped_corrupt: 0,
        rejected: 0,
        pending: 0,
        attempt: 0,
        dropped_recycled: Count40::ZERO,
        refused: Count40::ZERO,
        source: 0,
        flags: 0,
    };

    /// A sensor without records.
    pub(crate) fn new(config: SensorConfig) -> Self {
        let mut chain =
            Self { id: config.key.id, source: config.key.source, flags: ACTIVE, ..Self::VACANT };
        chain.reconfigure(config.kind, config.period_ms);
        chain.set_next_seq(config.first_seq);
        chain
    }

    pub(crate) const fn key(&self) -> SensorKey {
        SensorKey { source: self.source, id: self.id }
    }

    pub(crate) const fn config(&self) -> SensorConfig {
        SensorConfig {
            key: self.key(),
            kind: self.kind(),
            period_ms: self.period_ms,
            first_seq: self.next_seq,
        }
    }

    const fn kind(&self) -> Kind {
        if self.flags & EVENT != 0 { Kind::Event } else { Kind::TimeSeries }
    }

    pub(crate) const fn is_active(&self) -> bool {
        self.flags & ACTIVE != 0
    }

    pub(crate) fn set_active(&mut self, active: bool) {
        self.flags = if active { self.flags | ACTIVE } else { self.flags & !ACTIVE };
    }

    /// From now on the sensor is of this kind and period. What is stored keeps its own: a sector
    /// says its kind, and its period where that is not the implied one.
    pub(crate) fn reconfigure(&mut self, kind: Kind, period_ms: u32) {
        self.flags = match kind {
            Kind::Event => self.flags | EVENT,
            Kind::TimeSeries => self.flags & !EVENT,
        };
        self.period_ms = period_ms;
        if self.first.is_none() {
            self.implied_period_ms = period_ms;
        }
    }

    pub(crate) const fn pending(&self) -> u32 {
        self.pending as u32
    }

    pub(crate) const fn unsent(&self) -> u32 {
        self.unsent
    }

    pub(crate) fn count_refused(&mut self) {
        self.refused.add(1);
    }

    /// Every figure from the cursors: what was erased is what is neither here nor lost, so the
    /// equation of conservation cannot be broken by a counter of its own (field bug B26).
    pub(crate) fn stats(&self) -> SensorStats {
        let held = u64::from(self.unsent) + u64::from(self.pending);
        let dropped = self.dropped_recycled.get() + u64::from(self.dropped_corrupt);
        SensorStats {
            added: self.next_seq,
            refused: self.refused.get(),
            erased: self.next_seq.saturating_sub(held + dropped),
            rejected: u64::from(self.rejected),
            pending: u64::from(self.pending),
            unsent: u64::from(self.unsent),
            dropped_recycled: self.dropped_recycled.get(),
            dropped_corrupt: u64::from(self.dropped_corrupt),
            ..SensorStats::default()
        }
    }

    #[inline]
    fn view<'m>(&self, slots: Slots<'m>, slot: Slot, owner: Owner) -> SectorView<'m> {
        SectorView::new(slots, slot, owner.sensor.0, self.implied_period_ms)
    }

    const fn head_record(&self) -> u32 {
        self.tail_and_head_record.record()
    }

    const fn tail(&self) -> Slot {
        self.tail_and_head_record.slot()
    }

    fn set_head_record(&mut self, record: u32) {
        self.tail_and_head_record = Position::new(self.tail(), record);
    }

    fn first_slot(&self) -> Option<Slot> {
        self.first.as_ref().map(Sector::slot)
    }

    /// Adds a sample to the open sector. Returns its number, or `None` if it needs a new sector.
    /// What almost every add is, so it asks for as little as it can: no pool, no ledger, no clock.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        slots: Slots<'_>,
        sensor: Sensor,
        sample: Sample,
    ) -> Result<Option<u64>, AppendError> {
        let expected = match sample.kind {
            Kind::Event => ACTIVE | EVENT,
            Kind::TimeSeries => ACTIVE,
        };
        if self.flags != expected {
            // Not what almost every chain is at almost every add.
            self.may_append(sample.kind)?;
            // Its tail is sealed.
            return Ok(None);
        }
        if self.first.is_none() {
            return Ok(None);
        }
        let tail = SectorView::new(slots, self.tail(), sensor.0, self.implied_period_ms);
        if !tail.append(sample, self.period_ms) {
            return Ok(None);
        }
        Ok(Some(self.count_added()))
    }

    /// Whether the sensor may add a sample of this kind at all.
    #[inline]
    fn may_append(&self, kind: Kind) -> Result<(), AppendError> {
        if kind != self.kind() {
            return Err(AppendError::WrongKind);
        }
        if !self.is_active() {
            return Err(AppendError::Inactive);
        }
        if self.flags & EXHAUSTED == 0 { Ok(()) } else { Err(AppendError::SeqExhausted) }
    }

    #[inline]
    fn count_added(&mut self) -> u64 {
        let seq = self.next_seq;
        self.set_next_seq(seq + 1);
        self.unsent += 1;
        seq
    }

    /// Says here whether that was the last, so that no add has to ask before.
    #[inline]
    fn set_next_seq(&mut self, next_seq: u64) {
        self.next_seq = next_seq;
        if next_seq as u32 & (next_seq >> 32) as u32 == u32::MAX {
            self.flags |= EXHAUSTED;
        }
    }

    /// Whether the chain can take a new sector at all; an add that it cannot take is refused.
    #[inline]
    pub(crate) fn may_open_sector<'m>(
        &mut self,
        env: &impl Env<'m>,
        owner: Owner,
    ) -> Result<(), AppendError> {
        if let Some(first) = self.first_slot() {
            let said = first_seq_low(env.slots(), first);
            // A rotten number must not stop a sensor.
            if (self.next_seq as u32).wrapping_sub(said) > SPAN_MAX
                && self.is_too_long(env.slots(), first, owner)
            {
                self.count_refused();
                return Err(AppendError::Full);
            }
        }
        Ok(())
    }

    #[cold]
    fn is_too_long(&self, slots: Slots<'_>, first: Slot, owner: Owner) -> bool {
        self.next_seq - self.first_seq_of(slots, first, owner) > u64::from(SPAN_MAX)
    }

    /// Links `sector` behind the tail and writes the sample as its first record. Returns its
    /// number. Only if `may_open_sector`; the pool's books know of the sector already.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    pub(crate) fn append_in_new_sector(
        &mut self,
        slots: Slots<'_>,
        owner: Owner,
        sample: Sample,
        sector: Sector,
    ) -> u64 {
        let slot = sector.slot();
        let mut stamped = false;
        if self.first.is_none() {
            self.implied_period_ms = self.period_ms;
            self.tail_and_head_record = Position::new(slot, 0);
            self.first = Some(sector);
        } else {
            // A series that left its grid early will do so again: a sector with a time beside each
            // value costs 8 B a record, a sector for each record would cost all of it (B16).
            let tail = slots.counted(self.tail());
            if sample.kind == Kind::TimeSeries {
                stamped = self.view(slots, self.tail(), owner).is_sparse_grid(tail);
            }
            slots.put_next(self.tail(), tail, sector);
            self.tail_and_head_record = self.tail_and_head_record.in_sector(slot);
        }
        self.flags &= !TAIL_SEALED;
        let opening = Opening {
            first_seq: self.next_seq,
            period_ms: self.period_ms,
            implied_period_ms: self.implied_period_ms,
            stamped,
        };
        self.view(slots, slot, owner).open(opening, sample);
        self.count_added()
    }

    fn give_back_first<'m>(&mut self, env: &mut impl Env<'m>) {
        let slots = env.slots();
        let Some(first) = self.first_slot() else { return };
        if let Some(sector) = self.unlink_first(slots, slots.counted(first)) {
            env.pool(|mut pool| pool.give_back(sector));
        }
    }

    /// Takes the first sector, which holds so many records, out of the chain.
    #[inline]
    fn unlink_first(&mut self, slots: Slots<'_>, held: Count) -> Option<Sector> {
        let next = slots.take_next_of_counted(self.first_slot()?, held);
        self.set_head_record(0);
        core::mem::replace(&mut self.first, next)
    }

    /// The addresses of the chain's sectors, first to last. Bounded by the pool's size.
    fn walk<'m>(&self, slots: Slots<'m>) -> impl Iterator<Item = Slot> + use<'m> {
        core::iter::successors(self.first_slot(), move |&slot| slots.next(slot))
            .take(slots.sectors() as usize + 1)
    }
}

impl AsMut<Self> for Chain {
    #[inline]
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests;
