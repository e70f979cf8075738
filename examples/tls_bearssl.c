/* Teaches: wss:// with a TLS library of your own, here BearSSL, in both roles. Its
            engine never touches a socket: records go in and out below, text goes in and
            out above, and cfg.wrap puts it between the two.
   Build:   cc -O2 -o build/tls_bearssl examples/tls_bearssl.c -I. -lbearssl
   Run:     build/tls_bearssl 9443 chain.pem key.pem &      (see tests/tls/certs.sh)
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
    union {
        br_ssl_client_context client;
        br_ssl_server_context server;
    } role;
    br_ssl_engine_context *eng;             /* of either */
    br_x509_minimal_context x509;
    ws_io below;                            /* a socket, or TLS to a proxy */
    size_t taken;                           /* of a write whose records are not out yet */
    int more;                               /* step has not read all there is */
    const char *why;
    char number[32];
    unsigned char room[BR_SSL_BUFSIZE_BIDI];    /* 33 KB: a record each way */
} tls;

/* ---- the transport ---- */

/* The words for an error of BearSSL's; they live as long as the session. */
static const char *words_of(tls *session, int error)
{
    switch (error) {
    case BR_ERR_X509_NOT_TRUSTED:
        return "unknown certificate authority";
    case BR_ERR_X509_EXPIRED:
        return "certificate expired, or not yet valid";
    case BR_ERR_X509_BAD_SERVER_NAME:
        return "certificate is for another host";
    default:
        sprintf(session->number, "BearSSL's error %d", error);
        return session->number;
    }
}

/* why: unless BearSSL knows better. */
static ptrdiff_t broken(tls *session, const char *why)
{
    int error = br_ssl_engine_last_error(session->eng);

    if (!session->why)
        session->why = error ? words_of(session, error) : why;
    return WS_IO_ERROR;
}

/* Sends a record. Returns the bytes sent, or WS_IO_. */
static ptrdiff_t send_record(tls *session)
{
    size_t size;
    unsigned char *record = br_ssl_engine_sendrec_buf(session->eng, &size);
    ptrdiff_t sent = (session->below.write)(session->below.user, record, size);

    if (sent > 0)
        br_ssl_engine_sendrec_ack(session->eng, (size_t)sent);
    if (sent == WS_IO_ERROR)
        return broken(session, "connection lost");
    return sent ? sent : (ptrdiff_t)WS_IO_WANT_WRITE;
}

/* Reads into a record. Returns the bytes read, or WS_IO_. */
static ptrdiff_t receive_record(tls *session)
{
    size_t size;
    unsigned char *record = br_ssl_engine_recvrec_buf(session->eng, &size);
    ptrdiff_t got = (session->below.read)(session->below.user, record, size);

    if (got == 0 || got == WS_IO_ERROR)         /* cut off: no close_notify */
        return broken(session, "connection lost");
    if (got > 0)
        br_ssl_engine_recvrec_ack(session->eng, (size_t)got);
    return got;
}

/* Moves records until the engine is in that state and has sent what it had. Returns 1, 0
   after the peer's close_notify, or WS_IO_. Reads 64 times at most: a peer that sends
   warnings without end must not keep others waiting. */
static ptrdiff_t step(tls *session, unsigned state)
{
    int reads = 0;

    session->more = 0;
    for (;;) {
        unsigned now = br_ssl_engine_current_state(session->eng);
        ptrdiff_t moved;

        if (now & BR_SSL_SENDREC) {
            moved = send_record(session);
            if (moved > 0)
                continue;
            if (moved != WS_IO_ERROR && (now & state & BR_SSL_RECVAPP))
                return 1;               /* reading need not wait for room to write */
            return moved;
        }
        if (now & state)
            return 1;
        if (now & BR_SSL_CLOSED)
            return br_ssl_engine_last_error(session->eng) ? broken(session, "") : 0;
        if (reads++ == 64) {
            session->more = 1;
            return WS_IO_WANT_READ;
        }
        moved = receive_record(session);
        if (moved < 0)
            return moved;
    }
}

static ptrdiff_t tls_read(void *user, void *buf, size_t size)
{
    tls *session = (tls *)user;
    ptrdiff_t result = step(session, BR_SSL_RECVAPP);
    unsigned char *record;
    size_t have;

    if (result <= 0)
        return result;
    record = br_ssl_engine_recvapp_buf(session->eng, &have);
    if (size > have)
        size = have;
    memcpy(buf, record, size);
    br_ssl_engine_recvapp_ack(session->eng, size);
    return (ptrdiff_t)size;
}

