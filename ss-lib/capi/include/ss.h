/* The sensor store for C. REFERENCE.md has every function with its errors and who may call it.
 *
 * Made of the sources by cbindgen: do not edit.
 *
 * What the caller owes, for every function:
 *
 * - A pointer is NULL, which is SS_EINVAL unless the function says that it may be NULL, or it points to what
 *   its type says for as long as the call lasts: a whole struct, `..._capacity` elements that may be written
 *   to, `..._count` elements to be read, a string that ends. No two of a call's results overlap.
 * - A store is what an opening gave. On Linux any other value, and any store that was closed, is SS_EHANDLE.
 *   On a microcontroller a closed store is SS_EHANDLE for as long as its memory is not used otherwise.
 * - A callback returns: it does not throw and does not jump.
 * - No function is called in a signal handler, or in the child of a fork with a store of its parent's.
 *
 * Every function returns 0 or one of the negative values of `ss_status`, unless it returns a number or a
 * static string. Results are written only if the result is 0, unless the function says otherwise; counts of
 * batch functions are 0 then.
 *
 * Threads: on Linux any thread may call any function at any time, ss_close included. On a microcontroller
 * interrupts and tasks may share a store if the program gives
 *
 *     uint32_t ss_critical_enter(void);           disables interrupts, returns what they were
 *     void ss_critical_leave(uint32_t state);     restores them
 *
 * which the library calls around each operation. It has defaults that do nothing, for programs in which one
 * context uses a store; a second one that comes in nevertheless gets SS_EBUSY.
 */

#ifndef SS_H
#define SS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* The memory that a store of SS_PROFILE_STM32 takes, for a static:
 *
 *     static uint64_t memory[SS_STORE_BYTES(100, 25600, 256, 8) / 8];
 *
 * The arguments are those of ss_config, `sector_bytes` not 0. ss_store_size says the same at run time. */
#define SS_STORE_BYTES(sensors_max, pool_bytes, sector_bytes, losses_max)                              \
    ((SS_STORE_BASE_BYTES + SS_STORE_LOSS_BYTES * (size_t)(losses_max) +                               \
      SS_STORE_SENSOR_BYTES * (size_t)(sensors_max) +                                                  \
      ((size_t)(sector_bytes) + SS_STORE_SECTOR_LINK_BYTES) * ((size_t)(pool_bytes) / (sector_bytes)) + \
      7) / 8 * 8)

#ifdef __cplusplus
extern "C" {
#endif
/* The program's, at link time, or the defaults. Microcontrollers only. */
#ifndef __linux__
uint32_t ss_critical_enter(void);
void ss_critical_leave(uint32_t state);
#endif
#ifdef __cplusplus
}
#endif

// How the memory that a store is given must be aligned, in bytes.
#define SS_STORE_ALIGN_BYTES 8

// What a store takes beside its sensors, sectors and ledger entries, in bytes.
#define SS_STORE_BASE_BYTES 320

// What each sensor takes of it, in bytes.
#define SS_STORE_SENSOR_BYTES 66

// What each RAM sector takes of it beside its own bytes.
#define SS_STORE_SECTOR_LINK_BYTES 6

// What each ledger entry takes of it, in bytes.
#define SS_STORE_LOSS_BYTES 32

// The number of the interface that this header describes. It grows with each change that an old caller
// would notice; `ss_abi_version` tells the library's.
#define SS_ABI_VERSION 1

// No sensor.
#define SS_SENSOR_NONE UINT32_MAX

// The most records that one batch holds.
#define SS_BATCH_RECORDS_MAX 65535

