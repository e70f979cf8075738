/* Teaches: WebSockets beside GNU libmicrohttpd, in one thread and one wait. It serves the
            page and answers the upgrade itself; the socket then goes to a room of ws.h,
            which begins where that answer ends (ws_begin).
   Build:   cc -o build/attach_mhd examples/attach_mhd.c -I. -lmicrohttpd        (Linux)
   Run:     build/attach_mhd [PORT]
   You see: open http://127.0.0.1:8080/     what one window says, all show; Ctrl-C ends */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct MHD_Connection http_request;
typedef struct MHD_UpgradeResponseHandle http_upgrade;

static ws_loop *room;
static int runs_owed;               /* of libmicrohttpd, though nothing is ready */
static volatile sig_atomic_t stop;

/* ---- WebSockets ---- */

/* It closes the socket when it runs next; if it was out of descriptors, it accepts again
   when it runs once more. No descriptor tells of that. */
static void give_back(http_upgrade *upgrade)
{
    MHD_upgrade_action(upgrade, MHD_UPGRADE_ACTION_CLOSE);
    runs_owed = 2;
}

/* The 101 is sent. The socket remains libmicrohttpd's until CLOSE below, and counts among
   its connections; the room owns, and closes, a second descriptor of it. */
static void on_upgraded(void *protocol, http_request *request, void *data,
                        const char *extra, size_t extra_size, MHD_socket theirs,
                        http_upgrade *upgrade)
{
    int fd = dup(theirs);
    ws_conn *conn = fd < 0 ? NULL : ws_adopt(room, fd, extra, extra_size, NULL);

    (void)request;
    (void)data;
    if (!conn) {
        if (fd >= 0)
            close(fd);
        give_back(upgrade);
        return;
    }
    ws_set_user(conn, upgrade);
    if (ws_begin(conn, (const char *)protocol, NULL))
        ws_drop(conn);                          /* CLOSE still comes */
}

static void hear(const ws_event *ev)
{
    if (ev->type == WS_EV_OPEN)
        ws_join(ev->conn, "room");
    if (ev->type == WS_EV_MESSAGE)
        ws_publish(room, "room", NULL, ev->op, ev->data, ev->size);
    if (ev->type == WS_EV_CLOSE)
        give_back((http_upgrade *)ws_user(ev->conn));
}

/* ---- HTTP ---- */

static char page[] =
    "<!doctype html><title>attach_mhd</title><input id=say autofocus><pre id=all></pre>"
    "<script>const w = new WebSocket(location.href.replace('http', 'ws') + 'chat', 'chat');"
    "w.onmessage = e => all.prepend(e.data + '\\n');"
    "say.onchange = () => { w.send(say.value); say.value = '' }</script>";

/* Looks for an item in a list, which may be spread over several lines of the head. Only
   subprotocols have to match exactly. */
typedef struct search {
    const char *name, *item;
    int found, exactly;
} search;

static enum MHD_Result look(void *user, enum MHD_ValueKind kind, const char *name,
                            const char *value)
{
    search *wanted = (search *)user;
    size_t size = strlen(wanted->item);
    ws_str field, list, item;

    (void)kind;
    field.data = name;
    field.size = strlen(name);
    list.data = value ? value : "";
    list.size = strlen(list.data);
    if (!ws_str_is(field, wanted->name))
        return MHD_YES;
    if (!wanted->exactly)
        wanted->found |= ws_list_has(list, wanted->item);
    while (ws_list_next(&list, &item))
        wanted->found |= item.size == size && !memcmp(item.data, wanted->item, size);
    return MHD_YES;
}

static int lists(http_request *request, const char *name, const char *item, int exactly)
{
    search wanted;

    wanted.name = name;
    wanted.item = item;
    wanted.exactly = exactly;
    wanted.found = 0;
    MHD_get_connection_values(request, MHD_HEADER_KIND, look, &wanted);
    return wanted.found;
}

static const char *header(http_request *request, const char *name)
{
    const char *value = MHD_lookup_connection_value(request, MHD_HEADER_KIND, name);

    return value ? value : "";
}

/* Browsers let any page open a WebSocket to anywhere, and say whose page it is. */
static int is_foreign(http_request *request)
{
    const char *origin = header(request, "Origin"), *ours = "http://";

    return *origin && (strncmp(origin, ours, strlen(ours)) ||
                       strcmp(origin + strlen(ours), header(request, "Host")));
}

/* The status for a request of /chat. ws.h looks at none of this when it begins behind it:
   whoever writes the 101 has to (RFC 6455 4.2.1). */
