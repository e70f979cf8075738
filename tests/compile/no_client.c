/* WS_NO_CLIENT: a server answers a request written by hand. */
#define WS_NO_CLIENT
#define WS_IMPLEMENTATION
#include "ws.h"
#include <string.h>

int main(void)
{
    static const char request[] =
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    ws_event ev;
    size_t n;
    const char *out;
    int bad;
    ws_conn *c = ws_server_new(NULL);

    bad = ws_feed(c, request, sizeof request - 1) != sizeof request - 1;
    bad |= ws_next(c, &ev) != 1 || ev.type != WS_EV_OPEN || strcmp(ws_target(c), "/chat");
    out = (const char *)ws_output(c, &n);
    bad |= n < 12 || memcmp(out, "HTTP/1.1 101", 12);
    ws_free(c);
    return bad;
}