// What a function returns, as an `int`: 0, or a negative value.
enum ss_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    SS_OK = 0,
    // A pointer is NULL or misaligned, or a value is none of those that its type has.
    SS_EINVAL = -1,
    // No store is open under this handle: it was closed, or never opened.
    SS_EHANDLE = -2,
    // The store has no such sensor.
    SS_ESENSOR = -3,
    // The sensor takes the other kind of record.
    SS_EKIND = -4,
    // The sensor is deactivated.
    SS_EINACTIVE = -5,
    // The pool is full, and the policy left nothing to drop. The reading was not taken.
    SS_EFULL = -6,
    // The store is shutting down or shut down. The reading was not taken.
    SS_ESHUTDOWN = -7,
    // The sensor's record numbers are used up.
    SS_ESEQ = -8,
    // The sensor's last batch is neither acked, nacked nor rejected.
    SS_EPENDING = -9,
    // The disk could not be read. The records stay where they are; try again.
    SS_EUNREADABLE = -10,
    // No such record is in the store, or no sensor has this name.
    SS_ENOTFOUND = -11,
    // The checksum of what holds the record does not match.
    SS_ECORRUPT = -12,
    // The store has no place for another sensor.
    SS_ETOOMANY = -13,
    // The sensor is registered already.
    SS_EEXIST = -14,
    // The token does not name the batch that is pending now: it was answered before, or is of another
    // attempt, sensor, opening or store. Nothing was changed.
    SS_ESTALE = -15,
    // The memory that was given is too small or not aligned.
    SS_EMEMORY = -16,
    // The configuration is one that no store can have.
    SS_ECONFIG = -17,
    // The disk failed.
    SS_EIO = -18,
    // Another process, or another handle of this one, owns the store.
    SS_ELOCKED = -19,
    // A newer library wrote the store. Nothing was touched.
    SS_EVERSION = -20,
    // The store on disk cannot be opened as it is: `ss inspect` shows it, `ss repair` mends it.
    SS_EDAMAGED = -21,
    // The deadline passed and records remained in RAM only.
    SS_ETIMEDOUT = -22,
    // The call came from within another one: from a progress function or, where the critical sections
    // do not keep it out, from an interrupt.
    SS_EBUSY = -23,
    // This kind of store does not do that.
    SS_ENOTSUP = -24,
    // As many stores are open as one process can have.
    SS_EHANDLES = -25,
    // The store contradicts itself: a fault of the library. `ss_check` says this.
    SS_EFAULT = -26,
    // The library panicked: a fault of its own. It wrote to stderr where; do not go on with this store.
    SS_EPANIC = -27,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_status ss_status;
#else
typedef int32_t ss_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a sensor's readings are: `kind` of `ss_sensor_config` and `ss_record`.
enum ss_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // One value on a sampling grid: 4 B in the store.
    SS_KIND_TIME_SERIES = 0,
    // One value with a timestamp of the caller's, kept exactly: 8 B in the store.
    SS_KIND_EVENT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_kind ss_kind;
#else
typedef uint32_t ss_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The clock that a time is of.
enum ss_clock
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // ms since this opening of the store began; no wall clock was known yet.
    SS_CLOCK_MONOTONIC = 0,
    // ms since 1970-01-01T00:00:00Z.
    SS_CLOCK_UTC = 1,
    // The caller's own timestamp, as events carry it: the store gives it no meaning.
    SS_CLOCK_CALLER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_clock ss_clock;
#else
typedef uint32_t ss_clock;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why records were lost: `cause` of `ss_loss`.
enum ss_drop_cause
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The pool was exhausted and the policy is to recycle the oldest.
    SS_DROP_RECYCLED = 0,
    // A checksum did not match.
    SS_DROP_CORRUPT = 1,
    // The uploader rejected the batch. These records count as erased, not as dropped.
    SS_DROP_REJECTED = 2,
    // The sensor held more on disk than its quota.
    SS_DROP_QUOTA = 3,
    // The store reached its limit on disk.
    SS_DROP_DISK_MAX = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_drop_cause ss_drop_cause;
#else
typedef uint32_t ss_drop_cause;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What is wrong with a store now: bits of `ss_health`.
enum ss_health_cause
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The disk has no space for records; they stay in RAM, and the store tries again by itself.
    SS_HEALTH_DISK_FULL = 1,
    // The disk fails; the store tries again by itself.
    SS_HEALTH_IO_ERROR = 2,
    // A sync failed: what was written before it may be gone after a power cut.
    SS_HEALTH_SYNC_FAILED = 4,
    // The store's directory is in RAM: nothing in it survives a power cut.
    SS_HEALTH_VOLATILE = 8,
    // Pages could not be read: their records are listed as lost when they are due.
    SS_HEALTH_DAMAGED = 16,
    // A sensor reached its quota: its oldest records are dropped.
    SS_HEALTH_QUOTA_REACHED = 32,
    // The store reached its limit on disk: the oldest records of whoever holds most are dropped.
    SS_HEALTH_DISK_MAX_REACHED = 64,
    // The space that was reserved for acknowledgements is in use.
    SS_HEALTH_RESERVE_IN_USE = 128,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_health_cause ss_health_cause;
