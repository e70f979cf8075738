/* Teaches: noticing dead peers, on both sides, without a line of code: pings go out when
            a connection is quiet, and one whose peer does not answer ends with CLOSE and
            WS_ERR_PING_TIMEOUT. The defaults are 20 and 20 seconds; here they are short.
            A paused connection plays the machine whose cable was cut.
   Build:   cc -o build/heartbeat examples/heartbeat.c -I.
   Run:     build/heartbeat
   You see, in some order:
            a server lost its client: peer did not answer pings
            a client lost its server: peer did not answer pings
            and the third pair is alive, round trip N ms */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

static ws_loop *loop;

static int listen_with(const ws_config *cfg)
{
    return ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", cfg));
}

static ws_conn *dial(int port, const char *path, const ws_config *cfg)
{
    char url[64];

    snprintf(url, sizeof url, "ws://127.0.0.1:%d%s", port, path);
    return ws_dial(loop, url, cfg);
}

/* The ends that will be silent: one client, and the server's end of one path. */
static int is_cut(ws_conn *conn, ws_conn *client)
{
    return conn == client || !strcmp(ws_target(conn), "/cut");
}

int main(void)
{
    ws_config watch = {0}, sleepy = {0};
    ws_conn *cut, *alive;
    ws_event ev;
    int watching, sleeping, lost = 0;

    watch.ping_interval = 200;                  /* ms of silence, then a ping */
    watch.ping_timeout = 200;                   /* ms for the answer */
    sleepy.ping_interval = WS_NEVER;            /* sends none, notices nothing */

    loop = ws_loop_new(NULL);
    watching = listen_with(&watch);
    sleeping = listen_with(&sleepy);
    cut = dial(watching, "/", &sleepy);     /* a client will go silent on its server */
    dial(sleeping, "/cut", &watch);         /* a server will go silent on its client */
    alive = dial(sleeping, "/", &watch);    /* asks, and is answered */

    while (lost < 2 && ws_poll(loop, &ev, 5000) > 0) {
        if (ev.type == WS_EV_OPEN && is_cut(ev.conn, cut))
            ws_pause(ev.conn);              /* reads nothing more, not even pings */
        if (ev.type == WS_EV_CLOSE && ev.error == WS_ERR_PING_TIMEOUT) {
            const char *client = "a client lost its server";
            const char *server = "a server lost its client";
            printf("%s: %s\n", ws_is_client(ev.conn) ? client : server, ev.reason);
            lost++;
        }
    }
    while (ws_rtt(alive) < 0 && ws_poll(loop, &ev, 1000) > 0)
        continue;
    printf("and the third pair is alive, round trip %d ms\n", ws_rtt(alive));
    ws_loop_free(loop);
    return lost != 2;
}
