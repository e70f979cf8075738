/* The ws.h end of tests/interop/http.sh: ordinary HTTP on connections that stay.
     http FILE [MAX_REQUESTS]     prints "listening on PORT STRICT" and serves both until ended
   STRICT is the same server with neither body_parts nor bodies over 1,000 bytes. It answers
     /            a page with a form; its script is /app.js, its looks are /style.css
     /large       FILE, which may be asked for in part
     /form        the fields "name" and "note" of a form
     /upload      what cksum(1) says of the body: checksum and size, then the parameter "id"
     /refuse      403 before the body has come
     /mixed       "size" bytes that depend on "id"; "how" is reply, stream or file
     /stream      100 lines in chunks
     /events      an event stream, an event every 100 ms
     /chat        a WebSocket that echoes
     /count       connections and requests so far, this one too */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <stdlib.h>

enum { TICK = 100, STRICT_BODY = 1000, LARGEST_MIXED = 1 << 20 };

static unsigned long connections, requests;
static uint32_t table[256];

/* What is known of one connection; it is made with its first event. */
typedef struct visitor {
    uint32_t sum;               /* of the body that is coming */
    int refused;                /* its answer went out before its body was there */
} visitor;

static const ws_header html[] = { { "Content-Type", "text/html; charset=utf-8" }, { NULL, NULL } };
static const ws_header script[] = { { "Content-Type", "text/javascript" }, { NULL, NULL } };
static const ws_header events[] = { { "Content-Type", "text/event-stream" }, { "Cache-Control", "no-cache" }, { NULL, NULL } };
static const ws_header large[] = { { "ETag", "\"first\"" }, { "Content-Type", "application/octet-stream" }, { NULL, NULL } };
static const ws_header styles[] = { { "ETag", "\"style\"" }, { "Content-Type", "text/css" }, { NULL, NULL } };

static const char page[] =
    "<!doctype html><title>http</title><link rel=stylesheet href=/style.css><script src=/app.js></script>"
    "<form method=post action=/form target=answer><input name=name value='J\303\266rg &amp; Co'>"
    "<input name=note value='1+1=2'></form><iframe name=answer></iframe>";
static const char app[] = "window.loaded = 'by app.js';\n";
static const char style[] = "body { color: rgb(1, 2, 3); }\n";

/* ==== checksums, as cksum(1) of POSIX has them ==== */

static void make_table(void)
{
    uint32_t i, bit, sum;

    for (i = 0; i < 256; i++) {
        sum = i << 24;
        for (bit = 0; bit < 8; bit++) sum = sum << 1 ^ (sum & 0x80000000u ? 0x04c11db7u : 0);
        table[i] = sum;
    }
}

static uint32_t sum_add(uint32_t sum, const void *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)data;
    size_t i;

    for (i = 0; i < size; i++) sum = sum << 8 ^ table[(sum >> 24 ^ at[i]) & 255];
    return sum;
}

static uint32_t sum_end(uint32_t sum, uint64_t size)
{
    uint8_t byte;

    for (; size; size >>= 8) {
        byte = (uint8_t)(size & 255);
        sum = sum_add(sum, &byte, 1);
    }
    return ~sum;
}

/* ==== answers ==== */

static long number(const ws_conn *conn, const char *name, long otherwise)
{
    char text[24];

    return ws_query(conn, name, text, sizeof text) > 0 ? atol(text) : otherwise;
}

static int is(ws_str path, const char *name) { return ws_str_is(path, name); }

/* The bytes that stand for an id: each answer differs from all others. */
static void fill_mixed(long id, uint64_t at, char *buf, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) buf[i] = (char)('a' + ((uint64_t)id * 7 + at + i) % 23);
}

typedef struct mixed { long id; } mixed;

static ptrdiff_t read_mixed(void *user, uint64_t at, void *buf, size_t size)
{
    mixed *it = (mixed *)user;

    if (size) fill_mixed(it->id, at, (char *)buf, size);
    else free(it);
    return (ptrdiff_t)size;
}

static ptrdiff_t read_style(void *user, uint64_t at, void *buf, size_t size)
{
    if (size) memcpy(buf, (const char *)user + at, size);
    return (ptrdiff_t)size;
}

static ptrdiff_t read_file(void *user, uint64_t at, void *buf, size_t size)
{
    FILE *file = (FILE *)user;

    if (!size || fseek(file, (long)at, SEEK_SET)) return 0;
    return (ptrdiff_t)fread(buf, 1, size, file);
}

static int is_head(const ws_conn *conn) { return !strcmp(ws_method(conn), "HEAD"); }

static void answer_mixed(ws_conn *conn)
{
    static char buf[LARGEST_MIXED];
    long id = number(conn, "id", 0), size = number(conn, "size", 100), at;
    char how[8], name[24];
    ws_header headers[] = { { "X-Id", NULL }, { NULL, NULL } };
    mixed *it;

    if (size > LARGEST_MIXED) size = LARGEST_MIXED;
    if (ws_query(conn, "how", how, sizeof how) < 0) how[0] = 0;
    sprintf(name, "%ld", id);
    headers[0].value = name;
    fill_mixed(id, 0, buf, (size_t)size);
    if (!strcmp(how, "file")) {
        it = (mixed *)malloc(sizeof *it);
        it->id = id;
        if (ws_http_file(conn, headers, (uint64_t)size, read_mixed, it)) free(it);
    } else if (!strcmp(how, "stream")) {
        ws_http_begin(conn, 200, headers, 1);
        if (is_head(conn)) return;
        for (at = 0; at < size; at += 3000) ws_http_write(conn, buf + at, size - at < 3000 ? (size_t)(size - at) : 3000);
        ws_http_end(conn);
    } else {
        ws_http_reply(conn, 200, headers, buf, (size_t)size);
    }
}

