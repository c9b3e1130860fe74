//! The property test: random operations on a store and on a model that a child could read, and
//! every promise that concerns RAM checked after every step.
//!
//! `SS_MODEL_CASES` asks for more cases, `SS_MODEL_SEED` for others.
#![cfg(not(feature = "shuttle"))]

use ss_tests::{
    settings,
    world::{WORLDS, World, run_all},
};

#[test]
fn random_operations_on_stores_of_every_size_keep_every_promise() {
    let asked = settings::number("SS_MODEL_CASES", 4_000);
    let seed = settings::number("SS_MODEL_SEED", 1);
    let ran = run_all(&WORLDS, asked, seed, World::cases, |world, case| (world.run)(world, case));
    eprintln!("model: {ran} sequences of operations ran, seed {seed}");
    assert!(ran >= asked, "{asked} sequences were asked for, {ran} ran");
}
