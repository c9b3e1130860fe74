//! Rows B21 to B28: the pool, its sectors and who owns them.

use super::support::*;
use ss_lib::{
    AppendError, DropCause, Loss, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Backing, Config, FullPolicy, Geometry, Inline, SharedConfig, Stm32Store, Store},
};

/// An event that shares no sector with the one before it.
fn add_apart<B: Backing>(store: &mut Store<B>, sensor: Sensor) -> Result<u64, AppendError> {
    let seq = store.sensor_config(sensor).unwrap().first_seq;
    store.append_event(sensor, seq as u32, seq << 40)
}

#[test]
fn field_b21_the_head_never_stays_on_a_sector_that_was_given_away() {
    // The head stayed on a sector that a spill had freed, and the next owner's readings came out.
    // Here the sector is moved out of the chain; what is left to show is that both go on rightly.
    let mut store = small();
    let (poor, rich) = (events(&mut store, 1), events(&mut store, 2));
    add_events(&mut store, rich, 16 * EVENTS_PER_SECTOR);
    assert_eq!(store.pool().sectors_used, 16);
    add_events(&mut store, poor, 1);
    let (token, batch) = consume(&mut store, rich, 200);
    assert_eq!(batch[0].seq, u64::from(EVENTS_PER_SECTOR));
    assert!(batch.iter().all(|record| u64::from(record.value) == record.seq));
    let (_, batch) = consume(&mut store, poor, 200);
    assert_eq!((seqs(&batch), batch[0].value), (vec![0], 0));
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn a_sealed_sector_that_is_the_tail_again_takes_no_other_number() {
    // Not from the list: found here. What lay behind a pending batch was dropped, the batch's
    // sector became the tail again, and the next event was added to it under a number that the
    // dropped one had had.
    let mut store = Store::<Inline<2, 2, 16, 8>>::open(Config::default());
    let (sensor, other) = (events(&mut store, 1), events(&mut store, 2));
    assert_eq!(add_apart(&mut store, sensor), Ok(0));
    let (token, _) = consume(&mut store, sensor, 1);
    assert_eq!(add_apart(&mut store, sensor), Ok(1));
    assert_eq!(add_apart(&mut store, other), Ok(0), "takes the sector of record 1");
    let (others, _) = consume(&mut store, other, 1);
    assert_eq!(store.ack(others), Ok(()));
    assert_eq!(store.append_event(sensor, 2, 0), Ok(2));
    assert_eq!(store.nack(token), Ok(()));
    let (token, batch) = consume(&mut store, sensor, 10);
    assert_eq!(seqs(&batch), [0], "a batch ends at the gap");
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(seqs(&consume(&mut store, sensor, 10).1), [2]);
    let mut losses = [Loss::NONE; 8];
    assert_eq!(store.losses(&mut losses), 1);
    assert_eq!((losses[0].first_seq, losses[0].count), (1, 1));
    assert_eq!(losses[0].cause, DropCause::Recycled);
}

#[test]
fn field_b22_every_sector_is_in_a_chain_or_free() {
    // 1,345 of 1,945 sectors were in no list. Here a sector is a value that is moved; `check` walks
    // all chains and the free list all the same, also after every step of the model test.
    let mut store = small();
    let sensors: Vec<_> = (0..4).map(|id| events(&mut store, id)).collect();
    for round in 0..300_u32 {
        let sensor = sensors[(round * 7 % 4) as usize];
        assert!(add_apart(&mut store, sensor).is_ok());
        if round % 5 == 0
            && let Ok(Some(token)) = store.consume(sensor, &mut [Record::default(); 2])
            && round % 10 == 0
        {
            assert_eq!(store.ack(token), Ok(()));
        }
        assert_eq!(store.check(), Ok(()));
        let retained = store.totals().retained();
        assert_eq!(u64::from(store.pool().sectors_used), retained, "one record a sector");
    }
}

#[test]
fn field_b23_an_ack_gives_the_sectors_back_itself() {
    // Erasing succeeded and the memory stayed full: the collector had no caller.
    let mut store = small_refusing();
    let sensor = events(&mut store, 1);
    for _ in 0..50 {
        add_events(&mut store, sensor, 16 * EVENTS_PER_SECTOR);
        assert_eq!(store.append_event(sensor, 0, 0), Err(AppendError::Full));
        let mut used = 16;
        while store.unsent(sensor).unwrap() > 0 {
            let (token, _) = consume(&mut store, sensor, EVENTS_PER_SECTOR as usize);
            assert_eq!(store.pool().sectors_used, used);
            assert_eq!(store.ack(token), Ok(()));
            used -= 1;
            assert_eq!(store.pool().sectors_used, used);
        }
    }
}

#[test]
fn field_b24_pressure_ends_with_everything_pending_and_with_every_sector_open() {
    // The store stuck at 89 to 95 %: what was pending or open could not be moved out.
    // Every sector is some sensor's open one: a reading still finds room.
    let mut store = Store::<Inline<4, 4, 16, 8>>::open(Config::default());
    let sensors: Vec<_> = (0..4).map(|id| events(&mut store, id)).collect();
    for &sensor in &sensors {
        assert!(add_apart(&mut store, sensor).is_ok());
    }
    assert_eq!(add_apart(&mut store, sensors[3]), Ok(1));
    assert_eq!(store.totals().dropped_recycled, 1);
    // Everything is pending: nothing may be dropped, the add is refused and counted.
    let tokens: Vec<_> = sensors.iter().map(|&sensor| consume(&mut store, sensor, 9).0).collect();
    assert_eq!(add_apart(&mut store, sensors[0]), Err(AppendError::Full));
    assert_eq!(store.stats(sensors[0]).unwrap().refused, 1);
    assert_eq!(store.totals().pending, 4);
    // A nack or an ack ends it.
    assert_eq!(store.nack(tokens[2]), Ok(()));
    assert_eq!(add_apart(&mut store, sensors[0]), Ok(1));
    assert_eq!(store.stats(sensors[2]).unwrap().dropped_recycled, 1);
    assert_eq!(store.ack(tokens[1]), Ok(()));
    assert_eq!(add_apart(&mut store, sensors[1]), Ok(1));
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn field_b25_pools_of_any_number_of_sectors_use_each_of_them() {
    // Sector number 0 was taken for "none", and numbers were cut to 16 bits: pools of 65,536 and
    // more lost sectors, or linked them twice.
    for sectors in [1, 2, 255, 256, 65_535, 65_536, 70_000] {
        let mut store = shared(sectors, 1, FullPolicy::RefuseNew);
        let sensor = events(&mut store, 1);
        for round in 0..2 {
            for n in 0..u64::from(sectors) {
                assert_eq!(add_apart(&mut store, sensor), Ok(round * u64::from(sectors) + n));
            }
            assert_eq!(add_apart(&mut store, sensor), Err(AppendError::Full));
            assert_eq!(store.pool().sectors_used, sectors);
            assert_eq!(store.check(), Ok(()));
            let mut next = round * u64::from(sectors);
            while store.unsent(sensor).unwrap() > 0 {
                let (token, batch) = consume(&mut store, sensor, 40_000);
                for record in &batch {
                    assert_eq!((record.seq, record.value), (next, next as u32));
                    assert_eq!(record.time_ms, next << 40);
                    next += 1;
                }
                assert_eq!(store.ack(token), Ok(()));
            }
            assert_eq!(store.pool().sectors_used, 0);
            assert_eq!(store.check(), Ok(()));
        }
    }
}

#[test]
fn field_b26_counts_are_walked_and_never_wrap_below_zero() {
    // Used sectors were total minus some counters, and one day 7,262 of 2,048.
    let mut store = small();
    let sensor = events(&mut store, 1);
    for round in 0..200 {
        add_events(&mut store, sensor, 20);
        let (token, _) = consume(&mut store, sensor, 13);
        let reply = [Store::ack, Store::nack, Store::reject][round % 3];
        assert_eq!(reply(&mut store, token), Ok(()));
        let (pool, stats) = (store.pool(), store.stats(sensor).unwrap());
        assert!(pool.sectors_used <= pool.sectors_total && pool.sectors_total == 16);
        assert!(stats.retained() <= stats.added && stats.erased <= stats.added);
        assert!(stats.is_conserved(), "{stats:?}");
        assert_eq!(store.check(), Ok(()));
    }
}

#[test]
fn field_b27_a_full_sector_ends_at_its_end() {
    // A length in words was taken for one in bytes, and the last records ran into the neighbour.
    // Here memory is an array of words and each sector a slice of it: an overrun cannot go unseen.
    for sector_bytes in [32, 64, 128, 256, 512, 1_024, 2_048, 4_096] {
        let geometry = Geometry::new(u64::from(sector_bytes) * 4, sector_bytes, 4).unwrap();
        let config = Config { policy: FullPolicy::RefuseNew, epoch: 0 };
        let config = SharedConfig { geometry, sensors_max: 4, losses_max: 1, config };
        let mut store = Store::open_shared(config);
        let sensors: Vec<_> = (0..4).map(|id| series(&mut store, id)).collect();
        for n in 0..geometry.time_series_per_sector() {
            for (salt, &sensor) in (0..).zip(&sensors) {
                let at = Timestamp::utc(u64::from(n) * u64::from(PERIOD_MS));
                assert!(store.append(sensor, n ^ salt << 30, at).is_ok());
            }
        }
        let at = Timestamp::utc(0);
        assert_eq!(store.append(sensors[0], 0, at), Err(AppendError::Full));
        for (salt, &sensor) in (0..).zip(&sensors) {
            let (_, batch) = consume(&mut store, sensor, 2_000);
            let values: Vec<_> = batch.iter().map(|record| record.value).collect();
            let expected: Vec<_> =
                (0..geometry.time_series_per_sector()).map(|n| n ^ salt << 30).collect();
            assert_eq!(values, expected, "{sector_bytes} B");
        }
        assert_eq!(store.check(), Ok(()));
    }
}

#[test]
fn field_b28_any_id_in_any_source_is_a_name() {
    // Valid 32-bit ids above 500 were refused, because ids were indices.
    let ids = [0, 1, 499, 500, 501, 65_536, 0x7FFF_FFFF, 0x8000_0000, 0xDEAD_BEEF, u32::MAX];
    let mut inline = Stm32Store::open(Config::default());
    let mut heap = shared(100, 100, FullPolicy::RecycleOldest);
    for source in [0, 1, 2, 255] {
        for id in ids {
            let config = SensorConfig::event(SensorKey { source, id });
            let sensor = inline.register(config).unwrap();
            assert_eq!(heap.register(config), Ok(sensor));
            assert_eq!(inline.find(config.key), Some(sensor));
            assert_eq!(heap.find(config.key), Some(sensor));
            assert!(inline.register(config).is_err() && heap.register(config).is_err());
            assert!(inline.append_event(sensor, id, u64::from(source)).is_ok());
        }
    }
    for source in [0, 1, 2, 255] {
        for id in ids {
            let sensor = inline.find(SensorKey { source, id }).unwrap();
            let (_, batch) = consume(&mut inline, sensor, 2);
            assert_eq!((batch.len(), batch[0].value), (1, id));
            assert_eq!(batch[0].time_ms, u64::from(source));
        }
    }
    assert_eq!(inline.find(SensorKey { source: 3, id: 0 }), None);
}
