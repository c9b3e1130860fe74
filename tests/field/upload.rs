//! Rows B01 to B12: handing out, answering.

use super::support::*;
use ss_lib::{
    ConsumeError, DropCause, Loss, Record, SensorConfig, StaleBatch,
    ram::{BATCH_RECORDS_MAX, Config, FullPolicy, Store},
};

#[test]
fn field_b01_an_ack_erases_what_was_sent_and_not_what_was_read() {
    // The uploader read ahead, sent less, and its ack erased everything that had been read.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 30);
    let mut ahead = [Record::default(); 30];
    assert_eq!(store.peek_batch(sensor, &mut ahead), Ok(30));
    let (token, sent) = consume(&mut store, sensor, 7);
    assert_eq!(seqs(&sent), (0..7).collect::<Vec<_>>());
    assert!(store.read_at(sensor, 29).is_ok());
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.stats(sensor).unwrap().erased, 7);
    assert_eq!(seqs(&consume(&mut store, sensor, 30).1), (7..30).collect::<Vec<_>>());
}

#[test]
fn field_b02_a_nacked_batch_comes_again_identical() {
    // A nack reset the count and forgot the cursor: the data stayed behind, out of reach.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 40);
    for limit in [1, 11, 12, 13, 40, 100] {
        let (first, sent) = consume(&mut store, sensor, limit);
        assert_eq!(store.nack(first), Ok(()));
        let (second, again) = consume(&mut store, sensor, limit);
        assert_eq!(sent, again);
        assert_ne!(first, second, "another attempt has another token");
        assert_eq!(store.nack(second), Ok(()));
    }
    assert_eq!(store.unsent(sensor), Ok(40));
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn field_b03_pending_is_never_handed_out_twice() {
    // The uploader read the total and ignored what was pending: pending grew to 47,186.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 50);
    let (token, _) = consume(&mut store, sensor, 20);
    for _ in 0..100 {
        let again = store.consume(sensor, &mut [Record::default(); 20]);
        assert_eq!(again, Err(ConsumeError::BatchPending));
        let stats = store.stats(sensor).unwrap();
        assert_eq!((stats.pending, stats.unsent), (20, 30));
    }
    assert_eq!(store.pending_batch(sensor), Ok(Some(token)));
}

#[test]
fn field_b04_late_duplicate_and_foreign_tokens_change_nothing() {
    // The reply arrived when the uploader had moved on, and acked something else.
    let mut store = small();
    let (sensor, other) = (series(&mut store, 1), series(&mut store, 2));
    add(&mut store, sensor, 30);
    add(&mut store, other, 30);
    let mut elsewhere = Store::open(Config { epoch: EPOCH + 1, ..Config::default() });
    let _: &Small = &elsewhere;
    let twin = series(&mut elsewhere, 1);
    add(&mut elsewhere, twin, 30);

    let (late, _) = consume(&mut store, sensor, 5);
    assert_eq!(store.nack(late), Ok(()));
    let (answered, _) = consume(&mut store, sensor, 5);
    assert_eq!(store.ack(answered), Ok(()));
    let (foreign_sensor, _) = consume(&mut store, other, 5);
    assert_eq!(store.reject(foreign_sensor), Ok(()));
    let (foreign_epoch, _) = consume(&mut elsewhere, twin, 5);
    consume(&mut store, sensor, 5);
    consume(&mut store, other, 7);

    let before = state(&store);
    for token in [late, answered, foreign_sensor, foreign_epoch] {
        assert_eq!(store.ack(token), Err(StaleBatch));
        assert_eq!(store.nack(token), Err(StaleBatch));
        assert_eq!(store.reject(token), Err(StaleBatch));
        assert_eq!(state(&store), before);
    }
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn field_b06_the_last_record_of_a_sector_goes_the_same_way() {
    // A batch that ended with a chain's last record took another path, and that path was wrong.
    for size in [1, SERIES_PER_SECTOR - 1, SERIES_PER_SECTOR, SERIES_PER_SECTOR + 1, 36] {
        for nacks in 0..2 {
            let mut store = small();
            let sensor = series(&mut store, 1);
            add(&mut store, sensor, SERIES_PER_SECTOR * 3);
            let mut expected = 0_u64;
            while store.unsent(sensor).unwrap() > 0 {
                for _ in 0..nacks {
                    let (token, _) = consume(&mut store, sensor, size as usize);
                    assert_eq!(store.nack(token), Ok(()));
                }
                let (token, batch) = consume(&mut store, sensor, size as usize);
                let end = (expected + u64::from(size)).min(36);
                assert_eq!(seqs(&batch), (expected..end).collect::<Vec<_>>());
                assert_eq!(store.ack(token), Ok(()));
                assert_eq!(store.check(), Ok(()));
                expected = end;
            }
            assert_eq!((expected, store.pool().sectors_used), (36, 0));
            // The chain begins anew behind its last record.
            add(&mut store, sensor, 1);
            assert_eq!(seqs(&consume(&mut store, sensor, 9).1), [36]);
        }
    }
}

#[test]
fn field_b07_nacked_records_come_back_in_order() {
    // After a nack reading began behind the pending range: the five were never sent again, and the
    // next ack erased them.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 5);
    let (token, _) = consume(&mut store, sensor, 5);
    add(&mut store, sensor, 3);
    assert_eq!(store.nack(token), Ok(()));
    let (token, all) = consume(&mut store, sensor, 100);
    assert_eq!(seqs(&all), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.stats(sensor).unwrap().erased, 8);
}

#[test]
fn field_b08_a_short_batch_is_a_success_with_its_true_count() {
    // Fewer records than asked for was called a failure; they stayed pending and died at the next
    // ack.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 3);
    let (token, batch) = consume(&mut store, sensor, BATCH_RECORDS_MAX);
    assert_eq!((token.count(), batch.len()), (3, 3));
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.consume(sensor, &mut [Record::default(); 4]), Ok(None));
    // None at all was asked for: nothing becomes pending.
    add(&mut store, sensor, 1);
    assert_eq!(store.consume(sensor, &mut []), Ok(None));
    assert_eq!(store.pending(sensor), Ok(0));
}

#[test]
fn field_b09_what_is_counted_as_unsent_can_be_consumed() {
    // The count came from shared totals and said N, the read of one source said none.
    let mut store = small();
    let sensors: Vec<_> = (0..3)
        .map(|source| {
            let key = ss_lib::SensorKey { source, id: 7 };
            store.register(SensorConfig::time_series(key, PERIOD_MS)).unwrap()
        })
        .collect();
    for (count, &sensor) in (0..).zip(&sensors) {
        add(&mut store, sensor, count * 10);
    }
    for round in 0..40 {
        for &sensor in &sensors {
            let unsent = store.unsent(sensor).unwrap();
            let mut out = [Record::default(); 3];
            let consumed = store.consume(sensor, &mut out).unwrap();
            assert_eq!(consumed.is_some(), unsent > 0, "{unsent} unsent, round {round}");
            if let Some(token) = consumed {
                let reply = if round % 3 == 0 { Store::nack } else { Store::ack };
                assert_eq!(reply(&mut store, token), Ok(()));
            }
        }
    }
    assert_eq!(store.totals().retained(), 0);
}

#[test]
fn field_b10_the_first_record_can_be_pending() {
    // A cursor of 0 was an offset inside a header, and 0 meant "nothing pending". Here cursors are
    // numbers of records, and pending is a count.
    for first_seq in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX - 2] {
        let mut store = small();
        let config = SensorConfig::event(key(1)).starting_at(first_seq);
        let sensor = store.register(config).unwrap();
        assert_eq!(store.append_event(sensor, 0, 0), Ok(first_seq));
        let (token, batch) = consume(&mut store, sensor, 1);
        assert_eq!(seqs(&batch), [first_seq]);
        assert_eq!(store.pending(sensor), Ok(1));
        assert_eq!(store.nack(token), Ok(()));
        assert_eq!(store.unsent(sensor), Ok(1));
        let (token, _) = consume(&mut store, sensor, 1);
        assert_eq!(store.ack(token), Ok(()));
        assert_eq!(store.retained(sensor), Ok(0));
    }
}

