/* Teaches: Server-Sent Events: a page whose chart is fed by an event stream, from the
            same loop that could serve WebSockets. Readers that come back say where they
            were, and get what they missed from a ring in memory; newcomers get all of
            it.
   Build:   cc -O2 -o build/sse_chart examples/sse_chart.c -I.
   Run:     build/sse_chart [PORT]
   You see: open http://127.0.0.1:8080/ ; or: curl -N http://127.0.0.1:8080/feed */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>Three sensors</title><style>"
    ":root{color-scheme:light dark;font:15px system-ui;--ink:#16324f;--bg:#f6f4ef}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e3d6;--bg:#14181d}}"
    "body{margin:0;min-height:100vh;display:grid;grid-template-rows:auto 1fr auto;"
    "background:var(--bg);color:var(--ink)}header,footer{padding:1rem 1.5rem;"
    "display:flex;"
    "gap:1.5rem;align-items:baseline}h1{font-size:1.1rem;margin:0}canvas{width:100%;"
    "height:100%}"
    "b{font-variant-numeric:tabular-nums}i{width:.7em;height:.7em;border-radius:50%;"
    "display:inline-block;margin-right:.4em}#state{margin-left:auto;opacity:.7}</style>"
    "<header><h1>Three sensors, five times a second</h1><span id=state>connecting</span>"
    "</header>"
    "<canvas id=chart></canvas><footer id=now></footer><script>"
    "const colors=['#d1495b','#00798c','#edae49'],names=['north','east','roof'],rows=[];"
    "const source=new EventSource('/feed');"
    "source.onopen=()=>state.textContent='live';"
    "source.onerror=()=>state.textContent='connecting again';"
    "source.addEventListener('sample',e=>{rows.push(JSON.parse(e.data));"
    "if(rows.length>600)rows.shift();draw(e.lastEventId)});"
    "source.addEventListener('reset',()=>rows.length=0);"
    "function draw(id){const d=devicePixelRatio,w=chart.width=chart.clientWidth*d,"
    "h=chart.height=chart.clientHeight*d,g=chart.getContext('2d');g.lineWidth=2*d;"
    "g.lineJoin='round';g.globalAlpha=.15;g.fillStyle=getComputedStyle(document.body)"
    ".color;"
    "for(let k=1;k<4;k++)g.fillRect(0,h*k/4,w,d);g.globalAlpha=1;"
    "colors.forEach((c,k)=>{g.strokeStyle=c;g.beginPath();rows.forEach((r,i)=>"
    "g.lineTo(w*(600-rows.length+i)/599,h*(1-r[k]/100)));g.stroke()});"
    "now.innerHTML=names.map((n,k)=>`<span><i style=background:${colors[k]}></i>${n} "
    "<b>${rows[rows.length-1][k].toFixed(1)}</b></span>`).join('')+`<span "
    "style=margin-left:auto>"
    "event ${id}</span>`}</script>";

static double value[3] = { 20, 50, 75 };
static unsigned long id;

/* The next sample of a random walk, in the ring and to all readers. */
static void sample(ws_loop *loop, ws_sse_ring *ring)
{
    ws_sse_message message = {0};
    char name[24], data[64];
    int i;

    for (i = 0; i < 3; i++) {
        value[i] += (double)(rand() % 201 - 100) / 40;
        if (value[i] < 2)
            value[i] = 2;
        if (value[i] > 98)
            value[i] = 98;
    }
    snprintf(name, sizeof name, "%lu", ++id);
    snprintf(data, sizeof data, "[%.1f,%.1f,%.1f]", value[0], value[1], value[2]);
    message.event = "sample";
    message.id = name;
    message.data = data;
    ws_sse_ring_add(ring, &message);
    ws_sse_publish(loop, "chart", &message);
}

/* A reader: what it missed, then everything new. */
static void attend(ws_conn *conn, const ws_sse_ring *ring)
{
    ws_sse_options options = {0};
    ws_sse_message reset = {0};
    char last[24];
    int known = ws_sse_last_event_id(conn, last, sizeof last) > 0;

    options.retry = 1000;
    if (ws_sse_open(conn, &options))
        return;
    reset.event = "reset";
    reset.data = "";
    if (ws_sse_replay(conn, ring, known ? last : NULL) == WS_SSE_ERR_GAP) {
        ws_sse_send(conn, &reset);              /* away for too long: start over */
        ws_sse_replay(conn, ring, NULL);
    }
    ws_join(conn, "chart");
}

int main(int argc, char **argv)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    static char memory[64 * 1024];              /* some minutes of samples */
    ws_loop *loop = ws_loop_new(NULL);
    ws_sse_ring ring;
    char address[32];
    uint64_t next;
    ws_event ev;

    snprintf(address, sizeof address, "127.0.0.1:%d", argc > 1 ? atoi(argv[1]) : 8080);
    if (ws_listen(loop, address, NULL) < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, 0));
    fflush(stdout);
    ws_sse_ring_init(&ring, memory, sizeof memory);
    for (next = ws_loop_now(loop);; next += 200) {
        while (ws_poll_until(loop, &ev, next) > 0) {
            if (ev.type != WS_EV_HTTP)
                continue;
            if (!strncmp(ws_target(ev.conn), "/feed", 5))
                attend(ev.conn, &ring);
            else
                ws_http_reply(ev.conn, 200, html, page, sizeof page - 1);
        }
        sample(loop, &ring);
    }
}
