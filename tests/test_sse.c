/* ws_sse.h alone: the writer and the reader of event streams, against the reference
   parser of sse_reference.h. Every chunk fed is a copy of its exact size, freed at
   once, so that a sanitizer sees one byte too far and one pointer kept. The tests
   sec_J1 ... are the threats of their row. */
#include <stdlib.h>
#include <string.h>

/* An allocation in the header would not compile. Bytes searched by memchr are counted:
   they show that time is linear. */
static unsigned long long searched;

static void *count_memchr(const void *s, int c, size_t n)
{
    void *p = n ? (void *)(size_t)memchr(s, c, n) : NULL;

    searched += p ? (size_t)((const char *)p - (const char *)s) + 1 : n;
    return p;
}
#define malloc(n) allocation_in_ws_sse_h
#define calloc(n, size) allocation_in_ws_sse_h
#define realloc(p, n) allocation_in_ws_sse_h
#define memchr count_memchr
#define WS_SSE_IMPLEMENTATION
#include "../ws_sse.h"
#undef malloc
#undef calloc
#undef realloc
#undef memchr
#include <limits.h>
#include "sse_reference.h"
#include "test.h"

/* ---- helpers ---- */

static uint32_t seed = 1;

static uint32_t chance(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static char *exact(const void *data, size_t n)
{
    char *p = (char *)malloc(n ? n : 1);

    if (!p) abort();
    if (n) memcpy(p, data, n);
    return p;
}

/* A reader that joins parts and logs events as the reference does. */
typedef struct reader {
    ws_sse_parser p;
    char *memory;
    size_t memory_n;
    ref_log log;
    ref_text data;          /* of the event whose parts come */
    size_t parts;           /* seen of it */
    size_t most_parts;
} reader;

static void reader_begin(reader *r, size_t memory_n)
{
    r->memory = (char *)malloc(memory_n);
    if (!r->memory) abort();
    r->memory_n = memory_n;
    ref_log_clear(&r->log);
    ref_clear(&r->data);
    r->parts = r->most_parts = 0;
    CHECK_INT(ws_sse_parser_init(&r->p, r->memory, memory_n), 0);
}

static void reader_event(reader *r, const ws_sse_event *ev)
{
    size_t room = r->memory_n - r->memory_n / 8 * 4 - 1;

    CHECK_INT(ev->first, r->parts == 0);
    CHECK(ev->size <= room);
    CHECK(ev->data[ev->size] == 0 && ev->event[ev->event_size] == 0 &&
          ev->event_size > 0);
    CHECK(!strchr(ev->id, '\n') && !strchr(ev->id, '\r'));
    ref_add(&r->data, ev->data, ev->size);
    if (++r->parts > r->most_parts) r->most_parts = r->parts;
    if (!ev->last) {
        CHECK_INT(ev->size, room);          /* the same parts for every cut */
        return;
    }
    CHECK(ev->size > 0 || r->parts == 1);
    CHECK_STR(ws_sse_last_id(&r->p), ev->id);
    ref_log_event(&r->log, ev->event, ev->event_size, ev->id, strlen(ev->id),
                  r->data.data, r->data.size);
    ref_clear(&r->data);
    r->parts = 0;
}

/* Feeds one chunk; 0 when the parser failed. */
static int reader_feed(reader *r, const char *s, size_t n)
{
    char *chunk = exact(s, n);
    const char *at = chunk;
    size_t left = n;
    ws_sse_event ev;
    int result;

    while ((result = ws_sse_parse(&r->p, &at, &left, &ev)) > 0) {
        CHECK_INT(result, 1);
        reader_event(r, &ev);
    }
    CHECK(at + left == chunk + n);
    if (!result) CHECK_INT(left, 0);
    if (result) {
        CHECK(result == WS_SSE_ERR_EVENT_SIZE || result == WS_SSE_ERR_ID_SIZE);
        CHECK_INT(ws_sse_parse(&r->p, &at, &left, &ev), result);
        r->log.error = result == WS_SSE_ERR_ID_SIZE ? 'i' : 'e';
    }
    free(chunk);
    return !result;
}

/* The stream has ended: its log is complete. */
static const ref_log *reader_end(reader *r)
{
    const char *id = ws_sse_last_id(&r->p);

    r->log.retry = r->p.retry;
    ref_add(&r->log.last_id, id, strlen(id));
    return &r->log;
}

static void reader_free(reader *r)
{
    free(r->memory);
    ref_log_free(&r->log);
    ref_free(&r->data);
    memset(r, 0, sizeof *r);
}

static void show(const char *who, const ref_log *log)
{
    size_t i;

    printf("    %s: %lu events, retry %ld, error %d: ", who, (unsigned long)log->events,
           log->retry, log->error);
    for (i = 0; i < log->text.size && i < 200; i++) {
        char c = log->text.data[i];
        if (c >= ' ' && c <= '~') putchar(c);
        else printf("\\x%02X", (unsigned char)c);
    }
    printf("\n");
}

static void differs(const char *s, size_t n, const ref_log *have, const ref_log *want)
{
    size_t i;

    CHECK(!"the reader and the reference differ");
    if (test_faults > 3) return;
    printf("    stream: ");
    for (i = 0; i < n && i < 300; i++) {
        if (s[i] >= ' ' && s[i] <= '~') putchar(s[i]);
        else printf("\\x%02X", (unsigned char)s[i]);
    }
    printf("\n");
    show("have", have);
    show("want", want);
}

/* Reads s in chunks of the given sizes, used in turn, and compares. Returns the most
   parts. */
static size_t compare(const char *s, size_t n, size_t memory, const size_t *cuts,
                      size_t count, const ref_log *want)
{
    reader r;
    size_t at = 0, i = 0, parts;

    memset(&r, 0, sizeof r);
    reader_begin(&r, memory);
    while (at < n) {
        size_t k = cuts[i++ % count];
        if (k > n - at) k = n - at;
        if (!reader_feed(&r, s + at, k)) break;
        at += k;
    }
    if (!ref_log_same(reader_end(&r), want)) differs(s, n, &r.log, want);
    test_checks++;
    parts = r.most_parts;
    reader_free(&r);
    return parts;
}

/* Whole, byte by byte, in chunks of 2, 3 and 4, and at every cut into two. */
static void compare_all_cuts(const char *s, size_t n, size_t memory, const ref_log *want)
{
    static const size_t steps[] = { 1, 2, 3, 4 };
    size_t cuts[2], i;

    for (i = 0; i < 4; i++) compare(s, n, memory, &steps[i], 1, want);
    for (i = 0; i <= n; i++) {
        cuts[0] = i;
        cuts[1] = n;
        compare(s, n, memory, cuts, 2, want);
    }
}

static int writes(const ws_sse_message *m, ref_text *out)
{
    ptrdiff_t n = ws_sse_format(m, NULL, 0);
    char *p;

    if (n < 0) return (int)n;
    p = (char *)malloc((size_t)n);
    if (!p) abort();
    CHECK_INT(ws_sse_format(m, p, (size_t)n), n);
    ref_clear(out);
    ref_add(out, p, (size_t)n);
    free(p);
    return 0;
}

static ws_sse_message message(const char *event, const char *id, const char *data)
{
    ws_sse_message m;

    memset(&m, 0, sizeof m);
    m.event = event;
    m.id = id;
    m.data = data;
    return m;
}

/* ---- errors ---- */

TEST(error_strings)
{
    static const char *const names[] = {
#define NAME(name, text) #name,
        WS_SSE_ERRORS(NAME)
    };
    int i, k, count = (int)(sizeof names / sizeof *names);

    CHECK_STR(ws_sse_error_string(0), "");
    CHECK_STR(ws_sse_error_string(1), "unknown error");
    CHECK_STR(ws_sse_error_string(INT_MIN), "unknown error");
    CHECK_STR(ws_sse_error_string(INT_MAX), "unknown error");
    CHECK_STR(ws_sse_error_string(WS_SSE_ERR_LAST_), "unknown error");
    CHECK_INT(WS_SSE_ERR_LAST_, -count - 1);
    for (i = 1; i <= count; i++)
        for (k = 0; k < i; k++)
            CHECK(strcmp(ws_sse_error_string(-i), ws_sse_error_string(-k)));
}

/* ---- writer ---- */

TEST(write_bytes)
{
    static const struct {
        const char *event, *id, *data, *comment;
        long retry;
        const char *want;
    } rows[] = {
        { NULL, NULL, NULL, NULL, 0, "\n" },
        { NULL, NULL, "", NULL, 0, "data: \n\n" },
        { NULL, NULL, "x", NULL, 0, "data: x\n\n" },
        { "", NULL, "x", NULL, 0, "data: x\n\n" },
        { "tick", NULL, "x", NULL, 0, "event: tick\ndata: x\n\n" },
        { NULL, "7", "x", NULL, 0, "id: 7\ndata: x\n\n" },
        { NULL, "", "x", NULL, 0, "id: \ndata: x\n\n" },
        { NULL, "7", NULL, NULL, 0, "id: 7\n\n" },
        { NULL, NULL, NULL, "", 0, ": \n\n" },
        { NULL, NULL, NULL, "hi", 0, ": hi\n\n" },
        { NULL, NULL, NULL, NULL, 1, "retry: 1\n\n" },
        { NULL, NULL, NULL, NULL, 2147483647, "retry: 2147483647\n\n" },
        { "e", "i", "a\nb", "c", 2000,
          ": c\nretry: 2000\nevent: e\nid: i\ndata: a\ndata: b\n\n" },
        { NULL, NULL, "a\rb", NULL, 0, "data: a\ndata: b\n\n" },
        { NULL, NULL, "a\r\nb", NULL, 0, "data: a\ndata: b\n\n" },
        { NULL, NULL, "a\n\rb", NULL, 0, "data: a\ndata: \ndata: b\n\n" },
        { NULL, NULL, "a\r", NULL, 0, "data: a\ndata: \n\n" },
        { NULL, NULL, "\n", NULL, 0, "data: \ndata: \n\n" },
        { NULL, NULL, " x", NULL, 0, "data:  x\n\n" },
    };
    ref_text out;
    size_t i;

    memset(&out, 0, sizeof out);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        ws_sse_message m = message(rows[i].event, rows[i].id, rows[i].data);
        m.comment = rows[i].comment;
        m.retry = rows[i].retry;
        CHECK_INT(writes(&m, &out), 0);
        CHECK_STR(out.data, rows[i].want);
    }
    ref_free(&out);
}

