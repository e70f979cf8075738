/* Faults seen in the field, as the engine alone shows them: deadlines and ends. Both
   roles; bytes that were fed count before the clock; a Close frame counts once it was
   written. The same over sockets: test_field_ends.c. */
#include "fixture.h"

#define MINUTE 60000

/* ---- small things ---- */

/* Gives bytes to the engine; nothing is pulled. */
static void lay(side *s, const void *data, size_t n)
{
    CHECK_INT(ws_feed(s->c, data, n), n);
}

/* The program was away for so long, and tells the time before it pulls. */
static void late(side *s, uint64_t ms)
{
    int i;

    s->w->now += ms;
    for (i = 0; i < 2; i++) {
        ws_tick(s->c, s->w->now);
        side_pull(s);
    }
}

/* What happens to these bytes when the first cut of them come in time and are parsed,
   and the others come in time but lie there until the program is back. */
static void back_after(side *s, const buf *b, size_t cut)
{
    side_feed(s, b->p, cut);
    lay(s, b->p + cut, b->n - cut);
    late(s, MINUTE);
}

/* A client or a server that waits for the peer's head, and that head. */
static void shaking(side *s, world *w, int client, const ws_config *cfg, buf *head)
{
    side_new(s, w, client, cfg);
    side_pull(s);
    if (client) put_answer(head, &s->out, NULL);
    else buf_str(head, REQUEST);
}

/* What ws_body was at CLOSE. */
static buf refusal;

static void keep_body(side *s, const ws_event *ev)
{
    ws_str body = ws_body(s->c);

    if (ev->type == WS_EV_CLOSE) buf_add(&refusal, body.data, body.size);
}

/* ==== 1: what was fed in time counts, whenever it is pulled ========================= */

/* The peer's head was fed before the deadline: the connection opens, wherever the head
   is cut. */
TEST(field_01_a_handshake_that_was_fed_in_time)
{
    int client;
    size_t cut, n = 1;

    for (client = 0; client < 2; client++) for (cut = 0; cut < n; cut++) {
        world w;
        side s;
        buf head = { 0 };
        ws_config cfg = world_fresh(&w);

        shaking(&s, &w, client, &cfg, &head);
        n = head.n;
        back_after(&s, &head, cut);
        CHECK_INT(s.opens, 1);
        CHECK_INT(s.closes, 0);
        buf_free(&head);
        side_over(&s);
    }
}

/* The same for ordinary HTTP: a server's request, a client's answer, a refusal with its
   body. */
TEST(field_01_http_that_was_fed_in_time)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n0123456789"
    };
    int what;
    size_t cut;

    for (what = 0; what < 3; what++) for (cut = 0; cut < strlen(heads[what]); cut++) {
        world w;
        side s;
        buf head = { 0 };
        ws_config cfg = world_fresh(&w);

        if (what == 1) cfg.method = "GET";
        side_new(&s, &w, what > 0, &cfg);
        side_pull(&s);
        s.event = keep_body;
        buf_clear(&refusal);
        buf_str(&head, heads[what]);
        if (what == 1) cfg.idle_timeout = WS_NEVER;
        back_after(&s, &head, cut);
        if (what == 0) CHECK(s.https && s.error != WS_ERR_HANDSHAKE_TIMEOUT);
        if (what == 1) CHECK(s.opens && s.clean && !s.error);
        if (what == 2) CHECK_INT(s.error, WS_ERR_STATUS);
        if (what == 2) CHECK_STR(buf_c(&refusal), "0123456789");
        buf_free(&head);
        side_over(&s);
    }
    buf_free(&refusal);
}

/* The peer's Close was fed before close_timeout: the end is clean. Also behind
   messages. */
TEST(field_01_a_close_that_was_fed_in_time)
{
    int client, behind;
    size_t cut, n = 1;

    for (client = 0; client < 2; client++) for (behind = 0; behind < 2; behind++)
    for (cut = 0; cut < n; cut++) {
        world w;
        side s;
        buf b = { 0 };

        side_plain(&s, &w, client);
        ws_close(s.c, 1000, NULL);
        side_pull(&s);
        if (behind) put_frame(&b, 0x81, !client, "last", 4, 0);
        put_close(&b, !client, 1000, "bye");
        n = b.n;
        back_after(&s, &b, cut);
        side_time(&s, 1100);
        CHECK_INT(s.messages, behind);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 1);
        CHECK_INT(s.error, 0);
        CHECK_STR(s.reason, "bye");
        buf_free(&b);
        side_over(&s);
    }
}

