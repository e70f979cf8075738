/* The other private copy; see static_a.c. */
#define WS_STATIC
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int static_b(void);

int static_b(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
