use ss_lib::{Record, SensorConfig, SensorKey, gateway::{Gateway, GatewayConfig}};
fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let mode = std::env::args().nth(2).unwrap();
    let config = GatewayConfig { squeezes: mode == "sq", ..GatewayConfig::new(2048) };
    let mut g = Gateway::open_dir(&dir, &config).unwrap();
    let s: Vec<_> = (0..2048).map(|id| g.register(SensorConfig::event(SensorKey { source: 2, id })).unwrap()).collect();
    let t = std::time::Instant::now();
    if mode == "sq" {
        let mut n = 0;
        while g.disk().segments_squeezed < 1 && n < 100000 { n += 1; g.tick(n); }
        println!("squeezed {:?} in {n} ticks {:?}", g.disk(), t.elapsed());
    } else {
        let limit: u64 = std::env::args().nth(3).unwrap().parse().unwrap();
        let mut out = vec![Record::default(); 100];
        let mut n = 0u64; 
        for &k in &s { let mut m = 0; while m < limit { let Some(t) = g.consume(k, &mut out).unwrap() else { break }; m += u64::from(t.count()); g.ack(t).unwrap(); } n += m; }
        println!("{} ns/rec {n} {:?}", t.elapsed().as_nanos() as u64 / n, g.disk());
    }
}