static unsigned judge(http_request *request, const char *method, const char *version)
{
    if (strcmp(method, "GET"))
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (strcmp(version, "HTTP/1.1") || !lists(request, "Connection", "upgrade", 0) ||
        !lists(request, "Upgrade", "websocket", 0) ||
        strcmp(header(request, "Sec-WebSocket-Version"), "13"))
        return MHD_HTTP_UPGRADE_REQUIRED;
    if (strlen(header(request, "Sec-WebSocket-Key")) != 24)
        return MHD_HTTP_BAD_REQUEST;
    return is_foreign(request) ? MHD_HTTP_FORBIDDEN : MHD_HTTP_SWITCHING_PROTOCOLS;
}

/* A response with what a client must know at that status. */
static struct MHD_Response *respond(http_request *request, unsigned status)
{
    static char chat[] = "chat";
    int speaks = lists(request, "Sec-WebSocket-Protocol", chat, 1);
    struct MHD_Response *response;
    const char *key;
    char accept[29];

    if (status == MHD_HTTP_OK) {
        response = MHD_create_response_from_buffer(sizeof page - 1, page,
                                                   MHD_RESPMEM_PERSISTENT);
        MHD_add_response_header(response, "Content-Type", "text/html");
        return response;
    }
    if (status != MHD_HTTP_SWITCHING_PROTOCOLS) {
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
            MHD_add_response_header(response, "Allow", "GET");
        if (status == MHD_HTTP_UPGRADE_REQUIRED) {
            MHD_add_response_header(response, "Connection", "Upgrade");
            MHD_add_response_header(response, "Upgrade", "websocket");
            MHD_add_response_header(response, "Sec-WebSocket-Version", "13");
        }
        return response;
    }
    response = MHD_create_response_for_upgrade(on_upgraded, speaks ? chat : NULL);
    /* judge has seen that there is one, of 24 characters */
    key = MHD_lookup_connection_value(request, MHD_HEADER_KIND, "Sec-WebSocket-Key");
    ws_accept_key(key, accept);
    MHD_add_response_header(response, "Upgrade", "websocket");
    MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
    if (speaks)
        MHD_add_response_header(response, "Sec-WebSocket-Protocol", chat);
    return response;
}

/* Called when the head has come, for each piece of a body, and when all is there. */
static enum MHD_Result on_request(void *unused, http_request *request, const char *path,
                                  const char *method, const char *version,
                                  const char *body, size_t *body_size, void **seen)
{
    struct MHD_Response *response;
    enum MHD_Result result;
    unsigned status = MHD_HTTP_NOT_FOUND;

    (void)unused;
    (void)body;
    if (!*seen || *body_size) {                 /* not all; no body is of interest */
        *seen = &room;
        *body_size = 0;
        return MHD_YES;
    }
    if (!strcmp(path, "/"))
        status = MHD_HTTP_OK;
    if (!strcmp(path, "/chat"))
        status = judge(request, method, version);
    response = respond(request, status);
    result = MHD_queue_response(request, status, response);
    MHD_destroy_response(response);             /* it is held until it is sent */
    return result;
}

/* ---- one wait for both ---- */

/* One descriptor tells that any socket of libmicrohttpd is ready. The room watches it. */
static int http_fd(struct MHD_Daemon *http)
{
    return MHD_get_daemon_info(http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static struct MHD_Daemon *http_start(int port)
{
    struct MHD_Daemon *http;
    struct sockaddr_in at;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)port);
    http = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_UPGRADE, 0, NULL, NULL, on_request,
                            NULL, MHD_OPTION_SOCK_ADDR, &at,
                            MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (!http)
        return NULL;
    ws_watch(room, http_fd(http), WS_WANT_READ, NULL);
    printf("open http://127.0.0.1:%d/\n",
           MHD_get_daemon_info(http, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    return http;
}

/* Milliseconds until libmicrohttpd wants to run even if nothing comes, -1: never. */
static int http_patience(struct MHD_Daemon *http)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (runs_owed) {
        runs_owed--;
        return 0;
    }
    if (MHD_get_timeout(http, &ms) != MHD_YES)
        return -1;
    return ms > 60000 ? 60000 : (int)ms;
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
    ws_wake(room);
}

int main(int argc, char **argv)
{
    struct MHD_Daemon *http;
    ws_event ev;

    room = ws_loop_new(NULL);
    http = http_start(argc > 1 ? atoi(argv[1]) : 8080);
    if (!http) {
        perror("attach_mhd");
        ws_loop_free(room);
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    while (!stop) {
        int patience = http_patience(http), got = ws_poll(room, &ev, patience);
        if (got < 0)
            break;
        if (got)
            hear(&ev);
        if (!got || !patience || ev.type == WS_EV_READY)
            MHD_run(http);
    }
    signal(SIGINT, SIG_DFL);
    ws_watch(room, http_fd(http), 0, NULL);
    ws_shutdown(room, WS_CLOSE_GOING_AWAY, "stopping", 5000);
    while (ws_poll(room, &ev, -1) > 0)
        hear(&ev);
    MHD_stop_daemon(http);                      /* all upgraded sockets are closed */
    ws_loop_free(room);
    return 0;
}
