/* The library as it is, driven by side.h. */
#include "clock.h"
#include "ws.h"
#define ws_sha1 ws__sha1
#define ws_base64_encode ws__base64_encode
#define LOCKSTEP lockstep_new
#define LOCKSTEP_SIZES lockstep_new_sizes
#include "side.h"
