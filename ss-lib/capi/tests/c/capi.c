/* Every function, its errors and its limits, over each kind of store that Linux has:
 *
 *     capi DIRECTORY      makes stores below the directory, which must exist
 *
 * Run plain, under valgrind, and with AddressSanitizer and UndefinedBehaviorSanitizer. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "ss.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *root;

static void path_of(char path[512], const char *name)
{
    CHECK(snprintf(path, 512, "%s/%s", root, name) < 512);
}

/* A store of each kind, for the tests that all of them must pass. */
typedef struct {
    const char *name;
    uint32_t profile;
    int has_disk;
    void *memory;
} kind_of_store;

static ss_store *open_kind(kind_of_store *kind, const char *name)
{
    ss_config config;
    ss_store *store = NULL;
    OK(ss_config_init(&config, kind->profile));
    config.epoch = 5;
    if (kind->profile == SS_PROFILE_STM32) {
        const size_t bytes = SS_STORE_BYTES(100, 25600, 256, 8);
        kind->memory = aligned_alloc(8, bytes);
        memset(kind->memory, 0xA5, bytes);
        OK(ss_open_memory(&config, kind->memory, bytes, &store));
    } else if (kind->profile == SS_PROFILE_LINUX_RAM) {
        OK(ss_open_ram(&config, &store));
    } else {
        char path[512];
        path_of(path, name);
        config.disk_max_bytes = 64 << 20;
        config.segment_bytes = 1 << 20;
        OK(ss_open(&config, path, &store));
    }
    CHECK(store != NULL);
    return store;
}

static void close_kind(kind_of_store *kind, ss_store *store)
{
    OK(ss_close(store));
    STATUS(ss_close(store), SS_EHANDLE);
    STATUS(ss_tick(store, 1), SS_EHANDLE);
    free(kind->memory);
    kind->memory = NULL;
}

static uint32_t add_series(ss_store *store, uint32_t id)
{
    ss_sensor_config config;
    uint32_t sensor = SS_SENSOR_NONE;
    memset(&config, 0, sizeof config);
    config.id = id;
    config.source = 2;
    config.period_ms = 1000;
    config.kind = SS_KIND_TIME_SERIES;
    OK(ss_sensor_add(store, &config, &sensor));
    return sensor;
}

static uint32_t add_events(ss_store *store, uint32_t id)
{
    ss_sensor_config config;
    uint32_t sensor = SS_SENSOR_NONE;
    memset(&config, 0, sizeof config);
    config.id = id;
    config.source = 1;
    config.kind = SS_KIND_EVENT;
    OK(ss_sensor_add(store, &config, &sensor));
    return sensor;
}

/* ---- the library ------------------------------------------------------------------------------- */

