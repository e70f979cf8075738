/* Node and Chromium against http.c. Usage:
     node http.js client URL MOST             http.Agent, fetch, pipelining; MOST is the server's
                                              max_requests
     node http.js browser URL                 Chromium on the server's page
     node http.js behind URL NAME=FRONT...    the same server at URL through proxies
   Prints "ok name" or "FAIL name: why" per check; the exit status is 1 after a failure. */
'use strict';
const assert = require('assert');
const http = require('http');
const net = require('net');
const { once } = require('events');

let failed = 0;

async function test(name, run, ms = 20000) {
    let timer;
    try {
        const why = await Promise.race([run(), new Promise((_, no) => {
            timer = setTimeout(() => no(new Error('timed out')), ms);
        })]);
        console.log('ok ' + name + (why ? ' (' + why + ')' : ''));
    } catch (e) {
        failed = 1;
        console.log('FAIL ' + name + ': ' + String(e && e.message).split('\n').slice(0, 6).join(' '));
    }
    clearTimeout(timer);
}

// ---- what is sent, and what must come ----

/* What cksum(1) prints: checksum and size. Chromium runs this function too. */
function cksum(bytes) {
    if (!cksum.table)
        cksum.table = Array.from({ length: 256 }, (_, i) => {
            let sum = i << 24;
            for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
            return sum;
        });
    let sum = 0;
    for (const byte of bytes) sum = (sum << 8) ^ cksum.table[(sum >>> 24) ^ byte];
    for (let n = bytes.length; n; n = Math.floor(n / 256)) sum = (sum << 8) ^ cksum.table[(sum >>> 24) ^ (n & 255)];
    return `${~sum >>> 0} ${bytes.length}`;
}

/* The bytes of /mixed, and of uploads: each id has its own. */
function filler(id, size, at = 0) {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; i++) bytes[i] = 97 + (id * 7 + at + i) % 23;
    return bytes;
}

/* One request with http.request: status, headers, body, and the local port of its socket. */
function ask(url, options = {}, chunks = []) {
    return new Promise((yes, no) => {
        const request = http.request(url, options, (answer) => {
            const got = [], port = answer.socket.localPort;
            answer.on('data', (d) => got.push(d));
            answer.on('error', no);
            answer.on('end', () => yes({ status: answer.statusCode, headers: answer.headers, port, body: Buffer.concat(got) }));
        });
        request.on('error', no);
        for (const c of chunks) request.write(c);
        request.end();
    });
}

/* Connections and requests so far, without those of this question. */
async function count(url) {
    const a = await ask(url + '/count', { agent: false, headers: { Connection: 'close' } });
    const [connections, requests] = String(a.body).split(' ').map(Number);
    count.asked = (count.asked || 0) + 1;
    return { connections: connections - count.asked, requests: requests - count.asked };
}

/* A slice of bytes as pieces, none of them as large as what is read at once. */
function pieces(bytes, size) {
    const list = [];
    for (let at = 0; at < bytes.length; at += size) list.push(bytes.subarray(at, at + size));
    return list;
}

async function mixed(url, id, size, how, agent) {
    const a = await ask(`${url}/mixed?id=${id}&size=${size}&how=${how}`, { agent });
    assert.strictEqual(a.status, 200);
    assert.strictEqual(a.headers['x-id'], String(id), 'the answer to another request');
    assert.ok(a.body.equals(filler(id, size)), `${a.body.length} bytes of ${size}, or others, by ${how}`);
    return a;
}

async function upload(url, id, size, chunked, agent) {
    const bytes = filler(id, size), headers = chunked ? {} : { 'Content-Length': size };
    if (chunked) headers['Transfer-Encoding'] = 'chunked';
    const a = await ask(`${url}/upload?id=${id}`, { agent, method: 'POST', headers }, pieces(bytes, 50000));
    assert.strictEqual(a.status, 200);
    assert.strictEqual(String(a.body), `${cksum(bytes)} ${id}\n`);
    return a;
}

// ---- node as client ----

