/* Fuzz target: the leaves. Input: 1 byte that chooses one, then its text.
   Proves: results point into the text, round trips, one piece equals many, wide equals plain. */
#include "fuzz.h"

static void inside(ws_str s, const uint8_t *p, size_t n)
{
    if (!s.data) { MUST(s.size == 0); return; }
    MUST((const uint8_t *)s.data >= p && (const uint8_t *)s.data + s.size <= p + n);
}

static void url(const uint8_t *p, size_t n)
{
    ws_url u;
    size_t i;
    int r = ws_url_parse((const char *)p, n, &u);

    MUST(r == 0 || r == WS_ERR_URL);
    if (r) return;
    inside(u.scheme, p, n);
    inside(u.user, p, n);
    inside(u.password, p, n);
    inside(u.host, p, n);
    inside(u.target, p, n);
    MUST(u.host.size > 0);
    MUST(u.is_unix ? u.port == 0 : u.port > 0);
    MUST(!u.is_unix || !u.secure);
    for (i = 0; i < n; i++) MUST(p[i] > 32 && p[i] < 127 && p[i] != '#');
    MUST(ws_str_is(u.scheme, "ws") || ws_str_is(u.scheme, "wss") || ws_str_is(u.scheme, "http") ||
         ws_str_is(u.scheme, "https") || ws_str_is(u.scheme, "ws+unix"));
}

static void list(const uint8_t *p, size_t n)
{
    ws_str rest, item;
    size_t items = 0;
    int has = 0;

    rest.data = (const char *)p;
    rest.size = n;
    while (ws_list_next(&rest, &item)) {
        inside(item, p, n);
        MUST(item.size > 0 && ++items <= n);
        MUST(item.data[0] != ' ' && item.data[item.size - 1] != ' ');
        has |= ws_str_is(item, "upgrade");
    }
    rest.data = (const char *)p;
    rest.size = n;
    MUST(ws_list_has(rest, "Upgrade") == has);
}

static void head(const uint8_t *p, size_t n)
{
    ws_head whole, bytes;
    ws_str h, a, b, c;
    size_t i, pos = 0;
    int r, k = 0, status;
    unsigned fields = 0;

    memset(&whole, 0, sizeof whole);
    memset(&bytes, 0, sizeof bytes);
    whole.max_size = bytes.max_size = 600;
    whole.max_fields = bytes.max_fields = 8;
    r = ws_head_scan(&whole, p, n);
    for (i = 0; i <= n && k == 0; i++) {
        uint8_t *piece = fuzz_copy(p, i);
        k = ws_head_scan(&bytes, piece, i);
        free(piece);
    }
    MUST(k == r);
    MUST(r <= (int)n && r <= 600);
    if (r < 0) MUST(r == WS_ERR_HEAD_SYNTAX || r == WS_ERR_HEAD_SIZE || r == WS_ERR_HEAD_FIELDS);
    if (r <= 0) return;
    MUST(r >= 4 && !memcmp(p + r - 4, "\r\n\r\n", 4));
    h.data = (const char *)p;
    h.size = (size_t)r;
    if (ws_head_request(h, &a, &b, &c) == 0) { inside(a, p, n); inside(b, p, n); inside(c, p, n); }
    if (ws_head_answer(h, &a, &status, &b) == 0) {
        inside(a, p, n);
        inside(b, p, n);
        MUST(status >= 100 && status <= 999);
    }
    while (ws_head_field(h, &pos, &a, &b)) {
        inside(a, p, n);
        inside(b, p, n);
        MUST(a.size > 0 && ++fields <= whole.fields);
    }
    MUST(fields == whole.fields);
}

