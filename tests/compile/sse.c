/* ws_sse.h alone, the first include; declarations before and after the bodies, which come once. */
#include "ws_sse.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "ws_sse.h"
#undef WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use_sse.h"

int main(void) { return use_sse(); }
