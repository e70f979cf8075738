/* Teaches: nothing about WebSocket: it is the board that firmware.c runs on, played by a
            PC. The UART is a TCP connection to the HOST:PORT in BOARD_PEER, else
            standard input and output; the lamp is a line on standard error.
   Build:   cc -o build/firmware examples/firmware.c examples/board_stub.c -I.   (POSIX)
   Run:     BOARD_PEER=127.0.0.1:9001 build/firmware
   You see: led 1 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

size_t   uart_read(void *buf, size_t n);
size_t   uart_write(const void *buf, size_t n);
uint32_t board_millis(void);
int      board_random(void *user, void *buf, size_t n);
void     led_set(int on);

static int line_in = -1, line_out = -1;

static void give_up(const char *what)
{
    fprintf(stderr, "board: %s\n", what);
    exit(1);
}

static void line_open(void)
{
    struct addrinfo hints, *all = NULL, *address;
    const char *peer = getenv("BOARD_PEER"), *colon = peer ? strrchr(peer, ':') : NULL;
    char host[256];

    signal(SIGPIPE, SIG_IGN);
    line_in = STDIN_FILENO;
    line_out = STDOUT_FILENO;
    if (!peer)
        return;
    if (!colon || (size_t)(colon - peer) >= sizeof host)
        give_up("BOARD_PEER is not HOST:PORT");
    memcpy(host, peer, (size_t)(colon - peer));
    host[colon - peer] = 0;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, colon + 1, &hints, &all))
        give_up("BOARD_PEER not found");
    line_in = -1;
    for (address = all; address && line_in < 0; address = address->ai_next) {
        line_in = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (line_in < 0 || !connect(line_in, address->ai_addr, address->ai_addrlen))
            continue;
        close(line_in);
        line_in = -1;
    }
    freeaddrinfo(all);
    if (line_in < 0)
        give_up("BOARD_PEER does not answer");
    line_out = line_in;
}

/* Waits for the line, at most ms milliseconds: an idle board does not heat the PC. */
static int line_ready(int fd, short what, int ms)
{
    struct pollfd line;

    line.fd = fd;
    line.events = what;
    line.revents = 0;
    return poll(&line, 1, ms) > 0;
}

size_t uart_read(void *buf, size_t size)
{
    ssize_t got;

    if (line_in < 0)
        line_open();
    if (size == 0 || !line_ready(line_in, POLLIN, 1))
        return 0;
    got = read(line_in, buf, size);
    if (got == 0)
        give_up("line ended");
    if (got < 0)
        give_up("line broken");
    return (size_t)got;
}

size_t uart_write(const void *buf, size_t size)
{
    ssize_t put;

    if (size > 64)
        size = 64;              /* a UART's FIFO; also never blocks after POLLOUT */
    if (size == 0 || !line_ready(line_out, POLLOUT, 0))
        return 0;
    put = write(line_out, buf, size);
    if (put < 0)
        give_up("line broken");
    return (size_t)put;
}

uint32_t board_millis(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

int board_random(void *user, void *buf, size_t size)
{
    FILE *source = fopen("/dev/urandom", "rb");
    size_t got = source ? fread(buf, 1, size, source) : 0;

    (void)user;
    if (source)
        fclose(source);
    return got == size ? 0 : -1;
}

void led_set(int on)
{
    fprintf(stderr, "led %d\n", on);
}
