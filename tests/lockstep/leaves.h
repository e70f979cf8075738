/* The functions that need no connection. */
#ifndef LOCKSTEP_LEAVES_H
#define LOCKSTEP_LEAVES_H
#include "peer.h"

static void leaf_frame(buf *b)
{
    static const int forms[] = { 1, 100, 126, 127, 126, 127 };
    ws_frame f;
    uint8_t header[WS_FRAME_HEADER_MAX];
    size_t n;
    int r;

    for (n = 0; n < 14; n++) buf_byte(b, seldom(2) ? 0 : (int)dice(256));
    b->p[1] = (char)PICK(forms);
    if (seldom(2)) b->p[1] = (char)(b->p[1] | 0x80);
    memset(&f, 0, sizeof f);
    r = ws_frame_decode(b->p, dice(15), &f);
    say("  decode %d size %llx fin %d rsv %d op %d masked %d\n", r, (unsigned long long)f.size,
        f.fin, f.rsv, f.op, f.masked);
    if (seldom(3)) f.size = rng_next(&seed);
    if (seldom(2)) f.size >>= dice(64);
    n = length_of((long long)ws_frame_encode(&f, header));
    say_data("encode", header, n);
}

static void leaf_bytes(buf *b)
{
    uint8_t digest[20], key[4] = { 1, 2, 250, 200 };
    char text[500], accept[29];
    uint32_t state = 0;
    size_t n, cut;
    ptrdiff_t size;

    put_text(b, dice(200));
    spoil(b, 0, 3);
    cut = dice((uint32_t)b->n + 1);
    n = ws_utf8(&state, buf_c(b), cut);
    say("  utf8 %u state %u", (unsigned)n, (unsigned)state);
    n = ws_utf8(&state, buf_c(b) + cut, b->n - cut);
    say(" %u state %u\n", (unsigned)n, (unsigned)state);
    ws_sha1(b->p, b->n, digest);
    say_data("sha1", digest, 20);
    n = ws_base64_encode(b->p, least(b->n, 300), text);
    say_data("base64", text, n);
    if (n && seldom(2)) text[dice((uint32_t)n)] ^= 4;
    size = ws_base64_decode(text, n, text);
    say_length("decoded", size);
    if (size > 0) say_data("decoded", text, (size_t)size);
    ws_mask(b->p, b->p, b->n, key, dice(8));
    say_data("masked", b->p, b->n);
    ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept);
    say_text("accept", accept);
    say_text("close", ws_close_text(990 + (int)dice(40)));
    say_text("error", ws_error_string(5 - (int)dice(74)));      /* of those that 0.1 has */
}

static void leaf_head(buf *b)
{
    ws_str head, name, value, version;
    end e;
    ws_head scan;
    size_t pos = 0;
    int status, r;

    memset(&e, 0, sizeof e);
    e.p = &profiles[seldom(2) ? 0 : 3];
    if (seldom(3)) put_ordinary_answer(&e.in, 0);
    else peer_requests(&e);
    buf_add(b, e.in.p, e.in.n);
    buf_free(&e.in);
    memset(&scan, 0, sizeof scan);
    scan.max_fields = seldom(3) ? 4 : 0;
    if (seldom(3)) ws_head_scan(&scan, b->p, dice((uint32_t)b->n));
    r = ws_head_scan(&scan, b->p, b->n);
    say("  scan %d scanned %u fields %u\n", r, (unsigned)scan.scanned, (unsigned)scan.fields);
    head.data = b->p;
    head.size = r > 0 ? (size_t)r : 0;
    say("  upgrade %d\n", ws_is_upgrade(head));
    if (r <= 0) return;
    r = ws_head_request(head, &name, &value, &version);
    say_result("request", r);
    if (!r) say_data("target", value.data, value.size);
    r = ws_head_answer(head, &version, &status, &value);
    say_result("answer", r);
    if (!r) say("  status %d\n", status);
    while (ws_head_field(head, &pos, &name, &value)) {
        say_data("name", name.data, name.size);
        say_data("value", value.data, value.size);
        say("  has %d is %d\n", ws_list_has(value, "upgrade"), ws_str_is(value, "websocket"));
    }
}

static void leaf_lists(buf *b)
{
    ws_str list, item, name;
    char value[20];
    int r;

    buf_str(b, any_offer());
    spoil(b, 0, 2);
    list.data = b->p;
    list.size = b->n;
    while (ws_list_next(&list, &item)) {
        say_data("item", item.data, item.size);
        while (item.size && *item.data != ';') {
            item.data++;
            item.size--;
        }
        while ((r = ws_param_next(&item, &name, value, 1 + dice(20))) > 0) {
            say_data("name", name.data, name.size);
            say_text("value", value);
        }
        say_length("params", r);
    }
}

