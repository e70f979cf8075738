/* RFC 6455 as transcripts of the engine, both roles: what the peer sends and how time
   passes, and the exact events, frames and errors that follow. Each rule has a row on
   each side of its border (mutants/transcripts.h), fed whole and in pieces. Only calls
   of the engine are used, and no rule is computed as the library does it:
   mutants/run.sh changes the rules one by one, and each change must be seen here. */
#ifndef WS_TINY
#define WS_IMPLEMENTATION
#include "ws.h"
#include "fixture.h"
#include "mutants/transcripts.h"
#endif

/* ==== settings ====================================================================== */

#ifdef WS_TINY                  /* see test_transcripts_tiny.c */
#define WITHOUT(text) (tiny_lacks(text))
#else
#define WITHOUT(text) 0
#define SETTING(name) { #name, offsetof(ws_config, name) }
static const struct { const char *name; size_t at;
} settings[] = { SETTING(max_message),       SETTING(max_frame),
                 SETTING(max_fragments),     SETTING(max_head),
                 SETTING(max_headers),       SETTING(handshake_timeout),
                 SETTING(ping_interval),     SETTING(ping_timeout),
                 SETTING(close_timeout),     SETTING(idle_timeout),
                 SETTING(parts_over),        SETTING(frames),
                 SETTING(manual_pong),       SETTING(fragment),
                 SETTING(protocol_optional), SETTING(ask) };
#define OFFER(cfg) ((cfg)->protocols = "a, b")
#define EXTEND(cfg, all) ((cfg)->extensions = (all))

/* An extension that owns RSV1, and whose coded messages say each byte twice. */
static int twice_offer(void *user, int number, char *params, size_t room)
{ return user || !params || !room || number ? -1 : 0; }
static int twice_accept(void *user, ws_str offer, char *answer, size_t room,
                        uint32_t *agreed)
{ *agreed = 0; return user || offer.size || !answer || !room; }
static int twice_confirm(void *user, ws_str answer, uint32_t *agreed)
{ *agreed = 0; return user || answer.size; }
static size_t twice_size(void *user, uint32_t agreed, int encode, int *alone)
{ *alone = 1; return user || agreed || encode ? 0 : 8; }
static int twice_begin(void *user, uint32_t agreed, int encode, void *state)
{ memset(state, 0, 8); return user || agreed || encode; }
static int twice_code(void *user, void *state, const void *in, size_t *in_size, void *out,
                      size_t *out_size, int last)
{
    uint8_t *second = (uint8_t *)state;
    size_t taken, made = 0, had = *in_size;

    for (taken = 0; taken < had && made < *out_size && !user; taken++, *second ^= 1)
        if (!*second) ((uint8_t *)out)[made++] = ((const uint8_t *)in)[taken];
    *in_size = taken;
    *out_size = made;
    return last && taken == had;
}

static const ws_extension twice = {
    "twice", 4, 0, 0, 0, NULL, twice_offer, twice_accept, twice_confirm, twice_size,
    twice_begin, twice_code, twice_code, NULL };
static const ws_extension *const extensions[] = { &twice, NULL };
#endif

/* Sets what "name=value name=value" says; "never" for a value. "twice": the extension;
   "protocols": offers or supports a and b. */
static void configure(ws_config *cfg, const char *text)
{
    const size_t count = sizeof settings / sizeof *settings;
    char word[64];
    int used;

    for (; sscanf(text, " %63s%n", word, &used) == 1; text += used) {
        char *value = strchr(word, '=');
        uint32_t number;
        size_t i = 0;
        if (!strcmp(word, "twice")) EXTEND(cfg, extensions);
        if (!strcmp(word, "protocols")) OFFER(cfg);
        if (!value) continue;
        *value++ = 0;
        number = strcmp(value, "never") ? (uint32_t)strtoul(value, NULL, 10) : WS_NEVER;
        while (i < count && strcmp(settings[i].name, word)) i++;
        CHECK(i < count);
        if (i < count) memcpy((char *)cfg + settings[i].at, &number, sizeof number);
    }
}

/* ==== an open connection ============================================================ */

/* Payload as in put_frames. */
static buf payload(const char *spec)
{
    buf frame = { 0 }, with_op = { 0 }, body = { 0 };
    size_t head;

    buf_str(&with_op, "82");
    buf_str(&with_op, spec);
    put_frames(&frame, with_op.p, 0);
    head = frame.n < 128 ? 2 : frame.n < 65540 ? 4 : 10;
    buf_add(&body, frame.p + head, frame.n - head);
    buf_free(&frame);
    buf_free(&with_op);
    return body;
}

