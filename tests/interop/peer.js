/* npm ws as client of our echo_server, as server for our clients, and the demo in headless
   Chromium. Usage: node peer.js client URL | server | browser PAGE SCREENSHOT
   Prints "ok name" or "FAIL name: why" per check; the exit status is 1 after a failure.
   "server" prints "listening on PORT" and echoes until its input ends. */
'use strict';
const WebSocket = require('ws');
const { once } = require('events');
const assert = require('assert');
const crypto = require('crypto');

let failed = 0;

async function test(name, run, ms = 20000) {
    let timer;
    try {
        await Promise.race([run(), new Promise((_, no) => {
            timer = setTimeout(() => no(new Error('timed out')), ms);
        })]);
        console.log('ok ' + name);
    } catch (e) {
        failed = 1;
        console.log('FAIL ' + name + ': ' + String(e && e.message).split('\n').slice(0, 3).join(' '));
    }
    clearTimeout(timer);
}

async function dial(url, protocols, options) {
    const w = new WebSocket(url, protocols || [], { perMessageDeflate: false, ...options });
    w.got = [];
    w.wake = () => {};
    w.on('message', (data, binary) => { w.got.push({ data, binary }); w.wake(); });
    w.on('error', (e) => { w.fault = e; w.wake(); });
    w.on('close', () => w.wake());
    await once(w, 'open');
    return w;
}

async function next(w) {
    while (!w.got.length) {
        if (w.fault) throw w.fault;
        if (w.readyState === WebSocket.CLOSED) throw new Error('closed while waiting');
        await new Promise((go) => { w.wake = go; });
    }
    return w.got.shift();
}

async function echo(w, data, binary) {
    w.send(data, { binary });
    const m = await next(w);
    assert.strictEqual(m.binary, binary);
    assert.ok(Buffer.compare(m.data, Buffer.from(data)) === 0, 'echo differs');
}

async function bye(w, code, reason) {
    w.close(code, reason);
    const [c, r] = await once(w, 'close');
    return { code: c, reason: String(r) };
}

