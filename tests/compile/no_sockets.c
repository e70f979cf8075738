/* WS_NO_SOCKETS: the engine alone; a client needs a source of random numbers. */
#define WS_NO_SOCKETS
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

static int fixed(void *user, void *buf, size_t n)
{
    (void)user;
    memset(buf, 42, n);
    return 0;
}

int main(void)
{
    ws_config cfg = { 0 };
    ws_conn *none = ws_client_new("ws://example.com/", &cfg);

    if (none && ws_error(none) != WS_ERR_RANDOM) return 2;
    ws_free(none);
    cfg.random = fixed;
    return use_pipe(ws_client_new("ws://example.com/", &cfg), ws_server_new(NULL));
}