TEST(write_sizes_given)
{
    ws_sse_message m = message("eventXX", "idXX", "dataXX");
    ref_text out;

    memset(&out, 0, sizeof out);
    m.comment = "commentXX";
    m.event_size = 5;
    m.id_size = 2;
    m.size = 4;
    m.comment_size = 7;
    CHECK_INT(writes(&m, &out), 0);
    CHECK_STR(out.data, ": comment\nevent: event\nid: id\ndata: data\n\n");
    memset(&m, 0, sizeof m);        /* a size without a text is no text */
    m.event_size = m.id_size = m.size = m.comment_size = 100;
    CHECK_INT(writes(&m, &out), 0);
    CHECK_STR(out.data, "\n");
    ref_free(&out);
}

TEST(write_faults)
{
    static const struct {
        int error;
        const char *event, *id, *data, *comment;
        long retry;
    } rows[] = {
        { WS_SSE_ERR_EVENT, "a\n", NULL, "x", NULL, 0 },
        { WS_SSE_ERR_EVENT, "\r", NULL, "x", NULL, 0 },
        { WS_SSE_ERR_EVENT, "\xFF", NULL, "x", NULL, 0 },
        { WS_SSE_ERR_ID, NULL, "a\nb", "x", NULL, 0 },
        { WS_SSE_ERR_ID, NULL, "a\rb", "x", NULL, 0 },
        { WS_SSE_ERR_ID, NULL, "\xC0\x80", "x", NULL, 0 },
        { WS_SSE_ERR_COMMENT, NULL, NULL, NULL, "a\nb", 0 },
        { WS_SSE_ERR_COMMENT, NULL, NULL, NULL, "a\rb", 0 },
        { WS_SSE_ERR_COMMENT, NULL, NULL, NULL, "\xED\xA0\x80", 0 },
        { WS_SSE_ERR_DATA, NULL, NULL, "\xE2\x82", NULL, 0 },
        { WS_SSE_ERR_NO_DATA, "a", NULL, NULL, NULL, 0 },
        { WS_SSE_ERR_RETRY, NULL, NULL, "x", NULL, -1 },
        { WS_SSE_ERR_RETRY, NULL, NULL, "x", NULL, LONG_MIN },
    };
    char untouched[8] = "0123456";
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        ws_sse_message m = message(rows[i].event, rows[i].id, rows[i].data);
        m.comment = rows[i].comment;
        m.retry = rows[i].retry;
        CHECK_INT(ws_sse_format(&m, untouched, sizeof untouched), rows[i].error);
        CHECK_INT(ws_sse_write(&m, NULL, NULL), rows[i].error);
        CHECK_STR(untouched, "0123456");
    }
}

/* UTF-8 is what the reference decodes to itself: all strings of up to 3 bytes, alone
   and at the end of each alignment of the ASCII stride, and 4 bytes over telling ones. */
TEST(write_utf8)
{
    static const unsigned char telling[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                             0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0,
                                             0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
                                             0xF1, 0xF3, 0xF4, 0xF5, 0xFF };
    enum { TELLING = sizeof telling };
    unsigned long i, all = 1UL << 24;
    ref_text out;

    memset(&out, 0, sizeof out);
    for (i = 0; i < all; i += i < 65536 ? 1 : 7) {
        char s[3];
        size_t n = i < 256 ? 1 : i < 65536 ? 2 : 3;
        s[0] = (char)i;
        s[1] = (char)(i >> 8);
        s[2] = (char)(i >> 16);
        ref_clear(&out);
        ref_decode(s, n, &out);
        CHECK_INT(ws_sse__is_utf8(s, n), out.size == n && !memcmp(out.data, s, n));
    }
    for (i = 0; i < (unsigned long)TELLING * TELLING * TELLING * TELLING; i++) {
        char s[] = "plain ASCII text of 30 letters";
        unsigned long v = i;
        size_t k;
        for (k = i % 27; v; k++, v /= TELLING) s[k] = (char)telling[v % TELLING];
        ref_clear(&out);
        ref_decode(s, 30, &out);
        CHECK_INT(ws_sse__is_utf8(s, 30), out.size == 30 && !memcmp(out.data, s, 30));
    }
    ref_free(&out);
}

/* Every size of the buffer from none to enough: nothing is written unless all fits. */
TEST(write_every_room)
{
    ws_sse_message m = message("tick", "42", "line one\nline two\r\n\r");
    size_t need, n, i;
    ref_text want;

    memset(&want, 0, sizeof want);
    m.comment = "hello";
    m.retry = 1500;
    CHECK_INT(writes(&m, &want), 0);
    need = want.size;
    for (n = 0; n <= need + 3; n++) {
        char *p = (char *)malloc(n ? n : 1);
        if (!p) abort();
        memset(p, '#', n ? n : 1);
        CHECK_INT(ws_sse_format(&m, p, n), need);
        if (n >= need) CHECK(!memcmp(p, want.data, need));
        for (i = n >= need ? need : 0; i < n; i++) CHECK(p[i] == '#');
        free(p);
    }
    ref_free(&want);
}

typedef struct sink { ref_text got; long calls, fail_at; int status; } sink;

static int sink_put(void *user, const void *p, size_t n)
{
    sink *s = (sink *)user;

    CHECK(n > 0);
    if (s->calls++ == s->fail_at) return s->status;
    ref_add(&s->got, (const char *)p, n);
    return 0;
}

/* More than an address space can hold, on machines where a test can have that much. */
TEST(write_huge)
{
    size_t n = 1100000000u;
    char *zeros = sizeof n == 4 ? (char *)calloc(1, n) : NULL, c = 'c';
    ws_sse_message m;

    if (!zeros) return;
    memset(&m, 0, sizeof m);
    m.event = m.comment = m.data = zeros;
    m.event_size = m.comment_size = m.size = n;
    CHECK(ws_sse_format(&m, &c, 1) == 0x7FFFFFFF);
    m.data = "x";
    m.size = 1;
    CHECK(ws_sse_format(&m, &c, 1) == 0x7FFFFFFF);
    m.comment = NULL;
    CHECK(ws_sse_format(&m, &c, 1) == (ptrdiff_t)n + 8 + 8 + 1);
    CHECK(c == 'c');
    free(zeros);
}

/* The write function fails at its k-th call, for every k: no call after it, and what was
   written is the beginning of the event. */
