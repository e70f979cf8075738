/* Memory that others see or fill: what waits unread is bounded by the limits, a NUL
   stands behind all that events show and nothing else is changed, cfg.memory is not
   written over while it is shown. The engine first, every cut; then every driver over
   sockets. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_field_memory: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#define FIXTURE_SOCKETS
#include "fixture.h"


static int contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- an extension that leaves messages as they are, but marks them ---- */

typedef struct same { int begun, ended, fail_begin, fail_encode, declines; } same;

static int same_offer(void *user, int i, char *b, size_t n)
{
    (void)user;
    if (n) *b = 0;
    return i ? -1 : 0;
}

static int same_accept(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed)
{
    (void)offer; (void)agreed;
    if (n) *answer = 0;
    return ((same *)user)->declines ? -1 : 0;
}

static int same_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user; (void)answer; (void)agreed;
    return 0;
}

static size_t same_size(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user; (void)agreed; (void)encode;
    *alone = 0;
    return 16;
}

static int same_begin(void *user, uint32_t agreed, int encode, void *state)
{
    same *x = (same *)user;

    (void)agreed;
    if (encode && x->fail_begin) return WS_ERR_CODEC;
    x->begun++;
    memset(state, encode ? 'e' : 'd', 16);
    return 0;
}

static int same_copy(void *user, void *state, const void *in, size_t *n, void *out,
                     size_t *m, int end)
{
    size_t have = *n;

    (void)user; (void)state;
    if (*n > *m) *n = *m;
    *m = *n;
    if (*n) memcpy(out, in, *n);
    return end && *n == have;
}

static int same_encode(void *user, void *state, const void *in, size_t *n, void *out,
                       size_t *m, int end)
{
    if (((same *)user)->fail_encode) return WS_ERR_CODEC;
    return same_copy(user, state, in, n, out, m, end);
}

static void same_end(void *user, int encode, void *state)
{
    CHECK_INT(*(char *)state, encode ? 'e' : 'd');      /* what it began is still there */
    ((same *)user)->ended++;
}

static ws_extension same_of(same *user, const char *name)
{
    ws_extension x = { NULL,       2,           0,
                       0,          0,           NULL,
                       same_offer, same_accept, same_confirm,
                       same_size,  same_begin,  same_encode,
                       same_copy,  same_end };
    x.name = name;
    x.user = user;
    return x;
}

#define SAME "Sec-WebSocket-Extensions: x-same\r\n"
#define REQUEST_WITH(lines) "GET /chat?x=1 HTTP/1.1\r\n" ALL lines E

/* ---- connections of the engine in every mode ---- */

enum { BY_MESSAGE, BY_FRAME, BY_PART, CODED, CODED_PART, MODES };

/* One connection; block: its memory, NULL: of the heap. */
typedef struct one {
    world w;
    side s;
    same x;
    void *block;
    int mode;
    buf messages, controls;     /* what came, parts joined */
    buf joined;                 /* of the message under way */
    int checks;                 /* events that showed something */
    int noisy;                  /* does more while an event is shown */
} one;

static void one_event(side *s, const ws_event *ev);

/* room: 0 the heap; else a block for messages of so many bytes. */
static void one_open(one *o, int client, int mode, size_t room)
{
    static ws_extension x;
    static const ws_extension *const list[] = { &x, NULL };
    size_t coded = mode >= CODED ? 1024 + 512 + room : 0;
    ws_config cfg;

    memset(o, 0, sizeof *o);
    world_init(&o->w);
    cfg = world_config(&o->w);
    o->mode = mode;
    cfg.frames = mode == BY_FRAME;
    cfg.parts_over = mode == BY_PART || mode == CODED_PART ? 3 : 0;
    x = same_of(&o->x, "x-same");
    if (coded) cfg.extensions = list;
    if (room) {
        cfg.memory_size = WS_MEMORY_SIZE(room, 512) + coded;
        cfg.memory_send = 512;
        cfg.memory_extension = coded;
        cfg.memory = o->block = malloc(cfg.memory_size);
        memset(o->block, 0xA5, cfg.memory_size);
        o->w.h.forbid = 1;
    }
    CHECK_INT(side_new(&o->s, &o->w, client, &cfg), 1);
    o->s.user = o;
    o->s.event = one_event;
    o->s.quiet = 1;
    side_pull(&o->s);
    if (client) side_answer(&o->s, coded ? SAME : NULL);
    else if (coded) side_feed(&o->s, REQUEST_WITH(SAME), sizeof REQUEST_WITH(SAME) - 1);
    else side_feed(&o->s, REQUEST, sizeof REQUEST - 1);
    CHECK_INT(o->s.opens, 1);
    CHECK_STR(ws_extensions(o->s.c), coded ? "x-same" : "");
    o->s.head = head_size(&o->s.out);
}

static void one_close(one *o)
{
    side_over(&o->s);
    free(o->block);
    buf_free(&o->messages);
    buf_free(&o->controls);
    buf_free(&o->joined);
}

static int shows(const ws_event *ev)
{
    return ev->type == WS_EV_MESSAGE || ev->type == WS_EV_PART ||
           ev->type == WS_EV_PING || ev->type == WS_EV_PONG;
}

static void one_noise(one *o, const ws_event *ev)
{
    char *copy = (char *)malloc(ev->size + 1);
    size_t n;

    memcpy(copy, ev->data, ev->size + 1);
    ws_send(o->s.c, WS_OP_TEXT, "more", 4);
    ws_ping(o->s.c, "n", 1);
    ws_output(o->s.c, &n);
    ws_output_done(o->s.c, n);
    ws_tick(o->s.c, o->w.now);
    CHECK(!memcmp(copy, ev->data, ev->size + 1));
    free(copy);
}

static void one_event(side *s, const ws_event *ev)
{
    one *o = (one *)s->user;

    if (!shows(ev) || test_faults > 20) return;
    o->checks++;
    CHECK_INT(((const char *)ev->data)[ev->size], 0);
    if (ev->type == WS_EV_PING || ev->type == WS_EV_PONG) {
        buf_str(&o->controls, ev->type == WS_EV_PING ? "p" : "q");
        show(&o->controls, ev->data, ev->size);
    } else {
        buf_add(&o->joined, ev->data, ev->size);
        if (ev->last) {
            buf_str(&o->messages, ev->op == WS_OP_TEXT ? "T" : "B");
            show(&o->messages, buf_c(&o->joined), o->joined.n);
            buf_clear(&o->joined);
        }
    }
    if (o->noisy) one_noise(o, ev);
}

/* Feeds all in pieces of step bytes. eager: the next piece comes before the event that
   is shown is let go. */
static void one_feed(one *o, const buf *b, size_t step, int eager)
{
    size_t at = 0, idle = 0;

    while (idle < 3 && !o->s.closes) {
        size_t n = b->n - at < step ? b->n - at : step, k;
        char *copy = (char *)malloc(n + 1);
        int got;
        memcpy(copy, b->p + at, n);
        k = n ? ws_feed(o->s.c, copy, n) : 0;
        free(copy);
        at += k;
        do {
            got = side_next(&o->s);
            side_output(&o->s);
            idle = k || got ? 0 : idle + 1;
        } while (got && !eager);
    }
    CHECK_INT(at, b->n);
}

/* ==== 22: a NUL stands behind what events show ====================================== */

static const char *const talk[2] = {
    "81'one' 82x00 89'p' 81'' 01'fra' 89'mid' 00'g' 8a'pong' 80'ment' 82#130 "
    "81'8' 88x03e8'bye'",
    "a1'one' a2x00 89'p' a1'' 21'fra' 89'mid' 00'g' 8a'pong' 80'ment' a2#130 "
    "81'8' 88x03e8'bye'"
};

/* Right after all of it. */
static void talk_came(one *o)
{
    CHECK_STR(buf_c(&o->messages), "T'one'Bx00T''T'fragment'B#130T'8'");
    CHECK_STR(buf_c(&o->controls), "p'p'p'mid'q'pong'");
    CHECK(o->s.closes && o->s.code == 1000 && !o->s.error);
    CHECK_STR(o->s.reason, "bye");
}

