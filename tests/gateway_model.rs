//! The property test over both tiers: random operations on a gateway with real files and on a model that
//! a child could read, with kills, restarts and another configuration at any moment.
//!
//! `SS_MODEL_CASES` asks for more cases (one here for each hundred of those in RAM alone), `SS_MODEL_SEED`
//! for others.
#![cfg(not(feature = "shuttle"))]

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use ss_tests::{
    gateway::{
        bench::{Bench, Happened},
        home::RealHome,
        op::{Case, case},
    },
    settings,
};
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

const CASES_PER_JOB: u64 = 20;

fn run(case: &Case) -> Happened {
    let mut bench = Bench::new(RealHome::new(), case);
    for &op in &case.ops {
        bench.step(op);
    }
    bench.happened
}

fn run_job(seed: u64, job: u64) -> Happened {
    let config = Config {
        cases: CASES_PER_JOB as u32,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: settings::number("SS_MODEL_SHRINK_MS", 30_000),
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &settings::seed(seed, job));
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (sensors, ops) = if job.is_multiple_of(4) { (6, 40) } else { (3, 80) };
    let happened = Cell::new(Happened::default());
    let result = runner.run(&case(sensors, ops), |case| {
        let mut sum = happened.get();
        sum += run(&case);
        happened.set(sum);
        Ok(())
    });
    match result {
        Ok(()) => happened.get(),
        Err(TestError::Fail(reason, case)) => {
            panic!("{reason}\nseed {seed}, job {job}\nshortest case: {case:?}")
        }
        Err(TestError::Abort(reason)) => panic!("no cases were drawn: {reason}"),
    }
}

#[test]
fn random_operations_over_both_tiers_keep_every_promise() {
    let asked = settings::number("SS_MODEL_CASES", 20_000_u64) / 100;
    let seed = settings::number("SS_MODEL_SEED", 1);
    let jobs = asked.div_ceil(CASES_PER_JOB);
    let next = AtomicU64::new(0);
    let work = || {
        let mut happened = Happened::default();
        loop {
            let job = next.fetch_add(1, Relaxed);
            if job >= jobs {
                return happened;
            }
            happened += run_job(seed, job);
        }
    };
    let mut happened = Happened::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(one) => happened += one,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let ran = jobs * CASES_PER_JOB;
    eprintln!("gateway model: {ran} sequences of operations ran, seed {seed}: {happened:?}");
    // A run in which little happened would prove little.
    let Happened { kills, restarts, came_back, squeezed, over_quota, over_disk_max, .. } = happened;
    assert!(kills > ran / 4 && restarts > ran / 8 && came_back > ran, "{happened:?}");
    assert!(squeezed > ran / 8 && over_quota > ran && over_disk_max > ran, "{happened:?}");
    assert!(happened.segments_most > 8, "{happened:?}");
}
