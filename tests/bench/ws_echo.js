/* Echo server on npm ws, for bench/run.sh. Prints "listening on PORT". */
'use strict';
const { Server } = require('../interop/node_modules/ws');
const s = new Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false,
                       maxPayload: 64 << 20, skipUTF8Validation: false, backlog: 4096 }, () => {
    console.log('listening on ' + s.address().port);
});
s.on('connection', (w) => {
    w.on('error', () => {});
    w.on('message', (data, binary) => w.send(data, { binary }));
});