/* Messages, parts, pings and pongs; both roles, every mode, of the heap and in a block;
   the frames that follow at once are not changed by it, wherever the input is cut. */
TEST(field_22_a_nul_behind_everything_shown)
{
    int client, mode, fixed, noisy;
    size_t step, cut;

    for (mode = 0; mode < MODES; mode++) for (client = 0; client < 2; client++)
        for (fixed = 0; fixed < 2; fixed++) for (noisy = 0; noisy < 2; noisy++) {
            buf b = { 0 };
            put_frames(&b, talk[mode >= CODED], !client);
            for (step = b.n; step; step = step > 20 ? step / 2 : step - 1) {
                one o;
                one_open(&o, client, mode, fixed ? 200 : 0);
                o.noisy = noisy;
                one_feed(&o, &b, step, 0);
                talk_came(&o);
                one_close(&o);
            }
            for (cut = 1; cut < b.n && !noisy; cut++) {
                buf first = { 0 }, rest = { 0 };
                one o;
                buf_add(&first, b.p, cut);
                buf_add(&rest, b.p + cut, b.n - cut);
                one_open(&o, client, mode, fixed ? 200 : 0);
                one_feed(&o, &first, cut, 0);
                one_feed(&o, &rest, rest.n, 0);
                talk_came(&o);
                one_close(&o);
                buf_free(&first);
                buf_free(&rest);
            }
            buf_free(&b);
            if (test_faults) return;        /* what else would be read is not ours */
        }
}

/* ws_feed while an event is shown: the byte under the NUL is back before more is
   added. */
TEST(field_22_feeding_while_an_event_is_shown)
{
    int client, mode, fixed;
    size_t step;

    for (mode = 0; mode < MODES; mode++) for (client = 0; client < 2; client++)
        for (fixed = 0; fixed < 2; fixed++) {
            buf b = { 0 };
            put_frames(&b, talk[mode >= CODED], !client);
            for (step = 1; step <= b.n; step++) {
                one o;
                one_open(&o, client, mode, fixed ? 400 : 0);
                one_feed(&o, &b, step, 1);
                talk_came(&o);
                one_close(&o);
                if (test_faults) break;
            }
            buf_free(&b);
            if (test_faults) return;
        }
}

/* One message of n bytes, in frames, and nothing behind it. 1 if it came. */
static int alone(int client, int mode, size_t room, size_t n, int frames)
{
    char *data = (char *)malloc(n + 1);
    int first = mode >= CODED ? 0x22 : 0x02, came, i;
    size_t at = 0;
    buf b = { 0 };
    one o;

    for (i = 0; i < (int)n; i++) data[i] = fill_at((size_t)i);
    for (i = 0; i < frames; i++) {
        size_t k = i == frames - 1 ? n - at : n / (size_t)frames;
        put_frame(&b, (i ? 0 : first) | (i == frames - 1 ? 0x80 : 0), !client, data + at,
                  k, 0);
        at += k;
    }
    one_open(&o, client, mode, room);
    one_feed(&o, &b, b.n, 0);
    came = o.messages.n > 0;
    if (came) CHECK(o.checks > 0 && !o.s.error);
    one_close(&o);
    buf_free(&b);
    free(data);
    return came;
}

/* Buffers that a message fills to the last byte have room for it. */
TEST(field_22_full_buffers)
{
    static const size_t near[] = { 1024, 4096, 16384, 65536 };
    int client, mode, frames;
    size_t n, i;

    for (mode = 0; mode < MODES; mode++) for (client = 0; client < 2; client++)
        for (frames = 1; frames < 4; frames += 2) {
            for (n = 0; n < 700; n += n < 130 || n > 440 ? 1 : 9)
                CHECK(alone(client, mode, 0, n, frames));
            for (i = 0; i < COUNT(near); i++)
                for (n = near[i] - 20; n < near[i] + 4; n++)
                    CHECK(alone(client, mode, 0, n, frames));
            if (test_faults) return;
        }
}

/* The same in a block: whatever size fits, it fits with the NUL; and nothing behind the
   block. */
TEST(field_22_full_blocks)
{
    int client, mode, frames, came;
    size_t room, n;

    for (mode = 0; mode < MODES; mode++) for (client = 0; client < 2; client++)
            for (frames = 1; frames < 4; frames += 2)
                for (room = 240; room < 256; room += 5) {
                    came = 1;
                    for (n = room - 20; n < room + 60 && came; n++) {
                        came = alone(client, mode, room, n, frames);
                        if (n <= room - (mode < CODED ? 0 : 8))
                            CHECK(came); /* sizes are rounded */
                    }
                    if (test_faults)
                        return;
                }
}

/* ---- the same in every driver ---- */

static buf heard, heard_controls;      /* what app_listens heard */
static int heard_joins;

static void app_listens(end *e, const ws_event *ev)
{
    (void)e;
    if (!shows(ev)) return;
    CHECK_INT(((const char *)ev->data)[ev->size], 0);
    if (ev->type == WS_EV_PING || ev->type == WS_EV_PONG) {
        buf_str(&heard_controls, ev->type == WS_EV_PING ? "p" : "q");
        show(&heard_controls, ev->data, ev->size);
        return;
    }
    if (heard_joins) { buf_add(&heard, ev->data, ev->size); return; }
    buf_str(&heard, ev->op == WS_OP_TEXT ? "T" : "B");
    show(&heard, ev->data, ev->size);
}

static void heard_nothing(void)
{
    buf_clear(&heard);
    buf_clear(&heard_controls);
}

/* A peer writes at once and in pieces, the sockets give all or little. */
TEST(field_22_every_driver)
{
    static const size_t most[] = { 0, 1, 2, 3, 7, 100 };
    static pair m;
    int kind, mode;
    size_t i;

    for (kind = 0; kind < KINDS; kind++) for (mode = 0; mode < 3; mode++)
        for (i = 0; i < COUNT(most); i++) {
            ws_config cfg;
            memset(&cfg, 0, sizeof cfg);
            cfg.frames = mode == 1;
            cfg.parts_over = mode == 2 ? 3 : 0;
            app = app_listens;
            heard_joins = mode > 0;
            heard_nothing();
            pair_open(&m, kind, &cfg);
            line.most = most[i];
            pair_say(&m, talk[0]);
            UNTIL(mode ? heard.n == 143 : contains(buf_c(&heard), "T'8'"), 1000);
            shutdown(m.peer.fd, SHUT_WR);          /* whoever waits for the end has it */
            UNTIL(m.end.closes, 1000);
            if (mode) CHECK(heard.n == 3 + 1 + 8 + 130 + 1);
            else CHECK_STR(buf_c(&heard), "T'one'Bx00T''T'fragment'B#130T'8'");
            CHECK_STR(buf_c(&heard_controls), "p'p'p'mid'q'pong'");
            CHECK_INT(m.end.code, 1000);
            pair_over(&m);
            if (test_faults) return;
        }
    buf_free(&heard);
    buf_free(&heard_controls);
}

static size_t large;        /* bytes that app_measures expects first */

static void app_measures(end *e, const ws_event *ev)
{
    const char *p = (const char *)ev->data;
    size_t i;

    if (ev->type != WS_EV_MESSAGE) return;
    CHECK_INT(ev->size, e->messages == 1 ? large : 4);
    CHECK_INT(p[ev->size], 0);
    for (i = 0; e->messages == 1 && i < ev->size; i += 97) CHECK(p[i] == fill_at(i));
    if (e->messages == 2) CHECK_STR(p, "next");
}

