/* What a made-up peer says: requests, answers, frames; mostly right. */
#ifndef LOCKSTEP_PEER_H
#define LOCKSTEP_PEER_H
#include "base.h"

/* ---- HTTP ---- */

static void put_line(buf *b, const char *name, const char *value)
{
    if (seldom(40)) value = seldom(2) ? "" : "something, else";
    if (seldom(60)) return;
    do {
        buf_str(b, seldom(100) ? "X-Other" : name);
        buf_str(b, seldom(50) ? " :" : ": ");
        buf_str(b, value);
        buf_str(b, seldom(100) ? "\n" : "\r\n");
    } while (seldom(60));
}

static void put_sized_line(buf *b, const char *name, size_t size)
{
    char text[24];

    sprintf(text, "%u", (unsigned)size);
    put_line(b, name, text);
}

static const char *any_offer(void)
{
    static const char *const offers[] = {
        "permessage-deflate", "permessage-deflate", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"11\"",
        "permessage-deflate; server_max_window_bits=99", "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits=8, permessage-deflate", "x-flip",
        "x-flip; level=1", "x-flip, permessage-deflate", "x-unknown, permessage-deflate", ";;",
        "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9"
    };
    return PICK(offers);
}

static void spoil(buf *b, size_t from, uint32_t one_in)
{
    size_t at;

    if (b->n <= from || !seldom(one_in)) return;
    at = from + dice((uint32_t)(b->n - from));
    b->p[at] ^= (char)(1 << dice(8));
}

static void put_extra_lines(buf *b)
{
    static const char *const pairs[][2] = {
        { "Origin", "http://example.com" }, { "Origin", "https://x.example.org:8443" },
        { "Origin", "null" }, { "Origin", "http://evil.example" }, { "Origin", "file://" },
        { "Sec-WebSocket-Protocol", "chat" }, { "Sec-WebSocket-Protocol", "x, superchat, two" },
        { "Cookie", "a=b; id=%41\"; n=1" }, { "X-Forwarded-For", "192.0.2.7, [2001:db8::1]:5" },
        { "X-Forwarded-Host", "other.example" }, { "Content-Length", "5" },
        { "Transfer-Encoding", "chunked" }, { "X-Space", "\t a \t" }, { "User-Agent", "peer" },
        { "Accept", "text/event-stream" }, { "Content-Length", "99999999999999999999" },
        { "Expect", "100-continue" }, { "Last-Event-ID", "7" }
    };
    int n = (int)dice(4);

    while (n--) {
        const char *const *pair = PICK(pairs);
        put_line(b, pair[0], pair[1]);
    }
    if (!seldom(30)) return;
    buf_str(b, "X-Long: ");
    put_filling(b, dice(9000));
    buf_str(b, "\r\n");
}

static void peer_requests(end *e)
{
    static const char *const targets[] = {
        "/chat", "/chat?x=1&y=%41+b", "/", "/a/b/c", "/x/b", "*", "http://example.com/chat?q=2",
        "", "/%2e", "chat"
    };
    static const char *const methods[] = { "POST", "HEAD", "OPTIONS", "PUT", "G@T", "get" };
    static const char *const versions[] = { "HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.2", "" };
    static const char *const hosts[] = { "example.com", "example.com:80", "[::1]:9", "a b", "" };
    int http = e->p->http ? !seldom(8) : seldom(12);
    buf *b = &e->in;
    size_t from = b->n;

    if (seldom(20)) buf_str(b, seldom(3) ? "\r\n\r\n\r\n" : "\r\n");
    buf_str(b, seldom(http ? 3 : 30) ? PICK(methods) : "GET");
    buf_str(b, " ");
    buf_str(b, seldom(2) ? PICK(targets) : "/chat");
    buf_str(b, " ");
    buf_str(b, seldom(http ? 8 : 50) ? PICK(versions) : "HTTP/1.1");
    buf_str(b, "\r\n");
    put_line(b, "Host", seldom(8) ? PICK(hosts) : "example.com");
    if (!http || seldom(10)) {
        char key[25];
        uint8_t raw[16];
        size_t i;
        for (i = 0; i < 16; i++) raw[i] = (uint8_t)dice(256);
        my_base64(raw, 16, key);
        if (seldom(40)) key[dice(24)] = '=';
        put_line(b, "Upgrade", "websocket");
        put_line(b, "Connection", seldom(4) ? "keep-alive, upgrade" : "Upgrade");
        put_line(b, "Sec-WebSocket-Key", key);
        put_line(b, "Sec-WebSocket-Version", seldom(20) ? "8" : "13");
        if (seldom(e->p->deflate ? 1 : 6)) put_line(b, "Sec-WebSocket-Extensions", any_offer());
    }
    put_extra_lines(b);
    buf_str(b, "\r\n");
    spoil(b, from, 30);
    if (http && seldom(4)) buf_str(b, "5\r\nhello\r\n0\r\n\r\n");
    e->answered = 1;
}

