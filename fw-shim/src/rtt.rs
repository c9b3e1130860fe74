//! The line to the host: RTT. Channel 0 is text for a person, channel 1 carries frames.

use rtt_target::{ChannelMode, DownChannel, UpChannel, rtt_init};
use ss_lib::wire::{Link, frame::FRAME_BYTES_MAX};

/// Room for a whole frame and the echo of one.
const RING_BYTES: usize = 2 * FRAME_BYTES_MAX;

/// Channel 1, both ways.
pub struct Line {
    up: UpChannel,
    down: DownChannel,
}

/// Sets up the control block `_SEGGER_RTT`: the text channel, and the line.
pub fn init() -> (UpChannel, Line) {
    let channels = rtt_init! {
        up: {
            0: { size: 512, name: "Terminal" }
            1: { size: RING_BYTES, name: "ss frames" }
        }
        down: {
            0: { size: 16, name: "Terminal" }
            1: { size: RING_BYTES, name: "ss frames" }
        }
    };
    // A host that does not read never holds the program up.
    let (mut text, mut up) = (channels.up.0, channels.up.1);
    text.set_mode(ChannelMode::NoBlockTrim);
    up.set_mode(ChannelMode::NoBlockSkip);
    (text, Line { up, down: channels.down.1 })
}

impl Link for Line {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> usize {
        self.down.read(out)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.up.write(bytes)
    }
}
