/* The loop driver on loopback. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "loopback.h"
