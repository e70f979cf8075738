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
D22 D23 D24 E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E11 E12 F1 F2 F3 F4 F5 F6 F7 F8 F9 G1 G2 G3 G5 G6 G7 G8
G9 G10 G11 G12 J1 J2 J3 J4 J5 J6 K1 K2 L1 L2 L3 L4 M1 M2 N1 N2 N3 N6 N7 P1 P2 P3 P4 P5 P6 P7 Q1 Q2
Q3 Q4 Q5 S1 S2 S3 T1 T2 T3 T4 T5 T6 T8"
later="G4 H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 H11 H12 I1 I2 I3 I4 I5 I6 I7 N4 N5 O1 O2 O3 O4 R1 R2 R3 R4
R5 R6 R7 R8"

sed '/^## Later/,$d' tests/parity.md | grep '^| [A-Z][0-9]' >$out/table.txt
sed -n '/^## Later/,$p' tests/parity.md | grep '^| [A-Z][0-9]' | cut -d '|' -f 2 | tr ' ' '\n' |
    grep . | sort >$out/later.txt
sed '/^\/\* ==== Stop here/,$d' ws.h >$out/public.txt
awk '/^typedef struct ws_config/ { on = 1 } on { print } /^} ws_config/ { exit }' \
    $out/public.txt >$out/config.txt

passed=0 failed=0
fail() { faults=1; echo "    $1"; }

names() {       # names WORDS: each is declared
    for name in $1; do
        case $name in
        cfg.*) grep -qE "[ *]\(?\*?${name#cfg.}(\)\(|[;,])" $out/config.txt || fail "no $name" ;;
        ws_*) grep -qE "^(WS_API .*[ *]$name\(|} $name;|typedef struct $name )" $out/public.txt ||
            fail "no $name" ;;
        WS_ERR_*) grep -q "^    X(${name#WS_ERR_}," $out/public.txt || fail "no $name" ;;
        WS_*) grep -qE "(^    |#define |ifdef |ifndef )$name\>" $out/public.txt || fail "no $name" ;;
        *) fail "what is $name?" ;;
        esac
    done
}

shown() {       # shown "FILE: NAME": it passed
    file=${1%%: *} name=${1#*: }
    case $file in
    five) grep -qF "add('$name'," tests/interop/five.js ||
        grep -qF "\${pkg.name} client: $name\`" tests/interop/five.js || fail "no case $1" ;;
    interop) grep -qF "\"$name\"" tests/interop/run.sh || fail "no case $1" ;;
    programs) grep -qsxF "ok $name" $logs/examples.log || fail "did not pass: $1" ;;
    test_*) grep -qsxF "ok $name" "$logs/$file.log" || fail "did not pass: $1" ;;
    *) fail "what is $1?" ;;
    esac
}

for row in $rows; do
    faults=0
    [ "$(grep -c "^| $row |" $out/table.txt)" = 1 ] || fail "$row: not there once"
    line=$(grep "^| $row |" $out/table.txt | head -n 1)
    names "$(echo "$line" | cut -d '|' -f 4 | grep -o '`[^`]*`' | tr -d '`' | tr '\n' ' ')"
    echo "$line" | cut -d '|' -f 5 | awk '{ gsub(/^ | $/, ""); gsub(/; /, "\n"); print }' >$out/tests.txt
    grep -q ': ' $out/tests.txt || fail "no test"
    while read -r test; do shown "$test"; done <$out/tests.txt
    if [ $faults = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $row"; fi
done

# and no others
{ cut -d ' ' -f 2 $out/table.txt; cat $out/later.txt; } | sort >$out/have.txt
echo "$rows $later" | tr ' ' '\n' | sort | diff - $out/have.txt >$out/diff.txt
if [ $? = 0 ]; then passed=$((passed + 1))
else failed=$((failed + 1)); echo "FAIL rows wanted (<) and there (>)"; cat $out/diff.txt; fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
