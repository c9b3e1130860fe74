//! The device's side of stop-and-wait: each request is seen once, and answered as often as asked.

use super::{
    frame::{Decoder, FRAME_BYTES_MAX, encode},
    message::{Answer, Command, Refusal, Request, Response},
};

/// A line of bytes that loses some. Neither direction ever waits.
pub trait Link {
    /// Takes bytes that have come. Returns how many; 0 if none have.
    fn read(&mut self, out: &mut [u8]) -> usize;
    /// Sends bytes. Returns how many were taken.
    fn write(&mut self, bytes: &[u8]) -> usize;
}

/// Bytes that are taken from the line at once.
const READ_BYTES: usize = 64;

/// One end of a line, with the answer that was given last.
#[derive(Debug)]
pub struct Port<L> {
    link: L,
    boot: u32,
    decoder: Decoder,
    /// Bytes that came and were not looked at yet.
    read: [u8; READ_BYTES],
    read_at: usize,
    read_len: usize,
    /// The number of the request that was answered last.
    last: Option<u32>,
    reply: [u8; FRAME_BYTES_MAX],
    reply_len: usize,
}

impl<L: Link> Port<L> {
    /// A port of the device whose present run since reset is `boot`.
    pub const fn new(link: L, boot: u32) -> Self {
        Self {
            link,
            boot,
            decoder: Decoder::new(),
            read: [0; READ_BYTES],
            read_at: 0,
            read_len: 0,
            last: None,
            reply: [0; FRAME_BYTES_MAX],
            reply_len: 0,
        }
    }

    /// The next new request, if one has come whole. It must be answered before the next call.
    #[inline]
    pub fn next_request(&mut self) -> Option<Request> {
        if self.read_at == self.read_len {
            (self.read_at, self.read_len) = (0, self.link.read(&mut self.read).min(READ_BYTES));
            if self.read_len == 0 {
                return None;
            }
        }
        self.decode()
    }

    fn decode(&mut self) -> Option<Request> {
        while self.read_at < self.read_len {
            let byte = self.read[self.read_at];
            self.read_at += 1;
            // A frame that did not come whole is not answered: the host asks again.
            let Some(Ok(())) = self.decoder.push(byte) else { continue };
            let Ok(request) = self.decoder.message::<Request>() else { continue };
            if self.is_new(request) {
                return Some(request);
            }
        }
        None
    }

    fn is_new(&mut self, request: Request) -> bool {
        let Request { number, command } = request;
        if self.last == Some(number) {
            self.send();
            return false;
        }
        match (self.last, command) {
            (_, Command::Hello { .. }) => true,
            (None, _) => {
                self.answer_unseen(number, Answer::Refused(Refusal::NoHello));
                false
            }
            // Any other number is an echo of something that was answered long ago.
            (Some(last), _) => number == last.wrapping_add(1),
        }
    }

    /// Answers a request, and keeps the answer for when it is asked for again.
    pub fn answer(&mut self, number: u32, answer: Answer) {
        self.last = Some(number);
        self.answer_unseen(number, answer);
    }

    fn answer_unseen(&mut self, number: u32, answer: Answer) {
        let response = Response { boot: self.boot, number, answer };
        self.reply_len = encode(&response, &mut self.reply).unwrap_or(0);
        self.send();
    }

    /// What does not fit into the line is lost like anything that the line loses.
    fn send(&mut self) {
        self.link.write(&self.reply[..self.reply_len]);
    }
}