static void note(side *s, const char *text, long number)
{
    buf_str(&s->log, text);
    buf_int(&s->log, number);
    buf_str(&s->log, " ");
}

static void application(side *s, const char *word)
{
    const char *what = strchr(word, ':') ? strchr(word, ':') + 1 : word + strlen(word);
    int code = (int)strtol(what, (char **)(uintptr_t)&what, 10), error = 0;
    buf body = payload(what);

    if (!strcmp(word, "hold")) s->hold = 1;
    else if (!strcmp(word, "take")) s->hold = 0;
    else if (!strcmp(word, "drop")) ws_drop(s->c);
    else if (!strcmp(word, "rtt")) note(s, "r", ws_rtt(s->c));
    else if (!strcmp(word, "own")) error = ws_ping(s->c, NULL, 0);
    else if (!memcmp(word, "text", 4)) error = ws_send(s->c, WS_OP_TEXT, body.p, body.n);
    else if (!memcmp(word, "bin", 3)) error = ws_send(s->c, WS_OP_BINARY, body.p, body.n);
    else if (!memcmp(word, "part", 4))
        error = ws_send_part(s->c, WS_OP_TEXT, body.p, body.n, 0);
    else if (!memcmp(word, "last", 4))
        error = ws_send_part(s->c, WS_OP_TEXT, body.p, body.n, 1);
    else if (!memcmp(word, "ping", 4)) error = ws_ping(s->c, body.p, body.n);
    else if (!memcmp(word, "pong", 4)) error = ws_pong(s->c, body.p, body.n);
    else if (!memcmp(word, "close", 5))
        error = ws_close(s->c, code, body.n ? body.p : NULL);
    else test_fault(__FILE__, __LINE__, word);
    if (error) {
        buf_str(&s->log, "!");
        buf_str(&s->log, error_name(error));
        buf_str(&s->log, " ");
    }
    side_pull(s);
    buf_free(&body);
}

static void pass_time(side *s, uint64_t ms)
{
    s->w->now += ms;
    if (s->c) ws_tick(s->c, s->w->now);
    side_pull(s);
}

/* Takes the steps; frames that stand together come together, or in pieces of step
   bytes. */
static void perform(side *s, const char *steps, size_t step)
{
    buf frames = { 0 };
    char word[300];

    while (*steps) {
        size_t n = 0, quoted = 0;
        while (steps[n] && (quoted || steps[n] != ' ')) quoted ^= steps[n++] == '\'';
        memcpy(word, steps, n);
        word[n] = 0;
        steps += n + (steps[n] == ' ');
        if (!strchr("+?!", *word) && strcmp(word, "end")) {
            put_frames(&frames, word, !s->client);
            continue;
        }
        side_feed_by(s, buf_c(&frames), frames.n, step);
        buf_clear(&frames);
        if (*word == '+') pass_time(s, strtoul(word + 1, NULL, 10));
        else if (*word == '?') note(s, "t", ws_timeout(s->c));
        else if (*word == '!') application(s, word + 1);
        else side_end(s);
    }
    side_feed_by(s, buf_c(&frames), frames.n, step);
    buf_free(&frames);
}

static void begin(side *s, world *w, int client, const char *set)
{
    static const char line[] = "Sec-WebSocket-Extensions: twice\r\n\r\n";
    ws_config cfg = world_fresh(w);
    int extended;

    configure(&cfg, set);
    extended = strstr(set, "twice") != NULL;
    side_new(s, w, client, &cfg);
    side_pull(s);
    if (client) {
        side_answer(s, extended ? "Sec-WebSocket-Extensions: twice\r\n" : NULL);
    } else {
        side_feed(s, REQUEST, sizeof REQUEST - 3);
        side_feed(s, extended ? line : "\r\n", extended ? sizeof line - 1 : 2);
        s->head = head_size(&s->out);
    }
    CHECK_INT(s->opens, 1);
    CHECK_INT(ws_state(s->c), WS_STATE_OPEN);
    buf_clear(&s->log);
}

