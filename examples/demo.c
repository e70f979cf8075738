/* Teaches: a whole web application in one program: a page over plain HTTP and its live
            part over WebSocket, on the same port. Every window sees the others' cursors,
            strokes and words; newcomers get the picture so far. Also: how to treat what
            a page sends as hostile. /echo on the same port echoes messages, for tests.
   Build:   cc -O2 -o build/demo examples/demo.c -I.
            for TLS: -DWS_USE_MBEDTLS, and -lmbedtls -lmbedx509 -lmbedcrypto at the end
   Run:     build/demo [--port N] [--host H]        (H 0.0.0.0: phones on your LAN too)
                       [--tls-cert FILE --tls-key FILE]         (https:// and wss://)
   You see: open http://127.0.0.1:8080/             (do, in two windows) */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the page: three files, in pieces: C99 promises strings of 4095 bytes ---- */

static const char *const page_html[] = {
    "<!doctype html>\n"
    "<html lang='en'>\n"
    "<head>\n"
    "<meta charset='utf-8'>\n"
    "<meta name='viewport' content='width=device-width, initial-scale=1, "
    "viewport-fit=cover'>\n"
    "<meta name='color-scheme' content='light dark'>\n"
    "<title>One canvas</title>\n"
    "<link rel='stylesheet' href='/demo.css'>\n"
    "<script src='/demo.js' defer></script>\n"
    "</head>\n"
    "<body>\n"
    "<main>\n"
    "  <section class='stage' aria-label='Shared canvas'>\n"
    "    <div id='board'>\n"
    "      <canvas id='ink' aria-label='Shared drawing'></canvas>\n"
    "      <p id='hint'>Draw here.<br><span>Everyone who has this page open draws with "
    "you.</span></p>\n"
    "      <div id='cursors' aria-hidden='true'></div>\n"
    "    </div>\n"
    "    <div class='tools'>\n"
    "      <div id='pens' role='group' aria-label='Colour'></div>\n"
    "      <div id='widths' role='group' aria-label='Width'></div>\n"
    "      <button id='clear' type='button'>Clear</button>\n"
    "    </div>\n"
    "  </section>\n"
    "  <aside>\n"
    "    <header>\n"
    "      <h1>One canvas</h1>\n"
    "      <p id='state' role='status' data-state='wait'>connecting</p>\n"
    "    </header>\n"
    "    <dl class='facts'>\n"
    "      <div><dt>Online</dt><dd id='online'>&ndash;</dd></div>\n"
    "      <div><dt>Round trip</dt><dd id='rtt'>&ndash;</dd></div>\n"
    "      <canvas id='spark' aria-hidden='true'></canvas>\n"
    "    </dl>\n"
    "    <ul id='people' aria-label='People here'></ul>\n"
    "    <ol id='log' aria-live='polite' aria-label='Chat'></ol>\n"
    "    <form id='chat' autocomplete='off'>\n"
    "      <input id='name' maxlength='24' aria-label='Your name' title='Your name: "
    "click to change it' spellcheck='false'>\n"
    "      <input id='say' maxlength='200' aria-label='Message' placeholder='Say "
    "something' enterkeyhint='send'>\n"
    "      <button type='submit' aria-label='Send'>Send</button>\n"
    "    </form>\n"
    "  </aside>\n"
    "</main>\n"
    "</body>\n"
    "</html>\n",
    NULL
};

