//! Looking, consuming and answering.

use super::{Bench, Outcome};
use crate::{losses::merged, op::Reply};
use ss_lib::{
    BatchToken, ConsumeError, DropCause, Loss, ReadError, Record, StaleBatch, ram::Backing,
};

impl<B: Backing> Bench<B> {
    pub(super) fn peek(&mut self, place: usize) -> Outcome {
        let peeked = self.store.peek(self.handles[place]);
        let Ok(record) = peeked else { panic!("peek failed: {peeked:?}") };
        let records: Vec<_> = record.into_iter().collect();
        self.compare_with_next(place, 1, &records);
        Outcome::Peeked(records)
    }

    pub(super) fn peek_batch(&mut self, place: usize, limit: u16) -> Outcome {
        let mut records = vec![Record::default(); usize::from(limit)];
        let peeked = self.store.peek_batch(self.handles[place], &mut records);
        let Ok(count) = peeked else { panic!("peek failed: {peeked:?}") };
        records.truncate(count);
        self.compare_with_next(place, usize::from(limit), &records);
        Outcome::Peeked(records)
    }

    fn compare_with_next(&mut self, place: usize, limit: usize, records: &[Record]) {
        let next = self.models[place].next_batch(limit, |sector| self.is_rotten(sector));
        self.compare(place, next, records);
    }

    fn compare(&mut self, place: usize, held: std::ops::Range<usize>, records: &[Record]) {
        assert_eq!(records.len(), held.len(), "another number of records");
        for (reading, record) in self.models[place].held.range_mut(held).zip(records) {
            reading.assert_is(record, self.config.epoch);
        }
    }

    pub(super) fn read_ahead(&mut self, place: usize, ahead: u16) -> Outcome {
        let model = &self.models[place];
        let first = model.held.front().map_or(model.next_seq, |reading| reading.seq);
        // One before the oldest is asked for too: it is gone.
        let seq = first.wrapping_sub(1).wrapping_add(u64::from(ahead));
        let read = self.store.read_at(self.handles[place], seq);
        let held = model.held.iter().position(|reading| reading.seq == seq);
        match (held, read) {
            (None, read) => assert_eq!(read, Err(ReadError::NotRetained), "record {seq}"),
            (Some(held), read) if self.is_rotten(model.held[held].sector) => {
                assert_eq!(read, Err(ReadError::Corrupt), "record {seq}");
            }
            (Some(held), Ok(record)) => self.compare(place, held..held + 1, &[record]),
            (Some(_), Err(error)) => panic!("record {seq} cannot be read: {error}"),
        }
        Outcome::ReadAt(read)
    }

    pub(super) fn consume(&mut self, place: usize, limit: u16) -> Outcome {
        let mut records = vec![Record::default(); usize::from(limit)];
        let consumed = self.store.consume(self.handles[place], &mut records);
        let lost = self.losses.read(&self.store);
        if self.models[place].pending > 0 {
            assert_eq!(consumed, Err(ConsumeError::BatchPending));
            assert_eq!(lost, []);
            return Outcome::Consumed(consumed, Vec::new());
        }
        if limit > 0 {
            self.drop_rotten_front(place, &lost);
        } else {
            assert_eq!(lost, []);
        }
        let limit = usize::from(limit);
        let next = self.models[place].next_batch(limit, |sector| self.is_rotten(sector));
        let Ok(Some(token)) = consumed else {
            assert_eq!(consumed, Ok(None));
            assert!(next.is_empty(), "records wait and none was handed out");
            return Outcome::Consumed(consumed, Vec::new());
        };
        assert_eq!(next.start, 0, "a batch begins with the oldest record");
        records.truncate(token.count() as usize);
        self.compare(place, next.clone(), &records);
        assert_eq!(token.sensor(), self.handles[place]);
        assert_eq!(token.epoch(), self.config.epoch);
        assert_eq!(token.first_seq(), records[0].seq);
        assert!(!self.tokens.contains(&token), "a token was handed out twice: {token:?}");
        let model = &mut self.models[place];
        model.pending = next.len();
        model.token = Some(token);
        self.tokens.push(token);
        self.last_tokens[place] = Some(token);
        Outcome::Consumed(consumed, records)
    }

    /// The damaged sectors in front of the sensor's queue are dropped, each of their records named.
    fn drop_rotten_front(&mut self, place: usize, lost: &[Loss]) {
        let mut expected = Vec::new();
        while let Some(sector) = self.models[place].held.front().map(|reading| reading.sector)
            && self.is_rotten(sector)
        {
            let model = &mut self.models[place];
            let count = model.held.iter().take_while(|reading| reading.sector == sector).count();
            let dropped = model.remove(0..count);
            model.corrupt += count as u64;
            let first = dropped[0].seq;
            expected.push((first, first + count as u64, DropCause::Corrupt));
        }
        self.assert_lost(place, lost, merged(expected));
    }

    fn assert_lost(&mut self, place: usize, lost: &[Loss], expected: Vec<(u64, u64, DropCause)>) {
        for loss in lost {
            assert_eq!((loss.sensor, loss.at_ms), (self.handles[place], self.now_ms));
        }
        let said = lost.iter().map(|loss| (loss.first_seq, loss.end_seq(), loss.cause));
        assert_eq!(merged(said), expected, "the ledger names another loss");
        let expected = expected.into_iter().map(|(first, end, cause)| (first, end, Some(cause)));
        self.departed[place].extend(expected);
    }

    pub(super) fn answer(&mut self, token: BatchToken, reply: Reply) -> Outcome {
        let answered = match reply {
            Reply::Ack => self.store.ack(token),
            Reply::Nack => self.store.nack(token),
            Reply::Reject => self.store.reject(token),
        };
        let lost = self.losses.read(&self.store);
        let place = self.handles.iter().position(|&handle| handle == token.sensor());
        let live = place.filter(|&place| self.models[place].token == Some(token));
        let Some(place) = live else {
            // That nothing changed is what the comparison of every count says.
            assert_eq!(answered, Err(StaleBatch), "{reply:?} with {token:?}");
            assert_eq!(lost, []);
            return Outcome::Answered(answered);
        };
        assert_eq!(answered, Ok(()), "{reply:?} with {token:?}");
        let first = token.first_seq();
        let end = first + u64::from(token.count());
        match reply {
            Reply::Ack | Reply::Nack => assert_eq!(lost, []),
            Reply::Reject => {
                self.assert_lost(place, &lost, vec![(first, end, DropCause::Rejected)]);
                self.models[place].rejected += end - first;
            }
        }
        if reply == Reply::Nack {
            self.models[place].return_pending();
        } else {
            let erased = self.models[place].erase_pending();
            assert!(erased.iter().map(|reading| reading.seq).eq(first..end), "another range");
            if reply == Reply::Ack {
                self.departed[place].push((first, end, None));
            }
        }
        Outcome::Answered(answered)
    }
}
