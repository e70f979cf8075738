/* Teaches: TLS of your own choice, here OpenSSL 3 (libssl-dev), in both roles and every
            driver. cfg.wrap puts it around each connection: three functions below that
            speak TLS, and a BIO through which OpenSSL reads and writes what carries
            them.
   Build:   cc -O2 -o build/tls_openssl examples/tls_openssl.c -I. -lssl -lcrypto
   Run:     build/tls_openssl 9443 chain.pem key.pem &      (see tests/tls/certs.sh)
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

static int moved(BIO *bio, ptrdiff_t result)
{
    BIO_clear_retry_flags(bio);
    if (result == WS_IO_WANT_READ)
        BIO_set_retry_read(bio);
    if (result == WS_IO_WANT_WRITE)
        BIO_set_retry_write(bio);
    return result < 0 ? -1 : (int)result;
}

static int bio_read(BIO *bio, char *buf, int size)
{
    tls *session = (tls *)BIO_get_data(bio);
    ptrdiff_t result = (session->io.read)(session->io.user, buf, (size_t)size);

    session->ended = result == 0;
    return moved(bio, result);
}

static int bio_write(BIO *bio, const char *buf, int size)
{
    tls *session = (tls *)BIO_get_data(bio);
    ptrdiff_t result = (session->io.write)(session->io.user, buf, (size_t)size);

    return moved(bio, result ? result : (ptrdiff_t)WS_IO_WANT_WRITE);
}

static long bio_ctrl(BIO *bio, int what, long size, void *pointer)
{
    (void)size;
    (void)pointer;
    if (what == BIO_CTRL_EOF)
        return ((tls *)BIO_get_data(bio))->ended;
    return what == BIO_CTRL_FLUSH;
}

/* ---- above: what ws.h calls ---- */

/* What a call into OpenSSL means that moved nothing. */
static ptrdiff_t stuck(tls *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    long verified = SSL_get_verify_result(session->ssl);
    const char *why = ERR_reason_error_string(ERR_peek_error());

    if (error == SSL_ERROR_WANT_READ)
        return WS_IO_WANT_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return WS_IO_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;                       /* close_notify: a proper end */
    if (verified != X509_V_OK)
        why = X509_verify_cert_error_string(verified);
    if (!session->failed && why)
        snprintf(session->why, sizeof session->why, "%s", why);
    session->failed = 1;
    return WS_IO_ERROR;
}

static ptrdiff_t tls_read(void *user, void *buf, size_t size)
{
    tls *session = (tls *)user;
    size_t got;
    int result;

    ERR_clear_error();      /* the queue is the thread's */
    result = SSL_read_ex(session->ssl, buf, size, &got);
    return result > 0 ? (ptrdiff_t)got : stuck(session, result);
}

static ptrdiff_t tls_write(void *user, const void *buf, size_t size)
{
    tls *session = (tls *)user;
    size_t put;
    ptrdiff_t result;

    ERR_clear_error();
    result = SSL_write_ex(session->ssl, buf, size, &put);
    if (result > 0)
        return (ptrdiff_t)put;
    result = stuck(session, (int)result);
    return result ? result : (ptrdiff_t)WS_IO_ERROR;
}

static int tls_pending(void *user)
{
    return SSL_has_pending(((tls *)user)->ssl);
}

static const char *tls_why(void *user)
{
    const tls *session = (const tls *)user;

    if (*session->why)
        return session->why;
    return SSL_is_init_finished(session->ssl) ? NULL : "the TLS handshake did not finish";
}

static void tls_close(void *user)
{
    tls *session = (tls *)user;

    if (!session->failed && SSL_is_init_finished(session->ssl))
        SSL_shutdown(session->ssl);     /* sends close_notify; waits for none */
    if (session->io.close)
        (session->io.close)(session->io.user);
    SSL_free(session->ssl);
    free(session);
}

/* Which host to speak to: a name is sent as SNI and must be in the certificate; an
   address must be in the certificate. */
static int expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host))
        return 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

