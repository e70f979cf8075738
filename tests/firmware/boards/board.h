/* What each board brings to program.c: a UART, a clock, random bytes, and how much of its
   stack was ever in use. */
#include <stddef.h>
#include <stdint.h>

void     board_start(void);                              /* clocks and pins */
size_t   uart_read(void *buf, size_t n);                 /* bytes available, 0 if none */
size_t   uart_write(const void *buf, size_t n);          /* bytes taken, 0 if busy */
uint32_t board_millis(void);
int      board_random(void *user, void *buf, size_t n);  /* 0 on success */
size_t   board_stack(void);

/* Boards without a source of random bytes play one: good for tests and nothing else. */
int      played_random(void *buf, size_t n);

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define REGISTER8(address) (*(volatile uint8_t *)(uintptr_t)(address))
