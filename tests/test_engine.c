/* The engine past its opening handshake, both roles: frames, messages, control frames,
   the closing handshake, deadlines, sending. sec_ names are rows of threats.md. */
#include "fixture.h"

/* ==== transcripts =================================================================== */

enum { SILENT, ECHO, CLOSE_AT_OPEN, CLOSE_AT_MESSAGE, PING_AT_OPEN };

typedef struct transcript {
    const char *roles;      /* who we are: c, s */
    int mode;
    const char *in;         /* the peer's frames, then its stream ends */
    const char *events;     /* after OPEN */
    const char *out;        /* our frames; NULL: see the event */
} transcript;

static const transcript transcripts[] = {
    /* whole messages, every boundary of length */
    { "cs", SILENT, "81 88x03e8", "T'' C1000+''", "88:1000" },
    { "cs", SILENT, "81'h' 88x03e8", "T'h' C1000+''", "88:1000" },
    { "cs", SILENT, "82x00ff 88x03e8", "Bx00ff C1000+''", "88:1000" },
    { "cs", SILENT, "81'hello' 88x03e8'bye'", "T'hello' C1000+'bye'", "88:1000" },
    { "cs", SILENT, "81#125 88x03e8", "T#125 C1000+''", "88:1000" },
    { "cs", SILENT, "81#126 88x03e8", "T#126 C1000+''", "88:1000" },
    { "cs", SILENT, "81#127 88x03e8", "T#127 C1000+''", "88:1000" },
    { "cs", SILENT, "82#65535 88x03e8", "B#65535 C1000+''", "88:1000" },
    { "cs", SILENT, "82#65536 88x03e8", "B#65536 C1000+''", "88:1000" },
    { "cs", SILENT, "82#65537 81'x' 88x03e8", "B#65537 T'x' C1000+''", "88:1000" },
    { "cs", SILENT, "81'a' 82'b' 81'c' 82'd' 88", "T'a' B'b' T'c' B'd' C1005+''", "88" },
    { "cs", SILENT, "81xc3a4e282acf09f9880 88", "Txc3a4e282acf09f9880 C1005+''", "88" },
    { "cs", ECHO, "81 81'x' 82#125 82#126 81#300 88x03e8",
      "T'' T'x' B#125 B#126 T#300 C1000+''", "81'' 81'x' 82#125 82#126 81#300 88:1000" },
    { "cs", ECHO, "82#65535 82#65536 88x03e8", "B#65535 B#65536 C1000+''",
      "82#65535 82#65536 88:1000" },
    /* fragments */
    { "cs", SILENT, "01'hel' 80'lo' 88x03e8", "T'hello' C1000+''", "88:1000" },
    { "cs", SILENT, "01 00 80 88x03e8", "T'' C1000+''", "88:1000" },
    { "cs", SILENT, "01'a' 00 80 88x03e8", "T'a' C1000+''", "88:1000" },
    { "cs", SILENT, "01 00'a' 80 88x03e8", "T'a' C1000+''", "88:1000" },
    { "cs", SILENT, "02'a' 00'b' 00'c' 00'd' 80'e' 81'f' 88x03e8",
      "B'abcde' T'f' C1000+''", "88:1000" },
    { "cs", SILENT, "01xe2 00x82 80xac 88x03e8", "Txe282ac C1000+''", "88:1000" },
    { "cs", SILENT, "01#200 80'tail' 88x03e8", NULL, "88:1000" },
    { "cs", SILENT, "01'a' 89'p' 80'b' 88x03e8", "p'p' T'ab' C1000+''", "8a'p' 88:1000" },
    { "cs", SILENT, "01'a' 8a'q' 00'b' 89 80'c' 88x03e8", "q'q' p'' T'abc' C1000+''",
      "8a'' 88:1000" },
    { "cs", ECHO, "01'a' 89'1' 00'b' 89'2' 80'c' 89'3' 88x03e8",
      "p'1' p'2' T'abc' p'3' C1000+''", "8a'1' 8a'2' 81'abc' 8a'3' 88:1000" },
    { "cs", SILENT, "01'a' 88x03e8", "C1000+''", "88:1000" },
    /* control */
    { "cs", SILENT, "89 89'x' 89#125 88", "p'' p'x' p#125 C1005+''",
      "8a'' 8a'x' 8a#125 88" },
    { "cs", SILENT, "8a 8a'x' 8a#125 88", "q'' q'x' q#125 C1005+''", "88" },
    { "cs", PING_AT_OPEN, "8a'other' 8a'hi' 88", "q'other' q'hi' C1005+''", "89'hi' 88" },
    /* closing */
    { "cs", SILENT, "88", "C1005+''", "88" },
    { "cs", SILENT, "88x03e9", "C1001+''", "88:1001" },
    { "cs", SILENT, "88x0bb8'own'", "C3000+'own'", "88:3000" },
    { "cs", SILENT, "88x1387'own'", "C4999+'own'", "88:4999" },
    { "cs", SILENT, "88x03e8#123", "C1000+#123", "88:1000" },
    { "cs", SILENT, "88x03e8'bye' 81'late'", "C1000+'bye'", "88:1000" },
    { "cs", SILENT, "88x03e8'bye' =ffffffffffff", "C1000+'bye'", "88:1000" },
    { "cs", CLOSE_AT_OPEN, "88x03e8'bye'", "C1000+'bye'", "88:1000" },
    { "cs", CLOSE_AT_OPEN, "88x0fa0", "C4000+''", "88:1000" },
    { "cs", CLOSE_AT_OPEN, "88", "C1005+''", "88:1000" },
    { "cs", CLOSE_AT_OPEN, "", "C1006!EOF", "88:1000" },
    { "cs", CLOSE_AT_OPEN, "81'still' 88x03e8", NULL, "88:1000" },
    { "cs", CLOSE_AT_OPEN, "89'x' 88x03e8", NULL, "88:1000 8a'x'" },
    { "cs", CLOSE_AT_MESSAGE, "81'hi' 88x03e9", "T'hi' C1001+''", "88:1000" },
    { "cs", CLOSE_AT_MESSAGE, "89'1' 81'hi' 88x03e9", "p'1' T'hi' C1001+''",
      "8a'1' 88:1000" },
    /* the stream ends */
    { "cs", SILENT, "", "C1006!EOF", "" },
    { "cs", SILENT, "81'x'", "T'x' C1006!EOF", "" },
    { "cs", SILENT, "=81", "C1006!EOF", "" },
    { "cs", SILENT, "01'x'", "C1006!EOF", "" },
    { "cs", SILENT, "01'x' 89'y'", "p'y' C1006!EOF", "8a'y'" },
    { "c", SILENT, "=810568656c6c", "C1006!EOF", "" },
    { "s", SILENT, "=818501020304696e", "C1006!EOF", "" },
    { "c", SILENT, "=827f00000000000ffff0 =4142", "C1006!EOF", "" },
    /* what a peer may not do */
    { "cs", SILENT, "^81'x'", "C1002!MASK", "88:1002" },
    { "cs", SILENT, "81'ok' ^81'x' 81'y'", "T'ok' C1002!MASK", "88:1002" },
    { "cs", SILENT, "c1'x'", "C1002!RSV", "88:1002" },
    { "cs", SILENT, "a1'x'", "C1002!RSV", "88:1002" },
    { "cs", SILENT, "91'x'", "C1002!RSV", "88:1002" },
    { "cs", SILENT, "01'x' c0'y'", "C1002!RSV", "88:1002" },
    { "cs", SILENT, "83'x'", "C1002!OPCODE", "88:1002" },
    { "cs", SILENT, "8b'x'", "C1002!OPCODE", "88:1002" },
    { "cs", SILENT, "81:2'x'", "C1002!LENGTH", "88:1002" },
    { "cs", SILENT, "81:2#125", "C1002!LENGTH", "88:1002" },
    { "cs", SILENT, "81:8'x'", "C1002!LENGTH", "88:1002" },
    { "cs", SILENT, "81:8#65535", "C1002!LENGTH", "88:1002" },
    { "c", SILENT, "=817f8000000000000000", "C1002!LENGTH_SIGN", "88:1002" },
    { "s", SILENT, "=81ff8000000000000000 =00000000", "C1002!LENGTH_SIGN", "88:1002" },
    { "c", SILENT, "=817f7fffffffffffffff", "C1009!MESSAGE_SIZE", "88:1009" },
    { "s", SILENT, "=81ff7fffffffffffffff =00000000", "C1009!MESSAGE_SIZE", "88:1009" },
    { "cs", SILENT, "89#126", "C1002!CONTROL_SIZE", "88:1002" },
    { "cs", SILENT, "8a#126", "C1002!CONTROL_SIZE", "88:1002" },
    { "cs", SILENT, "88#126", "C1002!CONTROL_SIZE", "88:1002" },
    { "cs", SILENT, "09'x'", "C1002!CONTROL_FRAGMENT", "88:1002" },
    { "cs", SILENT, "0a'x'", "C1002!CONTROL_FRAGMENT", "88:1002" },
    { "cs", SILENT, "08x03e8", "C1002!CONTROL_FRAGMENT", "88:1002" },
    { "cs", SILENT, "80'x'", "C1002!CONTINUATION", "88:1002" },
    { "cs", SILENT, "00'x'", "C1002!CONTINUATION", "88:1002" },
    { "cs", SILENT, "01'x' 80'y' 80'z'", "T'xy' C1002!CONTINUATION", "88:1002" },
    { "cs", SILENT, "01'x' 81'y'", "C1002!INTERLEAVED", "88:1002" },
    { "cs", SILENT, "01'x' 02'y'", "C1002!INTERLEAVED", "88:1002" },
    { "cs", SILENT, "01 82", "C1002!INTERLEAVED", "88:1002" },
    { "cs", SILENT, "88x03", "C1002!CLOSE_SIZE", "88:1002" },
    { "cs", SILENT, "88x03ed", "C1002!CLOSE_CODE", "88:1002" },
    { "cs", SILENT, "88x0000", "C1002!CLOSE_CODE", "88:1002" },
    { "cs", SILENT, "88x03e8c328", "C1007!CLOSE_UTF8", "88:1007" },
    { "cs", SILENT, "88x03e8e282", "C1007!CLOSE_UTF8", "88:1007" },
    { "cs", SILENT, "81xc0af", "C1007!UTF8", "88:1007" },
    { "cs", SILENT, "81xeda080", "C1007!UTF8", "88:1007" },
    { "cs", SILENT, "81xe282", "C1007!UTF8", "88:1007" },
    { "cs", SILENT, "01xe2 80x28", "C1007!UTF8", "88:1007" },
    { "cs", SILENT, "01xe282 80", "C1007!UTF8", "88:1007" },
    { "cs", SILENT, "81'ok' 89'p' 81xff 81'no'", "T'ok' p'p' C1007!UTF8",
      "8a'p' 88:1007" },
    { "cs", SILENT, "01'x' 89'p' 01'y'", "p'p' C1002!INTERLEAVED", "8a'p' 88:1002" },
};
#define TRANSCRIPTS (sizeof transcripts / sizeof *transcripts)

static void app(side *s, const ws_event *ev)
{
    switch (s->mode) {
    case ECHO:
        if (ev->type == WS_EV_MESSAGE)
            CHECK_INT(ws_send(s->c, ev->op, ev->data, ev->size), 0);
        break;
    case CLOSE_AT_OPEN:
        if (ev->type == WS_EV_OPEN) CHECK_INT(ws_close(s->c, 1000, "bye"), 0);
        break;
    case CLOSE_AT_MESSAGE:
        if (ev->type == WS_EV_MESSAGE) CHECK_INT(ws_close(s->c, 1000, "bye"), 0);
        break;
    case PING_AT_OPEN:
        if (ev->type == WS_EV_OPEN) CHECK_INT(ws_ping(s->c, "hi", 2), 0);
        break;
    }
}

/* The peer's whole stream, opening handshake included. */
static void peer_stream(buf *b, const char *in, int client, size_t *head)
{
    if (client) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        put_answer(b, &s.out, NULL);
        side_free(&s);
    } else buf_str(b, REQUEST);
    *head = b->n;
    put_frames(b, in, !client);
}

/* Runs one transcript cut at a and at b (step: pieces of that size instead). */
static void run(side *s, world *w, int client, int mode, const buf *in, size_t a,
                size_t b, size_t step, size_t budget)
{
    ws_config cfg = world_fresh(w);
    ws_event ev;

    side_new(s, w, client, &cfg);
    s->mode = mode;
    s->event = app;
    s->budget = budget;
    side_pull(s);
    if (client) s->head = s->out.n;
    if (step) side_feed_by(s, in->p, in->n, step);
    else {
        side_feed(s, in->p, a);
        if (b > a) side_feed(s, in->p + a, b - a);
        side_feed(s, in->p + b, in->n - b);
    }
    if (!client) s->head = head_size(&s->out);
    side_end(s);
    side_time(s, 60000);
    CHECK_INT(s->closes, 1);
    CHECK_INT(ws_finished(s->c), 1);
    CHECK_INT(ws_feed_room(s->c), 0);
    CHECK(ws_feed(s->c, "x", 1) <= 1);      /* taken or not, it is nothing any more */
    CHECK_INT(ws_next(s->c, &ev), 0);
    CHECK_INT(ws_state(s->c), WS_STATE_CLOSED);
    CHECK_INT(ws_error(s->c), s->error);
}

