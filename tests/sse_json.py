#!/usr/bin/env python3
"""Event streams of random bytes through build/sse_parse: each line is JSON, the same for every
chunk, and says what a parser of a few lines says. Usage: sse_json.py build/sse_parse"""
import json, random, re, subprocess, sys

random.seed(1)
WORDS = [b"data", b"event", b"id", b"data: ", b"event: ", b"id: ", b":", b" ", b"\n", b"\r", b"\r\n",
         b"\n\n", b"\ndata\n\n", b"\0", b"\xef\xbb\xbf", b"\xe2\x82", b"\xc3\xa9", b"\xff", b'"', b"\\",
         b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\t", b"a", b"\x7f", b"\x1f"]


def read(stream):
    text = stream.decode("utf-8", "replace")    # as WHATWG: one U+FFFD for each maximal part
    name, data, new, events = "", "", "", []
    for line in re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                events.append({"event": name or "message", "id": new, "data": data[:-1]})
            name, data = "", ""
        elif field == "event":
            name = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            new = value
    return events


count = 0
for turn in range(60):
    stream = b"".join(random.choice(WORDS) if random.random() < 0.9 else bytes([random.randrange(256)])
                      for _ in range(5000))
    want = read(stream)
    count += len(want)
    for chunk in (1, 7, 65536):
        done = subprocess.run([sys.argv[1], "--chunk", str(chunk)], input=stream, capture_output=True)
        lines = done.stdout.decode("utf-8").split("\n")     # fails on what is no UTF-8
        assert done.returncode == 0 and lines.pop() == ""
        assert [json.loads(line) for line in lines] == want, (turn, chunk)
assert count > 1000, count
