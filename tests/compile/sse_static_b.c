/* The other private copy; see sse_static_a.c. */
#define WS_STATIC
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use_sse.h"

int sse_static_b(void);

int sse_static_b(void) { return use_sse(); }