static void expect(const transcript *t, int client, side *s)
{
    buf want = { 0 }, have = { 0 };
    const char *p;

    if (t->events) {
        buf_str(&want, "O ");
        for (p = t->events; *p; p++) {
            buf_byte(&want, *p);
            if (p >= t->events + 4 && !memcmp(p - 4, "!MASK", 5) && p[1] != '_')
                buf_str(&want, client ? "_PRESENT" : "_MISSING");
        }
        buf_str(&want, " ");
        if (strcmp(buf_c(&want), buf_c(&s->log)))
            printf("  %s \"%s\":\n    want %s\n    have %s\n",
                   client ? "client" : "server", t->in, buf_c(&want), buf_c(&s->log));
        CHECK(!strcmp(buf_c(&want), buf_c(&s->log)));
    }
    side_sent(s, &have);
    buf_clear(&want);
    buf_str(&want, t->out);
    if (t->out[0]) buf_str(&want, " ");
    if (strcmp(buf_c(&want), buf_c(&have)))
        printf("  %s \"%s\":\n    want out %s\n    have out %s\n",
               client ? "client" : "server", t->in, buf_c(&want), buf_c(&have));
    CHECK(!strcmp(buf_c(&want), buf_c(&have)));
    buf_free(&want);
    buf_free(&have);
}

/* One transcript in one piece. 0: it is not of this role. */
static int whole_run(side *s, world *w, const transcript *t, int client, buf *in,
                     size_t *head)
{
    memset(in, 0, sizeof *in);
    if (!strchr(t->roles, client ? 'c' : 's')) return 0;
    peer_stream(in, t->in, client, head);
    run(s, w, client, t->mode, in, 0, 0, 0, 0);
    return 1;
}

static void same(const side *a, const side *b, const transcript *t, int client, size_t x,
                 size_t y)
{
    if (buf_is(&a->log, &b->log) && buf_is(&a->out, &b->out)) { test_checks++; return; }
    if (test_faults < 3)
        printf(
            "  %s \"%s\" cut at %d, %d:\n    whole %s\n    cut   %s\n    out %d and "
            "%d bytes\n",
            client ? "client" : "server", t->in, (int)x, (int)y, a->log.p ? a->log.p : "",
            b->log.p ? b->log.p : "", (int)a->out.n, (int)b->out.n);
    test_fault(__FILE__, __LINE__, "the same however it is cut");
}

TEST(transcripts)
{
    size_t i, a, b;
    int client;
    long runs = 0;

    for (i = 0; i < TRANSCRIPTS; i++) for (client = 0; client < 2; client++) {
        const transcript *t = &transcripts[i];
        buf in;
        size_t head, step;
        world w, v;
        side whole, s;

        if (!whole_run(&whole, &w, t, client, &in, &head)) continue;
        expect(t, client, &whole);
        for (step = 1; step <= 17; step += step < 4 ? 1 : 13) {
            run(&s, &v, client, t->mode, &in, 0, 0, step, 0);
            same(&whole, &s, t, client, step, 0);
            side_over(&s);
        }
        for (a = 1; a < in.n; a += a < head + 300 || a + 40 > in.n ? 1 : 4999) {
            run(&s, &v, client, t->mode, &in, a, a, 0, 0);
            same(&whole, &s, t, client, a, a);
            side_over(&s);
            runs++;
        }
        if (in.n - head <= 200)
            for (a = head; a < in.n; a++) for (b = a + 1; b < in.n; b++) {
                run(&s, &v, client, t->mode, &in, a, b, 0, 0);
                same(&whole, &s, t, client, a, b);
                side_over(&s);
                runs++;
            }
        side_over(&whole);
        buf_free(&in);
    }
    CHECK(runs > 10000);
}

/* ==== C: frames ===================================================================== */

/* Verdict of RFC 6455 on a first byte: 0 fine, else one of two errors. */
static int verdict(int byte, int in_message, int e[2])
{
    int op = byte & 15, n = 0, dummy[2];
    if (!e) e = dummy;
    e[0] = e[1] = 0;
    if (byte & 0x70) e[n++] = WS_ERR_RSV;
    if ((op > 2 && op < 8) || op > 10) { if (n < 2) e[n++] = WS_ERR_OPCODE; return n; }
    if (n) return n;
    if (op >= 8 && !(byte & 0x80)) e[n++] = WS_ERR_CONTROL_FRAGMENT;
    else if (op == 0 && !in_message) e[n++] = WS_ERR_CONTINUATION;
    else if ((op == 1 || op == 2) && in_message) e[n++] = WS_ERR_INTERLEAVED;
    return n;
}

/* every first byte, idle and inside a message, both roles */
TEST(sec_C3_every_first_byte)
{
    int client, in_message, byte, n;

    for (client = 0; client < 2; client++)
    for (in_message = 0; in_message < 2; in_message++)
    for (byte = 0; byte < 256; byte++)
    for (n = 0; n < 3; n += 2) {
        world w;
        side s;
        int e[2], bad = verdict(byte, in_message, e);
        frames f;

        side_plain(&s, &w, client);
        if (in_message) side_frame(&s, 0x01, "a", 1);
        side_frame(&s, byte, "\x03\xe8", (size_t)n);
        f = side_sent(&s, NULL);
        if (bad) {
            CHECK_INT(s.closes, 1);
            CHECK(s.error == e[0] || (e[1] && s.error == e[1]));
            CHECK_INT(s.code, 1002);
            CHECK_INT(f.close_code, 1002);
        } else if ((byte & 15) == 8) {
            CHECK_INT(s.error, 0);
            CHECK_INT(f.closes, 1);
            CHECK_INT(f.close_code, n ? 1000 : 1005);
        } else if (byte == 0x81 || (byte == 0x80 && in_message)) {
            if (n) CHECK_INT(s.error, WS_ERR_UTF8);
            else CHECK_INT(s.messages, 1);
        } else if ((byte & 15) < 2) { /* text unfinished: E8 cannot follow 03?  it can */
            CHECK(s.error == 0);
        } else {
            CHECK_INT(s.error, 0);
            CHECK_INT(s.closes, 0);
            CHECK_INT(s.messages, byte == 0x82);
            CHECK_INT(s.pings, byte == 0x89);
            CHECK_INT(f.pongs, byte == 0x89);
            CHECK_INT(s.pongs, byte == 0x8a);
        }
        side_over(&s);
    }
}

/* 64-bit lengths: the verdict falls on the header alone and nothing is kept for it */
TEST(sec_C1_lengths_of_64_bits)
{
    static const uint64_t lens[] = {
        1ull << 63,       ~0ull,         ~0ull - 3,        ~0ull - 13,
        (1ull << 63) - 1, 1ull << 32,    (1ull << 32) - 1, 1ull << 31,
        (1ull << 31) - 1, (1 << 20) + 1, 1 << 20,          ~0ull - 7,
        (1ull << 63) + 5, 1ull << 62,    (1ull << 32) + 5
    };
    size_t i;
    int client, j, k;

    for (client = 0; client < 2; client++)
        for (i = 0; i < sizeof lens / sizeof *lens; i++)
            for (k = 0; k < 3; k++) { /* alone, after a first fragment, byte by byte */
                world w;
                side s;
                uint8_t b[14];
                size_t before, n = client ? 10 : 14;

                side_plain(&s, &w, client);
                if (k == 1) side_frame(&s, 0x02, "abc", 3);
        before = heap_mark(&w.h);
        b[0] = k == 1 ? 0x80 : 0x82;
        b[1] = client ? 127 : 255;
        for (j = 0; j < 8; j++) b[2 + j] = (uint8_t)(lens[i] >> (56 - 8 * j));
        memset(b + 10, 0x55, 4);
        side_feed_by(&s, b, n, k == 2);
        CHECK(w.h.peak < before + 8192);
        if (lens[i] >> 63) CHECK_INT(s.error, WS_ERR_LENGTH_SIGN);
        else if (lens[i] > (1 << 20) || (k == 1 && lens[i] > (1 << 20) - 3))
            CHECK_INT(s.error, WS_ERR_MESSAGE_SIZE);
        else CHECK_INT(s.error, 0);
        CHECK_INT(s.closes, s.error != 0);
        if (s.error) CHECK_INT(side_sent(&s, NULL).close_code, error_tell(s.error));
        side_over(&s);
            }
}

/* memory follows what came, not what was announced */
TEST(sec_C2_announced_and_not_sent)
{
    enum { CONNS = 1000 };
    static side s[CONNS];
    static const uint8_t big[14] = { 0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4 };
    world w;
    size_t base;
    int i;

    world_init(&w);
    for (i = 0; i < CONNS; i++) side_open(&s[i], &w, 0, NULL);
    base = heap_mark(&w.h);
    for (i = 0; i < CONNS; i++) side_feed(&s[i], big, 14);
    CHECK(w.h.peak < base + CONNS * 600);   /* one small block */
    for (i = 0; i < CONNS; i++) side_feed(&s[i], "x", 1);
    CHECK(w.h.peak < base + CONNS * 4200);
    for (i = 0; i < CONNS; i++) side_free(&s[i]);
    CHECK_INT(w.h.now, 0);

    /* one message growing: at most 2 * bytes so far + 4 KiB */
    side_plain(&s[0], &w, 0);
    base = heap_mark(&w.h);
    side_feed(&s[0], big, 14);
    for (i = 1; i <= 1000; i++) {
        static const char some[1000] = { 0 };
        side_feed(&s[0], some, sizeof some);
        CHECK(w.h.now <= base + 2 * 1000 * (size_t)i + 4096 + 512);
        CHECK(w.h.peak <= base + 3 * 1000 * (size_t)i + 4096 + 512); /* while it moves */
    }
    side_over(&s[0]);
}

TEST(sec_C4_wrong_mask)
{
    static const int first[] = { 0x81, 0x82, 0x01, 0x89, 0x8a, 0x88 };
    int client, len, k;

    for (client = 0; client < 2; client++)
        for (k = 0; k < 6; k++)
            for (len = 0; len < 130; len += 5) {
                world w;
                side s;
                buf b = { 0 };
                char pay[130];

                if (first[k] >= 0x88 && len > 125)
                    continue;
                memset(pay, 'x', sizeof pay);
                side_plain(&s, &w, client);
                put_frame(&b, first[k], client, pay, (size_t)len, 0);
                side_feed(&s, b.p, 2); /* two bytes tell */
                CHECK_INT(s.error, client ? WS_ERR_MASK_PRESENT : WS_ERR_MASK_MISSING);
                CHECK_INT(s.code, 1002);
                CHECK_INT(side_sent(&s, NULL).close_code, 1002);
                buf_free(&b);
                side_over(&s);
            }
}

/* control frames too long or fragmented: two bytes tell; 125 is fine */
TEST(sec_C5_control_frames_too_long)
{
    int client, op, fin, len;

    for (client = 0; client < 2; client++)
        for (op = 8; op < 11; op++)
            for (fin = 0; fin < 2; fin++)
                for (len = 0; len < 128; len++) {
                    world w;
                    side s;
                    uint8_t b[2];

                    side_plain(&s, &w, client);
                    b[0] = (uint8_t)(fin << 7 | op);
                    b[1] = (uint8_t)((client ? 0 : 0x80) | len);
                    side_feed(&s, b, 2);
                    if (!fin && len > 125)
                        CHECK(s.error == WS_ERR_CONTROL_FRAGMENT ||
                              s.error == WS_ERR_CONTROL_SIZE);
                    else if (!fin)
                        CHECK_INT(s.error, WS_ERR_CONTROL_FRAGMENT);
                    else if (len > 125)
                        CHECK_INT(s.error, WS_ERR_CONTROL_SIZE);
                    else if (op == 8 && len == 1)
                        CHECK(s.error == 0 || s.error == WS_ERR_CLOSE_SIZE);
                    else
                        CHECK_INT(s.error, 0);
                    side_over(&s);
                }
}

/* lengths not in their shortest form: all that fit in 16 bits, and a sample in 64 */
TEST(sec_C6_lengths_not_shortest)
{
    int client;
    uint32_t len;

    for (client = 0; client < 2; client++)
        for (len = 0; len < 65600; len += len < 140 ? 1 : len < 65500 ? 977 : 7) {
            world w;
            side s;
            uint8_t b[10];
            int i;

            if (len < 65536) {
                side_plain(&s, &w, client);
                b[0] = 0x82;
                b[1] = client ? 126 : 254;
                b[2] = (uint8_t)(len >> 8);
                b[3] = (uint8_t)len;
                side_feed(&s, b, 4);
                CHECK_INT(s.error, len < 126 ? WS_ERR_LENGTH : 0);
                if (s.error)
                    CHECK_INT(side_sent(&s, NULL).close_code, 1002);
                side_over(&s);
            }
            side_plain(&s, &w, client);
            b[0] = 0x82;
            b[1] = client ? 127 : 255;
            for (i = 0; i < 8; i++) b[2 + i] = (uint8_t)(i < 4 ? 0 : len >> (56 - 8 * i));
            side_feed(&s, b, 10);
            CHECK_INT(s.error, len < 65536 ? WS_ERR_LENGTH : 0);
            side_over(&s);
        }
}

/* every order of four frames out of {TEXT, BINARY, CONTINUATION, PING, PONG} x FIN
   against a model */
