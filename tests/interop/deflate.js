/* permessage-deflate of ws.h (deflate.c) with npm ws, faye-websocket and permessage-deflate,
   Python websockets (deflate.py) and Chromium, each as client and as server if it can be both.
     node deflate.js build/interop/deflate PYTHON CHROMIUM [all]       (- for a program that is not there)
   A setting is { sn, cn, sb, cb }: no context takeover, and window bits, of server and client;
   bits 0: none told, 1: without a value. All settings of both ends are crossed. Of these pairs as
   many are played as it takes to have each pair of settings for either direction, and each outcome
   of one direction with each of the other; with "all" every pair. On a connection both ends send
     a text, the same once more, a small one, an empty text, an empty binary, another text in three
     fragments with a ping behind the first, and bytes that do not get smaller;
   and between them stands a relay that looks at heads and frames. Prints "ok name" for each outcome
   or "not ok name: why" for each pair that failed; the exit status is 1 after a failure. */
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const http = require('http');
const net = require('net');
const { spawn } = require('child_process');
const faye = require('faye-websocket');
const fayeDeflate = require('permessage-deflate');
const ws = require('ws');

const PATIENCE = 20000, AT_ONCE = 8;
let failed = 0;

// ---- the series ----

let x = 1;
const next = () => (x = Math.imul(x, 1664525) + 1013904223 >>> 0);
const hex = () => Array.from({ length: 3000 }, () => '0123456789abcdef'[next() >>> 28]).join('');
const first = hex(), second = hex();
const noise = Buffer.from(Array.from({ length: 2000 }, () => next() >>> 24));
const pieces = [second.slice(0, 1000), second.slice(1000, 2000), second.slice(2000)];
const series = [first, first, 'small', '', Buffer.alloc(0), second, noise];

function shown(data) {
    const raw = Buffer.from(data);
    return `${typeof data === 'string' ? 'text' : 'binary'} ${raw.length} ${crypto.createHash('sha1').update(raw).digest('hex')}`;
}
const messages = series.map(shown);

// ---- the relay ----

/* One direction: the head, then the frames' headers. */
class Tap {
    constructor() { this.rest = Buffer.alloc(0); this.head = ''; this.frames = []; this.skip = 0; }
    feed(data) {
        this.rest = Buffer.concat([this.rest, data]);
        if (!this.head) {
            const end = this.rest.indexOf('\r\n\r\n');
            if (end < 0) return;
            this.head = String(this.rest.subarray(0, end + 2));
            this.rest = this.rest.subarray(end + 4);
        }
        for (;;) {
            const b = this.rest, n = Math.min(this.skip, b.length);
            this.skip -= n;
            this.rest = b.subarray(n);
            if (this.skip || this.rest.length < 2) return;
            const head = this.rest, long = head[1] & 127, more = long === 126 ? 2 : long === 127 ? 8 : 0;
            if (head.length < 2 + more) return;
            const size = more === 2 ? head.readUInt16BE(2) : more ? Number(head.readBigUInt64BE(2)) : long;
            this.frames.push({ op: head[0] & 15, fin: head[0] >> 7, rsv: head[0] >> 4 & 7, size });
            this.skip = 2 + more + (head[1] & 128 ? 4 : 0) + size;
        }
    }
    extension() {
        const lines = this.head.match(/^sec-websocket-extensions:.*$/gmi) || [];
        assert.ok(lines.length < 2, lines.join());
        return lines.length ? lines[0].slice(lines[0].indexOf(':') + 1).trim() : '';
    }
}

const taps = new Map();         // path: { up, down }

/* A port that leads to another one. */
function relay(port) {
    return new Promise((go) => {
        const server = net.createServer((client) => {
            const wire = { up: new Tap(), down: new Tap() }, target = net.connect(port, '127.0.0.1');
            client.on('data', (data) => {
                const known = wire.up.head;
                wire.up.feed(data);
                if (!known && wire.up.head) taps.set(wire.up.head.split(' ')[1], wire);
            });
            target.on('data', (data) => wire.down.feed(data));
            for (const [from, to] of [[client, target], [target, client]]) {
                from.setNoDelay(true);
                from.pipe(to);
                from.on('error', () => to.destroy());
            }
        });
        server.listen(0, '127.0.0.1', () => go(server.address().port));
        server.unref();
    });
}

