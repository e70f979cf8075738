/* The leaves of ws.h: frame header, mask, UTF-8, SHA-1, base64, HTTP head, lists, URL.
   Whatever can be exhausted is; each is compared with a second formulation that shares
   no idea with the one in ws.h. Buffers are malloc'ed to the exact size, so that a
   sanitizer sees one byte too far. WS_TEST_FULL=1 in the environment: all 2^32 strings
   of 4 bytes. */
#if !defined(_WIN32) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE     /* MAP_ANONYMOUS, also under -std=c99 */
#endif
#define WS_IMPLEMENTATION
#include "../ws.h"
#include "test.h"
#if defined(__unix__) || defined(__APPLE__)
#define HAVE_MMAP 1
#include <sys/mman.h>
#include <unistd.h>
#endif

/* ---- helpers ---- */

static uint32_t seed = 1;

static uint32_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* n bytes with nothing after them. */
static char *room(size_t n)
{
    char *p = (char *)malloc(n ? n : 1);

    if (!p) abort();
    if (n) return p;
    free(p);
    p = (char *)malloc(0);
    return p ? p : room(1);
}

static char *exact(const void *data, size_t n)
{
    char *p = room(n);

    if (n) memcpy(p, data, n);
    return p;
}

static ws_str str(const char *text)
{
    ws_str s;

    s.data = text;
    s.size = strlen(text);
    return s;
}

static int same(ws_str s, const char *want)
{
    return s.size == strlen(want) && !memcmp(s.data, want, s.size);
}