#else
typedef uint32_t ss_health_cause;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The kinds of store: `profile` of `ss_config`, and what `ss_config_init` is asked for.
enum ss_profile
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Memory that the caller lends: `ss_open_memory`. 100 sensors, 100 sectors of 256 B, 8 ledger
    // entries, recycle-oldest: 33,008 B.
    SS_PROFILE_STM32 = 0,
    // RAM of a gateway: `ss_open_ram`. 2,048 sensors, a pool of 64 KiB, recycle-oldest.
    SS_PROFILE_LINUX_RAM = 1,
    // RAM and a directory on disk: `ss_open`. 2,048 sensors, a pool of 64 KiB, a wait of 1 s when it is
    // full, durable within 1 s, written within 60 s, 256 MiB a sensor and 4 GiB in all, segments of
    // 16 MiB, 256 KiB in reserve.
    SS_PROFILE_LINUX = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_profile ss_profile;
#else
typedef uint32_t ss_profile;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an add does when the pool is exhausted: `when_full` of `ss_config`.
enum ss_when_full
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Drops the oldest sector without pending records: of the same sensor, else of the one that holds
    // most. With a disk only if the disk does not take it.
    SS_WHEN_FULL_RECYCLE = 0,
    // Is refused at once.
    SS_WHEN_FULL_REFUSE = 1,
    // Waits for the disk, at most `wait_ms`; then it is refused. Only with a disk.
    SS_WHEN_FULL_WAIT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_when_full ss_when_full;
#else
typedef uint32_t ss_when_full;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// When what was written becomes durable: `durability` of `ss_config`.
enum ss_durability
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Every `sync_interval_ms`: a power cut takes at most what was written since.
    SS_DURABILITY_INTERVAL = 0,
    // With every spill, and acknowledgements with every tick.
    SS_DURABILITY_EVERY_SPILL = 1,
    // When the kernel pleases: no promise about a power cut.
    SS_DURABILITY_OS = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ss_durability ss_durability;
#else
typedef uint32_t ss_durability;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// An open store. Opaque: a handle on Linux, the caller's memory on a microcontroller.
typedef struct ss_store ss_store;

// One reading that is to be added, in a batch. 16 B.
typedef struct ss_sample {
    // When it was taken, in ms: for a time series on the clock that `ss_ts_add_batch` is told, for an
    // event the caller's own timestamp.
    uint64_t time_ms;
    // The value, bit for bit.
    uint32_t value;
    // 0.
    uint32_t reserved;
} ss_sample;

// Given pieces of text: `bytes` bytes at `text`, not terminated. It may not throw or jump.
typedef void (*ss_print_fn)(void *user, const char *text, size_t bytes);

// What a store is opened with. Always begin with `ss_config_init`. 104 B.
typedef struct ss_config {
    // `sizeof(ss_config)`, set by `ss_config_init`; a caller of another interface is found by it.
    uint32_t size_bytes;
    // One of `ss_profile`, set by `ss_config_init`.
    uint32_t profile;
    // The most sensors that can be registered.
    uint32_t sensors_max;
    // Entries of the loss ledger.
    uint32_t losses_max;
    // The pool.
    uint64_t pool_bytes;
    // Bytes of a RAM sector: a power of two from 32 to 4,096; on Linux also 0: the largest that gives
    // every sensor two, else one.
    uint32_t sector_bytes;
    // The number of this opening, for stores without a disk: give each its own. (A store on disk counts
    // its openings itself.)
    uint32_t epoch;
    // One of `ss_when_full`.
    uint32_t when_full;
    // How long an add waits at most, in ms.
    uint32_t wait_ms;
    // One of `ss_durability`. This and what follows is for stores with a disk.
    uint32_t durability;
    // Of `SS_DURABILITY_INTERVAL`, in ms.
    uint32_t sync_interval_ms;
    // A record stays in RAM unwritten at most so long, in ms.
    uint64_t spill_after_ms;
    // What one sensor may hold on disk, at 8 B an event and 4 B a reading of a series.
    uint64_t quota_bytes;
    // The most that the store's files take.
    uint64_t disk_max_bytes;
    // The size at which a segment is sealed.
    uint64_t segment_bytes;
    // Space that is kept for acknowledgements on a full disk.
    uint64_t reserve_bytes;
    // 1: sealed segments are squeezed; 0: they are not.
    uint32_t squeezes;
    // 0.
    uint32_t reserved[3];
} ss_config;

// Told while a shutdown runs: how many records were in RAM only when it began, and how many of them
// still are. It may not call a function that takes a store: that is `SS_EBUSY`. It may not throw or jump.
typedef void (*ss_progress_fn)(void *user, uint64_t records, uint64_t left);

// How a shutdown ended. 16 B.
typedef struct ss_shutdown_report {
    // Records that were in RAM only when it began.
    uint64_t records;
    // Those of them that the disk did not take before the deadline: they go with the process.
    uint64_t left;
} ss_shutdown_report;