static const char *const page_css[] = {
    ":root {\n"
    "  color-scheme: light dark;\n"
    "  --bg: #eceef2; --paper: #ffffff; --panel: #f7f8fa; --line: #d9dde4;"
    " --dot: #dfe3ea;\n"
    "  --text: #1b2028; --soft: #687180; --shadow: 0 1px 2px #1b202814, 0 12px 32px "
    "#1b20281a;\n"
    "  --pen0: #1b2028; --pen1: #e0443e; --pen2: #e68a00; --pen3: #1f9d61;\n"
    "  --pen4: #2571e0; --pen5: #8247d1; --pen6: #d9307f;\n"
    "}\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root {\n"
    "    --bg: #0d1014; --paper: #171b21; --panel: #12161b; --line: #2a303a;"
    " --dot: #262c35;\n"
    "    --text: #e8ebf0; --soft: #8e97a6; --shadow: 0 1px 2px #0006, 0 12px 32px "
    "#0008;\n"
    "    --pen0: #e8ebf0; --pen1: #ff6b63; --pen2: #ffb13d; --pen3: #43c98a;\n"
    "    --pen4: #5b9dff; --pen5: #b07cff; --pen6: #ff6bab;\n"
    "  }\n"
    "}\n"
    "* { box-sizing: border-box; margin: 0; }\n"
    "[hidden] { display: none !important; }\n"
    "html, body { height: 100%; }\n"
    "body {\n"
    "  background: var(--bg); color: var(--text); overflow: hidden;\n"
    "  font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;\n"
    "  -webkit-text-size-adjust: 100%;\n"
    "}\n"
    "button, input { font: inherit; color: inherit; }\n"
    "button { cursor: pointer; }\n"
    ":focus-visible { outline: 2px solid var(--pen4); outline-offset: 2px; }\n"
    "main { display: grid; grid-template-columns: minmax(0, 1fr) 300px; height: 100dvh;"
    " }\n"
    "\n"
    ".stage {\n"
    "  display: flex; flex-direction: column; align-items: center;"
    " justify-content: center;\n"
    "  gap: 18px; padding: 24px; min-height: 0; container-type: size;\n"
    "}\n"
    "#board {\n"
    "  position: relative; aspect-ratio: 8 / 5; width: min(100cqw, (100cqh - 64px) * "
    "1.6);\n"
    "  border-radius: 14px; box-shadow: var(--shadow); overflow: hidden;"
    " touch-action: none;\n"
    "  cursor: crosshair; user-select: none; -webkit-user-select: none;\n"
    "  background: radial-gradient(circle at center, var(--dot) 1.1px, transparent "
    "1.4px)\n"
    "              0 0 / 24px 24px var(--paper);\n"
    "}\n"
    "#ink { position: absolute; inset: 0; width: 100%; height: 100%; }\n"
    "#hint {\n"
    "  position: absolute; inset: 0; display: grid; place-content: center;"
    " text-align: center;\n"
    "  font-size: clamp(20px, 4cqw, 40px); font-weight: 600; letter-spacing: -.02em;\n"
    "  pointer-events: none; transition: opacity .3s;\n"
    "}\n"
    "#hint span { font-size: clamp(13px, 1.6cqw, 17px); font-weight: 400;"
    " color: var(--soft); letter-spacing: 0; }\n"
    "#hint.gone { opacity: 0; }\n"
    "#cursors { position: absolute; inset: 0; overflow: hidden; pointer-events: none; }\n"
    ".cursor {\n"
    "  position: absolute; left: 0; top: 0; width: 18px; height: 18px;\n"
    "  transition: transform 70ms linear, opacity .4s; will-change: transform;\n"
    "}\n"
    ".cursor.away { opacity: 0; }\n"
    ".cursor::before {\n"
    "  content: ''; position: absolute; inset: 0; background: var(--c);\n"
    "  clip-path: polygon(0 0, 100% 40%, 52% 52%, 40% 100%);\n"
    "}\n"
    ".cursor bdi {\n"
    "  position: absolute; left: 14px; top: 15px; padding: 1px 8px; border-radius: 9px;\n"
    "  background: var(--c); color: var(--paper); font-size: 12px; font-weight: 600;\n"
    "  white-space: nowrap;\n"
    "}\n"
    ".cursor.flip bdi { left: auto; right: 14px; }\n"
    "\n",
    ".tools {\n"
    "  display: flex; align-items: center; gap: 14px; padding: 6px 8px;"
    " border-radius: 14px;\n"
    "  background: var(--panel); border: 1px solid var(--line); max-width: 100%;\n"
    "}\n"
    ".tools > div { display: flex; gap: 2px; }\n"
    ".tools > div + div { border-left: 1px solid var(--line); padding-left: 12px; }\n"
    "#pens button, #widths button {\n"
    "  width: 32px; height: 32px; padding: 0; border: 0; border-radius: 10px;"
    " background: none;\n"
    "  display: grid; place-items: center;\n"
    "}\n"
    "#pens i { width: min(18px, 72%); aspect-ratio: 1; border-radius: 50%;"
    " background: var(--c); transition: transform .12s; }\n"
    "#pens i.rubber { background: none; border: 2px dashed var(--soft); }\n"
    "#widths i { border-radius: 50%; background: var(--soft); }\n"
    "#pens button[aria-pressed=true], #widths button[aria-pressed=true] { background: "
    "var(--line); }\n"
    "#pens button[aria-pressed=true] i { transform: scale(1.15); }\n"
    "#clear { background: none; border: 0; border-left: 1px solid var(--line);"
    " height: 32px; padding: 0 8px 0 16px; color: var(--soft); white-space: nowrap; }\n"
    "#clear:hover { color: var(--text); }\n"
    "#clear.sure { color: var(--pen1); font-weight: 600; }\n"
    "\n"
    "aside {\n"
    "  display: flex; flex-direction: column; gap: 14px; min-height: 0;"
    " padding: 22px 20px;\n"
    "  background: var(--panel); border-left: 1px solid var(--line);\n"
    "}\n"
    "header { display: flex; align-items: center; justify-content: space-between;"
    " gap: 10px; }\n"
    "h1 { font-size: 18px; letter-spacing: -.01em; }\n"
    "#state {\n"
    "  display: flex; align-items: center; gap: 7px; padding: 2px 11px 2px 9px;"
    " border-radius: 99px;\n"
    "  border: 1px solid var(--line); font-size: 13px; color: var(--soft);"
    " white-space: nowrap;\n"
    "  font-variant-numeric: tabular-nums;\n"
    "}\n"
    "#state::before { content: ''; width: 8px; height: 8px; border-radius: 50%;"
    " background: var(--pen2); }\n"
    "#state[data-state=live]::before { background: var(--pen3); }\n"
    "#state[data-state=lost]::before { background: var(--pen1); }\n"
    ".facts { display: grid; grid-template-columns: auto auto 1fr; gap: 18px;"
    " align-items: end; }\n"
    "dt { font-size: 12px; color: var(--soft); }\n"
    "dd { font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums;"
    " white-space: nowrap; letter-spacing: -.01em; }\n"
    "#spark { width: 100%; height: 34px; min-width: 0; }\n"
    "#people { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 6px;"
    " max-height: 92px; overflow: auto; }\n"
    "#people li {\n"
    "  display: flex; align-items: center; gap: 6px; padding: 1px 10px 1px 8px;"
    " border-radius: 99px;\n"
    "  border: 1px solid var(--line); font-size: 13px; max-width: 100%;\n"
    "}\n"
    "#people li::before { content: ''; flex: none; width: 8px; height: 8px;"
    " border-radius: 50%; background: var(--c); }\n"
    "#people bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }\n"
    "#log {\n"
    "  list-style: none; padding: 12px 0 0; border-top: 1px solid var(--line); flex: 1;"
    " min-height: 0;\n"
    "  overflow-y: auto; overflow-wrap: anywhere; overscroll-behavior: contain;\n"
    "}\n"
    "#log li { margin-bottom: 8px; }\n"
    "#log b { display: block; font-size: 13px; color: var(--c); }\n"
    "#log .note { font-size: 13px; color: var(--soft); }\n"
    "#chat { display: grid; grid-template-columns: 1fr auto; gap: 8px; }\n"
    "#chat input {\n"
    "  min-width: 0; height: 38px; padding: 0 12px; border-radius: 10px;"
    " border: 1px solid var(--line);\n"
    "  background: var(--paper);\n"
    "}\n"
    "#chat #name {\n"
    "  justify-self: start; grid-column: 1 / -1; height: 24px; padding: 0; border: 0;"
    " background: none;\n"
    "  border-bottom: 1px dashed var(--soft); border-radius: 0; font-size: 13px;"
    " font-weight: 600;\n"
    "  color: var(--c); field-sizing: content; min-width: 40px; max-width: 100%;\n"
    "}\n"
    "#chat button {\n"
    "  height: 38px; padding: 0 14px; border: 0; border-radius: 10px;"
    " background: var(--text);\n"
    "  color: var(--paper); font-weight: 600;\n"
    "}\n"
    "::placeholder { color: var(--soft); opacity: 1; }\n"
    "\n",
    "@media (max-width: 820px) {\n"
    "  main { grid-template-columns: minmax(0, 1fr);"
    " grid-template-rows: auto minmax(0, 1fr); }\n"
    "  .stage { container-type: inline-size; padding: 10px 10px 8px; gap: 8px;"
    " justify-content: start; }\n"
    "  #board { width: min(100%, 52dvh * 1.6); border-radius: 10px; }\n"
    "  .tools { gap: 4px; width: 100%; padding: 4px; }\n"
    "  .tools > div { gap: 0; flex: 8 1 0; min-width: 0; }\n"
    "  .tools > div + div { flex-grow: 3; padding-left: 4px; }\n"
    "  #pens button, #widths button { flex: 1 1 0; min-width: 0; height: 36px; }\n"
    "  #clear { padding: 0 8px 0 10px; font-size: 14px; }\n"
    "  aside {\n"
    "    border-left: 0; border-top: 1px solid var(--line); gap: 8px;\n"
    "    padding: 12px 14px calc(10px + env(safe-area-inset-bottom));\n"
    "  }\n"
    "  #chat #say { font-size: 16px; }\n"
    "  #people { max-height: 28px; flex-wrap: nowrap; flex: none; }\n"
    "  #people li { flex: none; max-width: 45vw; }\n"
    "  dd { font-size: 17px; }\n"
    "  .facts { gap: 16px; }\n"
    "}\n"
    "@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }\n",
    NULL
};

