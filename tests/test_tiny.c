/* WS_TINY beyond RFC 6455: the block at any address and of any size, messages larger than
   the receive size, a full output, a source of random numbers that fails, headers and
   URLs. */
#define WS_TINY
#define WS_IMPLEMENTATION
#include "ws.h"
#include "fixture.h"

#define RECEIVE 300
#define SEND 256

typedef struct small { world w; side s; uint8_t *block; ws_config cfg; } small;

/* A connection in a block of its own, of exactly so many bytes, at that address modulo
   8. */
static void small_new(small *it, int client, size_t size, size_t place)
{
    it->cfg = world_fresh(&it->w);
    it->block = (uint8_t *)malloc(size + place + 1);
    memset(it->block, 0xA5, size + place + 1);
    it->cfg.memory = it->block + place;
    it->cfg.memory_size = size;
    it->cfg.memory_send = 0;
    side_new(&it->s, &it->w, client, &it->cfg);
}

static void small_open(small *it, int client, size_t recv, size_t send, size_t place)
{
    small_new(it, client, 8, 0);
    free(it->block);
    it->cfg.memory_size = WS_MEMORY_SIZE(recv, send);
    it->block = (uint8_t *)malloc(it->cfg.memory_size + place + 1);
    it->cfg.memory = it->block + place;
    it->cfg.memory_send = send;
    side_open(&it->s, &it->w, client, &it->cfg);
    buf_clear(&it->s.log);
}

static void small_over(small *it)
{
    side_over(&it->s);
    free(it->block);
}

/* Too small is NULL, and every call takes that; else all of it is used, and no more. */
TEST(blocks)
{
    size_t size, place;
    int client;

    for (client = 0; client < 2; client++)
        for (place = 0; place < 8; place++)
            for (size = 0; size < 1200; size += size < 900 ? 31 : 7) {
                small it;
                small_new(&it, client, size, place);
                if (it.s.c) side_pull(&it.s);
                CHECK_INT(it.s.c != NULL, size >= WS_MEMORY_SIZE(0, 396));
                CHECK_INT(it.block[size + place], 0xA5);
                if (place) CHECK_INT(it.block[place - 1], 0xA5);
                small_over(&it);
            }
}