/* A message that was fed before idle_timeout puts it off: whole, in fragments, as
   parts. */
TEST(field_01_a_message_that_was_fed_in_time)
{
    static const char *const spec[] = { "81'text'", "82#300", "01'te' 80'xt'",
                                        "89'ping' 82'x'" };
    int client, parts;
    size_t i;

    for (client = 0; client < 2; client++) for (parts = 0; parts < 2; parts++)
    for (i = 0; i < sizeof spec / sizeof *spec; i++) {
        world w;
        side s;
        buf b = { 0 };
        ws_config cfg = world_fresh(&w);

        cfg.idle_timeout = 10000;
        cfg.ping_interval = WS_NEVER;
        cfg.frames = parts;
        side_open(&s, &w, client, &cfg);
        put_frames(&b, spec[i], !client);
        back_after(&s, &b, 0);
        CHECK(s.messages || s.parts);
        CHECK_INT(s.closes, 0);
        CHECK_INT(ws_error(s.c), 0);
        late(&s, MINUTE);                       /* nothing more came */
        CHECK_INT(ws_error(s.c), WS_ERR_IDLE_TIMEOUT);
        CHECK_INT(side_sent(&s, NULL).close_code, 1001);
        buf_free(&b);
        side_over(&s);
    }
}

/* So does a piece of the body of an answer; what else there is comes first. */
TEST(field_01_a_body_that_was_fed_in_time)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabcdefghij";
    int i, whole;

    for (whole = 0; whole < 2; whole++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.method = "GET";
        cfg.idle_timeout = 10000;
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        side_feed(&s, head, sizeof head - 1);
        CHECK_INT(s.opens, 1);
        for (i = 0; i < 1 + whole; i++) {
            lay(&s, "klmnopqrst", 10);
            late(&s, MINUTE);
            CHECK_INT(ws_error(s.c), 0);
        }
        CHECK_INT(s.closes, whole);
        late(&s, MINUTE);
        CHECK_INT(s.clean, whole);
        CHECK_INT(s.error, whole ? 0 : WS_ERR_IDLE_TIMEOUT);
        side_over(&s);
    }
}

/* Half of something is in time for nothing, and whoever feeds without end is judged
   too: each turn gives a little more than is taken. pulls: events in a turn, 0: all. */
TEST(field_01_floods_are_judged_all_the_same)
{
    static const int pulls[] = { 0, 100, 300, 1000 };
    int client, what, i;
    size_t k;

    for (client = 0; client < 2; client++) for (what = 0; what < 3; what++) {
            world w; /* half of a head, of a Close, of a message */
            side s;
            buf b = { 0 };
            ws_config cfg = world_fresh(&w);

            cfg.idle_timeout = 10000;
            cfg.ping_interval = WS_NEVER;
            if (what)
                side_open(&s, &w, client, &cfg);
            else
                shaking(&s, &w, client, &cfg, &b);
            if (what == 1)
                ws_close(s.c, 1000, NULL);
            if (what == 1)
                put_close(&b, !client, 1000, "bye");
            if (what == 2)
                put_frame(&b, 0x82, !client, "message", 7, 0);
            side_pull(&s);
            lay(&s, b.p, b.n - 3);
            late(&s, MINUTE);
            CHECK_INT(ws_error(s.c), what == 0   ? WS_ERR_HANDSHAKE_TIMEOUT
                                     : what == 1 ? WS_ERR_CLOSE_TIMEOUT
                                                 : WS_ERR_IDLE_TIMEOUT);
            buf_free(&b);
            side_over(&s);
    }
    for (client = 0; client < 2; client++) {    /* a head that trickles */
        world w;
        side s;
        buf b = { 0 };
        ws_config cfg = world_fresh(&w);
        uint64_t start = w.now;

        shaking(&s, &w, client, &cfg, &b);
        side_feed(&s, b.p, b.n - 2);
        for (k = 0; k < 400 && !s.closes; k++) {
            ws_feed(s.c, k % 8 < 6 ? &"Name: "[k % 8] : &"\r\n"[k % 8 - 6], 1);
            w.now += 100;
            ws_tick(s.c, w.now);
            side_pull(&s);
        }
        CHECK_INT(s.error, WS_ERR_HANDSHAKE_TIMEOUT);
        CHECK(w.now - start >= 10000 && w.now - start < 11000);
        buf_free(&b);
        side_over(&s);
    }
    for (client = 0; client < 2; client++) for (k = 0; k < 4; k++)
    for (what = 0; what < 2; what++) {
        world w; /* pings without end: idle, or after our Close */
        side s;
        buf b = { 0 };
        ws_config cfg = world_fresh(&w);
        uint64_t start = w.now;
        size_t at = 0, n;

        cfg.idle_timeout = 10000;
        side_open(&s, &w, client, &cfg);
        s.quiet = 1;
        if (what) ws_close(s.c, 1000, NULL);
        for (i = 0; i < 200; i++) put_frame(&b, 0x89, !client, "x", 1, 0);
        while (!ws_error(s.c) && w.now - start < 10 * MINUTE) {
            for (n = 1; n && !ws_error(s.c); at = (at + n) % b.n)
                n = ws_feed(s.c, b.p + at, b.n - at);
            w.now += 1000;
            ws_tick(s.c, w.now);
            side_output(&s);
            for (i = 0; (!pulls[k] || i < pulls[k]) && side_next(&s); i++)
                side_output(&s);
        }
        CHECK_INT(ws_error(s.c), what ? WS_ERR_CLOSE_TIMEOUT : WS_ERR_IDLE_TIMEOUT);
        CHECK(s.pings > 0);
        buf_free(&b);
        side_over(&s);
    }
}