static const char *const page_js[] = {
    "'use strict';\n"
    "/* One WebSocket, lines of text. To the server:   h colour name | c x y | l | s "
    "colour width x y\n"
    "   x y ... | m text | x | p number.   From it the same with the sender's number "
    "after the letter,\n"
    "   and r (start over), j number colour name, q number, i number (you), u count. */\n"
    "const $ = id => document.getElementById(id);\n"
    "const LIMIT = 2000, SPAN = 9999, WIDTHS = [3, 8, 20];\n"
    "const board = $('board'), ink = $('ink'), spark = $('spark');\n"
    "let socket = null, live = false, me = 0, tries = 0, retryAt = 0, retryTimer = 0;\n"
    "let people = new Map(), lines = [], segments = 0, dirty = true;\n"
    "let pen = 0, width = 3, stroke = null, outbox = [], cursorAt = null, cursorSent = "
    "0;\n"
    "let pingAt = 0, pingId = 0, rtt = 0, rtts = [], quiet = false;\n"
    "\n"
    "function remembered(key, make) {\n"
    "  try {\n"
    "    let v = sessionStorage.getItem(key);\n"
    "    if (!v) sessionStorage.setItem(key, v = make());\n"
    "    return v;\n"
    "  } catch { return make(); }\n"
    "}\n"
    "const any = list => list[Math.floor(Math.random() * list.length)];\n"
    "let name = remembered('name', () =>\n"
    "  any(['Quiet', 'Amber', 'Swift', 'Bright', 'Mossy', 'Silver', 'Bold', 'Gentle', "
    "'Clever', 'Sunny']) + ' ' +\n"
    "  any(['Finch', 'Otter', 'Heron', 'Lynx', 'Wren', 'Marten', 'Swallow', 'Badger', "
    "'Hare', 'Robin']));\n"
    "const mine = +remembered('colour', () => String(1 + Math.floor(Math.random() * "
    "6)));\n"
    "const colour = n => 'var(--pen' + n + ')';\n"
    "const send = text => { if (live) socket.send(text); };\n"
    "\n"
    "/* ---- connection ---- */\n"
    "\n"
    "function state(kind, text) {\n"
    "  $('state').dataset.state = kind;\n"
    "  $('state').textContent = text;\n"
    "  board.style.opacity = kind === 'live' ? 1 : .6;\n"
    "}\n"
    "\n"
    "function connect() {\n"
    "  clearTimeout(retryTimer);\n"
    "  retryAt = 0;\n"
    "  state('wait', 'connecting');\n"
    "  const s = socket = new WebSocket(location.protocol.replace('http', 'ws') + '//' + "
    "location.host + '/live');\n"
    "  s.onopen = () => { if (s === socket) { live = true; hello(); } };\n"
    "  s.onmessage = e => {\n"
    "    if (s !== socket) return;\n"
    "    const all = String(e.data).split('\\n');\n"
    "    quiet = all[0] === 'r';\n"
    "    all.forEach(receive);\n"
    "  };\n"
    "  s.onclose = e => { if (s === socket) lost(e.reason); };\n"
    "}\n"
    "\n"
    "function hello() { send('h ' + mine + ' ' + name); }\n"
    "\n"
    "function lost(why) {\n"
    "  live = false;\n"
    "  pingAt = 0;\n"
    "  socket = null;\n"
    "  stroke = null;\n"
    "  outbox = [];\n"
    "  for (const p of people.values()) if (p.dot) p.dot.remove();\n"
    "  people.clear();\n"
    "  showPeople();\n"
    "  $('online').textContent = $('rtt').textContent = '\\u2013';\n"
    "  const wait = Math.min(10000, 400 * 1.8 ** tries++) * (.75 + Math.random() / 2);\n"
    "  retryAt = Date.now() + wait;\n"
    "  retryTimer = setTimeout(connect, wait);\n"
    "  $('state').title = why;\n"
    "  countdown();\n"
    "}\n"
    "\n"
    "function countdown() {\n"
    "  if (retryAt) state('lost', 'again in ' + Math.max(1, Math.ceil((retryAt - "
    "Date.now()) / 1000)) + ' s');\n"
    "}\n"
    "\n"
    "function hurry() { if (retryAt && !document.hidden) connect(); }\n"
    "addEventListener('online', hurry);\n"
    "document.addEventListener('visibilitychange', hurry);\n"
    "\n"
    "setInterval(() => {\n"
    "  countdown();\n"
    "  if (!live) return;\n"
    "  if (pingAt && performance.now() - pingAt > 8000 && !document.hidden) { "
    "socket.onclose = null; socket.close(); lost('no answer'); return; }\n"
    "  ping();\n"
    "}, 1000);\n"
    "\n"
    "function ping() {\n"
    "  if (pingAt || !live) return;\n"
    "  pingAt = performance.now();\n"
    "  send('p ' + (pingId = (pingId + 1) % 1e6));\n"
    "}\n"
    "\n"
    "/* ---- what the server says ---- */\n"
    "\n",
    "function receive(line) {\n"
    "  const [kind, ...f] = line.split(' '), who = people.get(+f[0]);\n"
    "  switch (kind) {\n"
    "  case 'r': lines = []; segments = 0; dirty = true;"
    " for (const p of people.values()) if (p.dot) p.dot.remove(); people.clear();"
    " break;\n"
    "  case 'i': me = +f[0]; tries = 0; state('live', 'live'); $('state').title = '';"
    " showPeople(); setTimeout(ping, 300); break;\n"
    "  case 'u': $('online').textContent = f[0]; break;\n"
    "  case 'p':\n"
    "    if (!pingAt || +f[0] !== pingId) break;\n"
    "    pong(performance.now() - pingAt);\n"
    "    pingAt = 0;\n"
    "    break;\n"
    "  case 'j': join(+f[0], +f[1], f.slice(2).join(' ')); break;\n"
    "  case 'q':\n"
    "    if (who) { if (who.dot) who.dot.remove(); people.delete(+f[0]);"
    " note(who.name + ' left'); showPeople(); }\n"
    "    break;\n"
    "  case 'c': if (who) moveCursor(who, +f[1], +f[2]); break;\n"
    "  case 'l': if (who && who.dot) who.dot.classList.add('away'); break;\n"
    "  case 's': {\n"
    "    const points = f.slice(3).map(Number);\n"
    "    addLine(+f[0], +f[1], +f[2], points);\n"
    "    if (who) moveCursor(who, points[points.length - 2], points[points.length - "
    "1]);\n"
    "    break;\n"
    "  }\n"
    "  case 'm': if (who) say(who, f.slice(1).join(' ')); break;\n"
    "  case 'x': lines = []; segments = 0; dirty = true;"
    " note((who ? who.name : 'Someone') + ' cleared the canvas'); break;\n"
    "  }\n"
    "}\n"
    "\n"
    "function join(id, c, called) {\n"
    "  const p = people.get(id) || { id, dot: null };\n"
    "  if (!p.name && !quiet && id !== me && $('state').dataset.state === 'live') "
    "note(called + ' joined');\n"
    "  p.name = called;\n"
    "  p.colour = c;\n"
    "  if (p.dot) { p.dot.firstChild.textContent = called;"
    " p.dot.style.setProperty('--c', colour(c)); }\n"
    "  people.set(id, p);\n"
    "  showPeople();\n"
    "}\n"
    "\n"
    "function showPeople() {\n"
    "  $('people').replaceChildren(...[...people.values()].sort((a, b) => (b.id === me) "
    "- (a.id === me)).map(p => {\n"
    "    const li = document.createElement('li'), b = document.createElement('bdi');\n"
    "    b.textContent = p.name + (p.id === me ? ' (you)' : '');\n"
    "    li.style.setProperty('--c', colour(p.colour));\n"
    "    li.append(b);\n"
    "    return li;\n"
    "  }));\n"
    "}\n"
    "\n"
    "function moveCursor(p, x, y) {\n"
    "  if (p.id === me) return;\n"
    "  if (!p.dot) {\n"
    "    p.dot = document.createElement('div');\n"
    "    p.dot.className = 'cursor';\n"
    "    const b = document.createElement('bdi');\n"
    "    b.textContent = p.name;\n"
    "    p.dot.append(b);\n"
    "    p.dot.style.setProperty('--c', colour(p.colour));\n"
    "    $('cursors').append(p.dot);\n"
    "  }\n"
    "  p.x = x; p.y = y;\n"
    "  p.dot.classList.remove('away');\n"
    "  p.dot.classList.toggle('flip', x > SPAN * .75);\n"
    "  p.dot.style.transform = 'translate(' + x / SPAN * board.clientWidth + 'px,' + y / "
    "SPAN * board.clientHeight + 'px)';\n"
    "}\n"
    "\n"
    "/* ---- chat ---- */\n"
    "\n"
    "function logLine(li) {\n"
    "  const log = $('log'), low = log.scrollHeight - log.scrollTop - log.clientHeight < "
    "40;\n"
    "  log.append(li);\n"
    "  while (log.children.length > 200) log.firstChild.remove();\n"
    "  if (low) log.scrollTop = log.scrollHeight;\n"
    "}\n"
    "\n"
    "function note(text) {\n"
    "  const li = document.createElement('li');\n"
    "  li.className = 'note';\n"
    "  li.textContent = text;\n"
    "  logLine(li);\n"
    "}\n"
    "\n"
    "function say(who, text) {\n"
    "  const li = document.createElement('li'), b = document.createElement('b'), t = "
    "document.createElement('bdi');\n"
    "  b.textContent = who.name;\n"
    "  t.textContent = text;\n"
    "  li.style.setProperty('--c', colour(who.colour));\n"
    "  li.append(b, t);\n"
    "  logLine(li);\n"
    "}\n"
    "\n"
    "const tidy = s => s.replace(/[\\u0000-\\u001f\\u007f]/g, ' ').trim();\n"
    "$('name').value = name;\n"
    "$('name').style.setProperty('--c', colour(mine));\n"
    "$('name').addEventListener('change', () => {\n"
    "  name = tidy($('name').value) || name;\n"
    "  $('name').value = name;\n"
    "  try { sessionStorage.setItem('name', name); } catch { /* private window */ }\n"
    "  hello();\n"
    "});\n"
    "$('chat').addEventListener('submit', e => {\n"
    "  e.preventDefault();\n"
    "  if (document.activeElement === $('name')) { $('say').focus(); return; }\n"
    "  const text = tidy($('say').value);\n"
    "  if (text && live) { send('m ' + text); $('say').value = ''; }\n"
    "});\n"
    "\n",
    "/* ---- drawing ---- */\n"
    "\n"
    "function addLine(id, c, w, points) {\n"
    "  const last = lines.findLast(l => l.id === id), end = last && last.points.length;\n"
    "  if (last && last.colour === c && last.width === w && last.points[end - 2] === "
    "points[0] && last.points[end - 1] === points[1])\n"
    "    last.points.push(...points.slice(2));\n"
    "  else lines.push({ id, colour: c, width: w, points });\n"
    "  segments += points.length / 2 - 1;\n"
    "  while (segments > LIMIT) {          /* the server keeps no more either */\n"
    "    const old = lines[0];\n"
    "    old.points.splice(0, 2);\n"
    "    segments--;\n"
    "    if (old.points.length < 4) lines.shift();\n"
    "  }\n"
    "  dirty = true;\n"
    "}\n"
    "\n"
    "function paint() {\n"
    "  requestAnimationFrame(paint);\n"
    "  if (!dirty) return;\n"
    "  dirty = false;\n"
    "  const ratio = devicePixelRatio || 1, W = Math.round(board.clientWidth * ratio), H "
    "= Math.round(board.clientHeight * ratio);\n"
    "  if (ink.width !== W || ink.height !== H) { ink.width = W; ink.height = H; }\n"
    "  const g = ink.getContext('2d'), css = getComputedStyle(document.documentElement)"
    ";\n"
    "  const inks = [0, 1, 2, 3, 4, 5, 6].map(n => css.getPropertyValue('--pen' + n));\n"
    "  g.clearRect(0, 0, W, H);\n"
    "  g.lineCap = g.lineJoin = 'round';\n"
    "  for (const l of lines) {\n"
    "    const p = l.points, x = i => p[i] / SPAN * W, y = i => p[i + 1] / SPAN * H, n = "
    "p.length;\n"
    "    g.globalCompositeOperation = l.colour === 7 ? 'destination-out' : "
    "'source-over';\n"
    "    g.strokeStyle = inks[l.colour] || '#000';\n"
    "    g.lineWidth = l.width * W / 1000;\n"
    "    g.beginPath();\n"
    "    g.moveTo(x(0), y(0));\n"
    "    for (let i = 2; i < n - 2; i += 2) g.quadraticCurveTo(x(i), y(i), (x(i) + x(i + "
    "2)) / 2, (y(i) + y(i + 2)) / 2);\n"
    "    g.lineTo(x(n - 2), y(n - 2) + (n === 4 ? .01 : 0));\n"
    "    g.stroke();\n"
    "  }\n"
    "  g.globalCompositeOperation = 'source-over';\n"
    "  $('hint').classList.toggle('gone', lines.length > 0);\n"
    "}\n"
    "\n"
    "function place(e) {\n"
    "  const b = board.getBoundingClientRect(), at = v => Math.max(0, Math.min(SPAN, "
    "Math.round(v * SPAN)));\n"
    "  return [at((e.clientX - b.left) / b.width), at((e.clientY - b.top) / b.height)];\n"
    "}\n"
    "\n"
    "function flush() {\n"
    "  if (outbox.length >= 4) {\n"
    "    const p = outbox;\n"
    "    outbox = p.slice(-2);\n"
    "    send('s ' + pen + ' ' + width + ' ' + p.join(' '));\n"
    "  } else if (cursorAt && !stroke && performance.now() - cursorSent > 30) {\n"
    "    send('c ' + cursorAt.join(' '));\n"
    "    cursorSent = performance.now();\n"
    "    cursorAt = null;\n"
    "  }\n"
    "}\n"
    "setInterval(flush, 33);\n"
    "\n"
    "function drawTo(x, y, least) {\n"
    "  const n = stroke.length, dx = x - stroke[n - 2], dy = (y - stroke[n - 1]) * "
    ".625;\n"
    "  if (dx * dx + dy * dy < least * least) return;\n"
    "  addLine(me, pen, width, [stroke[n - 2], stroke[n - 1], x, y]);\n"
    "  stroke = [x, y];\n"
    "  outbox.push(x, y);\n"
    "  if (outbox.length >= 64) flush();\n"
    "}\n"
    "\n"
    "board.addEventListener('pointerdown', e => {\n"
    "  if (!live || !e.isPrimary || e.button) return;\n"
    "  e.preventDefault();\n"
    "  if (document.activeElement) document.activeElement.blur();\n"
    "  board.setPointerCapture(e.pointerId);\n"
    "  stroke = place(e);\n"
    "  outbox = stroke.slice();\n"
    "  drawTo(stroke[0], stroke[1], 0);\n"
    "});\n"
    "board.addEventListener('pointermove', e => {\n"
    "  if (!e.isPrimary) return;\n"
    "  cursorAt = place(e);\n"
    "  if (!stroke) return;\n"
    "  const list = e.getCoalescedEvents ? e.getCoalescedEvents() : [];\n"
    "  for (const c of list.length ? list : [e]) drawTo(...place(c), 60);\n"
    "});\n"
    "function lift(e) {\n"
    "  if (!stroke || !e.isPrimary) return;\n"
    "  if (e.type === 'pointerup') drawTo(...place(e), 1);\n"
    "  flush();\n"
    "  stroke = null;\n"
    "  outbox = [];\n"
    "}\n"
    "board.addEventListener('pointerup', lift);\n"
    "board.addEventListener('pointercancel', lift);\n"
    "board.addEventListener('pointerleave', () => { cursorAt = null;"
    " if (!stroke) send('l'); });\n"
    "\n"
    "/* ---- tools ---- */\n"
    "\n",
    "function choice(parent, values, label, draw, pick) {\n"
    "  const buttons = values.map((v, i) => {\n"
    "    const b = document.createElement('button'), dot = document.createElement('i');\n"
    "    b.type = 'button';\n"
    "    b.setAttribute('aria-label', label(v, i));\n"
    "    b.title = label(v, i);\n"
    "    draw(dot, v, i);\n"
    "    b.append(dot);\n"
    "    b.onclick = () => { buttons.forEach(o => o.setAttribute('aria-pressed', o === "
    "b)); if (!stroke) pick(v); };\n"
    "    parent.append(b);\n"
    "    return b;\n"
    "  });\n"
    "  return buttons;\n"
    "}\n"
    "const pens = choice($('pens'), [0, 1, 2, 3, 4, 5, 6, 7],\n"
    "  n => ['ink', 'red', 'orange', 'green', 'blue', 'violet', 'pink', 'rubber'][n],\n"
    "  (dot, n) => { if (n === 7) dot.className = 'rubber';"
    " else dot.style.setProperty('--c', colour(n)); },\n"
    "  n => { pen = n; });\n"
    "const widths = choice($('widths'), WIDTHS, (v, i) => ['fine', 'medium', "
    "'broad'][i],\n"
    "  (dot, v, i) => { dot.style.width = dot.style.height = [5, 9, 15][i] + 'px'; }"
    ", v => { width = v; });\n"
    "pens[mine].click();\n"
    "widths[1].click();\n"
    "\n"
    "let sure = 0;\n"
    "$('clear').onclick = () => {\n"
    "  clearTimeout(sure);\n"
    "  const b = $('clear'), back = () => { sure = 0; b.className = '';"
    " b.textContent = 'Clear'; };\n"
    "  if (sure) { back(); send('x'); return; }\n"
    "  b.className = 'sure';\n"
    "  b.textContent = 'For all?';\n"
    "  sure = setTimeout(back, 3000);\n"
    "};\n"
    "\n"
    "/* ---- round trip ---- */\n"
    "\n"
    "const milliseconds = v => (v < 9.95 ? v.toFixed(1) : Math.round(v)) + ' ms';\n"
    "\n"
    "function pong(ms) {\n"
    "  rtt = rtts.length ? rtt + (ms - rtt) / 4 : ms;\n"
    "  rtts.push(ms);\n"
    "  if (rtts.length > 40) rtts.shift();\n"
    "  $('rtt').textContent = milliseconds(rtt);\n"
    "  sparkline();\n"
    "}\n"
    "\n"
    "function sparkline() {\n"
    "  const ratio = devicePixelRatio || 1, W = spark.clientWidth * ratio, H = "
    "spark.clientHeight * ratio;\n"
    "  spark.width = W;\n"
    "  spark.height = H;\n"
    "  const g = spark.getContext('2d'), top = Math.max(2, ...rtts) * 1.15, css = "
    "getComputedStyle(document.documentElement);\n"
    "  const x = i => W - 3 * ratio - (rtts.length - 1 - i) * (W - 6 * ratio) / 39, y = "
    "v => H - 3 * ratio - v / top * (H - 6 * ratio);\n"
    "  g.lineWidth = 1.5 * ratio;\n"
    "  g.lineJoin = 'round';\n"
    "  g.strokeStyle = g.fillStyle = css.getPropertyValue('--pen4');\n"
    "  g.beginPath();\n"
    "  rtts.forEach((v, i) => g.lineTo(x(i), y(v)));\n"
    "  g.stroke();\n"
    "  g.beginPath();\n"
    "  if (rtts.length) g.arc(x(rtts.length - 1), y(rtts[rtts.length - 1]), 2.5 * ratio, "
    "0, 7);\n"
    "  g.fill();\n"
    "}\n"
    "\n"
    "new ResizeObserver(() => {\n"
    "  dirty = true;\n"
    "  for (const p of people.values()) if (p.dot) moveCursor(p, p.x, p.y);\n"
    "}).observe(board);\n"
    "matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { dirty "
    "= true; sparkline(); });\n"
    "paint();\n"
    "connect();\n",
    NULL
};

