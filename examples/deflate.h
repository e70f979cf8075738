/* --deflate and --deflate=SETTINGS, for the programs that can compress. SETTINGS are
   fields of ws_deflate, numbers with a value, separated by commas:
       --deflate=server_no_context_takeover,client_max_window_bits=10,level=1 */
#ifndef EXAMPLE_DEFLATE_H
#define EXAMPLE_DEFLATE_H
#include <stdlib.h>
#include <string.h>

/* Sets one field. Returns 0 if there is no such field, or its value is wrong. */
static int deflate_setting(ws_deflate *deflate, const char *name, size_t size,
                           const char *value)
{
    struct { const char *name; int *flag, *number; } known[] = {
        { "server_no_context_takeover", NULL, NULL },
        { "client_no_context_takeover", NULL, NULL },
        { "required", NULL, NULL },
        { "server_max_window_bits", NULL, NULL },
        { "client_max_window_bits", NULL, NULL },
        { "level", NULL, NULL },
        { "mem_level", NULL, NULL },
        { "threshold", NULL, NULL }
    };
    int threshold = (int)deflate->threshold;
    char *end;
    long number;
    size_t i = 0;

    known[0].flag = &deflate->server_no_context_takeover;
    known[1].flag = &deflate->client_no_context_takeover;
    known[2].flag = &deflate->required;
    known[3].number = &deflate->server_max_window_bits;
    known[4].number = &deflate->client_max_window_bits;
    known[5].number = &deflate->level;
    known[6].number = &deflate->mem_level;
    known[7].number = &threshold;
    while (strlen(known[i].name) != size || memcmp(known[i].name, name, size))
        if (++i == sizeof known / sizeof *known)
            return 0;
    if ((value != NULL) != (known[i].number != NULL))
        return 0;
    if (!value) {
        *known[i].flag = 1;
        return 1;
    }
    number = strtol(value, &end, 10);
    if (end == value || (*end && *end != ',') || number < 0 || number > 0x7FFFFFFF)
        return 0;
    *known[i].number = (int)number;
    deflate->threshold = (uint32_t)threshold;
    return 1;
}

/* 1: arg is this option, and deflate is filled in; 0: it is another; -1: it is wrong. */
static int deflate_option(const char *arg, ws_deflate *deflate)
{
    const char *at = arg + 9;

    if (strncmp(arg, "--deflate", 9) || (*at && *at != '='))
        return 0;
    while (*at) {
        const char *name = ++at, *value = NULL;
        size_t size = strcspn(name, "=,");

        at += size;
        if (*at == '=')
            value = at + 1;
        if (!deflate_setting(deflate, name, size, value))
            return -1;
        if (value)
            at = value + strcspn(value, ",");
    }
    return 1;
}
#endif
