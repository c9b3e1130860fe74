//! The judge of a run. It keeps its own books of what was given, handed out, answered and lost, and
//! holds the store's every word against them. It never looks into the store: it uses the public
//! face only, and believes nothing that it can reckon itself.

mod book;
mod levels;
mod loss;
mod ranges;
mod restart;
mod shelf;
mod violation;

pub use violation::{Promise, Violation};

use super::{Answer, Engine, Given, Levels, Observer, Restart, Restarted};
use crate::{
    AppendError, BatchToken, Loss, Record, Sensor, SensorConfig, SensorStats, StaleBatch,
    ram::{FullPolicy, PoolStats},
};
use book::Book;

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
    /// Its disk, if it has one.
    pub disk: Option<DiskTerms>,
}

/// What the judge must know of a store's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskTerms {
    /// What a sensor may hold there, in bytes.
    pub quota_bytes: u64,
    /// What the store may hold there, in bytes.
    pub disk_max_bytes: u64,
    /// A sync of this disk may fail: what was written and not durable before a power cut may be missing
    /// among what is there.
    pub sync_fails: bool,
    /// A read of this disk may fail: then less is handed out than is there, for this time.
    pub read_fails: bool,
}

/// Nobody's place among the handles.
const NO_BOOK: u32 = u32::MAX;

/// The judge. See the module.
pub struct Oracle {
    terms: Terms,
    books: Vec<Book>,
    /// The book of each handle.
    places: Vec<u32>,
    /// How far each sensor had come when the store was last stopped.
    before: Vec<Levels>,
    violation: Option<Violation>,
    redelivered: u64,
    oldest_age_ms: u64,
    durable_lag_ms: u64,
    lost_in_kills: u64,
    shutdown_left: u64,
    disk_records_peak: u64,
    centibytes_per_record: u64,
    /// The part of the sensors that the next tick looks at.
    part: usize,
}

