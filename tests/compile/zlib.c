/* WS_USE_ZLIB: permessage-deflate between a client and a server in memory. Without -lz: only
   compiled. */
#define WS_USE_ZLIB
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <string.h>

static int pump(ws_conn *from, ws_conn *to, const char *want)
{
    ws_event ev;
    size_t n;
    const void *p;
    int found = 0;

    while (p = ws_output(from, &n), n) ws_output_done(from, ws_feed(to, p, n));
    while (ws_next(to, &ev))
        found |= want && ev.type == WS_EV_MESSAGE && ev.size == strlen(want) &&
                 !memcmp(ev.data, want, ev.size);
    return found;
}

int main(void)
{
    static const char text[] = "a text, a text, a text, a text, a text";
    ws_deflate deflating;
    ws_config cfg;
    ws_conn *client, *server;
    int good;

    memset(&cfg, 0, sizeof cfg);
    memset(&deflating, 0, sizeof deflating);
    deflating.threshold = 1;
    cfg.deflate = &deflating;
    client = ws_client_new("ws://example.com/", &cfg);
    server = ws_server_new(&cfg);
    pump(client, server, NULL);
    pump(server, client, NULL);
    ws_send_text(client, text);
    good = ws_buffered(client) < sizeof text && pump(client, server, text);
    ws_send_text(server, text);
    good = good && pump(server, client, text) && *ws_extensions(client);
    ws_free(client);
    ws_free(server);
    return good ? 0 : 1;
}