/* What lies behind something that the application holds back puts nothing off for
   ever. */
TEST(field_01_input_that_waits_for_us_is_no_excuse)
{
    static const char big[3000];
    int client, what;

    for (client = 0; client < 2; client++) for (what = 0; what < 2; what++) {
        world w;
        side s;
        buf b = { 0 };
        ws_config cfg = world_fresh(&w);

        cfg.max_backlog = 4000;
        side_open(&s, &w, client, &cfg);
        s.hold = what == 1;
        if (what == 0) ws_pause(s.c);
        if (what == 1) CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, sizeof big), 0);
        ws_close(s.c, 1000, NULL);
        side_pull(&s);
        put_frame(&b, 0x82, !client, "message", 7, 0);
        lay(&s, b.p, b.n);
        side_time(&s, 20000);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_CLOSE_TIMEOUT);
        buf_free(&b);
        side_over(&s);
    }
}

/* ==== 2: closing waits for output that leaves ======================================= */

/* Ways to begin an end while output waits. */
enum { BY_US, BY_PEER, BY_FAULT, REPLY, ANSWER, REJECT, WAYS };

#define LOAD 60000              /* bytes of it */

static char load[LOAD + 1];

static void answer_with_load(side *s, const ws_event *ev)
{
    if (ev->type != WS_EV_HTTP) return;
    if (s->mode == REPLY) CHECK_INT(ws_http_reply(s->c, 200, NULL, load, LOAD), 0);
    if (s->mode == REJECT) CHECK_INT(ws_reject(s->c, 404, NULL, load), 0);
    if (s->mode == ANSWER) {
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
        CHECK_INT(ws_http_write(s->c, load, LOAD), 0);
        CHECK_INT(ws_http_end(s->c), 0);
    }
}

/* A connection that ends in one of the ways; nothing of its output has been written. */
static void ending(side *s, world *w, int client, int way, uint32_t close_timeout)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    ws_config cfg = world_fresh(w);

    memset(load, 'x', LOAD);
    cfg.close_timeout = close_timeout;
    cfg.ping_interval = WS_NEVER;
    if (way < REPLY) side_open(s, w, client, &cfg);
    else side_new(s, w, 0, &cfg);
    s->mode = way;
    s->event = answer_with_load;
    s->hold = 1;
    if (way < REPLY) CHECK_INT(ws_send(s->c, WS_OP_BINARY, load, LOAD), 0);
    if (way == BY_US) CHECK_INT(ws_close(s->c, 1000, NULL), 0);
    if (way == BY_PEER) side_peer_closes(s, 1000, "");
    if (way == BY_FAULT) side_frame(s, 0x83, "", 0);
    if (way >= REPLY) side_feed(s, get, sizeof get - 1);
    CHECK(ws_buffered(s->c) > LOAD);
    CHECK_INT(s->closes, 0);
}