impl Oracle {
    /// A judge of a run that has not begun.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            books: Vec::new(),
            places: Vec::new(),
            before: Vec::new(),
            violation: None,
            redelivered: 0,
            oldest_age_ms: 0,
            durable_lag_ms: 0,
            lost_in_kills: 0,
            shutdown_left: 0,
            disk_records_peak: 0,
            centibytes_per_record: 0,
            part: 0,
        }
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
        let held = self.books.iter().filter_map(Book::oldest);
        let ages = held.map(|oldest| now_ms.saturating_sub(oldest.added_ms));
        ages.fold(self.oldest_age_ms, u64::max)
    }

    /// The longest that a record was held which was not yet durable, in ms of virtual time. Each sensor
    /// is looked at once a second.
    pub fn durable_lag_ms(&self) -> u64 {
        self.durable_lag_ms
    }

    /// Records that were held in RAM only when the store was killed.
    pub fn lost_in_kills(&self) -> u64 {
        self.lost_in_kills
    }

    /// Records that shutdowns left unwritten at their deadline.
    pub fn shutdown_left(&self) -> u64 {
        self.shutdown_left
    }

    /// Bytes on disk for a record that was on disk only, when most of them were, in hundredths.
    pub fn centibytes_per_record(&self) -> u64 {
        self.centibytes_per_record
    }

    fn place(&mut self, sensor: Sensor, index: usize) {
        if self.places.len() <= sensor.index() {
            self.places.resize(sensor.index() + 1, NO_BOOK);
        }
        self.places[sensor.index()] = index as u32;
    }

    /// The index of the sensor's book. The driver names only sensors that were registered; the store
    /// may name any.
    #[inline]
    fn index(&self, sensor: Sensor) -> usize {
        self.places.get(sensor.index()).map_or(usize::MAX, |&index| index as usize)
    }

    #[inline]
    fn book(&self, sensor: Sensor) -> &Book {
        &self.books[self.index(sensor)]
    }

    fn book_mut(&mut self, sensor: Sensor) -> Option<&mut Book> {
        let index = self.index(sensor);
        self.books.get_mut(index)
    }

    /// The end of a run: takes everything out of the store that is still in it, so that no record
    /// goes unread, and judges that as well.
    pub fn drain<E: Engine>(&mut self, now_ms: u64, engine: &mut E) {
        let mut batch = vec![Record::default(); DRAIN_RECORDS];
        for index in 0..self.books.len() {
            let Some(sensor) = self.books[index].sensor else { continue };
            if let Some(token) = self.books[index].pending {
                self.answer(now_ms, engine, token, Answer::Nack);
            }
            while self.violation.is_none() && self.books[index].held_count() > 0 {
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

    fn may_fail_to_read(&self) -> bool {
        self.terms.disk.is_some_and(|disk| disk.read_fails)
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
        let (index, seq) = match place {
            Place::Store => (None, None),
            Place::Book(index) => (Some(index), None),
            Place::Sensor(sensor) => (Some(self.index(sensor)), None),
            Place::Record(sensor, seq) => (Some(self.index(sensor)), Some(seq)),
        };
        let sensor = index.and_then(|index| self.books.get(index)).map(|book| book.key);
        if self.violation.is_none() {
            self.violation = Some(Violation { promise, sensor, seq, virtual_ms, seen });
        }
    }
}

/// What a broken promise is about.
#[derive(Clone, Copy)]
enum Place {
    Store,
    Book(usize),
    Sensor(Sensor),
    Record(Sensor, u64),
}

impl<E: Engine> Observer<E> for Oracle {
    fn registered(&mut self, sensor: Sensor, config: SensorConfig) {
        self.place(sensor, self.books.len());
        self.books.push(Book::new(sensor, config));
    }

    #[inline]
    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {
        let index = self.index(given.sensor);
        let shelf = &mut self.books[index].shelf;
        if seq != shelf.end_seq() {
            let seen = format!("the add got number {seq}, due was {}", shelf.end_seq());
            return self.blame(Promise::Order, now_ms, Place::Record(given.sensor, seq), seen);
        }
        shelf.push(shelf::Given {
            seq,
            time_ms: given.at.ms,
            added_ms: now_ms,
            value: given.value,
            epoch: self.terms.epoch,
            clock: given.at.clock,
            kind: given.kind,
        });
    }

    fn refused(&mut self, now_ms: u64, given: Given, error: AppendError, pool: PoolStats) {
        let index = self.index(given.sensor);
        self.books[index].counts.refused += 1;
        let has_free = pool.sectors_used < pool.sectors_limit;
        // A sensor with records and nothing pending has a sector that could be recycled, unless all
        // of them are on disk, where nothing is recycled.
        let has_droppable = self.terms.policy == FullPolicy::RecycleOldest
            && self.terms.disk.is_none()
            && self.books.iter().any(Book::is_ready);
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
        let book = self.book(sensor);
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
        let may_fail = self.may_fail_to_read();
        let index = self.index(sensor);
        let book = &mut self.books[index];
        if book.in_doubt.reach(book.head_seq) {
            // A look has no effect: it passes what is lost, and whoever takes it out names that.
            return;
        }
        if may_fail && records.is_empty() {
            return;
        }
        book.peeked = Some(records.len());
        let book = &self.books[index];
        let unsent = book.unsent_count();
        if records.is_empty() || records.len() as u64 > unsent {
            let seen = format!("peek shows {} of {unsent} records", records.len());
            return self.blame(Promise::Order, now_ms, Place::Sensor(sensor), seen);
        }
        if let Some((seq, promise, seen)) = book.first_difference(book.pending_count(), records) {
            self.blame(promise, now_ms, Place::Record(sensor, seq), format!("peek: {seen}"));
        }
    }

    fn delivered(&mut self, now_ms: u64, token: BatchToken, records: &[Record]) {
        let (sensor, epoch) = (token.sensor(), self.terms.epoch);
        let place = Place::Record(sensor, token.first_seq());
        let index = self.index(sensor);
        let peeked = self.books[index].peeked.take();
        let book = &self.books[index];
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
        let held = book.held_count();
        let is_as_seen = peeked.is_none_or(|peeked| peeked == records.len());
        if records.len() as u64 > held || !(is_as_seen || self.may_fail_to_read()) {
            let seen =
                format!("{} records came out, {held} are held, {peeked:?} seen", records.len());
            return self.blame(Promise::Order, now_ms, place, seen);
        }
        if let Some((seq, promise, seen)) = book.first_difference(0, records) {
            return self.blame(promise, now_ms, Place::Record(sensor, seq), seen);
        }
        let book = &mut self.books[index];
        for record in records {
            self.redelivered += u64::from(book.hand_out(record));
        }
        book.pending = Some(token);
    }

    fn nothing_delivered(&mut self, now_ms: u64, sensor: Sensor) {
        let book = self.book(sensor);
        if book.is_ready() && !self.may_fail_to_read() {
            let seen =
                format!("nothing was handed out, {} records are unsent", book.unsent_count());
            let first_seq = book.head_seq;
            self.blame(Promise::Order, now_ms, Place::Record(sensor, first_seq), seen);
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
        if token.epoch() != self.terms.epoch {
            if result.is_ok() {
                let seen = format!("{answer:?} of {token:?}, of an opening before this, was taken");
                self.blame(Promise::Tokens, now_ms, Place::Store, seen);
            }
            return;
        }
        let has_disk = self.terms.disk.is_some();
        let index = self.index(token.sensor());
        let book = &mut self.books[index];
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
            Answer::Ack => {}
            Answer::Reject => {
                book.counts.rejected += count;
                let range = (token.first_seq(), token.first_seq() + count);
                if let Some((first, end)) = book.unnamed_rejection.replace(range) {
                    let seen = format!("the ledger does not name the rejected {first}..{end}");
                    return self.blame(Promise::Conservation, now_ms, place, seen);
                }
            }
        }
        if let Some(oldest) = book.oldest() {
            self.oldest_age_ms = self.oldest_age_ms.max(now_ms.saturating_sub(oldest.added_ms));
        }
        book.counts.erased += count;
        book.move_head(token.first_seq() + count);
        // On a disk, an answer that is not yet durable is undone by a kill.
        if !has_disk {
            let head_seq = book.head_seq;
            book.forget_before(head_seq);
        }
    }

    fn lost(&mut self, now_ms: u64, losses: &[Loss], engine: &E) {
        for loss in losses {
            self.enter_loss(now_ms, loss, engine);
        }
    }

    fn ticked(&mut self, now_ms: u64, engine: &E) {
        if self.terms.disk.is_some() {
            self.look_around(now_ms, engine);
        }
    }

    fn stopping(&mut self, now_ms: u64, _: &Restart, engine: &E) {
        self.before_stop(now_ms, engine);
    }

    fn found_again(&mut self, index: u32, sensor: Option<Sensor>) {
        self.found(index, sensor);
    }

    fn restarted(&mut self, now_ms: u64, restart: &Restart, restarted: Restarted, engine: &E) {
        self.after_open(now_ms, restart, restarted, engine);
    }

    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {
        let mut totals = SensorStats::default();
        for index in 0..self.books.len() {
            let book = &self.books[index];
            let Some(sensor) = book.sensor else { continue };
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