/* Two pages; the second one cannot be touched. Returns the end of the first. */
static char *fence(size_t *usable)
{
#ifdef HAVE_MMAP
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = (char *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if ((void *)p == MAP_FAILED || mprotect(p + page, page, PROT_NONE)) abort();
    *usable = page;
    return p + page;
#else
    *usable = 4096;
    return room(4096) + 4096;
#endif
}

static void unfence(char *end, size_t usable)
{
#ifdef HAVE_MMAP
    munmap(end - usable, 2 * usable);
#else
    free(end - usable);
#endif
}

/* ---- frame header ---- */

static const uint64_t lengths[] = {
    0, 1, 124, 125, 126, 127, 128, 255, 256, 257, 65534, 65535, 65536, 65537,
    0x7FFFFFFFu, 0x80000000u, 0x80000001u, 0xFFFFFFFFu, (uint64_t)1 << 32,
    ((uint64_t)1 << 32) + 1, ((uint64_t)1 << 62), ((uint64_t)1 << 63) - 1,
    (uint64_t)1 << 63, ((uint64_t)1 << 63) + 1, ~(uint64_t)0 - 13, ~(uint64_t)0 - 3,
    ~(uint64_t)0
};
#define LENGTHS (sizeof lengths / sizeof *lengths)

/* What ws_frame_decode has to say, by arithmetic on the bytes. */
static int decode_again(const uint8_t *p, size_t n, ws_frame *f)
{
    static const uint64_t least[3] = { 0, 126, 65536 };
    int kind, bytes, i;
    uint64_t v = 0;

    if (n < 2) return 0;
    kind = p[1] % 128 < 126 ? 0 : p[1] % 128 - 125;
    bytes = kind == 0 ? 0 : kind == 1 ? 2 : 8;
    if (n < (size_t)(2 + bytes)) return 0;
    if (!kind) v = p[1] % 128;
    for (i = 0; i < bytes; i++) v = v * 256 + p[2 + i];
    if (v > 0x7FFFFFFFFFFFFFFFu) return WS_ERR_LENGTH_SIGN;
    if (v < least[kind]) return WS_ERR_LENGTH;
    f->size = v;
    f->fin = p[0] >= 128;
    f->rsv = (uint8_t)(p[0] % 128 / 16);
    f->op = p[0] % 16;
    f->masked = p[1] >= 128;
    memset(f->key, 0, 4);
    if (!f->masked) return 2 + bytes;
    if (n < (size_t)(6 + bytes)) return 0;
    for (i = 0; i < 4; i++) f->key[i] = p[2 + bytes + i];
    return 6 + bytes;
}

static int frames_differ(const ws_frame *a, const ws_frame *b)
{
    return a->size != b->size || a->fin != b->fin || a->rsv != b->rsv || a->op != b->op ||
           a->masked != b->masked || memcmp(a->key, b->key, 4);
}

/* All first two bytes, all lengths of interest, all prefixes. */
TEST(frame_decode_exhaustive)
{
    char *buf[16];
    uint8_t raw[15];
    unsigned first, k, n, i, many;
    long bad = 0;

    for (n = 0; n < 16; n++) buf[n] = room(n);
    for (first = 0; first < 65536; first++) {
        many = (first & 127) < 126 ? 1 : (unsigned)LENGTHS;
        for (k = 0; k < many; k++) {
            unsigned bytes = (first & 127) == 127 ? 8 : 2;
            if (bytes == 2 && lengths[k] > 65535) break;
            for (i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(0xA1 + i + first);
            raw[0] = (uint8_t)(first >> 8);
            raw[1] = (uint8_t)(first & 255);
            for (i = 0; many > 1 && i < bytes; i++) {
                raw[2 + i] = (uint8_t)(lengths[k] >> 8 * (bytes - 1 - i) & 255);
            }
            for (n = 0; n <= 15; n++) {
                ws_frame have, want;
                int a, b;
                if (n) memcpy(buf[n], raw, n);
                a = ws_frame_decode(buf[n], n, &have);
                b = decode_again(raw, n, &want);
                bad += a != b || (a > 0 && frames_differ(&have, &want));
            }
        }
    }
    CHECK_INT(bad, 0);
    for (n = 0; n < 16; n++) free(buf[n]);
}

TEST(frame_round_trip)
{
    unsigned k, bits;

    for (k = 0; k < LENGTHS; k++) {
        for (bits = 0; bits < 512; bits++) {
            ws_frame f, g;
            uint8_t out[WS_FRAME_HEADER_MAX + 1];
            int n, want = lengths[k] < 126 ? 2 : lengths[k] < 65536 ? 4 : 10;
            memset(&f, 0, sizeof f);
            memset(out, 0x5A, sizeof out);
            f.size = lengths[k];
            f.op = bits & 15;
            f.fin = bits >> 4 & 1;
            f.masked = bits >> 5 & 1;
            f.rsv = (uint8_t)(bits >> 6);
            if (f.masked) memcpy(f.key, "\x00\xFF\x80\x01", 4);
            n = ws_frame_encode(&f, out);
            if (lengths[k] >> 63) {
                CHECK_INT(n, WS_ERR_LENGTH_SIGN);
                continue;
            }
            CHECK_INT(n, want + (f.masked ? 4 : 0));
            CHECK_INT(out[n], 0x5A);
            CHECK_INT(ws_frame_decode(out, n, &g), n);
            CHECK(!frames_differ(&f, &g));
        }
    }
}

/* The examples of RFC 6455 5.7. */
TEST(frame_rfc_examples)
{
    static const struct {
        const char *raw;
        size_t n;
        int head, fin, op, masked;
        unsigned size;
    } rows[] = { { "\x81\x05Hello", 7, 2, 1, 1, 0, 5 },
                 { "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, 6, 1, 1, 1, 5 },
                 { "\x01\x03Hel", 5, 2, 0, 1, 0, 3 },
                 { "\x80\x02lo", 4, 2, 1, 0, 0, 2 },
                 { "\x89\x05Hello", 7, 2, 1, 9, 0, 5 },
                 { "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, 6, 1, 10, 1, 5 },
                 { "\x82\x7E\x01\x00", 4, 4, 1, 2, 0, 256 },
                 { "\x82\x7F\0\0\0\0\0\x01\0\0", 10, 10, 1, 2, 0, 65536 } };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *p = exact(rows[i].raw, rows[i].n);
        ws_frame f;
        CHECK_INT(ws_frame_decode(p, rows[i].n, &f), rows[i].head);
        CHECK_INT(f.fin, rows[i].fin);
        CHECK_INT(f.rsv, 0);
        CHECK_INT(f.op, rows[i].op);
        CHECK_INT(f.masked, rows[i].masked);
        CHECK_INT(f.size, rows[i].size);
        if (f.masked && rows[i].n > 6) {
            ws_mask(p + 6, p + 6, 5, f.key, 0);
            CHECK(!memcmp(p + 6, "Hello", 5));
        }
        free(p);
    }
}

/* Lengths that overflowed other libraries: the sign bit, and what wraps when the header
   is added. The header alone decides. */
TEST(sec_C1_decode)
{
    unsigned k, i;

    for (k = 0; k < LENGTHS; k++) {
        uint8_t raw[14] = { 0x81, 0xFF };
        ws_frame f;
        char *p;
        int got;
        for (i = 0; i < 8; i++) raw[2 + i] = (uint8_t)(lengths[k] >> (56 - 8 * i) & 255);
        p = exact(raw, 14);
        got = ws_frame_decode(p, 14, &f);
        if (lengths[k] >> 63) CHECK_INT(got, WS_ERR_LENGTH_SIGN);
        else if (lengths[k] < 65536) CHECK_INT(got, WS_ERR_LENGTH);
        else {
            CHECK_INT(got, 14);
            CHECK(f.size == lengths[k]);
        }
        free(p);
        p = exact(raw, 10);     /* known before the key has come */
        got = ws_frame_decode(p, 10, &f);
        CHECK_INT(got, lengths[k] >> 63 ? WS_ERR_LENGTH_SIGN
                       : lengths[k] < 65536 ? WS_ERR_LENGTH : 0);
        free(p);
    }
}

/* ---- mask ---- */

/* Byte by byte. */
static void mask_again(uint8_t *dst, const uint8_t *src, size_t n, const uint8_t *key,
                       size_t offset)
{
    size_t i;

    for (i = 0; i < n; i++) dst[i] = src[i] ^ key[(offset + i) % 4];
}

TEST(mask_alignments)
{
    static const uint8_t key[4] = { 0x37, 0xFA, 0x21, 0x3D };
    uint8_t plain[260], want[4][260];
    size_t n, sa, da, off;
    long bad = 0;

    for (n = 0; n < sizeof plain; n++) plain[n] = (uint8_t)chance();
    for (off = 0; off < 4; off++) mask_again(want[off], plain, sizeof plain, key, off);
    for (n = 0; n <= sizeof plain; n++) {
        for (sa = 0; sa < 16; sa++) {
            char *src = room(sa + n);
            memset(src, 0x11, sa);
            if (n) memcpy(src + sa, plain, n);
            for (da = 0; da < 16; da++) {
                char *dst = room(da + n);
                memset(dst, 0x22, da);
                for (off = 0; off < 4; off++) {
                    ws_mask(dst + da, src + sa, n, key, off);
                    bad += n && memcmp(dst + da, want[off], n);
                }
                for (off = 0; off < da; off++) bad += dst[off] != 0x22;
                free(dst);
            }
            bad += n && memcmp(src + sa, plain, n);
            for (off = 0; off < 4; off++) {
                ws_mask(src + sa, src + sa, n, key, off);
                bad += n && memcmp(src + sa, want[off], n);
                ws_mask(src + sa, src + sa, n, key, off);
                bad += n && memcmp(src + sa, plain, n);
            }
            for (off = 0; off < sa; off++) bad += src[off] != 0x11;
            free(src);
        }
    }
    CHECK_INT(bad, 0);
}

/* Pieces with a running offset give what the whole gives; offsets may be huge. */
TEST(mask_pieces)
{
    static const uint8_t key[4] = { 1, 0x80, 0xFF, 0x5C };
    uint8_t plain[150], whole[150], parts[150];
    size_t cut, i;

    for (i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)chance();
    ws_mask(whole, plain, sizeof plain, key, 0);
    for (cut = 0; cut <= sizeof plain; cut++) {
        ws_mask(parts, plain, cut, key, 0);
        ws_mask(parts + cut, plain + cut, sizeof plain - cut, key, cut);
        CHECK(!memcmp(parts, whole, sizeof whole));
    }
    for (i = 0; i < 70; i++) {
        size_t offset = (size_t)-1 - i;
        mask_again(whole, plain, sizeof plain, key, offset);
        ws_mask(parts, plain, sizeof plain, key, offset);
        CHECK(!memcmp(parts, whole, sizeof whole));
    }
}

/* ---- UTF-8 ---- */

/* One character being put together: its code point so far, bytes seen and bytes in all. A
   byte is possible when some code point of that length lies in the range that is left. */
typedef struct point { uint32_t value; int have, all; } point;

static int point_step(point *p, uint8_t byte)
{
    static const uint32_t low[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    static const uint32_t high[5] = { 0, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF };
    uint32_t from, to;

    if (!p->have) {
        if (byte < 0x80) return 1;
        if (byte >> 5 == 6) p->all = 2;
        else if (byte >> 4 == 14) p->all = 3;
        else if (byte >> 3 == 30) p->all = 4;
        else return 0;
        p->value = byte & (0x7Fu >> p->all);
    } else {
        if (byte >> 6 != 2) return 0;
        p->value = p->value * 64 + (byte & 63);
    }
    p->have++;
    from = p->value << 6 * (p->all - p->have);
    to = from + ((uint32_t)1 << 6 * (p->all - p->have)) - 1;
    if (from < low[p->all]) from = low[p->all];
    if (to > high[p->all]) to = high[p->all];
    if (from > to || (from >= 0xD800 && to <= 0xDFFF)) return 0;
    if (p->have == p->all) p->have = p->all = 0;
    return 1;
}

/* Index of the first impossible byte, or n; *mid: the text ends inside a character. */
static size_t utf8_again(const uint8_t *p, size_t n, int *mid)
{
    point at = { 0, 0, 0 };
    size_t i;

    for (i = 0; i < n && point_step(&at, p[i]); i++) {}
    *mid = i == n && at.have;
    return i;
}

/* 1 if ws_utf8 and its state say what is wanted of p[0..n). */
static int utf8_says(const void *p, size_t n, size_t index, int mid)
{
    uint32_t state = 0;

    if (ws_utf8(&state, p, n) != index) return 0;
    return index < n ? state == 1 : mid ? state > 1 : state == 0;
}

/* The same for text of the first k bytes, a prefix known to be good in the state at. */
static int utf8_agrees(const uint8_t *p, size_t n, point at, size_t k)
{
    while (k < n && point_step(&at, p[k])) k++;
    return utf8_says(p, n, k, k == n && at.have);
}

TEST(utf8_exhaustive_3)
{
    const point none = { 0, 0, 0 };
    char *buf = room(3), *two = room(2), *one = room(1);
    uint8_t *p = (uint8_t *)buf;
    int a, b, c;
    long bad = 0;

    for (a = 0; a < 256; a++) {
        point pa = none;
        int a_good = point_step(&pa, (uint8_t)a);
        p[0] = (uint8_t)a;
        one[0] = buf[0];
        bad += !utf8_agrees((uint8_t *)one, 1, none, 0);
        for (b = 0; b < 256; b++) {
            point pb = pa;
            int b_good = a_good && point_step(&pb, (uint8_t)b);
            p[1] = (uint8_t)b;
            memcpy(two, buf, 2);
            bad += !utf8_agrees((uint8_t *)two, 2, none, 0);
            for (c = 0; c < 256; c++) {
                p[2] = (uint8_t)c;
                if (b_good) bad += !utf8_agrees(p, 3, pb, 2);
                else bad += !utf8_says(p, 3, a_good, 0);
            }
        }
    }
    CHECK_INT(bad, 0);
    free(buf);
    free(two);
    free(one);
}

static const uint8_t edges[] = {
    0x00, 0x0A, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xAF, 0xBE, 0xBF, 0xC0, 0xC1,
    0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xF8, 0xFF
};
#define EDGES (sizeof edges)

/* All 2^32 strings with WS_TEST_FULL; else every first byte from E0 to F7 with every
   second and third byte and an edge at the end, and a million strings by chance. */
TEST(utf8_exhaustive_4)
{
    const point none = { 0, 0, 0 };
    const int full = getenv("WS_TEST_FULL") != NULL;
    char *buf = room(4);
    uint8_t *p = (uint8_t *)buf;
    unsigned i, c, d;
    long bad = 0, good = 0;

    for (i = full ? 0 : 0xE000; i < (full ? 0x10000u : 0xF800u); i++) {
        unsigned many = full ? 256 : (unsigned)EDGES;
        p[0] = (uint8_t)(i >> 8);
        p[1] = (uint8_t)(i & 255);
        for (c = 0; c < 256; c++) {
            p[2] = (uint8_t)c;
            for (d = 0; d < many; d++) {
                uint32_t state = 0;
                p[3] = full ? (uint8_t)d : edges[d];
                bad += !utf8_agrees(p, 4, none, 0);
                good += full && ws_utf8(&state, p, 4) == 4 && !state;
            }
        }
    }
    if (full) CHECK_INT(good, 383270912);
    for (i = 0; i < 1000000; i++) {
        uint32_t v = chance();
        memcpy(buf, &v, 4);
        if (i & 1) p[0] |= 0xC0;
        if (i & 2) p[1] = (uint8_t)((p[1] & 63) | 128);
        if (i & 4) p[2] = (uint8_t)((p[2] & 63) | 128);
        bad += !utf8_agrees(p, 4, none, 0);
    }
    CHECK_INT(bad, 0);
    free(buf);
}

/* Every code point is accepted exactly when it is a scalar value, and lone at its end. */
TEST(utf8_code_points)
{
    uint32_t v;
    long bad = 0;

    for (v = 0; v < 0x110000; v++) {
        uint8_t b[4];
        size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4, i;
        for (i = n; i-- > 1;) b[i] = (uint8_t)(0x80 | (v >> 6 * (n - 1 - i) & 63));
        b[0] = (uint8_t)(n == 1 ? v : (0xF00u >> n & 255) | v >> 6 * (n - 1));
        if (v >= 0xD800 && v < 0xE000) bad += !utf8_says(b, n, 1, 0);
        else bad += !utf8_says(b, n, n, 0);
    }
    CHECK_INT(bad, 0);
}

/* Texts worth cutting, with the index of the first bad byte (the size: none). */
static const struct { const char *text; size_t bad; } texts[] = {
    { "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!", 29 },
    { "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5", 11 },
    { "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80" "edited", 12 },
    { "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80" "edited", 12 },
    { "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xEE\x80\x80\xED\x9F\xBF\xC2\x80\x7F", 17 },
    { "\xEF\xBF\xBE\xEF\xBF\xBF\xF0\x9F\xBF\xBE", 10 },
    { "plain ascii text that is longer than thirty-two bytes, then \xFF more", 60 },
    { "sixteen bytes..!\xE2\x82\xAC and sixteen more bytes \xE2\x82\x28", 45 },
    { "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"
      "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 36 },
    { "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x8F", 17 }
};
#define TEXTS (sizeof texts / sizeof *texts)

/* Feeds the pieces p[0..a), p[a..b), p[b..n), each alone in its buffer. Returns the
   index of the first bad byte and leaves the state. */
static size_t utf8_pieces(const char *p, size_t a, size_t b, size_t n, uint32_t *state)
{
    size_t cut[4], i, done, bad = n;

    cut[0] = 0;
    cut[1] = a;
    cut[2] = b;
    cut[3] = n;
    *state = 0;
    for (i = 0; i < 3; i++) {
        size_t size = cut[i + 1] - cut[i];
        char *piece = exact(p + cut[i], size);
        done = ws_utf8(state, piece, size);
        free(piece);
        if (bad < n) CHECK_INT(done, 0);
        else if (done < size) bad = cut[i] + done;
    }
    return bad;
}

TEST(utf8_splits)
{
    size_t t, a, b;

    for (t = 0; t < TEXTS; t++) {
        const char *p = texts[t].text;
        size_t n = strlen(p);
        int mid;
        CHECK_INT(utf8_again((const uint8_t *)p, n, &mid), texts[t].bad);
        for (a = 0; a <= n; a++) {
            for (b = a; b <= n; b++) {
                uint32_t state;
                CHECK_INT(utf8_pieces(p, a, b, n, &state), texts[t].bad);
                CHECK_INT(state, texts[t].bad < n);
            }
        }
    }
}

/* The state is 0 exactly between characters; after a failure nothing is accepted. */
TEST(utf8_bytes)
{
    size_t t, i;

    for (t = 0; t < TEXTS; t++) {
        const char *p = texts[t].text;
        size_t n = strlen(p);
        uint32_t state = 0;
        for (i = 0; i < n; i++) {
            char *byte = exact(p + i, 1);
            int mid;
            CHECK_INT(ws_utf8(&state, byte, 1), i < texts[t].bad);
            utf8_again((const uint8_t *)p, i + 1, &mid);
            if (i >= texts[t].bad) CHECK_INT(state, 1);
            else CHECK(mid ? state > 1 : state == 0);
            CHECK_INT(ws_utf8(&state, byte, 0), 0);
            free(byte);
        }
    }
}

/* Every edge, pair and triple of edges behind a run of ASCII of each length, and with
   more ASCII after it: the fast paths and their borders. */
TEST(utf8_after_ascii)
{
    size_t run, rest, a, b, i;
    long bad = 0;

    for (run = 0; run <= 100; run++) {
        for (rest = 0; rest <= 40; rest += 8) {
            size_t n = run + 3 + rest;
            uint8_t *p = (uint8_t *)room(n);
            memset(p, 'a', n);
            for (a = 0; a < EDGES; a++) {
                for (b = 0; b < EDGES; b++) {
                    size_t index;
                    int mid;
                    p[run] = edges[a];
                    p[run + 1] = edges[b];
                    p[run + 2] = edges[(a + b + run) % EDGES];
                    index = utf8_again(p + run, n - run, &mid);
                    bad += !utf8_says(p, n, run + index, mid);
                }
            }
            free(p);
        }
        for (i = 0x80; i < 256; i++) {      /* and as the very last byte */
            uint8_t *p = (uint8_t *)room(run + 1);
            memset(p, 'a', run);
            p[run] = (uint8_t)i;
            bad += i >= 0xC2 && i <= 0xF4 ? !utf8_says(p, run + 1, run + 1, 1)
                                          : !utf8_says(p, run + 1, run, 0);
            free(p);
        }
    }
    CHECK_INT(bad, 0);
}

/* Every triple of edges at every place of a text that begins outside ASCII and goes on
   in it: what vectors see, and their borders. */
TEST(utf8_in_vectors)
{
    static const size_t rests[] = { 0, 1, 15, 16, 70 };
    size_t at, r, i, index;
    long bad = 0;
    int mid;

    for (at = 2; at < 90; at++) {
        for (r = 0; r < sizeof rests / sizeof *rests; r++) {
            size_t n = at + 3 + rests[r];
            uint8_t *p = (uint8_t *)room(n);
            memset(p, 'a', n);
            memcpy(p, "\xC3\xA9", 2);
            for (i = r; i < EDGES * EDGES * EDGES; i += rests[r] == 70 ? 1 : 7) {
                p[at] = edges[i % EDGES];
                p[at + 1] = edges[i / EDGES % EDGES];
                p[at + 2] = edges[i / EDGES / EDGES];
                index = utf8_again(p + at, n - at, &mid);
                bad += !utf8_says(p, n, at + index, mid);
            }
            free(p);
        }
    }
    CHECK_INT(bad, 0);
}

/* Long mixed text by chance, with and without one broken byte, at every alignment. */
TEST(utf8_mixed)
{
    static const char *const pieces[8] = {
        "a", "sixteen letters.", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80",
        "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF", "\xE0\xA0\x80"
    };
    int round;
    long bad = 0;

    for (round = 0; round < 4000; round++) {
        uint8_t text[400];
        size_t n = 0, want = 20 + chance() % 300, align = (size_t)round % 16, index;
        char *p;
        int mid;
        while (n < want) {
            const char *piece = pieces[chance() % (round & 1 ? 8 : 3)];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        if (round & 2) text[chance() % n] = (uint8_t)chance();
        p = room(align + n);
        memcpy(p + align, text, n);
        index = utf8_again(text, n, &mid);
        bad += !utf8_says(p + align, n, index, mid);
        free(p);
    }
    CHECK_INT(bad, 0);
}

/* Overlongs, surrogates, above U+10FFFF, lone continuations, old five and six byte
   forms: the failure comes at the first byte that cannot be, not at the end of the
   character. */
TEST(sec_E1_every_bad_sequence)
{
    static const struct { const char *text; size_t bad;
    } rows[] = { { "\xC0\x80", 0 },
                 { "\xC0\xAF", 0 },
                 { "\xC1\xBF", 0 },
                 { "\xC1", 0 },
                 { "\xE0\x80\x80", 1 },
                 { "\xE0\x9F\xBF", 1 },
                 { "\xE0\x80", 1 },
                 { "\xF0\x80\x80\x80", 1 },
                 { "\xF0\x8F\xBF\xBF", 1 },
                 { "\xF0\x8F", 1 },
                 { "\xED\xA0\x80", 1 },
                 { "\xED\xBF\xBF", 1 },
                 { "\xED\xAF", 1 },
                 { "\xED\xA0\xBD\xED\xB8\x80", 1 },
                 { "\xF4\x90\x80\x80", 1 },
                 { "\xF4\x90", 1 },
                 { "\xF4\xBF\xBF\xBF", 1 },
                 { "\xF5\x80\x80\x80", 0 },
                 { "\xF7\xBF\xBF\xBF", 0 },
                 { "\xF8\x88\x80\x80\x80", 0 },
                 { "\xFC\x84\x80\x80\x80\x80", 0 },
                 { "\xFE", 0 },
                 { "\xFF", 0 },
                 { "\x80", 0 },
                 { "\xBF", 0 },
                 { "a\x80", 1 },
                 { "\xC2\xA9\xA9", 2 },
                 { "\xC2"
                   "a",
                   1 },
                 { "\xC2\xC2", 1 },
                 { "\xE1\x80"
                   "a",
                   2 },
                 { "\xE1\x80\xC2", 2 },
                 { "\xF1\x80\x80"
                   "a",
                   3 },
                 { "\xF1\x80\x80\xFF", 3 },
                 { "\xF1\x80"
                   "a",
                   2 } };
    static const char *const cut[] = {
        "\xC2", "\xDF", "\xE0", "\xE0\xA0", "\xED\x9F", "\xEF\xBF", "\xF0", "\xF0\x90",
        "\xF0\x90\x80", "\xF4\x8F\xBF", "whole\xF1\x80\x80"
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].text);
        char *p = exact(rows[i].text, n);
        CHECK(utf8_says(p, n, rows[i].bad, 0));
        free(p);
    }
    for (i = 0; i < sizeof cut / sizeof *cut; i++) {
        size_t n = strlen(cut[i]);
        char *p = exact(cut[i], n);
        CHECK(utf8_says(p, n, n, 1));
        free(p);
    }
}

/* ---- SHA-1, base64, accept key ---- */

/* FIPS 180-4 as it is written: padded message, schedule of 80 words. For up to 200
   bytes. */
static void sha1_again(const uint8_t *data, size_t n, uint8_t out[20])
{
    uint8_t m[320] = { 0 };
    uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
    size_t blocks = (n + 9 + 63) / 64, b, t;

    for (t = 0; t < n; t++) m[t] = data[t];
    m[n] = 0x80;
    m[blocks * 64 - 2] = (uint8_t)(n * 8 / 256);
    m[blocks * 64 - 1] = (uint8_t)(n * 8 % 256);
#define ROL(v, k) ((v) << (k) | (v) >> (32 - (k)))
    for (b = 0; b < blocks; b++) {
        uint32_t w[80], s[5], f, k, x;
        for (t = 0; t < 16; t++) {
            const uint8_t *q = m + b * 64 + t * 4;
            w[t] = (uint32_t)q[0] * 16777216u + q[1] * 65536u + q[2] * 256u + q[3];
        }
        for (; t < 80; t++) {
            x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];
            w[t] = ROL(x, 1);
        }
        memcpy(s, h, sizeof s);
        for (t = 0; t < 80; t++) {
            if (t < 20) f = (s[1] & s[2]) ^ (~s[1] & s[3]), k = 0x5A827999u;
            else if (t < 40) f = s[1] ^ s[2] ^ s[3], k = 0x6ED9EBA1u;
            else if (t < 60)
                f = (s[1] & s[2]) ^ (s[1] & s[3]) ^ (s[2] & s[3]), k = 0x8F1BBCDCu;
            else f = s[1] ^ s[2] ^ s[3], k = 0xCA62C1D6u;
            x = ROL(s[0], 5) + f + s[4] + k + w[t];
            s[4] = s[3];
            s[3] = s[2];
            s[2] = ROL(s[1], 30);
            s[1] = s[0];
            s[0] = x;
        }
        for (t = 0; t < 5; t++) h[t] += s[t];
    }
#undef ROL
    for (t = 0; t < 20; t++) out[t] = (uint8_t)(h[t / 4] >> (24 - t % 4 * 8) & 255);
}

static void sha1_hex(const void *data, size_t n, char hex[41])
{
    uint8_t d[20];
    int i;

    ws__sha1(data, n, d);
    for (i = 0; i < 20; i++) sprintf(hex + 2 * i, "%02x", d[i]);
}

TEST(sha1_vectors)
{
    char hex[41], *million = room(1000000);

    sha1_hex("", 0, hex);
    CHECK_STR(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    sha1_hex(NULL, 0, hex);
    CHECK_STR(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    sha1_hex("abc", 3, hex);
    CHECK_STR(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
    sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    CHECK_STR(hex, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    memset(million, 'a', 1000000);
    sha1_hex(million, 1000000, hex);
    CHECK_STR(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(million);
}

TEST(sha1_lengths)
{
    size_t n, i;

    for (n = 0; n <= 200; n++) {
        uint8_t a[20], b[20], *p = (uint8_t *)room(n);
        for (i = 0; i < n; i++) p[i] = (uint8_t)chance();
        ws__sha1(p, n, a);
        sha1_again(p, n, b);
        CHECK(!memcmp(a, b, 20));
        free(p);
    }
}

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

TEST(base64_round_trip)
{
    static const char *const rows[][2] = {      /* RFC 4648 10 */
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }
    };
    size_t i, n, round;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[16];
        CHECK_INT(ws__base64_encode(rows[i][0], strlen(rows[i][0]), out),
                  strlen(rows[i][1]));
        CHECK_STR(out, rows[i][1]);
    }
    for (n = 0; n <= 64; n++) {
        for (round = 0; round < 20; round++) {
            size_t chars = (n + 2) / 3 * 4;
            char *plain = room(n), *text = room(chars + 1), *only,
                 *back = room(chars / 4 * 3);
            for (i = 0; i < n; i++) plain[i] = (char)(chance() & 255);
            CHECK_INT(ws__base64_encode(plain, n, text), chars);
            CHECK_INT(text[chars], 0);
            only = exact(text, chars);
            CHECK_INT(ws_base64_decode(only, chars, back), n);
            CHECK(!n || !memcmp(plain, back, n));
            for (i = 1; i < 4 && chars; i++) {
                CHECK_INT(ws_base64_decode(only, chars - i, back), WS_ERR_ARGUMENT);
            }
            free(plain);
            free(text);
            free(only);
            free(back);
        }
    }
}

/* Every byte at every position of a last and of an inner group. */
TEST(base64_alphabet)
{
    unsigned c, k;
    uint8_t out[6];

    for (c = 0; c < 256; c++) {
        const char *at = c ? strchr(alphabet, (int)c) : NULL;
        for (k = 0; k < 8; k++) {
            char *p = exact("QUJDREVG", 8);
            long got;
            int good = at != NULL || (c == '=' && k == 7);
            p[k] = (char)c;
            got = (long)ws_base64_decode(p, 8, out);
            /* "REV=": V is 21, whose last bits are not zero */
            if (c == '=' && k == 7) good = 0;
            CHECK_INT(got, good ? 6 : (int)WS_ERR_ARGUMENT);
            if (good) {
                unsigned v = (unsigned)(at - alphabet), shift = 18 - k % 4 * 6, bits;
                bits = ((unsigned)out[k / 4 * 3] << 16 |
                        (unsigned)out[k / 4 * 3 + 1] << 8 | out[k / 4 * 3 + 2]) >>
                           shift &
                       63;
                CHECK_INT(bits, v);
            }
            free(p);
        }
    }
}

/* Padding only at the end, and the bits it leaves over are zero. */
TEST(base64_canonical)
{
    unsigned a, b, m, i;
    uint8_t out[6];
    char g[8];

    for (a = 0; a < 64; a++) {
        for (b = 0; b < 64; b++) {
            g[0] = alphabet[a];
            g[1] = alphabet[b];
            g[2] = g[3] = '=';
            CHECK_INT(ws_base64_decode(g, 4, out), b % 16 ? (int)WS_ERR_ARGUMENT : 1);
            if (b % 16 == 0) CHECK_INT(out[0], a * 4 + b / 16);
            g[1] = alphabet[a];
            g[2] = alphabet[b];
            CHECK_INT(ws_base64_decode(g, 4, out), b % 4 ? (int)WS_ERR_ARGUMENT : 2);
            if (b % 4 == 0) CHECK_INT(out[1], a % 16 * 16 + b / 4);
        }
    }
    for (m = 0; m < 256; m++) {
        int want = m == 0 ? 6 : m == 0x80 ? 5 : m == 0xC0 ? 4 : (int)WS_ERR_ARGUMENT;
        for (i = 0; i < 8; i++) g[i] = m >> i & 1 ? '=' : 'A';
        CHECK_INT(ws_base64_decode(g, 8, out), want);
    }
}

TEST(accept_key)
{
    char out[29], *key = exact("dGhlIHNhbXBsZSBub25jZQ==", 24);

    ws_accept_key(key, out);        /* RFC 6455 1.3 */
    CHECK_STR(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    free(key);
}

/* ---- HTTP head ---- */

static const char request[] =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key:\tdGhlIHNhbXBsZSBub25jZQ== \r\nEmpty:\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

static ws_head limits(uint32_t size, uint32_t fields)
{
    ws_head h;

    memset(&h, 0, sizeof h);
    h.max_size = size;
    h.max_fields = fields;
    return h;
}

/* Scans p[0..n) in one go. */
static int scan(const char *p, size_t n, uint32_t *scanned)
{
    ws_head h = limits(0, 0);
    char *copy = exact(p, n);
    int got = ws_head_scan(&h, copy, n);

    free(copy);
    if (scanned) *scanned = h.scanned;
    return got;
}

/* Scans p[0..cut) and then p[0..n) with what was scanned wiped out: a second look at a
   byte would change the verdict. */
static int scan_cut(const char *p, size_t cut, size_t n, uint32_t *scanned)
{
    ws_head h = limits(0, 0);
    char *part = exact(p, cut), *whole = exact(p, n);
    int got = ws_head_scan(&h, part, cut);

    if (!got) {
        CHECK_INT(h.scanned, cut);
        memset(whole, 0, cut);
        got = ws_head_scan(&h, whole, n);
    }
    if (got < 0) CHECK_INT(ws_head_scan(&h, whole, n), got);
    *scanned = h.scanned;
    free(part);
    free(whole);
    return got;
}

/* The same, one byte more at a time. */
static int scan_bytes(const char *p, size_t n, uint32_t *scanned)
{
    ws_head h = limits(0, 0);
    char *copy = exact(p, n);
    size_t i;
    int got = 0;

    for (i = 0; i <= n && !got; i++) {
        got = ws_head_scan(&h, copy, i);
        if (!got) CHECK_INT(h.scanned, i);
        if (i) copy[i - 1] = 0;
    }
    *scanned = h.scanned;
    free(copy);
    return got;
}

TEST(head_scan_whole)
{
    static const char tail[] = "\x81\x05Hello";
    size_t n = sizeof request - 1;
    char all[sizeof request + sizeof tail];
    uint32_t scanned;

    CHECK_INT(scan(request, n, &scanned), n);
    CHECK_INT(scanned, n);
    memcpy(all, request, n);
    memcpy(all + n, tail, sizeof tail);
    CHECK_INT(scan(all, n + sizeof tail, &scanned), n);     /* stops at the blank line */
    CHECK_INT(scanned, n);
    CHECK_INT(scan("G\r\n\r\n", 5, NULL), 5);
    CHECK_INT(scan("", 0, NULL), 0);
}

/* Is c allowed there: in a name, in a value, in the start line? */
static int is_tchar(unsigned c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
}

static int is_vchar(unsigned c) { return (c >= 32 && c <= 126) || c >= 128; }

/* Every byte value in the method, target, version, name and value of a head, whole, cut
   everywhere, and byte by byte: the same verdict at the same byte. */
TEST(head_scan_all_bytes)
{
    static const char text[] = "GET /c?d HTTP/1.1\r\nName: value\r\nX: y\r\n\r\n";
    static const struct { unsigned at; char where;
    } spots[] = { { 0, 's' },  { 1, 's' },  { 2, 's' },  { 5, 's' },  { 7, 's' },
                  { 12, 's' }, { 16, 's' }, { 19, 'f' }, { 20, 'n' }, { 22, 'n' },
                  { 24, 'v' }, { 25, 'v' }, { 29, 'v' }, { 32, 'f' } };
    const size_t n = sizeof text - 1;
    size_t k, cut;
    unsigned c;

    for (k = 0; k < sizeof spots / sizeof *spots; k++) {
        for (c = 0; c < 256; c++) {
            char p[sizeof text];
            unsigned at = spots[k].at;
            uint32_t stop = at, scanned;
            int want = WS_ERR_HEAD_SYNTAX;
            memcpy(p, text, sizeof text);
            p[at] = (char)c;
            switch (spots[k].where) {
            case 's': if (is_vchar(c)) want = (int)n; break;
            case 'f': if (is_tchar(c)) want = (int)n; break;
            case 'n': if (is_tchar(c) || c == ':') want = (int)n; break;
            default: if (is_vchar(c) || c == '\t') want = (int)n; break;
            }
            if (c == '\r' && spots[k].where != 'n' && at)
                stop++; /* LF is missing then */
            if (c == ':' && at == 32) stop = 32;
            if (want > 0) stop = (uint32_t)n;
            CHECK_INT(scan(p, n, &scanned), want);
            CHECK_INT(scanned, stop);
            for (cut = 0; cut <= n; cut++) {
                CHECK_INT(scan_cut(p, cut, n, &scanned), want);
                CHECK_INT(scanned, stop);
            }
            CHECK_INT(scan_bytes(p, n, &scanned), want);
            CHECK_INT(scanned, stop);
        }
    }
}

TEST(head_request_all_bytes)
{
    static const char text[] = "GET /c?d HTTP/1.1\r\nName: value\r\n\r\n";
    unsigned c, at;

    for (c = 0; c < 256; c++) {
        for (at = 0; at < 17; at++) {
            char *p = exact(text, sizeof text - 1);
            ws_str head, method, target, version;
            int good;
            p[at] = (char)c;
            head.data = p;
            head.size = sizeof text - 1;
            if (at < 3) good = is_tchar(c);
            else if (at > 3 && at < 8) good = c > 32 && c < 127;
            else if (at == 14 || at == 16) good = c >= '0' && c <= '9';
            else good = c == (unsigned char)text[at];
            CHECK_INT(ws_head_request(head, &method, &target, &version),
                      good ? 0 : WS_ERR_HEAD_SYNTAX);
            free(p);
        }
    }
}

/* n header lines are allowed when the limit is n, 64 by default. */
TEST(head_field_limit)
{
    static const uint32_t limit[] = { 0, 64, 1, 3, 100 };
    size_t k;
    int extra, i;

    for (k = 0; k < sizeof limit / sizeof *limit; k++) {
        int max = limit[k] ? (int)limit[k] : 64;
        for (extra = -1; extra <= 1; extra++) {
            ws_head h = limits(0, limit[k]);
            char text[1000], *p;
            size_t n = 0;
            int got;
            n += (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
            for (i = 0; i < max + extra; i++) n += (size_t)sprintf(text + n, "a: b\r\n");
            n += (size_t)sprintf(text + n, "\r\n");
            p = exact(text, n);
            got = ws_head_scan(&h, p, n);
            CHECK_INT(got, extra > 0 ? WS_ERR_HEAD_FIELDS : (int)n);
            CHECK_INT(h.fields, extra > 0 ? max : max + extra);
            if (extra > 0) CHECK_INT(ws_head_scan(&h, p, n), WS_ERR_HEAD_FIELDS);
            free(p);
        }
    }
}

/* A head of limit - 1, limit and limit + 1 bytes. */
TEST(head_size_limit)
{
    static const uint32_t limit[] = { 0, 8192, 100, 64 };
    size_t k, i;
    int extra;

    for (k = 0; k < sizeof limit / sizeof *limit; k++) {
        size_t max = limit[k] ? limit[k] : 8192;
        for (extra = -1; extra <= 1; extra++) {
            size_t n = max + (size_t)(extra + 1) - 1;
            char *p = room(n);
            ws_head h = limits(limit[k], 0), slow = limits(limit[k], 0);
            int want = extra > 0 ? WS_ERR_HEAD_SIZE : (int)n, got = 0;
            memset(p, 'v', n);
            memcpy(p, "GET / HTTP/1.1\r\nA: ", 19);
            memcpy(p + n - 4, "\r\n\r\n", 4);
            CHECK_INT(ws_head_scan(&h, p, n), want);
            for (i = 1; i <= n && !got; i++) got = ws_head_scan(&slow, p, i);
            CHECK_INT(got, want);
            CHECK_INT(i - 1, extra > 0 ? max : n); /* known with the limit's last byte */
            free(p);
        }
    }
}

/* A large head that comes a byte at a time: every byte is looked at once (what was
   scanned is wiped out), and one byte over the limit is refused. */
TEST(sec_A1_each_byte_once)
{
    const uint32_t max = 200000;
    ws_head h = limits(max, 0);
    char *p = room(max);
    uint32_t i;
    int got = 0;

    memset(p, 'x', max);
    memcpy(p, "GET / HTTP/1.1\r\nA: ", 19);
    memcpy(p + max - 5, "\r\n\r\n", 4);
    for (i = 1; i < max && !got; i++) {
        got = ws_head_scan(&h, p, i);
        if (h.scanned != i) break;
        p[i - 1] = 0;
    }
    CHECK_INT(got, max - 1);
    CHECK_INT(h.scanned, max - 1);
    h = limits(max, 0);
    memset(p, 'x', max);
    for (i = 1, got = 0; i <= max && !got; i++) {
        got = ws_head_scan(&h, p, i);
        p[i - 1] = 0;
    }
    CHECK_INT(got, WS_ERR_HEAD_SIZE);
    CHECK_INT(h.scanned, max);
    free(p);
}

/* A request in one, two and three reads, each ending where the next page cannot be
   touched. */
TEST(sec_A7_cut_at_a_page)
{
    size_t usable, n = sizeof request - 1, a, b;
    char *end = fence(&usable);

    for (a = 0; a <= n; a++) {
        for (b = a; b <= n; b++) {
            ws_head h = limits(0, 0);
            memcpy(end - a, request, a);
            CHECK_INT(ws_head_scan(&h, end - a, a), a < n ? 0 : (int)n);
            memcpy(end - b, request, b);
            CHECK_INT(ws_head_scan(&h, end - b, b), b < n ? 0 : (int)n);
            memcpy(end - n, request, n);
            CHECK_INT(ws_head_scan(&h, end - n, n), n);
        }
    }
    for (a = 0; a <= n; a++) {      /* cut heads must not lead the readers astray */
        ws_str head, x, y, z;
        size_t pos = 0;
        int status;
        memcpy(end - a, request, a);
        head.data = end - a;
        head.size = a;
        ws_head_request(head, &x, &y, &z);
        ws_head_answer(head, &x, &status, &y);
        while (ws_head_field(head, &pos, &x, &y)) while (ws_list_next(&y, &z)) {}
    }
    unfence(end, usable);
}

/* The other leaves at the end of the world. */
TEST(sec_A7_leaves)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    size_t usable, n;
    char *end = fence(&usable), out[300];
    uint8_t digest[20];

    for (n = 0; n <= 200; n++) {
        char *p = end - n;
        uint32_t state = 0;
        ws_frame f;
        ws_url url;
        memset(p, 0xE6, n);
        ws_utf8(&state, p, n);
        memset(p, 'a', n);
        state = 0;
        CHECK_INT(ws_utf8(&state, p, n), n);
        ws__sha1(p, n, digest);
        CHECK_INT(ws__base64_encode(p, n, out), (n + 2) / 3 * 4);
        CHECK_INT(ws_base64_decode(p, n, out),
                  n % 4 ? (int)WS_ERR_ARGUMENT : (int)(n / 4 * 3));
        CHECK_INT(ws_url_parse(p, n, &url), WS_ERR_URL);
        ws_mask(p, p, n, key, n);
        ws_mask(out, p, n, key, 1);
        memset(p, 0xFF, n);
        ws_frame_decode(p, n, &f);
    }
    unfence(end, usable);
}

/* Lax lines that proxies and servers read in different ways. */
TEST(sec_A8_lax_lines)
{
    static const char *const rows[] = {
        "GET / HTTP/1.1\r\nUpgrade : websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade\t: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\n\r\n",
        "GET / HTTP/1.1\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
        "GET / HTTP/1.1\rA: b\r\n\r\n",
        "GET / HTTP/1.1\r\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\r\r\n",
        "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nname\r\n\r\n",
        "GET / HTTP/1.1\r\nna me: b\r\n\r\n",
        "GET / HTTP/1.1\r\nna(me: b\r\n\r\n",
        "GET / HTTP/1.1\r\nn\xC3\xA9: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\x7F\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\x1F\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nA: b\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n",
        "\nGET / HTTP/1.1\r\nA: b\r\n\r\n",
        "\r\n\r\n"
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t scanned;
        size_t n = strlen(rows[i]);
        CHECK_INT(scan(rows[i], n, &scanned), WS_ERR_HEAD_SYNTAX);
        CHECK(scanned < n);
        CHECK_INT(scan_bytes(rows[i], n, &scanned), WS_ERR_HEAD_SYNTAX);
    }
}

/* A NUL anywhere is refused where it stands; texts are counted, not terminated. */
TEST(sec_A9_nul_anywhere)
{
    static const char nul[] = "upgrade\0, x";
    size_t n = sizeof request - 1, i;
    ws_str s;
    ws_url url;

    for (i = 0; i < n; i++) {
        char p[sizeof request];
        uint32_t scanned;
        memcpy(p, request, sizeof request);
        p[i] = 0;
        CHECK_INT(scan(p, n, &scanned), WS_ERR_HEAD_SYNTAX);
        CHECK_INT(scanned, i);
    }
    s.data = nul;
    s.size = 8;
    CHECK(!ws_str_is(s, "upgrade"));
    CHECK(!ws_list_has(s, "upgrade"));
    s.size = 7;
    CHECK(ws_str_is(s, "upgrade"));
    s.size = 6;
    CHECK(!ws_str_is(s, "upgrade"));
    CHECK_INT(ws_url_parse("ws://a\0/", 8, &url), WS_ERR_URL);
    CHECK_INT(ws_url_parse("ws://a/\0", 8, &url), WS_ERR_URL);
}

TEST(head_request)
{
    static const char *const good[][4] = {
        { "GET / HTTP/1.1\r\n\r\n", "GET", "/", "HTTP/1.1" },
        { "OPTIONS * HTTP/1.0\r\n\r\n", "OPTIONS", "*", "HTTP/1.0" },
        { "get http://a/b?c HTTP/2.9\r\nA: b\r\n\r\n", "get", "http://a/b?c", "HTTP/2.9" }
    };
    static const char *const bad[] = { "",
                                       "\r\n",
                                       "GET\r\n\r\n",
                                       "GET /\r\n\r\n",
                                       "GET / \r\n\r\n",
                                       "GET  HTTP/1.1\r\n\r\n",
                                       " GET / HTTP/1.1\r\n\r\n",
                                       "GET  / HTTP/1.1\r\n\r\n",
                                       "GET /  HTTP/1.1\r\n\r\n",
                                       "GET / HTTP/1.1 \r\n\r\n",
                                       "GET / x HTTP/1.1\r\n\r\n",
                                       "GET / HTTP/1.10\r\n\r\n",
                                       "GET / HTTP/11.\r\n\r\n",
                                       "GET / http/1.1\r\n\r\n",
                                       "GET / HTTP/1\r\n\r\n",
                                       "GET / HTTP/a.1\r\n\r\n",
                                       "GET / HTTP 1.1\r\n\r\n",
                                       "G(T / HTTP/1.1\r\n\r\n",
                                       "GET /\xC3\xA9 HTTP/1.1\r\n\r\n",
                                       "GET / HTTP/1.1",
                                       "/ HTTP/1.1\r\n\r\n",
                                       " / HTTP/1.1\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\n\r\n" };
    size_t i;
    ws_str m, t, v, head;

    for (i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_INT(ws_head_request(str(good[i][0]), &m, &t, &v), 0);
        CHECK(same(m, good[i][1]) && same(t, good[i][2]) && same(v, good[i][3]));
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        head.size = strlen(bad[i]);
        head.data = exact(bad[i], head.size);
        CHECK_INT(ws_head_request(head, &m, &t, &v), WS_ERR_HEAD_SYNTAX);
        free((void *)(uintptr_t)head.data);
    }
}

TEST(head_answer)
{
    static const struct { const char *text; int status; const char *version, *reason;
    } good[] = { { "HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "HTTP/1.1",
                   "Switching Protocols" },
                 { "HTTP/1.1 101 \r\n\r\n", 101, "HTTP/1.1", "" },
                 { "HTTP/1.1 101\r\n\r\n", 101, "HTTP/1.1", "" },
                 { "HTTP/1.0 999 \xC3\xA9 x\r\nA: b\r\n\r\n", 999, "HTTP/1.0",
                   "\xC3\xA9 x" },
                 { "HTTP/2.0 100 a\r\n\r\n", 100, "HTTP/2.0", "a" } };
    static const char *const bad[] = {
        "", "\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 10\r\n\r\n",
        "HTTP/1.1 1010 x\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 000 x\r\n\r\n",
        "HTTP/1.1 1a1 x\r\n\r\n", "HTTP/1.1 101x\r\n\r\n", "HTTP/1.1  101 x\r\n\r\n",
        "HTTP/1.1101 x\r\n\r\n", "http/1.1 101 x\r\n\r\n", "HTTP/1 101 x\r\n\r\n",
        "HTTP/1.12 101 x\r\n\r\n", " HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 101 x",
        "HTTP/1.1 -11 x\r\n\r\n", "ICY 200 OK of some length\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n"
    };
    size_t i;
    ws_str v, r, head;
    int status;

    for (i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_INT(ws_head_answer(str(good[i].text), &v, &status, &r), 0);
        CHECK_INT(status, good[i].status);
        CHECK(same(v, good[i].version) && same(r, good[i].reason));
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        head.size = strlen(bad[i]);
        head.data = exact(bad[i], head.size);
        CHECK_INT(ws_head_answer(head, &v, &status, &r), WS_ERR_HEAD_SYNTAX);
        free((void *)(uintptr_t)head.data);
    }
}

TEST(head_fields)
{
    static const char text[] =
        "GET / HTTP/1.1\r\nA: one\r\nb:two\r\nC: \t three four\t \r\nD:\r\nE: \t \r\n"
        "F: http://x:80/\r\n\r\n";
    static const char *const want[][2] = {
        { "A", "one" }, { "b", "two" }, { "C", "three four" }, { "D", "" }, { "E", "" },
        { "F", "http://x:80/" }
    };
    char *p = exact(text, sizeof text - 1);
    ws_str head, name, value;
    size_t pos = 0, i;

    head.data = p;
    head.size = sizeof text - 1;
    for (i = 0; i < sizeof want / sizeof *want; i++) {
        CHECK_INT(ws_head_field(head, &pos, &name, &value), 1);
        CHECK(same(name, want[i][0]) && same(value, want[i][1]));
    }
    CHECK_INT(ws_head_field(head, &pos, &name, &value), 0);
    CHECK_INT(ws_head_field(head, &pos, &name, &value), 0);
    pos = 0;
    CHECK_INT(ws_head_field(str("HTTP/1.1 200 OK\r\n\r\n"), &pos, &name, &value), 0);
    free(p);
}

/* ---- lists ---- */

/* The elements of a list, joined with '|'. */
static const char *elements(const char *text)
{
    static char out[200];
    size_t n = strlen(text), k = 0;
    char *copy = exact(text, n);
    ws_str list, item;

    list.data = copy;
    list.size = n;
    while (ws_list_next(&list, &item)) {
        if (k) out[k++] = '|';
        memcpy(out + k, item.data, item.size);
        k += item.size;
    }
    CHECK_INT(ws_list_next(&list, &item), 0);
    out[k] = 0;
    free(copy);
    return out;
}

TEST(list_elements)
{
    CHECK_STR(elements(""), "");
    CHECK_STR(elements(" "), "");
    CHECK_STR(elements(",, ,\t,"), "");
    CHECK_STR(elements("a"), "a");
    CHECK_STR(elements(" a "), "a");
    CHECK_STR(elements("a,b"), "a|b");
    CHECK_STR(elements("a , \tb\t, c "), "a|b|c");
    CHECK_STR(elements(",a,,b,"), "a|b");
    CHECK_STR(elements("a b, c"), "a b|c");
    CHECK_STR(elements("a; x=\"1,2\", b"), "a; x=\"1,2\"|b");
    CHECK_STR(elements("a; x=\"1\\\",2\", b"), "a; x=\"1\\\",2\"|b");
    CHECK_STR(elements("a; x=\"1\\\\\", b"), "a; x=\"1\\\\\"|b");
    CHECK_STR(elements("a\\,b"), "a\\|b");
    CHECK_STR(elements("\"a,b"), "\"a,b");
    CHECK_STR(elements("x, \"a,b\\"), "x|\"a,b\\");
    CHECK_STR(elements("\"\",b"), "\"\"|b");
    CHECK_STR(elements("\"a,b\"c,d"), "\"a,b\"c|d");
}

TEST(list_tokens)
{
    ws_str none = { NULL, 0 };

    CHECK(ws_list_has(str("keep-alive, Upgrade"), "upgrade"));
    CHECK(ws_list_has(str("UPGRADE"), "upgrade"));
    CHECK(!ws_list_has(str("upgraded, xupgrade, up grade"), "upgrade"));
    CHECK(!ws_list_has(str("\"a, upgrade\""), "upgrade"));
    CHECK(!ws_list_has(str(""), "upgrade"));
    CHECK(!ws_list_has(none, "upgrade"));
    CHECK(ws_str_is(str("WebSocket"), "websocket"));
    CHECK(ws_str_is(str("websocket"), "WEBSOCKET"));
    CHECK(!ws_str_is(str("websocke"), "websocket"));
    CHECK(!ws_str_is(str("websockets"), "websocket"));
    CHECK(ws_str_is(str(""), ""));
    CHECK(ws_str_is(none, ""));
    CHECK(!ws_str_is(none, "a"));
    CHECK(!ws_str_is(str("["), "{"));      /* not letters: no folding */
    CHECK(!ws_str_is(str("@"), "`"));
    CHECK(!ws_str_is(str("\xC9"), "\xE9"));
}

/* Lists that made other parsers try every way to cut them. A million bytes each: what
   is not linear does not end. */
TEST(sec_A2_long_lists)
{
    const size_t n = 1 << 20;
    char *p = room(n);
    ws_str list, item;
    size_t i, k;

    for (k = 1024; k <= n; k *= 4) {
        memset(p, ' ', k);
        p[0] = 'b';
        p[k - 1] = 'x';
        list.data = p;
        list.size = k;
        CHECK_INT(ws_list_next(&list, &item), 1);
        CHECK_INT(item.size, k);
        CHECK_INT(ws_list_next(&list, &item), 0);

        memcpy(p, "a; b=\"", 6);
        for (i = 6; i < k; i++) p[i] = i & 1 ? 'c' : '\\';
        list.data = p;
        list.size = k;
        CHECK_INT(ws_list_next(&list, &item), 1);
        CHECK_INT(item.size, k);
        CHECK_INT(ws_list_next(&list, &item), 0);
        list.data = p;
        list.size = k;
        CHECK(!ws_list_has(list, "c"));

        for (i = 0; i < k; i++) p[i] = i & 1 ? ',' : '"';
        list.data = p;
        list.size = k;
        for (i = 0; ws_list_next(&list, &item); i++) {}
        CHECK(i >= k / 4 && i <= k / 2);

        memset(p, ',', k);
        list.data = p;
        list.size = k;
        CHECK_INT(ws_list_next(&list, &item), 0);
    }
    free(p);
}

/* ---- URL ---- */

/* A part, or "-" when absent. */
static size_t put_part(char *out, ws_str s)
{
    if (!s.data) return (size_t)sprintf(out, "- ");
    return (size_t)sprintf(out, "'%.*s' ", (int)s.size, s.data);
}

/* What the parser makes of a URL: host port target [user password] flags, or "error". */
static const char *url_parts(const char *text)
{
    static char out[400];
    size_t n = strlen(text), k = 0;
    char *copy = exact(text, n);
    ws_url u;

    if (ws_url_parse(copy, n, &u)) {
        free(copy);
        return "error";
    }
    k += put_part(out + k, u.host);
    k += (size_t)sprintf(out + k, "%u ", u.port);
    k += put_part(out + k, u.target);
    if (u.user.data || u.password.data) {
        k += put_part(out + k, u.user);
        k += put_part(out + k, u.password);
    }
    sprintf(out + k, "%s%s%s%s", u.secure ? "s" : "", u.ipv6 ? "6" : "",
            u.is_unix ? "u" : "", u.default_port ? "d" : "");
    CHECK(u.scheme.data == copy && copy[u.scheme.size] == ':');
    free(copy);
    return out;
}

TEST(url_good)
{
    static const char *const rows[][2] = {
        { "ws://h", "'h' 80 '' d" },
        { "ws://h/", "'h' 80 '/' d" },
        { "WS://H/", "'H' 80 '/' d" },
        { "wss://h", "'h' 443 '' sd" },
        { "WsS://h", "'h' 443 '' sd" },
        { "http://h/a", "'h' 80 '/a' d" },
        { "https://h/a", "'h' 443 '/a' sd" },
        { "ws://h:80", "'h' 80 '' d" },
        { "ws://h:443", "'h' 443 '' " },
        { "wss://h:443", "'h' 443 '' sd" },
        { "wss://h:80", "'h' 80 '' s" },
        { "ws://h:", "'h' 80 '' d" },
        { "ws://h:/", "'h' 80 '/' d" },
        { "wss://h:?q", "'h' 443 '?q' sd" },
        { "ws://h:1", "'h' 1 '' " },
        { "ws://h:65535/x", "'h' 65535 '/x' " },
        { "ws://h:00080/", "'h' 80 '/' d" },
        { "ws://h?q=1", "'h' 80 '?q=1' d" },
        { "ws://h:81?q=/:@", "'h' 81 '?q=/:@' " },
        { "ws://h/a/b?c=d&e=%20", "'h' 80 '/a/b?c=d&e=%20' d" },
        { "ws://h/:80/@x", "'h' 80 '/:80/@x' d" },
        { "ws://h//x", "'h' 80 '//x' d" },
        { "ws://127.0.0.1:9001/", "'127.0.0.1' 9001 '/' " },
        { "ws://a-b.c_d.example.:9/", "'a-b.c_d.example.' 9 '/' " },
        { "ws://[::1]", "'::1' 80 '' 6d" },
        { "ws://[::1]/", "'::1' 80 '/' 6d" },
        { "ws://[::1]:80/", "'::1' 80 '/' 6d" },
        { "wss://[2001:DB8::ff]:8443/x", "'2001:DB8::ff' 8443 '/x' s6" },
        { "ws://[::ffff:1.2.3.4]?q", "'::ffff:1.2.3.4' 80 '?q' 6d" },
        { "ws://[::1]:", "'::1' 80 '' 6d" },
        { "ws://u@h/", "'h' 80 '/' 'u' - d" },
        { "ws://u:p@h:81/", "'h' 81 '/' 'u' 'p' " },
        { "ws://u:@h", "'h' 80 '' 'u' '' d" },
        { "ws://:p@h", "'h' 80 '' '' 'p' d" },
        { "ws://u:p:q@h", "'h' 80 '' 'u' 'p:q' d" },
        { "ws://u%40x:p%3A@[::1]:9/z", "'::1' 9 '/z' 'u%40x' 'p%3A' 6" },
        { "ws+unix:/run/app.sock:/path", "'/run/app.sock' 0 '/path' ud" },
        { "ws+unix:///run/app.sock:/path", "'/run/app.sock' 0 '/path' ud" },
        { "WS+UNIX:/run/a:/", "'/run/a' 0 '/' ud" },
        { "ws+unix:/run/app.sock", "'/run/app.sock' 0 '' ud" },
        { "ws+unix:/run/app.sock:", "'/run/app.sock' 0 '' ud" },
        { "ws+unix:/a:/b:c?d:e", "'/a' 0 '/b:c?d:e' ud" },
        { "ws+unix:/a:?q", "'/a' 0 '?q' ud" }
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STR(url_parts(rows[i][0]), rows[i][1]);
    }
}

TEST(url_bad)
{
    static const char *const rows[] = { "",
                                        "w",
                                        "ws",
                                        "ws:",
                                        "ws:/",
                                        "ws://",
                                        "ws:///",
                                        "ws:///path",
                                        "ws://?q",
                                        "ws://:80",
                                        "ws://:80/",
                                        "ws:h",
                                        "ws:/h",
                                        "//h/",
                                        "h",
                                        "h:80",
                                        "/path",
                                        "://h",
                                        ":",
                                        "ftp://h/",
                                        "wsx://h/",
                                        "w s://h",
                                        "ws//h",
                                        "wss//h",
                                        "http+unix:/a:/b",
                                        "unix:/a",
                                        "ws://h:0/",
                                        "ws://h:00000",
                                        "ws://h:65536/",
                                        "ws://h:99999999999999999999/",
                                        "ws://h:4294967376/",
                                        "ws://h:18446744073709551696/",
                                        "ws://h:-1/",
                                        "ws://h:+80/",
                                        "ws://h:8a/",
                                        "ws://h:80:80/",
                                        "ws://h:0x50/",
                                        "ws://h#f",
                                        "ws://h/#",
                                        "ws://h/a#b",
                                        "ws://h/?a#b",
                                        "ws+unix:/a#b:/c",
                                        "ws://u@",
                                        "ws://u@/",
                                        "ws://u:p@:80/",
                                        "ws://@",
                                        "ws://u@v@h/",
                                        "ws://u@@h/",
                                        "ws://h /",
                                        " ws://h",
                                        "ws://h ",
                                        "ws://h/a b",
                                        "ws://h\t/",
                                        "ws://h/\r\nX: y",
                                        "ws://h\n",
                                        "ws://h/\x7F",
                                        "ws://h/\x01",
                                        "ws://h\xC3\xA9/",
                                        "ws://h/\xC3\xA9",
                                        "ws://a\\b/",
                                        "ws://a%20b/",
                                        "ws://a<b/",
                                        "ws://a>b/",
                                        "ws://a\"b/",
                                        "ws://a^b/",
                                        "ws://a`b/",
                                        "ws://a{b/",
                                        "ws://a|b/",
                                        "ws://a}b/",
                                        "ws://a\\@b/",
                                        "ws://a[b@c/",
                                        "ws://[]",
                                        "ws://[]/",
                                        "ws://[]:80",
                                        "ws://[::1",
                                        "ws://::1]",
                                        "ws://::1/",
                                        "ws://[::1]x",
                                        "ws://[::1]80",
                                        "ws://[::1]:x",
                                        "ws://[::1]:0",
                                        "ws://[::1]:65536",
                                        "ws://[::1]]",
                                        "ws://[[::1]]",
                                        "ws://[::g]/",
                                        "ws://[h]/",
                                        "ws://[1.2.3.4]/",
                                        "ws://x[::1]/",
                                        "ws://a[b]/",
                                        "ws://a]b/",
                                        "ws://[::1/]",
                                        "ws+unix:",
                                        "ws+unix:a",
                                        "ws+unix:a:/b",
                                        "ws+unix://",
                                        "ws+unix://h/a:/b",
                                        "ws+unix::/b",
                                        "ws+unix:/a:b",
                                        "ws+unix:/a:/ b" };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = url_parts(rows[i]);
        CHECK_STR(got, "error");
        if (strcmp(got, "error")) printf("    %s\n", rows[i]);
    }
}

/* Every byte in the middle of a host and of a target. */
TEST(url_all_bytes)
{
    unsigned c;
    ws_url u;

    for (c = 0; c < 256; c++) {
        char *host = exact("ws://a.b/c", 10), *target = exact("ws://ab/c.d", 11);
        int in_target = c > 32 && c < 127 && c != '#';
        int in_host = in_target && !strchr("\"<>\\^`{|}%[]:", (int)c);
        host[6] = target[9] = (char)c;
        CHECK_INT(ws_url_parse(host, 10, &u), in_host ? 0 : WS_ERR_URL);
        CHECK_INT(ws_url_parse(target, 11, &u), in_target ? 0 : WS_ERR_URL);
        free(host);
        free(target);
    }
}

/* the masked Hello of RFC 6455 5.7: no connection anywhere */
TEST(frame_into_the_callers_buffer)
{
    static const uint8_t want[] = {
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58
    };
    ws_frame frame, back;
    uint8_t wire[32], text[8];
    int head;

    memset(&frame, 0, sizeof frame);
    frame.fin = 1;
    frame.op = WS_OP_TEXT;
    frame.size = 5;
    frame.masked = 1;
    memcpy(frame.key, want + 2, 4);
    head = ws_frame_encode(&frame, wire);
    CHECK_INT(head, 6);
    ws_mask(wire + head, "Hello", 5, frame.key, 0);
    CHECK(!memcmp(wire, want, sizeof want));
    CHECK_INT(ws_frame_decode(wire, sizeof want, &back), 6);
    ws_mask(text, wire + 6, 5, back.key, 0);
    CHECK(!memcmp(text, "Hello", 5));
    CHECK(back.size == 5 && back.fin && back.op == WS_OP_TEXT);
}

TESTS(T(frame_decode_exhaustive) T(frame_round_trip) T(frame_rfc_examples)
      T(sec_C1_decode) T(mask_alignments) T(mask_pieces) T(utf8_exhaustive_3)
      T(utf8_exhaustive_4) T(utf8_code_points) T(utf8_splits) T(utf8_bytes)
      T(utf8_after_ascii) T(utf8_in_vectors) T(utf8_mixed) T(sec_E1_every_bad_sequence)
      T(sha1_vectors) T(sha1_lengths) T(base64_round_trip) T(base64_alphabet)
      T(base64_canonical) T(accept_key) T(head_scan_whole) T(head_scan_all_bytes)
      T(head_request_all_bytes) T(head_field_limit) T(head_size_limit)
      T(sec_A1_each_byte_once) T(sec_A7_cut_at_a_page) T(sec_A7_leaves)
      T(sec_A8_lax_lines) T(sec_A9_nul_anywhere) T(head_request) T(head_answer)
      T(head_fields) T(list_elements) T(list_tokens) T(sec_A2_long_lists) T(url_good)
      T(url_bad) T(url_all_bytes) T(frame_into_the_callers_buffer))