/* Messages that are put together as they come, larger than any buffer before them. */
TEST(field_22_large_messages)
{
    static const size_t sizes[] = { 4090, 16384, 65536, 100000, 524288, 700000 };
    static pair m;
    int kind, frames, k;
    size_t i, j, at;

    for (kind = 0; kind < KINDS; kind++) for (i = 0; i < COUNT(sizes); i++)
        for (frames = 1; frames < 4; frames += 2) {
            char *data = (char *)malloc(sizes[i]);
            buf b = { 0 };
            large = sizes[i];
            for (j = 0; j < large; j++) data[j] = fill_at(j);
            app = app_measures;
            pair_open(&m, kind, NULL);
            for (k = 0, at = 0; k < frames; k++) {
                size_t n = k == frames - 1 ? large - at : large / 3;
                put_frame(&b, (k ? 0 : 2) | (k == frames - 1 ? 0x80 : 0), pair_serves(&m),
                          data + at, n, 0);
                at += n;
            }
            put_frame(&b, 0x81, pair_serves(&m), "next", 4, 0);
            CHECK_INT(pair_write(&m, b.p, b.n, 5000), 0);
            UNTIL(m.end.messages == 2, 1000);
            buf_free(&b);
            free(data);
            pair_over(&m);
            if (test_faults) return;
        }
}

/* Drivers that step while an event is shown: more is read, what is shown stays. */
TEST(field_22_steps_while_an_event_is_shown)
{
    static pair m;
    int kinds[] = { BLOCKING, OWN, ADOPTED }, i;

    for (i = 0; i < 3; i++) {
        char shown[200] = "";
        ws_event ev;
        int n = 0, patience = 5000;
        app = app_listens;
        pair_open(&m, kinds[i], NULL);
        clients[0] = NULL;              /* nobody else pulls */
        put_frames(&heard, "81'first' 82#130 89'ping' 81'last'", pair_serves(&m));
        CHECK_INT(peer_write(&m.peer, heard.p, heard.n), 0);
        buf_free(&heard);
        while (n < 4 && patience--) {
            usleep(1000);
            ws_step(m.c);
            if (!ws_next(m.c, &ev)) continue;
            memcpy(shown, ev.data, ev.size + 1);
            ws_step(m.c);
            ws_step(m.c);
            CHECK_INT(shown[ev.size], 0);
            n++;
        }
        CHECK_INT(n, 4);
        CHECK_STR(shown, "last");
        pair_over(&m);
    }
}

/* ---- what is sent back is what was shown ---- */

enum {
    BY_SEND,
    BY_TWO_PIECES,
    BY_PIECES,
    BY_LAST_PART,
    BY_PUBLISH,
    BY_BROADCAST,
    BY_LATEST,
    BY_STRING,
    WAYS
};

static struct { int way; size_t extra; int times, slot; } echo;

static void app_echoes(end *e, const ws_event *ev)
{
    const char *p = (const char *)ev->data;
    size_t n = ev->size + echo.extra;
    ws_str v[2];
    int i, r = 0;

    (void)e;
    if (ev->type != WS_EV_MESSAGE) return;
    for (i = 0; i < echo.times; i++) {
        v[0].data = p;
        v[0].size = echo.way == BY_TWO_PIECES ? ev->size / 2 : n;
        v[1].data = echo.way == BY_TWO_PIECES ? p + ev->size / 2 : "!";
        v[1].size = echo.way == BY_TWO_PIECES ? n - ev->size / 2 : 1;
        switch (echo.way) {
        case BY_SEND: r = ws_send(ev->conn, ev->op, p, n); break;
        case BY_TWO_PIECES:
        case BY_PIECES: r = ws_sendv(ev->conn, ev->op, v, 2); break;
        case BY_LAST_PART: r = ws_send_part(ev->conn, ev->op, p, n, 1); break;
        case BY_PUBLISH: r = !ws_publish(loop, "all", NULL, ev->op, p, n); break;
        case BY_BROADCAST: r = !ws_broadcast(loop, NULL, ev->op, p, n); break;
        case BY_LATEST: r = ws_send_latest(ev->conn, echo.slot++, ev->op, p, n); break;
        default: r = ws_send_text(ev->conn, p); break;
        }
        CHECK_INT(r, 0);
    }
}

/* Adds the frame that a message of n bytes comes back as, in words. */
static void echo_wanted(buf *want, int op, const void *data, size_t n)
{
    buf back = { 0 };

    buf_add(&back, data, n);
    if (echo.extra && echo.way != BY_STRING) buf_byte(&back, 0);
    if (echo.way == BY_PIECES) buf_byte(&back, '!');
    buf_str(want, echo.way == BY_STRING || op == 1 ? "81" : "82");
    show(want, buf_c(&back), back.n);
    buf_str(want, " ");
    buf_free(&back);
}

/* The peer sends two messages at once, and reads what comes of it. */
static void echo_once(pair *m, size_t size)
{
    char *data = (char *)malloc(size + 1);
    buf b = { 0 }, want = { 0 }, have = { 0 };
    size_t i, wire = 0;
    frames f;
    int k;

    for (i = 0; i < size; i++) data[i] = fill_at(i);
    put_frame(&b, 0x82, pair_serves(m), data, size, 0);
    put_frame(&b, 0x81, pair_serves(m), "next", 4, 0);
    for (k = 0; k < echo.times; k++) echo_wanted(&want, 2, data, size);
    for (k = 0; k < echo.times; k++) echo_wanted(&want, 1, "next", 4);
    m->end.messages = 0;
    m->peer.n = 0;
    CHECK_INT(pair_write(m, b.p, b.n, 5000), 0);
    UNTIL(m->end.messages == 2, 1000);
    for (k = 0; k < 2000 && (!wire || have.n < want.n); k++) {
        turn();
        buf_clear(&have);
        wire = check_frames(m->peer.in, m->peer.n, !pair_serves(m), &f, &have);
    }
    CHECK_STR(buf_c(&have), buf_c(&want));
    CHECK_INT(wire, m->peer.n);
    buf_free(&b);
    buf_free(&want);
    buf_free(&have);
    free(data);
}

/* Every way of sending, copied or by reference, with the NUL or without it. */
TEST(field_22_echoes_are_what_was_shown)
{
    static const size_t sizes[] = { 0, 1, 100, 2046, 2047, 2048, 2049, 3000, 5000 };
    static pair m;
    int kind;
    size_t i;

    for (kind = 0; kind < KINDS; kind++) {
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        app = app_echoes;
        pair_open(&m, kind, &cfg);
        if (kind == ACCEPTED || kind == LOOP) CHECK_INT(ws_join(m.c, "all"), 0);
        for (echo.way = 0; echo.way < WAYS; echo.way++) for (i = 0; i < COUNT(sizes); i++)
            for (echo.extra = 0; echo.extra < 2; echo.extra++)
                for (echo.times = 1; echo.times < 3; echo.times++) {
                    if (echo.way == BY_BROADCAST && kind != ACCEPTED) continue;
                    if (echo.way == BY_PUBLISH && kind != ACCEPTED && kind != LOOP)
                        continue;
                    echo_once(&m, sizes[i]);
                    if (test_faults) goto ended;
                }
    ended:
        pair_over(&m);
        if (test_faults) return;
    }
}

/* ---- what is shown serves as a string ---- */

static void app_takes_words(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type != WS_EV_MESSAGE) return;
    if (!strcmp((const char *)ev->data, "close")) {
        CHECK_INT(ws_close(ev->conn, 3000, (const char *)ev->data), 0);
        return;
    }
    if (ev->op == WS_OP_BINARY) return;
    CHECK_INT(atoi((const char *)ev->data), 8);
    CHECK_INT(strlen((const char *)ev->data), 1);
    if (!ev->conn->loop) return;
    CHECK_INT(ws_join(ev->conn, (const char *)ev->data), 0);
    CHECK_INT(ws_publish(loop, "8", NULL, WS_OP_TEXT, "to eight", 8), 1);
}

/* "8" is the number 8, the name of a group and the reason of a Close, whatever was in
   the same buffer before it. */
