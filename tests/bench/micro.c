/* Masking and UTF-8 validation of ws.h in GB/s beside memcpy, best of several runs.
     micro [RUNS] */
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

enum { MAX = 1 << 20 };

static int runs = 200;

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

/* GB/s of work on n bytes. Runs of well below a millisecond, so that on a busy machine some
   of them are not interrupted; the best counts. */
static double rate(void (*work)(size_t), size_t n)
{
    double best = 0;
    size_t k, times = (2u << 20) / n;
    int r;

    for (r = 0; r < runs; r++) {
        double t = now(), g;
        for (k = 0; k < times; k++) work(n);
        g = (double)times * (double)n / (now() - t) * 1e-9;
        if (g > best) best = g;
    }
    return best;
}

static size_t put(unsigned char *p, unsigned c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    for (i = n; i > 1; i--, c >>= 6) p[i - 1] = (unsigned char)(0x80 | (c & 63));
    p[0] = (unsigned char)(n == 1 ? c : (0xF00u >> n & 0xFF) | c);
    return n;
}

/* Fills a with words of 1 to 9 characters from first to last, `plain` percent of them ASCII
   letters instead. Drawn by chance, since processors learn a phrase that repeats. */
static void text(unsigned first, unsigned last, unsigned plain)
{
    uint32_t x = 2463534242u;
    unsigned left = 0;
    size_t i = 0;

    while (i + 4 <= MAX) {
        unsigned c;
        x ^= x << 13; x ^= x >> 17; x ^= x << 5;
        c = (x >> 8) % 100 < plain ? 'a' + x % 26 : first + x % (last - first + 1);
        i += put(a + i, left ? c : ' ');
        left = left ? left - 1 : 1 + (x >> 16) % 9;
    }
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

int main(int argc, char **argv)
{
    if (argc > 1) runs = atoi(argv[1]);
    a = (unsigned char *)malloc(MAX);
    b = (unsigned char *)malloc(MAX);
    memset(a, 'x', MAX);
    memset(b, 'x', MAX);
    printf("%-24s %8s %8s %8s %8s %8s\n", "GB/s", "20 B", "64 B", "1 KiB", "64 KiB", "1 MiB");
    line("memcpy", do_copy);
    line("mask in place", do_mask);
    line("mask while copying", do_mask_copy);
    text('a', 'z', 100);
    line("UTF-8, ASCII", do_utf8);
    text(0xC0, 0xFF, 80);
    line("UTF-8, Latin", do_utf8);
    text(0x410, 0x44F, 0);
    line("UTF-8, Cyrillic", do_utf8);
    text(0x4E00, 0x9FFF, 0);
    line("UTF-8, CJK", do_utf8);
    text(0x1F600, 0x1F64F, 0);
    line("UTF-8, emoji", do_utf8);
    return 0;
}
