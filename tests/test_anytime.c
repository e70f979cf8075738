/* Any function at any time (sec_H1): at each event of a conversation in a loop, each
   public function is called on the connection of that event, and on the other end. And
   every function takes NULL. */
#define WS_IMPLEMENTATION
#include "../ws.h"
#include "test.h"
#ifdef _WIN32
int main(void)
{
    printf("SKIP test_anytime: it counts on loopback being quick\n0 passed, 0 failed\n");
    return 0;
}
#else

enum { ENDS = 8, FUNCTIONS = 61 };

static long live;

/* Counts blocks. The loop's own large ones are kept from one conversation to the next. */
static void *counted(void *user, void *old, size_t old_size, size_t new_size)
{
    static struct { void *p; size_t n; } kept[2];
    int i;

    (void)user;
    live += (new_size != 0) - (old != NULL);
    for (i = 0; i < 2; i++) {
        void *p = kept[i].p;
        if (!old && new_size > 400000 && kept[i].n == new_size) return kept[i].n = 0, p;
        if (!new_size && old_size > 400000 && !kept[i].n) {
            free(p == old ? NULL : p);
            kept[i].p = old;
            kept[i].n = old_size;
            return NULL;
        }
    }
    if (new_size) return realloc(old, new_size);
    free(old);
    return NULL;
}

static struct world {
    ws_loop *loop;
    ws_conn *end[ENDS];         /* every connection seen, NULL once it is over */
    int closes[ENDS], freed[ENDS], ends, late;
    int source;                 /* pieces that the source has left */
} w;

static int number(const ws_conn *c)
{
    int i;
    for (i = 0; i < w.ends; i++) if (w.end[i] == c) return i;
    if (w.ends < ENDS) w.end[w.ends] = (ws_conn *)(uintptr_t)c;
    return w.ends < ENDS ? w.ends++ : -1;
}

/* A descriptor that never has anything to read. */
static int quiet(void)
{
    static int ends[2];

    if (!ends[1] && pipe(ends)) return -1;
    return ends[0];
}

/* An answer of three bytes. */
static ptrdiff_t three(void *user, uint64_t at, void *buf, size_t n)
{
    (void)user;
    if (n)
        memcpy(buf, "abc" + at, n);
    return (ptrdiff_t)n;
}

static ptrdiff_t source(void *user, void *buf, size_t n)
{
    (void)user;
    memset(buf, 's', n);
    return w.source-- > 0 ? (ptrdiff_t)n : 0;
}

static void freed(ws_conn *c)
{
    int i = number(c);
    ws_free(c);
    if (i >= 0) w.freed[i] = 1;
    if (i >= 0) w.end[i] = NULL;
}

static void detached(ws_conn *c)
{
    const void *rest;
    size_t n;
    ws_socket fd = ws_detach(c, &rest, &n);
    int i;

    if (fd == (ws_socket)-1) return;
    close(fd);
    for (i = 0; i < w.ends; i++) if (w.end[i] == c) { w.freed[i] = 1; w.end[i] = NULL; }
}