TEST(write_every_failure)
{
    ws_sse_message m = message("tick", "42", "one\ntwo\n\nfour");
    ref_text want;
    sink s;
    long k, calls;

    memset(&want, 0, sizeof want);
    memset(&s, 0, sizeof s);
    m.comment = "c";
    m.retry = 9;
    s.fail_at = -1;
    CHECK_INT(writes(&m, &want), 0);
    CHECK_INT(ws_sse_write(&m, sink_put, &s), 0);
    CHECK(ref_same(&s.got, &want));
    calls = s.calls;
    CHECK(calls > 10);
    for (k = 0; k < calls; k++) {
        s.calls = 0;
        s.fail_at = k;
        s.status = k % 2 ? -1 : 1;
        ref_clear(&s.got);
        CHECK_INT(ws_sse_write(&m, sink_put, &s), WS_SSE_ERR_WRITE);
        CHECK_INT(s.calls, k + 1);
        CHECK(s.got.size < want.size && !memcmp(s.got.data, want.data, s.got.size));
    }
    ref_free(&want);
    ref_free(&s.got);
}

/* ---- write, then parse: the identity ---- */

static const char alphabet[9] = { 'a', ':', ' ', '\r', '\n', 0, '\xEF', '\xBB', '\xBF' };

/* The data as readers show it: CR, LF and CRLF are LF. */
static void normalised(const char *data, size_t n, ref_text *out)
{
    size_t i;

    ref_clear(out);
    for (i = 0; i < n; i++) {
        if (data[i] == '\n' && i && data[i - 1] == '\r') continue;
        ref_add(out, data[i] == '\r' ? "\n" : data + i, 1);
    }
}

/* The event as a program without any checks would write it: the only way that the
   grammar of the standard has for these values, up to their order. */
static void naive(const ws_sse_message *m, size_t event_n, size_t id_n, size_t n,
                  ref_text *out)
{
    ref_text data;
    size_t i, from = 0;

    memset(&data, 0, sizeof data);
    ref_clear(out);
    if (m->event && event_n) {
        ref_add(out, "event: ", 7);
        ref_add(out, m->event, event_n);
        ref_add(out, "\n", 1);
    }
    if (m->id) {
        ref_add(out, "id: ", 4);
        ref_add(out, m->id, id_n);
        ref_add(out, "\n", 1);
    }
    if (m->data) normalised(m->data, n, &data);
    for (i = 0; m->data && i <= data.size; i++) {
        if (i < data.size && data.data[i] != '\n') continue;
        ref_add(out, "data: ", 6);
        ref_add(out, data.data + from, i - from);
        ref_add(out, "\n", 1);
        from = i + 1;
    }
    ref_add(out, "\n", 1);
    ref_free(&data);
}

typedef struct identity {
    ref_text wire, plain, decoded, data;
    ref_log want, have;
    reader r;
} identity;

static void identity_free(identity *x)
{
    ref_free(&x->wire);
    ref_free(&x->plain);
    ref_free(&x->decoded);
    ref_free(&x->data);
    ref_log_free(&x->want);
    ref_log_free(&x->have);
    reader_free(&x->r);
}

/* Does the reference read wire, decoded, as what is in x->want? */
static int reads_back(identity *x, const ref_text *wire)
{
    ref_clear(&x->decoded);
    ref_decode(wire->data, wire->size, &x->decoded);
    ref_parse(x->decoded.data, x->decoded.size, 0, &x->have);
    return ref_log_same(&x->have, &x->want);
}

/* Writes m (whose sizes, also zero, are given apart), and checks: it succeeds if and
   only if a parser can read it back; the reference and the reader both do; a failure is
   `error`. */
static void check_identity(identity *x, ws_sse_message m, size_t event_n, size_t id_n,
                           size_t n, int error)
{
    char *event = m.event && event_n ? exact(m.event, event_n) : NULL;
    char *id = m.id && id_n ? exact(m.id, id_n) : NULL;
    char *data = m.data && n ? exact(m.data, n) : NULL;
    int fault;

    if (event) m.event = event;
    if (id) m.id = id;
    if (data) m.data = data;
    m.event_size = event_n;
    m.id_size = id_n;
    m.size = n;
    ref_log_clear(&x->want);
    if (m.data) {
        normalised(m.data, n, &x->data);
        ref_log_event(&x->want, m.event && event_n ? m.event : "message",
                      m.event && event_n ? event_n : 7, m.id ? m.id : "", m.id ? id_n : 0,
                      x->data.data, x->data.size);
    }
    if (m.id) ref_add(&x->want.last_id, m.id, id_n);
    if (m.retry) x->want.retry = m.retry;

    fault = writes(&m, &x->wire);
    if (fault) {
        CHECK_INT(fault, error);
        naive(&m, event_n, id_n, n, &x->plain);
        CHECK(!reads_back(x, &x->plain) || (m.event && event_n && !m.data));
    } else {
        CHECK(reads_back(x, &x->wire));
        reader_begin(&x->r, 256);
        CHECK(reader_feed(&x->r, x->wire.data, x->wire.size));
        if (!ref_log_same(reader_end(&x->r), &x->want))
            differs(x->wire.data, x->wire.size, &x->r.log, &x->want);
        free(x->r.memory);
        x->r.memory = NULL;
    }
    free(event);
    free(id);
    free(data);
}

/* All strings of up to 4 over the alphabet; field 0 event, 1 id, 2 data. Returns how
   many were accepted. */
static long exhaust(int field, int error)
{
    identity x;
    size_t n, i, all = 1;
    long accepted = 0;

    memset(&x, 0, sizeof x);
    for (n = 0; n <= 4; n++, all *= 9)
        for (i = 0; i < all; i++) {
            char s[5] = { 0 };
            size_t k, v = i;
            ws_sse_message m = message(field == 0 ? s : NULL, field == 1 ? s : NULL,
                                       field == 2 ? s : "x");
            for (k = 0; k < n; k++, v /= 9) s[k] = alphabet[v % 9];
            check_identity(&x, m, field == 0 ? n : 0, field == 1 ? n : 0,
                           field == 2 ? n : 1, error);
            m.event_size = field == 0 ? n : 0;
            m.id_size = field == 1 ? n : 0;
            m.size = field == 2 ? n : 1;
            accepted += ws_sse_format(&m, NULL, 0) > 0;
        }
    identity_free(&x);
    return accepted;
}

/* Of the 7381 strings those are good that have only k allowed bytes and the four
   characters that EF, BB and BF can form: f(n) = k f(n-1) + 4 f(n-3). */
static long good_strings(long k)
{
    long f[5] = { 1 }, sum = 1;
    int n;

    for (n = 1; n <= 4; n++) {
        f[n] = k * f[n - 1] + (n >= 3 ? 4 * f[n - 3] : 0);
        sum += f[n];
    }
    return sum;
}

TEST(identity_event) { CHECK_INT(exhaust(0, WS_SSE_ERR_EVENT), good_strings(4)); }
TEST(identity_id) { CHECK_INT(exhaust(1, WS_SSE_ERR_ID), good_strings(3)); }
TEST(identity_data) { CHECK_INT(exhaust(2, WS_SSE_ERR_DATA), good_strings(6)); }

/* A comment is read by people: it is the one line that begins with a colon, as it was
   given. */
TEST(identity_comment)
{
    ref_text wire, want, decoded;
    size_t n, i, all = 1;
    long accepted = 0;

    memset(&wire, 0, sizeof wire);
    memset(&want, 0, sizeof want);
    memset(&decoded, 0, sizeof decoded);
    for (n = 0; n <= 4; n++, all *= 9)
        for (i = 0; i < all; i++) {
            char s[5] = { 0 };
            size_t k, v = i;
            int fault, good;
            ws_sse_message m = message("e", "i", "x");
            for (k = 0; k < n; k++, v /= 9) s[k] = alphabet[v % 9];
            m.comment = s;
            m.comment_size = n;
            fault = writes(&m, &wire);
            ref_clear(&decoded);
            ref_decode(s, n, &decoded);
            good = decoded.size == n && !memcmp(decoded.data, s, n) &&
                   !memchr(s, '\r', n) && !memchr(s, '\n', n);
            CHECK_INT(fault, good ? 0 : WS_SSE_ERR_COMMENT);
            if (fault) continue;
            accepted++;
            ref_clear(&want);
            ref_add(&want, ": ", 2);
            ref_add(&want, s, n);
            ref_add(&want, "\nevent: e\nid: i\ndata: x\n\n", 25);
            CHECK(ref_same(&wire, &want));
        }
    CHECK_INT(accepted, good_strings(4));
    ref_free(&wire);
    ref_free(&want);
    ref_free(&decoded);
}

/* All fields at a time, each none, empty, or one of the alphabet's letters or a whole
   BOM. */
