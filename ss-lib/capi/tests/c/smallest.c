/* What a firmware must link at least: a store, a sensor, add, consume, ack. Its size is the library's. */
#include "ss.h"

static uint64_t memory[SS_STORE_BYTES(100, 25600, 256, 8) / 8];
static ss_record batch[16];

int main(void)
{
    ss_config config;
    ss_store *store;
    static const ss_sensor_config boiler = {.id = 7, .period_ms = 1000, .kind = SS_KIND_TIME_SERIES};
    uint32_t sensor;
    if (ss_config_init(&config, SS_PROFILE_STM32) != SS_OK ||
        ss_open_memory(&config, memory, sizeof memory, &store) != SS_OK ||
        ss_sensor_add(store, &boiler, &sensor) != SS_OK) {
        return 1;
    }
    for (uint32_t second = 0;; second++) {
        ss_token token;
        size_t records;
        (void)ss_ts_add(store, sensor, second, second * 1000ULL, SS_CLOCK_MONOTONIC, NULL);
        if (ss_consume(store, sensor, batch, 16, &token, &records) == SS_OK && records > 0) {
            (void)ss_ack(store, &token);
        }
    }
}