/* Function number which on c; 0 past the last one. */
static int call(int which, ws_conn *c)
{
    static const ws_header lines[] = { { "X-A", "b" }, { NULL, NULL } },
                           bad[] = { { "X", "\n" }, { NULL, NULL } };
    static const ws_str two[2] = { { "ab", 2 }, { "cd", 2 } };
    static char big[100000];
    char text[64];
    ws_event ev;
    ws_str name, value;
    size_t n = 0;
    int64_t all;
    ws_polled polled[4];

    memset(&ev, 0, sizeof ev);
    switch (which) {
    case 0: ws_feed(c, "\x81", 1); break;
    case 1: ws_feed_room(c); ws_finished(c); ws_timeout(c); ws_wants(c); ws_fd(c); break;
    case 2: ws_feed_end(c); break;
    case 3: CHECK(ws_output(c, &n) != NULL); break;
    case 4: ws_output_done(c, 1000000); break;
    case 5: ws_send(c, WS_OP_BINARY, "abc", 3); break;
    case 6: ws_send(c, WS_OP_BINARY, big, sizeof big); break;
    case 7: ws_send_text(c, "text"); ws_send_text(c, NULL); break;
    case 8: ws_sendv(c, WS_OP_TEXT, two, 2); ws_sendv(c, WS_OP_TEXT, NULL, 1); break;
    case 9: ws_send_part(c, WS_OP_TEXT, "part", 4, 0); break;
    case 10: ws_send_part(c, WS_OP_TEXT, "part", 4, 1); break;
    case 11: w.source = 3; ws_send_from(c, WS_OP_BINARY, source, NULL); break;
    case 12: ws_send_from(c, WS_OP_BINARY, NULL, NULL); break;
    case 13:
        ws_send_latest(c, 1, WS_OP_TEXT, "slot", 4);
        ws_send_latest(c, 1, WS_OP_TEXT, "new", 3);
        break;
    case 14: ws_want_writable(c); break;
    case 15: ws_ping(c, "p", 1); ws_ping(c, NULL, 0); ws_pong(c, "p", 1); break;
    case 16: ws_close(c, 1000, "bye"); break;
    case 17: ws_close(c, 0, NULL); ws_close(c, 1000, "again"); break;
    case 18: ws_close(c, 5, NULL); ws_close(c, 1000, "\xff"); break;
    case 19: ws_drop(c); break;
    case 20: ws_cork(c); ws_send_text(c, "corked"); break;
    case 21: ws_uncork(c); break;
    case 22: ws_pause(c); ws_resume(c); break;
    case 23: ws_accept(c, NULL); break;
    case 24: ws_reject(c, 403, lines, "no"); break;
    case 25: ws_reject(c, 403, bad, "no"); ws_reject(c, 99, NULL, NULL); break;
    case 26: ws_http_reply(c, 200, lines, "body", 4); break;
    case 27:
        ws_http_reply(c, 404, bad, NULL, 0);
        ws_http_reply(c, 1, NULL, NULL, 0);
        break;
    case 28: ws_http_begin(c, 200, lines, 1); break;
    case 29:
        ws_http_begin(c, 200, NULL, 0);
        ws_http_write(c, "x", 1);
        ws_http_beat(c, ":\n", 1000);
        break;
    case 30: ws_http_write(c, big, sizeof big); break;
    case 31: ws_http_end(c); break;
    case 32:
        ws_reconnect_header(c, "X", "y");
        ws_reconnect_header(c, "X", NULL);
        ws_reconnect_header(c, NULL, "y");
        break;
    case 33: ws_reconnect_delay(c, 10); break;
    case 34:
        ws_state(c);
        ws_done(c);
        ws_error(c);
        ws_is_client(c);
        ws_version(c);
        ws_rtt(c);
        break;
    case 35:
        ws_is_paused(c);
        ws_buffered(c);
        ws_status(c);
        ws_route_id(c);
        ws_user(c);
        break;
    case 36:
        CHECK(ws_error_text(c) && ws_url_of(c) && ws_protocol(c) && ws_method(c) &&
              ws_target(c));
        break;
    case 37: ws_path(c); ws_body(c); ws_set_user(c, NULL); break;
    case 38:
        ws_header_value(c, "Host");
        ws_header_value(c, NULL);
        ws_header_item(c, "Connection", 1);
        break;
    case 39: while (ws_header_next(c, &n, &name, &value)) {} break;
    case 40:
        ws_cookie(c, "a", text, sizeof text);
        ws_query(c, "a", text, sizeof text);
        break;
    case 41: ws_remote(c, text, sizeof text); ws_remote(c, text, 1); break;
    case 42:
        ws_join(c, "group");
        ws_publish(w.loop, "group", NULL, WS_OP_TEXT, "g", 1);
        break;
    case 43: ws_join(c, "group"); ws_leave(c, NULL); ws_leave(c, "group"); break;
    case 44: ws_broadcast(w.loop, c, WS_OP_BINARY, big, sizeof big); break;
    case 45: ws_join(c, "group"); ws_http_publish(w.loop, "group", NULL, "g", 1); break;
    case 46: ws_publish_latest(w.loop, "group", 1, WS_OP_TEXT, "g", 1); break;
    case 47: {
        ws_conn *each = NULL;
        while ((each = ws_each(w.loop, each)) != NULL) ws_send_text(each, "each");
    } break;
    case 48: ws_tick(c, 0); break;
    case 49: ws_step(c); CHECK(ws_recv(c, &ev, 0) < 0); break;
    case 50: freed(c); break;
    case 51: ws_send_text(c, "last"); freed(c); break;
    case 52: detached(c); break;
    case 53: {
        ws_conn *each;
        while ((each = ws_each(w.loop, NULL)) != NULL) freed(each);
    } break;
    case 54: ws_unlisten(w.loop, 0); break;
    case 55: ws_shutdown(w.loop, 1001, "over", 1000); break;
    case 56: CHECK(ws_loop_count(w.loop) <= ENDS); break;
    case 57:
        ws_begin(c, "chat", NULL);
        CHECK(!ws_id(c) || ws_find(w.loop, ws_id(c)) == c);
        ws_post_to(w.loop, ws_id(c), WS_OP_TEXT, "posted", 6);
        ws_loop_timeout(w.loop);
        ws_group_at(c, 0);
        break;
    case 58:
        ws_http_file(c, lines, 3, three, NULL);
        ws_content_type(NULL);
        ws_body_got(c, NULL);
        ws_body_got(c, &all);
        break;
    case 59:
        ev.type = WS_EV_HTTP;
        ev.conn = c;
        ev.data = "a=b";
        ev.size = 3;
        ws_form(&ev, "a", text, sizeof text);
        ws_form(NULL, "a", text, sizeof text);
        break;
    case 60:
        ws_join(c, "group");
        ws_watch(w.loop, quiet(), WS_WANT_READ, NULL);
        ws_loop_fd(w.loop);
        ws_loop_polls(w.loop, polled, 4);
        ws_group_count(w.loop, "group");
        ws_group_each(w.loop, "group", NULL);
        ws_group_each(w.loop, "group", c);
        ws_watch(w.loop, quiet(), 0, NULL);
        break;
    default: return 0;
    }
    return 1;
}

