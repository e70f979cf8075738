/* Fuzz target: what recv.c does, with permessage-deflate agreed on. Needs zlib. */
#define FUZZ_DEFLATE
#define WS_USE_ZLIB
#include "recv.c"
