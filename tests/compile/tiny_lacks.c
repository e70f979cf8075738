/* What WS_TINY has not does not compile: a setting, a call, a field of an event. */
#define WS_TINY
#include "ws.h"

int main(void)
{
    ws_config cfg = { 0 };
    ws_event ev = { 0 };

#if defined(TRY_SETTING)
    cfg.reconnect = 1;
#elif defined(TRY_CALL)
    ws_pause(NULL);
#elif defined(TRY_FIELD)
    ev.refused = 1;
#endif
    return cfg.memory != ev.data;
}
