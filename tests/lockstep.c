/* Two states of the library, tests/lockstep/ws_0_1.h and ws.h, driven by the same calls, bytes,
   cuts, times and failures: all that can be seen of them is the same, but for the differences
   listed below.

       cc -std=c99 -O2 -g -I. -Itests tests/lockstep.c tests/lockstep/old.c \
           tests/lockstep/new.c -o lockstep

   With zlib: -DWS_USE_ZLIB and -lz. Without arguments: the same scripts every time.
       --seconds N     as many scripts as fit, from --seed on (1)
       --scripts N     of each profile
       --seed S        the first one
       --profile NAME  this one alone
       --show          each script before it is played: the last one has crashed
       --log           what the library under test does, for a look at it
       FILE ...        scripts, and what peers say: a corpus of any fuzz target */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lockstep/script.h"

#define CALLS_MOST 90
#define SCRIPTS 8000            /* of each profile, by default */

/* ---- differences that are meant ---- */

enum { DIFFERS, GOES_ON, ENDS };    /* ENDS: what follows cannot be compared */

typedef struct allowance {
    const char *reason;
    int (*allows)(const char *call, const char *before, const char *after);
} allowance;

/* Of what ws.h has mended since, this much is mended in ws_0_1.h in the same way, so that all that
   comes behind it can still be compared:
     - deadlines to the millisecond, and none that is judged before the input that lies there: a
       peer that was in time was told to be late
     - ws_resume and calls outside a turn note the time: what they did counted as done long ago
     - a walk over frames that wait stops at Close and at a fault: pings behind them were answered
     - a Close frame that cannot be answered for want of memory or of random bytes is an error
     - one decoder for all bodies, whose lines have a limit wherever they are cut
     - the order in which faults of a configuration are found, and fields of another role
     - a connection that closes is not corked again; a beat that is set anew waits anew
     - the words of more statuses: 201, 206, 416
     - an answer of 204 or 304 has ended with its head
     - what a function returns that fails: always a WS_ERR_ (say_length and length_of of base.h)
     - ws__rx and ws__more are as large, and a target is copied where it stays, so that blocks grow and
       allocations fail at the same bytes */

/* Each row: why, and a function that says as narrowly as it can which lines of which call may
   differ: before in the old library, after in the new one. */
static int code_of_an_answer(const char *call, const char *before, const char *after)
{
    static const char was[] = " code 1006 clean 1 error 0 ", is[] = " code 0 clean 1 error 0 ";
    const char *place = strstr(before, was);
    size_t n = place ? (size_t)(place - before) : 0;

    (void)call;
    if (!place || strncmp(before, after, n) || strncmp(after + n, is, sizeof is - 1))
        return DIFFERS;
    return strcmp(place + sizeof was - 1, after + n + sizeof is - 1) ? DIFFERS : GOES_ON;
}

static int begins(const char *line, const char *text)
{
    return !strncmp(line, text, strlen(text));
}

static int last_of_http(const char *call, const char *before, const char *after)
{
    static const char was[] = "  event HTTP op 0 first 0 last 0", is[] = "  event HTTP op 0 first 1 last 1";

    (void)call;
    if (!begins(before, was) || !begins(after, is)) return DIFFERS;
    return strcmp(before + sizeof was - 1, after + sizeof is - 1) ? DIFFERS : GOES_ON;
}

static int left_alone(const char *call, const char *before, const char *after)
{
    (void)call;
    if (begins(before, "  output 154 ") && begins(after, "  output 91 ")) return ENDS;      /* HEAD */
    if (begins(before, "  written ") && strstr(before, " x485454502f312e31203432362055") &&
        strstr(after, " x485454502f312e3120343034204e"))
        return ENDS;            /* the beginning of the same */
    return begins(before, "  output 169 ") && begins(after, "  output 101 ") ? ENDS : DIFFERS;
}

/* A pointer more in ws_conn: a block of the caller's has 8 bytes less for what is read. */
static int room_of_a_block(const char *call, const char *before, const char *after)
{
    (void)call;
    if (!begins(before, "  data ") || !begins(after, "  data "))
        return DIFFERS;
    return atoi(before + 7) - atoi(after + 7) == 8 ? ENDS : DIFFERS;
}

static int body_of_a_request(const char *call, const char *before, const char *after)
{
    if (!strcmp(before, "  data 0 ''") && begins(after, "  data ")) return GOES_ON;
    if (!strcmp(before, "  body 0 ''") && begins(after, "  body ")) return GOES_ON;
    if (begins(before, "  server: state 0 ") && !strncmp(before, after, strcspn(before, "m")))
        return GOES_ON;         /* room: what was its body is used up */
    if (begins(before, "  server: state 2 error -25 ") && begins(after, "  server: state 0 error 0 "))
        return ENDS;
    if (strstr(call, "server") && begins(before, "  after ") && begins(after, "  after 10000 "))
        return ENDS;            /* its answer has the time anew */
    return begins(before, "  event HTTP") && !begins(after, "  event HTTP") ? ENDS : DIFFERS;
}

