/* Both headers with their bodies in one file. */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use.h"
#include "use_sse.h"

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) || use_sse();
}