TEST(sec_C7_orders_of_frames)
{
    static const int kinds[] = { 0x01, 0x81, 0x02, 0x82, 0x00, 0x80, 0x89, 0x8a };
    int client, code;

    for (client = 0; client < 2; client++) for (code = 0; code < 8 * 8 * 8 * 8; code++) {
        world w;
        side s;
        int i, open = 0, want = 0, messages = 0, pings = 0;
        buf b = { 0 };

        for (i = 0; i < 4; i++) {
            int f = kinds[code >> (3 * i) & 7], op = f & 15;
            put_frame(&b, f, !client, "abc", (size_t)i, 0);
            if (want) continue;
            if (op == 0 && !open) want = WS_ERR_CONTINUATION;
            else if ((op == 1 || op == 2) && open) want = WS_ERR_INTERLEAVED;
            else if (op == 9) pings++;
            else if (op < 9) { open = !(f & 0x80); messages += !open; }
        }
        side_plain(&s, &w, client);
        side_feed(&s, b.p, b.n);
        CHECK_INT(s.messages, messages);
        CHECK_INT(s.pings, pings);
        CHECK_INT(side_sent(&s, NULL).pongs, pings);
        CHECK_INT(s.closes, want != 0);
        side_end(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, want ? want : WS_ERR_EOF);
        CHECK_INT(s.code, want ? 1002 : 1006);
        buf_free(&b);
        side_over(&s);
    }
}

/* fragments: memory does not depend on their number; finite; empty ones count; sums
   count */
TEST(sec_C8_endless_fragments)
{
    world w;
    side s;
    ws_config cfg;
    size_t peak[2], base, i;
    int k;
    char *big = (char *)malloc(65536);

    for (i = 0; i < 65536; i++) big[i] = fill_at(i);
    for (k = 0; k < 2; k++) {
        cfg = world_fresh(&w);
        cfg.max_fragments = WS_NO_LIMIT;
        side_open(&s, &w, 0, &cfg);
        base = heap_mark(&w.h);
        if (k == 0) side_frame(&s, 0x81, big, 65536);
        else {
            buf b = { 0 };
            for (i = 0; i < 65536; i++)
                put_frame(&b, i == 0 ? 1 : i == 65535 ? 0x80 : 0, 1, big + i, 1, 0);
            side_feed_by(&s, b.p, b.n, 1000);
            buf_free(&b);
        }
        CHECK_INT(s.messages, 1);
        CHECK_INT(s.error, 0);
        peak[k] = w.h.peak - base;
        side_over(&s);
    }
    CHECK(peak[1] <= 2 * 65536 + 4096);
    CHECK(peak[0] <= 2 * 65536 + 4096);
    free(big);

    for (k = 0; k < 4; k++) {               /* a million empty ones stop at the limit */
        buf b = { 0 };
        long limit = k == 0 ? 4096 : k == 1 ? 1 : k == 2 ? 2 : 100;
        cfg = world_fresh(&w);
        if (k) cfg.max_fragments = (uint32_t)limit;
        side_open(&s, &w, 0, &cfg);
        for (i = 0; i < (size_t)limit; i++) put_frame(&b, i ? 0 : 1, 1, "", 0, 0);
        side_feed(&s, b.p, b.n);
        CHECK_INT(s.error, 0);
        side_frame(&s, 0, "", 0);
        CHECK_INT(s.error, WS_ERR_FRAGMENTS);
        CHECK_INT(s.code, 1008);
        CHECK_INT(side_sent(&s, NULL).close_code, 1008);
        for (i = 0; i < 1000; i++) side_frame(&s, 0, "", 0);
        buf_free(&b);
        side_over(&s);
    }
    {                                       /* exactly the limit passes */
        cfg = world_fresh(&w);
        cfg.max_fragments = 3;
        side_open(&s, &w, 0, &cfg);
        side_frame(&s, 1, "a", 1);
        side_frame(&s, 0, "b", 1);
        side_frame(&s, 0x80, "c", 1);
        side_frame(&s, 1, "a", 1);
        side_frame(&s, 0, "b", 1);
        side_frame(&s, 0x80, "c", 1);
        CHECK_INT(s.messages, 2);
        CHECK_INT(s.error, 0);
        side_over(&s);
    }
    for (k = 0; k < 60; k++) { /* the sum is limited, on the header that crosses */
        uint8_t h[6] = { 0, 0x80, 0, 0, 0, 0 };
        int over = k & 1;
        cfg = world_fresh(&w);
        cfg.max_message = 100;
        side_open(&s, &w, 0, &cfg);
        for (i = 0; i < (size_t)k / 2; i++) side_frame(&s, i ? 0 : 1, "abc", 3);
        h[0] = k > 1 ? 0x80 : 0x81;
        h[1] = (uint8_t)(0x80 | (100 - 3 * (k / 2) + over));
        side_feed(&s, h, 6);
        CHECK_INT(s.error, over ? WS_ERR_MESSAGE_SIZE : 0);
        if (over) CHECK_INT(side_sent(&s, NULL).close_code, 1009);
        side_over(&s);
    }
}

/* progress: every call takes, gives or ends; calls are bounded by the bytes */
TEST(sec_C9_every_call_gets_on)
{
    uint64_t seed = 9;
    int round;

    for (round = 0; round < 3000; round++) {
        world w;
        side s;
        size_t n = rng_to(&seed, 400), done = 0, calls = 0, i;
        uint8_t *b = (uint8_t *)malloc(n + 1);
        ws_event ev;

        for (i = 0; i < n; i++) b[i] = (uint8_t)(rng_next(&seed) >> 40);
        for (i = 0; i + 2 < n;
             i += 1 + rng_to(&seed, 12)) { /* make some of it sensible */
            static const uint8_t ops[] = {
                0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88
            };
            b[i] = ops[rng_to(&seed, 8)];
            b[i + 1] = (uint8_t)((round & 1 ? 0 : 0x80) | rng_to(&seed, 8));
        }
        side_plain(&s, &w, round & 1);
        while (done < n && calls < n * 3 + 24) {
            size_t k = ws_feed(s.c, b + done, n - done), o;
            int got;
            done += k;
            got = ws_next(s.c, &ev);
            ws_output(s.c, &o);
            ws_output_done(s.c, o);
            calls++;
            if (!k && !got && !o) break;
        }
        CHECK(done == n || ws_state(s.c) == WS_STATE_CLOSED || ws_done(s.c));
        CHECK(calls <= n * 3 + 8);
        free(b);
        side_over(&s);
    }
}

/* the stream ends after every byte of every transcript: never a message that was not
   whole, never a clean end unless Close came */
TEST(sec_C10_end_after_every_byte)
{
    size_t i, a;
    int client;

    for (i = 0; i < TRANSCRIPTS; i++) for (client = 0; client < 2; client++) {
        const transcript *t = &transcripts[i];
        buf in;
        size_t head;
        world w, v;
        side whole, s;

        if (!whole_run(&whole, &w, t, client, &in, &head)) continue;
        for (a = 0; in.n <= 3000 && a < in.n; a++) {
            buf part = in;
            char *last;
            size_t same_n;
            part.n = a;
            run(&s, &v, client, t->mode, &part, 0, 0, 0, 0);
            last = strrchr(buf_c(&s.log), 'C');
            if (!strcmp(s.log.p, whole.log.p)) { side_over(&s); continue; }
            CHECK(last != NULL);
            same_n = last ? (size_t)(last - s.log.p) : 0;
            CHECK(same_n <= whole.log.n && !memcmp(s.log.p, whole.log.p, same_n));
            CHECK_INT(s.code, 1006);
            CHECK_INT(s.error, WS_ERR_EOF);
            CHECK_INT(s.clean, 0);
            side_over(&s);
        }
        side_over(&whole);
        buf_free(&in);
    }
}

TEST(sec_C11_input_behind_close)
{
    static const char *after[] = { "81'x'",  "89'x'", "88x03e8", "=ff", "=8180",
                                   "^81'x'", "81xff", "88x0000", "83",  "82#70000" };
    size_t i;
    int client, mode;

    for (client = 0; client < 2; client++) for (mode = 0; mode < 2; mode++)
    for (i = 0; i < sizeof after / sizeof *after; i++) {
        world w;
        side s;
        buf b = { 0 };

        side_plain(&s, &w, client);
        if (mode) ws_close(s.c, 1001, NULL);
        side_pull(&s);
        put_close(&b, !client, 3000, "end");
        put_frames(&b, after[i], !client);
        side_feed(&s, b.p, b.n);
        side_end(&s);
        side_time(&s, 20000);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.code, 3000);
        CHECK_INT(s.clean, 1);
        CHECK_INT(s.error, 0);
        CHECK_INT(s.messages, 0);
        CHECK_INT(s.pings, 0);
        CHECK_INT(side_sent(&s, NULL).closes, 1);
        CHECK_INT(ws_finished(s.c), 1);
        buf_free(&b);
        side_over(&s);
    }
}

/* a million tiny frames in one piece */
TEST(sec_C12_a_million_frames_at_once)
{
    enum { N = 1000000 };
    world w;
    side s;
    ws_event ev;
    uint8_t *b = (uint8_t *)malloc(N * 2);
    size_t done = 0, base;
    long i, got = 0;

    for (i = 0; i < N; i++) { b[2 * i] = i % 2 ? 0x8a : 0x82; b[2 * i + 1] = 0; }
    side_plain(&s, &w, 1);
    base = heap_mark(&w.h);
    while (done < N * 2) {
        size_t k = ws_feed(s.c, b + done, N * 2 - done);
        int any = 0;
        done += k;
        while (ws_next(s.c, &ev)) { got++; any = 1; }
        if (!k && !any) break;
    }
    CHECK_INT(done, N * 2);
    CHECK_INT(got, N);
    CHECK(w.h.peak < base + 64 * 1024 + 2 * N);
    CHECK_INT(ws_error(s.c), 0);
    free(b);
    side_over(&s);
}

/* ==== D: control, close, time ======================================================= */

/* pings by the hundred thousand and no reading: nothing grows, the last one is
   answered */
TEST(sec_D1_pings_and_no_reading)
{
    int client, stop, k;

    for (client = 0; client < 2; client++) for (stop = 0; stop < 12; stop += 11) {
        world w;
        side s;
        char pay[125];
        size_t base;
        buf b = { 0 };
        frames f;

        side_plain(&s, &w, client);
        s.quiet = 1;
        ws_send(s.c, WS_OP_BINARY, "some message that is half written", 33);
        if (stop) {                         /* the write stopped inside a frame */
            CHECK_INT(side_write(&s, (size_t)stop), stop);
            CHECK(ws_buffered(s.c) > 0);
        }
        s.hold = 1;
        base = heap_mark(&w.h);
        for (k = 0; k < 128; k++) {
            int i;
            buf_clear(&b);
            for (i = 0; i < 1024; i++) {
                memset(pay, (char)(k * 31 + i), sizeof pay);
                sprintf(pay, "%d", k * 1024 + i);
                put_frame(&b, 0x89, !client, pay, (size_t)(i % 8 ? 125 : 20), 0);
            }
            CHECK_INT(side_feed(&s, b.p, b.n), b.n);
        }
        CHECK_INT(s.pings, 131072);
        CHECK(w.h.peak <= base + 140 * 1024);       /* what ws_feed copies of one piece */
        CHECK(w.h.now <= base + 8 * 1024);
        CHECK(ws_buffered(s.c) < 8 * 1024);
        side_release(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.data, 1);
        CHECK(f.pongs >= 1 && f.pongs <= 64);
        CHECK(f.newest == 131071); /* the latest is answered, whatever the order */
        buf_free(&b);
        side_over(&s);
    }
}

