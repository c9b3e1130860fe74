//! Crash states: a run that touches everything, cut at every operation on its disk; a disk that fails at
//! work; random scenarios with random faults; and every bit of a disk sector.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::format_push_string,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    SensorConfig, SensorKey,
    disk::{
        scan,
        sim::{Image, SimDisk},
    },
    gateway::{Gateway, GatewayConfig},
    scenario::{
        explore::{Explored, Explorer, Limits, Unseen},
        text::{Overrides, Scenario},
    },
};
use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn scenario(name: &str) -> Scenario {
    let file = format!("../scenarios/{name}.toml");
    Scenario::load(Path::new(&file), &Overrides::default()).unwrap()
}

fn assert_kept(explorer: &Explorer, explored: &Explored) {
    assert!(explorer.violation().is_none(), "{}", explorer.violation().unwrap());
    if let Some(bad) = explored.bad.first() {
        panic!("state {}: {}: {}", bad.id, bad.what, bad.violation);
    }
    assert!(!explored.is_cut_short);
}

/// Every promise holds in every state that a power cut, a kill or a rotten page can leave of a run that
/// touches everything. `ss simulate --faults everywhere` does more of it.
#[test]
fn a_store_keeps_its_promises_wherever_it_is_cut() {
    let explorer = Explorer::record(&scenario("crash-states")).unwrap();
    assert!(explorer.records() >= 10_000, "{} records", explorer.records());
    let limits =
        Limits { cuts_max: setting("SS_CUTS", 300), second_every: 32, ..Limits::default() };
    let explored = explorer.explore(&limits, &Unseen);
    assert_kept(&explorer, &explored);
    assert!(explored.states > 20_000 && explored.distinct > 5_000, "{explored:?}");
    // Some state lost what was not promised, or nothing was cut at all.
    assert!(explored.lost_max > 100, "{explored:?}");
    assert!(explored.open_calls_max < 64, "an opening made {} calls", explored.open_calls_max);
}

/// The same of a store whose disk fails at work: errors, syncs that lie, a disk that is full or read-only.
#[test]
fn a_store_on_a_failing_disk_keeps_its_promises() {
    let explorer = Explorer::record(&scenario("faulty-disk")).unwrap();
    let limits = Limits { cuts_max: setting("SS_CUTS", 60), second_every: 64, ..Limits::default() };
    let explored = explorer.explore(&limits, &Unseen);
    assert_kept(&explorer, &explored);
    assert!(explored.distinct > 1_000, "{explored:?}");
}

/// The same at the other settings of `durability`: what each of them promises.
#[test]
fn each_durability_keeps_what_it_promises() {
    let text = std::fs::read_to_string("../scenarios/crash-states.toml").unwrap();
    for durability in ["every-spill", "os"] {
        let text = text.replace("durability = \"5s\"", &format!("durability = \"{durability}\""));
        assert!(text.contains(durability));
        let scenario = Scenario::parse(&text, "-", durability, &Overrides::default()).unwrap();
        let explorer = Explorer::record(&scenario).unwrap();
        let limits =
            Limits { cuts_max: setting("SS_CUTS", 80), second_every: 64, ..Limits::default() };
        let explored = explorer.explore(&limits, &Unseen);
        println!("{durability}");
        assert_kept(&explorer, &explored);
        assert!(explored.distinct > 500, "{durability}: {explored:?}");
    }
}

/// The README's table of what may be lost names tests that are there.
#[test]
fn the_contract_names_tests_that_exist() {
    let readme = std::fs::read_to_string("../README.md").unwrap();
    let section = readme.split("### What may be lost").nth(1).unwrap();
    let section = section.split("### Prove it yourself").next().unwrap();
    let mut named = 0;
    for test in section.split('`').filter(|text| text.starts_with("tests/")) {
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{test} names no test"));
        let source = std::fs::read_to_string(format!("../{file}")).unwrap();
        assert!(source.contains(&format!("fn {name}()")), "{test} is not there");
        named += 1;
    }
    assert!(named >= 9, "{named} tests are named");
}

