/* Fuzz target: negotiating permessage-deflate. Input: 2 bytes of settings, then what stands in
   Sec-WebSocket-Extensions, of a request for a server and of an answer for a client.
   Proves: it is agreed to, declined or refused; what a server answers a client takes, and both
   then understand each other; a client never takes what breaks its settings. Needs zlib. */
#define WS_USE_ZLIB
#include "fuzz.h"

static uint32_t seed;

static ws_deflate settings(unsigned v)
{
    ws_deflate d;

    memset(&d, 0, sizeof d);
    d.server_no_context_takeover = (int)(v & 1);
    d.client_no_context_takeover = (int)(v >> 1 & 1);
    d.server_max_window_bits = v >> 2 & 7 ? 8 + (int)(v >> 2 & 7) : 0;
    d.client_max_window_bits = v >> 5 & 7 ? 8 + (int)(v >> 5 & 7) : 0;
    d.mem_level = 1;
    d.threshold = 1;
    return d;
}

static ws_config config(const ws_deflate *d)
{
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.deflate = d;
    cfg.max_head = 60000;
    cfg.random = fuzz_random;
    cfg.random_user = &seed;
    return cfg;
}

/* The value of the first line of that name in a head, "" without. */
static void line(const char *head, size_t n, const char *name, char *value, size_t room)
{
    size_t at = 0;
    ws_str k, v, text;

    *value = 0;
    text.data = head;
    text.size = n;
    while (ws_head_field(text, &at, &k, &v))
        if (ws_str_is(k, name) && v.size < room) {
            memcpy(value, v.data, v.size);
            value[v.size] = 0;
            return;
        }
}

/* A client that got that answer; 1 if it is open. */
static ws_conn *client(const ws_deflate *d, const char *answer, size_t n)
{
    ws_config cfg = config(d);
    ws_conn *c = ws_client_new("ws://a/", &cfg);
    char key[40], accept[29], *head = (char *)malloc(n + 300);
    ws_event ev;
    size_t size;
    const char *out;

    MUST(c && head);
    out = (const char *)ws_output(c, &size);
    line(out, size, "Sec-WebSocket-Key", key, sizeof key);
    ws_output_done(c, size);
    ws_accept_key(key, accept);
    sprintf(head, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: ", accept);
    size = strlen(head);
    memcpy(head + size, answer, n);
    memcpy(head + size + n, "\r\n\r\n", 4);
    MUST(ws_feed(c, head, size + n + 4) == size + n + 4);
    MUST(ws_next(c, &ev));
    free(head);
    if (ev.type == WS_EV_OPEN) return c;
    MUST(ev.type == WS_EV_CLOSE && ev.error == WS_ERR_EXTENSION);
    ws_free(c);
    return NULL;
}

static ws_conn *server(const ws_deflate *d, const char *offer, size_t n)
{
    static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: ";
    ws_config cfg = config(d);
    ws_conn *c = ws_server_new(&cfg);
    ws_event ev;

    MUST(c);
    MUST(ws_feed(c, first, sizeof first - 1) == sizeof first - 1);
    MUST(ws_feed(c, offer, n) == n);
    MUST(ws_feed(c, "\r\n\r\n", 4) == 4);
    if (ws_next(c, &ev)) {
        MUST(ev.type == WS_EV_OPEN);
        return c;
    }
    MUST(ws_error(c) == WS_ERR_EXTENSION);
    ws_free(c);
    return NULL;
}

/* A message there. */
static void talk(ws_conn *from, ws_conn *to)
{
    static const char text[] = "hello hello hello hello";
    ws_event ev;
    size_t n;
    const void *p;
    int i;

    for (i = 0; i < 2; i++) {
        MUST(!ws_send(from, WS_OP_TEXT, text, sizeof text - 1));
        while (p = ws_output(from, &n), n) {
            MUST(ws_feed(to, p, n) == n);
            ws_output_done(from, n);
        }
        MUST(ws_next(to, &ev) && ev.type == WS_EV_MESSAGE && ev.size == sizeof text - 1 &&
             !memcmp(ev.data, text, ev.size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ws_deflate ours, theirs, any;
    ws_conn *c, *s;
    size_t i, n;
    const char *answer;
    const void *p;

    if (size < 2 || size > 4000) return 0;
    for (i = 2; i < size; i++) if (data[i] < 32 || data[i] > 126) return 0;
    ours = settings(data[0]);
    theirs = settings(data[1]);
    memset(&any, 0, sizeof any);
    any.threshold = 1;
    any.mem_level = 1;
    s = server(&ours, (const char *)data + 2, size - 2);
    if (s) {
        answer = ws_extensions(s);
        if (ours.server_no_context_takeover && *answer) MUST(strstr(answer, "server_no_context_takeover"));
        p = ws_output(s, &n);
        MUST(p);
        ws_output_done(s, n);
        if (*answer) {      /* any client that offered it so */
            c = client(&any, answer, strlen(answer));
            MUST(c && !strcmp(ws_extensions(c), answer));
            talk(s, c);
            talk(c, s);
            ws_free(c);
        }
        ws_free(s);
    }
    c = client(&theirs, (const char *)data + 2, size - 2);
    if (c) {
        answer = ws_extensions(c);
        if (*answer && theirs.server_no_context_takeover) MUST(strstr(answer, "server_no_context_takeover"));
        if (*answer && theirs.server_max_window_bits && theirs.server_max_window_bits < 15)
            MUST(strstr(answer, "server_max_window_bits"));
        ws_free(c);
    }
    return 0;
}