static void put_body(buf *b, int chunked, size_t left)
{
    while (chunked && left) {
        size_t n = 1 + dice((uint32_t)left);
        char text[40];
        sprintf(text, seldom(8) ? "%x;a=\"b\"\r\n" : "%X\r\n", (unsigned)n);
        buf_str(b, text);
        put_filling(b, n);
        buf_str(b, seldom(60) ? "\n" : "\r\n");
        left -= n;
    }
    if (chunked) buf_str(b, seldom(4) ? "0\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n");
    else put_filling(b, left);
}

static void put_ordinary_answer(buf *b, int fine)
{
    static const int statuses[] = {
        200, 200, 204, 206, 301, 302, 307, 400, 401, 403, 404, 426, 429, 500, 503, 304, 100
    };
    int chunked = seldom(3), status = fine ? 200 + (int)dice(2) : PICK(statuses);
    size_t size = seldom(5) ? dice(9000) : dice(300);
    char line[60];

    sprintf(line, "HTTP/1.%d %d Some words\r\n", !seldom(8), status);
    buf_str(b, line);
    if (chunked) put_line(b, "Transfer-Encoding", seldom(20) ? "gzip, chunked" : "chunked");
    else if (!seldom(4)) put_sized_line(b, "Content-Length", seldom(10) ? size + 5 : size);
    if (seldom(6)) put_line(b, "Location", "/elsewhere");
    if (seldom(6)) put_line(b, "Retry-After", "3");
    put_extra_lines(b);
    buf_str(b, "\r\n");
    put_body(b, chunked, size);
}

/* Answers the request of a client, once it is whole. */
static void peer_answers(end *e)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    static const char *const protocols[] = { "chat", "superchat", "two", "other", "" };
    static const char *const extensions[] = {
        "permessage-deflate", "permessage-deflate", "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; client_no_context_takeover", "x-flip", "x-flip; level=1", "x-unknown",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits=10", "permessage-deflate, permessage-deflate"
    };
    char accept[29] = "";
    buf *b = &e->in;
    size_t from = b->n;
    const char *request = buf_c(&e->sent), *key = strstr(request, name);

    if (e->answered || e->other || !e->client || !head_size(&e->sent)) return;
    e->answered = 1;
    if (key) my_accept(key + sizeof name - 1, 24, accept);
    if (seldom(20)) accept[dice(27)] ^= 1;
    if (!key || seldom(12)) {
        put_ordinary_answer(b, !key && !seldom(4));
    } else {
        if (seldom(30)) buf_str(b, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        buf_str(b, seldom(40) ? "HTTP/1.0 101 x\r\n" : "HTTP/1.1 101 Switching Protocols\r\n");
        put_line(b, "Upgrade", seldom(40) ? "h2c" : "WebSocket");
        put_line(b, "Connection", "Upgrade");
        put_line(b, "Sec-WebSocket-Accept", accept);
        if (strstr(request, "-Protocol:") ? !seldom(5) : seldom(40))
            put_line(b, "Sec-WebSocket-Protocol", seldom(3) ? PICK(protocols) : "chat");
        if (strstr(request, "-Extensions:") ? !seldom(5) : seldom(40)) {
            put_line(b, "Sec-WebSocket-Extensions",
                     strstr(request, "x-flip") && seldom(2) ? "x-flip" : PICK(extensions));
        }
        if (seldom(5)) put_extra_lines(b);
        buf_str(b, "\r\n");
    }
    spoil(b, from, 40);
}

/* ---- frames ---- */

static void peer_frame(end *e, int first, const void *data, size_t n)
{
    uint8_t head[14], key[4], *h = head;
    int masked = e->client ? 0 : 0x80, form = n > 65535 ? 8 : n > 125 ? 2 : 1, i;
    buf *b = &e->in;
    size_t at, k;

    if (seldom(150)) masked ^= 0x80;
    if (seldom(150) && n < 100) form = seldom(2) ? 2 : 8;
    if (seldom(120)) first ^= 1 << dice(8);
    *h++ = (uint8_t)first;
    *h++ = (uint8_t)(masked | (form == 1 ? (int)n : form == 2 ? 126 : 127));
    for (i = form == 1 ? 0 : form; i-- > 0;) *h++ = (uint8_t)((uint64_t)n >> (8 * i));
    if (seldom(400) && form == 8) h[-8] ^= 0x80;
    for (i = 0; i < 4; i++) key[i] = (uint8_t)dice(256);
    if (seldom(4)) memset(key, 0, 4);
    if (masked) {
        memcpy(h, key, 4);
        h += 4;
    }
    buf_add(b, head, (size_t)(h - head));
    at = b->n;
    buf_add(b, data, n);
    for (k = 0; masked && k < n; k++) b->p[at + k] = (char)(b->p[at + k] ^ key[k % 4]);
}

