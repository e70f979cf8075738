/* npm ws over TLS, as server, as client and behind a proxy of its own. CERTS is the directory
   that certs.sh filled; a NAME is one of its certificates.
     node peer.js server CERTS NAME[,NAME...] [OPTION...]
         one port for each name; prints "listening on PORT PORT..." and then a line for each
         connection: "NAME secure ..." as /who sends it, or "NAME failed: why". Ends with its input.
         Every path echoes. /who first sends one text, "TLSv1.3 sni=localhost alpn=http/1.1
         client=- resumed=no" (client: common name of its certificate). /push pings and sends
         fragments unasked. These end a connection after their first message: /notify properly in
         TLS but with no close frame, /cut with no close_notify, /reset with a reset.
         Clients that name a.test or b.test get those certificates, whatever the port.
     node peer.js plain CERTS
         one port, the same paths, without TLS; prints "listening on PORT"
     node peer.js client CERTS URL [OPTION...]
         what a TLS server must do, and must refuse; prints "ok name" or "FAIL name: why"
     node peer.js proxy CERTS NAME [OPTION...]
         an HTTP proxy that is spoken to in TLS; prints "listening on PORT", then a line for each
         request: "connect HOST:PORT sni=NAME", "refused ..." or "failed ...".
   Options: --mtls CA (server, proxy: ask for a certificate by CA; client: the server does so),
     --user NAME:PASSWORD (proxy), --max VERSION and --min VERSION (server; TLSv1.2, TLSv1.3),
     --proxy URL (client: through that proxy, http or https), --only WORD (client: tests whose
     name has it), --ca CA, --name HOST (client: the name to check and to send). */
'use strict';
const fs = require('fs');
const net = require('net');
const tls = require('tls');
const http = require('http');
const https = require('https');
const path = require('path');
const assert = require('assert');
const { once } = require('events');
const WebSocket = require(path.join(__dirname, '..', 'interop', 'node_modules', 'ws'));

const [mode, dir, what, ...rest] = process.argv.slice(2);
const option = {};
for (let i = 0; i < rest.length; i += 2) option[rest[i].slice(2)] = rest[i + 1];
const file = (name) => fs.readFileSync(path.join(dir, name));
const keyOf = (name) => file((name === 'chainless' ? 'chain' : name) + '.key');
const pair = (name) => ({ cert: file(name + '.pem'), key: keyOf(name) });

function serverOptions(name) {
    const o = { ...pair(name), ALPNProtocols: ['http/1.1'] };
    if (option.mtls) Object.assign(o, { ca: file(option.mtls + '.pem'), requestCert: true });
    if (option.max) o.maxVersion = option.max;
    if (option.min) o.minVersion = option.min;
    return o;
}

function listen(server) {
    return new Promise((go) => server.listen(0, '127.0.0.1', () => go(server.address().port)));
}

// ---- server ----
function who(socket) {
    if (!socket.encrypted) return 'no TLS';
    const peer = socket.getPeerCertificate();
    return `${socket.getProtocol()} sni=${socket.servername || '-'} alpn=${socket.alpnProtocol || '-'} ` +
        `client=${peer && peer.subject ? peer.subject.CN : '-'} ` +
        `resumed=${socket.isSessionReused() ? 'yes' : 'no'}`;
}

function converse(w, request) {
    const raw = request.socket.beneath;
    w.on('error', () => {});
    if (request.url === '/who') w.send(who(request.socket));
    if (request.url === '/push') {
        w.ping('are you there');
        for (let i = 0; i < 10; i++) w.send('piece', { fin: i === 9 });
    }
    w.on('message', (data, binary) => {
        if (request.url === '/notify') w.send(data, { binary }, () => request.socket.end());
        else if (request.url === '/cut') w.send(data, { binary }, () => raw.destroy());
        else if (request.url === '/reset') w.send(data, { binary }, () => raw.resetAndDestroy());
        else w.send(data, { binary });
    });
}

async function server() {
    const ports = [];
    for (const name of what.split(',')) {
        const s = https.createServer(serverOptions(name));
        for (const host of ['a', 'b']) s.addContext(host + '.test', serverOptions('sni-' + host));
        s.on('secureConnection', (socket) => console.log(name + ' secure ' + who(socket)));
        s.on('tlsClientError', (e) => console.log(`${name} failed: ${e.code || e.message}`));
        // The TCP connection is taken first, so that it can be ended beneath TLS.
        const outer = net.createServer((raw) => { s.raw = raw; s.emit('connection', raw); });
        s.prependListener('secureConnection', (socket) => { socket.beneath = socket._parent || s.raw; });
        new WebSocket.Server({ server: s, maxPayload: 1 << 26 }).on('connection', converse);
        ports.push(await listen(outer));
    }
    console.log('listening on ' + ports.join(' '));
}

