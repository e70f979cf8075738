/* Shared by the fuzz targets of a server: what it answered. */
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H
#include "fuzz.h"

typedef struct fuzz_answer {
    char text[2048];        /* its beginning, with a NUL behind it */
    size_t size;
} fuzz_answer;

/* Takes all that waits to be sent; returns how much that was. */
static inline size_t fuzz_answer_take(fuzz_answer *answer, ws_conn *c)
{
    size_t n;
    const void *out = ws_output(c, &n);

    if (answer->size + n < sizeof answer->text) {
        memcpy(answer->text + answer->size, out, n);
        answer->size += n;
        answer->text[answer->size] = 0;
    }
    ws_output_done(c, n);
    return n;
}

/* What stands behind a 100, which depends on the cuts: "", or the head of an answer. */
static inline const char *fuzz_answer_final(const fuzz_answer *answer)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *p = answer->text;

    if (!strncmp(p, go_on, sizeof go_on - 1)) p += sizeof go_on - 1;
    MUST(!*p || !strncmp(p, "HTTP/1.1 ", 9));
    return p;
}
#endif