/* The words that a text of events or frames ends with have a blank behind them. */
static void same_words(const row *t, const char *what, buf *have, const char *want)
{
    size_t n = have->n && have->p[have->n - 1] == ' ' ? have->n - 1 : have->n;

    test_checks++;
    if (strlen(want) == n && (!n || !memcmp(have->p, want, n))) return;
    if (test_faults < 10)
        printf("  [%s] %s\n    %s want %s\n    %s have %s\n", t->set, t->steps, what,
               want, what, buf_c(have));
    test_fault(__FILE__, __LINE__, t->steps);
}

static void transcript(const row *t, int client, size_t step)
{
    world w;
    side s;
    buf sent = { 0 };
    frames f;

    begin(&s, &w, client, t->set);
    perform(&s, t->steps, step);
    if (t->events) same_words(t, client ? "client" : "server", &s.log, t->events);
    f = side_sent(&s, &sent);
    if (f.closes && f.reason_n && !s.error) show(&sent, f.reason, f.reason_n);
    CHECK_INT(ws_done(s.c), s.closes);
    same_words(t, client ? "client sent" : "server sent", &sent, t->out);
    buf_free(&sent);
    side_over(&s);
}

TEST(transcripts)
{
    const row *t;
    size_t step;
    int client;

    for (t = rows; t < rows + sizeof rows / sizeof *rows; t++) {
        row one = *t;
        char steps[200];
        int large = strstr(t->steps, "#1048") || strstr(t->steps, "#6553");
        if (WITHOUT(t->set) || WITHOUT(t->steps)) continue;
        while (*one.steps) {                /* up to the next bar */
            const char *bar = strstr(one.steps, " | "), *rest = bar ? bar + 3 : "";
            size_t n = bar ? (size_t)(bar - one.steps) : strlen(one.steps);
            memcpy(steps, one.steps, n);
            steps[n] = 0;
            one.steps = steps;
            for (client = 0; client < 2; client++) for (step = 0; step < 4; step++)
                if (strchr(t->roles, client ? 'c' : 's'))
                    transcript(&one, client, large && step ? step * 997 : step);
            one.steps = rest;
        }
    }
}

/* ==== by loops ====================================================================== */

/* The verdict on opcodes 0..F; a blank: good; C, F, I, O: the error. */
static const char *const verdicts[2][2] = {     /* [inside a message][FIN] */
    { "C  OOOOOFFFOOOOO", "C  OOOOO   OOOOO" },
    { " IIOOOOOFFFOOOOO", " IIOOOOO   OOOOO" }
};

static int first_two(int first, int second, int client, int inside)
{
    char verdict = verdicts[inside][first >= 0x80][first & 15];
    int length = second & 0x7F;

    if (first & 0x70) return WS_ERR_RSV;
    if (verdict == 'O') return WS_ERR_OPCODE;
    if (verdict == 'F') return WS_ERR_CONTROL_FRAGMENT;
    if ((first & 15) >= 8 && (length == 126 || length == 127)) return WS_ERR_CONTROL_SIZE;
    if (verdict == 'C') return WS_ERR_CONTINUATION;
    if (verdict == 'I') return WS_ERR_INTERLEAVED;
    if (client && second > 127) return WS_ERR_MASK_PRESENT;
    return !client && second < 128 ? WS_ERR_MASK_MISSING : 0;
}

/* Every first byte, with lengths of each form, masked and not, tells with the second. */
TEST(first_bytes)
{
    static const uint8_t lengths[] = { 0, 1, 125, 126, 127 };
    int client, inside, first, i;

    for (client = 0; client < 2; client++) for (inside = 0; inside < 2; inside++)
    for (first = 0; first < 256; first++) for (i = 0; i < 10; i++) {
        uint8_t head[2];
        int want;
        world w;
        side s;

        head[0] = (uint8_t)first;
        head[1] = (uint8_t)(lengths[i / 2] | (i & 1) << 7);
        want = first_two(first, head[1], client, inside);
        if (client && !want && !lengths[i / 2])
            continue; /* a whole frame: see rows */
        side_plain(&s, &w, client);
        if (inside) side_frame(&s, 0x02, "a", 1);
        side_feed(&s, head, 1);
        CHECK_INT(s.error, 0);
        side_feed(&s, head + 1, 1);
        CHECK_INT(s.error, want);
        CHECK_INT(s.closes, want != 0);
        CHECK_INT(side_sent(&s, NULL).close_code, want ? 1002 : -1);
        side_over(&s);
    }
}

