/* Declarations alone. */
#include "ws.h"
