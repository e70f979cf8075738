/* A small fuzzing server for a WebSocket client: node conformance_server.js [PORT] [deflate]
   Protocol as fuzzing servers have it: /getCaseCount answers a number, /runCase?case=N plays
   case N, /updateReports ends. The client echoes every message with its type. Prints
   "listening on PORT", a line per case, and exits after /updateReports. No packages: frames
   are made by hand so that they can be wrong. With "deflate" the cases are those of sizes.js, for a
   client that compresses from 1 byte on. */
'use strict';
const http = require('http');
const crypto = require('crypto');
const sizes = require('./sizes.js');

const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const cases = [];

function frame(op, payload = '', { fin = true, rsv = 0, masked = false, size, form } = {}) {
    const p = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    const n = size === undefined ? p.length : size;
    const k = form || (n < 126 ? 1 : n < 65536 ? 3 : 9);
    const head = Buffer.alloc(1 + k);
    head[0] = (fin ? 128 : 0) | (rsv << 4) | op;
    if (k === 1) head[1] = n;
    else if (k === 3) { head[1] = 126; head.writeUInt16BE(n, 2); }
    else { head[1] = 127; head.writeBigUInt64BE(BigInt(n), 2); }
    if (!masked) return Buffer.concat([head, p]);
    head[1] |= 128;
    const key = Buffer.from([1, 2, 3, 4]);
    return Buffer.concat([head, key, p.map((b, i) => b ^ key[i & 3])]);
}

/* bytes: what is sent (list of buffers); want: echoes expected [op, payload]...;
   close: code expected from the client, or undefined when we close with 1000 afterwards. */
function add(name, bytes, want, close, extra = {}) {
    cases.push({ name, bytes: [].concat(bytes), want: want || [], close, ...extra });
}
const good = (name, bytes, want, extra) => add(name, bytes, want, undefined, extra);
const bad = (name, bytes, code, want) => add(name, bytes, want, code);

for (const n of [0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 300000]) {
    good('text of ' + n, frame(TEXT, 'a'.repeat(n)), [[TEXT, 'a'.repeat(n)]]);
    const b = Buffer.alloc(n, 0xfe);
    good('binary of ' + n, frame(BINARY, b), [[BINARY, b]]);
}
good('text byte by byte', frame(TEXT, 'byte by byte \u20ac'), [[TEXT, 'byte by byte \u20ac']], { chop: 1 });
good('70000 in chops of 997', frame(BINARY, Buffer.alloc(70000, 7)), [[BINARY, Buffer.alloc(70000, 7)]], { chop: 997 });
good('100 messages at once', Array.from({ length: 100 }, (_, i) => frame(TEXT, 'm' + i)),
     Array.from({ length: 100 }, (_, i) => [TEXT, 'm' + i]));
good('two fragments', [frame(TEXT, 'one', { fin: false }), frame(0, 'two')], [[TEXT, 'onetwo']]);
good('empty fragments', [frame(TEXT, '', { fin: false }), frame(0, '', { fin: false }), frame(0, '')], [[TEXT, '']]);
good('empty, full, empty', [frame(BINARY, '', { fin: false }), frame(0, 'x', { fin: false }), frame(0, '')], [[BINARY, 'x']]);
good('500 fragments', [frame(BINARY, 'ab', { fin: false }),
     ...Array.from({ length: 498 }, () => frame(0, 'ab', { fin: false })), frame(0, 'ab')], [[BINARY, 'ab'.repeat(500)]]);
good('fragments, chopped', [frame(TEXT, 'h\u00e4', { fin: false }), frame(PING, 'p'), frame(0, 'ng')],
     [[PONG, 'p'], [TEXT, 'h\u00e4ng']], { chop: 1 });
good('character cut by a fragment', [frame(TEXT, Buffer.from([0xe2, 0x82]), { fin: false }), frame(0, Buffer.from([0xac]))], [[TEXT, '\u20ac']]);
good('ping', frame(PING), [[PONG, '']]);
good('ping with 125 bytes', frame(PING, 'p'.repeat(125)), [[PONG, 'p'.repeat(125)]]);
good('ping with binary', frame(PING, Buffer.from([0, 255, 254, 10])), [[PONG, Buffer.from([0, 255, 254, 10])]]);
good('ping byte by byte', frame(PING, 'abc'), [[PONG, 'abc']], { chop: 1 });
good('pong unasked', [frame(PONG, 'x'), frame(PING, 'y')], [[PONG, 'y']]);
good('ping in fragments', [frame(TEXT, 'a', { fin: false }), frame(PING, '1'), frame(0, 'b', { fin: false }), frame(PING, '2'), frame(0, 'c')],
     [[PONG, '1'], [PONG, '2'], [TEXT, 'abc']]);
for (const t of ['\u0000', '\u007f\u0080', '\ud7ff\ue000', '\uffff', '\ufffe', '\ud800\udc00', '\udbff\udfff', '\u03ba\u1f79\u03c3\u03bc\u03b5', '\ud83d\ude00'])
    good('UTF-8 ' + JSON.stringify(t), frame(TEXT, t), [[TEXT, t]]);
