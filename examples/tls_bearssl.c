/* Teaches: wss:// with a TLS library of your own, here BearSSL, in both roles. Its engine never
            touches a socket: records go in and out below, text goes in and out above, and
            cfg.wrap puts it between the two.
   Build:   cc -O2 -o build/tls_bearssl examples/tls_bearssl.c -I. -lbearssl
   Run:     build/tls_bearssl 9443 chain.pem key.pem &      (certificates: tests/tls/certs.sh)
            build/tls_bearssl wss://localhost:9443/ ca.pem
   You see: listening on wss://127.0.0.1:9443/, then from the other one: hello
   BearSSL speaks TLS 1.2 and less, and knows names only: no wss:// to an address. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <bearssl.h>
#include <stdio.h>

typedef struct context {            /* one for all connections */
    br_x509_trust_anchor *anchors;          /* client */
    br_x509_certificate *chain;             /* server */
    size_t anchor_count, chain_count;
    br_skey_decoder_context key;
    br_ssl_session_cache_lru sessions;      /* server: 100 bytes each, in room */
    unsigned char room[20000];
} context;

typedef struct tls {
    union { br_ssl_client_context client; br_ssl_server_context server; } role;
    br_ssl_engine_context *eng;             /* of either */
    br_x509_minimal_context x509;
    ws_io below;                            /* what carries it: a socket, or TLS to a proxy */
    size_t taken;                           /* of a write whose records are not out yet */
    int more;                               /* step has not read all there is */
    const char *why;
    char number[32];
    unsigned char room[BR_SSL_BUFSIZE_BIDI];    /* 33 KB: a record each way */
} tls;

/* ---- the transport ---- */

static ptrdiff_t broken(tls *t, const char *why)
{
    int error = br_ssl_engine_last_error(t->eng);

    if (t->why) return WS_IO_ERROR;
    t->why = why;
    if (error == BR_ERR_X509_NOT_TRUSTED) t->why = "unknown certificate authority";
    else if (error == BR_ERR_X509_EXPIRED) t->why = "certificate expired, or not yet valid";
    else if (error == BR_ERR_X509_BAD_SERVER_NAME) t->why = "certificate is for another host";
    else if (error) sprintf(t->number, "BearSSL's error %d", error), t->why = t->number;
    return WS_IO_ERROR;
}

/* Moves records until the engine is in that state and has sent what it had. 1, 0 after the
   peer's close_notify, or WS_IO_. A peer that sends warnings for ever leaves others their turn. */
static ptrdiff_t step(tls *t, unsigned state)
{
    int reads = 0;

    for (t->more = 0;;) {
        unsigned now = br_ssl_engine_current_state(t->eng);
        unsigned char *p;
        ptrdiff_t r;
        size_t n;

        if (now & BR_SSL_SENDREC) {
            p = br_ssl_engine_sendrec_buf(t->eng, &n);
            r = (t->below.write)(t->below.user, p, n);
            if (r > 0) { br_ssl_engine_sendrec_ack(t->eng, (size_t)r); continue; }
            if (r == WS_IO_ERROR) return broken(t, "connection lost");
            return now & state & BR_SSL_RECVAPP ? 1 : r ? r : (ptrdiff_t)WS_IO_WANT_WRITE;
        }
        if (now & state) return 1;
        if (now & BR_SSL_CLOSED)
            return br_ssl_engine_last_error(t->eng) ? broken(t, "") : 0;
        if (reads++ == 64) { t->more = 1; return WS_IO_WANT_READ; }
        p = br_ssl_engine_recvrec_buf(t->eng, &n);
        r = (t->below.read)(t->below.user, p, n);
        if (r == 0 || r == WS_IO_ERROR) return broken(t, "connection lost");  /* cut off */
        if (r < 0) return r;
        br_ssl_engine_recvrec_ack(t->eng, (size_t)r);
    }
}

