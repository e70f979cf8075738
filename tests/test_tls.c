/* TLS by mbedTLS, around sockets: who is trusted and who is not (threat B9), in every
   driver; names, client certificates, new certificates, resumption, ends that are ends
   and ends that are not, proxies. test_tls_faults.c has the faults of transport, memory
   and random. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_tls: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#include "tls.h"

static end s, c;        /* of the servers, of the client */

/* ---- certificates ---- */

typedef struct trial {
    const char *cert, *host, *words;            /* words: NULL: it is good */
} trial;

static const trial trials[] = {
    { "good", "localhost", NULL },
    { "good", "LocalHost", NULL },
    { "good", "localhost.", NULL },
    { "good", "example.test", NULL },
    { "good", "localhost..", "certificate is not for this host" },
    { "good-rsa", "localhost", NULL },
    { "san", "localhost", NULL },
    { "chain", "localhost", NULL },
    { "ip", "127.0.0.1", NULL },
    { "ip", "[::1]", NULL },
    { "wildcard", "a.example.test", NULL },
    { "wildcard", "x--Y.Example.TEST", NULL },
    { "sni-a", "a.test", NULL },
    { "expired", "localhost", "certificate has expired" },
    { "early", "localhost", "certificate is not valid yet" },
    { "self", "localhost", "certificate is not from an authority that is trusted" },
    { "unknown", "localhost", "certificate is not from an authority that is trusted" },
    { "chainless", "localhost", "certificate is not from an authority that is trusted" },
    { "wrong", "localhost", "certificate is not for this host" },
    { "good", "wrong.test", "certificate is not for this host" },
    { "san", "elsewhere.test", "certificate is not for this host" },
    { "cn", "localhost", "certificate is not for this host" },
    { "ip", "127.0.0.2", "certificate is not for this host" },
    { "ip", "localhost", "certificate is not for this host" },
    { "good", "127.0.0.1", "certificate is not for this host" },
    { "good", "[::1]", "certificate is not for this host" },
    { "wildcard", "example.test", "certificate is not for this host" },
    { "wildcard", "a.b.example.test", "certificate is not for this host" },
    { "wildcard", ".example.test", "certificate is not for this host" },
    { "wildcard", "localhost", "certificate is not for this host" },
    { "wildcard", "a.example.test.evil", "certificate is not for this host" }
};
#define TRIALS (sizeof trials / sizeof *trials)

/* The client talks, and both end well. */
static void talk(ws_conn *x)
{
    int before = s.closes;
    CHECK_INT(c.opens, 1);
    if (!c.opens) return;
    ws_send_text(x, "hello");
    UNTIL(c.messages >= 1 || c.closes, 1000);
    CHECK_STR(c.text, "hello");
    ws_close(x, 1000, "bye");
    UNTIL(c.closes == 1 && s.closes > before, 1000);
    CHECK(c.clean && s.clean && c.code == 1000 && s.code == 1000);
    CHECK_STR(c.reason, "bye");
}

/* The peer has told why. In TLS 1.3 Mbed TLS 3 sends some alerts with keys that even
   itself does not use any more for what it receives. */
static int alerted(const end *e)
{
    return strstr(e->reason, "TLS failed: peer's alert: ") ||
           (MBEDTLS_VERSION_MAJOR > 2 && strstr(e->reason, " MAC "));
}

/* Not a word of the request got through. */
static void refused(int downs, const char *words)
{
    CHECK_INT(c.opens, 0);
    CHECK_INT(downs ? c.downs : c.closes, 1);
    CHECK_INT(c.error, WS_ERR_TLS);
    CHECK_INT(c.code, WS_CLOSE_TLS);
    CHECK_INT(c.clean, 0);
    CHECK(!strncmp(c.reason, "TLS failed: ", 12));
    CHECK(strstr(c.reason, words) != NULL);
    UNTIL(s.closes == 1, 1000);
    CHECK_INT(s.opens + s.https, 0);
    CHECK_INT(s.error, WS_ERR_TLS);
    CHECK_INT(s.code, WS_CLOSE_TLS);
    CHECK(alerted(&s));
}

static void judge(const trial *t, int l, int driver, ws_tls *trust, int everyone,
                  int reconnect)
{
    ws_config cfg = client_config(&c);
    int was = test_faults, bad = t->words && !everyone;
    ws_conn *x;

    memset(&s, 0, sizeof s);
    cfg.tls = trust;
    cfg.reconnect = reconnect ? 10000 : 0;
    x = visit(driver, url_of("wss", t->host, l), &cfg);
    UNTIL(c.opens || c.closes || c.downs, 3000);
    if (bad) {
        refused(reconnect, t->words);
        if (reconnect) ws_close(x, 1000, NULL);
        UNTIL(c.closes == 1, 1000);
    } else {
        talk(x);
        CHECK(!strncmp(c.peer, "CN=", 3));
    }
    leave(&c, x);
    if (test_faults != was)
        printf(
            "    %s to %s, driver %d, trusts all %d, reconnect %d: client %d \"%s\", "
            "server %d \"%s\"\n",
            t->cert, t->host, driver, everyone, reconnect, c.error, c.reason, s.error,
            s.reason);
}

static void judge_all(int everyone)
{
    ws_tls *trust = everyone ? tls_trusts_all() : tls_new("ca", NULL);
    size_t i;
    int driver;

    for (i = 0; i < TRIALS; i++) {
        const trial *t = &trials[i];
        int l = tls_listen(&s, tls_new(NULL, t->cert));
        for (driver = 0; driver < DRIVERS; driver++) {
            judge(t, l, driver, trust, everyone, 0);
            if (t->words && !everyone && i % 4 == 3)
                judge(t, l, driver, trust, everyone, 1);
        }
        ws_unlisten(loop, l);
    }
    ws_tls_free(trust);
    over();
}

TEST(sec_B9_certificates) { judge_all(0); }
TEST(sec_B9_trust_everyone) { judge_all(1); }

/* The host is judged by whoever wraps: the same through a transport of the
   application's own. */
static void wait_a_turn(void *user, int wants, int timeout)
{
    (void)user;
    (void)wants;
    (void)timeout;
    turn();
}

static int own_transport(const char *cert, const char *host, const char *words)
{
    ws_config cfg = client_config(&c);
    ws_tls *trust = tls_new("ca", NULL);
    int l = tls_listen(&s, tls_new(NULL, cert)), was = test_faults;
    ws_conn *x;
    peer r;

    memset(&r, 0, sizeof r);
    memset(&s, 0, sizeof s);
    peer_connect(&r, ws_listen_port(loop, l));
    cfg.resolve = NULL;         /* the bytes go through cfg.io */
    cfg.on_socket = NULL;
    cfg.io = r.io;
    CHECK_INT(ws_tls_wrap(trust, &cfg.io, host), 0);
    ws_tls_free(trust);
    cfg.io.wait = wait_a_turn;
    x = visit(BLOCKING, "wss://anything/", &cfg);
    UNTIL(c.opens || c.closes, 3000);
    CHECK_INT(c.opens, !words);
    if (!words) talk(x);
    else
        CHECK(c.error == WS_ERR_IO && c.code == WS_CLOSE_ABNORMAL &&
              strstr(c.reason, words));
    leave(&c, x);
    peer_over(&r);
    over();
    return test_faults == was;
}

