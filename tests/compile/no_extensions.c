/* WS_NO_EXTENSIONS: none can be configured, and nothing else is missing. */
#define WS_NO_EXTENSIONS
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    ws_deflate d;
    ws_config cfg;
    ws_conn *c;
    int refused;

    memset(&d, 0, sizeof d);
    memset(&cfg, 0, sizeof cfg);
    cfg.deflate = &d;
    c = ws_server_new(&cfg);
    refused = ws_error(c) == WS_ERR_ARGUMENT;
    ws_free(c);
    return refused ? use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) : 1;
}
