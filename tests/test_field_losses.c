/* Losses without a word: what is sent is sent, or a return value, the state and CLOSE
   say that it was not. The blocking client over sockets and over functions, the other
   drivers, the engine. */
#include <limits.h>
#define FIXTURE_SOCKETS
#include "fixture.h"

static uint32_t refused;        /* of the last CLOSE or DOWN */

static void told(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type == WS_EV_CLOSE || ev->type == WS_EV_DOWN) refused = ev->refused;
}

/* ---- a server by hand: one connection, which reads when it is told to ---- */

typedef struct mate mate;
struct mate {
    int listener, fd, port;
    buf got;                    /* all that came */
    size_t head;                /* bytes of the request in it, 0: not whole yet */
    size_t seen;                /* bytes of got that are whole frames */
    buf say;                    /* what it writes as there is room */
    size_t said;
    long turns, start;          /* it reads from that turn on */
    size_t most;                /* bytes that it reads in a turn, 0: all */
    int frames, pongs, closes;  /* that came */
    int ended;                  /* by the client: 1, or -1 by an error */
    void (*part)(mate *m);      /* more that it does in each turn */
    int mode;
};

static mate *mates;             /* the one that runs */

static void mate_say(mate *m, int first, const void *data, size_t n)
{
    put_frame(&m->say, first, 0, data, n, 0);
}

static void mate_message(mate *m, size_t n) { mate_say(m, 0x82, fill, n); }

/* Looks at the headers of whole frames; a Close is answered. */
static void mate_walk(mate *m)
{
    for (;;) {
        const uint8_t *p = (const uint8_t *)m->got.p + m->seen;
        size_t have = m->got.n - m->seen, size, head = 2, i;
        if (have < 2) return;
        size = p[1] & 127;
        if (size == 126) head = 4;
        if (size == 127) head = 10;
        if (have < head) return;
        if (head > 2) for (size = 0, i = 2; i < head; i++) size = size << 8 | p[i];
        if (have < head + 4 + size) return;
        m->seen += head + 4 + size;
        m->frames++;
        m->pongs += (p[0] & 15) == 10;
        if ((p[0] & 15) != 8) continue;
        if (!m->closes++) mate_say(m, 0x88, "\x03\xe8", 2);
    }
}

static void mate_read(mate *m)
{
    static char piece[65536];
    size_t left = m->head && m->most ? m->most : (size_t)-1;

    while (left && !m->ended) {
        size_t most = left < sizeof piece ? left : sizeof piece;
        ssize_t k = recv(m->fd, piece, most, 0);
        if (k < 0 && errno == EAGAIN) return;
        if (k <= 0) {
            m->ended = k ? -1 : 1;
            return;
        }
        buf_add(&m->got, piece, (size_t)k);
        left -= (size_t)k;
        if (m->head || !(m->head = head_size(&m->got))) continue;
        m->seen = m->head;
        put_answer(&m->say, &m->got, NULL);
        return;
    }
}

static void mate_write(mate *m)
{
    ssize_t k = 1;

    while (k > 0 && m->said < m->say.n) {
        k = send(m->fd, m->say.p + m->said, m->say.n - m->said, MSG_NOSIGNAL);
        if (k > 0) m->said += (size_t)k;
    }
}

/* Ends the connection; reset: without a word. */
static void mate_end(mate *m, int reset)
{
    struct linger now = { 1, 0 };

    if (m->fd < 0) return;
    if (reset) setsockopt(m->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(m->fd);
    m->fd = -1;
}

static void mate_turn(void)
{
    mate *m = mates;

    if (m->fd < 0 && !m->got.n) {
        m->fd = accept(m->listener, NULL, NULL);
        if (m->fd >= 0) fcntl(m->fd, F_SETFL, O_NONBLOCK);
    }
    if (m->fd < 0) return;
    if (m->head) m->turns++;
    if (!m->head || m->turns > m->start) mate_read(m);
    mate_walk(m);
    if (m->part && m->head) m->part(m);
    if (m->fd < 0) return;
    mate_write(m);
    if (m->closes && m->said == m->say.n) mate_end(m, 0);
}

/* Sockets with room for little, in small segments, so that none waits for a timer. */
static void little_room(int fd)
{
    int room = 16384, segment = 1400;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

static void little_socket(void *user, intptr_t fd)
{
    (void)user;
    little_room((int)fd);
}

/* A server that begins to read in its turn start, counted from the opening handshake
   on. */
static void mate_begin(mate *m, long start)
{
    memset(m, 0, sizeof *m);
    m->fd = -1;
    m->listener = loopback_listen(&m->port);
    fcntl(m->listener, F_SETFL, O_NONBLOCK);
    m->start = start;
    mates = m;
    besides = mate_turn;
    fill_once();
}

static const char *mate_url(const mate *m)
{
    static char url[60];
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", m->port);
    return url;
}

static void mate_over(mate *m)
{
    mate_end(m, 0);
    close(m->listener);
    buf_free(&m->got);
    buf_free(&m->say);
    over();
}

/* A blocking client of little room, open; its CLOSE leaves refused. */
static ws_conn *little_client(mate *m, end *e, ws_config *cfg)
{
    ws_conn *c;

    little_room(m->listener);
    if (!cfg->max_backlog) cfg->max_backlog = 65536;
    cfg->on_socket = little_socket;
    cfg->user = e;
    app = told;
    refused = 99;
    c = visit(BLOCKING, mate_url(m), cfg);
    CHECK_INT(ws_state(c), WS_STATE_OPEN);
    return c;
}

/* Pulls until the end. */
static void pull_all(ws_conn *c)
{
    ws_event ev;
    while (ws_recv(c, &ev, 20000) > 0) note(&ev);
}

/* The next event but OPEN. */
static int pull_one(ws_conn *c, ws_event *ev)
{
    int r;

    do {
        r = ws_recv(c, ev, 20000);
        if (r > 0) note(ev);
    } while (r > 0 && ev->type == WS_EV_OPEN);
    return r;
}

/* All frames that came, checked, are these. */
static void mate_check(const mate *m, const char *want)
{
    frames f;
    buf text = { 0 };

    CHECK_INT(m->seen, m->got.n);
    check_frames(m->got.p + m->head, m->got.n - m->head, 1, &f, &text);
    if (strcmp(buf_c(&text), want)) {
        size_t i = 0;
        while (text.p[i] && text.p[i] == want[i]) i++;
        test_fault(__FILE__, __LINE__, "frames that came");
        printf("    from byte %d on \"%.60s\", want \"%.60s\"\n", (int)i, text.p + i,
               want + i);
    }
    buf_free(&text);
}

/* ---- 10: a blocking client waits for room ---- */

enum { SEND, TEXT, PIECES, PARTS, LATEST, CORKED, FRAGMENTS, PAUSED, SENDINGS };

/* Message i of count, of n bytes, in one of the ways to send. Adds its frames to want. */
static int send_kind(ws_conn *c, int kind, int i, int count, size_t n, buf *want)
{
    ws_str v[3];
    int last = i == count - 1, first = kind == TEXT ? 0x81 : 0x82;
    char text[40];

    v[0].data = fill;
    v[0].size = n / 3;
    v[1].data = fill + n / 3;
    v[1].size = 0;
    v[2].data = fill + n / 3;
    v[2].size = n - n / 3;
    if (kind == PARTS) first = (last ? 0x80 : 0) | (i ? 0 : 2);
    if (kind == FRAGMENTS) {
        CHECK(n > 10000 && n < 15000);
        buf_str(want, "02#5000 00");
        show(want, fill + 5000, 5000);
        buf_str(want, " 80");
        show(want, fill + 10000, n - 10000);
        buf_str(want, " ");
    } else {
        snprintf(text, sizeof text, "%02x#%d ", first, (int)n);
        buf_str(want, text);
    }
    switch (kind) {
    case TEXT: return ws_send(c, WS_OP_TEXT, fill, n);
    case PIECES: return ws_sendv(c, WS_OP_BINARY, v, 3);
    case PARTS: return ws_send_part(c, WS_OP_BINARY, fill, n, last);
    case LATEST: return ws_send_latest(c, i, WS_OP_BINARY, fill, n);
    default: return ws_send(c, WS_OP_BINARY, fill, n);
    }
}

/* 100 messages of 129,600 bytes to a server that begins to read later all arrive */
TEST(field_10_all_messages_arrive)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    buf want = { 0 };
    int i, bad = 0;

    mate_begin(&m, 50);
    app = told;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    for (i = 0; i < 100; i++) bad += send_kind(c, SEND, i, 100, 129600, &want) != 0;
    CHECK_INT(bad, 0);
    CHECK_INT(ws_error(c), 0);
    CHECK_INT(ws_close(c, 1000, NULL), 0);
    pull_all(c);
    buf_str(&want, "88:1000 ");
    mate_check(&m, buf_c(&want));
    CHECK_INT(e.code, 1000);
    CHECK_INT(e.clean, 1);
    CHECK_INT(refused, 0);
    leave(&e, c);
    buf_free(&want);
    mate_over(&m);
}

/* the same in every way to send, through little room */
TEST(field_10_every_way_to_send_waits)
{
    int kind;

    for (kind = 0; kind < SENDINGS; kind++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        buf want = { 0 };
        int i, bad = 0;
        mate_begin(&m, 20);
        if (kind == FRAGMENTS) cfg.fragment = 5000;
        c = little_client(&m, &e, &cfg);
        if (kind == CORKED) ws_cork(c);
        if (kind == PAUSED) ws_pause(c);
        for (i = 0; i < 100; i++)
            bad += send_kind(c, kind, i, 100, 12960 + (size_t)i, &want) != 0;
        if (kind == CORKED) ws_uncork(c);
        if (kind == PAUSED) ws_resume(c);
        CHECK_INT(bad, 0);
        CHECK_INT(ws_error(c), 0);
        CHECK_INT(ws_close(c, 1000, NULL), 0);
        pull_all(c);
        buf_str(&want, "88:1000 ");
        mate_check(&m, buf_c(&want));
        CHECK_INT(e.clean, 1);
        CHECK_INT(refused, 0);
        if (bad || refused) printf("    kind %d\n", kind);
        leave(&e, c);
        buf_free(&want);
        mate_over(&m);
    }
}

/* messages of every size, small ones too, and such that are larger than max_backlog */
TEST(field_10_every_size_waits)
{
    static const struct { size_t n; int count;
    } cases[] = { { 0, 60000 },  { 20, 20000 }, { 125, 6000 }, { 126, 6000 },
                  { 4000, 200 }, { 32768, 30 }, { 65535, 15 }, { 65536, 15 },
                  { 70000, 15 }, { 300000, 4 } };
    int k;

    for (k = 0; k < COUNT(cases); k++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        int i, bad = 0;
        mate_begin(&m, 20);
        c = little_client(&m, &e, &cfg);
        for (i = 0; i < cases[k].count; i++)
            bad += ws_send(c, WS_OP_BINARY, fill, cases[k].n) != 0;
        CHECK_INT(bad, 0);
        ws_close(c, 1000, NULL);
        pull_all(c);
        CHECK_INT(m.frames, cases[k].count + 1);
        CHECK_INT(e.clean, 1);
        leave(&e, c);
        mate_over(&m);
    }
}

/* pings by hand wait like messages */
TEST(field_10_pings_wait)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    int i, bad = 0;

    mate_begin(&m, 20);
    c = little_client(&m, &e, &cfg);
    for (i = 0; i < 4000; i++) bad += ws_ping(c, fill, 125) != 0;
    CHECK_INT(bad, 0);
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(m.frames, 4001);
    leave(&e, c);
    mate_over(&m);
}

