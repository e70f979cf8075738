/* Plays a script with one of the two libraries and writes down all that can be seen of it. What
   is done comes from the script, or from what was written down before. */
#include "peer.h"
#include "leaves.h"

static end ends[2];

/* ---- writing down ---- */

static void say_state(end *e)
{
    const ws_conn *c = e->c;

    say("  %s: state %d error %d done %d finished %d timeout %d buffered %u room %u",
        e->client ? "client" : "server", ws_state(c), ws_error(c), ws_done(c), ws_finished(c),
        ws_timeout(c), (unsigned)ws_buffered(c), (unsigned)ws_feed_room(c));
    say(" rtt %d paused %d wants %d\n", ws_rtt(c), ws_is_paused(c), ws_wants(c));
    if (ws_error(c)) say_text("error text", ws_error_text(c));
    if (e->w.h.failed) say("  memory was refused\n");
}

/* The opening handshake, as far as it can be asked for now. */
static void say_head(end *e)
{
    static const char *const names[] = {
        "Host", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Cookie", "X-One"
    };
    const ws_conn *c = e->c;
    ws_str name, value;
    ws_walk walk;
    size_t pos = 0, i;
    char text[40];
    int n;

    say_text("method", ws_method(c));
    say_text("target", ws_target(c));
    say_text("protocol", ws_protocol(c));
    say_text("extensions", ws_extensions(c));
    say_text("url", ws_url_of(c));
    value = ws_path(c);
    say_data("path", value.data, value.size);
    value = ws_body(c);
    say_data("body", value.data, value.size);
    say("  status %d version %d route %d client %d\n", ws_status(c), ws_version(c),
        ws_route_id(c), ws_is_client(c));
    while (ws_header_next(c, &pos, &name, &value)) {
        say_data("name", name.data, name.size);
        say_data("value", value.data, value.size);
    }
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        value = ws_header_value(c, names[i]);
        if (!value.data) continue;
        say_data(names[i], value.data, value.size);
        memset(&walk, 0, sizeof walk);
        while (ws_header_walk(c, names[i], &walk, &value)) say_data("item", value.data, value.size);
        value = ws_header_item(c, names[i], 1);
        say_data("second", value.data, value.data ? value.size : 0);
    }
    n = ws_cookie(c, "id", text, 5);
    say_data("cookie", text, length_of(n));
    n = ws_query(c, "y", text, sizeof text);
    say_data("query", text, length_of(n));
    n = (int)ws_remote(c, text, sizeof text);
    say_data("remote", text, length_of(n));
}

static void say_event(end *e, const ws_event *ev)
{
    static const char *const names[] = {
        "none", "OPEN", "MESSAGE", "PING", "PONG", "WRITABLE", "HTTP", "CLOSE", "REQUEST", "PART",
        "DOWN", "POST", "WAKE"
    };
    int told = ev->type == WS_EV_CLOSE || ev->type == WS_EV_DOWN;

    say("  event %s op %d first %d last %d", names[ev->type], ev->op, ev->first, ev->last);
    say(" code %d clean %d error %d refused %u retry_in %d own %d\n", ev->code, ev->clean,
        ev->error, told ? (unsigned)ev->refused : 0, ev->retry_in, ev->conn == e->c);
    say_data("data", ev->data, ev->size);
    say_text("reason", ev->reason);
    if (ev->type != WS_EV_MESSAGE && ev->type != WS_EV_PART) say_head(e);
}

/* ---- what the application does ---- */

static ptrdiff_t source_read(void *user, void *to, size_t n)
{
    end *e = (end *)user;
    uint32_t luck = rng_to(&e->source_seed, 100);

    if (luck < 3) return WS_IO_ERROR;
    if (luck < 20) return WS_IO_WANT_READ;
    n = least(least(n, e->source_left), 1 + rng_to(&e->source_seed, luck < 50 ? 50 : 5000));
    memcpy(to, filling_at(e->source_left % 64), n);
    e->source_left -= n;
    return (ptrdiff_t)n;
}