static void usual(const ws_event *ev)
{
    ws_conn *c = ev->conn;

    switch (ev->type) {
    case WS_EV_REQUEST: ws_accept(c, NULL); break;
    case WS_EV_HTTP:
        if (!ev->last) break;       /* PART events follow */
        ws_http_begin(c, 200, NULL, 1);
        ws_http_write(c, "body", 4);
        ws_http_end(c);
        break;
    case WS_EV_PART:
        if (ws_is_client(c) || !ev->last) break;
        ws_http_reply(c, 200, NULL, "stored", 6);
        break;
    case WS_EV_OPEN:
        if (!ws_is_client(c)) ws_ping(c, NULL, 0);
        else if (ws_send_text(c, "hello")) {}
        break;
    case WS_EV_MESSAGE:
        if (!ws_is_client(c)) ws_send(c, ev->op, ev->data, ev->size);
        else ws_close(c, 1000, "bye");
        break;
    default: break;
    }
}

/* What is said: a WebSocket, ordinary HTTP, a body that is given whole, one in parts. */
enum { MESSAGES, GET, POST, UPLOAD, KINDS };

/* A conversation; at event number `at`, function `which` before or after what is
   usually done, on the event's connection or on the other one. Returns how many events
   came. */
static int converse(int kind, int at, int which, int other, int after)
{
    static const char body[40] = "a=b";
    ws_config cfg;
    ws_event ev;
    char url[96], path[64];
    int events = 0, stalls = 0, i;

    memset(&w, 0, sizeof w);
    memset(&cfg, 0, sizeof cfg);
    live = 0;
    cfg.alloc = counted;
    cfg.close_timeout = 100;
    cfg.handshake_timeout = 200;
    cfg.ask = 1;
    cfg.max_body = kind == UPLOAD ? 4 : 0;
    cfg.body_parts = 1;
    cfg.max_requests = kind == GET ? 3 : 0;
    cfg.keep_headers = "Host";
    w.loop = ws_loop_new(&cfg);
    sprintf(path, "/tmp/ws_h_anytime_%ld", (long)getpid());
    unlink(path);
    sprintf(url, "unix:%s", path);
    CHECK(ws_listen(w.loop, url, &cfg) >= 0);
    sprintf(url, "ws+unix:%s:/a?a=b", path);
    cfg.ask = cfg.body_parts = 0;
    cfg.max_body = cfg.max_requests = 0;
    cfg.keep_headers = NULL;
    cfg.method = kind == GET ? "GET" : kind ? "POST" : NULL;
    cfg.body = kind > GET ? body : NULL;
    cfg.body_size = kind > GET ? sizeof body : 0;
    ws_dial(w.loop, url, &cfg);
    while (ws_loop_count(w.loop) && events < 200) {
        int r = ws_poll(w.loop, &ev, at < 0 ? 5000 : 5);
        int k = r > 0 && ev.conn ? number(ev.conn) : -1, hit = r > 0 && events++ == at;
        ws_conn *c = ev.conn;

        CHECK(r >= 0);
        if (r <= 0) { /* nobody speaks any more: a message was not sent, or ... */
            for (c = NULL; (c = ws_each(w.loop, c)) != NULL; ) ws_drop(c);
            CHECK(stalls++ < 3);
            if (r < 0 || stalls > 3) break;
            continue;
        }
        if (k >= 0) {
            if (w.closes[k] || w.freed[k]) w.late++;
            w.closes[k] += ev.type == WS_EV_CLOSE;
        }
        if (hit && other)
            for (c = ws_each(w.loop, NULL); c && c == ev.conn; ) c = ws_each(w.loop, c);
        if (hit && !after && c) call(which, c);
        if (k >= 0 && w.end[k] == ev.conn && !w.freed[k]) usual(&ev);
        if (hit && after && c && (k < 0 || c != ev.conn || !w.freed[k])) call(which, c);
        if (k >= 0 && ev.type == WS_EV_CLOSE) w.end[k] = NULL;
    }
    CHECK(events < 200);
    CHECK_INT(ws_loop_count(w.loop), 0);
    CHECK_INT(w.late, 0);
    for (i = 0; i < w.ends; i++) CHECK_INT(w.closes[i] + w.freed[i] > 0, 1);
    for (i = 0; i < w.ends; i++) CHECK(w.closes[i] <= 1);
    ws_loop_free(w.loop);
    unlink(path);
    CHECK_INT(live, 0);
    if (test_faults)
        printf("    kind %d, event %d, function %d, other %d, after %d\n", kind, at,
               which, other, after);
    return events;
}

