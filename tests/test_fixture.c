/* The fixture itself: the tests that its page shows, and that its checks see faults. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_fixture: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#define FIXTURE_SOCKETS
#include "fixture.h"

TEST(pings_are_answered)
{
    world w;
    side s;

    side_plain(&s, &w, 0);
    side_say(&s, "89'hi' 81'text'");
    CHECK_EVENTS(&s, "O p'hi' T'text' ");
    CHECK_SENT(&s, "8a'hi' ");
    side_over(&s);
}

TEST(pings_are_answered_in_every_driver)
{
    static pair p;
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        pair_open(&p, kind, NULL);
        pair_say(&p, "89'hi'");
        UNTIL(p.end.pings == 1 && p.peer.n > 0, 1000);
        pair_over(&p);
    }
}

/* Faults that check_frames finds in frames of a client or of a server. */
static int faults_of(const char *spec, int masked, int from_client)
{
    buf stream = { 0 };
    frames sums;
    int before = test_faults, found;

    put_frames(&stream, spec, masked);
    test_faults = 100;                      /* nothing is printed */
    check_frames(stream.p, stream.n, from_client, &sums, NULL);
    found = test_faults - 100;
    test_faults = before;
    buf_free(&stream);
    return found;
}

TEST(frames_are_judged)
{
    static const char *const good[] = {
        "", "81", "81'x'", "01'x' 89 80'y'", "82#65536", "88", "88x03e8'bye' 8a", "8a#125"
    };
    static const char *const bad[] = { "c1'x'", "83",      "81:2'x'", "81:8#126",
                                       "80",    "01 81",   "09",      "89#126",
                                       "88x03", "88x03ed", "88 81",   "88 88" };
    int i, client;

    for (client = 0; client < 2; client++) {
        for (i = 0; i < COUNT(good); i++)
            CHECK_INT(faults_of(good[i], client, client), 0);
        for (i = 0; i < COUNT(bad); i++) CHECK(faults_of(bad[i], client, client) > 0);
        CHECK(faults_of("81'x'", client, !client) > 0);
    }
}

TEST(accept_of_the_rfc)
{
    char accept[29];

    my_accept(KEY, 24, accept);
    CHECK_STR(accept, ACCEPT);
}

TESTS(T(pings_are_answered) T(pings_are_answered_in_every_driver) T(frames_are_judged)
      T(accept_of_the_rfc))
#endif
