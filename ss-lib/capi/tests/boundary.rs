//! The entries as C calls them, in a test that an interpreter can run: every pointer that C could give,
//! handles that are stale, tokens of other stores, and what the buffers hold afterwards.

use core::{
    ffi::{c_char, c_int, c_void},
    mem::MaybeUninit,
    ptr::{null, null_mut},
};
use ss::{api::*, *};

const OK: c_int = 0;

fn is(status: ss_status) -> c_int {
    status as c_int
}

fn config(profile: ss_profile) -> ss_config {
    let mut config = MaybeUninit::uninit();
    // SAFETY: a place for a configuration, which the call initialises.
    unsafe {
        assert_eq!(ss_config_init(config.as_mut_ptr(), profile as u32), OK);
        config.assume_init()
    }
}

/// A store in memory of 3 sensors and 6 sectors of 64 B.
fn small() -> ss_config {
    let mut config = config(ss_profile::SS_PROFILE_STM32);
    (config.sensors_max, config.losses_max) = (3, 2);
    (config.pool_bytes, config.sector_bytes) = (6 * 64, 64);
    config
}

/// Memory with nothing defined in it, as `malloc` gives it.
struct Memory {
    words: *mut [MaybeUninit<u64>],
}

impl Memory {
    fn of(config: &ss_config) -> Self {
        let mut bytes = 0;
        // SAFETY: two places of this function's.
        assert_eq!(unsafe { ss_store_size(config, &raw mut bytes) }, OK);
        let words = usize::try_from(bytes).expect("memory that exists") / 8;
        Self { words: Box::into_raw(Box::new_uninit_slice(words)) }
    }

