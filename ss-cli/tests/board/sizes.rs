//! What the firmware takes, and what its operations cost: numbers that no machine's speed changes.

use super::support::Bench;
use serde_json::Value;

/// The store's budget.
const STORE_BYTES_MAX: u64 = 32 * 1024;
/// The whole image's RAM: the store, the driver's tables for 100 sensors (68 KiB), the line's rings
/// (2.5 KiB), and the stack as far as it was ever used.
const RAM_BYTES_MAX: u64 = 112 * 1024;
/// The image's flash, 20 KiB of it tables for checksums.
const FLASH_BYTES_MAX: u64 = 88 * 1024;

fn figure(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key}: {value}"))
}

fn cost<'v>(run: &'v Value, operation: &str) -> &'v Value {
    let costs = run["costs"].as_array().unwrap();
    costs.iter().find(|cost| cost["operation"] == operation).unwrap()
}

#[test]
fn the_image_keeps_to_its_memory() {
    let Some(bench) = Bench::new() else { return };
    let (run, _) = bench.json("stm32-100-sensors", &["--duration", "2h"]);
    let ram = &run["ram"];
    let whole = figure(ram, "static_bytes") + figure(ram, "stack_peak_bytes");
    println!("{ram}, {} B of flash", figure(&run, "flash_bytes"));
    assert!(figure(ram, "store_bytes") <= STORE_BYTES_MAX, "{ram}");
    assert!(whole <= RAM_BYTES_MAX, "{whole} B of RAM: {ram}");
    assert!(figure(&run, "flash_bytes") <= FLASH_BYTES_MAX, "{}", run["flash_bytes"]);
    // Half of the stack is left.
    assert!(figure(ram, "stack_peak_bytes") * 2 <= figure(ram, "stack_bytes"), "{ram}");
}

/// What an add costs at most, in instructions of a Cortex-M4, the measurement's own not counted: into
/// the open sector, mostly; with a new sector out of the free ones; with one that is made of the same
/// sensor's oldest, which is dropped into the ledger; and of the oldest of the one that holds most.
const ADD_TYPICAL_MAX: u64 = 200;
const ADD_FREE_SECTOR_MAX: u64 = 400;
const ADD_OWN_SECTOR_MAX: u64 = 400;
const ADD_OTHERS_SECTOR_MAX: u64 = 400;

/// The dearest add of either kind, without the cost of the measurement.
fn dearest_add(run: &Value, key: &str) -> u64 {
    assert_eq!(run["clock"]["unit"], "instructions");
    let adds = ["add-series", "add-event"].map(|operation| cost(run, operation)[key].as_u64());
    adds.into_iter().flatten().max().unwrap() - figure(&run["clock"], "empty_cost")
}

#[test]
fn an_add_into_the_open_sector_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    let (run, _) = bench.json("stm32-recycle", &["--duration", "1h"]);
    let typical = dearest_add(&run, "p50");
    println!("into the open sector: {}", run["costs"]);
    assert!(typical <= ADD_TYPICAL_MAX, "{typical} instructions: {}", run["costs"]);
}

#[test]
fn an_add_that_opens_a_free_sector_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    for (scenario, duration) in [("stm32-100-sensors", "2h"), ("stm32-refuse", "2h")] {
        let (run, _) = bench.json(scenario, &["--duration", duration]);
        let dearest = dearest_add(&run, "max");
        println!("a free sector in {scenario}: {dearest}");
        assert!(dearest <= ADD_FREE_SECTOR_MAX, "{scenario}: {dearest}: {}", run["costs"]);
    }
}

/// Runs a scenario that has no file.
fn run_text(bench: &Bench, text: &str) -> Value {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("scenario.toml");
    std::fs::write(&file, text).unwrap();
    let (run, code) = bench.json(&file.display().to_string(), &[]);
    assert_eq!(code, Some(0), "{run}");
    run
}

#[test]
fn an_add_that_drops_a_sector_of_its_own_sensor_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    // One sensor has the whole pool: there is nobody else to take from. Of the series, half of the
    // readings are as far from the grid as they may be, so that some sectors end early.
    let sensors = [
        ("kind = \"time-series\"\nperiod = \"1s\"\n", "add-series"),
        ("kind = \"time-series\"\nperiod = \"1s\"\njitter = \"500ms\"\n", "add-series"),
        ("kind = \"event\"\nperiod = \"1s\"\njitter = \"100ms\"\n", "add-event"),
    ];
    for (sensor, operation) in sensors {
        let text = format!(
            "profile = \"stm32\"\nduration = \"3h\"\n[[sensors]]\nname = \"a\"\ncount = 1\n{sensor}"
        );
        let run = run_text(&bench, &text);
        assert!(figure(&run["records"]["dropped"], "recycled") > 0, "{run}");
        let dearest = dearest_add(&run, "max");
        println!("{operation}: {dearest}");
        assert!(dearest <= ADD_OWN_SECTOR_MAX, "{dearest}: {}", run["costs"]);
    }
}

