/* Include before the bodies of ws.h, which then are private and take their time from here. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <time.h>

static uint64_t now;            /* milliseconds */
static long looked;             /* how often, in this call of the script */

static int lockstep_clock(clockid_t id, struct timespec *t)
{
    (void)id;
    if (++looked > 20000) now++;        /* a wait that spins ends too */
    t->tv_sec = (time_t)(now / 1000);
    t->tv_nsec = (long)(now % 1000) * 1000000;
    return 0;
}

#define clock_gettime lockstep_clock
#define WS_STATIC
#define WS_IMPLEMENTATION
