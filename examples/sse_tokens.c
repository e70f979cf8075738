/* Teaches: streaming an answer word by word, as language models do: events in the shape
            of the well-known chat interface, "data: {...}" per token and "data: [DONE]"
            last, each reader at its own pace, one timer for all.
   Build:   cc -O2 -o build/sse_tokens examples/sse_tokens.c -I.
   Run:     build/sse_tokens [PORT]
   You see: open http://127.0.0.1:8080/ ; or:
            curl -N 'http://127.0.0.1:8080/stream?prompt=hi' */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>Tokens</title><style>"
    ":root{color-scheme:light dark;font:17px/1.6 Georgia,serif}body{max-width:34em;"
    "margin:12vh "
    "auto;padding:0 1em}form{display:flex;gap:.5em}input{flex:1;font:inherit;"
    "padding:.4em .6em;"
    "border:1px solid #8888;border-radius:.4em}button{font:inherit}"
    "#answer{min-height:6em}"
    ".busy::after{content:'\\2588';opacity:.5}</style><p id=answer></p>"
    "<form id=ask><input id=prompt placeholder='Ask anything' autofocus><button>"
    "Ask</button></form>"
    "<script>ask.onsubmit=e=>{e.preventDefault();answer.textContent='';"
    "answer.className='busy';"
    "const s=new EventSource('/stream?prompt='+encodeURIComponent(prompt.value));"
    "s.onmessage=m=>{if(m.data=='[DONE]'){s.close();answer.className='';return}"
    "answer.textContent+=JSON.parse(m.data).choices[0].delta.content}}</script>";

static const char *const words[] = {
    "That", " is", " a", " good", " question.", " Every", " word", " of", " this",
    " answer", " is", " an", " event", " of", " its", " own,", " and", " none", " waits",
    " for", " the", " next", " one.", " If", " you", " read", " slowly,", " only", " you",
    " wait."
};

#define WORDS (sizeof words / sizeof *words)

/* Sends the word that is due; user data counts the words sent. Returns 0 at the end. */
static int speak(ws_conn *conn)
{
    size_t at = (size_t)(uintptr_t)ws_user(conn);
    ws_sse_message message = {0};
    char data[160];

    if (at > WORDS)
        return 0;
    message.data = "[DONE]";
    if (at < WORDS) {
        snprintf(data, sizeof data,
                 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}",
                 words[at]);
        message.data = data;
    }
    if (ws_sse_send(conn, &message) == WS_ERR_BACKLOG)
        return 1;                               /* again at the next beat */
    ws_set_user(conn, (void *)(uintptr_t)(at + 1));
    return at < WORDS;
}

int main(int argc, char **argv)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    ws_loop *loop = ws_loop_new(NULL);
    char address[32], prompt[1000];
    uint64_t next;
    ws_event ev;
    ws_conn *conn;

    snprintf(address, sizeof address, "127.0.0.1:%d", argc > 1 ? atoi(argv[1]) : 8080);
    if (ws_listen(loop, address, NULL) < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, 0));
    fflush(stdout);
    for (next = ws_loop_now(loop);; next += 60) {
        while (ws_poll_until(loop, &ev, next) > 0) {
            if (ev.type != WS_EV_HTTP)
                continue;
            if (ws_query(ev.conn, "prompt", prompt, sizeof prompt) >= 0)
                ws_sse_open(ev.conn, NULL);
            else
                ws_http_reply(ev.conn, 200, html, page, sizeof page - 1);
        }
        for (conn = NULL; (conn = ws_each(loop, conn)) != NULL;)
            if (ws_state(conn) == WS_STATE_OPEN && !speak(conn))
                ws_close(conn, 0, NULL);
    }
}