/* Writes so many bytes at a time, after so many milliseconds each, until nothing is
   left or it is over. Returns how long it took. */
static uint64_t drain(side *s, size_t bytes, uint64_t every)
{
    uint64_t start = s->w->now;
    int patience = 20000;

    while (patience-- && !s->closes && ws_buffered(s->c)) {
        side_time(s, every);
        if (!s->closes) side_write(s, bytes);
    }
    return s->w->now - start;
}

/* Output that leaves at more than 1 KiB/s is waited for however long it takes;
   close_timeout counts from when the Close frame has left. */
TEST(field_02_output_that_leaves_puts_the_end_off)
{
    static const struct { uint32_t timeout; size_t bytes; uint64_t every; } pace[] = {
        { 0, 2048, 1000 }, { 0, 20, 10 }, { 0, 7700, 4990 }, { 0, 30000, 4900 },
        { 1000, 400, 200 }, { 60000, 100000, 59000 }
    };
    int client, way;
    size_t i;

    for (client = 0; client < 2; client++) for (way = 0; way < WAYS; way++)
    for (i = 0; i < sizeof pace / sizeof *pace; i++) {
        world w;
        side s;
        uint64_t timeout = pace[i].timeout ? pace[i].timeout : 5000;
        size_t all;

        if (client && way >= REPLY) continue;
        ending(&s, &w, client, way, pace[i].timeout);
        all = s.out.n + ws_buffered(s.c);
        drain(&s, pace[i].bytes, pace[i].every);
        CHECK_INT(s.out.n, all);
        side_pull(&s);
        if (way == BY_US) {                     /* the peer has all of its time */
            CHECK_INT(s.closes, 0);
            side_time(&s, timeout - 1);
            CHECK_INT(s.closes, 0);
            side_time(&s, 2);
            CHECK_INT(s.error, WS_ERR_CLOSE_TIMEOUT);
        } else {
            side_time(&s, 1100);
            CHECK_INT(s.error, way == BY_FAULT ? WS_ERR_OPCODE
                             : way == REJECT ? WS_ERR_REJECTED : 0);
        }
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, way == BY_PEER || way == REPLY || way == ANSWER);
        if (way < REPLY) CHECK_INT(side_sent(&s, NULL).closes, 1);
        side_over(&s);
    }
}

/* The peer's Close, in its time after ours has left late, makes a clean end. */
TEST(field_02_the_peer_has_its_time_after_the_close)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;

        ending(&s, &w, client, BY_US, 0);
        drain(&s, 2048, 1000);
        side_time(&s, 4900);
        side_peer_closes(&s, 1000, "");
        side_time(&s, 1100);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 1);
        CHECK_INT(s.error, 0);
        side_over(&s);
    }
}

/* Output that stays, or leaves by the byte, is given up after close_timeout, as ever. */
TEST(field_02_output_that_stays_is_given_up)
{
    static const struct { uint32_t timeout; size_t bytes; uint64_t every;
    } pace[] = { { 0, 0, 1000 },   { 0, 1, 4000 },     { 0, 1, 100 },
                 { 0, 200, 1000 }, { 0, 1000, 4500 },  { 1000, 0, 100 },
                 { 1000, 1, 100 }, { 60000, 0, 1000 }, { 60000, 1, 4000 } };
    int client, way;
    size_t i;

    for (client = 0; client < 2; client++) for (way = 0; way < WAYS; way++)
    for (i = 0; i < sizeof pace / sizeof *pace; i++) {
        world w;
        side s;
        uint64_t timeout = pace[i].timeout ? pace[i].timeout : 5000, took;

        if (client && way >= REPLY) continue;
        ending(&s, &w, client, way, pace[i].timeout);
        took = drain(&s, pace[i].bytes, pace[i].every);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 0);
        CHECK(took >= timeout && took <= timeout * 2 + pace[i].every);
        if (way == BY_FAULT) CHECK_INT(s.error, WS_ERR_OPCODE);
        else if (way == REJECT) CHECK_INT(s.error, WS_ERR_REJECTED);
        else CHECK(s.error == WS_ERR_CLOSE_TIMEOUT || s.error == WS_ERR_IO);
        side_over(&s);
    }
    for (way = 0; way < WAYS; way++) {          /* never is never */
        world w;
        side s;

        ending(&s, &w, 0, way, WS_NEVER);
        side_time(&s, 1000 * (uint64_t)MINUTE);
        CHECK_INT(s.closes, 0);
        side_over(&s);
    }
}

