//! Golden stores that the engine itself wrote, beside those of the writer that was made from FORMAT.md:
//! what a release leaves in the field. Written once, by the same program, and never by a test.

use super::{chunks::kind_word, faulty::FaultyDisk};
use crate::disk::golden::{EVENTS, QUIET, SAME_ID, SERIES};
use ss_lib::{
    ClockKind, Kind, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    disk::Origin,
    gateway::{Gateway, GatewayConfig},
};
use std::{collections::BTreeMap, fmt::Write};

/// A store's files, and what must be found in it.
pub struct EngineMade {
    pub name: &'static str,
    pub files: BTreeMap<String, Vec<u8>>,
    pub expect: String,
}

/// The first time of all, in ms since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// What a sensor was given: number, opening, time and value of each record, and how many were answered.
struct Book {
    key: SensorKey,
    kind: Kind,
    sensor: Option<Sensor>,
    added: Vec<(u64, u32, u64, u32)>,
    head: usize,
}

/// A gateway whose every record is written down beside it.
struct Writing {
    config: GatewayConfig,
    gateway: Option<Gateway<FaultyDisk>>,
    disk: FaultyDisk,
    books: Vec<Book>,
    losses: Vec<(SensorKey, u64, usize)>,
    epoch: u32,
    now_ms: u64,
}

impl Writing {
    fn begin(number: u8) -> Self {
        let config = GatewayConfig {
            pool_bytes: 8 << 10,
            segment_bytes: 64 << 10,
            reserve_bytes: 0,
            origin: Origin { store_id: Some([number; 16]), ..Origin::default() },
            ..GatewayConfig::new(8)
        };
        let book = |(key, kind)| Book { key, kind, sensor: None, added: Vec::new(), head: 0 };
        let books = [
            (SERIES, Kind::TimeSeries),
            (SAME_ID, Kind::TimeSeries),
            (EVENTS, Kind::Event),
            (QUIET, Kind::Event),
        ];
        let mut writing = Self {
            config,
            gateway: None,
            disk: FaultyDisk::default(),
            books: books.map(book).into(),
            losses: Vec::new(),
            epoch: 0,
            now_ms: BEGIN_MS,
        };
        writing.open();
        writing
    }

    fn open(&mut self) {
        // Killed, if it was open.
        self.gateway = None;
        let mut gateway = Gateway::open(self.disk.clone(), &self.config).unwrap();
        self.epoch += 1;
        for book in &mut self.books {
            let config = match book.kind {
                Kind::TimeSeries => SensorConfig::time_series(book.key, 1_000),
                Kind::Event => SensorConfig::event(book.key),
            };
            book.sensor = Some(gateway.register(config).unwrap());
        }
        self.gateway = Some(gateway);
    }

    fn gateway(&mut self) -> &mut Gateway<FaultyDisk> {
        self.gateway.as_mut().unwrap()
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1_000;
            let second = (self.now_ms - BEGIN_MS) / 1_000;
            for place in 0..self.books.len() {
                // A series with gaps, one without, events in no order of time, and a sensor that is quiet.
                let is_due = match place {
                    0 => second % 97 > 3,
                    1 | 2 => true,
                    _ => second % 500 == 1,
                };
                if is_due {
                    self.add(place, second);
                }
            }
            let now_ms = self.now_ms;
            self.gateway().tick(now_ms);
        }
    }

    fn add(&mut self, place: usize, second: u64) {
        let (epoch, now_ms) = (self.epoch, self.now_ms);
        let sensor = self.books[place].sensor.unwrap();
        let value = (second as u32).wrapping_mul(2_654_435_761) ^ place as u32;
        let (seq, time_ms) = if self.books[place].kind == Kind::Event {
            let time_ms = second.wrapping_mul(0x9E37_79B9) % (now_ms + 1);
            (self.gateway().append_event(sensor, value, time_ms), time_ms)
        } else {
            let at = Timestamp { ms: now_ms, clock: ClockKind::Utc };
            (self.gateway().append(sensor, value, at), now_ms)
        };
        let book = &mut self.books[place];
        assert_eq!(seq.unwrap(), book.added.len() as u64);
        book.added.push((book.added.len() as u64, epoch, time_ms, value));
    }

    /// Takes a batch of a sensor and answers it for good.
    fn answer(&mut self, place: usize, records: usize, accepts: bool) {
        let sensor = self.books[place].sensor.unwrap();
        let mut out = vec![Record::default(); records];
        let token = self.gateway().consume(sensor, &mut out).unwrap().unwrap();
        let count = token.count() as usize;
        if accepts {
            self.gateway().ack(token).unwrap();
        } else {
            self.gateway().reject(token).unwrap();
            let book = &self.books[place];
            self.losses.push((book.key, book.head as u64, count));
        }
        self.books[place].head += count;
    }

    fn made(mut self, name: &'static str) -> EngineMade {
        self.gateway = None;
        let mut expect = String::new();
        self.books.sort_by_key(|book| book.key);
        for book in &self.books {
            let (key, kind) = (book.key, kind_word(book.kind));
            writeln!(expect, "sensor {key} {kind} active {} {}", book.head, book.added.len())
                .unwrap();
            for (seq, epoch, time_ms, value) in &book.added[book.head..] {
                writeln!(expect, "{key} {seq} {epoch} {time_ms} {value}").unwrap();
            }
        }
        for (key, first, count) in &self.losses {
            writeln!(expect, "loss {key} {first} {count} rejected").unwrap();
        }
        EngineMade { name, files: self.disk.memory().files(), expect }
    }
}

/// Closed in order: squeezed segments, answered and rejected records.
fn closed() -> EngineMade {
    let mut writing = Writing::begin(0xA1);
    writing.run(1_600);
    for _ in 0..4 {
        writing.answer(0, 100, true);
    }
    writing.answer(2, 37, false);
    writing.answer(2, 250, true);
    writing.run(200);
    assert!(writing.gateway().shut_down(None, &mut |_| ()).is_complete());
    writing.made("engine-closed")
}

/// Killed twice, each time behind a sync: three openings, and nothing in RAM that the disk has not.
fn killed() -> EngineMade {
    let mut writing = Writing::begin(0xA2);
    for round in 0..3 {
        writing.run(300);
        writing.answer(1, 90 + round, true);
        writing.gateway().sync().unwrap();
        if round < 2 {
            writing.open();
        }
    }
    writing.made("engine-killed")
}

/// Every store.
pub fn all() -> Vec<EngineMade> {
    vec![closed(), killed()]
}