static int code_ok(long code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* all 65,536 codes received and sent; lengths of the body */
TEST(sec_D3_every_close_code)
{
    int client;
    long code;

    for (client = 0; client < 2; client++) for (code = 0; code < 65536; code++) {
        world w;
        side s;
        frames f;

        side_plain(&s, &w, client);
        side_peer_closes(&s, (int)code, code & 1 ? "why" : "");
        f = side_sent(&s, NULL);
        CHECK_INT(s.closes, 1);
        CHECK_INT(f.closes, 1);
        if (code_ok(code)) {
            CHECK_INT(s.code, code);
            CHECK_INT(s.clean, 1);
            CHECK_INT(s.error, 0);
            CHECK_STR(s.reason, code & 1 ? "why" : "");
            CHECK(f.close_code == code || f.close_code == 1000);
        } else {
            CHECK_INT(s.code, 1002);
            CHECK_INT(s.error, WS_ERR_CLOSE_CODE);
            CHECK_INT(f.close_code, 1002);
        }
        side_over(&s);
    }
    for (client = 0; client < 2; client++) for (code = -70; code < 65536 + 70; code++) {
        world w;
        side s;
        frames f;
        int r;

        side_plain(&s, &w, client);
        r = ws_close(s.c, (int)code, code ? "why" : NULL);
        side_pull(&s);
        f = side_sent(&s, NULL);
        if (code == 0 || code_ok(code)) {
            CHECK_INT(r, 0);
            CHECK_INT(f.closes, 1);
            CHECK_INT(f.close_code, code ? code : 1005);
            if (code) CHECK_STR(f.reason, "why");
            CHECK_INT(ws_state(s.c), WS_STATE_CLOSING);
        } else {
            CHECK_INT(r, WS_ERR_ARGUMENT);
            CHECK_INT(f.n, 0);
            CHECK_INT(ws_state(s.c), WS_STATE_OPEN);
        }
        side_over(&s);
    }
    for (client = 0; client < 2; client++)
        for (code = 0; code < 127; code++) { /* body length */
            world w;
            side s;
            char body[128];

            memset(body, 'r', sizeof body);
            body[0] = 0x03;
            body[1] = (char)0xe8;
            side_plain(&s, &w, client);
            side_frame(&s, 0x88, body, (size_t)code);
            CHECK_INT(s.error, code == 1    ? WS_ERR_CLOSE_SIZE
                               : code > 125 ? WS_ERR_CONTROL_SIZE
                                            : 0);
            CHECK_INT(s.code, code == 0 ? 1005 : s.error ? 1002 : 1000);
            if (!s.error && code > 2)
                CHECK_INT(strlen(s.reason), code - 2);
            side_over(&s);
        }
}

/* what we may send as reason: UTF-8, cut before 123 bytes and never inside a character */
TEST(close_reason)
{
    static const char *ch[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    int kind, lead, n, i;

    for (kind = 0; kind < 4; kind++)
        for (lead = 0; lead < 5; lead++)
            for (n = 0; n < 200; n += n < 25 ? 1 : 29) {
                world w;
                side s;
                buf b = { 0 };
                frames f;
                size_t want;
                size_t size = strlen(ch[kind]);

                for (i = 0; i < lead; i++) buf_byte(&b, 'x');
                for (i = 0; i < n; i++) buf_str(&b, ch[kind]);
                want = b.n;
                if (want > 123)
                    want = (size_t)lead + (123 - (size_t)lead) / size * size;
                side_plain(&s, &w, n & 1);
                CHECK_INT(ws_close(s.c, 1000, buf_c(&b)), 0);
                side_pull(&s);
                f = side_sent(&s, NULL);
                CHECK_INT(f.reason_n, want);
                CHECK(
                    !memcmp(f.reason, buf_c(&b), f.reason_n < want ? f.reason_n : want));
                buf_free(&b);
                side_over(&s);
            }
}

/* every way the closing handshake can stall ends in time, with one CLOSE */
TEST(sec_D4_stalled_closing)
{
    int client, what;

    for (client = 0; client < 2; client++) for (what = 0; what < 9; what++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        if (what == 6) {                        /* the stream ends in CONNECTING */
            side_new(&s, &w, client, &cfg);
            side_pull(&s);
            side_end(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.opens, 0);
            CHECK_INT(s.error, WS_ERR_EOF);
            side_over(&s);
            continue;
        }
        if (what == 7) {                        /* we close in CONNECTING */
            side_new(&s, &w, client, &cfg);
            side_pull(&s);
            ws_close(s.c, 1000, "never mind");
            side_pull(&s);
            side_time(&s, 21000);
            CHECK_INT(s.closes, 1);
            CHECK_INT(ws_finished(s.c), 1);
            side_over(&s);
            continue;
        }
        side_open(&s, &w, client, &cfg);
        switch (what) {
        case 0: CHECK_INT(ws_close(s.c, 1000, NULL), 0); break;         /* silent peer */
        case 1: side_peer_closes(&s, 1000, ""); break;
        case 2: side_end(&s); break; /* FIN without Close */
        case 3:
            ws_close(s.c, 1000, NULL);
            side_pull(&s);
            side_peer_closes(&s, 1001, "");
            break; /* crossing */
        case 4: ws_close(s.c, 1000, NULL); side_pull(&s); side_end(&s); break;
        case 5:
            s.hold = 1;
            ws_send_text(s.c, "x");
            ws_close(s.c, 1000, NULL);
            break; /* never writable */
        case 8: side_frame(&s, 0x83, "", 0); break; /* our error, silent peer */
        }
        side_pull(&s);
        side_time(&s, 5000 + 10);
        CHECK_INT(s.closes, 1);
        if (what == 0 || what == 5) {
            CHECK_INT(s.error, WS_ERR_CLOSE_TIMEOUT);
            CHECK_INT(s.clean, 0);
            CHECK_INT(s.code, 1006);
        }
        if (what == 1 || what == 3) { CHECK_INT(s.clean, 1); CHECK_INT(s.error, 0); }
        if (what == 2 || what == 4) {
            CHECK_INT(s.code, 1006);
            CHECK_INT(s.clean, 0);
            CHECK_INT(s.error, WS_ERR_EOF);
        }
        side_release(&s);
        side_time(&s, 5000 + 10);
        CHECK_INT(ws_finished(s.c), 1);
        CHECK_INT(ws_timeout(s.c), -1);
        CHECK_INT(ws_state(s.c), WS_STATE_CLOSED);
        side_over(&s);
    }
    for (what = 1; what < 30000;
         what = what * 3 + 1) { /* the timeout is the configured one */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.close_timeout = (uint32_t)what;
        cfg.ping_interval = WS_NEVER;
        side_open(&s, &w, what & 1, &cfg);
        ws_close(s.c, 1000, NULL);
        side_pull(&s);
        if (what > 1) { side_time(&s, (uint64_t)what - 1); CHECK_INT(s.closes, 0); }
        side_time(&s, 2);
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
}

/* a bad Close is never echoed; forbidden codes never leave (check_frames faults them) */
TEST(sec_D5_bad_close_is_not_echoed)
{
    static const int codes[] = {
        0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535
    };
    size_t i;
    int client;

    for (client = 0; client < 2; client++) for (i = 0; i < 10; i++) {
        world w;
        side s;
        frames f;

        side_plain(&s, &w, client);
        side_peer_closes(&s, codes[i], "evil");
        f = side_sent(&s, NULL);
        CHECK_INT(f.close_code, 1002);
        CHECK(strstr(f.reason, "evil") == NULL);
        side_over(&s);
    }
}

TEST(sec_D6_ping_while_held_or_closing)
{
    int client, k;

    for (client = 0; client < 2; client++) for (k = 1; k < 40; k++) {
        world w;
        side s;
        frames f;

        side_plain(&s, &w, client);         /* pong leaves whenever writing works again */
        s.hold = 1;
        ws_send_text(s.c, "a message that waits for the network");
        side_write(&s, (size_t)k);
        side_frame(&s, 0x89, "ping", 4);
        CHECK_INT(s.pings, 1);
        s.hold = 0;
        side_output(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.pongs, 1);
        CHECK_INT(f.data, 1);
        ws_close(s.c, 1000,
                 NULL); /* ping after our Close: due until the peer's (5.5.2) */
        side_pull(&s);
        side_frame(&s, 0x89, "late", 4);
        f = side_sent(&s, NULL);
        CHECK_INT(f.pongs, 2);
        CHECK_INT(s.error, 0);
        {
            buf b = { 0 };
            put_close(&b, !client, 1000, "");
            put_frame(&b, 0x89, !client, "x", 1, 0);
            side_feed(&s, b.p, b.n);
            buf_free(&b);
        }
        f = side_sent(&s, NULL);
        CHECK_INT(f.pongs, 2);
        CHECK_INT(s.clean, 1);
        side_over(&s);

        side_plain(&s, &w, client);         /* ping, then our Close while output waits */
        s.hold = 1;
        side_frame(&s, 0x89, "ping", 4);
        ws_close(s.c, 1000, NULL);
        side_frame(&s, 0x89, "ping2", 5);
        side_release(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.closes, 1);
        CHECK(f.pongs <= 2);
        side_over(&s);
    }
}

/* pongs nobody asked for are harmless; any input keeps the connection alive */
TEST(sec_D7_pongs_unasked)
{
    world w;
    side s;
    int i, client;

    for (client = 0; client < 2; client++) {
        side_plain(&s, &w, client);
        for (i = 0; i < 1000; i++)
            side_frame(&s, 0x8a, "whatever you say", (size_t)(i % 17));
        CHECK_INT(s.pongs, 1000);
        CHECK_INT(s.error, 0);
        CHECK_INT(side_sent(&s, NULL).n, 0);
        for (i = 0; i < 20; i++) {          /* answered with other bytes than we sent */
            side_time(&s, 19000);
            side_frame(&s, 0x8a, "other", 5);
        }
        for (i = 0; i < 20; i++) {
            side_time(&s, 30000);
            side_frame(&s, 0x8a, "other", 5);
        }
        CHECK_INT(s.closes, 0);
        CHECK(side_sent(&s, NULL).pings >= 15);
        side_over(&s);
    }
}

/* a peer that vanished is found in ping_interval + ping_timeout */
TEST(sec_D8_vanished_peer)
{
    static const uint32_t times[][2] = {
        { 0, 0 }, { 1000, 500 }, { 5, 5 }, { 100, 10000 }, { 30000, 1 }
    };
    size_t i;
    int client, hold;

    for (client = 0; client < 2; client++)
        for (i = 0; i < 5; i++)
            for (hold = 0; hold < 2; hold++) {
                world w;
                side s;
                ws_config cfg = world_fresh(&w);
                uint32_t a = times[i][0] ? times[i][0] : 20000,
                         b = times[i][1] ? times[i][1] : 20000;
                frames f;
                long ticks;

                cfg.ping_interval = times[i][0];
                cfg.ping_timeout = times[i][1];
                side_open(&s, &w, client, &cfg);
                s.hold = hold;
                ticks = side_time(&s, a - 1);
                CHECK_INT(s.out.n - s.head, 0);
                ticks += side_time(&s, 2);
                if (!hold) {
                    f = side_sent(&s, NULL);
                    CHECK_INT(f.pings, 1);
                }
                CHECK_INT(s.closes, b < 2);
                if (b > 3) {
                    ticks += side_time(&s, b - 3);
                    CHECK_INT(s.closes, 0);
                }
                ticks += side_time(&s, 5);
                CHECK_INT(s.closes, 1);
                CHECK_INT(s.error, WS_ERR_PING_TIMEOUT);
                CHECK_INT(s.code, 1006);
                CHECK(ticks < 40); /* no spinning */
                s.hold = 0;
                side_over(&s);
            }
    {                                       /* off means off */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.ping_interval = WS_NEVER;
        side_open(&s, &w, 0, &cfg);
        CHECK_INT(ws_timeout(s.c), -1);
        side_time(&s, 100000000);
        CHECK_INT(s.closes, 0);
        CHECK_INT(s.out.n - s.head, 0);
        side_over(&s);
    }
}

TEST(idle_timeout)
{
    int client;
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        int i;

        cfg.idle_timeout = 60000;
        cfg.ping_interval = 10000;
        side_open(&s, &w, client, &cfg);
        for (i = 0; i < 10; i++) {
            side_time(&s, 50000 / 5);
            side_frame(&s, 0x8a, "", 0);
            if (i % 4 == 3)
                side_frame(&s, 0x81, "m", 1);
        }
        CHECK_INT(s.closes, 0);
        for (i = 0; i < 7; i++) { side_time(&s, 9000); side_frame(&s, 0x8a, "", 0); }
        CHECK_INT(side_sent(&s, NULL).close_code, 1001);
        side_time(&s, 6000);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_IDLE_TIMEOUT);
        side_over(&s);
    }
}

/* to the millisecond, and messages of either direction count */
TEST(idle_exact)
{
    uint32_t t;
    int what;

    for (t = 2; t < 100000; t = t * 3 + 1) for (what = 0; what < 4; what++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.idle_timeout = t;
        cfg.ping_interval = WS_NEVER;
        side_open(&s, &w, what & 1, &cfg);
        side_time(&s, t - 1);
        CHECK_INT(s.out.n, s.head);
        if (what == 2) side_frame(&s, 0x82, "m", 1);
        if (what == 3) CHECK_INT(ws_send_text(s.c, "m"), 0);
        side_pull(&s);
        if (what >= 2) { side_time(&s, t - 1); CHECK_INT(side_sent(&s, NULL).closes, 0); }
        CHECK_INT(ws_timeout(s.c), 1);
        side_time(&s, 1);
        CHECK_INT(side_sent(&s, NULL).close_code, 1001);
        side_over(&s);
    }
}

/* what was refused is no message: a peer that reads nothing is idle all the same */
TEST(idle_refused)
{
    static const char big[900];
    int client, i;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.idle_timeout = 1000;
        cfg.ping_interval = WS_NEVER;
        cfg.max_backlog = 1000;
        side_open(&s, &w, client, &cfg);
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, sizeof big), 0);
        for (i = 0; i < 4; i++) {
            CHECK_INT(ws_error(s.c), 0);
            CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, sizeof big), WS_ERR_BACKLOG);
            CHECK_INT(ws_send_latest(s.c, 0, WS_OP_BINARY, big, sizeof big),
                      WS_ERR_BACKLOG);
            w.now += 250;
            ws_tick(s.c, w.now);
        }
        CHECK_INT(ws_error(s.c), WS_ERR_IDLE_TIMEOUT);
        side_over(&s);
    }
}

