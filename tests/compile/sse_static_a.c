/* One of two private copies of both headers in one program; see sse_static_b.c. */
#define WS_STATIC
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use_sse.h"

int sse_static_b(void);

int main(void) { return use_sse() || sse_static_b(); }
