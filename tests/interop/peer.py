"""Python websockets as client of our echo_server and as server for our clients.

Usage: peer.py client URL | server. Prints "ok name" or "FAIL name: why" per check.
"""
import asyncio
import os
import sys

import websockets

failed = 0


async def test(name, run):
    global failed
    try:
        await asyncio.wait_for(run, 20)
        print("ok", name, flush=True)
    except Exception as e:  # every failure is a line, not a trace
        failed = 1
        print("FAIL %s: %r" % (name, e), flush=True)


def dial(url, **kw):
    kw.setdefault("compression", None)
    kw.setdefault("max_size", 4 << 20)
    return websockets.connect(url, **kw)


async def echo(w, data):
    await w.send(data)
    got = await w.recv()
    assert type(got) is type(data) and got == data, "echo differs"


async def basics(url):
    async with dial(url) as w:
        assert w.subprotocol is None
        await echo(w, "hello")
        await echo(w, "h\u00e4ll\u00f6 \u20ac \U0001f600")
        await echo(w, b"\0\1\2\xff")
        await echo(w, "")
        await echo(w, b"")


async def declined(url):
    async with dial(url, compression="deflate") as w:
        assert not w.extensions
        await echo(w, "plain" * 100)


async def lengths(url):
    async with dial(url) as w:
        for n in (1, 125, 126, 127, 65535, 65536, 65537, 1 << 20):
            await echo(w, os.urandom(n))


async def fragments(url):
    async with dial(url) as w:
        await w.send(["one ", "two ", "", "three"])
        assert await w.recv() == "one two three"
        await w.send([b"a" * 1000] * 200)
        assert await w.recv() == b"a" * 200000


async def pings(url):
    async with dial(url) as w:
        for p in (b"", b"x", os.urandom(125)):
            await asyncio.wait_for(await w.ping(p), 5)
        await w.pong(b"unasked")
        await echo(w, "after")


async def closes(url):
    for code, reason in ((1000, ""), (1001, "away"), (4000, "mine"), (3999, "r" * 123)):
        w = await dial(url)
        await w.close(code, reason)
        assert w.close_code == code, w.close_code


async def abnormal(url):
    for _ in range(10):
        w = await dial(url)
        await w.send(b"x" * 50000)
        w.transport.abort()
    async with dial(url) as w:
        await echo(w, "still there")


async def many(url):
    async def one(i):
        async with dial(url) as w:
            for k in range(10):
                await echo(w, "client %d message %d" % (i, k))
    await asyncio.gather(*(one(i) for i in range(100)))


async def client(url):
    await test("python client: text, binary, empty", basics(url))
    await test("python client: offered extension is declined", declined(url))
    await test("python client: lengths to 1 MiB", lengths(url))
    await test("python client: fragments", fragments(url))
    await test("python client: pings", pings(url))
    await test("python client: close codes", closes(url))
    await test("python client: abnormal end", abnormal(url))
    await test("python client: 100 connections", many(url))


async def handler(w, path=None):
    try:
        async for m in w:
            await w.send(m)
    except websockets.ConnectionClosed:
        pass


async def server():
    s = await websockets.serve(handler, "127.0.0.1", 0, compression=None, max_size=64 << 20)
    print("listening on", s.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


if sys.argv[1] == "client":
    asyncio.run(client(sys.argv[2]))
else:
    asyncio.run(server())
sys.exit(failed)