/* clocks: any start, 32-bit wrap, jumps of an hour */
TEST(sec_D9_clocks_that_jump)
{
    static const uint64_t start[] = { 0,
                                      1,
                                      0xFFFFFFFFu - 5000u,
                                      0xFFFFFFFFu,
                                      0x80000000u - 7,
                                      ~0ull - 5000,
                                      1ull << 63,
                                      (1ull << 63) - 3000,
                                      1ull << 40 };
    size_t i;
    int client, wrap, k;

    for (client = 0; client < 2; client++)
        for (i = 0; i < 9; i++)
            for (wrap = 0; wrap < 2; wrap++) {
                world w;
                side s;
                ws_config cfg = world_fresh(&w); /* handshake deadline */
                uint64_t t0 = start[i], t;

                w.now = wrap ? (uint32_t)t0 : t0;
                side_new(&s, &w, client, &cfg);
                for (t = 0; t < 9999; t += 303) {
                    ws_tick(s.c, wrap ? (uint32_t)(t0 + t) : t0 + t);
                    side_pull(&s);
                    CHECK_INT(s.closes, 0);
                    CHECK(ws_timeout(s.c) > 0 && ws_timeout(s.c) <= 10000);
                }
                ws_tick(s.c, wrap ? (uint32_t)(t0 + 10001) : t0 + 10001);
                side_pull(&s);
                CHECK_INT(s.closes, 1);
                CHECK_INT(s.error, WS_ERR_HANDSHAKE_TIMEOUT);
                side_over(&s);

                cfg = world_fresh(&w); /* keepalive, then a peer gone */
                w.now = wrap ? (uint32_t)t0 : t0;
                side_open(&s, &w, client, &cfg);
                for (t = 0; t < 100000; t += 500) {
                    ws_tick(s.c, wrap ? (uint32_t)(t0 + t) : t0 + t);
                    side_pull(&s);
                    if (t % 15000 == 0)
                        side_frame(&s, 0x8a, "", 0);
                    CHECK_INT(s.closes, 0);
                }
                for (k = 0; k < 90 && !s.closes; k++, t += 500) {
                    ws_tick(s.c, wrap ? (uint32_t)(t0 + t) : t0 + t);
                    side_pull(&s);
                }
                CHECK_INT(s.closes, 1);
                CHECK_INT(s.error, WS_ERR_PING_TIMEOUT);
                CHECK(k > 60);
                side_over(&s);
            }
    for (client = 0; client < 2; client++) for (k = 0; k < 4; k++) {    /* jumps */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        uint64_t hour = 3600000;

        w.now = 10 * hour;
        side_open(&s, &w, client, &cfg);
        side_time(&s, 5000);
        w.now = k & 1 ? w.now - hour : w.now + hour;
        ws_tick(s.c, w.now);
        side_pull(&s);
        if (k < 2) {
            CHECK_INT(s.closes, 0);         /* one jump alone does not kill */
            side_frame(&s, 0x8a, "", 0);
            side_time(&s, 15000);
            CHECK_INT(s.closes, 0);
        }
        side_time(&s, 85000);               /* and a peer that is gone is still found */
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_PING_TIMEOUT);
        side_over(&s);
    }
    {                                       /* without any tick nothing ever times out */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        memset(&s, 0, sizeof s);
        s.w = &w;
        s.c = ws_server_new(&cfg);
        side_feed(&s, REQUEST, sizeof REQUEST - 1);
        CHECK_INT(s.opens, 1);
        side_frame(&s, 0x81, "x", 1);
        CHECK_INT(s.messages, 1);
        side_over(&s);
    }
}

/* ==== E: UTF-8 ====================================================================== */

/* a second formulation: decode, then look at the value */
static int utf8_whole(const uint8_t *p, size_t n)
{
    while (n) {
        uint32_t v;
        size_t k = p[0] < 0x80                   ? 1
                   : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                   : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                   : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                                 : 0,
               i;
        if (!k || k > n) return 0;
        v = k == 1 ? p[0] : p[0] & (0x7Fu >> k);
        for (i = 1; i < k; i++) {
            if ((p[i] & 0xC0) != 0x80) return 0;
            v = v << 6 | (p[i] & 63);
        }
        if (k == 3 && (v < 0x800 || (v >= 0xD800 && v < 0xE000))) return 0;
        if (k == 4 && (v < 0x10000 || v > 0x10FFFF)) return 0;
        p += k;
        n -= k;
    }
    return 1;
}

/* every pair of bytes, and edge triples and quads, as text messages and as close
   reasons, in one frame and split after every byte, behind a long run of ASCII too */
TEST(sec_E1_bad_text_and_reasons)
{
    static const uint8_t edge[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                    0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1,
                                    0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFE, 0xFF };
    enum { EDGES = sizeof edge };
    static char long_text[200];
    uint32_t i;
    int pass;

    memset(long_text, 'a', sizeof long_text);
    for (pass = 0; pass < 2; pass++) {
        uint32_t total = pass ? EDGES * EDGES * EDGES * EDGES / 16 : 65536;
        for (i = 0; i < total; i++) {
            world w;
            side s;
            uint8_t t[4];
            size_t n = pass ? 4 : 2, k, lead = i % 7 == 0 ? 0 : i % 97;
            int ok, split = i % 3;
            uint32_t v = pass ? i * 16 + i % 16 : i;

            if (pass) for (k = 0; k < 4; k++) { t[k] = edge[v % EDGES]; v /= EDGES; }
            else { t[0] = (uint8_t)(i >> 8); t[1] = (uint8_t)i; }
            ok = utf8_whole(t, n);
            side_plain(&s, &w, 1);
            if (split == 0) {
                buf b = { 0 };
                buf_add(&b, long_text, lead);
                buf_add(&b, t, n);
                side_frame(&s, 0x81, b.p, b.n);
                buf_free(&b);
            } else if (split == 1) {
                side_frame(&s, 1, long_text, lead);
                for (k = 0; k < n; k++) side_frame(&s, k + 1 == n ? 0x80 : 0, t + k, 1);
            } else {
                buf b = { 0 };
                buf_str(&b, "\x03\xe8");
                buf_add(&b, t, n);
                side_frame(&s, 0x88, b.p, b.n);
                buf_free(&b);
                CHECK_INT(s.error, ok ? 0 : WS_ERR_CLOSE_UTF8);
                CHECK_INT(s.code, ok ? 1000 : 1007);
                side_over(&s);
                continue;
            }
            CHECK_INT(s.error, ok ? 0 : WS_ERR_UTF8);
            CHECK_INT(s.messages, ok);
            if (!ok) CHECK_INT(side_sent(&s, NULL).close_code, 1007);
            side_over(&s);
        }
    }
    {                                       /* binary is anybody's */
        world w;
        side s;
        side_plain(&s, &w, 1);
        side_frame(&s, 0x82, "\xff\xfe\xc0", 3);
        CHECK_INT(s.messages, 1);
        side_over(&s);
    }
}

/* ==== G: sending ==================================================================== */

static int by_value(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    return x < y ? -1 : x > y;
}

/* 100,000 client frames: every key fresh from the source, in order, one draw each */
TEST(sec_G1_keys_are_fresh)
{
    enum { N = 100000 };
    world w;
    side s;
    long i, draws, repeats = 0;
    uint8_t *keys = (uint8_t *)malloc(N * 4);
    size_t at, k = 0;

    world_init(&w);
    w.r.tape_max = N * 4 + 64;
    w.r.tape = (uint8_t *)malloc(w.r.tape_max);
    side_open(&s, &w, 1, NULL);
    CHECK(w.r.tape_n >= 16);
    draws = w.r.draws;
    w.r.odd = 0;
    w.r.tape_n = 0;
    for (i = 0; i < N; i++) {
        int r = i % 3 == 0 ? ws_send(s.c, WS_OP_BINARY, "same", 4)
              : i % 3 == 1 ? ws_ping(s.c, "same", 4) : ws_send_text(s.c, "");
        CHECK_INT(r, 0);
        side_output(&s);
    }
    CHECK_INT(w.r.draws - draws, N);
    CHECK_INT(w.r.odd, 0);
    CHECK_INT(w.r.tape_n, N * 4);
    for (at = s.head; at + 6 <= s.out.n && k < N; k++) {
        size_t len = (uint8_t)s.out.p[at + 1] & 127;
        memcpy(keys + 4 * k, s.out.p + at + 2, 4);
        at += 6 + len;
    }
    CHECK_INT(k, N);
    CHECK(w.r.tape_n == k * 4 && !memcmp(keys, w.r.tape, k * 4));
    qsort(keys, k, 4, by_value);
    for (i = 1; i < (long)k; i++) repeats += !memcmp(keys + 4 * i, keys + 4 * i - 4, 4);
    CHECK(repeats < 9);                     /* 1.16 expected */
    free(keys);
    free(w.r.tape);
    side_over(&s);

    for (i = 0; i < 4; i++) {               /* the source fails: nothing leaves */
        int r = 0;
        side_plain(&s, &w, 1);
        ws_send_text(s.c, "before");
        side_output(&s);
        w.r.fail_at = w.r.draws + 1;
        w.r.fail_all = 1;
        if (i == 0) r = ws_send_text(s.c, "secret");
        else if (i == 1) r = ws_ping(s.c, "secret", 6);
        else if (i == 2) r = ws_close(s.c, 1000, "secret");
        else side_frame(&s, 0x89, "secret", 6);
        if (i < 3) CHECK_INT(r, WS_ERR_RANDOM);
        side_pull(&s);
        CHECK_INT(side_sent(&s, NULL).n, 1);
        CHECK_INT(ws_error(s.c), WS_ERR_RANDOM);
        side_time(&s, 60000);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_RANDOM);
        side_over(&s);
    }
    for (i = 1; i < 4; i++) { /* it fails while connecting: nothing leaves */
        ws_config cfg = world_fresh(&w);

        w.r.fail_at = 1;
        w.r.fail_all = 1;
        if (side_new(&s, &w, 1, &cfg)) {
            side_pull(&s);
            CHECK_INT(s.out.n, 0);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, WS_ERR_RANDOM);
        }
        side_over(&s);
    }
    for (i = 0; i < 2; i++) {               /* a server needs no random numbers, ever */
        world_init(&w);
        w.r.fail_at = 1;
        w.r.fail_all = 1;
        side_open(&s, &w, 0, NULL);
        ws_send_text(s.c, "x");
        side_frame(&s, 0x89, "p", 1);
        side_pull(&s);
        CHECK_INT(w.r.draws, 0);
        CHECK_INT(ws_error(s.c), 0);
        side_over(&s);
    }
}

/* a peer that never reads: the backlog is bounded, WRITABLE says when it has drained */
TEST(sec_G2_a_peer_that_never_reads)
{
    int client;
    uint32_t max, msg;

    for (client = 0; client < 2; client++)
    for (max = 64; max <= 100000; max = max * 5)
    for (msg = 0; msg <= 4 * max; msg = msg * 3 + 7) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        char *data = (char *)calloc(msg + 1, 1);
        int r = 0, i, ok = 0;
        size_t wait, base, n;

        cfg.max_backlog = max;
        side_open(&s, &w, client, &cfg);
        s.hold = 1;
        base = w.h.now;
        for (i = 0; i < (int)max + 10; i++) {
            wait = ws_buffered(s.c);
            r = ws_send(s.c, WS_OP_BINARY, data, msg);
            if (r) {
                CHECK_INT(r, WS_ERR_BACKLOG);
                CHECK(wait > max / 2);                      /* only then */
                CHECK(wait + msg + 14 > max);
                CHECK_INT(ws_buffered(s.c), wait);          /* nothing of it went in */
                break;
            }
            ok++;
            CHECK(wait <= max / 2 || wait + msg <= max);    /* else it must refuse */
        }
        CHECK(r != 0);
        CHECK(ok >= 1);
        CHECK(ws_buffered(s.c) <= max + 14 || ws_buffered(s.c) <= max / 2 + msg + 14);
        n = w.h.now;
        for (i = 0; i < 2000; i++) {
            r = ws_send(s.c, WS_OP_BINARY, data, msg);
            CHECK_INT(r, WS_ERR_BACKLOG);
        }
        CHECK_INT(w.h.now, n);                              /* flat */
        CHECK(w.h.now - base <= 3 * (size_t)max + 3 * (size_t)msg + 8192);
        CHECK_INT(ws_error(s.c), 0);                        /* not the end of the world */
        CHECK_INT(s.writables, 0);
        while (1) {
            side_pull(&s); /* events only: output is held */
            ws_output(s.c, &n);
            if (!n) break;
            if (s.writables) CHECK(ws_buffered(s.c) <= max / 2);
            side_write(&s, n > 100 ? n / 3 : n);
        }
        side_pull(&s);
        CHECK_INT(s.writables, 1);
        CHECK_INT(ws_buffered(s.c), 0);
        CHECK_INT(side_sent(&s, NULL).data, ok);
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, msg), 0);
        side_release(&s);
        CHECK_INT(s.writables, 1);
        free(data);
        side_over(&s);
    }
}

/* writes of 1..17 bytes: the same stream as unblocked */
TEST(sec_G3_writes_cut)
{
    size_t i, budget;
    int client;

    for (i = 0; i < TRANSCRIPTS; i++) for (client = 0; client < 2; client++) {
        const transcript *t = &transcripts[i];
        buf in;
        size_t head;
        world w, v;
        side whole, s;

        if (!whole_run(&whole, &w, t, client, &in, &head)) continue;
        for (budget = 1; budget <= 17; budget += in.n > 3000 ? 8 : 1) {
            run(&s, &v, client, t->mode, &in, 0, 0, 0, budget);
            same(&whole, &s, t, client, budget, 0);
            side_over(&s);
        }
        side_over(&whole);
        buf_free(&in);
    }
    for (client = 0; client < 2; client++) for (budget = 0; budget <= 17; budget++) {
        static buf first;
        world w;                            /* a mixture queued at once */
        side s;
        frames f;
        int k;

        side_plain(&s, &w, client);
        for (k = 0; k < 60; k++) {
            char data[400];
            memset(data, 'a' + k % 26, sizeof data);
            ws_send(s.c, k & 1 ? WS_OP_TEXT : WS_OP_BINARY, data, (size_t)(k * 7 % 400));
            if (k % 9 == 4) ws_ping(s.c, data, (size_t)k);
            if (k % 9 == 7) ws_pong(s.c, data, (size_t)k);
        }
        ws_close(s.c, 4000, "done");
        s.budget = budget;
        side_output(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.data, 60);
        CHECK_INT(f.close_code, 4000);
        CHECK_INT(ws_buffered(s.c), 0);
        if (!budget) { buf_clear(&first); buf_add(&first, s.out.p, s.out.n); }
        else CHECK(buf_is(&first, &s.out));
        side_over(&s);
        if (budget == 17) buf_free(&first);
    }
}