/* in a block of the caller's too */
TEST(field_10_fixed_memory_waits)
{
    static uint64_t block[WS_MEMORY_SIZE(8192, 8192) / 8];
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    int i, bad = 0;

    mate_begin(&m, 20);
    cfg.memory = block;
    cfg.memory_size = sizeof block;
    cfg.memory_send = 8192;
    cfg.resolve = NULL;
    c = little_client(&m, &e, &cfg);
    for (i = 0; i < 1000; i++) bad += ws_send(c, WS_OP_BINARY, fill, 1000) != 0;
    CHECK_INT(bad, 0);
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(m.frames, 1001);
    CHECK_INT(e.clean, 1);
    CHECK_INT(refused, 0);
    leave(&e, c);
    mate_over(&m);
}

/* Begins to read when all was taken that it says. */
static void reads_when_heard(mate *m)
{
    if (m->said == m->say.n) m->start = 0;
}

/* a client that waits reads: the server does not read before its own messages are
   taken, more than the sockets hold. They come out of ws_recv afterwards */
TEST(field_10_waiting_reads)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_event ev;
    ws_conn *c;
    int i, bad = 0;

    mate_begin(&m, LONG_MAX);
    c = little_client(&m, &e, &cfg);
    for (i = 0; i < 100; i++) mate_message(&m, 1000 + (size_t)i);
    m.part = reads_when_heard;
    for (i = 0; i < 100; i++) bad += ws_send(c, WS_OP_BINARY, fill, 12960) != 0;
    CHECK_INT(bad, 0);
    for (i = 0; i < 100; i++) {
        if (pull_one(c, &ev) <= 0) break;
        CHECK_INT(ev.type, WS_EV_MESSAGE);
        CHECK_INT(ev.size, 1000 + i);
        CHECK(!memcmp(ev.data, fill, ev.size));
    }
    CHECK_INT(i, 100);
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(m.frames, 101);
    CHECK_INT(e.clean, 1);
    CHECK_INT(refused, 0);
    leave(&e, c);
    mate_over(&m);
}

/* Reads a little once in a while, and pings while the client waits. */
static void pings_often(mate *m)
{
    char text[20];

    if (m->mode >= 50 || m->turns % 3) return;
    snprintf(text, sizeof text, "%d", m->mode++);
    mate_say(m, 0x89, text, strlen(text));
}

/* pings are answered while a send waits; each at most once, the last one for sure */
TEST(field_10_waiting_answers_pings)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    frames f;
    int i, bad = 0;

    mate_begin(&m, 0);
    m.most = 3000;
    m.part = pings_often;
    c = little_client(&m, &e, &cfg);
    for (i = 0; i < 100; i++) bad += ws_send(c, WS_OP_BINARY, fill, 12960) != 0;
    CHECK_INT(bad, 0);
    CHECK_INT(m.mode, 50);
    CHECK(m.pongs > 0);                 /* before any ws_recv */
    m.most = 0;
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(e.pings, 50);
    CHECK_INT(e.clean, 1);
    check_frames(m.got.p + m.head, m.got.n - m.head, 1, &f, NULL);
    CHECK_INT(f.newest, 49);
    CHECK(f.pongs <= 50);
    leave(&e, c);
    mate_over(&m);
}

/* Echoes of what ev.data shows, whole and in part, many times, until sends wait;
   meanwhile more comes in. What it shows stays, and the right bytes arrive. */
static void echo_shown(ws_conn *c, const ws_event *ev, int times, size_t total)
{
    char *copy = (char *)malloc(ev->size ? ev->size : 1);
    size_t sent = 0;
    int i;

    memcpy(copy, ev->data, ev->size);
    for (i = 0; i < times || sent < total; i++) {
        const char *at = (const char *)ev->data;
        size_t n = ev->size, from = i % 3 == 1 ? n / 2 : 0,
               to = i % 3 == 2 ? n - n / 3 : n;
        CHECK_INT(ws_send(c, WS_OP_BINARY, at + from, to - from), 0);
        CHECK(!memcmp(ev->data, copy, n));
        sent += to - from + 6;
        if (test_faults > 5) break;
    }
    free(copy);
}

TEST(field_10_shown_data_stays)
{
    static const size_t SIZES[] = { 5, 125, 126, 3000, 30000, 70000, 129600, 400000 };
    int k, way;                         /* 1: in parts, 2: in frames, 3: a ping */

    for (way = 0; way < 4; way++) for (k = 0; k < COUNT(SIZES); k++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_event ev;
        ws_conn *c;
        size_t n = SIZES[k], at;
        int i;
        frames f;
        if (way == 3 && n > 125) break;
        mate_begin(&m, 100);
        if (way == 1) cfg.parts_over = 1000;
        cfg.frames = way == 2;
        cfg.handshake_timeout = WS_NEVER;
        c = little_client(&m, &e, &cfg);
        mate_say(&m, way == 3 ? 0x89 : 0x82, fill, n);
        for (i = 0; i < 20; i++) mate_message(&m, 1000);
        CHECK_INT(pull_one(c, &ev), 1);
        CHECK_INT(ev.type, way == 3                             ? WS_EV_PING
                           : way == 2 || (way == 1 && n > 1000) ? WS_EV_PART
                                                                : WS_EV_MESSAGE);
        echo_shown(c, &ev, 9, 300000);
        for (at = ev.size; at < n && pull_one(c, &ev) > 0; at += ev.size) {}
        CHECK_INT(at, n);
        for (i = 0; i < 20 && pull_one(c, &ev) > 0; i++) {
            CHECK_INT(ev.size, 1000);
            CHECK(!memcmp(ev.data, fill, 1000));
        }
        CHECK_INT(i, 20);
        ws_close(c, 1000, NULL);
        pull_all(c);
        CHECK_INT(e.clean, 1);
        CHECK_INT(refused, 0);
        check_frames(m.got.p + m.head, m.got.n - m.head, 1, &f, NULL);
        CHECK_INT(m.seen, m.got.n);
        if (test_faults) printf("    way %d, %d bytes\n", way, (int)n);
        leave(&e, c);
        mate_over(&m);
        if (test_faults) return;
    }
}

/* the echoes' bytes, of a whole message */
TEST(field_10_shown_data_arrives)
{
    static const size_t SIZES[] = { 200, 5000, 129600, 300000 };
    int k;

    for (k = 0; k < COUNT(SIZES); k++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_event ev;
        ws_conn *c;
        buf want = { 0 };
        int i, times = 1 + (int)(400000 / SIZES[k]);
        char text[40];
        mate_begin(&m, 100);
        c = little_client(&m, &e, &cfg);
        mate_message(&m, SIZES[k]);
        for (i = 0; i < 30; i++) mate_message(&m, 1500);
        CHECK_INT(pull_one(c, &ev), 1);
        CHECK_INT(ev.size, SIZES[k]);
        snprintf(text, sizeof text, "82#%d ", (int)ev.size);
        for (i = 0; i < times; i++) {
            CHECK_INT(ws_send(c, WS_OP_BINARY, ev.data, ev.size), 0);
            buf_str(&want, text);
        }
        ws_close(c, 1000, NULL);
        pull_all(c);
        buf_str(&want, "88:1000 ");
        mate_check(&m, buf_c(&want));
        CHECK_INT(e.messages, 31);
        leave(&e, c);
        buf_free(&want);
        mate_over(&m);
    }
}

