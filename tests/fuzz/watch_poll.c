/* Fuzz target: watch.c with the poll driver of the loop. */
#define WS__POLLER_POLL
#include "watch.c"
