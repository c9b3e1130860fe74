//! A store for interrupts: one value behind `critical-section`, never a spin lock.

use core::cell::RefCell;
use critical_section::Mutex;

/// A store (or anything else) that is used in critical sections: interrupts of one core share it.
///
/// A critical section lasts for one call of [`with`](Self::with): keep to one operation of the
/// store in each, so that interrupts wait for bounded work.
#[derive(Debug)]
pub struct Critical<T>(Mutex<RefCell<T>>);

impl<T> Critical<T> {
    /// For a static: `static STORE: Critical<Stm32Store> = Critical::new(Stm32Store::vacant());`
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(RefCell::new(value)))
    }

    /// Runs `f` with interrupts off. `None` if it is called from within itself, which would need
    /// two owners of one store.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        critical_section::with(|section| {
            self.0.borrow(section).try_borrow_mut().ok().map(|mut value| f(&mut value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Critical;
    use crate::{
        Record, SensorConfig, SensorKey, Timestamp,
        ram::{Config, Stm32Store},
    };

    static STORE: Critical<Stm32Store> = Critical::new(Stm32Store::vacant());

    #[test]
    fn a_static_store_is_shared_by_threads_and_refuses_to_be_entered_twice() {
        let sensor = STORE
            .with(|store| {
                store.reopen(Config::default());
                assert_eq!(STORE.with(|_| ()), None);
                store.register(SensorConfig::time_series(SensorKey::default(), 10)).unwrap()
            })
            .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for n in 0..100 {
                        let at = Timestamp::monotonic(n * 10);
                        STORE.with(|store| store.append(sensor, n as u32, at).unwrap()).unwrap();
                    }
                });
            }
        });
        let taken = STORE.with(|store| {
            let mut out = [Record::default(); 256];
            let mut taken = 0;
            while let Some(token) = store.consume(sensor, &mut out).unwrap() {
                taken += token.count();
                store.ack(token).unwrap();
            }
            store.check().unwrap();
            taken
        });
        assert_eq!(taken, Some(200));
    }
}