/* Goes in the way that mode says once the client has waited. */
static void goes_while_waited_for(mate *m)
{
    if (m->turns != 20) return;
    if (m->mode == 2) {
        mate_say(m, 0x88, "\x03\xe9gone", 6);
        mate_write(m);
        shutdown(m->fd, SHUT_WR);
        return;
    }
    mate_end(m, m->mode);
}

/* a peer that goes while a send waits ends the wait: the send says so, and so does the
   state */
TEST(field_10_waiting_ends_with_the_connection)
{
    int mode;                           /* 0: it closes, 1: resets, 2: sends a Close */

    for (mode = 0; mode < 3; mode++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        int i, r = 0;
        mate_begin(&m, LONG_MAX);
        m.mode = mode;
        m.part = goes_while_waited_for;
        cfg.send_timeout = 10000;
        c = little_client(&m, &e, &cfg);
        for (i = 0; i < 1000 && !r; i++) r = ws_send(c, WS_OP_BINARY, fill, 12960);
        CHECK(r < 0 && r != WS_ERR_BACKLOG && r != WS_ERR_SEND_TIMEOUT);
        CHECK(ws_state(c) != WS_STATE_OPEN);
        CHECK(mode == 2 || ws_error(c) != 0);
        mate_end(&m, 1);
        pull_all(c);
        CHECK_INT(e.closes, 1);
        if (mode == 2) CHECK_INT(e.code, 1001);
        leave(&e, c);
        mate_over(&m);
    }
}

/* a peer that takes nothing for send_timeout ends the connection: the send, the error
   and CLOSE say the same */
TEST(field_10_send_timeout_over_sockets)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    uint64_t start;
    int i, r = 0;

    mate_begin(&m, LONG_MAX);
    cfg.send_timeout = 300;
    c = little_client(&m, &e, &cfg);
    start = now_ms();
    for (i = 0; i < 1000 && !r; i++) r = ws_send(c, WS_OP_BINARY, fill, 12960);
    CHECK_INT(r, WS_ERR_SEND_TIMEOUT);
    CHECK(now_ms() - start >= 299);
    CHECK_INT(ws_error(c), WS_ERR_SEND_TIMEOUT);
    CHECK_INT(ws_state(c), WS_STATE_CLOSED);
    CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 1), WS_ERR_STATE);
    pull_all(c);
    CHECK_INT(e.closes, 1);
    CHECK_INT(e.error, WS_ERR_SEND_TIMEOUT);
    CHECK_INT(e.code, 1006);
    CHECK_INT(e.clean, 0);
    leave(&e, c);
    mate_over(&m);
}

/* ---- the same over functions of the application, by an injected clock ---- */

typedef struct pipes {
    buf in, out;                /* what the client may read, and wrote */
    size_t at, head;
    size_t room;                /* bytes that write takes before WANT_WRITE */
    size_t rate;                /* more room in each wait */
    uint64_t step;              /* ms that pass in a wait */
    long reads, writes, waits;
    long fail_at;               /* the write that fails, 0: none */
    int echo_close;
} pipes;

static ptrdiff_t pipes_read(void *user, void *data, size_t n)
{
    pipes *p = (pipes *)user;

    p->reads++;
    if (!p->head && (p->head = head_size(&p->out)) != 0) {
        put_answer(&p->in, &p->out, NULL);
        p->room = 0;
    }
    if (n > p->in.n - p->at) n = p->in.n - p->at;
    if (!n) return WS_IO_WANT_READ;
    memcpy(data, p->in.p + p->at, n);
    p->at += n;
    return (ptrdiff_t)n;
}

static ptrdiff_t pipes_write(void *user, const void *data, size_t n)
{
    pipes *p = (pipes *)user;

    p->writes++;
    if (p->fail_at && p->writes >= p->fail_at) return WS_IO_ERROR;
    if (!p->head) p->room = n;
    if (n > p->room) n = p->room;
    if (!n) return WS_IO_WANT_WRITE;
    buf_add(&p->out, data, n);
    p->room -= n;
    return (ptrdiff_t)n;
}

static void pipes_wait(void *user, int wants, int timeout)
{
    pipes *p = (pipes *)user;

    (void)wants;
    (void)timeout;
    p->waits++;
    if (!p->head) return;
    p->room += p->rate;
    skipped += p->step;
}

/* A blocking client over them, open; waits: has io.wait. */
static ws_conn *pipes_client(pipes *p, end *e, ws_config *cfg, int waits)
{
    fill_once();
    cfg->resolve = NULL;
    cfg->on_socket = NULL;
    cfg->io.read = pipes_read;
    cfg->io.write = pipes_write;
    cfg->io.wait = waits ? pipes_wait : NULL;
    cfg->io.user = p;
    if (!cfg->max_backlog) cfg->max_backlog = 65536;
    app = told;
    refused = 99;
    e->c = visit(BLOCKING, "ws://example.com/", cfg);
    CHECK_INT(ws_state(e->c), WS_STATE_OPEN);
    CHECK_INT(p->out.n, p->head);
    return e->c;
}

static void pipes_over(pipes *p, end *e, ws_conn *c)
{
    leave(e, c);
    buf_free(&p->in);
    buf_free(&p->out);
    over();
}

/* The frames that were written: so many of data, all whole. */
static void pipes_check(pipes *p, int count)
{
    frames f;
    size_t n = p->out.n - p->head;

    CHECK_INT(check_frames(p->out.p + p->head, n, 1, &f, NULL), n);
    CHECK_INT(f.data, count);
}

/* Without io.wait it only writes: a read function that blocks would wait for ever. */
static pipes *only_writes;

static void makes_room(void)
{
    poll(NULL, 0, 1);                   /* once in a sleep of a millisecond, or twice */
    skipped += only_writes->step;
    only_writes->room += only_writes->rate;
}

TEST(field_10_io_without_wait_only_writes)
{
    pipes p;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    long reads;
    int i, bad = 0;

    memset(&p, 0, sizeof p);
    p.rate = 20000;
    p.step = 1;
    cfg.ping_interval = WS_NEVER;
    c = pipes_client(&p, &e, &cfg, 0);
    only_writes = &p;
    besides = makes_room;               /* in each of its sleeps of a millisecond */
    put_frame(&p.in, 0x89, 0, "x", 1, 0);
    reads = p.reads;
    for (i = 0; i < 100; i++) bad += ws_send(c, WS_OP_BINARY, fill, 12960) != 0;
    CHECK_INT(bad, 0);
    CHECK_INT(p.reads, reads);
    p.room = 1 << 24;
    ws_close(c, 1000, NULL);
    CHECK_INT(p.reads, reads);
    pipes_check(&p, 100);
    pipes_over(&p, &e, c);
}

/* and there a peer that takes nothing ends it after send_timeout as well */
TEST(field_10_io_without_wait_times_out)
{
    pipes p;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    uint64_t before;
    long reads;
    int i, r = 0;

    memset(&p, 0, sizeof p);
    p.step = 500;
    cfg.ping_interval = WS_NEVER;
    c = pipes_client(&p, &e, &cfg, 0);
    only_writes = &p;
    besides = makes_room;
    before = skipped;
    reads = p.reads;
    for (i = 0; i < 100 && !r; i++) r = ws_send(c, WS_OP_BINARY, fill, 12960);
    CHECK_INT(r, WS_ERR_SEND_TIMEOUT);
    CHECK(skipped - before > 28000 && skipped - before < 60000);
    CHECK_INT(p.reads, reads);
    CHECK_INT(ws_error(c), WS_ERR_SEND_TIMEOUT);
    CHECK_INT(ws_state(c), WS_STATE_CLOSED);
    pull_all(c);
    CHECK_INT(e.error, WS_ERR_SEND_TIMEOUT);
    pipes_over(&p, &e, c);
}

/* how long a send waits for peers of every pace: 1 KiB/s or more as long as it takes */
TEST(field_10_pace_decides)
{
    static const struct {
        uint32_t timeout;
        size_t rate;
        uint64_t step;
        int waits;
    } cases[] = {
        { 0, 0, 1000, 0 },          { 5000, 0, 1000, 0 },       { 5000, 0, 100, 0 },
        { 60000, 0, 1000, 0 },      { 5000, 1, 4000, 0 },       { 30000, 1, 4000, 0 },
        { 30000, 100, 1000, 0 },    { 0, 2048, 1000, 1 },       { 5000, 2048, 1000, 1 },
        { 5000, 8192, 4000, 1 },    { 1000, 2048, 1000, 1 },    { 1000, 1100, 1000, 1 },
        { 1000, 220, 200, 1 },      { 100, 1000, 10, 1 },       { 500, 55, 50, 1 },
        { WS_NEVER, 300, 1000, 1 }, { WS_NEVER, 40, 60000, 1 },
    };
    int k;

    for (k = 0; k < COUNT(cases); k++) {
        uint32_t most = cases[k].timeout ? cases[k].timeout : 30000;
        pipes p;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        uint64_t before;
        int i, r = 0;
        memset(&p, 0, sizeof p);
        p.rate = cases[k].rate;
        p.step = cases[k].step;
        cfg.send_timeout = cases[k].timeout;
        cfg.ping_interval = WS_NEVER;
        cfg.max_backlog = 8192;
        c = pipes_client(&p, &e, &cfg, 1);
        before = skipped;
        for (i = 0; i < 14 && !r; i++) r = ws_send(c, WS_OP_BINARY, fill, 6000);
        if (cases[k].waits) {
            CHECK_INT(r, 0);
            CHECK_INT(ws_state(c), WS_STATE_OPEN);
        } else {
            CHECK_INT(r, WS_ERR_SEND_TIMEOUT);
            CHECK_INT(ws_error(c), WS_ERR_SEND_TIMEOUT);
            CHECK_INT(ws_state(c), WS_STATE_CLOSED);
            CHECK(skipped - before + 2 * p.step >= most);
            CHECK(skipped - before <= 3 * (uint64_t)most + 2 * p.step);
        }
        if (test_faults) printf("    case %d\n", k);
        pipes_over(&p, &e, c);
        if (test_faults) return;
    }
}