/* lengths we send */
TEST(sec_G5_lengths_that_we_send)
{
    static const size_t lens[] = { 0,   1,     2,     124,   125,   126,   127,
                                   128, 65534, 65535, 65536, 65537, 200000 };
    size_t i, k;
    int client, op;
    char *data = (char *)malloc(200000);

    for (i = 0; i < 200000; i++) data[i] = fill_at(i);
    for (client = 0; client < 2; client++) for (op = 1; op <= 2; op++)
    for (i = 0; i < sizeof lens / sizeof *lens; i++) {
        world w;
        side s;
        size_t n = lens[i],
               ext = n > 65535 ? 8
                     : n > 125 ? 2
                               : 0,
               h = 2 + ext + (client ? 4 : 0);
        const uint8_t *p;
        buf want = { 0 };

        side_plain(&s, &w, client);
        CHECK_INT(ws_send(s.c, op, n ? data : NULL, n), 0);
        CHECK_INT(ws_buffered(s.c), h + n);
        side_pull(&s);
        CHECK_INT(s.out.n - s.head, h + n);
        p = (const uint8_t *)s.out.p + s.head;
        CHECK_INT(p[0], 0x80 | op);
        CHECK_INT(p[1], (client ? 0x80 : 0) | (int)(ext == 8 ? 127 : ext ? 126 : n));
        for (k = 0; k < ext; k++)
            CHECK_INT(p[2 + k], (uint8_t)((uint64_t)n >> (8 * (ext - 1 - k))));
        buf_str(&want, op == 1 ? "81" : "82");
        show(&want, data, n);
        buf_str(&want, " ");
        CHECK_SENT(&s, buf_c(&want));
        buf_free(&want);
        side_over(&s);
    }
    for (client = 0; client < 2; client++) for (i = 0; i <= 130; i++) {    /* control */
        world w;
        side s;
        side_plain(&s, &w, client);
        CHECK_INT(ws_ping(s.c, data, i), i > 125 ? WS_ERR_ARGUMENT : 0);
        CHECK_INT(ws_pong(s.c, data, i), i > 125 ? WS_ERR_ARGUMENT : 0);
        side_pull(&s);
        CHECK_INT(side_sent(&s, NULL).n, i > 125 ? 0 : 2);
        side_over(&s);
    }
    for (op = -2; op < 300; op++) {                                        /* opcodes */
        world w;
        side s;
        int good = op == 1 || op == 2 || op == (1 | WS_OP_PLAIN) ||
                   op == (2 | WS_OP_PLAIN);
        side_plain(&s, &w, op & 1);
        CHECK_INT(ws_send(s.c, op, "x", 1), good ? 0 : WS_ERR_ARGUMENT);
        side_pull(&s);
        CHECK_INT(side_sent(&s, NULL).n, good);
        side_over(&s);
    }
    free(data);
}

/* an echo server with a slow reader loses nothing: input waits instead */
TEST(echo_never_refused)
{
    int client;
    uint32_t max;

    for (client = 0; client < 2; client++) for (max = 100; max <= 10000; max *= 10) {
        world w;
        side s;
        ws_config cfg;
        buf in = { 0 };
        size_t done = 0;
        long i, total = 2000;
        int refused = 0, stuck = 0;

        for (i = 0; i < total; i++) {
            char t[120];
            memset(t, 'a' + (int)(i % 26), sizeof t);
            put_frame(&in, 0x81, !client, t, (size_t)(i * 13 % 120), 0);
        }
        cfg = world_fresh(&w);
        cfg.max_backlog = max;
        side_open(&s, &w, client, &cfg);
        s.quiet = 1;
        s.hold = 1;
        for (i = 0; (done < in.n || ws_buffered(s.c)) && stuck < 1000; i++) {
            ws_event ev;
            size_t k = ws_feed(s.c, in.p + done, in.n - done), n;
            done += k;
            while (ws_next(s.c, &ev))
                if (ev.type == WS_EV_MESSAGE) {
                    s.messages++;
                    if (ws_send(s.c, ev.op, ev.data, ev.size)) refused++;
                    CHECK(ws_buffered(s.c) <= max / 2 + 134 + 134);
                }
            n = side_write(&s, 37);
            stuck = k || n ? 0 : stuck + 1;
        }
        CHECK(stuck < 1000);
        CHECK_INT(refused, 0);
        CHECK_INT(s.messages, total);
        CHECK_INT(w.h.peak < 200000 + in.n, 1);
        CHECK_INT(side_sent(&s, NULL).data, total);
        buf_free(&in);
        side_over(&s);
    }
}

TEST(send_states)
{
    int client, k;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);    /* before OPEN a client's is queued */

        side_new(&s, &w, client, &cfg);
        CHECK_INT(ws_send_text(s.c, "one"), client ? 0 : WS_ERR_STATE);
        side_pull(&s);
        CHECK_INT(ws_send_text(s.c, "two"), client ? 0 : WS_ERR_STATE);
        if (client) {
            CHECK_INT(head_size(&s.out), s.out.n);      /* no frame yet */
            side_answer(&s, NULL);
        } else {
            CHECK_INT(s.out.n, 0);
            side_feed(&s, REQUEST, sizeof REQUEST - 1);
            s.head = head_size(&s.out);
        }
        CHECK_INT(ws_send_text(s.c, "three"), 0);
        side_pull(&s);
        CHECK_SENT(&s, client ? "81'one' 81'two' 81'three' " : "81'three' ");
        side_over(&s);

        for (k = 0; k < 3; k++) {           /* after our Close, the peer's, the end */
            side_plain(&s, &w, client);
            if (k == 0) CHECK_INT(ws_close(s.c, 1000, NULL), 0);
            if (k == 1) side_peer_closes(&s, 1000, "");
            if (k == 2) side_end(&s);
            CHECK_INT(ws_send_text(s.c, "late"), WS_ERR_STATE);
            CHECK_INT(ws_send(s.c, WS_OP_BINARY, "late", 4), WS_ERR_STATE);
            CHECK_INT(ws_ping(s.c, "late", 4), k ? WS_ERR_STATE : 0);
            CHECK_INT(ws_pong(s.c, "late", 4), k ? WS_ERR_STATE : 0);
            CHECK(ws_close(s.c, 1000, NULL) <= 0);
            side_pull(&s);
            CHECK(side_sent(&s, NULL).n <= (k ? 1 : 3));
            side_over(&s);
        }
    }
}

/* stopping and starting input loses nothing */
TEST(pause)
{
    int client, round;
    uint64_t seed = 3;

    for (client = 0; client < 2; client++) for (round = 0; round < 300; round++) {
            static const char spec[] =
                "81'a' 01'b' 89'p' 80'c' 82#300 8a 81'd' 89'x' 82#70 88x03e8'bye'";
            world w;
            side s;
            buf in = { 0 };
            size_t done = 0;
            int paused = 0, idle = 0;

            put_frames(&in, spec, !client);
            side_plain(&s, &w, client);
            while (done < in.n && idle < 1000) {
                size_t n = 1 + rng_to(&seed, 90), k;
                if (rng_to(&seed, 3) == 0) {
                    paused = !paused;
                    if (paused)
                        ws_pause(s.c);
                    else
                        ws_resume(s.c);
                }
                if (n > in.n - done)
                    n = in.n - done;
                if (rng_to(&seed, 2))
                    n = ws_feed_room(s.c) < n ? ws_feed_room(s.c) : n;
                k = ws_feed(s.c, in.p + done, n);
                CHECK(k <= n);
                done += k;
                if (rng_to(&seed, 2))
                    side_pull(&s);
                else {
                    side_output(&s);
                    side_next(&s);
                }
                idle = k ? 0 : idle + 1;
        }
        ws_resume(s.c);
        side_pull(&s);
        CHECK_INT(done, in.n);
        CHECK_EVENTS(&s, "O T'a' p'p' T'bc' B#300 q'' T'd' p'x' B#70 C1000+'bye' ");
        CHECK_INT(side_sent(&s, NULL).pongs, 2);
        buf_free(&in);
        side_over(&s);
    }
}

/* ==== H: calls at any time ========================================================== */

enum { CALLS = 34 };

static void call(ws_conn *c, int k)
{
    size_t n = 0;
    ws_event ev;
    ws_header h[2] = { { "A", "b" }, { NULL, NULL } };

    switch (k) {
    case 0: ws_feed(c, "\x81", 1); break;
    case 1: ws_feed_room(c); break;
    case 2: ws_feed_end(c); break;
    case 3: ws_next(c, &ev); break;
    case 4: CHECK(ws_output(c, &n) != NULL); break;
    case 5: ws_output(c, &n); ws_output_done(c, n); break;
    case 6: ws_output_done(c, 1000000); break;
    case 7: ws_finished(c); break;
    case 8: ws_tick(c, 500000); break;
    case 9: ws_timeout(c); break;
    case 10: ws_send(c, WS_OP_BINARY, "abc", 3); break;
    case 11: ws_send_text(c, "text"); break;
    case 12: ws_send_text(c, NULL); break;
    case 13: ws_ping(c, "p", 1); break;
    case 14: ws_pong(c, "p", 1); break;
    case 15: ws_close(c, 1000, "bye"); break;
    case 16: ws_close(c, 0, NULL); ws_close(c, 1000, "again"); break;
    case 17: ws_close(c, 5, NULL); break;
    case 18: ws_pause(c); break;
    case 19: ws_resume(c); break;
    case 20: ws_http_reply(c, 200, h, "body", 4); break;
    case 21: ws_state(c); ws_done(c); ws_error(c); ws_is_client(c); ws_buffered(c); break;
    case 22: CHECK(ws_error_text(c) && ws_protocol(c)); break;
    case 23: ws_user(c); ws_set_user(c, &ev); break;
    case 24: CHECK(ws_method(c) && ws_target(c)); ws_status(c); break;
    case 25:
        ws_header_value(c, "Host");
        ws_header_value(c, NULL);
        ws_header_value(c, "");
        break;
    case 26: ws_send(c, WS_OP_BINARY, NULL, 0); break;
    case 27: ws_send(c, 77, "x", 1); break;
    case 28: ws_feed(c, NULL, 0); break;
    case 29: ws_ping(c, NULL, 0); break;
    case 30: ws_http_reply(c, 404, NULL, NULL, 0); break;
    case 31: while (ws_next(c, &ev)) { } break;
    case 32: ws_close(c, 1000, "\xff\xfe not text"); break;
    default: break;                         /* 33: freed */
    }
}

static int call_now, call_type, call_after;

static void caller(side *s, const ws_event *ev)
{
    if (ev->type != call_type || !s->c) return;
    if (call_now == 33) { ws_free(s->c); s->c = NULL; return; }
    call(s->c, call_now);
    if (s->c && call_after >= 0) call(s->c, call_after);
}

/* after every kind of event every public function, and every pair of them; alone in other
   conversations too */
