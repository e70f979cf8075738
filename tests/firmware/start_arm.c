/* The start-up of an image for a Cortex-M: vectors, variables, main. With cortex_m.ld. */
#include <stdint.h>

extern uint32_t data_from[], data_start[], data_end[], bss_end[], stack_end[];
int main(void);
void reset(void);
void halt(void);

const void *const vectors[16] __attribute__((section(".vectors"), used));

void reset(void)
{
    const uint32_t *from = data_from;
    uint32_t *to = data_start;

    while (to < data_end)
        *to++ = *from++;
    while (to < bss_end)
        *to++ = 0;
    main();
    halt();
}

void halt(void)
{
    for (;;) {}
}

const void *const vectors[16] = {
    stack_end, (const void *)(uintptr_t)reset,
    (const void *)(uintptr_t)halt, (const void *)(uintptr_t)halt,
};