/* with the keepalive at work: a peer that takes 2 KiB/s and answers no ping is alive */
TEST(field_10_taking_is_a_sign_of_life)
{
    pipes p;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    int i, bad = 0;

    memset(&p, 0, sizeof p);
    p.rate = 2048;
    p.step = 1000;
    cfg.max_backlog = 32768;
    c = pipes_client(&p, &e, &cfg, 1);
    for (i = 0; i < 100; i++) bad += ws_send(c, WS_OP_BINARY, fill, 2000) != 0;
    CHECK_INT(bad, 0);
    CHECK_INT(ws_state(c), WS_STATE_OPEN);
    CHECK(skipped > 60000);
    pipes_over(&p, &e, c);
}

/* with io.wait it reads while it waits */
TEST(field_10_io_with_wait_reads)
{
    pipes p;
    end e;
    ws_config cfg = client_config(&e);
    ws_event ev;
    ws_conn *c;
    frames f;
    int i, bad = 0;

    memset(&p, 0, sizeof p);
    p.rate = 1000;
    p.step = 10;
    c = pipes_client(&p, &e, &cfg, 1);
    put_frame(&p.in, 0x82, 0, fill, 300, 0);
    put_frame(&p.in, 0x89, 0, "7", 1, 0);
    put_frame(&p.in, 0x82, 0, fill, 400, 0);
    for (i = 0; i < 100; i++) bad += ws_send(c, WS_OP_BINARY, fill, 2000) != 0;
    CHECK_INT(bad, 0);
    check_frames(p.out.p + p.head, p.out.n - p.head, 1, &f, NULL);
    CHECK_INT(f.pongs, 1);
    CHECK_INT(f.newest, 7);
    CHECK_INT(pull_one(c, &ev), 1);
    CHECK_INT(ev.size, 300);
    CHECK_INT(pull_one(c, &ev), 1);
    CHECK_INT(ev.type, WS_EV_PING);
    CHECK_INT(pull_one(c, &ev), 1);
    CHECK_INT(ev.size, 400);
    CHECK(!memcmp(ev.data, fill, 400));
    pipes_over(&p, &e, c);
}

/* ---- refusals are counted ---- */

enum { OF_SEND, OF_TEXT, OF_PIECES, OF_PART, OF_LATEST, OF_ALL };

static int refused_one(ws_conn *c, int how, size_t n)
{
    ws_str v = { NULL, 0 };

    v.data = fill;
    v.size = n;
    switch (how) {
    case OF_TEXT: return ws_send(c, WS_OP_TEXT, fill, n);
    case OF_PIECES: return ws_sendv(c, WS_OP_BINARY, &v, 1);
    case OF_PART: return ws_send_part(c, WS_OP_BINARY, fill, n, 0);
    case OF_LATEST: return ws_send_latest(c, 0, WS_OP_BINARY, fill, n);
    default: return ws_send(c, WS_OP_BINARY, fill, n);
    }
}

static void note_refused(side *s, const ws_event *ev)
{
    (void)s;
    if (ev->type == WS_EV_CLOSE) refused = ev->refused;
}

/* the engine, both roles: CLOSE tells how often WS_ERR_BACKLOG came, however it ends */
TEST(field_10_refusals_are_counted)
{
    int client, how, times, ends;

    fill_once();
    for (client = 0; client < 2; client++) for (how = 0; how < OF_ALL; how++)
        for (times = 0; times < 4; times++) for (ends = 0; ends < 3; ends++) {
            world w;
            side s;
            ws_config cfg = world_fresh(&w);
            int i, r, n = 0;
            cfg.max_backlog = 4000;
            side_open(&s, &w, client, &cfg);
            s.event = note_refused;
            s.hold = 1;
            refused = 99;
            for (i = 0;
                 i < 10 && !(r = refused_one(s.c, how == OF_LATEST ? OF_SEND : how, 900));
                 i++) {
            }
            CHECK_INT(r, WS_ERR_BACKLOG);
            for (n = 1; n < times; n++)
                CHECK_INT(refused_one(s.c, how, 4000), WS_ERR_BACKLOG);
            if (ends == 0) ws_drop(s.c);
            if (ends == 1) side_peer_closes(&s, 1000, "");
            if (ends == 2) side_end(&s);
            side_release(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(refused, n);
            side_over(&s);
        }
}

/* none, when all went; answers that go on count as well */
TEST(field_10_no_refusals)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        int i;
        side_plain(&s, &w, client);
        s.event = note_refused;
        refused = 99;
        for (i = 0; i < 100; i++) CHECK_INT(ws_send(s.c, WS_OP_BINARY, fill, 500), 0);
        side_peer_closes(&s, 1000, "");
        CHECK_INT(s.closes, 1);
        CHECK_INT(refused, 0);
        side_over(&s);
    }
}

static void begin_answer(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_HTTP) CHECK_INT(ws_http_begin(s->c, 200, NULL, 0), 0);
    note_refused(s, ev);
}

TEST(field_10_refusals_of_an_answer)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    int i, n = 0;

    fill_once();
    cfg.max_backlog = 4000;
    side_new(&s, &w, 0, &cfg);
    s.event = begin_answer;
    side_feed(&s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    s.hold = 1;
    refused = 99;
    for (i = 0; i < 20; i++) n += ws_http_write(s.c, fill, 900) == WS_ERR_BACKLOG;
    CHECK(n > 10);
    ws_drop(s.c);
    side_release(&s);
    CHECK_INT(s.closes, 1);
    CHECK_INT(refused, n);
    side_over(&s);
}

/* drivers that do not wait: OWN and LOOP as clients, each life of a connection for
   itself */
TEST(field_10_refusals_in_the_drivers)
{
    int driver;

    for (driver = OWN; driver < DRIVERS; driver++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        int i, n = 0;
        if (!loop) loop = ws_loop_new(NULL);
        mate_begin(&m, LONG_MAX);
        little_room(m.listener);
        cfg.on_socket = little_socket;
        cfg.max_backlog = 65536;
        cfg.reconnect = 1;
        cfg.reconnect_max = 1;
        app = told;
        refused = 99;
        c = visit(driver, mate_url(&m), &cfg);
        UNTIL(e.opens == 1, 3000);
        for (i = 0; i < 100; i++)
            n += ws_send(c, WS_OP_BINARY, fill, 12960) == WS_ERR_BACKLOG;
        CHECK(n > 50);
        mate_end(&m, 1);
        UNTIL(e.downs == 1, 3000);
        CHECK_INT(refused, n);
        buf_clear(&m.got);
        buf_clear(&m.say);
        m.head = m.seen = m.said = 0;
        m.turns = m.ended = 0;
        refused = 99;
        UNTIL(e.opens == 2, 3000);
        CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 10), 0);
        m.start = 0;
        ws_close(c, 1000, NULL);
        UNTIL(e.closes == 1, 3000);
        CHECK_INT(refused, 0);
        leave(&e, c);
        mate_over(&m);
    }
}

/* a server's connections; what a group or all should have got counts for each that did
   not */
static ws_conn *guest;

static void guest_taken(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type == WS_EV_OPEN) guest = ev->conn;
    if (ev->type == WS_EV_CLOSE) refused = ev->refused;
}

TEST(field_10_refusals_of_a_server)
{
    int how; /* 0: ws_send, 1: a group, 2: all, 3: latest of a group */

    for (how = 0; how < 4; how++) {
        ws_config cfg;
        end host;
        peer r;
        int i, n = 0, took, l;
        memset(&cfg, 0, sizeof cfg);
        memset(&host, 0, sizeof host);
        memset(&r, 0, sizeof r);
        fill_once();
        cfg.user = &host;
        cfg.max_backlog = 65536;
        l = listen_on(&cfg);
        app = guest_taken;
        guest = NULL;
        refused = 99;
        peer_connect(&r, ws_listen_port(loop, l));
        peer_text(&r, REQUEST);
        UNTIL(guest != NULL, 3000);
        ws_join(guest, "g");
        for (i = 0; i < 1000; i++) {
            took = how == 0 ? !ws_send(guest, WS_OP_BINARY, fill, 60000)
                 : how == 1 ? ws_publish(loop, "g", NULL, WS_OP_BINARY, fill, 60000)
                 : how == 2 ? ws_broadcast(loop, NULL, WS_OP_BINARY, fill, 60000)
                            : ws_publish_latest(loop, "g", i, WS_OP_BINARY, fill, 60000);
            n += !took;
        }
        CHECK(n > 100 && n < 1000);
        peer_end(&r, 0);
        UNTIL(host.closes == 1, 3000);
        CHECK_INT(refused, n);
        if ((int)refused != n) printf("    how %d\n", how);
        over();
    }
}

