/* WS_TRACE: what a log of a program sees of a connection. */
#include <stdio.h>
#include <string.h>
static char trace[1000];
static void note_trace(const void *c, const char *text, int n)
{
    sprintf(trace + strlen(trace), "%s%s %x, ", c ? "" : "?", text, n < 0 ? -n : n);
}
#define WS_TRACE(c, text, n) note_trace(c, text, n)
#include "fixture.h"

TEST(trace)
{
    world w;
    side s;
    char want[300];

    world_init(&w);
    side_open(&s, &w, 0, NULL);
    CHECK_STR(trace, "open 0, ");
    side_frame(&s, 0x81, "hello", 5);
    side_frame(&s, 0x01, "a", 1);
    side_frame(&s, 0x89, "p", 1);
    ws_send_text(s.c, "x");
    side_pull(&s);
    CHECK_STR(
        trace,
        "open 0, frame in 81, frame in 1, frame in 89, frame out 8a, frame out 81, ");
    trace[0] = 0;
    side_frame(&s, 0x83, "", 0);
    sprintf(want, "error %x, frame out 88, end %x, ", -WS_ERR_OPCODE, 1002);
    CHECK_STR(trace, want);
    side_over(&s);
}

TESTS(T(trace))
