/* WS_NO_HTTP and WS_NO_TEXT: frames as ever; no bodies of HTTP and no words for errors, but
   the same errors, codes and statuses. */
#define WS_NO_HTTP
#define WS_NO_TEXT
#define WS_IMPLEMENTATION
#include "ws.h"
#include "use.h"

static int fails(int truth) { return truth ? 0 : 1; }

/* An ordinary request is refused, with a status. */
static int use_refusal(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    ws_conn *server = ws_server_new(NULL);
    ws_event ev;
    const void *out;
    size_t n;
    int wrong;

    ws_feed(server, request, sizeof request - 1);
    wrong = fails(ws_next(server, &ev) == 1 && ev.type == WS_EV_HTTP);
    wrong += fails(!ws_next(server, &ev));
    out = ws_output(server, &n);
    wrong += fails(n > 16 && !memcmp(out, "HTTP/1.1 426 ", 13));
    ws_free(server);
    return wrong;
}

/* A client gets no body of a refusal, and the error without its words. */
static int use_refused(void)
{
    static const char answer[] = "HTTP/1.1 404 Gone\r\nContent-Length: 3\r\n\r\nabc";
    ws_conn *client = ws_client_new("ws://h/", NULL);
    ws_event ev;
    size_t n;
    int wrong;

    ws_output(client, &n);
    ws_output_done(client, n);
    ws_feed(client, answer, sizeof answer - 1);
    wrong = fails(ws_next(client, &ev) == 1 && ev.type == WS_EV_CLOSE);
    wrong += fails(ev.error == WS_ERR_STATUS && ws_status(client) == 404);
    wrong += fails(!*ev.reason && !*ws_error_string(WS_ERR_STATUS));
    wrong += fails(!ws_body(client).size);
    ws_free(client);
    return wrong;
}

/* What asks for ordinary HTTP is an error. */
static int use_method(void)
{
    ws_config cfg = { 0 };
    ws_conn *client;
    int wrong;

    cfg.method = "GET";
    client = ws_client_new("http://h/", &cfg);
    wrong = fails(ws_error(client) == WS_ERR_ARGUMENT);
    ws_free(client);
    return wrong;
}

int main(void)
{
    int wrong = use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL));

    return wrong + use_refusal() + use_refused() + use_method();
}