async function client(url) {
    await test('npm client: open, no subprotocol, no extension', async () => {
        const w = await dial(url);
        assert.strictEqual(w.protocol, '');
        assert.strictEqual(w.extensions, '');
        await bye(w, 1000);
    });
    await test('npm client: offered extension is declined', async () => {
        const w = await dial(url, [], { perMessageDeflate: true });
        assert.strictEqual(w.extensions, '');
        await echo(w, 'plain', false);
        await bye(w);
    });
    await test('npm client: text', async () => {
        const w = await dial(url);
        await echo(w, 'hello', false);
        await echo(w, 'h\u00e4ll\u00f6 \u20ac \ud83d\ude00', false);
        await bye(w);
    });
    await test('npm client: binary, empty', async () => {
        const w = await dial(url);
        await echo(w, Buffer.from([0, 1, 2, 255]), true);
        await echo(w, '', false);
        await echo(w, Buffer.alloc(0), true);
        await bye(w);
    });
    await test('npm client: every length boundary', async () => {
        const w = await dial(url);
        for (const n of [1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 131072])
            await echo(w, crypto.randomBytes(n), true);
        await bye(w);
    });
    await test('npm client: 1 MiB', async () => {
        const w = await dial(url);
        await echo(w, crypto.randomBytes(1 << 20), true);
        await echo(w, 'x'.repeat(1 << 20), false);
        await bye(w);
    });
    await test('npm client: over 1 MiB is refused with 1009', async () => {
        const w = await dial(url);
        w.send(Buffer.alloc((1 << 20) + 1));
        const [code] = await once(w, 'close');
        assert.strictEqual(code, 1009);
    });
    await test('npm client: fragments with a ping between', async () => {
        const w = await dial(url);
        const pong = once(w, 'pong');
        w.send('one ', { fin: false });
        w.ping('mid');
        w.send('two ', { fin: false });
        w.send('three', { fin: true });
        assert.strictEqual(String((await pong)[0]), 'mid');
        const m = await next(w);
        assert.strictEqual(String(m.data), 'one two three');
        assert.strictEqual(m.binary, false);
        await bye(w);
    });
    await test('npm client: 1000 fragments', async () => {
        const w = await dial(url), parts = [];
        for (let i = 0; i < 1000; i++) {
            const p = crypto.randomBytes(i % 37);
            parts.push(p);
            w.send(p, { binary: true, fin: i === 999 });
        }
        const m = await next(w);
        assert.ok(Buffer.compare(m.data, Buffer.concat(parts)) === 0);
        await bye(w);
    });
    await test('npm client: ping and pong with payload', async () => {
        const w = await dial(url);
        for (const n of [0, 1, 125]) {
            const p = crypto.randomBytes(n), pong = once(w, 'pong');
            w.ping(p);
            assert.ok(Buffer.compare((await pong)[0], p) === 0);
        }
        w.pong('unasked');
        await echo(w, 'after', false);
        await bye(w);
    });
    await test('npm client: close codes and reasons come back', async () => {
        for (const [code, reason] of [[1000, ''], [1001, 'going'], [3000, 'mine'],
                                      [4999, 'r'.repeat(123)], [1011, '\u20ac']]) {
            const w = await dial(url);
            const r = await bye(w, code, reason);
            assert.strictEqual(r.code, code);
        }
        const w = await dial(url);
        assert.strictEqual((await bye(w)).code, 1005);
    });
    await test('npm client: abnormal end leaves the server alive', async () => {
        for (let i = 0; i < 20; i++) {
            const w = await dial(url);
            w.send(Buffer.alloc(100000));
            w.terminate();
        }
        const w = await dial(url);
        await echo(w, 'still there', false);
        await bye(w);
    });
    await test('npm client: bad UTF-8 is refused with 1007', async () => {
        const w = await dial(url);
        w.send(Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xff]), { binary: false });
        const [code] = await once(w, 'close');
        assert.strictEqual(code, 1007);
    });
    await test('npm client: 100 connections at once', async () => {
        const all = await Promise.all(Array.from({ length: 100 }, () => dial(url)));
        await Promise.all(all.map(async (w, i) => {
            for (let k = 0; k < 20; k++) await echo(w, 'client ' + i + ' message ' + k, false);
            await echo(w, crypto.randomBytes(20000), true);
        }));
        await Promise.all(all.map((w) => bye(w, 1000, 'done')));
    });
    await test('npm client: 500 messages in flight', async () => {
        const w = await dial(url);
        for (let i = 0; i < 500; i++) w.send('m' + i);
        for (let i = 0; i < 500; i++) assert.strictEqual(String((await next(w)).data), 'm' + i);
        await bye(w);
    });
    await test('npm client: a foreign Origin is refused with 403', async () => {
        const w = new WebSocket(url, { origin: 'http://evil.example' });
        const [, res] = await once(w, 'unexpected-response').catch(() => [0, { statusCode: 0 }]);
        assert.strictEqual(res.statusCode, 403);
        w.on('error', () => {});
        w.terminate();
    });
}

/* Echoes; /push sends pings and fragments first; /close closes with 4001; reports on stderr. */
function server() {
    const s = new WebSocket.Server({ port: +(process.argv[3] || 0), host: '127.0.0.1', maxPayload: 64 << 20 }, () => {
        console.log('listening on ' + s.address().port);
    });
    s.on('error', (e) => { console.log('error ' + e.message); process.exit(1); });
    s.on('connection', (w, req) => {
        w.on('error', (e) => console.error('server saw error: ' + e.message));
        w.on('message', (data, binary) => w.send(data, { binary }));
        w.on('close', (code, reason) => console.error('server saw close ' + code + ' ' + reason));
        if (req.url === '/push') {
            w.ping('are you there');
            w.send('fra', { fin: false });
            w.ping('');
            w.send('gment', { fin: true });
        }
        if (req.url === '/close') w.close(4001, 'server ends');
    });
    process.stdin.on('end', () => process.exit(0));
    process.stdin.resume();
}

