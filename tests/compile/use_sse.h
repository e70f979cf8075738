/* What the compile tests of ws_sse.h share: an event is written and read back. */
#ifndef USE_SSE_H
#define USE_SSE_H
#include <string.h>

static int use_sse(void)
{
    char memory[128], bytes[64];
    const char *at = bytes;
    ws_sse_message m;
    ws_sse_parser p;
    ws_sse_event ev;
    ptrdiff_t size;
    size_t n;

    memset(&m, 0, sizeof m);
    m.event = "tick";
    m.id = "7";
    m.data = "one\r\ntwo";
    m.retry = 1000;
    size = ws_sse_format(&m, bytes, sizeof bytes);
    if (size <= 0 || size > (ptrdiff_t)sizeof bytes) return 3;
    n = (size_t)size;
    if (ws_sse_parser_init(&p, memory, sizeof memory)) return 4;
    if (ws_sse_parse(&p, &at, &n, &ev) != 1) return 5;
    if (strcmp(ev.event, "tick") || strcmp(ev.id, "7") || strcmp(ev.data, "one\ntwo")) return 6;
    if (n || p.retry != 1000 || strcmp(ws_sse_last_id(&p), "7")) return 7;
    m.id = "\n";
    return ws_sse_write(&m, NULL, NULL) != WS_SSE_ERR_ID || !*ws_sse_error_string(WS_SSE_ERR_ID);
}
#endif
