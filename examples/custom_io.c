/* Teaches: your own transport. Two functions carry the bytes, so TLS, a serial line, an
            SSH channel or a test harness can carry a WebSocket. Here: standard input and
            output.
   Build:   cc -o build/custom_io examples/custom_io.c -I.
   Run:     build/echo_server &
            bash -c 'exec 3<>/dev/tcp/127.0.0.1/9001; exec build/custom_io <&3 >&3'
   You see: 5 bytes: hello       (on standard error; the other two are the wire) */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

/* Return bytes moved, 0 at the end of the stream (read), or WS_IO_WANT_READ,
   WS_IO_WANT_WRITE, WS_IO_ERROR. fread blocks until all bytes are there, which ws_connect
   allows: it asks for no more than the protocol says must come. */
static ptrdiff_t my_read(void *user, void *buf, size_t size)
{
    return (ptrdiff_t)fread(buf, 1, size, ((FILE **)user)[0]);
}

static ptrdiff_t my_write(void *user, const void *buf, size_t size)
{
    FILE *out = ((FILE **)user)[1];
    size_t put = fwrite(buf, 1, size, out);
    if (put == 0 || fflush(out))
        return WS_IO_ERROR;
    return (ptrdiff_t)put;
}

int main(void)
{
    FILE *ends[2];
    ws_config cfg = {0};
    ws_event ev;
    ws_conn *conn;
    int failed;

    ends[0] = stdin;
    ends[1] = stdout;
    cfg.io.read = my_read;
    cfg.io.write = my_write;
    cfg.io.user = ends;
    conn = ws_connect("ws://device.local/", &cfg);  /* sets Host; nothing is looked up */
    ws_send_text(conn, "hello");
    while (ws_recv(conn, &ev, -1) > 0)
        if (ev.type == WS_EV_MESSAGE) {
            fprintf(stderr, "%u bytes: %.*s\n", (unsigned)ev.size, (int)ev.size,
                    (const char *)ev.data);
            ws_close(conn, WS_CLOSE_NORMAL, NULL);
        }
    failed = ws_error(conn) != 0;
    if (failed)
        fprintf(stderr, "%s\n", ws_error_text(conn));
    ws_free(conn);
    return failed;
}