static void base64(const uint8_t *p, size_t n)
{
    uint8_t *out = (uint8_t *)malloc(n / 4 * 3 + 1);
    char *text = (char *)malloc((n + 2) / 3 * 4 + 1);
    uint8_t *back = (uint8_t *)malloc(n + 3);
    ptrdiff_t got;
    size_t m;

    MUST(out && text && back);
    got = ws_base64_decode((const char *)p, n, out);
    MUST(got <= (ptrdiff_t)(n / 4 * 3));
    if (got >= 0) {             /* canonical: it is the only text for these bytes */
        m = ws__base64_encode(out, (size_t)got, text);
        MUST(m == n && !memcmp(text, p, n) && text[m] == 0);
    }
    m = ws__base64_encode(p, n, text);
    MUST(m == (n + 2) / 3 * 4 && text[m] == 0);
    MUST(ws_base64_decode(text, m, back) == (ptrdiff_t)n && !memcmp(back, p, n));
    free(out);
    free(text);
    free(back);
}

/* RFC 3629's table, one character at a time: the length of the valid prefix and whether it
   ends with a whole character. The first byte that no valid text can have is at *bad. */
static size_t utf8_plain(const uint8_t *p, size_t n, int *whole)
{
    size_t i = 0, k, need;

    *whole = 1;
    while (i < n) {
        uint8_t b = p[i], low = 0x80, high = 0xBF;
        if (b < 0x80) { i++; continue; }
        if (b < 0xC2 || b > 0xF4) return i;
        need = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
        if (b == 0xE0) low = 0xA0;
        if (b == 0xED) high = 0x9F;
        if (b == 0xF0) low = 0x90;
        if (b == 0xF4) high = 0x8F;
        for (k = 1; k <= need; k++) {
            if (i + k == n) { *whole = 0; return n; }
            if (p[i + k] < low || p[i + k] > high) return i + k;
            low = 0x80;
            high = 0xBF;
        }
        i += need + 1;
    }
    return n;
}

static void utf8(const uint8_t *p, size_t n)
{
    uint32_t a = 0, b = 0;
    size_t i, at, wide = ws_utf8(&a, p, n), split = n / 2;
    int whole;

    at = utf8_plain(p, n, &whole);
    MUST(wide == at);
    if (wide < n) MUST(a == 1 && ws_utf8(&a, p, n) == 0);
    else MUST((a == 0) == whole);
    for (i = 0; i < n; i++) if (ws_utf8(&b, p + i, 1) != 1) break;
    MUST(i == wide && a == b);
    b = 0;
    if (ws_utf8(&b, p, split) == split) MUST(split + ws_utf8(&b, p + split, n - split) == wide);
    else MUST(wide < split);
}

static void mask(const uint8_t *p, size_t n)
{
    uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 }, *out = fuzz_copy(p, n), *two = fuzz_copy(p, n);
    size_t i, offset = n ? p[0] : 0, split = n ? p[n - 1] % n : 0;

    ws_mask(out, p, n, key, offset);
    for (i = 0; i < n; i++) MUST(out[i] == (uint8_t)(p[i] ^ key[(offset + i) % 4]));
    ws_mask(two, two, split, key, offset);
    ws_mask(two + split, two + split, n - split, key, offset + split);
    MUST(!memcmp(out, two, n));
    free(out);
    free(two);
}

static void frame(const uint8_t *p, size_t n)
{
    ws_frame f;
    uint8_t out[WS_FRAME_HEADER_MAX];
    size_t i;
    int r = ws_frame_decode(p, n, &f);

    MUST(r <= WS_FRAME_HEADER_MAX && r <= (int)(n < 100 ? n : 100) && r != 1);
    if (r < 0) MUST(r == WS_ERR_LENGTH || r == WS_ERR_LENGTH_SIGN);
    if (r <= 0) return;
    MUST(f.size >> 63 == 0 && f.op < 16 && f.rsv < 8 && f.fin < 2 && f.masked < 2);
    MUST(ws_frame_encode(&f, out) == r && !memcmp(out, p, (size_t)r));
    for (i = 0; i < (size_t)r; i++) {
        uint8_t *piece = fuzz_copy(p, i);
        MUST(ws_frame_decode(piece, i, &f) == 0);
        free(piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const leaves[])(const uint8_t *, size_t) = {
        url, list, head, base64, utf8, mask, frame
    };
    uint8_t *copy;

    if (size < 1) return 0;
    copy = fuzz_copy(data + 1, size - 1);
    leaves[data[0] % 7](copy, size - 1);
    free(copy);
    return 0;
}
