/* RFC 6455 as transcripts: the rows that tests/test_transcripts.c plays. Plain data, so that
   another implementation can be held to them. Include after fixture.h. */
#ifndef TRANSCRIPTS_H
#define TRANSCRIPTS_H

/* ==== an open connection =============================================================== */

/* steps, between blanks: frames of the peer as in put_spec; +N: N ms pass; end: the peer's
   stream ends; ?: notes ws_timeout; !call:what of the application, whose errors are noted.
   Between bars: other steps with the same end. events: as in side_log. out: our frames as in
   check_frames, the reason behind a Close. */
typedef struct row { const char *roles, *set, *steps, *events, *out; } row;

#define HUGE_C(eight) "=827f" eight             /* a frame of so many bytes for a client, */
#define HUGE_S(eight) "=82ff" eight "11223344"  /* for a server */
#define LARGE "max_message=never parts_over=9"
#define PING "89x00005208"                      /* ours, 20000 ms after 1000 */

#define FIFTH "+858993459 8a "                  /* of 2^32 - 1 ms, with a pong */

#define CLIENT(set, steps, events, out) { "c", set, steps, events, out }
#define SERVER(set, steps, events, out) { "s", set, steps, events, out }
#define SET(set, steps, events, out) { "cs", set, steps, events, out }
#define ROW(steps, events, out) SET("", steps, events, out)
#define OVER(set, steps, code, error) SET(set, steps, "C" #code "!" #error, "88:" #code)
#define BAD(steps, code, error) OVER("", steps, code, error)