TEST(sec_H1_any_function_at_any_event)
{
    static const char *spec[] = {
        "", "81'hi' 89'p' 8a'q' 01'x' 80'y' 88x03e8'bye'", "81'hi' 83", "89 81xff",
    };
    int client, type, k, after, sp;

    for (sp = 0; sp < 5; sp++) for (client = 0; client < 2; client++)
    for (type = WS_EV_OPEN; type <= WS_EV_CLOSE; type++)
    for (k = 0; k < CALLS; k++) for (after = -1; after < (sp == 1 ? 33 : 0); after++) {
        world w;
        side s;
        ws_config cfg;
        buf in = { 0 };
        int i;

        if (client && sp == 4) continue;
        cfg = world_fresh(&w);
        cfg.max_backlog = 20;
        side_new(&s, &w, client, &cfg);
        s.event = caller;
        call_now = k; call_type = type; call_after = after;
        side_output(&s);
        if (type == WS_EV_WRITABLE) {
            s.hold = 1;
            for (i = 0; i < 9; i++) ws_send_text(s.c, "0123456789");
            s.hold = 0;
        }
        if (sp == 4) buf_str(&in, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        else if (client) put_answer(&in, &s.out, NULL);
        else buf_str(&in, REQUEST);
        if (sp < 4) put_frames(&in, spec[sp], !client);
        side_feed(&s, in.p, in.n);
        side_end(&s);
        side_time(&s, 100000);
        if (s.c && k != 31 && after != 31 && k != 3 && after != 3) {
            s.event = NULL;
            ws_resume(s.c);
            side_pull(&s);
            side_time(&s, 100000);
            CHECK_INT(s.closes, 1);
            CHECK_INT(ws_done(s.c), 1);
        }
        s.event = NULL;
        side_pull(&s);
        buf_free(&in);
        side_over(&s);
    }
}

/* every function takes NULL */
TEST(null)
{
    int k;
    ws_event ev;
    size_t n = 77;

    for (k = 0; k < CALLS; k++) call(NULL, k);
    CHECK_INT(ws_next(NULL, &ev), 0);
    CHECK_INT(ws_feed(NULL, "x", 1), 0);
    CHECK_INT(ws_feed_room(NULL), 0);
    CHECK(ws_output(NULL, &n) != NULL);
    CHECK_INT(n, 0);
    CHECK_INT(ws_done(NULL), 1);
    CHECK_INT(ws_timeout(NULL), -1);
    CHECK(ws_send_text(NULL, "x") < 0);
    CHECK(ws_send(NULL, 1, "x", 1) < 0);
    CHECK(ws_close(NULL, 1000, NULL) < 0);
    CHECK(ws_ping(NULL, "", 0) < 0);
    CHECK(ws_pong(NULL, "", 0) < 0);
    CHECK(ws_http_reply(NULL, 200, NULL, "", 0) < 0);
    CHECK_INT(ws_buffered(NULL), 0);
    CHECK(ws_error_text(NULL) != NULL);
    CHECK(ws_user(NULL) == NULL);
    CHECK_STR(ws_protocol(NULL), "");
    CHECK_STR(ws_method(NULL), "");
    CHECK_STR(ws_target(NULL), "");
    CHECK_INT(ws_status(NULL), 0);
    CHECK(ws_header_value(NULL, "x").data == NULL);
    ws_set_user(NULL, &n);
    ws_free(NULL);
#ifndef WS_NO_SOCKETS
    ws_recv(NULL, &ev, 0);
    CHECK_INT(ws_fd(NULL), -1);
    ws_wants(NULL);
    ws_step(NULL);
    ws_loop_free(NULL);
    CHECK(ws_listen(NULL, ":0", NULL) < 0);
    ws_listen_port(NULL, 0);
    ws_unlisten(NULL, 0);
    CHECK(ws_dial(NULL, "ws://a/", NULL) == NULL);
    CHECK(ws_poll(NULL, &ev, 0) <= 0);
    CHECK(ws_poll_until(NULL, &ev, 0) <= 0);
    CHECK_INT(ws_broadcast(NULL, NULL, 1, "x", 1), 0);
    ws_loop_now(NULL);
    CHECK_INT(ws_loop_count(NULL), 0);
    CHECK(ws_loop_error_text(NULL) != NULL);
    CHECK_INT(ws_remote(NULL, NULL, 0), WS_ERR_ARGUMENT);
#endif
}

/* events hold what they promise: data of an empty message is not NULL, user, state,
   texts */
TEST(facts)
{
    int client, e;
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        int mine = 5;

        cfg.user = &mine;
        side_new(&s, &w, client, &cfg);
        CHECK(ws_user(s.c) == &mine);
        CHECK_INT(ws_state(s.c), WS_STATE_CONNECTING);
        CHECK_INT(ws_is_client(s.c), client);
        CHECK_INT(ws_done(s.c), 0);
        CHECK_INT(ws_finished(s.c), 0);
        CHECK_STR(ws_error_text(s.c), "");
        CHECK_STR(ws_protocol(s.c), "");
        CHECK(ws_feed_room(s.c) > 0);
        side_over(&s);
        side_open(&s, &w, client, NULL);
        CHECK_INT(ws_state(s.c), WS_STATE_OPEN);
        side_frame(&s, 0x83, "", 0);
        CHECK_INT(ws_error(s.c), WS_ERR_OPCODE);
        CHECK(strlen(ws_error_text(s.c)) > 5);
        CHECK(strlen(s.reason) > 5);
        side_over(&s);
    }
    for (e = -200; e < 200; e++) CHECK(ws_error_string(e) != NULL);
    for (e = WS_ERR_LAST_ + 1; e < 0; e++) CHECK(strlen(ws_error_string(e)) > 5);
}

/* times as they are documented: calling nothing before ws_timeout changes nothing */
TEST(timeout_exact)
{
    int client, k;
    for (client = 0; client < 2; client++) for (k = 0; k < 3; k++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        int t;
        size_t out;

        if (k == 0) { side_new(&s, &w, client, &cfg); side_pull(&s); }
        else side_open(&s, &w, client, &cfg);
        if (k == 2) { ws_close(s.c, 1000, NULL); side_pull(&s); }
        t = ws_timeout(s.c);
        CHECK_INT(t, k == 0 ? 10000 : k == 1 ? 20000 : 5000);
        out = s.out.n;
        ws_tick(s.c, w.now + (uint64_t)t - 1);
        side_pull(&s);
        CHECK_INT(ws_timeout(s.c), 1);
        CHECK_INT(s.out.n, out);
        CHECK_INT(s.closes, 0);
        ws_tick(s.c, w.now + (uint64_t)t);
        side_pull(&s);
        CHECK(s.closes || s.out.n > out);
        side_over(&s);
    }
}

/* What no limit looks at may be as old as it likes. */
TEST(months_without_limits)
{
    int client, i;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg;

        world_init(&w);
        cfg = world_config(&w);
        cfg.ping_interval = WS_NEVER;
        side_open(&s, &w, client, &cfg);
        for (i = 0; i < 300; i++) {
            w.now += 20000000;
            ws_tick(s.c, w.now);
            side_pull(&s);
        }
        CHECK_INT(s.closes, 0);
        CHECK_INT(ws_send_text(s.c, "still"), 0);
        side_over(&s);
    }
}

/* The answer to a Close frame for which there is no memory: CLOSE has the peer's code
   and says what failed. */
TEST(close_without_memory)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;

        side_plain(&s, &w, client);
        w.h.fail_at = w.h.calls + 1;
        w.h.fail_all = 1;
        side_peer_closes(&s, 1000, "");
        CHECK(w.h.failed > 0);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_MEMORY);
        CHECK_INT(s.clean, 0);
        w.h.fail_at = 0;
        side_over(&s);
    }
}

/* The payload of the last ping we sent. */
static size_t last_ping(side *s, uint8_t *to)
{
    frames sent;

    side_pull(s);
    sent = side_sent(s, NULL);
    memcpy(to, sent.last_ping, 4);
    s->out.n = s->head;
    return sent.pings ? sent.last_ping_n : 0;
}

TEST(manual_pong)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.manual_pong = 1;
        cfg.parts_over = 3;
        side_open(&s, &w, client, &cfg);
        side_frame(&s, 0x89, "one", 3);
        side_frame(&s, 0x01, "abcd", 4);
        side_frame(&s, 0x89, "two", 3);
        side_frame(&s, 0x89, "", 0);
        CHECK_INT(side_sent(&s, NULL).n, 0);
        CHECK_INT(s.pings, 3);
        CHECK_INT(ws_pong(s.c, "two", 3), 0);
        CHECK_INT(ws_pong(s.c, NULL, 0), 0);
        CHECK_INT(ws_pong(s.c, NULL, 1), WS_ERR_ARGUMENT);
        CHECK_INT(ws_pong(s.c, "", 126), WS_ERR_ARGUMENT);
        side_pull(&s);
        CHECK_SENT(&s, "8a'two' 8a'' ");
        side_over(&s);
    }
}

TEST(round_trip)
{
    static const uint64_t starts[] = { 0,           1000,        0xFFFFFFF0u,
                                       0xFFFFFFFFu, 0x7FFFFFF0u, 0x1FFFFFFF0u };
    static const uint32_t delays[] = { 0, 1, 20, 1000, 30000, 65534 };
    int client;
    size_t i, k;
    uint8_t p[125];

    CHECK_INT(ws_rtt(NULL), -1);
    for (client = 0; client < 2; client++) for (i = 0; i < 6; i++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        uint64_t r = 9;

        w.now = starts[i];
        cfg.ping_interval = WS_NEVER;
        side_open(&s, &w, client, &cfg);
        CHECK_INT(ws_rtt(s.c), -1);
        for (k = 0; k < 4; k++) p[k] = (uint8_t)((uint32_t)w.now >> (24 - 8 * k));
        side_frame(&s, 0x8a, p, 4);                 /* nobody asked */
        CHECK_INT(ws_rtt(s.c), -1);
        for (k = 0; k < 6; k++) {
            CHECK_INT(ws_ping(s.c, NULL, 0), 0);
            CHECK_INT(last_ping(&s, p), 4);
            w.now += delays[k];
            ws_tick(s.c, w.now);
            side_frame(&s, 0x8a, p, 4);
            CHECK_INT(ws_rtt(s.c), delays[k]);
        }
        for (k = 65535; k < 0xFFFFFFFFu - 70000;
             k = k * 3 + 1) { /* an answer too late to count */
            CHECK_INT(ws_ping(s.c, NULL, 0), 0);
            CHECK_INT(last_ping(&s, p), 4);
            w.now += k;
            ws_tick(s.c, w.now);
            side_frame(&s, 0x8a, p, 4);
            CHECK_INT(ws_rtt(s.c), 65534);
        }
        CHECK_INT(ws_ping(s.c, NULL, 0),
                  0); /* pings of the application's own mean nothing here */
        CHECK_INT(last_ping(&s, p), 4);
        w.now += 5;
        ws_tick(s.c, w.now);
        side_frame(&s, 0x8a, "", 0);
        side_frame(&s, 0x8a, p, 3);
        p[4] = 0;
        side_frame(&s, 0x8a, p, 5);
        side_frame(&s, 0x8a, fill, 125);
        CHECK_INT(ws_rtt(s.c), 65534);
        side_frame(&s, 0x8a, p, 4);
        CHECK_INT(ws_rtt(s.c), 5);
        w.now += 7;
        ws_tick(s.c, w.now);
        side_frame(&s, 0x8a, p, 4);                 /* the same answer once more */
        CHECK_INT(ws_rtt(s.c), 5);
        for (k = 0; k < 10000; k++) { /* whatever a peer makes up, unasked or asked */
            uint64_t v = rng_next(&r);
            memcpy(p, &v, 4);
            if (k % 3 == 0) {
                uint32_t t = (uint32_t)w.now + (uint32_t)(k % 64) - 32;
                int j;
                for (j = 0; j < 4; j++) p[j] = (uint8_t)(t >> (24 - 8 * j));
            }
            if (k >= 5000) CHECK_INT(ws_ping(s.c, NULL, 0), 0);
            side_frame(&s, 0x8a, p, 4);
            if (k < 5000) CHECK_INT(ws_rtt(s.c), 5);
            CHECK(ws_rtt(s.c) >= 0 && ws_rtt(s.c) <= 65534);
        }
        CHECK_INT(s.closes, 0);
        side_over(&s);

        cfg = world_fresh(&w); /* the keepalive's ping tells it too */
        w.now = starts[i];
        side_open(&s, &w, client, &cfg);
        side_time(&s, 20000);
        CHECK_INT(last_ping(&s, p), 4);
        side_time(&s, 123);
        side_frame(&s, 0x8a, p, 4);
        CHECK_INT(ws_rtt(s.c), 123);
        side_over(&s);
    }
}

TEST(empty_ping)
{
    world w;
    side s;

    side_plain(&s, &w, 0);
    CHECK_INT(ws_ping(s.c, "", 0), 0);              /* not NULL: what was given */
    side_pull(&s);
    CHECK_SENT(&s, "89'' ");
    CHECK_INT(ws_ping(s.c, NULL, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_ping(NULL, NULL, 0), WS_ERR_ARGUMENT);
    side_over(&s);
}

TEST(close_text)
{
    int code, named = 0;

    for (code = -10; code < 6000; code++) {
        const char *t = ws_close_text(code);
        CHECK(t != NULL);
        if (*t) { named++; CHECK(code >= 1000 && code <= 1015 && code != 1004); }
    }
    CHECK_INT(named, 15);
    CHECK_STR(ws_close_text(1000), "normal closure");
    CHECK_STR(ws_close_text(1001), "going away");
    CHECK_STR(ws_close_text(1009), "message too big");
    CHECK_STR(ws_close_text(WS_CLOSE_BAD_GATEWAY), "bad gateway");
    CHECK_STR(ws_close_text(WS_CLOSE_TLS), "TLS handshake failed");
}

/* Nothing is due when a paused connection goes on: the caller's loop may sleep. */
TEST(resume_is_not_due)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        side_open(&s, &w, client, &cfg);
        ws_pause(s.c);
        ws_resume(s.c);
        side_time(&s, 1);
        CHECK(ws_timeout(s.c) > 1000);
        side_over(&s);
    }
}

/* ==== more of the threats =========================================================== */

static int pattern_fill(void *user, void *bytes, size_t n)
{
    unsigned char *to = (unsigned char *)bytes;
    unsigned *state = (unsigned *)user;

    while (n--) {
        *state = *state * 1103515245u + 12345u;
        *to++ = (unsigned char)(*state >> 16);
    }
    return 0;
}

static void *filling_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    void *p = NULL;
    if (new_size) {
        p = malloc(new_size);
        memset(p, *(int *)user, new_size);
        if (old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    }
    free(old);
    return p;
}

/* One conversation; everything both sides put on the wire. */
static size_t wire_with(int fill, char *out, size_t room)
{
    unsigned seed = 7;
    ws_config cfg;
    ws_conn *ends[2];
    ws_event ev;
    size_t total = 0, n;
    int turn, i;
    char big[3000];

    memset(&cfg, 0, sizeof cfg);
    memset(big, 'x', sizeof big);
    cfg.alloc = filling_alloc;
    cfg.alloc_user = &fill;
    cfg.random = pattern_fill;
    cfg.random_user = &seed;
    cfg.protocols = "a, b";
    ends[0] = ws_client_new("ws://u:p@example.com/x?y", &cfg);
    ends[1] = ws_server_new(&cfg);
    for (turn = 0; turn < 40; turn++) {
        for (i = 0; i < 2; i++) {
            const void *p = ws_output(ends[i], &n);
            if (n > 700) n = 700;
            CHECK(total + n <= room);
            memcpy(out + total, p, n);
            total += n;
            ws_output_done(ends[i], ws_feed(ends[!i], p, n));
        }
        for (i = 0; i < 2; i++)
            while (ws_next(ends[i], &ev))
                if (ev.type == WS_EV_OPEN) {
                    ws_send(ends[i], WS_OP_BINARY, big, sizeof big);
                    ws_ping(ends[i], "p", 1);
                    ws_send_text(ends[i], "");
                } else if (ev.type == WS_EV_PONG) {
                    ws_close(ends[i], i ? 1000 : 3001, "done");
                }
    }
    ws_free(ends[0]);
    ws_free(ends[1]);
    return total;
}

