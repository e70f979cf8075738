/* The library as it was, driven by side.h. */
#include "clock.h"
#include "ws_0_1.h"
#define ws_reconnect_header ws_next_header
#define ws_reconnect_delay ws_next_delay
#define LOCKSTEP lockstep_old
#define LOCKSTEP_SIZES lockstep_old_sizes
#include "side.h"