#if defined(__linux__)
// What opening a store on disk found. 48 B.
typedef struct ss_recovery {
    // Records held.
    uint64_t records;
    // Pages read.
    uint64_t pages_read;
    // How long it took, in us.
    uint64_t wall_us;
    // Segments that hold something.
    uint32_t segments;
    // Pages behind the last good one, which were cut: what a kill or a power cut leaves.
    uint32_t torn_pages;
    // Pages with good ones behind them that cannot be read.
    uint32_t corrupt_pages;
    // 1: the opening before ended by an orderly shutdown, or there was none.
    uint32_t was_clean;
    // 1: the store was created.
    uint32_t is_new;
    // 0.
    uint32_t reserved;
} ss_recovery;
#endif

// One reading as it is handed out. (epoch, seq) of a sensor never names two records. 32 B.
typedef struct ss_record {
    // The sensor's record number.
    uint64_t seq;
    // When it was taken, in ms of `clock`. A time series' reading is reported on its grid: at most half
    // a period from the time that it was added with.
    uint64_t time_ms;
    // The opening of the store in which it was added.
    uint32_t epoch;
    // The value, bit for bit.
    uint32_t value;
    // One of `ss_clock`.
    uint8_t clock;
    // One of `ss_kind`: what the sensor was when it added this record.
    uint8_t kind;
    // 0.
    uint8_t reserved[6];
} ss_record;

// A sensor's counts, in records, over its whole life; those before its `first_seq` count as added and
// erased. added = erased + pending + unsent + the four dropped ones. 96 B.
typedef struct ss_sensor_stats {
    // Taken: each got a number.
    uint64_t added;
    // Refused by a full pool: they never got a number.
    uint64_t refused;
    // Acknowledged or rejected.
    uint64_t erased;
    // The part of `erased` that was rejected.
    uint64_t rejected;
    // Handed out and not yet answered.
    uint64_t pending;
    // Waiting to be consumed.
    uint64_t unsent;
    // Dropped to make room.
    uint64_t dropped_recycled;
    // Dropped because a checksum did not match.
    uint64_t dropped_corrupt;
    // Dropped because of the sensor's quota on disk.
    uint64_t dropped_quota;
    // Dropped because of the store's limit on disk.
    uint64_t dropped_disk_max;
    // 0.
    uint64_t reserved[2];
} ss_sensor_stats;

// A store's figures. A store without a disk has 0 for all that concerns one. 256 B.
typedef struct ss_store_stats {
    // The sum of all sensors' counts.
    struct ss_sensor_stats totals;
    // Entries that the loss ledger ever made.
    uint64_t ledger_entries;
    // Records that were ever entered into it.
    uint64_t ledger_records;
    // Records whose range it had to forget; the sensors' counts still count them.
    uint64_t ledger_forgotten;
    // Bytes of all files now.
    uint64_t disk_bytes;
    // The most that they were in this opening.
    uint64_t disk_bytes_peak;
    // Bytes written in this opening.
    uint64_t disk_bytes_written;
    // Records that are on disk only.
    uint64_t disk_records;
    // Syncs of files and of the directory.
    uint64_t disk_syncs;
    // Pages read.
    uint64_t disk_pages_read;
    // Pages that could not be read.
    uint64_t disk_damaged_pages;
    // Bytes that are reserved for acknowledgements.
    uint64_t disk_reserve_bytes;
    // The longest that something written waited to become durable, in ms.
    uint64_t disk_durable_lag_ms;
    // Segments that were squeezed.
    uint64_t disk_segments_squeezed;
    // Segments now.
    uint32_t disk_segments;
    // This opening's number.
    uint32_t epoch;
    // Registered sensors.
    uint32_t sensors;
    // RAM sectors in all.
    uint32_t sectors_total;
    // RAM sectors in use now.
    uint32_t sectors_used;
    // The most that were in use at once since opening.
    uint32_t sectors_peak;
    // RAM sectors that may be in use at once.
    uint32_t sectors_limit;
    // 0.
    uint32_t reserved[7];
} ss_store_stats;

// How far a sensor's records have come, as numbers of records: each is the end (exclusive) of what has
// come so far. In a store without a disk nothing is ever written. 40 B.
typedef struct ss_levels {
    // Added: in RAM at least. The number that the next record gets.
    uint64_t added_seq;
    // The kernel has them: they survive `kill -9`.
    uint64_t written_seq;
    // Synced: they survive a power cut.
    uint64_t durable_seq;
    // Answered for good, or gone: the oldest number that is still held.
    uint64_t acked_seq;
    // The same as a power cut would leave it: records below never come back.
    uint64_t acked_durable_seq;
} ss_levels;