static const row rows[] = {
    /* whole messages; mask (5.1) */
    ROW("81 82 81'h' 82x00ff 81'hello'", "T'' B'' T'h' Bx00ff T'hello'", ""),
    SERVER("", "=818001020304 =828101020304fe", "T'' Bxff", ""),
    CLIENT("", "^81'x' | ^89 | ^88", "C1002!MASK_PRESENT", "88:1002"),
    SERVER("", "^81'x' | ^89 | ^88", "C1002!MASK_MISSING", "88:1002"),
    CLIENT("", "81'a' ^82 81'b'", "T'a' C1002!MASK_PRESENT", "88:1002"),
    SERVER("", "81'a' ^82 81'b'", "T'a' C1002!MASK_MISSING", "88:1002"),
    /* reserved bits (5.2), alone and with an extension that owns the first; opcodes */
    BAD("c1'x' | a1'x' | 91'x' | c9 | a9 | 99", 1002, RSV),
    SET("twice", "c1'aabb' 81'aabb' c2x0000", "T'ab' T'aabb' Bx00", ""),
    SET("twice", "41'aa' 00'bb' 89'p' 80'cc' 01'x' 80'y'", "p'p' T'abc' T'xy'", "8a'p'"),
    OVER("twice", "41'aa' c0'bb' | e1'aa' | d1'aa' | a1'aa' | 91'aa' | c9'pp' | ca | c8",
      1002, RSV),
    SET("twice", "c1xc3c3a4a4", "Txc3a4", ""),
    OVER("twice", "c1xc3c3 | c1xffff | 41xc3c3 80", 1007, UTF8),
    OVER("twice max_message=3", "c1x61616262c3c3a4a4", 1009, MESSAGE_SIZE),
    SET("twice max_message=3", "c1'aabbcc' | 41'aabb' 80'cc'", "T'abc'", ""),
    OVER("twice max_message=3", "c1'aabbccdd' | 41'aabb' 80'ccdd'", 1009, MESSAGE_SIZE),
    BAD("83 | 84 | 85 | 86 | 87 | 8b | 8c | 8d | 8e | 8f", 1002, OPCODE),
    /* lengths: the shortest form, below 2^63 */
    ROW("82#125 82#126 82#127", "B#125 B#126 B#127", ""),
    ROW("82#65535 82#65536", "B#65535 B#65536", ""),
    BAD("82:2 | 82:2#125 | 82:8#126 | 82:8#65535", 1002, LENGTH),
    CLIENT("", HUGE_C("7fffffffffffffff"), "C1009!MESSAGE_SIZE", "88:1009"),
    SERVER("", HUGE_S("7fffffffffffffff"), "C1009!MESSAGE_SIZE", "88:1009"),
    CLIENT(LARGE, HUGE_C("7fffffffffffffff"), "", ""),
    SERVER(LARGE, HUGE_S("7fffffffffffffff"), "", ""),
    CLIENT(LARGE, HUGE_C("8000000000000000"), "C1002!LENGTH_SIGN", "88:1002"),
    SERVER(LARGE, HUGE_S("8000000000000000"), "C1002!LENGTH_SIGN", "88:1002"),
    CLIENT("", HUGE_C("8000000000000005") " | " HUGE_C("ffffffffffffffff"), "C1002!LENGTH_SIGN",
      "88:1002"),
    /* control frames (5.5) */
    ROW("89#125 8a#125 89 8a", "p#125 q#125 p'' q''", "8a#125 8a''"),
    BAD("89#126 | 8a#126 | 88#126 | 89:8#126", 1002, CONTROL_SIZE),
    BAD("08x03e8 | 09'p' | 0a'p'", 1002, CONTROL_FRAGMENT),
    ROW("89'a' 89'b' 81'c' 89'd'", "p'a' p'b' T'c' p'd'", "8a'a' 8a'b' 8a'd'"),
    SET("manual_pong=1", "89'a' !pong:'b'", "p'a'", "8a'b'"),
    ROW("!ping:#125 !ping:#126 !pong:#125 !pong:#126", "!ARGUMENT !ARGUMENT", "89#125 8a#125"),
    /* fragments (5.4) */
    ROW("01'a' 00'b' 80'c' 02'a' 80 01 00 80", "T'abc' B'a' T''", ""),
    ROW("01'a' 89'1' 00'b' 8a'2' 80'c'", "p'1' q'2' T'abc'", "8a'1'"),
    ROW("01'a' 88x03e8", "C1000+''", "88:1000"), BAD("80'x' | 00'x' | 80", 1002, CONTINUATION),
    ROW("01'a' 80'b' 80'c'", "T'ab' C1002!CONTINUATION", "88:1002"),
    ROW("81'a' 00'c'", "T'a' C1002!CONTINUATION", "88:1002"),
    BAD("01'a' 81'b' | 01'a' 02'b' | 02 82", 1002, INTERLEAVED),
    ROW("02'a' 89'p' 01'b'", "p'p' C1002!INTERLEAVED", "8a'p' 88:1002"),
    ROW("!part:'a' !ping:'p' !part:'b' !last:'c' !text:'d'", "", "01'a' 89'p' 00'b' 80'c' 81'd'"),
    ROW("!part:'a' !text:'b' !close:1000 !last:'c' 88x03e8", "!BUSY !STATE C1000+''",
      "01'a' 88:1000"),
    SET("fragment=3", "!text:'abc' !text:'abcd'", "", "81'abc' 01'abc' 80'd'"),
    /* UTF-8 (8.1): of the whole message, as soon as it is known */
    ROW("81xc3a4e282acf09f9880", "Txc3a4e282acf09f9880", ""),
    ROW("01xf0 00x9f 00x98 80x80", "Txf09f9880", ""),
    ROW("01xe282 00 80xac 82xff 02xe2 80xff", "Txe282ac Bxff Bxe2ff", ""),
    BAD("81xe282 | 81'long enough to be whole'xe282 | 01xe282 80 | 01'a' 80xc3", 1007, UTF8),
    BAD("01xe2 00x28 | 01xe2 80x28 | 01xff | 01'a' 00xc3 00xc3", 1007, UTF8),
    CLIENT("", "=811041ff", "C1007!UTF8", "88:1007"),
    SERVER("", "=81900000000041ff", "C1007!UTF8", "88:1007"),
    ROW("81'a' 81xff 81'b'", "T'a' C1007!UTF8", "88:1007"),
    /* the peer's Close (5.5.1), and its echo; every code stands below */
    ROW("88 | 88 88x03e9", "C1005+''", "88"),
    ROW("88x03e8 | 88x03e8 81'late' 89'late' =ffff | 88x03e8 end", "C1000+''", "88:1000"),
    ROW("88x03e8#123", "C1000+#123", "88:1000 #123"),
    ROW("88x03e8xc3a4", "C1000+xc3a4", "88:1000 xc3a4"), BAD("88x03", 1002, CLOSE_SIZE),
    BAD("88x03ed'a'xff | 88x03e7 | 88x03ed | 88x0bb7 | 88x1388 | 88x0000", 1002, CLOSE_CODE),
    BAD("88x03e8xc3 | 88x03e8'a'xff'b' | 88x03e8xeda080 | 88x03e8'ab'xe282", 1007, CLOSE_UTF8),
    /* nothing goes or counts behind a Close or a fault; one Close goes out */
    BAD("83 81'late' 89'late' 88x03e8", 1002, OPCODE),
    ROW("88x03e8'a' !text:'b' !ping:'c' !pong:'d' !close:1001",
      "C1000+'a' !STATE !STATE !STATE !STATE", "88:1000 'a'"),
    ROW("!hold 88x03e8'a' !text:'b' !ping:'c' !pong:'d' !take", "!STATE !STATE !STATE C1000+'a'",
      "88:1000 'a'"),
    ROW("!close:1000 !text:'a' !bin:'b' !ping:'c' !pong:'d' 88x03e9", "!STATE !STATE C1001+''",
      "88:1000 89'c' 8a'd'"),
    ROW("!close:1000 89'p' 81'still' 88x03e8", "p'p' T'still' C1000+''", "88:1000 8a'p'"),
    ROW("!close:1000'bye' 88x03e8'ok'", "C1000+'ok'", "88:1000 'bye'"),
    ROW("!close:0 88", "C1005+''", "88"),
    ROW("!close:4999#123 88x03e8", "C1000+''", "88:4999 #123"),
    ROW("!close:1000#124 88x03e8", "C1000+''", "88:1000 #123"),
    ROW("!close:1000 83", "C1002!OPCODE", "88:1000"),
    ROW("!hold !close:1000 88x03e8 | !hold 88x03e8 +4999", "", ""),
    ROW("!hold !close:1000 88x03e8 !take", "C1000+''", "88:1000"),
    ROW("!hold 88x03e8 +5000", "C1000!CLOSE_TIMEOUT", ""),
    ROW("!hold 88x03e8 !drop", "C1000-''", ""), ROW("!close:1000 end", "C1006!EOF", "88:1000"),
    ROW("end | 01'b' end | =81 end", "C1006!EOF", ""),
    /* limits at n and n + 1 */
    SET("max_message=10", "81#10 01#5 80#5 01#10 00 80",
      "T'abcdefghij' T'abcdeabcde' T'abcdefghij'", ""),
    OVER("max_message=10", "81#11 | 01#5 80#6 | 01#10 80#1", 1009, MESSAGE_SIZE),
    CLIENT("max_message=10", "=820a", "", ""),
    CLIENT("max_message=10", "=820b | =817e007e", "C1009!MESSAGE_SIZE", "88:1009"),
    SERVER("max_message=10", "=828a00000000", "", ""),
    SERVER("max_message=10", "=828b00000000", "C1009!MESSAGE_SIZE", "88:1009"),
    SET("max_message=10 max_frame=10", "89#11 88x03e8#20", "p'abcdefghijk' C1000+#20",
      "8a'abcdefghijk' 88:1000 #20"),
    SET("max_message=10", "89#11 88x03e8#20", "p'abcdefghijk' C1000+#20",
      "8a'abcdefghijk' 88:1000 #20"),
    ROW("82#1048576", "B#1048576", ""), CLIENT("", HUGE_C("0000000000100000"), "", ""),
    CLIENT("", HUGE_C("0000000000100001"), "C1009!MESSAGE_SIZE", "88:1009"),
    SET("max_message=never", "82#1048577", "B#1048577", ""),
    SET("max_frame=10", "81#10 01#10 80#10", "T'abcdefghij' T'abcdefghijabcdefghij'", ""),
    OVER("max_frame=10", "81#11 | 01#10 80#11", 1009, FRAME_SIZE),
    SET("max_fragments=3", "01'a' 00'b' 80'c' 01'd' 00 80", "T'abc' T'd'", ""),
    SET("max_fragments=3", "01'a' 00'b' 89'p' 80'c'", "p'p' T'abc'", "8a'p'"),
    OVER("max_fragments=3", "01'a' 00'b' 00'c' 80 | 01 00 00 00", 1008, FRAGMENTS),
    SET("max_fragments=1", "81'a' 01'b' 80", "T'a' C1008!FRAGMENTS", "88:1008"),
    SET("max_fragments=never", "01'a' 00 00 00 00 80'b'", "T'ab'", ""),
    SET("max_fragments=2 frames=1", "01'a' 00'b' 00'c' 80'd'", "PT<'a' PT'b' PT'c' PT>'d'", ""),
    SET("max_fragments=2 frames=1", "01'a' 00 00", "PT<'a' PT'' C1008!FRAGMENTS", "88:1008"),
    /* keepalive: our ping carries the time, its pong tells the round trip */
    ROW("? +19999 ?", "t20000 t1", ""), ROW("+20000 ? +19999 ?", "t20000 t1", PING),
    ROW("+20000 +20000", "C1006!PING_TIMEOUT", PING), ROW("+19999 8a +19999", "q''", ""),
    ROW("+19999 8a +20000", "q''", "89x0000a027"), ROW("+20000 +5000 8a +19999", "q''", PING),
    ROW("+20000 +5000 8a +20000", "q''", PING " 89x0000b3b0"),
    ROW("+20000 +5000 =8a +14999 +4999", "", PING),
    ROW("+20000 8a +20000 +19999 ?", "q'' t1", PING " 89x0000a028"),
    ROW("+20000 8a +20000 +20000", "q'' C1006!PING_TIMEOUT", PING " 89x0000a028"),
    SET("ping_interval=300 ping_timeout=70", "+299 ? +1 ? +69 ?", "t1 t70 t1", "89x00000514"),
    SET("ping_interval=300 ping_timeout=70", "+300 +70", "C1006!PING_TIMEOUT", "89x00000514"),
    SET("ping_interval=never", "? +100000 ? +100000", "t-1 t-1", ""),
    SET("ping_interval=never idle_timeout=5000", "+4000 81'a' +1000 +3999", "T'a'", ""),
    /* 2^32 - 1 ms without a message, and a ping is due then: no limit is no limit */
    SET("ping_interval=858993459", FIFTH FIFTH FIFTH FIFTH FIFTH "81'a'",
      "q'' q'' q'' q'' q'' T'a'", "89x3333371b 89'ffjN' 89x99999d81 89xccccd0b4 89x000003e7"),
    SET("ping_timeout=never", "+20000 +100000 ? +100000", "t-1", PING),
    SET("ping_interval=never ping_timeout=5", "!own +100000", "", "89x000003e8"),
    ROW("!own +7 8ax000003e8 !rtt", "qx000003e8 r7", "89x000003e8"),
    ROW("!own +7 8ax000003e9 8ax000003e8 !rtt", "qx000003e9 qx000003e8 r6", "89x000003e8"),
    ROW("!own +7 8a'no' 8ax000103e8 !rtt", "q'no' qx000103e8 r-1", "89x000003e8"),
    ROW("8ax000003e8 !rtt", "qx000003e8 r-1", ""),
    /* closing and idling */
    ROW("!close:1000 +4999 ?", "t1", "88:1000"),
    ROW("!close:1000 +4000 89'p' +999", "p'p'", "88:1000 8a'p'"),
    ROW("!close:1000 +4000 89'p' +1000", "p'p' C1006!CLOSE_TIMEOUT", "88:1000 8a'p'"),
    ROW("!close:1000 +4000 81'a' +1000", "T'a' C1006!CLOSE_TIMEOUT", "88:1000"),
    ROW("!hold !close:1000 +3000 !take +4999 ?", "t1", "88:1000"),
    ROW("!close:1000 +5000 | !hold !close:1000 +3000 !take +5000", "C1006!CLOSE_TIMEOUT",
      "88:1000"),
    SET("close_timeout=70", "!close:1000 +69", "", "88:1000"),
    SET("close_timeout=70", "!close:1000 +70", "C1006!CLOSE_TIMEOUT", "88:1000"),
    SET("close_timeout=never", "!close:1000 ? +100000", "t-1", "88:1000"),
    SET("idle_timeout=5000", "? +4999 ?", "t5000 t1", ""),
    OVER("idle_timeout=5000", "+5000", 1001, IDLE_TIMEOUT),
    SET("idle_timeout=25000", "+30000", "C1001!IDLE_TIMEOUT", "88:1001"),
    SET("idle_timeout=5000", "+4000 81'a' +4999", "T'a'", ""),
    SET("idle_timeout=5000", "+4000 81'a' +5000", "T'a' C1001!IDLE_TIMEOUT", "88:1001"),
    SET("idle_timeout=5000", "+4000 !text:'a' +4999", "", "81'a'"),
    SET("idle_timeout=5000", "+4000 !text:'a' +5000", "C1001!IDLE_TIMEOUT", "81'a' 88:1001"),
    SET("idle_timeout=5000", "+4000 !part:'a' +4999", "", "01'a'"),
    SET("idle_timeout=5000", "+4000 01'a' 89'p' +1000", "p'p' C1001!IDLE_TIMEOUT", "8a'p' 88:1001"),
    SET("idle_timeout=25000", "+20000 ? +4999 8a +1", "t5000 q'' C1001!IDLE_TIMEOUT",
      PING " 88:1001")
};

