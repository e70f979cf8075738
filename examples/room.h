/* A room that everybody hears, as other programs' loops run it: loop_uv, loop_ev and
   loop_poll wait, each in its way, and call room_turn. Not a program of its own. */
#ifndef ROOM_H
#define ROOM_H
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ws_loop *room;
static ws_conn *elsewhere;          /* a server whose messages are told here too */

static const char *room_option(int argc, char **argv, const char *name)
{
    int i;

    for (i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    }
    return NULL;
}

/* Options: --port N, --tls-cert FILE --tls-key FILE, --ca FILE, --join URL. 0, or says
   why. */
static int room_open(int argc, char **argv)
{
    const char *port = room_option(argc, argv, "--port");
    const char *url = room_option(argc, argv, "--join");
    const char *cert = room_option(argc, argv, "--tls-cert");
    ws_tls_config files = { 0 };
    ws_config cfg = { 0 };
    char address[64];
    int listener;

    files.cert = cert;
    files.key = room_option(argc, argv, "--tls-key");
    files.ca = room_option(argc, argv, "--ca");
    if (cert || files.ca)
        cfg.tls = ws_tls_new(&files);
    room = ws_loop_new(NULL);
    snprintf(address, sizeof address, "127.0.0.1:%s", port ? port : "9001");
    listener = ws_listen(room, address, cert ? &cfg : NULL);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(room));
        return -1;
    }
    cfg.reconnect = 100;
    if (url)
        elsewhere = ws_dial(room, url, &cfg);
    ws_tls_free(cfg.tls);           /* who uses it holds it */
    printf("listening on %s://127.0.0.1:%d/\n", cert ? "wss" : "ws",
           ws_listen_port(room, listener));
    fflush(stdout);
    return 0;
}

/* Takes all that there is to take. Call it when the room's descriptor is readable, and
   when ws_loop_timeout has passed. */
static void room_turn(void)
{
    ws_event ev;

    while (ws_poll(room, &ev, 0) > 0) {
        if (ev.type == WS_EV_OPEN && ev.conn != elsewhere)
            ws_join(ev.conn, "room");
        if (ev.type == WS_EV_MESSAGE)
            ws_publish(room, "room", NULL, ev.op, ev.data, ev.size);
        if (ev.type == WS_EV_DOWN)
            fprintf(stderr, "elsewhere: %s\n", ev.reason);
    }
}

static void room_say(const char *text)
{
    ws_publish(room, "room", NULL, WS_OP_TEXT, text, strlen(text));
}

#endif
