/* An event stream parser written from WHATWG HTML 9.2.5 and 9.2.6, sentence by
   sentence, with the whole stream in memory; and the UTF-8 decoder of WHATWG Encoding
   8.1.1. It shares no idea with ws_sse.h and is what the tests and the fuzz targets
   compare that with. */
#ifndef SSE_REFERENCE_H
#define SSE_REFERENCE_H
#include <stdlib.h>
#include <string.h>

/* A growing string of bytes. */
typedef struct ref_text { char *data; size_t size, room; } ref_text;

static inline void ref_add(ref_text *t, const char *data, size_t n)
{
    if (t->size + n + 1 > t->room) {
        t->room = 2 * (t->size + n + 1);
        t->data = (char *)realloc(t->data, t->room);
        if (!t->data) abort();
    }
    if (n) memcpy(t->data + t->size, data, n);
    t->size += n;
    t->data[t->size] = 0;
}

static inline void ref_clear(ref_text *t) { t->size = 0; ref_add(t, "", 0); }

static inline void ref_free(ref_text *t)
{
    free(t->data);
    memset(t, 0, sizeof *t);
}

static inline int ref_same(const ref_text *a, const ref_text *b)
{
    return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

/* What a stream said: for people in text, and for comparing all sizes too. */
typedef struct ref_log {
    ref_text text;          /* "event|id|data;" for each event */
    ref_text sizes;         /* three size_t for each */
    size_t events;
    long retry;             /* -1: never said */
    ref_text last_id;
    int error;              /* 0, 'e' or 'i': event name or id too long */
} ref_log;

static inline void ref_log_event(ref_log *log, const char *event, size_t event_n,
                                 const char *id, size_t id_n, const char *data, size_t n)
{
    size_t sizes[3];

    sizes[0] = event_n;
    sizes[1] = id_n;
    sizes[2] = n;
    ref_add(&log->text, event, event_n);
    ref_add(&log->text, "|", 1);
    ref_add(&log->text, id, id_n);
    ref_add(&log->text, "|", 1);
    ref_add(&log->text, data, n);
    ref_add(&log->text, ";", 1);
    ref_add(&log->sizes, (const char *)sizes, sizeof sizes);
    log->events++;
}

static inline void ref_log_clear(ref_log *log)
{
    ref_clear(&log->text);
    ref_clear(&log->sizes);
    ref_clear(&log->last_id);
    log->events = 0;
    log->retry = -1;
    log->error = 0;
}

static inline void ref_log_free(ref_log *log)
{
    ref_free(&log->text);
    ref_free(&log->sizes);
    ref_free(&log->last_id);
}

static inline int ref_log_same(const ref_log *a, const ref_log *b)
{
    return a->events == b->events && a->retry == b->retry && a->error == b->error &&
           ref_same(&a->text, &b->text) && ref_same(&a->sizes, &b->sizes) &&
           ref_same(&a->last_id, &b->last_id);
}

/* UTF-8 decoder: adds in[0..n) to out, what is no UTF-8 as U+FFFD. */
static inline void ref_decode(const char *in, size_t n, ref_text *out)
{
    unsigned needed = 0, seen = 0, lower = 0x80, upper = 0xBF;
    size_t i, from = 0;

    for (i = 0; i < n; i++) {
        unsigned b = (unsigned char)in[i];
        if (!needed) {
            from = i;
            if (b <= 0x7F) { ref_add(out, in + i, 1); continue; }
            if (b >= 0xC2 && b <= 0xDF) needed = 1;
            else if (b >= 0xE0 && b <= 0xEF) {
                if (b == 0xE0) lower = 0xA0;
                if (b == 0xED) upper = 0x9F;
                needed = 2;
            } else if (b >= 0xF0 && b <= 0xF4) {
                if (b == 0xF0) lower = 0x90;
                if (b == 0xF4) upper = 0x8F;
                needed = 3;
            } else ref_add(out, "\xEF\xBF\xBD", 3);
            continue;
        }
        if (b < lower || b > upper) {
            needed = seen = 0;
            lower = 0x80;
            upper = 0xBF;
            ref_add(out, "\xEF\xBF\xBD", 3);
            i--;                            /* "restore byte to ioQueue" */
            continue;
        }
        lower = 0x80;
        upper = 0xBF;
        if (++seen == needed) {
            ref_add(out, in + from, needed + 1);
            needed = seen = 0;
        }
    }
    if (needed) ref_add(out, "\xEF\xBF\xBD", 3);
}

/* All texts of a log decoded, as a program that wants text would. */
static inline void ref_log_decode(const ref_log *log, ref_log *out)
{
    const char *at = log->text.data;
    size_t i, k;

    ref_log_clear(out);
    for (i = 0; i < log->events; i++) {
        ref_text text[3];
        size_t sizes[3];
        memcpy(sizes, log->sizes.data + i * sizeof sizes, sizeof sizes);
        for (k = 0; k < 3; k++) {
            memset(&text[k], 0, sizeof text[k]);
            ref_clear(&text[k]);
            ref_decode(at, sizes[k], &text[k]);
            at += sizes[k] + 1;
        }
        ref_log_event(out, text[0].data, text[0].size, text[1].data, text[1].size,
                      text[2].data, text[2].size);
        for (k = 0; k < 3; k++) ref_free(&text[k]);
    }
    ref_decode(log->last_id.data, log->last_id.size, &out->last_id);
    out->retry = log->retry;
    out->error = log->error;
}

/* The buffers of 9.2.6. */
typedef struct ref_stream {
    ref_text data, type, id;
    ref_log *log;
    size_t slot;                /* sizes of event names and ids must be below; 0: any */
} ref_stream;

/* "Process the field": returns 0, or the log's error. */
static inline int ref_field(ref_stream *r, const char *name, size_t name_n,
                            const char *value, size_t n)
{
    size_t i;

    if (name_n == 5 && !memcmp(name, "event", 5)) {
        if (r->slot && n >= r->slot) return 'e';
        ref_clear(&r->type);
        ref_add(&r->type, value, n);
    } else if (name_n == 4 && !memcmp(name, "data", 4)) {
        ref_add(&r->data, value, n);
        ref_add(&r->data, "\n", 1);
    } else if (name_n == 2 && !memcmp(name, "id", 2)) {
        if (r->slot && n >= r->slot) return 'i';
        for (i = 0; i < n; i++) if (!value[i]) return 0;
        ref_clear(&r->id);
        ref_add(&r->id, value, n);
    } else if (name_n == 5 && !memcmp(name, "retry", 5)) {
        ref_text digits;
        for (i = 0; i < n; i++)
            if (!value[i] || !strchr("0123456789", value[i]))
                return 0;
        memset(&digits, 0, sizeof digits);
        ref_add(&digits, value, n);
        if (n) r->log->retry = strtol(digits.data, NULL, 10);   /* LONG_MAX at most */
        ref_free(&digits);
    }
    return 0;
}

static inline void ref_dispatch(ref_stream *r)
{
    ref_clear(&r->log->last_id);
    ref_add(&r->log->last_id, r->id.data, r->id.size);
    if (!r->data.size) {
        ref_clear(&r->type);
        return;
    }
    if (r->data.data[r->data.size - 1] == '\n') r->data.size--;
    ref_log_event(r->log, r->type.size ? r->type.data : "message",
                  r->type.size ? r->type.size : 7, r->id.data, r->id.size, r->data.data,
                  r->data.size);
    ref_clear(&r->data);
    ref_clear(&r->type);
}

static inline int ref_line(ref_stream *r, const char *line, size_t n)
{
    const char *colon = n ? (const char *)memchr(line, ':', n) : NULL;
    size_t name_n = colon ? (size_t)(colon - line) : n, from;

    if (n == 0 || colon == line) return 0;
    if (!colon) return ref_field(r, line, n, "", 0);
    from = name_n + 1;
    if (from < n && line[from] == ' ') from++;
    return ref_field(r, line, name_n, line + from, n - from);
}

/* Parses the stream of n bytes (undecoded bytes stay as they are). slot: event names
   and ids that size or larger stop it with an error, also in the line that the end cuts
   off. */
static inline void ref_parse(const char *s, size_t n, size_t slot, ref_log *log)
{
    ref_stream r;
    size_t at = 0;

    memset(&r, 0, sizeof r);
    r.log = log;
    r.slot = slot;
    ref_clear(&r.data);
    ref_clear(&r.type);
    ref_clear(&r.id);
    ref_log_clear(log);
    if (n >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3)) at = 3;
    while (at < n && !log->error) {
        size_t end = at;
        while (end < n && s[end] != '\r' && s[end] != '\n') end++;
        if (end == n) {                 /* "any pending data must be discarded" */
            long retry = log->retry;
            log->error = ref_line(&r, s + at, end - at);
            log->retry = retry;
            break;
        }
        if (end == at) ref_dispatch(&r);
        else log->error = ref_line(&r, s + at, end - at);
        at = end + 1;
        if (s[end] == '\r' && at < n && s[at] == '\n') at++;
    }
    ref_free(&r.data);
    ref_free(&r.type);
    ref_free(&r.id);
}
#endif
