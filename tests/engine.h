/* What of the fixture needs nothing but ws.h and checks of one's own: lockstep/ has
   such. */
#include "fixture/world.h"
#include "fixture/frames.h"