/* Bytes count as written when their record is out: until then ws.h writes the same ones
   again, and that sends the rest. */
static ptrdiff_t tls_write(void *user, const void *buf, size_t size)
{
    tls *session = (tls *)user;
    ptrdiff_t result = step(session, BR_SSL_SENDAPP);
    unsigned char *record;
    size_t room;

    if (result > 0 && !session->taken) {
        record = br_ssl_engine_sendapp_buf(session->eng, &room);
        session->taken = size < room ? size : room;
        memcpy(record, buf, session->taken);
        br_ssl_engine_sendapp_ack(session->eng, session->taken);
        br_ssl_engine_flush(session->eng, 0);
        result = step(session, BR_SSL_SENDAPP);
    }
    if (result <= 0)
        return result ? result : (ptrdiff_t)WS_IO_ERROR;
    result = (ptrdiff_t)session->taken;
    session->taken = 0;
    return result;
}

static int tls_pending(void *user)
{
    const tls *session = (const tls *)user;

    return session->more || (br_ssl_engine_current_state(session->eng) & BR_SSL_RECVAPP);
}

static const char *tls_why(void *user)
{
    return ((tls *)user)->why;
}

static void tls_close(void *user)
{
    tls *session = (tls *)user;

    if (!session->why) {
        br_ssl_engine_close(session->eng);
        step(session, BR_SSL_RECVAPP);      /* sends close_notify; waits for none */
    }
    if (session->below.close)
        (session->below.close)(session->below.user);
    free(session);
}

static void server_init(br_ssl_server_context *server, context *shared)
{
    if (br_skey_decoder_key_type(&shared->key) == BR_KEYTYPE_EC)
        br_ssl_server_init_full_ec(server, shared->chain, shared->chain_count,
                                   BR_KEYTYPE_EC, br_skey_decoder_get_ec(&shared->key));
    else
        br_ssl_server_init_full_rsa(server, shared->chain, shared->chain_count,
                                    br_skey_decoder_get_rsa(&shared->key));
    br_ssl_server_set_cache(server, &shared->sessions.vtable);
}

