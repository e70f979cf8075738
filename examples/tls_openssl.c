/* Teaches: TLS of your own choice, here OpenSSL 3 (libssl-dev), in both roles and every driver.
            cfg.wrap puts it around each connection: three functions below that speak TLS, and
            a BIO through which OpenSSL reads and writes what carries them.
   Build:   cc -O2 -o build/tls_openssl examples/tls_openssl.c -I. -lssl -lcrypto
   Run:     build/tls_openssl 9443 chain.pem key.pem &      (certificates: tests/tls/certs.sh)
            build/tls_openssl wss://localhost:9443/ [ca.pem]        (else: the system's)
   You see: listening on wss://127.0.0.1:9443/, then from the other one: hello */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

typedef struct tls {
    SSL *ssl;
    ws_io io;               /* what carries it: a socket, or TLS to a proxy */
    int ended, failed;
    char why[120];
} tls;

/* ---- below: OpenSSL's bytes go through the ws_io ---- */

static int moved(BIO *b, ptrdiff_t r)
{
    BIO_clear_retry_flags(b);
    if (r == WS_IO_WANT_READ) BIO_set_retry_read(b);
    if (r == WS_IO_WANT_WRITE) BIO_set_retry_write(b);
    return r < 0 ? -1 : (int)r;
}

static int bio_read(BIO *b, char *buf, int n)
{
    tls *t = (tls *)BIO_get_data(b);
    ptrdiff_t r = (t->io.read)(t->io.user, buf, (size_t)n);

    t->ended = r == 0;
    return moved(b, r);
}

static int bio_write(BIO *b, const char *buf, int n)
{
    tls *t = (tls *)BIO_get_data(b);
    ptrdiff_t r = (t->io.write)(t->io.user, buf, (size_t)n);

    return moved(b, r ? r : (ptrdiff_t)WS_IO_WANT_WRITE);
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
    (void)n;
    (void)p;
    if (what == BIO_CTRL_EOF) return ((tls *)BIO_get_data(b))->ended;
    return what == BIO_CTRL_FLUSH;
}

/* ---- above: what ws.h calls ---- */

/* What a call into OpenSSL means that moved nothing. */
static ptrdiff_t stuck(tls *t, int r)
{
    int error = SSL_get_error(t->ssl, r);
    long verified = SSL_get_verify_result(t->ssl);
    const char *why = ERR_reason_error_string(ERR_peek_error());

    if (error == SSL_ERROR_WANT_READ) return WS_IO_WANT_READ;
    if (error == SSL_ERROR_WANT_WRITE) return WS_IO_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN) return 0;       /* close_notify: a proper end */
    if (verified != X509_V_OK) why = X509_verify_cert_error_string(verified);
    if (!t->failed && why) snprintf(t->why, sizeof t->why, "%s", why);
    t->failed = 1;
    return WS_IO_ERROR;
}

static ptrdiff_t tls_read(void *user, void *buf, size_t n)
{
    tls *t = (tls *)user;
    size_t got;
    int r;

    ERR_clear_error();      /* the queue is the thread's */
    r = SSL_read_ex(t->ssl, buf, n, &got);
    return r > 0 ? (ptrdiff_t)got : stuck(t, r);
}

static ptrdiff_t tls_write(void *user, const void *buf, size_t n)
{
    tls *t = (tls *)user;
    size_t put;
    ptrdiff_t r;

    ERR_clear_error();
    r = SSL_write_ex(t->ssl, buf, n, &put);
    if (r > 0) return (ptrdiff_t)put;
    r = stuck(t, (int)r);
    return r ? r : (ptrdiff_t)WS_IO_ERROR;
}

static int tls_pending(void *user) { return SSL_has_pending(((tls *)user)->ssl); }

static const char *tls_why(void *user)
{
    const tls *t = (const tls *)user;

    if (*t->why) return t->why;
    return SSL_is_init_finished(t->ssl) ? NULL : "the TLS handshake did not finish";
}

static void tls_close(void *user)
{
    tls *t = (tls *)user;

    if (!t->failed && SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);       /* sends close_notify; nobody waits for theirs */
    if (t->io.close) (t->io.close)(t->io.user);
    SSL_free(t->ssl);
    free(t);
}

