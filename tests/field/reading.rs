//! Rows B13 to B19, B44 and B46: what is read, when, and on which clock.

use super::support::*;
use proptest::{collection::vec, prelude::*};
use ss_lib::{
    AppendError, ClockKind, Kind, Record, SensorConfig, Timestamp,
    ram::{FullPolicy, Store},
};

#[test]
fn field_b13_drain_write_drain_many_times() {
    // After the first drain the cursor stood at the end of the chain and every later read failed.
    let mut store = small();
    let sensor = series(&mut store, 1);
    let mut expected = 0_u64;
    for round in 0..500 {
        let count = 1 + round * 7 % 40;
        add(&mut store, sensor, count);
        let (token, batch) = consume(&mut store, sensor, 100);
        let end = expected + u64::from(count);
        assert_eq!(seqs(&batch), (expected..end).collect::<Vec<_>>());
        assert_eq!(store.ack(token), Ok(()));
        expected = end;
        assert_eq!(store.pool().sectors_used, 0);
    }
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn field_b14_zero_is_a_value_and_a_time_and_nothing_else_reads_as_one() {
    // Erased zeros were handed out as readings; the fix then refused real zeros.
    let mut store = small();
    let (sensor, other) = (events(&mut store, 1), series(&mut store, 2));
    for _ in 0..3 {
        assert!(store.append_event(sensor, 0, 0).is_ok());
        assert!(store.append(other, 0, Timestamp::monotonic(0)).is_ok());
    }
    for sensor in [sensor, other] {
        let (token, batch) = consume(&mut store, sensor, 100);
        assert_eq!(seqs(&batch), [0, 1, 2]);
        assert!(batch.iter().all(|record| (record.value, record.time_ms) == (0, 0)));
        assert_eq!(store.ack(token), Ok(()));
        // Nothing was written, so nothing is read, whatever the erased sector holds.
        assert_eq!(store.consume(sensor, &mut [Record::default(); 100]), Ok(None));
        assert_eq!(store.peek(sensor), Ok(None));
        assert!(store.read_at(sensor, 2).is_err());
    }
}

#[test]
fn field_b15_a_reading_of_the_wrong_kind_is_refused() {
    // Two writers put different kinds into one sensor, and each read the other's bytes.
    let mut store = small();
    let (sensor, other) = (events(&mut store, 1), series(&mut store, 2));
    add_events(&mut store, sensor, 2);
    add(&mut store, other, 2);
    let before = state(&store);
    let at = Timestamp::utc(1);
    assert_eq!(store.append(sensor, 1, at), Err(AppendError::WrongKind));
    assert_eq!(store.append_event(other, 1, 1), Err(AppendError::WrongKind));
    assert_eq!(state(&store), before);
    // A sensor that changes its kind on purpose keeps what it has as what it was.
    assert_eq!(store.reconfigure(sensor, Kind::TimeSeries, PERIOD_MS), Ok(()));
    assert_eq!(store.append(sensor, 9, at), Ok(2));
    let (_, batch) = consume(&mut store, sensor, 10);
    let kinds: Vec<_> = batch.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Event, Kind::Event, Kind::TimeSeries]);
}

#[test]
fn field_b16_readings_share_sectors() {
    // A defensive new sector for each write: 27 writes, 27 sectors.
    let mut store = small();
    let sensor = series(&mut store, 1);
    add(&mut store, sensor, 27);
    assert_eq!(store.pool().sectors_used, 27_u32.div_ceil(SERIES_PER_SECTOR));
    let event = events(&mut store, 2);
    add_events(&mut store, event, 27);
    assert_eq!(store.pool().sectors_used, 3 + 27_u32.div_ceil(EVENTS_PER_SECTOR));

    // Nor does a series that is never on its grid take a sector for each reading: at worst it
    // costs what events cost, and one short sector between two full ones.
    let mut store = small();
    let sensor = series(&mut store, 1);
    for n in 0..60_u64 {
        let at = Timestamp::utc(n * 1_000 + n * n % 7 * 600);
        assert!(store.append(sensor, n as u32, at).is_ok());
    }
    let used = store.pool().sectors_used;
    assert!(used <= 2 * 60_u32.div_ceil(EVENTS_PER_SECTOR + 1), "{used} sectors");
    // Nor does a consumer who answers one record at a time.
    let mut store = small();
    let sensor = series(&mut store, 1);
    for _ in 0..200 {
        add(&mut store, sensor, 3);
        let (token, _) = consume(&mut store, sensor, 3);
        assert_eq!(store.ack(token), Ok(()));
    }
    assert!(store.pool().sectors_peak <= 1);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(17),
        ..ProptestConfig::default()
    })]

    #[test]
    fn field_b17_single_and_batch_readers_see_the_same(
        times in vec(prop_oneof![0_u64..20_000, any::<u64>()], 1..80),
        is_event in any::<bool>(),
        limits in vec(1_usize..30, 1..10),
    ) {
        // Two readers, one for single records and one for batches, disagreed about where they were.
        let fill = || {
            let mut store = small();
            let sensor = if is_event { events(&mut store, 1) } else { series(&mut store, 1) };
            for (value, &time_ms) in (0..).zip(&times) {
                let added = if is_event {
                    store.append_event(sensor, value, time_ms)
                } else {
                    store.append(sensor, value, Timestamp::utc(time_ms))
                };
                assert!(added.is_ok());
            }
            (store, sensor)
        };
        let (mut single, sensor) = fill();
        let mut ones = Vec::new();
        while let Some(record) = single.peek(sensor).unwrap() {
            assert_eq!(single.read_at(sensor, record.seq), Ok(record));
            let (token, batch) = consume(&mut single, sensor, 1);
            assert_eq!(batch, [record]);
            assert_eq!(single.ack(token), Ok(()));
            ones.push(record);
        }
        let (mut batched, sensor) = fill();
        let mut many = Vec::new();
        for &limit in limits.iter().cycle() {
            let mut peeked = vec![Record::default(); limit];
            let count = batched.peek_batch(sensor, &mut peeked).unwrap();
            if count == 0 {
                break;
            }
            let (token, batch) = consume(&mut batched, sensor, limit);
            prop_assert_eq!(&batch, &peeked[..count]);
            prop_assert_eq!(batched.ack(token), Ok(()));
            many.extend(batch);
        }
        prop_assert_eq!(ones, many);
    }
}

