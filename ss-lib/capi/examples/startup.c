/* What runs before main on a Cortex-M4: vectors, memory, the floating-point unit; nothing of a library. */
#include <stdint.h>

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, stack_top;
int main(void);
void fault(void);
void tick_interrupt(void);

__attribute__((weak)) void fault(void)
{
    for (;;) {
    }
}

__attribute__((weak)) void tick_interrupt(void) {}

__attribute__((noreturn)) void reset(void)
{
    uint32_t *to = &data_start;
    for (const uint32_t *from = &data_load; to < &data_end;) {
        *to++ = *from++;
    }
    for (to = &bss_start; to < &bss_end;) {
        *to++ = 0;
    }
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20;
    __asm volatile("dsb\n isb" ::: "memory");
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)&stack_top,
    reset,
    fault, /* NMI */
    fault, /* HardFault */
    fault,
    fault,
    fault,
    0,
    0,
    0,
    0,
    fault, /* SVCall */
    0,
    0,
    fault, /* PendSV */
    tick_interrupt,
};
