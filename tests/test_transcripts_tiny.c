/* The transcripts of the engine, played by WS_TINY: the same rows, the same loops. What
   is left out is named in lacks, with the reason; nothing else may be, and each of them
   must be met. */
#define WS_TINY
#define WS_IMPLEMENTATION
#include "ws.h"
#include "fixture.h"
#include "mutants/transcripts.h"

/* Rows with such a setting, step or event. */
static struct { const char *text, *why; int met;
} lacks[] = {
    { "twice", "no extensions", 0 },
    { "max_frame=", "no such limit: a frame is bounded by max_message", 0 },
    { "max_fragments=", "no such setting: 4096", 0 },
    { "max_head=", "no such setting: the room for input bounds it", 0 },
    { "max_headers=", "no such setting: 64", 0 },
    { "idle_timeout=", "no such setting: never", 0 },
    { "parts_over=", "messages larger than the receive size come in parts", 0 },
    { "frames=", "messages are put together", 0 },
    { "manual_pong=", "pings are always answered", 0 },
    { "fragment=", "ws_send makes one frame", 0 },
    { "ask=", "requests are answered by the configuration", 0 },
    { "protocol_optional=", "a subprotocol that was offered must be agreed to", 0 },
    { "H C0", "ordinary HTTP is refused without an event", 0 },
    { "!rtt", "no ws_rtt", 0 }
};

static int tiny_lacks(const char *text)
{
    int i, lack = 0;

    for (i = 0; i < COUNT(lacks); i++)
        if (strstr(text, lacks[i].text)) lack = lacks[i].met = 1;
    return lack;
}

#define SETTING(name) { #name, offsetof(ws_config, name) }
static const struct { const char *name; size_t at;
} settings[] = { SETTING(max_message), SETTING(handshake_timeout), SETTING(ping_interval),
                 SETTING(ping_timeout), SETTING(close_timeout) };
#define OFFER(cfg) ((cfg)->protocol = "b")
#define EXTEND(cfg, all) ((void)(cfg))

/* What the rows call, by what there is. */
static int ws_rtt(const ws_conn *conn) { return conn ? -1 : 0; }

static int ws_sendv(ws_conn *conn, int op, const ws_str *pieces, int count)
{
    buf body = { 0 };
    int i, error;

    for (i = 0; i < count; i++) buf_add(&body, pieces[i].data, pieces[i].size);
    error = ws_send(conn, op, body.p, body.n);
    buf_free(&body);
    return error;
}

static void test_what_it_lacks(void);

#include "test_transcripts.c"

/* All that was left out was met: run last. */
TEST(what_it_lacks)
{
    int i;

    for (i = 0; i < COUNT(lacks); i++) if (!lacks[i].met)
        test_fault(__FILE__, __LINE__, lacks[i].text);
}
