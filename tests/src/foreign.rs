//! Another store, as a source of tokens and handles that the tested one must not accept.

use ss_lib::{
    BatchToken, Record, Sensor, SensorConfig, SensorKey,
    ram::{Config, Inline, Store},
};

const SENSORS: usize = 48;

/// A store of 48 sensors in another epoch.
#[derive(Debug)]
pub struct Foreign(Store<Inline<SENSORS, SENSORS, 8, 1>>);

impl Foreign {
    /// Opens it.
    ///
    /// # Panics
    /// If it cannot.
    pub fn open(epoch: u32) -> Self {
        let mut store = Store::open(Config { epoch, ..Config::default() });
        for id in 0..SENSORS as u32 {
            let key = SensorKey { source: 9, id };
            assert!(store.register(SensorConfig::event(key)).is_ok(), "the foreign store is full");
        }
        Self(store)
    }

    /// The handle of its sensor at this place.
    ///
    /// # Panics
    /// If there is none.
    pub fn sensor(&self, place: usize) -> Sensor {
        match self.0.sensors().nth(place) {
            Some(sensor) => sensor,
            None => panic!("the foreign store has {SENSORS} sensors, not {place}"),
        }
    }

    /// A token of a batch of one record of its sensor at this place, never the same twice.
    ///
    /// # Panics
    /// If it hands out none.
    pub fn token(&mut self, place: usize) -> BatchToken {
        let sensor = self.sensor(place);
        assert!(self.0.append_event(sensor, 0, 0).is_ok(), "the foreign store takes nothing");
        let Ok(Some(token)) = self.0.consume(sensor, &mut [Record::default()]) else {
            panic!("the foreign store hands out nothing");
        };
        assert_eq!(self.0.ack(token), Ok(()));
        token
    }
}
