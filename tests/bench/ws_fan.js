/* Gives each message to every other connection, on npm ws, as its README shows it, for
   bench/run.sh. Prints "listening on PORT". */
'use strict';
const { Server, WebSocket } = require('../interop/node_modules/ws');
const s = new Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false, backlog: 4096 }, () => {
    console.log('listening on ' + s.address().port);
});
s.on('connection', (w) => {
    w.on('error', () => {});
    w.on('message', (data, binary) => {
        for (const client of s.clients)
            if (client !== w && client.readyState === WebSocket.OPEN) client.send(data, { binary });
    });
});