/* ---- state ---- */

enum {
    LINE_MAX_BYTES = 1024,      /* what a page may say at once on /live */
    ECHO_MAX_BYTES = 2 << 20,   /* and on /echo */
    PEERS_MAX = 256,
    NAME_MAX_BYTES = 72,        /* 24 characters at worst */
    SAY_MAX_BYTES = 800,
    POINTS_MAX = 40,            /* in one stroke message */
    SPAN = 9999,                /* coordinates are 0..SPAN on both axes */
    SEGMENTS_MAX = 2000,        /* the picture so far */
    RATE = 120,                 /* messages a second a page may send, */
    BURST = 240                 /* with this much saved up */
};

typedef struct peer {
    ws_conn *conn;
    struct peer *next;
    int echo;                   /* on /echo, not on /live */
    unsigned id, colour;        /* id 0: has not said hello */
    char name[NAME_MAX_BYTES + 1];
    uint64_t allowance, asked;  /* thousandths of a message; time of the last one */
} peer;

typedef struct segment {
    unsigned owner;
    uint16_t x0, y0, x1, y1;
    uint8_t colour, width;
} segment;

typedef struct text {
    char *data;
    size_t size, room;
} text;

typedef struct app {
    ws_loop *loop;
    peer *peers;
    unsigned ids, live, echoes;
    segment segments[SEGMENTS_MAX];     /* a ring, oldest at first */
    unsigned first, count;
    char *html, *css, *js;
    char picture[128 << 10];            /* scratch for snapshot() */
} app;