#[test]
fn an_add_that_drops_a_sector_of_another_sensor_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    let keeps = |run: &Value, what: &str| {
        assert!(figure(&run["records"]["dropped"], "recycled") > 0, "{run}");
        let dearest = dearest_add(run, "max");
        println!("{what}: {dearest}");
        assert!(dearest <= ADD_OTHERS_SECTOR_MAX, "{what}: {dearest}: {}", run["costs"]);
    };
    for scenario in ["stm32-recycle", "stm32-full"] {
        let (run, _) = bench.json(scenario, &[]);
        keeps(&run, scenario);
    }
    // One sensor holds all that the others come to need; and batches that are never answered lie in
    // front of what can be dropped.
    let richest = "profile = \"stm32\"\nduration = \"7h\"\n[[sensors]]\nname = \"poor\"\ncount = 98\n\
                   kind = \"time-series\"\nsource = 1\nperiod = { from = \"200m\", to = \"400m\" }\n\
                   [[sensors]]\nname = \"rich\"\ncount = 1\nkind = \"event\"\nsource = 2\nperiod = \"1s\"\n";
    keeps(&run_text(&bench, richest), "one holds most");
    let pending = "profile = \"stm32\"\nduration = \"4h\"\nseed = 7\n\
                   [[sensors]]\nname = \"chatty\"\ncount = 10\nkind = \"time-series\"\nsource = 1\n\
                   period = \"1s\"\njitter = \"499ms\"\n\
                   [[sensors]]\nname = \"chatty-events\"\ncount = 6\nkind = \"event\"\nsource = 2\n\
                   period = \"1s\"\njitter = \"100ms\"\n\
                   [[sensors]]\nname = \"late\"\ncount = 60\nkind = \"time-series\"\nsource = 3\n\
                   period = { from = \"200s\", to = \"400s\" }\njitter = \"100s\"\n\
                   [[sensors]]\nname = \"late-events\"\ncount = 24\nkind = \"event\"\nsource = 4\n\
                   period = { from = \"180s\", to = \"300s\" }\njitter = \"10s\"\n\
                   [uploader]\nevery = \"10m\"\nbatch = 7\nlatency = \"3h\"\ntimeout = \"5h\"\n";
    keeps(&run_text(&bench, pending), "behind what is pending");
}

/// Everything that makes an add dear at once: readings off their grid, of sensors whose every sector holds
/// records of a pending batch, so that each takes the oldest sector of the one sensor that holds more than the
/// others. That one's lies behind a pending batch too, its numbers pass 2^32, and answers of "not now" make
/// its losses new entries of the ledger as often as not. With the time from 2^48 ms on a sector has two words
/// more.
#[test]
fn an_add_that_meets_everything_dear_at_once_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    let leap = "[[clock_step]]\nat = \"1s\"\nby = \"281474976710656s\"\n";
    let refused = "every = \"1m\"\nlatency = \"10m\"\nbatch = 30\nnack = \"30%\"\n";
    let slow = "every = \"1m\"\nlatency = \"20m\"\nbatch = 7\n";
    let mut dearest = 0;
    for (uploader, clock, what) in [
        (refused, leap, "everything dear, from 2^48 ms on"),
        (slow, leap, "the same, and no batch comes back"),
        (refused, "", "everything dear, before 2^48 ms"),
    ] {
        let text = format!(
            "profile = \"stm32\"\nduration = \"5h\"\nseed = 1\n\
             [[sensors]]\nname = \"poor\"\ncount = 98\nkind = \"time-series\"\nsource = 1\n\
             period = \"200s\"\njitter = \"100s\"\n\
             [[sensors]]\nname = \"rich\"\ncount = 1\nkind = \"event\"\nsource = 9\nperiod = \"1s\"\n\
             first_seq = 4294960000\n[uploader]\ntimeout = \"5h\"\n{uploader}{clock}"
        );
        let run = run_text(&bench, &text);
        assert!(figure(&run["records"]["dropped"], "recycled") > 1_000, "{run}");
        let this = dearest_add(&run, "max");
        println!("{what}: {this}");
        assert!(this <= ADD_OTHERS_SECTOR_MAX, "{what}: {this}: {}", run["costs"]);
        dearest = dearest.max(this);
    }
    // The scenario does what it is for.
    assert!(dearest > 350, "{dearest}");
}

/// A batch of 60 records, and its answer, by the record.
const CONSUME_RECORD_MAX: f64 = 130.0;
const ANSWER_RECORD_MAX: f64 = 15.0;

#[test]
fn consuming_and_answering_keep_to_their_instructions_a_record() {
    let Some(bench) = Bench::new() else { return };
    let text = "profile = \"stm32\"\nduration = \"2h\"\n[[sensors]]\nname = \"a\"\ncount = 20\n\
                kind = \"time-series\"\nperiod = \"1s\"\n[uploader]\nevery = \"60s\"\nbatch = 60\n\
                latency = \"100ms\"\n";
    let run = run_text(&bench, text);
    for (operation, most) in [("consume", CONSUME_RECORD_MAX), ("answer", ANSWER_RECORD_MAX)] {
        let cost = cost(&run, operation);
        let a_record = cost["per_record"].as_f64().unwrap();
        println!("{cost}");
        assert!(a_record <= most, "{operation}: {cost}");
    }
}
