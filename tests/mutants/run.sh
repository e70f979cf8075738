#!/bin/sh
# Do the transcripts see each rule of RFC 6455? Each entry of list changes one line of ws.h; the
# changed copy is built with tests/test_transcripts.c, which must fail. Prints "caught NAME" or
# "FAIL NAME ..."; last line "N passed, N failed".
#   sh tests/mutants/run.sh                  all of them
#   sh tests/mutants/run.sh mask ping-wait   those with one of these words in their name
# Those that survivors names behave as before: they must not be caught. tcc builds them, if it is
# there, for it is quick; those of vectors, and without tcc all, CC.
# A change of what WS_TINY is made of too must also be seen by tests/test_transcripts_tiny.c, but for
# those of without_tiny.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC=cc}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
export CC CPPFLAGS LDFLAGS LDLIBS
list=tests/mutants/list
names_in() {    # names_in FILE: its tests, or those of the one that it plays again
    again=$(sed -n 's/^#include "\(test_.*\.c\)"$/\1/p' "$1")
    [ -z "$again" ] || set -- "tests/$again"
    sed -n '/^TESTS(/,$p' "$1" | grep -o 'T([a-z_]*)' | sed 's/^T(//; s/)$//'
}

limit() {       # an endless loop counts as caught
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 30 "$@"; else "$@"; fi
}

passes() {      # passes DIRECTORY: test by test, up to the first that fails
    for test in $(names_in "$source"); do limit "$1/test" "$test" >"$1/log" 2>&1 || return 1; done
}

# short-...: of the short way of sending, which loops alone have
of() {          # of NAME: sets source and without
    case $1 in
    short-sends-*) source=tests/mutants/in_loop.c without= ;;
    tiny) source=tests/test_transcripts_tiny.c without= ;;
    *) source=tests/test_transcripts.c without=-DWS_NO_SOCKETS ;;
    esac
}

build() {       # build COMPILER DIRECTORY: its ws.h with the source
    compiler=$1
    shift
    $compiler $CPPFLAGS -O0 -w $without -I"$1" -Itests $source -pthread \
        -o "$1/test" $LDFLAGS $LDLIBS >"$1/log" 2>&1
}

mutate() {      # mutate NAME: ws.h with that entry's line replaced; 1 if it is not there once
    awk -v wanted="$1" '
        function bare(text) { sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text); return text }
        FNR == NR {
            if ($0 ~ /^: /) on = substr($0, 3) == wanted
            else if (on && /^@ /) place = bare(substr($0, 3))
            else if (on && /^- /) old = bare(substr($0, 3))
            else if (on && /^\+/) new = bare(substr($0, 2))
            next
        }
        { text = bare($0) }
        place != "" && text == place { places++; after = 1 }
        text == old && (place == "" || after) {
            $0 = new
            times++
            after = 0
        }
        { print }
        END { exit old != "" && times == 1 && (place == "" || places == 1) ? 0 : 1 }
    ' $list ws.h
}

# Does the changed line of DIRECTORY's ws.h belong to WS_TINY: is it in front of >>seams?
is_shared() {
    line=$(diff ws.h "$1/ws.h" | sed -n '1s/^\([0-9]*\).*/\1/p')
    [ "${line:-999999}" -lt "$(grep -n '^/\* ==== >>seams ' ws.h | cut -d : -f 1)" ]
}

tiny() {        # tiny NAME: the same by WS_TINY; prints nothing, or what is wrong
    case $1 in vector-* | short-sends-*) return ;; esac
    is_shared "$directory" || return
    if grep -q "^$1: " tests/mutants/without_tiny; then may=1; else may=0; fi
    source=tests/test_transcripts_tiny.c without=
    if ! build "$compiler" "$directory"; then
        echo "FAIL $1: does not compile with WS_TINY: $(grep -m 1 error "$directory/log")"
    elif passes "$directory"; then
        [ $may = 1 ] || echo "FAIL $1 survived with WS_TINY"
    elif [ $may = 1 ]; then
        echo "FAIL $1 caught with WS_TINY, though named in without_tiny"
    fi
}

one() {         # one NAME
    if grep -q "^$1: " tests/mutants/survivors; then may=1; else may=0; fi
    case $1 in vector-* | short-sends-*) compiler=$CC ;; *) compiler=$quick ;; esac
    of "$1"
    directory=$out/$1
    mkdir -p "$directory"
    if ! mutate "$1" >"$directory/ws.h"; then
        echo "FAIL $1: its line is not in ws.h exactly once"
    elif ! build "$compiler" "$directory"; then
        echo "FAIL $1: does not compile: $(grep -m 1 error "$directory/log")"
    elif passes "$directory"; then
        if [ $may = 1 ]; then echo "survived $1, as it may"
        else echo "FAIL $1 survived"
        fi
    elif [ $may = 1 ]; then
        echo "FAIL $1 caught, though named in survivors"
    else
        wrong=$(tiny "$1")
        echo "${wrong:-caught $1}"
    fi
    rm -rf "$directory"
}

if [ "${1-}" = --one ]; then
    out=$2 quick=$(cat "$2/quick")
    ( one "$3" ) 2>/dev/null        # the shell would tell of a crash
    exit 0
fi

out=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM
names=$(sed -n 's/^: //p' $list)
for file in survivors without_tiny; do
    for word in $(sed -n 's/^\([a-z0-9-]*\): .*/\1/p' tests/mutants/$file); do
        echo "$names" | grep -qx -e "$word" || echo "FAIL $word: in $file, not in list" >>"$out/sum"
    done
done
twice=$(echo "$names" | sort | uniq -d)
[ -z "$twice" ] || echo "FAIL" $twice ": a name twice in list" >>"$out/sum"

mkdir "$out/none"
cp ws.h "$out/none/ws.h"
for kind in short-sends- tiny all; do
    of $kind
    if build "$CC" "$out/none" && passes "$out/none"
    then echo "ok ws.h as it is, with $source" >>"$out/sum"
    else
        echo "FAIL ws.h as it is, with $source:" >>"$out/sum"
        tail -n 20 "$out/none/log"
    fi
done
if build tcc "$out/none" && passes "$out/none"; then quick=tcc; else quick=$CC; fi
echo "$quick" >"$out/quick"
if ! printf '#define WS_IMPLEMENTATION\n#include "ws.h"\n#ifndef WS__VECTOR\n#error\n#endif\n' |
     $CC $CPPFLAGS -DWS_NO_SOCKETS -I. -E -x c - >/dev/null 2>&1; then
    echo "SKIP mutants of vectors: $CC has none for ws.h"
    names=$(echo "$names" | grep -v '^vector-')
fi
if [ $# != 0 ]; then
    names=$(for word; do echo "$names" | grep -e "$word"; done | sort -u)
fi
cat "$out/sum"
if ! grep -q '^FAIL' "$out/sum"; then
    jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
    echo "$names" | xargs -P "$jobs" -n 1 sh tests/mutants/run.sh --one "$out" |
        tee "$out/results"
    cat "$out/results" >>"$out/sum"
fi

failed=$(grep -c '^FAIL' "$out/sum")
echo "$(grep -c -v '^FAIL' "$out/sum") passed, $failed failed"
[ "$failed" = 0 ]
