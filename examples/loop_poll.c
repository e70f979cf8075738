/* Teaches: a whole server, and a client, inside a poll() loop that is not the library's.
   Lines of the console go to everybody.
   Build:   cc -o build/loop_poll examples/loop_poll.c -I.
   Run:     build/loop_poll [--port N] [--join URL] [--tls-cert FILE --tls-key FILE]
   You see: listening on ws://127.0.0.1:9001/ */
#include "room.h"
#include <poll.h>
#include <unistd.h>

enum { MOST = 1024 };

/* What to wait for: one descriptor, or where the system's poller has none, each. */
static int list(struct pollfd *all)
{
    static ws_polled polled[MOST];
    size_t n, i;

    if (ws_loop_fd(room) >= 0) {
        all[0].fd = ws_loop_fd(room);
        all[0].events = POLLIN;
        return 1;
    }
    n = ws_loop_polls(room, polled, MOST);
    for (i = 0; i < n && i < MOST; i++) {
        all[i].fd = (int)polled[i].fd;
        all[i].events = (short)((polled[i].wants & WS_WANT_READ ? POLLIN : 0) |
                                (polled[i].wants & WS_WANT_WRITE ? POLLOUT : 0));
    }
    return (int)i;
}

int main(int argc, char **argv)
{
    static struct pollfd all[MOST + 1];
    char line[256];
    int n;

    if (room_open(argc, argv))
        return 1;
    for (;;) {
        n = list(all);
        all[n].fd = STDIN_FILENO;
        all[n].events = POLLIN;
        poll(all, (nfds_t)n + 1, ws_loop_timeout(room));
        room_turn();
        if (!all[n].revents)
            continue;
        if (!fgets(line, sizeof line, stdin))
            break;
        line[strcspn(line, "\n")] = 0;
        room_say(line);
    }
    ws_loop_free(room);
    return 0;
}