    fn at(&self) -> *mut c_void {
        self.words.cast()
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// What stood in it is nothing any more. Only when no store is open in it.
    fn forget(&self) {
        // SAFETY: the memory is the test's own again.
        unsafe { (*self.words).fill(MaybeUninit::uninit()) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it came out of a box, and no store is open in it any more.
        drop(unsafe { Box::from_raw(self.words) });
    }
}

fn open(config: &ss_config, memory: &Memory) -> *mut ss_store {
    let mut store = null_mut();
    // SAFETY: memory that the test keeps until the store is closed.
    let status = unsafe { ss_open_memory(config, memory.at(), memory.bytes(), &raw mut store) };
    assert_eq!(status, OK);
    store
}

fn add_sensor(store: *mut ss_store, id: u32, kind: ss_kind) -> u32 {
    let config = ss_sensor_config { id, period_ms: 10, kind: kind as u8, ..Default::default() };
    let mut sensor = SS_SENSOR_NONE;
    // SAFETY: an open store, and places of this function's.
    assert_eq!(unsafe { ss_sensor_add(store, &raw const config, &raw mut sensor) }, OK);
    sensor
}

#[test]
fn a_store_in_undefined_memory_hands_out_what_was_added_into_undefined_buffers() {
    let config = small();
    let memory = Memory::of(&config);
    let store = open(&config, &memory);
    let series = add_sensor(store, 1, ss_kind::SS_KIND_TIME_SERIES);
    let events = add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
    let samples = [
        ss_sample { time_ms: u64::MAX, value: 1, reserved: 0 },
        ss_sample { time_ms: 0, value: u32::MAX, reserved: 0 },
    ];
    let mut records = Box::<[ss_record]>::new_uninit_slice(8);
    let out = records.as_mut_ptr().cast::<ss_record>();
    let mut tokens = [MaybeUninit::<ss_token>::uninit(); 3];
    let (mut added, mut taken, mut batches) = (0, 0, 0);
    // SAFETY: an open store, buffers of 8 records and 3 tokens, places of this function's.
    unsafe {
        for n in 0..5 {
            assert_eq!(ss_ts_add(store, series, n, 1_000 + u64::from(n) * 10, 1, null_mut()), OK);
        }
        let status = ss_evt_add_batch(store, events, samples.as_ptr(), 2, &raw mut added);
        assert_eq!((status, added), (OK, 2));
        assert_eq!(ss_peek(store, events, out, 8, &raw mut taken), OK);
        assert_eq!((taken, (*out).time_ms, (*out.add(1)).value), (2, u64::MAX, u32::MAX));

        let into = tokens.as_mut_ptr().cast::<ss_token>();
        let status = ss_drain(store, 4, out, 8, into, 3, &raw mut batches, &raw mut taken);
        assert_eq!((status, batches, taken), (OK, 2, 6));
        assert_eq!(((*into).count, (*into.add(1)).count), (4, 2));
        let last = *out.add(5);
        assert_eq!((last.seq, last.time_ms, last.value), (1, 0, u32::MAX));
        assert_eq!((last.clock, last.kind, last.reserved), (2, 1, [0; 6]));
        assert_eq!(ss_ack(store, into), OK);
        assert_eq!(ss_ack(store, into), is(ss_status::SS_ESTALE));
        assert_eq!(ss_reject(store, into.add(1)), OK);

        let mut losses = [MaybeUninit::<ss_loss>::uninit(); 4];
        let lost = losses.as_mut_ptr().cast::<ss_loss>();
        assert_eq!(ss_losses(store, lost, 4, &raw mut taken), OK);
        assert_eq!((taken, (*lost).count, (*lost).cause), (1, 2, 2));
        assert_eq!((*lost).reserved, [0; 7]);
        assert_eq!(ss_check(store), OK);
        assert_eq!(ss_close(store), OK);
        assert_eq!(ss_close(store), is(ss_status::SS_EHANDLE));
    }
}

#[test]
fn a_full_store_recycles_and_its_memory_is_the_callers_again_when_it_is_closed() {
    let config = small();
    let memory = Memory::of(&config);
    for _ in 0..2 {
        let store = open(&config, &memory);
        let events = add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
        let mut stats = ss_sensor_stats::default();
        // SAFETY: an open store, and places of this function's.
        unsafe {
            for n in 0..100 {
                assert_eq!(ss_evt_add(store, events, n, u64::from(n), null_mut()), OK);
            }
            assert_eq!(ss_sensor_stats_get(store, events, &raw mut stats), OK);
            assert_eq!((stats.added, stats.unsent + stats.dropped_recycled), (100, 100));
            assert_eq!(ss_close(store), OK);
        }
        memory.forget();
    }
}

#[test]
fn no_pointer_that_is_null_or_crooked_is_followed() {
    let config = small();
    let memory = Memory::of(&config);
    let store = open(&config, &memory);
    let events = add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
    let einval = is(ss_status::SS_EINVAL);
    let mut words = [0_u64; 8];
    let crooked = words.as_mut_ptr().cast::<u8>().wrapping_add(1);
    let (mut place, mut other) = (0, null_mut());
    // SAFETY: NULL and misaligned pointers are what is tested; the rest is the test's own.
    unsafe {
        assert_eq!(ss_evt_add(store, events, 1, 1, crooked.cast()), einval);
        assert_eq!(ss_count_unsent(store, events, crooked.cast()), einval);
        assert_eq!(ss_count_unsent(store, events, null_mut()), einval);
        assert_eq!(ss_ack(store, crooked.cast()), einval);
        assert_eq!(ss_ack(store, null()), einval);
        assert_eq!(ss_config_init(crooked.cast(), 0), einval);
        assert_eq!(ss_peek(store, events, crooked.cast(), 1, &raw mut place), einval);
        assert_eq!(ss_peek(store, events, null_mut(), 0, &raw mut place), einval);
        let mut record = ss_record::default();
        let huge = usize::MAX / 8;
        assert_eq!(ss_peek(store, events, &raw mut record, huge, &raw mut place), einval);
        assert_eq!(ss_evt_add_batch(store, events, null(), 1, &raw mut place), einval);
        assert_eq!(ss_dump(store, None, null_mut()), einval);
        let open = ss_open_memory(&raw const config, crooked.cast(), 4_096, &raw mut other);
        assert_eq!(open, is(ss_status::SS_EMEMORY));
        for handle in [1_usize, 63, 64, 4_096, usize::MAX, memory.at().addr()] {
            let never = core::ptr::without_provenance_mut::<ss_store>(handle);
            assert_eq!(ss_tick(never, 1), is(ss_status::SS_EHANDLE));
            assert_eq!(ss_close(never), is(ss_status::SS_EHANDLE));
        }
        assert_eq!(ss_tick(null_mut(), 1), einval);
        assert_eq!(ss_close(store), OK);
    }
}

unsafe extern "C" fn count(user: *mut c_void, text: *const c_char, bytes: usize) {
    // SAFETY: the test gave a counter, and the library gives `bytes` bytes.
    let (counter, text) = unsafe {
        (&mut *user.cast::<usize>(), core::slice::from_raw_parts(text.cast::<u8>(), bytes))
    };
    *counter += text.split(|&byte| byte == b'\n').count() - 1;
}

#[test]
fn a_dump_has_a_line_for_each_thing_and_the_store_may_be_used_meanwhile() {
    let config = small();
    let memory = Memory::of(&config);
    let store = open(&config, &memory);
    add_sensor(store, 1, ss_kind::SS_KIND_TIME_SERIES);
    add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
    let mut lines = 0_usize;
    // SAFETY: an open store, and a function that counts in this function's place.
    unsafe {
        assert_eq!(ss_dump(store, Some(count), (&raw mut lines).cast()), OK);
        assert_eq!(ss_close(store), OK);
    }
    assert_eq!(lines, 4 + 2);
}

/// A store that is closed while others use it: they are inside, or they find it closed.
#[test]
fn closing_waits_for_those_inside_and_the_rest_are_told() {
    let config = small();
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let memory = Memory::of(&config);
        let store = open(&config, &memory);
        let events = add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
        let handle = store.addr();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(move || {
                    let store = core::ptr::without_provenance_mut(handle);
                    // SAFETY: a handle, open or not.
                    let add = || unsafe { ss_evt_add(store, events, 1, 1, null_mut()) };
                    let mut status = OK;
                    while status == OK {
                        status = add();
                    }
                    assert_eq!(status, is(ss_status::SS_EHANDLE));
                });
            }
            std::thread::yield_now();
            // SAFETY: a handle that is open.
            assert_eq!(unsafe { ss_close(store) }, OK);
            memory.forget();
        });
    }
}

