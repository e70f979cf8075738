/* test_foreign.c with the poll driver of the loop. */
#define WS__POLLER_POLL
#include "test_foreign.c"