/* ==== 3: clean says that both Close frames went ===================================== */

/* The peer's Close came, and of our output some bytes are written: clean only when they
   were all. end: time passes, or the peer's stream ends first. */
TEST(field_03_clean_says_that_our_close_was_written)
{
    int client, crossing, end;
    size_t k, all = 1;

    for (client = 0; client < 2; client++) for (crossing = 0; crossing < 2; crossing++)
    for (end = 0; end < 2; end++) for (k = 0; k <= all; k++) {
        world w;
        side s;

        side_plain(&s, &w, client);
        s.hold = 1;
        ws_send(s.c, WS_OP_BINARY, "x", 1);
        if (crossing) ws_close(s.c, 1001, "crossing");
        side_peer_closes(&s, 1000, "");
        all = ws_buffered(s.c);
        CHECK(all > 2);
        if (k) CHECK_INT(side_write(&s, k), k);
        if (end) side_end(&s);
        side_time(&s, 5001);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, k == all);
        if (k == all) CHECK_INT(s.error, 0);
        else CHECK(s.error == WS_ERR_CLOSE_TIMEOUT || s.error == WS_ERR_IO);
        side_over(&s);
    }
}

/* The very bytes: 88 82 00000000 03e8, and five seconds. */
TEST(field_03_nothing_written)
{
    world w;
    side s;

    side_plain(&s, &w, 0);
    s.hold = 1;
    ws_send(s.c, WS_OP_BINARY, "x", 1);
    side_feed(&s, "\x88\x82\0\0\0\0\x03\xe8", 8);
    w.now += 5000;
    ws_tick(s.c, w.now);
    side_pull(&s);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.clean, 0);
    CHECK(s.error == WS_ERR_CLOSE_TIMEOUT || s.error == WS_ERR_IO);
    side_over(&s);
}

/* A server that has answered in one of the ways; nothing of it has been written. */
static void answered(side *s, world *w, int way)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    ws_config cfg = world_fresh(w);
    ws_event ev;

    cfg.ask = way == REJECT;
    side_new(s, w, 0, &cfg);
    s->hold = 1;
    lay(s, cfg.ask ? REQUEST : get, cfg.ask ? sizeof REQUEST - 1 : sizeof get - 1);
    CHECK(ws_next(s->c, &ev) && ev.type == (cfg.ask ? WS_EV_REQUEST : WS_EV_HTTP));
    if (way == REPLY) CHECK_INT(ws_http_reply(s->c, 200, NULL, "body", 4), 0);
    if (way == REJECT) CHECK_INT(ws_reject(s->c, 403, NULL, "body"), 0);
    if (way == ANSWER) {
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
        CHECK_INT(ws_http_write(s->c, "body", 4), 0);
        CHECK_INT(ws_http_end(s->c), 0);
    }
    CHECK(ws_buffered(s->c) > 20);
}

/* An answer of HTTP is clean only when all of it was written. */
TEST(field_03_clean_says_that_the_answer_was_written)
{
    int way, end;
    size_t k, all = 1;

    for (way = REPLY; way < REJECT; way++) for (end = 0; end < 2; end++)
    for (k = 0; k <= all; k++) {
        world w;
        side s;

        answered(&s, &w, way);
        all = ws_buffered(s.c);
        if (k) CHECK_INT(side_write(&s, k), k);
        if (end) side_end(&s);
        side_time(&s, 5001);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, k == all);
        CHECK_INT(s.error == 0, k == all);
        side_over(&s);
    }
}

/* The same when ws_drop ends it. A refusal is never clean. */
TEST(field_03_a_dropped_answer_is_clean_if_it_was_written)
{
    int way;
    size_t k, all = 1;

    for (way = REPLY; way < WAYS; way++) for (k = 0; k <= all; k++) {
        world w;
        side s;

        answered(&s, &w, way);
        all = ws_buffered(s.c);
        if (k) CHECK_INT(side_write(&s, k), k);
        ws_drop(s.c);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, k == all && way != REJECT);
        CHECK_INT(s.error, way == REJECT ? WS_ERR_REJECTED : 0);
        side_over(&s);
    }
}