// ---- the programs: deflate.c and deflate.py ----

class Program {
    constructor(command, args) {
        this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
        this.waiting = [];      // [test, resolve]
        this.lines = [];
        let rest = '';
        this.child.stdout.on('data', (data) => {
            const lines = (rest + data).split('\n');
            rest = lines.pop();
            for (const line of lines) this.put(line);
        });
    }
    put(line) {
        this.lines.push(line);
        for (const w of this.waiting.splice(0)) if (!this.look(...w)) this.waiting.push(w);
    }
    look(test, go) {
        const found = this.lines.filter(test);
        if (!found.length) return false;
        this.lines = this.lines.filter((l) => !test(l));
        go(found);
        return true;
    }
    find(test) {
        return new Promise((go) => { if (!this.look(test, go)) this.waiting.push([test, go]); });
    }
    order(line) { this.child.stdin.write(line + '\n'); }
}

const wsh = {
    start(program) { this.program = new Program(program, []); this.about = new Map(); this.program.put = (line) => this.put(line); },
    put(line) {
        const at = line.indexOf(' '), path = line.slice(0, at), about = this.about.get(path);
        if (!about) return Program.prototype.put.call(this.program, line);
        about.lines.push(line.slice(at + 1));
        if (line.startsWith('close ', at + 1)) about.ended(about.lines);
    },
    /* A promise of all that it prints about a connection. */
    expect(path) { return new Promise((go) => this.about.set(path, { lines: [], ended: go })); },
    option(s) {
        const names = { sn: 'server_no_context_takeover', cn: 'client_no_context_takeover',
                        sb: 'server_max_window_bits', cb: 'client_max_window_bits' };
        const set = Object.keys(names).filter((k) => s[k]).map((k) => names[k] + (s[k] > 1 ? '=' + s[k] : ''));
        return '--deflate' + (set.length ? '=' + set.join() : '');
    },
    async listen(s) {
        this.program.order('listen ' + this.option(s));
        return +(await this.program.find((l) => l.startsWith('port ')))[0].slice(5);
    },
    dial(url, s) { this.program.order(`dial ${url} ${this.option(s)}`); },
};

// ---- what ws.h should agree to, by RFC 7692 and its README ----

function parse(text) {
    if (!text) return null;
    const [name, ...params] = text.split(';').map((p) => p.trim()), out = { sn: 0, cn: 0, sb: 0, cb: 0 };
    const keys = { server_no_context_takeover: 'sn', client_no_context_takeover: 'cn',
                   server_max_window_bits: 'sb', client_max_window_bits: 'cb' };
    assert.strictEqual(name, 'permessage-deflate');
    for (const p of params) {
        const [k, v] = p.split('=');
        assert.ok(keys[k] && !out[keys[k]], text);
        out[keys[k]] = v === undefined ? 1 : +v;
    }
    return out;
}

function offerOf(s) { return { sn: s.sn, cn: s.cn, sb: s.sb < 15 ? s.sb : 0, cb: s.cb && s.cb < 15 ? s.cb : 1 }; }

/* The answer of ws.h with settings s, or null. */
function answerOf(s, offer) {
    const ours = Math.min(s.sb || 15, offer.sb || 15);
    const theirs = Math.min(s.cb || 15, offer.cb > 1 ? offer.cb : 15);
    if (ours === 8 || (theirs < 15 && !offer.cb)) return null;
    return { sn: s.sn | offer.sn, cn: s.cn | offer.cn, sb: offer.sb || ours < 15 ? ours : 0,
             cb: offer.cb > 1 || theirs < 15 ? theirs : 0 };
}

/* What both ends then do: window bits and whether messages are alone, of either side. */
function agreed(offer, answer) {
    return answer && { server: [answer.sb || 15, answer.sn],
                       client: [Math.min(answer.cb || 15, offer.cb > 1 ? offer.cb : 15), answer.cn | offer.cn] };
}

const plain = (o) => o && JSON.parse(JSON.stringify(o));
const told = ({ sn, cn, sb, cb }) => `${sn}${cn} ${sb}/${cb}`;
const name = (a) => !a ? 'no compression' : ['server', 'client'].map((k) => `${k} ${a[k][0]}${a[k][1] ? ' alone' : ''}`).join(', ');