/* Which codes may be sent: 7.4.1 and the IANA registry, and the two private ranges. */
static int registered(int code)
{
    static const int codes[] = { 1000, 1001, 1002, 1003, 1007, 1008,
                                 1009, 1010, 1011, 1012, 1013, 1014 };
    size_t i;

    for (i = 0; i < sizeof codes / sizeof *codes; i++) if (code == codes[i]) return 1;
    return code / 1000 == 3 || code / 1000 == 4;
}

TEST(close_codes)
{
    static const int far[] = { 1, 255, 256, 998, 5001, 9999, 32768, 65535 };
    int client, code;

    for (client = 0; client < 2; client++) for (code = 999; code <= 5008; code++) {
        int number = code > 5000 ? far[code - 5001] : code, good = registered(number);
        const char *reason = code % 3 ? "why" : "";
        world w;
        side s;
        frames f;

        side_plain(&s, &w, client);         /* theirs */
        side_peer_closes(&s, number, reason);
        CHECK_INT(s.error, good ? 0 : WS_ERR_CLOSE_CODE);
        CHECK_INT(s.code, good ? number : 1002);
        CHECK_INT(s.clean, good);
        f = side_sent(&s, NULL);
        CHECK_INT(f.close_code, good ? number : 1002);
        if (good && *reason) CHECK_STR(f.reason, reason);
        side_over(&s);
        side_plain(&s, &w, client);         /* ours */
        CHECK_INT(ws_close(s.c, number, NULL), good ? 0 : WS_ERR_ARGUMENT);
        side_pull(&s);
        CHECK_INT(side_sent(&s, NULL).close_code, good ? number : -1);
        side_over(&s);
    }
}

static void echo(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_MESSAGE)
        CHECK_INT(ws_send(s->c, ev->op, ev->data, ev->size), 0);
}

/* Payloads of every size are unmasked and masked, and their length is told, right. */
TEST(sizes)
{
    size_t size, step;
    int client;

    for (client = 0; client < 2; client++) for (step = 0; step < 8; step += step ? 6 : 1)
    for (size = 0; size < 65540; size += size < 140 ? 1 : size == 140 ? 65393 : 1) {
        world w;
        side s;
        buf body = { 0 }, frame = { 0 }, sent = { 0 }, want = { 0 };
        size_t i;

        if (size > 140 && step == 1) continue;
        for (i = 0; i < size; i++) buf_byte(&body, fill_at(i));
        side_plain(&s, &w, client);
        s.event = echo;
        put_frame(&frame, 0x81, !client, body.p, size, 0);
        side_feed_by(&s, frame.p, frame.n, step);
        CHECK_INT(s.messages, 1);
        side_sent(&s, &sent);
        buf_str(&want, "81");
        show(&want, body.p, size);
        buf_str(&want, " ");
        CHECK(buf_is(&sent, &want));
        side_over(&s);
        buf_free(&body);
        buf_free(&frame);
        buf_free(&sent);
        buf_free(&want);
    }
}

/* A client masks each frame with a key of its own, drawn for it (5.3), in any pieces. */
TEST(keys)
{
    static const char text[] =
        "twenty-six letters and more, to be cut in three pieces of any size";
    size_t size = sizeof text - 1, first;
    uint8_t tape[4096];
    world w;
    side s;
    ws_str pieces[3];
    ws_config cfg = world_fresh(&w);

    w.r.tape = tape;
    w.r.tape_max = sizeof tape;
    side_open(&s, &w, 1, &cfg);
    for (first = 0; first <= size; first++) {
        size_t at = s.out.n, drawn = w.r.tape_n, second = (size - first) / 2, i;
        pieces[0].data = text;
        pieces[0].size = first;
        pieces[1].data = text + first;
        pieces[1].size = second;
        pieces[2].data = text + first + second;
        pieces[2].size = size - first - second;
        CHECK_INT(ws_sendv(s.c, WS_OP_TEXT, pieces, 3), 0);
        side_pull(&s);
        CHECK_INT(w.r.tape_n, drawn + 4);
        CHECK_INT(s.out.n, at + 6 + size);
        CHECK(!memcmp(s.out.p + at + 2, tape + drawn, 4));
        for (i = 0; i < size; i++)
            CHECK_INT((uint8_t)s.out.p[at + 6 + i] ^ tape[drawn + i % 4], text[i]);
    }
    side_over(&s);
}

/* ---- UTF-8 by a formula: bytes are good if their code point is written so ---- */

