/* One of two private copies in one program; see static_b.c. */
#define WS_STATIC
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int static_b(void);

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) ||
           static_b();
}