// A range of a sensor's records that were lost, and why. 32 B.
typedef struct ss_loss {
    // The first lost record's number.
    uint64_t first_seq;
    // When the last of them was lost, in ms of the clock that `ss_tick` was last told.
    uint64_t at_ms;
    // How many consecutive records were lost.
    uint32_t count;
    // Whose records they were.
    uint32_t sensor;
    // One of `ss_drop_cause`.
    uint8_t cause;
    // 0.
    uint8_t reserved[7];
} ss_loss;

// What a sensor is. 24 B.
typedef struct ss_sensor_config {
    // The number of its first record: 0, or where an earlier opening ended. As an answer: the number
    // that the next record gets.
    uint64_t first_seq;
    // Any number; unique within its source.
    uint32_t id;
    // The sampling period in ms: at least 1 for a time series, ignored for events.
    uint32_t period_ms;
    // The namespace of the id: 0 host, 1 application, 2 CAN, others free.
    uint8_t source;
    // One of `ss_kind`.
    uint8_t kind;
    // 0.
    uint8_t reserved[6];
} ss_sensor_config;

// Names one batch that was handed out: records `first_seq` to `first_seq + count - 1` of one sensor.
// Copy it freely; any change to it makes it stale. 24 B.
typedef struct ss_token {
    // The first record's number.
    uint64_t first_seq;
    // Whose records they are.
    uint32_t sensor;
    // The store's opening in which the batch was handed out.
    uint32_t epoch;
    // How many records the batch holds; 0: this is no token.
    uint16_t count;
    // The library's.
    uint16_t attempt;
    // The library's: which of the process's stores gave it.
    uint32_t store;
} ss_token;

#if !defined(__linux__)
// Told that the library panicked, and where if it was built with `panic-location`: the source file's name,
// `file_bytes` bytes, not terminated, and the line; else 0 bytes and 0. It should not return; if it does,
// an undefined instruction follows.
typedef void (*ss_panic_fn)(const char *file, size_t file_bytes, uint32_t line);
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Adds a reading of a time series, taken at `time_ms` of `clock` (`SS_CLOCK_MONOTONIC` or `SS_CLOCK_UTC`).
// `seq` (may be NULL) gets its number. A reading within half a period of the sensor's grid is kept in 4 B
// and reported on the grid; any other starts a new grid.
//
// Nothing is stored unless the result is 0. SS_ESENSOR, SS_EKIND, SS_EINACTIVE, SS_EFULL, SS_ESHUTDOWN,
// SS_ESEQ, SS_EINVAL (no such clock). With a disk, a full pool and `SS_WHEN_FULL_WAIT` it waits at most
// `wait_ms`.
int ss_ts_add(struct ss_store *store,
              uint32_t sensor,
              uint32_t value,
              uint64_t time_ms,
              uint32_t clock,
              uint64_t *seq);

// Adds an event with the caller's own timestamp, kept exactly: any value, in any order. `seq` (may be
// NULL) gets its number. Errors as for `ss_ts_add`.
int ss_evt_add(struct ss_store *store,
               uint32_t sensor,
               uint32_t value,
               uint64_t ts_ms,
               uint64_t *seq);

// Adds readings of one time series, in order, until one is refused. `added` gets the number of those that
// were taken, whatever the result; the errors are those of `ss_ts_add` for the first that was not. On a
// microcontroller all of them are one critical section.
int ss_ts_add_batch(struct ss_store *store,
                    uint32_t sensor,
                    uint32_t clock,
                    const struct ss_sample *samples,
                    size_t samples_count,
                    size_t *added);

// Adds events of one sensor, in order, until one is refused. As `ss_ts_add_batch`.
int ss_evt_add_batch(struct ss_store *store,
                     uint32_t sensor,
                     const struct ss_sample *samples,
                     size_t samples_count,
                     size_t *added);

// Prints the store's figures, a line a sensor, and the newest losses, through the caller's function, in
// pieces. Between two lines the store may change: no lock or critical section is held while `print` runs,
// which may use the store.
//
// SS_EINVAL: `print` is NULL.
int ss_dump(struct ss_store *store,
            ss_print_fn print,
            void *user);

// The library's `SS_ABI_VERSION`. A program whose header has another one must not go on.
uint32_t ss_abi_version(void);

// The library's version, such as "0.1.0". Static.
const char *ss_version(void);

// The sentence of a status, also of one that this library does not have. Static, never NULL.
const char *ss_strerror(int status);