static void call_send(end *e)
{
    static const int ops[] = { WS_OP_TEXT, WS_OP_BINARY };
    int op = PICK(ops), slot = (int)dice(30) % 5 - 1;
    const char *data = filling();
    size_t n = any_size();
    ws_str pieces[3];

    if (seldom(8)) op |= WS_OP_PLAIN;
    if (seldom(60)) op = (int)dice(20);
    if (seldom(60)) data = NULL;
    say("  op %d size %u slot %d\n", op, (unsigned)n, slot);
    switch (dice(8)) {
    case 0:
        pieces[0].data = data;
        pieces[0].size = n / 3;
        pieces[1].data = NULL;
        pieces[1].size = 0;
        pieces[2].data = data ? data + n / 3 : data;
        pieces[2].size = n - n / 3;
        say_result("sendv", ws_sendv(e->c, op, pieces, seldom(60) ? -1 : 3));
        break;
    case 1:
        say_result("text", ws_send_text(e->c, seldom(20) ? NULL : "hello"));
        break;
    case 2:
        say_result("latest", ws_send_latest(e->c, slot, op, data, n));
        break;
    default:
        say_result("send", ws_send(e->c, op, data, n));
        break;
    }
}

static void call_part(end *e)
{
    int op = seldom(20) ? WS_OP_BINARY : WS_OP_TEXT, last = seldom(3);
    size_t n = any_size();

    say("  op %d size %u last %d\n", op, (unsigned)n, last);
    say_result("part", ws_send_part(e->c, op, filling(), n, last));
}

static void call_source(end *e)
{
    if (!e->source_left || seldom(10)) {
        e->source_left = seldom(3) ? dice(40000) : dice(300);
        e->source_seed = seed;
    }
    say_result("source", ws_send_from(e->c, seldom(30) ? 7 : WS_OP_TEXT, source_read, e));
}

static void call_ping(end *e)
{
    const char *data = seldom(2) ? filling() : NULL;
    size_t n = seldom(40) ? 126 : dice(126);

    if (seldom(2)) say_result("ping", ws_ping(e->c, data, data ? n : 0));
    else say_result("pong", ws_pong(e->c, filling(), n));
}

static void call_close(end *e)
{
    static const int codes[] = { 1000, 1000, 0, 1001, 1003, 1007, 1011, 1014, 3000, 4999 };
    static const char *const reasons[] = { NULL, "", "bye", "bad \xFF", "\xE2\x82\xAC", "long" };
    int code = seldom(6) ? (int)dice(5100) : PICK(codes);
    const char *reason = PICK(reasons);
    char text[160];

    if (reason && reason[0] == 'l') {
        memset(text, 0, sizeof text);
        memcpy(text, filling(), 121);
        strcat(text, "\xE2\x82\xAC\xE2\x82\xAC");
        reason = text;
    }
    say("  code %d\n", code);
    say_result("close", ws_close(e->c, code, reason));
}

static void call_drop(end *e)
{
    if (!seldom(4)) return;
    ws_drop(e->c);
    say("  dropped\n");
}

static void call_flow(end *e)
{
    int what = (int)dice(7);

    say("  flow %d\n", what);
    switch (what) {
    case 0: ws_pause(e->c); break;
    case 1: case 2: ws_resume(e->c); break;
    case 3: ws_cork(e->c); break;
    case 4: case 5: ws_uncork(e->c); break;
    default: ws_want_writable(e->c); break;
    }
}

static void call_accept(end *e)
{
    static const char *const protocols[] = { NULL, NULL, "chat", "superchat", "", "never" };
    int status = 290 + (int)dice(330);
    ws_answer answer;

    answer.protocol = PICK(protocols);
    answer.headers = any_lines();
    if (!seldom(6)) say_result("accept", ws_accept(e->c, seldom(3) ? NULL : &answer));
    else say_result("reject", ws_reject(e->c, status, answer.headers, seldom(2) ? "no" : NULL));
}

static void fill_with(void *user, void *at, size_t n)
{
    (void)user;
    memset(at, 'f', n);
}

