/* Echo server on npm ws, for bench/run.sh. Prints "listening on PORT". With a directory of
   certificates (tests/tls/certs.sh) it speaks TLS, with the cipher that the client likes best, as
   the others do. With "deflate", "deflate-small" (windows of 12 bits, memory level 5) or
   "deflate-alone" (no context takeover) it compresses, else as zlib does by default and ws.h too. */
'use strict';
const fs = require('fs');
const { Server } = require('../interop/node_modules/ws');
const how = process.argv[2] || '', deflate = how.startsWith('deflate'), certs = deflate ? '' : how;
const alone = how === 'deflate-alone', small = how === 'deflate-small';
const http = certs ? require('https').createServer({ cert: fs.readFileSync(certs + '/good.pem'),
                                                     key: fs.readFileSync(certs + '/good.key'),
                                                     honorCipherOrder: false })
                   : require('http').createServer();
const s = new Server({ server: http, maxPayload: 64 << 20, skipUTF8Validation: false,
    perMessageDeflate: deflate && { serverNoContextTakeover: alone, clientNoContextTakeover: alone,
                                    serverMaxWindowBits: small ? 12 : undefined, clientMaxWindowBits: small ? 12 : undefined,
                                    zlibDeflateOptions: { level: 6, memLevel: small ? 5 : 8 }, threshold: 1024 } });
s.on('connection', (w) => {
    w.on('error', () => {});
    w.on('message', (data, binary) => w.send(data, { binary }));
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    console.log('listening on ' + http.address().port);
});