static void answer_stream(ws_conn *conn)
{
    char line[32];
    int i;

    ws_http_begin(conn, 200, NULL, 1);
    if (is_head(conn)) return;
    for (i = 1; i <= 100; i++) {
        sprintf(line, "line %d\n", i);
        ws_http_write(conn, line, strlen(line));
    }
    ws_http_end(conn);
}

static void answer_form(const ws_event *ev)
{
    char name[64], note[64], text[160];

    if (ws_form(ev, "name", name, sizeof name) < 0 || ws_form(ev, "note", note, sizeof note) < 0) {
        ws_http_reply(ev->conn, 400, NULL, "no form\n", 8);
        return;
    }
    sprintf(text, "name %s, note %s\n", name, note);
    ws_http_reply(ev->conn, 200, NULL, text, strlen(text));
}

static void answer_upload(ws_conn *conn, uint32_t sum, uint64_t size)
{
    char text[80];

    sprintf(text, "%lu %lu %ld\n", (unsigned long)sum_end(sum, size), (unsigned long)size, number(conn, "id", 0));
    ws_http_reply(conn, 200, NULL, text, strlen(text));
}

static void answer_count(ws_conn *conn)
{
    char text[60];

    sprintf(text, "%lu %lu\n", connections, requests);
    ws_http_reply(conn, 200, NULL, text, strlen(text));
}

/* ==== requests ==== */

static FILE *file;
static uint64_t file_size;

static void on_request(const ws_event *ev)
{
    ws_conn *conn = ev->conn;
    visitor *who = (visitor *)ws_user(conn);
    ws_str path = ws_path(conn);

    requests++;
    who->sum = 0;
    who->refused = 0;
    if (is(path, "/upload")) {
        if (ev->last) answer_upload(conn, sum_add(0, ev->data, ev->size), ev->size);
        return;
    }
    who->refused = !ev->last;
    if (is(path, "/")) ws_http_reply(conn, 200, html, page, sizeof page - 1);
    else if (is(path, "/app.js")) ws_http_reply(conn, 200, script, app, sizeof app - 1);
    else if (is(path, "/style.css")) ws_http_file(conn, styles, sizeof style - 1, read_style, (void *)(uintptr_t)style);
    else if (is(path, "/large")) ws_http_file(conn, large, file_size, read_file, file);
    else if (is(path, "/form")) answer_form(ev);
    else if (is(path, "/refuse")) ws_http_reply(conn, 403, NULL, "refused\n", 8);
    else if (is(path, "/mixed")) answer_mixed(conn);
    else if (is(path, "/stream")) answer_stream(conn);
    else if (is(path, "/count")) answer_count(conn);
    else if (is(path, "/events")) {
        if (!ws_http_begin(conn, 200, events, 1)) ws_join(conn, "events");
    } else ws_http_reply(conn, 404, NULL, "no such page\n", 13);
}

static void on_part(const ws_event *ev)
{
    visitor *who = (visitor *)ws_user(ev->conn);

    if (who->refused) return;
    who->sum = sum_add(who->sum, ev->data, ev->size);
    if (ev->last) answer_upload(ev->conn, who->sum, ws_body_got(ev->conn, NULL));
}

static void on_event(const ws_event *ev)
{
    if (!ws_user(ev->conn)) {
        ws_set_user(ev->conn, calloc(1, sizeof(visitor)));
        connections++;
    }
    switch (ev->type) {
    case WS_EV_HTTP: on_request(ev); break;
    case WS_EV_PART: on_part(ev); break;
    case WS_EV_MESSAGE: ws_send(ev->conn, ev->op, ev->data, ev->size); break;
    case WS_EV_CLOSE: free(ws_user(ev->conn)); break;
    default: break;
    }
}

static const char *begin(int argc, char **argv, ws_loop *loop)
{
    ws_config cfg = {0}, strict = {0};

    file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!file || fseek(file, 0, SEEK_END)) return "http FILE [MAX_REQUESTS]";
    file_size = (uint64_t)ftell(file);
    cfg.max_requests = argc > 2 ? (uint32_t)atoi(argv[2]) : 100;
    strict = cfg;
    cfg.body_parts = 1;
    strict.max_body = STRICT_BODY;
    if (ws_listen(loop, "127.0.0.1:0", &cfg) < 0 || ws_listen(loop, "127.0.0.1:0", &strict) < 0) return ws_loop_error_text(loop);
    printf("listening on %d %d\n", ws_listen_port(loop, 0), ws_listen_port(loop, 1));
    fflush(stdout);
    return NULL;
}

int main(int argc, char **argv)
{
    ws_loop *loop = ws_loop_new(NULL);
    const char *fault = loop ? begin(argc, argv, loop) : "no memory";
    unsigned long tick = 0;
    char text[40];
    uint64_t next;
    ws_event ev;

    if (fault) {
        fprintf(stderr, "%s\n", fault);
        return 1;
    }
    make_table();
    for (next = ws_loop_now(loop);; next += TICK) {
        while (ws_poll_until(loop, &ev, next) > 0)
            if (ev.conn) on_event(&ev);
        sprintf(text, "data: %lu\n\n", ++tick);
        ws_http_publish(loop, "events", NULL, text, strlen(text));
    }
}