/* ==== opening handshake ================================================================ */

/* What the peer says: heads that have the same end. Where a head begins with no start line, the
   usual one goes in front; the empty line goes behind, unless ms pass instead. want: the status
   we answer with, the events, the subprotocol. "@": the accept value of our request. */
typedef struct opening {
    const char *set, *want;
    uint64_t ms;
    const char *heads[12];
} opening;

#define GET "GET /chat HTTP/1.1\r\n"
#define LINE(name, value) name ": " value "\r\n"
#define KEY_IS(value) HO UP CO VE LINE("Sec-WebSocket-Key", value)
#define VERSION_IS(value) HO UP CO KE LINE("Sec-WebSocket-Version", value)
#define PROTOCOL(value) LINE("Sec-WebSocket-Protocol", value)
#define ORIGIN(value) LINE("Origin", value)

static const opening requests[] = {
    { "", "101 O", 0, { ALL, VE KE CO UP HO LINE("X-More", "1"), "\r\n\r\n" GET ALL,
        LINE("HOST", "example.com") LINE("UPGRADE", "WEBSOCKET") LINE("CONNECTION", "UPGRADE")
        LINE("SEC-WEBSOCKET-KEY", KEY) LINE("sec-websocket-version", "13") } },
    { "ask=1", "0 R", 0, { ALL } },
    /* each line missing, repeated, with a wrong value */
    { "", "400 C1006!HOST", 0, { UP CO KE VE, HO HO UP CO KE VE, LINE("Host", "") UP CO KE VE,
        LINE("Host", "a b") UP CO KE VE, LINE("Host", "a@b") UP CO KE VE,
        LINE("Host", "a:99999") UP CO KE VE, "" } },
    { "", "101 O", 0, { LINE("Host", "[::1]:80") UP CO KE VE } },
    { "", "400 C1006!UPGRADE", 0, { HO CO KE VE, HO CO VE, HO LINE("Upgrade", "h2c") CO KE VE,
        HO LINE("Upgrade", "websockets") CO KE VE, HO LINE("Upgrade", "") CO VE KE } },
    { "", "101 O", 0, { HO UP UP CO KE VE, HO UP LINE("Upgrade", "h2c") CO KE VE,
        HO LINE("Upgrade", "h2c") UP CO KE VE, HO LINE("Upgrade", "h2c, WebSocket") CO KE VE } },
    { "", "400 C1006!CONNECTION", 0, { HO UP KE VE, HO UP LINE("Connection", "close") KE VE,
        HO UP LINE("Connection", "upgraded") KE VE } },
    { "", "101 O", 0, { HO UP CO CO KE VE, HO UP CO LINE("Connection", "keep-alive") KE VE,
        HO UP LINE("Connection", "keep-alive, uPGRADE") KE VE } },
    { "", "400 C1006!KEY", 0, { HO UP CO VE, HO UP CO VE KE KE, KEY_IS(""), KEY_IS(KEY "="),
        KEY_IS("dGhlIHNhbXBsZSBub25jZ==="), KEY_IS("dGhlIHNhbXBsZSBub25jZQEa"),
        KEY_IS("dGhlIHNhbXBsZSBub25jZQE="), KEY_IS("dGhlIHNhbXBsZSBub25jZQ=a"),
        KEY_IS("dGhlIHNhbXBsZSBub25jZQ="), KEY_IS(KEY "a") } },
    { "", "101 O", 0, { KEY_IS("  " KEY " ") } },
    { "", "426 C1006!VERSION", 0, { HO UP CO KE, VERSION_IS("12"), VERSION_IS("14"),
        VERSION_IS("130"), VERSION_IS(""), VERSION_IS("13, 8") } },
    { "", "400 C1006!HEAD_SYNTAX", 0, { ALL VE, ALL ORIGIN("http://a.b") ORIGIN("http://a.b") } },
    { "", "101 O", 0, { ALL ORIGIN("http://example.com"), ALL LINE("Content-Length", "0") } },
    { "", "403 C1006!ORIGIN", 0, { ALL ORIGIN("http://other.com") } },
    { "", "400 C1006!BODY", 0, { ALL LINE("Content-Length", "1"),
        ALL LINE("Transfer-Encoding", "chunked"),
        ALL LINE("Content-Length", "1") LINE("Content-Length", "0") } },
    /* the request line; lines; no upgrade asked for */
    { "", "405 C1006!METHOD", 0, { "POST / HTTP/1.1\r\n" ALL, "GEt / HTTP/1.1\r\n" ALL,
        "GETS / HTTP/1.1\r\n" ALL } },
    { "", "505 C1006!HTTP_VERSION", 0, { "GET / HTTP/1.0\r\n" ALL, "GET / HTTP/2.0\r\n" ALL,
        "GET / HTTP/2.0\r\n", "GET / HTTP/0.9\r\n" } },
    { "", "400 C1006!HEAD_SYNTAX", 0, { "GET / HTTP/1.1x\r\n" ALL, "GET /a b HTTP/1.1\r\n" ALL,
        "GET chat HTTP/1.1\r\n" ALL, "GET /chat#a HTTP/1.1\r\n" ALL,
        "GET http:///chat HTTP/1.1\r\n" ALL, "GET ftp://a.b/chat HTTP/1.1\r\n" ALL } },
    { "", "101 O", 0, { "GET http://a.b/chat HTTP/1.1\r\n" ALL, ALL LINE("X", "a\tb") } },
    { "", "400 C1006!HEAD_SYNTAX", 0, { ALL "X: a\n", ALL "X: a\rb\r\n", ALL "X : a\r\n",
        ALL " X: a\r\n", ALL ": a\r\n", ALL "X: a\x01\r\n", ALL "X\r\n", ALL "\r\r" } },
    { "", "426 H C0+''", 0, { HO, HO CO, HO CO LINE("Upgrade", "h2c"), "GET / HTTP/1.0\r\n" } },
    /* GET, ALL and the empty line have 154 bytes and 5 lines */
    { "max_head=154 max_headers=5", "101 O", 0, { ALL } },
    { "max_head=153", "431 C1006!HEAD_SIZE", 0, { ALL } },
    { "max_headers=4", "431 C1006!HEAD_FIELDS", 0, { ALL } },
    { "", "0 ", 9999, { GET, GET ALL } },
    { "", "408 C1006!HANDSHAKE_TIMEOUT", 10000, { GET, GET ALL } },
    { "handshake_timeout=70", "0 ", 69, { GET } },
    { "handshake_timeout=70", "408 C1006!HANDSHAKE_TIMEOUT", 70, { GET } },
    { "handshake_timeout=never", "0 ", 100000, { GET } },
    { "protocols", "101 O", 0, { ALL, ALL PROTOCOL("c"), ALL PROTOCOL("A") } },
    { "protocols", "101 O (b)", 0, { ALL PROTOCOL("c, b, a") } },
    { "", "101 O", 0, { ALL PROTOCOL("a") } }
};

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define AC LINE("Sec-WebSocket-Accept", "@")
#define FINE UP CO AC
#define EXTENSION(value) LINE("Sec-WebSocket-Extensions", value)

