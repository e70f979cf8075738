/* Compressed messages of many sizes, as groups 12 and 13 of the usual fuzzing server have them: text
   and bytes from 16 B to 128 KiB, whole or compressed and then cut into frames, with each set of
   parameters, echoed by the other side. Frames are made by hand, node's zlib compresses.
     node sizes.js URL [NAME]       as client, of an echo server that compresses from 1 byte on
   prints "ok name" or "not ok name: why" for each set; exits with 1 after a failure. As a module:
   cases and play, for conformance_server.js. */
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const net = require('net');
const zlib = require('zlib');

const TAIL = Buffer.from([0, 0, 255, 255]), PATIENCE = 20000;

// ---- what is sent ----

const records = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ id: i * 7919 % 10007,
    name: 'user ' + i % 97, price: (i * 31 % 1000) / 4, tags: ['a\u00e4', 'b' + i % 5, '\u20ac'], active: i % 3 === 0 })).join(',\n');
const text = Buffer.from(records);
let x = 1;
const bytes = Buffer.from(Array.from({ length: 1 << 18 }, (_, i) => {
    x = Math.imul(x, 1664525) + 1013904223 >>> 0;
    return i % 64 < 32 ? x >>> 24 : i >> 10 & 255;
}));

/* The i-th message: a slice that begins elsewhere each time; of text, at a character. */
function message(c, i) {
    const from = c.binary ? bytes : text;
    let at = i * 4093 % (from.length - c.size - 4), end;
    if (c.binary) return from.subarray(at, at + c.size);
    while ((from[at] & 0xc0) === 0x80) at++;
    for (end = at + c.size; (from[end] & 0xc0) === 0x80; end--);
    return from.subarray(at, end);
}

const sizes = [[16], [64], [256], [1024], [4096], [8192], [16384], [32768], [65536], [131072],
    [8192, 256], [16384, 256], [32768, 256], [65536, 256], [131072, 256], [131072, 1024], [131072, 4096], [131072, 32768]];
const sets = [[15, 0], [15, 1], [12, 0], [12, 1], [9, 0], [9, 1]];
const cases = [];
for (const [bits, alone] of sets)
    for (const binary of bits === 15 ? [0, 1] : [0])
        for (const [size, cut] of sizes)
            cases.push({ set: `${bits} bits${alone ? ', alone' : ''}${binary ? ', binary' : ''}`, bits, alone, binary,
                         size, cut: cut || size * 2 + 100, count: Math.max(2, Math.min(30, (256 << 10) / size)),
                         name: `${bits} bits${alone ? ' alone' : ''}, ${binary ? 'bytes' : 'text'} of ${size}${cut ? ' in frames of ' + cut : ''}` });

/* As an offer, and as the answer to one that allows all. */
function header(c) {
    return 'permessage-deflate' + (c.alone ? '; server_no_context_takeover; client_no_context_takeover' : '') +
        (c.bits < 15 ? `; server_max_window_bits=${c.bits}; client_max_window_bits=${c.bits}` : '');
}

// ---- one connection ----

function frame(op, payload, fin, rsv, masked) {
    const n = payload.length, k = n < 126 ? 1 : n < 65536 ? 3 : 9, head = Buffer.alloc(1 + k + (masked ? 4 : 0));
    head[0] = (fin ? 128 : 0) | (rsv << 4) | op;
    head[1] = n < 126 ? n : n < 65536 ? 126 : 127;
    if (k === 3) head.writeUInt16BE(n, 2);
    if (k === 9) head.writeBigUInt64BE(BigInt(n), 2);
    if (!masked) return Buffer.concat([head, payload]);
    const key = crypto.randomBytes(4), p = Buffer.from(payload);
    head[1] |= 128;
    key.copy(head, 1 + k);
    for (let i = 0; i < n; i++) p[i] ^= key[i & 3];
    return Buffer.concat([head, p]);
}

/* A stream of zlib that gives all there is at each flush. */
class Flow {
    constructor(z, alone) {
        this.z = z;
        this.alone = alone;
        this.all = [];
        z.on('data', (data) => this.all.push(data));
    }
    run(pieces) {
        return new Promise((go, no) => {
            this.z.once('error', no);
            for (const p of pieces) this.z.write(p);
            this.z.flush(zlib.constants.Z_SYNC_FLUSH, () => {
                const out = Buffer.concat(this.all.splice(0));
                this.z.removeListener('error', no);
                if (this.alone) this.z.reset();
                go(out);
            });
        });
    }
}

/* Sends the messages of case c after the handshake and checks their echoes; first: bytes behind the
   head. Resolves to the bytes that were echoed, on the wire; rejects with why not. */