/* The answers in what a socket got, to requests with these methods. */
function answers(bytes, methods) {
    const list = [];
    for (const method of methods) {
        const end = bytes.indexOf('\r\n\r\n');
        assert.ok(end >= 0, `${list.length} answers to ${methods.length} requests`);
        const head = String(bytes.subarray(0, end)), length = /^content-length: (\d+)/im.exec(head);
        let body = [];
        bytes = bytes.subarray(end + 4);
        if (method === 'HEAD') { /* nothing follows */
        } else if (length) {
            body = [bytes.subarray(0, length[1])];
            bytes = bytes.subarray(length[1]);
        } else {
            assert.match(head, /^transfer-encoding: chunked/im);
            for (let size = 1; size;) {
                const line = bytes.indexOf('\r\n');
                size = parseInt(bytes.subarray(0, line), 16);
                body.push(bytes.subarray(line + 2, line + 2 + size));
                bytes = bytes.subarray(line + 4 + size);
            }
        }
        list.push({ status: Number(head.split(' ')[1]), head, body: Buffer.concat(body) });
    }
    assert.strictEqual(bytes.length, 0, 'more than the answers');
    return list;
}

/* Ten requests in one go, or in pieces of some bytes; answers come in their order. */
async function pipeline(url, step) {
    const to = new URL(url), socket = net.connect(to.port, to.hostname), got = [], methods = [], expected = [];
    let text = '';
    for (let id = 1; id <= 10; id++) {
        const host = `Host: ${to.host}\r\n` + (id === 10 ? 'Connection: close\r\n' : '');
        const how = ['reply', 'stream'][id >> 1 & 1], size = id * 1000;
        if (id % 4 === 1) {
            text += `POST /upload?id=${id} HTTP/1.1\r\n${host}Content-Length: ${size}\r\n\r\n${filler(id, size)}`;
            expected.push(`${cksum(filler(id, size))} ${id}\n`);
        } else if (id % 4 === 3) {
            text += `POST /upload?id=${id} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n` +
                `${size.toString(16)}\r\n${filler(id, size)}\r\n0\r\n\r\n`;
            expected.push(`${cksum(filler(id, size))} ${id}\n`);
        } else {
            const method = id === 4 ? 'HEAD' : 'GET';
            text += `${method} /mixed?id=${id}&size=${size}&how=${how} HTTP/1.1\r\n${host}\r\n`;
            expected.push(id === 4 ? '' : String(filler(id, size)));
        }
        methods.push(id === 4 ? 'HEAD' : 'GET');
    }
    const ended = once(socket, 'end');
    ended.catch(() => {});
    socket.setNoDelay(true);
    socket.on('data', (d) => got.push(d));
    await once(socket, 'connect');
    for (const piece of pieces(Buffer.from(text), step)) {
        socket.write(piece);
        if (step < text.length) await new Promise((go) => setImmediate(go));
    }
    await ended;
    socket.end();
    const list = answers(Buffer.concat(got), methods);
    list.forEach((a, i) => {
        assert.strictEqual(a.status, 200);
        assert.ok(String(a.body) === expected[i], `answer ${i + 1} is ${a.body.length} bytes, or others`);
        assert.strictEqual(/^connection: close/im.test(a.head), i === 9, `answer ${i + 1} says ${a.head}`);
    });
}

/* A request that comes while a file is on its way is answered behind it. */
async function behindFile(url) {
    const to = new URL(url), socket = net.connect(to.port, to.hostname), got = [];
    const request = (path) => `GET ${path} HTTP/1.1\r\nHost: ${to.host}\r\n`;
    socket.on('data', (d) => got.push(d));
    socket.write(request('/mixed?id=5&size=900000&how=file') + '\r\n' +
        request('/mixed?id=6&size=1000&how=reply') + 'Connection: close\r\n\r\n');
    await once(socket, 'end');
    socket.end();
    const list = answers(Buffer.concat(got), ['GET', 'GET']);
    assert.ok(list[0].body.equals(filler(5, 900000)));
    assert.ok(list[1].body.equals(filler(6, 1000)));
}