/* Appends like printf; what does not fit is left out whole. */
static void put(text *out, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(out->data + out->size, out->room - out->size, format, args);
    va_end(args);
    if (size > 0 && (size_t)size < out->room - out->size)
        out->size += (size_t)size;
}

/* ws_broadcast reaches every open connection of the loop. That is what we want, unless
   one of them belongs to /echo. */
static void tell_all(app *state, ws_conn *except, const text *out)
{
    peer *who;

    if (!state->echoes) {
        ws_broadcast(state->loop, except, WS_OP_TEXT, out->data, out->size);
        return;
    }
    for (who = state->peers; who; who = who->next)
        if (!who->echo && who->conn != except)
            ws_send(who->conn, WS_OP_TEXT, out->data, out->size);
}

static void tell_count(app *state)
{
    char room[32];
    text out = {0};

    out.data = room;
    out.room = sizeof room;
    put(&out, "u %u", state->live);
    tell_all(state, NULL, &out);
}

/* Does the piece go on where the last one ended, with the same pen? */
static int continues(const segment *piece, const segment *last)
{
    if (!last || piece->owner != last->owner)
        return 0;
    if (piece->colour != last->colour || piece->width != last->width)
        return 0;
    return piece->x0 == last->x1 && piece->y0 == last->y1;
}

