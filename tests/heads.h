/* Heads of HTTP: the lines of a request, and what stands in a head of ours, found without the
   library's scanner. Include after engine.h. */
#ifndef HEADS_H
#define HEADS_H

#define HO "Host: example.com\r\n"
#define UP "Upgrade: websocket\r\n"
#define CO "Connection: Upgrade\r\n"
#define KE "Sec-WebSocket-Key: " KEY "\r\n"
#define VE "Sec-WebSocket-Version: 13\r\n"
#define E "\r\n"
#define ALL HO UP CO KE VE

/* Value of the first header line of that name in a head; NULL if absent; *count: how often. */
static inline const char *field(const buf *head, const char *name, int *count)
{
    static char value[4][600];
    static int turn;
    char *out = value[turn++ % 4];
    const char *p = head->p, *end = p ? p + head->n : p, *found = NULL;
    size_t n = strlen(name);
    int k = 0;

    while (p && p < end) {
        const char *eol = p;
        size_t i = 0;
        while (eol + 1 < end && !(eol[0] == '\r' && eol[1] == '\n')) eol++;
        if (eol == p) break;
        if ((size_t)(eol - p) > n && p[n] == ':') while (i < n && (p[i] | 32) == (name[i] | 32)) i++;
        if (n && i == n) {
            const char *v = p + n + 1;
            size_t size;
            while (v < eol && *v == ' ') v++;
            size = (size_t)(eol - v) < 599 ? (size_t)(eol - v) : 599;
            if (!k) { memcpy(out, v, size); out[size] = 0; found = out; }
            k++;
        }
        p = eol + 2;
    }
    if (count) *count = k;
    return found;
}

/* The line stands in a head once, with this value; NULL: it does not. */
#define CHECK_FIELD(head, name, want) \
    do { \
        int test_times; \
        const char *test_value = field(head, name, &test_times), *test_want = (want); \
        CHECK_INT(test_times, test_want != NULL); \
        if (test_want) CHECK_STR(test_value, test_want); \
    } while (0)

static inline int status_of(const buf *b)
{
    return b->n > 12 && !memcmp(b->p, "HTTP/1.1 ", 9) ? atoi(b->p + 9) : 0;
}

#endif
