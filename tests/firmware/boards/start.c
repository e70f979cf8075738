/* From reset to main on the boards with sections.ld; the stack is painted, so that what
   was never written can be told. */
#include "board.h"

extern uint8_t data_from[], data_low[], data_top[], bss_low[], bss_top[], stack_top[];
int main(void);

#define PAINT 0xA5

/* Called with an empty stack. */
void start(void)
{
    volatile uint8_t *at;
    volatile uint8_t *here = (volatile uint8_t *)__builtin_frame_address(0) - 64;
    const uint8_t *from = data_from;

    for (at = data_low; at < data_top; at++)
        *at = *from++;
    for (at = bss_low; at < bss_top; at++)
        *at = 0;
    for (at = bss_top; at < here; at++)
        *at = PAINT;
    main();
    for (;;) {}
}

size_t board_stack(void)
{
    const volatile uint8_t *at = bss_top;

    while (at < stack_top && *at == PAINT)
        at++;
    return (size_t)(stack_top - at);
}

#ifdef __arm__
void reset(void);

void reset(void)
{
    start();
}

/* The first words of the flash: where the stack begins, where the program does. What goes
   wrong restarts it. */
__attribute__((section(".vectors"), used))
static const struct {
    uint8_t *stack;
    void (*entry[15])(void);
} vectors = { stack_top, { reset, reset, reset, reset, reset, reset } };
#else
__asm__(".section .start, \"ax\"\n"
        ".globl reset\n"
        "reset: la sp, stack_top\n"
        "call start\n");
#endif
