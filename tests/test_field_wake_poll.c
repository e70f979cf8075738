/* test_field_wake.c with the poll driver of the loop. */
#define WS__POLLER_POLL
#include "test_field_wake.c"
