#!/bin/sh
# A switch that leaves something out leaves out the calls too: each of them alone does not
# compile, all others do, and have bodies. Prints what is wrong.
#   left_out.sh COMPILER DIR SWITCH [SWITCH...] : NAME...      (the names that must be gone)
set -u
cc=$1 dir=$2
shift 2
switches=
while [ "$1" != : ]; do switches="$switches -D$1"; shift; done
shift
gone=" $* "
mkdir -p "$dir"

# every function of the public parts
for h in ws.h ws_sse.h; do
    sed '/^#ifdef WS_\(SSE_\)\{0,1\}IMPLEMENTATION$/q' "$h" | tr '\n' ' ' |
        grep -oE '(WS_API|WS_SSE_API) [a-z_0-9 *]*ws_[a-z_0-9]+\(' | sed 's/.*[ *]\(ws_[a-z_0-9]*\)($/\1/'
done | sort -u >"$dir/all"
[ "$(wc -l <"$dir/all")" -gt 100 ] || echo "only $(wc -l <"$dir/all") functions were found"

program() {     # program NAME...: takes the address of each
    printf '#include "ws.h"\n#include "ws_sse.h"\ntypedef void (*any)(void);\n'
    printf 'int main(void)\n{\n    any all[1000] = {\n'
    for name in "$@"; do echo "        (any)$name,"; done
    printf '        0\n    };\n    return !all[0] && sizeof all > sizeof all[0];\n}\n'
}
# refused FLAGS NAME...: those that do not compile. All in one program: each has its own line,
# and the compiler says in which ones the errors are.
limit=
echo 'int main(void) { return 0; }' >"$dir/one.c"
! $cc -ferror-limit=0 -fsyntax-only "$dir/one.c" 2>/dev/null || limit=-ferror-limit=0
refused() {
    flags=$1
    shift
    program "$@" >"$dir/one.c"
    $cc $limit $flags -I. -fsyntax-only "$dir/one.c" 2>"$dir/err" && return
    awk -F: -v file="$dir/one.c" '
        FNR == NR { if (/\(any\)/) { gsub(/.*\)|,/, ""); name[FNR] = $0 }; next }
        $1 == file && /: (fatal )?error: / { if (name[$2] == "") print $0; else print name[$2] }
    ' "$dir/one.c" "$dir/err" | sort -u >"$dir/refused"
    cat "$dir/refused"
    [ -s "$dir/refused" ] || { echo "no error but no success:"; head -n 5 "$dir/err"; }
}
for name in $gone; do
    grep -qx "$name" "$dir/all" || echo "$name is no function of the library"
done
refused "" $gone | sed 's/^/does not compile without a switch: /'
refused "$switches" $gone >"$dir/gone"
for name in $gone; do
    grep -qx "$name" "$dir/gone" || echo "compiles with$switches: $name"
done

# all others: those of the other header's parts that a switch takes as well are told by themselves
others=$(for name in $(cat "$dir/all"); do
    case $gone in *" $name "*) ;; *) echo "$name" ;; esac
done)
refused "$switches" $others >"$dir/others"
grep -v '^ws_sse_' "$dir/others" | sed "s/^/does not compile with$switches: /"
kept=$(for name in $others; do grep -qx "$name" "$dir/others" || echo "$name"; done)
program $kept >"$dir/main.c"
printf '#define WS_IMPLEMENTATION\n#define WS_SSE_IMPLEMENTATION\n#include "ws.h"\n#include "ws_sse.h"\n' \
    >"$dir/bodies.c"
$cc $switches -I. "$dir/main.c" "$dir/bodies.c" -o "$dir/main" 2>"$dir/err" || {
    echo "does not link with$switches:"; grep -E 'error|undefined' "$dir/err" | head -n 5; }
[ ! -x "$dir/main" ] || "$dir/main" || echo "does not run with$switches"
