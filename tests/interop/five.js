/* Each of five npm packages (packages.js) as client and as server against ws.h (peer.c).
     node five.js build/interop/peer [PACKAGE]
   Prints "ok name" or "not ok name: why" per package, role and case; the exit status is 1 after
   a failure. A case gets both ends of one connection whose path tells peer.c what to do: node,
   the package's, and c, the lines that peer.c printed about its own. */
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const { spawn } = require('child_process');
const packages = require('./packages.js');

const PATIENCE = 4000;
const text = 'h\u00e4llo \u20ac \ud83d\ude00';
const bytes = Buffer.from([0, 1, 2, 255]);
const large = crypto.randomBytes(1 << 20);
const largeText = 'x'.repeat((1 << 20) - 3) + '\u20ac';
const pieces = ['one, ', 'two, ', 'three'];
let failed = 0;

/* What peer.c prints about a message. */
function shown(data) {
    const kind = typeof data === 'string' ? 'text' : 'binary', raw = Buffer.from(data);
    return `${kind} ${raw.length} ${crypto.createHash('sha1').update(raw).digest('hex')}`;
}

async function same(node, data) {
    const got = await node.next(typeof data === 'string' ? 'text' : 'binary');
    assert.ok(Buffer.from(got).equals(Buffer.from(data)), `other data: ${String(got).slice(0, 40)}`);
}

async function echo({ node, c }, data) {
    node.send(data);
    await c.line(shown(data));
    await same(node, data);
}

// ---- the cases; the path is the name of what peer.c does ----

const cases = {};
const add = (name, path, run, options = {}) => { cases[name] = { path, run, options }; };

add('open', 'quiet', async ({ node, c }) => {
    await c.line('open ');
    assert.strictEqual(node.protocol || '', '');
});
add('subprotocol', 'quiet', async ({ node, c }) => {
    await c.line('open chat');
    assert.strictEqual(node.protocol, 'chat');
}, { protocols: ['nothing', 'chat', 'more'] });
add('headers', 'quiet', async ({ node, c, role, pkg }) => {
    if (role === 'client') {
        await c.line('header X-Asked: node');
        assert.strictEqual(node.headers['x-answer'], 'ws.h');
    } else {
        assert.strictEqual(node.headers['x-asked'], 'ws.h');
        await c.line('header ' + (pkg.noAnswerHeaders ? 'Upgrade: websocket' : pkg.answerHeader || 'X-Answer: node'));
    }
});
add('text', 'echo', async (ends) => { await echo(ends, 'hello'); await echo(ends, text); });
add('binary', 'echo', async (ends) => { await echo(ends, bytes); await echo(ends, large.subarray(0, 70000)); });
add('empty', 'echo', async (ends) => { await echo(ends, ''); await echo(ends, Buffer.alloc(0)); });
add('1 MiB', 'echo', async (ends) => { await echo(ends, large); await echo(ends, largeText); });
add('ws.h speaks first', 'hello', async ({ node }) => {
    await same(node, text);
    await same(node, bytes);
    await same(node, '');
    await same(node, Buffer.alloc(0));
});
add('500 messages at once', 'echo', async ({ node }) => {
    for (let i = 0; i < 500; i++) node.send('message ' + i);
    for (let i = 0; i < 500; i++) await same(node, 'message ' + i);
});
add('fragments to ws.h', 'echo', async ({ node, c, pkg }) => {
    for (const op of pkg.binaryParts ? ['binary'] : ['text', 'binary']) {
        const whole = op === 'text' ? pieces.join('') : Buffer.from(pieces.join(''));
        node.parts(op, pieces);
        await c.line(shown(whole));
        await same(node, whole);
    }
});
add('fragments from ws.h', 'parts', async ({ node, c }) => {
    await same(node, pieces.join(''));
    await c.line('pong between');
    await same(node, Buffer.from(pieces.join('')));
    await same(node, 's'.repeat(100000));
});
add('ping from ws.h', 'ping', async ({ node, c, pkg }) => {
    await c.line('pong are you there');
    if (pkg.shows.ping) assert.strictEqual(await node.next('ping'), 'are you there');
});
add('ping to ws.h', 'quiet', async ({ node, c }) => {
    node.ping('still there?');
    await c.line('ping still there?');
    assert.strictEqual(await node.next('pong'), 'still there?');
});
add('pong from ws.h', 'pong', async ({ node, pkg }) => {
    await same(node, 'after');
    if (pkg.shows.pong) assert.strictEqual(await node.next('pong'), 'unasked');
});
add('pong to ws.h', 'echo', async ({ node, c, ...ends }) => {
    node.pong('unasked');
    await c.line('pong unasked');
    await echo({ node, c, ...ends }, 'after');
});
add('close from ws.h', 'close', async ({ node, c, pkg }) => {
    assert.deepStrictEqual(await node.next('close'), [4001, 'ws.h ends']);
    if (pkg.answersClose) await c.closed(`${pkg.answersClose} 1`, '');
    else await c.closed('4001 1', 'ws.h ends');
});
add('close to ws.h', 'quiet', async ({ node, c }) => {
    node.close(4002, 'node ends');
    assert.deepStrictEqual(await node.next('close'), [4002, 'node ends']);
    await c.closed('4002 1', 'node ends');
});
add('close without code from ws.h', 'bare', async ({ node, c, pkg }) => {
    const [code] = await node.next('close');
    assert.strictEqual(code, pkg.emptyClose || 1005);
    assert.match(await c.closed(''), /^(1005|1000) 1/);
});
add('abnormal end of node', 'quiet', async ({ node, c }) => {
    await c.line('open ');
    node.destroy();
    await c.closed('1006 0');
});
add('abnormal end of ws.h', 'drop', async ({ node, c }) => {
    node.send('go');
    await c.line('freed');
    const [code] = await node.next('close');
    assert.strictEqual(code, 1006);
    c.gone = true;
});

