/* Stellaris LM3S6965: Cortex-M3, 64 KB of RAM. A UART like ARM's PL011, and SysTick. */
#include "board.h"

#define CLOCKS_UART     REGISTER(0x400FE104)
#define CLOCKS_PINS     REGISTER(0x400FE108)
#define PINS_FUNCTION   REGISTER(0x40004420)
#define PINS_DIGITAL    REGISTER(0x4000451C)

#define UART_DATA       REGISTER(0x4000C000)
#define UART_FLAGS      REGISTER(0x4000C018)
#define UART_BAUD       REGISTER(0x4000C024)
#define UART_BAUD_PART  REGISTER(0x4000C028)
#define UART_LINE       REGISTER(0x4000C02C)
#define UART_CONTROL    REGISTER(0x4000C030)
#define RX_EMPTY        0x10u
#define TX_FULL         0x20u

#define TICK_CONTROL    REGISTER(0xE000E010)
#define TICK_RELOAD     REGISTER(0xE000E014)
#define TICK_VALUE      REGISTER(0xE000E018)
#define TICKS_A_MS      12500u          /* 12.5 MHz after reset */

void board_start(void)
{
    CLOCKS_UART |= 1;
    CLOCKS_PINS |= 1;
    PINS_FUNCTION |= 3;
    PINS_DIGITAL |= 3;
    UART_CONTROL = 0;
    UART_BAUD = 6;                      /* 12.5 MHz / 16 / 115200 */
    UART_BAUD_PART = 50;
    UART_LINE = 0x70;                   /* 8 bits, with FIFO */
    UART_CONTROL = 0x301;
    TICK_RELOAD = 0xFFFFFF;
    TICK_VALUE = 0;
    TICK_CONTROL = 5;                   /* counts down, no interrupt */
}

size_t uart_read(void *buf, size_t n)
{
    uint8_t *to = (uint8_t *)buf;
    size_t got = 0;

    while (got < n && !(UART_FLAGS & RX_EMPTY))
        to[got++] = (uint8_t)UART_DATA;
    return got;
}

size_t uart_write(const void *buf, size_t n)
{
    const uint8_t *from = (const uint8_t *)buf;
    size_t sent = 0;

    while (sent < n && !(UART_FLAGS & TX_FULL))
        UART_DATA = from[sent++];
    return sent;
}

/* Of 24 bits of ticks only what passed since the last call counts: call it every second. */
uint32_t board_millis(void)
{
    static uint32_t last, rest, millis;
    uint32_t now = 0xFFFFFFu - TICK_VALUE;

    rest += (now - last) & 0xFFFFFFu;
    last = now;
    for (; rest >= TICKS_A_MS; rest -= TICKS_A_MS)
        millis++;
    return millis;
}

int board_random(void *user, void *buf, size_t n)
{
    (void)user;
    return played_random(buf, n);
}
