/* Both twins in one image. */
#define LAMP_BOTH
#include "lamp_server.c"
