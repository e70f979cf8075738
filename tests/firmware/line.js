/* A board in QEMU, and the line to its UART: QEMU dials a TCP socket of ours, once. Whoever is
   at the other end of the line, one after the other, has a Link: a stream of the bytes of one
   connection, which may spoil them. Of a UART nobody can tell that the other end is gone, so the
   line falls silent between two links; what the board says meanwhile is lost. */
'use strict';
const crypto = require('crypto');
const net = require('net');
const { Duplex } = require('stream');
const { spawn } = require('child_process');

const PATIENCE = 15000;             // ms for whatever must come
const NOTICED = 2000;               // ms after which a board has noticed a lost link
const AGAIN = 450;                  // ms after which it has finished a closing handshake
const FRESH = 500;                  // ms that a client's request may wait for its link
const REQUEST = 'GET /board';
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function within(ms, promise, what) {
    let timer;
    const late = new Promise((_, fail) => {
        timer = setTimeout(() => fail(new Error(`waited ${ms} ms for ${what}`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const acceptOf = (key) => crypto.createHash('sha1').update(key + MAGIC).digest('base64');

class Link extends Duplex {
    constructor(board, spoil) {
        super();
        this.board = board;
        this.spoil = spoil || ((bytes) => bytes);
        this.heard = Date.now();
    }
    _read() {}
    _write(bytes, encoding, done) {
        if (this.board.link !== this) done();
        else this.board.socket.write(this.spoil(bytes), done);
    }
    _final(done) { done(); setTimeout(() => this.hangUp(), 100); }
    _destroy(error, done) { this.hangUp(); done(error); }
    fromBoard(bytes) {
        this.heard = Date.now();
        if (!this.ended) this.push(this.spoil(bytes));
    }
    hangUp() {                      // the other end of the line is gone
        if (!this.ended) this.push(null);
        this.ended = true;
        if (this.board.link === this) this.board.link = null;
    }
    // what sockets have and the packages call
    setNoDelay() { return this; }
    setKeepAlive() { return this; }
    setTimeout() { return this; }
    ref() { return this; }
    unref() { return this; }
}

/* Frames by hand: for what no good peer sends. */
class Raw {
    constructor(link) {
        this.link = link;
        this.bytes = Buffer.alloc(0);
        link.on('error', () => {});
        link.on('data', (more) => { this.bytes = Buffer.concat([this.bytes, more]); this.wake(); });
        link.on('end', () => this.wake());
        this.wake = () => {};
    }
    send(bytes) { this.link.write(bytes); }
    async until(find, what) {       // what find(bytes) gives, once it gives something
        const end = Date.now() + PATIENCE;
        for (;;) {
            const found = find(this.bytes);
            if (found) return found;
            if (this.link.ended) throw new Error(`the line went dead before ${what}`);
            await within(end - Date.now(), new Promise((done) => { this.wake = done; }), what);
        }
    }
    async head() {
        const size = await this.until((bytes) => bytes.indexOf('\r\n\r\n') + 4 > 3 && bytes.indexOf('\r\n\r\n') + 4,
            'the end of a head');
        const head = this.bytes.subarray(0, size).toString('latin1');
        this.bytes = this.bytes.subarray(size);
        return head;
    }
    async frame() {                 // the next one that is no ping or pong
        for (;;) {
            const frame = await this.until(parseFrame, 'a frame');
            this.bytes = this.bytes.subarray(frame.end);
            if (frame.op !== 9 && frame.op !== 10) return frame;
        }
    }
}

function parseFrame(bytes) {
    let at = 2, size;
    if (bytes.length < at) return null;
    size = bytes[1] & 127;
    if (size === 126) {
        if (bytes.length < 4) return null;
        size = bytes.readUInt16BE(2);
        at = 4;
    } else if (size === 127) {
        if (bytes.length < 10) return null;
        size = Number(bytes.readBigUInt64BE(2));
        at = 10;
    }
    const key = bytes[1] & 128 ? bytes.subarray(at, at + 4) : null;
    if (key) at += 4;
    if (bytes.length < at + size) return null;
    const data = Buffer.from(bytes.subarray(at, at + size));
    if (key) data.forEach((byte, i) => { data[i] = byte ^ key[i & 3]; });
    return { op: bytes[0] & 15, data, end: at + size };
}

class Board {
    constructor(name, role, program, command, image, WebSocket) {
        Object.assign(this, { name, role, program, WebSocket, link: null, stack: 0, readyAt: 0 });
        this.said = '';             // a client's request that nobody has taken yet
        this.recent = Buffer.alloc(0);      // the last bytes, where a request may have begun
        this.asked = 0;             // when it came
        this.wake = () => {};
        this.title = `${name} ${role} ${program}`;
        this.command = command;
        this.image = image;
        this.words = '';            // what QEMU complains of
    }
    async start() {
        const server = net.createServer();
        await new Promise((done) => server.listen(0, '127.0.0.1', done));
        const dialled = new Promise((done) => server.once('connection', done));
        const words = this.command.split(' ');
        this.process = spawn(words[0], [...words.slice(1), this.image, '-display', 'none', '-monitor', 'none',
            '-serial', `tcp:127.0.0.1:${server.address().port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
        this.process.stderr.on('data', (words) => { this.words += words; });
        this.process.on('error', (error) => { this.words += error.message; });
        this.socket = await within(PATIENCE, dialled, 'QEMU to dial');
        server.close();
        this.socket.setNoDelay(true);
        this.socket.on('error', () => {});
        this.socket.on('data', (bytes) => this.fromBoard(bytes));
        this.settle(AGAIN);         // it is on its way to main
    }
    stop() {
        if (this.socket) this.socket.destroy();
        if (this.process) this.process.kill('SIGKILL');
    }
    fromBoard(bytes) {
        const recent = Buffer.concat([this.recent, bytes]);
        const again = this.role === 'client' ? recent.indexOf(REQUEST) : -1;
        if (again >= 0) {           // a new connection, whatever we think of the one before
            if (this.link) this.link.hangUp();
            this.said = recent.subarray(again);
            this.asked = Date.now();
            this.recent = Buffer.alloc(0);
            this.wake();
            return;
        }
        this.recent = recent.subarray(Math.max(0, recent.length - REQUEST.length + 1));
        if (this.link) this.link.fromBoard(bytes);
        else if (this.said.length) this.said = Buffer.concat([this.said, bytes]);
    }
    /* The board's next connection. */
    async connect(spoil) {
        if (this.link) this.link.hangUp();
        if (this.role === 'server') {
            await sleep(Math.max(0, this.readyAt - Date.now()));
            this.link = new Link(this, spoil);
            return this.link;
        }
        const end = Date.now() + PATIENCE;
        while (!this.said.length || Date.now() - this.asked > FRESH)
            await within(end - Date.now(), new Promise((done) => { this.wake = done; }), 'a request');
        const link = this.link = new Link(this, spoil), said = this.said;
        this.said = '';
        link.fromBoard(said);
        return link;
    }
    settle(ms) {                    // a server is not asked again before it has noticed
        this.readyAt = Date.now() + ms;
        if (this.link) this.link.hangUp();
    }
    /* An opened connection by hand, and the status that the board says first. */
    async openRaw() {
        const raw = new Raw(await this.connect());
        if (this.role === 'client') {
            const key = /sec-websocket-key: *(\S+)/i.exec(await raw.head());
            raw.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                `Sec-WebSocket-Accept: ${acceptOf(key[1])}\r\n\r\n`);
        } else {
            const key = crypto.randomBytes(16).toString('base64');
            raw.send('GET /board HTTP/1.1\r\nHost: board\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
            const head = await raw.head();
            if (!head.startsWith('HTTP/1.1 101') || !head.includes(acceptOf(key))) throw new Error(head);
        }
        raw.status = this.statusOf((await raw.frame()).data.toString());
        return raw;
    }
    /* The same by npm ws: a promise of its WebSocket on that link. */
    openOn(link) {
        link.on('error', () => {});
        if (this.role === 'server') {
            const ws = new this.WebSocket('ws://board/board', { createConnection: () => link });
            return Promise.resolve(ws);
        }
        const http = require('http').createServer();
        const server = new this.WebSocket.WebSocketServer({ server: http });
        server.on('error', () => {});
        server.on('wsClientError', (error, socket) => socket.destroy());
        http.on('clientError', (error, socket) => socket.destroy());
        return new Promise((done) => {
            server.on('connection', done);
            http.emit('connection', link);
        });
    }
    async open() {
        const link = await this.connect();
        const ws = await within(PATIENCE, this.openOn(link), 'the opening handshake');
        const inbox = [];
        let wake = () => {};
        const note = (kind) => (data, binary) => { inbox.push({ kind, data, binary }); wake(); };
        for (const kind of ['message', 'ping', 'pong']) ws.on(kind, note(kind));
        ws.on('error', () => {});
        const closed = new Promise((done) => ws.on('close', (code, reason) => done({ code, reason: String(reason) })));
        const peer = { ws, link };
        /* The next of that kind; a board's own pings do not count. */
        peer.next = async (kind, patience = PATIENCE) => {
            const end = Date.now() + patience;
            for (;;) {
                const at = inbox.findIndex((one) => one.kind === kind && !(kind === 'ping' && one.data.length === 4));
                if (at >= 0) return inbox.splice(at, 1)[0];
                await within(end - Date.now(), new Promise((done) => { wake = done; }), `a ${kind}`);
            }
        };
        /* What ws says of the end. A server's board cannot end TCP: silence does it. */
        peer.ended = async () => {
            const timer = setInterval(() => {
                if (ws.readyState >= 2 && Date.now() - link.heard > 300) link.hangUp();
            }, 50);
            const end = await within(PATIENCE, closed, 'the closing handshake').finally(() => clearInterval(timer));
            this.settle(AGAIN);
            return end;
        };
        peer.status = this.statusOf((await peer.next('message')).data.toString());
        return peer;
    }
    statusOf(text) {
        const words = text.split(' '), status = {};
        if (words[0] !== 'status') throw new Error(`no status: ${text.slice(0, 60)}`);
        for (let i = 1; i + 1 < words.length; i += 2) status[words[i]] = Number(words[i + 1]);
        this.stack = Math.max(this.stack, status.stack);
        return status;
    }
}

module.exports = { Board, sleep, within, NOTICED, AGAIN };
