/* What the TLS tests share: certificates of tests/tls/certs.sh, which are in
   build/test/certs, or where WS_TEST_CERTS says; and ws_tls of them. Needs
   -DWS_USE_MBEDTLS. */
#ifndef TLS_H
#define TLS_H
#define FIXTURE_SOCKETS
#include "fixture.h"

/* The path of a file of the certificates: name and ending; NULL for NULL. */
static inline const char *cert_file(const char *name, const char *ending)
{
    static char text[16][300];
    static int next;
    const char *dir = getenv("WS_TEST_CERTS");
    char *at = text[next++ % 16];

    if (!name) return NULL;
    snprintf(at, sizeof text[0], "%s/%s%s", dir ? dir : "build/test/certs", name, ending);
    return at;
}

static inline const char *pem(const char *name) { return cert_file(name, ".pem"); }
static inline const char *key(const char *name) { return cert_file(name, ".key"); }

/* The text of a file; for one test at a time. */
static inline const char *text_of(const char *file)
{
    static char text[4][8192];
    static int next;
    char *at = text[next++ % 4];
    FILE *f = fopen(file, "r");
    size_t n = f ? fread(at, 1, sizeof text[0] - 1, f) : 0;

    at[n] = 0;
    if (f) fclose(f);
    CHECK(n > 0);
    return at;
}

/* Trusts the authority ca, and is cert: names of certificates, or NULL. */
static inline ws_tls *tls_new(const char *ca, const char *cert)
{
    ws_tls_config set;
    ws_tls *t;

    memset(&set, 0, sizeof set);
    set.ca = pem(ca);
    set.cert = pem(cert);
    set.key = key(cert && !strcmp(cert, "chainless") ? "chain" : cert);
    t = ws_tls_new(&set);
    CHECK_STR(ws_tls_error_text(t), "");
    return t;
}

static inline ws_tls *tls_trusts_all(void)
{
    ws_tls_config set;

    memset(&set, 0, sizeof set);
    set.insecure_trust_everyone = 1;
    return ws_tls_new(&set);
}

/* A listener that gets the only share of tls; e is its cfg.user. */
static inline int tls_listen(end *e, ws_tls *tls)
{
    ws_config cfg;
    int l;

    memset(&cfg, 0, sizeof cfg);
    cfg.user = e;
    cfg.tls = tls;
    l = listen_on(&cfg);
    ws_tls_free(tls);
    return l;
}

/* A client that gets the only share of tls; what visit gives. */
static inline ws_conn *tls_visit(int driver, const char *url, ws_config *cfg, ws_tls *tls)
{
    ws_conn *c;

    cfg->tls = tls;
    c = visit(driver, url, cfg);
    ws_tls_free(tls);
    return c;
}

#endif
