//! What the firmware takes, and what its operations cost: numbers that no machine's speed changes.

use super::support::Bench;
use serde_json::Value;

/// The store's budget.
const STORE_BYTES_MAX: u64 = 32 * 1024;
/// The whole image's RAM: the store, the driver's tables for 100 sensors (68 KiB), the line's rings
/// (2.5 KiB), and the stack as far as it was ever used.
const RAM_BYTES_MAX: u64 = 112 * 1024;
/// The image's flash.
const FLASH_BYTES_MAX: u64 = 72 * 1024;

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

#[test]
fn an_add_keeps_to_its_instructions() {
    let Some(bench) = Bench::new() else { return };
    for scenario in super::support::stm32_scenarios() {
        let (run, _) = bench.json(&scenario, &["--duration", "6h"]);
        assert_eq!(run["clock"]["unit"], "instructions");
        for operation in ["add-series", "add-event"] {
            let cost = cost(&run, operation);
            println!("{scenario}: {cost}");
        }
    }
}