/* Everything a window needs to start over: who is here, and the picture so far. */
static void snapshot(app *state, ws_conn *to)
{
    text out = {0};
    const segment *piece, *last = NULL;
    const peer *who;
    unsigned i;

    out.data = state->picture;
    out.room = sizeof state->picture;
    put(&out, "r");
    for (i = 0; i < state->count; i++) {
        piece = &state->segments[(state->first + i) % SEGMENTS_MAX];
        if (!continues(piece, last))
            put(&out, "\ns %u %u %u %u %u", piece->owner, piece->colour, piece->width,
                piece->x0, piece->y0);
        put(&out, " %u %u", piece->x1, piece->y1);
        last = piece;
    }
    for (who = state->peers; who; who = who->next)
        if (who->id)
            put(&out, "\nj %u %u %s", who->id, who->colour, who->name);
    put(&out, "\nu %u", state->live);
    ws_send(to, WS_OP_TEXT, out.data, out.size);
}

/* ---- what a page says: read strictly, never passed on as it came ---- */

/* One space, then a number of at most max without leading zeros. Returns 1 if so. */
static int take(ws_str *in, unsigned max, unsigned *out)
{
    size_t i = 1;
    unsigned value = 0;

    if (in->size < 2 || in->data[0] != ' ')
        return 0;
    for (; i < in->size && in->data[i] >= '0' && in->data[i] <= '9'; i++) {
        if (i > 1 && value == 0)
            return 0;
        value = value * 10 + (unsigned)(in->data[i] - '0');
        if (value > max)
            return 0;
    }
    if (i == 1)
        return 0;
    in->data += i;
    in->size -= i;
    *out = value;
    return 1;
}