/* Whom to speak to: a name goes out as SNI and must be in the certificate, an address only
   the latter. */
static int expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)) return 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

/* cfg.wrap. user: the SSL_CTX of the role. */
static int tls_wrap(void *user, ws_conn *c, ws_io *io, const char *host)
{
    static BIO_METHOD *method;
    tls *t = (tls *)calloc(1, sizeof *t);
    BIO *bio;

    (void)c;
    if (!method && (method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ws_io")) != NULL) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    bio = method ? BIO_new(method) : NULL;
    if (t) t->ssl = SSL_new((SSL_CTX *)user);
    if (!t || !bio || !t->ssl || (host && !expect(t->ssl, host))) {
        if (t) SSL_free(t->ssl);
        BIO_free(bio);
        free(t);
        return -1;
    }
    t->io = *io;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    if (host) SSL_set_connect_state(t->ssl);
    else SSL_set_accept_state(t->ssl);
    io->read = tls_read;
    io->write = tls_write;
    io->close = tls_close;
    io->pending = tls_pending;
    io->why = tls_why;
    io->user = t;
    return 0;
}

/* ---- one context for all connections of a role ---- */

static const unsigned char http[] = "\10http/1.1";

static int pick_http(SSL *ssl, const unsigned char **out, unsigned char *n,
                     const unsigned char *in, unsigned int in_n, void *user)
{
    unsigned char *pick;
    int r = SSL_select_next_proto(&pick, n, http, sizeof http - 1, in, in_n);

    (void)ssl;
    (void)user;
    *out = pick;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *context(int server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    if (!ctx) return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* A write may go in part, and comes again from another place. Idle ones hold no buffer. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(ctx, 1);             /* a record in one read, not in two */
    if (server) {
        SSL_CTX_set_alpn_select_cb(ctx, pick_http, NULL);
    } else {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);     /* the default verifies nothing */
        SSL_CTX_set_alpn_protos(ctx, http, sizeof http - 1);
    }
    return ctx;
}

/* ---- the two programs ---- */

static int serve(const char *port, ws_config *cfg)
{
    ws_loop *loop = ws_loop_new(NULL);
    char address[40];
    ws_event ev;
    int listener;

    snprintf(address, sizeof address, "127.0.0.1:%.10s", port);
    listener = ws_listen(loop, address, cfg);
    if (listener < 0) { fprintf(stderr, "%s\n", ws_loop_error_text(loop)); return 1; }
    printf("listening on wss://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0)
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    ws_loop_free(loop);
    return 1;
}

static int greet(const char *url, ws_config *cfg)
{
    ws_conn *c = ws_connect(url, cfg);
    ws_event ev;
    int failed;

    ws_send_text(c, "hello");
    while (ws_recv(c, &ev, -1) > 0)
        if (ev.type == WS_EV_MESSAGE) {
            printf("%.*s\n", (int)ev.size, (const char *)ev.data);
            ws_close(c, WS_CLOSE_NORMAL, NULL);
        }
    failed = ws_error(c) != 0;
    if (failed) fprintf(stderr, "%s\n", ws_error_text(c));
    ws_free(c);
    return failed;
}

int main(int argc, char **argv)
{
    int server = argc == 4, good, failed;
    SSL_CTX *ctx = context(server);
    ws_config cfg = {0};

    if (!ctx || (!server && argc != 2 && argc != 3)) {
        fprintf(stderr, "usage: %s PORT CERT KEY | %s URL [CA]\n", argv[0], argv[0]);
        return 2;
    }
    if (server) good = SSL_CTX_use_certificate_chain_file(ctx, argv[2]) == 1 &&
                       SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) == 1;
    else if (argc == 3) good = SSL_CTX_load_verify_locations(ctx, argv[2], NULL) == 1;
    else good = SSL_CTX_set_default_verify_paths(ctx) == 1;
    if (!good) { ERR_print_errors_fp(stderr); return 1; }
    cfg.wrap = tls_wrap;
    cfg.wrap_user = ctx;
    failed = server ? serve(argv[1], &cfg) : greet(argv[1], &cfg);
    SSL_CTX_free(ctx);
    return failed;
}