static void call_http(end *e)
{
    static const int statuses[] = { 200, 200, 204, 304, 404, 405, 500, 100, 999 };
    int what = (int)dice(10), status = PICK(statuses);
    size_t n = any_size();
    const ws_header *lines = any_lines();

    say("  http %d status %d size %u\n", what, status, (unsigned)n);
    switch (what) {
    case 0:
        say_result("reply", ws_http_reply(e->c, status, lines, filling(), n));
        break;
    case 1: case 2: case 3:
        say_result("begin", ws_http_begin(e->c, status, lines, seldom(2)));
        break;
    case 4: case 5: case 6:
        say_result("write", ws_http_write(e->c, filling(), n));
        break;
    case 7:
        say_result("fill", ws_http_fill(e->c, n, fill_with, NULL));
        break;
    case 8:
        say_result("beat", ws_http_beat(e->c, ":\n\n", seldom(4) ? WS_NEVER : 1 + dice(900)));
        break;
    default:
        say_result("end", ws_http_end(e->c));
        break;
    }
}

static void act_on(end *e, const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_REQUEST:
        if (!seldom(4)) call_accept(e);
        break;
    case WS_EV_HTTP:
        if (!seldom(4)) call_http(e);
        if (seldom(4)) say_result("begin", ws_http_begin(e->c, 200, NULL, 0));
        if (seldom(4)) say_result("beat", ws_http_beat(e->c, ":\n\n", 100));
        break;
    case WS_EV_MESSAGE:
        if (seldom(3)) say_result("echo", ws_send(e->c, ev->op, ev->data, ev->size));
        break;
    case WS_EV_PART:
        if (seldom(6)) say_result("echo", ws_send_part(e->c, ev->op, ev->data, ev->size, ev->last));
        break;
    case WS_EV_PING:
        if (seldom(3)) say_result("answer", ws_pong(e->c, ev->data, ev->size));
        break;
    default:
        break;
    }
    if (seldom(12)) call_send(e);
    if (seldom(100)) call_close(e);
}

static void got_event(end *e, const ws_event *ev)
{
    say_event(e, ev);
    e->over |= ev->type == WS_EV_CLOSE;
    act_on(e, ev);
}

static void pull(end *e, int most)
{
    ws_event ev;
    int got = 1;

    while (most-- && got > 0) {
        memset(&ev, 0, sizeof ev);
        if (e->p->driver == BLOCKING && seldom(2)) got = ws_recv(e->c, &ev, (int)dice(2000));
        else got = ws_next(e->c, &ev);
        if (got > 0) got_event(e, &ev);
        else say_result("pull", got == WS_ERR_STATE ? -1 : got);    /* 0.1: -1 after CLOSE */
    }
}

/* ---- moving bytes and time ---- */

/* Gives up to most bytes of output away. Returns how many. */
static size_t drain(end *e, size_t most)
{
    size_t n, have;
    const void *p = ws_output(e->c, &have);

    n = least(have, most);
    say_data("output", p, n);
    say("  of %u\n", (unsigned)have);
    gives(e, p, n);
    ws_output_done(e->c, n);
    return n;
}

static void step(end *e)
{
    size_t at = e->at, sent = e->sent.n;

    transport_refill(e);
    ws_step(e->c);
    say("  taken %u\n", (unsigned)(e->at - at));
    say_data("written", e->sent.p + sent, e->sent.n - sent);
}

static void feed(end *e, size_t most)
{
    size_t n = least(e->in.n - e->at, most), taken;
    char *copy;

    if (e->p->driver != ENGINE) {
        step(e);
        return;
    }
    copy = (char *)malloc(n ? n : 1);       /* exact: reading past the end is a fault */
    if (n) memcpy(copy, e->in.p + e->at, n);
    taken = ws_feed(e->c, copy, n);
    free(copy);
    e->at += taken;
    say("  fed %u of %u\n", (unsigned)taken, (unsigned)n);
    if (e->in_over && e->at == e->in.n) ws_feed_end(e->c);
}

static void call_feed(end *e)
{
    static const size_t mosts[] = { 1, 3, 20, 140, 5000, 200000, 200000, 200000 };

    feed(e, PICK(mosts));
    if (seldom(2)) pull(e, 1 + (int)dice(5));
}

static void call_output(end *e)
{
    static const size_t mosts[] = { 0, 1, 3, 20, 500, 5000, 200000, 200000, 200000 };

    if (e->p->driver == ENGINE) drain(e, PICK(mosts));
    else step(e);
}

static void call_pull(end *e)
{
    pull(e, 1 + (int)dice(6));
}