async function play(socket, c, isClient, first) {
    const deflate = new Flow(zlib.createDeflateRaw({ windowBits: c.bits }), c.alone);
    const inflate = new Flow(zlib.createInflateRaw({ windowBits: c.bits }), c.alone);
    const echoes = [];      // { op, rsv, frames, payload }, whole
    let rest = first || Buffer.alloc(0), open = null, code, wire = 0, wake = () => {};
    const read = (data) => {
        rest = rest.length ? Buffer.concat([rest, data]) : data;
        for (;;) {
            const b = rest, short = b[1] & 127, more = short === 126 ? 2 : short === 127 ? 8 : 0;
            const head = 2 + more + (b[1] & 128 ? 4 : 0);
            if (b.length < 2 || b.length < head) return;
            const n = more === 2 ? b.readUInt16BE(2) : more ? Number(b.readBigUInt64BE(2)) : short;
            if (b.length < head + n) return;
            const payload = Buffer.from(b.subarray(head, head + n)), key = b.subarray(head - 4, head);
            const op = b[0] & 15, rsv = b[0] >> 4 & 7;
            if (b[1] & 128) for (let i = 0; i < n; i++) payload[i] ^= key[i & 3];
            assert.strictEqual(b[1] >> 7, isClient ? 0 : 1, 'mask');
            assert.ok(op < 3 ? !!op === !open : op === 8 && !rsv, `opcode ${op}, RSV ${rsv}`);
            assert.ok(op || !rsv, 'RSV on a continuation');
            if (op === 8) code = n < 2 ? 1005 : payload.readUInt16BE(0);
            else if (op) open = { op, rsv, frames: [payload] };
            else open.frames.push(payload);
            wire += n;
            if (op < 8 && b[0] & 128) { echoes.push(open); open = null; }
            rest = b.subarray(head + n);
        }
    };
    const failed = new Promise((_, no) => {
        socket.on('data', (data) => { try { read(data); wake(); } catch (e) { no(e); } });
        socket.on('error', no);
        socket.on('close', () => { if (code === undefined) no(new Error('the connection was lost')); wake(); });
        setTimeout(() => no(new Error(`timed out, ${echoes.length} echoes wait`)), PATIENCE).unref();
    });
    const more = (test) => new Promise((go) => { wake = () => { if (test()) go(); }; wake(); });
    const converse = async () => {
        if (rest.length) read(Buffer.alloc(0));
        for (let i = 0; i < c.count; i++) {
            const out = (await deflate.run([message(c, i)])).subarray(0, -4);
            for (let at = 0; at < out.length || !at; at += c.cut)
                socket.write(frame(at ? 0 : 2 - !c.binary, out.subarray(at, at + c.cut), at + c.cut >= out.length, at ? 0 : 4, isClient));
        }
        for (let i = 0; i < c.count; i++) {
            await more(() => echoes.length || code !== undefined);
            assert.ok(echoes.length, `closed ${code} after ${i} echoes`);
            const e = echoes.shift(), want = message(c, i), whole = Buffer.concat(e.frames);
            assert.ok(e.rsv === 4 || (e.rsv === 0 && want.length < 256 && c.alone), `RSV ${e.rsv} on a message of ${want.length}`);
            const got = e.rsv ? await inflate.run([...e.frames, TAIL]) : whole;
            assert.strictEqual(e.op, 2 - !c.binary, 'opcode');
            assert.ok(got.equals(want), `echo ${i} differs: ${got.length} of ${want.length} bytes`);
        }
        socket.write(frame(8, Buffer.from([3, 232]), true, 0, isClient));
        await more(() => code !== undefined);
        assert.strictEqual(code, 1000);
    };
    try {
        await Promise.race([converse(), failed]);
        return wire;
    } finally {
        failed.catch(() => {});
        deflate.z.close();
        inflate.z.close();
        socket.end();
    }
}

module.exports = { cases, header, play };

// ---- as client ----

function connect(url, c) {
    return new Promise((go, no) => {
        const u = new URL(url), socket = net.connect(u.port, u.hostname), key = crypto.randomBytes(16).toString('base64');
        let head = Buffer.alloc(0);
        socket.setNoDelay(true);
        socket.on('error', no);
        socket.write(`GET / HTTP/1.1\r\nHost: ${u.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\n` +
            `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: ${header(c)}\r\n\r\n`);
        socket.on('data', function read(data) {
            head = Buffer.concat([head, data]);
            const end = head.indexOf('\r\n\r\n'), lines = String(head.subarray(0, end)).split('\r\n');
            if (end < 0) return;
            socket.removeListener('data', read);
            const answer = lines.filter((l) => /^sec-websocket-extensions:/i.test(l)).map((l) => l.slice(l.indexOf(':') + 2));
            if (!lines[0].startsWith('HTTP/1.1 101')) no(new Error(lines[0]));
            else if (answer.join() !== header(c)) no(new Error(`answered ${answer} to ${header(c)}`));
            else go([socket, head.subarray(end + 4)]);
        });
    });
}

async function main(url, title) {
    const sums = new Map();
    let failed = 0;
    for (const c of cases) {
        const sum = sums.get(c.set) || { cases: 0, bytes: 0, wire: 0, why: '' };
        sums.set(c.set, sum);
        try {
            const [socket, first] = await connect(url, c);
            sum.wire += await play(socket, c, true, first);
            sum.bytes += c.size * c.count;
            sum.cases++;
        } catch (e) {
            failed = 1;
            sum.why += ` (${c.name}) ${e.message.split('\n')[0]}`;
        }
    }
    for (const [set, s] of sums)
        console.log(s.why ? `not ok ${title}: ${set}:${s.why}`
                          : `ok ${title}: ${set}: ${s.cases} cases, ${(s.wire / s.bytes * 100).toFixed(1)} % of ${s.bytes} bytes`);
    process.exit(failed);
}

if (require.main === module) main(process.argv[2], process.argv[3] || 'sizes');
