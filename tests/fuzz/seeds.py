#!/usr/bin/env python3
"""Writes the seed corpus: python3 tests/fuzz/seeds.py. Its files are checked in, so that
replaying them needs no Python; inputs that once failed are added beside them by hand."""
import os, struct, zlib

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(target, name, data):
    os.makedirs(os.path.join(HERE, target), exist_ok=True)
    with open(os.path.join(HERE, target, name), "wb") as f:
        f.write(data)


def frame(op, data=b"", fin=1, rsv=0, key=b"\x12\x34\x56\x78", size=None, form=None):
    n = len(data) if size is None else size
    mask = 0x80 if key else 0
    out = bytes([fin << 7 | rsv << 4 | op])
    form = form or (1 if n < 126 else 3 if n < 65536 else 9)
    if form == 1:
        out += bytes([mask | n])
    elif form == 3:
        out += bytes([mask | 126]) + struct.pack(">H", n)
    else:
        out += bytes([mask | 127]) + struct.pack(">Q", n)
    if key:
        out += key
        data = bytes(b ^ key[i % 4] for i, b in enumerate(data))
    return out + data


def close(code=1000, reason=b"bye", key=b"\x12\x34\x56\x78"):
    return frame(8, struct.pack(">H", code) + reason, key=key)


def recv():
    few = ("parts", "parts_utf8_bad", "fragments", "text", "pings", "many_fragments")
    for role, key in (("server", b"\x12\x34\x56\x78"), ("client", b"")):
        def f(op, data=b"", **more):
            more.setdefault("key", key)
            return frame(op, data, **more)
        end = close(key=key)
        wire = {
            "text": f(1, b"hello") + end,
            "binary": f(2, bytes(range(256))) + end,
            "empty": f(1) + f(2) + end,
            "utf8": f(1, "h\u00e9llo \u20ac \U0001F600".encode()) + end,
            "utf8_cut": f(1, b"\xe2\x82", fin=0) + f(9, b"p") + f(0, b"\xac") + end,
            "utf8_bad": f(1, b"ab\xed\xa0\x80"),
            "fragments": f(2, b"a", fin=0) + f(0, b"b", fin=0) + f(10, b"x") + f(0, b"c") + end,
            "many_fragments": f(2, b"", fin=0) + f(0, b"", fin=0) * 8 + f(0),
            "pings": f(9) + f(9, b"x" * 125) + f(10, b"y") + f(9, b"z") * 20 + end,
            "len126": f(2, b"x" * 126) + f(2, b"x" * 125) + end,
            "too_big": f(2, b"x" * 301) + end,
            "announced": f(2, b"abc", size=1 << 40),
            "sign": f(2, b"abc", size=1 << 63),
            "not_shortest": f(2, b"abc", form=3) + f(2, b"abc", form=9),
            "rsv": f(1, b"x", rsv=4),
            "opcode": f(3, b"x"),
            "control_long": f(9, b"x" * 126),
            "control_fragment": f(9, b"x", fin=0),
            "continuation": f(0, b"x"),
            "interleaved": f(1, b"x", fin=0) + f(1, b"y"),
            "close_empty": f(8),
            "close_one": f(8, b"\x03"),
            "close_1005": close(1005, key=key),
            "close_utf8": close(1000, b"\xff", key=key),
            "close_4999": close(4999, b"", key=key) + f(1, b"after"),
            "wrong_mask": frame(1, b"x", key=b"" if key else b"abcd"),
            "nothing": b"",
            "parts": f(2, b"x" * 30, fin=0) + f(9, b"p") + f(0, b"y" * 20, fin=0) + f(0) + f(1, b"z" * 41) + end,
            "parts_utf8_bad": f(1, b"x" * 39 + b"\xe2\x82", fin=0) + f(10, b"go") + f(0, b"\xff" + b"x" * 50),
        }
        bit = 0 if role == "server" else 1
        for name, data in wire.items():
            for options in (0, 6, 12, 10, 36, 20, 68, 132, 206):
                if options in (10, 36, 20, 68, 132, 206) and name not in few:
                    continue
                put("recv", "%s_%s_%d" % (role, name, options),
                    bytes([bit | options]) + bytes([0, 6, 2, 40]) + data)
            put("tiny", "%s_%s" % (role, name),
                bytes([bit | (44 if name in few else 4)]) + bytes([0, 6, 2, 40]) + data)


