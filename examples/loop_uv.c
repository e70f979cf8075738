/* Teaches: a whole server, and a client, inside libuv's loop. Lines of the console go to
   everybody.
   Build:   cc -o build/loop_uv examples/loop_uv.c -I. -luv
   Run:     build/loop_uv [--port N] [--join URL] [--tls-cert FILE --tls-key FILE]
   You see: listening on ws://127.0.0.1:9001/ */
#include "room.h"
#include <uv.h>

static uv_timer_t deadline;
static uv_pipe_t console;
static char text[256];

static void on_deadline(uv_timer_t *handle) { (void)handle; }
static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)status;
    (void)events;
}

/* Before libuv waits: for how long it may. */
static void before(uv_prepare_t *handle)
{
    int ms = ws_loop_timeout(room);

    (void)handle;
    uv_timer_stop(&deadline);
    if (ms >= 0)
        uv_timer_start(&deadline, on_deadline, (uint64_t)ms, 0);
}

/* Behind the wait, whatever ended it. */
static void after(uv_check_t *handle)
{
    (void)handle;
    room_turn();
}

static void room_for(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    (void)size;
    *buf = uv_buf_init(text, sizeof text - 1);
}

static void on_line(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) {
        uv_stop(stream->loop);
        return;
    }
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    room_say(text);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_poll_t readable;
    uv_prepare_t prepare;
    uv_check_t check;

    if (room_open(argc, argv))
        return 1;
    uv_poll_init(loop, &readable, ws_loop_fd(room));
    uv_poll_start(&readable, UV_READABLE, on_readable);
    uv_timer_init(loop, &deadline);
    uv_prepare_init(loop, &prepare);
    uv_prepare_start(&prepare, before);
    uv_check_init(loop, &check);
    uv_check_start(&check, after);
    uv_pipe_init(loop, &console, 0);
    uv_pipe_open(&console, 0);
    uv_read_start((uv_stream_t *)&console, room_for, on_line);
    uv_run(loop, UV_RUN_DEFAULT);
    ws_loop_free(room);
    return 0;
}
