// A C++ user of the C implementation: links with impl_only.c.
#include <string>
#include "ws.h"
#include "use.h"

int main()
{
    return use_pipe(ws_client_new("ws://example.com/", nullptr), ws_server_new(nullptr));
}
