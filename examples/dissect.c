/* Teaches: the leaves of ws.h, which need no connection: HTTP heads, keys, extensions,
            frame headers, masks, UTF-8. Explains what one side of a WebSocket said, as a
            capture tool wrote it down, and names what breaks RFC 6455 and at which byte.
            A recording of any size takes 20 KB.
   Build:   cc -o build/dissect examples/dissect.c -I.
   Run:     socat -r up -R down TCP-LISTEN:9002 TCP:127.0.0.1:9001     (or: tcpflow -r)
            build/hello_client ws://127.0.0.1:9002/
            build/dissect up;  build/dissect down KEY;  ... | build/dissect
   You see: 0  GET / HTTP/1.1, all other lines, then
            153  text, 5 bytes, mask 37fa213d: hello
            164  close, 5 bytes, mask 59c1d20a: 1000 (normal closure) bye
            or, of a fault, 159  WRONG: text message is not UTF-8 (RFC 6455 8.1)
            KEY is the request's, for the answer. Exit status: 1 if anything is wrong. */
#define WS_NO_SOCKETS
#define WS_IMPLEMENTATION
#include "ws.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLACE "%10" PRIu64 "  "

typedef struct recording {
    FILE *in;
    uint64_t at;                /* where bytes[0] stood */
    size_t size;                /* of what is held; never more than is asked for */
    unsigned char bytes[8192];
    int faults;
    int masks;                  /* does this side? -1: the first frame will tell */
    unsigned rsv;               /* reserved bits that extensions may use */
    int op;                     /* of the message under way, or 0 */
    int is_text;                /* ... which must be UTF-8, */
    uint32_t utf8;              /* ... as far as it came */
    int closed;
} recording;

static const char *request_key;     /* of the request that an answer is for, or NULL */

static void wrong(recording *rec, uint64_t at, const char *what)
{
    printf(PLACE "WRONG: %s\n", at, what);
    rec->faults++;
}

static void fault(recording *rec, uint64_t at, int error)
{
    wrong(rec, at, ws_error_string(error));
}

/* Reads up to size more bytes. Returns how many came. */
static size_t more(recording *rec, size_t size)
{
    size_t room = sizeof rec->bytes - rec->size;
    size_t got = fread(rec->bytes + rec->size, 1, size < room ? size : room, rec->in);

    rec->size += got;
    return got;
}

static void forget(recording *rec)
{
    rec->at += rec->size;
    rec->size = 0;
}

/* The beginning, as a terminal may see it. */
static void show(const void *data, size_t size)
{
    const unsigned char *text = (const unsigned char *)data;
    size_t i;

    for (i = 0; i < size && i < 70; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == '\\')
            printf("\\x%02x", text[i]);
        else
            putchar(text[i]);
    if (i < size)
        printf("...");
}

/* ---- the HTTP head ---- */

static int is_any(ws_str value)
{
    return value.size > 0;
}

static int is_key(ws_str value)
{
    char bytes[18];

    return value.size == 24 && ws_base64_decode(value.data, value.size, bytes) == 16;
}

static int is_accept(ws_str value)
{
    char digest[21], accept[29];

    if (value.size != 28)
        return 0;
    if (!request_key)                      /* then at least of a form that can be right */
        return ws_base64_decode(value.data, value.size, digest) == 20;
    ws_accept_key(request_key, accept);
    return !memcmp(value.data, accept, value.size);
}

/* What a head must have (RFC 6455 4.1, 4.2.1): once, or somewhere in a list of perhaps
   several lines. */
typedef struct rule {
    const char *name;
    int once;
    const char *word;                   /* that it says, or NULL */
    int (*good)(ws_str value);
    int error;
} rule;

static const rule of_requests[] = {
    { "Host", 1, NULL, is_any, WS_ERR_HOST },
    { "Upgrade", 0, "websocket", NULL, WS_ERR_UPGRADE },
    { "Connection", 0, "upgrade", NULL, WS_ERR_CONNECTION },
    { "Sec-WebSocket-Key", 1, NULL, is_key, WS_ERR_KEY },
    { "Sec-WebSocket-Version", 1, "13", NULL, WS_ERR_VERSION },
    { NULL, 0, NULL, NULL, 0 }
};
static const rule of_answers[] = {
    { "Upgrade", 1, "websocket", NULL, WS_ERR_UPGRADE },
    { "Connection", 0, "upgrade", NULL, WS_ERR_CONNECTION },
    { "Sec-WebSocket-Accept", 1, NULL, is_accept, WS_ERR_ACCEPT },
    { NULL, 0, NULL, NULL, 0 }
};

static int obeys(const rule *it, ws_str value)
{
    if (!it->word)
        return (it->good)(value);
    return it->once ? ws_str_is(value, it->word) : ws_list_has(value, it->word);
}

/* What is missing is told where the head ends. */
static void judge_head(recording *rec, ws_str head, const rule *rules)
{
    for (; rules->name; rules++) {
        size_t pos = 0, place = head.size - 2;
        int lines = 0, good = 0;
        ws_str name, value;

        while (ws_head_field(head, &pos, &name, &value)) {
            if (!ws_str_is(name, rules->name))
                continue;
            place = (size_t)(name.data - head.data);
            good += obeys(rules, value);
            lines++;
        }
        if (!good || (rules->once && lines > 1))
            fault(rec, place, rules->error);
    }
}

