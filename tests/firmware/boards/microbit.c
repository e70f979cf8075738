/* BBC micro:bit: nRF51, Cortex-M0, 16 KB of RAM. Its UART, its first timer, its random
   number generator. */
#include "board.h"

#define UART_START_RX   REGISTER(0x40002000)
#define UART_START_TX   REGISTER(0x40002008)
#define UART_RX_READY   REGISTER(0x40002108)
#define UART_TX_READY   REGISTER(0x4000211C)
#define UART_ENABLE     REGISTER(0x40002500)
#define UART_PIN_TX     REGISTER(0x4000250C)
#define UART_PIN_RX     REGISTER(0x40002514)
#define UART_RX         REGISTER(0x40002518)
#define UART_TX         REGISTER(0x4000251C)
#define UART_BAUD       REGISTER(0x40002524)

#define TIMER_START     REGISTER(0x40008000)
#define TIMER_CAPTURE   REGISTER(0x40008040)
#define TIMER_BITS      REGISTER(0x40008508)
#define TIMER_PRESCALER REGISTER(0x40008510)
#define TIMER_VALUE     REGISTER(0x40008540)

#define RANDOM_START    REGISTER(0x4000D000)
#define RANDOM_READY    REGISTER(0x4000D100)
#define RANDOM_VALUE    REGISTER(0x4000D508)

static int tx_busy;         /* a byte was given to the UART that it has not reported */

void board_start(void)
{
    UART_PIN_TX = 24;
    UART_PIN_RX = 25;
    UART_BAUD = 0x01D7E000;     /* 115200 */
    UART_ENABLE = 4;
    UART_START_RX = 1;
    UART_START_TX = 1;
    TIMER_BITS = 3;             /* 32 bits */
    TIMER_PRESCALER = 4;        /* 16 MHz / 2^4: microseconds */
    TIMER_START = 1;
    RANDOM_START = 1;
}

size_t uart_read(void *buf, size_t n)
{
    uint8_t *to = (uint8_t *)buf;
    size_t got = 0;

    while (got < n && UART_RX_READY) {
        UART_RX_READY = 0;      /* before the byte is read: reading brings the next */
        to[got++] = (uint8_t)UART_RX;
    }
    return got;
}

size_t uart_write(const void *buf, size_t n)
{
    const uint8_t *from = (const uint8_t *)buf;
    size_t sent = 0;

    while (sent < n) {
        if (tx_busy && !UART_TX_READY)
            break;
        UART_TX_READY = 0;
        tx_busy = 1;
        UART_TX = from[sent++];
    }
    return sent;
}

/* Of microseconds in 32 bits only what passed since the last call counts. */
uint32_t board_millis(void)
{
    static uint32_t last, rest, millis;
    uint32_t now;

    TIMER_CAPTURE = 1;
    now = TIMER_VALUE;
    rest += now - last;
    last = now;
    for (; rest >= 1000; rest -= 1000)
        millis++;
    return millis;
}

int board_random(void *user, void *buf, size_t n)
{
    uint8_t *to = (uint8_t *)buf;

    (void)user;
    for (; n; n--) {
        while (!RANDOM_READY) {}
        RANDOM_READY = 0;
        *to++ = (uint8_t)RANDOM_VALUE;
    }
    return 0;
}
