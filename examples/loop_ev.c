/* Teaches: a whole server, and a client, inside libev's loop. Lines of the console go to
   everybody.
   Build:   cc -o build/loop_ev examples/loop_ev.c -I. -lev
   Run:     build/loop_ev [--port N] [--join URL] [--tls-cert FILE --tls-key FILE]
   You see: listening on ws://127.0.0.1:9001/ */
#include "room.h"
#include <ev.h>
#include <unistd.h>

static ev_timer deadline;

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)io;
    (void)events;
}

/* Before libev waits: for how long it may. */
static void before(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    int ms = ws_loop_timeout(room);

    (void)prepare;
    (void)events;
    ev_timer_stop(loop, &deadline);
    if (ms < 0)
        return;
    ev_timer_set(&deadline, ms / 1000.0, 0);
    ev_timer_start(loop, &deadline);
}

/* Behind the wait, whatever ended it. */
static void after(struct ev_loop *loop, ev_check *check, int events)
{
    (void)loop;
    (void)check;
    (void)events;
    room_turn();
}

static void on_line(struct ev_loop *loop, ev_io *io, int events)
{
    char text[256];
    ssize_t n = read(io->fd, text, sizeof text - 1);

    (void)events;
    if (n <= 0) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    room_say(text);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_prepare prepare;
    ev_check check;
    ev_io readable, console;

    if (room_open(argc, argv))
        return 1;
    ev_io_init(&readable, on_readable, ws_loop_fd(room), EV_READ);
    ev_io_start(loop, &readable);
    ev_timer_init(&deadline, on_deadline, 0, 0);
    ev_prepare_init(&prepare, before);
    ev_prepare_start(loop, &prepare);
    ev_check_init(&check, after);
    ev_check_start(loop, &check);
    ev_io_init(&console, on_line, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &console);
    ev_run(loop, 0);
    ws_loop_free(room);
    return 0;
}
