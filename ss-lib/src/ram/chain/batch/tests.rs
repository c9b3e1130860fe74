//! An answer counts for the batch that is pending and for no other.

use crate::{
    BatchToken, Record, SensorConfig, SensorKey, StaleBatch, Timestamp,
    ram::{Config, Env, Inline, Store, backing::Memory},
};
use core::sync::atomic::Ordering::Relaxed;

type Small = Store<Inline<1, 8, 16, 4>>;

/// 10 records of which 3 were answered and 4 are pending for the second time.
fn used() -> (Small, BatchToken) {
    let mut store = Small::open(Config::default());
    let key = SensorKey { source: 1, id: 7 };
    let sensor = store.register(SensorConfig::time_series(key, 10)).unwrap();
    for number in 0..10 {
        store.append(sensor, number, Timestamp::utc(u64::from(number) * 10)).unwrap();
    }
    let first = store.consume(sensor, &mut [Record::default(); 3]).unwrap().unwrap();
    store.ack(first).unwrap();
    let again = store.consume(sensor, &mut [Record::default(); 4]).unwrap().unwrap();
    store.nack(again).unwrap();
    let token = store.consume(sensor, &mut [Record::default(); 4]).unwrap().unwrap();
    (store, token)
}

/// Turns a bit of the number that the front sector keeps.
fn rot(store: &mut Small, token: BatchToken) {
    let front = store.backing.with_chain(token.sensor, |chain, _| chain.first_slot().unwrap());
    store.backing.with_env(|env| {
        env.slots().words(front.unwrap())[1].fetch_xor(1 << 9, Relaxed);
    });
}

#[test]
fn only_the_token_of_the_pending_batch_answers_it() {
    let other = |change: fn(&mut BatchToken)| {
        let (mut store, mut token) = used();
        change(&mut token);
        let answers = [store.nack(token), store.ack(token), store.reject(token)];
        assert_eq!(answers, [Err(StaleBatch); 3], "{token:?}");
        // A number that rotted is not asked; all else still is.
        let (mut store, _) = used();
        rot(&mut store, token);
        store.ack(token)
    };
    assert_eq!(other(|token| token.first_seq -= 1), Ok(()));
    assert_eq!(other(|token| token.count += 1), Err(StaleBatch));
    assert_eq!(other(|token| token.attempt -= 1), Err(StaleBatch));
    assert_eq!(other(|token| token.epoch += 1), Err(StaleBatch));
    let (mut store, token) = used();
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.ack(token), Err(StaleBatch));
    assert_eq!(store.stats(token.sensor).unwrap().erased, 7);
}
