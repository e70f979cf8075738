/* What the two sides of lockstep.c and the program around them share. */
#ifndef LOCKSTEP_SCRIPT_H
#define LOCKSTEP_SCRIPT_H
#include <stddef.h>
#include <stdint.h>

/* A script is groups of 8 bytes. The first one: byte 0 says the profile, the rest how the
   connections are set up. Each other one is a call: byte 0 says which, the rest all about it. */
#define GROUP 8

enum { SERVER = 1, CLIENT = 2, PAIR = 3, LEAVES = 4 };      /* who is there */
enum { ENGINE, STEP, BLOCKING };                            /* who moves the bytes */

typedef struct profile {
    const char *name;
    int roles;
    int driver;
    int http;           /* ordinary HTTP rather than a WebSocket */
    int deflate;        /* permessage-deflate, or an extension of the application */
    int block;          /* cfg.memory */
    int failing;        /* allocations and random numbers fail */
} profile;

static const profile profiles[] = {
    { "server",           SERVER, ENGINE,   0, 0, 0, 0 },
    { "client",           CLIENT, ENGINE,   0, 0, 0, 0 },
    { "pair",             PAIR,   ENGINE,   0, 0, 0, 0 },
    { "http_server",      SERVER, ENGINE,   1, 0, 0, 0 },
    { "http_client",      CLIENT, ENGINE,   1, 0, 0, 0 },
    { "deflate_server",   SERVER, ENGINE,   0, 1, 0, 0 },
    { "deflate_client",   CLIENT, ENGINE,   0, 1, 0, 0 },
    { "deflate_pair",     PAIR,   ENGINE,   0, 1, 0, 0 },
    { "block_server",     SERVER, ENGINE,   0, 0, 1, 0 },
    { "block_client",     CLIENT, ENGINE,   0, 0, 1, 0 },
    { "block_http",       SERVER, ENGINE,   1, 0, 1, 0 },
    { "block_deflate",    PAIR,   ENGINE,   0, 1, 1, 0 },
    { "failing_server",   SERVER, ENGINE,   0, 0, 0, 1 },
    { "failing_client",   CLIENT, ENGINE,   0, 0, 0, 1 },
    { "failing_http",     SERVER, ENGINE,   1, 0, 0, 1 },
    { "failing_deflate",  PAIR,   ENGINE,   0, 1, 0, 1 },
    { "step_server",      SERVER, STEP,     0, 0, 0, 0 },
    { "step_client",      CLIENT, STEP,     0, 0, 0, 0 },
    { "step_pair",        PAIR,   STEP,     0, 1, 0, 0 },
    { "step_http_server", SERVER, STEP,     1, 0, 0, 0 },
    { "step_http_client", CLIENT, STEP,     1, 0, 0, 0 },
    { "step_block",       SERVER, STEP,     0, 0, 1, 0 },
    { "blocking_client",  CLIENT, BLOCKING, 0, 0, 0, 0 },
    { "blocking_http",    CLIENT, BLOCKING, 1, 0, 0, 0 },
    { "leaves",           LEAVES, ENGINE,   0, 0, 0, 0 }
};
#define PROFILES ((int)(sizeof profiles / sizeof *profiles))

/* Plays a script. bytes: of a file, which the peer sends too; may be none. Returns the log, valid
   until the next call: lines of text, those that begin a call with '#'. */
const char *lockstep_old(const uint8_t *script, size_t n, const uint8_t *bytes, size_t bytes_n);
const char *lockstep_new(const uint8_t *script, size_t n, const uint8_t *bytes, size_t bytes_n);

/* Of the structures that stand in front of a block's bytes: the same on both sides, else blocks
   grow, and are refused, at other bytes. */
extern const size_t lockstep_old_sizes[3], lockstep_new_sizes[3];

#endif
