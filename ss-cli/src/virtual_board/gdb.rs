//! The core over QEMU's gdbstub: run, halt, step, registers, breakpoints.

use super::{
    qemu::Qemu,
    qtest::{from_hex, to_hex},
};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// How long the stub may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Gdb {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Gdb {
    pub(super) fn connect(qemu: &mut Qemu) -> Result<Self, String> {
        let stream = qemu.connect("gdb")?;
        let mut gdb = Self { stream, buffer: Vec::new() };
        gdb.greet().map_err(|error| format!("QEMU's gdbstub: {error}"))?;
        Ok(gdb)
    }

    /// Without these questions the stub gives no register away.
    fn greet(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.ask("qSupported:multiprocess-;xmlRegisters=arm")?;
        self.ask("qXfer:features:read:target.xml:0,ffb")?;
        self.ask("?")?;
        Ok(())
    }

    /// Lets the core run. It has no answer until the core stops.
    pub(super) fn run(&mut self) -> io::Result<()> {
        self.send("c")
    }

    /// Stops the core, which runs.
    pub(super) fn halt(&mut self) -> io::Result<()> {
        self.stream.write_all(&[3])?;
        self.receive().map(drop)
    }

    /// Runs one instruction.
    pub(super) fn step(&mut self) -> io::Result<()> {
        self.ask("s").map(drop)
    }

    /// Whether the core, which ran, has stopped by itself.
    pub(super) fn has_stopped(&mut self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let mut bytes = [0; 512];
        let got = self.stream.read(&mut bytes);
        self.stream.set_nonblocking(false)?;
        match got {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if !self.buffer.contains(&b'$') {
            return Ok(false);
        }
        self.receive().map(|_| true)
    }

    pub(super) fn read_register(&mut self, register: u32) -> io::Result<u32> {
        let answer = self.ask(&format!("p{register:x}"))?;
        let bytes = from_hex(&answer).unwrap_or_default();
        let Ok(word) = <[u8; 4]>::try_from(bytes) else { return Ok(0) };
        Ok(u32::from_le_bytes(word))
    }

    pub(super) fn write_register(&mut self, register: u32, value: u32) -> io::Result<()> {
        self.ask(&format!("P{register:x}={}", to_hex(&value.to_le_bytes()))).map(drop)
    }

    /// Sets or clears a hardware breakpoint.
    pub(super) fn set_breakpoint(&mut self, address: u32, is_set: bool) -> io::Result<()> {
        self.ask(&format!("{}1,{address:x},2", if is_set { 'Z' } else { 'z' })).map(drop)
    }

    fn ask(&mut self, packet: &str) -> io::Result<String> {
        self.send(packet)?;
        self.receive()
    }

    fn send(&mut self, packet: &str) -> io::Result<()> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        self.stream.write_all(format!("${packet}#{sum:02x}").as_bytes())
    }

    fn receive(&mut self) -> io::Result<String> {
        loop {
            let begin = self.buffer.iter().position(|&byte| byte == b'$');
            if let Some(begin) = begin
                && let Some(length) = self.buffer[begin..].iter().position(|&byte| byte == b'#')
                && self.buffer.len() >= begin + length + 3
            {
                let end = begin + length;
                let packet = String::from_utf8_lossy(&self.buffer[begin + 1..end]).into_owned();
                self.buffer.drain(..end + 3);
                self.stream.write_all(b"+")?;
                return Ok(packet);
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&bytes[..count]);
        }
    }
}
