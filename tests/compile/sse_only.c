/* The two-line .c file of ws_sse.h. */
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