static ptrdiff_t tls_read(void *user, void *buf, size_t n)
{
    tls *t = (tls *)user;
    ptrdiff_t r = step(t, BR_SSL_RECVAPP);
    unsigned char *p;
    size_t have;

    if (r <= 0) return r;
    p = br_ssl_engine_recvapp_buf(t->eng, &have);
    if (n > have) n = have;
    memcpy(buf, p, n);
    br_ssl_engine_recvapp_ack(t->eng, n);
    return (ptrdiff_t)n;
}

/* Bytes count as written when their record is out: until then ws.h comes with the same ones
   again, and that sends the rest. */
static ptrdiff_t tls_write(void *user, const void *buf, size_t n)
{
    tls *t = (tls *)user;
    ptrdiff_t r = step(t, BR_SSL_SENDAPP);
    unsigned char *p;
    size_t room;

    if (r > 0 && !t->taken) {
        p = br_ssl_engine_sendapp_buf(t->eng, &room);
        t->taken = n < room ? n : room;
        memcpy(p, buf, t->taken);
        br_ssl_engine_sendapp_ack(t->eng, t->taken);
        br_ssl_engine_flush(t->eng, 0);
        r = step(t, BR_SSL_SENDAPP);
    }
    if (r <= 0) return r ? r : (ptrdiff_t)WS_IO_ERROR;
    r = (ptrdiff_t)t->taken;
    t->taken = 0;
    return r;
}

static int tls_pending(void *user)
{
    const tls *t = (const tls *)user;

    return t->more || (br_ssl_engine_current_state(t->eng) & BR_SSL_RECVAPP);
}

static const char *tls_why(void *user) { return ((tls *)user)->why; }

static void tls_close(void *user)
{
    tls *t = (tls *)user;

    if (!t->why) {
        br_ssl_engine_close(t->eng);
        step(t, BR_SSL_RECVAPP);            /* sends close_notify; nobody waits for theirs */
    }
    if (t->below.close) (t->below.close)(t->below.user);
    free(t);
}

