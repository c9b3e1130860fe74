//! Any bytes on the line: both ends' decoders take them without a panic, and what they accept is
//! written again as the frame that it came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use ss_lib::{
    crc32c_append,
    wire::{
        Request, Response,
        crash::{CRASH_WORDS, Crash},
        frame::{Decoder, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, encode},
    },
};

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(decoder: &Decoder) {
    let Ok(message) = decoder.message::<T>() else { return };
    let mut frame = [0; FRAME_BYTES_MAX];
    let len = encode(&message, &mut frame).expect("what was decoded fits");
    let mut again = Decoder::new();
    let ended = frame[..len].iter().filter_map(|&byte| again.push(byte)).last();
    assert_eq!(ended, Some(Ok(())));
    assert_eq!(again.message::<T>(), Ok(message));
}

fn feed(bytes: impl IntoIterator<Item = u8>) {
    let mut decoder = Decoder::new();
    for byte in bytes {
        if let Some(Ok(())) = decoder.push(byte) {
            check::<Request>(&decoder);
            check::<Response>(&decoder);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    feed(bytes.iter().copied());
    // The same bytes as a message whose frame is right, so that the fuzzer need not find a checksum.
    if bytes.len() <= MESSAGE_BYTES_MAX {
        let mut plain = bytes.to_vec();
        plain.extend_from_slice(&crc32c_append(0, bytes).to_le_bytes());
        let mut coded = vec![0; FRAME_BYTES_MAX];
        let len = cobs::encode(&plain, &mut coded);
        feed([0].into_iter().chain(coded[..len].iter().copied()).chain([0]));
    }
    let (words, _) = bytes.as_chunks::<4>();
    let mut record = [0; CRASH_WORDS];
    for (word, bytes) in record.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    let _ = Crash::from_words(&record);
});