static void tell_time(end *e)
{
    if (e->p->driver == ENGINE) ws_tick(e->c, now);
    else step(e);
}

static void call_time(end *e)
{
    int due = ws_timeout(e->c);
    uint32_t how = dice(8);

    if (how < 4 && due >= 0) now += (uint64_t)due + (how == 1) - (how == 2 && due);
    else if (how < 7) now += dice(300);
    else now += dice(30000);
    say("  after %d it is %u\n", due, (unsigned)now);
    tell_time(e);
    if (seldom(2)) pull(e, 3);
}

static void call_peer(end *e)
{
    int count = 1 + (int)dice(3);

    if (e->other) {
        if (!seldom(20)) call_send(e);
        else spoil(&e->in, e->at, 2);
        return;
    }
    if (e->p->http && !e->client && seldom(2)) {
        if (seldom(2)) call_http(e);
        else call_time(e);
        return;
    }
    while (count--) peer_says(e);
    if (seldom(300)) e->in_over = 1;
    if (seldom(3)) return;
    feed(e, 200000);
    pull(e, 4);
}

static void call_end(end *e)
{
    if (!seldom(8)) return;
    say("  the input ends\n");
    e->in_over = 1;
    if (e->p->driver == ENGINE) ws_feed_end(e->c);
}

static void call_ask(end *e)
{
    const void *rest;
    size_t n;

    say_head(e);
    ws_set_user(e->c, e);
    say("  user %d fd %d\n", ws_user(e->c) == e, (int)ws_fd(e->c));
    if (e->client && seldom(4)) {
        say_result("header", ws_reconnect_header(e->c, "X-Next", seldom(4) ? NULL : "1"));
        ws_reconnect_delay(e->c, dice(300));
    }
    if (e->p->driver == STEP && seldom(12)) {
        say_result("detach", (int)ws_detach(e->c, &rest, &n));
    }
}

static const struct { const char *name; uint32_t weight; void (*run)(end *e); } calls[] = {
    { "peer", 70, call_peer }, { "feed", 36, call_feed }, { "pull", 24, call_pull },
    { "output", 30, call_output }, { "time", 16, call_time }, { "send", 26, call_send },
    { "part", 10, call_part }, { "source", 8, call_source }, { "ping", 6, call_ping },
    { "close", 2, call_close }, { "drop", 1, call_drop }, { "flow", 12, call_flow },
    { "accept", 4, call_accept }, { "http", 8, call_http }, { "end", 1, call_end },
    { "ask", 2, call_ask }
};

/* ---- a script ---- */

/* Allocations and random numbers fail from the n-th of a call on, or only that one. */
static void arm(end *e)
{
    heap *h = &e->w.h;
    rng *r = &e->w.r;

    h->failed = h->fail_at = r->fail_at = 0;
    if (!e->p->failing) return;
    if (seldom(6)) h->fail_at = h->calls + 1 + (long)dice(6);
    h->fail_all = seldom(2);
    if (seldom(30)) r->fail_at = r->draws + 1 + (long)dice(3);
}

static void create(end *e, const profile *p, int client)
{
    static const char *const urls[] = {
        "ws://example.com/chat?x=1", "ws://user:p%40ss@example.com:81/", "ws://[::1]:9", "ws://a?b",
        "wss://example.com/", "http://example.com/a", "nonsense", "ws://a/#f", NULL
    };
    const char *url = seldom(4) ? PICK(urls) : urls[0];
    size_t early = e->in.n - e->at;
    ws_config cfg;
    ws_deflate d;

    world_init(&e->w);
    e->w.r.s = dice(1000000);
    e->p = p;
    e->client = client;
    configure(e, &cfg, &d);
    arm(e);
    transport_refill(e);
    if (!client && !e->other) peer_requests(e);
    if (client && p->driver == BLOCKING) e->c = ws_connect(url, &cfg);
    else if (client && p->driver == STEP) e->c = ws_open(url, &cfg);
    else if (client) e->c = ws_client_new(url, &cfg);
    else if (p->driver == ENGINE) e->c = ws_server_new(&cfg);
    else {
        early = seldom(3) ? dice((uint32_t)(e->in.n - e->at) + 1) : 0;
        e->c = ws_adopt(NULL, -1, e->in.p, early, &cfg);
        e->at += early;
    }
    say("  made %d\n", e->c != NULL);
    if (e->c && p->driver == ENGINE && !seldom(12)) ws_tick(e->c, now);
}

