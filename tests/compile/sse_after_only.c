/* The bodies of ws_sse.h alone, with what it has for users of ws.h. */
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