TEST(sec_B9_own_transport)
{
    CHECK(own_transport("good", "localhost", NULL));
    CHECK(own_transport("ip", "::1", NULL));
    CHECK(own_transport("ip", "0:0::0:1", NULL));
    CHECK(own_transport("ip", "::2", "certificate is not for this host"));
    CHECK(own_transport("good", "", "certificate is not for this host"));
    CHECK(own_transport("wildcard", "*.example.test", NULL));
    CHECK(own_transport("expired", "localhost", "certificate has expired"));
    CHECK(own_transport("unknown", "localhost",
                        "certificate is not from an authority that is trusted"));
    CHECK(own_transport("cn", "localhost", "certificate is not for this host"));
}

/* Without cfg.tls the system's authorities count; SSL_CERT_FILE names others. */
TEST(sec_B9_system_authorities)
{
    static const struct { const char *file, *cert, *words;
    } rows[] = { { "ca", "good", NULL },
                 { "other-ca", "unknown", NULL },
                 { "ca", "unknown", "not from an authority that is trusted" },
                 { "", "good", "n" }, /* the system's own, or that it has none */
                 { "nowhere", "good", "nowhere.pem: " },
                 { "garbage", "good", "garbage.pem: " } };
    size_t i;
    int driver, given;

    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (given = 0; given < 2;
                 given++) { /* cfg.tls with nothing set is the same */
                int l = tls_listen(&s, tls_new(NULL, rows[i].cert));
                ws_config cfg = client_config(&c);
                ws_conn *x;
                if (rows[i].file[0])
                    setenv("SSL_CERT_FILE", pem(rows[i].file), 1);
                else
                    unsetenv("SSL_CERT_FILE");
                x = tls_visit(driver, url_of("wss", "localhost", l), &cfg,
                              given ? ws_tls_new(NULL) : NULL);
                UNTIL(c.opens || c.closes, 3000);
                CHECK_INT(c.opens, !rows[i].words);
                if (!rows[i].words) {
                    talk(x);
                } else {
                    CHECK_INT(c.error, WS_ERR_TLS);
                    CHECK_INT(c.code, WS_CLOSE_TLS);
                    CHECK(strstr(c.reason, rows[i].words) != NULL);
                    if (!strstr(c.reason, rows[i].words))
                        printf("    \"%s\"\n", c.reason);
                }
                leave(&c, x);
                over();
            }
    unsetenv("SSL_CERT_FILE");
}

/* ---- what ws_tls_new reads ---- */

/* Each fault has its words, which everybody passes on: ws_listen, every client. */
TEST(sec_B9_files)
{
    static const struct { const char *ca, *cert, *key, *words; int text;
    } rows[] = { { NULL, "nowhere.pem", "good.key", "nowhere.pem: ", 0 },
                 { NULL, "good.pem", "nowhere.key", "nowhere.key: ", 0 },
                 { NULL, "garbage.pem", "good.key", "garbage.pem: ", 1 },
                 { NULL, "good.pem", "garbage.pem", "garbage.pem: ", 1 },
                 { NULL, "good.key", "good.key", "good.key: ", 1 },
                 { NULL, "good.pem", "good.pem", "good.pem: ", 1 },
                 { NULL, "good.pem", "reload.key",
                   "reload.key: belongs to another certificate", 1 },
                 { NULL, "good.pem", "good-rsa.key",
                   "good-rsa.key: belongs to another certificate", 1 },
                 { NULL, "good.pem", NULL, "certificate without key", 0 },
                 { NULL, NULL, "good.key", "certificate without key", 0 },
                 { "nowhere.pem", NULL, NULL, "nowhere.pem: ", 0 },
                 { "garbage.pem", "good.pem", "good.key", "garbage.pem: ", 1 },
                 { "good.key", NULL, NULL, "good.key: ", 1 } };
    size_t i;
    int in_text, driver;

    loop = ws_loop_new(NULL);
    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        for (in_text = 0; in_text <= rows[i].text; in_text++) {
            const char *name[3];
            int k, was = test_faults;
            ws_tls_config set;
            ws_config cfg;
            name[0] = cert_file(rows[i].ca, "");
            name[1] = cert_file(rows[i].cert, "");
            name[2] = cert_file(rows[i].key, "");
            for (k = 0; k < 3; k++)
                if (in_text && name[k])
                    name[k] = text_of(name[k]);
            memset(&set, 0, sizeof set);
            set.ca = name[0];
            set.cert = name[1];
            set.key = name[2];
            memset(&cfg, 0, sizeof cfg);
            cfg.tls = ws_tls_new(&set);
            CHECK(cfg.tls != NULL);
            CHECK(strstr(ws_tls_error_text(cfg.tls),
                         in_text ? "PEM text: " : rows[i].words) != NULL);
            CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_TLS);
            CHECK(strstr(ws_loop_error_text(loop), "TLS failed") &&
                  strstr(ws_loop_error_text(loop), ws_tls_error_text(cfg.tls)));
            for (driver = 0; driver < DRIVERS; driver++) {
                ws_config mine = client_config(&c);
                ws_conn *x;
                mine.tls = cfg.tls;
                x = visit(driver, "wss://127.0.0.1:9/", &mine);
                UNTIL(c.closes, 1000);
                CHECK_INT(c.error, WS_ERR_TLS);
                CHECK_INT(c.code, WS_CLOSE_TLS);
                CHECK(strstr(c.reason, ws_tls_error_text(cfg.tls)) != NULL);
                leave(&c, x);
            }
            {
                ws_io io;
                memset(&io, 0, sizeof io);
                CHECK_INT(ws_tls_wrap(cfg.tls, &io, NULL), WS_ERR_TLS);
                CHECK_INT(ws_tls_wrap(cfg.tls, &io, "localhost"), WS_ERR_TLS);
                CHECK(!io.read && !io.user);
            }
            if (test_faults != was)
                printf("    row %d: \"%s\"\n", (int)i, ws_tls_error_text(cfg.tls));
            ws_tls_free(cfg.tls);
        }
    over();
}

