/* Masking and UTF-8 validation of ws.h in GB/s beside memcpy, best of several runs. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#define WS_STATIC
#define WS_NO_SOCKETS
#include "../../ws.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX = 1 << 20, RUNS = 9 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static unsigned char *a, *b;
static volatile size_t sink;

static void do_copy(size_t n) { memcpy(b, a, n); sink += b[n / 2]; }

static void do_mask(size_t n)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    ws_mask(a, a, n, key, 0);
}

static void do_mask_copy(size_t n)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    ws_mask(b, a, n, key, 0);
}

static void do_utf8(size_t n)
{
    uint32_t state = 0;
    sink += ws_utf8(&state, a, n);
}

/* GB/s of work on n bytes, called for about 10 ms per run. */
static double rate(void (*work)(size_t), size_t n)
{
    double best = 0;
    size_t k, times = (64u << 20) / n;
    int r;

    for (r = 0; r < RUNS; r++) {
        double t = now(), g;
        for (k = 0; k < times; k++) work(n);
        g = (double)times * (double)n / (now() - t) * 1e-9;
        if (g > best) best = g;
    }
    return best;
}

static void text(const char *piece)
{
    size_t n = strlen(piece), i;
    for (i = 0; i + n <= MAX; i += n) memcpy(a + i, piece, n);
    memset(a + i, ' ', MAX - i);
}

static void line(const char *name, void (*work)(size_t))
{
    static const size_t sizes[] = { 20, 64, 1024, 65536, 1 << 20 };
    size_t i;

    printf("%-24s", name);
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) printf(" %8.1f", rate(work, sizes[i]));
    printf("\n");
    fflush(stdout);
}

int main(void)
{
    a = (unsigned char *)malloc(MAX);
    b = (unsigned char *)malloc(MAX);
    memset(a, 'x', MAX);
    memset(b, 'x', MAX);
    printf("%-24s %8s %8s %8s %8s %8s\n", "GB/s", "20 B", "64 B", "1 KiB", "64 KiB", "1 MiB");
    line("memcpy", do_copy);
    line("mask in place", do_mask);
    line("mask while copying", do_mask_copy);
    text("The quick brown fox jumps over the lazy dog. ");
    line("UTF-8, ASCII", do_utf8);
    text("Le c\xc5\x93ur d\xc3\xa9\xc3\xa7u mais l'"
         "\xc3\xa2me plut\xc3\xb4t na\xc3\xafve, Lou\xc3\xbfs ");
    line("UTF-8, Latin", do_utf8);
    text("\xe5\xa4\xa9\xe5\x9c\xb0\xe7\x8e\x84\xe9\xbb\x84"
         "\xe5\xae\x87\xe5\xae\x99\xe6\xb4\xaa\xe8\x8d\x92");
    line("UTF-8, CJK", do_utf8);
    return 0;
}