/* A BIO of OpenSSL's over the functions above, or NULL. */
static BIO *bio_new(tls *session)
{
    static BIO_METHOD *method;
    BIO *bio;

    if (!method) {
        method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ws_io");
        if (!method)
            return NULL;
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    bio = BIO_new(method);
    if (!bio)
        return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}

/* Makes session->ssl. host: a client's; NULL: a server. Returns 0 on failure. */
static int session_begin(tls *session, SSL_CTX *ctx, const char *host)
{
    BIO *bio;

    session->ssl = SSL_new(ctx);
    if (!session->ssl)
        return 0;
    if (host && !expect(session->ssl, host))
        return 0;
    bio = bio_new(session);
    if (!bio)
        return 0;
    SSL_set_bio(session->ssl, bio, bio);
    if (host)
        SSL_set_connect_state(session->ssl);
    else
        SSL_set_accept_state(session->ssl);
    return 1;
}

/* cfg.wrap. user: the SSL_CTX of the role. */
static int tls_wrap(void *user, ws_conn *conn, ws_io *io, const char *host)
{
    tls *session = (tls *)calloc(1, sizeof *session);

    (void)conn;
    if (!session)
        return -1;
    session->io = *io;
    if (!session_begin(session, (SSL_CTX *)user, host)) {
        SSL_free(session->ssl);
        free(session);
        return -1;
    }
    io->read = tls_read;
    io->write = tls_write;
    io->close = tls_close;
    io->pending = tls_pending;
    io->why = tls_why;
    io->user = session;
    return 0;
}

/* ---- one context for all connections of a role ---- */

static const unsigned char http[] = "\10http/1.1";

static int pick_http(SSL *ssl, const unsigned char **out, unsigned char *size,
                     const unsigned char *in, unsigned int in_n, void *user)
{
    unsigned char *pick;
    int result = SSL_select_next_proto(&pick, size, http, sizeof http - 1, in, in_n);

    (void)ssl;
    (void)user;
    *out = pick;
    if (result == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *context(int server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* A write may be partial, and is repeated from another address. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);    /* idle connections hold none */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(ctx, 1);             /* a record in one read, not in two */
    if (server) {
        SSL_CTX_set_alpn_select_cb(ctx, pick_http, NULL);
    } else {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);     /* the default does not */
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
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("listening on wss://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0)
        if (ev.type == WS_EV_MESSAGE)
            ws_send(ev.conn, ev.op, ev.data, ev.size);
    ws_loop_free(loop);
    return 1;
}

static int greet(const char *url, ws_config *cfg)
{
    ws_conn *conn = ws_connect(url, cfg);
    ws_event ev;
    int failed;

    ws_send_text(conn, "hello");
    while (ws_recv(conn, &ev, -1) > 0)
        if (ev.type == WS_EV_MESSAGE) {
            printf("%.*s\n", (int)ev.size, (const char *)ev.data);
            ws_close(conn, WS_CLOSE_NORMAL, NULL);
        }
    failed = ws_error(conn) != 0;
    if (failed)
        fprintf(stderr, "%s\n", ws_error_text(conn));
    ws_free(conn);
    return failed;
}

/* What the role verifies, or shows. Returns 1 if it is good. */
static int load(SSL_CTX *ctx, int argc, char **argv)
{
    if (argc == 2)
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    if (argc == 3)
        return SSL_CTX_load_verify_locations(ctx, argv[2], NULL) == 1;
    return SSL_CTX_use_certificate_chain_file(ctx, argv[2]) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) == 1;
}

int main(int argc, char **argv)
{
    int server = argc == 4, failed;
    SSL_CTX *ctx = context(server);
    ws_config cfg = {0};

    if (!ctx || argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PORT CERT KEY | %s URL [CA]\n", argv[0], argv[0]);
        return 2;
    }
    if (!load(ctx, argc, argv)) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    cfg.wrap = tls_wrap;
    cfg.wrap_user = ctx;
    failed = server ? serve(argv[1], &cfg) : greet(argv[1], &cfg);
    SSL_CTX_free(ctx);
    return failed;
}