static int wrap(void *user, ws_conn *c, ws_io *io, const char *host)
{
    static const char *http[] = { "http/1.1" };
    context *x = (context *)user;
    tls *t = (tls *)calloc(1, sizeof *t);
    int good;

    (void)c;
    if (!t) return -1;
    t->eng = host ? &t->role.client.eng : &t->role.server.eng;
    t->below = *io;
    if (host)
        br_ssl_client_init_full(&t->role.client, &t->x509, x->anchors, x->anchor_count);
    else if (br_skey_decoder_key_type(&x->key) == BR_KEYTYPE_EC)
        br_ssl_server_init_full_ec(&t->role.server, x->chain, x->chain_count, BR_KEYTYPE_EC,
                                   br_skey_decoder_get_ec(&x->key));
    else
        br_ssl_server_init_full_rsa(&t->role.server, x->chain, x->chain_count,
                                    br_skey_decoder_get_rsa(&x->key));
    if (!host) br_ssl_server_set_cache(&t->role.server, &x->sessions.vtable);
    br_ssl_engine_set_versions(t->eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_protocol_names(t->eng, http, 1);
    br_ssl_engine_add_flags(t->eng, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
    br_ssl_engine_set_buffer(t->eng, t->room, sizeof t->room, 1);
    good = host ? br_ssl_client_reset(&t->role.client, host, 0)     /* sends and checks it */
                : br_ssl_server_reset(&t->role.server);
    if (!good) { free(t); return -1; }
    io->read = tls_read;
    io->write = tls_write;
    io->pending = tls_pending;
    io->why = tls_why;
    io->close = tls_close;
    io->user = t;
    return 0;
}

/* ---- keys and certificates out of PEM files ---- */

typedef struct bytes { unsigned char *data; size_t size; } bytes;

static void append(void *to, const void *data, size_t n)
{
    bytes *b = (bytes *)to;

    b->data = (unsigned char *)realloc(b->data, b->size + n + 1);
    if (!b->data) abort();
    memcpy(b->data + b->size, data, n);
    b->size += n;
}

/* All objects of a file whose name has the word: "CERTIFICATE", "PRIVATE KEY". */
static br_x509_certificate *pem(const char *path, const char *word, size_t *count)
{
    br_pem_decoder_context pd;
    br_x509_certificate *all = NULL;
    bytes one = { NULL, 0 };
    unsigned char buf[1024];
    FILE *f = fopen(path, "rb");
    size_t n, at;

    *count = 0;
    br_pem_decoder_init(&pd);
    while (f && (n = fread(buf, 1, sizeof buf, f)) > 0)
        for (at = 0; at < n;) {
            at += br_pem_decoder_push(&pd, buf + at, n - at);
            switch (br_pem_decoder_event(&pd)) {
            case BR_PEM_BEGIN_OBJ:
                one.data = NULL, one.size = 0;
                br_pem_decoder_setdest(&pd, append, &one);
                break;
            case BR_PEM_END_OBJ:
                if (!strstr(br_pem_decoder_name(&pd), word)) { free(one.data); break; }
                all = (br_x509_certificate *)realloc(all, (*count + 1) * sizeof *all);
                if (!all) abort();
                all[*count].data = one.data;
                all[(*count)++].data_len = one.size;
                break;
            default: break;
            }
        }
    if (f) fclose(f);
    if (!*count) fprintf(stderr, "no %s in %s\n", word, path);
    return all;
}

/* The anchors live as long as the program, and so do the decoders their keys are in. */
static br_x509_trust_anchor *anchors(const char *path, size_t *count)
{
    br_x509_certificate *certs = pem(path, "CERTIFICATE", count);
    br_x509_trust_anchor *all = (br_x509_trust_anchor *)calloc(*count + 1, sizeof *all);
    size_t i, n = 0;

    for (i = 0; all && i < *count; i++) {
        br_x509_decoder_context *dc = (br_x509_decoder_context *)malloc(sizeof *dc);
        bytes name = { NULL, 0 };

        if (!dc) abort();
        br_x509_decoder_init(dc, append, &name);
        br_x509_decoder_push(dc, certs[i].data, certs[i].data_len);
        free(certs[i].data);
        if (!br_x509_decoder_get_pkey(dc)) continue;    /* a kind of key it does not know */
        all[n].dn.data = name.data;
        all[n].dn.len = name.size;
        all[n].flags = br_x509_decoder_isCA(dc) ? BR_X509_TA_CA : 0;
        all[n++].pkey = *br_x509_decoder_get_pkey(dc);
    }
    free(certs);
    *count = n;
    return all;
}

/* ---- the two programs ---- */

static int serve(const char *port, const ws_config *cfg)
{
    char address[40];
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    int listener;

    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    listener = ws_listen(loop, address, cfg);
    if (listener < 0) { fprintf(stderr, "%s\n", ws_loop_error_text(loop)); return 1; }
    printf("listening on wss://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0)
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    return 1;
}

static int visit(const char *url, const ws_config *cfg)
{
    ws_event ev;
    int failed;
    ws_conn *c = ws_connect(url, cfg);

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
    static context x;
    ws_config cfg = {0};
    br_x509_certificate *key;
    size_t n;

    if (argc < 3 || argc > 4) return 2;
    cfg.wrap = wrap;
    cfg.wrap_user = &x;
    if (argc == 3) {
        x.anchors = anchors(argv[2], &x.anchor_count);
        return x.anchor_count ? visit(argv[1], &cfg) : 1;
    }
    x.chain = pem(argv[2], "CERTIFICATE", &x.chain_count);
    key = pem(argv[3], "PRIVATE KEY", &n);
    br_ssl_session_cache_lru_init(&x.sessions, x.room, sizeof x.room);
    br_skey_decoder_init(&x.key);
    if (n) br_skey_decoder_push(&x.key, key->data, key->data_len);
    return x.chain_count && br_skey_decoder_key_type(&x.key) ? serve(argv[1], &cfg) : 1;
}
