/* Arduino Mega: ATmega2560, an int of 16 bits, 8 KB of RAM. Its first USART, its timer 1.
   avr-libc brings the way from reset to main. */
#include <avr/io.h>
#include "board.h"

#define PAINT 0xA5

extern uint8_t __heap_start[];          /* the end of all variables */

/* Runs before main, without a stack of its own. */
__attribute__((naked, used, section(".init3")))
static void paint(void)
{
    volatile uint8_t *at;

    for (at = __heap_start; at <= (volatile uint8_t *)RAMEND; at++)
        *at = PAINT;
}

size_t board_stack(void)
{
    const volatile uint8_t *at = __heap_start;

    while (at <= (const volatile uint8_t *)RAMEND && *at == PAINT)
        at++;
    return (size_t)((const volatile uint8_t *)RAMEND + 1 - at);
}

void board_start(void)
{
    UBRR0 = 8;                          /* 16 MHz / 16 / 115200 */
    UCSR0C = (1 << UCSZ01) | (1 << UCSZ00);
    UCSR0B = (1 << RXEN0) | (1 << TXEN0);
    TCCR1B = (1 << CS12) | (1 << CS10); /* a tick is 1024 / 16 MHz: 64 microseconds */
}

size_t uart_read(void *buf, size_t n)
{
    uint8_t *to = (uint8_t *)buf;
    size_t got = 0;

    while (got < n && (UCSR0A & (1 << RXC0)))
        to[got++] = UDR0;
    return got;
}

size_t uart_write(const void *buf, size_t n)
{
    const uint8_t *from = (const uint8_t *)buf;
    size_t sent = 0;

    while (sent < n && (UCSR0A & (1 << UDRE0)))
        UDR0 = from[sent++];
    return sent;
}

/* Of 16 bits of ticks only what passed since the last call counts: call it every 4 s. 125
   of them are 8 ms. */
uint32_t board_millis(void)
{
    static uint16_t last;
    static uint32_t rest, millis;
    uint16_t now = TCNT1;

    rest += (uint16_t)(now - last);
    last = now;
    for (; rest >= 125; rest -= 125)
        millis += 8;
    return millis;
}

int board_random(void *user, void *buf, size_t n)
{
    (void)user;
    return played_random(buf, n);
}