for (const t of ['80', 'bf', 'c0af', 'c1bf', 'e080af', 'e09fbf', 'eda080', 'edbfbf', 'f08fbfbf', 'f4908080', 'f8888080', 'ff', 'fe', 'cebae1bdb9cf83cebcceb5eda080656469746564', 'e282', 'f09f98', 'c3', 'e28261']) {
    bad('bad UTF-8 ' + t, frame(TEXT, Buffer.from(t, 'hex')), 1007);
}
bad('bad UTF-8 in the second fragment', [frame(TEXT, 'fine', { fin: false }), frame(0, Buffer.from('f4908080', 'hex'))], 1007);
bad('bad UTF-8 before the message ends', frame(TEXT, Buffer.from('f490', 'hex'), { fin: false }), 1007);
good('the same bytes as binary', frame(BINARY, Buffer.from('f4908080', 'hex')), [[BINARY, Buffer.from('f4908080', 'hex')]]);
for (const r of [1, 2, 4, 7]) bad('RSV ' + r, frame(TEXT, 'x', { rsv: r }), 1002);
bad('RSV on ping', frame(PING, 'x', { rsv: 4 }), 1002);
bad('RSV on continuation', [frame(TEXT, 'x', { fin: false }), frame(0, 'y', { rsv: 2 })], 1002);
bad('RSV on close', frame(CLOSE, '', { rsv: 1 }), 1002);
for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) bad('opcode ' + op, frame(op, ''), 1002);
bad('good message, then opcode 5', [frame(TEXT, 'good'), frame(5, 'x')], 1002, [[TEXT, 'good']]);
bad('masked frame', frame(TEXT, 'x', { masked: true }), 1002);
bad('masked ping', frame(PING, 'x', { masked: true }), 1002);
bad('ping of 126', frame(PING, 'x'.repeat(126)), 1002);
bad('ping with long form', frame(PING, 'x', { form: 3 }), 1002);
bad('fragmented ping', frame(PING, 'x', { fin: false }), 1002);
bad('fragmented close', frame(CLOSE, '\u0003\u00e8', { fin: false }), 1002);
bad('close of 126', frame(CLOSE, Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(124, 97)])), 1002);
bad('continuation out of turn', frame(0, 'x'), 1002);
bad('unfinished continuation out of turn', frame(0, 'x', { fin: false }), 1002);
bad('continuation after the end', [frame(TEXT, 'a'), frame(0, 'b')], 1002, [[TEXT, 'a']]);
bad('new message in a fragmented one', [frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')], 1002);
bad('binary in a fragmented text', [frame(TEXT, 'a', { fin: false }), frame(BINARY, 'b', { fin: false })], 1002);
bad('length 5 in 16 bits', frame(TEXT, 'hello', { form: 3 }), 1002);
bad('length 125 in 64 bits', frame(TEXT, 'x'.repeat(125), { form: 9 }), 1002);
bad('length 65535 in 64 bits', frame(BINARY, Buffer.alloc(65535), { form: 9 }), 1002);
bad('length 2^63', frame(BINARY, '', { size: 0x8000000000000000n, form: 9 }), 1002);
bad('length 2^63 - 1 is only too big', frame(BINARY, '', { size: 0x7fffffffffffffffn, form: 9 }), 1009);
bad('1 byte close', frame(CLOSE, 'x'), 1002);
for (const c of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    bad('close ' + c, frame(CLOSE, Buffer.from([c >> 8, c & 255])), c);
for (const c of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
    bad('bad close code ' + c, frame(CLOSE, Buffer.from([c >> 8, c & 255])), 1002);
bad('close with reason', frame(CLOSE, Buffer.from('03e8' + Buffer.from('r'.repeat(123)).toString('hex'), 'hex')), 1000);
bad('close with bad UTF-8', frame(CLOSE, Buffer.from('03e8ff', 'hex')), 1007);
bad('empty close', frame(CLOSE), 1005);
bad('nothing after close', [frame(CLOSE, Buffer.from([3, 232])), frame(TEXT, 'late'), frame(PING, 'late')], 1000);
bad('message, then close', [frame(TEXT, 'm'), frame(CLOSE, Buffer.from([3, 232]))], 1000, [[TEXT, 'm']]);
bad('close in a fragmented message', [frame(TEXT, 'a', { fin: false }), frame(CLOSE, Buffer.from([3, 232]))], 1000);

let passed = 0, failed = 0;
const done = new Set();
const deflate = process.argv[3] === 'deflate';
if (deflate) cases.splice(0, cases.length, ...sizes.cases);

async function playSizes(socket, k) {
    let why = '';
    try { await sizes.play(socket, cases[k], false); } catch (e) { why = e.message.split('\n')[0]; }
    done.add(k);
    if (why) failed++; else passed++;
    console.log((why ? 'FAIL' : 'ok') + ' case ' + (k + 1) + ' ' + cases[k].name + (why && ': ' + why));
}

function play(socket, k) {
    const c = cases[k];
    let buf = Buffer.alloc(0), got = [], code, wrong = '', closing = false, part;
    const finish = (why) => {
        if (done.has(k)) return;
        done.add(k);
        clearTimeout(timer);
        socket.destroy();
        if (!why && !wrong) { passed++; console.log('ok case ' + (k + 1) + ' ' + c.name); }
        else { failed++; console.log('FAIL case ' + (k + 1) + ' ' + c.name + ': ' + (wrong || why)); }
    };
    const judge = () => {
        for (let i = 0; i < c.want.length; i++) {
            const w = c.want[i], g = got[i];
            if (!g) return 'echo ' + (i + 1) + ' of ' + c.want.length + ' missing';
            if (g[0] !== w[0] || Buffer.compare(g[1], Buffer.from(w[1]))) return 'echo ' + (i + 1) + ' differs (opcode ' + g[0] + ', ' + g[1].length + ' bytes)';
        }
        if (got.length > c.want.length) return 'one echo too many';
        const want = c.close === undefined ? 1000 : c.close;
        if (code !== want) return 'close ' + code + ', wanted ' + want;
        return '';
    };
    const timer = setTimeout(() => finish('timed out; ' + judge()), 8000);
    const control = (op, p) => {
        if (op === PONG && !c.want.some((w) => w[0] === PONG)) return;
        got.push([op, p]);
    };
    socket.on('data', (d) => {
        buf = Buffer.concat([buf, d]);
        for (;;) {
            if (buf.length < 2) break;
            let n = buf[1] & 127, h = 2;
            if (n === 126) { if (buf.length < 4) break; n = buf.readUInt16BE(2); h = 4; }
            else if (n === 127) { if (buf.length < 10) break; n = Number(buf.readBigUInt64BE(2)); h = 10; }
            if (!(buf[1] & 128)) { wrong = 'frame not masked'; return finish(); }
            if (buf.length < h + 4 + n) break;
            const key = buf.subarray(h, h + 4);
            const p = Buffer.from(buf.subarray(h + 4, h + 4 + n).map((b, i) => b ^ key[i & 3]));
            const op = buf[0] & 15, fin = buf[0] & 128;
            buf = buf.subarray(h + 4 + n);
            if (code !== undefined) { wrong = 'frame after close'; return finish(); }
            if (op === CLOSE) {
                code = n >= 2 ? p.readUInt16BE(0) : 1005;
                if (!closing && c.close === undefined) wrong = 'client closed ' + code + ' ' + p.subarray(2);
                if (!closing && c.close !== undefined && c.bytes.every((b) => (b[0] & 15) !== CLOSE))
                    socket.write(frame(CLOSE, p.subarray(0, 2)));
            } else if (op >= 8) control(op, p);
            else {
                if (op) part = [op, p]; else if (part) part[1] = Buffer.concat([part[1], p]);
                if (fin && part) { got.push(part); part = null; }
            }
        }
        if (code === undefined && !closing && c.close === undefined && got.length >= c.want.length) {
            closing = true;
            socket.write(frame(CLOSE, Buffer.from([3, 232])));
        }
        if (code !== undefined) socket.end();
    });
    socket.on('error', () => {});
    socket.on('end', () => finish(judge()));
    socket.on('close', () => finish(judge()));
    const all = Buffer.concat(c.bytes);
    (async () => {
        if (!c.chop) { socket.write(all); return; }
        for (let i = 0; i < all.length; i += c.chop) {
            socket.write(all.subarray(i, i + c.chop));
            await new Promise((go) => setImmediate(go));
        }
    })();
}

const server = http.createServer((q, r) => { r.writeHead(426); r.end(); });
server.on('upgrade', (q, socket) => {
    const u = new URL(q.url, 'http://x');
    const accept = crypto.createHash('sha1')
        .update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    const k = u.pathname === '/runCase' ? +u.searchParams.get('case') - 1 : -1;
    socket.setNoDelay(true);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                 'Sec-WebSocket-Accept: ' + accept + '\r\n' +
                 (deflate && k >= 0 ? 'Sec-WebSocket-Extensions: ' + sizes.header(cases[k]) + '\r\n' : '') + '\r\n');
    if (k >= 0) return deflate ? playSizes(socket, k) : play(socket, k);
    socket.on('error', () => {});
    if (u.pathname === '/getCaseCount') socket.write(frame(TEXT, String(cases.length)));
    socket.write(frame(CLOSE, Buffer.from([3, 232])));
    socket.on('data', () => {});
    socket.on('end', () => socket.end());
    if (u.pathname === '/updateReports') {
        for (let k = 0; k < cases.length; k++)
            if (!done.has(k)) { failed++; console.log('FAIL case ' + (k + 1) + ' ' + cases[k].name + ': not played'); }
        console.log('# conformance of agent ' + u.searchParams.get('agent') + ': ' + passed + ' ok, ' + failed + ' failed');
        setTimeout(() => process.exit(failed ? 1 : 0), 200);
    }
});
server.listen(+(process.argv[2] || 0), '127.0.0.1', () => console.log('listening on ' + server.address().port));
setTimeout(() => { console.log('FAIL conformance: the client did not finish'); process.exit(1); }, 120000);