/* PEM text serves as well as files; a server needs a certificate; NULL is taken. */
TEST(files_and_texts)
{
    ws_tls_pair others[2];
    ws_tls_config set;
    ws_config cfg;
    ws_conn *x;
    ws_io io;
    int l;

    memset(&set, 0, sizeof set);
    memset(others, 0, sizeof others);
    others[0].cert = text_of(pem("sni-a"));
    others[0].key = text_of(key("sni-a"));
    set.cert = text_of(pem("chain"));
    set.key = text_of(key("chain"));
    set.others = others;
    l = tls_listen(&s, ws_tls_new(&set));
    cfg = client_config(&c);
    memset(&set, 0, sizeof set);
    set.ca = text_of(pem("ca"));
    cfg.tls = ws_tls_new(&set);
    x = visit(OWN, url_of("wss", "localhost", l), &cfg);
    UNTIL(c.opens, 1000);
    talk(x);
    CHECK_STR(c.peer, "CN=localhost");
    leave(&c, x);
    over();

    loop = ws_loop_new(NULL);
    {
        ws_config bare;

        memset(&bare, 0, sizeof bare);
        bare.tls = cfg.tls;
        CHECK_INT(ws_listen(loop, "127.0.0.1:0", &bare), WS_ERR_TLS);
    }
    CHECK(strstr(ws_loop_error_text(loop), "a server needs a certificate") != NULL);
    memset(&io, 0, sizeof io);
    CHECK_INT(ws_tls_wrap(cfg.tls, &io, NULL), WS_ERR_TLS);
    CHECK_INT(ws_tls_wrap(cfg.tls, NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tls_wrap(NULL, &io, NULL), WS_ERR_ARGUMENT);
    CHECK_STR(ws_tls_error_text(NULL), "");
    ws_tls_free(cfg.tls);
    ws_tls_free(NULL);
    CHECK_INT(ws_tls_peer(NULL, NULL, 0), WS_ERR_ARGUMENT);
    memset(&set, 0, sizeof set);                /* a fault in one of the others */
    set.cert = pem("good");
    set.key = key("good");
    others[0].key = key("sni-b");
    set.others = others;
    memset(&cfg, 0, sizeof cfg);
    cfg.tls = ws_tls_new(&set);
    CHECK(strstr(ws_tls_error_text(cfg.tls),
                 "sni-b.key: belongs to another certificate") != NULL);
    CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_TLS);
    ws_tls_free(cfg.tls);
    cfg.tls = tls_new(NULL, "good");            /* not with what it cannot go with */
    cfg.io.read = peer_io_read;
    cfg.io.write = peer_io_write;
    CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_ARGUMENT);
    ws_tls_free(cfg.tls);
    over();
}

/* ---- names ---- */

static ws_tls *names_tls(void)
{
    static const char *const more[] = { "sni-a", "sni-b", "wildcard", "ip" };
    ws_tls_pair others[5];
    ws_tls_config set;
    int i;

    memset(&set, 0, sizeof set);
    memset(others, 0, sizeof others);
    for (i = 0; i < 4; i++) {
        others[i].cert = pem(more[i]);
        others[i].key = key(more[i]);
    }
    set.cert = pem("san");
    set.key = key("san");
    set.others = others;
    return ws_tls_new(&set);
}

static int names_listener(void) { return tls_listen(&s, names_tls()); }

/* The certificate that the client's host asks for; the first one for all other hosts. */
TEST(sec_B9_names)
{
    static const struct { const char *host, *peer; int bad;
    } rows[] = {
        { "localhost", "CN=elsewhere.test", 0 },
        { "example.test", "CN=elsewhere.test", 0 },
        { "a.test", "CN=a.test", 0 },
        { "b.test", "CN=b.test", 0 },
        { "B.Test", "CN=b.test", 0 },
        { "x.example.test", "CN=*.example.test", 0 },
        { "c.test", "CN=elsewhere.test", 1 },
        { "elsewhere.test", "CN=elsewhere.test", 1 },
        { "x.y.example.test", "CN=elsewhere.test", 1 },
        { "127.0.0.1", "CN=elsewhere.test", 1 } /* an address is no name to ask for */
    };
    ws_tls *trust[2] = { tls_new("ca", NULL), tls_trusts_all() };
    int l = names_listener(), driver, all;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        for (driver = 0; driver < DRIVERS; driver++) for (all = 0; all < 2; all++) {
            ws_config cfg = client_config(&c);
            ws_conn *x;
            cfg.tls = trust[all];
            cfg.host = "b.test"; /* says nothing of whom we want to reach */
            x = visit(driver, url_of("wss", rows[i].host, l), &cfg);
            UNTIL(c.opens || c.closes, 3000);
            CHECK_INT(c.opens, all || !rows[i].bad);
            if (c.opens) CHECK_STR(c.peer, rows[i].peer);
            else CHECK(strstr(c.reason, "certificate is not for this host") != NULL);
            if (c.opens) talk(x);
            leave(&c, x);
        }
    ws_tls_free(trust[0]);
    ws_tls_free(trust[1]);
    over();
}

/* ---- client certificates ---- */

TEST(sec_B9_client_certificates)
{
    static const struct { const char *cert; int optional, in;
    } rows[] = { { "client", 0, 1 },       { NULL, 0, 0 },
                 { "client-other", 0, 0 }, { "self", 0, 0 },
                 { "expired", 0, 0 },      { "good", 0, 0 }, /* is for servers only */
                 { "client", 1, 1 },       { NULL, 1, 1 },
                 { "client-other", 1, 0 }, { "self", 1, 0 },
                 { "expired", 1, 0 },      { "good", 1, 0 } };
    size_t i;
    int driver, again;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        ws_tls *mine = tls_new("ca", rows[i].cert);
        ws_tls_config set;
        int l;
        memset(&set, 0, sizeof set);
        set.ca = pem("ca");
        set.cert = pem("good");
        set.key = key("good");
        set.client_may_be_unknown = rows[i].optional;
        l = tls_listen(&s, ws_tls_new(&set));
        for (driver = 0; driver < DRIVERS; driver++) for (again = 0; again < 2; again++) {
                ws_config cfg = client_config(
                    &c); /* the second time by a ticket, if there is one */
                int was = test_faults;
                ws_conn *x;
                memset(&s, 0, sizeof s);
                cfg.tls = mine;
                x = visit(driver, url_of("wss", "localhost", l), &cfg);
                UNTIL(c.opens || c.closes, 3000);
                CHECK_INT(c.opens, rows[i].in);
                if (c.opens) {
                    char small[8];
                    CHECK_STR(c.peer, "CN=localhost");
                    UNTIL(s.opens == 1, 1000);
                    CHECK_STR(s.peer, rows[i].cert ? "CN=client" : "");
                    CHECK_INT(ws_tls_peer(x, small, sizeof small), WS_ERR_ARGUMENT);
                    CHECK_STR(small, "");
                    CHECK_INT(ws_tls_peer(x, NULL, 9), WS_ERR_ARGUMENT);
                    talk(x);
            } else {
                CHECK_INT(c.error, WS_ERR_TLS);
                CHECK_INT(c.code, WS_CLOSE_TLS);
                CHECK(alerted(&c));
                UNTIL(s.closes == 1, 1000);
                CHECK_INT(s.opens + s.https, 0);
                CHECK_STR(s.peer, "");
                CHECK(s.error == WS_ERR_TLS && s.code == WS_CLOSE_TLS);
                if (!rows[i].cert)
                    CHECK(strstr(s.reason, "certificate is missing") != NULL);
                else
                    CHECK(
                        strstr(s.reason, !strcmp(rows[i].cert, "expired") ? "has expired"
                                         : !strcmp(rows[i].cert, "good")
                                             ? "is not meant for this use"
                                             : "not from an authority that is trusted"));
            }
            leave(&c, x);
            if (was != test_faults)
                printf(
                    "    %s, optional %d, driver %d: client "
                    "%d \"%s\", server %d \"%s\" %s\n",
                    rows[i].cert ? rows[i].cert : "none", rows[i].optional, driver,
                    c.error, c.reason, s.error, s.reason, s.peer);
        }
        ws_tls_free(mine);
        over();
    }
}

/* ---- reload, lifetimes ---- */

