/* A file with WS_TINY, to be linked with bodies that were compiled without. */
#define WS_TINY
#include "ws.h"

int main(void)
{
    ws_config cfg = { 0 };

    return !ws_server_new(&cfg);
}
