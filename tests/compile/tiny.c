/* WS_TINY: the same client and server. */
#define WS_TINY
#include "no_malloc.c"
