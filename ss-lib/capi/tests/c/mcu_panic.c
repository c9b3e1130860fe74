/* What a library does that meets what cannot be: it tells the program's hook, and stops. The store's memory
 * is overwritten here, which a program must never do; its links then name sectors that do not exist. Runs in
 * QEMU like mcu.c; its exit code is 0 if the hook was called. */
#include "ss.h"

static uint64_t memory[SS_STORE_BYTES(1, 1024, 256, 1) / 8];

static uintptr_t semihost(uintptr_t operation, uintptr_t argument)
{
    register uintptr_t r0 __asm("r0") = operation;
    register uintptr_t r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void leave(const char *text, bool is_well)
{
    (void)semihost(4, (uintptr_t)text);
    (void)semihost(0x18, is_well ? 0x20026 : 0x20023);
}

void fault(void);
void fault(void)
{
    leave("mcu_panic: a fault instead of the hook\n", false);
}

static void panicked(const char *file, size_t file_bytes, uint32_t line)
{
    /* Without `panic-location` nothing is told but that it happened. */
    const bool is_told = file_bytes > 0 && line > 0 && file[0] != 0;
    leave(is_told ? "mcu_panic: the hook was called, with a place\n" : "mcu_panic: the hook was called\n", true);
}

int main(void)
{
    ss_config config;
    ss_store *store;
    static const ss_sensor_config sensor = {.id = 1, .kind = SS_KIND_EVENT};
    uint32_t events;
    ss_set_panic_hook(panicked);
    if (ss_config_init(&config, SS_PROFILE_STM32) != SS_OK) {
        leave("mcu_panic: no configuration\n", false);
    }
    config.sensors_max = 1;
    config.pool_bytes = 1024;
    config.losses_max = 1;
    if (ss_open_memory(&config, memory, sizeof memory, &store) != SS_OK ||
        ss_sensor_add(store, &sensor, &events) != SS_OK || ss_evt_add(store, events, 1, 1, NULL) != SS_OK) {
        leave("mcu_panic: no store\n", false);
    }
    /* The links, of 4 B a sector, stand behind the head, an entry of the ledger, a sensor's place, the pool. */
    volatile uint8_t *const bytes = (volatile uint8_t *)memory;
    const size_t links_at = SS_STORE_BASE_BYTES + SS_STORE_LOSS_BYTES + SS_STORE_SENSOR_BYTES - 6 + 1024;
    for (size_t n = links_at; n < links_at + (size_t)4 * (1024 / 256); n++) {
        bytes[n] = 0xFF;
    }
    for (int n = 0; n < 100; n++) {
        (void)ss_evt_add(store, events, 1, 1, NULL);
    }
    leave("mcu_panic: nothing happened\n", false);
    return 0;
}
