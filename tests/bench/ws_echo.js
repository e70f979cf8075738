/* Echo server on npm ws, for bench/run.sh. Prints "listening on PORT". With a directory of
   certificates (tests/tls/certs.sh) it speaks TLS. */
'use strict';
const fs = require('fs');
const { Server } = require('../interop/node_modules/ws');
const certs = process.argv[2];
const http = certs ? require('https').createServer({ cert: fs.readFileSync(certs + '/good.pem'),
                                                     key: fs.readFileSync(certs + '/good.key') })
                   : require('http').createServer();
const s = new Server({ server: http, perMessageDeflate: false, maxPayload: 64 << 20,
                       skipUTF8Validation: false });
s.on('connection', (w) => {
    w.on('error', () => {});
    w.on('message', (data, binary) => w.send(data, { binary }));
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    console.log('listening on ' + http.address().port);
});
