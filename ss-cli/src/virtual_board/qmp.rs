//! Reset over QEMU's machine protocol.

use super::qemu::Qemu;
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Qmp {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Qmp {
    pub(super) fn connect(qemu: &mut Qemu) -> Result<Self, String> {
        let output = qemu.connect("qmp")?;
        let greeted = || -> io::Result<Self> {
            output.set_read_timeout(Some(PATIENCE))?;
            let mut qmp = Self { input: BufReader::new(output.try_clone()?), output };
            qmp.wait_for("QMP")?;
            qmp.send("qmp_capabilities")?;
            qmp.wait_for("return")?;
            Ok(qmp)
        };
        greeted().map_err(|error| format!("QEMU's machine protocol: {error}"))
    }

    /// Resets the machine; done when this returns.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        self.send("system_reset")?;
        // The command only asks for it. Which of the two comes first is not said.
        let (mut is_answered, mut is_reset) = (false, false);
        while !(is_answered && is_reset) {
            let value = self.next()?;
            is_answered |= value.get("return").is_some();
            is_reset |= value["event"] == "RESET";
        }
        Ok(())
    }

    fn wait_for(&mut self, key: &str) -> io::Result<()> {
        while self.next()?.get(key).is_none() {}
        Ok(())
    }

    fn send(&mut self, command: &str) -> io::Result<()> {
        self.output.write_all(format!("{{\"execute\":\"{command}\"}}\n").as_bytes())
    }

    fn next(&mut self) -> io::Result<serde_json::Value> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