#if defined(__linux__)
// What the last error of this thread had to say beside its status: which file, which figures, what to do
// next. `ss_open`, `ss_open_ram`, `ss_shutdown`, `ss_sync`, `ss_drain` and `ss_check` leave it. Copies at
// most `text_capacity_bytes`, its end of string included, into `text`. Linux only.
int ss_error_detail(char *text,
                    size_t text_capacity_bytes);
#endif

// Fills a configuration with the defaults of a profile (one of `ss_profile`; a microcontroller's library
// knows `SS_PROFILE_STM32` alone).
//
// SS_EINVAL: no such profile.
int ss_config_init(struct ss_config *config,
                   uint32_t profile);

// The bytes that a store of this configuration takes: for `SS_PROFILE_STM32` what `ss_open_memory` must
// be given, aligned to `SS_STORE_ALIGN_BYTES` (and what `SS_STORE_BYTES` says at compile time); for the
// others what opening takes from the heap, and never more.
//
// SS_ECONFIG: no store can have it.
int ss_store_size(const struct ss_config *config,
                  uint64_t *bytes);

// Opens a store in memory that the caller lends: `memory_bytes` bytes at `memory`, aligned to
// `SS_STORE_ALIGN_BYTES`. The memory is the store's until it is closed; what stood in it is gone. The
// profile is `SS_PROFILE_STM32`.
//
// SS_EMEMORY: too small, see `ss_store_size`, or not aligned. SS_ECONFIG: no store can have the
// configuration. SS_ELOCKED (Linux): another store has part of the memory. SS_EBUSY (Linux): called from a
// progress function. On a microcontroller a store that is open there is emptied.
int ss_open_memory(const struct ss_config *config,
                   void *memory,
                   size_t memory_bytes,
                   struct ss_store **store);

// Does what is due, and tells the store the time; call it about every 100 ms unless the manager does.
// `now_ms` is the clock that the ledger's times are of; it may jump.
int ss_tick(struct ss_store *store,
            uint64_t now_ms);

// Refuses every add from now on, writes everything that is in RAM, makes it durable, and marks the store as
// closed in order. A disk that fails is tried again until `deadline_ms` have passed; with 0, once. Stops
// the manager. What is held can still be consumed; answers that come after are not saved. A store without
// a disk only refuses adds.
//
// `progress` (may be NULL) is told how far it is, with `user`. `report` (may be NULL) says how it ended,
// also where the result is SS_ETIMEDOUT or SS_EIO.
//
// SS_ETIMEDOUT: records remained in RAM only. SS_EIO: the disk failed. Either way it can be called again.
int ss_shutdown(struct ss_store *store,
                uint32_t deadline_ms,
                ss_progress_fn progress,
                void *user,
                struct ss_shutdown_report *report);

// Closes the store and gives everything back that it took. Without `ss_shutdown` before, this is what a
// kill is: what is in RAM only is gone. Waits for calls of other threads that are inside; later ones get
// SS_EHANDLE, as does a second close.
//
// SS_EBUSY: called from within a call, such as from a progress function.
int ss_close(struct ss_store *store);

// This opening's number.
int ss_epoch(struct ss_store *store, uint32_t *epoch);

// Limits the RAM sectors that may be in use at once, as if the pool were smaller; `UINT32_MAX` lifts the
// limit. What is stored stays stored.
int ss_limit_sectors(struct ss_store *store,
                     uint32_t sectors);

#if defined(__linux__)
// Opens the store in a directory, as its one owner; creates it if there is none. All memory is taken
// here. The profile is `SS_PROFILE_LINUX`. Then call `ss_manager_start`, or `ss_tick` every 100 ms.
//
// SS_ELOCKED: it has an owner. SS_EIO, SS_EVERSION, SS_EDAMAGED, SS_ECONFIG, SS_ETOOMANY (more sensors
// hold records than the configuration has places for), SS_EMEMORY, SS_EHANDLES. `ss_error_detail` has
// the sentence. Linux only.
int ss_open(const struct ss_config *config,
            const char *directory,
            struct ss_store **store);
#endif

#if defined(__linux__)
// Opens an empty store in RAM, for threads. The profile is `SS_PROFILE_LINUX_RAM`.
//
// SS_ECONFIG, SS_EMEMORY, SS_EHANDLES. Linux only.
int ss_open_ram(const struct ss_config *config, struct ss_store **store);
#endif

#if defined(__linux__)
// Starts a thread that ticks every 100 ms, and at once when an add finds the pool nearly full. It runs
// until `ss_manager_stop`, `ss_shutdown` or `ss_close`. Nothing happens if it runs already. The
// ledger's times are UTC then.
//
// SS_ENOTSUP: a store without a disk has nothing to do. Linux only.
int ss_manager_start(struct ss_store *store);
#endif

