/* WS_NO_THREADS: a name is looked up, or not found, before ws_open returns. */
#define WS_NO_THREADS
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    ws_conn *c = ws_open("ws://name.invalid/", NULL);
    int error = ws_error(c);

    ws_free(c);
    if (error != WS_ERR_LOOKUP) return 1;
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
