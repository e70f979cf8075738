"""Python websockets, an end of deflate.js. Orders come in, a line each:
  listen SN CN SB CB        prints {"port": N} and serves there
  dial URL SN CN SB CB      one connection
No context takeover (0, 1) and window bits of server and client; bits 0: none, 1: without a value.
Each end sends the series of deflate.js; prints for each connection what it saw, in JSON.
"""
import asyncio
import hashlib
import json
import sys

import websockets
from websockets.extensions import permessage_deflate as pmd


def series():
    x = 1
    made = []
    for n, digits in ((3000, True), (3000, True), (2000, False)):
        b = bytearray()
        for _ in range(n):
            x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
            b.append(b"0123456789abcdef"[x >> 28] if digits else x >> 24)
        made.append(b.decode() if digits else bytes(b))
    return made


first, second, noise = series()


def tell(**what):
    print(json.dumps(what), flush=True)


def shown(m):
    data = m.encode() if isinstance(m, str) else m
    return "%s %d %s" % ("text" if isinstance(m, str) else "binary", len(data), hashlib.sha1(data).hexdigest())


async def play(w, path):
    got = []

    async def pieces():
        yield second[:1000]
        pong.append(await w.ping("between"))
        yield second[1000:2000]
        yield second[2000:]

    pong = []
    try:
        for m in (first, first, "small", "", b"", pieces(), noise):
            await w.send(m)
        for _ in range(7):
            got.append(shown(await w.recv()))
        await pong[0]
        e = w.extensions[0] if w.extensions else None
        here, there = ("client", "server") if w.is_client else ("server", "client")
        await w.close()
        tell(path=path, got=got, close=w.close_code, agreed=e and {
            here: [e.local_max_window_bits, int(e.local_no_context_takeover)],
            there: [e.remote_max_window_bits, int(e.remote_no_context_takeover)]})
    except Exception as e:  # every failure is a line, not a trace
        tell(path=path, error="%r after %d messages" % (e, len(got)))


async def obey(words):
    url = words.pop(0) if words[0].startswith("ws") else None
    sn, cn, sb, cb = (int(w) for w in words)
    of = {"server_no_context_takeover": bool(sn), "client_no_context_takeover": bool(cn),
          "server_max_window_bits": sb or None, "client_max_window_bits": True if cb == 1 else cb or None}
    if not url:
        s = await websockets.serve(lambda w: play(w, w.path), "127.0.0.1", 0, compression=None,
                                   extensions=[pmd.ServerPerMessageDeflateFactory(**of)])
        tell(port=s.sockets[0].getsockname()[1])
        return
    path = url[url.index("/", 5):]
    try:
        w = await websockets.connect(url, compression=None, extensions=[pmd.ClientPerMessageDeflateFactory(**of)])
        await play(w, path)
    except Exception as e:
        tell(path=path, error=repr(e))


async def main():
    loop = asyncio.get_running_loop()
    tasks = []
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        tasks.append(asyncio.create_task(obey(line.split()[1:])))


asyncio.run(main())