TEST(sec_B9_reload)
{
    end old;
    ws_config cfg = client_config(&old);
    ws_tls *trust = tls_new("ca", NULL), *bad, *none = NULL;
    ws_conn *x, *y;
    ws_tls_config set;
    int l = tls_listen(&s, tls_new(NULL, "good")), plain, i;

    cfg.tls = trust;
    x = visit(OWN, url_of("wss", "localhost", l), &cfg);
    UNTIL(old.opens, 1000);
    CHECK_STR(old.peer, "CN=localhost");
    memset(&set, 0, sizeof set);
    set.cert = pem("garbage");
    set.key = key("good");
    bad = ws_tls_new(&set);
    for (i = 0; i < 4; i++) {
        ws_tls *fresh = tls_new(NULL, i % 2 ? "good" : "san");
        cfg = client_config(&c);
        cfg.tls = trust;
        CHECK_INT(ws_listen_tls(loop, l, fresh), 0);
        ws_tls_free(fresh);
        CHECK_INT(ws_listen_tls(loop, l, bad), WS_ERR_TLS);
        CHECK(strstr(ws_loop_error_text(loop), "garbage.pem") != NULL);
        CHECK_INT(ws_listen_tls(loop, l, trust), WS_ERR_TLS); /* has no certificate */
        CHECK(strstr(ws_loop_error_text(loop), "a server needs a certificate") != NULL);
        y = visit(i % DRIVERS, url_of("wss", "localhost", l), &cfg);
        UNTIL(c.opens || c.closes, 1000);
        CHECK_STR(c.peer, i % 2 ? "CN=localhost" : "CN=elsewhere.test");
        talk(y);
        leave(&c, y);
        ws_send_text(x, "still here");          /* the old one goes on */
        UNTIL(old.messages == i + 1 || old.closes, 1000);
        CHECK_STR(old.text, "still here");
    }
    memset(&cfg, 0, sizeof cfg);
    plain = listen_on(&cfg);
    CHECK_INT(ws_listen_tls(loop, plain, trust), WS_ERR_ARGUMENT);
    CHECK_INT(ws_listen_tls(loop, l, none), WS_ERR_ARGUMENT);
    CHECK_INT(ws_listen_tls(loop, 99, trust), WS_ERR_ARGUMENT);
    CHECK_INT(ws_listen_tls(loop, -1, trust), WS_ERR_ARGUMENT);
    CHECK_INT(ws_listen_tls(NULL, l, trust), WS_ERR_ARGUMENT);
    ws_unlisten(loop, l);
    CHECK_INT(ws_listen_tls(loop, l, bad), WS_ERR_ARGUMENT);
    ws_send_text(x, "without a listener");
    UNTIL(old.messages == 5 || old.closes, 1000);
    ws_tls_free(bad);
    ws_tls_free(trust);
    leave(&old, x);
    over();
}

/* Whatever is freed first, and after so many turns of a handshake: nothing is lost or
   used again. */
TEST(lifetimes)
{
    int what, turns, driver;

    for (what = 0; what < 5; what++) for (driver = 0; driver < DRIVERS; driver++)
    for (turns = 0; turns < 12; turns += driver == BLOCKING ? 4 : 1 + (what > 1)) {
        ws_tls *trust = tls_new("ca", NULL);
        ws_config cfg = client_config(&c);
        int l = tls_listen(&s, tls_new(NULL, "good")), i, files;
        ws_conn *x;
        memset(&s, 0, sizeof s);
        files = open_files();
        cfg.tls = trust;
        line.most = driver == BLOCKING ? 0 : 200;       /* more turns */
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        ws_tls_free(trust);
        for (i = 0; i < turns && !c.closes; i++) turn();
        CHECK(c.closes == 0);
        if (what == 0) leave(&c, x);
        if (what == 1) { ws_unlisten(loop, l); pass(5); leave(&c, x); }
        if (what == 2) {
            for (i = 0; i < 200 && !c.closes;
                 i++) { /* it may not have been accepted yet */
                ws_conn *k = NULL;
                while ((k = ws_each(loop, k)) != NULL) ws_drop(k);
                turn();
            }
            CHECK(c.closes);
            leave(&c, x);
        }
        if (what == 3) {
            ws_shutdown(loop, 1001, "bye", 300);
            UNTIL(c.closes, 2000);
            leave(&c, x);
        }
        if (what == 4 && driver != LOOP) { /* the loop before its connections' peers */
            int k;
            for (k = 0; k < 16; k++) clients[k] = NULL;
            ws_loop_free(loop);
            loop = ws_loop_new(NULL);
            clients[0] = &c;
            UNTIL(c.closes || driver == OWN, 1000);
            leave(&c, x);
        }
        if (what == 0 && driver != LOOP) {
            pass(3);
            CHECK_INT(open_files(), files);
        }
        over();
    }
}

/* ---- resumption ---- */

/* A second connection costs no certificate, by whatever way it comes. */
TEST(resumption)
{
    int driver, way;
    long full, later;

    for (driver = 0; driver < DRIVERS; driver++) for (way = 0; way < 2; way++) {
        ws_tls *trust = tls_new("ca", NULL), *other = tls_new("ca", NULL);
        ws_config cfg = client_config(&c);
        int l = tls_listen(&s, tls_new(NULL, "good"));
        ws_conn *x;
        cfg.tls = trust;
        cfg.reconnect = way ? 10 : 0;           /* 1: the same connection again */
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        UNTIL(c.opens == 1, 1000);
        ws_send_text(x, "hello");
        UNTIL(c.messages == 1, 1000);
        full = line.in;
        if (way) {
            UNTIL(s.c != NULL, 100);
            ws_free(s.c);
            UNTIL(c.downs == 1, 1000);
            CHECK_INT(c.error, WS_ERR_EOF);
            UNTIL(c.opens == 2, 1000);
        } else {
            talk(x);
            leave(&c, x);
            x = visit(driver, url_of("wss", "localhost", l), &cfg);
            UNTIL(c.opens == 1, 1000);
        }
        c.messages = 0;
        CHECK_STR(c.peer, "CN=localhost");
        ws_send_text(x, "hello");
        UNTIL(c.messages == 1, 1000);
        later = line.in;
        CHECK(full > 900 && later < full - 500);
        if (later >= full - 500)
            printf("    driver %d, way %d: %ld bytes, then %ld\n", driver, way, full,
                   later);
        cfg.reconnect = 0;
        leave(&c, x);
        /* what one host has proved is nothing for another, nor for another ws_tls */
        x = visit(driver, url_of("wss", "example.test", l), &cfg);
        UNTIL(c.opens == 1, 1000);
        CHECK(line.in > 900);
        leave(&c, x);
        x = visit(driver, url_of("wss", "wrong.test", l), &cfg);
        UNTIL(c.closes == 1, 1000);
        CHECK(strstr(c.reason, "certificate is not for this host") != NULL);
        leave(&c, x);
        cfg.tls = other;
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        UNTIL(c.opens == 1, 1000);
        CHECK(line.in > 900);
        leave(&c, x);
        /* the server has forgotten: all from the beginning */
        ws_tls_free(other);
        other = tls_new(NULL, "san");
        ws_listen_tls(loop, l, other);
        cfg.tls = trust;
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        UNTIL(c.opens == 1, 1000);
        CHECK_STR(c.peer, "CN=elsewhere.test");
        leave(&c, x);
        ws_tls_free(trust);
        ws_tls_free(other);
        over();
    }
}

