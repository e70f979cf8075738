/* Teaches: following an event stream: GET or POST with headers and a body, redirects, coming back
            with the last event id. Prints one JSON object per event.
   Build:   cc -o build/sse_cat examples/sse_cat.c -I.
   Run:     build/sse_cat URL [-H 'Name: value']... [-d BODY] [--max EVENTS] [--once]
   You see: {"event":"sample","id":"7","data":"[18.0,50.0,76.2]"}
            ... until the stream is over (--once: ends for the first time) or EVENTS came */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "sse_json.h"

#define HEADERS 32

/* "Name: value", cut in two. Returns 0 if it is none. */
static int split(char *line, ws_header *h)
{
    char *colon = strchr(line, ':');

    if (!colon) return 0;
    *colon++ = 0;
    h->name = line;
    h->value = colon + strspn(colon, " ");
    return 1;
}

static int usage(const char *self)
{
    fprintf(stderr, "usage: %s URL [-H 'Name: value']... [-d BODY] [--max EVENTS] [--once]\n",
            self);
    return 2;
}

/* Prints events until the stream is over or max of them came. Returns 1 if that is a failure. */
static int follow(ws_sse_reader *s, long max)
{
    ws_sse_event e;
    ws_event ev;

    while (ws_recv(s->conn, &ev, -1) > 0) {
        while (ws_sse_take(s, &ev, &e)) {
            if (join(&e)) return 1;
            if (!e.last) continue;
            print_event(&e);
            fflush(stdout);
            if (max && !--max) return 0;
        }
        if (ev.type == WS_EV_DOWN && ev.error != WS_ERR_STATUS)
            fprintf(stderr, "%s; again in %d ms\n", ev.error ? ev.reason : "stream ended",
                    ev.retry_in);
        if (ev.type != WS_EV_CLOSE) continue;
        if (ev.error) fprintf(stderr, "%s\n", ev.reason);
        if (ev.error) fprintf(stderr, "%.*s\n", (int)ws_body(s->conn).size, ws_body(s->conn).data);
        if (s->error) fprintf(stderr, "%s\n", ws_sse_error_string(s->error));
        return ev.error || s->error;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static char memory[1 << 20];
    ws_header headers[HEADERS + 1];
    ws_config cfg = {0};
    ws_sse_reader s;
    int i, n = 0, r;
    long max = 0;

    for (i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--once")) {
            cfg.reconnect = WS_NEVER;
        } else if (!strcmp(argv[i], "-H") && i + 1 < argc && n < HEADERS) {
            if (!split(argv[++i], &headers[n++])) return usage(argv[0]);
        } else if (!strcmp(argv[i], "-d") && i + 1 < argc) {
            cfg.method = "POST";
            cfg.body = argv[++i];
            cfg.body_size = strlen(argv[i]);
        } else if (!strcmp(argv[i], "--max") && i + 1 < argc) {
            max = atol(argv[++i]);
        } else {
            return usage(argv[0]);
        }
    }
    if (argc < 2) return usage(argv[0]);
    headers[n].name = headers[n].value = NULL;
    cfg.headers = headers;
    if (!ws_sse_connect(&s, argv[1], &cfg, memory, sizeof memory)) return 1;
    r = follow(&s, max);
    ws_free(s.conn);
    free(text);
    return r;
}
