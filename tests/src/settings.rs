//! What the environment may ask of the tests: more cases, longer runs, another seed.

use std::{env, str::FromStr};

/// The number that the environment gives under `name`, else `default`.
///
/// # Panics
/// If something else than a number stands there: a run that was asked for must not silently be
/// another one.
pub fn number<T: FromStr>(name: &str, default: T) -> T {
    let Some(text) = env::var_os(name) else { return default };
    match text.to_str().and_then(|text| text.trim().parse().ok()) {
        Some(number) => number,
        None => panic!("{name} must be a number, it is {}", text.display()),
    }
}

/// A seed of 32 bytes for a job of a test, from the run's seed and the job's number.
pub fn seed(run: u64, job: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&run.to_le_bytes());
    seed[8..16].copy_from_slice(&job.to_le_bytes());
    seed
}