static size_t write_point(uint32_t point, uint8_t *to)
{
    size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3, i;

    to[0] = (uint8_t)(more ? (0xFF00 >> (more + 1) & 0xFF) | point >> 6 * more : point);
    for (i = 1; i <= more; i++)
        to[i] = (uint8_t)(0x80 | (point >> 6 * (more - i) & 0x3F));
    return more + 1;
}

/* Is the first byte with those behind it one character, of size bytes? */
static int is_character(const uint8_t *p, size_t size)
{
    static const uint32_t lead[] = { 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t point = p[0] & lead[size - 1], i;
    uint8_t again[4];

    for (i = 1; i < size; i++) point = point << 6 | (p[i] & 0x3F);
    if (point > 0x10FFFF || point / 0x800 == 0x1B) return 0;       /* D800..DFFF */
    return write_point(point, again) == size && !memcmp(again, p, size);
}

static void text_message(const uint8_t *p, size_t size, int padded, size_t step, int good)
{
    static const char padding[] = "forty characters of ASCII, no more of it";
    buf body = { 0 }, frame = { 0 };
    world w;
    side s;

    if (padded) buf_str(&body, padding);
    buf_add(&body, p, size);
    if (padded) buf_str(&body, padding);
    side_plain(&s, &w, 1);
    put_frame(&frame, 0x81, 0, body.p, body.n, 0);
    side_feed_by(&s, frame.p, frame.n, step);
    CHECK_INT(s.error, good ? 0 : WS_ERR_UTF8);
    CHECK_INT(s.messages, good);
    CHECK_INT(side_sent(&s, NULL).close_code, good ? -1 : 1007);
    side_over(&s);
    buf_free(&body);
    buf_free(&frame);
}

/* Leads with each border of the bytes behind them, alone and amid ASCII. */
TEST(characters)
{
    static const uint8_t second[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90,
                                      0x9F, 0xA0, 0xBF, 0xC0, 0xFF };
    static const uint8_t other[] = { 0x7F, 0x80, 0xBF, 0xC0 };
    int lead, i, k;

    for (lead = 0x80; lead < 256; lead++)
        for (i = 0; i < 10; i++)
            for (k = 0; k < 16; k++) {
                size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
                uint8_t p[4];
                int good;

                if ((size == 1 && i) || (size < 3 && k) || (size < 4 && k > 3))
                    continue;
                p[0] = (uint8_t)lead;
                p[1] = second[i];
                p[2] = other[k & 3];
                p[3] = other[k >> 2];
                good = is_character(p, size);
                text_message(p, size, 0, 0, good);
                text_message(p, size, 0, 1, good);
                text_message(p, size, 1, 0, good);
            }
}

/* Every character there is, in messages of 256. */
TEST(all_characters)
{
    uint32_t point;
    uint8_t bytes[1024];
    size_t size = 0;
    long messages = 0;
    world w;
    side s;

    side_plain(&s, &w, 0);
    s.quiet = 1;
    for (point = 0; point < 0x110000; point++) {
        if (point / 0x800 != 0x1B) size += write_point(point, bytes + size);
        if (point % 256 != 255 || !size) continue;
        side_frame(&s, 0x81, bytes, size);
        messages++;
        size = 0;
    }
    CHECK_INT(s.error, 0);
    CHECK_INT(s.messages, messages);
    side_over(&s);
}

/* ==== opening handshake ============================================================= */

/* The whole head: @ is the accept value, < @ without its end, ^@ in capitals. */
static buf head_of(const opening *t, const char *text, const buf *request)
{
    const char *key = head_field(request, "Sec-WebSocket-Key", NULL),
               *start = strstr(text, "HTTP/");
    int whole = start && (start == text || start[-1] == ' ');
    char accept[29] = "", *letter;
    buf head = { 0 };

    if (key) my_accept(key, 24, accept);
    if (!whole) buf_str(&head, key ? SWITCH : GET);
    for (; *text; text++) {
        if (*text == '<') { accept[27] = 0; text++; continue; }
        if (*text == '^') for (letter = accept; *letter; letter++)
            *letter = (char)(*letter >= 'a' && *letter <= 'z' ? *letter - 32 : *letter);
        else if (*text == '@' && key) buf_str(&head, accept);
        else buf_byte(&head, *text);
    }
    if (!t->ms) buf_str(&head, "\r\n");
    return head;
}

static void check_opened(side *s, const char *protocol)
{
    CHECK_STR(ws_protocol(s->c), protocol);
    if (s->client) return;
    CHECK_FIELD(&s->out, "Sec-WebSocket-Protocol", *protocol ? protocol : NULL);
    if (!*protocol)
        CHECK_STR(buf_c(&s->out), SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
}

static void open_with(const opening *t, const char *text, int client, size_t step)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    buf have = { 0 }, head;
    size_t asked;

    configure(&cfg, t->set);
    side_new(&s, &w, client, &cfg);
    if (!client) CHECK_INT(ws_send(s.c, WS_OP_TEXT, "early", 5), WS_ERR_STATE);
    CHECK_INT(ws_ping(s.c, "early", 5), WS_ERR_STATE);
    side_pull(&s);
    asked = s.out.n;
    head = head_of(t, text, &s.out);
    side_feed_by(&s, head.p, head.n, step);
    if (t->ms) pass_time(&s, t->ms);
    buf_int(&have, head_status(&s.out));
    buf_str(&have, " ");
    buf_str(&have, buf_c(&s.log));
    if (s.opens) check_opened(&s, strstr(t->want, "(b)") ? "b" : "");
    if (s.opens && strstr(t->want, "(b)")) buf_str(&have, "(b) ");
    if (have.n > 2) have.p[--have.n] = 0;
    if (strcmp(have.p, t->want) && test_faults < 10)
        printf("  [%s] %s    want %s\n    have %s\n", t->set, head.p, t->want, have.p);
    CHECK(!strcmp(have.p, t->want));
    if (head_status(&s.out) == 426) CHECK_FIELD(&s.out, "Sec-WebSocket-Version", "13");
    if (client)
        CHECK_INT(s.out.n, asked); /* it has nothing to say to a wrong answer */
    side_over(&s);
    buf_free(&have);
    buf_free(&head);
}

static void open_all(const opening *t, size_t count, int client)
{
    size_t i;

    for (; count--; t++) for (i = 0; i < 12 && t->heads[i]; i++) {
        if (WITHOUT(t->set) || WITHOUT(t->want)) continue;
        open_with(t, t->heads[i], client, 0);
        open_with(t, t->heads[i], client, 1);
        open_with(t, t->heads[i], client, 50);
    }
}

TEST(requests) { open_all(requests, sizeof requests / sizeof *requests, 0); }
TEST(answers) { open_all(answers, sizeof answers / sizeof *answers, 1); }

/* Every visible character in a key, at its ends and inside; and what is answered. */
TEST(request_keys)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const int places[] = { 0, 1, 10, 20, 21 };
    int character, i;

    for (character = 33; character < 127; character++) for (i = 0; i < 5; i++) {
        char key[] = KEY, accept[29];
        int good = strchr(abc, character) != NULL;
        buf head = { 0 };
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        key[places[i]] = (char)character;
        buf_str(&head, GET HO UP CO VE "Sec-WebSocket-Key: ");
        buf_str(&head, key);
        buf_str(&head, "\r\n\r\n");
        side_new(&s, &w, 0, &cfg);
        side_feed(&s, head.p, head.n);
        CHECK_INT(head_status(&s.out), good ? 101 : 400);
        CHECK_INT(s.error, good ? 0 : WS_ERR_KEY);
        my_accept(key, 24, accept);
        CHECK_FIELD(&s.out, "Sec-WebSocket-Accept", good ? accept : NULL);
        side_free(&s);
        buf_free(&head);
    }
}

/* What we ask for: 16 bytes drawn for the key, and nothing but this. */
TEST(our_request)
{
    uint8_t tape[64];
    char key[25];
    buf want = { 0 };
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    w.r.tape = tape;
    w.r.tape_max = sizeof tape;
    side_new(&s, &w, 1, &cfg);
    side_pull(&s);
    CHECK_INT(w.r.tape_n, 16);
    my_base64(tape, 16, key);
    buf_str(&want, "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Key: ");
    buf_str(&want, key);
    buf_str(&want, "\r\nSec-WebSocket-Version: 13\r\n\r\n");
    CHECK_STR(buf_c(&s.out), want.p);
    buf_free(&want);
    side_over(&s);
}

#ifdef WS_TINY
#define MORE_TESTS T(what_it_lacks)
#else
#define MORE_TESTS
#endif
TESTS(T(our_request) T(requests) T(answers) T(request_keys) T(transcripts) T(keys)
      T(close_codes) T(characters) T(all_characters) T(sizes) T(first_bytes)
      MORE_TESTS)
