/* Five WebSocket packages behind one face, each as its own documentation uses it.
     connect(url, { protocols, headers })  -> promise of an End; rejected, with .status if known
     listen(protocols, onEnd)              -> promise of { port, close() }
   An End has protocol, headers (the other side's), path (servers), send(data), parts(op, pieces),
   ping, pong, close(code, reason), destroy(), and next(kind): a promise of the next event of that
   kind: text, binary, ping, pong or close. A server adds "X-Answer: node" to its answer and
   refuses the path /refuse with 403 where the package can. What a package does in its own way
   is told beside its name: the code it shows for an empty Close frame, and so on. */
'use strict';
const http = require('http');
const net = require('net');
const faye = require('faye-websocket');
const nodejs = require('nodejs-websocket');
const nodejsFrame = require('nodejs-websocket/frame');
const websocket = require('websocket');
const driver = require('websocket-driver');
const Frame = require('websocket-driver/lib/websocket/driver/hybi/frame');
const ws = require('ws');

const PATIENCE = 4000;      // milliseconds for one event
const BIG = 4 << 20;

class End {
    constructor(raw) {
        this.raw = raw;
        this.events = [];
        this.wake = () => {};
    }
    put(kind, data) {
        if (this.ended) return;
        this.ended = kind === 'close';
        this.events.push([kind, data]);
        this.wake();
    }
    async next(kind) {
        const until = Date.now() + PATIENCE;
        for (;;) {
            const at = this.events.findIndex(([k]) => k === kind);
            if (at >= 0) return this.events.splice(at, 1)[0][1];
            if (this.ended) throw new Error(`it closed before a ${kind}: ${this.events}`);
            if (Date.now() > until) throw new Error(`no ${kind} came`);
            await new Promise((go) => {
                const timer = setTimeout(go, until - Date.now() + 1);
                this.wake = () => { clearTimeout(timer); go(); };
            });
        }
    }
}

function ready(server) {
    return new Promise((yes, no) => {
        server.on('error', no);
        server.listen(0, '127.0.0.1', () => yes({
            port: server.address().port,
            close() { server.close(); server.closeAllConnections && server.closeAllConnections(); },
        }));
    });
}

const failure = (message, status) => Object.assign(new Error(String(message)), { status });
const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/* websocket-driver sends whole messages only: its own frame writer makes fragments. */
function driverParts(hybi, op, pieces) {
    pieces.forEach((piece, i) => {
        const f = new Frame();
        Object.assign(f, { final: i === pieces.length - 1, rsv1: false, rsv2: false, rsv3: false,
                           opcode: i ? 0 : op === 'text' ? 1 : 2, masked: !!hybi._masking,
                           payload: Buffer.from(piece), length: Buffer.byteLength(piece) });
        if (f.masked) f.maskingKey = require('crypto').randomBytes(4);
        hybi._sendFrame(f);
    });
}

// ---- faye-websocket ----

class FayeEnd extends End {
    constructor(raw, headers, path) {
        super(raw);
        this.protocol = raw.protocol;
        this.headers = headers;
        this.path = path;
        raw.on('message', (e) => this.put(typeof e.data === 'string' ? 'text' : 'binary', e.data));
        raw.on('close', (e) => this.put('close', [e.code, e.reason]));
    }
    send(data) { this.raw.send(data); }
    parts(op, pieces) { driverParts(this.raw._driver, op, pieces); }
    ping(text) { this.raw.ping(text, () => this.put('pong', text)); }
    pong(text) { this.raw._driver.pong(text); }
    close(code, reason) { this.raw.close(code, reason); }
    destroy() { this.raw._stream.destroy(); }
}

const fayeWebsocket = {
    name: 'faye-websocket',
    emptyClose: 1000,
    shows: { status: true },            // no ping event, pongs only as the answer to ping
    refuses: true,
    connect: (url, { protocols, headers }) => new Promise((yes, no) => {
        const w = new faye.Client(url, protocols, { headers });
        let end;
        w.on('open', () => { yes(end = new FayeEnd(w, w.headers)); });
        w.on('close', (e) => { if (!end) no(failure(e.reason, w.statusCode)); });
    }),
    listen(protocols, onEnd) {
        const server = http.createServer();
        server.on('upgrade', (request, socket, body) => {
            if (!faye.isWebSocket(request) || request.url === '/refuse')
                return socket.end(FORBIDDEN);
            const w = new faye(request, socket, body, protocols, { headers: { 'X-Answer': 'node' } });
            w.on('open', () => onEnd(new FayeEnd(w, request.headers, request.url)));
        });
        return ready(server);
    },
};