// ---- what one end sent ----

/* bits 0: it does not compress. */
function checkFrames(frames, way, isWsh, peer) {
    const [bits, alone] = way || [0, 0], all = [];
    for (const f of frames) {
        if (f.op > 2 || !f.op) assert.strictEqual(f.rsv, 0, `RSV on opcode ${f.op}`);
        if (f.op === 1 || f.op === 2) all.push({ rsv: f.rsv, size: 0, frames: 0 });
        if (f.op > 2) { if (f.op === 9 && all.length) all[all.length - 1].ping = all.length && !frames[frames.indexOf(f) - 1].fin; continue; }
        all[all.length - 1].size += f.size;
        all[all.length - 1].frames++;
    }
    assert.strictEqual(all.length, 7, `${all.length} messages`);
    const sizes = all.map((m) => m.size), rsv = all.map((m) => m.rsv);
    if (isWsh || peer.cuts) {
        assert.deepStrictEqual(all.map((m) => m.frames > 1), [0, 0, 0, 0, 0, 1, 0].map(Boolean), 'fragments');
        assert.ok(all[5].ping, 'no ping between');
    }
    if (!bits) {
        assert.deepStrictEqual(rsv, [0, 0, 0, 0, 0, 0, 0], 'RSV');
        assert.deepStrictEqual(sizes, series.map((s) => s.length), 'sizes');
        return;
    }
    assert.ok(rsv[0] === 4 && rsv[1] === 4 && rsv[5] === 4, 'RSV1 is missing: ' + rsv);
    assert.ok(sizes[0] < 1900 && sizes[5] < 1900, 'not compressed: ' + sizes);
    if (alone) assert.strictEqual(sizes[1], sizes[0], 'not alone: ' + sizes);
    else if (bits >= 12) assert.ok(sizes[1] < 200, 'no context taken over: ' + sizes);
    else assert.ok(sizes[1] > 1300, 'a larger window: ' + sizes);
    if (isWsh) {
        assert.deepStrictEqual(rsv, [4, 4, 0, 0, 0, 4, alone ? 0 : 4], 'RSV');
        assert.deepStrictEqual(sizes.slice(2, 5), [5, 0, 0], 'below the threshold');
    } else if (peer.plainSmall) assert.strictEqual(rsv[2], 0, 'RSV of a plain message');
}

// ---- the peers ----

/* An end in this process: the result of a connection. */
function end(path, api) {
    const got = [];
    let pong, finish;
    return {
        done: new Promise((go) => { finish = go; }),
        message(data) {
            got.push(shown(data));
            if (got.length === 7) this.leave();
        },
        pong() { pong = 1; this.leave(); },
        leave() { if (pong && got.length === 7) api.close(); },
        closed(code) { finish({ path, got, close: code, agreed: api.agreed }); },
        failed(error) { finish({ path, error }); },
    };
}

const results = new Map();      // path: what to do with the result of a server's end
const served = (path, e) => e.done.then((r) => results.get(path)(r));

// npm ws

const wsOptions = (s, client) => ({
    serverNoContextTakeover: !!s.sn || undefined, clientNoContextTakeover: !!s.cn || undefined,
    serverMaxWindowBits: s.sb || undefined,
    clientMaxWindowBits: s.cb > 1 ? s.cb : client && !s.cb ? false : undefined,
    threshold: 0,
});
function wsPlay(w, path) {
    const api = { close: () => w.close(1000) }, e = end(path, api);
    w.on('message', (data, binary) => e.message(binary ? data : String(data)));
    w.on('pong', () => e.pong());
    w.on('error', (error) => e.failed(error.message));
    w.on('close', (code) => e.closed(code));
    const start = () => {
        const pmd = w._extensions['permessage-deflate'], p = pmd && pmd.params;
        api.agreed = p ? { server: [p.server_max_window_bits || 15, p.server_no_context_takeover ? 1 : 0],
                           client: [p.client_max_window_bits || 15, p.client_no_context_takeover ? 1 : 0] } : null;
        for (const m of [first, first]) w.send(m);
        w.send('small', { compress: false });
        for (const m of ['', Buffer.alloc(0)]) w.send(m);
        w.send(pieces[0], { fin: false });
        w.ping('between');
        w.send(pieces[1], { fin: false });
        w.send(pieces[2]);
        w.send(noise);
    };
    if (w.readyState === ws.OPEN) start(); else w.on('open', start);
    return e;
}
const cross = (sb, cb) => [0, 1].flatMap((sn) => [0, 1].flatMap((cn) => sb.flatMap((s) => cb.map((c) => ({ sn, cn, sb: s, cb: c })))));
const told5 = [0, 8, 9, 12, 15];
const npm = {
    name: 'npm ws', cuts: true, plainSmall: true,
    client: cross(told5, [0, 1, 8, 9, 12, 15]), server: cross(told5, told5),
    dial: (url, s, path) => wsPlay(new ws(url, { perMessageDeflate: wsOptions(s, true) }), path).done,
    listen: (s) => new Promise((go) => {
        const server = new ws.WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: wsOptions(s) },
            () => go(server.address().port));
        server.on('connection', (w, request) => served(request.url, wsPlay(w, request.url)));
    }),
};