TEST(field_22_data_as_strings)
{
    static pair m;
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        peer other;
        frames f;
        int k;
        memset(&f, 0, sizeof f);
        memset(&other, 0, sizeof other);
        app = app_takes_words;
        pair_open(&m, kind, NULL);
        if (kind == ACCEPTED) {               /* somebody else's bytes come before */
            peer_connect(&other, ws_listen_port(loop, 0));
            peer_text(&other,
                      REQUEST_WITH("Cookie: 23456789012345678901234567890123\r\n"));
            UNTIL(m.end.opens == 2, 1000);
        }
        pair_say(&m, "81'8' 81'8'");
        UNTIL(m.end.messages == 2, 1000);
        for (k = 0; k < 2000 && (kind == ACCEPTED || kind == LOOP) && f.n < 2; k++) {
            turn();
            check_frames(m.peer.in, m.peer.n, kind == LOOP, &f, NULL);
        }
        if (kind == ACCEPTED || kind == LOOP) CHECK_INT(f.data, 2);
        m.peer.n = 0;
        pair_say(&m, "81'close' 82#100");
        for (k = 0; k < 2000 && !f.closes; k++) {
            turn();
            check_frames(m.peer.in, m.peer.n, !pair_serves(&m), &f, NULL);
        }
        CHECK_INT(f.close_code, 3000);
        CHECK_STR(f.reason, "close");
        if (kind == ACCEPTED) peer_end(&other, 0);
        pair_over(&m);
        if (test_faults) return;
    }
}

/* ---- a blocking client that sends while a message is shown ---- */

static long told;           /* messages that the peer has to say so far */
static buf to_say;          /* what of them is not written yet */

/* The peer takes whatever comes, and has much to say. */
static void talks(peer *r)
{
    char text[40];
    ptrdiff_t k = 1;

    pair_answers(r);
    r->n = 0;
    while (r->done && told < 20000 && to_say.n < 10000) {
        snprintf(text, sizeof text, "81'message %ld'", told++);
        put_frames(&to_say, text, 0);
    }
    while (to_say.n && k > 0) {
        k = r->io.write(r->io.user, to_say.p, to_say.n);
        if (k <= 0) break;
        to_say.n -= (size_t)k;
        memmove(to_say.p, to_say.p + k, to_say.n);
    }
}

/* It may read meanwhile: what is shown stays as it is, nothing is lost, and what it
   reads is bounded. */
TEST(field_22_sending_while_a_message_is_shown)
{
    static char filling[20000];
    static peer r;
    char url[60], want[40];
    ws_config cfg;
    ws_event ev;
    ws_conn *c;
    heap h;
    end e;
    size_t base;
    long n, k;

    memset(&h, 0, sizeof h);
    told = 0;
    loop = ws_loop_new(NULL);
    peer_begin(&r, talks, NULL);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", r.port);
    cfg = client_config(&e);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    cfg.max_message = 1024;
    cfg.max_backlog = 100000;
    c = visit(BLOCKING, url, &cfg);
    clients[0] = NULL;                  /* nobody else pulls */
    base = heap_mark(&h);
    for (n = -1; n < 20000 && ws_recv(c, &ev, 5000) > 0;) {
        if (ev.type != WS_EV_MESSAGE) continue;
        n++;
        snprintf(want, sizeof want, "message %ld", n);
        CHECK(ev.size == strlen(want) && !memcmp(ev.data, want, ev.size + 1));
        for (k = 0; n % 2000 == 7 && k < 30; k++) {
            ws_send(c, WS_OP_BINARY, filling, sizeof filling);
            CHECK(ev.size == strlen(want) && !memcmp(ev.data, want, ev.size + 1));
        }
        if (test_faults || n == 19999) break;
    }
    CHECK(test_faults || n == 19999);
    CHECK(h.peak - base <= 3 * (1024 + 16384) + 4096 + 5 * 100000 / 2);
    buf_free(&to_say);
    leave(&e, c);
    peer_over(&r);
    over();
}

/* ---- ends while an event is shown ---- */

static buf rest_seen;
static int rest_fd;

static void app_detaches(end *e, const ws_event *ev)
{
    const void *rest;
    size_t n;

    (void)e;
    if (ev->type != WS_EV_MESSAGE) return;
    rest_fd = ws_detach(ev->conn, &rest, &n);
    CHECK(rest_fd >= 0);
    if (rest_fd >= 0) buf_add(&rest_seen, rest, n);
}

/* ws_detach gives the bytes behind the message as they came. */
TEST(field_22_detaching_while_a_message_is_shown)
{
    static const char *const behind[] = {
        "81'next'", "82#300 81'x'", "89'ping'", "=42", "=f0f1f2f3f4f5f6f7f8f9", "=81"
    };
    static pair m;
    size_t i, first;
    int kind;

    for (kind = 0; kind < KINDS; kind++) for (i = 0; i < COUNT(behind); i++) {
        buf b = { 0 };
        ssize_t k = 1;
        int patience = 2000;
        app = app_detaches;
        pair_open(&m, kind, NULL);
        rest_fd = -1;
        buf_clear(&rest_seen);
        put_frames(&b, "81'first'", pair_serves(&m));
        first = b.n;
        put_frames(&b, behind[i], pair_serves(&m));
        CHECK_INT(pair_write(&m, b.p, b.n, 5000), 0);
        UNTIL(rest_fd >= 0, 1000);
        while (rest_fd >= 0 && rest_seen.n < b.n - first && patience--) {
            char more[400];
            k = recv(rest_fd, more, sizeof more, 0);
            if (k > 0) buf_add(&rest_seen, more, (size_t)k);
            else usleep(1000);
        }
        CHECK(rest_seen.n == b.n - first &&
              !memcmp(rest_seen.p, b.p + first, rest_seen.n));
        if (rest_fd >= 0) close(rest_fd);
        buf_free(&b);
        pair_over(&m);
    }
    buf_free(&rest_seen);
}

static void app_frees(end *e, const ws_event *ev)
{
    if (ev->type != WS_EV_MESSAGE) return;
    CHECK_INT(((const char *)ev->data)[ev->size], 0);
    ws_free(ev->conn);
    e->closes++;                        /* leave() does not free it again */
}

/* ws_free while a message is shown, in the loop; and the next connection is unharmed. */
TEST(field_22_freeing_while_a_message_is_shown)
{
    static pair m;
    int kind;

    for (kind = LOOP; kind <= ACCEPTED; kind++) {
        app = app_frees;
        pair_open(&m, kind, NULL);
        pair_say(&m, "81'first' 82#3000 81'next'");
        UNTIL(m.end.closes, 1000);
        CHECK_INT(m.end.messages, 1);
        pair_over(&m);
    }
}

/* ---- the loop's own buffer, filled to its end ---- */

static buf script;          /* what a wrapped socket reads, once it is armed */
static size_t script_at;
static int script_armed;
static size_t script_asked; /* the most that was asked for */
static ws_io script_below;

static ptrdiff_t script_read(void *user, void *b, size_t n)
{
    (void)user;
    if (!script_armed) return script_below.read(script_below.user, b, n);
    if (n > script_asked) script_asked = n;
    if (script_at == script.n) return WS_IO_WANT_READ;
    if (n > script.n - script_at) n = script.n - script_at;
    memcpy(b, script.p + script_at, n);
    script_at += n;
    return (ptrdiff_t)n;
}

static ptrdiff_t script_write(void *user, const void *b, size_t n)
{
    (void)user;
    return script_below.write(script_below.user, b, n);
}

static int script_wraps(void *user, ws_conn *c, ws_io *io, const char *host)
{
    (void)user; (void)c; (void)host;
    script_below = *io;
    io->read = script_read;
    io->write = script_write;
    return 0;
}

/* Frames that end exactly where one read of n bytes does: the last message is of last
   bytes. */
static void script_fill(size_t n, size_t last)
{
    static char zeros[70000];
    size_t tail = last + (last < 126 ? 6 : 8), k;

    buf_clear(&script);
    while (script.n < n - tail) {
        size_t left = n - tail - script.n;
        k = left > 20000 ? 10000 : left > 500 ? left / 2 : left - (left < 132 ? 6 : 8);
        put_frame(&script, 0x82, 1, zeros, k, 0);
    }
    CHECK_INT(script.n, n - tail);
    put_frame(&script, 0x82, 1, zeros, last, 0);
    put_frame(&script, 0x81, 1, "behind", 6, 0);
    script_at = 0;
}

