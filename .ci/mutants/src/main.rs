//! Tries mutants without a build for each: `Cargo.toml` says how to run it.
//!
//! - `instrument` rewrites a file so that each of its mutants waits behind a switch,
//! - `switch.rs` is what the rewritten files ask which mutant they have,
//! - `build` makes a copy of the tree of such files, and finds out which mutants do not compile,
//! - `run` runs the tests that come by a mutant's switch until one fails.

mod build;
mod instrument;
mod run;

use std::{env, error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (tree, seed, seconds, test_s) = match &arguments[..] {
        [tree, seed, seconds] => (tree, seed, seconds, f64::INFINITY),
        [tree, seed, seconds, test_s] => (tree, seed, seconds, test_s.parse()?),
        _ => return Err(
            "usage: ss-mutants DIRECTORY SEED SECONDS [TEST_SECONDS], in the root of the sources"
                .into(),
        ),
    };
    let (tree, seed, seconds) = (Path::new(tree), seed.parse()?, seconds.parse()?);
    if !tree.join(build::STATE).exists() {
        build::build(Path::new("."), tree)?;
    }
    run::run(tree, seed, seconds, test_s)
}
