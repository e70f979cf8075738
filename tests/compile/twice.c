/* Declarations twice, then the implementation, then declarations again, then the macro still
   defined: the bodies come once. */
#include "ws.h"
#include "ws.h"
#define WS_IMPLEMENTATION
#include "ws.h"
#include "ws.h"
#undef WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