static void test_library(void)
{
    ss_config config;
    uint64_t bytes = 0;
    CHECK(ss_abi_version() == SS_ABI_VERSION);
    CHECK(strcmp(ss_version(), "0.1.0") == 0);
    CHECK(strcmp(ss_strerror(SS_OK), "done") == 0);
    for (int status = SS_EPANIC; status < 0; status++) {
        CHECK(strlen(ss_strerror(status)) > 8);
        CHECK(strcmp(ss_strerror(status), ss_strerror(1)) != 0);
    }
    CHECK(strcmp(ss_strerror(SS_EPANIC - 1), ss_strerror(1)) == 0);
    CHECK(strcmp(ss_health_name(SS_HEALTH_DISK_FULL), "disk-full") == 0);
    CHECK(strcmp(ss_health_name(SS_HEALTH_RESERVE_IN_USE), "reserve-in-use") == 0);
    CHECK(strcmp(ss_health_name(0), "unknown") == 0);
    CHECK(strcmp(ss_health_name(3), "unknown") == 0);
    CHECK(strcmp(ss_health_name(0x80000000U), "unknown") == 0);
    CHECK(strcmp(ss_drop_cause_name(SS_DROP_RECYCLED), "recycled") == 0);
    CHECK(strcmp(ss_drop_cause_name(SS_DROP_DISK_MAX), "disk-max") == 0);
    CHECK(strcmp(ss_drop_cause_name(5), "unknown") == 0);

    STATUS(ss_config_init(NULL, SS_PROFILE_STM32), SS_EINVAL);
    STATUS(ss_config_init(&config, 3), SS_EINVAL);
    OK(ss_config_init(&config, SS_PROFILE_STM32));
    CHECK(config.size_bytes == sizeof config && config.sensors_max == 100);
    STATUS(ss_store_size(NULL, &bytes), SS_EINVAL);
    STATUS(ss_store_size(&config, NULL), SS_EINVAL);
    OK(ss_store_size(&config, &bytes));
    CHECK(bytes == SS_STORE_BYTES(100, 25600, 256, 8));
    config.sensors_max = 17;
    config.pool_bytes = 17 * 64 + 63;
    config.sector_bytes = 64;
    config.losses_max = 0;
    OK(ss_store_size(&config, &bytes));
    CHECK(bytes == SS_STORE_BYTES(17, 17 * 64 + 63, 64, 0));
    config.sensors_max = 18;
    STATUS(ss_store_size(&config, &bytes), SS_ECONFIG);
    config.sector_bytes = 0;
    config.sensors_max = 3;
    OK(ss_store_size(&config, &bytes));
    config.reserved[2] = 1;
    STATUS(ss_store_size(&config, &bytes), SS_EINVAL);
    OK(ss_config_init(&config, SS_PROFILE_LINUX_RAM));
    OK(ss_store_size(&config, &bytes));
    CHECK(bytes > 400000 && bytes < 500000);
    OK(ss_config_init(&config, SS_PROFILE_LINUX));
    OK(ss_store_size(&config, &bytes));
    CHECK(bytes > 900000 && bytes <= 1 << 20);
    config.size_bytes--;
    STATUS(ss_store_size(&config, &bytes), SS_EINVAL);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static void test_opening_memory(void)
{
    const size_t bytes = SS_STORE_BYTES(2, 64, 32, 1);
    uint64_t *memory = aligned_alloc(8, bytes);
    char *crooked = (char *)memory + 4;
    ss_config config;
    ss_store *store = NULL, *other = NULL;
    OK(ss_config_init(&config, SS_PROFILE_STM32));
    config.sensors_max = 2;
    config.pool_bytes = 64;
    config.sector_bytes = 32;
    config.losses_max = 1;
    STATUS(ss_open_memory(NULL, memory, bytes, &store), SS_EINVAL);
    STATUS(ss_open_memory(&config, NULL, bytes, &store), SS_EINVAL);
    STATUS(ss_open_memory(&config, memory, bytes, NULL), SS_EINVAL);
    STATUS(ss_open_memory(&config, memory, bytes - 1, &store), SS_EMEMORY);
    STATUS(ss_open_memory(&config, memory, 0, &store), SS_EMEMORY);
    STATUS(ss_open_memory(&config, crooked, bytes, &store), SS_EMEMORY);
    CHECK(store == NULL);
    config.when_full = SS_WHEN_FULL_WAIT;
    STATUS(ss_open_memory(&config, memory, bytes, &store), SS_ECONFIG);
    config.when_full = 3;
    STATUS(ss_open_memory(&config, memory, bytes, &store), SS_EINVAL);
    config.when_full = SS_WHEN_FULL_REFUSE;
    config.sector_bytes = 33;
    STATUS(ss_open_memory(&config, memory, bytes, &store), SS_ECONFIG);
    config.sector_bytes = 32;
    config.profile = SS_PROFILE_LINUX_RAM;
    STATUS(ss_open_memory(&config, memory, bytes, &store), SS_EINVAL);
    config.profile = SS_PROFILE_STM32;
    OK(ss_open_memory(&config, memory, bytes, &store));
    STATUS(ss_open_memory(&config, memory, bytes, &other), SS_ELOCKED);
    OK(ss_close(store));
    OK(ss_open_memory(&config, memory, bytes, &other));
    CHECK(other != store);
    STATUS(ss_tick(store, 1), SS_EHANDLE);
    OK(ss_close(other));
    free(memory);
}

static void test_opening_ram(void)
{
    ss_config config;
    ss_store *store = NULL, *stores[65];
    OK(ss_config_init(&config, SS_PROFILE_LINUX_RAM));
    STATUS(ss_open_ram(NULL, &store), SS_EINVAL);
    STATUS(ss_open_ram(&config, NULL), SS_EINVAL);
    config.sensors_max = 2049;
    STATUS(ss_open_ram(&config, &store), SS_ECONFIG);
    char text[200] = "";
    OK(ss_error_detail(text, sizeof text));
    CHECK(strstr(text, "2049 sensors need a RAM sector each") != NULL);
    char little[8];
    OK(ss_error_detail(little, sizeof little));
    CHECK(strcmp(little, "2049 se") == 0);
    OK(ss_error_detail(little, 1));
    CHECK(little[0] == 0);
    STATUS(ss_error_detail(little, 0), SS_EINVAL);
    STATUS(ss_error_detail(NULL, 8), SS_EINVAL);
    config.sensors_max = 4;
    config.losses_max = UINT32_MAX;
    const int status = ss_open_ram(&config, &store);
    CHECK(status == SS_EMEMORY || status == SS_OK);
    if (status == SS_OK) {
        OK(ss_close(store));
    }
    config.losses_max = 4;
    config.pool_bytes = 4096;
    for (int index = 0; index < 64; index++) {
        OK(ss_open_ram(&config, &stores[index]));
    }
    STATUS(ss_open_ram(&config, &stores[64]), SS_EHANDLES);
    for (int index = 0; index < 64; index++) {
        OK(ss_close(stores[index]));
        STATUS(ss_close(stores[index]), SS_EHANDLE);
    }
}

static void test_opening_disk(void)
{
    ss_config config;
    ss_store *store = NULL, *other = NULL;
    char path[512], text[300];
    path_of(path, "opening");
    OK(ss_config_init(&config, SS_PROFILE_LINUX));
    STATUS(ss_open(NULL, path, &store), SS_EINVAL);
    STATUS(ss_open(&config, NULL, &store), SS_EINVAL);
    STATUS(ss_open(&config, path, NULL), SS_EINVAL);
    STATUS(ss_open(&config, "/proc/self/nowhere", &store), SS_EIO);
    OK(ss_error_detail(text, sizeof text));
    CHECK(strlen(text) > 20);
    config.durability = 3;
    STATUS(ss_open(&config, path, &store), SS_EINVAL);
    config.durability = SS_DURABILITY_OS;
    config.reserve_bytes = UINT64_MAX;
    STATUS(ss_open(&config, path, &store), SS_ECONFIG);
    config.reserve_bytes = 256 << 10;
    config.segment_bytes = 0;
    STATUS(ss_open(&config, path, &store), SS_ECONFIG);
    uint64_t bytes = 0;
    STATUS(ss_store_size(&config, &bytes), SS_ECONFIG);
    config.segment_bytes = 1 << 20;
    config.disk_max_bytes = UINT64_MAX;
    OK(ss_store_size(&config, &bytes));
    config.disk_max_bytes = 64 << 20;
    config.sensors_max = 1 << 20;
    STATUS(ss_open(&config, path, &store), SS_ECONFIG);
    config.sensors_max = 16;
    OK(ss_open(&config, path, &store));
    STATUS(ss_open(&config, path, &other), SS_ELOCKED);
    OK(ss_error_detail(text, sizeof text));
    CHECK(strstr(text, "ss inspect") != NULL);
    uint32_t epoch = 0;
    OK(ss_epoch(store, &epoch));
    CHECK(epoch == 1);
    OK(ss_close(store));
    OK(ss_open(&config, path, &other));
    OK(ss_epoch(other, &epoch));
    CHECK(epoch == 2);
    STATUS(ss_close(store), SS_EHANDLE);
    OK(ss_close(other));
}

/* ---- what every kind does ---------------------------------------------------------------------- */

static void test_sensors(kind_of_store *kind)
{
    ss_store *store = open_kind(kind, "sensors");
    ss_sensor_config config, read;
    uint32_t sensor = 7, found = 7, sensors = 7;
    bool is_active = false;
    memset(&config, 0, sizeof config);
    config.id = 9;
    config.source = 3;
    config.kind = 2;
    config.first_seq = 40;
    STATUS(ss_sensor_add(store, &config, &sensor), SS_EINVAL);
    config.kind = SS_KIND_TIME_SERIES;
    STATUS(ss_sensor_add(store, &config, &sensor), SS_EINVAL);
    config.period_ms = 10;
    config.reserved[5] = 1;
    STATUS(ss_sensor_add(store, &config, &sensor), SS_EINVAL);
    config.reserved[5] = 0;
    STATUS(ss_sensor_add(store, NULL, &sensor), SS_EINVAL);
    STATUS(ss_sensor_add(store, &config, NULL), SS_EINVAL);
    STATUS(ss_sensor_add(NULL, &config, &sensor), SS_EINVAL);
    CHECK(sensor == 7);
    OK(ss_sensor_add(store, &config, &sensor));
    CHECK(sensor == 0);
    STATUS(ss_sensor_add(store, &config, &sensor), SS_EEXIST);

    OK(ss_sensor_find(store, 3, 9, &found));
    CHECK(found == 0);
    STATUS(ss_sensor_find(store, 2, 9, &found), SS_ENOTFOUND);
    STATUS(ss_sensor_find(store, 3, 9, NULL), SS_EINVAL);
    OK(ss_sensor_count(store, &sensors));
    CHECK(sensors == 1);
    STATUS(ss_sensor_count(store, NULL), SS_EINVAL);

    memset(&read, 0xFF, sizeof read);
    OK(ss_sensor_config_get(store, 0, &read));
    CHECK(memcmp(&read, &config, sizeof read) == 0);
    STATUS(ss_sensor_config_get(store, 1, &read), SS_ESENSOR);
    STATUS(ss_sensor_config_get(store, SS_SENSOR_NONE, &read), SS_ESENSOR);
    STATUS(ss_sensor_config_get(store, 0, NULL), SS_EINVAL);

    STATUS(ss_sensor_reconfigure(store, 0, 2, 10), SS_EINVAL);
    STATUS(ss_sensor_reconfigure(store, 0, SS_KIND_TIME_SERIES, 0), SS_EINVAL);
    STATUS(ss_sensor_reconfigure(store, 1, SS_KIND_EVENT, 0), SS_ESENSOR);
    OK(ss_sensor_reconfigure(store, 0, SS_KIND_EVENT, 0));
    OK(ss_evt_add(store, 0, 1, 2, NULL));
    STATUS(ss_ts_add(store, 0, 1, 2, SS_CLOCK_UTC, NULL), SS_EKIND);

    OK(ss_sensor_deactivate(store, 0));
    OK(ss_sensor_is_active(store, 0, &is_active));
    CHECK(!is_active);
    STATUS(ss_evt_add(store, 0, 1, 2, NULL), SS_EINACTIVE);
    OK(ss_sensor_activate(store, 0));
    OK(ss_sensor_is_active(store, 0, &is_active));
    CHECK(is_active);
    OK(ss_evt_add(store, 0, 1, 2, NULL));
    STATUS(ss_sensor_activate(store, 1), SS_ESENSOR);
    STATUS(ss_sensor_deactivate(store, 1), SS_ESENSOR);
    STATUS(ss_sensor_is_active(store, 1, &is_active), SS_ESENSOR);
    STATUS(ss_sensor_is_active(store, 0, NULL), SS_EINVAL);

    /* Every place, and one more. */
    const uint32_t places = kind->profile == SS_PROFILE_STM32 ? 100 : 2048;
    for (uint32_t id = 1; id < places; id++) {
        (void)add_events(store, id);
    }
    config.id = 100000;
    STATUS(ss_sensor_add(store, &config, &sensor), SS_ETOOMANY);
    OK(ss_sensor_count(store, &sensors));
    CHECK(sensors == places);
    close_kind(kind, store);
}

static void test_adding(kind_of_store *kind)
{
    ss_store *store = open_kind(kind, "adding");
    const uint32_t series = add_series(store, 1), events = add_events(store, 1);
    uint64_t seq = 99, unsent = 0;
    size_t added = 99;
    OK(ss_ts_add(store, series, 10, 1000000, SS_CLOCK_UTC, &seq));
    CHECK(seq == 0);
    OK(ss_ts_add(store, series, 11, 1001000, SS_CLOCK_UTC, &seq));
    CHECK(seq == 1);
    OK(ss_ts_add(store, series, 12, 5, SS_CLOCK_MONOTONIC, NULL));
    STATUS(ss_ts_add(store, series, 12, 5, SS_CLOCK_CALLER, NULL), SS_EINVAL);
    STATUS(ss_ts_add(store, series, 12, 5, 99, NULL), SS_EINVAL);
    STATUS(ss_ts_add(store, events, 12, 5, SS_CLOCK_UTC, NULL), SS_EKIND);
    STATUS(ss_ts_add(store, 2, 12, 5, SS_CLOCK_UTC, NULL), SS_ESENSOR);
    STATUS(ss_ts_add(NULL, series, 12, 5, SS_CLOCK_UTC, NULL), SS_EINVAL);
    OK(ss_evt_add(store, events, 0, UINT64_MAX, &seq));
    OK(ss_evt_add(store, events, UINT32_MAX, 0, &seq));
    CHECK(seq == 1);
    STATUS(ss_evt_add(store, series, 1, 1, &seq), SS_EKIND);
    STATUS(ss_evt_add(store, SS_SENSOR_NONE, 1, 1, &seq), SS_ESENSOR);
    CHECK(seq == 1);

    ss_sample samples[3];
    memset(samples, 0, sizeof samples);
    for (uint32_t n = 0; n < 3; n++) {
        samples[n].time_ms = 2000000 + 1000 * n;
        samples[n].value = n;
    }
    OK(ss_ts_add_batch(store, series, SS_CLOCK_UTC, samples, 3, &added));
    CHECK(added == 3);
    OK(ss_ts_add_batch(store, series, SS_CLOCK_UTC, samples, 0, &added));
    CHECK(added == 0);
    OK(ss_evt_add_batch(store, events, samples, 3, &added));
    CHECK(added == 3);
    STATUS(ss_evt_add_batch(store, series, samples, 3, &added), SS_EKIND);
    CHECK(added == 0);
    STATUS(ss_ts_add_batch(store, events, SS_CLOCK_UTC, samples, 3, &added), SS_EKIND);
    STATUS(ss_ts_add_batch(store, series, SS_CLOCK_CALLER, samples, 3, &added), SS_EINVAL);
    STATUS(ss_ts_add_batch(store, series, SS_CLOCK_UTC, NULL, 3, &added), SS_EINVAL);
    STATUS(ss_ts_add_batch(store, series, SS_CLOCK_UTC, samples, 3, NULL), SS_EINVAL);
    STATUS(ss_ts_add_batch(store, series, SS_CLOCK_UTC, samples, SIZE_MAX, &added), SS_EINVAL);
    STATUS(ss_evt_add_batch(store, events, NULL, 3, &added), SS_EINVAL);
    STATUS(ss_evt_add_batch(store, events, samples, 3, NULL), SS_EINVAL);
    OK(ss_count_unsent(store, series, &unsent));
    CHECK(unsent == 6);
    OK(ss_count_unsent(store, events, &unsent));
    CHECK(unsent == 5);
    OK(ss_check(store));
    close_kind(kind, store);
}

static void test_uploading(kind_of_store *kind)
{
    ss_store *store = open_kind(kind, "uploading");
    const uint32_t series = add_series(store, 1), events = add_events(store, 1);
    ss_record records[16];
    ss_token token, other, forged;
    size_t taken = 99;
    uint64_t count = 99;
    bool is_ready = true;
    memset(records, 0xFF, sizeof records);
    memset(&token, 0xFF, sizeof token);

    /* Nothing waits: no error, no token. */
    OK(ss_consume(store, series, records, 16, &token, &taken));
    CHECK(taken == 0 && token.count == 0);
    STATUS(ss_ack(store, &token), SS_ESTALE);
    OK(ss_consume_one(store, series, records, &token, &taken));
    CHECK(taken == 0);
    OK(ss_is_ready(store, series, &is_ready));
    CHECK(!is_ready);
    STATUS(ss_pending_batch(store, series, &token), SS_ENOTFOUND);

    for (uint32_t n = 0; n < 10; n++) {
        OK(ss_ts_add(store, series, n * 3, 1000000 + 1000 * n, SS_CLOCK_UTC, NULL));
        OK(ss_evt_add(store, events, n, 77, NULL));
    }
    OK(ss_is_ready(store, series, &is_ready));
    CHECK(is_ready);
    OK(ss_peek(store, series, records, 16, &taken));
    CHECK(taken == 10 && records[9].seq == 9 && records[9].value == 27);
    OK(ss_peek(store, series, records, 4, &taken));
    CHECK(taken == 4);
    OK(ss_peek(store, series, records, 0, &taken));
    CHECK(taken == 0);

    OK(ss_consume(store, series, records, 4, &token, &taken));
    CHECK(taken == 4 && token.count == 4 && token.first_seq == 0 && token.sensor == series);
    for (uint32_t n = 0; n < 4; n++) {
        CHECK(records[n].seq == n && records[n].value == n * 3);
        CHECK(records[n].time_ms == 1000000 + 1000 * n);
        CHECK(records[n].clock == SS_CLOCK_UTC && records[n].kind == SS_KIND_TIME_SERIES);
        CHECK(records[n].epoch == token.epoch);
    }
    STATUS(ss_consume(store, series, records, 4, &other, &taken), SS_EPENDING);
    CHECK(taken == 0);
    STATUS(ss_consume_one(store, series, records, &other, &taken), SS_EPENDING);
    OK(ss_pending_batch(store, series, &other));
    CHECK(memcmp(&other, &token, sizeof token) == 0);
    OK(ss_count_pending(store, series, &count));
    CHECK(count == 4);
    OK(ss_count_retained(store, series, &count));
    CHECK(count == 10);
    OK(ss_is_ready(store, series, &is_ready));
    CHECK(!is_ready);

    /* Any change to a token makes it stale. */
    for (size_t byte = 0; byte < sizeof token; byte++) {
        forged = token;
        ((unsigned char *)&forged)[byte] ^= 1;
        STATUS(ss_ack(store, &forged), SS_ESTALE);
        STATUS(ss_nack(store, &forged), SS_ESTALE);
        STATUS(ss_reject(store, &forged), SS_ESTALE);
    }
    OK(ss_nack(store, &token));
    STATUS(ss_nack(store, &token), SS_ESTALE);
    STATUS(ss_ack(store, &token), SS_ESTALE);
    OK(ss_consume(store, series, records, 4, &other, &taken));
    CHECK(taken == 4 && records[0].seq == 0 && records[3].value == 9);
    STATUS(ss_ack(store, &token), SS_ESTALE);
    OK(ss_ack(store, &other));
    STATUS(ss_ack(store, &other), SS_ESTALE);
    STATUS(ss_read_at(store, series, 3, records), SS_ENOTFOUND);
    OK(ss_read_at(store, series, 4, records));
    CHECK(records[0].seq == 4 && records[0].value == 12);
    STATUS(ss_read_at(store, series, 10, records), SS_ENOTFOUND);
    STATUS(ss_read_at(store, 2, 4, records), SS_ESENSOR);

    OK(ss_consume_one(store, series, records, &token, &taken));
    CHECK(taken == 1 && records[0].seq == 4 && token.count == 1);
    OK(ss_reject(store, &token));
    STATUS(ss_reject(store, &token), SS_ESTALE);
    ss_loss loss;
    OK(ss_last_loss(store, &loss));
    CHECK(loss.first_seq == 4 && loss.count == 1 && loss.sensor == series);
    CHECK(loss.cause == SS_DROP_REJECTED);
    OK(ss_losses(store, &loss, 1, &taken));
    CHECK(taken == 1 && loss.first_seq == 4);

    /* Across all sensors. */
    ss_token tokens[4];
    size_t batches = 99;
    memset(tokens, 0xFF, sizeof tokens);
    OK(ss_drain(store, 100, records, 16, tokens, 4, &batches, &taken));
    CHECK(batches == 2 && taken == 15);
    CHECK((size_t)tokens[0].count + tokens[1].count == taken);
    CHECK(records[0].seq == tokens[0].first_seq);
    CHECK(records[tokens[0].count].seq == tokens[1].first_seq);
    OK(ss_ack(store, &tokens[0]));
    OK(ss_nack(store, &tokens[1]));
    STATUS(ss_ack(store, &tokens[1]), SS_ESTALE);
    OK(ss_drain(store, 2, records, 16, tokens, 1, &batches, &taken));
    CHECK(batches == 1 && taken == 2);
    OK(ss_nack(store, &tokens[0]));
    OK(ss_drain(store, 2, records, 0, tokens, 0, &batches, &taken));
    CHECK(batches == 0 && taken == 0);

    ss_sensor_stats stats;
    OK(ss_sensor_stats_get(store, series, &stats));
    CHECK(stats.added == 10 && stats.rejected == 1 && stats.pending == 0);
    CHECK(stats.added == stats.erased + stats.unsent);
    ss_store_stats figures;
    if (kind->has_disk) {
        OK(ss_sync(store));
    }
    OK(ss_store_stats_get(store, &figures));
    CHECK(figures.totals.added == 20 && figures.sensors == 2 && figures.ledger_records == 1);
    CHECK(figures.sectors_used >= 1 && figures.sectors_total >= figures.sectors_used);
    CHECK((figures.disk_segments > 0) == (kind->has_disk != 0));
    CHECK(kind->has_disk || figures.epoch == 5);
    ss_levels levels;
    OK(ss_levels_get(store, series, &levels));
    CHECK(levels.added_seq == 10 && levels.acked_seq == 10 - stats.unsent);
    CHECK(levels.durable_seq <= levels.written_seq && levels.written_seq <= levels.added_seq);
    OK(ss_check(store));

    /* NULL, everywhere. */
    STATUS(ss_consume(store, series, NULL, 4, &token, &taken), SS_EINVAL);
    STATUS(ss_consume(store, series, records, 4, NULL, &taken), SS_EINVAL);
    STATUS(ss_consume(store, series, records, 4, &token, NULL), SS_EINVAL);
    STATUS(ss_consume(store, series, records, SIZE_MAX, &token, &taken), SS_EINVAL);
    STATUS(ss_consume(NULL, series, records, 4, &token, &taken), SS_EINVAL);
    STATUS(ss_consume(store, 2, records, 4, &token, &taken), SS_ESENSOR);
    STATUS(ss_consume_one(store, series, NULL, &token, &taken), SS_EINVAL);
    STATUS(ss_consume_one(store, series, records, NULL, &taken), SS_EINVAL);
    STATUS(ss_consume_one(store, series, records, &token, NULL), SS_EINVAL);
    STATUS(ss_drain(store, 0, records, 16, tokens, 4, &batches, &taken), SS_EINVAL);
    STATUS(ss_drain(store, 1, NULL, 16, tokens, 4, &batches, &taken), SS_EINVAL);
    STATUS(ss_drain(store, 1, records, 16, NULL, 4, &batches, &taken), SS_EINVAL);
    STATUS(ss_drain(store, 1, records, 16, tokens, 4, NULL, &taken), SS_EINVAL);
    STATUS(ss_drain(store, 1, records, 16, tokens, 4, &batches, NULL), SS_EINVAL);
    STATUS(ss_ack(store, NULL), SS_EINVAL);
    STATUS(ss_nack(store, NULL), SS_EINVAL);
    STATUS(ss_reject(store, NULL), SS_EINVAL);
    STATUS(ss_ack(NULL, &token), SS_EINVAL);
    STATUS(ss_pending_batch(store, series, NULL), SS_EINVAL);
    STATUS(ss_pending_batch(store, 2, &token), SS_ESENSOR);
    STATUS(ss_peek(store, series, NULL, 4, &taken), SS_EINVAL);
    STATUS(ss_peek(store, series, records, 4, NULL), SS_EINVAL);
    STATUS(ss_peek(store, 2, records, 4, &taken), SS_ESENSOR);
    STATUS(ss_read_at(store, series, 4, NULL), SS_EINVAL);
    STATUS(ss_count_unsent(store, series, NULL), SS_EINVAL);
    STATUS(ss_count_pending(store, series, NULL), SS_EINVAL);
    STATUS(ss_count_retained(store, series, NULL), SS_EINVAL);
    STATUS(ss_count_unsent(store, 2, &count), SS_ESENSOR);
    STATUS(ss_count_pending(store, 2, &count), SS_ESENSOR);
    STATUS(ss_count_retained(store, 2, &count), SS_ESENSOR);
    STATUS(ss_is_ready(store, series, NULL), SS_EINVAL);
    STATUS(ss_is_ready(store, 2, &is_ready), SS_ESENSOR);
    STATUS(ss_sensor_stats_get(store, series, NULL), SS_EINVAL);
    STATUS(ss_sensor_stats_get(store, 2, &stats), SS_ESENSOR);
    STATUS(ss_store_stats_get(store, NULL), SS_EINVAL);
    STATUS(ss_levels_get(store, series, NULL), SS_EINVAL);
    STATUS(ss_levels_get(store, 2, &levels), SS_ESENSOR);
    STATUS(ss_losses(store, NULL, 1, &taken), SS_EINVAL);
    STATUS(ss_losses(store, &loss, 1, NULL), SS_EINVAL);
    STATUS(ss_last_loss(store, NULL), SS_EINVAL);
    STATUS(ss_health(store, NULL), SS_EINVAL);
    STATUS(ss_epoch(store, NULL), SS_EINVAL);
    STATUS(ss_check(NULL), SS_EINVAL);
    STATUS(ss_close(NULL), SS_EINVAL);
    close_kind(kind, store);
}

/* A pool that is full, a ledger that forgets, a limit. */
static void test_limits(kind_of_store *kind)
{
    if (kind->has_disk) {
        return;
    }
    ss_store *store = open_kind(kind, "limits");
    const uint32_t events = add_events(store, 1);
    ss_store_stats figures;
    ss_loss loss;
    STATUS(ss_last_loss(store, &loss), SS_ENOTFOUND);
    OK(ss_tick(store, 123456));
    OK(ss_limit_sectors(store, 2));
    for (uint32_t n = 0; n < 2000; n++) {
        OK(ss_evt_add(store, events, n, n, NULL));
    }
    OK(ss_store_stats_get(store, &figures));
    CHECK(figures.sectors_limit == 2 && figures.sectors_used == 2 && figures.sectors_peak == 2);
    CHECK(figures.totals.dropped_recycled > 1000);
    CHECK(figures.totals.added == figures.totals.unsent + figures.totals.dropped_recycled);
    OK(ss_last_loss(store, &loss));
    CHECK(loss.cause == SS_DROP_RECYCLED && loss.first_seq == 0 && loss.at_ms == 123456);
    CHECK(loss.count == figures.totals.dropped_recycled);
    OK(ss_limit_sectors(store, UINT32_MAX));
    uint32_t causes = 99;
    OK(ss_health(store, &causes));
    CHECK(causes == 0);
    OK(ss_check(store));

    /* Everything pending: an add is refused, and counted. */
    ss_record *records = calloc(65536, sizeof *records);
    ss_token token;
    size_t taken;
    OK(ss_limit_sectors(store, 2));
    OK(ss_consume(store, events, records, 65536, &token, &taken));
    CHECK(taken == figures.totals.unsent);
    int status = SS_OK;
    for (uint32_t n = 0; n < 1000 && status == SS_OK; n++) {
        status = ss_evt_add(store, events, n, n, NULL);
    }
    STATUS(status, SS_EFULL);
    ss_sample sample = {1, 1, 0};
    STATUS(ss_evt_add_batch(store, events, &sample, 1, &taken), SS_EFULL);
    CHECK(taken == 0);
    OK(ss_ack(store, &token));
    OK(ss_evt_add(store, events, 1, 1, NULL));
    free(records);
    close_kind(kind, store);
}

/* ---- shutting down, and what comes after -------------------------------------------------------- */

typedef struct {
    ss_store *store;
    int calls;
    uint64_t left;
} told;

static void progress(void *user, uint64_t records, uint64_t left)
{
    told *to = user;
    CHECK(left <= records);
    to->calls++;
    to->left = left;
    /* From in here the store is not to be used. */
    STATUS(ss_tick(to->store, 1), SS_EBUSY);
    STATUS(ss_close(to->store), SS_EBUSY);
    static uint64_t memory[SS_STORE_BYTES(100, 25600, 256, 8) / 8];
    ss_config config;
    ss_store *other = NULL;
    OK(ss_config_init(&config, SS_PROFILE_STM32));
    STATUS(ss_open_memory(&config, memory, sizeof memory, &other), SS_EBUSY);
}

static void test_shutdown(kind_of_store *kind)
{
    ss_store *store = open_kind(kind, "shutdown");
    const uint32_t events = add_events(store, 1);
    told to = {store, 0, 99};
    ss_shutdown_report report = {99, 99};
    ss_record record;
    ss_token token;
    size_t taken;
    for (uint32_t n = 0; n < 100; n++) {
        OK(ss_evt_add(store, events, n, n, NULL));
    }
    OK(ss_shutdown(store, 10000, progress, &to, &report));
    CHECK(to.calls >= 1);
    CHECK(report.records == 100 && report.left == (kind->has_disk ? 0 : 100));
    CHECK(to.left == report.left);
    STATUS(ss_evt_add(store, events, 1, 1, NULL), SS_ESHUTDOWN);
    OK(ss_consume_one(store, events, &record, &token, &taken));
    CHECK(taken == 1 && record.value == 0);
    OK(ss_ack(store, &token));
    OK(ss_shutdown(store, 0, NULL, NULL, NULL));
    OK(ss_tick(store, 5));
    STATUS(ss_shutdown(NULL, 0, NULL, NULL, NULL), SS_EINVAL);
    close_kind(kind, store);
    STATUS(ss_shutdown(store, 0, NULL, NULL, &report), SS_EHANDLE);
    STATUS(ss_evt_add(store, events, 1, 1, NULL), SS_EHANDLE);
    STATUS(ss_ack(store, &token), SS_EHANDLE);
}

typedef struct {
    char text[8192];
    size_t bytes;
} console;

static void print(void *user, const char *text, size_t bytes)
{
    console *to = user;
    CHECK(to->bytes + bytes < sizeof to->text);
    memcpy(to->text + to->bytes, text, bytes);
    to->bytes += bytes;
}

static void test_dump(kind_of_store *kind)
{
    ss_store *store = open_kind(kind, "dump");
    const uint32_t series = add_series(store, 500), events = add_events(store, 4294967295U);
    static console to;
    ss_record record;
    ss_token token;
    size_t taken;
    memset(&to, 0, sizeof to);
    OK(ss_ts_add(store, series, 1, 1000, SS_CLOCK_UTC, NULL));
    OK(ss_evt_add(store, events, 1, 1, NULL));
    OK(ss_consume_one(store, events, &record, &token, &taken));
    OK(ss_reject(store, &token));
    OK(ss_sensor_deactivate(store, events));
    if (kind->has_disk) {
        OK(ss_sync(store));
    }
    OK(ss_dump(store, print, &to));
    CHECK(strstr(to.text, "2 sensors\nsectors ") != NULL);
    CHECK(strstr(to.text, "records 2 added = 1 erased + 0 pending + 1 unsent + 0 dropped; "
                          "0 refused\n") != NULL);
    CHECK(strstr(to.text, "sensor  2/500 every 1000 ms: 0 pending, 1 unsent, ") != NULL);
    CHECK(strstr(to.text, "sensor  1/4294967295 events, inactive: 0 pending, ") != NULL);
    CHECK(strstr(to.text, "lost    1/4294967295: 1 records from 0 on, rejected, at ") != NULL);
    CHECK((strstr(to.text, "disk    ") != NULL) == (kind->has_disk != 0));
    STATUS(ss_dump(store, NULL, NULL), SS_EINVAL);
    STATUS(ss_dump(NULL, print, &to), SS_EINVAL);
    close_kind(kind, store);
    STATUS(ss_dump(store, print, &to), SS_EHANDLE);
}

/* ---- what only a disk has ----------------------------------------------------------------------- */

static void test_disk_only(void)
{
    kind_of_store ram = {"ram", SS_PROFILE_LINUX_RAM, 0, NULL};
    kind_of_store memory = {"memory", SS_PROFILE_STM32, 0, NULL};
    kind_of_store *kinds[] = {&ram, &memory};
    ss_recovery recovery;
    int64_t offset_ms = 0;
    for (int n = 0; n < 2; n++) {
        ss_store *store = open_kind(kinds[n], "");
        STATUS(ss_manager_start(store), SS_ENOTSUP);
        STATUS(ss_manager_stop(store), SS_ENOTSUP);
        STATUS(ss_sync(store), SS_ENOTSUP);
        STATUS(ss_clock_synced(store, 1), SS_ENOTSUP);
        STATUS(ss_clock_offset(store, 1, &offset_ms), SS_ENOTSUP);
        STATUS(ss_recovery_found(store, &recovery), SS_ENOTSUP);
        close_kind(kinds[n], store);
    }
    kind_of_store disk = {"disk", SS_PROFILE_LINUX, 1, NULL};
    ss_store *store = open_kind(&disk, "disk-only");
    const uint32_t events = add_events(store, 1);
    OK(ss_recovery_found(store, &recovery));
    CHECK(recovery.is_new == 1 && recovery.records == 0);
    STATUS(ss_recovery_found(store, NULL), SS_EINVAL);
    OK(ss_manager_start(store));
    OK(ss_manager_start(store));
    STATUS(ss_clock_offset(store, 1, &offset_ms), SS_ENOTFOUND);
    STATUS(ss_clock_offset(store, 1, NULL), SS_EINVAL);
    OK(ss_clock_synced(store, -12345678901));
    OK(ss_clock_offset(store, 1, &offset_ms));
    CHECK(offset_ms == -12345678901);
    ss_levels levels;
    OK(ss_evt_add(store, events, 42, 7, NULL));
    OK(ss_sync(store));
    OK(ss_levels_get(store, events, &levels));
    CHECK(levels.durable_seq == 1);
    OK(ss_evt_add(store, events, 43, 8, NULL));
    OK(ss_manager_stop(store));
    OK(ss_manager_stop(store));
    /* Without an orderly end: what a kill is. What was synced is there. */
    close_kind(&disk, store);
    store = open_kind(&disk, "disk-only");
    OK(ss_recovery_found(store, &recovery));
    CHECK(recovery.is_new == 0 && recovery.was_clean == 0 && recovery.records == 1);
    uint32_t found = 9;
    OK(ss_sensor_find(store, 1, 1, &found));
    STATUS(ss_evt_add(store, found, 1, 1, NULL), SS_EINACTIVE);
    ss_record record;
    OK(ss_read_at(store, found, 0, &record));
    CHECK(record.value == 42 && record.time_ms == 7 && record.epoch == 1);
    CHECK(record.clock == SS_CLOCK_CALLER && record.kind == SS_KIND_EVENT);
    CHECK(add_events(store, 1) == found);
    OK(ss_clock_offset(store, 1, &offset_ms));
    CHECK(offset_ms == -12345678901);
    /* A token of one store is no other one's, though sensor, numbers and openings are the same. */
    ss_store *twin = open_kind(&disk, "twin"), *twin_too = NULL;
    const uint32_t same = add_events(twin, 1);
    CHECK(same == found);
    OK(ss_evt_add(twin, same, 1, 1, NULL));
    OK(ss_sync(twin));
    OK(ss_close(twin));
    twin_too = open_kind(&disk, "twin");
    CHECK(add_events(twin_too, 1) == same);
    ss_token token, other;
    size_t taken;
    OK(ss_consume_one(store, found, &record, &token, &taken));
    OK(ss_consume_one(twin_too, same, &record, &other, &taken));
    CHECK(token.epoch == other.epoch && token.first_seq == other.first_seq);
    STATUS(ss_ack(twin_too, &token), SS_ESTALE);
    STATUS(ss_ack(store, &other), SS_ESTALE);
    OK(ss_ack(store, &token));
    OK(ss_ack(twin_too, &other));
    OK(ss_close(twin_too));
    close_kind(&disk, store);
}

/* ---- closing beside use ------------------------------------------------------------------------- */

typedef struct {
    ss_store *store;
    uint32_t sensor;
    uint64_t added;
    int last;
} producer;

static void *produce(void *user)
{
    producer *self = user;
    do {
        self->last = ss_evt_add(self->store, self->sensor, (uint32_t)self->added, 1, NULL);
        self->added += self->last == SS_OK;
    } while (self->last == SS_OK || self->last == SS_EFULL);
    return NULL;
}

/* Threads that add while the store is closed under them get an error, whenever it comes. */
static void test_closing_beside_use(kind_of_store *kind)
{
    for (int round = 0; round < 20; round++) {
        ss_store *store = open_kind(kind, "beside");
        producer producers[3];
        pthread_t threads[3];
        const uint32_t sensor = add_events(store, (uint32_t)round + 1);
        for (int n = 0; n < 3; n++) {
            producers[n] = (producer){store, sensor, 0, 0};
            CHECK(pthread_create(&threads[n], NULL, produce, &producers[n]) == 0);
        }
        const struct timespec pause = {0, 1000000 + 100000 * round};
        nanosleep(&pause, NULL);
        close_kind(kind, store);
        for (int n = 0; n < 3; n++) {
            CHECK(pthread_join(threads[n], NULL) == 0);
            STATUS(producers[n].last, SS_EHANDLE);
        }
    }
}

int main(int arguments, char **values)
{
    if (arguments != 2) {
        fprintf(stderr, "usage: capi DIRECTORY\n");
        return 2;
    }
    root = values[1];
    test_library();
    test_opening_memory();
    test_opening_ram();
    test_opening_disk();
    kind_of_store kinds[] = {
        {"memory", SS_PROFILE_STM32, 0, NULL},
        {"ram", SS_PROFILE_LINUX_RAM, 0, NULL},
        {"disk", SS_PROFILE_LINUX, 1, NULL},
    };
    for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++) {
        test_sensors(&kinds[n]);
        test_adding(&kinds[n]);
        test_uploading(&kinds[n]);
        test_limits(&kinds[n]);
        test_shutdown(&kinds[n]);
        test_dump(&kinds[n]);
        test_closing_beside_use(&kinds[n]);
    }
    test_disk_only();
    printf("capi: %lu checks, %lu failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
