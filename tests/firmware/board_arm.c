/* The board that examples/firmware.c is linked with for a Cortex-M0+, to see that it links and
   how large it is: registers of no particular chip. */
#include <stddef.h>
#include <stdint.h>

size_t   uart_read(void *buf, size_t n);
size_t   uart_write(const void *buf, size_t n);
uint32_t board_millis(void);
int      board_random(void *user, void *buf, size_t n);
void     led_set(int on);

#define REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(0x40000000u + (offset)))
#define UART_STATUS REGISTER(0)         /* bit 0: a byte came, bit 1: room for one */
#define UART_DATA   REGISTER(4)
#define MILLIS      REGISTER(8)
#define RANDOM      REGISTER(12)
#define LED         REGISTER(16)

size_t uart_read(void *buf, size_t n)
{
    uint8_t *p = (uint8_t *)buf;
    size_t i;

    for (i = 0; i < n && (UART_STATUS & 1u); i++) p[i] = (uint8_t)UART_DATA;
    return i;
}

size_t uart_write(const void *buf, size_t n)
{
    const uint8_t *p = (const uint8_t *)buf;
    size_t i;

    for (i = 0; i < n && (UART_STATUS & 2u); i++) UART_DATA = p[i];
    return i;
}

uint32_t board_millis(void)
{
    return MILLIS;
}

int board_random(void *user, void *buf, size_t n)
{
    uint8_t *p = (uint8_t *)buf;
    size_t i;

    (void)user;
    for (i = 0; i < n; i++) p[i] = (uint8_t)RANDOM;
    return 0;
}

void led_set(int on)
{
    LED = on ? 1 : 0;
}