/* ---- messages from a source ---- */

/* Gives so many pieces, then the end; waits: then waits instead. */
typedef struct spring { int pieces, waits, ended; } spring;

static ptrdiff_t spring_read(void *user, void *data, size_t n)
{
    spring *s = (spring *)user;

    if (!s->pieces && s->waits) return WS_IO_WANT_READ;
    s->ended = !s->pieces;
    if (s->ended) return 0;
    s->pieces--;
    memcpy(data, fill, n);
    return (ptrdiff_t)n;
}

#define SPRING ((size_t)4096)           /* bytes of a piece */

static void want_spring(buf *want, int pieces)
{
    int i;
    for (i = 0; i < pieces; i++) buf_str(want, i ? "00#4096 " : "02#4096 ");
    buf_str(want, "80'' ");
}

/* ws_close cuts it off: CLOSE counts it, unless its end had been read. taken: frames of
   it that had been written. */
TEST(field_10_a_source_cut_off_is_counted)
{
    int client, waits, taken;

    fill_once();
    for (client = 0; client < 2; client++) for (waits = 0; waits < 2; waits++)
        for (taken = 0; taken < 5; taken++) {
            spring from = { 3, 0, 0 };
            world w;
            side s;
            int i;
            side_plain(&s, &w, client);
            s.event = note_refused;
            s.hold = 1;
            refused = 99;
            from.waits = waits;
            CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, spring_read, &from), 0);
            for (i = 0; i < taken; i++) side_write(&s, FILL);
            CHECK_INT(ws_close(s.c, 1000, NULL), 0);
            CHECK_INT(ws_close(s.c, 1000, NULL), WS_ERR_STATE);
            side_release(&s);
            side_peer_closes(&s, 1000, "");
            side_end(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.clean, 1);
            CHECK_INT(from.ended, taken == 4 && !waits);
            CHECK_INT(refused, !from.ended);
            side_over(&s);
        }
}

/* the same of every driver, over sockets that take some of it */
TEST(field_10_a_source_cut_off_in_the_drivers)
{
    int driver;

    for (driver = BLOCKING; driver < DRIVERS; driver++) {
        spring from = { INT_MAX, 0, 0 };
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        if (!loop) loop = ws_loop_new(NULL);
        mate_begin(&m, 0);
        little_room(m.listener);
        cfg.on_socket = little_socket;
        app = told;
        refused = 99;
        c = visit(driver, mate_url(&m), &cfg);
        UNTIL(e.opens == 1, 3000);
        CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &from), 0);
        UNTIL(m.frames > 20, 3000);
        CHECK_INT(ws_close(c, 1000, NULL), 0);
        UNTIL(e.closes == 1, 3000);
        CHECK_INT(e.clean, 1);
        CHECK_INT(refused, 1);
        leave(&e, c);
        mate_over(&m);
    }
}

/* the engine, both roles: what meets a message that is not whole yet is counted */
TEST(field_10_busy_is_counted)
{
    int client, how, times, parts;

    fill_once();
    for (client = 0; client < 2; client++) for (how = 0; how < OF_PART; how++)
        for (times = 0; times < 4; times++) for (parts = 0; parts < 2; parts++) {
            spring from = { 0, 1, 0 };
            world w;
            side s;
            int i;
            side_plain(&s, &w, client);
            s.event = note_refused;
            refused = 99;
            if (parts) CHECK_INT(ws_send_part(s.c, WS_OP_BINARY, fill, 10, 0), 0);
            else CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, spring_read, &from), 0);
            side_pull(&s);
            for (i = 0; i < times; i++)
                CHECK_INT(refused_one(s.c, how, 100), WS_ERR_BUSY);
            if (parts) {
                CHECK_INT(ws_send_part(s.c, WS_OP_BINARY, fill, 10, 1), 0);
            } else {
                from.waits = 0;
                CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, spring_read, &from), 0);
            }
            side_pull(&s);
            CHECK_INT(refused_one(s.c, how, 100), 0);
            side_peer_closes(&s, 1000, "");
            CHECK_INT(s.closes, 1);
            CHECK_INT(refused, times);
            side_over(&s);
        }
}

/* Over sockets: a blocking client's send waits until the source before it has ended,
   and both arrive in order, with what is sent behind them. */
TEST(field_10_a_send_waits_for_a_source)
{
    int how;

    for (how = 0; how < OF_PART; how++) {
        spring from = { 300, 0, 0 }, next = { 2, 0, 0 };
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        buf want = { 0 };
        ws_conn *c;
        mate_begin(&m, 20);
        m.most = 30000;
        c = little_client(&m, &e, &cfg);
        CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &from), 0);
        CHECK_INT(from.ended, 0);
        CHECK_INT(refused_one(c, how, 100), 0);
        CHECK_INT(from.ended, 1);
        CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &next), 0);
        CHECK_INT(refused_one(c, how, 5000), 0);
        CHECK_INT(ws_close(c, 1000, NULL), 0);
        pull_all(c);
        CHECK_INT(e.clean, 1);
        CHECK_INT(refused, 0);
        want_spring(&want, 300);
        buf_str(&want, how == OF_TEXT ? "81#100 " : "82#100 ");
        want_spring(&want, 2);
        buf_str(&want, how == OF_TEXT ? "81#5000 88:1000 " : "82#5000 88:1000 ");
        mate_check(&m, want.p);
        buf_free(&want);
        leave(&e, c);
        mate_over(&m);
    }
}

/* one that waits itself is waited for no longer: busy, and counted; then it goes on */
TEST(field_10_a_send_behind_a_source_that_waits)
{
    spring from = { 300, 1, 0 };
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    buf want = { 0 };
    ws_conn *c;
    int i;

    mate_begin(&m, 20);
    m.most = 30000;
    c = little_client(&m, &e, &cfg);
    CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &from), 0);
    for (i = 0; i < 3; i++) CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 100), WS_ERR_BUSY);
    CHECK_INT(from.pieces, 0);
    from.pieces = 10;
    from.waits = 0;
    CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &from), 0);
    CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 100), 0);
    CHECK_INT(ws_close(c, 1000, NULL), 0);
    pull_all(c);
    CHECK_INT(e.clean, 1);
    CHECK_INT(refused, 3);
    want_spring(&want, 310);
    buf_str(&want, "82#100 88:1000 ");
    mate_check(&m, want.p);
    buf_free(&want);
    leave(&e, c);
    mate_over(&m);
}

/* Over functions, by an injected clock: how a send behind a source of 80 KiB ends when
   the peer takes so many bytes in each half second; send_timeout is 5 s. */
static void source_at(size_t rate, int want)
{
    int waits;

    for (waits = 0; waits < 2; waits++) {
        spring from = { 20, 0, 0 };
        pipes p;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        memset(&p, 0, sizeof p);
        p.step = 500;
        p.rate = rate;
        cfg.ping_interval = WS_NEVER;
        cfg.send_timeout = 5000;
        c = pipes_client(&p, &e, &cfg, waits);
        only_writes = &p;
        besides = waits ? NULL : makes_room;
        CHECK_INT(ws_send_from(c, WS_OP_BINARY, spring_read, &from), 0);
        CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 100), want);
        CHECK_INT(ws_error(c), want);
        CHECK_INT(from.ended, !want);
        pipes_over(&p, &e, c);
    }
}

TEST(field_10_a_wait_for_a_source_has_an_end) { source_at(0, WS_ERR_SEND_TIMEOUT); }

TEST(field_10_a_source_that_is_taken_is_waited_for) { source_at(1024, 0); }

/* ---- 11: the state is the truth ---- */

/* Resets the connection in its first turn after the handshake, behind two messages; or
   ends it. */
static void goes_at_once(mate *m)
{
    if (m->turns != 5) return;
    mate_message(m, 300);
    mate_message(m, 70000);
    mate_write(m);
    mate_end(m, m->mode);
}

/* a send that fails leaves no connection that looks open */
TEST(field_11_a_failed_send_ends_the_state)
{
    int mode, kind;

    for (mode = 0; mode < 2; mode++) for (kind = 0; kind < SENDINGS; kind++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        buf want = { 0 };
        int i, r = 0;
        mate_begin(&m, 0);
        m.mode = mode;
        m.part = goes_at_once;
        app = told;
        cfg.fragment = kind == FRAGMENTS ? 5000 : 0;
        c = visit(BLOCKING, mate_url(&m), &cfg);
        while (m.turns < 5) mate_turn();
        for (i = 0; i < 10000 && !r; i++)
            r = send_kind(c, kind, i, 20000, 12960, &want);
        CHECK(r < 0);
        CHECK_INT(ws_state(c), WS_STATE_CLOSED);
        CHECK(ws_error(c) != 0);
        CHECK(*ws_error_text(c));
        if (test_faults) printf("    mode %d, kind %d\n", mode, kind);
        pull_all(c);
        CHECK_INT(e.closes, 1);
        CHECK(e.error != 0);
        CHECK_INT(e.error, ws_error(c));
        leave(&e, c);
        buf_free(&want);
        mate_over(&m);
        if (test_faults) return;
    }
}

/* what had come before is given all the same */
TEST(field_11_what_came_before_is_given)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    int i, r = 0;

    mate_begin(&m, 0);
    m.part = goes_at_once;
    app = told;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    while (m.turns < 5) mate_turn();
    for (i = 0; i < 10000 && !r; i++) r = ws_send(c, WS_OP_BINARY, fill, 1000);
    CHECK(r < 0);
    CHECK_INT(ws_state(c), WS_STATE_CLOSED);
    pull_all(c);
    CHECK_INT(e.messages, 2);
    CHECK_INT(e.bytes, 70300);
    CHECK_INT(e.closes, 1);
    leave(&e, c);
    mate_over(&m);
}