async function client(url, most) {
    await test(`http.Agent: 200 requests, ${most} on each socket`, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), ports = new Map(), last = [];
        const before = await count(url);
        for (let i = 1; i <= 200; i++) {
            const a = await mixed(url, i, i * 10, ['reply', 'stream', 'file'][i % 3], agent);
            ports.set(a.port, (ports.get(a.port) || 0) + 1);
            if (a.headers.connection === 'close') last.push(i);
        }
        const after = await count(url);
        assert.deepStrictEqual([...ports.values()], [most, most]);
        assert.deepStrictEqual(last, [most, 2 * most]);
        assert.deepStrictEqual([after.connections - before.connections, after.requests - before.requests], [2, 200]);
    });
    await test('http.Agent: bodies both ways over one socket', async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), ports = new Set();
        let id = 0;
        for (const size of [0, 1, 65535, 65536, 65537, 300000, 1000000])
            for (const chunked of [0, 1]) {
                ports.add((await upload(url, ++id, size, chunked, agent)).port);
                ports.add((await mixed(url, ++id, size, chunked ? 'stream' : 'reply', agent)).port);
                ports.add((await mixed(url, ++id, size, 'file', agent)).port);
            }
        agent.destroy();
        assert.strictEqual(ports.size, 1, `${ports.size} sockets`);
    });
    await test('fetch: 60 requests, few sockets', async () => {
        const before = await count(url);
        for (let id = 1; id <= 20; id++) {
            const bytes = filler(id, id * 9000), text = `${cksum(bytes)} ${id}\n`;
            const a = await fetch(`${url}/upload?id=${id}`, { method: 'POST', body: bytes });
            assert.strictEqual(await a.text(), text);
            const b = await fetch(`${url}/upload?id=${id}`, { method: 'POST', body: new Blob(pieces(bytes, 777)).stream(), duplex: 'half' });
            assert.strictEqual(await b.text(), text);
            const c = await fetch(`${url}/mixed?id=${id}&size=${id * 9000}&how=stream`);
            assert.ok(Buffer.from(await c.arrayBuffer()).equals(bytes));
        }
        const after = await count(url), used = after.connections - before.connections;
        assert.strictEqual(after.requests - before.requests, 60);
        assert.ok(used >= 1 && used <= 3, `${used} connections`);
        return `${used} connections`;
    });
    await test('10 requests at once are answered in order', () => pipeline(url, 1 << 20));
    await test('10 requests in pieces of 999 bytes are answered in order', () => pipeline(url, 999));
    await test('a request behind that for a file harms neither', () => behindFile(url));
    await refused('node', url, url);
}

// ---- a browser ----

/* In the page: what a site does, one thing after the other; then what it cost. */
async function visit() {
    const result = {}, text = async (path, options) => (await fetch(path, options)).text();
    result.script = window.loaded;
    result.color = getComputedStyle(document.body).color;
    const json = JSON.stringify({ name: 'J\u00f6rg', list: [1, 2, 3] });
    result.json = await text('/upload?id=1', { method: 'POST', body: json, headers: { 'Content-Type': 'application/json' } });
    result.jsonWanted = window.cksum(new TextEncoder().encode(json)) + ' 1\n';
    const frame = document.querySelector('iframe'), form = document.querySelector('form');
    await new Promise((yes) => { frame.onload = yes; form.submit(); });
    result.form = frame.contentDocument.body.innerText;
    const bytes = Uint8Array.from({ length: 3000001 }, (_, i) => i * 7 >> 3);
    result.blob = await text('/upload?id=2', { method: 'POST', body: new Blob([bytes]) });
    result.blobWanted = window.cksum(bytes) + ' 2\n';
    const source = new EventSource('/events');
    result.events = [];
    await new Promise((yes) => {
        source.onmessage = (e) => { if (result.events.push(Number(e.data)) === 3) yes(); };
    });
    source.close();
    const socket = new WebSocket(location.href.replace('http', 'ws') + 'chat');
    result.chat = await new Promise((yes, no) => {
        socket.onopen = () => socket.send('hello');
        socket.onerror = () => no(new Error('no WebSocket'));
        socket.onmessage = (e) => yes(e.data);
    });
    for (let i = 0; i < 30; i++) await text('/mixed?again&id=' + i);
    socket.send('still there');
    result.later = await new Promise((yes) => { socket.onmessage = (e) => yes(e.data); });
    socket.close();
    const times = performance.getEntriesByType('resource').filter((e) => e.name.includes('?again'));
    result.again = times.length;
    result.reused = times.filter((e) => e.connectEnd === e.connectStart).length;
    return result;
}