REQUEST = [("Host", "a.example"), ("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]


def head(start, fields):
    return ("\r\n".join([start] + ["%s: %s" % f for f in fields]) + "\r\n\r\n").encode("latin-1")


def changed(name, value):
    return [(n, value if n == name else v) for n, v in REQUEST if n != name or value is not None]


def heads():
    get = "GET /chat?x=1 HTTP/1.1"
    requests = {
        "good": head(get, REQUEST),
        "good_then_frame": head(get, REQUEST) + frame(1, b"hi") + close(),
        "origin_same": head(get, REQUEST + [("Origin", "http://a.example")]),
        "origin_other": head(get, REQUEST + [("Origin", "https://evil.example")]),
        "origin_list": head(get, REQUEST + [("Origin", "https://a.example")]),
        "protocol": head(get, REQUEST + [("Sec-WebSocket-Protocol", "x, superchat"),
                                         ("Sec-WebSocket-Protocol", "chat")]),
        "extensions": head(get, REQUEST + [("Sec-WebSocket-Extensions",
                                            'permessage-deflate; x="a,b"')]),
        "page": head("GET / HTTP/1.1", [("Host", "a.example")]),
        "head": head("HEAD / HTTP/1.1", [("Host", "a.example")]),
        "post": head("POST / HTTP/1.1", [("Host", "a"), ("Content-Length", "3")]) + b"abc",
        "version_8": head(get, changed("Sec-WebSocket-Version", "8")),
        "key_short": head(get, changed("Sec-WebSocket-Key", "abc")),
        "key_none": head(get, changed("Sec-WebSocket-Key", None)),
        "host_none": head(get, changed("Host", None)),
        "host_twice": head(get, REQUEST + [("Host", "b")]),
        "upgrade_none": head(get, changed("Upgrade", None)),
        "connection_close": head(get, changed("Connection", "close")),
        "body": head(get, REQUEST + [("Content-Length", "5")]) + b"hello",
        "chunked": head(get, REQUEST + [("Transfer-Encoding", "chunked")]),
        "http10": head("GET / HTTP/1.0", REQUEST),
        "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "put": head("PUT / HTTP/1.1", REQUEST),
        "bare_lf": head(get, REQUEST).replace(b"\r\n", b"\n"),
        "bare_cr": head(get, REQUEST).replace(b"Host", b"Ho\rst"),
        "nul": head(get, REQUEST).replace(b"a.example", b"a\0example"),
        "fold": head(get, REQUEST).replace(b"keep-alive, ", b"keep-alive,\r\n "),
        "space_colon": head(get, REQUEST).replace(b"Host:", b"Host :"),
        "long": head(get, [("X", "y" * 9000)]),
        "many": head(get, [("X%d" % i, "y") for i in range(70)]),
        "tls": bytes.fromhex("1603010200010001fc0303") + b"\x55" * 64,
        "garbage": bytes(range(256)),
        "cut": head(get, REQUEST)[:-3],
        "target_absolute": head("GET ws://a.example/x HTTP/1.1", REQUEST),
    }
    for name, data in requests.items():
        put("tiny", "head_" + name, bytes([2, 0, 6, 2, 40]) + data)
        for options in (0, 8) if name in ("page", "head", "post") else (1,) if "list" in name else (0,):
            put("server_head", "%s_%d" % (name, options), bytes([options, 0, 6, 2, 40]) + data)
    put("server_head", "small_limits", bytes([4, 0, 6, 2, 40]) + requests["good"])

    post = "POST /x HTTP/1.1"
    length = lambda n: [("Host", "a"), ("Content-Length", str(n))]
    coded = [("Host", "a"), ("Transfer-Encoding", "chunked")]
    bodies = {
        "length": head(post, length(5)) + b"hello",
        "short": head(post, length(6)) + b"hello",
        "long": head(post, length(5)) + b"hello, and more",
        "large": head(post, length(3000)) + b"x" * 3000,
        "huge": head(post, length(9223372036854775807)) + b"x",
        "vast": head(post, length(922337203685477580)) + b"x",
        "none": head(post, [("Host", "a")]),
        "chunks": head(post, coded) + b"5\r\nhello\r\n6;a=\"b;c\" ; d\r\n world\r\n0\r\nX: y\r\n\r\n",
        "expects": head(post, coded + [("Expect", "100-continue")]) + b"1\r\n.\r\n0\r\n\r\n",
        "both": head(post, coded + [("Content-Length", "5")]) + b"0\r\n\r\n",
        "twice": head(post, length(5) + [("Content-Length", "6")]) + b"hello!",
        "lf": head(post, coded) + b"5\nhello\r\n0\r\n\r\n",
    }
    for name, data in bodies.items():
        for options in (0, 2, 16, 20):
            put("server_body", "%s_%d" % (name, options), bytes([options, 0, 6, 2, 40]) + data)
    chunks = {
        "one": b"5\r\nhello\r\n0\r\n\r\n", "many": b"1\r\n.\r\n" * 60 + b"0\r\n\r\n",
        "extended": b"5;a;b=c;d=\"\\\"\" \r\nhello\r\n0\r\nA: b\r\n\r\n", "folded": b"0\r\nA: b\r\n c\r\n\r\n",
        "huge": b"7fffffffffffffff\r\nx", "cr": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    }
    for name, data in chunks.items():
        for options in (1, 3, 17):
            put("server_body", "%s_%d" % (name, options), bytes([options, 0, 6, 2, 40]) + data)

    get = head("GET /a?b HTTP/1.1", [("Host", "a")])
    many = {
        "pages": get * 5, "lines": get + b"\r\n" + get + b"\r\n\r\n" + get,
        "bodies": bodies["length"] + bodies["chunks"] + get + bodies["none"],
        "last": get + head("GET / HTTP/1.1", [("Host", "a"), ("Connection", "close")]) + get,
        "old": get + head("GET / HTTP/1.0", [("Host", "a")]) + get,
        "ranges": head("GET /r HTTP/1.1", [("Host", "a"), ("Range", "bytes=5000-")]) * 2 +
            head("HEAD /r HTTP/1.1", [("Host", "a")]) + get,
        "socket": get + requests["good"], "wants": get + bodies["expects"] + get,
        "upgrade": head("GET / HTTP/1.1", [("Host", "a"), ("Upgrade", "h2c")]) + get,
        "bad": get + bodies["both"] + get,
    }
    for name, data in many.items():
        for options in (0, 2, 4, 9, 38):
            put("requests", "%s_%d" % (name, options), bytes([options, 0, 6, 2, 40]) + data)

    ask, routes, no, late = 16, 32, 64, 128
    asked = {
        "asked": head("GET /chat?a=1%2b&b=&a=2 HTTP/1.1", REQUEST + [
            ("Cookie", "session=%41b; a=\"x%20y\""), ("Sec-WebSocket-Protocol", "superchat, chat"),
            ("X-Forwarded-For", "192.0.2.1, 192.0.2.2"), ("X-Forwarded-For", "192.0.2.3")]),
        "asked_frames": head("GET /chat HTTP/1.1", REQUEST) + frame(1, b"ahead") + frame(9) + close(),
        "asked_route": head("GET http://a.example/a/x?=%00&a=%zz+ HTTP/1.1", REQUEST + [
            ("Cookie", "a"), ("cookie", "b=1;a=\"%00\"")]),
        "asked_nowhere": head("GET /nowhere HTTP/1.1", REQUEST),
        "asked_page": head("GET /page?a HTTP/1.1", [("Host", "a.example"), ("Cookie", "a=%")]),
        "asked_bad": head("GET /chat HTTP/1.1", changed("Sec-WebSocket-Key", "abc")),
        "asked_odd": head("GET /chat HTTP/1.1", REQUEST + [("Sec-WebSocket-Protocol", "a, b c, \"d\"")]),
    }
    for name, data in asked.items():
        for options in (ask, ask | routes, ask | late, ask | routes | no, ask | no | late):
            put("server_head", "%s_%d" % (name, options), bytes([options, 0, 6, 2, 40]) + data)

    good = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "@")]
    line = "HTTP/1.1 101 Switching Protocols"
    answers = {
        "good": head(line, good),
        "good_then_frames": head(line, good) + frame(1, b"hi", key=b"") + close(key=b""),
        "protocol": head(line, good + [("Sec-WebSocket-Protocol", "chat")]),
        "protocol_other": head(line, good + [("Sec-WebSocket-Protocol", "nope")]),
        "extension": head(line, good + [("Sec-WebSocket-Extensions", "permessage-deflate")]),
        "accept_wrong": head(line, good[:2] + [("Sec-WebSocket-Accept",
                                                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]),
        "accept_none": head(line, good[:2]),
        "accept_twice": head(line, good + good[2:]),
        "upgrade_wrong": head(line, [("Upgrade", "h2c")] + good[1:]),
        "connection_wrong": head(line, good[:1] + [("Connection", "close")] + good[2:]),
        "not_found": head("HTTP/1.1 404 Not Found", [("Content-Length", "2")]) + b"no",
        "redirect": head("HTTP/1.1 302 Found", [("Location", "ws://b.example/")]),
        "body_chunked": head("HTTP/1.1 401 No", [("Transfer-Encoding", "chunked")]) +
            b"5;x=y\r\n0\r\n\r\n\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\nbehind",
        "body_long": head("HTTP/1.1 500 No", [("Content-Length", "5000")]) + b"0\r\n\r\n" * 1000,
        "body_to_the_end": head("HTTP/1.1 403 No", []) + b"until the end",
        "body_none": head("HTTP/1.1 304 No", [("Content-Length", "5")]) + b"hello",
        "status_200": head("HTTP/1.1 200 OK", good),
        "status_99": head("HTTP/1.1 99 X", good),
        "http10": head("HTTP/1.0 101 X", good),
        "continue_100": head("HTTP/1.1 100 Continue", []) + head(line, good),
        "bare_lf": head(line, good).replace(b"\r\n", b"\n"),
        "no_reason": head("HTTP/1.1 101 ", good),
        "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
        "cut": head(line, good)[:-1],
        "long": head(line, [("X", "y" * 9000)]),
    }
    for name, data in answers.items():
        put("client_head", name, bytes([1, 0, 6, 2, 40]) + data)


def leaves():
    texts = {0: ["ws://a", "ws://a.example/x?y=z", "wss://u:p@h:8443/p?q", "ws://[::1]:80/",
                 "http://a:65535", "https://a?x", "ws+unix:/run/app.sock:/p", "ws://a:0/",
                 "ws://a:65536/", "ws:///x", "ws://a#f", "ws://a b/", "ftp://a/", "ws://[::1",
                 "ws://u@p@h/", "WS://A/", "ws://a:/", "", "ws://"],
             1: ["", "a", "a, b", " , ,a ,\t b", 'a;x="1,2", Upgrade', "keep-alive, UPGRADE",
                 '"a', '"a\\",b"'],
             3: ["", "AA==", "AAA=", "AAAA", "dGhlIHNhbXBsZSBub25jZQ==", "AB==", "A===", "AA=A",
                 "AA", "*AAA"],
             4: ["h\u00e9llo \u20ac \U0001F600 plain text that is a little longer than sixteen"],
             5: ["mask this with a key, please, at any alignment", "x"]}
    for leaf, items in texts.items():
        for i, text in enumerate(items):
            put("url", "%d_%d" % (leaf, i), bytes([leaf]) + text.encode())
    for i, data in enumerate([head("GET / HTTP/1.1", REQUEST), head("HTTP/1.1 101 X", REQUEST),
                              head("HTTP/1.1 200", []), b"GET / HTTP/1.1\r\nA:b\r\n c\r\n\r\n",
                              b"GET / HTTP/1.1\r\nA : b\r\n\r\n", b"\r\nGET / HTTP/1.1\r\n\r\n"]):
        put("url", "2_%d" % i, bytes([2]) + data)
    for i, data in enumerate([b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82",
                              b"x" * 40 + b"\xff" + b"y" * 40, b"\xf0\x9f\x98\x80" * 9]):
        put("url", "4_b%d" % i, bytes([4]) + data)
    for i, data in enumerate([frame(1, b"x"), frame(2, b"x" * 300), frame(2, b"", size=1 << 62),
                              frame(2, b"", size=1 << 63), frame(2, b"", size=5, form=3),
                              frame(2, b"", size=5, form=9, key=b""), b"\x81"]):
        put("url", "6_%d" % i, bytes([6]) + data)


def sse():
    streams = {
        "hello": b"event: tick\ndata: x\n\nid: 7\ndata: a\ndata: b\n\n",
        "crlf": b"id: 1\r\nevent: e\r\ndata: x\r\n\r\n: c\r\n\r\nretry: 1000\r\n\r\n",
        "cr": b"data: a\rdata\r\rdata:b\r\r",
        "bom": b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n",
        "half_bom": b"\xef\xbbdata: x\n\n",
        "ids": b"id: 1\n\nid: 2\nid: a\0b\nid: 3\ndata: x\n\nid\ndata: y\n\n",
        "long_id": b"id: 12345678901234567890\ndata: x\n\n",
        "long_name": b"event: 12345678901234567890\ndata: x\n\n",
        "parts": b"event: e\ndata: " + b"0123456789" * 30 + b"\ndata\ndata: y\nevent: f\n\n",
        "retry": b"retry: 1\nretry: 2x\nretry: 99999999999999999999\nretry:\nretry\n\n",
        "names": b"Data: x\n data: y\ndatax: z\nda: 1\n:data: 2\ndata\0: 3\n\n",
        "not_utf8": b"data: \xff\xe2\x82\ndata: \xed\xa0\x80\n\nevent: \xc3\ndata\n\n",
        "tokens": b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n' * 3 + b"data: [DONE]\n\n",
        "cut": b"data: x\n\ndata: y\n",
        "nothing": b"",
    }
    for name, data in streams.items():
        put("sse_parse", name + "_0", bytes([0, 3, 1, 7]) + data)
        put("sse_parse", name + "_40", bytes([40, 0, 5, 2]) + data)
    events = {
        "all": (31, b"tick", b"42", b"hello", b"one\ntwo"),
        "lines": (8, b"", b"", b"", b"a\rb\r\nc\n\rd\n"),
        "utf8": (31, "\u00e9v\u00e9n".encode(), "\u20ac".encode(), "\U0001F600".encode(), b"\xef\xbb\xbf"),
        "empty": (15, b"", b"", b"", b""),
        "no_data": (1, b"tick", b"", b"", b""),
        "id_only": (2, b"", b"7", b"", b""),
        "ping": (4, b"", b"", b"", b""),
        "event_lf": (9, b"a\nb", b"", b"", b"x"),
        "id_nul": (10, b"", b"a\0b", b"", b"x"),
        "comment_cr": (12, b"", b"", b"a\rb", b"x"),
        "data_bad": (8, b"", b"", b"", b"\xff"),
        "spaces": (11, b" : ", b" ", b"", b"  :\n "),
        "nul": (9, b"a\0b", b"", b"", b"\0"),
    }
    for name, (fields, event, ident, comment, data) in events.items():
        put("sse_roundtrip", name, bytes([fields, len(event), len(ident), len(comment), 3, 232]) +
            event + ident + comment + data)


def watched():
    read, write, both, out, fill, drain, renew, lose, turn = 0, 2, 3, 4, 6, 8, 9, 10, 128
    scenes = {
        "read": [(read, 0), (fill, 0), (turn, 0), (turn, 0), (drain, 0), (turn, 0)],
        "write": [(write, 1), (turn, 0), (12, 1), (turn, 0), (both, 1), (turn, 0), (out, 1), (turn, 0)],
        "file": [(read, 6), (turn, 0), (read, 0), (fill, 0), (turn, 0), (out, 6), (turn, 0)],
        "many": [(both, i) for i in range(7)] + [(turn, 0)] * 3 + [(out, i) for i in range(7)],
        "hang_up": [(read, 2), (11, 2), (turn, 0), (both, 2), (turn, 0)],
        "renewed": [(both, 3), (turn, 0), (renew, 3), (turn, 0), (both, 3), (turn, 0)],
        "lost": [(both, 4), (turn, 0), (lose, 4), (turn, 0), (turn, 0), (both, 4), (turn, 0)],
        "less": [(both, 0), (both, 1), (turn, 1), (turn | read, 1), (turn | out, 0), (turn, 0)],
        "woken": [(13, 0), (turn, 0), (14, 0), (turn, 0)],
    }
    for target in ("watch", "watch_poll"):
        for name, steps in scenes.items():
            for options in (0, 3):
                put(target, "%s_%d" % (name, options),
                    bytes([options]) + b"".join(bytes(step) for step in steps))


def bodies():
    ok, chunked = "HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]
    answers = {
        "length": head(ok, [("Content-Length", "5")]) + b"hello, and more",
        "length_0": head(ok, [("Content-Length", "0")]),
        "length_cut": head(ok, [("Content-Length", "9")]) + b"hello",
        "length_twice": head(ok, [("Content-Length", "5"), ("Content-Length", "6")]) + b"hello",
        "to_the_end": head(ok, [("Content-Type", "text/event-stream")]) + b"data: x\n\n" * 20,
        "chunks": head(ok, chunked) + b"5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: 1\r\n\r\nmore",
        "chunks_bad": head(ok, chunked) + b"5\r\nhelloX\r\n0\r\n\r\n",
        "chunks_cut": head(ok, chunked) + b"5\r\nhello\r\n0\r\n",
        "chunk_huge": head(ok, chunked) + b"fffffffffffffff0\r\nhello",
        "trailers": head(ok, chunked) + b"0\r\n" + b"X: yyyyyyyy\r\n" * 40 + b"\r\n",
        "interim": head("HTTP/1.1 103 E", []) + head(ok, [("Content-Length", "2")]) + b"hi",
        "no_content": head("HTTP/1.1 204 N", [("Content-Length", "5")]) + b"hello",
        "refused": head("HTTP/1.1 500 N", chunked) + b"4;x\r\nwhy?\r\n0\r\n\r\n",
        "refused_to_the_end": head("HTTP/1.1 429 N", []) + b"slow down",
        "moved": head("HTTP/1.1 302 F", [("Location", "/y"), ("Content-Length", "0")]),
        "gzip": head(ok, [("Transfer-Encoding", "gzip, chunked")]) + b"0\r\n\r\n",
        "http10": head("HTTP/1.0 200 OK", []) + b"hello",
    }
    for i, (name, data) in enumerate(answers.items()):
        put("client_body", name, bytes([i % 8, 0, 6, 2, 40]) + data)


def deflated():
    def squeeze(data, bits=9, flush=zlib.Z_SYNC_FLUSH):
        z = zlib.compressobj(9, zlib.DEFLATED, -bits, 1)
        out = z.compress(data) + z.flush(flush)
        return out[:-4] if flush == zlib.Z_SYNC_FLUSH else out + b"\0"
    json = b'{"id":17,"name":"a name","list":[1,2,3,4,5,6,7,8,9,10,11,12]}'
    for role, key in (("server", b"\x12\x34\x56\x78"), ("client", b"")):
        def f(op, data=b"", **more):
            more.setdefault("key", key)
            return frame(op, data, **more)
        whole = squeeze(json)
        streams = {
            "hello": f(1, bytes.fromhex("f248cdc9c90700"), rsv=4) + f(1, bytes.fromhex("f200110000"), rsv=4),
            "final": f(1, squeeze(json, flush=zlib.Z_FINISH), rsv=4) + f(1, whole, rsv=4),
            "fragments": f(1, whole[:9], rsv=4, fin=0) + f(9, b"x") + f(0, whole[9:20], fin=0) + f(0, whole[20:]),
            "plain_too": f(1, whole, rsv=4) + f(1, json) + f(2, squeeze(b"\xff" * 50), rsv=4),
            "empty": f(1, b"", rsv=4) + f(1, b"\0", rsv=4) + f(2, b"", rsv=4, fin=0) + f(0),
            "bomb": f(2, squeeze(b"\0" * 9000), rsv=4),
            "stored": f(2, bytes.fromhex("000500faff48656c6c6f00"), rsv=4),
            "utf8": f(1, squeeze(b"abc\xff"), rsv=4),
            "garbage": f(1, b"\xff\x00\x13\x37", rsv=4),
            "cut": f(1, whole[:-3], rsv=4),
            "rsv": f(0, whole, rsv=4),
            "window": f(2, squeeze(bytes(range(256)) * 20, 12), rsv=4),
        }
        for i, (name, data) in enumerate(streams.items()):
            for options in (0, 12, 4 + 64, 4 + 128, 10):
                put("inflate", "%s_%s_%d" % (role, name, options), bytes([options | (role == "client"), 3, 60, 7,
                    (i * 64 + options) % 256]) + data + close(key=key))
    texts = ["permessage-deflate", "permessage-deflate; client_max_window_bits",
             "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
             'permessage-deflate; server_max_window_bits="10"; client_max_window_bits=9',
             "permessage-deflate; server_max_window_bits=8, permessage-deflate", "x-other; a=1, permessage-deflate",
             "permessage-deflate; server_max_window_bits=16", "permessage-deflate;", "", ",,", "permessage-deflate; x"]
    for i, text in enumerate(texts):
        put("offers", "text_%d" % i, bytes([i * 37 % 256, i * 11 % 256]) + text.encode())


def begun():
    def squeeze(data):
        z = zlib.compressobj(9, zlib.DEFLATED, -9, 1)
        return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]
    early, deflate, shakes = 32, 16, 128
    texts = {
        "plain": (b"", b""),
        "protocol": (b"dots", b""),
        "protocol_other": (b"elsewhere", b""),
        "protocol_bad": (b"not a token", b""),
        "commas": (b"", b" ,\t,"),
        "deflate": (b"chat", b"permessage-deflate"),
        "takeover": (b"", b"permessage-deflate; client_no_context_takeover; server_no_context_takeover"),
        "window": (b"", b'permessage-deflate; client_max_window_bits="10"; server_max_window_bits=9'),
        "window_bad": (b"chat", b"permessage-deflate; server_max_window_bits=20"),
        "twice": (b"chat", b"permessage-deflate, permessage-deflate"),
        "unknown": (b"chat", b"x-other; a=b"),
        "malformed": (b"", b";"),
    }
    for role, key in (("server", b"\x12\x34\x56\x78"), ("client", b"")):
        data = (frame(1, b"hello", key=key) + frame(9, b"p", key=key) +
                frame(2, b"a", fin=0, key=key) + frame(0, b"b", key=key))
        squeezed = frame(1, squeeze(b"hello hello hello"), rsv=4, key=key)
        for name, (protocol, extensions) in texts.items():
            for options in (4, 4 | deflate, 4 | deflate | early, 14 | deflate, 4 | deflate | shakes):
                wire = data + (squeezed if options & deflate and extensions else b"") + close(key=key)
                put("begin", "%s_%s_%d" % (role, name, options),
                    bytes([options | (role == "client"), 9, 6, 2, 40, 0, len(protocol), len(extensions)]) +
                    protocol + extensions + wire)
        for settings in (1, 2, 4 << 2, 4 << 5):
            put("begin", "%s_settings_%d" % (role, settings),
                bytes([4 | deflate | (role == "client"), 9, 6, 2, 40, settings, 0, 18]) +
                b"permessage-deflate" + data + squeezed + close(key=key))
        put("begin", role + "_close_first", bytes([64 | (role == "client"), 0, 6, 2, 40, 0, 0, 0]) + data)
        put("begin", role + "_nothing", bytes([role == "client", 0, 6, 2, 40, 0, 0, 0]))


recv()
deflated()
heads()
leaves()
bodies()
sse()
begun()
watched()
