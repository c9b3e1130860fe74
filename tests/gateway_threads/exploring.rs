//! How a story is told again and again: by a scheduler that samples interleavings, or by real threads.

use ss_tests::settings;

#[cfg(feature = "shuttle")]
use {
    shuttle::{
        FailurePersistence, Runner,
        scheduler::{PctScheduler, RandomScheduler},
    },
    ss_lib::planted::{Bug, plant},
    std::{
        panic::catch_unwind,
        sync::{PoisonError, RwLock},
    },
};

/// A planted bug is every store's of this process: whoever plants one has the process for itself.
#[cfg(feature = "shuttle")]
static PLANTING: RwLock<()> = RwLock::new(());

/// Preemptions that are placed: most bugs of this kind need two or three.
#[cfg(feature = "shuttle")]
const PCT_DEPTH: usize = 3;
#[cfg(feature = "shuttle")]
const PLANTED_SCHEDULES: usize = 4_000;

/// Under the scheduler: half of the schedules at random, half by probabilistic concurrency testing, in which
/// few preemptions are placed anywhere. `share` divides the schedules that the tests are asked for.
#[cfg(feature = "shuttle")]
pub fn explore(share: usize, story: impl Fn() + Send + Sync + Clone + 'static) {
    let _sound = PLANTING.read().unwrap_or_else(PoisonError::into_inner);
    let schedules = settings::number("SS_SHUTTLE_ITERATIONS", 2_000_usize).div_ceil(share * 2);
    Runner::new(RandomScheduler::new(schedules), config()).run(story.clone());
    Runner::new(PctScheduler::new(PCT_DEPTH, schedules), config()).run(story);
}

#[cfg(feature = "shuttle")]
fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    // Pages lie on the stack.
    config.stack_size = 512 << 10;
    config
}

/// On real threads: one round under an interpreter, which is run with many seeds, and some on a machine.
#[cfg(not(feature = "shuttle"))]
pub fn explore(share: usize, story: impl Fn() + Send + Sync + Clone + 'static) {
    let rounds = if cfg!(miri) { 1 } else { settings::number("SS_THREAD_ROUNDS", 64) / share };
    for _ in 0..rounds.max(1) {
        story();
    }
}

/// Plants a bug and says with which words a story fails then. The schedules are the same ones each time.
#[cfg(feature = "shuttle")]
pub fn caught(bug: Bug, story: fn()) -> Option<String> {
    let _alone = PLANTING.write().unwrap_or_else(PoisonError::into_inner);
    plant(Some(bug));
    let told = catch_unwind(|| {
        let mut config = config();
        config.failure_persistence = FailurePersistence::None;
        let random = RandomScheduler::new_from_seed(7, PLANTED_SCHEDULES);
        Runner::new(random, config.clone()).run(story);
        let few_preemptions = PctScheduler::new_from_seed(7, PCT_DEPTH, PLANTED_SCHEDULES);
        Runner::new(few_preemptions, config).run(story);
    });
    plant(None);
    let panic = told.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}