TEST(identity_together)
{
    identity x;
    int e, i, d;

    memset(&x, 0, sizeof x);
    for (e = 0; e < 12; e++) for (i = 0; i < 12; i++) for (d = 0; d < 12; d++) {
        static char text[12][4];
        static const size_t sizes[12] = { 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3 };
        ws_sse_message m;
        int k, error;
        for (k = 2; k < 11; k++) text[k][0] = alphabet[k - 2];
        memcpy(text[11], "\xEF\xBB\xBF", 3);
        m = message(e ? text[e] : NULL, i ? text[i] : NULL, d ? text[d] : NULL);
        m.retry = (e + i + d) % 3 == 0 ? 1 + e * 1000 + i : 0;
        error = e >= 5 && e <= 10 && e != 7 ? WS_SSE_ERR_EVENT
                : i >= 5 && i <= 10         ? WS_SSE_ERR_ID
                : d >= 8 && d <= 10         ? WS_SSE_ERR_DATA
                                            : WS_SSE_ERR_NO_DATA;
        check_identity(&x, m, sizes[e], sizes[i], sizes[d], error);
    }
    identity_free(&x);
}

TEST(identity_retry)
{
    static const long values[] = { 1,
                                   9,
                                   10,
                                   99,
                                   100,
                                   1000,
                                   65535,
                                   999999999,
                                   2147483647,
                                   LONG_MAX / 10,
                                   LONG_MAX - 1,
                                   LONG_MAX };
    identity x;
    size_t i;

    memset(&x, 0, sizeof x);
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        ws_sse_message m = message(NULL, NULL, "x");
        m.retry = values[i];
        check_identity(&x, m, 0, 0, 1, 0);
        m.data = NULL;
        check_identity(&x, m, 0, 0, 0, 0);
    }
    identity_free(&x);
}

/* ---- reader: a vector for every rule ---- */

typedef struct vector {
    const char *stream;
    size_t n;
    const char *want;
    size_t want_n;
    long retry;
    const char *last_id;
} vector;
#define V(stream, want) { stream, sizeof(stream) - 1, want, sizeof(want) - 1, -1, NULL },
#define VR(stream, want, retry) \
    { stream, sizeof(stream) - 1, want, sizeof(want) - 1, retry, NULL },
#define VI(stream, want, id) \
    { stream, sizeof(stream) - 1, want, sizeof(want) - 1, -1, id },

/* Each at every cut, against what is written here and against the reference. */
static void check_vectors(const vector *v, size_t count)
{
    ref_log want;
    size_t i;

    memset(&want, 0, sizeof want);
    for (i = 0; i < count; i++) {
        ref_parse(v[i].stream, v[i].n, 0, &want);
        if (want.text.size != v[i].want_n ||
            memcmp(want.text.data, v[i].want, v[i].want_n) || want.retry != v[i].retry ||
            (v[i].last_id && strcmp(want.last_id.data, v[i].last_id))) {
            CHECK(!"the reference and the vector differ");
            printf("    vector %lu: %s\n", (unsigned long)i, v[i].stream);
            show("have", &want);
        }
        compare_all_cuts(v[i].stream, v[i].n, 256, &want);
        compare_all_cuts(v[i].stream, v[i].n, 64, &want);
    }
    ref_log_free(&want);
}
#define CHECK_VECTORS(v) check_vectors(v, sizeof v / sizeof *v)

TEST(parse_byte_order_mark)
{
    static const vector v[] = {
        V("\xEF\xBB\xBF" "data: x\n\n", "message||x;")
        V("\xEF\xBB\xBF\xEF\xBB\xBF" "data: x\n\ndata: y\n\n", "message||y;")
        V("data: x\n\n\xEF\xBB\xBF" "data: y\n\n", "message||x;")
        V("\n\xEF\xBB\xBF" "data: x\n\n", "")
        V("\xEF\xBB" "data: x\n\ndata: y\n\n", "message||y;")
        V("\xEF" "data: x\n\ndata: y\n\n", "message||y;")
        V("\xEF\xBB\n\ndata: y\n\n", "message||y;")
        V("\xEF:data\rdata: y\n\n", "message||y;")
        V("\xBB\xBF" "data: x\n\n", "")
        V("\xEF\xBB\xBF\n\ndata: x\n\n", "message||x;")
        V("\xEF\xBB\xBF\r\ndata: x\n\n", "message||x;")
        V("\xEF\xBB\xBF:\ndata: \xEF\xBB\xBF\n\n", "message||\xEF\xBB\xBF;")
        V("\xEF\xBB\xBF", "") V("\xEF\xBB", "") V("\xEF", "") V("", "")
    };
    CHECK_VECTORS(v);
}

TEST(parse_line_ends)
{
    static const vector v[] = {
        V("data: a\ndata: b\n\n", "message||a\nb;") V("data: a\rdata: b\r\r",
                                                      "message||a\nb;")
            V("data: a\r\ndata: b\r\n\r\n",
              "message||a\nb;") V("data: a\r\n\rdata: b\n\r", "message||a;message||b;")
                V("data: a\r\r\ndata: b\n\n", "message||a;message||b;")
                    V("data: a\n\r\n\r\r\ndata: b\r\n\n", "message||a;message||b;")
                        V("data: a\r\n", "") V("data: a\r", "") V("data: a\n", "")
                            V("data: a", "") V("\r\r\r\n\n\ndata\r\n\r\n", "message||;")
                                V("\ndata: a\n\n", "message||a;")
                                    V("\rdata: a\n\n", "message||a;")
                                        V("\r\ndata: a\r\r", "message||a;")
                                            V("data: a\r\rdata: b\r\r",
                                              "message||a;message||b;") V("data: a\x0B"
                                                                          "b\x0C"
                                                                          "c\xC2\x85"
                                                                          "d\xE2\x80\xA8"
                                                                          "e\n\n",
                                                                          "message||a\x0B"
                                                                          "b\x0C"
                                                                          "c\xC2\x85"
                                                                          "d\xE2\x80\xA8"
                                                                          "e;")
    };
    CHECK_VECTORS(v);
}

/* a CR at the end of a chunk ends the line now: the event is there before the next
   byte */
TEST(parse_cr_dispatches_at_once)
{
    static const char *const chunks[] = {
        "data: a\r", "\r", "\n", "data: b\r\n\r", "\ndata: c\n\n", "\r", "\n",
        "data\r",    "\n", "\r"
    };
    static const size_t events[] = { 0, 1, 1, 2, 3, 3, 3, 3, 3, 4 };
    reader r;
    size_t i;

    memset(&r, 0, sizeof r);
    reader_begin(&r, 64);
    for (i = 0; i < sizeof events / sizeof *events; i++) {
        CHECK(reader_feed(&r, chunks[i], strlen(chunks[i])));
        CHECK_INT(r.log.events, events[i]);
    }
    CHECK_STR(r.log.text.data, "message||a;message||b;message||c;message||;");
    reader_free(&r);
}

TEST(parse_fields)
{
    static const vector v[] = {
        /* the colon and one space */
        V("data:x\n\n", "message||x;") V("data: x\n\n", "message||x;") V("data:  x\n\n",
                                                                         "message|| x;")
            V("data:\tx\n\n", "message||\tx;") V("data: x \n\n", "message||x ;")
                V("data::x\n\n", "message||:x;") V("data: :x: \n\n", "message||:x: ;")
                    V("data:   \n\n", "message||  ;") V("data: \0x\n\n", "message||\0x;")
        /* without a colon the line is the name */
        V("data\n\n", "message||;") V("data\ndata\n\n", "message||\n;")
            V("data\ndata\ndata\n\n", "message||\n\n;") V("data:\n\n", "message||;")
                V("data: \n\n", "message||;")
                    V("data:x\ndata\ndata:y\n\n", "message||x\n\ny;")
                        V("event\ndata:x\n\n", "message||x;")
                            V("event:a\nevent\ndata:x\n\n", "message||x;")
        /* comments */
        V(":\n\n", "") V(":data: x\n\n", "")
            V(": x\ndata: a\n:data: b\n: \ndata: c\n\n", "message||a\nc;")
                V("data: a\n\n:\n:\n\n:::\n\n", "message||a;")
                    V(":\0\ndata:x\n\n", "message||x;")
        /* unknown fields, names that are nearly known */
        V("foo: x\ndata: a\nbar\n\n",
          "message||a;") V("foo: x\n\n", "") V("Data: x\n\n", "") V("DATA: x\n\n", "")
            V("Event: e\nID: 1\ndata: x\n\n", "message||x;") V(" data: x\n\n", "")
                V("data : x\n\n", "") V("dat: x\n\n", "") V("datax: x\n\n", "")
                    V("data\0: x\n\n", "") V("\0data: x\n\n", "") V("dataa\n\n", "") V(
                        "even: x\neventt: y\nretryy: 1\nret: 2\ni: 3\nidd: 4\ndata:z\n\n",
                        "message||z;") V("eventevent: x\ndatadatadata: y\ndata:z\n\n",
                                         "message||z;")
                        V("a\xFF\x80:x\ndata:z\n\n", "message||z;")
                            V("event\0:x\nid\0:x\nretry\0:1\ndata:z\n\n", "message||z;")
    };
    CHECK_VECTORS(v);
}

