/* The boards' programs against npm ws, against a peer that breaks the rules of RFC 6455 5, and
   over a line that loses, doubles and garbles bytes.
     node boards.js LIST
   Each line of LIST: BOARD ROLE PROGRAM IMAGE COMMAND (of QEMU, to which the image is added).
   Prints "ok name" or "FAIL name: why", and "stack BOARD ROLE PROGRAM BYTES"; the exit status
   is 1 after a failure. */
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');
const WebSocket = require(path.join(__dirname, '../interop/node_modules/ws'));
const { Board, sleep, within, NOTICED, AGAIN } = require('./line.js');

const SIDE_BY_SIDE = Number(process.env.BOARDS || Math.min(4, os.cpus().length));   // each takes a core
const LONG = 100000, SLOW = 60000;         // bytes, and ms that they may take
let failed = 0;

// ---- what breaks the rules of RFC 6455 5, and the close code that answers it ----

/* A frame; options: rsv (4, 2, 1), fin, form (126, 127: that length although it is shorter),
   bare (masked if it must not be, and the other way round). */
function frame(role, op, data, options = {}) {
    const { rsv = 0, fin = 1, form = 0, bare = false } = options;
    const payload = Buffer.from(data), masked = (role === 'server') !== bare;
    const kind = form || (payload.length < 126 ? 0 : payload.length < 65536 ? 126 : 127);
    const head = Buffer.alloc(kind === 127 ? 10 : kind === 126 ? 4 : 2);
    head[0] = fin << 7 | rsv << 4 | op;
    head[1] = (masked ? 128 : 0) | (kind || payload.length);
    if (kind === 126) head.writeUInt16BE(payload.length, 2);
    if (kind === 127) head.writeBigUInt64BE(BigInt(payload.length), 2);
    if (!masked) return Buffer.concat([head, payload]);
    const key = crypto.randomBytes(4);
    return Buffer.concat([head, key, payload.map((byte, i) => byte ^ key[i & 3])]);
}

function announce(role, high, low) {        // a binary frame of which nothing but its length comes
    const head = Buffer.from(frame(role, 2, '', { form: 127 }));
    head.writeUInt32BE(high, 2);
    head.writeUInt32BE(low, 6);
    return head;
}

const closing = (code, reason = '') => Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
const rules = [
    ['5.1 the mask of the other role', 1002, (r) => frame(r, 1, 'x', { bare: true })],
    ['5.2 RSV1', 1002, (r) => frame(r, 1, 'x', { rsv: 4 })],
    ['5.2 RSV2', 1002, (r) => frame(r, 1, 'x', { rsv: 2 })],
    ['5.2 RSV3 of a ping', 1002, (r) => frame(r, 9, 'x', { rsv: 1 })],
    ['5.2 opcode 3', 1002, (r) => frame(r, 3, 'x')],
    ['5.2 opcode 7', 1002, (r) => frame(r, 7, '')],
    ['5.2 opcode 11', 1002, (r) => frame(r, 11, '')],
    ['5.2 opcode 15', 1002, (r) => frame(r, 15, 'x')],
    ['5.2 16 bits for a short length', 1002, (r) => frame(r, 2, 'x', { form: 126 })],
    ['5.2 64 bits for a short length', 1002, (r) => frame(r, 2, 'x', { form: 127 })],
    ['5.2 the sign of the length', 1002, (r) => announce(r, 0x80000000, 0)],
    ['5.2 a message larger than the limit', 1009, (r) => announce(r, 1, 0)],
    ['5.4 a continuation of nothing', 1002, (r) => frame(r, 0, 'x')],
    ['5.4 a message inside another', 1002, (r) => Buffer.concat([frame(r, 1, 'x', { fin: 0 }), frame(r, 1, 'y')])],
    ['5.5 a ping of 126 bytes', 1002, (r) => frame(r, 9, 'x'.repeat(126))],
    ['5.5 a ping in fragments', 1002, (r) => frame(r, 9, 'x', { fin: 0 })],
    ['5.5.1 a Close in fragments', 1002, (r) => frame(r, 8, closing(1000), { fin: 0 })],
    ['5.5.1 a Close of one byte', 1002, (r) => frame(r, 8, 'x')],
    ['5.5.1 a reason that is not UTF-8', 1007, (r) => frame(r, 8, Buffer.concat([closing(1000), Buffer.from([0xFF])]))],
    ['7.4 close code 999', 1002, (r) => frame(r, 8, closing(999))],
    ['7.4 close code 1005', 1002, (r) => frame(r, 8, closing(1005))],
    ['7.4 close code 1006', 1002, (r) => frame(r, 8, closing(1006))],
    ['7.4 close code 5000', 1002, (r) => frame(r, 8, closing(5000))],
    ['5.6 a text that is not UTF-8', 1007, (r) => frame(r, 1, Buffer.from([0x61, 0xC0, 0x80]))],
    ['5.6 a text that ends inside a character', 1007, (r) => frame(r, 1, Buffer.from([0xE2, 0x82]))],
    ['5.6 the same in fragments', 1007, (r) => Buffer.concat([
        frame(r, 1, Buffer.from([0xE2]), { fin: 0 }), frame(r, 0, Buffer.from([0x82]))])],
];

