/* The two-line .c file for those who prefer one. */
#define WS_IMPLEMENTATION
#include "ws.h"