TEST(parse_event_names)
{
    static const vector v[] = {
        V("event: e\ndata: x\n\n", "e||x;") V("data: x\nevent: e\n\n", "e||x;")
            V("event:  e\ndata: x\n\n",
              " e||x;") V("event: a\nevent: b\ndata: x\n\n",
                          "b||x;") V("event: abc\nevent: d\ndata: x\n\n", "d||x;")
                V("event: e\ndata: x\n\ndata: y\n\n", "e||x;message||y;")
                    V("event: e\n\ndata: x\n\n", "message||x;")
                        V("event: e\nid: 1\n\ndata: x\n\n", "message|1|x;")
                            V("event:\ndata: x\n\n", "message||x;")
                                V("event: e\nevent:\ndata: x\n\n", "message||x;")
                                    V("event: a\0b\ndata: x\n\n", "a\0b||x;")
                                        V("event: message\ndata: x\n\n", "message||x;")
                                            V("event: \xFF\ndata: x\n\n", "\xFF||x;")
                                                V("data: x\nevent: e\n", "")
    };
    CHECK_VECTORS(v);
}

TEST(parse_ids)
{
    static const vector v[] = {
        VI("id: 1\ndata: x\n\n", "message|1|x;", "1") VI(
            "id: 1\ndata: x\n\ndata: y\n\n", "message|1|x;message|1|y;",
            "1") VI("id\ndata: x\n\n", "message||x;",
                    "") VI("id: 1\ndata:x\n\nid\ndata:y\n\n", "message|1|x;message||y;",
                           "") VI("id: 1\ndata:x\n\nid:\ndata:y\n\n",
                                  "message|1|x;message||y;", "") VI("id: 1\n\n", "", "1")
            VI("id: 1\n\ndata: x\n\n", "message|1|x;", "1") VI("id: 1\n", "", "") VI(
                "id: 1\ndata: x\n", "", "") VI("id: 1\n\nid: 2\n", "", "1")
                VI("id: a\0b\ndata: x\n\n", "message||x;",
                   "") VI("id: 1\nid: \0\ndata: x\n\n", "message|1|x;",
                          "1") VI("id: 1\n\nid: a\0\ndata: x\n\n", "message|1|x;",
                                  "1") VI("id: 1\n\nid: 2\nid: \0"
                                          "3\ndata: x\n\n",
                                          "message|2|x;", "2")
                    VI("id: 1\nid: 2\nid: 3\nid: 4\ndata: x\n\n", "message|4|x;", "4") VI(
                        "id: 1\n\nid: 2\nid: 3\ndata: x\n\nid: 4\nid: \0\n\ndata: y\n\n",
                        "message|3|x;message|4|y;",
                        "4") VI("id: 1\nid:\ndata: x\n\n", "message||x;", "")
                        VI("data: x\nid: 7\n\n", "message|7|x;", "7")
                            VI("id:  1 \ndata: x\n\n", "message| 1 |x;", " 1 ")
                                VI("id: abcdefg\nid: h\ndata: x\n\n", "message|h|x;", "h")
    };
    CHECK_VECTORS(v);
}

TEST(parse_retry)
{
    static const vector v[] = {
        VR("retry: 1000\n", "", 1000) VR("retry: 1000\n\n", "", 1000)
            VR("retry:1000\ndata: x\n\n", "message||x;", 1000) VR("retry: 0\n", "", 0)
                VR("retry: 0010\n", "", 10) VR("retry: 1\nretry: 2\n", "", 2)
                    VR("retry: 1\nretry: 2x\n", "", 1) VR("retry: 1\nretry\n", "", 1) VR(
                        "retry: 1\nretry:\n", "", 1) VR("retry: 1\nretry: \n", "", 1)
                        VR("retry:  1\n", "", -1) VR("retry: 1 \n", "", -1)
                            VR("retry: -1\n", "", -1) VR("retry: +1\n", "", -1) VR(
                                "retry: 1.5\n", "", -1) VR("retry: 1e3\n", "", -1)
                                VR("retry: 0x10\n", "", -1) VR("retry: 1\0\n", "", -1) VR(
                                    "retry: /\nretry: :\nretry: \xB2\n", "",
                                    -1) VR("retry: \xD9\xA1\n", "", -1)
                                    VR("retry: 5", "", -1) VR("Retry: 5\n", "", -1)
                                        VR("retry: 999999999999999999999\n", "", LONG_MAX)
    };
    CHECK_VECTORS(v);
}

/* the cases of the web platform tests, eventsource/format-* */
TEST(sec_J3_web_platform_tests)
{
    static const vector v[] = {
        V("\xEF\xBB\xBF"
          "data:1\n\n\xEF\xBB\xBF"
          "data:2\n\ndata:3\n\n",
          "message||1;message||3;") V("\xEF\xBB\xBF\xEF\xBB\xBF"
                                      "data:1\n\ndata:2\n\ndata:3\n\n",
                                      "message||2;message||3;")
            V("data:1\r:\0\n:\r\n"
              "data:2\n:xxxxxxxxxxxxxxxxxxxxxxxxxxxx\rdata:3\n:data:fail\r:x\ndata:4\n\n",
              "message||1\n2\n3\n4;") VR("retry:1000\ndata:test1\n\nid:test\ndata:test2",
                                         "message||test1;",
                                         1000) V("data:\n\ndata\ndata\n\ndata:test\n\n",
                                                 "message||;message||\n;message||test;")
                V("event:test\ndata:x\n\ndata:x\n\n",
                  "test||x;message||x;") V("event: \ndata:data\n\n", "message||data;")
                    V("data:\0\ndata:  "
                      "2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\n"
                      "data:3\rdata:\r\n data:32\ndata:4\n\n",
                      "message||\0\n 2\n1\n3\n\n4;") VR("retry:03000\ndata:x\n\n",
                                                        "message||x;", 3000)
                        VR("retry:3000\nretry:1000x\ndata:x\n\n", "message||x;", 3000) VR(
                            "retry:1000\nretry\ndata:test\n\n", "message||test;", 1000)
                            V("data:test\n "
                "data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
                              "message||test\n\ntest;")
                                V("data:\ttest\rdata: \ndata:test\n\n",
                                  "message||\ttest\n\ntest;")
                                    V("data:test\r\ndata\ndata:test\r\n\r",
                                      "message||test\n\ntest;")
                                        V("data:\0\n\n\n\n", "message||\0;")
                                            V("data:ok\xE2\x80\xA6\n\n",
                                              "message||ok\xE2\x80\xA6;")
                                                VI("id: 1\0"
                                                   "2\ndata:x\n\nid:3\ndata:y\n\n",
                                                   "message||x;message|3|y;", "3")
                                                    VI("id:\xE2\x80\xA6\ndata:x\n\n",
                                                       "message|\xE2\x80\xA6|x;",
                                                       "\xE2\x80\xA6")
    };
    CHECK_VECTORS(v);
}

/* Every stream of up to 6 tokens that matter most, at two cuts. */
TEST(parse_exhaustive)
{
    static const char *const tokens[] = {
        "data", "id", "event", ":", " ", "\n", "\r", "x"
    };
    static const size_t one = 1, three = 3;
    ref_log want;
    size_t n, i, all = 1;

    memset(&want, 0, sizeof want);
    for (n = 0; n <= 6; n++, all *= 8)
        for (i = 0; i < all; i++) {
            char s[64];
            size_t k, v = i, size = 0;
            for (k = 0; k < n; k++, v /= 8) {
                size_t len = strlen(tokens[v % 8]);
                memcpy(s + size, tokens[v % 8], len);
                size += len;
            }
            memcpy(s + size, "\n\ndata\n\n", 8); /* what is left over becomes visible */
            size += 8;
            ref_parse(s, size, 8, &want);
            compare(s, size, 64, &one, 1, &want);
            compare(s, size, 64, i % 2 ? &three : &size, 1, &want);
        }
    ref_log_free(&want);
}

/* ---- reader: random streams ---- */