async function browser(url) {
    const { chromium } = require('playwright-core');
    const b = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
               '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const p = await b.newPage(), faults = [], before = await count(url);
    let r = {};
    p.on('pageerror', (e) => faults.push(String(e)));
    await test('chromium: the page does all it wants', async () => {
        await p.goto(url + '/');
        await p.evaluate(`window.cksum = ${cksum}`);
        r = await p.evaluate(visit);
        assert.deepStrictEqual(faults, []);
    });
    const same = (name, got, want) => test('chromium: ' + name, async () => assert.deepStrictEqual(got, want));
    await same('its script', r.script, 'by app.js');
    await same('its style', r.color, 'rgb(1, 2, 3)');
    await same('fetch POST of JSON', r.json, r.jsonWanted || 'something');
    await same('a form', r.form, 'name J\u00f6rg & Co, note 1+1=2\n');
    await same('an upload of a Blob', r.blob, r.blobWanted || 'something');
    await test('chromium: EventSource', async () => {
        assert.strictEqual(r.events.length, 3);
        r.events.forEach((n, i) => assert.strictEqual(n, r.events[0] + i));
    });
    await same('a WebSocket beside it', [r.chat, r.later], ['hello', 'still there']);
    await same('connections were reused, as the page sees it', [r.again, r.reused], [30, 30]);
    await test('chromium: connections were reused, as the server sees it', async () => {
        const after = await count(url), used = after.connections - before.connections;
        assert.ok(after.requests - before.requests >= 36, `${after.requests - before.requests} requests`);
        assert.ok(used >= 2 && used <= 8, `${used} connections`);       /* six, a WebSocket, one spare */
        return `${after.requests - before.requests} requests, ${used} connections`;
    });
    await b.close();
}

// ---- behind proxies ----

async function reuse(name, direct, url) {
    await test(`${name}: 500 requests over few connections`, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 4 }), before = await count(direct);
        let id = 0;
        const worker = async () => {
            while (id < 500) await mixed(url, ++id, id % 50 * 100, ['reply', 'stream', 'file'][id % 3], agent);
        };
        await Promise.all([worker(), worker(), worker(), worker()]);
        agent.destroy();
        const after = await count(direct), used = after.connections - before.connections;
        assert.strictEqual(after.requests - before.requests, 500);
        assert.ok(used <= 20, `${used} connections`);
        return `${used} connections`;
    });
}

/* A megabyte up, the middle of the large file down, and a WebSocket, all at the same time. */
async function together(name, direct, url) {
    const WebSocket = require('ws'), range = { headers: { Range: 'bytes=3000000-4999999' } };
    const chat = async () => {
        const w = new WebSocket(url.replace('http', 'ws') + '/chat');
        await once(w, 'open');
        for (let i = 0; i < 50; i++) {
            const text = String(filler(i, i * 500));
            w.send(text);
            const [data] = await once(w, 'message');
            assert.ok(String(data) === text, `echo ${i} differs`);
        }
        w.close(1000);
        const [code] = await once(w, 'close');
        assert.strictEqual(code, 1000);
    };
    await test(`${name}: an upload, a range and a WebSocket`, async () => {
        const want = await ask(direct + '/large', { agent: false, ...range });
        assert.strictEqual(want.body.length, 2000000);
        const [, , a] = await Promise.all([upload(url, 1, 1000000, 0), upload(url, 2, 1000000, 1),
            ask(url + '/large', { agent: false, ...range }), chat()]);
        assert.strictEqual(a.status, 206);
        assert.match(a.headers['content-range'], /^bytes 3000000-4999999\/\d+$/);
        assert.ok(a.body.equals(want.body));
    });
}

