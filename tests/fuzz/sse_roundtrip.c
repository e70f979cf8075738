/* Fuzz target: the writer of event streams. Input: 1 byte that says which fields there are, 3
   with the sizes of event name, id and comment, 2 for retry, then their bytes, and data. Proves:
   an event is written if and only if its values can be read back, and then the reference parser
   and the reader give exactly them, and writing them again gives the same bytes. */
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "fuzz.h"
#include "../sse_reference.h"

static int sink(void *user, const void *p, size_t n)
{
    MUST(n > 0);
    ref_add((ref_text *)user, (const char *)p, n);
    return 0;
}

/* A text that has n bytes and, only if that says nothing, a NUL. */
static char *text_of(const uint8_t **p, size_t *left, size_t n)
{
    char *s;

    if (n > *left) n = *left;
    s = (char *)malloc(n ? n : 1);
    MUST(s);
    if (n) memcpy(s, *p, n);
    else s[0] = 0;
    *p += n;
    *left -= n;
    return s;
}

static int is_text(const char *s, size_t n, const char *bad, size_t bad_n)
{
    ref_text decoded;
    int good;
    size_t i;

    memset(&decoded, 0, sizeof decoded);
    ref_clear(&decoded);
    ref_decode(s, n, &decoded);
    good = decoded.size == n && !memcmp(decoded.data, s, n);
    for (i = 0; i < bad_n; i++) good &= !memchr(s, bad[i], n);
    ref_free(&decoded);
    return good;
}

static void write_to(const ws_sse_message *m, ref_text *out)
{
    ptrdiff_t n = ws_sse_format(m, NULL, 0);
    char *exact;

    MUST(n > 0);
    exact = (char *)malloc((size_t)n);
    MUST(exact && ws_sse_format(m, exact, (size_t)n) == n);
    ref_clear(out);
    MUST(ws_sse_write(m, sink, out) == 0);
    MUST(out->size == (size_t)n && !memcmp(out->data, exact, (size_t)n));
    free(exact);
}

static void read_back(const ws_sse_message *m, ref_text *wire, const ref_text *data)
{
    size_t memory_n = 8 * (m->event_size + m->id_size) + 2 * data->size + 64, left = wire->size;
    char *memory = (char *)malloc(memory_n);
    const char *s = wire->data;
    ref_text again;
    ws_sse_parser p;
    ws_sse_event ev;
    ws_sse_message copy;

    MUST(memory && ws_sse_parser_init(&p, memory, memory_n) == 0);
    MUST(ws_sse_parse(&p, &s, &left, &ev) == (m->data != NULL));
    MUST(left == 0 && p.retry == (m->retry ? m->retry : -1));
    if (m->data) {
        memset(&again, 0, sizeof again);
        MUST(ev.first && ev.last && ev.size == data->size && !memcmp(ev.data, data->data, ev.size));
        copy = *m;
        copy.event = m->event_size ? ev.event : NULL;
        copy.event_size = m->event_size ? ev.event_size : 0;
        copy.id = m->id ? ev.id : NULL;
        copy.id_size = 0;
        copy.data = ev.data;
        copy.size = ev.size;
        write_to(&copy, &again);
        MUST(ref_same(&again, wire));
        ref_free(&again);
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size)
{
    ws_sse_message m;
    ref_text wire, data;
    ref_log want, have;
    size_t sizes[3], i;
    char *texts[4];
    int fields, fault, expected;

    if (size < 6) return 0;
    fields = in[0];
    for (i = 0; i < 3; i++) sizes[i] = in[1 + i];
    memset(&m, 0, sizeof m);
    m.retry = fields & 16 ? in[4] * 256 + in[5] : 0;
    in += 6;
    size -= 6;
    for (i = 0; i < 3; i++) {
        if (sizes[i] > size || !(fields >> i & 1)) sizes[i] = 0;
        texts[i] = text_of(&in, &size, sizes[i]);
    }
    m.event_size = sizes[0];
    m.id_size = sizes[1];
    m.comment_size = sizes[2];
    m.size = fields & 8 ? size : 0;
    texts[3] = text_of(&in, &size, m.size);
    if (fields & 1) m.event = texts[0];
    if (fields & 2) m.id = texts[1];
    if (fields & 4) m.comment = texts[2];
    if (fields & 8) m.data = texts[3];

    expected = !is_text(texts[0], sizes[0], "\r\n", 2) ? WS_SSE_ERR_EVENT
             : !is_text(texts[1], sizes[1], "\r\n", 3) ? WS_SSE_ERR_ID
             : !is_text(texts[2], sizes[2], "\r\n", 2) ? WS_SSE_ERR_COMMENT
             : !is_text(texts[3], m.size, "", 0) ? WS_SSE_ERR_DATA
             : sizes[0] && !m.data ? WS_SSE_ERR_NO_DATA : 0;
    memset(&wire, 0, sizeof wire);
    memset(&data, 0, sizeof data);
    memset(&want, 0, sizeof want);
    memset(&have, 0, sizeof have);
    fault = ws_sse_write(&m, NULL, NULL);
    MUST(fault == expected && (fault >= 0 || ws_sse_format(&m, NULL, 0) == fault));
    if (!fault) {
        ref_clear(&data);
        for (i = 0; i < m.size; i++)
            if (texts[3][i] != '\n' || !i || texts[3][i - 1] != '\r')
                ref_add(&data, texts[3][i] == '\r' ? "\n" : texts[3] + i, 1);
        ref_log_clear(&want);
        if (m.data)
            ref_log_event(&want, sizes[0] ? m.event : "message", sizes[0] ? sizes[0] : 7, texts[1],
                          sizes[1], data.data, data.size);
        ref_add(&want.last_id, texts[1], sizes[1]);
        want.retry = m.retry ? m.retry : -1;
        write_to(&m, &wire);
        ref_parse(wire.data, wire.size, 0, &have);
        MUST(ref_log_same(&have, &want));
        read_back(&m, &wire, &data);
    }
    for (i = 0; i < 4; i++) free(texts[i]);
    ref_free(&wire);
    ref_free(&data);
    ref_log_free(&want);
    ref_log_free(&have);
    return 0;
}
