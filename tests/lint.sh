#!/bin/sh
# Checks the text of the sources. One line per fault; last "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=build/lint
rm -rf $tmp; mkdir -p $tmp; : >$tmp/results

check() {       # check TITLE: reads faults from standard input
    cat >$tmp/faults
    if [ -s $tmp/faults ]; then
        echo FAIL >>$tmp/results; echo "FAIL $1"; sed 's/^/    /' $tmp/faults | head -n 20
    else
        echo ok >>$tmp/results
    fi
}

headers="ws.h ws_sse.h"
sources=$(ls $headers examples/*.[ch] tests/*.[ch] tests/*/*.[ch] 2>/dev/null)

# The table of contents names exactly the banners, in their order.
for h in $headers; do
    awk '/^CONTENTS$/ { on = 1; next }
         on && /^[A-Z]/ { exit }
         on { s = $0; while (match(s, /  >>[a-z0-9_]+/)) {
                  print substr(s, RSTART + 2, RLENGTH - 2); s = substr(s, RSTART + RLENGTH) } }' \
        $h >$tmp/contents
    sed -n 's|^/\* ==== \(>>[a-z0-9_]*\) .*|\1|p' $h >$tmp/banners
    diff $tmp/contents $tmp/banners | check "CONTENTS of $h (<) equal its banners (>)"
    { [ -s $tmp/banners ] || echo "none"; } | check "$h has banners"
done

# Version: first line, numbers, string, and the newest entry of the history.
first() { sed -n "1s|^/\* $1 - v\([0-9.]*\) .*|\1|p" "$1"; }
history() {
    sed -n '/^\/\* ==== >>history/,$ s/^ *\(\/\* *\)\{0,1\}v\{0,1\}\([0-9][0-9]*\.[0-9.]*[0-9]\).*/\2/p' \
        "$1" | head -n 1
}
number() { sed -n "s|^#define WS_VERSION_$1 ||p" ws.h; }
numbers=$(number MAJOR).$(number MINOR).$(number PATCH)
string=$(number STRING | tr -d '"')
for h in $headers; do
    { [ "$(first $h)" = "$numbers" ] && [ "$(first $h)" = "$string" ] &&
        [ "$(first $h)" = "$(history $h)" ] ||
        echo "line 1: $(first $h), numbers: $numbers, string: $string, history: $(history $h)"
    } | check "the versions in $h agree"
done

# A stranger can read the library in pieces: all up to the drivers, and any annex alone. (The aim for
# the first is 7,000 lines: what it has today may only shrink.)
awk '/^\/\* ==== >>history/ { exit }
     /^\/\* ==== >>facts / { print "manual to drivers " NR - 1; annex = 1 }
     annex && /^\/\* ==== / { if (name) print name " " NR - start; name = $3; start = NR }
     END { print name " " NR - start }' ws.h >$tmp/rooms
awk '{ most = /^manual/ ? 12067 : 1200 } $NF > most { print $0 " lines, at most " most }
     END { if (NR < 10) print "only " NR " rooms found" }' $tmp/rooms |
    check "manual to drivers, and each annex, are short enough to be read"

# Annexes of ws.h are reached through their seams alone.
awk -f tests/seams.awk ws.h ws.h | check "no name of an annex before its section but in >>seams"

# What waits to be sent is put, shared, shown, advanced and forgotten by >>queue alone.
awk '/^\/\* ==== >>/ { section = $3 }
     section !~ /^>>(queue|sane|history)$/ && /tx->[a-z]|ws__(mark_at|place_|queued)/ {
         print FNR ": " $0 }' ws.h | check "nobody looks into the queue but >>queue, and >>sane for tests"

# How dense the headers are to read, section by section.
: >$tmp/dense
for h in $headers; do
    echo "$h: section, lines of code, branches and names of one letter in 100, ifs of one line"
    awk -f tests/density.awk $h >$tmp/density
    sed 's/^/    /' $tmp/density
    awk -v h=$h 'FNR == NR { if ($1 == h) most[$2] = $3; next }
        !($1 in most) { print h " " $1 ": tests/density.most does not know it" }
        $3 > most[$1] { print h " " $1 ": " $3 " branches in 100 lines, at most " most[$1] }
        $5 { print h " " $1 ": " $5 " ifs of one line" }
        { lines += $2; letters += $2 * $4 }
        END { if (letters > 10 * lines) print h ": " letters / lines " % of names have one letter" }
    ' tests/density.most $tmp/density >>$tmp/dense
    awk -v functions=15 -f tests/density.awk $h >$tmp/branchy
    awk 'FNR == NR { if ($1 == "function") most[$2] = $3; next }
        $2 > most[$1] + 0 { print $1 ": " $2 " paths, at most " ($1 in most ? most[$1] : 15) }
    ' tests/density.most $tmp/branchy >>$tmp/dense