enum { BY_SEND, BY_PART, BY_PING, BY_PONG, BY_CLOSE, BY_LATEST, BY_UNCORK, CALLS };

static int call_of(ws_conn *c, int call)
{
    switch (call) {
    case BY_PART: return ws_send_part(c, WS_OP_BINARY, fill, 50, 0);
    case BY_PING: return ws_ping(c, "x", 1);
    case BY_PONG: return ws_pong(c, "x", 1);
    case BY_CLOSE: return ws_close(c, 1000, NULL);
    case BY_LATEST: return ws_send_latest(c, 1, WS_OP_TEXT, fill, 50);
    case BY_UNCORK:
        ws_cork(c);
        ws_send(c, WS_OP_BINARY, fill, 50);
        ws_uncork(c);
        return 0;
    default: return ws_send(c, WS_OP_TEXT, fill, 50);
    }
}

/* whichever call meets the failing write, over functions of the application */
TEST(field_11_every_call_that_writes)
{
    int call, waits, after;

    for (waits = 0; waits < 2; waits++) for (call = 0; call < CALLS; call++)
        for (after = 0; after < 3; after++) {
            pipes p;
            end e;
            ws_config cfg = client_config(&e);
            ws_conn *c;
            int i, r;
            memset(&p, 0, sizeof p);
            c = pipes_client(&p, &e, &cfg, waits);
            p.room = 1 << 20;
            for (i = 0; i < after; i++) CHECK_INT(ws_send(c, WS_OP_TEXT, "ok", 2), 0);
            if (call == BY_PART && after) CHECK_INT(call_of(c, call), 0);
            CHECK_INT(ws_state(c), WS_STATE_OPEN);
            CHECK_INT(ws_error(c), 0);
            p.fail_at = p.writes + 1;
            r = call_of(c, call);
            CHECK(p.writes >= p.fail_at);
            CHECK_INT(ws_state(c), WS_STATE_CLOSED);
            CHECK(ws_error(c) != 0);
            if (r >= 0) CHECK_INT(ws_send(c, WS_OP_TEXT, "x", 1), WS_ERR_STATE);
            if (test_faults)
                printf("    call %d, waits %d, after %d\n", call, waits, after);
            pull_all(c);
            CHECK_INT(e.closes, 1);
            CHECK(e.error != 0);
            CHECK_INT(e.clean, 0);
            pipes_over(&p, &e, c);
            if (test_faults) return;
        }
}

/* Sends its messages, then a Close, and never reads. */
static void says_goodbye(mate *m)
{
    if (m->turns != 5) return;
    mate_say(m, 0x88, "\x03\xe9", 2);
}

/* WS_ERR_STATE never comes from a connection that says OPEN: the peer's Close is seen
   by sending */
TEST(field_11_a_close_is_seen_by_sending)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_conn *c;
    int i, r = 0;

    mate_begin(&m, 0);
    m.part = says_goodbye;
    app = told;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    for (i = 0; i < 5000 && !r; i++) {
        r = ws_send(c, WS_OP_BINARY, fill, 100);
        skipped += 1;
        mate_turn();
    }
    CHECK_INT(r, WS_ERR_STATE);
    CHECK(ws_state(c) != WS_STATE_OPEN);
    pull_all(c);
    CHECK_INT(e.closes, 1);
    CHECK_INT(e.code, 1001);
    leave(&e, c);
    mate_over(&m);
}

/* ---- 12: a client that only sends answers pings ---- */

/* Pings in every fifth turn, behind a message in every tenth if mode says so. */
static void pings_and_talks(mate *m)
{
    char text[24];

    if (m->turns % 5) return;
    if (m->mode && m->turns % 10 == 0) mate_message(m, 100);
    snprintf(text, sizeof text, "%ld", m->turns / 5);
    mate_say(m, 0x89, text, strlen(text));
}

/* Sends count messages, one each 20 ms of the clock: pings need not be looked for by
   every one. */
static void sends_for(ws_conn *c, size_t n, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        CHECK_INT(ws_send(c, WS_OP_BINARY, fill, n), 0);
        skipped += 20;
        mate_turn();
    }
}

/* Functions of the application over a socket that does not block. */
static ptrdiff_t own_read(void *user, void *data, size_t n)
{
    ssize_t k = recv(*(int *)user, data, n, 0);
    return k < 0 && errno == EAGAIN ? WS_IO_WANT_READ
           : k < 0                  ? WS_IO_ERROR
                                    : (ptrdiff_t)k;
}

static ptrdiff_t own_write(void *user, const void *data, size_t n)
{
    ssize_t k = send(*(int *)user, data, n, MSG_NOSIGNAL);
    return k < 0 && errno == EAGAIN ? WS_IO_WANT_WRITE
           : k < 0                  ? WS_IO_ERROR
                                    : (ptrdiff_t)k;
}

static void own_wait(void *user, int wants, int timeout)
{
    struct pollfd p = { *(int *)user, 0, 0 };

    if (wants & WS_WANT_READ) p.events |= POLLIN;
    if (wants & WS_WANT_WRITE) p.events |= POLLOUT;
    drive_poll(&p, 1, timeout);
}

static void own_close(void *user) { close(*(int *)user); }

/* by_io: over cfg.io with wait */
static void only_sends(int by_io, int mode, size_t n)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_event ev;
    ws_conn *c;
    frames f;
    int messages = 0, pings = 0, fd;

    mate_begin(&m, 0);
    if (by_io) {
        int at_once = 1;
        fd = loopback_connect(m.port);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        cfg.io.read = own_read;
        cfg.io.write = own_write;
        cfg.io.wait = own_wait;
        cfg.io.close = own_close;
        cfg.io.user = &fd;
        cfg.resolve = NULL;
        cfg.on_socket = NULL;
    }
    app = told;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    m.mode = mode;
    m.part = pings_and_talks;
    m.turns = 0;
    sends_for(c, n, 100);
    m.part = NULL;
    sends_for(c, n, 20);                /* the last ping was said in turn 100 */
    check_frames(m.got.p + m.head, m.got.n - m.head, 1, &f, NULL);
    CHECK_INT(f.data, 120);
    CHECK_INT(f.newest, 20);
    CHECK(f.pongs <= 20);
    while (pings < 20 && pull_one(c, &ev) > 0) {
        pings += ev.type == WS_EV_PING;
        messages += ev.type == WS_EV_MESSAGE;
        if (ev.type == WS_EV_MESSAGE)
            CHECK(ev.size == 100 && !memcmp(ev.data, fill, 100));
    }
    CHECK_INT(messages, mode ? 10 : 0);
    ws_close(c, 1000, NULL);
    pull_all(c);
    check_frames(m.got.p + m.head, m.got.n - m.head, 1, &f, NULL);
    CHECK(f.pongs <= 20);               /* none is answered twice */
    CHECK_INT(e.clean, 1);
    leave(&e, c);
    mate_over(&m);
}

/* pings alone, and pings behind messages that wait for ws_recv */
TEST(field_12_sending_answers_pings)
{
    only_sends(0, 0, 10);
    only_sends(0, 0, 5000);
    only_sends(0, 1, 10);
    only_sends(0, 1, 5000);
}

/* the same over functions of the application that can wait */
TEST(field_12_sending_over_io_with_wait_answers_pings)
{
    only_sends(1, 0, 10);
    only_sends(1, 1, 5000);
}

/* by an injected clock: 20 sends, one each 50 ms, a ping before every fourth; without
   wait, where reading may block, it reads nothing */
TEST(field_12_sending_over_io)
{
    int waits;

    for (waits = 0; waits < 2; waits++) {
        pipes p;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        frames f;
        char number[12];
        long reads;
        int i;
        memset(&p, 0, sizeof p);
        c = pipes_client(&p, &e, &cfg, waits);
        p.room = FILL;
        reads = p.reads;
        for (i = 1; i <= 20; i++) {
            sprintf(number, "%d", i);
            if (i % 4 == 1) put_frame(&p.in, 0x89, 0, number, strlen(number), 0);
            skipped += 50;
            CHECK_INT(ws_send(c, WS_OP_BINARY, fill, 100), 0);
        }
        check_frames(p.out.p + p.head, p.out.n - p.head, 1, &f, NULL);
        CHECK_INT(f.data, 20);
        CHECK_INT(f.pongs, waits ? 5 : 0);
        CHECK_INT(f.newest, waits ? 17 : 0);
        if (!waits) CHECK_INT(p.reads, reads);
        pipes_over(&p, &e, c);
    }
}

/* a ping between the frames of a message that is not whole yet */
TEST(field_12_a_ping_inside_a_message)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_event ev;
    ws_conn *c;

    mate_begin(&m, 0);
    app = told;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    mate_say(&m, 0x02, fill, 1000);
    mate_say(&m, 0x89, "x", 1);
    sends_for(c, 10, 30);
    CHECK_INT(m.pongs, 1);
    mate_say(&m, 0x80, fill + 1000, 500);
    sends_for(c, 10, 30);
    do CHECK(pull_one(c, &ev) > 0);
    while (ev.type == WS_EV_PING);
    CHECK_INT(ev.type, WS_EV_MESSAGE);
    CHECK_INT(ev.size, 1500);
    CHECK(!memcmp(ev.data, fill, 1500));
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(m.pongs, 1);
    leave(&e, c);
    mate_over(&m);
}

