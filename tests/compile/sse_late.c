/* ws_sse.h before ws.h, as when a header of the program includes it, and again behind it; linked with
   impl_only.c. */
#include "ws_sse.h"
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use.h"
#include "use_sse.h"

int main(void)
{
    ws_sse_reader s;
    char memory[1];

    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) || use_sse() ||
           ws_sse_open(NULL, NULL) != WS_ERR_ARGUMENT ||
           ws_sse_connect(&s, "http://127.0.0.1:1/", NULL, memory, sizeof memory) != NULL;
}
