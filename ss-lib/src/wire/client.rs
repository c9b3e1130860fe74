//! The host's end: asks, and asks again until it is answered.

use super::{
    MAGIC, PROTOCOL,
    frame::{Decoder, FRAME_BYTES_MAX, encode},
    message::{Answer, Buckets, Command, Hello, Refusal, Request, Response},
    meter::Operation,
};
use crate::{SensorStats, scenario::Description};
use std::time::{Duration, Instant};

/// A line as the host sees it. Neither direction waits.
pub trait HostLink {
    /// Why the line is gone.
    type Error;
    /// Takes bytes that have come. Returns how many; 0 if none have.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Self::Error>;
    /// Sends bytes. Returns how many were taken.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error>;
    /// Called while nothing comes: waits a little. May say that nothing will come any more.
    fn idle(&mut self) -> Result<(), Self::Error>;
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The line is gone.
    Link(E),
    /// The device said nothing for so long.
    Silent(Duration),
    /// The device was reset since it was greeted.
    Reset,
    /// The device speaks this other version.
    Protocol(u16),
    /// What greets there is not this firmware.
    Foreign,
    /// The device does not do it.
    Refused(Refusal),
    /// The answer is to another question.
    Unexpected,
}

/// How long a frame may be on its way before it is sent again, unless the caller knows the line better.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// The host's end of a line.
#[derive(Debug)]
pub struct Client<L> {
    link: L,
    decoder: Decoder,
    number: u32,
    boot: Option<u32>,
    patience: Duration,
    retry_every: Duration,
    retries: u64,
}

impl<L: HostLink> Client<L> {
    /// A client that gives up when the device says nothing for `patience`. `first_number` is the
    /// first request's: any, best one that no client before has used.
    pub fn new(link: L, patience: Duration, first_number: u32) -> Self {
        Self {
            link,
            decoder: Decoder::new(),
            number: first_number,
            boot: None,
            patience,
            retry_every: RETRY_EVERY,
            retries: 0,
        }
    }

    /// How long a frame may be on its way before it is sent again.
    pub fn set_retry_every(&mut self, retry_every: Duration) {
        self.retry_every = retry_every;
    }

    /// The line.
    pub fn link(&mut self) -> &mut L {
        &mut self.link
    }

    /// How often something was sent again.
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// Greets the device: the first thing to do, and the first again after a reset.
    pub fn greet(&mut self) -> Result<Hello, CallError<L::Error>> {
        self.boot = None;
        let response = self.ask(Command::Hello { protocol: PROTOCOL })?;
        let Answer::Hello(hello) = response.answer else { return Err(CallError::Foreign) };
        if hello.magic != MAGIC {
            return Err(CallError::Foreign);
        }
        if hello.protocol != PROTOCOL {
            return Err(CallError::Protocol(hello.protocol));
        }
        self.boot = Some(response.boot);
        Ok(hello)
    }

    /// Asks for something, however often it takes.
    pub fn call(&mut self, command: Command) -> Result<Answer, CallError<L::Error>> {
        let response = self.ask(command)?;
        match response.answer {
            // A device that was reset does not know us any more.
            _ if self.boot != Some(response.boot) => Err(CallError::Reset),
            Answer::Refused(refusal) => Err(CallError::Refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// Asks for something that has no answer but that it was done.
    pub fn tell(&mut self, command: Command) -> Result<(), CallError<L::Error>> {
        match self.call(command)? {
            Answer::Done => Ok(()),
            _ => Err(CallError::Unexpected),
        }
    }

    /// Sends a scenario over, which `begin` begins.
    pub fn load(
        &mut self,
        begin: super::Begin,
        description: &Description<'_>,
    ) -> Result<(), CallError<L::Error>> {
        self.tell(Command::Begin(begin))?;
        let groups = description.groups.iter().copied().map(Command::Group);
        let outages = description.outages.iter().copied().map(Command::Outage);
        let clock_steps = description.clock_steps.iter().copied().map(Command::ClockStep);
        let pressures = description.pressures.iter().copied().map(Command::Pressure);
        for command in groups.chain(outages).chain(clock_steps).chain(pressures) {
            self.tell(command)?;
        }
        Ok(())
    }

    /// A group's counts after a run.
    pub fn group_stats(&mut self, group: u32) -> Result<SensorStats, CallError<L::Error>> {
        match self.call(Command::GroupStats { group })? {
            Answer::GroupStats(stats) => Ok(stats),
            _ => Err(CallError::Unexpected),
        }
    }

    /// A part of an operation's histogram after a run.
    pub fn buckets(
        &mut self,
        operation: Operation,
        block: u16,
    ) -> Result<Buckets, CallError<L::Error>> {
        match self.call(Command::Buckets { operation, block })? {
            Answer::Buckets(buckets) => Ok(buckets),
            _ => Err(CallError::Unexpected),
        }
    }

    fn ask(&mut self, command: Command) -> Result<Response, CallError<L::Error>> {
        self.number = self.number.wrapping_add(1);
        let mut frame = [0; FRAME_BYTES_MAX];
        let request = Request { number: self.number, command };
        let len = encode(&request, &mut frame).ok_or(CallError::Unexpected)?;
        let began = Instant::now();
        loop {
            self.send(&frame[..len], began)?;
            let sent = Instant::now();
            while sent.elapsed() < self.retry_every {
                if let Some(response) = self.receive()? {
                    return Ok(response);
                }
                self.link.idle().map_err(CallError::Link)?;
            }
            self.give_up_after(began)?;
            self.retries += 1;
        }
    }

    /// Sends all of a frame. The line takes it in pieces, or not at all for a while.
    fn send(&mut self, mut bytes: &[u8], began: Instant) -> Result<(), CallError<L::Error>> {
        while !bytes.is_empty() {
            let taken = self.link.write(bytes).map_err(CallError::Link)?;
            bytes = &bytes[taken.min(bytes.len())..];
            if taken == 0 {
                self.give_up_after(began)?;
                self.link.idle().map_err(CallError::Link)?;
            }
        }
        Ok(())
    }

    fn give_up_after(&self, began: Instant) -> Result<(), CallError<L::Error>> {
        if began.elapsed() < self.patience {
            return Ok(());
        }
        Err(CallError::Silent(self.patience))
    }

    /// The answer to the present request, if it has come. Everything else on the line is left there:
    /// echoes, halves, what another program said.
    fn receive(&mut self) -> Result<Option<Response>, CallError<L::Error>> {
        let mut bytes = [0; FRAME_BYTES_MAX];
        loop {
            let count = self.link.read(&mut bytes).map_err(CallError::Link)?;
            if count == 0 {
                return Ok(None);
            }
            for &byte in &bytes[..count] {
                let Some(Ok(())) = self.decoder.push(byte) else { continue };
                if let Ok(response) = self.decoder.message::<Response>()
                    && response.number == self.number
                {
                    return Ok(Some(response));
                }
            }
        }
    }
}