/* no byte on the wire depends on what the memory held before */
TEST(sec_C13_no_old_memory_on_the_wire)
{
    static char a[65536], b[65536];
    size_t n = wire_with(0x00, a, sizeof a);

    CHECK(n > 6000);
    CHECK_INT(wire_with(0xFF, b, sizeof b), n);
    CHECK(!memcmp(a, b, n));
    CHECK_INT(wire_with(0x5A, b, sizeof b), n);
    CHECK(!memcmp(a, b, n));
}

/* Chi squared of so many bytes, 255 degrees. */
static double uneven(const long count[256], long total)
{
    double sum = 0, want = (double)total / 256;
    int i;

    for (i = 0; i < 256; i++)
        sum += ((double)count[i] - want) * ((double)count[i] - want) / want;
    return sum;
}

/* keys from the system's source: none comes twice beyond chance, every byte is as good
   as any */
TEST(sec_G1_system)
{
    enum { KEYS = 100000 };
    ws_config cfg;
    world w;
    side s;
    unsigned char *keys = (unsigned char *)malloc(4 * KEYS);
    long count[4][256], repeats = 0, i, k;

    memset(&cfg, 0, sizeof cfg);
    memset(count, 0, sizeof count);
    world_init(&w);
    side_open(&s, &w, 1, &cfg);
    for (i = 0; i < KEYS; i++) {
        const unsigned char *frame;
        size_t n;
        CHECK_INT(i % 2 ? ws_send_text(s.c, "same") : ws_ping(s.c, "same", 4), 0);
        frame = (const unsigned char *)ws_output(s.c, &n);
        CHECK_INT(n, 10);
        memcpy(keys + 4 * i, frame + 2, 4);
        for (k = 0; k < 4; k++) count[k][frame[2 + k]]++;
        for (k = 0; k < 4; k++) CHECK_INT(frame[6 + k] ^ frame[2 + k], "same"[k]);
        ws_output_done(s.c, n);
    }
    qsort(keys, KEYS, 4, by_value);
    for (i = 1; i < KEYS; i++) repeats += !memcmp(keys + 4 * i, keys + 4 * i - 4, 4);
    CHECK(repeats < 12);                /* 1.2 expected */
    for (k = 0; k < 4; k++) {           /* 6 sigma and more */
        double sum = uneven(count[k], KEYS);
        CHECK(sum > 120 && sum < 420);
    }
    free(keys);
    side_over(&s);
}

static int failing_random(void *user, void *bytes, size_t n)
{
    memset(bytes, 0x55, n);
    return *(int *)user;
}

/* a pong that waits is masked when it leaves: no key then, no pong */
TEST(sec_G1_late_pong)
{
    static char block[3000];
    int fails, broken;

    for (fails = 0; fails < 2; fails++) {
        ws_config cfg;
        world w;
        side s;

        broken = 0;
        memset(&cfg, 0, sizeof cfg);
        cfg.random = failing_random;
        cfg.random_user = &broken;
        world_init(&w);
        side_open(&s, &w, 1, &cfg);
        s.hold = 1;
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, block, sizeof block), 0);
        side_say(&s, "89'late'");
        CHECK_EVENTS(&s, "O p'late' ");
        broken = fails;
        side_release(&s);
        CHECK_INT(s.out.n - s.head, sizeof block + 8 + (fails ? 0 : 10));
        side_over(&s);
    }
}

static ws_conn *open_with(const ws_config *cfg, uint64_t now)
{
    ws_event ev;
    ws_conn *c = ws_server_new(cfg);

    ws_tick(c, now);
    ws_feed(c, REQUEST, sizeof REQUEST - 1);
    CHECK_INT(ws_next(c, &ev), 1);
    return c;
}

/* What came out, and 1 if it closed. */
static int quiet(ws_conn *c, uint64_t now)
{
    ws_event ev;
    size_t n;

    ws_tick(c, now);
    ws_output(c, &n);
    ws_output_done(c, n);
    return ws_next(c, &ev) && ev.type == WS_EV_CLOSE;
}

/* the clock is set back an hour between our ping and the peer's answer, or between two
   messages: what has passed stays passed, what is left stays left */
TEST(sec_D9_back)
{
    static const uint64_t hour = 3600000;
    ws_config cfg;
    ws_conn *c;
    uint64_t t = 10 * hour;

    memset(&cfg, 0, sizeof cfg);
    cfg.idle_timeout = 25000;
    c = open_with(&cfg, t);
    CHECK_INT(quiet(c, t + 20000), 0);          /* the ping */
    CHECK_INT(ws_send_text(c, "x"), 0); /* not idle, though the deadline stands at 25 s */
    CHECK_INT(quiet(c, t + 22000), 0);
    t -= hour;
    CHECK_INT(quiet(c, t + 22000), 0);
    CHECK_INT(quiet(c, t + 25000), 0);
    CHECK_INT(quiet(c, t + 39999), 0);
    CHECK_INT(quiet(c, t + 40001), 1);
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    ws_free(c);

    cfg.ping_interval = 1000; /* deadlines that come before the idle one */
    cfg.ping_timeout = WS_NEVER;
    t = 10 * hour;
    c = open_with(&cfg, t);
    CHECK_INT(quiet(c, t + 500), 0);
    t -= hour;
    CHECK_INT(quiet(c, t + 500), 0);
    CHECK_INT(quiet(c, t + 1000), 0);
    CHECK_INT(quiet(c, t + 24999), 0);
    CHECK_INT(ws_error(c), 0);
    quiet(c, t + 25001);
    CHECK_INT(ws_error(c), WS_ERR_IDLE_TIMEOUT);
    ws_free(c);
}

static const char masked_hi[] = "\x81\x82\0\0\0\0hi";

/* the peer's end is told after what it said before, also when that waits for us:
   paused, or while the peer does not read */
TEST(end_while_held)
{
    int paused;

    for (paused = 0; paused < 2; paused++) {
        static char big[700000];
        ws_conn *c = open_with(NULL, 1000);
        ws_event ev;
        size_t n;

        CHECK_INT(quiet(c, 1000), 0);
        if (paused) ws_pause(c);
        else CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
        CHECK_INT(ws_feed(c, masked_hi, 8), 8);
        ws_feed_end(c);
        CHECK_INT(ws_next(c, &ev), 0);
        CHECK_INT(ws_error(c), 0);
        if (paused) ws_resume(c);
        ws_output(c, &n);
        ws_output_done(c, n);
        CHECK_INT(ws_next(c, &ev), 1);
        CHECK_INT(ev.type, WS_EV_MESSAGE);
        CHECK_INT(ws_next(c, &ev), 1);
        CHECK_INT(ev.error, WS_ERR_EOF);
        ws_free(c);
    }
}

/* While we do not read, the peer's silence says nothing: paused, nobody is called dead;
   with much unsent no ping is added to it; and a peer that takes bytes, however slowly,
   lives. One that takes none does not. */
TEST(silence_while_held)
{
    static char big[1000000];
    ws_conn *c = open_with(NULL, 1000);
    uint64_t t;
    size_t n, waits;

    CHECK_INT(quiet(c, 1000), 0);
    ws_pause(c);
    for (t = 1000; t < 200000; t += 500) CHECK_INT(quiet(c, t), 0);
    ws_resume(c);
    for (; t < 200000 + 39000; t += 500) CHECK_INT(quiet(c, t), 0);
    for (; t < 200000 + 45000; t += 500) quiet(c, t);
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    ws_free(c);

    c = open_with(NULL, 1000);
    CHECK_INT(quiet(c, 1000), 0);
    CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
    for (t = 1000; ws_buffered(c) > 600000; t += 5000) {
        size_t before = ws_buffered(c);
        ws_tick(c, t);
        CHECK_INT(ws_buffered(c), before);
        CHECK_INT(ws_error(c), 0);
        ws_output(c, &n);
        CHECK(n > 3000);
        ws_output_done(c, 3000);
    }
    CHECK(t > 600000);
    waits = ws_buffered(c);
    for (n = 0; n < 100 && !ws_error(c); n++) {
        CHECK_INT(ws_buffered(c), waits);
        ws_tick(c, t += 500);
    }
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    CHECK(n > 60);
    ws_free(c);
}

/* a flood of pings is never amplified: fewer bytes go out than came in */
TEST(sec_D2_pings_are_not_amplified)
{
    static const char ping[] = "\x89\x84kkkk" "ping";
    ws_conn *c = open_with(NULL, 1000);
    ws_event ev;
    size_t in = 0, out = 0, n;
    int i;

    quiet(c, 1000);
    for (i = 0; i < 200000; i++) {
        in += ws_feed(c, ping, 10);
        while (ws_next(c, &ev)) CHECK_INT(ev.type, WS_EV_PING);
        CHECK(ws_buffered(c) <= 2048 + 131);
        if (i % 1000) continue;
        do {
            ws_output(c, &n);
            out += n;
            ws_output_done(c, n);
        } while (n);
    }
    CHECK(out > 0 && out < in);
    ws_free(c);
}

/* texts about bad text are plain ASCII, whatever the bytes were */
TEST(sec_E2_error_texts_are_ascii)
{
    int byte, size;

    for (byte = 0x80; byte < 0x100; byte++) for (size = 1; size <= 4; size++) {
        char text[] = "aaaa";
        const char *at;
        world w;
        side s;

        text[size - 1] = (char)byte;
        side_plain(&s, &w, 0);
        side_frame(&s, 0x81, text, (size_t)size);
        CHECK_INT(ws_error(s.c), WS_ERR_UTF8);
        for (at = ws_error_text(s.c); *at; at++) CHECK(*at >= 32 && *at < 127);
        side_over(&s);
    }
}

/* limits hold from the first byte, before the application has seen anything of the
   peer */
TEST(sec_I2_limits_from_the_first_byte)
{
    static const char early[] = REQUEST "\x82\xff\0\0\0\0\x7f\xff\xff\xff" "kkkk";
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 0, &cfg);
    CHECK_INT(ws_feed(s.c, early, sizeof early - 1), sizeof early - 1);
    CHECK_INT(side_next(&s), 1);
    CHECK_INT(s.opens, 1);
    CHECK_INT(side_next(&s), 0);
    CHECK_INT(ws_error(s.c), WS_ERR_MESSAGE_SIZE);
    side_pull(&s);
    CHECK_EVENTS(&s, "O C1009!MESSAGE_SIZE ");
    side_over(&s);
}

/* ==== states ======================================================================== */

/* the numbers of the W3C */
TEST(states)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 1, &cfg);
    CHECK_INT(ws_state(s.c), 0);
    side_over(&s);
    side_plain(&s, &w, 1);
    CHECK_INT(ws_state(s.c), 1);
    ws_close(s.c, 0, NULL);
    CHECK_INT(ws_state(s.c), 2);
    side_pull(&s);
    side_say(&s, "88");
    side_end(&s);
    CHECK_INT(ws_state(s.c), 3);
    CHECK_INT(ws_state(NULL), 3);
    side_over(&s);
}

TEST(ping_that_cannot_be_sent)
{
    world w;
    side s;
    int client;

    CHECK(ws_ping(NULL, NULL, 0) < 0);
    for (client = 0; client < 2; client++) {
        side_plain(&s, &w, client);
        CHECK_INT(ws_ping(s.c, "x", 1), 0);
        if (client) ws_close(s.c, WS_CLOSE_NORMAL, NULL);
        side_pull(&s);
        side_say(&s, "88x03e8");
        CHECK_INT(ws_ping(s.c, "x", 1), WS_ERR_STATE);
        CHECK_SENT(&s, "89'x' 88:1000 ");
        side_over(&s);
    }
}

TESTS(T(transcripts) T(sec_C1_lengths_of_64_bits) T(sec_C2_announced_and_not_sent)
      T(sec_C3_every_first_byte) T(sec_C4_wrong_mask) T(sec_C5_control_frames_too_long)
      T(sec_C6_lengths_not_shortest) T(sec_C7_orders_of_frames)
      T(sec_C8_endless_fragments) T(sec_C9_every_call_gets_on)
      T(sec_C10_end_after_every_byte) T(sec_C11_input_behind_close)
      T(sec_C12_a_million_frames_at_once) T(sec_D1_pings_and_no_reading)
      T(sec_D3_every_close_code) T(close_reason) T(sec_D4_stalled_closing)
      T(sec_D5_bad_close_is_not_echoed) T(sec_D6_ping_while_held_or_closing)
      T(sec_D7_pongs_unasked) T(sec_D8_vanished_peer) T(idle_timeout) T(idle_exact)
      T(idle_refused) T(sec_D9_clocks_that_jump) T(sec_E1_bad_text_and_reasons)
      T(sec_G1_keys_are_fresh) T(sec_G2_a_peer_that_never_reads) T(sec_G3_writes_cut)
      T(sec_G5_lengths_that_we_send) T(echo_never_refused) T(send_states) T(pause)
      T(sec_H1_any_function_at_any_event) T(null) T(facts) T(timeout_exact)
      T(close_without_memory) T(months_without_limits) T(states)
      T(ping_that_cannot_be_sent) T(sec_C13_no_old_memory_on_the_wire) T(sec_G1_system)
      T(sec_G1_late_pong) T(sec_D9_back) T(end_while_held) T(silence_while_held)
      T(sec_D2_pings_are_not_amplified) T(sec_E2_error_texts_are_ascii)
      T(sec_I2_limits_from_the_first_byte) T(manual_pong) T(round_trip) T(empty_ping)
      T(close_text) T(resume_is_not_due))
