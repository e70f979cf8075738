/* windows.h and the socket headers after ws.h. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include "loopback.h"
