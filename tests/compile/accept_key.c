/* A program that only answers the key of a handshake: with its own start-up, and nothing else of
   the library linked. */
#define WS_NO_SOCKETS
#define WS_NO_MALLOC
#define WS_IMPLEMENTATION
#include "ws.h"

void _start(void);

static volatile uint32_t port;

void _start(void)
{
    char key[24], accept[29];
    int i;

    for (i = 0; i < 24; i++)
        key[i] = (char)port;
    ws_accept_key(key, accept);
    for (i = 0; i < 28; i++)
        port = (uint8_t)accept[i];
}