/* More hosts than sessions are kept, again and again. */
TEST(many_sessions)
{
    ws_tls *trust = tls_new("ca", NULL);
    int l = tls_listen(&s, tls_new(NULL, "wildcard")), i;

    for (i = 0; i < 24; i++) {
        char host[40];
        ws_config cfg = client_config(&c);
        ws_conn *x;
        snprintf(host, sizeof host, "h%d.example.test", i % 3 ? i % 7 : 0);
        cfg.tls = trust;
        x = visit(OWN, url_of("wss", host, l), &cfg);
        UNTIL(c.opens == 1, 1000);
        talk(x);
        leave(&c, x);
    }
    ws_tls_free(trust);
    over();
}

/* ---- ends ---- */

/* close_notify is an end; without it the stream was cut. */
TEST(sec_B9_ends)
{
    int driver, rude, frames;

    for (driver = 0; driver < DRIVERS; driver++)
        for (rude = 0; rude < 2; rude++)
            for (frames = 0; frames < 2; frames++) {
                ws_config cfg = client_config(&c);
                int l = tls_listen(&s, tls_new(NULL, "good"));
                ws_conn *x;
                memset(&s, 0, sizeof s);
                x = tls_visit(driver, url_of("wss", "localhost", l), &cfg,
                              tls_new("ca", NULL));
                UNTIL(c.opens == 1 && s.opens == 1, 1000);
                if (frames) { /* both have said goodbye: the way it ends counts no more */
                    ws_close(x, 3000, "enough");
                    if (rude)
                        line.cut_in = line.in + 1000;
                    UNTIL(c.closes == 1 && s.closes == 1, 1000);
                    CHECK(c.clean && c.code == 3000 && s.clean && s.code == 3000);
                } else if (
                    rude) { /* what the system does when a process dies, but for TLS */
                    line.cut_in = line.in;
                    ws_send_text(x, "an answer would be cut off");
                    UNTIL(c.closes == 1, 1000);
                    CHECK(c.error == WS_ERR_TLS && c.code == WS_CLOSE_ABNORMAL &&
                          !c.clean);
                    CHECK(strstr(c.reason, "stream cut off without close_notify") !=
                          NULL);
                } else {
                    ws_free(s.c);
                    UNTIL(c.closes == 1, 1000);
                    CHECK(c.error == WS_ERR_EOF && c.code == WS_CLOSE_ABNORMAL &&
                          !c.clean);
                }
                leave(&c, x);
                over();
            }
    for (rude = 0; rude < 3; rude++) {          /* the same from a client */
        ws_config cfg = client_config(&c);
        int l = tls_listen(&s, tls_new(NULL, "good"));
        ws_conn *x;
        memset(&s, 0, sizeof s);
        x = tls_visit(OWN, url_of("wss", "localhost", l), &cfg, tls_new("ca", NULL));
        UNTIL(c.opens == 1 && s.opens == 1, 1000);
        if (rude == 1) shutdown(line.fd, SHUT_WR);
        if (rude == 2) {        /* a reset */
            struct linger reset = { 1, 0 };
            setsockopt(line.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            line.cut_out = line.out;
        }
        leave(&c, x);
        UNTIL(s.closes == 1, 1000);
        CHECK_INT(s.error, rude == 0 ? WS_ERR_EOF : rude == 1 ? WS_ERR_TLS : s.error);
        if (rude == 1)
            CHECK(strstr(s.reason, "stream cut off without close_notify") != NULL);
        if (rude == 2) CHECK(s.error == WS_ERR_IO || s.error == WS_ERR_TLS);
        CHECK_INT(s.code, WS_CLOSE_ABNORMAL);
        over();
    }
}

/* The stream cut at every byte, by an end and by a reset: never clean before the Close
   frames, never more than was sent, always with words. */
TEST(sec_B9_truncation)
{
    ws_tls *trust = tls_new("ca", NULL);
    ws_config cfg;
    int l = tls_listen(&s, tls_new(NULL, "good")), driver, error, resumed;
    long at, closes_at, opens_at,
        last = 0; /* last: cut there it was not clean, with this error */

    for (resumed = 0; resumed < 2; resumed++)
        for (driver = 0; driver < DRIVERS; driver++) {
            long all = 1, step = resumed ? 1 : 61;
            opens_at = closes_at = 0;
            for (error = 0; error < 2; error++)
                for (at = error ? 0 : -2; at < all; at += at < 0 ? 1 : step + 2 * error) {
                    ws_conn *x;
                    int was = test_faults;
                    if (at <= 0)
                        last = -1;
                    memset(&s, 0, sizeof s);
                    cfg = client_config(&c);
                    cfg.tls = resumed ? trust : tls_new("ca", NULL);
                    line_fresh();
                    line.cut_in = at < 0 ? -1 : at; /* -2: so that there is a session */
                    line.cut_error = error ? ECONNRESET : 0;
                    x = visit(driver, url_of("wss", "localhost", l), &cfg);
                    UNTIL(c.opens || c.closes, 1000);
                    if (c.opens && at < 0)
                        opens_at = line.in;
                    if (c.opens && !c.closes) {
                        ws_send_text(x, "hello");
                        UNTIL(c.messages || c.closes, 1000);
                        if (!c.closes)
                            ws_close(x, 1000, "bye");
                        UNTIL(c.closes, 1000);
                    }
                    if (at < 0) {
                        all = line.in;
                        CHECK(c.clean && opens_at && opens_at < all);
                    } else if (!c.clean) {
                        CHECK(c.error == WS_ERR_TLS || c.error == WS_ERR_IO);
                        CHECK_INT(c.code, c.opens || c.error == WS_ERR_IO
                                              ? WS_CLOSE_ABNORMAL
                                              : WS_CLOSE_TLS);
                        if (c.error == WS_ERR_IO)
                            CHECK(error);
                        else
                            CHECK(strstr(c.reason,
                                         c.opens || !strstr(c.reason, "in the handshake")
                                             ? "without close_notify"
                                             : "peer ended"));
                        CHECK(at < all);
                        last = at;
                        if (at > closes_at)
                            closes_at = at;
                    } else {
                        CHECK(at > last && c.messages == 1 && c.code == 1000);
                    }
                    if (c.messages)
                        CHECK_STR(c.text, "hello");
                    leave(&c, x);
                    UNTIL(s.closes, 1000);
                    if (!resumed)
                        ws_tls_free(cfg.tls);
                    if (test_faults != was)
                        printf(
                            "    cut at %ld of %ld by %d, driver "
                            "%d, opens %d at %ld: %d %d \"%s\"\n",
                            at, all, error, driver, c.opens, opens_at, c.error, c.code,
                            c.reason);
                    if (test_faults > 6)
                        return;
                }
            CHECK(closes_at > opens_at);
        }
    ws_tls_free(trust);
    over();
}

/* ---- ordinary HTTP ---- */

static unsigned char big[300000];

static void bodies_app(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type != WS_EV_HTTP) return;
    if (!strcmp(ws_target(ev->conn), "/reply")) {
        ws_http_reply(ev->conn, 200, NULL, big, sizeof big);
    } else {
        ws_http_begin(ev->conn, 200, NULL, !strcmp(ws_target(ev->conn), "/chunks"));
        ws_http_write(ev->conn, big, 100000);
        ws_http_write(ev->conn, big + 100000, sizeof big - 100000);
        ws_http_end(ev->conn);
    }
}

static size_t body_wrong;