static void show_extension(recording *rec, uint64_t at, ws_str item)
{
    char value[sizeof rec->bytes];
    ws_str name = item;
    int result;

    name.size = 0;                      /* up to its parameters: "name; parameter=7" */
    while (name.size < item.size && !strchr("; \t", item.data[name.size]))
        name.size++;
    item.data += name.size;
    item.size -= name.size;
    rec->rsv |= ws_str_is(name, "permessage-deflate") ? 4 : 7;
    printf("%12s    extension ", "");
    show(name.data, name.size);
    while ((result = ws_param_next(&item, &name, value, sizeof value)) > 0) {
        printf(", ");
        show(name.data, name.size);
        if (*value)
            printf(" ");
        show(value, strlen(value));
    }
    printf("\n");
    if (result < 0)
        fault(rec, at, WS_ERR_EXTENSION);
}

static void show_fields(recording *rec, ws_str head)
{
    ws_str name, value, item;
    char accept[29];
    size_t pos = 0;

    while (ws_head_field(head, &pos, &name, &value)) {
        uint64_t at = (uint64_t)(name.data - head.data);

        printf(PLACE, at);
        show(name.data, name.size);
        printf(": ");
        show(value.data, value.size);
        printf("\n");
        if (ws_str_is(name, "Sec-WebSocket-Key") && is_key(value)) {
            ws_accept_key(value.data, accept);
            printf("%12s    to be answered with %s\n", "", accept);
        }
        if (ws_str_is(name, "Sec-WebSocket-Extensions"))
            while (ws_list_next(&value, &item))
                show_extension(rec, at, item);
    }
}

/* Returns 1 if frames follow. */
static int explain_head(recording *rec)
{
    ws_head scan = {0};
    ws_str head, method, target, version, reason;
    int size, status = 0;

    while (!(size = ws_head_scan(&scan, rec->bytes, rec->size)) && more(rec, 1)) {}
    if (size <= 0) {
        wrong(rec, scan.scanned,
              size ? ws_error_string(size) : "the recording ends inside its HTTP head");
        return 0;
    }
    head.data = (const char *)rec->bytes;
    head.size = (size_t)size;
    printf(PLACE, rec->at);
    show(head.data, strcspn(head.data, "\r"));
    printf("\n");
    rec->rsv = 0;
    show_fields(rec, head);
    if (!ws_head_request(head, &method, &target, &version)) {
        if (method.size != 3 || memcmp(method.data, "GET", 3))
            fault(rec, 0, WS_ERR_METHOD);
        judge_head(rec, head, of_requests);
    } else if (ws_head_answer(head, &version, &status, &reason)) {
        fault(rec, 0, WS_ERR_HEAD_SYNTAX);
        return 0;
    } else if (status != 101) {
        fault(rec, 0, WS_ERR_STATUS);
        return 0;
    } else {
        judge_head(rec, head, of_answers);
    }
    if (!ws_str_is(version, "HTTP/1.1"))
        fault(rec, (uint64_t)(version.data - head.data), WS_ERR_HTTP_VERSION);
    rec->masks = !status;
    forget(rec);
    return 1;
}

/* ---- frames ---- */

static void show_frame(const recording *rec, const ws_frame *frame, uint64_t at)
{
    static const char *const names[16] = {
        "continuation", "text", "binary", "data 3", "data 4", "data 5", "data 6",
        "data 7", "close", "ping", "pong", "control 11", "control 12", "control 13",
        "control 14", "control 15"
    };
    const unsigned char *text = rec->bytes;
    size_t size = rec->size;

    printf(PLACE "%s, %" PRIu64 " bytes", at, names[frame->op], frame->size);
    if (!frame->fin)
        printf(", to be continued");
    if (frame->rsv)
        printf(", RSV %d%d%d", frame->rsv >> 2, frame->rsv >> 1 & 1, frame->rsv & 1);
    if (frame->masked)
        printf(", mask %02x%02x%02x%02x", frame->key[0], frame->key[1], frame->key[2],
               frame->key[3]);
    if (size)
        printf(": ");
    if (frame->op == WS_OP_CLOSE && size >= 2) {
        int code = text[0] << 8 | text[1];
        printf(*ws_close_text(code) ? "%d (%s)" : "%d", code, ws_close_text(code));
        text += 2;
        size -= 2;
        if (size)
            printf(" ");
    }
    show(text, size);
    printf("\n");
}

