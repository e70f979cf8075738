/* --deflate and --deflate=SETTINGS, for the programs that can compress. SETTINGS are names of
   fields of ws_deflate, those of numbers with one, with commas between:
       --deflate=server_no_context_takeover,client_max_window_bits=10,level=1,threshold=1 */
#ifndef EXAMPLE_DEFLATE_H
#define EXAMPLE_DEFLATE_H
#include <stdlib.h>
#include <string.h>

/* 1: arg is this option, and d is filled in; 0: it is another one; -1: it is wrong. */
static int deflate_option(const char *arg, ws_deflate *d)
{
    struct { const char *name; int *flag, *number; } known[] = {
        { "server_no_context_takeover", NULL, NULL }, { "client_no_context_takeover", NULL, NULL },
        { "required", NULL, NULL }, { "server_max_window_bits", NULL, NULL },
        { "client_max_window_bits", NULL, NULL }, { "level", NULL, NULL },
        { "mem_level", NULL, NULL }, { "threshold", NULL, NULL }
    };
    const char *at = arg + 9;
    int threshold = (int)d->threshold;
    size_t i, n;

    if (strncmp(arg, "--deflate", 9) || (*at && *at != '=')) return 0;
    known[0].flag = &d->server_no_context_takeover;
    known[1].flag = &d->client_no_context_takeover;
    known[2].flag = &d->required;
    known[3].number = &d->server_max_window_bits;
    known[4].number = &d->client_max_window_bits;
    known[5].number = &d->level;
    known[6].number = &d->mem_level;
    known[7].number = &threshold;
    while (*at) {
        n = strcspn(++at, "=,");
        for (i = 0; i < 8; i++)
            if (strlen(known[i].name) == n && !memcmp(known[i].name, at, n)) break;
        if (i == 8 || (at[n] == '=') != (known[i].number != NULL)) return -1;
        at += n;
        if (known[i].flag) *known[i].flag = 1;
        else {
            char *end;
            long v = strtol(at + 1, &end, 10);
            if (end == at + 1 || (*end && *end != ',') || v < 0 || v > 0x7FFFFFFF) return -1;
            *known[i].number = (int)v;
            at = end;
        }
    }
    d->threshold = (uint32_t)threshold;
    return 1;
}
#endif
