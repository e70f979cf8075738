/* WS_TINY: a client and a server of it, in the caller's memory. */
#define WS_TINY
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
    static uint64_t client[WS_MEMORY_SIZE(512, 256) / 8], server[WS_MEMORY_SIZE(512, 256) / 8];
    ws_config a = { 0 }, b = { 0 };

    a.memory = client;
    a.memory_size = sizeof client;
    a.random = fixed;
    b.memory = server;
    b.memory_size = sizeof server;
    return use_pipe(ws_client_new("ws://example.com/", &a), ws_server_new(&b));
}