TEST(sec_H1_functions)
{
    int kind, other, after, at, which, n;

    for (kind = 0; kind < KINDS; kind++) {
        n = converse(kind, -1, 0, 0, 0);
        CHECK(n >= (kind ? 4 : 8));
        for (other = 0; other < 2; other++) for (after = 0; after < 2 - other; after++)
            for (at = 0; at < n && !test_faults; at++)
                for (which = 0; which < FUNCTIONS && !test_faults; which++)
                    converse(kind, at, which, other, after);
    }
}

/* as many functions as call() knows, without a connection or a loop */
TEST(null_everywhere)
{
    int which;

    memset(&w, 0, sizeof w);
    for (which = 0; ; which++) {
        if (which == 50 || which == 51) { ws_free(NULL); continue; }
        if (!call(which, NULL)) break;
    }
    CHECK_INT(which, FUNCTIONS);
    CHECK_INT(ws_send(NULL, WS_OP_TEXT, "x", 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_error(NULL), WS_ERR_MEMORY);
    CHECK_STR(ws_url_of(NULL), "");
    CHECK_INT(ws_post(NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_poll(NULL, NULL, 0), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(NULL, 0, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_loop_fd(NULL), -1);
    CHECK_INT(ws_begin(NULL, NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_id(NULL), 0);
    CHECK(!ws_find(NULL, 1) && !ws_group_each(NULL, NULL, NULL));
    CHECK_INT(ws_post_to(NULL, 1, WS_OP_TEXT, NULL, 0), WS_ERR_ARGUMENT);
    CHECK_INT(ws_group_count(NULL, NULL), 0);
    CHECK(!ws_group_at(NULL, 0).data);
    CHECK_INT(ws_loop_timeout(NULL), -1);
    CHECK_INT(ws_loop_polls(NULL, NULL, 0), 0);
    ws_loop_free(NULL);
}

TESTS(T(sec_H1_functions) T(null_everywhere))
#endif