/* with manual_pong they wait for the application */
TEST(field_12_manual_pong_stays)
{
    mate m;
    end e;
    ws_config cfg = client_config(&e);
    ws_event ev;
    ws_conn *c;

    mate_begin(&m, 0);
    app = told;
    cfg.manual_pong = 1;
    c = visit(BLOCKING, mate_url(&m), &cfg);
    mate_say(&m, 0x89, "x", 1);
    sends_for(c, 10, 50);
    CHECK_INT(m.pongs, 0);
    CHECK_INT(pull_one(c, &ev), 1);
    CHECK_INT(ev.type, WS_EV_PING);
    CHECK_INT(ev.size, 1);
    ws_close(c, 1000, NULL);
    pull_all(c);
    CHECK_INT(m.pongs, 0);
    leave(&e, c);
    mate_over(&m);
}

static heap held;
static long held_most;

static void *held_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    void *p = heap_alloc(user, old, old_size, new_size);
    if (held.live > held_most) held_most = held.live;
    return p;
}

/* what waits for ws_recv is bounded by the limits: the server is held back, nothing is
   lost */
TEST(field_12_what_waits_is_bounded)
{
    static const size_t SIZES[] = { 8, 125, 1000, 9000 };
    int k;

    for (k = 0; k < COUNT(SIZES); k++) {
        size_t n = SIZES[k];
        int count = (int)(1200000 / (n + 2)), i;
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        memset(&held, 0, sizeof held);
        held_most = 0;
        mate_begin(&m, 0);
        cfg.max_message = 10000;
        cfg.alloc = held_alloc;
        cfg.alloc_user = &held;
        c = little_client(&m, &e, &cfg);
        for (i = 0; i < count; i++) mate_message(&m, n);
        for (i = 0; i < 2000; i++) {
            if (ws_send(c, WS_OP_BINARY, fill, 100)) break;
            skipped += 2;
            mate_turn();
        }
        CHECK_INT(i, 2000);
        CHECK_INT(m.frames, 2000);
        CHECK(held_most < 400000);
        CHECK(m.said < m.say.n);
        while (e.messages < count) {
            ws_event ev;
            if (pull_one(c, &ev) <= 0) break;
            if (ev.size != n || memcmp(ev.data, fill, n)) break;
        }
        CHECK_INT(e.messages, count);
        CHECK(held_most < 400000);
        ws_close(c, 1000, NULL);
        pull_all(c);
        CHECK_INT(e.clean, 1);
        leave(&e, c);
        CHECK_INT(held.live, 0);
        mate_over(&m);
    }
}

/* ---- 16: WRITABLE for what waited when it was asked ---- */

/* Lets n bytes of output go and pulls what comes of it. */
static void let_go(side *s, size_t n)
{
    while (n) {
        size_t k = side_write(s, n);
        while (side_next(s)) {}
        if (!k) return;
        n -= k;
    }
}

/* 1,000 bytes, asked, 1,000 more: it comes with the last byte of the first message */
TEST(field_16_what_waited_then)
{
    static const size_t SIZES[] = { 1, 125, 126, 1000, 20000, 70000 };
    int client, k, j;

    fill_once();
    for (client = 0; client < 2; client++) for (k = 0; k < COUNT(SIZES); k++)
        for (j = 0; j < COUNT(SIZES); j++) {
            world w;
            side s;
            ws_config cfg = world_fresh(&w);
            size_t first;
            side_open(&s, &w, client, &cfg);
            s.hold = 1;
            ws_send(s.c, WS_OP_BINARY, fill, SIZES[k]);
            first = ws_buffered(s.c);
            ws_want_writable(s.c);
            ws_send(s.c, WS_OP_BINARY, fill, SIZES[j]);
            let_go(&s, first - 1);
            CHECK_INT(s.writables, 0);
            let_go(&s, 1);
            CHECK_INT(s.writables, 1);
            CHECK(ws_buffered(s.c) > 0);
            ws_send(s.c, WS_OP_BINARY, fill, 10);
            side_release(&s);
            CHECK_INT(s.writables, 1);
            side_over(&s);
        }
}

/* a steady stream: as much is sent again as goes, and nothing is ever without output */
TEST(field_16_under_a_steady_stream)
{
    int client;

    fill_once();
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        int i, want = 0;
        side_open(&s, &w, client, &cfg);
        s.hold = 1;
        ws_send(s.c, WS_OP_BINARY, fill, 5000);
        for (i = 0; i < 400; i++) {
            size_t before = ws_buffered(s.c);
            if (i % 20 == 0) {
                CHECK_INT(s.writables, want);        /* the one before has come */
                ws_want_writable(s.c);
                want++;
            }
            ws_send(s.c, WS_OP_BINARY, fill, 1000);
            let_go(&s, 1000);
            CHECK(ws_buffered(s.c) > 0);
            CHECK(before > 0);
        }
        CHECK_INT(s.writables, want);
        side_over(&s);
    }
}

/* Sends and asks at random, lets output go in pieces of every size: it comes with the
   byte that it waits for, not before, once. The later of two questions counts. */
TEST(field_16_at_random)
{
    uint64_t seed = 16;
    int round;

    fill_once();
    for (round = 0; round < 300; round++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        uint64_t queued = 0, gone = 0, mark = 0;
        int i, asked = 0, came = 0;
        if (round % 3 == 1) cfg.fragment = 50;
        side_open(&s, &w, round & 1, &cfg);
        s.hold = 1;
        for (i = 0; i < 60; i++) {
            size_t before = ws_buffered(s.c), k;
            switch (rng_to(&seed, 5)) {
            case 0: ws_send(s.c, WS_OP_BINARY, fill, rng_to(&seed, 400)); break;
            case 1: ws_send_part(s.c, WS_OP_BINARY, fill, rng_to(&seed, 3000), 1); break;
            case 2: ws_ping(s.c, "p", 1); break;
            case 3:
                ws_want_writable(s.c);
                mark = queued;
                asked = 1;
                break;
            default:
                k = side_write(&s, 1 + rng_to(&seed, 900));
                gone += k;
                before -= k;
                break;
            }
            queued += ws_buffered(s.c) - before;
            while (side_next(&s)) {}
            if (asked && gone >= mark) {
                came++;
                asked = 0;
            }
            CHECK_INT(s.writables, came);
            if (s.writables != came) break;
        }
        side_over(&s);
        if (test_faults) return;
    }
}

/* a pong that overtakes what waits does not make it come early */
TEST(field_16_pongs_do_not_count)
{
    int client, pongs;

    fill_once();
    for (client = 0; client < 2; client++) for (pongs = 1; pongs < 4; pongs++) {
        world w;
        side s;
        size_t n;
        int i;
        side_plain(&s, &w, client);
        s.hold = 1;
        for (i = 0; i < 4; i++) ws_send(s.c, WS_OP_BINARY, fill, 20000);
        ws_want_writable(s.c);
        for (i = 0; i < pongs; i++) side_frame(&s, 0x89, fill, 125);
        ws_send(s.c, WS_OP_BINARY, fill, 3000);
        while (!s.writables && (n = side_write(&s, 100)) != 0) while (side_next(&s)) {}
        CHECK_INT(s.writables, 1);
        n = s.out.n - s.head;
        CHECK(n >= 4 * 20004u + (client ? 16 : 0));
        CHECK(n <= 4 * 20008u + 3 * 131 + 100);
        side_over(&s);
    }
}

/* The newest value in the place of one that waited: as many bytes stand for what waited
   as the frames in its place have. */
TEST(field_16_a_newer_value_stands_for_the_older)
{
    static const size_t SIZES[] = { 1, 100, 125, 126, 500, 900, 70000 };
    int client, k, j, before;

    fill_once();
    for (client = 0; client < 2; client++) for (k = 0; k < COUNT(SIZES); k++)
        for (j = 0; j < COUNT(SIZES); j++) for (before = 0; before < 2; before++) {
            world w;
            side s;
            size_t most;
            side_plain(&s, &w, client);
            s.hold = 1;
            if (before) ws_send(s.c, WS_OP_BINARY, fill, 300);
            ws_send_latest(s.c, 7, WS_OP_BINARY, fill, SIZES[k]);
            ws_want_writable(s.c);
            CHECK_INT(ws_send_latest(s.c, 7, WS_OP_BINARY, fill, SIZES[j]), 0);
            most = ws_buffered(s.c);
            ws_send(s.c, WS_OP_BINARY, fill, 60000);
            CHECK_INT(ws_send_latest(s.c, 8, WS_OP_BINARY, fill, 100),
                      0); /* waited not */
            CHECK_INT(ws_send_latest(s.c, 8, WS_OP_BINARY, fill, 2000), 0);
            let_go(&s, most - 1);
            CHECK_INT(s.writables, 0);
            let_go(&s, 1);
            CHECK_INT(s.writables, 1);
            side_release(&s);
            CHECK_INT(s.writables, 1);
            side_over(&s);
        }
}

/* The same at random: many slots, sends between them, output that leaves in pieces. The
   model: a list of frames, of which those that waited are marked. */
