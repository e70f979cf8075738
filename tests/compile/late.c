/* The implementation after system headers, which then cannot be asked for more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <time.h>
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

int main(void)
{
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));
}
