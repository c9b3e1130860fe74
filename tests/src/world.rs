//! The stores that the model test runs on, from one sector to 70,000, and the runner that gives
//! each its share of the cases.

use crate::{
    bench::{Bench, Outcome, Shape},
    op::{Case, case},
    settings,
};
use proptest::{
    prelude::*,
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestError, TestRng, TestRunner},
};
use ss_lib::ram::{Backing, Config, Geometry, Inline, Shared, SharedConfig, Store};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

/// The epoch of the stores under test.
pub const EPOCH: u32 = 7;

/// A kind of store, and how much of the test it gets.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Sensors that are registered.
    pub sensors: u8,
    /// Sectors of the pool.
    pub sectors: u32,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Places of the loss ledger.
    pub losses: usize,
    /// The most steps of a case.
    pub ops_max: usize,
    /// The most adds in one step.
    pub run_max: u32,
    /// Its cases in 1,000.
    pub share: u64,
    /// Runs one case on every backing that the world has.
    pub run: fn(&World, &Case),
}

/// Every world of the model test.
pub const WORLDS: [World; 15] = [
    twins::<1, 1, 8, 4>(30, 4, 60),
    twins::<2, 2, 8, 4>(40, 6, 120),
    twins::<3, 3, 16, 8>(40, 12, 150),
    twins::<4, 16, 8, 8>(40, 30, 200),
    twins::<3, 8, 64, 8>(40, 150, 100),
    twins::<20, 24, 8, 8>(60, 12, 100),
    twins::<2, 4, 1024, 2>(20, 1_100, 30),
    // As many sectors as an inline store can count, and one more.
    twins::<5, 255, 8, 8>(30, 120, 20),
    shared(5, 256, 32, 30, 120, 20),
    // Fewer sectors than sensors: some sensor has none.
    shared(3, 1, 32, 40, 4, 80),
    shared(3, 2, 64, 40, 12, 78),
    shared(40, 70, 32, 60, 20, 40),
    shared(3, 12, 512, 30, 300, 20),
    shared(4, 65_536, 32, 24, 66_000, 1),
    shared(4, 70_000, 32, 24, 70_500, 1),
];

/// An inline store and a shared one of the same shape: they must say the same.
const fn twins<const S: usize, const N: usize, const W: usize, const L: usize>(
    ops_max: usize,
    run_max: u32,
    share: u64,
) -> World {
    World {
        sensors: S as u8,
        sectors: N as u32,
        sector_bytes: W as u32 * 4,
        losses: L,
        ops_max,
        run_max,
        share,
        run: |world, case| {
            let inline = outcomes(world, case, Store::<Inline<S, N, W, L>>::open);
            let shared = outcomes(world, case, |config| world.open_shared(config));
            for (number, (a, b)) in inline.iter().zip(&shared).enumerate() {
                assert_eq!(a, b, "the two stores differ at step {number}");
            }
        },
    }
}

const fn shared(
    sensors: u8,
    sectors: u32,
    sector_bytes: u32,
    ops_max: usize,
    run_max: u32,
    share: u64,
) -> World {
    let run = |world: &World, case: &Case| {
        outcomes(world, case, |config| world.open_shared(config));
    };
    World { sensors, sectors, sector_bytes, losses: 64, ops_max, run_max, share, run }
}

impl World {
    /// Opens the world's shared store.
    ///
    /// # Panics
    /// If its pool cannot be cut.
    pub fn open_shared(&self, config: Config) -> Store<Shared> {
        let pool_bytes = u64::from(self.sectors) * u64::from(self.sector_bytes);
        let geometry = match Geometry::new(pool_bytes, self.sector_bytes, 1) {
            Ok(geometry) => geometry,
            Err(error) => panic!("{error}"),
        };
        Store::open_shared(SharedConfig {
            geometry,
            sensors_max: u32::from(self.sensors),
            losses_max: self.losses as u32,
            config,
        })
    }

    /// A bench over a store of this shape.
    pub fn bench<B: Backing>(&self, case: &Case, open: impl Fn(Config) -> Store<B>) -> Bench<B> {
        let config = Config { policy: case.policy, epoch: EPOCH };
        let Self { sectors, sector_bytes, losses, .. } = *self;
        Bench::new(open(config), config, Shape { sectors, sector_bytes, losses }, case)
    }

    /// Draws cases for this world.
    pub fn cases(&self) -> impl Strategy<Value = Case> + use<> {
        case(self.sensors, self.ops_max, self.run_max)
    }
}

fn outcomes<B: Backing>(
    world: &World,
    case: &Case,
    open: impl Fn(Config) -> Store<B>,
) -> Vec<Outcome> {
    let mut bench = world.bench(case, open);
    let outcomes = case.ops.iter().map(|op| bench.step(op)).collect();
    bench.finish();
    outcomes
}

/// A part of a run: so many cases of one world, from its own seed.
#[derive(Clone, Copy, Debug)]
struct Job<'w> {
    world: &'w World,
    cases: u64,
    number: u64,
}

/// Runs at least `cases` cases, shared among the worlds, on every core. Returns how many ran.
/// The same seed draws the same cases.
///
/// # Panics
/// With the shortest case that fails, if one does.
pub fn run_all<T: Strategy>(
    worlds: &[World],
    cases: u64,
    run_seed: u64,
    draw: impl Fn(&World) -> T + Sync,
    test: impl Fn(&World, &T::Value) + Sync,
) -> u64
where
    T::Value: Clone,
{
    const CASES_PER_JOB: u64 = 500;
    let shares: u64 = worlds.iter().map(|world| world.share).sum();
    let mut jobs = Vec::new();
    for world in worlds {
        let mut left = (cases * world.share).div_ceil(shares);
        while left > 0 {
            let cases = left.min(CASES_PER_JOB);
            jobs.push(Job { world, cases, number: jobs.len() as u64 });
            left -= cases;
        }
    }
    // The biggest pools first: a long job at the end would keep one core waiting.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.world.sectors));
    let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Relaxed) as usize) {
            run_job(*job, run_seed, &draw, |case| {
                ran.fetch_add(1, Relaxed);
                test(job.world, case);
            });
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    ran.into_inner()
}

fn run_job<T: Strategy>(
    job: Job<'_>,
    run_seed: u64,
    draw: impl Fn(&World) -> T,
    test: impl Fn(&T::Value),
) where
    T::Value: Clone,
{
    let config = RunnerConfig {
        cases: job.cases as u32,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..RunnerConfig::default()
    };
    let seed = settings::seed(run_seed, job.number);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&draw(job.world), |case| {
        test(&case);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!(
            "{reason}\nseed {run_seed}, job {}, {} sectors of {} B\nshortest case: {case:?}",
            job.number, job.world.sectors, job.world.sector_bytes
        ),
        Err(TestError::Abort(reason)) => panic!("no cases were drawn: {reason}"),
    }
}
