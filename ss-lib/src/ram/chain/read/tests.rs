//! The walk that every other test trusts: a store that contradicts itself is found out, and how.

use super::{Chain, ChainFault, Position};
use crate::{
    Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Config, Env, Fault, Inline, Store, backing::Memory, slots::Slot},
};

/// A sector holds 12 records on the grid.
type Small = Store<Inline<2, 12, 16, 4>>;

/// Two sensors with 60 and 20 records; of the first one's 20 are pending, which end within a sector.
fn used() -> (Small, [Sensor; 2]) {
    let mut store = Small::open(Config::default());
    let sensors = [0, 1].map(|id| {
        store.register(SensorConfig::time_series(SensorKey { source: 1, id }, 10)).unwrap()
    });
    for (sensor, count) in sensors.into_iter().zip([60, 20]) {
        for number in 0..count {
            store.append(sensor, number, Timestamp::utc(u64::from(number) * 10)).unwrap();
        }
    }
    store.consume(sensors[0], &mut [Record::default(); 20]).unwrap().unwrap();
    store.check().unwrap();
    (store, sensors)
}

/// What the walk says of a chain that was tampered with; `tamper` is given a sector of the other one's.
fn found(tamper: impl FnOnce(&mut Chain, Slot)) -> ChainFault {
    let (mut store, [sensor, other]) = used();
    let foreign = store.backing.read_chain(other, |chain, _| chain.tail()).unwrap();
    store.backing.with_chain(sensor, |chain, _| tamper(chain, foreign)).unwrap();
    match store.check() {
        Err(Fault::Chain { sensor: whose, fault }) if whose == sensor => fault,
        other => panic!("found {other:?}"),
    }
}

#[test]
fn a_walk_finds_what_contradicts_a_chain() {
    assert_eq!(found(|chain, _| chain.unsent += 1), ChainFault::Counters);
    assert_eq!(found(|chain, _| chain.unsent -= 1), ChainFault::Counters);
    // As many records as there are, one of them on the wrong side of the batch's end.
    let shift = |chain: &mut Chain, _| {
        chain.pending += 1;
        chain.unsent -= 1;
    };
    assert_eq!(found(shift), ChainFault::Counters);
    // All are pending, and the batch ends in a sector that is not the chain's.
    let run_on = |chain: &mut Chain, foreign| {
        chain.pending += core::mem::take(&mut chain.unsent) as u16;
        chain.batch_end = Position::new(foreign, 1);
    };
    assert_eq!(found(run_on), ChainFault::Counters);
    assert_eq!(found(|chain, _| chain.next_seq -= 1), ChainFault::Order);
    assert_eq!(found(|chain, _| chain.set_head_record(12)), ChainFault::EmptySector);
    let lose_the_tail = |chain: &mut Chain, foreign| {
        chain.tail_and_head_record = Position::new(foreign, chain.head_record());
    };
    assert_eq!(found(lose_the_tail), ChainFault::Tail);
    assert_eq!(found(|chain, _| chain.rejected += 1), ChainFault::Conservation);
    assert_eq!(found(|chain, _| chain.dropped_corrupt += 1), ChainFault::Conservation);
}

#[test]
fn a_walk_finds_what_contradicts_the_pool() {
    let (mut store, [sensor, _]) = used();
    store.backing.with_env(|env| env.pool(|mut pool| pool.holders.add(sensor.0, 1)));
    // Five sectors, of which two hold what is pending.
    assert_eq!(store.check(), Err(Fault::Droppable { sensor, believed: 4, found: 3 }));

    let (mut store, [sensor, _]) = used();
    store.backing.with_env(|env| {
        env.pool(|mut pool| {
            // Neither free nor in a chain from here on.
            let _lost = pool.take(sensor.0).unwrap();
            pool.holders.sub(sensor.0, 1);
        });
    });
    assert_eq!(store.check(), Err(Fault::Sectors { chained: 7, free: 4, in_hand: 0, total: 12 }));
}