/* What both roles set. */
static void engine_init(tls *session)
{
    static const char *http[] = { "http/1.1" };

    br_ssl_engine_set_versions(session->eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_protocol_names(session->eng, http, 1);
    br_ssl_engine_add_flags(session->eng, BR_OPT_NO_RENEGOTIATION);
    br_ssl_engine_add_flags(session->eng, BR_OPT_FAIL_ON_ALPN_MISMATCH);
    br_ssl_engine_set_buffer(session->eng, session->room, sizeof session->room, 1);
}

/* host: a client's; NULL: a server. Returns 0 on failure. */
static int session_begin(tls *session, context *shared, const char *host)
{
    br_ssl_client_context *client = &session->role.client;
    br_ssl_server_context *server = &session->role.server;

    if (!host) {
        session->eng = &server->eng;
        server_init(server, shared);
        engine_init(session);
        return br_ssl_server_reset(server);
    }
    session->eng = &client->eng;
    br_ssl_client_init_full(client, &session->x509, shared->anchors,
                            shared->anchor_count);
    engine_init(session);
    return br_ssl_client_reset(client, host, 0);        /* sends and checks the name */
}

static int wrap(void *user, ws_conn *conn, ws_io *io, const char *host)
{
    tls *session = (tls *)calloc(1, sizeof *session);

    (void)conn;
    if (!session)
        return -1;
    session->below = *io;
    if (!session_begin(session, (context *)user, host)) {
        free(session);
        return -1;
    }
    io->read = tls_read;
    io->write = tls_write;
    io->pending = tls_pending;
    io->why = tls_why;
    io->close = tls_close;
    io->user = session;
    return 0;
}

/* ---- keys and certificates out of PEM files ---- */

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static void append(void *to, const void *data, size_t size)
{
    bytes *grown = (bytes *)to;

    grown->data = (unsigned char *)realloc(grown->data, grown->size + size + 1);
    if (!grown->data)
        abort();
    memcpy(grown->data + grown->size, data, size);
    grown->size += size;
}

/* The objects of a file whose name has a word: "CERTIFICATE", "PRIVATE KEY". */
typedef struct objects {
    br_pem_decoder_context decoder;
    const char *word;
    bytes one;                              /* being read */
    br_x509_certificate *all;
    size_t count;
} objects;

static void pem_event(objects *found)
{
    int event = br_pem_decoder_event(&found->decoder);
    size_t size;

    if (event == BR_PEM_BEGIN_OBJ) {
        found->one.data = NULL;
        found->one.size = 0;
        br_pem_decoder_setdest(&found->decoder, append, &found->one);
    }
    if (event != BR_PEM_END_OBJ)
        return;
    if (!strstr(br_pem_decoder_name(&found->decoder), found->word)) {
        free(found->one.data);
        return;
    }
    size = (found->count + 1) * sizeof *found->all;
    found->all = (br_x509_certificate *)realloc(found->all, size);
    if (!found->all)
        abort();
    found->all[found->count].data = found->one.data;
    found->all[found->count].data_len = found->one.size;
    found->count++;
}

static br_x509_certificate *pem(const char *path, const char *word, size_t *count)
{
    objects found;
    unsigned char buf[1024];
    FILE *file = fopen(path, "rb");
    size_t size, at;

    memset(&found, 0, sizeof found);
    found.word = word;
    br_pem_decoder_init(&found.decoder);
    while (file && (size = fread(buf, 1, sizeof buf, file)) > 0)
        for (at = 0; at < size;) {
            at += br_pem_decoder_push(&found.decoder, buf + at, size - at);
            pem_event(&found);
        }
    if (file)
        fclose(file);
    if (!found.count)
        fprintf(stderr, "no %s in %s\n", word, path);
    *count = found.count;
    return found.all;
}

/* The anchors live as long as the program, and so do the decoders their keys are in. */
static br_x509_trust_anchor *anchors(const char *path, size_t *count)
{
    br_x509_certificate *certs = pem(path, "CERTIFICATE", count);
    br_x509_trust_anchor *all = (br_x509_trust_anchor *)calloc(*count + 1, sizeof *all);
    size_t i, known = 0;

    for (i = 0; all && i < *count; i++) {
        br_x509_decoder_context *dc = (br_x509_decoder_context *)malloc(sizeof *dc);
        bytes name = { NULL, 0 };

        if (!dc)
            abort();
        br_x509_decoder_init(dc, append, &name);
        br_x509_decoder_push(dc, certs[i].data, certs[i].data_len);
        free(certs[i].data);
        if (!br_x509_decoder_get_pkey(dc))
            continue;                       /* a kind of key it does not know */
        all[known].dn.data = name.data;
        all[known].dn.len = name.size;
        all[known].flags = br_x509_decoder_isCA(dc) ? BR_X509_TA_CA : 0;
        all[known++].pkey = *br_x509_decoder_get_pkey(dc);
    }
    free(certs);
    *count = known;
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
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("listening on wss://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0)
        if (ev.type == WS_EV_MESSAGE)
            ws_send(ev.conn, ev.op, ev.data, ev.size);
    return 1;
}

static int visit(const char *url, const ws_config *cfg)
{
    ws_event ev;
    int failed;
    ws_conn *conn = ws_connect(url, cfg);

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

int main(int argc, char **argv)
{
    static context shared;
    ws_config cfg = {0};
    br_x509_certificate *key;
    size_t size;

    if (argc < 3 || argc > 4)
        return 2;
    cfg.wrap = wrap;
    cfg.wrap_user = &shared;
    if (argc == 3) {
        shared.anchors = anchors(argv[2], &shared.anchor_count);
        return shared.anchor_count ? visit(argv[1], &cfg) : 1;
    }
    shared.chain = pem(argv[2], "CERTIFICATE", &shared.chain_count);
    key = pem(argv[3], "PRIVATE KEY", &size);
    br_ssl_session_cache_lru_init(&shared.sessions, shared.room, sizeof shared.room);
    br_skey_decoder_init(&shared.key);
    if (size)
        br_skey_decoder_push(&shared.key, key->data, key->data_len);
    if (!shared.chain_count || !br_skey_decoder_key_type(&shared.key))
        return 1;
    return serve(argv[1], &cfg);
}