// faye-websocket and permessage-deflate

const fayeOptions = (own, ownAlone, other, otherAlone) => {
    const o = { noContextTakeover: !!ownAlone, requestNoContextTakeover: !!otherAlone };
    if (own > 1) o.maxWindowBits = own;
    if (other) o.requestMaxWindowBits = other;
    return [fayeDeflate.configure(o)];
};
/* websocket-driver makes whole frames: that of the fifth text is cut, with a ping between. */
function cutOne(driver) {
    const send = driver._sendFrame;
    let texts = 0;
    driver._sendFrame = function (f) {
        const put = (opcode, payload, final, rsv1) => send.call(this, Object.assign(
            Object.create(Object.getPrototypeOf(f)), f, { opcode, payload, length: payload.length, final, rsv1 }));
        const k = Math.floor(f.length / 3);
        if (f.opcode !== 1 || ++texts !== 5) return send.call(this, f);
        put(1, f.payload.subarray(0, k), false, f.rsv1);
        put(9, Buffer.from('between'), true, false);
        put(0, f.payload.subarray(k, 2 * k), false, false);
        put(0, f.payload.subarray(2 * k), true, false);
    };
}
function fayePlay(w, path, client) {
    const api = { close: () => w.close(1000) }, e = end(path, api), driver = w._driver;
    cutOne(driver);
    driver.on('pong', () => e.pong());
    w.on('message', (m) => e.message(m.data));
    w.on('error', (error) => e.failed(error.message));
    w.on('close', (c) => e.closed(c.code));
    w.on('open', () => {
        const [session] = driver._extensions._sessions.map((r) => r[1]), s = session;
        const own = s && [s._ownWindowBits, s._ownContextTakeover ? 0 : 1];
        const other = s && [s._peerWindowBits, s._peerContextTakeover ? 0 : 1];
        api.agreed = s ? { server: client ? other : own, client: client ? own : other } : null;
        for (const m of [first, first, 'small', '', Buffer.alloc(0), second, noise]) w.send(m);
    });
    return e;
}
const fayeWebsocket = {
    name: 'faye-websocket', cuts: true, untold: true,       // it may use less than what it told
    client: cross(told5, [1, 8, 9, 12, 15]), server: cross(told5, told5),
    dial: (url, s, path) => fayePlay(new faye.Client(url, [], { extensions: fayeOptions(s.cb, s.cn, s.sb, s.sn) }), path, true).done,
    listen: (s) => new Promise((go) => {
        const server = http.createServer();
        server.on('upgrade', (request, socket, body) => {
            const w = new faye(request, socket, body, [], { extensions: fayeOptions(s.sb, s.sn, s.cb, s.cn) });
            served(request.url, fayePlay(w, request.url));
        });
        server.listen(0, '127.0.0.1', () => go(server.address().port));
    }),
};

// Python websockets: its zlib makes no windows of 8 bits