static int target_that_stays(const char *call, const char *before, const char *after)
{
    (void)call;
    if (!strcmp(before, "  target 0 ''") && begins(after, "  target ")) return GOES_ON;
    if (!strcmp(before, "  path 0 ''") && begins(after, "  path ")) return GOES_ON;
    return begins(before, "  query 0 ") && begins(after, "  query ") ? GOES_ON : DIFFERS;
}

static int new_error(const char *call, const char *before, const char *after)
{
    (void)call;
    return strstr(before, "'unknown error'") && strstr(after, "'HTTP body ") ? GOES_ON : DIFFERS;
}

static const allowance allowances[] = {
    { "WS_EV_HTTP says that its body is whole", last_of_http },
    { "a request with a body is given when that is there, or refused", body_of_a_request },
    { "what is left alone where no route leads is answered 404, not 426", left_alone },
    { "target and path of a server's request stay", target_that_stays },
    { "ws_conn has a pointer more", room_of_a_block },
    { "an error more", new_error },
    { "ws_drop behind an answer of HTTP that had gone: CLOSE was clean and had code 1006",
      code_of_an_answer },
    { NULL, NULL }
};

static int allowed(const char *call, const char *before, const char *after)
{
    const allowance *a;
    int verdict;

    for (a = allowances; a->reason; a++) {
        verdict = (a->allows)(call, before, after);
        if (verdict != DIFFERS) return verdict;
    }
    return DIFFERS;
}

/* ---- one script ---- */

typedef struct script {
    uint8_t data[(CALLS_MOST + 1) * GROUP];
    size_t n;
    const uint8_t *bytes;
    size_t bytes_n;
} script;

typedef struct difference {
    char call[200];             /* the lines that differ, and the call that they are of */
    char before[400];
    char after[400];
} difference;

static const char *take_line(const char *at, char *line, size_t room)
{
    size_t n = strcspn(at, "\n"), kept = n < room ? n : room - 1;

    memcpy(line, at, kept);
    line[kept] = 0;
    return at[n] ? at + n + 1 : at + n;
}

/* 1 if the logs differ in a way that is not allowed: *d tells the first such place. */
static int logs_differ(const char *before, const char *after, difference *d)
{
    if (!strcmp(before, after)) return 0;
    memset(d, 0, sizeof *d);
    while (*before || *after) {
        const char *old_line = before, *new_line = after;
        before = take_line(before, d->before, sizeof d->before);
        after = take_line(after, d->after, sizeof d->after);
        if (d->before[0] == '#') snprintf(d->call, sizeof d->call, "%.190s", d->before);
        if (before - old_line != after - new_line ||
            memcmp(old_line, new_line, (size_t)(before - old_line))) {
            int verdict = allowed(d->call, d->before, d->after);
            if (verdict == DIFFERS) return 1;
            if (verdict == ENDS) return 0;
        }
    }
    return 0;
}

static int show_log;

static int differs(const script *s, difference *d)
{
    const char *before = lockstep_old(s->data, s->n, s->bytes, s->bytes_n);
    const char *after = lockstep_new(s->data, s->n, s->bytes, s->bytes_n);

    if (show_log) fputs(after, stdout);
    return logs_differ(before, after, d);
}

/* Leaves calls out as long as it still differs: many at once, then one by one. */
static void shrink(script *s, difference *d)
{
    size_t groups, at;
    script less;
    difference other;

    for (groups = s->n / GROUP / 2; groups; groups /= 2) {
        for (at = GROUP; at + groups * GROUP <= s->n;) {
            size_t end = at + groups * GROUP;
            less = *s;
            memmove(less.data + at, less.data + end, s->n - end);
            less.n -= groups * GROUP;
            if (differs(&less, &other)) {
                *s = less;
                *d = other;
            } else {
                at += groups * GROUP;
            }
        }
    }
}

static void print_calls(const script *s)
{
    const char *at = lockstep_new(s->data, s->n, s->bytes, s->bytes_n);
    char line[200];

    while (*at) {
        at = take_line(at, line, sizeof line);
        if (line[0] == '#') printf("    %s\n", line);
    }
}

static void report(script *s, const char *what, difference *d)
{
    size_t i;

    printf("  %s differs\n", what);
    shrink(s, d);
    print_calls(s);
    printf("  in the call %s\n    old:%s\n    new:%s\n  script:", d->call, d->before, d->after);
    for (i = 0; i < s->n; i++) {
        printf(i % GROUP ? "%02x" : " %02x", s->data[i]);
    }
    printf("\n");
}