/* A read that fills the loop's buffer, and a message that ends with it. */
TEST(field_22_the_loops_buffer_full)
{
    static const size_t lasts[] = { 0, 1, 100, 5000 };
    static pair m;
    size_t i, room = 1000;

    for (i = 0; i < COUNT(lasts) + 1; i++) { /* the first tells how much is asked for */
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.wrap = script_wraps;
        script_armed = 0;
        app = app_listens;
        heard_nothing();
        pair_open(&m, ACCEPTED, &cfg);
        script_fill(room, i ? lasts[i - 1] : 10);
        script_armed = 1;
        pair_say(&m, "81'go'");               /* so that the socket is readable */
        UNTIL(contains(m.end.text, "behind"), 2000);
        CHECK(!m.end.closes);
        if (!i) room = script_asked;
        CHECK(room > 6000);
        pair_over(&m);
        if (test_faults) break;
    }
    buf_free(&script);
    buf_free(&heard);
    buf_free(&heard_controls);
}

/* ---- ordinary HTTP ---- */

/* For the peer of a client of ordinary HTTP: a body in chunks, in one write. */
static void answers_chunks(peer *r)
{
    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    peer_text(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\none\r\n1\r\n-\r\n3;x\r\ntwo\r\n0\r\nTrailer: x\r\n\r\n");
}

static void answers_length(peer *r)
{
    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    peer_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\none-two");
}

/* Parts of a body: a NUL behind each, and the line ends between chunks are still
   there. */
TEST(field_22_parts_of_http_bodies)
{
    static peer r;
    static const size_t most[] = { 0, 1, 3, 10 };
    int driver, chunked;
    size_t i;

    for (driver = 0; driver < DRIVERS; driver++) for (chunked = 0; chunked < 2; chunked++)
        for (i = 0; i < COUNT(most); i++) {
            ws_config cfg;
            char url[60];
            ws_conn *x;
            end c;
            loop = ws_loop_new(NULL);
            app = app_listens;
            heard_joins = 1;
            heard_nothing();
            peer_begin(&r, chunked ? answers_chunks : answers_length, NULL);
            snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
            cfg = client_config(&c);
            cfg.method = "GET";
            line.most = most[i];
            x = visit(driver, url, &cfg);
            UNTIL(c.closes, 1000);
            CHECK(c.clean && !c.error);
            CHECK_STR(buf_c(&heard), "one-two");
            leave(&c, x);
            peer_over(&r);
            over();
            if (test_faults) return;
        }
    buf_free(&heard);
    buf_free(&heard_controls);
}

/* ---- heads in shared buffers ---- */

#define SECRET "session=0123456789abcdef"
#define COOKIE "Cookie: " SECRET "\r\n"

static int holds(const void *block, size_t n)
{
    return n && memmem(block, n, SECRET, sizeof SECRET - 1) != NULL;
}

/* Is the secret in what the loop shares: where it reads to, or blocks that others will
   get? */
static int loop_reads_it(const ws_loop *l)
{
    return holds(l->buf, WS__READ_FRONT + l->half);
}

static int loop_keeps_it(const ws_loop *l)
{
    int i;

    for (i = 0; i < 16; i++)
        if (l->cache.slot[i].size && holds(l->cache.slot[i].block, l->cache.slot[i].size))
            return 1;
    return 0;
}

static void app_answers(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type == WS_EV_REQUEST && contains(ws_target(ev->conn), "refused"))
        ws_reject(ev->conn, 403, NULL, "no");
    else if (ev->type == WS_EV_REQUEST)
        ws_accept(ev->conn, NULL);
    if (ev->type == WS_EV_HTTP) ws_http_reply(ev->conn, 200, NULL, "plain", 5);
}

#define WEB "GET /x HTTP/1.1\r\n" HO COOKIE E
#define FRAME "\x81\x82\0\0\0\0ok"

/* What a request says is gone from the loop's buffers when it has been answered. */
TEST(field_22_request_heads_are_wiped)
{
    static const struct { const char *text; size_t size; int ask, cut; } all[] = {
        { REQUEST_WITH(COOKIE), sizeof REQUEST_WITH(COOKIE) - 1, 0, 0 },
        { REQUEST_WITH(COOKIE), sizeof REQUEST_WITH(COOKIE) - 1, 1, 0 },
        { REQUEST_WITH(COOKIE), sizeof REQUEST_WITH(COOKIE) - 1, 0, 150 },
        { REQUEST_WITH(COOKIE) FRAME, sizeof REQUEST_WITH(COOKIE) + 8 - 1, 0, 0 },
        { REQUEST_WITH(COOKIE "Origin: http://evil.example\r\n"),
          sizeof REQUEST_WITH(COOKIE "Origin: http://evil.example\r\n") - 1, 0, 0 },
        { "GET /refused HTTP/1.1\r\n" ALL COOKIE E,
          sizeof "GET /refused HTTP/1.1\r\n" ALL COOKIE E - 1, 1, 0 },
        { WEB, sizeof WEB - 1, 0, 0 },
        { "BAD / HTTP/1.1\r\n" COOKIE "bad line\r\n\r\n",
          sizeof "BAD / HTTP/1.1\r\n" COOKIE "bad line\r\n\r\n" - 1, 0, 0 }
    };
    size_t i;

    for (i = 0; i < COUNT(all); i++) {
        ws_config cfg;
        end s;
        peer r;
        int ended = 0, before = test_faults;
        memset(&s, 0, sizeof s);
        memset(&r, 0, sizeof r);
        memset(&cfg, 0, sizeof cfg);
        cfg.user = &s;
        cfg.ask = all[i].ask;
        app = app_answers;
        peer_connect(&r, ws_listen_port(loop, listen_on(&cfg)));
        peer_write(&r, all[i].text, all[i].cut ? (size_t)all[i].cut : all[i].size);
        pass(all[i].cut ? 20 : 0);
        if (all[i].cut)
            peer_write(&r, all[i].text + all[i].cut, all[i].size - (size_t)all[i].cut);
        UNTIL(s.opens || s.closes, 1000);
        pass(5);
        CHECK(!loop_reads_it(loop));
        CHECK(!loop_keeps_it(loop));
        ended = s.closes;
        peer_end(&r, 0);
        UNTIL(s.closes, 1000);
        CHECK(!loop_reads_it(loop));
        CHECK(!loop_keeps_it(loop));
        if (test_faults > before) printf("    request %d, ended %d\n", (int)i, ended);
        over();
    }
}

static void answers_with_secret(peer *r)
{
    buf request = { 0 }, answer = { 0 };

    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    buf_add(&request, r->in, r->n);
    put_answer(&answer, &request, "Set-" COOKIE);
    peer_write(r, answer.p, answer.n);
    buf_free(&request);
    buf_free(&answer);
}

static void refuses_with_secret(peer *r)
{
    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    peer_text(r, "HTTP/1.1 403 No\r\nSet-" COOKIE "Content-Length: 0\r\n\r\n");
}

/* Nor is what servers told the loop's clients; and requests that were read before
   ws_adopt. */
TEST(field_22_answer_heads_are_wiped)
{
    static peer r;
    int way;

    for (way = 0; way < 3; way++) {
        ws_config cfg;
        char url[60];
        end c;
        loop = ws_loop_new(NULL);
        if (way < 2) {
            peer_begin(&r, way ? refuses_with_secret : answers_with_secret, NULL);
            snprintf(url, sizeof url, "ws://127.0.0.1:%d/", r.port);
            cfg = client_config(&c);
            visit(LOOP, url, &cfg);
        } else {
            int two[2];
            CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
            memset(&cfg, 0, sizeof cfg);
            memset(&c, 0, sizeof c);
            cfg.user = &c;
            CHECK(ws_adopt(loop, two[1], REQUEST_WITH(COOKIE),
                           sizeof REQUEST_WITH(COOKIE) - 1, &cfg) != NULL);
            peer_begin(&r, NULL, NULL);
            peer_take(&r, two[0]);
        }
        UNTIL(c.opens || c.closes, 1000);
        pass(5);
        CHECK(!loop_reads_it(loop));
        CHECK(!loop_keeps_it(loop));
        peer_over(&r);
        UNTIL(c.closes, 1000);
        CHECK(!loop_reads_it(loop));
        CHECK(!loop_keeps_it(loop));
        over();
    }
}