#[test]
fn field_b18_reading_from_memory_does_no_io() {
    // Each read looked for its records on disk 15 times, also when nothing was there. The engine
    // does no I/O at all; the kernel's count of this thread's reads and writes says so.
    fn io_calls() -> u64 {
        let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        let count = |key: &str| -> u64 {
            let line = io.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().parse().unwrap()
        };
        count("syscr:") + count("syscw:")
    }

    let mut store = small();
    let (sensor, empty) = (series(&mut store, 1), series(&mut store, 2));
    let cost_of_asking = {
        let before = io_calls();
        io_calls() - before
    };
    let before = io_calls();
    for _ in 0..1_000 {
        add(&mut store, sensor, 5);
        assert_eq!(store.peek(empty), Ok(None));
        assert_eq!(store.consume(empty, &mut [Record::default(); 5]), Ok(None));
        let (token, _) = consume(&mut store, sensor, 5);
        assert_eq!(store.ack(token), Ok(()));
    }
    assert_eq!(io_calls() - before, cost_of_asking);
}

#[test]
fn field_b19_one_wrong_clock_blocks_nothing() {
    // A reading from a clock that ran ahead made every later one "too old": all were refused.
    let times = [1_700_000_000_000, u64::MAX, 0, 1_700_000_001_000, 5, u64::MAX - 1, 1 << 48, 4];
    let mut store = small();
    let (sensor, other) = (events(&mut store, 1), series(&mut store, 2));
    for (value, &time_ms) in (0..).zip(&times) {
        assert_eq!(store.append_event(sensor, value, time_ms), Ok(u64::from(value)));
        assert_eq!(store.append(other, value, Timestamp::utc(time_ms)), Ok(u64::from(value)));
    }
    for (sensor, tolerance_ms) in [(sensor, 0), (other, u64::from(PERIOD_MS) / 2)] {
        let (_, batch) = consume(&mut store, sensor, 100);
        assert_eq!(batch.len(), times.len());
        for (record, &time_ms) in batch.iter().zip(&times) {
            assert!(record.time_ms.abs_diff(time_ms) <= tolerance_ms, "{record:?}");
        }
    }
}

#[test]
fn field_b44_milliseconds_stay_milliseconds_on_the_clock_that_was_read() {
    // Seconds were taken for milliseconds: events lay in 1977. A `Timestamp` names its unit and its
    // clock; a bare number cannot be given to `append`.
    let noon_ms = 1_732_278_896_123;
    let mut store = small();
    let (sensor, other) = (series(&mut store, 1), events(&mut store, 2));
    assert!(store.append(sensor, 1, Timestamp::utc(noon_ms)).is_ok());
    assert!(store.append(sensor, 2, Timestamp::monotonic(86_400_000)).is_ok());
    assert!(store.append_event(other, 3, noon_ms).is_ok());
    let (_, batch) = consume(&mut store, sensor, 9);
    let read: Vec<_> = batch.iter().map(|record| (record.time_ms, record.clock)).collect();
    assert_eq!(read, [(noon_ms, ClockKind::Utc), (86_400_000, ClockKind::Monotonic)]);
    let (_, batch) = consume(&mut store, other, 9);
    assert_eq!((batch[0].time_ms, batch[0].clock), (noon_ms, ClockKind::Caller));
}

#[test]
fn field_b46_pressure_is_a_state_whoever_asks_and_whenever() {
    // The alarm at 80 % fired on the way up: whoever was switched on later never heard of it.
    let mut store = shared(10, 1, FullPolicy::RefuseNew);
    let sensor = store.register(SensorConfig::event(key(1))).unwrap();
    add_events(&mut store, sensor, 18);
    let late = Store::clone(&store);
    for asked in [&store, &late, &late] {
        let pool = asked.pool();
        assert_eq!((pool.sectors_used, pool.sectors_total), (9, 10));
    }
    let (token, _) = consume(&mut store, sensor, 18);
    assert_eq!(late.pool().sectors_used, 9, "pending records take their room");
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!((late.pool().sectors_used, late.pool().sectors_peak), (0, 9));
}
