//! A golden store with edits behind right checksums: opened and used, looked at in every way, exported,
//! salvaged, repaired, and opened again. Nothing panics, nothing is invented, looking changes nothing, and
//! what a repair leaves is sound and needs no other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ss_tests::disk::reopening::reopen_and_survive;

fuzz_target!(|bytes: &[u8]| reopen_and_survive(bytes));
