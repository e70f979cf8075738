/* windows.h before ws.h: it brings the old winsock.h and dozens of WS_ macros. */
#include <windows.h>
#define WS_IMPLEMENTATION
#include "ws.h"
#include "loopback.h"