done
check "density as tests/density.most allows" <$tmp/dense

# The top level holds two headers, and what they need to be tested, shown and read.
git ls-files 2>/dev/null | sed 's|/.*||' | sort -u |
    grep -vxE 'ws\.h|ws_sse\.h|tests|examples|Makefile|README\.md|LICENSE|\..*' |
    check "the top level holds nothing else"

# Each rename leads from a name that is gone to one that is there.
sed -n 's|^s/.b\(.*\).b/\(.*\)/g$|\1 \2|p' tests/rename-*.sed >$tmp/renames
{ [ -s $tmp/renames ] || echo "no renames were found"
  while read -r old new; do
      sed '/^\/\* ==== >>history/,$d' $headers | grep -qw "$old" && echo "$old is still there"
      grep -qw "WS_\(SSE_\)\{0,1\}API .*$new" $headers || echo "$new is no function"
  done <$tmp/renames
} | check "the renames are those that were made"

grep -n "$(printf '\t')" $sources /dev/null | check "no tabs"
grep -n ' $' $sources Makefile README.md tests/*.sh tests/*/*.sh .ci/run /dev/null |
    check "no blanks at the end of a line"
grep -n "$(printf '\r')" $sources /dev/null | check "no carriage returns"
# a page's text inside string literals may be longer, and tables of tests
LC_ALL=C awk '/^ *"/ { next } length($0) > (FILENAME ~ "^tests/.*/|lockstep" ? 180 : 90) {
    print FILENAME ":" FNR ": " length($0) " columns" }' $sources |
    check "at most 90 columns (180 in the folders of tests)"
LC_ALL=C grep -n '[^ -~]' $headers | check "the headers are ASCII"
for f in $sources README.md Makefile; do
    [ -z "$(tail -c 1 "$f")" ] || echo "$f"
done | check "files end with a line end"
grep -nE 'TODO|FIXME|XXX' $sources /dev/null | check "no TODO"
awk 'FNR == 1 { in_f = 0 }
     /^\{/ { in_f = 1; start = FNR }
     /^\}/ { if (in_f && FNR - start + 1 > 60)
                 print FILENAME ":" start ": " FNR - start + 1 " lines"
             in_f = 0 }' $headers | check "functions of the headers have at most 60 lines"
manual=$(awk '/^\*\/$/ { print NR; exit }' ws.h)
{ [ "${manual:-999}" -le 320 ] || echo "$manual"; } |
    check "the manual of ws.h has at most 320 lines"

# Names: macros WS_, or private WS__ or ws__, never a lower-case ws_ macro (struct winsize has some),
# but for the constructors that WS_TINY renames.
sed -n 's/^ *# *define  *\([A-Za-z_0-9]*\).*/\1/p' $headers | sort -u |
    grep -vE '^(WS_[A-Z0-9_]*|(WS|ws)__[A-Za-z0-9_]*|ws_(client|server)_new|_GNU_SOURCE|_DEFAULT_SOURCE|_DARWIN_C_SOURCE|_POSIX_C_SOURCE|_NETBSD_SOURCE|__BSD_VISIBLE|WIN32_LEAN_AND_MEAN|NOMINMAX|_WIN32_WINNT)$' |
    check "macros of the headers begin with WS_"

