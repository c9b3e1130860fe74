//! A group that has no room for all keeps the smaller keys, and of these everything.

use super::{Gathered, Group, Next};
use crate::{
    ClockKind,
    disk::chunk::{Form, RunHeader},
};

const fn header(key: u64, first_seq: u64) -> RunHeader {
    RunHeader {
        key,
        first_seq,
        base_ms: 0,
        skip: 0,
        epoch: 1,
        period_ms: 0,
        form: Form::Event,
        clock: ClockKind::Caller,
    }
}

fn group(bytes: usize) -> Group {
    let from = Next { key: 5, seq: 0, page: 0 };
    Group { from, limit: u64::MAX, buffer: vec![0; bytes].into(), used: 0, rest: None }
}

/// Key, first number and bytes of what is in the group.
fn content(group: &Group, gathered: &[Gathered]) -> Vec<(u64, u64, Vec<u8>)> {
    let bytes = |run: &Gathered| group.buffer[run.at as usize..][..run.len as usize].to_vec();
    gathered.iter().map(|run| (run.header.key, run.header.first_seq, bytes(run))).collect()
}

#[test]
fn what_is_kept_is_all_of_the_smaller_keys() {
    let mut state = 7_u32;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    // An interpreter takes a thousand times as long for a round.
    for round in 0..if cfg!(miri) { 3 } else { 200 } {
        let (mut group, mut gathered, mut all) = (group(1_024), Vec::new(), Vec::new());
        for number in 0..60 {
            let key = 5 + u64::from(draw(40));
            let payload = vec![number as u8; 8 * (1 + draw(6) as usize)];
            // Whoever gathers asks no key again that was given up.
            if key >= group.limit {
                continue;
            }
            let before = group.limit;
            let was_enough = group.push(&mut gathered, header(key, number), &payload);
            all.push((key, number, payload));
            assert_eq!(was_enough, group.limit == before, "{round}");
            if group.rest.is_some() {
                all.pop();
                let of_key = |kept: &&Gathered| kept.header.key == key;
                assert_eq!(gathered.iter().filter(of_key).count(), gathered.len(), "{round}");
                break;
            }
            all.retain(|&(key, ..)| key < group.limit);
            assert_eq!(content(&group, &gathered), all, "{round}");
            assert_eq!(group.used, all.iter().map(|(.., payload)| payload.len()).sum::<usize>());
        }
    }
}

#[test]
fn the_larger_half_of_the_keys_is_given_up() {
    let (mut group, mut gathered) = (group(80), Vec::new());
    assert!(group.push(&mut gathered, header(10, 0), &[1; 40]));
    // It fits to the last byte.
    assert!(group.push(&mut gathered, header(21, 0), &[2; 40]));
    assert!(!group.push(&mut gathered, header(12, 0), &[3; 8]));
    assert_eq!((group.limit, group.used), (16, 48));
    assert_eq!(content(&group, &gathered), [(10, 0, vec![1; 40]), (12, 0, vec![3; 8])]);
    // What comes may be what is given up, and it may take several steps.
    assert!(!group.push(&mut gathered, header(15, 0), &[4; 80]));
    assert_eq!((group.limit, group.used), (13, 48));
    assert!(!group.push(&mut gathered, header(12, 1), &[5; 40]));
    assert_eq!((group.limit, content(&group, &gathered)), (11, vec![(10, 0, vec![1; 40])]));
    // One sensor alone is too much: it goes on behind what there was room for.
    assert!(!group.push(&mut gathered, header(10, 5), &[6; 48]));
    let rest = group.rest.unwrap();
    assert_eq!((rest.key, rest.seq, rest.page, group.limit), (10, 5, 0, 11));
    assert_eq!(content(&group, &gathered), [(10, 0, vec![1; 40])]);
}
