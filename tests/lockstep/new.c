/* The library as it is, driven by side.h. */
#include "clock.h"
#include "ws.h"
#define LOCKSTEP lockstep_new
#define LOCKSTEP_SIZES lockstep_new_sizes
#include "side.h"