static void random_stream(ref_text *s, size_t tokens)
{
    static const char *const words[] = { "data",
                                         "event",
                                         "id",
                                         "retry",
                                         ":",
                                         ": ",
                                         " ",
                                         "\n",
                                         "\r",
                                         "\r\n",
                                         "\n\n",
                                         "data: ",
                                         "event: ",
                                         "id: ",
                                         "retry: ",
                                         "data:",
                                         "id:",
                                         "\xEF\xBB\xBF",
                                         "\xEF",
                                         "\xBB",
                                         "\xBF",
                                         "\xC3\xA9",
                                         "\xE2\x82",
                                         "\xF0\x9F\x98\x80",
                                         "\xFF",
                                         "a",
                                         "7",
                                         "42",
                                         "message",
                                         "\r\r",
                                         "\n\n",
                                         "\n\n",
                                         "\n\ndata: x\n\n",
                                         "\ndata: x\n",
                                         "\rdata\r\revent: e\r",
                                         ":comment\n" };
    size_t k;

    ref_clear(s);
    while (tokens--) {
        uint32_t roll = chance(100);
        if (roll < 4) ref_add(s, "\0", 1);
        else if (roll < 8) for (k = chance(40); k; k--) ref_add(s, "y", 1);
        else if (roll == 8)
            for (k = chance(chance(4) ? 200 : 3000); k; k--)
                ref_add(s, k % 7 ? "z" : "\xCE\xB1", k % 7 ? 1 : 2);
        else {
            const char *w = words[chance(sizeof words / sizeof *words)];
            ref_add(s, w, strlen(w));
        }
    }
}

/* Several megabytes in all; memory from the smallest on, so that names get too long,
   events come in parts. The reference reads the bytes as they are, and decoded first. */
TEST(parse_random)
{
    ref_log want, decoded, first;
    ref_text s, text;
    size_t cuts[16], k, n, total = 0, events = 0, most = 0;
    long failed = 0;
    int round;

    memset(&want, 0, sizeof want);
    memset(&decoded, 0, sizeof decoded);
    memset(&first, 0, sizeof first);
    memset(&s, 0, sizeof s);
    memset(&text, 0, sizeof text);
    for (round = 0; round < 16000; round++) {
        size_t memory = round % 4 ? 64 + chance(100) : 64 + chance(4033), parts;
        random_stream(&s, 1 + chance(round % 8 ? 60 : 400));
        ref_parse(s.data, s.size, memory / 8, &want);
        for (k = 0; k < 3; k++) {
            for (n = 0; n < 16; n++)
                cuts[n] = 1 + chance(k == 0 ? 2 : k == 1 ? 20 : 2000);
            parts = compare(s.data, s.size, memory, cuts, 16, &want);
            if (parts > most) most = parts;
        }
        failed += want.error != 0;
        events += want.events;
        total += s.size;
        if (want.error) continue;
        ref_clear(&text);
        ref_decode(s.data, s.size, &text);
        ref_parse(text.data, text.size, 0, &first);
        ref_log_decode(&want, &decoded);
        CHECK(ref_log_same(&decoded, &first));
    }
    CHECK(total > 5000000 && events > 50000);
    CHECK(failed > 1000 && most > 20);
    ref_log_free(&want);
    ref_log_free(&decoded);
    ref_log_free(&first);
    ref_free(&s);
    ref_free(&text);
}

/* Whatever event any stream can say, the writer can: nothing is refused needlessly. */
TEST(write_whatever_was_read)
{
    ref_text s, text;
    ref_log log;
    identity x;
    size_t i, done = 0;
    int round;

    memset(&s, 0, sizeof s);
    memset(&text, 0, sizeof text);
    memset(&log, 0, sizeof log);
    memset(&x, 0, sizeof x);
    for (round = 0; round < 6000; round++) {
        const char *at;
        random_stream(&s, 1 + chance(60));
        ref_clear(&text);
        ref_decode(s.data, s.size, &text);
        ref_parse(text.data, text.size, 0, &log);
        at = log.text.data;
        for (i = 0; i < log.events; i++) {
            size_t sizes[3];
            ws_sse_message m;
            char *event, *id, *data;
            memcpy(sizes, log.sizes.data + i * sizeof sizes, sizeof sizes);
            event = exact(at, sizes[0] + 1);
            id = exact(at + sizes[0] + 1, sizes[1] + 1);
            data = exact(at + sizes[0] + sizes[1] + 2, sizes[2] + 1);
            at += sizes[0] + sizes[1] + sizes[2] + 3;
            m = message(event, id, data);
            id[sizes[1]] = data[sizes[2]] = 0;
            m.event_size = sizes[0];
            m.id_size = sizes[1];
            m.size = sizes[2];
            CHECK(ws_sse_format(&m, NULL, 0) > 0);
            if (sizes[0] < 32 && sizes[1] < 32)
                check_identity(&x, m, sizes[0], sizes[1], sizes[2], 0);
            done++;
            free(event);
            free(id);
            free(data);
        }
    }
    CHECK(done > 5000);
    ref_free(&s);
    ref_free(&text);
    ref_log_free(&log);
    identity_free(&x);
}

/* ---- reader: its memory ---- */

TEST(parser_memory)
{
    char memory[64] = { 0 };
    const char *at = "data: x\n\n";
    size_t n = 9;
    ws_sse_event ev;
    ws_sse_parser p;
    size_t k;

    for (k = 0; k < 64; k++) {
        char *little = (char *)malloc(k ? k : 1);
        if (!little) abort();
        CHECK_INT(ws_sse_parser_init(&p, little, k), WS_SSE_ERR_MEMORY);
        CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), WS_SSE_ERR_MEMORY);
        CHECK_STR(ws_sse_last_id(&p), "");
        ws_sse_parser_restart(&p);
        CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), WS_SSE_ERR_MEMORY);
        CHECK_INT(p.retry, -1);
        CHECK_INT(n, 9);
        free(little);
    }
    CHECK_INT(ws_sse_parser_init(&p, NULL, 4096), WS_SSE_ERR_MEMORY);
    CHECK_STR(ws_sse_last_id(&p), "");
    CHECK_INT(ws_sse_parser_init(&p, memory, 64), 0);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 1);
    CHECK_STR(ev.data, "x");
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 0);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 0);
}

/* Names and ids of every size around the limit, for every memory. */
TEST(parse_too_long)
{
    size_t memory, n;
    ref_log want;
    ref_text s;
    char letters[600];

    memset(&want, 0, sizeof want);
    memset(&s, 0, sizeof s);
    memset(letters, 'n', sizeof letters);
    for (memory = 64; memory <= 4096; memory += memory < 130 ? 1 : 331)
        for (n = memory / 8 - 2; n <= memory / 8 + 1; n++) {
            static const size_t steps[] = { 1, 7, 5000 };
            int kind;
            size_t i;
            for (kind = 0; kind < 4; kind++) {
                ref_clear(&s);
                ref_add(&s, "id: 1\ndata: first\n\n", 19);
                ref_add(&s, kind % 2 ? "id: " : "event: ", kind % 2 ? 4 : 7);
                ref_add(&s, letters, n);
                if (kind < 2) ref_add(&s, "\ndata: second\n\n", 15);
                ref_parse(s.data, s.size, memory / 8, &want);
                CHECK_INT(want.error, n < memory / 8 ? 0 : kind % 2 ? 'i' : 'e');
                CHECK_INT(want.events, want.error || kind > 1 ? 1 : 2);
                for (i = 0; i < 3; i++)
                    compare(s.data, s.size, memory, &steps[i], 1, &want);
            }
        }
    ref_log_free(&want);
    ref_free(&s);
}

/* Data of every size around the room, in one line and in many, for memory of 64 to
   4096. */
TEST(parse_parts)
{
    static const size_t steps[] = { 1, 13, 64, 100000 };
    size_t memory, size, i, most = 0;
    ref_log want;
    ref_text s;
    int lines;

    memset(&want, 0, sizeof want);
    memset(&s, 0, sizeof s);
    for (memory = 64; memory <= 4096; memory += memory < 100 ? 1 : 97 + memory / 3) {
        size_t room = memory - memory / 8 * 4 - 1, parts;
        for (size = 0; size <= 3 * room + 2;
             size += size % room < room - 2 && size % room > 2 ? room / 5 + 1 : 1)
            for (lines = 0; lines < 3; lines++) {
                ref_clear(&s);
                ref_add(&s, "id: 7\nevent: early\ndata: ", 25);
                for (i = 0; i < size; i++) {
                    if (lines == 1 && i % 10 == 9) ref_add(&s, "\ndata: ", 7);
                    else if (lines == 2) ref_add(&s, "\r\ndata", 6);
                    else ref_add(&s, i % 2 ? "p" : "q", 1);
                }
                ref_add(&s, "\nevent: late\nid: 8\n\ndata: after\n\n", 33);
                ref_parse(s.data, s.size, 0, &want);
                CHECK_INT(want.events, 2);
                CHECK_STR(want.last_id.data, "8");
                for (i = 0; i < 4; i++) {
                    parts = compare(s.data, s.size, memory, &steps[i], 1, &want);
                    CHECK_INT(parts, size ? (size + room - 1) / room : 1);
                    if (parts > most) most = parts;
                }
            }
    }
    CHECK_INT(most, 4);
    ref_log_free(&want);
    ref_free(&s);
}

