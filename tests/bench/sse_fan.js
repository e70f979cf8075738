/* The same on npm packages, as their READMEs show it: node sse_fan.js faye|better-sse [EVENTS]. */
'use strict';
const http = require('http');
const from = '../interop/node_modules/';
const data = 'x'.repeat(100);
let serve, publish;
if (process.argv[2] === 'faye') {
    const { EventSource } = require(from + 'faye-websocket');
    const all = new Set();
    serve = (request, response) => {
        const s = new EventSource(request, response);
        all.add(s);
        s.on('close', () => all.delete(s));
    };
    publish = () => { for (const s of all) s.send(data); };
} else {
    const { createSession, createChannel } = require(from + 'better-sse');
    const channel = createChannel();
    serve = async (request, response) => channel.register(await createSession(request, response));
    publish = () => channel.broadcast(data);
}
const server = http.createServer(serve);
server.listen(0, '127.0.0.1', 4096, () => console.log('listening on ' + server.address().port));
const events = Number(process.argv[3] || 1);
let next = performance.now();
(function turn() {              /* setInterval would lose time; who is late leaves turns out */
    for (let i = 0; i < events; i++) publish();
    next = Math.max(next + 5, performance.now());
    setTimeout(turn, next - performance.now());
})();