/// Two explorations of one run come to the same, whatever the number of threads.
#[test]
fn an_exploration_is_the_same_each_time() {
    let overrides = Overrides { duration: Some("3m".to_owned()), ..Overrides::default() };
    let file = Path::new("../scenarios/crash-states.toml");
    let run = |threads| {
        let scenario = Scenario::load(file, &overrides).unwrap();
        let explorer = Explorer::record(&scenario).unwrap();
        let explored = explorer.explore(&Limits { threads, ..Limits::default() }, &Unseen);
        (explored.steps, explored.states, explored.distinct, explored.lost_max)
    };
    assert_eq!(run(1), run(3));
}

/// One line of chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = ss_lib::disk::sim::draw(self.0, 1);
        self.0 % sides
    }
}

/// A scenario out of a seed: sizes, sensors, link and faults at random.
fn random_scenario(seed: u64) -> String {
    let mut dice = Dice(seed);
    let minutes = 4 + dice.roll(12);
    let policy = ["recycle-oldest", "refuse-new", "wait"][dice.roll(3) as usize];
    let durability = ["1s", "5s", "every-spill"][dice.roll(3) as usize];
    let mut text = format!(
        "profile = \"linux\"\nduration = \"{minutes}m\"\nseed = {seed}\n\n[store]\npool = \"{}KiB\"\n\
         sector = {}\npolicy = \"{policy}\"\ndurability = \"{durability}\"\nspill_after = \"{}s\"\n\
         quota = \"{}KiB\"\nsegment = \"64KiB\"\ndisk_max = \"{}KiB\"\nreserve = \"8KiB\"\n",
        8 << dice.roll(3),
        64 << dice.roll(3),
        2 + dice.roll(30),
        2 + dice.roll(30),
        512 + 256 * dice.roll(4),
    );
    for group in 0..=dice.roll(3) {
        let kind = ["time-series", "event"][dice.roll(2) as usize];
        text += &format!(
            "\n[[sensors]]\nname = \"g{group}\"\ncount = {}\nkind = \"{kind}\"\nsource = {group}\n\
             period = \"{}ms\"\n",
            1 + dice.roll(6),
            500 + dice.roll(9) * 500,
        );
    }
    text += &format!(
        "\n[uploader]\nevery = \"{}s\"\nbatch = {}\nlatency = \"300ms\"\ntimeout = \"2s\"\nnack = \"{}%\"\n\
         reject = \"{}%\"\n\n[[outage]]\nat = \"{}s\"\nfor = \"{}s\"\n",
        1 + dice.roll(9),
        5 + dice.roll(100),
        dice.roll(20),
        dice.roll(5),
        10 + dice.roll(60),
        30 + dice.roll(150),
    );
    for kind in ["io-error", "sync-lies", "power-cut", "kill", "torn-write", "reorder"] {
        if dice.roll(3) == 0 {
            let (at, every) = (5 + dice.roll(200), 20 + dice.roll(100));
            text +=
                &format!("\n[[fault]]\nkind = \"{kind}\"\nat = \"{at}s\"\nevery = \"{every}s\"\n");
        }
    }
    text
}

/// Runs the random scenario of a seed, cuts it at some places, and says what is broken.
fn broken_by(seed: u64) -> Option<String> {
    let text = random_scenario(seed);
    let scenario = match Scenario::parse(&text, "random", "random", &Overrides::default()) {
        Ok(scenario) => scenario,
        Err(error) => return Some(format!("SS_FAULT_SEED={seed}: {error}\n{text}")),
    };
    let explorer = match Explorer::record(&scenario) {
        Ok(explorer) => explorer,
        Err(error) => return Some(format!("SS_FAULT_SEED={seed}: {error}\n{text}")),
    };
    let limits = Limits {
        cuts_max: 12,
        second_every: 64,
        rot_every: 4,
        bad_max: 1,
        threads: 1,
        ..Limits::default()
    };
    let explored = explorer.explore(&limits, &Unseen);
    let of_run = explorer.violation().map(|broken| format!("the run: {broken}"));
    let of_state = explored.bad.first();
    let of_state = of_state.map(|bad| format!("state {}, {}: {}", bad.id, bad.what, bad.violation));
    let broken = of_run.or(of_state)?;
    Some(format!("SS_FAULT_SEED={seed}: {broken}\n{text}"))
}

