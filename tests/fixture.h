/* The fixture: all that a test needs, by this one include. It takes ws.h with the bodies.

   ONE CONNECTION OF THE ENGINE is a side. It lives in a world (memory that is counted,
   random numbers that repeat, the time); it keeps its events in words, and its output,
   and checks the order of both.

       TEST(pings_are_answered)
       {
           world w;
           side s;

           side_plain(&s, &w, 0);           // a server, open; 1: a client
           side_say(&s, "89'hi' 81'text'"); // the peer's frames
           CHECK_EVENTS(&s, "O p'hi' T'text' ");
           CHECK_SENT(&s, "8a'hi' ");       // its own frames
           side_over(&s);                   // frees it: every byte was given back
       }

   side_open takes a configuration (from world_fresh), side_new stops before the
   handshake. Given to it: bytes by side_feed and side_text, in pieces by side_feed_by and
   side_feed_cut; one frame by side_frame; the end of its stream by side_end; time by
   side_time. s.hold and s.budget keep its output back, s.event is called with each event,
   w.h.fail_at makes an allocation fail, w.r.fail_at a random number.

   FRAMES are written as the first byte in hex and the payload:
       81'text'  82xc3a4  01#200 80     #N: N bytes of filling
       88x03e8'bye'                     Close with code and reason
       ^81'x'  81:2'x'  =8100           masked the wrong way, long length, plain bytes
   EVENTS as R O H W (request, open, HTTP, writable), T'..' and B'..' messages, PT<'..'
   PT'..' PT>'..' parts, p'..' q'..' ping and pong, C1000+'bye' a clean end, C1006!EOF a
   fault.
   put_frame, put_frames, put_close and put_answer add what a peer says to a buf;
   check_frames reads what we say by rules of its own. head_field, head_status and
   CHECK_FIELD look into a head of HTTP; HO UP CO KE VE E are the lines of a request.

   ANY CONNECTION OVER SOCKETS is a pair: in any driver and either role, with its peer by
   hand. #define FIXTURE_SOCKETS comes before the include. Its events are counted in an
   end, which is its cfg.user.

       TEST(pings_are_answered_in_every_driver)
       {
           static pair p;
           int kind;                        // BLOCKING OWN LOOP ACCEPTED ADOPTED

           for (kind = 0; kind < KINDS; kind++) {
               pair_open(&p, kind, NULL);
               pair_say(&p, "89'hi'");
               UNTIL(p.end.pings == 1 && p.peer.n > 0, 1000);
               pair_over(&p);
           }
       }

   pair_begin stops before the handshake, pair_write gives bytes. Everybody runs in one
   thread: UNTIL(cond, ms) and pass(ms) take turns, in each of which the loop, clients and
   peers do their part. skipped puts the library's clock forward, line breaks its sockets,
   app sees all events. Without a pair: listen_on, url_of, visit, leave for both ends in
   the library; peer_begin, peer_connect, peer_text, peer_over for a peer alone or a
   proxy; over() ends a test.

   BY HAND: loopback_connect and loopback_listen; now_ms, cpu_ms, sleep_ms, open_files.
   fixture/play.h, included besides, is a server in a child process that plays answers.

   The parts are in fixture/: world.h frames.h side.h heads.h sockets.h, and for sockets
   machine.h drivers.h peers.h. test_fixture.c has the two tests above. A program that
   needs ws.h made in another way includes it first. */
#ifndef FIXTURE_H
#define FIXTURE_H
#if !defined(_GNU_SOURCE) && !defined(WS_H_INCLUDED)
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include "test.h"
#ifdef FIXTURE_SOCKETS
#include "fixture/machine.h"
#define poll drive_poll
#define send drive_send
#define recv drive_recv
#define clock_gettime drive_clock
#endif
#ifndef WS_H_INCLUDED
#define WS_IMPLEMENTATION
#include "../ws.h"
#endif
#ifdef FIXTURE_SOCKETS
#undef poll
#undef send
#undef recv
#undef clock_gettime
#endif
#include "fixture/world.h"
#include "fixture/frames.h"
#include "fixture/side.h"
#include "fixture/heads.h"
#if !defined(_WIN32) && !defined(WS_NO_SOCKETS)
#include "fixture/sockets.h"
#endif
#ifdef FIXTURE_SOCKETS
#include "fixture/drivers.h"
#include "fixture/peers.h"
#endif
#endif