static const opening answers[] = {
    { "", "0 O", 0, { FINE, AC CO UP LINE("X-More", "1"), "HTTP/1.1 101\r\n" FINE,
        LINE("UPGRADE", "WEBSOCKET") LINE("CONNECTION", "UPGRADE")
        LINE("SEC-WEBSOCKET-ACCEPT", "@"), "HTTP/1.1 103 Early Hints\r\n\r\n" SWITCH FINE } },
    { "", "0 C1006!UPGRADE", 0, { CO AC, UP UP CO AC, LINE("Upgrade", "websockets") CO AC,
        LINE("Upgrade", "h2c, websocket") CO AC, LINE("Upgrade", "") CO AC } },
    { "", "0 C1006!CONNECTION", 0, { UP AC, UP LINE("Connection", "close") AC } },
    { "", "0 O", 0, { UP CO LINE("Connection", "keep-alive") AC,
        UP LINE("Connection", "keep-alive, upgrade") AC } },
    /* the right value of another key; too long; too short, cut by the space; in capitals */
    { "", "0 C1006!ACCEPT", 0, { UP CO, UP CO AC AC, UP CO LINE("Sec-WebSocket-Accept", ""),
        UP CO LINE("Sec-WebSocket-Accept", ACCEPT), UP CO LINE("Sec-WebSocket-Accept", "@="),
        UP CO LINE("Sec-WebSocket-Accept", "x@"), UP CO LINE("Sec-WebSocket-Accept", "< @"),
        UP CO LINE("Sec-WebSocket-Accept", "^@") } },
    { "", "0 C1006!STATUS", 0, { "HTTP/1.1 200 OK\r\n" FINE LINE("Content-Length", "0"),
        "HTTP/1.1 404 Not Found\r\n" LINE("Content-Length", "0") } },
    { "", "0 C1006!HTTP_VERSION", 0, { "HTTP/1.0 101 OK\r\n" FINE, "HTTP/2.0 101 OK\r\n" FINE } },
    { "", "0 C1006!HEAD_SYNTAX", 0, { "HTTP/1.1 1010 OK\r\n" FINE, "HTTP/1.1 10 OK\r\n" FINE,
        "hello HTTP/1.1\r\n" FINE, "Upgrade : websocket\r\n" CO AC } },
    /* what was not asked for, and what was */
    { "", "0 C1006!EXTENSION", 0, { FINE EXTENSION("x"), FINE EXTENSION("twice") } },
    { "twice", "0 C1006!EXTENSION", 0, { FINE EXTENSION("thrice"),
        FINE EXTENSION("twice, twice") } },
    { "twice", "0 O", 0, { FINE EXTENSION("twice"), FINE } },
    { "", "0 C1006!SUBPROTOCOL", 0, { FINE PROTOCOL("a") } },
    { "protocols", "0 O (b)", 0, { FINE PROTOCOL("b") } },
    { "protocols", "0 C1006!SUBPROTOCOL", 0, { FINE, FINE PROTOCOL("c"), FINE PROTOCOL("B"),
        FINE PROTOCOL("a, b"), FINE PROTOCOL("a") PROTOCOL("b"), FINE PROTOCOL("b") PROTOCOL("b"),
        FINE PROTOCOL("") } },
    { "protocols protocol_optional=1", "0 O", 0, { FINE } },
    { "protocols protocol_optional=1", "0 C1006!SUBPROTOCOL", 0, { FINE PROTOCOL("c") } },
    /* SWITCH, FINE and the empty line have 129 bytes and 3 lines */
    { "max_head=129 max_headers=3", "0 O", 0, { FINE } },
    { "max_head=128", "0 C1006!HEAD_SIZE", 0, { FINE } },
    { "max_headers=2", "0 C1006!HEAD_FIELDS", 0, { FINE } },
    { "", "0 ", 9999, { SWITCH, SWITCH UP } },
    { "", "0 C1006!HANDSHAKE_TIMEOUT", 10000, { SWITCH, SWITCH UP } },
    { "handshake_timeout=70", "0 ", 69, { SWITCH } },
    { "handshake_timeout=70", "0 C1006!HANDSHAKE_TIMEOUT", 70, { SWITCH } },
    { "handshake_timeout=never", "0 ", 100000, { SWITCH } }
};

#endif
