//! An answer counts for the batch that is pending and for no other.

use super::super::tests::{Small, beginning_with, rot};
use crate::{BatchToken, Record, StaleBatch, Timestamp};

/// 10 records of which 3 were answered and 4 are pending for the second time.
fn used() -> (Small, BatchToken) {
    let (mut store, sensor) = beginning_with(0);
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

#[test]
fn only_the_token_of_the_pending_batch_answers_it() {
    let other = |change: fn(&mut BatchToken)| {
        let (mut store, mut token) = used();
        change(&mut token);
        let answers = [store.nack(token), store.ack(token), store.reject(token)];
        assert_eq!(answers, [Err(StaleBatch); 3], "{token:?}");
        // A number that rotted is not asked; all else still is.
        let (mut store, _) = used();
        rot(&mut store, token.sensor, 0, 1, 1 << 9);
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
