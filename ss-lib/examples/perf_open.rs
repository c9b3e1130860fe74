use ss_lib::{SensorConfig, SensorKey, gateway::{Gateway, GatewayConfig}};
fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let config = GatewayConfig { squeezes: false, ..GatewayConfig::new(2048) };
    if !dir.exists() {
        let mut g = Gateway::open_dir(&dir, &config).unwrap();
        let s: Vec<_> = (0..2048).map(|id| g.register(SensorConfig::event(SensorKey { source: 2, id })).unwrap()).collect();
        for second in 0..2048u64 { for step in 0..10u64 { for (i, &k) in s.iter().enumerate() { let ph = (i as u64 * 7919) % 1000; if ph / 100 == step { g.append_event(k, second as u32, second * 1000 + ph).unwrap(); } } g.tick(second * 1000 + step * 100); } }
        println!("{:?} footprint {:?}", g.disk(), ss_lib::gateway::footprint_bytes(&config));
    }
    for _ in 0..20 {
        let t = std::time::Instant::now();
        let g = Gateway::open_dir(&dir, &config).unwrap();
        println!("{:?} {:?}", t.elapsed(), g.recovery().pages_read);
    }
}
