/* A firmware without an operating system: an interrupt adds, the main loop uploads.
 *
 *     .ci/capi mcu        builds the library and this for an STM32F405, and runs it in QEMU
 *
 * It prints through semihosting, and its exit code is 0 if every reading was uploaded once, in order. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ss.h"

enum { SENSORS = 100, READINGS = 5000, BATCH = 64 };

/* The store, in 34 KiB: 100 sensors, 100 sectors of 256 B. */
static uint64_t memory[SS_STORE_BYTES(100, 25600, 256, 8) / 8];
static ss_store *store;
static uint32_t series, events;

static volatile uint32_t ticks, added, refused;

/* ---- the machine --------------------------------------------------------------------------------- */

static uintptr_t semihost(uintptr_t operation, const void *argument)
{
    register uintptr_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(void *user, const char *text, size_t bytes)
{
    (void)user;
    for (size_t n = 0; n < bytes; n++) {
        (void)semihost(3, &text[n]); /* SYS_WRITEC */
    }
}

static void say(const char *text)
{
    (void)semihost(4, text); /* SYS_WRITE0 */
}

__attribute__((noreturn)) static void leave(bool is_well)
{
    const uintptr_t reason[2] = {is_well ? 0x20026 : 0x20023, 0}; /* ApplicationExit, RunTimeError */
    for (;;) {
        (void)semihost(0x18, (const void *)reason[0]); /* SYS_EXIT */
    }
}

static void panicked(const char *file, size_t file_bytes, uint32_t line)
{
    (void)line;
    say("mcu: the library panicked: ");
    print(NULL, file, file_bytes);
    say("\n");
    leave(false);
}

void fault(void);
void fault(void)
{
    say("mcu: a fault\n");
    leave(false);
}

/* The store is used by the main loop and by an interrupt: the library enters these around each operation. */
uint32_t ss_critical_enter(void)
{
    uint32_t before;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(before) : : "memory");
    return before;
}

void ss_critical_leave(uint32_t before)
{
    __asm volatile("msr primask, %0" : : "r"(before) : "memory");
}

static void start_ticking(void)
{
    volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010U;
    systick[1] = 20000;
    systick[2] = 0;
    systick[0] = 7;
}

/* ---- the program --------------------------------------------------------------------------------- */

void tick_interrupt(void);
void tick_interrupt(void)
{
    const uint32_t now = ticks++;
    if (now >= READINGS) {
        return;
    }
    const int status = now % 2 == 0
                           ? ss_ts_add(store, series, now, now * 10ULL, SS_CLOCK_MONOTONIC, NULL)
                           : ss_evt_add(store, events, now, now, NULL);
    if (status == SS_OK) {
        added++;
    } else {
        refused++;
    }
}

/* Uploads a batch of one sensor, if one waits. The second attempt is the one that the cloud answers. */
static bool upload(uint32_t sensor, uint32_t *expected, bool is_answered)
{
    static ss_record batch[BATCH];
    ss_token token;
    size_t records;
    if (ss_consume(store, sensor, batch, BATCH, &token, &records) != SS_OK) {
        return false;
    }
    if (records == 0) {
        return true;
    }
    for (size_t n = 0; n < records; n++) {
        if (batch[n].value != *expected + 2 * n || batch[n].seq != batch[0].seq + n) {
            return false;
        }
    }
    if (!is_answered) {
        return ss_nack(store, &token) == SS_OK && ss_nack(store, &token) == SS_ESTALE;
    }
    *expected += 2 * (uint32_t)records;
    return ss_ack(store, &token) == SS_OK && ss_ack(store, &token) == SS_ESTALE;
}

static bool open_store(void)
{
    ss_config config;
    uint64_t bytes;
    ss_sensor_config sensor = {.id = 0x1F4, .source = 2, .period_ms = 20};
    if (ss_config_init(&config, SS_PROFILE_STM32) != SS_OK ||
        ss_store_size(&config, &bytes) != SS_OK || bytes != sizeof memory ||
        ss_open_memory(&config, memory, sizeof memory - 1, &store) != SS_EMEMORY ||
        ss_open_memory(&config, (char *)memory + 4, sizeof memory, &store) != SS_EMEMORY ||
        ss_tick((ss_store *)(void *)memory, 0) != SS_EHANDLE ||
        ss_open_memory(&config, memory, sizeof memory, &store) != SS_OK ||
        ss_sensor_add(store, &sensor, &series) != SS_OK) {
        return false;
    }
    sensor.kind = SS_KIND_EVENT;
    sensor.source = 1;
    return ss_sensor_add(store, &sensor, &events) == SS_OK;
}

int main(void)
{
    ss_set_panic_hook(panicked);
    if (ss_abi_version() != SS_ABI_VERSION || !open_store()) {
        say("mcu: the store does not open\n");
        leave(false);
    }
    uint32_t series_next = 0, events_next = 1;
    bool is_well = true;
    start_ticking();
    for (uint32_t round = 0; is_well && (ticks < READINGS || series_next < READINGS ||
                                         events_next < READINGS + 1);
         round++) {
        is_well = upload(series, &series_next, round % 3 != 0) &&
                  upload(events, &events_next, round % 3 != 1) &&
                  ss_tick(store, ticks * 10ULL) == SS_OK;
    }
    ss_sensor_stats stats;
    is_well = is_well && added == READINGS && refused == 0 && ss_check(store) == SS_OK &&
              ss_sensor_stats_get(store, series, &stats) == SS_OK && stats.erased == READINGS / 2 &&
              ss_dump(store, print, NULL) == SS_OK && ss_shutdown(store, 0, NULL, NULL, NULL) == SS_OK &&
              ss_evt_add(store, events, 1, 1, NULL) == SS_ESHUTDOWN && ss_close(store) == SS_OK &&
              ss_close(store) == SS_EHANDLE && ss_tick(store, 0) == SS_EHANDLE;
    say(is_well ? "mcu: every reading was uploaded, in order\n" : "mcu: something is wrong\n");
    leave(is_well);
}
