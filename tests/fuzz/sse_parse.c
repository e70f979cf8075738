/* Fuzz target: the reader of event streams. Input: 1 byte for the size of the parser's memory,
   3 for the sizes of pieces, then the stream. Proves: the same events as the reference parser,
   whole and in pieces, undecoded and decoded; parts fill the memory, whatever the pieces. */
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "fuzz.h"
#include "../sse_reference.h"

static void event(ref_log *log, ref_text *data, const ws_sse_event *ev, size_t *parts, size_t room)
{
    MUST(ev->first == (*parts == 0) && ev->size <= room && ev->event_size > 0);
    MUST(ev->data[ev->size] == 0 && ev->event[ev->event_size] == 0 && !strpbrk(ev->id, "\r\n"));
    MUST(!memchr(ev->data, '\r', ev->size) && !memchr(ev->event, '\n', ev->event_size));
    ref_add(data, ev->data, ev->size);
    ++*parts;
    if (!ev->last) {
        MUST(ev->size == room);
        return;
    }
    MUST(ev->size > 0 || *parts == 1);
    ref_log_event(log, ev->event, ev->event_size, ev->id, strlen(ev->id), data->data, data->size);
    ref_clear(data);
    *parts = 0;
}

/* pieces: sizes used in turn, 0 is the rest. */
static void read_in(const uint8_t *p, size_t n, size_t memory_n, const uint8_t pieces[3], ref_log *log)
{
    char *memory = (char *)malloc(memory_n);
    size_t at = 0, parts = 0, room = memory_n - memory_n / 8 * 4 - 1;
    int k = 0, r = 0;
    ref_text data;
    ws_sse_parser parser;

    memset(&data, 0, sizeof data);
    ref_clear(&data);
    ref_log_clear(log);
    MUST(memory && ws_sse_parser_init(&parser, memory, memory_n) == 0);
    while (at < n && r >= 0) {
        size_t take = pieces[k++ % 3], left;
        uint8_t *piece;
        const char *s;
        ws_sse_event ev;
        if (!take || take > n - at) take = n - at;
        piece = fuzz_copy(p + at, take);
        s = (const char *)piece;
        left = take;
        while ((r = ws_sse_parse(&parser, &s, &left, &ev)) > 0) event(log, &data, &ev, &parts, room);
        MUST(r < 0 || left == 0);
        MUST(s + left == (const char *)piece + take);
        free(piece);
        at += take;
    }
    MUST(r == 0 || r == WS_SSE_ERR_EVENT_SIZE || r == WS_SSE_ERR_ID_SIZE);
    log->error = !r ? 0 : r == WS_SSE_ERR_ID_SIZE ? 'i' : 'e';
    log->retry = parser.retry;
    ref_add(&log->last_id, ws_sse_last_id(&parser), strlen(ws_sse_last_id(&parser)));
    ref_free(&data);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t whole[3] = { 0, 0, 0 }, bytes[3] = { 1, 1, 1 };
    ref_log want, have, decoded;
    ref_text text;
    size_t memory_n;

    if (size < 4) return 0;
    memory_n = 64 + 4u * data[0];
    memset(&want, 0, sizeof want);
    memset(&have, 0, sizeof have);
    memset(&decoded, 0, sizeof decoded);
    memset(&text, 0, sizeof text);
    ref_clear(&text);
    ref_parse((const char *)data + 4, size - 4, memory_n / 8, &want);
    read_in(data + 4, size - 4, memory_n, whole, &have);
    MUST(ref_log_same(&have, &want));
    read_in(data + 4, size - 4, memory_n, bytes, &have);
    MUST(ref_log_same(&have, &want));
    read_in(data + 4, size - 4, memory_n, data + 1, &have);
    MUST(ref_log_same(&have, &want));
    if (!want.error) {
        ref_decode((const char *)data + 4, size - 4, &text);
        ref_parse(text.data, text.size, 0, &want);
        ref_log_decode(&have, &decoded);
        MUST(ref_log_same(&decoded, &want));
    }
    ref_log_free(&want);
    ref_log_free(&have);
    ref_log_free(&decoded);
    ref_free(&text);
    return 0;
}