# Calls through members: (io->read)(...), because systems define read, write, close ... as macros.
grep -nE '(->|\.)[a-z_]+\(' $headers examples/*.[ch] /dev/null | grep -v '"' |
    check "calls through members are parenthesised"

# The core, RFC 6455 itself: it calls leaves only, so ws.h up to its end compiles alone; it has no
# memory, queue, words for errors or clock; and it is short enough to be read.
core='/^\/\* ==== >>core /{on = 1} /^\/\* ==== >>seams /{on = 0} on'
awk "$core" ws.h >$tmp/core.h
awk '/^\/\* ==== >>seams /{exit} {print} END {print "#endif\n#endif"}' ws.h >$tmp/leaves.h
${CC:-cc} -std=c99 -fsyntax-only -DWS_IMPLEMENTATION -DWS_NO_SOCKETS -Werror -Wall \
    -Wno-unused-function -x c $tmp/leaves.h 2>&1 | grep error | check "the core calls leaves only"
grep -nE 'ws_conn|ws__(cfg|alloc|block|fail|note|clock|tx|rx)\b|alloc\(' $tmp/core.h |
    check "the core has no memory, queue, words or clock"
lines=$(wc -l <$tmp/core.h)
{ [ "$lines" -gt 300 ] && [ "$lines" -le 1300 ] || echo "$lines lines"; } |
    check "the core has at most 1300 lines"
grep -nE 'phase (<|>)=? |phase = ' ws.h | grep -vE 'core->phase = \(uint8_t\)phase;|WS_ASSERT' |
    check "phases are not compared by their order, and ws__enter alone changes them"

# Stack: at most 512 bytes in a function, and never an amount that the compiler does not know.
stack() {       # stack FLAGS...: functions above it
    ${CC:-cc} -std=c99 -O0 -DWS_IMPLEMENTATION "$@" -fstack-usage -x c -c ws.h -o $tmp/stack.o ||
        echo "ws.h does not compile"
    sed 's/^.*:\(ws_\)/\1/' $tmp/stack.su |
        awk '$2 > 512 || $3 == "dynamic" { print $1 ": " $2 " bytes, " $3 }'
}
if echo 'int main(void) { return 0; }' >$tmp/empty.c &&
   ${CC:-cc} -fstack-usage -c $tmp/empty.c -o $tmp/empty.o 2>/dev/null && [ -s $tmp/empty.su ]; then
    stack -DWS_NO_SOCKETS | check "stack of the engine's functions"
    stack | check "stack of the drivers' functions"
else
    echo "SKIP lint: ${CC:-cc} has no -fstack-usage"
fi

# Every public function is described and defined; every switch of the manual exists.
for h in $headers; do
    sed -n '/^SWITCHES/,/^\*\//s/^    \(WS_[A-Z_]*\) .*/\1/p' $h | while read -r name; do
        grep -qE "^ *# *(ifdef|ifndef|if|elif).*\<$name\>" $h || echo "$name"
    done | check "every switch in the manual of $h is used"
done

# Threats: each ID in the name of a test (sec_B4_B5_offers has two) or of a cell of the compile
# matrix has one row, and each row its tests.
{ grep -o 'TEST(sec_[A-J0-9_]*' tests/*.c
  grep -o 'sec_[A-J][0-9]*' tests/compile/run.sh | sed 's/^/cells:/'; } | awk -F: '{
    n = split($2, id, "_"); sub(/.*\//, "", $1)
    for (i = 2; i <= n; i++) if (id[i] ~ /^[A-J][0-9]+$/) { print id[i]; print id[i], $1 } }' |
    sort -u >$tmp/threats
awk -F'|' '/^\| [A-J][0-9]+ \|/ { gsub(/[ `]/, "", $2); gsub(/[ `]/, "", $5)
    print $2; n = split($5, file, ","); for (i = 1; i <= n; i++) print $2, file[i] }' \
    tests/threats.md | sort >$tmp/rows
diff $tmp/threats $tmp/rows | check "the sec_ tests (<) equal the rows of tests/threats.md (>)"
{ [ -s $tmp/threats ] || echo "none"; } | check "there are sec_ tests"

# Faults seen in the field: each number in a test's name has one row, and each row its files.
grep -o 'TEST(field_[0-9]*' tests/*.c | sed 's|^tests/\(.*\):TEST(field_0*\([0-9]*\)|\2 \1|' |
    sort -u >$tmp/field
awk -F'|' '/^\| [0-9]+ \|/ { n = split($4, word, "`")
    for (i = 2; i <= n; i += 2) if (word[i] ~ /^test_.*\.c$/) print $2 + 0, word[i] }' \
    tests/README.md | while read -r number file; do     # a file that is another one once more
        again=$(sed -n 's/^#include "\(test_.*\.c\)"$/\1/p' "tests/$file")
        echo "$number ${again:-$file}"
    done | sort -u >$tmp/rows
diff $tmp/field $tmp/rows | check "the field_ tests (<) equal the rows of tests/README.md (>)"

# Each test program has a row that says its subject.
ls tests/test_*.c | sed 's|tests/||' >$tmp/programs
sed -n '/^## Programs/,/^## /s/^| `\(test_[a-z0-9_]*\.c\)`.*/\1/p' tests/README.md >$tmp/rows
sort $tmp/rows | diff $tmp/programs - |
    check "the test programs (<) equal the table of tests/README.md (>)"

failed=$(grep -c FAIL $tmp/results)
echo "$(grep -c ok $tmp/results) passed, $failed failed"
[ "$failed" = 0 ]