// ---- lines that spoil what they carry ----

function chance(seed) {                     // 0..1, the same for each run
    let state = seed * 2654435761 >>> 0 || 1;
    return () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) / 4294967296;
    };
}

const faults = {
    drops: () => [],
    doubles: (byte) => [byte, byte],
    garbles: (byte, next) => [byte ^ 1 << Math.floor(next() * 8)],
};

function spoiler(kind, seed, after) {       // spoils one byte in 60, but none of the first after
    const next = chance(seed);
    let passed = 0;
    return (bytes) => Buffer.from([].concat(...[...bytes].map((byte) =>
        passed++ < after || next() > 1 / 60 ? [byte] : faults[kind](byte, next))));
}

// ---- the tests of one board ----

async function echo(peer, data) {
    peer.ws.send(data);
    const got = await peer.next('message');
    assert.strictEqual(got.binary, typeof data !== 'string', 'other kind of message');
    assert.ok(Buffer.from(got.data).equals(Buffer.from(data)), 'other data');
}

function sumOf(bytes) {
    let sum = 0;
    for (const byte of bytes) sum = Math.imul(sum, 31) + byte >>> 0;
    return sum;
}

async function partsOf(peer, bytes) {
    const [, size, , sum, , events] = (await peer.next('message', SLOW)).data.toString().split(' ');
    assert.strictEqual(Number(size), bytes.length, 'other size');
    assert.strictEqual(Number(sum), sumOf(bytes), 'other bytes');
    return Number(events);
}