static void body_app(end *e, const ws_event *ev)
{
    if (!ws_is_client(ev->conn)) { bodies_app(e, ev); return; }
    if (ev->type != WS_EV_PART) return;
    if (e->bytes > sizeof big || memcmp(big + (e->bytes - ev->size), ev->data, ev->size))
        body_wrong++;
}

/* Bodies of each kind, whole; and cut off, which is an error also where the end of the
   stream is the body's. */
TEST(sec_B9_bodies)
{
    static const char *const targets[] = { "reply", "chunks", "until-end" };
    int driver, cut;
    long all = 0;
    size_t i;

    for (i = 0; i < sizeof big; i++) big[i] = (unsigned char)(i * 7 + (i >> 8));
    for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < 3; i++)
            for (cut = 0; cut < 3; cut++) {
                ws_config cfg = client_config(&c);
                int l = tls_listen(&s, tls_new(NULL, "good")), was = test_faults;
                char url[256];
                ws_conn *x;
                body_wrong = 0;
                app = body_app;
                cfg.method = "GET";
                snprintf(url, sizeof url, "%s%s", url_of("https", "localhost", l),
                         targets[i]);
                line.cut_in = cut == 1   ? 150000
                              : cut == 2 ? all - 12
                                         : -1; /* 2: inside close_notify */
                x = tls_visit(driver, url, &cfg, tls_new("ca", NULL));
                UNTIL(c.closes, 2000);
                if (cut == 2 &&
                    line.in <
                        line.cut_in) {     /* Mbed TLS 3 pads: a shorter signature */
                    all = line.in;
                    cut--;
                    leave(&c, x);
                    over();
                    continue;
                }
                CHECK_INT(c.opens, 1);
                CHECK_INT((int)body_wrong, 0);
                if (!cut)
                    all = line.in;
                if (cut != 1)
                    CHECK_INT(c.bytes, sizeof big);
                if (cut == 2 && i < 2) { /* it was whole before */
                    CHECK(c.clean && !c.error);
                } else {
                    CHECK_INT(c.clean, cut == 0);
                    CHECK_INT(c.error, cut ? WS_ERR_TLS : 0);
                    if (cut)
                        CHECK(strstr(c.reason, "close_notify") != NULL);
                }
                leave(&c, x);
                if (was != test_faults)
                    printf("    %s, cut %d, driver %d: %d bytes, %d \"%s\"\n", targets[i],
                           cut, driver, (int)c.bytes, c.error, c.reason);
                over();
            }
}

/* ---- TLS and no TLS ---- */

TEST(plain_on_a_tls_port)
{
    static const char *const requests[] = { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                            "POST /x HTTP/1.0\r\n\r\nbody",
                                            "G",
                                            "hello",
                                            "\x80\x2e\x01\x03\x01",
                                            "\x17\x03\x03" };
    static char flood[60000];
    ws_config cfg = client_config(&c);
    int l = tls_listen(&s, tls_new(NULL, "good")), driver;
    size_t i;
    peer r;

    for (i = 0; i < 7; i++) {
        int http = i < 3 || i == 6;
        memset(&r, 0, sizeof r);
        memset(&s, 0, sizeof s);
        peer_connect(&r, ws_listen_port(loop, l));
        if (i == 6) { /* more than is read at once: the answer arrives all the same */
            memset(flood, 'x', sizeof flood);
            memcpy(flood, "POST / HTTP/1.1\r\n", 17);
            peer_write(&r, flood, sizeof flood);
        } else
            peer_text(&r, requests[i]);
        besides = NULL;
        UNTIL(s.closes == 1, 1000);
        CHECK_INT(s.error, WS_ERR_TLS);
        CHECK_INT(s.code, WS_CLOSE_TLS);
        CHECK(strstr(s.reason, http ? "plain HTTP on a TLS port"
                                    : "client does not speak TLS") != NULL);
        UNTIL((peer_read(&r), r.ended), 1000);
        CHECK_INT(!strncmp(r.in, "HTTP/1.1 400 ", 13), http);
        if (http)
            CHECK(strstr(r.in, "\r\nConnection: close\r\n") &&
                  strstr(r.in, "\r\n\r\nThis port speaks TLS: use https.\n"));
        else CHECK_INT(r.n, 0);
        peer_over(&r);
    }
    for (driver = 0; driver < DRIVERS; driver++) {      /* our own client */
        ws_conn *x;
        memset(&s, 0, sizeof s);
        x = visit(driver, url_of("ws", "localhost", l), &cfg);
        UNTIL(c.closes && s.closes, 1000);
        CHECK_INT(c.error, WS_ERR_STATUS);
        CHECK(strstr(c.reason, "400") != NULL);
        leave(&c, x);
    }
    over();
}

static void banner(peer *r)
{
    if (r->done++) return;
    peer_text(r, "SSH-2.0-OpenSSH_9.2p1\r\n");
}

static void silence(peer *r) { (void)r; }

static void hang_up(peer *r) { if (r->n) peer_end(r, 0); }

TEST(tls_on_a_plain_port)
{
    static const struct {
        void (*turn)(peer *r);
        const char *words;
        int error;
    } rows[] = {
        { NULL, "TLS failed: server does not speak TLS", WS_ERR_TLS },
        { banner, "TLS failed: server does not speak TLS", WS_ERR_TLS },
        { hang_up, "TLS failed: peer ended the connection in the handshake", WS_ERR_TLS },
        { silence, "opening handshake took too long: the TLS handshake did not finish",
          WS_ERR_HANDSHAKE_TIMEOUT }
    };
    static peer r;
    ws_config plain;
    int driver, l;
    size_t i;

    memset(&plain, 0, sizeof plain);
    plain.user = &s;
    for (i = 0; i < 4; i++) for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg = client_config(&c);
        char url[64];
        ws_conn *x;
        l = listen_on(&plain);
        memset(&s, 0, sizeof s);
        peer_begin(&r, rows[i].turn, NULL);
        cfg.handshake_timeout = rows[i].turn == silence ? 300 : 5000;
        snprintf(url, sizeof url, "wss://localhost:%d/",
                 rows[i].turn ? r.port : ws_listen_port(loop, l));
        x = tls_visit(driver, url, &cfg, tls_new("ca", NULL));
        UNTIL(c.closes, 2000);
        CHECK_INT(c.error, rows[i].error);
        CHECK_INT(c.code, rows[i].error == WS_ERR_TLS ? WS_CLOSE_TLS : WS_CLOSE_ABNORMAL);
        CHECK_STR(c.reason, rows[i].words);
        if (!rows[i].turn) UNTIL(s.closes == 1 && s.error == WS_ERR_HEAD_SYNTAX, 1000);
        leave(&c, x);
        peer_over(&r);
        over();
    }
}

/* The server's alert is there, but writing fails first. (A blocking client does not let
   it be there.) */
static void alert(peer *r)
{
    if (!r->done) peer_write(r, "\25\3\3\0\2\2\50", 7);
    r->done = 1;
}

TEST(last_words)
{
    static peer r;
    int driver;

    for (driver = OWN; driver < DRIVERS; driver++) {
        ws_config cfg = client_config(&c);
        char url[64];
        ws_conn *x;
        loop = ws_loop_new(NULL);
        peer_begin(&r, alert, NULL);
        line.cut_out = 0;
        snprintf(url, sizeof url, "wss://localhost:%d/", r.port);
        x = tls_visit(driver, url, &cfg, tls_new("ca", NULL));
        UNTIL(c.closes, 2000);
        CHECK_STR(c.reason, "TLS failed: peer's alert: handshake failure");
        leave(&c, x);
        peer_over(&r);
        over();
    }
}

