/* The implementation in C, as DO THIS says: the header is the first include. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