/* Both or one of them get through the opening handshake, mostly. */
static void open_up(int count)
{
    int rounds = seldom(8) ? 0 : 3, i;

    while (rounds--) {
        for (i = count; i-- > 0;) {
            end *e = &ends[i];
            if (e->p->driver != ENGINE) step(e);
            else while (drain(e, 100000)) {}
            if (!e->other) peer_answers(e);
            feed(e, 100000);
            pull(e, 2);
        }
    }
}

static void play_call(const uint8_t *group, int count)
{
    uint32_t total = 0, turn;
    size_t i;
    end *e;

    for (i = 0; i < sizeof calls / sizeof *calls; i++) total += calls[i].weight;
    turn = group[0] % total;
    for (i = 0; turn >= calls[i].weight; i++) turn -= calls[i].weight;
    e = &ends[dice((uint32_t)count)];
    say("# %s of the %s\n", calls[i].name, e->client ? "client" : "server");
    arm(e);
    looked = 0;
    calls[i].run(e);
    if (looked > 20000) say("  it spins\n");
    if (e->c && seldom(4) && e->p->driver == ENGINE) drain(e, 0);
    say_state(e);
    e->w.h.fail_at = e->w.r.fail_at = 0;
    if (e->in.n < 300000 && e->sent.n < 300000) return;
    buf_clear(&e->in);                      /* enough is enough */
    buf_clear(&e->sent);
    e->at = 0;
}

/* To the end, or freed as it is. */
static void finish(end *e)
{
    int i;

    say("# end of the %s\n", e->client ? "client" : "server");
    looked = 0;
    for (i = 0; i < 12 && !e->over && !seldom(12); i++) {
        if (i == 1) ws_resume(e->c);
        if (i == 2 && seldom(2)) say_result("close", ws_close(e->c, 1000, "bye"));
        if (i == 8) {
            e->in_over = 1;
            ws_feed_end(e->c);
        }
        feed(e, 100000);
        if (e->p->driver == ENGINE) drain(e, 100000);
        pull(e, 50);
        if (i > 4) now += (unsigned)ws_timeout(e->c) % 60000;
        tell_time(e);
    }
    say_state(e);
    say("# free of the %s\n", e->client ? "client" : "server");
    ws_free(e->c);
    say("  memory %ld %u\n", e->w.h.live, (unsigned)e->w.h.now);
    if (e->over || seldom(8)) return;
    e->c = NULL;                            /* every function takes NULL */
    for (i = 0; i < 20; i++) {
        size_t k = dice((uint32_t)(sizeof calls / sizeof *calls));
        if (calls[k].run != call_peer) calls[k].run(e);
    }
    say_state(e);
}

const size_t LOCKSTEP_SIZES[3] = { sizeof(ws__rx), sizeof(ws__tx), sizeof(ws__more) };

const char *LOCKSTEP(const uint8_t *script, size_t n, const uint8_t *bytes, size_t bytes_n)
{
    const profile *p;
    int count, i;

    buf_clear(&out);
    if (n < GROUP) return buf_c(&out);
    p = &profiles[script[0] % PROFILES];
    dice_of(script);
    say("# begin\n");
    file_bytes = bytes;
    file_left = bytes_n;
    now = seldom(3) ? 0xFFFFFF00u : 1000;
    count = p->roles == PAIR ? 2 : p->roles == LEAVES ? 0 : 1;
    memset(ends, 0, sizeof ends);
    for (i = 0; i < count; i++) {
        if (count == 2) ends[i].other = &ends[!i];
        create(&ends[i], p, p->roles == PAIR ? i : p->roles == CLIENT);
    }
    if (count) open_up(count);
    while ((n -= GROUP) >= GROUP) {
        script += GROUP;
        dice_of(script);
        if (count) play_call(script, count);
        else play_leaf();
    }
    for (i = 0; i < count; i++) {
        finish(&ends[i]);
    }
    for (i = 0; i < count; i++) {
        buf_free(&ends[i].in);
        buf_free(&ends[i].sent);
        free(ends[i].block);
    }
    return buf_c(&out);
}
