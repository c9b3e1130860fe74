//! Any text is either a scenario or an error that says where and what: never a panic, never an
//! endless loop, never memory without bound. A scenario that was accepted can be described.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ss_lib::scenario::text::{Overrides, Scenario};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Scenario::parse(text, "fuzz.toml", "fuzz", &Overrides::default()) {
        Ok(scenario) => {
            let description = scenario.description();
            assert!(!description.groups.is_empty() && description.duration_ms > 0);
            // Compiling is a function of the text alone.
            let again = Scenario::parse(text, "fuzz.toml", "fuzz", &Overrides::default()).unwrap();
            assert_eq!(format!("{scenario:?}"), format!("{again:?}"));
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("fuzz.toml"), "an error without a place: {message}");
        }
    }
});
