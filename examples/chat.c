/* Teaches: groups. A room is a group: ws_join puts a connection into it, ws_publish
            sends to all of it, framed once; a connection that ends has left. Slow
            readers lose old lines instead of making the others wait.
   Build:   cc -o build/chat examples/chat.c -I.
   Run:     build/chat [PORT]
   You see: open http://127.0.0.1:8080/     there: /join ROOM, /name ME, or just talk */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char page[] =
    "<!doctype html><meta charset=utf-8><title>chat</title>"
    "<input id=t size=60 autofocus placeholder='say something, /name ann, /join garden'>"
    "<pre id=o></pre><script>"
    "const w = new WebSocket(location.href.replace('http', 'ws'));"
    "const show = s => o.textContent = s + '\\n' + o.textContent;"
    "w.onmessage = e => show(e.data); w.onclose = e => show('gone: ' + e.code);"
    "t.onchange = () => { w.send(t.value); t.value = '' }</script>";

typedef struct person { char name[24], room[24]; } person;

static ws_loop *loop;

/* Tells a room, formatted; except may be NULL. */
static void tell(const char *room, ws_conn *except, const char *format, ...)
{
    char line[600];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size >= (int)sizeof line)
        size = (int)sizeof line - 1;
    ws_publish(loop, room, except, WS_OP_TEXT, line, (size_t)size);
}

static void move(ws_conn *conn, person *who, const char *room)
{
    if (*who->room) {
        ws_leave(conn, who->room);
        tell(who->room, conn, "* %s left", who->name);
    }
    snprintf(who->room, sizeof who->room, "%s", room);
    if (!*room)
        return;
    ws_join(conn, who->room);
    tell(who->room, NULL, "* %s is in %s", who->name, who->room);
}

static void heard(ws_conn *conn, person *who, const ws_event *ev)
{
    char text[512], word[24];

    snprintf(text, sizeof text, "%.*s", (int)ev->size, (const char *)ev->data);
    if (sscanf(text, "/join %23s", word) == 1) {
        move(conn, who, word);
    } else if (sscanf(text, "/name %23s", word) == 1) {
        tell(who->room, NULL, "* %s is now %s", who->name, word);
        snprintf(who->name, sizeof who->name, "%s", word);
    } else {
        tell(who->room, NULL, "%s: %s", who->name, text);
    }
}

int main(int argc, char **argv)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    ws_config cfg = {0};
    ws_event ev;
    char address[64];
    int listener, guests = 0;
    person *who;

    cfg.max_message = 500;                      /* bytes */
    cfg.max_backlog = 65536;                    /* who is slower than that ... */
    cfg.drop_oldest = 1;                        /* ... misses lines */
    loop = ws_loop_new(NULL);
    snprintf(address, sizeof address, "127.0.0.1:%s", argc > 1 ? argv[1] : "8080");
    listener = ws_listen(loop, address, &cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);

    while (ws_poll(loop, &ev, -1) >= 0) {
        who = (person *)ws_user(ev.conn);
        if (ev.type == WS_EV_HTTP)
            ws_http_reply(ev.conn, 200, html, page, sizeof page - 1);
        if (ev.type == WS_EV_OPEN && (who = (person *)calloc(1, sizeof *who)) != NULL) {
            snprintf(who->name, sizeof who->name, "guest%d", ++guests);
            ws_set_user(ev.conn, who);
            move(ev.conn, who, "lobby");
        }
        if (ev.type == WS_EV_MESSAGE && who)
            heard(ev.conn, who, &ev);
        if (ev.type == WS_EV_CLOSE && who) {
            move(ev.conn, who, "");
            free(who);
        }
    }
    return 1;
}
