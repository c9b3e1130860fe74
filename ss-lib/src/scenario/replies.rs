//! Replies on their way back, and what the network and the cloud made of a batch.

use super::{Answer, Description, Uploader, heap::Heap};
use crate::BatchToken;
use core::cmp::Ordering;
use rand::RngExt;
use rand_pcg::Pcg32;

/// A reply (or the end of waiting for one) that will reach the uploader.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    due_ms: u64,
    /// Makes the order of equal due times the order of sending.
    number: u64,
    token: Option<BatchToken>,
    answer: Answer,
    /// Comes over the network: lost if that is down when it is due.
    from_cloud: bool,
    /// Its loss must be made up for by the uploader's own timeout, at this time.
    timeout_ms: u64,
}

/// Room for replies that a run has for each sensor: one for its pending batch, and late and double
/// ones beside it. The uploader waits while there is no room, so every machine has the same.
pub const REPLIES_PER_SENSOR: usize = 4;

impl Reply {
    /// A place without a reply.
    pub const VACANT: Self = Self {
        due_ms: 0,
        number: 0,
        token: None,
        // Nothing but zeros: a static of many is no bytes in flash.
        answer: Answer::Ack,
        from_cloud: false,
        timeout_ms: 0,
    };
}

impl Default for Reply {
    fn default() -> Self {
        Self::VACANT
    }
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Reply {}

impl PartialOrd for Reply {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Reply {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due_ms, self.number).cmp(&(other.due_ms, other.number))
    }
}

/// The network and the cloud behind it.
pub(super) struct Replies<'a> {
    uploader: Option<Uploader>,
    outages: &'a [super::Outage],
    queue: Heap<'a, Reply>,
    rng: Pcg32,
    sent: u64,
    /// The uploader backs off until then.
    quiet_until_ms: u64,
}

impl<'a> Replies<'a> {
    pub(super) fn new(description: &Description<'a>, queue: &'a mut [Reply]) -> Self {
        Self {
            uploader: description.uploader,
            outages: description.outages,
            queue: Heap::new(queue),
            rng: Pcg32::new(description.seed, 2),
            sent: 0,
            quiet_until_ms: 0,
        }
    }

    fn is_down(&self, now_ms: u64) -> bool {
        let begun = self.outages.partition_point(|outage| outage.from_ms <= now_ms);
        begun > 0 && now_ms < self.outages[begun - 1].until_ms
    }

    /// Whether another batch may be sent: the uploader does not back off, and there are the two
    /// places that following a batch can need.
    pub(super) fn may_send(&self, now_ms: u64) -> bool {
        now_ms >= self.quiet_until_ms && self.queue.free() >= 2
    }

    #[inline]
    pub(super) fn next_due_ms(&self) -> u64 {
        self.queue.peek().map_or(u64::MAX, |reply| reply.due_ms)
    }

    /// Sends a batch into the network. Exactly one thing will end its waiting: a reply or the
    /// timeout; a second reply may follow that must change nothing.
    pub(super) fn send(&mut self, now_ms: u64, token: BatchToken) {
        let Some(uploader) = self.uploader else { return };
        let timeout_ms = now_ms + u64::from(uploader.timeout_ms);
        let mut due_ms = now_ms + u64::from(uploader.latency_ms);
        if uploader.latency_jitter_ms > 0 {
            due_ms += u64::from(self.rng.random_range(0..=uploader.latency_jitter_ms));
        }
        let mut fate = self.rng.random_range(0..super::PPM);
        let mut is_fate = |chance_ppm: u32| {
            let hit = fate < chance_ppm;
            fate = fate.wrapping_sub(chance_ppm);
            hit
        };
        if self.is_down(now_ms) {
            self.push(timeout_ms, token, Answer::Nack, false, timeout_ms);
        } else if is_fate(uploader.nack_ppm) {
            self.push(due_ms, token, Answer::Nack, true, timeout_ms);
        } else if is_fate(uploader.reject_ppm) {
            self.push(due_ms, token, Answer::Reject, true, timeout_ms);
        } else if is_fate(uploader.lost_ppm) {
            self.push(timeout_ms, token, Answer::Nack, false, timeout_ms);
        } else if is_fate(uploader.late_ppm) {
            self.push(timeout_ms, token, Answer::Nack, false, timeout_ms);
            let late_ms = timeout_ms + 1 + u64::from(uploader.latency_ms);
            self.push(late_ms, token, Answer::Ack, true, 0);
        } else if is_fate(uploader.duplicate_ppm) {
            self.push(due_ms, token, Answer::Ack, true, timeout_ms);
            self.push(due_ms + 1 + u64::from(uploader.latency_ms), token, Answer::Ack, true, 0);
        } else {
            self.push(due_ms, token, Answer::Ack, true, timeout_ms);
        }
    }

    fn push(
        &mut self,
        due_ms: u64,
        token: BatchToken,
        answer: Answer,
        from_cloud: bool,
        timeout_ms: u64,
    ) {
        // A reply that would come after the timeout is only a late one if the scenario asks for it;
        // here it is the timeout.
        let overdue = from_cloud && timeout_ms != 0 && due_ms >= timeout_ms;
        let (due_ms, answer, from_cloud) =
            if overdue { (timeout_ms, Answer::Nack, false) } else { (due_ms, answer, from_cloud) };
        self.sent += 1;
        self.queue.push(Reply {
            due_ms,
            number: self.sent,
            token: Some(token),
            answer,
            from_cloud,
            timeout_ms,
        });
    }

    /// The reply that reaches the uploader at `now_ms`, if one does. One that the network loses
    /// becomes the uploader's timeout.
    pub(super) fn receive(&mut self, now_ms: u64) -> Option<(BatchToken, Answer)> {
        while self.next_due_ms() <= now_ms {
            let reply = self.queue.pop()?;
            let token = reply.token?;
            if !reply.from_cloud {
                let backoff_ms = self.uploader.map_or(0, |uploader| uploader.backoff_ms);
                self.quiet_until_ms = now_ms + u64::from(backoff_ms);
                return Some((token, reply.answer));
            }
            if !self.is_down(now_ms) {
                self.quiet_until_ms = 0;
                return Some((token, reply.answer));
            }
            if reply.timeout_ms != 0 {
                self.push(reply.timeout_ms, token, Answer::Nack, false, reply.timeout_ms);
            }
        }
        None
    }
}