add('answered later', 'late', async (ends) => { await echo(ends, 'at last'); }, { only: 'client' });

// ---- peer.c ----

/* The lines printed about one connection. */
class Lines {
    constructor() { this.all = []; this.wake = () => {}; }
    put(line) { this.all.push(line); this.wake(); }
    async find(what, test) {
        const until = Date.now() + PATIENCE;
        for (;;) {
            const at = this.all.findIndex(test);
            if (at >= 0) return this.all.splice(at, 1)[0];
            if (this.over || Date.now() > until)
                throw new Error(`ws.h did not print "${what}" but: ${this.all.join(' / ')}`);
            await new Promise((go) => {
                const timer = setTimeout(go, until - Date.now() + 1);
                this.wake = () => { clearTimeout(timer); go(); };
            });
        }
    }
    line(want) { return this.find(want, (l) => l === want); }
    async closed(start, reason) {
        const l = (await this.find('close ' + start, (s) => s.startsWith('close ' + start))).slice(6);
        if (reason !== undefined) assert.strictEqual(l.split(' ').slice(3).join(' '), reason);
        this.gone = true;
        return l;
    }
}

const about = new Map();        // path: Lines

function run(program, args) {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let rest = '';
    child.lines = new Lines();
    child.stdout.on('data', (data) => {
        const lines = (rest + data).split('\n');
        rest = lines.pop();
        for (const line of lines) {
            const at = line.indexOf(' '), path = line.slice(0, at);
            (about.get(path) || child.lines).put(about.has(path) ? line.slice(at + 1) : line);
        }
    });
    child.done = new Promise((go) => child.on('close', (code, signal) => {
        child.ended = signal || code;
        child.lines.over = true;
        child.lines.wake();
        go(child.ended);
    }));
    return child;
}

const soon = (promise, what) => {
    let timer;
    return Promise.race([promise, new Promise((_, no) => {
        timer = setTimeout(() => no(new Error(what)), PATIENCE);
    })]).finally(() => clearTimeout(timer));
};

// ---- one case ----