/* The name is certain in the last part, the id in force before it is the old one. */
TEST(parse_parts_name_and_id)
{
    static const char s[] =
        "id: old\ndata: x\n\nid: new\ndata: "
        "0123456789012345678901234567890123456789\nevent: e\n\n";
    char memory[64];
    const char *at = s;
    size_t n = sizeof s - 1;
    ws_sse_event ev;
    ws_sse_parser p;

    CHECK_INT(ws_sse_parser_init(&p, memory, sizeof memory), 0);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 1);
    CHECK(ev.first && ev.last);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 1);
    CHECK(ev.first && !ev.last);
    CHECK_STR(ev.event, "message");
    CHECK_STR(ev.id, "old");
    CHECK_STR(ev.data, "0123456789012345678901234567890");
    CHECK_STR(ws_sse_last_id(&p), "old");
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 1);
    CHECK(!ev.first && ev.last);
    CHECK_STR(ev.event, "e");
    CHECK_STR(ev.id, "new");
    CHECK_STR(ev.data, "123456789");
    CHECK_STR(ws_sse_last_id(&p), "new");
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 0);
}

/* Restarted after every byte: the next stream is read as if it were the first, BOM
   included, but for id and retry, which stay. */
TEST(restart_anywhere)
{
    static const char s[] =
        "\xEF\xBB\xBFid: 1\nretry: 5\nevent: e\ndata: x\r\n\r\nid: 2\nretry: 6\r\n"
        "event: f\ndata: "
        "long enough for several parts of it\ndata: y\n\n";
    static const char after[] = "\xEF\xBB\xBF" "data: a\n\nid: 3\ndata: b\n\n";
    size_t i;

    for (i = 0; i <= sizeof s - 1; i++) {
        ref_log want, next;
        char id[64];
        long retry;
        reader r;
        memset(&want, 0, sizeof want);
        memset(&next, 0, sizeof next);
        memset(&r, 0, sizeof r);
        ref_parse(s, i, 0, &want);
        reader_begin(&r, 64);
        CHECK(reader_feed(&r, s, i));
        strcpy(id, ws_sse_last_id(&r.p));
        retry = r.p.retry;
        CHECK_STR(id, want.last_id.data);
        CHECK_INT(retry, want.retry);
        ws_sse_parser_restart(&r.p);
        CHECK_STR(ws_sse_last_id(&r.p), id);
        CHECK_INT(r.p.retry, retry);
        ref_log_clear(&r.log);
        ref_clear(&r.data);
        r.parts = 0;
        CHECK(reader_feed(&r, after, sizeof after - 1));
        reader_end(&r);
        ref_log_clear(&next);
        ref_log_event(&next, "message", 7, id, strlen(id), "a", 1);
        ref_log_event(&next, "message", 7, "3", 1, "b", 1);
        ref_add(&next.last_id, "3", 1);
        next.retry = retry;
        if (!ref_log_same(&r.log, &next)) differs(s, i, &r.log, &next);
        ref_log_free(&want);
        ref_log_free(&next);
        reader_free(&r);
    }
}

TEST(restart_after_error)
{
    char memory[64];
    static const char bad[] = "id: 1\n\nid: much too long for this\n",
                      good[] = "data: x\n\n";
    const char *at = bad;
    size_t n = sizeof bad - 1;
    ws_sse_event ev;
    ws_sse_parser p;

    CHECK_INT(ws_sse_parser_init(&p, memory, sizeof memory), 0);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), WS_SSE_ERR_ID_SIZE);
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), WS_SSE_ERR_ID_SIZE);
    CHECK_STR(ws_sse_last_id(&p), "1");
    ws_sse_parser_restart(&p);
    at = good;
    n = sizeof good - 1;
    CHECK_INT(ws_sse_parse(&p, &at, &n, &ev), 1);
    CHECK_STR(ev.id, "1");
    CHECK_STR(ev.data, "x");
}

/* ---- streams of language models ---- */

static void add_string(ref_text *s, const char *text) { ref_add(s, text, strlen(text)); }

static void openai(ref_text *s, size_t big)
{
    static const char *const tokens[] = {
        "Hello", ",", " w\xC3\xB6rld", "!", "\\n\\n", "data: [DONE]", " \xF0\x9F\x98\x80"
    };
    size_t i;

    ref_clear(s);
    for (i = 0; i < 7; i++) {
        add_string(
            s,
            "data: "
            "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
            "\"choices\":[{\"index\":0,"
            "\"delta\":{\"content\":\"");
        add_string(s, tokens[i]);
        add_string(s, "\"},\"finish_reason\":null}]}\n\n");
    }
    if (big) {
        add_string(s, "data: {\"tool\":\"");
        for (i = 0; i < big; i++) ref_add(s, i % 64 ? "a" : " ", 1);
        add_string(s, "\"}\n\n");
    }
    add_string(s, "data: [DONE]\n\n");
}

static void anthropic(ref_text *s, size_t big)
{
    size_t i;

    ref_clear(s);
    add_string(
        s,
        "event: message_start\r\n"
        "data: {\"type\":\"message_start\",\"message\":{\"role\":\"assistant\"}}\r\n\r\n"
        "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n: keep-alive\r\n\r\n");
    for (i = 0; i < 5; i++)
        add_string(
            s,
            "event: content_block_delta\r\n"
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
            "{\"type\":\"text_delta\",\"text\":\"ok\"}}\r\n\r\n");
    if (big) {
        add_string(s, "event: content_block_delta\r\ndata: ");
        for (i = 0; i < big; i++) ref_add(s, i % 1000 ? "x" : "\\", 1);
        add_string(s, "\r\n\r\n");
    }
    add_string(s, "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n");
}

TEST(language_model_streams)
{
    static const size_t memories[] = { 256, 1024, 4096, 100000 };
    void (*const make[])(ref_text *s, size_t big) = { openai, anthropic };
    ref_text s;
    ref_log want;
    size_t i, k, m, cuts[2];

    memset(&s, 0, sizeof s);
    memset(&want, 0, sizeof want);
    for (i = 0; i < 2; i++) {
        make[i](&s, 0);
        ref_parse(s.data, s.size, 0, &want);
        CHECK_INT(want.events, 8);
        for (k = 1; k <= s.size; k++) { /* chunks of every size, one cut anywhere */
            cuts[0] = k;
            cuts[1] = s.size;
            compare(s.data, s.size, 256, cuts, 1, &want);
            compare(s.data, s.size, 4096, cuts, 2, &want);
        }
        make[i](&s, 40000);
        ref_parse(s.data, s.size, 0, &want);
        CHECK_INT(want.events, 9);
        for (m = 0; m < 4; m++)
            for (k = 1; k <= s.size; k += k < 100 ? 1 : k / 7)
                compare(s.data, s.size, memories[m], &k, 1, &want);
        for (k = 0; k <= s.size; k += k < 1200 || k + 1200 > s.size ? 1 : 977) {
            cuts[0] = k;
            cuts[1] = s.size;
            compare(s.data, s.size, 4096, cuts, 2, &want);
        }
    }
    ref_free(&s);
    ref_log_free(&want);
}

/* ---- cost ---- */

/* Bytes searched per byte of input, for chunks that hold many short lines of one kind,
   and one long line read in many parts: time must not grow with the size of a chunk. */
