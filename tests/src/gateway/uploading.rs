//! Batches: what is handed out is the model's front, and an answer counts once.

use super::{bench::Bench, home::Home, model::Held};
use crate::op::Reply;
use ss_lib::{BatchToken, ConsumeError, Record, StaleBatch, gateway::DrainLimits};

impl<H: Home> Bench<H> {
    pub(super) fn read_at(&mut self, place: usize, ahead: u64) {
        let model = &self.models[place];
        let Some(handle) = model.handle else { return };
        let seq = model.held.front().map_or(model.next_seq, Held::seq).wrapping_add(ahead);
        let read = self.gateway().read_at(handle, seq);
        let epochs = self.models[place].held.iter_mut().find(|held| held.seq() == seq);
        match (read, epochs) {
            (Ok(record), Some(held)) => held.reading.assert_is(&record, held.epoch),
            (Err(_), None) => {}
            (read, held) => panic!("{seq}: {read:?}, but {held:?}"),
        }
    }

    pub(super) fn consume(&mut self, place: usize, limit: usize) {
        let Some(handle) = self.models[place].handle else { return };
        let mut peeked = vec![Record::default(); limit];
        let mut out = peeked.clone();
        let count = self.gateway().peek_batch(handle, &mut peeked);
        peeked.truncate(count.unwrap_or(0));
        let consumed = self.gateway().consume(handle, &mut out);
        self.read_losses();
        let model = &mut self.models[place];
        if model.pending > 0 {
            assert_eq!(consumed, Err(ConsumeError::BatchPending));
            return;
        }
        let batch = model.next_batch(limit);
        let token = match consumed {
            Ok(token) => token,
            Err(error) => panic!("{:?}: {error}", model.key),
        };
        assert_eq!(token.map_or(0, |token| token.count() as usize), batch.len(), "{:?}", model.key);
        out.truncate(batch.len());
        assert_eq!(peeked, out, "peek and consume differ");
        if let Some(token) = token {
            self.hand_out(place, token, &out);
        }
    }

    /// The store handed out a batch.
    fn hand_out(&mut self, place: usize, token: BatchToken, out: &[Record]) {
        let epoch = self.gateway().epoch();
        let model = &mut self.models[place];
        assert_eq!(model.pending, 0, "{:?} has two batches", model.key);
        assert_eq!(Some(token.first_seq()), model.held.front().map(Held::seq));
        assert_eq!((token.count() as usize, token.epoch()), (out.len(), epoch));
        for (held, record) in model.held.iter_mut().zip(out) {
            held.reading.assert_is(record, held.epoch);
        }
        model.pending = out.len();
        (model.token, model.last_token) = (Some(token), Some(token));
        self.tokens.push(token);
        self.happened.consumed += out.len() as u64;
    }

    pub(super) fn answer(&mut self, token: BatchToken, reply: Reply) {
        let gateway = self.gateway();
        let answered = match reply {
            Reply::Ack => gateway.ack(token),
            Reply::Nack => gateway.nack(token),
            Reply::Reject => gateway.reject(token),
        };
        let Some(model) = self.models.iter_mut().find(|model| model.token == Some(token)) else {
            assert_eq!(answered, Err(StaleBatch), "{token:?}");
            return;
        };
        assert_eq!(answered, Ok(()), "{token:?}");
        match reply {
            Reply::Nack => model.return_pending(),
            Reply::Ack => model.erase_pending(),
            Reply::Reject => {
                model.rejected += u64::from(token.count());
                model.erase_pending();
            }
        }
    }

    pub(super) fn drain(
        &mut self,
        batch: usize,
        room: usize,
        batches: usize,
        reply: Option<Reply>,
    ) {
        let mut out = vec![Record::default(); room];
        let Some(none) = self.tokens.first().copied().or_else(|| self.any_token()) else { return };
        let mut tokens = vec![none; batches];
        let limits = DrainLimits { batch_records: batch };
        let drained = match self.gateway().drain(limits, &mut out, &mut tokens) {
            Ok(drained) => drained,
            Err(error) => panic!("{error}"),
        };
        self.read_losses();
        assert!(drained.batches <= batches && drained.records <= room, "{drained:?}");
        let mut from = 0;
        tokens.truncate(drained.batches);
        for &token in &tokens {
            let end = from + token.count() as usize;
            assert!(end - from <= batch, "{token:?} is more than {batch}");
            let place = self.models.iter().position(|m| m.handle == Some(token.sensor()));
            let Some(place) = place else { panic!("{token:?} of nobody") };
            self.hand_out(place, token, &out[from..end]);
            from = end;
        }
        assert_eq!(from, drained.records);
        if drained.batches == 0 {
            // Something that waits is handed out, unless something is not answered yet.
            let waits = self.models.iter().any(|m| m.handle.is_some() && m.unsent() > 0);
            let is_pending = self.models.iter().any(|m| m.pending > 0);
            assert!(!waits || is_pending, "nothing was drained");
        }
        if let Some(reply) = reply {
            for token in tokens {
                self.answer(token, reply);
            }
        }
    }

    /// A token to fill an array with.
    fn any_token(&mut self) -> Option<BatchToken> {
        let ready = |model: &super::model::SensorModel| {
            model.handle.is_some() && model.pending == 0 && model.unsent() > 0
        };
        let place = self.models.iter().position(ready)?;
        self.consume(place, 1);
        let token = self.models[place].token?;
        self.answer(token, Reply::Nack);
        Some(token)
    }
}
