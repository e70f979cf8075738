/* WS_NO_SIMD: portable C only. */
#define WS_NO_SIMD
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