TEST(linear_time)
{
    static const char *const lines[] = {
        "d\r",           "d\n",         "\r",      "\n",  "d\r\n",
        "data: abc\r",   "data: abc\n", "id: 1\r", ":\r", "data: abc\r\r",
        "data: abc\n\n", "x",           "data: x"
    };
    size_t i, n;

    for (i = 0; i < sizeof lines / sizeof *lines; i++) {
        double cost[2];
        for (n = 0; n < 2; n++) {
            ref_text s;
            char memory[128];
            const char *at;
            size_t size, left;
            ws_sse_event ev;
            ws_sse_parser p;
            memset(&s, 0, sizeof s);
            if (i + 2 > sizeof lines / sizeof *lines) ref_add(&s, "data: ", 6);
            size = n ? 1000000 : 10000;
            while (s.size < size) add_string(&s, lines[i]);
            at = s.data;
            left = s.size;
            searched = 0;
            CHECK_INT(ws_sse_parser_init(&p, memory, sizeof memory), 0);
            while (ws_sse_parse(&p, &at, &left, &ev) > 0) { }
            CHECK_INT(left, 0);
            cost[n] = (double)searched / (double)s.size;
            ref_free(&s);
        }
        CHECK(cost[1] <= cost[0] * 1.1 + 0.1 && cost[1] <= 260);
        if (cost[1] > cost[0] * 1.1 + 0.1)
            printf("    %lu: %g, then %g\n", (unsigned long)i, cost[0], cost[1]);
    }
    for (i = 0; i < 2; i++) {           /* the writer, too */
        double cost[2];
        for (n = 0; n < 2; n++) {
            ref_text s;
            ws_sse_message m;
            memset(&s, 0, sizeof s);
            while (s.size < (n ? 1000000 : 10000)) ref_add(&s, i ? "a\r" : "a\n", 2);
            m = message(NULL, NULL, s.data);
            m.size = s.size;
            searched = 0;
            CHECK(ws_sse_format(&m, NULL, 0) > (ptrdiff_t)s.size);
            cost[n] = (double)searched / (double)s.size;
            ref_free(&s);
        }
        CHECK(cost[1] <= cost[0] * 1.1 + 0.1 && cost[1] <= 260);
    }
}

/* ---- threats ---- */

/* Attacks on writers: whatever the values, one event comes out, or none is written. */
TEST(sec_J1_one_event_or_none)
{
    static const char *const attacks[] = { "x\n\nevent: admin\ndata: owned",
                                           "x\revent: admin\rdata: owned\r\r",
                                           "x\r\nid: 666\r\n",
                                           "x\ndata: owned\n\n",
                                           "x\rdata: owned\r\r",
                                           "\n\n",
                                           "\r\r",
                                           "\r\n\r\n",
                                           "x\nretry: 1",
                                           "\xE2\x80\xA8"
                                           "data: x",
                                           "\xC2\x85"
                                           "data: x",
                                           "x\x0B"
                                           "data: y",
                                           "x\x0C"
                                           "data: y",
                                           ": comment\n\ndata: owned" };
    identity x;
    size_t i, k;

    memset(&x, 0, sizeof x);
    for (i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        const char *a = attacks[i];
        size_t n = strlen(a);
        ref_text out;
        ws_sse_message m = message(NULL, NULL, "ok");
        memset(&out, 0, sizeof out);
        check_identity(&x, message(a, NULL, "ok"), n, 0, 2, WS_SSE_ERR_EVENT);
        check_identity(&x, message(NULL, a, "ok"), 0, n, 2, WS_SSE_ERR_ID);
        check_identity(&x, message(NULL, NULL, a), 0, 0, n, 0);
        check_identity(&x, message("e", "i", a), 1, 1, n, 0);
        m.comment = a;
        if (writes(&m, &out) == 0) {
            CHECK(!strpbrk(a, "\r\n"));
            ref_parse(out.data, out.size, 0, &x.have);
            CHECK_STR(x.have.text.data, "message||ok;");
        } else CHECK(strpbrk(a, "\r\n"));
        ref_free(&out);
    }
    for (k = 0; k < 200000; k++) {      /* any bytes in all fields at once */
        char text[4][12];
        size_t size[4], j, b;
        for (j = 0; j < 4; j++) {
            size[j] = chance(4) ? chance(6) : 0;
            for (b = 0; b < size[j]; b++)
                text[j][b] = chance(8) ? alphabet[chance(9)] : (char)chance(256);
            text[j][size[j]] = 0;
        }
        {
            ws_sse_message m = message(chance(2) ? text[0] : NULL,
                                       chance(2) ? text[1] : NULL,
                                       chance(4) ? text[2] : NULL);
            int fault;
            m.retry = chance(3) ? 0 : (long)chance(100000);
            m.event_size = size[0];
            m.id_size = size[1];
            m.size = size[2];
            fault = ws_sse_write(&m, NULL, NULL);
            check_identity(&x, m, m.event ? size[0] : 0, m.id ? size[1] : 0, size[2],
                           fault);
        }
    }
    identity_free(&x);
}

/* Endless streams: 100 MB of comments, of one comment, of one unknown field, of one
   field name, of data lines without an end, of one data line: 64 bytes suffice. */
TEST(sec_J2_endless_streams)
{
    static const struct { const char *begin, *again; int parts;
    } rows[] = {
        { "", ": comment\n", 0 },
        { ":", "comment without end ", 0 },
        { "unknown:", "value ", 0 },
        { "", "name", 0 },
        { "", "data: line\n", 1 },
        { "data: ", "one line ", 1 },
        { "retry: ", "9", 0 },
        { "", "id: 12345\n", 0 },
        { "", "event: e\n", 0 },
        { "", "\n", 0 },
        { "", "\r", 0 },
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *memory = (char *)malloc(64);
        ref_text chunk;
        unsigned long long fed = 0, shown = 0;
        const unsigned long long limit = i < 2 ? 100000000 : 10000000;
        ws_sse_event ev;
        ws_sse_parser p;
        const char *at = rows[i].begin;
        size_t left = strlen(at);
        memset(&chunk, 0, sizeof chunk);
        while (chunk.size < 65536) add_string(&chunk, rows[i].again);
        CHECK_INT(ws_sse_parser_init(&p, memory, 64), 0);
        CHECK_INT(ws_sse_parse(&p, &at, &left, &ev), 0);
        while (fed < limit) {
            at = chunk.data;
            left = chunk.size;
            while (ws_sse_parse(&p, &at, &left, &ev) > 0) {
                CHECK(!ev.last && ev.size == 31);
                shown += ev.size;
            }
            CHECK_INT(left, 0);
            fed += chunk.size;
        }
        CHECK(rows[i].parts ? shown > limit / 3 : shown == 0);
        ref_free(&chunk);
        free(memory);
    }
}

/* A retry too large for its type stays at the largest; an id is fit for a header line. */
TEST(sec_J4_huge_retry_and_ids)
{
    static const char *const digits[] = { "99999999999999999999",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551616",
                                          "18446744073709551617",
                                          "2147483647",
                                          "2147483648",
                                          "4294967296",
                                          "4294967297",
                                          "00000000000000000000000000000001",
                                          "340282366920938463463374607431768211456" };
    ref_text s;
    ref_log want;
    size_t i;

    memset(&s, 0, sizeof s);
    memset(&want, 0, sizeof want);
    for (i = 0; i < sizeof digits / sizeof *digits; i++) {
        ref_clear(&s);
        add_string(&s, "retry: ");
        add_string(&s, digits[i]);
        add_string(&s, "\n\n");
        ref_parse(s.data, s.size, 0, &want);
        CHECK(want.retry > 0);
        compare_all_cuts(s.data, s.size, 64, &want);
    }
    for (i = 0; i < 5000; i++) {
        char memory[64];
        const char *at;
        size_t left;
        ws_sse_event ev;
        ws_sse_parser p;
        int result;
        random_stream(&s, 60);
        at = s.data;
        left = s.size;
        CHECK_INT(ws_sse_parser_init(&p, memory, sizeof memory), 0);
        do result = ws_sse_parse(&p, &at, &left, &ev); while (result > 0);
        CHECK(!strpbrk(ws_sse_last_id(&p), "\r\n") && strlen(ws_sse_last_id(&p)) < 8 &&
              p.retry >= -1);
    }
    ref_free(&s);
    ref_log_free(&want);
}

TESTS(T(error_strings) T(write_bytes) T(write_sizes_given) T(write_faults) T(write_utf8)
      T(write_every_room) T(write_huge) T(write_every_failure) T(identity_event)
      T(identity_id) T(identity_data) T(identity_comment) T(identity_together)
      T(identity_retry) T(parse_byte_order_mark) T(parse_line_ends)
      T(parse_cr_dispatches_at_once) T(parse_fields) T(parse_event_names) T(parse_ids)
      T(parse_retry) T(parse_exhaustive) T(parse_random) T(write_whatever_was_read)
      T(parser_memory) T(parse_too_long) T(parse_parts) T(parse_parts_name_and_id)
      T(restart_anywhere) T(restart_after_error) T(language_model_streams)
      T(linear_time) T(sec_J1_one_event_or_none) T(sec_J2_endless_streams)
      T(sec_J3_web_platform_tests) T(sec_J4_huge_retry_and_ids))