async function test(name, body) {
    try {
        await body();
        console.log('ok ' + name);
    } catch (e) {
        failed = 1;
        console.log('not ok ' + name + ': ' + String(e && e.message).split('\n').slice(0, 3).join(' '));
    }
}

let serial = 0;

/* Ends the connection in good manners, if the case has not ended it. */
async function finish({ node, c, child }) {
    if (!c.gone) {
        node.close(1000, 'done');
        await c.closed('1000 1');
    }
    if (child) assert.strictEqual(await soon(child.done, 'the client did not end'), 0);
}

async function asClient(pkg, server, { path, run: body, options }) {
    const at = `/${path}${++serial}`, c = new Lines();
    about.set(at, c);
    const node = await soon(pkg.connect(`ws://127.0.0.1:${server.port}${at}`,
        { protocols: options.protocols || [], headers: { 'X-Asked': 'node' } }), 'no connection');
    const ends = { node, c, pkg, role: 'client' };
    await body(ends);
    await finish(ends);
    about.delete(at);
}

async function asServer(pkg, listener, peer, { path, run: body, options }) {
    const at = `/${path}${++serial}`, c = new Lines();
    about.set(at, c);
    const arrived = new Promise((go) => listener.expect.set(at, go));
    const child = run(peer, ['client', `ws://127.0.0.1:${listener.port}${at}`]
        .concat(options.protocols ? options.protocols.join(', ') : []));
    try {
        const node = await soon(arrived, 'no connection: ' + c.all.join(' / '));
        const ends = { node, c, pkg, role: 'server', child };
        await body(ends);
        await finish(ends);
    } finally {
        child.kill();
    }
    about.delete(at);
}

/* The connection does not come about, and both ends are told why. */
async function refusedClient(pkg, server) {
    const at = `/refuse${++serial}`, c = new Lines();
    about.set(at, c);
    const why = await soon(pkg.connect(`ws://127.0.0.1:${server.port}${at}`, { protocols: [], headers: {} }),
        'no answer').then(() => assert.fail('accepted'), (e) => e);
    if (pkg.shows.status) assert.strictEqual(why.status, 403);
    else assert.match(why.message, /Invalid handshake/);
    assert.match(await c.closed(''), / application refused the request: not here$/);
}

async function refusedServer(listener, peer) {
    const c = new Lines();
    about.set('/refuse', c);
    const child = run(peer, ['client', `ws://127.0.0.1:${listener.port}/refuse`]);
    assert.match(await c.closed(''), /^1006 0 403 /);
    assert.strictEqual(await soon(child.done, 'the client did not end'), 0);
}

// ---- all ----

async function main(peer, only) {
    const server = run(peer, ['server', 'chat, superchat']);
    server.port = +(await server.lines.find('port', (l) => l.startsWith('port '))).slice(5);
    for (const pkg of packages) {
        if (only && pkg.name !== only) continue;
        for (const [name, one] of Object.entries(cases))
            await test(`${pkg.name} client: ${name}`, () => asClient(pkg, server, one));
        await test(`${pkg.name} client: refused`, () => refusedClient(pkg, server));
        const expect = new Map();
        const listener = await pkg.listen(['superchat', 'chat'], (end) => {
            const at = new URL(end.path, 'http://any').pathname;
            if (expect.has(at)) expect.get(at)(end);
        });
        listener.expect = expect;
        for (const [name, one] of Object.entries(cases).filter(([, k]) => k.options.only !== 'client'))
            await test(`${pkg.name} server: ${name}`, () => asServer(pkg, listener, peer, one));
        if (pkg.refuses) await test(`${pkg.name} server: refused`, () => refusedServer(listener, peer));
        listener.close();
    }
    await test('ws.h: the server survived', async () => {
        assert.strictEqual(server.ended, undefined);
        server.stdin.end();
        assert.strictEqual(await soon(server.done, 'it did not end'), 0);
    });
}

main(process.argv[2], process.argv[3]).then(() => process.exit(failed), (e) => {
    console.log('not ok five: ' + e.message);
    process.exit(1);
});