static void put_text(buf *b, size_t n)
{
    static const char *const good[] = {
        "a", "plain words ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"
    };
    static const char *const bad[] = {
        "\xC0\x80", "\xC3", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5", "\x80", "\xFF",
        "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xC3\xC3", "\xF0\x9F\x98"
    };
    size_t from = b->n;

    if (n > 500) put_filling(b, n - 100);
    while (b->n - from < n) {
        const char *piece = seldom(3) ? PICK(good) : "0123456789";
        buf_str(b, piece);
    }
    if (seldom(25)) buf_str(b, PICK(bad));
    if (seldom(100)) buf_str(b, "more");
}

static void put_payload(buf *b, int op, size_t n)
{
    static const uint8_t numbers[] = "\1\2\3\377\376";

    if (op == WS_OP_TEXT) put_text(b, n);
    else if (n < 50 && seldom(2)) buf_add(b, numbers, n % 6);
    else put_filling(b, n);
}

/* Packs what is in b as zlib or the codec of ours would, without its end. */
static void pack_deflate(buf *b)
{
    size_t in_size = b->n, out_size = 2 * b->n + 100;
    char *packed = (char *)malloc(out_size);

#ifdef WS_USE_ZLIB
    if (!seldom(3)) {
        z_stream z;
        memset(&z, 0, sizeof z);
        deflateInit2(&z, 6, Z_DEFLATED, -9, 1, seldom(2) ? Z_FIXED : Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)buf_c(b);
        z.avail_in = (uInt)in_size;
        z.next_out = (Bytef *)packed;
        z.avail_out = (uInt)out_size;
        deflate(&z, seldom(8) ? Z_FINISH : Z_SYNC_FLUSH);
        out_size -= z.avail_out;
        deflateEnd(&z);
    } else
#endif
        runs_deflate(NULL, buf_c(b), &in_size, packed, &out_size, 1);
    if (out_size >= 4 && !seldom(30)) out_size -= 4;
    buf_clear(b);
    buf_add(b, packed, out_size);
    free(packed);
}

static void peer_control(end *e)
{
    buf b = { 0 };
    int op = seldom(2) ? WS_OP_PING : WS_OP_PONG;
    size_t n = seldom(60) ? 126 : dice(126);

    put_payload(&b, WS_OP_BINARY, seldom(3) ? n : n % 10);
    peer_frame(e, (seldom(150) ? 0 : 0x80) | op, b.p, least(b.n, n));
    buf_free(&b);
}

static void peer_closes(end *e)
{
    static const int codes[] = {
        1000, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999,
        0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535
    };
    int code = seldom(8) ? (int)dice(5200) : PICK(codes);
    buf b = { 0 };

    buf_byte(&b, code >> 8);
    buf_byte(&b, code);
    if (seldom(2)) put_text(&b, dice(115));
    if (seldom(6)) b.n = 0;
    else if (seldom(20)) b.n = 1;
    peer_frame(e, 0x88, b.p, least(b.n, seldom(60) ? 126 : 125));
    buf_free(&b);
}

/* A message in one frame or more, perhaps packed, perhaps with pings between, perhaps not
   ended: the next call goes on. */
static void peer_message(end *e)
{
    const char *in_use = ws_extensions(e->c);
    int op = e->part_op ? e->part_op : seldom(2) ? WS_OP_TEXT : WS_OP_BINARY, first = op, packed;
    int count = seldom(3) ? 1 + (int)dice(5) : 1;
    buf b = { 0 };
    size_t at = 0, i;

    say_text("in use", in_use);
    packed = *in_use ? !seldom(4) && !e->part_op : seldom(300);
    put_payload(&b, op, any_size());
    if (packed && *in_use == 'x') {
        for (i = 0; i < b.n; i++) b.p[i] ^= 1;
        first |= 0x20;
    } else if (packed) {
        pack_deflate(&b);
        first |= 0x40;
    }
    if (packed) spoil(&b, 0, 20);
    if (e->part_op) first = 0;
    if (seldom(150)) first = first ? 0 : op;
    while (count--) {
        size_t n = count ? dice((uint32_t)(b.n - at) + 1) : b.n - at;
        int last = !count && !seldom(20);
        peer_frame(e, first | (last ? 0x80 : 0), buf_c(&b) + at, n);
        first = 0;
        at += n;
        e->part_op = last ? 0 : op;
        if (count && seldom(4)) peer_control(e);
    }
    buf_free(&b);
}

static void peer_file(end *e)
{
    size_t n = least(file_left, 1 + dice(200));

    buf_add(&e->in, file_bytes, n);
    file_bytes += n;
    file_left -= n;
}

static void peer_says(end *e)
{
    uint32_t what = dice(40);

    if (!e->answered) {
        peer_answers(e);
    } else if (file_left && seldom(2)) {
        peer_file(e);
    } else if (what < 28) {
        peer_message(e);
    } else if (what < 37) {
        peer_control(e);
    } else if (what < 38) {
        peer_closes(e);
    } else if (what < 39 && seldom(4)) {
        put_filling(&e->in, 1 + dice(40));
    } else if (e->client && e->p->http) {
        int chunked = seldom(2);
        put_body(&e->in, chunked, dice(500));
    } else if (seldom(4)) {
        int first = (int)dice(256);
        peer_frame(e, first, filling_at(0), dice(140));
    }
}

#endif