/* ==== 4: pings are answered until the peer's Close ================================== */

/* Our Close is queued, or written, or partly: a ping that comes then gets its pong,
   each time. */
TEST(field_04_pings_are_answered_after_our_close)
{
    int client, i;
    size_t k;

    for (client = 0; client < 2; client++) for (k = 0; k < 50; k++) {
        world w;
        side s;
        frames f;
        char text[16];

        side_plain(&s, &w, client);
        s.hold = 1;
        ws_send_text(s.c, "a message before the close");
        CHECK_INT(ws_close(s.c, 1000, NULL), 0);
        side_write(&s, k);
        for (i = 0; i < 3; i++) { /* the newest of those that wait is answered */
            sprintf(text, "y%d", i);
            side_frame(&s, 0x89, text, 2);
        }
        CHECK_INT(s.pings, 3);
        side_release(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.data, 1);
        CHECK_INT(f.closes, 1);
        CHECK(f.pongs >= 1);
        CHECK(f.last_pong_n == 2 && !memcmp(f.last_pong, "y2", 2));
        for (i = 0; i < 3; i++) { /* and those that come one by one are all */
            side_frame(&s, 0x89, "z", 1);
            CHECK_INT(side_sent(&s, NULL).pongs, f.pongs + 1 + i);
        }
        CHECK_INT(s.closes, 0);
        side_peer_closes(&s, 1000, "");
        side_time(&s, 1100);
        CHECK_INT(s.clean, 1);
        side_over(&s);
    }
}

/* The very bytes: ws_close(1000), then 89 81 01020304 79. */
TEST(field_04_one_ping)
{
    world w;
    side s;

    side_plain(&s, &w, 0);
    CHECK_INT(ws_close(s.c, 1000, NULL), 0);
    side_feed(&s, "\x89\x81\x01\x02\x03\x04\x79", 7);
    CHECK_INT(s.pings, 1);
    CHECK(side_sent(&s, NULL).pongs == 1 && side_sent(&s, NULL).closes == 1);
    side_over(&s);
}

/* Once the peer's Close came no pong is due: what comes behind it is nothing. */
TEST(field_04_no_pong_after_the_peers_close)
{
    int client, ours;

    for (client = 0; client < 2; client++) for (ours = 0; ours < 2; ours++) {
        world w;
        side s;
        buf b = { 0 };
        frames f;

        side_plain(&s, &w, client);
        if (ours) ws_close(s.c, 1000, NULL);
        side_pull(&s);
        put_frames(&b, "89'before'", !client);
        put_close(&b, !client, 1000, "");
        put_frames(&b, "89'behind'", !client);
        side_feed(&s, b.p, b.n);
        side_time(&s, 1100);
        f = side_sent(&s, NULL);
        CHECK_INT(f.pongs, 1);
        CHECK_INT(f.closes, 1);
        CHECK(f.last_pong_n == 6 && !memcmp(f.last_pong, "before", 6));
        CHECK_INT(s.pings, 1);
        CHECK_INT(s.clean, 1);
        buf_free(&b);
        side_over(&s);
    }
}

/* Pings and pongs of the application go until then, messages do not. */
TEST(field_04_control_frames_of_the_application)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        frames f;
        ws_config cfg = world_fresh(&w);

        cfg.manual_pong = 1;
        side_open(&s, &w, client, &cfg);
        CHECK_INT(ws_close(s.c, 1000, NULL), 0);
        CHECK_INT(ws_ping(s.c, "ours", 4), 0);
        side_pull(&s);
        side_frame(&s, 0x89, "q", 1);
        CHECK_INT(side_sent(&s, NULL).pongs, 0);
        CHECK_INT(ws_pong(s.c, "q", 1), 0);
        CHECK_INT(ws_ping(s.c, NULL, 0), 0);
        CHECK_INT(ws_send_text(s.c, "late"), WS_ERR_STATE);
        CHECK_INT(ws_send_part(s.c, WS_OP_TEXT, "late", 4, 1), WS_ERR_STATE);
        CHECK_INT(ws_close(s.c, 1000, NULL), WS_ERR_STATE);
        side_pull(&s);
        side_frame(&s, 0x8a, "ours", 4);
        f = side_sent(&s, NULL);
        CHECK(f.pings == 2 && f.pongs == 1 && f.closes == 1 && !f.data);
        CHECK_INT(s.pongs, 1);
        side_peer_closes(&s, 1000, "");
        CHECK_INT(ws_pong(s.c, "q", 1), WS_ERR_STATE);
        CHECK_INT(ws_ping(s.c, "q", 1), WS_ERR_STATE);
        side_time(&s, 1100);
        CHECK_INT(side_sent(&s, NULL).n, f.n);
        CHECK_INT(s.clean, 1);
        side_over(&s);
    }
}

