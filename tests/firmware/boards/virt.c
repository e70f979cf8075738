/* QEMU's RISC-V board: RV32IMAC, an NS16550, the machine timer of its CLINT. */
#include "board.h"

#define UART_DATA       REGISTER8(0x10000000)
#define UART_FIFO       REGISTER8(0x10000002)
#define UART_LINE       REGISTER8(0x10000003)
#define UART_STATUS     REGISTER8(0x10000005)
#define RX_READY        0x01u
#define TX_READY        0x20u

#define TIMER_LOW       REGISTER(0x0200BFF8)
#define TICKS_A_MS      10000u          /* 10 MHz */

void board_start(void)
{
    UART_LINE = 3;                      /* 8 bits, no parity */
    UART_FIFO = 7;                      /* on, and empty */
}

size_t uart_read(void *buf, size_t n)
{
    uint8_t *to = (uint8_t *)buf;
    size_t got = 0;

    while (got < n && (UART_STATUS & RX_READY))
        to[got++] = UART_DATA;
    return got;
}

size_t uart_write(const void *buf, size_t n)
{
    const uint8_t *from = (const uint8_t *)buf;
    size_t sent = 0;

    while (sent < n && (UART_STATUS & TX_READY))
        UART_DATA = from[sent++];
    return sent;
}

/* Of the low 32 bits of the timer only what passed since the last call counts. */
uint32_t board_millis(void)
{
    static uint32_t last, rest, millis;
    uint32_t now = TIMER_LOW;

    rest += now - last;
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