#if defined(__linux__)
// Stops the manager, and waits until it has ended. Nothing happens if none runs.
//
// SS_ENOTSUP: a store without a disk. Linux only.
int ss_manager_stop(struct ss_store *store);
#endif

#if defined(__linux__)
// Makes everything added and answered so far durable before it returns.
//
// SS_EIO: the disk failed. SS_ENOTSUP: a store without a disk. Linux only.
int ss_sync(struct ss_store *store);
#endif

#if defined(__linux__)
// Records that a monotonic time of this opening plus `offset_ms` is UTC, for whoever reads its records
// later. Saved with the next commit.
//
// SS_ENOTSUP: a store without a disk has one opening, whose offset its caller knows. Linux only.
int ss_clock_synced(struct ss_store *store,
                    int64_t offset_ms);
#endif

#if defined(__linux__)
// The offset from an opening's monotonic clock to UTC, in ms.
//
// SS_ENOTFOUND: it was never told. SS_ENOTSUP: a store without a disk. Linux only.
int ss_clock_offset(struct ss_store *store, uint32_t epoch, int64_t *offset_ms);
#endif

#if defined(__linux__)
// What opening found.
//
// SS_ENOTSUP: a store without a disk. Linux only.
int ss_recovery_found(struct ss_store *store, struct ss_recovery *recovery);
#endif

// Copies what `ss_consume` would hand out next, at most `records_capacity` records, without any effect.
// `records` gets their number.
//
// SS_ESENSOR.
int ss_peek(struct ss_store *store,
            uint32_t sensor,
            struct ss_record *out,
            size_t records_capacity,
            size_t *records);

// Reads one record that the store holds, pending or unsent, by its number. For diagnostics: the cost
// follows the backlog's length.
//
// SS_ENOTFOUND: it was erased, dropped or never added. SS_ECORRUPT. SS_ESENSOR.
int ss_read_at(struct ss_store *store,
               uint32_t sensor,
               uint64_t seq,
               struct ss_record *record);

// How many of the sensor's records wait to be consumed.
//
// SS_ESENSOR.
int ss_count_unsent(struct ss_store *store, uint32_t sensor, uint64_t *records);

// How many of the sensor's records are handed out and not yet answered.
//
// SS_ESENSOR.
int ss_count_pending(struct ss_store *store, uint32_t sensor, uint64_t *records);

// How many of the sensor's records the store holds: pending and unsent.
//
// SS_ESENSOR.
int ss_count_retained(struct ss_store *store, uint32_t sensor, uint64_t *records);

// Whether `ss_consume` would look for a batch: something is unsent and nothing pending.
//
// SS_ESENSOR.
int ss_is_ready(struct ss_store *store, uint32_t sensor, bool *is_ready);

// The sensor's counts over its whole life.
//
// SS_ESENSOR.
int ss_sensor_stats_get(struct ss_store *store, uint32_t sensor, struct ss_sensor_stats *stats);

// The store's figures. The cost follows the number of sensors.
int ss_store_stats_get(struct ss_store *store, struct ss_store_stats *stats);

// How far the sensor's records have come.
//
// SS_ESENSOR.
int ss_levels_get(struct ss_store *store, uint32_t sensor, struct ss_levels *levels);

// Copies the newest entries of the loss ledger, at most `losses_capacity`, oldest of them first. `losses`
// gets their number.
int ss_losses(struct ss_store *store,
              struct ss_loss *out,
              size_t losses_capacity,
              size_t *losses);

// The ledger's entry that was last made or extended.
//
// SS_ENOTFOUND: nothing was ever lost.
int ss_last_loss(struct ss_store *store, struct ss_loss *loss);

// What is wrong now: the bits of `ss_health_cause`; 0: nothing. A store without a disk is always well.
int ss_health(struct ss_store *store,
              uint32_t *causes);

// The word of one bit of `ss_health`, such as "disk-full". Static, never NULL.
const char *ss_health_name(uint32_t cause);

// The word of one of `ss_drop_cause`, such as "recycled". Static, never NULL.
const char *ss_drop_cause_name(uint32_t cause);

// Walks the whole store and holds every counter and cursor against what is there. Stops all other use while
// it runs.
//
// SS_EFAULT: they contradict each other, which is a fault of the library.
int ss_check(struct ss_store *store);

