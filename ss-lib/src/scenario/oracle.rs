//! The judge of a run. It keeps its own books of what was given, handed out, answered and lost, and
//! holds the store's every word against them. It never looks into the store: it uses the public
//! face only, and believes nothing that it can reckon itself.

mod book;
mod violation;

pub use violation::{Promise, Violation};

use super::{Answer, Engine, Given, Observer};
use crate::{
    AppendError, BatchToken, DropCause, Loss, Record, Sensor, SensorConfig, SensorStats,
    StaleBatch,
    ram::{FullPolicy, PoolStats},
};
use book::{Book, Held};

/// Records a batch when the oracle drains what a run left.
const DRAIN_RECORDS: usize = 1_024;

/// What the judge must know of the store that it judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The store's opening.
    pub epoch: u32,
    /// What it does when its pool is full.
    pub policy: FullPolicy,
    /// How many records a sector holds at most: what is dropped is dropped by sectors.
    pub sector_records_max: u32,
}

/// The judge. See the module.
pub struct Oracle {
    terms: Terms,
    books: Vec<Book>,
    violation: Option<Violation>,
    redelivered: u64,
    oldest_age_ms: u64,
}

impl Oracle {
    /// A judge of a run that has not begun.
    pub fn new(terms: Terms) -> Self {
        Self { terms, books: Vec::new(), violation: None, redelivered: 0, oldest_age_ms: 0 }
    }

    /// The first broken promise.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The first broken promise.
    pub fn into_violation(self) -> Option<Violation> {
        self.violation
    }

    /// Deliveries of records that had been delivered before.
    pub fn redelivered(&self) -> u64 {
        self.redelivered
    }

    /// The greatest age that a record reached in the store before it was answered for good, those
    /// that are still held included.
    pub fn oldest_age_ms(&self, now_ms: u64) -> u64 {
        let held = self.books.iter().filter_map(|book| book.held.front());
        let ages = held.map(|oldest| now_ms.saturating_sub(oldest.added_ms));
        ages.fold(self.oldest_age_ms, u64::max)
    }

    /// The end of a run: takes everything out of the store that is still in it, so that no record
    /// goes unread, and judges that as well.
    pub fn drain<E: Engine>(&mut self, now_ms: u64, engine: &mut E) {
        let mut batch = vec![Record::default(); DRAIN_RECORDS];
        for index in 0..self.books.len() {
            let sensor = Sensor(index as u32);
            if let Some(token) = self.books[index].pending {
                self.answer(now_ms, engine, token, Answer::Nack);
            }
            while self.violation.is_none() && !self.books[index].held.is_empty() {
                let Ok(Some(token)) = engine.consume(sensor, &mut batch) else {
                    Observer::<E>::nothing_delivered(self, now_ms, sensor);
                    break;
                };
                let count = (token.count() as usize).min(batch.len());
                Observer::<E>::delivered(self, now_ms, token, &batch[..count]);
                self.answer(now_ms, engine, token, Answer::Ack);
            }
        }
        if self.violation.is_none() {
            self.checkpoint(now_ms, engine);
        }
    }

    fn answer<E: Engine>(
        &mut self,
        now_ms: u64,
        engine: &mut E,
        token: BatchToken,
        answer: Answer,
    ) {
        let result = engine.answer(token, answer);
        Observer::<E>::answered(self, now_ms, token, answer, result);
    }

    #[cold]
    fn blame(&mut self, promise: Promise, virtual_ms: u64, place: Place, seen: String) {
        let (sensor, seq) = match place {
            Place::Store => (None, None),
            Place::Sensor(sensor) => (Some(sensor), None),
            Place::Record(sensor, seq) => (Some(sensor), Some(seq)),
        };
        let sensor = sensor.and_then(|sensor| self.books.get(sensor.index())).map(|book| book.key);
        if self.violation.is_none() {
            self.violation = Some(Violation { promise, sensor, seq, virtual_ms, seen });
        }
    }