/* A client that goes away in the middle of its upload, or of its answer. */
async function breakOff(url, id) {
    const to = new URL(url), socket = net.connect(to.port, to.hostname);
    socket.on('error', () => {});
    if (id % 3) {
        const head = id % 3 === 1 ? 'Content-Length: 1000000\r\n\r\n' : 'Transfer-Encoding: chunked\r\n\r\nf4240\r\n';
        socket.write(`POST /upload?id=${id} HTTP/1.1\r\nHost: x\r\n${head}${filler(id, 1000 + id * 131 % 200000)}`);
    } else {
        socket.write(`GET /large?id=${id} HTTP/1.1\r\nHost: x\r\n\r\n`);
        socket.once('data', () => socket.destroy());
    }
    await new Promise((go) => setTimeout(go, 5 + id % 20));
    socket.destroy();
}

/* Answers that belong to other requests would show here: by their ids and by their bytes. */
async function noDesync(name, direct, url) {
    await test(`${name}: 2,000 requests of six clients, of which others break off`, async () => {
        let id = 0, broken = 0, over = 0;
        const before = await count(direct);
        const worker = async (seed) => {
            const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
            let x = seed;
            while (id < 2000) {
                const n = ++id;
                x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
                const size = (x >>> 8) % [10, 3000, 100, 70000, 1000, 200000][(x >>> 29) % 6];
                if (n % 4 === 0) await upload(url, n, size, x >>> 31, agent);
                else await mixed(url, n, size, ['reply', 'stream', 'file'][n % 3], agent);
            }
            agent.destroy();
        };
        const breaker = async () => {
            while (!over) await breakOff(url, ++broken);
        };
        const breakers = [breaker(), breaker()];
        try {
            await Promise.all([1, 2, 3, 4, 5, 6].map(worker));
        } finally {
            over = 1;
        }
        await Promise.all(breakers);
        const after = await count(direct);
        assert.ok(broken > 20, `only ${broken} broke off`);
        assert.ok(after.requests - before.requests >= 2000 + broken / 2);
        return `${broken} broke off, ${after.requests - before.requests} requests, ${after.connections - before.connections} connections`;
    }, 40000);
}

/* Refused before it was read: the refusal arrives, and nothing of the rest is taken for a request,
   though it looks like many. */
async function refused(name, direct, url) {
    await test(`${name}: uploads that are refused early`, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), before = await count(direct);
        const request = Buffer.from('GET /mixed?id=666 HTTP/1.1\r\nHost: x\r\n\r\n');
        for (let i = 1; i <= 20; i++) {
            const body = Array(i * 400).fill(request), headers = { 'Content-Length': i * 400 * request.length };
            const a = await ask(url + '/refuse', { agent: false, method: 'POST', headers }, pieces(Buffer.concat(body), 10000));
            assert.deepStrictEqual([a.status, String(a.body)], [403, 'refused\n']);
            await mixed(url, i, 1000, 'reply', agent);
        }
        agent.destroy();
        const after = await count(direct);
        assert.strictEqual(after.requests - before.requests, 40);
    });
}

async function behind(direct, fronts) {
    const all = fronts.map((f) => f.split('='));
    for (const [name, url] of all) await reuse(name, direct, url);
    await Promise.all(all.map(([name, url]) => together(name, direct, url)));
    for (const [name, url] of all) await refused(name, direct, url);
    for (const [name, url] of all) await noDesync(name, direct, url);
}

(async () => {
    const [mode, url, ...more] = process.argv.slice(2);
    if (mode === 'client') await client(url, Number(more[0]));
    else if (mode === 'browser') await browser(url);
    else if (mode === 'behind') await behind(url, more);
    else { console.error('usage: see the top of this file'); failed = 1; }
    process.exit(failed);
})();