/* ==== 23: a block that is shown and written at the same time ======================== */

enum { TEXT_TARGET, TEXT_METHOD, TEXT_HEADER, TEXT_PATH, TEXTS };

static struct { int text; char was[700]; } refusal;

static const char *own_text(ws_conn *c)
{
    if (refusal.text == TEXT_TARGET) return ws_target(c);
    if (refusal.text == TEXT_METHOD) return ws_method(c);
    if (refusal.text == TEXT_PATH) return ws_path(c).data;
    return ws_header_value(c, "X-Long")
        .data; /* and what follows: it ends with the head */
}

/* Refuses a request in its own words. */
static void refuses_in_its_words(side *s, const ws_event *ev)
{
    const char *text;

    if (ev->type != WS_EV_REQUEST && ev->type != WS_EV_HTTP) return;
    text = own_text(s->c);
    snprintf(refusal.was, sizeof refusal.was, "%.*s", 600, text);
    if (refusal.text == TEXT_HEADER) {
        refusal.was[strcspn(refusal.was, "\r")] = 0;
        text = refusal.was;
    }
    CHECK_INT(ws_reject(s->c, 404, NULL, text), 0);
    if (refusal.text != TEXT_HEADER)
        CHECK(!strncmp(text, refusal.was, strlen(refusal.was)));
}

/* A request is refused with a text that lies in its own head; in blocks of any size and
   of the heap. The peer and the CLOSE event get it as it was. */
TEST(field_23_refusing_with_words_of_the_request)
{
    static const size_t rooms[] = { 0, 700, 1500, 4096 };
    static const char *const upgrades[] = { ALL E, HO E };
    size_t i, n;
    int web;

    for (i = 0; i < COUNT(rooms); i++)
        for (web = 0; web < 2; web++)
            for (n = 1; n < 380; n += 7)
                for (refusal.text = 0; refusal.text < TEXTS; refusal.text++) {
                    world w;
                    side s;
                    ws_config cfg = world_fresh(&w);
                    buf b = { 0 };
                    size_t k, told;
                    void *block = NULL;
                    cfg.ask = 1;
                    if (rooms[i]) {
                        cfg.memory_size = WS_MEMORY_SIZE(rooms[i] + 400, 1200);
                        cfg.memory_send = 1200;
                        cfg.memory = block = malloc(cfg.memory_size);
                    }
                    buf_str(&b, "GET /");
                    for (k = 1; k < n; k++) buf_byte(&b, fill_at(k));
                    buf_str(&b, " HTTP/1.1\r\nX-Long: words\r\n");
                    buf_str(&b, upgrades[web]);
                    CHECK_INT(side_new(&s, &w, 0, &cfg), 1);
                    s.event = refuses_in_its_words;
                    side_feed(&s, b.p, b.n);
                    CHECK(s.closes && s.error == WS_ERR_REJECTED);
                    CHECK_INT(head_status(&s.out), 404);
                    k = head_size(&s.out);
                    CHECK_STR(s.out.p + k, refusal.was);
                    told = strlen(refusal.was) < 60 ? strlen(refusal.was) : 60;
                    refusal.was[told] = 0;
                    CHECK(contains(s.reason, refusal.was));
                    side_over(&s);
                    free(block);
                    buf_free(&b);
                    if (test_faults)
                        return;
                }
}

/* ---- what an event shows stays until the next pull, whatever fails meanwhile ---- */

enum { GOES_SLOW, GOES_RANDOM, GOES_CODEC, GOES_TIME, GOES_CLOSE, GOES_DROP, GOES_WRONG };

static int going;

static void goes_wrong(side *s, const ws_event *ev)
{
    one *o = (one *)s->user;
    char was[300];
    int r = 0, i;

    if (!shows(ev) || o->checks++) return;
    memcpy(was, ev->data, ev->size);
    if (going == GOES_SLOW)
        for (i = 0; i < 1000 && r != WS_ERR_SLOW; i++)
            r = ws_send(s->c, WS_OP_TEXT, "hello", 5);
    if (going == GOES_SLOW) CHECK_INT(r, WS_ERR_SLOW);
    if (going == GOES_RANDOM) {
        o->w.r.fail_at = o->w.r.draws + 1;
        o->w.r.fail_all = 1;
        CHECK_INT(ws_send(s->c, WS_OP_TEXT, "hello", 5), s->client ? WS_ERR_RANDOM : 0);
    }
    if (going == GOES_CODEC) o->x.fail_encode = 1;
    if (going == GOES_CODEC)
        CHECK_INT(ws_send(s->c, WS_OP_TEXT, "hello", 5), WS_ERR_CODEC);
    for (i = 0; going == GOES_TIME && i < 5; i++) ws_tick(s->c, o->w.now += 40000);
    if (going == GOES_CLOSE) CHECK_INT(ws_close(s->c, 1000, "a reason of many words"), 0);
    if (going == GOES_DROP) ws_drop(s->c);
    CHECK(!memcmp(was, ev->data, ev->size));
}

/* Messages, parts and control frames in a block and of the heap. */
TEST(field_23_what_is_shown_stays_after_failures)
{
    static const char *const specs[2][4] = {
        { "81'message' 81'x'", "01'mess' 80'age' 81'x'", "89'ping' 81'x'",
          "8a'pong' 81'x'" },
        { "a1'message' 81'x'", "21'mess' 80'age' 81'x'", "89'ping' 81'x'",
          "8a'pong' 81'x'" }
    };
    int client, mode, fixed, i;

    for (mode = 0; mode < MODES; mode++) for (client = 0; client < 2; client++)
        for (fixed = 0; fixed < 2; fixed++) for (i = 0; i < 4; i++)
            for (going = 0; going < GOES_WRONG; going++) {
                buf b = { 0 };
                one o;
                if (going == GOES_CODEC && mode < CODED) continue;
                put_frames(&b, specs[mode >= CODED][i], !client);
                one_open(&o, client, mode, fixed ? 300 : 0);
                o.s.event = goes_wrong;
                o.s.c->cfg->set.drop_slow = going == GOES_SLOW;
                if (!fixed) o.s.c->cfg->set.max_backlog = 512;
                side_feed(&o.s, b.p, b.n);
                CHECK(o.checks > 0);
                one_close(&o);
                buf_free(&b);
            }
}

/* ---- extensions of the application's ---- */

enum { EXT_OPEN, EXT_CLOSED, EXT_BEFORE, EXT_DECLINED, EXT_HALF, EXT_ENDS };

/* Each state that was begun is ended, once, before ws_free returns; in a block as of
   the heap. */
TEST(field_23_extensions_are_ended)
{
    int client, fixed, at;

    for (client = 0; client < 2; client++) for (fixed = 0; fixed < 2; fixed++)
        for (at = 0; at < EXT_ENDS; at++) {
            ws_extension x;
            const ws_extension *list[] = { &x, NULL };
            world w;
            side s;
            same user;
            void *block = NULL;
            ws_config cfg = world_fresh(&w);
            memset(&user, 0, sizeof user);
            user.declines = at == EXT_DECLINED;
            user.fail_begin = at == EXT_HALF;
            x = same_of(&user, "x-same");
            cfg.extensions = list;
            if (fixed) {
                cfg.memory_extension = 2048;
                cfg.memory_size = WS_MEMORY_SIZE(1000, 1000) + 2048;
                cfg.memory = block = malloc(cfg.memory_size);
            }
            CHECK_INT(side_new(&s, &w, client, &cfg), 1);
            side_pull(&s);
            if (at != EXT_BEFORE && client)
                side_answer(&s, at == EXT_DECLINED ? NULL : SAME);
            if (at != EXT_BEFORE && !client)
                side_feed(&s, REQUEST_WITH(SAME), sizeof REQUEST_WITH(SAME) - 1);
            if (at == EXT_OPEN || at == EXT_CLOSED) {
                CHECK_INT(ws_send(s.c, WS_OP_TEXT, "coded", 5), 0);
                side_frame(&s, 0xa1, "coded", 5);
                CHECK(user.begun > 0 && s.messages == 1);
            }
            if (at == EXT_CLOSED) side_peer_closes(&s, 1000, "");
            side_over(&s);
            CHECK_INT(user.ended, user.begun);
            free(block);
        }
}