async function plain() {
    const s = http.createServer();
    s.on('connection', (socket) => { socket.beneath = socket; });
    new WebSocket.Server({ server: s, maxPayload: 1 << 26 }).on('connection', converse);
    console.log('listening on ' + await listen(s));
}

// ---- a proxy spoken to in TLS ----
async function proxy() {
    const s = https.createServer(serverOptions(what), (request, answer) => {
        console.log('refused ' + request.method);
        answer.writeHead(405).end();
    });
    s.on('tlsClientError', (e) => console.log('failed ' + (e.code || e.message)));
    s.on('connect', (request, socket, head) => {
        socket.on('error', () => {});
        const wanted = 'Basic ' + Buffer.from(option.user || '').toString('base64');
        if (option.user && request.headers['proxy-authorization'] !== wanted) {
            console.log('refused ' + request.url);
            socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n' +
                'Proxy-Authenticate: Basic realm="tests"\r\nContent-Length: 0\r\n\r\n');
            return;
        }
        console.log(`connect ${request.url} sni=${socket.servername || '-'}`);
        const [, host, port] = /^\[?([^\]]*)\]?:(\d+)$/.exec(request.url);
        socket.setNoDelay(true);
        const out = net.connect({ host, port, family: host === 'localhost' ? 4 : 0, noDelay: true }, () => {
            socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
            out.write(head);
            out.pipe(socket).pipe(out);
        });
        out.on('error', () => socket.destroy());
        socket.on('close', () => out.destroy());
    });
    console.log('listening on ' + await listen(s));
}

// ---- client ----
let failed = 0;
async function test(name, run, ms = 20000) {
    if (option.only && !name.includes(option.only)) return;
    let timer;
    try {
        await Promise.race([run(), new Promise((_, no) => {
            timer = setTimeout(() => no(new Error('timed out')), ms);
        })]);
        console.log('ok ' + name);
    } catch (e) {
        failed = 1;
        console.log(`FAIL ${name}: ${String(e && e.message).split('\n').slice(0, 3).join(' ')}`);
    }
    clearTimeout(timer);
}

// Leaves the tunnel through option.proxy, or nothing: then ws connects by itself.
async function tunnel(url) {
    if (!option.proxy) return null;
    const p = new URL(option.proxy), to = new URL(url);
    const authority = `${to.hostname}:${to.port}`;
    const headers = { Host: authority };
    if (p.username) headers['Proxy-Authorization'] =
        'Basic ' + Buffer.from(`${p.username}:${p.password}`).toString('base64');
    const request = (p.protocol === 'https:' ? https : http).request({
        host: p.hostname, port: p.port, method: 'CONNECT', path: authority, headers, agent: false,
        ca: file('ca.pem'),
    });
    request.end();
    const [answer, socket] = await Promise.race([once(request, 'connect'),
        once(request, 'error').then(([e]) => { throw e; })]);
    assert.strictEqual(answer.statusCode, 200);
    return socket;
}