TEST(field_16_newer_values_at_random)
{
    uint64_t seed = 61;
    int round;

    fill_once();
    for (round = 0; round < 200; round++) {
        struct { size_t size; int slot, waits; } q[400];
        int head = 0, tail = 0, i, k, asked = 0, came = 0, client = round & 1;
        size_t begun = 0;               /* bytes of q[head] that are written */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        cfg.max_backlog = 1 << 24;
        side_open(&s, &w, client, &cfg);
        s.hold = 1;
        for (i = 0; i < 300; i++) {
            size_t n = rng_to(&seed, 3) ? rng_to(&seed, 900) : rng_to(&seed, 4) * 40000;
            size_t frame = n + (n > 65535 ? 10 : n > 125 ? 4 : 2) + (client ? 4u : 0u);
            int what = (int)rng_to(&seed, 6), slot = (int)rng_to(&seed, 3);
            if (what == 0) {
                ws_want_writable(s.c);
                for (k = head; k < tail; k++) q[k].waits = 1;
                asked = 1;
            } else if (what < 4) {
                CHECK_INT(what == 1 ? ws_send(s.c, WS_OP_BINARY, fill, n)
                                    : ws_send_latest(s.c, slot, WS_OP_BINARY, fill, n),
                          0);
                if (what == 1) slot = -1;
                for (k = head + (begun > 0); k < tail; k++)
                    if (slot >= 0 && q[k].slot == slot) break;
                if (k >= tail) {
                    k = tail++;
                    q[k].slot = slot;
                    q[k].waits = 0;
                }
                q[k].size = frame;
            } else {
                begun += side_write(&s, 1 + rng_to(&seed, 2000));
                while (head < tail && begun >= q[head].size) begun -= q[head++].size;
            }
            while (side_next(&s)) {}
            for (k = head; k < tail && !q[k].waits; k++) {}
            if (asked && k == tail) {
                came++;
                asked = 0;
            }
            CHECK_INT(s.writables, came);
            if (s.writables != came) break;
        }
        side_over(&s);
        if (test_faults) {
            printf("    round %d, step %d\n", round, i);
            return;
        }
    }
}

/* messages that were dropped to make room have gone as well */
TEST(field_16_dropped_messages_have_gone)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    int i;

    fill_once();
    cfg.max_backlog = 5000;
    cfg.drop_oldest = 1;
    side_open(&s, &w, 0, &cfg);
    s.hold = 1;
    for (i = 0; i < 3; i++) ws_send(s.c, WS_OP_BINARY, fill, 1000);
    ws_want_writable(s.c);
    for (i = 0; i < 20; i++) CHECK_INT(ws_send(s.c, WS_OP_BINARY, fill, 1000), 0);
    while (side_next(&s)) {}
    let_go(&s, 1004);
    CHECK_INT(s.writables, 1);
    CHECK(ws_buffered(s.c) > 0);
    side_over(&s);
}

/* the same of an answer that goes on */
TEST(field_16_of_an_answer)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    fill_once();
    side_new(&s, &w, 0, &cfg);
    s.event = begin_answer;
    side_feed(&s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    s.hold = 1;
    CHECK_INT(ws_http_write(s.c, fill, 1000), 0);
    ws_want_writable(s.c);
    CHECK_INT(ws_http_write(s.c, fill, 1000), 0);
    let_go(&s, 999);
    CHECK_INT(s.writables, 0);
    let_go(&s, 1);
    CHECK_INT(s.writables, 1);
    CHECK_INT(ws_buffered(s.c), 1000);
    side_over(&s);
}

/* over sockets: the queue is never empty, WRITABLE comes */
TEST(field_16_over_sockets)
{
    int driver;

    for (driver = BLOCKING; driver < DRIVERS; driver++) {
        mate m;
        end e;
        ws_config cfg = client_config(&e);
        ws_conn *c;
        int i, dry = 0;
        if (!loop) loop = ws_loop_new(NULL);
        mate_begin(&m, 0);
        m.most = 20000;
        little_room(m.listener);
        cfg.on_socket = little_socket;
        cfg.max_backlog = 1 << 20;
        app = told;
        c = visit(driver, mate_url(&m), &cfg);
        UNTIL(e.opens == 1, 3000);
        for (i = 0; ws_buffered(c) < 200000 && i < 100; i++)
            ws_send(c, WS_OP_BINARY, fill, 20000);
        ws_want_writable(c);
        for (i = 0; i < 300 && !e.writables; i++) {
            while (ws_buffered(c) < 200000) ws_send(c, WS_OP_BINARY, fill, 20000);
            turn();
            dry += !ws_buffered(c);
        }
        CHECK_INT(e.writables, 1);
        CHECK_INT(dry, 0);
        leave(&e, c);
        mate_over(&m);
    }
}

/* ---- 17: what the engine cannot do is an error ---- */

static void engine_refuses(const ws_config *cfg, const char *field)
{
    ws_conn *c = ws_client_new("ws://example.com/", cfg);
    ws_event ev;

    CHECK_INT(ws_error(c), WS_ERR_ARGUMENT);
    CHECK(strstr(ws_error_text(c), field) != NULL);
    if (!strstr(ws_error_text(c), field)) printf("    \"%s\"\n", ws_error_text(c));
    if (ws_next(c, &ev)) {
        CHECK_INT(ev.type, WS_EV_CLOSE);
        CHECK_INT(ev.error, WS_ERR_ARGUMENT);
        CHECK(strstr(ev.reason, field) != NULL);
        CHECK_INT(ws_next(c, &ev), 0);
    }
    CHECK_INT(ws_done(c), 1);
    ws_free(c);
}

/* cfg.reconnect and cfg.proxy with ws_client_new: nobody would try again, or go there */
TEST(field_17_the_engine_names_what_it_cannot)
{
    static const char *const PROXIES[] = { "http://127.0.0.1:3128", "socks5://127.0.0.1",
                                           "env" };
    static const uint32_t TIMES[] = { 1, 1000, 60000 };
    static uint64_t block[WS_MEMORY_SIZE(4096, 4096) / 8];
    int i, fixed, http;

    for (http = 0; http < 2; http++) for (fixed = 0; fixed < 2; fixed++) {
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        if (http) cfg.method = "GET";
        if (fixed) {
            cfg.memory = block;
            cfg.memory_size = sizeof block;
        }
        for (i = 0; i < COUNT(TIMES); i++) {
            cfg.reconnect = TIMES[i];
            engine_refuses(&cfg, "reconnect");
        }
        cfg.reconnect = 0;
        for (i = 0; i < COUNT(PROXIES) && !fixed; i++) {
            cfg.proxy = PROXIES[i];
            engine_refuses(&cfg, "proxy");
        }
    }
}

/* in the drivers they stay what they are; 0 and NULL are none */
TEST(field_17_the_drivers_take_them)
{
    ws_config cfg;
    ws_conn *c;

    memset(&cfg, 0, sizeof cfg);
    c = ws_client_new("ws://example.com/", &cfg);
    CHECK_INT(ws_error(c), 0);
    ws_free(c);
    cfg.reconnect = 5;
    cfg.resolve = to_loopback;
    c = ws_open("ws://127.0.0.1:1/", &cfg);
    CHECK_INT(ws_error(c), 0);
    ws_free(c);
    cfg.proxy = "http://127.0.0.1:1";
    c = ws_open("ws://127.0.0.1:1/", &cfg);
    CHECK_INT(ws_error(c), 0);
    ws_free(c);
}

TESTS(T(field_10_all_messages_arrive) T(field_10_every_way_to_send_waits)
      T(field_10_every_size_waits) T(field_10_pings_wait) T(field_10_fixed_memory_waits)
      T(field_10_waiting_reads) T(field_10_waiting_answers_pings)
      T(field_10_shown_data_stays) T(field_10_shown_data_arrives)
      T(field_10_waiting_ends_with_the_connection) T(field_10_send_timeout_over_sockets)
      T(field_10_io_without_wait_only_writes) T(field_10_io_without_wait_times_out)
      T(field_10_pace_decides) T(field_10_taking_is_a_sign_of_life)
      T(field_10_io_with_wait_reads) T(field_10_refusals_are_counted)
      T(field_10_no_refusals) T(field_10_refusals_of_an_answer)
      T(field_10_refusals_in_the_drivers) T(field_10_refusals_of_a_server)
      T(field_10_a_source_cut_off_is_counted)
      T(field_10_a_source_cut_off_in_the_drivers) T(field_10_busy_is_counted)
      T(field_10_a_send_waits_for_a_source)
      T(field_10_a_send_behind_a_source_that_waits)
      T(field_10_a_wait_for_a_source_has_an_end)
      T(field_10_a_source_that_is_taken_is_waited_for)
      T(field_11_a_failed_send_ends_the_state) T(field_11_what_came_before_is_given)
      T(field_11_every_call_that_writes) T(field_11_a_close_is_seen_by_sending)
      T(field_12_sending_answers_pings)
      T(field_12_sending_over_io_with_wait_answers_pings) T(field_12_sending_over_io)
      T(field_12_a_ping_inside_a_message) T(field_12_manual_pong_stays)
      T(field_12_what_waits_is_bounded) T(field_16_what_waited_then)
      T(field_16_under_a_steady_stream) T(field_16_at_random)
      T(field_16_pongs_do_not_count) T(field_16_a_newer_value_stands_for_the_older)
      T(field_16_newer_values_at_random) T(field_16_dropped_messages_have_gone)
      T(field_16_of_an_answer) T(field_16_over_sockets)
      T(field_17_the_engine_names_what_it_cannot) T(field_17_the_drivers_take_them))
