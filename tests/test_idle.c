/* After a long silence a deadline counts from now, not from the last sign of life: closing,
   answering late. Each driver, both roles, over sockets; the silence is a clock put forward. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_idle: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#include "drive.h"

static end s, c;

/* What the server is asked is answered when the test says so. */
static void later(end *e, const ws_event *ev) { (void)e; (void)ev; }

static ws_conn *begin(int driver, int ask, const char *method)
{
    ws_config cfg;
    ws_conn *x;
    int l;

    memset(&cfg, 0, sizeof cfg);
    memset(&s, 0, sizeof s);
    cfg.user = &s;
    cfg.ask = ask;
    cfg.handshake_timeout = 60000;
    l = listen_on(&cfg);
    cfg = client_config(&c);
    cfg.method = method;
    cfg.handshake_timeout = 60000;
    if (ask) app = later;
    x = visit(driver, url_of(method ? "http" : "ws", "localhost", l), &cfg);
    UNTIL(ask ? s.requests + s.https : c.opens && s.opens, 1000);
    pass(5);
    skipped += 8000;
    return x;
}

TEST(close_after_silence)
{
    int driver, who, turns;

    for (driver = 0; driver < DRIVERS; driver++) for (who = 0; who < 2; who++) for (turns = 0; turns < 2; turns++) {
        ws_conn *x = begin(driver, 0, NULL);
        if (turns) turn();
        CHECK_INT(ws_close(who ? s.c : x, 1000, "bye"), 0);
        UNTIL(c.closes && s.closes, 1000);
        CHECK(c.clean && s.clean && !c.error && !s.error);
        leave(&c, x);
        over();
    }
}

TEST(shutdown_after_silence)
{
    int driver;

    for (driver = OWN; driver < DRIVERS; driver++) {
        ws_conn *x = begin(driver, 0, NULL);
        ws_shutdown(loop, 1001, "going", 3000);
        UNTIL(c.closes && s.closes, 1000);
        CHECK(c.clean && s.clean && c.code == 1001 && !c.error && !s.error);
        leave(&c, x);
        over();
    }
}

TEST(answers_after_silence)
{
    int driver, what;

    for (driver = OWN; driver < DRIVERS; driver++) for (what = 0; what < 5; what++) {
        ws_conn *x = begin(driver, 1, what > 2 ? "GET" : NULL);
        if (what == 0) ws_accept(s.c, NULL);
        if (what == 1) ws_reject(s.c, 403, NULL, "no");
        if (what == 2) { ws_accept(s.c, NULL); UNTIL(s.opens && c.opens, 1000); skipped += 8000; ws_close(s.c, 1000, NULL); }
        if (what == 3) ws_http_reply(s.c, 200, NULL, "body", 4);
        if (what == 4) { ws_http_begin(s.c, 200, NULL, 1); skipped += 8000; ws_http_write(s.c, "body", 4); ws_http_end(s.c); }
        UNTIL(what ? c.closes && s.closes : c.opens && s.opens, 1000);
        if (what == 1) CHECK(c.error == WS_ERR_STATUS && s.error == WS_ERR_REJECTED);
        if (what > 1) CHECK(c.clean && s.clean && !c.error && !s.error);
        leave(&c, x);
        over();
    }
}

TESTS(T(close_after_silence) T(shutdown_after_silence) T(answers_after_silence))
#endif
