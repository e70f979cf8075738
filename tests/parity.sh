#!/bin/sh
# Checks tests/parity.md: every row of the survey of five other libraries is there once, the names
# it gives are in the public part of ws.h, and the tests it gives passed in this run (build/test/
# *.log; cases of the interop scripts, which run by themselves, must exist). Run it after the
# other parts. Last line: "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/parity logs=build/test
rm -rf $out; mkdir -p $out

rows="A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 A18 A19 A20 A21 A22 A23 A24 A25 A26
A27 A28 A29 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B18 B20 B21 C1 C2 C3 C4 C5 C6
C7 C8 C9 C10 C11 C12 C13 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 D16 D17 D18 D19 D20 D21
D22 D23 D24 E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E11 E12 F1 F2 F3 F4 F5 F6 F7 F8 F9 G1 G2 G3 G4 G5 G6 G7 G8
G9 G10 G11 G12 H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 H11 H12 J1 J2 J3 J4 J5 J6 K1 K2 L1 L2 L3 L4 M1 M2 N1 N2 N3 N4 N5 N6 N7
O1 O2 O3 O4 P1 P2 P3 P4 P5 P6 P7 Q1 Q2
Q3 Q4 Q5 R1 R2 R3 R4 R5 R6 R7 R8 S1 S2 S3 T1 T2 T3 T4 T5 T6 T8"
later="I1 I2 I3 I4 I5 I6 I7"

# what the public parts of ws.h and ws_sse.h declare
for header in ws.h ws_sse.h; do sed '/^\/\* ==== Stop here/,$d' $header; done >$out/public.txt
{ sed -n 's/^WS_[SE_]*API .*[ *]\(ws_[a-z0-9_]*\)(.*/\1/p; s/^} \(ws_[a-z_]*\);.*/\1/p
          s/^typedef struct \(ws_[a-z_]*\).*/\1/p; s/^    X(\([A-Z0-9_]*\),.*/WS_ERR_\1/p
          s/^ *#define \(WS_[A-Z0-9_]*\).*/\1/p; s/^    \(WS_[A-Z0-9_]*\)\([ ,=(].*\)*$/\1/p' \
      $out/public.txt
  awk '/^typedef struct ws_config/ { on = 1 } on { sub(/ *\/\*.*/, ""); print }
       /^} ws_config/ { exit }' $out/public.txt |
      sed -n 's/.*(\*\([a-z_]*\))(.*/cfg.\1/p; s/.*[ *]\([a-z_]*\);$/cfg.\1/p'
} >$out/declared.txt

# which tests there are
{ for log in $logs/test_*.log; do
      name=${log##*/}
      sed -n "s/^ok /${name%.log}: /p" "$log"
  done
  # without mbedTLS these say SKIP
  [ ! -s $logs/no_tls ] || sed -n 's/^TEST(\([a-zA-Z0-9_]*\)).*/test_tls: \1/p' tests/test_tls.c
  sed -n 's/^ok /programs: /p' $logs/examples.log
  sed -n "s/^add('\([^']*\)'.*/five: \1/p; s/.*pkg.name} client: \([a-z]*\)\`.*/five: \1/p" \
      tests/interop/five.js
  sed -n 's/.* \(check\|sees\) "\([^"$]*\)".*/interop: \2/p' tests/interop/run.sh tests/interop/tls.sh
} >$out/passed.txt

echo "$rows" | tr ' ' '\n' >$out/rows.txt
echo "$later" | tr ' ' '\n' >$out/later.txt
awk -F '|' '
    function fail(why) { print "FAIL " row ": " why; faults++ }
    FILENAME ~ /declared/ { declared[$0] = 1; next }
    FILENAME ~ /passed/ { passed[$0] = 1; next }
    FILENAME ~ /rows/ { want[$0] = "row"; next }
    FILENAME ~ /later/ { want[$0] = "later"; next }
    /^## Later/ { later = 1 }
    !/^\| [A-Z][0-9]/ { next }
    later {
        n = split($2, ids, " ")
        for (i = 1; i <= n; i++) {
            row = ids[i]
            if (want[row] != "later") fail("not one of these")
            had[row]++
        }
        next
    }
    {
        faults = 0
        row = $2
        gsub(/ /, "", row)
        had[row]++
        if (want[row] != "row") fail("not one of these")
        n = split($4, part, "`")
        for (i = 2; i <= n; i += 2) if (!(part[i] in declared)) fail("no " part[i] " in ws.h or ws_sse.h")
        gsub(/^ | $/, "", $5)
        n = split($5, test, "; ")
        if (!n) fail("no test")
        for (i = 1; i <= n; i++) if (!(test[i] in passed)) fail("did not pass: " test[i])
        if (faults) failed++; else good++
    }
    END {
        for (row in want) if (had[row] != 1) { fail("there " had[row] + 0 " times"); failed++ }
        for (row in had) if (!(row in want)) failed++
        print good + 0 " passed, " failed + 0 " failed"
        exit failed != 0 || good < 100
    }' $out/declared.txt $out/passed.txt $out/rows.txt $out/later.txt tests/parity.md
