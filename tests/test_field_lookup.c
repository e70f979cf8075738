/* The lookups of test_field_words.c without a thread. */
#define WS_NO_THREADS
#include "test_field_words.c"