// ---- nodejs-websocket ----

class NodejsEnd extends End {
    constructor(raw) {
        super(raw);
        this.protocol = raw.protocol || '';
        this.headers = raw.headers;
        this.path = raw.path;
        raw.on('text', (text) => this.put('text', text));
        raw.on('binary', (stream) => {
            const all = [];
            stream.on('data', (data) => all.push(data));
            stream.on('end', () => this.put('binary', Buffer.concat(all)));
        });
        raw.on('pong', (text) => this.put('pong', text));
        raw.on('close', (code, reason) => this.put('close', [code, reason]));
        raw.on('error', () => {});
    }
    send(data) { this.raw.send(data); }
    parts(op, pieces) {         // binary only, by its stream
        const out = this.raw.beginBinary();
        out.minSize = 1;
        for (const piece of pieces) out.write(piece);
        out.end();
    }
    ping(text) { this.raw.sendPing(text); }
    pong(text) { this.raw.socket.write(nodejsFrame.createPongFrame(text, !this.raw.server)); }
    close(code, reason) { this.raw.close(code, reason); }
    destroy() { this.raw.socket.destroy(); }
}

nodejs.setMaxBufferLength(BIG);
const nodejsWebsocket = {
    name: 'nodejs-websocket',
    shows: { pong: true },              // no ping event, no status
    binaryParts: true,
    noAnswerHeaders: true,
    connect: (url, { protocols, headers }) => new Promise((yes, no) => {
        const c = nodejs.connect(url, { extraHeaders: headers, protocols });
        c.on('error', no);
        c.on('connect', () => yes(new NodejsEnd(c)));
    }),
    listen(protocols, onEnd) {
        const server = nodejs.createServer({ validProtocols: protocols }, (c) => onEnd(new NodejsEnd(c)));
        return ready(server.socket);
    },
};

// ---- websocket (WebSocket-Node) ----

class WebsocketEnd extends End {
    constructor(raw, headers, path) {
        super(raw);
        this.protocol = raw.protocol || '';
        this.headers = headers;
        this.path = path;
        raw.on('message', (m) => m.type === 'utf8' ? this.put('text', m.utf8Data) : this.put('binary', m.binaryData));
        raw.on('ping', (cancel, data) => this.put('ping', String(data)));
        raw.on('pong', (data) => this.put('pong', String(data)));
        raw.on('error', () => {});
        raw.on('close', (code, reason) => this.put('close', [code, reason]));
    }
    send(data) { this.raw.send(data); }
    parts(op, pieces) {         // it cuts by size: all pieces but the last are of one size
        const config = this.raw.config;
        this.raw.config = { ...config, fragmentOutgoingMessages: true, fragmentationThreshold: pieces[0].length };
        this.raw.send(op === 'text' ? pieces.join('') : Buffer.from(pieces.join('')));
        this.raw.config = config;
    }
    ping(text) { this.raw.ping(text); }
    pong(text) { this.raw.pong(Buffer.from(text)); }
    close(code, reason) { this.raw.close(code, reason); }
    destroy() { this.raw.socket.destroy(); }
}

const websocketNode = {
    name: 'websocket',
    shows: { ping: true, pong: true, status: true },
    refuses: true,
    answerHeader: 'Set-Cookie: from=node',
    answersClose: 1000,         // whatever the code was
    emptyClose: 1006,
    connect: (url, { protocols, headers }) => new Promise((yes, no) => {
        const c = new websocket.client({ maxReceivedFrameSize: BIG, maxReceivedMessageSize: BIG });
        c.on('connectFailed', no);
        c.on('httpResponse', (response) => no(failure('refused', response.statusCode)));
        c.on('connect', (w) => yes(new WebsocketEnd(w, c.response.headers)));
        c.connect(url, protocols, null, headers);
    }),
    listen(protocols, onEnd) {
        const httpServer = http.createServer();
        const server = new websocket.server({ httpServer, maxReceivedFrameSize: BIG, maxReceivedMessageSize: BIG });
        server.on('request', (request) => {
            if (request.resource === '/refuse') return request.reject(403, 'not here');
            const chosen = request.requestedProtocols.find((p) => protocols.includes(p));
            const w = request.accept(chosen, request.origin, [{ name: 'from', value: 'node' }]);
            onEnd(new WebsocketEnd(w, request.httpRequest.headers, request.resource));
        });
        return ready(httpServer);
    },
};

// ---- websocket-driver ----