    /// Takes a range that the ledger names out of the books. The newest entries are shown after
    /// every loss, so that what is new in one is what is still held of it.
    fn enter_loss(&mut self, now_ms: u64, loss: &Loss) {
        let (sensor, first, end) = (loss.sensor, loss.first_seq, loss.end_seq());
        let place = Place::Record(sensor, first);
        let Some(book) = self.books.get_mut(sensor.index()) else {
            let seen = format!("the ledger names {loss:?}, a sensor that does not exist");
            return self.blame(Promise::Conservation, now_ms, Place::Store, seen);
        };
        if loss.cause == DropCause::Rejected {
            if let Some(rejected) = book.unnamed_rejection.take_if(|(_, last)| *last == end) {
                book.rejected_ranges.add(rejected.0, rejected.1);
            }
            if !book.rejected_ranges.hold(first, end) {
                let seen = format!("the ledger names {loss:?}, which were not rejected");
                self.blame(Promise::Conservation, now_ms, place, seen);
            }
            return;
        }
        // No scenario lets RAM rot, so that a checksum that does not match is the store's own fault.
        if loss.cause == DropCause::Corrupt || self.terms.policy == FullPolicy::RefuseNew {
            let seen =
                format!("{loss:?}: nothing rots here, the policy is {:?}", self.terms.policy);
            return self.blame(Promise::Conservation, now_ms, place, seen);
        }
        let from = book.held.partition_point(|held| held.seq < first);
        let to = book.held.partition_point(|held| held.seq < end);
        if from == to {
            if !book.dropped.hold(first, end) {
                let seen = format!("the ledger names {loss:?}, which were not held");
                self.blame(Promise::Conservation, now_ms, place, seen);
            }
            return;
        }
        let count = to - from;
        let new_first = book.held[from].seq;
        // Sectors are dropped whole, and one that holds pending records is not dropped: behind a
        // batch, the rest of its last sector is left out.
        let pending = book.pending_count();
        let left_out_max = if pending > 0 { self.terms.sector_records_max as usize - 1 } else { 0 };
        let is_oldest_unsent =
            (pending..=pending + left_out_max).contains(&from) && new_first + count as u64 == end;
        if !is_oldest_unsent {
            let seen =
                format!("the ledger names {loss:?}, which are not the oldest unsent records");
            return self.blame(Promise::Conservation, now_ms, place, seen);
        }
        book.held.drain(from..to);
        book.dropped.add(new_first, end);
        book.recycled += count as u64;
    }
}

/// What a broken promise is about.
#[derive(Clone, Copy)]
enum Place {
    Store,
    Sensor(Sensor),
    Record(Sensor, u64),
}

impl<E: Engine> Observer<E> for Oracle {
    fn registered(&mut self, _: Sensor, config: SensorConfig) {
        self.books.push(Book::new(config));
    }

    #[inline]
    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {
        let book = &mut self.books[given.sensor.index()];
        if seq != book.next_seq {
            let seen = format!("the add got number {seq}, due was {}", book.next_seq);
            return self.blame(Promise::Order, now_ms, Place::Record(given.sensor, seq), seen);
        }
        book.next_seq += 1;
        book.added += 1;
        book.held.push_back(Held {
            seq,
            time_ms: given.at.ms,
            added_ms: now_ms,
            value: given.value,
            clock: given.at.clock,
            kind: given.kind,
            was_delivered: false,
        });
    }

    fn refused(&mut self, now_ms: u64, given: Given, error: AppendError, pool: PoolStats) {
        self.books[given.sensor.index()].refused += 1;
        let has_free = pool.sectors_used < pool.sectors_limit;
        // A sensor with records and nothing pending has a sector that could be recycled.
        let has_droppable =
            self.terms.policy == FullPolicy::RecycleOldest && self.books.iter().any(Book::is_ready);
        if error != AppendError::Full || has_free || has_droppable {
            let seen = format!(
                "an add was refused ({error}) by {:?} with {pool:?}, {}",
                self.terms.policy,
                if has_droppable { "and not all is pending" } else { "without need" }
            );
            self.blame(Promise::Conservation, now_ms, Place::Sensor(given.sensor), seen);
        }
    }

    #[inline]
    fn asked(&mut self, now_ms: u64, sensor: Sensor, is_ready: bool) {
        let book = &self.books[sensor.index()];
        if is_ready != book.is_ready() {
            let seen = format!(
                "the store says {} to a batch, {} records are unsent and {} pending",
                if is_ready { "yes" } else { "no" },
                book.unsent_count(),
                book.pending_count()
            );
            self.blame(Promise::Order, now_ms, Place::Sensor(sensor), seen);
        }
    }

    fn peeked(&mut self, now_ms: u64, sensor: Sensor, records: &[Record]) {
        let epoch = self.terms.epoch;
        let book = &mut self.books[sensor.index()];
        book.peeked = Some(records.len());
        let book = &self.books[sensor.index()];
        if records.is_empty() || records.len() > book.unsent_count() {
            let seen = format!("peek shows {} of {} records", records.len(), book.unsent_count());
            return self.blame(Promise::Order, now_ms, Place::Sensor(sensor), seen);
        }
        for (held, record) in book.held.iter().skip(book.pending_count()).zip(records) {
            if let Some((promise, seen)) = book.difference(held, record, epoch) {
                let seen = format!("peek: {seen}");
                return self.blame(promise, now_ms, Place::Record(sensor, record.seq), seen);
            }
        }
    }

