/* The tests of test_dial.c in which a thread looks a name up, under ThreadSanitizer. */
#define LOOKUPS_ONLY
#include "test_dial.c"