class DriverEnd extends End {
    constructor(raw, socket) {
        super(raw);
        this.socket = socket;
        raw.on('message', (e) => this.put(typeof e.data === 'string' ? 'text' : 'binary', e.data));
        raw.on('ping', (e) => this.put('ping', e.data));
        raw.on('pong', (e) => this.put('pong', e.data));
        raw.on('error', () => {});
        raw.on('close', (e) => { this.put('close', [e.code, e.reason]); socket.end(); });
        socket.on('error', () => {});
        socket.on('close', () => this.put('close', [1006, '']));
        socket.pipe(raw.io).pipe(socket);
    }
    opened() {
        this.protocol = this.raw.protocol || '';
        this.headers = this.raw.headers;
        this.path = this.raw.url;
        return this;
    }
    hybi() { return this.raw._delegate || this.raw; }
    send(data) { typeof data === 'string' ? this.raw.text(data) : this.raw.binary(data); }
    parts(op, pieces) { driverParts(this.hybi(), op, pieces); }
    ping(text) { this.raw.ping(text); }
    pong(text) { this.hybi().pong(text); }
    close(code, reason) { this.raw.close(reason, code); }
    destroy() { this.socket.destroy(); }
}

const websocketDriver = {
    name: 'websocket-driver',
    emptyClose: 1000,
    shows: { ping: true, pong: true, status: true },
    refuses: true,
    connect: (url, { protocols, headers }) => new Promise((yes, no) => {
        const d = driver.client(url, { protocols }), u = new URL(url);
        for (const name in headers) d.setHeader(name, headers[name]);
        const socket = net.connect(u.port, u.hostname, () => d.start());
        const end = new DriverEnd(d, socket);
        d.on('open', () => yes(end.opened()));
        d.on('error', (e) => no(failure(e.message, d.statusCode)));
    }),
    listen(protocols, onEnd) {
        return ready(net.createServer((socket) => {
            const d = driver.server({ protocols }), end = new DriverEnd(d, socket);
            d.on('connect', () => {
                if (!driver.isWebSocket(d) || d.url === '/refuse') return socket.end(FORBIDDEN);
                d.setHeader('X-Answer', 'node');
                d.on('open', () => onEnd(end.opened()));
                d.start();
            });
        }));
    },
};

// ---- ws ----

class WsEnd extends End {
    constructor(raw, headers, path) {
        super(raw);
        this.protocol = raw.protocol;
        this.headers = headers;
        this.path = path;
        raw.on('message', (data, binary) => this.put(binary ? 'binary' : 'text', binary ? data : String(data)));
        raw.on('ping', (data) => this.put('ping', String(data)));
        raw.on('pong', (data) => this.put('pong', String(data)));
        raw.on('error', () => {});
        raw.on('close', (code, reason) => this.put('close', [code, String(reason)]));
    }
    send(data) { this.raw.send(data); }
    parts(op, pieces) {
        pieces.forEach((piece, i) => this.raw.send(piece, { binary: op === 'binary', fin: i === pieces.length - 1 }));
    }
    ping(text) { this.raw.ping(text); }
    pong(text) { this.raw.pong(text); }
    close(code, reason) { this.raw.close(code, reason); }
    destroy() { this.raw.terminate(); }
}

const wsPackage = {             // its extension stays on offer: ws.h must decline and not offer it
    name: 'ws',
    shows: { ping: true, pong: true, status: true },
    refuses: true,
    connect: (url, { protocols, headers }) => new Promise((yes, no) => {
        const w = new ws(url, protocols, { headers });
        let response, end;
        w.on('upgrade', (r) => { response = r; end = new WsEnd(w, r.headers); });
        w.on('open', () => { end.protocol = w.protocol; yes(end); });
        w.on('unexpected-response', (request, r) => { no(failure('refused', r.statusCode)); request.destroy(); });
        w.on('error', no);
    }),
    listen(protocols, onEnd) {
        const server = http.createServer();
        const wss = new ws.WebSocketServer({
            server, perMessageDeflate: true,
            handleProtocols: (offered) => protocols.find((p) => offered.has(p)) || false,
            verifyClient: (info, answer) => answer(info.req.url !== '/refuse', 403),
        });
        wss.on('headers', (headers) => headers.push('X-Answer: node'));
        wss.on('connection', (w, request) => onEnd(new WsEnd(w, request.headers, request.url)));
        return ready(server);
    },
};

module.exports = [fayeWebsocket, nodejsWebsocket, websocketNode, websocketDriver, wsPackage];