/* Likewise when the connection is open, as without TLS. */
TEST(last_words_of_an_open_connection)
{
    int driver, secure;

    for (driver = BLOCKING; driver < LOOP; driver++)
        for (secure = 0; secure < 2; secure++) {
            ws_config cfg = client_config(&c);
            int l = tls_listen(&s, secure ? tls_new(NULL, "good") : NULL);
            ws_conn *x;
            memset(&s, 0, sizeof s);
            x = tls_visit(driver, url_of(secure ? "wss" : "ws", "localhost", l), &cfg,
                          tls_new("ca", NULL));
            UNTIL(c.opens == 1 && s.opens == 1, 1000);
            ws_send_text(s.c, "one more");
            ws_close(s.c, 4001, "no more");
            serve(1);
            line.cut_out = line.out;
            ws_send_text(x, "hello");
            UNTIL(c.closes, 1000);
            CHECK_STR(c.text, "one more");
            CHECK_INT(c.code, 4001);
            CHECK_STR(c.reason, "no more");
            leave(&c, x);
            over();
        }
}

/* ---- through proxies ---- */

/* ---- peers that never come to an end ---- */

/* A ClientHello for TLS 1.2 with RSA, and warnings for ever. */
static struct { size_t at, reads; } endless;

static ptrdiff_t endless_read(void *user, void *buf, size_t n)
{
    static const unsigned char hello[] = {
        22, 3,    1,  0,  75, 1,  0,  0,  71, 3,  3,  1,  2,  3,  4,    5,
        6,  7,    8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,   21,
        22, 23,   24, 25, 26, 27, 28, 29, 30, 31, 32, 0,  0,  4,  0xC0, 0x2F,
        0,  0x9C, 1,  0,  0,  26, 0,  10, 0,  4,  0,  2,  0,  23, 0,    11,
        0,  2,    1,  0,  0,  13, 0,  8,  0,  6,  4,  1,  4,  3,  8,    4
    };
    static const unsigned char warning[] = { 21, 3, 3, 0, 2, 1, 90 };
    unsigned char *p = (unsigned char *)buf;
    size_t i;

    (void)user;
    endless.reads++;
    for (i = 0; i < n; i++, endless.at++)
        p[i] = endless.at < sizeof hello ? hello[endless.at]
                                         : warning[(endless.at - sizeof hello) % 7];
    if (endless.reads < 1000) return (ptrdiff_t)n;
    return WS_IO_ERROR;
}

static ptrdiff_t endless_write(void *user, const void *buf, size_t n)
{
    (void)user;
    (void)buf;
    return (ptrdiff_t)n;
}

TEST(warnings_without_end)
{
    ws_tls *t = tls_new(NULL, "good-rsa");
    char buf[100];
    ws_io io;
    int i;

    memset(&io, 0, sizeof io);
    memset(&endless, 0, sizeof endless);
    io.read = endless_read;
    io.write = endless_write;
    CHECK_INT(ws_tls_wrap(t, &io, NULL), 0);
    ws_tls_free(t);
    for (i = 1; i < 20; i++) {
        CHECK_INT(io.read(io.user, buf, sizeof buf), WS_IO_WANT_READ);
        CHECK(endless.reads <= 8 * (size_t)i);
        CHECK(io.pending(io.user));         /* it goes on without being readable */
    }
    io.close(io.user);
}

/* A transport that always has something more, out of which nothing comes, or bytes that
   are no event: others are heard, ws_poll returns in time, and deadlines hold. */
static int more_stage;

static ptrdiff_t more_read(void *user, void *buf, size_t n)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    (void)user;
    if (more_stage == 0) return WS_IO_WANT_READ;
    if (more_stage++ > 1) { memset(buf, 'x', n); return (ptrdiff_t)n; }
    memcpy(buf, request, sizeof request - 1);
    return (ptrdiff_t)sizeof request - 1;
}

static int more_pending(void *user) { (void)user; return 1; }

static int more_wrap(void *user, ws_conn *x, ws_io *io, const char *host)
{
    (void)user; (void)x; (void)host;
    io->read = more_read;
    io->write = endless_write;
    io->pending = more_pending;
    return 0;
}

static void more_app(end *e, const ws_event *ev)
{
    if (ev->type == WS_EV_HTTP) e->opens = !ws_http_begin(ev->conn, 200, NULL, 0);
}

/* Returns what *what is after ms at most. */
static int poll_until(const int *what, int ms)
{
    uint64_t start = now_ms();
    ws_event ev;

    while (!*what && now_ms() - start < (uint64_t)ms)
        if (ws_poll(loop, &ev, 5) > 0)
            note(&ev);
    CHECK(now_ms() - start < (uint64_t)ms + 500);
    return *what;
}

TEST(more_without_end)
{
    static const int never = 0;
    int speaks;

    for (speaks = 0; speaks < 2; speaks++) {
        ws_config cfg, dial = client_config(&c);
        static end greedy;
        static peer r;
        int plain = tls_listen(&s, NULL), l;

        memset(&cfg, 0, sizeof cfg);
        memset(&greedy, 0, sizeof greedy);
        memset(&s, 0, sizeof s);
        memset(&r, 0, sizeof r);
        app = more_app;
        more_stage = speaks;
        cfg.user = &greedy;
        cfg.wrap = more_wrap;
        cfg.handshake_timeout = 300;
        l = listen_on(&cfg);
        peer_connect(&r, ws_listen_port(loop, l));
        CHECK_INT(peer_write(&r, "x", 1), 0);        /* readable from now on */
        poll_until(&never, 50);
        CHECK_INT(greedy.opens, speaks);
        visit(LOOP, url_of("ws", "localhost", plain), &dial);
        CHECK_INT(poll_until(&s.opens, 2000), 1);
        CHECK_INT(poll_until(&c.opens, 2000), 1);
        if (!speaks) CHECK_INT(poll_until(&greedy.closes, 2000), 1);
        if (!speaks) CHECK_INT(greedy.error, WS_ERR_HANDSHAKE_TIMEOUT);
        peer_end(&r, 0);
        over();
    }
}

/* Who only begins a handshake is gone when its time is over: nothing can be said to
   him. */
TEST(half_open)
{
    static peer r;
    ws_config cfg;
    uint64_t start;
    char hello[80];
    int l;

    memset(&cfg, 0, sizeof cfg);
    memset(&r, 0, sizeof r);
    memset(&s, 0, sizeof s);
    memset(&endless, 0, sizeof endless);
    cfg.user = &s;
    cfg.handshake_timeout = 300;
    cfg.tls = tls_new(NULL, "good-rsa");
    l = listen_on(&cfg);
    ws_tls_free(cfg.tls);
    peer_connect(&r, ws_listen_port(loop, l));
    start = ws_loop_now(loop);
    CHECK_INT(endless_read(NULL, hello, sizeof hello), sizeof hello);
    CHECK_INT(peer_write(&r, hello, sizeof hello), 0);
    UNTIL(s.closes, 3000);
    CHECK_STR(s.reason,
              "opening handshake took too long: the TLS handshake did not finish");
    CHECK(ws_loop_now(loop) - start < 2000);
    peer_read(&r);
    CHECK(r.n > 7 && r.in[0] == 22);
    peer_end(&r, 0);
    over();
}