// Registers a sensor, active at once, and gives its number, which every other function takes. A store on
// disk takes over a sensor that it knows from before: it keeps its number, its records and its numbering.
//
// SS_EEXIST: registered already in this opening. SS_ETOOMANY: every place is taken. SS_EINVAL: no such
// kind, a time series without a period, a reserved byte that is not 0.
int ss_sensor_add(struct ss_store *store,
                  const struct ss_sensor_config *config,
                  uint32_t *sensor);

// The number of the sensor of this name, also if it left the configuration and still holds records.
//
// SS_ENOTFOUND: there is none.
int ss_sensor_find(struct ss_store *store, uint8_t source, uint32_t id, uint32_t *sensor);

// How many sensors the store knows: their numbers are those below.
int ss_sensor_count(struct ss_store *store, uint32_t *sensors);

// The sensor's configuration now. `first_seq` is the number that its next record gets.
//
// SS_ESENSOR.
int ss_sensor_config_get(struct ss_store *store, uint32_t sensor, struct ss_sensor_config *config);

// Changes a sensor's kind (one of `ss_kind`) and period. What is stored keeps what it has.
//
// SS_ESENSOR. SS_EINVAL: no such kind, or a time series without a period.
int ss_sensor_reconfigure(struct ss_store *store,
                          uint32_t sensor,
                          uint32_t kind,
                          uint32_t period_ms);

// Lets the sensor add again.
//
// SS_ESENSOR.
int ss_sensor_activate(struct ss_store *store, uint32_t sensor);

// Refuses the sensor's adds from now on. What is stored stays, and can be consumed.
//
// SS_ESENSOR.
int ss_sensor_deactivate(struct ss_store *store, uint32_t sensor);

// Whether the sensor may add.
//
// SS_ESENSOR.
int ss_sensor_is_active(struct ss_store *store, uint32_t sensor, bool *is_active);

// Hands out the sensor's oldest unsent record as a batch of one, and makes it pending. `records` gets 1,
// or 0 if none waits: then there is no token.
//
// SS_EPENDING: the sensor's last batch is not answered yet. SS_EUNREADABLE: the disk; try again.
// SS_ESENSOR.
int ss_consume_one(struct ss_store *store,
                   uint32_t sensor,
                   struct ss_record *record,
                   struct ss_token *token,
                   size_t *records);

// Hands out the sensor's oldest unsent records, at most `records_capacity`, as one batch, and makes them
// pending: until the token is answered the sensor hands out nothing more. `records` gets their number; 0:
// nothing waits, and there is no token. A batch ends early at a gap in the numbers, so that a short one is
// no sign that no more wait.
//
// SS_EPENDING: the sensor's last batch is not answered yet. SS_EUNREADABLE: the disk; try again.
// SS_ESENSOR.
int ss_consume(struct ss_store *store,
               uint32_t sensor,
               struct ss_record *out,
               size_t records_capacity,
               struct ss_token *token,
               size_t *records);

// Hands out batches across all sensors, a store on disk in the order of its log, which reads a backlog
// once, front to back: as many as there is room for, each of at most `batch_records_max` records. The
// records of each batch lie in `out` behind those of the batch before; `batches` and `records` get the
// numbers of both. A sensor has one batch at most: answer them, then drain again. 0 batches: nothing waits,
// or what waits is behind a pending batch.
//
// SS_EUNREADABLE: the disk; what was handed out before it failed is pending, and `ss_pending_batch` has its
// tokens.
int ss_drain(struct ss_store *store,
             size_t batch_records_max,
             struct ss_record *out,
             size_t records_capacity,
             struct ss_token *tokens,
             size_t tokens_capacity,
             size_t *batches,
             size_t *records);

// Erases exactly the batch's records: the cloud has them. With a disk, durable with the next commit.
//
// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
int ss_ack(struct ss_store *store,
           const struct ss_token *token);

// Returns exactly the batch's records to unsent: they are the next to be consumed.
//
// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
int ss_nack(struct ss_store *store, const struct ss_token *token);

// Erases exactly the batch's records and enters them into the loss ledger: the cloud will never take them.
//
// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
int ss_reject(struct ss_store *store,
              const struct ss_token *token);

// The token of the sensor's pending batch, for an uploader that lost it.
//
// SS_ENOTFOUND: nothing is pending. SS_ESENSOR.
int ss_pending_batch(struct ss_store *store, uint32_t sensor, struct ss_token *token);

#if !defined(__linux__)
// Sets what is called when the library panics, which is a fault of its own. NULL: nothing is called.
//
// Microcontrollers only. Any task or interrupt.
void ss_set_panic_hook(ss_panic_fn hook);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SS_H */