/* ==== 8: a close that was asked for is sent, though a drop follows ================== */

/* ws_close, ws_drop: CLOSE comes at once, and the Close frame is there to be written,
   with the message before it. first: the event is pulled before the output is. */
TEST(field_08_close_then_drop)
{
    int client, message, first;

    for (client = 0; client < 2; client++) for (message = 0; message < 2; message++)
    for (first = 0; first < 2; first++) {
        world w;
        side s;
        frames f;

        side_plain(&s, &w, client);
        s.hold = first;
        if (message) ws_send_text(s.c, "last words");
        CHECK_INT(ws_close(s.c, 1000, "bye"), 0);
        ws_drop(s.c);
        CHECK_INT(ws_state(s.c), WS_STATE_CLOSED);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 0);
        CHECK_INT(s.code, 1006);
        side_release(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.data, message);
        CHECK_INT(f.closes, 1);
        CHECK_INT(f.close_code, 1000);
        CHECK_STR(f.reason, "bye");
        CHECK_INT(ws_finished(s.c), 1);
        side_over(&s);
    }
}

/* So is an answer: ws_drop leaves all of it to be written, and begun ones the rest.
   first: the event is pulled before the output is. */
TEST(field_08_answer_then_drop)
{
    int way, first;
    size_t k;

    for (way = REPLY; way < WAYS; way++) for (first = 0; first < 2; first++)
    for (k = 0; k < 30; k += 10) {
        world w, other;
        side s, whole;

        answered(&whole, &other, way);
        side_release(&whole);
        answered(&s, &w, way);
        if (k) CHECK_INT(side_write(&s, k), k);
        ws_drop(s.c);
        CHECK_INT(ws_state(s.c), WS_STATE_CLOSED);
        s.hold = first;
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        side_release(&s);
        CHECK(buf_is(&s.out, &whole.out));
        CHECK_INT(ws_finished(s.c), 1);
        side_over(&s);
        side_over(&whole);
    }
}

/* Without ws_close nothing is said: what waited is lost, as ever. */
TEST(field_08_drop_alone)
{
    int client;

    for (client = 0; client < 2; client++) {
        world w;
        side s;

        side_plain(&s, &w, client);
        ws_send_text(s.c, "lost");
        ws_drop(s.c);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(side_sent(&s, NULL).n, 0);
        CHECK_INT(ws_finished(s.c), 1);
        side_over(&s);
    }
}

TESTS(T(field_01_a_handshake_that_was_fed_in_time) T(field_01_http_that_was_fed_in_time)
      T(field_01_a_close_that_was_fed_in_time)
      T(field_01_a_message_that_was_fed_in_time) T(field_01_a_body_that_was_fed_in_time)
      T(field_01_floods_are_judged_all_the_same)
      T(field_01_input_that_waits_for_us_is_no_excuse)
      T(field_02_output_that_leaves_puts_the_end_off)
      T(field_02_the_peer_has_its_time_after_the_close)
      T(field_02_output_that_stays_is_given_up)
      T(field_03_clean_says_that_our_close_was_written) T(field_03_nothing_written)
      T(field_03_clean_says_that_the_answer_was_written)
      T(field_03_a_dropped_answer_is_clean_if_it_was_written)
      T(field_04_pings_are_answered_after_our_close) T(field_04_one_ping)
      T(field_04_no_pong_after_the_peers_close)
      T(field_04_control_frames_of_the_application) T(field_08_close_then_drop)
      T(field_08_answer_then_drop) T(field_08_drop_alone))
