use ss_lib::scenario::{explore::{Explorer, Limits, Unseen}, text::{Overrides, Scenario}};
use std::path::Path;

#[test]
fn tryout() {
    let file = std::env::var("SS_FILE").unwrap_or("../scenarios/crash-states.toml".into());
    let scenario = Scenario::load(Path::new(&file), &Overrides { duration: std::env::var("SS_DURATION").ok(), ..Default::default() }).unwrap();
    let explorer = Explorer::record(&scenario).unwrap();
    println!("steps {} records {} violation {:?}", explorer.steps(), explorer.records(), explorer.violation());
    let n = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let limits = Limits { cuts_max: n("CUTS", 0), second_every: n("SECOND", 8), rot_every: n("ROT", 16), threads: n("THREADS", 1) as usize, scan_every: n("SCAN", 16), ..Default::default() };
    let explored = explorer.explore(&limits, &Unseen);
    for bad in &explored.bad { println!("BAD {} {}\n    {}", bad.id, bad.what, bad.violation); }
    let explored = ss_lib::scenario::explore::Explored { bad: vec![], ..explored };
    println!("{explored:?}");
    println!("{} states/s, {} distinct/s", explored.states as f64 / explored.wall_ns as f64 * 1e9, explored.distinct as f64 / explored.wall_ns as f64 * 1e9);
}