/* Connections of a block that come back end their extension each time. */
TEST(field_23_extensions_of_new_tries_are_ended)
{
    int fixed, k;

    for (fixed = 0; fixed < 2; fixed++) {
        ws_extension x;
        const ws_extension *list[] = { &x, NULL };
        same user, serves;
        ws_extension y;
        const ws_extension *others[] = { &y, NULL };
        void *block = NULL;
        ws_config cfg;
        ws_conn *c;
        end s, e;
        int l;
        memset(&user, 0, sizeof user);
        memset(&serves, 0, sizeof serves);
        memset(&s, 0, sizeof s);
        memset(&cfg, 0, sizeof cfg);
        x = same_of(&user, "x-same");
        y = same_of(&serves, "x-same");
        cfg.extensions = others;
        cfg.user = &s;
        l = listen_on(&cfg);
        cfg = client_config(&e);
        cfg.extensions = list;
        cfg.reconnect = 1;
        if (fixed) {
            cfg.memory_extension = 2048;
            cfg.memory_size = WS_MEMORY_SIZE(4096, 2048) + 2048;
            cfg.memory = block = malloc(cfg.memory_size);
        }
        c = visit(OWN, url_of("ws", "127.0.0.1", l), &cfg);
        for (k = 1; k < 4; k++) {
            UNTIL(e.opens == k && s.opens == k, 1000);
            CHECK_INT(ws_send_text(c, "hello"), 0);
            UNTIL(e.messages == k, 1000);
            ws_drop(s.c);
            UNTIL(e.downs == k, 1000);
            CHECK(user.begun > 0 && user.ended == user.begun);
        }
        leave(&e, c);
        CHECK_INT(user.ended, user.begun);
        free(block);
        over();
        CHECK_INT(serves.ended, serves.begun);
    }
}

/* Routes stand where routes may stand, whatever the names of extensions beside them. */
TEST(field_23_routes_beside_extensions)
{
    static const ws_route routes[] = { { "/other", NULL, 1 },
                                       { "/chat", "speech", 2 },
                                       { "/chat", NULL, 3 },
                                       { NULL, NULL, 0 } };
    char name[2][20];
    int length, count, fixed;

    for (fixed = 0; fixed < 2; fixed++) for (count = 1; count < 3; count++)
        for (length = 1; length < 18; length++) {
            ws_extension x[2];
            const ws_extension *list[] = { &x[0], NULL, NULL };
            same user;
            world w;
            side s;
            void *block = NULL;
            ws_config cfg = world_fresh(&w);
            memset(name, 0, sizeof name);
            memset(name[0], 'x', (size_t)length);
            memset(name[1], 'y', 3);
            memset(&user, 0, sizeof user);
            x[0] = same_of(&user, name[0]);
            x[1] = same_of(&user, name[1]);
            if (count == 2) list[1] = &x[1];
            cfg.extensions = list;
            cfg.routes = routes;
            if (fixed) {
                cfg.memory_extension = 2048;
                cfg.memory_size = WS_MEMORY_SIZE(1000, 1000) + 2048;
                cfg.memory = block = malloc(cfg.memory_size);
            }
            CHECK_INT(side_new(&s, &w, 0, &cfg), 1);
            CHECK_INT((uintptr_t)s.c->cfg->set.routes % sizeof(void *), 0);
            CHECK_INT((uintptr_t)s.c->cfg->extensions % sizeof(void *), 0);
            side_feed(&s, REQUEST, sizeof REQUEST - 1);
            CHECK(s.opens);
            CHECK_INT(ws_route_id(s.c), 3);
            side_over(&s);
            free(block);
        }
}

/* ==== 21: what waits unread is bounded ============================================== */

enum { TINY = 1024, BACKLOG = 4096, RAW = 16384 };

/* The manual's formula, for what is read and not given yet. */
static size_t receiving(size_t message, size_t raw_bytes)
{
    return 3 * (message + raw_bytes) + 4096;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

enum { SMALL_FRAMES, EMPTY_FRAMES, PINGS, PONGS, FRAGMENTS, EMPTY_FRAGMENTS, FLOODS };

/* At least n bytes of small things. Returns how many messages are whole. */
static long flood(buf *b, int what, int masked, size_t n)
{
    long messages = 0, i = 0;

    while (b->n < n) {
        int more = what == FRAGMENTS         ? i++ % 500
                   : what == EMPTY_FRAGMENTS ? i++ % 100
                                             : 0;
        int last = what == FRAGMENTS ? more == 499 : more == 99;
        if (what == SMALL_FRAMES) put_frame(b, 0x81, masked, "ab", 2, 0);
        if (what == EMPTY_FRAMES) put_frame(b, 0x82, masked, "", 0, 0);
        if (what == PINGS) put_frame(b, 0x89, masked, "p", 1, 0);
        if (what == PONGS) put_frame(b, 0x8a, masked, "", 0, 0);
        if (what == FRAGMENTS || what == EMPTY_FRAGMENTS) {
            put_frame(b, (more ? 0 : 2) | (last ? 0x80 : 0), masked, "x",
                      what == FRAGMENTS, 0);
            messages += last;
        } else {
            messages += what < PINGS;
        }
    }
    return messages;
}

/* The engine takes no more than the limits say while nothing is pulled, and goes on
   later. */
TEST(field_21_feeding_without_pulling)
{
    static const uint32_t limits[][2] = {
        { TINY, 0 }, { TINY, TINY }, { 20000, 0 }, { 1, 0 }, { 40000, 30000 }
    };
    int client, what;
    size_t i;

    for (i = 0; i < COUNT(limits); i++) for (client = 0; client < 2; client++)
        for (what = 0; what < FLOODS; what++) {
            size_t raw_most = larger(
                RAW, larger(limits[i][0], limits[i][1] ? limits[i][1] : 8192));
            buf b = { 0 };
            size_t at = 0, base, k;
            world w;
            side s;
            long want;
            ws_config cfg = world_fresh(&w);
            cfg.max_message = limits[i][0] < 600 && what == FRAGMENTS ? 600
                                                                      : limits[i][0];
            cfg.max_head = limits[i][1];
            if (what == SMALL_FRAMES && cfg.max_message < 2) cfg.max_message = 2;
            side_open(&s, &w, client, &cfg);
            s.quiet = 1;
            base = heap_mark(&w.h);
            want = flood(&b, what, !client, 100000);
            for (k = 1; k; at += k)
                k = ws_feed(s.c, b.p + at, b.n - at < 1000 ? b.n - at : 1000);
            CHECK(at <= raw_most);
            CHECK_INT(ws_feed_room(s.c), 0);
            CHECK(w.h.peak - base <= receiving(0, raw_most));
            side_pull(&s);
            while (at < b.n && !s.closes) {     /* pulled in time: nothing is lost */
                size_t part = b.n - at < 30000 ? b.n - at : 30000;
                k = side_feed(&s, b.p + at, part);
                at += k;
                if (!k) break;
            }
            CHECK(at == b.n && !s.error);
            CHECK_INT(s.messages, want);
            CHECK(w.h.peak - base <= receiving(cfg.max_message, raw_most) + 3 * BACKLOG);
            side_over(&s);
            buf_free(&b);
        }
}

enum { TAKES_ALL, ECHOES, PAUSES, PULLS_NOT, USES };

static int use;

static void app_uses(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type == WS_EV_OPEN && use == PAUSES) ws_pause(ev->conn);
    if (ev->type == WS_EV_MESSAGE && use == ECHOES)
        ws_send(ev->conn, ev->op, ev->data, ev->size);
}

