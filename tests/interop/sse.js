/* ws_sse.h against real peers. Usage:
     node sse.js clients URL          EventSource of npm eventsource and undici, on sse_chart
     node sse.js servers SSE_CAT      faye-websocket and better-sse as servers, for our reader
     node sse.js proxy NAME URL SOCK  events of sse_chart through a proxy that listens at SOCK
     node sse.js browser URL PNG      Chromium on sse_chart's page, http or https
     node sse.js late SSE_CAT A B     events of a fresh sse_chart, followed at two URLs
   Prints "ok name" or "FAIL name: why" per check; the exit status is 1 after a failure. */
'use strict';
const assert = require('assert');
const http = require('http');
const net = require('net');
const { spawn } = require('child_process');

let failed = 0;

async function test(name, run, ms = 30000) {
    let timer;
    try {
        const why = await Promise.race([run(), new Promise((_, no) => {
            timer = setTimeout(() => no(new Error('timed out')), ms);
        })]);
        console.log('ok ' + name + (why ? ' (' + why + ')' : ''));
    } catch (e) {
        failed = 1;
        console.log('FAIL ' + name + ': ' + String(e && e.message).split('\n').slice(0, 3).join(' '));
    }
    clearTimeout(timer);
}

const sleep = (ms) => new Promise((yes) => setTimeout(yes, ms));
const listen = (s) => new Promise((yes) => s.listen(0, '127.0.0.1', () => yes(s.address().port)));

/* A line to the server that can be cut; heads are the requests that went over it. */
async function line(url) {
    const to = new URL(url), open = new Set(), heads = [];
    const server = net.createServer((a) => {
        const b = net.connect(to.port, to.hostname);
        let head = '';
        const end = () => { a.destroy(); b.destroy(); open.delete(end); };
        open.add(end);
        a.on('data', (d) => {
            if (!head.includes('\r\n\r\n')) {
                head += d;
                if (head.includes('\r\n\r\n')) heads.push(head);
            }
            b.write(d);
        });
        b.on('data', (d) => a.write(d));
        for (const s of [a, b]) { s.on('error', end); s.on('close', end); }
    });
    const port = await listen(server);
    return { url: `${to.protocol}//${to.hostname}:${port}`, heads, cut() { for (const end of [...open]) end(); },
             close() { this.cut(); server.close(); } };
}

function consecutive(ids) {
    ids.forEach((id, i) => assert.strictEqual(id, ids[0] + i, `after ${ids[i - 1]} came ${id}`));
}

async function clients(url) {
    const all = { eventsource: require('eventsource').EventSource, undici: require('undici').EventSource };
    for (const [name, EventSource] of Object.entries(all)) {
        await test(`${name}: named events with ids, and where it was after a cut`, async () => {
            const l = await line(url), ids = [];
            const s = new EventSource(l.url + '/feed');
            s.addEventListener('sample', (m) => {
                assert.strictEqual(JSON.parse(m.data).length, 3);
                ids.push(Number(m.lastEventId));
            });
            while (ids.length < 5) await sleep(20);
            const before = ids[ids.length - 1];
            l.cut();
            while (ids[ids.length - 1] < before + 8) await sleep(20);
            s.close();
            assert.strictEqual(l.heads.length, 2);
            assert.match(l.heads[0], /^Accept: .*text\/event-stream/im);
            assert.doesNotMatch(l.heads[0], /^Last-Event-ID:/im);
            assert.match(l.heads[1], new RegExp(`^Last-Event-ID: ${before}\r$`, 'im'));
            consecutive(ids);
            l.close();
        });
    }
}

/* What sse_cat prints for the events of a server. */
async function follow(sse_cat, port, ...args) {
    const p = spawn(sse_cat, [`http://127.0.0.1:${port}/`, ...args]);
    let out = '', err = '';
    p.stdout.on('data', (d) => { out += d; });
    p.stderr.on('data', (d) => { err += d; });
    const code = await new Promise((yes) => p.on('close', yes));
    return { code, err, events: out.trim().split('\n').filter(Boolean).map((s) => JSON.parse(s)) };
}

const TEXT = 'line one\nline two: \u00e9\u20ac\u{1f30d}';

/* A server that gives the events from the client's last id on, some, then ends the stream. */
const servers = {
    faye(request, response) {
        const EventSource = require('faye-websocket').EventSource;
        assert.ok(EventSource.isEventSource(request));
        const s = new EventSource(request, response, { retry: 0.05 });
        let id = Number(s.lastEventId || 0);
        const end = id + 3;
        while (id < end) s.send(TEXT + ++id, { event: 'tick', id: String(id) });
        setTimeout(() => s.close(), 50);
    },
    async 'better-sse'(request, response) {
        const s = await require('better-sse').createSession(request, response, { retry: 50 });
        let id = Number(s.lastId || 0);
        const end = id + 3;
        while (id < end) s.push(TEXT + ++id, 'tick', String(id));
        setTimeout(() => response.end(), 50);
    },
};

async function follows(sse_cat) {
    for (const [name, serve] of Object.entries(servers)) {
        const server = http.createServer(serve);
        const port = await listen(server);
        await test(`sse_cat: ${name}, over three streams`, async () => {
            const r = await follow(sse_cat, port, '--max', '8');
            assert.strictEqual(r.code, 0, r.err);
            assert.strictEqual(r.events.length, 8);
            r.events.forEach((e, i) => {
                const data = e.data.startsWith('"') ? JSON.parse(e.data) : e.data;
                assert.deepStrictEqual([e.event, e.id, data], ['tick', String(i + 1), TEXT + (i + 1)]);
            });
        });
        await test(`sse_cat: ${name}, once`, async () => {
            const r = await follow(sse_cat, port, '--once');
            assert.strictEqual(r.code, 0, r.err);
            assert.strictEqual(r.events.length, 3);
        });
        server.closeAllConnections();
        server.close();
    }
}

