//! The same random operations, with bits flipped under the store's hands: a damaged sector costs
//! exactly its own records, each of them named in the ledger, and nothing else.
//!
//! `SS_ROT_CASES` asks for more cases, `SS_MODEL_SEED` for others.
#![cfg(not(feature = "shuttle"))]

use proptest::{collection::vec, prelude::*};
use ss_lib::ram::Backing;
use ss_tests::{
    bench::Bench,
    op::Case,
    settings,
    world::{WORLDS, World, run_all},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Sectors and bits to flip, and after how many steps.
#[derive(Clone, Debug)]
struct Rot {
    case: Case,
    flips: Vec<(usize, u32, u32)>,
}

fn rotting(world: &World) -> impl Strategy<Value = Rot> + use<> {
    let ops_max = world.ops_max;
    // Header bits are few among a large sector's: half of the flips go there.
    let bit = prop_oneof![0_u32..128, any::<u32>()];
    let flips = vec((0..=ops_max, any::<u32>(), bit), 1..4);
    (world.cases(), flips).prop_map(|(case, flips)| Rot { case, flips })
}

fn run<B: Backing>(mut bench: Bench<B>, rot: &Rot) -> u64 {
    let mut damaged = 0;
    for (number, op) in rot.case.ops.iter().enumerate() {
        for &(at, sector, bit) in &rot.flips {
            if at == number {
                damaged += u64::from(bench.flip(sector, bit));
            }
        }
        bench.step(op);
    }
    for &(at, sector, bit) in &rot.flips {
        if at >= rot.case.ops.len() {
            damaged += u64::from(bench.flip(sector, bit));
        }
    }
    bench.finish();
    damaged
}

#[test]
fn flipped_bits_cost_their_own_sector_and_nothing_else() {
    let asked = settings::number("SS_ROT_CASES", 2_000);
    let seed = settings::number("SS_MODEL_SEED", 1);
    let worlds: Vec<_> = WORLDS.into_iter().filter(|world| world.sectors <= 70).collect();
    let damaged = AtomicU64::new(0);
    let ran = run_all(&worlds, asked, seed, rotting, |world, rot| {
        let bench = world.bench(&rot.case, |config| world.open_shared(config));
        damaged.fetch_add(run(bench, rot), Relaxed);
    });
    let damaged = damaged.into_inner();
    eprintln!("rot: {ran} sequences ran, {damaged} sectors in use were damaged, seed {seed}");
    assert!(ran >= asked, "{asked} sequences were asked for, {ran} ran");
    assert!(damaged >= asked / 4, "only {damaged} of {ran} sequences damaged a sector in use");
}