/* The rules about one header, and what the frame begins. */
static void judge_frame(recording *rec, const ws_frame *frame, uint64_t at)
{
    int starts = frame->op == WS_OP_TEXT || frame->op == WS_OP_BINARY;
    /* permessage-deflate marks where messages start (RFC 7692 6) */
    unsigned rsv = rec->rsv == 4 && !starts ? 0 : rec->rsv;

    if (rec->masks < 0)
        rec->masks = frame->masked;
    if (frame->masked != rec->masks)
        fault(rec, at + 1, rec->masks ? WS_ERR_MASK_MISSING : WS_ERR_MASK_PRESENT);
    if (frame->rsv & ~rsv)
        fault(rec, at, WS_ERR_RSV);
    if ((frame->op & 7) > WS_OP_BINARY)
        fault(rec, at, WS_ERR_OPCODE);
    if (frame->op >= WS_OP_CLOSE) {
        if (!frame->fin)
            fault(rec, at, WS_ERR_CONTROL_FRAGMENT);
        if (frame->size > 125)
            fault(rec, at + 1, WS_ERR_CONTROL_SIZE);
        return;
    }
    if (frame->op == WS_OP_CONTINUATION && !rec->op)
        fault(rec, at, WS_ERR_CONTINUATION);
    if (!starts)
        return;
    if (rec->op)
        fault(rec, at, WS_ERR_INTERLEAVED);
    rec->op = frame->op;
    rec->is_text = frame->op == WS_OP_TEXT && !frame->rsv;
    rec->utf8 = 0;
}

/* The payload of a Close frame is in rec->bytes. */
static void judge_close(recording *rec)
{
    const unsigned char *text = rec->bytes;
    int code = rec->size < 2 ? WS_CLOSE_NORMAL : text[0] << 8 | text[1];
    size_t good = 2;
    uint32_t state = 0;

    if (rec->size == 1)
        fault(rec, rec->at, WS_ERR_CLOSE_SIZE);
    if (code < 1000 || code == 1004 || code == WS_CLOSE_NO_CODE ||
        code == WS_CLOSE_ABNORMAL || (code >= WS_CLOSE_TLS && code < 3000) || code > 4999)
        fault(rec, rec->at, WS_ERR_CLOSE_CODE);
    if (rec->size > 2)
        good += ws_utf8(&state, text + 2, rec->size - 2);
    if (rec->size > 2 && (good < rec->size || state))
        fault(rec, rec->at + good, WS_ERR_CLOSE_UTF8);
}

/* Reads a frame's payload as far as the memory goes, again and again. Returns 0 if the
   recording ends inside. */
static int explain_payload(recording *rec, const ws_frame *frame, uint64_t at)
{
    uint64_t done = 0;

    do {
        uint64_t left = frame->size - done;
        size_t piece = left < sizeof rec->bytes ? (size_t)left : sizeof rec->bytes;
        size_t got = more(rec, piece), good = got;

        if (frame->masked)
            ws_mask(rec->bytes, rec->bytes, got, frame->key, (size_t)done);
        if (!done) {
            show_frame(rec, frame, at);
            judge_frame(rec, frame, at);
        }
        if (!done && frame->op == WS_OP_CLOSE && got == frame->size)
            judge_close(rec);
        if (frame->op <= WS_OP_BINARY && rec->is_text)
            good = ws_utf8(&rec->utf8, rec->bytes, got);
        if (good < got) {
            fault(rec, rec->at + good, WS_ERR_UTF8);
            rec->is_text = 0;
        }
        forget(rec);
        done += got;
        if (got < piece)
            return 0;
    } while (done < frame->size);
    return 1;
}

/* Returns 1 if another may follow. */
static int explain_frame(recording *rec)
{
    uint64_t at = rec->at;
    ws_frame frame;
    int size;

    while (!(size = ws_frame_decode(rec->bytes, rec->size, &frame)) && more(rec, 1)) {}
    if (!size && !rec->size)
        return 0;
    if (rec->closed) {
        wrong(rec, at, "bytes behind a Close frame (RFC 6455 5.5.1)");
        return 0;
    }
    if (size < 0) {
        fault(rec, at + 2, size);
        return 0;
    }
    forget(rec);
    if (!size || !explain_payload(rec, &frame, at)) {
        wrong(rec, rec->at, "the recording ends inside a frame");
        return 0;
    }
    rec->closed = frame.op == WS_OP_CLOSE;
    if (frame.op <= WS_OP_BINARY && frame.fin) {
        if (rec->is_text && rec->utf8)
            fault(rec, rec->at, WS_ERR_UTF8);
        rec->op = rec->is_text = 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static recording rec;

    rec.in = argc > 1 ? fopen(argv[1], "rb") : stdin;
    request_key = argc > 2 ? argv[2] : NULL;
    if (!rec.in || argc > 3 || (request_key && strlen(request_key) != 24)) {
        fprintf(stderr, "usage: %s [FILE [KEY]], a FILE that can be read\n", argv[0]);
        return 2;
    }
    rec.masks = -1;
    rec.rsv = 4;                        /* without a head: compression may be agreed */
    /* no frame begins with a letter but, compressed and in parts, with A or B */
    if (more(&rec, 1) && (*rec.bytes < 'C' || *rec.bytes > 'Z' || explain_head(&rec)))
        while (explain_frame(&rec)) {}
    if (!rec.faults && !rec.closed)
        printf(PLACE "the recording ends, without a Close frame\n", rec.at + rec.size);
    return rec.faults > 0;
}