/* When each sample arrived, by its number. */
function arrivals(options, n) {
    return new Promise((yes, no) => {
        const at = new Map();
        const request = http.get({ path: '/feed', headers: { Accept: 'text/event-stream' }, ...options }, (a) => {
            if (a.statusCode !== 200) no(new Error('status ' + a.statusCode));
            let text = '';
            a.on('data', (d) => {
                text += d;
                for (let i; (i = text.indexOf('\n\n')) >= 0; text = text.slice(i + 2)) {
                    const id = /^id: (\d+)$/m.exec(text.slice(0, i));
                    if (id) at.set(Number(id[1]), performance.now());
                }
                if (at.size > n) { request.destroy(); yes(at); }
            });
            a.on('end', () => no(new Error('the stream ended')));
        });
        request.on('error', no);
    });
}

async function proxy(name, url, socketPath) {
    await test(`${name}: every event within 0.2 s`, async () => {
        const to = new URL(url), start = performance.now();
        const [direct, through] = await Promise.all([
            arrivals({ host: to.hostname, port: to.port }, 40), arrivals({ socketPath }, 40)]);
        let worst = 0, n = 0;
        for (const [id, t] of direct) {
            if (t < start + 500 || !through.has(id)) continue;      /* the past, all at once */
            worst = Math.max(worst, through.get(id) - t);
            n++;
        }
        assert.ok(n >= 10, `only ${n} events in both`);
        assert.ok(worst < 200, `${worst.toFixed(1)} ms late`);
        return `at most ${worst.toFixed(1)} ms of ${n}`;
    });
    await test(`${name}: an event stream's head`, async () => {
        const a = await new Promise((yes, no) => http.get({ path: '/feed', socketPath }, yes).on('error', no));
        assert.strictEqual(a.statusCode, 200);
        assert.strictEqual(a.headers['content-type'], 'text/event-stream');
        a.destroy();
    });
}

/* When sse_cat printed each of n events, by id. */
function printed(sse_cat, url, n) {
    return new Promise((yes, no) => {
        const p = spawn(sse_cat, [url, '--max', String(n)]), at = new Map();
        let out = '', err = '';
        p.stdout.on('data', (d) => {
            out += d;
            for (let i; (i = out.indexOf('\n')) >= 0; out = out.slice(i + 1))
                at.set(Number(JSON.parse(out.slice(0, i)).id), performance.now());
        });
        p.stderr.on('data', (d) => { err += d; });
        p.on('close', (code) => (code === 0 ? yes(at) : no(new Error(`sse_cat ended with ${code}: ${err}`))));
    });
}

async function late(sse_cat, a, b) {
    await test('sse_cat: every event within 0.2 s', async () => {
        const [direct, through] = await Promise.all([printed(sse_cat, a, 15), printed(sse_cat, b, 15)]);
        let worst = 0, n = 0;
        for (const [id, t] of direct) {
            if (!through.has(id)) continue;
            worst = Math.max(worst, through.get(id) - t);
            n++;
        }
        assert.ok(n >= 10, `only ${n} events in both`);
        assert.ok(worst < 200, `${worst.toFixed(1)} ms late`);
        return `at most ${worst.toFixed(1)} ms of ${n}`;
    });
}

async function browser(url, shot) {
    const { chromium } = require('playwright-core');
    const b = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
               '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const l = await line(url), faults = [];
    const p = await b.newPage({ viewport: { width: 1000, height: 600 } });
    p.on('pageerror', (e) => faults.push(String(e)));
    await test('chromium: the chart shows what comes', async () => {
        await p.goto(l.url + '/');
        await p.waitForFunction(() => /event \d+/.test(document.body.innerText));
        const first = Number(/event (\d+)/.exec(await p.innerText('body'))[1]);
        await p.waitForFunction((n) => Number(/event (\d+)/.exec(document.body.innerText)[1]) >= n, first + 5);
        assert.deepStrictEqual(faults, []);
    });
    await test('chromium: EventSource goes on where it was', async () => {
        await p.evaluate(() => {
            window.ids = [];
            window.s = new EventSource('/feed?own');
            window.s.addEventListener('sample', (m) => window.ids.push(Number(m.lastEventId)));
        });
        await p.waitForFunction(() => window.ids.length >= 5);
        l.cut();
        const before = await p.evaluate(() => window.ids[window.ids.length - 1]);
        await p.waitForFunction((n) => window.ids[window.ids.length - 1] >= n, before + 8);
        consecutive(await p.evaluate(() => window.ids));
        if (url.startsWith('https:')) return;               /* the heads cannot be read */
        const again = l.heads.filter((h) => h.startsWith('GET /feed?own '));
        assert.strictEqual(again.length, 2);
        assert.match(again[1], /^Last-Event-ID: \d+\r$/im);
    });
    await p.screenshot({ path: shot });
    await b.close();
    l.close();
}

(async () => {
    const [mode, a, c, d] = process.argv.slice(2);
    if (mode === 'clients') await clients(a);
    else if (mode === 'servers') await follows(a);
    else if (mode === 'proxy') await proxy(a, c, d);
    else if (mode === 'late') await late(a, c, d);
    else if (mode === 'browser') await browser(a, c);
    else { console.error('usage: see the top of this file'); failed = 1; }
    process.exit(failed);
})();