const python = {
    name: 'Python websockets', cuts: true,
    client: cross(told5, [0, 1, 9, 12, 15]), server: cross([0, 9, 12, 15], told5),
    skips: (c, s, role) => role === 'client' ? s.cb === 8 : c.sb === 8,
    start(program) {
        this.program = new Program(program, [__dirname + '/deflate.py']);
        this.program.put = (line) => {
            const r = JSON.parse(line);
            if (r.port) Program.prototype.put.call(this.program, line);
            else results.get(r.path)(r);
        };
    },
    dial(url, s, path) {
        const { sn, cn, sb, cb } = s;
        return new Promise((go) => {
            results.set(path, go);
            this.program.order(`dial ${url} ${sn} ${cn} ${sb} ${cb}`);
        });
    },
    async listen({ sn, cn, sb, cb }) {
        this.program.order(`listen ${sn} ${cn} ${sb} ${cb}`);
        return JSON.parse((await this.program.find(() => true))[0]).port;
    },
};

// Chromium

const chromium = {
    name: 'Chromium', whole: true,
    client: [{ sn: 0, cn: 0, sb: 0, cb: 1 }],
    async start(program) {
        const { chromium: one } = require('playwright-core');
        this.browser = await one.launch({ executablePath: program, args: ['--no-sandbox', '--disable-gpu',
            '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
        this.page = await this.browser.newPage();
        const server = http.createServer((request, answer) => answer.end('deflate'));
        server.unref();
        await new Promise((go) => server.listen(0, '127.0.0.1', go));
        await this.page.goto(`http://127.0.0.1:${server.address().port}/`);
    },
    async dial(url, s, path) {
        const r = await this.page.evaluate(([url, texts, noise]) => new Promise((done) => {
            const w = new WebSocket(url), got = [];
            let extensions;
            w.binaryType = 'arraybuffer';
            w.onopen = () => {
                extensions = w.extensions;
                for (const t of [texts[0], texts[0], 'small', '', new Uint8Array(0), texts[1], new Uint8Array(noise)]) w.send(t);
            };
            w.onmessage = (e) => {
                got.push(typeof e.data === 'string' ? e.data : Array.from(new Uint8Array(e.data)));
                if (got.length === 7) w.close(1000);
            };
            w.onclose = (e) => done({ got, extensions, close: e.code });
        }), [url, [first, second], Array.from(noise)]);
        return { path, close: r.close, got: r.got.map((m) => shown(typeof m === 'string' ? m : Buffer.from(m))),
                 agreed: agreed(s, parse(r.extensions)) };
    },
};

// ---- one connection ----

const soon = (promise, what) => {
    let timer;
    return Promise.race([promise, new Promise((_, no) => { timer = setTimeout(() => no(new Error(what())), PATIENCE); })])
        .finally(() => clearTimeout(timer));
};

let serial = 0;

/* Returns what was agreed. c, s: settings of client and server; role: the peer's. */
async function play(peer, role, c, s, port) {
    const path = `/${++serial}`, url = `ws://127.0.0.1:${port}${path}`, printed = wsh.expect(path);
    const isServer = role === 'server';
    const result = isServer ? new Promise((go) => results.set(path, go)) : peer.dial(url, c, path);
    if (isServer) wsh.dial(url, c);
    const where = () => `no end: ${JSON.stringify(plain([wsh.about.get(path), taps.get(path)]))}`;
    const lines = await soon(printed, where), wire = taps.get(path);
    const offer = parse(wire.up.extension()), answer = parse(wire.down.extension());
    const close = lines.pop();
    assert.deepStrictEqual(offer, isServer ? offerOf(c) : c, 'what was offered');
    if (isServer && wire.down.head.startsWith('HTTP/1.1 400')) {      // npm ws, of offers that do not suit
        assert.match(close, /^close 1006 -\d+ 400 /);
        return 'refused';
    }
    if (!isServer) assert.deepStrictEqual(answer, answerOf(s, offer), 'what ws.h answered');
    const r = await soon(result, where), want = agreed(offer, answer), ways = plain(want);
    assert.ok(!r.error, r.error);
    if (want && peer.untold) ways[role][0] = r.agreed[role][0];
    assert.deepStrictEqual(r.agreed, ways, 'what the peer understood');
    assert.ok(!want || ways[role][0] <= want[role][0], 'a larger window than agreed');
    assert.strictEqual(lines.shift(), `extensions ${wire.down.extension()}`);
    const controls = lines.filter((l) => /^p[io]ng/.test(l)).sort();
    assert.deepStrictEqual(lines.filter((l) => !/^p[io]ng/.test(l)), messages, 'what ws.h got');
    assert.deepStrictEqual(controls, peer.whole ? ['pong between'] : ['ping between', 'pong between']);
    assert.deepStrictEqual(r.got, messages, 'what the peer got');
    assert.match(close, /^close 1000 0 /);
    assert.strictEqual(r.close, 1000);
    const our = isServer ? 'client' : 'server', out = isServer ? wire.up : wire.down, back = isServer ? wire.down : wire.up;
    const mute = want && want[our][0] === 8;            // zlib cannot, so nothing is compressed
    checkFrames(out.frames, want && !mute && want[our], true, peer);
    checkFrames(back.frames, want && ways[role], false, peer);
    return name(want);
}

// ---- all ----

/* The pairs to play, in an order by chance that is always the same. */
function choose(clients, servers, skips, all) {
    const pairs = clients.flatMap((c) => servers.map((s) => [c, s])).filter(([c, s]) => !skips(c, s)), seen = new Set();
    for (let i = pairs.length - 1; i > 0; i--) {
        const k = next() % (i + 1);
        [pairs[i], pairs[k]] = [pairs[k], pairs[i]];
    }
    const least = (a, b) => Math.min(a > 1 ? a : 15, b > 1 ? b : 15);
    return all ? pairs : pairs.filter(([c, s]) => {
        const keys = [`s ${c.sn} ${c.sb} ${s.sn} ${s.sb}`, `c ${c.cn} ${c.cb} ${s.cn} ${s.cb}`,
                      `o ${c.sn | s.sn} ${least(c.sb, s.sb)} ${c.cn | s.cn} ${c.cb ? least(c.cb, s.cb) : 0}`];
        const fresh = keys.some((k) => !seen.has(k));
        keys.forEach((k) => seen.add(k));
        return fresh;
    });
}

async function matrix(peer, role, outcomes, all) {
    const clients = role === 'client' ? peer.client : cross(told5, [0, 9, 12, 15]);
    const servers = role === 'server' ? peer.server : cross([0, 9, 12, 15], told5);
    const pairs = choose(clients, servers, (c, s) => peer.skips && peer.skips(c, s, role), all);
    const ports = new Map(), counts = new Map(), total = pairs.length, title = `deflate, ${peer.name} as ${role}`;
    for (const s of servers) ports.set(s, await relay(await (role === 'server' ? peer : wsh).listen(s)));
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let pair; (pair = pairs.pop());) {
            const [c, s] = pair;
            try {
                const outcome = await play(peer, role, c, s, ports.get(s));
                counts.set(outcome, (counts.get(outcome) || 0) + 1);
            } catch (e) {
                failed = 1;
                console.log(`not ok ${title}: client ${told(c)}, server ${told(s)}: ${String(e && e.message).split('\n').slice(0, 30).join(' ')}`);
            }
        }
    }));
    for (const [outcome, n] of [...counts].sort()) console.log(`ok ${title}: ${outcome}: ${n} of ${total}`);
    if (counts.size < outcomes) {
        failed = 1;
        console.log(`not ok ${title}: ${counts.size} outcomes, not ${outcomes}`);
    }
}

async function main(program, py, browser, all) {
    wsh.start(program);
    await matrix(npm, 'client', 49, all);
    await matrix(npm, 'server', 55, all);
    await matrix(fayeWebsocket, 'client', 49, all);
    await matrix(fayeWebsocket, 'server', 59, all);
    if (py !== '-') {
        python.start(py);
        await matrix(python, 'client', 37, all);
        await matrix(python, 'server', 48, all);
    }
    if (browser !== '-') {
        await chromium.start(browser);
        await matrix(chromium, 'client', 48, all);
        await chromium.browser.close();
    }
    wsh.program.child.stdin.end();
    const status = await new Promise((go) => wsh.program.child.on('close', (code, signal) => go(signal || code)));
    if (status) failed = 1;
    console.log(`${status ? 'not ok' : 'ok'} deflate: ws.h survived${status ? ': ' + status : ''}`);
}

const [program, py, browser, all] = process.argv.slice(2);
main(program, py, browser, all === 'all').then(() => process.exit(failed), (e) => {
    console.log('not ok deflate: ' + e.stack);
    process.exit(1);
});
