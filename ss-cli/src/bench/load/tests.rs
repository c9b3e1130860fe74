use super::{LARGE, ManyThreads, OneLock, OneThread, SMALL, open};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[test]
fn no_load_ever_fills_its_store_or_leaves_anything_in_it() {
    let budget = Duration::from_millis(20);
    for shape in [SMALL, LARGE] {
        let (store, sensors) = open(shape).unwrap();
        let round = OneThread::new(store.clone(), sensors, shape).round(budget);
        let totals = store.totals();
        assert_eq!((round.refused, totals.refused, totals.retained()), (0, 0, 0));
        assert!(totals.added > 0 && totals.is_conserved());
    }
    let (store, sensors) = open(LARGE).unwrap();
    let locked = OneLock(Arc::new(Mutex::new(store.clone())));
    let fine = ManyThreads::new(store.clone(), sensors.clone(), LARGE).round(budget);
    let coarse = ManyThreads::new(locked, sensors, LARGE).round(budget);
    let totals = store.totals();
    assert_eq!((fine.refused, coarse.refused, totals.refused, totals.retained()), (0, 0, 0, 0));
    assert!(totals.added > 0 && totals.is_conserved());
}