async function browser(page, shot) {
    const { chromium } = require('playwright-core');
    const b = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
               '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const base = new URL(page);
    const ws = base.origin.replace('http', 'ws') + '/echo';
    const open = async () => {
        const p = await b.newPage({ viewport: { width: 1000, height: 700 } });
        p.sent = [];
        p.received = [];
        p.faults = [];
        p.on('websocket', (w) => {
            if (!ws.startsWith(new URL(w.url()).origin)) p.faults.push('a WebSocket to ' + w.url());
            w.on('framesent', (f) => p.sent.push(f.payload));
            w.on('framereceived', (f) => p.received.push(f.payload));
        });
        p.on('pageerror', (e) => p.faults.push(String(e)));
        await p.goto(page);
        await p.waitForTimeout(700);
        return p;
    };
    let one, two;
    await test('chromium: two windows of the demo open', async () => {
        one = await open();
        two = await open();
        assert.deepStrictEqual(one.faults.concat(two.faults), []);
        assert.ok((await one.title()).length > 0, 'no title');
        assert.ok(one.received.length > 0, 'the page received nothing');
    });
    await test('chromium: drawing in one window reaches the other', async () => {
        const c = one.locator('canvas').first();
        const box = await c.boundingBox();
        const before = two.received.length;
        const image = () => two.evaluate(() => document.querySelector('canvas').toDataURL());
        const was = await image();
        for (let k = 0; k < 5; k++) {
            await one.mouse.move(box.x + box.width * (0.2 + 0.1 * k), box.y + box.height * 0.25);
            await one.mouse.down();
            for (let i = 0; i <= 20; i++)
                await one.mouse.move(box.x + box.width * (0.2 + 0.1 * k + 0.05 * Math.sin(i / 3)),
                                     box.y + box.height * (0.25 + i * 0.025));
            await one.mouse.up();
        }
        await two.waitForTimeout(500);
        assert.ok(two.received.length > before, 'no frames in the other window');
        assert.notStrictEqual(await image(), was, 'the canvas of the other window did not change');
    });
    await test('chromium: chat in one window reaches the other', async () => {
        const input = two.locator('input[type=text], input:not([type]), textarea').last();
        await input.fill('hello from window two');
        await input.press('Enter');
        await one.waitForFunction(() => document.body.innerText.includes('hello from window two'),
                                  null, { timeout: 5000 });
    });
    await test('chromium: screenshot', async () => {
        await one.screenshot({ path: shot });
    });
    await test('chromium: /echo returns text, binary and 1 MiB', async () => {
        const r = await one.evaluate((url) => new Promise((done) => {
            const w = new WebSocket(url), out = [];
            const big = new Uint8Array(1 << 20);
            for (let i = 0; i < big.length; i++) big[i] = (i * 7 + (i >> 8)) & 255;
            w.binaryType = 'arraybuffer';
            w.onerror = () => out.push('error');
            w.onopen = () => { w.send('text \u20ac'); w.send(new Uint8Array([1, 2, 3])); w.send(''); w.send(big); };
            w.onmessage = (e) => {
                if (typeof e.data === 'string') out.push('t' + e.data);
                else {
                    const b = new Uint8Array(e.data);
                    out.push('b' + b.length + (b.length === big.length && b.some((x, i) => x !== big[i]) ? 'differs' : ''));
                }
                if (out.length === 4) w.close(3999, 'enough');
            };
            w.onclose = (e) => done({ out, code: e.code, clean: e.wasClean });
        }), ws);
        assert.deepStrictEqual(r.out, ['ttext \u20ac', 'b3', 't', 'b1048576']);
        assert.strictEqual(r.code, 3999);
        assert.strictEqual(r.clean, true);
    });
    await test('chromium: a page of another origin is refused', async () => {
        const p = await b.newPage();
        await p.goto('data:text/html,<p>elsewhere');
        const r = await p.evaluate((url) => new Promise((done) => {
            const w = new WebSocket(url);
            w.onopen = () => done('open');
            w.onclose = () => done('refused');
        }), ws);
        assert.strictEqual(r, 'refused');
    });
    await test('chromium: no script errors', async () => {
        assert.deepStrictEqual(one.faults.concat(two.faults), []);
    });
    await b.close();
}

(async () => {
    const [mode, a, c] = process.argv.slice(2);
    if (mode === 'client') await client(a);
    else if (mode === 'server') return server();
    else if (mode === 'browser') await browser(a, c);
    else { console.error('usage: peer.js client URL | server [PORT] | browser PAGE SHOT'); failed = 1; }
    process.exit(failed);
})();