/* ---- many scripts ---- */

static long passed, failed;

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void make_script(script *s, int which, uint64_t seed)
{
    uint64_t state = seed * 1000 + (uint64_t)which;
    size_t i;

    memset(s, 0, sizeof *s);
    s->n = (2 + next_random(&state) % CALLS_MOST) * GROUP;
    for (i = 0; i < s->n; i++) s->data[i] = (uint8_t)(next_random(&state) >> 40);
    s->data[0] = (uint8_t)which;
}

static int show;

/* Plays one. Returns 1 if the two differ. */
static int play(script *s, const char *what)
{
    difference d;

    if (show) {
        printf("  %s\n", what);
        fflush(stdout);
    }
    if (!differs(s, &d)) return 0;
    report(s, what, &d);
    return 1;
}

static int play_seed(int which, uint64_t seed)
{
    script s;
    char what[80];

    make_script(&s, which, seed);
    sprintf(what, "--profile %s --scripts 1 --seed %llu", profiles[which].name,
            (unsigned long long)seed);
    return play(&s, what);
}

static void verdict(const char *name, long scripts, int faults)
{
    if (faults) {
        failed++;
        printf("FAIL %s (%d of %ld scripts differ)\n", name, faults, scripts);
    } else {
        passed++;
        printf("ok %s (%ld scripts)\n", name, scripts);
    }
    fflush(stdout);
}

static void play_profile(int which, uint64_t seed, long scripts)
{
    int faults = 0;
    long i;

    for (i = 0; i < scripts && faults < 3; i++) faults += play_seed(which, seed + (uint64_t)i);
    verdict(profiles[which].name, i, faults);
}

static void play_seconds(int only, uint64_t seed, long seconds)
{
    time_t end = time(NULL) + seconds;
    long scripts = 0;
    int faults = 0, which;

    for (; time(NULL) < end && faults < 3; seed++) {
        for (which = 0; which < PROFILES; which++) {
            if (only >= 0 && which != only) continue;
            faults += play_seed(which, seed);
            scripts++;
        }
    }
    verdict("all profiles", scripts, faults);
}

/* As a script, and as what the peer says in each profile. */
static int play_file(const char *name)
{
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(name, "rb");
    size_t n;
    script s;
    int which, faults = 0;

    if (!f) {
        printf("  %s cannot be read\n", name);
        return 1;
    }
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    memset(&s, 0, sizeof s);
    s.n = n < sizeof s.data ? n / GROUP * GROUP : sizeof s.data;
    memcpy(s.data, bytes, s.n);
    faults += play(&s, name);
    for (which = 0; which < PROFILES && !faults; which++) {
        make_script(&s, which, n);
        s.bytes = which % 2 && n > 5 ? bytes + 5 : bytes;   /* a target's options come first */
        s.bytes_n = (size_t)(bytes + n - s.bytes);
        faults += play(&s, name);
    }
    return faults;
}

int main(int argc, char **argv)
{
    long seconds = 0, scripts = SCRIPTS, files = 0;
    uint64_t seed = 1;
    int only = -1, faults = 0, i, which;

    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strncmp(argv[i], "--", 2)) {
            faults += play_file(argv[i]);
            files++;
            continue;
        }
        if (!strcmp(argv[i], "--show")) show = 1;
        else if (!strcmp(argv[i], "--log")) show_log = 1;
        else if (!strcmp(argv[i], "--seconds")) seconds = atol(value);
        else if (!strcmp(argv[i], "--scripts")) scripts = atol(value);
        else if (!strcmp(argv[i], "--seed")) seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--profile")) {
            for (which = 0; which < PROFILES; which++) {
                if (!strcmp(profiles[which].name, value)) only = which;
            }
        } else {
            printf("unknown: %s\n", argv[i]);
            return 2;
        }
        i += strcmp(argv[i], "--show") && strcmp(argv[i], "--log");
    }
    if (memcmp(lockstep_old_sizes, lockstep_new_sizes, sizeof lockstep_old_sizes)) {
        printf("FAIL sizes: pad ws__rx, ws__tx or ws__more in lockstep/ws_0_1.h\n0 passed, 1 failed\n");
        return 1;
    }
    if (files) verdict("files", files, faults);
    else if (seconds) play_seconds(only, seed, seconds);
    else for (which = 0; which < PROFILES; which++) {
        if (only < 0 || which == only) play_profile(which, seed, scripts);
    }
    printf("%ld passed, %ld failed\n", passed, failed);
    return failed != 0;
}