#[test]
fn field_b11_an_answer_concerns_one_sensor_of_thousands() {
    // A nack scanned every sensor and took 3 s. The count of steps is in `interleavings.rs`; here:
    // every other sensor's batch stays as it is.
    let mut store = shared(2_048, 2_048, FullPolicy::RefuseNew);
    let sensors: Vec<_> = (0..2_048).map(|id| events(&mut store, id)).collect();
    let tokens: Vec<_> = sensors
        .iter()
        .map(|&sensor| {
            add_events(&mut store, sensor, 2);
            consume(&mut store, sensor, 2).0
        })
        .collect();
    for (&sensor, &token) in sensors.iter().zip(&tokens).skip(1).step_by(2) {
        assert_eq!(store.nack(token), Ok(()));
        assert_eq!(store.unsent(sensor), Ok(2));
    }
    for (&sensor, &token) in sensors.iter().zip(&tokens).step_by(2) {
        assert_eq!(store.pending_batch(sensor), Ok(Some(token)));
        assert_eq!(store.ack(token), Ok(()));
    }
    assert_eq!((store.totals().erased, store.totals().unsent), (2_048, 2_048));
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn field_b12_a_batch_that_the_cloud_never_takes_is_rejected_and_listed() {
    // One poisonous batch was nacked for ever and blocked its queue.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 20);
    store.tick(77);
    let (token, _) = consume(&mut store, sensor, 4);
    assert_eq!(store.reject(token), Ok(()));
    let mut losses = [Loss::NONE; 8];
    assert_eq!(store.losses(&mut losses), 1);
    let expected = Loss { first_seq: 0, at_ms: 77, count: 4, sensor, cause: DropCause::Rejected };
    assert_eq!(losses[0], expected);
    let stats = store.stats(sensor).unwrap();
    assert_eq!((stats.rejected, stats.erased, stats.dropped()), (4, 4, 0));
    assert_eq!(seqs(&consume(&mut store, sensor, 100).1), (4..20).collect::<Vec<_>>());
}
