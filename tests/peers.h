/* One connection of the library, in any driver and either role, and its peer played by hand, past
   the opening handshake. Include after drive.h and engine.h. */
#ifndef PEERS_H
#define PEERS_H

/* Kinds of connections: the clients of drive.h, then servers of a loop, and of their own. */
enum { SERVER = DRIVERS, ADOPTED, KINDS };

typedef struct met {
    int kind;
    end e;                      /* what came out of it */
    ws_conn *c;
    raw r;                      /* its peer */
} met;

static inline int met_serves(const met *m) { return m->kind >= SERVER; }

/* What is written leaves at once: waiting for the other side's word takes 40 ms. */
static inline void met_prompt(raw *r)
{
    int on = 1;
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* For the peer of a client: answers its request with 101. */
static inline void met_answers(raw *r)
{
    buf request = { 0 }, answer = { 0 };

    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    met_prompt(r);
    buf_add(&request, r->in, r->n);
    r->n = 0;
    r->in[0] = 0;
    side_client_answer(&answer, &request, NULL);
    raw_write(r, answer.p, answer.n);
    buf_free(&request);
    buf_free(&answer);
}

/* Is the peer's end of the handshake done? What came behind the head of a server stays. */
static inline int met_shaken(met *m)
{
    char *end;

    if (m->r.done || !met_serves(m)) return m->r.done;
    end = strstr(m->r.in, "\r\n\r\n");
    if (!end) return 0;
    m->r.done = 1;
    m->r.n -= (size_t)(end + 4 - m->r.in);
    memmove(m->r.in, end + 4, m->r.n + 1);
    return 1;
}

static inline void met_client(met *m, const ws_config *cfg)
{
    char url[60];

    raw_begin(&m->r, met_answers, NULL);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", m->r.port);
    m->c = visit(m->kind, url, cfg);
}

static inline void met_server(met *m, const ws_config *cfg, const char *request)
{
    int port, i, listener, fd;

    if (m->kind == SERVER) {
        raw_connect(&m->r, ws_listen_port(loop, listen_on(cfg)));
    } else {
        listener = loopback_listen(&port);
        raw_connect(&m->r, port);
        fd = accept(listener, NULL, NULL);
        close(listener);
        m->e.driver = OWN;
        m->c = m->e.c = ws_adopt(NULL, fd, NULL, 0, cfg);
        for (i = 0; i < 16 && clients[i]; i++) {}
        clients[i] = &m->e;
    }
    met_prompt(&m->r);
    raws[0] = &m->r;
    besides = raw_besides;
    raw_say(&m->r, request);
}

/* Makes a connection of a kind; set may be NULL. Its user is m->e. A server is asked by request,
   which ends its head; NULL: a plain one. */
static inline void meet_with(met *m, int kind, const ws_config *set, const char *request)
{
    ws_config cfg, plain = client_config(&m->e);

    memset(m, 0, sizeof *m);
    if (set) cfg = *set;
    else memset(&cfg, 0, sizeof cfg);
    m->kind = kind;
    cfg.user = &m->e;
    if (!loop) loop = ws_loop_new(NULL);
    if (!met_serves(m)) {
        if (!cfg.resolve) cfg.resolve = plain.resolve;
        if (!cfg.on_socket) cfg.on_socket = plain.on_socket;
        met_client(m, &cfg);
    } else {
        met_server(m, &cfg, request ? request : REQUEST);
    }
}

/* The same until it is open. */
static inline void meet(met *m, int kind, const ws_config *set)
{
    meet_with(m, kind, set, NULL);
    UNTIL(m->e.opens && met_shaken(m), 1000);
    if (m->kind == SERVER) m->c = m->e.c;
}

/* The peer writes; everybody runs meanwhile. Returns what could not be written in ms, without
   being taken any of it. */
static inline size_t met_says(met *m, const void *data, size_t n, int ms)
{
    const char *p = (const char *)data;
    uint64_t last = now_ms();

    while (n && m->r.fd >= 0 && now_ms() - last < (uint64_t)ms) {
        ptrdiff_t k = m->r.io.write(m->r.io.user, p, n < 65536 ? n : 65536);
        if (k == WS_IO_ERROR) break;
        turn();
        if (k <= 0) continue;
        p += k;
        n -= (size_t)k;
        last = now_ms();
    }
    return n;
}

/* The peer writes frames as put_spec of engine.h has them. */
static inline void met_frames(met *m, const char *spec)
{
    buf b = { 0 };

    put_spec(&b, spec, met_serves(m));
    CHECK_INT(met_says(m, b.p, b.n, 5000), 0);
    buf_free(&b);
}

static inline void met_over(met *m)
{
    if (m->kind != SERVER) leave(&m->e, m->c);
    raw_over(&m->r);
    over();
}

#endif
