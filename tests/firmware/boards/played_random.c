/* Numbers that only look like chance (xorshift): for boards without a source of it. */
#include "board.h"

int played_random(void *buf, size_t n)
{
    static uint32_t state = 2463534242u;
    uint8_t *to = (uint8_t *)buf;

    state += board_millis();
    for (; n; n--) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *to++ = (uint8_t)(state >> 8);
    }
    return 0;
}