/// Random scenarios with random faults, each cut at some places: so many as `SS_FAULT_SCENARIOS` says, from
/// the seed `SS_FAULT_SEED` on, or as many as `SS_FAULT_SECONDS` last. `SS_FAULT_THREADS` share them.
#[test]
fn random_scenarios_with_random_faults_keep_every_promise() {
    let first = setting("SS_FAULT_SEED", 1);
    let seconds = setting("SS_FAULT_SECONDS", 0);
    let scenarios = setting("SS_FAULT_SCENARIOS", if seconds > 0 { u64::MAX - first } else { 3 });
    let until = (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds));
    let next = AtomicU64::new(first);
    let broken = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..setting("SS_FAULT_THREADS", 2) {
            scope.spawn(|| {
                while until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= first + scenarios || broken.lock().unwrap().is_some() {
                        break;
                    }
                    if let Some(text) = broken_by(seed) {
                        broken.lock().unwrap().get_or_insert(text);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_none(), "{}", broken.unwrap());
    println!("{} random scenarios from seed {first}", next.into_inner() - first);
}

/// Seeds that once broke a promise, or that a judge took for broken.
#[test]
fn seeds_that_were_broken_once_stay_mended() {
    for seed in [
        57, 83, 108, 115, 121, 122, 131, 178, 616, 755, 958, 1110, 1314, 1589, 1928, 2313, 2349,
        2940, 3006, 3691, 4534, 5114, 5543, 8465,
    ] {
        let broken = broken_by(seed);
        assert!(broken.is_none(), "{}", broken.unwrap());
    }
}

/// A store of one segment, closed in order: 16 pages at most, a disk sector.
fn one_sector() -> Image {
    let disk = SimDisk::new(&Image::default());
    let config = GatewayConfig {
        segment_bytes: 64 << 10,
        disk_max_bytes: 512 << 10,
        reserve_bytes: 0,
        ..GatewayConfig::new(4)
    };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let key = SensorKey { source: 0, id: 1 };
    let sensor = gateway.register(SensorConfig::event(key)).unwrap();
    for number in 0..5_000_u64 {
        gateway.append_event(sensor, number as u32, number * 7_919 % 100_000).unwrap();
        if number % 1_000 == 0 {
            gateway.sync().unwrap();
        }
    }
    assert!(gateway.shut_down(None, &mut |_| {}).is_complete());
    disk.image()
}

/// Every bit of one disk sector, flipped alone, is noticed. `SS_BITS=1` takes every bit, else every 13th.
#[test]
fn a_flipped_bit_of_a_disk_sector_is_never_overlooked() {
    let image = one_sector();
    let (name, bytes) = image
        .list()
        .find(|(name, _)| Path::new(name).extension().is_some_and(|extension| extension == "seg"))
        .map(|(name, bytes)| (name.to_owned(), bytes.min(64 << 10)))
        .unwrap();
    assert!(bytes >= 8 * 4096, "{bytes} B in {name}");
    let pages_valid = |image: &Image| {
        let scanned = scan(&SimDisk::new(image)).unwrap();
        scanned.segments.iter().map(|segment| segment.pages_valid).sum::<u32>()
    };
    let sound = pages_valid(&image);
    let step = setting("SS_BITS", 13);
    let (next, checked) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let bit = next.fetch_add(step, Relaxed);
                    if bit >= bytes * 8 {
                        break;
                    }
                    let mut flipped = image.clone();
                    flipped.flip(&name, bit / 8, (bit % 8) as u8);
                    let found = pages_valid(&flipped);
                    assert!(found < sound, "bit {bit} of {name} was flipped, and nobody noticed");
                    checked.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!(checked.load(Relaxed), (bytes * 8).div_ceil(step));
}