async function dial(url, options) {
    const socket = await tunnel(url);
    const secure = url.startsWith('wss:');
    const o = {
        perMessageDeflate: false, ca: file((option.ca || 'ca') + '.pem'), ALPNProtocols: ['http/1.1'],
        servername: option.name || new URL(url).hostname, ...options,
    };
    if (socket) o.createConnection = () => (secure ? tls.connect({ ...o, socket }) : socket);
    if (option.mtls && !('cert' in o)) Object.assign(o, pair('client'));
    const w = new WebSocket(url, [], o);
    w.got = [];
    w.wake = () => {};
    w.on('message', (data, binary) => { w.got.push({ data, binary }); w.wake(); });
    w.on('error', (e) => { w.fault = e; w.wake(); });
    w.on('close', () => w.wake());
    w.on('upgrade', (answer) => { w.socket = answer.socket; });
    while (w.readyState === WebSocket.CONNECTING) {
        if (w.fault) throw w.fault;
        await new Promise((go) => { w.once('open', go); w.wake = go; });
    }
    if (w.fault) throw w.fault;
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

async function echo(w, data) {
    const binary = typeof data !== 'string';
    w.send(data, { binary });
    const m = await next(w);
    assert.strictEqual(m.binary, binary);
    assert.ok(Buffer.compare(m.data, Buffer.from(data)) === 0, 'echo differs');
}

async function bye(w) {
    const closed = once(w, 'close');
    w.close(1000, 'bye');
    assert.strictEqual((await closed)[0], 1000);
}

// The connection must fail, with one of the given words in what is said of it.
async function refused(words, run) {
    let said = 'it succeeded';
    try { await run(); } catch (e) { said = `${e.code} ${e.message}`; }
    assert.match(said, words);
}

// The first bytes of a real handshake.
async function clientHello() {
    const s = net.createServer();
    const t = tls.connect(await listen(s), '127.0.0.1', { servername: 'localhost' });
    t.on('error', () => {});
    const [raw] = await once(s, 'connection');
    const [bytes] = await once(raw, 'data');
    raw.destroy();
    s.close();
    return bytes;
}

async function client() {
    const url = what;
    const port = new URL(url).port, host = new URL(url).hostname;
    await test('tls: echo of every size', async () => {
        const w = await dial(url);
        await echo(w, 'hello');
        for (const n of [0, 1, 125, 126, 16383, 16384, 16385, 65535, 65536, 1 << 20])
            await echo(w, Buffer.alloc(n, 0x5a));
        await bye(w);
    });
    await test('tls: 1,000 messages at once, in order', async () => {
        const w = await dial(url);
        for (let i = 0; i < 1000; i++) w.send('message ' + i);
        for (let i = 0; i < 1000; i++) assert.strictEqual(String((await next(w)).data), 'message ' + i);
        await bye(w);
    });
    await test('tls: 50 connections', async () => {
        const all = await Promise.all(Array.from({ length: 50 }, () => dial(url)));
        await Promise.all(all.map((w, i) => echo(w, Buffer.alloc(3000 + i, i))));
        await Promise.all(all.map((w) => bye(w)));
    });
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        if (option.max && version > option.max) continue;
        await test('tls: ' + version, async () => {
            const w = await dial(url, { minVersion: version, maxVersion: version });
            assert.strictEqual(w.socket.getProtocol(), version);
            assert.strictEqual(w.socket.alpnProtocol, 'http/1.1');
            await echo(w, 'hello');
            await bye(w);
        });
    }
    await test('tls: a close is followed by close_notify', async () => {
        const w = await dial(url);
        const ended = once(w.socket, 'end');    // tls: an end without it is an error, not an end
        await bye(w);
        await ended;
        assert.ok(!w.fault, w.fault && w.fault.message);
    });
    await test('tls: TLS 1.1 is refused', () => refused(/PROTOCOL|VERSION|ECONNRESET|alert/i,
        () => dial(url, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })));
    await test('tls: an unknown CA is refused by the client, and the server lives', async () => {
        await refused(/UNABLE_TO|SELF_SIGNED|self.signed|unable to/, () => dial(url, { ca: file('other-ca.pem') }));
        await bye(await dial(url));
    });
    await test('tls: a client that says nothing, one that says HTTP, and noise', async () => {
        const silent = net.connect(port, host);
        await once(silent, 'connect');
        for (const bytes of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\x16\x03\x01\xff\xff', '\x00'.repeat(5000)]) {
            const s = net.connect(port, host);
            s.on('error', () => {});
            s.on('data', () => {});
            s.write(bytes, 'latin1');
            if (bytes.length > 10) await new Promise((go) => s.once('close', go));    // also by a reset
            else s.destroy();
        }
        await bye(await dial(url));
        silent.destroy();
    });
    await test('tls: a ClientHello cut off, with an end and with a reset', async () => {
        const hello = await clientHello();
        for (let cut = 1; cut < hello.length; cut += 37) {
            const s = net.connect(port, host);
            s.on('error', () => {});
            await once(s, 'connect');
            await new Promise((go) => s.write(hello.subarray(0, cut), go));
            if (cut & 1) s.destroy(); else s.resetAndDestroy();
        }
        await bye(await dial(url));
    });
    await test('tls: a session is resumed', async () => {
        for (const version of ['TLSv1.2', 'TLSv1.3']) {
            if (option.max && version > option.max) continue;
            let session;
            const first = await dial(url, { minVersion: version, maxVersion: version });
            first.socket.on('session', (s) => { session = s; });
            await echo(first, 'hello');
            session = session || first.socket.getSession();
            await bye(first);
            const again = await dial(url, { minVersion: version, maxVersion: version, session });
            assert.ok(again.socket.isSessionReused(), version + ' was not');
            await echo(again, 'hello');
            await bye(again);
        }
    });
    if (option.mtls) {
        await test('tls: no client certificate, and another CA\'s', async () => {
            await refused(/./, async () => { await next(await dial(url, { cert: undefined })); });
            await refused(/./, async () => { await next(await dial(url, pair('client-other'))); });
            await bye(await dial(url));
        });
    }
}

const modes = { server, plain, client, proxy };
process.on('unhandledRejection', (e) => { console.log('FAIL ' + e.stack); process.exit(1); });
modes[mode]().then(() => {
    if (mode === 'client') process.exit(failed);
    process.stdin.on('end', () => process.exit(0)).resume();
});
