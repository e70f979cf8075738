/* Teaches: reading Server-Sent Events from anywhere, here from standard input: bytes cut
            at any point, events larger than the parser's memory. Prints one JSON object
            per event.
   Build:   cc -o build/sse_parse examples/sse_parse.c -I.          (POSIX)
   Run:     curl -sN http://127.0.0.1:8080/events | build/sse_parse [--chunk BYTES]
   You see: {"event":"tick","id":"7","data":"tick 7"}
            ... one line as soon as an event is whole; bytes that are no UTF-8 become
            U+FFFD */
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "sse_json.h"
#include <unistd.h>

int main(int argc, char **argv)
{
    static char memory[1 << 20], bytes[65536];      /* names and ids of up to 128 KiB */
    size_t chunk = sizeof bytes;
    ssize_t got;
    int result = 0;
    ws_sse_parser parser;
    ws_sse_event event;

    if (argc == 3 && !strcmp(argv[1], "--chunk"))
        chunk = strtoul(argv[2], NULL, 10);
    else if (argc != 1)
        chunk = 0;
    if (chunk < 1) {
        fprintf(stderr, "usage: %s [--chunk BYTES] < STREAM\n", argv[0]);
        return 2;
    }
    if (chunk > sizeof bytes)
        chunk = sizeof bytes;
    ws_sse_parser_init(&parser, memory, sizeof memory);
    while (result == 0 && (got = read(0, bytes, chunk)) > 0) {
        const char *at = bytes;
        size_t left = (size_t)got;
        while ((result = ws_sse_parse(&parser, &at, &left, &event)) > 0) {
            if (join(&event))
                return 1;
            if (event.last)
                print_event(&event);
        }
        fflush(stdout);
    }
    if (result < 0)
        fprintf(stderr, "%s\n", ws_sse_error_string(result));
    free(text);
    return result < 0;
}