/* Steps a connection of its own loop without pulling what came. */
static void own_steps(pair *m)
{
    int i;

    for (i = 0; i < 200; i++) {
        ws_step(m->c);
        if (i % 50 == 49) usleep(1000);
    }
}

/* A flood, and a program that is slow in one way or another. */
static void floods(int kind, int what)
{
    static pair m;
    static char sink[65536];
    uint64_t start;
    ws_config cfg;
    buf b = { 0 };
    heap h;
    size_t base, most, left;
    long want;

    memset(&h, 0, sizeof h);
    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    cfg.max_message = TINY;
    cfg.max_backlog = BACKLOG;
    app = app_uses;
    pair_open(&m, kind, &cfg);
    want = flood(&b, what, pair_serves(&m), 250000);
    peers[0] = NULL;                     /* the peer reads nothing */
    if (use == PULLS_NOT) clients[0] = NULL;
    base = heap_mark(&h);
    left = pair_write(&m, b.p, b.n, 30);
    if (use == PULLS_NOT) own_steps(&m);
    most = receiving(TINY, RAW) + 5 * BACKLOG / 2 + 1024;
    CHECK(h.peak - base <= most);
    if (h.peak - base > most)
        printf("    kind %d, flood %d, use %d: %lu bytes\n", kind, what, use,
               (unsigned long)(h.peak - base));
    if (use == PULLS_NOT)
        for (left = 0; left < 16; left++) clients[left] = left ? NULL : &m.end;
    if (use == PULLS_NOT) left = 0;
    if (use == PAUSES) ws_resume(m.c);
    start = now_ms();                   /* in the end all of it comes, and in bounds */
    while (m.end.messages < want && !m.end.closes && now_ms() - start < 20000) {
        while (recv(m.peer.fd, sink, sizeof sink, 0) > 0) {}
        if (left) left = pair_write(&m, b.p + b.n - left, left, 1);
        turn();
    }
    if (use != PULLS_NOT) CHECK_INT(m.end.messages, want);
    CHECK(h.peak - base <= most);
    buf_free(&b);
    pair_over(&m);
    CHECK_INT(h.live, 0);
}

TEST(field_21_floods_of_a_program_that_takes_all)
{
    int kind, what;

    use = TAKES_ALL;
    for (kind = 0; kind < KINDS; kind++) for (what = 0; what < FLOODS; what += 2)
        floods(kind, what);
}

TEST(field_21_floods_while_output_is_held_back)
{
    int kind, what;

    use = ECHOES;
    for (kind = 0; kind < KINDS; kind++) for (what = 0; what < FLOODS; what += 2)
        floods(kind, what);
}

TEST(field_21_floods_of_a_paused_connection)
{
    int kind, what;

    use = PAUSES;
    for (kind = 0; kind < KINDS; kind++) for (what = 0; what < FLOODS; what += 2)
        floods(kind, what);
}

TEST(field_21_floods_while_nothing_is_pulled)
{
    static const int kinds[] = { BLOCKING, OWN, ADOPTED };
    int i, what;

    use = PULLS_NOT;
    for (i = 0; i < 3; i++)
        for (what = 0; what < FLOODS; what += 2) floods(kinds[i], what);
}

/* ---- HTTP ---- */

static void app_waits(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type == WS_EV_HTTP && contains(ws_target(ev->conn), "stream"))
        ws_http_begin(ev->conn, 200, NULL, 1);
}

/* Requests behind one that is not answered yet, and behind one whose answer goes on. */
TEST(field_21_floods_of_requests)
{
    static const char *const firsts[] = {
        "GET /wait HTTP/1.1\r\n" HO E, "GET /stream HTTP/1.1\r\n" HO E,
        "GET /wait HTTP/1.1\r\n" ALL E
    };
    static pair m;
    size_t i;
    int kind;

    for (kind = ACCEPTED; kind < KINDS; kind++) for (i = 0; i < COUNT(firsts); i++) {
        ws_config cfg;
        buf b = { 0 };
        heap h;
        memset(&h, 0, sizeof h);
        memset(&cfg, 0, sizeof cfg);
        cfg.alloc = heap_alloc;
        cfg.alloc_user = &h;
        cfg.ask = 1;
        cfg.max_message = TINY;
        cfg.max_backlog = BACKLOG;
        while (b.n < 400000) buf_str(&b, firsts[0]);
        app = app_waits;
        pair_begin(&m, kind, &cfg, firsts[i]);
        pair_write(&m, b.p, b.n, 30);
        UNTIL(m.end.https + m.end.requests == 1, 1000);
        pair_write(&m, b.p, b.n, 30);
        CHECK(h.peak <= receiving(TINY, RAW) + 5 * BACKLOG / 2 + 4096);
        CHECK_INT(m.end.https + m.end.requests, 1);
        if (m.kind == ADOPTED) pair_over(&m);
        else { peer_over(&m.peer); over(); }
        CHECK_INT(h.live, 0);
        buf_free(&b);
    }
}

/* For the peer of a client of ordinary HTTP: a body of many small chunks, as fast as it
   goes. */
static void answers_flood(peer *r)
{
    char chunks[6001];
    size_t i;

    if (!r->done && strstr(r->in, "\r\n\r\n")) {
        peer_text(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        r->done = 1;
        r->port_asked = 0;
    }
    for (i = 0; i < 1000; i++) memcpy(chunks + 6 * i, "1\r\nx\r\n", 6);
    while (r->done && r->port_asked < 400000) {
        if (send(r->fd, chunks, 6000, MSG_NOSIGNAL) == 6000) r->port_asked += 6000;
        else r->port_asked = 400000;        /* nobody reads any more */
    }
}

/* Small chunks for a client that is paused, and for one that takes them. */
TEST(field_21_floods_of_chunks)
{
    static peer r;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++)
        for (use = TAKES_ALL; use <= PAUSES; use += 2) {
            ws_config cfg;
            ws_conn *x;
            char url[60];
            heap h;
            end c;
            size_t base;
            memset(&h, 0, sizeof h);
            loop = ws_loop_new(NULL);
            app = app_uses;
            peer_begin(&r, answers_flood, NULL);
            snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
            cfg = client_config(&c);
            cfg.alloc = heap_alloc;
            cfg.alloc_user = &h;
            cfg.method = "GET";
            cfg.max_message = TINY;
            cfg.max_backlog = BACKLOG;
            x = visit(driver, url, &cfg);
            base = h.now;
            UNTIL(c.opens && r.port_asked >= 400000, 2000);
            pass(10);
            CHECK(h.peak <= base + receiving(TINY, RAW) + 4096);
            if (use == TAKES_ALL)
                UNTIL(c.bytes > 10000, 1000);
            leave(&c, x);
            peer_over(&r);
            over();
            CHECK_INT(h.live, 0);
        }
}

TESTS(T(field_21_feeding_without_pulling) T(field_21_floods_of_a_program_that_takes_all)
      T(field_21_floods_while_output_is_held_back)
      T(field_21_floods_of_a_paused_connection)
      T(field_21_floods_while_nothing_is_pulled) T(field_21_floods_of_requests)
      T(field_21_floods_of_chunks) T(field_22_a_nul_behind_everything_shown)
      T(field_22_feeding_while_an_event_is_shown) T(field_22_full_buffers)
      T(field_22_full_blocks) T(field_22_every_driver) T(field_22_large_messages)
      T(field_22_steps_while_an_event_is_shown) T(field_22_echoes_are_what_was_shown)
      T(field_22_data_as_strings) T(field_22_sending_while_a_message_is_shown)
      T(field_22_detaching_while_a_message_is_shown)
      T(field_22_freeing_while_a_message_is_shown) T(field_22_the_loops_buffer_full)
      T(field_22_parts_of_http_bodies) T(field_22_request_heads_are_wiped)
      T(field_22_answer_heads_are_wiped) T(field_23_what_is_shown_stays_after_failures)
      T(field_23_extensions_are_ended) T(field_23_extensions_of_new_tries_are_ended)
      T(field_23_refusing_with_words_of_the_request)
      T(field_23_routes_beside_extensions))
#endif