async function testBoard(board) {
    const title = (name) => `${board.title}: ${name}`;
    const test = async (name, run) => {
        try {
            const more = await run();
            console.log(`ok ${title(name)}${more ? ` (${more})` : ''}`);
        } catch (error) {
            failed++;
            console.log(`FAIL ${title(name)}: ${error.message.split('\n')[0]}`);
            board.settle(NOTICED);
        }
    };
    const bytes = crypto.randomBytes(LONG);
    let peer;

    await test('handshake', async () => { peer = await board.open(); });
    if (!peer) return;
    await test('text', async () => { await echo(peer, 'hello'); await echo(peer, 'h\u00e4llo \u20ac \ud83d\ude00'); });
    await test('an empty message', () => echo(peer, ''));
    await test('binary', () => echo(peer, bytes.subarray(0, 200)));
    await test('fragments', async () => {
        peer.ws.send('one, ', { fin: false });
        peer.ws.send('two, ', { fin: false });
        peer.ws.ping('between');
        peer.ws.send('three', { fin: true });
        assert.strictEqual((await peer.next('message')).data.toString(), 'one, two, three');
        assert.strictEqual((await peer.next('pong')).data.toString(), 'between');
    });
    await test('100,000 bytes in one frame come in parts', async () => {
        peer.ws.send(bytes);
        return `${await partsOf(peer, bytes)} parts`;
    });
    await test('20,000 bytes in fragments come in parts', async () => {
        const some = bytes.subarray(0, LONG / 5);
        for (let at = 0; at < some.length; at += 700)
            peer.ws.send(some.subarray(at, at + 700), { binary: true, fin: at + 700 >= some.length });
        return `${await partsOf(peer, some)} parts`;
    });
    await test('100,000 bytes go in parts', async () => {
        peer.ws.send(`!parts ${LONG}`);
        const { data } = await peer.next('message', SLOW);
        assert.strictEqual(data.length, LONG, 'other size');
        assert.ok(data.every((byte, i) => byte === (i & 127)), 'other bytes');
    });
    await test('our ping', async () => {
        peer.ws.ping('are you there');
        assert.strictEqual((await peer.next('pong')).data.toString(), 'are you there');
    });
    await test('the board\'s ping', async () => {
        peer.ws.send('!ping and you');
        assert.strictEqual((await peer.next('ping')).data.toString(), 'and you');
        assert.strictEqual((await peer.next('message')).data.toString(), 'pong and you');
    });
    await test('the board closes', async () => {
        peer.ws.send('!close 4001 good night');
        const { code, reason } = await peer.ended();
        assert.strictEqual(`${code} ${reason}`, '4001 good night');
    });
    await test('we close', async () => {
        peer = await board.open();
        assert.strictEqual(`${peer.status.code} ${peer.status.clean}`, '4001 1', 'the end before');
        peer.ws.close(4002, 'enough');
        assert.strictEqual((await peer.ended()).code, 4002);
    });
    let before = 4002;
    for (const [name, code, make] of rules) {
        await test(name, async () => {
            const raw = await board.openRaw(), expected = before;
            before = code;
            raw.send(make(board.role));
            const answer = await raw.frame();
            assert.strictEqual(answer.op, 8, 'no Close');
            assert.strictEqual(answer.data.readUInt16BE(0), code, 'other close code');
            board.settle(AGAIN);
            const { code: told, error } = raw.status;
            assert.ok(told === expected, `told ${told} (error ${error}) of the one before, not ${expected}`);
        });
    }
    await test('a lost link, and another', async () => {
        peer = await board.open();
        assert.strictEqual(peer.status.code, before, 'told of the one before');
        await echo(peer, 'still there');
        board.settle(NOTICED);
        peer.ws.terminate();
        peer = await board.open();
        assert.strictEqual(`${peer.status.code} ${peer.status.clean}`, '1006 0');
        assert.ok(peer.status.error, 'no error');
        await echo(peer, 'again');
        peer.ws.close(1000);
        await peer.ended();
    });
    let seed = 1;
    for (const kind of Object.keys(faults)) {
        for (const [when, after] of [['from the start', 0], ['once open', 400]]) {
            await test(`a line that ${kind} bytes, ${when}`, () => spoiled(board, spoiler(kind, seed++, after)));
        }
    }
    console.log(`stack ${board.name} ${board.role} ${board.program} ${board.stack}`);
}

/* Talks over a bad line, then over a good one: that works, and the board says how it ended. */
async function spoiled(board, spoil) {
    const link = await board.connect(spoil);
    const opened = board.openOn(link);
    let ws;
    opened.then((one) => {
        ws = one;
        ws.on('error', () => {});
    });
    for (let i = 0; i < 40 && !link.ended && !(ws && ws.readyState > 1); i++) {
        await sleep(20);
        if (ws && ws.readyState === 1) ws.send('some words over a bad line '.repeat(4));
    }
    board.settle(NOTICED);
    link.destroy();
    const peer = await board.open();
    await echo(peer, 'all is well');
    const { code, error } = peer.status;
    assert.ok(code === 1000 || code === 1002 || code === 1007 || ((!code || code === 1006) && error), `code ${code}, error ${error}`);
    peer.ws.close(1000);
    await peer.ended();
    return `code ${code}, error ${error}`;
}

async function main() {
    const list = fs.readFileSync(process.argv[2], 'latin1').trim().split('\n').map((line) => line.split(' '));
    const boards = list.map(([name, role, program, image, ...command]) =>
        new Board(name, role, program, command.join(' '), image, WebSocket));
    const waiting = boards.slice();
    const worker = async () => {
        for (let board; (board = waiting.shift());) {
            const start = Date.now();
            try {
                await board.start();
                await within(400000, testBoard(board), 'all tests of a board');
            } catch (error) {
                failed++;
                console.log(`FAIL ${board.title}: ${error.message} ${board.words}`);
            }
            board.stop();
            console.log(`# ${board.title}: ${Math.round((Date.now() - start) / 1000)} s`);
        }
    };
    process.on('exit', () => boards.forEach((board) => board.stop()));
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
    process.exit(failed ? 1 : 0);
}

main();
