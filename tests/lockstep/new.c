/* The library as it is, driven by side.h. */
#include "clock.h"
#include "ws.h"
#define LOCKSTEP lockstep_new
#include "side.h"