static void leaf_url(buf *b)
{
    static const char *const urls[] = {
        "ws://example.com/chat?x=1", "wss://user:p%40@example.com:8443", "ws://[fe80::1%25en0]:9/",
        "ws+unix:/run/app.sock:/path", "HTTP://a:80?q", "https://a.b.c.",
        "ws://a:65536/", "ws://:1",
        "ws://1.2.3.4/%zz", "ws://[::ffff:1.2.3.4]/", "ws://a b/", "ws://a/#", "ftp://a", ""
    };
    ws_url u;
    int r;

    buf_str(b, PICK(urls));
    spoil(b, 0, 2);
    memset(&u, 0, sizeof u);
    r = ws_url_parse(buf_c(b), b->n, &u);
    say("  url %d port %d secure %d ipv6 %d unix %d default %d\n", r, u.port, u.secure, u.ipv6,
        u.is_unix, u.default_port);
    if (r) return;
    say_data("scheme", u.scheme.data, u.scheme.size);
    say_data("user", u.user.data, u.user.size);
    say_data("password", u.password.data, u.password.size);
    say_data("host", u.host.data, u.host.size);
    say_data("target", u.target.data, u.target.size);
}

static void leaf_formats(buf *b)
{
    static const char *const texts[] = { NULL, "a", "/a", "a;b", "a b", "Lax", "\xC3\xA9", "x\n" };
    ws_set_cookie cookie;
    char text[200];
    const ws_header *lines = any_lines();
    const char *target = seldom(3) ? "bad target" : "/chat";
    size_t n;

    memset(&cookie, 0, sizeof cookie);
    cookie.name = seldom(8) ? PICK(texts) : "id";
    cookie.value = PICK(texts);
    if (seldom(2)) cookie.path = PICK(texts);
    if (seldom(3)) cookie.domain = PICK(texts);
    if (seldom(3)) cookie.same_site = PICK(texts);
    cookie.max_age = (long)dice(3) - 1;
    cookie.secure = seldom(2);
    cookie.http_only = seldom(2);
    memset(text, 0, sizeof text);
    say_length("cookie", ws_cookie_format(&cookie, text, 10 + dice(180)));
    say_text("cookie", text);
    memset(text, 0, sizeof text);
    n = length_of((long long)ws_head_format(text, 10 + dice(180), "GET", target, lines));
    say_data("head", text, n);
    (void)b;
}

static void leaf_tunnel(buf *b)
{
    static const char *const proxies[] = {
        "http://user:pass@proxy:3128", "socks5://proxy", "socks5://u:p@proxy:1080", "ftp://x",
        "http://proxy"
    };
    static ws_tunnel t;
    int i, r, socks;
    const void *p;
    size_t n, taken;
    const char *proxy = PICK(proxies);

    memset(&t, 0, sizeof t);
    r = ws_tunnel_init(&t, proxy, "example.com", 80, any_lines());
    say_result("tunnel", r);
    if (r) return;
    socks = proxy[0] == 's';
    for (i = 0; i < 5 && !t.result; i++) {
        p = ws_tunnel_output(&t, &n);
        say_data("output", p, n);
        ws_tunnel_output_done(&t, seldom(8) ? n / 2 : n);
        buf_clear(b);
        if (!socks) put_ordinary_answer(b, !seldom(4));
        else if (i == 0) buf_add(b, seldom(2) ? "\5\0" : "\5\2", 2);
        else if (i == 1 && seldom(2)) buf_add(b, "\1\0", 2);
        else buf_add(b, "\5\0\0\1\1\2\3\4\0\120", 10);
        spoil(b, 0, 8);
        taken = ws_tunnel_feed(&t, b->p, b->n);
        say("  taken %u result %d status %d\n", (unsigned)taken, t.result, t.status);
        say_text("text", t.text);
    }
    ws_tunnel_feed_end(&t);
    say_result("ended", t.result);
}

static void play_leaf(void)
{
    static void (*const leaves[])(buf *b) = {
        leaf_frame, leaf_bytes, leaf_head, leaf_lists, leaf_url, leaf_formats, leaf_tunnel
    };
    uint32_t which = dice(7);
    buf b = { 0 };

    say("# leaf %u\n", which);
    buf_clear(&b);
    leaves[which](&b);
    buf_free(&b);
}

#endif
