//! The walk that every other test trusts: a store that contradicts itself is found out, and how.

use super::{super::tests::rot, Chain, ChainFault, Position};
use crate::{
    Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{
        Config, Env, Fault, Inline, Store,
        backing::Memory,
        slots::{Sector, Slot},
    },
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

/// Takes a free sector that is neither free nor in a chain from here on.
fn lose_a_sector(store: &mut Small, sensor: Sensor) {
    store.backing.with_env(|env| {
        env.pool(|mut pool| {
            let _lost = pool.take(sensor.0).unwrap();
            pool.holders.sub(sensor.0, 1);
        });
    });
}

/// A look at what comes next steps over sectors that rotted, as consuming does, and drops nothing.
#[test]
fn a_peek_steps_over_what_rotted() {
    let (mut store, [sensor, _]) = used();
    let next = |store: &Small| store.peek(sensor).unwrap().map(|record| record.seq);
    assert_eq!(next(&store), Some(20));
    for (nth, seq) in [(1, 24), (2, 36)] {
        rot(&mut store, sensor, nth, 7, 1);
        assert_eq!(next(&store), Some(seq));
        assert_eq!(store.stats(sensor).unwrap().unsent, 40);
    }
    let mut out = [Record::default(); 5];
    assert_eq!(store.peek_batch(sensor, &mut out), Ok(5));
    assert_eq!(out.map(|record| record.seq), [36, 37, 38, 39, 40]);
    assert_eq!(store.peek_batch(sensor, &mut []), Ok(0));
    for nth in [3, 4] {
        rot(&mut store, sensor, nth, 7, 1);
    }
    assert_eq!(next(&store), None);
}

/// What the walk says of a chain that was tampered with; `tamper` is given a sector of the other one's.
fn found(tamper: impl FnOnce(&mut Chain, Slot)) -> ChainFault {
    let (mut store, [sensor, other]) = used();
    let foreign = store.backing.read_chain(other, |chain, _| chain.tail()).unwrap();
    store.backing.with_chain(sensor, |chain, _| tamper(chain, foreign)).unwrap();
    match store.check() {
        Err(error @ Fault::Chain { sensor: whose, fault }) if whose == sensor => {
            let text = format!("the chain of sensor #0 breaks its invariant: {fault:?}");
            assert_eq!(error.to_string(), text);
            fault
        }
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
    lose_a_sector(&mut store, sensor);
    assert_eq!(store.check(), Err(Fault::Sectors { chained: 7, free: 4, in_hand: 0, total: 12 }));
}

/// Takes the sensor's oldest sector, as an add of another one does, and is between the locks of two chains.
fn take_in_hand(store: &mut Small, sensor: Sensor) -> Sector {
    let owner = store.owner(sensor);
    let taken = store.backing.with_chain(sensor, |chain, env| {
        let sector = chain.recycle(env, owner)?;
        env.pool(|mut pool| pool.take_in_hand(sensor.0));
        Some(sector)
    });
    taken.flatten().unwrap()
}

/// Which sector is in hand the walk cannot tell, but how many.
#[test]
fn a_sector_on_its_way_to_another_chain_is_missing_in_neither() {
    let (mut store, [_, sensor]) = used();
    let _sector = take_in_hand(&mut store, sensor);
    store.check().unwrap();
    lose_a_sector(&mut store, sensor);
    let fault = store.check().unwrap_err();
    assert_eq!(fault, Fault::Sectors { chained: 6, free: 4, in_hand: 1, total: 12 });
    assert_eq!(
        fault.to_string(),
        "6 sectors in chains, 4 free ones and 1 in between are not the pool's 12, each once"
    );
}

#[test]
fn a_sector_that_comes_back_from_its_way_is_free() {
    let (mut store, [_, sensor]) = used();
    assert_eq!(store.pool().sectors_used, 7);
    let sector = take_in_hand(&mut store, sensor);
    store.backing.with_env(|env| {
        env.pool(|mut pool| {
            assert_eq!(pool.state.in_hand(), 1);
            pool.give_back_from_hand(sector);
            assert_eq!(pool.state.in_hand(), 0);
        });
    });
    store.check().unwrap();
    assert_eq!(store.pool().sectors_used, 6);
}