static ws_tls *proxy_tls;

static void proxy_wrap(peer *r) { CHECK_INT(ws_tls_wrap(proxy_tls, &r->io, NULL), 0); }

/* Every kind of proxy before every kind of server: whose certificate is judged by whose
   name. */
TEST(sec_B9_proxies)
{
    static const struct { const char *scheme, *host, *cert, *server, *words;
    } rows[] = {
        { "http", "proxy.test", NULL, "wss", NULL },
        { "socks5", "proxy.test", NULL, "wss", NULL },
        { "https", "b.test", "sni-b", "wss", NULL },
        { "https", "b.test", "sni-b", "ws", NULL },
        { "https", "127.0.0.1", "ip", "wss", NULL },
        { "https", "a.test", "sni-b", "wss", "certificate is not for this host" },
        { "https", "localhost", "expired", "wss", "certificate has expired" },
        { "https", "localhost", "unknown", "ws", "certificate is not from an authority" },
        { "https", "a.test", "sni-b", "ws", "certificate is not for this host" },
        { "https", "b.test", "names", "wss",
          NULL } /* it chooses by what it is asked for */
    };
    static peer r;
    size_t i;
    int driver, wrong;

    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (wrong = 0; wrong < 2; wrong++) {
                ws_config cfg = client_config(&c);
                int l, was = test_faults, tls = !strcmp(rows[i].server, "wss");
                const char *host =
                    wrong ? "c.test"
                          : "a.test"; /* the server is a.test or localhost only */
                char proxy[100];
                ws_conn *x;
                if (wrong && (!tls || rows[i].words))
                    continue;
                if (tls) {
                    l = names_listener();
                } else {
                    ws_config plain;
                    memset(&plain, 0, sizeof plain);
                    plain.user = &s;
                    l = listen_on(&plain);
                }
                memset(&s, 0, sizeof s);
                proxy_tls = !rows[i].cert                   ? NULL
                            : strcmp(rows[i].cert, "names") ? tls_new(NULL, rows[i].cert)
                                                            : names_tls();
                peer_begin(&r, proxy_turn, rows[i].cert ? proxy_wrap : NULL);
                snprintf(proxy, sizeof proxy, "%s://%s:%d", rows[i].scheme, rows[i].host,
                         r.port);
                cfg.proxy = proxy;
                x = tls_visit(driver, url_of(rows[i].server, host, l), &cfg,
                              tls_new("ca", NULL));
                UNTIL(c.opens || c.closes, 3000);
                CHECK_INT(c.opens, !rows[i].words && !wrong);
                if (c.opens) {
                    CHECK_STR(r.asked, host);
                    CHECK_STR(c.peer, tls ? "CN=a.test" : "CN=b.test");
                    talk(x);
                } else {
                    CHECK_INT(c.error, WS_ERR_TLS);
                    CHECK_INT(c.code, WS_CLOSE_TLS);
                    CHECK(strstr(c.reason, wrong ? "certificate is not for this host"
                                                 : rows[i].words) != NULL);
                    CHECK_STR(r.asked,
                              wrong ? host
                                    : ""); /* a false proxy is not told where we go */
                }
                leave(&c, x);
                peer_over(&r);
                ws_tls_free(proxy_tls);
                if (was != test_faults)
                    printf("    %s proxy %s, %s, wrong %d, driver %d: %d \"%s\"\n",
                           rows[i].scheme, rows[i].cert, rows[i].server, wrong, driver,
                           c.error, c.reason);
                over();
            }
}

/* ---- adopted sockets ---- */

static void adopt_one(int in_loop)
{
    const void *rest;
    size_t size;
    ws_config cfg;
    ws_conn *x, *y;
    end mine;
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    int lfd = socket(AF_INET, SOCK_STREAM, 0), fd, port;
    char url[64];

    loop = ws_loop_new(NULL);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(!bind(lfd, (struct sockaddr *)&a, sizeof a) && !listen(lfd, 4));
    getsockname(lfd, (struct sockaddr *)&a, &n);
    port = ntohs(a.sin_port);
    snprintf(url, sizeof url, "wss://localhost:%d/", port);
    cfg = client_config(&c);
    x = tls_visit(OWN, url, &cfg, tls_new("ca", NULL));
    fd = accept(lfd, NULL, NULL);
    memset(&cfg, 0, sizeof cfg);
    memset(&mine, 0, sizeof mine);
    memset(&s, 0, sizeof s);
    cfg.user = in_loop ? &s : &mine;
    cfg.tls = tls_new(NULL, "good");
    y = ws_adopt(in_loop ? loop : NULL, fd, NULL, 0, &cfg);
    ws_tls_free(cfg.tls);
    if (!in_loop) { mine.c = y; mine.driver = OWN; clients[1] = &mine; }
    UNTIL(c.opens, 1000);
    CHECK_STR(c.peer, "CN=localhost");
    CHECK_INT(ws_detach(x, &rest, &size), -1);          /* it is TLS's */
    CHECK_INT(ws_detach(y, &rest, &size), -1);
    if (in_loop) {
        talk(x);
    } else {
        UNTIL(mine.opens == 1, 1000);
        ws_send_text(y, "from the server");
        UNTIL(c.messages == 1, 1000);
        CHECK_STR(c.text, "from the server");
        ws_close(x, 1000, NULL);
        UNTIL(c.closes && mine.closes, 1000);
        CHECK(c.clean && mine.clean);
        ws_free(y);
    }
    leave(&c, x);
    close(lfd);
    over();
}

TEST(adopted)
{
    ws_config cfg;
    ws_conn *y;
    int fd[2], way;

    adopt_one(0);
    adopt_one(1);
    for (way = 0; way < 2; way++) { /* what was read already, TLS cannot know */
        ws_event ev;
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        memset(&cfg, 0, sizeof cfg);
        memset(&s, 0, sizeof s);
        cfg.user = &s;
        cfg.tls = tls_new(NULL, "good");
        loop = ws_loop_new(NULL);
        y = ws_adopt(way ? loop : NULL, fd[0], "GET", 3, &cfg);
        ws_tls_free(cfg.tls);
        if (way) {
            UNTIL(s.closes == 1, 1000);
            CHECK_INT(s.error, WS_ERR_ARGUMENT);
        } else {
            CHECK_INT(ws_next(y, &ev), 1);
            CHECK_INT(ev.error, WS_ERR_ARGUMENT);
            ws_free(y);
        }
        close(fd[1]);
        over();
    }
}

TESTS(T(sec_B9_certificates) T(sec_B9_trust_everyone) T(sec_B9_own_transport)
      T(sec_B9_system_authorities) T(sec_B9_files) T(files_and_texts) T(sec_B9_names)
      T(sec_B9_client_certificates) T(sec_B9_reload) T(lifetimes) T(resumption)
      T(many_sessions) T(sec_B9_ends) T(sec_B9_truncation) T(sec_B9_bodies)
      T(plain_on_a_tls_port) T(tls_on_a_plain_port) T(last_words)
      T(last_words_of_an_open_connection) T(warnings_without_end) T(more_without_end)
      T(half_open) T(sec_B9_proxies) T(adopted))
#endif