#[test]
fn tokens_of_one_store_mean_nothing_to_another() {
    let config = small();
    let (one, other) = (Memory::of(&config), Memory::of(&config));
    let stores = [open(&config, &one), open(&config, &other)];
    let mut tokens = [ss_token::default(); 2];
    let mut record = ss_record::default();
    let mut taken = 0;
    // SAFETY: open stores, and places of this function's.
    unsafe {
        for (&store, token) in stores.iter().zip(&mut tokens) {
            let events = add_sensor(store, 2, ss_kind::SS_KIND_EVENT);
            assert_eq!(ss_evt_add(store, events, 1, 1, null_mut()), OK);
            let status = ss_consume_one(store, events, &raw mut record, token, &raw mut taken);
            assert_eq!((status, taken), (OK, 1));
        }
        let [first, second] = stores;
        assert_eq!(ss_ack(first, &raw const tokens[1]), is(ss_status::SS_ESTALE));
        assert_eq!(ss_nack(second, &raw const tokens[0]), is(ss_status::SS_ESTALE));
        assert_eq!(ss_ack(first, &raw const tokens[0]), OK);
        assert_eq!(ss_ack(second, &raw const tokens[1]), OK);
        assert_eq!(ss_close(first), OK);
        assert_eq!(ss_ack(first, &raw const tokens[0]), is(ss_status::SS_EHANDLE));
        assert_eq!(ss_close(second), OK);
    }
}

/// Numbers at every edge, in every field: what no store can have is refused, and nothing overflows.
#[test]
fn no_configuration_is_more_than_an_error() {
    let profiles = [
        ss_profile::SS_PROFILE_STM32,
        ss_profile::SS_PROFILE_LINUX_RAM,
        ss_profile::SS_PROFILE_LINUX,
    ];
    let edges = [
        0,
        1,
        2,
        31,
        32,
        33,
        100,
        255,
        256,
        4_095,
        4_096,
        65_535,
        65_536,
        1 << 20,
        1 << 30,
        1 << 32,
        u64::MAX / 2,
        u64::MAX - 1,
        u64::MAX,
    ];
    let mut state = 1_u32;
    let mut edge = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        edges[(state >> 8) as usize % edges.len()]
    };
    let mut sizes = 0;
    for round in 0..if cfg!(miri) { 60 } else { 60_000 } {
        let mut config = config(profiles[round % 3]);
        // Four fields a round: with all of them at an edge nearly nothing is a store.
        for _ in 0..4 {
            match edge() % 11 {
                0 => config.sensors_max = edge() as u32,
                1 => config.losses_max = edge() as u32,
                2 => config.pool_bytes = edge(),
                3 => config.sector_bytes = edge() as u32,
                4 => config.when_full = edge() as u32 % 4,
                5 => config.spill_after_ms = edge(),
                6 => config.quota_bytes = edge(),
                7 => config.disk_max_bytes = edge(),
                8 => config.segment_bytes = edge(),
                9 => config.reserve_bytes = edge(),
                _ => config.sync_interval_ms = edge() as u32,
            }
        }
        let mut bytes = 0;
        // SAFETY: two places of this function's.
        let status = unsafe { ss_store_size(&raw const config, &raw mut bytes) };
        let refused = [ss_status::SS_EINVAL, ss_status::SS_ECONFIG].map(is);
        assert!(status == OK || refused.contains(&status), "{status}: {config:?}");
        sizes += usize::from(status == OK);
        if status != OK {
            let mut memory = [0_u64; 64];
            let mut store = null_mut();
            let at = memory.as_mut_ptr().cast();
            // SAFETY: memory of this function's, too small for any store.
            let opened = unsafe { ss_open_memory(&raw const config, at, 512, &raw mut store) };
            assert!(opened < 0 && opened != is(ss_status::SS_EPANIC), "{opened}: {config:?}");
        }
    }
    assert!(sizes > 0, "no round was a store");
}