    fn delivered(&mut self, now_ms: u64, token: BatchToken, records: &[Record]) {
        let (sensor, epoch) = (token.sensor(), self.terms.epoch);
        let place = Place::Record(sensor, token.first_seq());
        let peeked = self.books[sensor.index()].peeked.take();
        let book = &self.books[sensor.index()];
        if let Some(pending) = book.pending {
            let seen = format!("a second batch was handed out while {pending:?} is pending");
            return self.blame(Promise::Tokens, now_ms, place, seen);
        }
        let fits = token.epoch() == epoch
            && token.count() as usize == records.len()
            && records.first().is_some_and(|record| record.seq == token.first_seq());
        if !fits {
            let seen = format!("{token:?} does not name its {} records", records.len());
            return self.blame(Promise::Tokens, now_ms, place, seen);
        }
        if records.len() > book.held.len() || peeked.is_some_and(|peeked| peeked != records.len()) {
            let held = book.held.len();
            let seen =
                format!("{} records came out, {held} are held, {peeked:?} seen", records.len());
            return self.blame(Promise::Order, now_ms, place, seen);
        }
        for (held, record) in book.held.iter().zip(records) {
            if let Some((promise, seen)) = book.difference(held, record, epoch) {
                return self.blame(promise, now_ms, Place::Record(sensor, record.seq), seen);
            }
        }
        let book = &mut self.books[sensor.index()];
        for (held, record) in book.held.iter_mut().zip(records) {
            if held.was_delivered {
                self.redelivered += 1;
            } else {
                held.was_delivered = true;
                held.time_ms = record.time_ms;
            }
        }
        book.pending = Some(token);
    }

    fn nothing_delivered(&mut self, now_ms: u64, sensor: Sensor) {
        let book = &self.books[sensor.index()];
        if book.is_ready() {
            let seen =
                format!("nothing was handed out, {} records are unsent", book.unsent_count());
            let first = book.held.front().map_or(0, |held| held.seq);
            self.blame(Promise::Order, now_ms, Place::Record(sensor, first), seen);
        }
    }

    fn answered(
        &mut self,
        now_ms: u64,
        token: BatchToken,
        answer: Answer,
        result: Result<(), StaleBatch>,
    ) {
        let place = Place::Record(token.sensor(), token.first_seq());
        let book = &mut self.books[token.sensor().index()];
        let is_pending = book.pending == Some(token);
        if is_pending != result.is_ok() {
            let pending = book.pending;
            let seen = format!("{answer:?} of {token:?} gave {result:?}, pending is {pending:?}");
            return self.blame(Promise::Tokens, now_ms, place, seen);
        }
        if !is_pending {
            return;
        }
        book.pending = None;
        let count = u64::from(token.count());
        match answer {
            Answer::Nack => return,
            Answer::Ack => book.acked += count,
            Answer::Reject => {
                book.rejected += count;
                let range = (token.first_seq(), token.first_seq() + count);
                if let Some((first, end)) = book.unnamed_rejection.replace(range) {
                    let seen = format!("the ledger does not name the rejected {first}..{end}");
                    return self.blame(Promise::Conservation, now_ms, place, seen);
                }
            }
        }
        if let Some(oldest) = book.held.front() {
            self.oldest_age_ms = self.oldest_age_ms.max(now_ms.saturating_sub(oldest.added_ms));
        }
        book.held.drain(..token.count() as usize);
    }

    fn lost(&mut self, now_ms: u64, losses: &[Loss]) {
        for loss in losses {
            self.enter_loss(now_ms, loss);
        }
    }

    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {
        let mut totals = SensorStats::default();
        for index in 0..self.books.len() {
            let sensor = Sensor(index as u32);
            let book = &self.books[index];
            let (own, said) = (book.stats(), engine.stats(sensor));
            totals += own;
            if own != said {
                let seen = format!("the store counts {said:?}, it should be {own:?}");
                return self.blame(Promise::Conservation, now_ms, Place::Sensor(sensor), seen);
            }
            if let Some((first, end)) = book.unnamed_rejection {
                let seen = format!("the ledger does not name the rejected records {first}..{end}");
                let place = Place::Record(sensor, first);
                return self.blame(Promise::Conservation, now_ms, place, seen);
            }
        }
        let ledger = engine.ledger();
        if ledger.records != totals.dropped() + totals.rejected || ledger.forgotten > ledger.records
        {
            let seen = format!("{ledger:?} is not what {totals:?} lost");
            return self.blame(Promise::Conservation, now_ms, Place::Store, seen);
        }
        if let Err(fault) = engine.check() {
            return self.blame(Promise::OneOwner, now_ms, Place::Store, fault.to_string());
        }
        let pool = engine.pool();
        if pool.sectors_used > pool.sectors_total || pool.sectors_peak > pool.sectors_total {
            self.blame(Promise::BoundedRam, now_ms, Place::Store, format!("{pool:?}"));
        }
    }

    fn wants_end(&mut self, _: u64) -> bool {
        self.violation.is_some()
    }
}
