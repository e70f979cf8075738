/* Teaches: ordinary HTTP beside the socket: a form, the body of its POST, a cookie; then
            a WebSocket that knows by the cookie who speaks. A program with passwords
            keeps a session in it that nobody can guess.
   Build:   cc -o build/login_form examples/login_form.c -I.
   Run:     build/login_form 8080
   You see: open http://127.0.0.1:8080/ */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

static const char form[] =
    "<!doctype html><title>login_form</title><meta charset=utf-8>\n"
    "<form method=post>name <input name=name autofocus><button>go</button></form>\n";

static const char page[] =
    "<!doctype html><title>login_form</title><meta charset=utf-8>\n"
    "<input id=say autofocus placeholder='say something'><pre id=log></pre>\n"
    "<script>\n"
    "const socket = new WebSocket(location.href.replace('http', 'ws'))\n"
    "socket.onmessage = e => log.textContent += e.data + '\\n'\n"
    "say.onchange = () => { socket.send(say.value); say.value = '' }\n"
    "</script>\n";

static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };

/* The form that was sent, with its name in a cookie. */
static void logged_in(ws_conn *conn, const char *name)
{
    char line[256];
    ws_set_cookie cookie = {0};
    ws_header back[3] = { { "Location", "/" }, { "Set-Cookie", NULL }, { NULL, NULL } };

    cookie.name = "who";
    cookie.value = name;                        /* any text: it is percent-encoded */
    cookie.http_only = 1;
    cookie.same_site = "Strict";
    ws_cookie_format(&cookie, line, sizeof line);
    back[1].value = line;
    ws_http_reply(conn, 303, back, NULL, 0);
}

static void answer(const ws_event *ev)
{
    char name[32];

    if (ws_form(ev, "name", name, sizeof name) > 0)
        logged_in(ev->conn, name);
    else if (ws_cookie(ev->conn, "who", name, sizeof name) > 0)
        ws_http_reply(ev->conn, 200, html, page, sizeof page - 1);
    else
        ws_http_reply(ev->conn, 200, html, form, sizeof form - 1);
}

static void said(const ws_event *ev)
{
    char line[1200], name[32];

    if (ws_cookie(ev->conn, "who", name, sizeof name) <= 0)
        snprintf(name, sizeof name, "somebody");
    snprintf(line, sizeof line, "%s says %.1000s", name, (const char *)ev->data);
    ws_send_text(ev->conn, line);
}

int main(int argc, char **argv)
{
    char address[32];
    ws_config cfg = {0};
    ws_event ev;
    ws_loop *loop = ws_loop_new(NULL);
    int listener;

    cfg.max_body = 1024;                        /* bytes of a form; more: 413 */
    cfg.max_message = 1000;                     /* bytes of a line; more: closed, 1009 */
    cfg.keep_headers = "Cookie";                /* for ws_cookie after the handshake */
    snprintf(address, sizeof address, "127.0.0.1:%s", argc > 1 ? argv[1] : "8080");
    listener = ws_listen(loop, address, &cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0) {
        if (ev.type == WS_EV_HTTP)
            answer(&ev);
        if (ev.type == WS_EV_MESSAGE)
            said(&ev);
    }
    ws_loop_free(loop);
    return 1;
}
