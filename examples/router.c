/* Teaches: several applications on one port. A table of routes sorts requests by path
            and subprotocol, WS_EV_REQUEST shows each before it is accepted, a cookie
            says who asks, a refusal has a status and words, and ordinary pages come from
            the same port.
   Build:   cc -o build/router examples/router.c -I.
   Run:     build/router [PORT]
   You see: open http://127.0.0.1:8080/     there: log in, talk to /chat and /echo/... */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

enum { CHAT = 1, ECHO = 2 };

static const char page[] =
    "<!doctype html><meta charset=utf-8><title>router</title>"
    "<form action=/login>I am <input name=who> <button>log in</button></form>"
    "<p><input id=t placeholder=say><pre id=o></pre><script>"
    "const at = location.origin.replace('http', 'ws'), show = t => o.prepend(t + '\\n');"
    "const chat = new WebSocket(at + '/chat', 'chat.v1'),"
    " echo = new WebSocket(at + '/echo/any');"
    "chat.onopen = () => show('chat: you are in');"
    "chat.onclose = () => show('chat: closed; log in first');"
    "chat.onmessage = e => show('chat: ' + e.data);"
    "echo.onmessage = e => show('echo: ' + e.data);"
    "t.onchange = () => { for (const w of [chat, echo]) if (w.readyState === 1)"
    " w.send(t.value);"
    " t.value = '' }</script>";

/* The name in the session cookie. A real server would look a random session number up. */
static int who_asks(ws_conn *conn, char *name, size_t size)
{
    return ws_cookie(conn, "session", name, size) > 0;
}

/* GET /login?who=ann sets the cookie and goes back to the page. */
static void serve_page(ws_conn *conn)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    ws_set_cookie cookie = {0};
    ws_header back[3] = { { "Location", "/" }, { NULL, NULL }, { NULL, NULL } };
    char name[32], line[200];
    ws_str path = ws_path(conn);

    if (ws_str_is(path, "/")) {
        ws_http_reply(conn, 200, html, page, sizeof page - 1);
    } else if (!ws_str_is(path, "/login")) {
        ws_http_reply(conn, 404, NULL, "no such page\n", 13);
    } else if (ws_query(conn, "who", name, sizeof name) <= 0) {
        ws_http_reply(conn, 400, NULL, "who?\n", 5);
    } else {
        cookie.name = "session";
        cookie.value = name;
        cookie.path = "/";
        cookie.http_only = 1;
        if (ws_cookie_format(&cookie, line, sizeof line) > 0) {
            back[1].name = "Set-Cookie";
            back[1].value = line;
        }
        ws_http_reply(conn, 303, back, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static const ws_route routes[] = {
        { "/chat",   "chat.v1", CHAT },     /* path, subprotocol (NULL: any), your id */
        { "/echo/*", NULL,      ECHO },     /* anything else is answered with 404 */
        { NULL, NULL, 0 }
    };
    ws_config cfg = {0};
    ws_event ev;
    ws_loop *loop = ws_loop_new(NULL);
    char address[64], name[32];
    int listener;

    cfg.routes = routes;
    cfg.ask = 1;                                /* give me WS_EV_REQUEST */
    snprintf(address, sizeof address, "127.0.0.1:%s", argc > 1 ? argv[1] : "8080");
    listener = ws_listen(loop, address, &cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);

    while (ws_poll(loop, &ev, -1) >= 0) {
        switch (ev.type) {
        case WS_EV_HTTP:                        /* not a WebSocket request */
            serve_page(ev.conn);
            break;
        case WS_EV_REQUEST:                     /* could also be answered later */
            if (ws_route_id(ev.conn) == CHAT && !who_asks(ev.conn, name, sizeof name))
                ws_reject(ev.conn, 401, NULL, "log in first\n");
            else
                ws_accept(ev.conn, NULL);
            break;
        case WS_EV_OPEN:
            if (ws_route_id(ev.conn) == CHAT)
                ws_join(ev.conn, "chat");
            break;
        case WS_EV_MESSAGE:
            if (ws_route_id(ev.conn) == CHAT)
                ws_publish(loop, "chat", NULL, ev.op, ev.data, ev.size);
            else
                ws_send(ev.conn, ev.op, ev.data, ev.size);
            break;
        default: break;
        }
    }
    return 1;
}