TEST(no_memory)
{
    ws_config cfg;
    ws_event ev;
    size_t n = 1;

    memset(&cfg, 0, sizeof cfg);
    CHECK(!ws_client_new("ws://a/", NULL) && !ws_server_new(NULL));
    CHECK(!ws_client_new("ws://a/", &cfg) && !ws_server_new(&cfg));
    CHECK_INT(ws_error(NULL), WS_ERR_MEMORY);
    CHECK_STR(ws_error_string(WS_ERR_MEMORY), "out of memory");
    CHECK(ws_output(NULL, &n) != NULL && n == 0);
    CHECK_INT(ws_next(NULL, &ev) + ws_feed(NULL, "a", 1) + ws_feed_room(NULL), 0);
    CHECK_INT(ws_done(NULL) + ws_finished(NULL), 2);
    CHECK_INT(ws_timeout(NULL), -1);
    CHECK_INT(ws_state(NULL), WS_STATE_CLOSED);
    CHECK_INT(ws_send(NULL, WS_OP_TEXT, "a", 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_part(NULL, WS_OP_TEXT, "a", 1, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_ping(NULL, NULL, 0), WS_ERR_ARGUMENT);
    CHECK_INT(ws_close(NULL, 1000, NULL), WS_ERR_ARGUMENT);
    CHECK_STR(ws_protocol(NULL), "");
    CHECK_INT(ws_path(NULL).size + ws_header_value(NULL, "Host").size, 0);
    ws_tick(NULL, 1);
    ws_output_done(NULL, 1);
    ws_feed_end(NULL);
    ws_drop(NULL);
    ws_free(NULL);
}

/* What is bad about a URL or a configuration is told by CLOSE. */
static void check_fault(const char *url, const ws_config *cfg, int error)
{
    world w;
    side s;

    memset(&s, 0, sizeof s);
    world_init(&w);
    s.w = &w;
    s.client = 1;
    s.c = ws_client_new(url, cfg);
    side_pull(&s);
    CHECK_INT(s.error, error);
    CHECK_INT(s.out.n == 0, error != 0);
    if (!error) ws_free(s.c);
    side_over(&s);
}

TEST(urls)
{
    static const char *const good[] = { "ws://a", "WS://a.b:80/c?d", "ws://[::1]:8080/",
                                        "ws://a?b", "ws://a/@" };
    static const char *const bad[] = { "", "ws://", "ws:///a", "wss://a/", "http://a/",
                                       "ws://a@b/", "ws://a/#b", "ws://a b/", "ws:/a",
                                       "ws://a/\r\nX: y", "ws://a/\x80", "ws://?a" };
    world w;
    ws_config cfg = world_fresh(&w);
    int i;

    for (i = 0; i < COUNT(good); i++) check_fault(good[i], &cfg, 0);
    for (i = 0; i < COUNT(bad); i++) check_fault(bad[i], &cfg, WS_ERR_URL);
    check_fault(NULL, &cfg, WS_ERR_URL);
}

TEST(headers)
{
    static const ws_header good[] = { { "X-A", "b c\t\xFF" }, { "Y", "" },
                                      { NULL, NULL } };
    static const ws_header bad[][2] = {
        { { "", "a" }, { NULL, NULL } }, { { "A:", "a" }, { NULL, NULL } },
        { { "A b", "a" }, { NULL, NULL } }, { { "A", "a\r\nB: c" }, { NULL, NULL } },
        { { "A", "a\n" }, { NULL, NULL } }, { { "A", NULL }, { NULL, NULL } } };
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    int i;

    for (i = 0; i < COUNT(bad); i++) {
        cfg.headers = bad[i];
        check_fault("ws://a/", &cfg, WS_ERR_ARGUMENT);
        side_new(&s, &w, 0, &cfg);
        side_text(&s, REQUEST);
        CHECK_INT(s.error, WS_ERR_ARGUMENT);
        CHECK_INT(s.out.n, 0);
        side_over(&s);
    }
    cfg.headers = NULL;
    cfg.protocol = "a\r\nb";
    check_fault("ws://a/", &cfg, WS_ERR_ARGUMENT);
    cfg.protocol = NULL;
    cfg.headers = good;
    for (i = 0; i < 2; i++) {
        side_open(&s, &w, i, &cfg);
        CHECK_FIELD(&s.out, "X-A", "b c\t\xFF");
        CHECK_FIELD(&s.out, "Y", "");
        side_over(&s);
    }
    cfg.memory_size = WS_MEMORY_SIZE(300, 131);
    cfg.memory_send = 131;
    check_fault("ws://a/a/long/path/to/somewhere", &cfg, WS_ERR_MEMORY);
}

/* A source that fails, at each of its draws. */
TEST(random_fails)
{
    int draw;

    for (draw = 1; draw < 6; draw++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        w.r.fail_at = draw;
        w.r.fail_all = 1;
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        if (draw > 1) {
            side_answer(&s, NULL);
            CHECK_INT(ws_send(s.c, WS_OP_TEXT, "a", 1), draw == 2 ? WS_ERR_RANDOM : 0);
            side_say(&s, "89'p'");
            if (draw == 4) CHECK_INT(ws_close(s.c, 1000, NULL), WS_ERR_RANDOM);
            if (draw == 5) ws_close(s.c, 1000, NULL);
            side_say(&s, "88x03e8");
        }
        side_pull(&s);
        CHECK_INT(s.error, draw == 5 ? 0 : WS_ERR_RANDOM);
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
    {
        world w;
        ws_config cfg = world_fresh(&w);
        cfg.random = NULL;
        check_fault("ws://a/", &cfg, WS_ERR_RANDOM);
    }
}

/* The path and the lines of a request are there at OPEN, and then no more. */
static void look(side *s, const ws_event *ev)
{
    int opened = ev->type == WS_EV_OPEN;
    ws_str path = ws_path(s->c), host = ws_header_value(s->c, "host");

    CHECK_INT(path.size, opened ? 3 : 0);
    if (opened) CHECK(!memcmp(path.data, "/ab", 3));
    CHECK_INT(host.size, opened ? 1 : 0);
    CHECK(!ws_header_value(s->c, "absent").data);
}

TEST(requests)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 0, &cfg);
    s.event = look;
    side_text(&s, "GET /ab?c HTTP/1.1\r\nHost: h\r\n" UP CO KE VE E);
    CHECK_INT(s.opens, 1);
    CHECK_INT(ws_is_client(s.c), 0);
    s.head = s.out.n;
    side_say(&s, "81'a'");
    CHECK_EVENTS(&s, "O T'a' ");
    side_over(&s);
}

/* ---- the receive size ---- */

/* Messages of up to the receive size are whole, larger ones come in parts of it; however
   they are cut into frames, with pings between, and into pieces. */
static long given, whole, most_given;

static void gather(side *s, const ws_event *ev)
{
    const char *data = (const char *)ev->data;
    size_t i;

    (void)s;
    if (ev->type != WS_EV_MESSAGE && ev->type != WS_EV_PART) return;
    for (i = 0; i < ev->size; i++) CHECK_INT(data[i], fill_at((size_t)given + i));
    CHECK_INT(data[ev->size], 0);
    given += (long)ev->size;
    whole += ev->last;
    if ((long)ev->size > most_given) most_given = (long)ev->size;
    if (!ev->last) CHECK_INT(ev->size, RECEIVE);
}

static void message_of(int client, size_t size, size_t frame, size_t step)
{
    small it;
    buf bytes = { 0 };
    size_t at = 0, n;

    small_open(&it, client, RECEIVE, SEND, size % 8);
    it.s.event = gather;
    it.s.quiet = 1;
    given = whole = most_given = 0;
    fill_once();
    do {
        n = size - at < frame ? size - at : frame;
        put_frame(&bytes, (at ? 0 : 2) | (at + n == size ? 0x80 : 0), !client,
                  fill + at, n, 0);
        at += n;
        put_frame(&bytes, 0x89, !client, fill, at % 126, 0);
    } while (at < size);
    side_feed_by(&it.s, bytes.p, bytes.n, step);
    CHECK_INT(it.s.error, 0);
    CHECK_INT(given, size);
    CHECK_INT(whole, 1);
    CHECK_INT(it.s.messages, size <= RECEIVE);
    CHECK_INT(it.s.parts, size <= RECEIVE ? 0 : (size + RECEIVE - 1) / RECEIVE);
    buf_free(&bytes);
    small_over(&it);
}

TEST(parts)
{
    static const size_t sizes[] = { 0, 1, 125, 299, 300, 301, 599, 600, 601, 5000 };
    static const size_t frames[] = { 1, 7, 100, 299, 300, 301, 100000 };
    static const size_t steps[] = { 0, 1, 2, 22, 131, 300 };
    int client, i, k, m;

    for (client = 0; client < 2; client++)
        for (i = 0; i < COUNT(sizes); i++)
            for (k = 0; k < COUNT(frames); k++)
                for (m = 0; m < COUNT(steps); m++)
                    if (sizes[i] < 4000 * frames[k])
                        message_of(client, sizes[i], frames[k], steps[m]);
    message_of(0, 100000, 100000, 22);
}

/* 4096 frames, and no more of them; parts begin the count again. */
TEST(fragments)
{
    int client, frames;

    for (client = 0; client < 2; client++) {
        world w;
        side s;
        side_plain(&s, &w, client);
        side_frame(&s, 0x02, "", 0);
        for (frames = 1; frames < 4096; frames++) side_frame(&s, 0x00, "", 0);
        CHECK_INT(s.error, 0);
        side_frame(&s, 0x00, "", 0);
        CHECK_INT(s.error, WS_ERR_FRAGMENTS);
        side_over(&s);
    }
}

/* ---- the send size ---- */

static void full(int client)
{
    small it;
    char text[SEND + 1];
    int sent = 0, error;

    memset(text, 'x', sizeof text);
    small_open(&it, client, RECEIVE, SEND, 1);
    it.s.hold = 1;
    CHECK_INT(ws_send(it.s.c, WS_OP_TEXT, text, SEND + 1), WS_ERR_ARGUMENT);
    while ((error = ws_send(it.s.c, WS_OP_TEXT, text, 50)) == 0) sent++;
    CHECK_INT(error, WS_ERR_BACKLOG);
    CHECK_INT(sent, 4);
    CHECK_INT(ws_ping(it.s.c, text, 125), WS_ERR_BACKLOG);
    side_say(&it.s, "89#100 81'a'");            /* waits, and what is behind it */
    CHECK_EVENTS(&it.s, "");
    side_release(&it.s);
    CHECK_EVENTS(&it.s, "p#100 T'a' W ");
    it.s.hold = 1;
    CHECK_INT(ws_send(it.s.c, WS_OP_BINARY, text, SEND), 0);
    CHECK_INT(ws_close(it.s.c, 1000, "a reason that does not fit"), 0);
    side_release(&it.s);
    side_say(&it.s, "88x03e8");
    CHECK_EVENTS(&it.s, "p#100 T'a' W C1000+'' ");
    CHECK_INT(side_sent(&it.s, NULL).close_code, 1000);
    small_over(&it);
}

/* Our output is full. What the peer says then, and its end, is told when there is room,
   however late that is. */
static void full_then(int client, const char *said, int ends, const char *events,
                      int code)
{
    small it;
    char text[SEND];

    memset(text, 'x', sizeof text);
    small_open(&it, client, RECEIVE, SEND, 5);
    it.s.hold = 1;
    CHECK_INT(ws_send(it.s.c, WS_OP_BINARY, text, SEND), 0);
    side_say(&it.s, said);
    if (ends)
        side_end(&it.s);
    CHECK_EVENTS(&it.s, "");
    side_release(&it.s);
    CHECK_EVENTS(&it.s, events);
    CHECK_INT(side_sent(&it.s, NULL).close_code, code);
    CHECK_INT(ws_finished(it.s.c), 1);
    small_over(&it);
}

TEST(backlog)
{
    int client;

    for (client = 0; client < 2; client++) {
        full(client);
        full_then(client, "89'p' 81'a' 88x03e8'b'", 1, "p'p' T'a' C1000+'b' ", 1000);
        full_then(client, "83", 0, "C1002!OPCODE ", 1002);
    }
}

/* A head that is larger than the room for it. */
TEST(head_too_large)
{
    int client;

    for (client = 0; client < 2; client++) {
        small it;
        size_t i;
        small_new(&it, client, WS_MEMORY_SIZE(300, 256), 0);
        side_pull(&it.s);
        side_text(&it.s, client ? "HTTP/1.1 101 Switching Protocols\r\nX: "
                                : "GET / HTTP/1.1\r\nX: ");
        for (i = 0; i < 500 && !it.s.closes; i++) side_text(&it.s, "x");
        CHECK_INT(it.s.error, WS_ERR_HEAD_SIZE);
        CHECK(i > 250);
        small_over(&it);
    }
}

/* The same block, again and again. */
TEST(again)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    int i;

    for (i = 0; i < 5; i++) {
        side_open(&s, &w, i & 1, &cfg);
        side_say(&s, "81'a' 88x03e8'b'");
        CHECK_EVENTS(&s, "O T'a' C1000+'b' ");
        side_over(&s);
    }
}

TESTS(T(blocks) T(no_memory) T(urls) T(headers) T(random_fails) T(requests) T(parts)
      T(fragments) T(backlog) T(head_too_large) T(again))
