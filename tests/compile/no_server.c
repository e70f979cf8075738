/* WS_NO_SERVER: a client writes its request. */
#define WS_NO_SERVER
#define WS_IMPLEMENTATION
#include "ws.h"
#include <string.h>

int main(void)
{
    size_t n;
    ws_conn *c = ws_client_new("ws://example.com/chat", NULL);
    const char *out = (const char *)ws_output(c, &n);
    int bad = n < 20 || memcmp(out, "GET /chat HTTP/1.1\r\n", 20);

    ws_free(c);
    return bad;
}