/* One space, then the rest: 1 to max bytes without control characters. It is UTF-8: the
   library has checked. */
static int take_words(ws_str *in, size_t max, ws_str *out)
{
    size_t i;

    if (in->size < 2 || in->data[0] != ' ' || in->size - 1 > max)
        return 0;
    for (i = 1; i < in->size; i++)
        if ((unsigned char)in->data[i] < ' ' || in->data[i] == 127)
            return 0;
    out->data = in->data + 1;
    out->size = in->size - 1;
    return 1;
}

static int on_hello(app *state, peer *who, ws_str in)
{
    char room[NAME_MAX_BYTES + 64];
    ws_str name;
    unsigned colour;
    int fresh = !who->id;
    text out = {0};

    if (!take(&in, 6, &colour) || !take_words(&in, NAME_MAX_BYTES, &name))
        return 0;
    if (fresh)
        who->id = ++state->ids;
    who->colour = colour;
    memcpy(who->name, name.data, name.size);
    who->name[name.size] = 0;
    out.data = room;
    out.room = sizeof room;
    put(&out, "j %u %u %s", who->id, who->colour, who->name);
    tell_all(state, NULL, &out);
    if (!fresh)
        return 1;
    out.size = 0;
    put(&out, "i %u", who->id);
    ws_send(who->conn, WS_OP_TEXT, out.data, out.size);
    return 1;
}

/* A place for a new segment; the oldest one goes if there is none. */
static segment *next_segment(app *state)
{
    unsigned at = (state->first + state->count) % SEGMENTS_MAX;

    if (state->count < SEGMENTS_MAX)
        state->count++;
    else
        state->first = (state->first + 1) % SEGMENTS_MAX;
    return &state->segments[at];
}

static int on_stroke(app *state, peer *who, ws_str in)
{
    char room[64 + POINTS_MAX * 10];
    unsigned colour, width, i, count = 0, x[POINTS_MAX], y[POINTS_MAX];
    text out = {0};

    if (!take(&in, 7, &colour) || !take(&in, 40, &width) || !width)
        return 0;
    for (; in.size; count++) {
        if (count == POINTS_MAX)
            return 0;
        if (!take(&in, SPAN, &x[count]) || !take(&in, SPAN, &y[count]))
            return 0;
    }
    if (count < 2)
        return 0;
    out.data = room;
    out.room = sizeof room;
    put(&out, "s %u %u %u %u %u", who->id, colour, width, x[0], y[0]);
    for (i = 1; i < count; i++) {
        segment *piece = next_segment(state);
        piece->owner = who->id;
        piece->colour = (uint8_t)colour;
        piece->width = (uint8_t)width;
        piece->x0 = (uint16_t)x[i - 1];
        piece->y0 = (uint16_t)y[i - 1];
        piece->x1 = (uint16_t)x[i];
        piece->y1 = (uint16_t)y[i];
        put(&out, " %u %u", x[i], y[i]);
    }
    tell_all(state, who->conn, &out);
    return 1;
}

static int on_ping(peer *who, ws_str in)
{
    char room[32];
    text out = {0};
    unsigned number;

    if (!take(&in, 999999, &number) || in.size)
        return 0;
    out.data = room;
    out.room = sizeof room;
    put(&out, "p %u", number);
    ws_send(who->conn, WS_OP_TEXT, out.data, out.size);
    return 1;
}

/* Returns 0 if the line is not one that our page would send. */
static int on_line(app *state, peer *who, ws_str in)
{
    char room[SAY_MAX_BYTES + 64], kind = in.size ? in.data[0] : 0;
    text out = {0};
    unsigned x, y;
    ws_str words;

    out.data = room;
    out.room = sizeof room;
    if (!kind)
        return 0;
    in.data++;
    in.size--;
    if (kind == 'h')
        return on_hello(state, who, in);
    if (kind == 'p')
        return on_ping(who, in);
    if (!who->id)
        return 0;
    if (kind == 's')
        return on_stroke(state, who, in);
    switch (kind) {
    case 'c':
        if (!take(&in, SPAN, &x) || !take(&in, SPAN, &y) || in.size)
            return 0;
        put(&out, "c %u %u %u", who->id, x, y);
        break;
    case 'm':
        if (!take_words(&in, SAY_MAX_BYTES, &words))
            return 0;
        put(&out, "m %u %.*s", who->id, (int)words.size, words.data);
        tell_all(state, NULL, &out);
        return 1;
    case 'x':
        if (in.size)
            return 0;
        state->count = 0;
        put(&out, "x %u", who->id);
        tell_all(state, NULL, &out);
        return 1;
    case 'l':
        if (in.size)
            return 0;
        put(&out, "l %u", who->id);
        break;
    default:
        return 0;
    }
    tell_all(state, who->conn, &out);
    return 1;
}

/* ---- events ---- */

static void on_open(app *state, ws_conn *conn)
{
    int echo = !strcmp(ws_target(conn), "/echo");
    peer *who;

    if (!echo && strcmp(ws_target(conn), "/live")) {
        ws_close(conn, WS_CLOSE_POLICY, "no such path");
        return;
    }
    if (!echo && state->live == PEERS_MAX) {
        ws_close(conn, WS_CLOSE_TRY_LATER, "full");
        return;
    }
    who = (peer *)calloc(1, sizeof *who);
    if (!who) {
        ws_close(conn, WS_CLOSE_INTERNAL, NULL);
        return;
    }
    ws_set_user(conn, who);
    who->conn = conn;
    who->echo = echo;
    who->allowance = BURST * 1000;
    who->asked = ws_loop_now(state->loop);
    who->next = state->peers;
    state->peers = who;
    if (echo) {
        state->echoes++;
        return;
    }
    state->live++;
    snapshot(state, conn);
    tell_count(state);
}

