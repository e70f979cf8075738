/* Teaches: following an event stream: GET or POST with headers and a body, redirects,
            coming back with the last event id. Prints one JSON object per event.
   Build:   cc -o build/sse_cat examples/sse_cat.c -I.
   Run:     build/sse_cat URL [-H 'Name: value']... [-d BODY] [--max EVENTS] [--once]
   You see: {"event":"sample","id":"7","data":"[18.0,50.0,76.2]"}
            ... until the stream is over (--once: at its first end) or EVENTS came */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "sse_json.h"

#define HEADERS 32

/* "Name: value", cut in two. Returns 0 if it is none. */
static int split(char *line, ws_header *header)
{
    char *colon = strchr(line, ':');

    if (!colon)
        return 0;
    *colon++ = 0;
    header->name = line;
    header->value = colon + strspn(colon, " ");
    return 1;
}

static int usage(const char *self)
{
    fprintf(stderr, "usage: %s URL [-H 'Name: value']... [-d BODY] [--max EVENTS]\n"
                    "       [--once]\n", self);
    return 2;
}

/* What ended the stream, on standard error. Returns 1 if that is a failure. */
static int report_end(const ws_sse_reader *reader, const ws_event *ev)
{
    ws_str body = ws_body(reader->conn);

    if (ev->error)
        fprintf(stderr, "%s\n%.*s\n", ev->reason, (int)body.size, body.data);
    if (reader->error)
        fprintf(stderr, "%s\n", ws_sse_error_string(reader->error));
    return ev->error || reader->error;
}

/* Prints events until the stream is over or max of them came. Returns 1 on failure. */
static int follow(ws_sse_reader *reader, long max)
{
    ws_sse_event event;
    ws_event ev;

    while (ws_recv(reader->conn, &ev, -1) > 0) {
        while (ws_sse_take(reader, &ev, &event)) {
            if (join(&event))
                return 1;
            if (!event.last)
                continue;
            print_event(&event);
            fflush(stdout);
            if (max && !--max)
                return 0;
        }
        if (ev.type == WS_EV_DOWN && ev.error != WS_ERR_STATUS)
            fprintf(stderr, "%s; again in %d ms\n", ev.error ? ev.reason : "stream ended",
                    ev.retry_in);
        if (ev.type == WS_EV_CLOSE)
            return report_end(reader, &ev);
    }
    return 1;
}

typedef struct settings {
    ws_header headers[HEADERS + 1];
    int header_count;
    ws_config cfg;
    long max;
} settings;

/* Takes one option. Returns the arguments that it is made of, 0: it is wrong. */
static int option(settings *set, const char *name, char *value)
{
    if (!strcmp(name, "--once")) {
        set->cfg.reconnect = WS_NEVER;
        return 1;
    }
    if (!value)
        return 0;
    if (!strcmp(name, "-H")) {
        if (set->header_count == HEADERS)
            return 0;
        return split(value, &set->headers[set->header_count++]) ? 2 : 0;
    }
    if (!strcmp(name, "--max")) {
        set->max = atol(value);
        return 2;
    }
    if (strcmp(name, "-d"))
        return 0;
    set->cfg.method = "POST";
    set->cfg.body = value;
    set->cfg.body_size = strlen(value);
    return 2;
}

int main(int argc, char **argv)
{
    static char memory[1 << 20];
    settings set = {0};
    ws_sse_reader reader;
    int at, used, failed;

    for (at = 2; at < argc; at += used) {
        used = option(&set, argv[at], at + 1 < argc ? argv[at + 1] : NULL);
        if (!used)
            return usage(argv[0]);
    }
    if (argc < 2)
        return usage(argv[0]);
    set.cfg.headers = set.headers;              /* the last one is zero */
    if (!ws_sse_connect(&reader, argv[1], &set.cfg, memory, sizeof memory))
        return 1;
    failed = follow(&reader, set.max);
    ws_free(reader.conn);
    free(text);
    return failed;
}