static void on_message(app *state, peer *who, const ws_event *ev)
{
    uint64_t now = ws_loop_now(state->loop);
    ws_str line;

    if (!who || ws_state(ev->conn) != WS_STATE_OPEN)
        return;                 /* already being closed */
    if (who->echo) {
        ws_send(ev->conn, ev->op, ev->data, ev->size);
        return;
    }
    who->allowance += (now - who->asked) * RATE;
    if (who->allowance > BURST * 1000)
        who->allowance = BURST * 1000;
    who->asked = now;
    line.data = (const char *)ev->data;
    line.size = ev->size;
    if (ev->size > LINE_MAX_BYTES)
        ws_close(ev->conn, WS_CLOSE_TOO_BIG, "1024 bytes at most");
    else if (who->allowance < 1000)
        ws_close(ev->conn, WS_CLOSE_POLICY, "too fast");
    else if (ev->op != WS_OP_TEXT || !on_line(state, who, line))
        ws_close(ev->conn, WS_CLOSE_POLICY, "not understood");
    else
        who->allowance -= 1000;
}

static void on_close(app *state, peer *who)
{
    char room[32];
    text out = {0};
    peer **at;

    if (!who)
        return;                 /* a page was served, or the handshake failed */
    at = &state->peers;
    while (*at != who)
        at = &(*at)->next;
    *at = who->next;
    if (who->echo)
        state->echoes--;
    else
        state->live--;
    out.data = room;
    out.room = sizeof room;
    put(&out, "q %u", who->id);
    if (who->id)
        tell_all(state, who->conn, &out);
    if (!who->echo)
        tell_count(state);
    free(who);
}

/* Type, security headers. Nothing is loaded from elsewhere, nothing inline runs: even
   a hole in the page does no harm. */
static void on_http(const app *state, ws_conn *conn)
{
    ws_header headers[] = {
        { "Content-Type", "text/plain; charset=utf-8" },
        { "Content-Security-Policy",
          "default-src 'none'; script-src 'self'; style-src 'self'; "
          "connect-src 'self' ws:; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'" },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" },
        { "Cache-Control", "no-cache" },
        { NULL, NULL }
    };
    const char *path = ws_target(conn), *method = ws_method(conn), *body = NULL;

    if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
        ws_http_reply(conn, 405, NULL, NULL, 0);
        return;
    }
    if (!strcmp(path, "/favicon.ico")) {
        ws_http_reply(conn, 204, NULL, NULL, 0);
        return;
    }
    if (!strcmp(path, "/")) {
        headers[0].value = "text/html; charset=utf-8";
        body = state->html;
    }
    if (!strcmp(path, "/demo.css")) {
        headers[0].value = "text/css; charset=utf-8";
        body = state->css;
    }
    if (!strcmp(path, "/demo.js")) {
        headers[0].value = "text/javascript; charset=utf-8";
        body = state->js;
    }
    if (body)
        ws_http_reply(conn, 200, headers, body, strlen(body));
    else
        ws_http_reply(conn, 404, headers, "not here\n", 9);
}

static void on_event(app *state, const ws_event *ev)
{
    peer *who = (peer *)ws_user(ev->conn);

    switch (ev->type) {
    case WS_EV_HTTP:
        on_http(state, ev->conn);
        break;
    case WS_EV_OPEN:
        on_open(state, ev->conn);
        break;
    case WS_EV_MESSAGE:
        on_message(state, who, ev);
        break;
    case WS_EV_WRITABLE:
        if (who && !who->echo)
            snapshot(state, ev->conn);      /* it missed some */
        break;
    case WS_EV_CLOSE:
        on_close(state, who);
        break;
    default:
        break;
    }
}

/* ---- start ---- */

static char *join_pieces(const char *const *pieces)
{
    size_t size = 1, i;
    char *all;

    for (i = 0; pieces[i]; i++)
        size += strlen(pieces[i]);
    all = (char *)malloc(size);
    if (!all) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    *all = 0;
    size = 0;
    for (i = 0; pieces[i]; i++) {
        strcpy(all + size, pieces[i]);
        size += strlen(pieces[i]);
    }
    return all;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--port N] [--host H] [--tls-cert FILE --tls-key FILE]\n",
            program);
    return 2;
}

typedef struct settings {
    const char *host;
    unsigned long port;
    ws_tls_config tls;
} settings;

/* Takes an option. Returns 1 if it is good. */
static int option(settings *set, const char *name, const char *value)
{
    char *end;

    if (!strcmp(name, "--host"))
        set->host = value;
    else if (!strcmp(name, "--tls-cert"))
        set->tls.cert = value;
    else if (!strcmp(name, "--tls-key"))
        set->tls.key = value;
    else if (!strcmp(name, "--port") && value[0] >= '0' && value[0] <= '9') {
        set->port = strtoul(value, &end, 10);
        return !*end && set->port <= 65535;
    } else
        return 0;
    return strlen(set->host) < 256;
}

int main(int argc, char **argv)
{
    static app state;
    settings set = {0};
    char address[300], shown[260];
    ws_config cfg = {0};
    ws_event ev;
    int at, listener, got, bare_ipv6;

    set.host = "127.0.0.1";
    set.port = 8080;
    for (at = 1; at < argc; at += 2)
        if (at + 1 == argc || !option(&set, argv[at], argv[at + 1]))
            return usage(argv[0]);
    state.html = join_pieces(page_html);
    state.css = join_pieces(page_css);
    state.js = join_pieces(page_js);
    state.loop = ws_loop_new(NULL);
    if (!state.loop) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }

    cfg.max_message = ECHO_MAX_BYTES;
    if (set.tls.cert || set.tls.key)
        cfg.tls = ws_tls_new(&set.tls);
    bare_ipv6 = strchr(set.host, ':') && *set.host != '[';
    sprintf(shown, bare_ipv6 ? "[%s]" : "%s", set.host);
    sprintf(address, "%s:%lu", shown, set.port);
    listener = ws_listen(state.loop, address, &cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(state.loop));
        return 1;
    }
    ws_tls_free(cfg.tls);       /* the listener has its share */
    printf("open %s://%s:%d/\n", cfg.tls ? "https" : "http", shown,
           ws_listen_port(state.loop, listener));
    fflush(stdout);

    while ((got = ws_poll(state.loop, &ev, -1)) >= 0)
        if (got)
            on_event(&state, &ev);

    fprintf(stderr, "%s\n", ws_loop_error_text(state.loop));
    ws_loop_free(state.loop);
    free(state.html);
    free(state.css);
    free(state.js);
    return 1;
}
