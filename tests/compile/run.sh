#!/bin/sh
# The compile matrix: compilers, language levels, word sizes, switches. Programs for this
# machine are also run. One line per failing cell; the last line is "N passed, N failed".
# A missing compiler gives a SKIP line.
#   sh tests/compile/run.sh            all
#   sh tests/compile/run.sh -v         also name the cells that pass
#   ONLY=mingw sh tests/compile/run.sh      those with that in their name
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/compile
src=tests/compile
strict="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror"

# ---- one cell: line $2 of the list is "id|kind|compiler and flags|sources" -----------------
names() {       # the object file holds only ws_ symbols, and nothing that can be written to
    nm "$1" | awk 'NF == 3 && $2 ~ /[TRBDCVWS]/ && $NF !~ /^_?ws_/ { print "exported: " $NF }
                   NF == 3 && $2 ~ /[bBdDCsS]/ { print "mutable: " $NF }'
}
calls() {       # what an object wants from outside, less what it may
    nm "$1" | awk '$1 == "U" { print $2 }' | grep -E "$2" | sed 's/^/calls: /'
}

text() {        # the program as the compiler reads it, less what the system's headers say
    for f in $paths; do
        "$@" -I. -E $f || return 1
    done | awk '/^# [0-9]+ "/ { ours = $3 !~ /^"[\/<]/; next } ours'
}
lean() {        # what stops COMPILER and FLAGS once they have warned: no code is made
    case $* in
    *" -O"* | arm*) return ;;       # here the optimizer warns as well
    clang*) echo -emit-llvm ;;
    *) if echo 'int one;' | $1 -flto -x c -c - -o "$exe.o" 2>/dev/null; then echo -flto; fi ;;
    esac
}

cell() {
    kind=$1 cc=$2 files=$3
    paths=
    for f in $files; do
        case $f in */*) paths="$paths $f" ;; *) paths="$paths $src/$f" ;; esac
    done
    case $kind in
    run)        $cc -I. $paths -o "$exe" && "$exe" ;;
    as:*)       # as that language level, whose cell is run: the same text is the same program,
                # and what is left to ask for are the errors and warnings of this one
                text $cc >"$exe.i" &&
                text $(echo "$cc" | sed "s/-std=[^ ]*/-std=${kind#as:}/") >"$exe.as.i" || return 1
                if [ -s "$exe.i" ] && cmp -s "$exe.i" "$exe.as.i"; then $cc -I. -fsyntax-only $paths
                else $cc -I. $paths -o "$exe" && "$exe"
                fi ;;
    zlib)       $cc -I. $paths -o "$exe" -lz && "$exe" ;;
    link)       $cc -I. $paths -o "$exe" ;;
    object)     $cc $(lean $cc) -I. -c $paths -o "$exe.o" ;;
    mixed)      # C implementation, C++ user: two compilers, "CC and flags;CXX and flags"
                ${cc%;*} -I. -c $src/impl_only.c -o "$exe.o" &&
                ${cc#*;} -I. $paths "$exe.o" -o "$exe" && "$exe" ;;
    windows)    $cc -I. $paths -o "$exe.exe" -lws2_32 -lbcrypt &&
                if command -v wine >/dev/null 2>&1; then
                    WINEPREFIX=$PWD/$out/wine WINEDEBUG=-all wine "$exe.exe"
                fi ;;
    names)      $cc -fno-pic -fno-pie -I. -c $paths -o "$exe.o" && names "$exe.o" >"$exe.txt" &&
                calls "$exe.o" '^(printf|fprintf|vfprintf|puts|exit|abort|rand|srand|time|signal|stdout|stderr|_Zn|__cxa)' \
                    >>"$exe.txt"
                cat "$exe.txt"; [ -f "$exe.txt" ] && [ ! -s "$exe.txt" ] ;;
    bare)       # nothing from outside but what <string.h> has
                $cc -fno-pic -fno-pie -fno-stack-protector -I. -c $paths -o "$exe.o" &&
                names "$exe.o" >"$exe.txt"
                nm "$exe.o" | awk '$1 == "U" { print $2 }' |
                    grep -vE '^(mem(cpy|move|set|cmp|chr)|bcmp|str(len|chr|cmp)|__aeabi_.*|__gnu_thumb1_.*)$' >>"$exe.txt"
                cat "$exe.txt"; [ -f "$exe.txt" ] && [ ! -s "$exe.txt" ] ;;
    winlink)    # with its bodies for the warnings; the bodies that it is linked to are those of
                # winbodies.o, which the guard in ws.h leaves out here
                $cc -I. -fsyntax-only $paths &&
                $cc -I. -DWS_IMPLEMENTED_ -DWS_SSE_IMPLEMENTED_ -include winsock2.h \
                    -include windows.h $paths $out/winbodies.o -o "$exe.exe" \
                    -lws2_32 -lbcrypt ;;
    stack)      # no function takes more than 512 bytes of it, or an amount that nobody knows
                $cc -fstack-usage -I. -c $paths -o "$exe.o" && [ -s "$exe.su" ] &&
                awk -F '\t' '$2 > 512 || $3 == "dynamic" {
                    sub(/.*:/, "", $1); print $1 ": " $2 " bytes of stack, " $3 }' "$exe.su" >"$exe.txt"
                cat "$exe.txt"; [ -f "$exe.txt" ] && [ ! -s "$exe.txt" ] ;;
    macros)     # a plain include defines nothing but what its headers define, and WS_
                printf '#include <limits.h>\n#include <stddef.h>\n#include <stdint.h>\n' >"$exe.c"
                $cc -E -dM "$exe.c" | sort >"$exe.before" &&
                printf '#include "ws.h"\n#include "ws_sse.h"\n' >"$exe.c" &&
                $cc -I. -E -dM "$exe.c" | sort >"$exe.after" && [ -s "$exe.before" ] &&
                comm -13 "$exe.before" "$exe.after" | grep -v '^#define WS_' >"$exe.txt"
                cat "$exe.txt"; [ -f "$exe.txt" ] && [ ! -s "$exe.txt" ] ;;
    refuses)    # "FILE WORD.WORD": does not compile, and says these words
                ! $cc -I. -c "$src/${files% *}" -o "$exe.o" 2>"$exe.txt" &&
                grep "error.*${files#* }" "$exe.txt" || { cat "$exe.txt"; false; } ;;
    unlinked)   # does not link, for want of that word: "FILE... : WORD"
                paths=$(for f in ${files%% :*}; do echo "$src/$f"; done)
                ! $cc -I. $paths -o "$exe" 2>"$exe.txt" &&
                grep "undefined reference.*${files##*: }" "$exe.txt" || { cat "$exe.txt"; false; } ;;
    left)       # "SWITCH... : NAME...": what a switch leaves out
                sh $src/left_out.sh "$cc" "$exe.dir" $files >"$exe.txt" 2>&1
                cat "$exe.txt"; [ ! -s "$exe.txt" ] ;;
    firmware)   $cc -I. $paths -o "$exe.elf" && arm-none-eabi-size "$exe.elf" >"$exe.size" ;;
    most:*)     # links to at most so many bytes of code, constants and variables with a value
                $cc -I. $paths -o "$exe.elf" || return 1
                bytes=$(arm-none-eabi-size "$exe.elf" | awk 'NR == 2 { print $1 + $2 }')
                echo "$bytes bytes, at most ${kind#most:}"
                [ "$bytes" -le "${kind#most:}" ] ;;
    *)          echo "unknown kind $kind"; return 1 ;;
    esac
}

if [ "${1-}" = --cell ]; then
    IFS='|' read -r id kind cc files <<EOF
$(sed -n "$2p" $out/list)
EOF
    exe=$out/cell$2
    if cell "$kind" "$cc" "$files" >"$exe.log" 2>&1; then
        echo ok >"$exe.result"
        [ -z "${VERBOSE-}" ] || echo "ok   $id $files"
    else
        echo FAIL >"$exe.result"
        { echo "FAIL $id: $kind: $cc $files"; grep -v '^ok ' "$exe.log" | head -n 12 | sed 's/^/    /'; } >"$exe.text"
        cat "$exe.text"
    fi
    exit 0
fi

# ---- the list ---------------------------------------------------------------------------
[ "${1-}" != -v ] || export VERBOSE=1
rm -rf $out/cell*; mkdir -p $out; : >$out/list
add() { case $1 in *"${ONLY-}"*) echo "$1|$2|$3|$4" >>$out/list ;; esac; }
have() { command -v "$1" >/dev/null 2>&1 || { echo "SKIP compile: $1 not found"; return 1; }; }
can() {     # can COMPILER FLAGS: links an empty program with them
    echo 'int main(void) { return 0; }' >$out/empty.c
    "$@" $out/empty.c -o $out/empty >/dev/null 2>&1 && $out/empty
}
sources="impl.c twice.c no_sockets.c no_malloc.c no_client.c no_server.c no_simd.c no_threads.c no_extensions.c no_http.c tiny.c loopback.c lwip.c"

# what a switch leaves out: calls that cannot work without it
server="ws_server_new ws_accept ws_reject ws_http_reply ws_http_begin ws__http_begin ws_http_write ws_http_end ws_http_fill
    ws_http_beat ws_http_file ws_adopt ws_listen ws_listen_port ws_listen_tls ws_unlisten ws_broadcast ws_http_publish
    ws_http_publish_fill"
client="ws_client_new ws_connect ws_open ws_resolved ws_dial ws_reconnect_header ws_reconnect_delay ws_tunnel_init
    ws_tunnel_output ws_tunnel_output_done ws_tunnel_feed ws_tunnel_feed_end"
sockets="ws_connect ws_recv ws_open ws_resolved ws_adopt ws_detach ws_fd ws_wants ws_step ws_loop_new
    ws_loop_free ws_listen ws_listen_port ws_listen_tls ws_unlisten ws_dial ws_poll ws_poll_until ws_post
    ws_wake ws_each ws_join ws_leave ws_publish ws_broadcast ws_http_publish ws_http_publish_fill
    ws_publish_latest ws_shutdown ws_loop_now ws_loop_count ws_loop_error_text ws_remote
    ws_watch ws_loop_fd ws_loop_timeout ws_loop_polls ws_id ws_find ws_post_to ws_group_count ws_group_each
    ws_group_at"
http="ws_http_reply ws_http_begin ws__http_begin ws_http_write ws_http_end ws_http_fill ws_http_beat
    ws_http_file ws_http_publish ws_http_publish_fill ws_content_type"
http=$(echo $http) server=$(echo $server) client=$(echo $client) sockets=$(echo $sockets)

for cc in gcc clang; do
    have $cc || continue
    for std in c99 c11 c17; do
        how=as:c99; [ $std != c99 ] || how=run
        for f in $sources "static_a.c static_b.c"; do
            add "$cc-$std" $how "$cc -std=$std $strict" "$f"
        done
    done
    add "$cc-gnu11-late" run "$cc -std=gnu11 $strict" late.c
    add "$cc-c99-late" run "$cc -std=c99 -D_DEFAULT_SOURCE $strict" late.c
    for level in 1 2 3 s; do
        add "$cc-O$level" run "$cc -std=c99 -O$level $strict" loopback.c
        add "$cc-O$level" run "$cc -std=c99 -O$level $strict" no_malloc.c
    done
    add "$cc-avx2" object "$cc -std=c99 -O2 -mavx2 $strict" impl.c
    add "$cc-extra" object "$cc -std=c99 -Wcast-qual -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla $strict" impl_only.c
    add "$cc-c++-compat" object "$cc -std=c99 -Wc++-compat $strict" impl_only.c
    add "$cc-unsigned-char" run "$cc -std=c99 -funsigned-char $strict" impl.c
    add "$cc-field_40" run "$cc -std=c99 -DWS_NO_SOCKETS $strict" lwip.c
    for level in 0 2 s; do
        add "$cc-O$level-field_41" stack "$cc -std=c99 -O$level" both_only.c
        add "$cc-O$level-field_41" stack "$cc -std=c99 -O$level -DWS_NO_SOCKETS" both_only.c
    done
    add "$cc-field_41" stack "$cc -std=gnu99 -O2 -DWS__POLLER_KQUEUE -I$src/kqueue" both_only.c
    for std in c99 c17 gnu11; do add "$cc-$std-field_42" macros "$cc -std=$std" ""; done
    add "$cc-field_43" left "$cc -std=gnu99 -w" "WS_NO_SERVER : $server"
    add "$cc-field_43" left "$cc -std=gnu99 -w" "WS_NO_CLIENT : $client"
    # at -O0 an object wants whatever it can want: one at -O2 for what an optimizer puts in
    add "$cc-names" names "$cc -std=c99 -O2" impl_only.c
    add "$cc-names" names "$cc -std=c99 -O0 -DWS_NO_SOCKETS" impl_only.c
    add "$cc-names" names "$cc -std=c99 -O0 -DWS_NO_SIMD" impl_only.c
    add "$cc-bare" bare "$cc -std=c99 -O2 -DWS_NO_SOCKETS -DWS_NO_MALLOC" impl_only.c
    add "$cc-bare" bare "$cc -std=c99 -Os -ffreestanding -DWS_NO_SOCKETS -DWS_NO_MALLOC -DWS_NO_SIMD" impl_only.c
    for a in "" -DWS_NO_SOCKETS; do     # the switches in every combination
        for b in "" "-DWS_NO_MALLOC"; do for c in "" -DWS_NO_CLIENT -DWS_NO_SERVER; do
            for d in "" -DWS_STATIC; do
                add "$cc-switches" object "$cc -std=c99 $strict $a $b $c $d" impl_only.c
            done
            add "$cc-switches" object "$cc -std=c99 $strict $a $b $c -DWS_NO_HTTP -DWS_NO_TEXT" impl_only.c
        done; done
    done
    for a in "" -DWS_NO_CLIENT -DWS_NO_SERVER; do for b in "" -DWS_STATIC -DWS_NO_TEXT; do
        add "$cc-tiny" object "$cc -std=c99 $strict -DWS_TINY $a $b" impl_only.c
    done; done
    add "$cc-tiny" object "$cc -std=c99 -Wcast-qual -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wc++-compat $strict -DWS_TINY" impl_only.c
    add "$cc-tiny" run "$cc -std=c99 -Os $strict" tiny.c
    add "$cc-tiny" names "$cc -std=c99 -O0 -DWS_TINY" impl_only.c
    add "$cc-tiny" bare "$cc -std=c99 -Os -ffreestanding -DWS_TINY" impl_only.c
    add "$cc-tiny" stack "$cc -std=c99 -Os -DWS_TINY" impl_only.c
    add "$cc-tiny" unlinked "$cc -std=c99" "tiny_user.c impl_only.c : ws_server_new_tiny"
    for a in "SETTING reconnect" "CALL ws_pause" "FIELD refused"; do
        add "$cc-tiny" refuses "$cc -std=c99 -Werror -DTRY_${a% *}" "tiny_lacks.c ${a#* }"
    done
    m32="-m32 -idirafter /usr/include/x86_64-linux-gnu"
    if can $cc $m32; then
        for f in $sources "static_a.c static_b.c"; do
            add "$cc-m32" run "$cc $m32 -std=c99 $strict" "$f"
        done
        add "$cc-m32" run "$cc $m32 -O2 -std=c99 $strict" loopback.c
    else
        echo "SKIP compile: $cc -m32 cannot link"
    fi
done

printf '#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n' >$out/zlib.c
if ${CC:-cc} $out/zlib.c -o $out/zlib -lz >/dev/null 2>&1; then
    for cc in gcc clang; do
        have $cc || continue
        for std in c99 c11 c17; do add "$cc-$std-zlib" zlib "$cc -std=$std $strict" zlib.c; done
        add "$cc-O2-zlib" zlib "$cc -std=c99 -O2 $strict" zlib.c
        add "$cc-c++-compat-zlib" object "$cc -std=c99 -Wc++-compat -Wcast-qual -Wundef $strict" zlib.c
        add "$cc-static-zlib" zlib "$cc -std=c99 -DWS_STATIC $strict -Wno-unused-function" zlib.c
        for d in -DWS_NO_SOCKETS -DWS_NO_MALLOC -DWS_NO_CLIENT -DWS_NO_SERVER; do
            add "$cc-switches-zlib" object "$cc -std=c99 $strict $d -DWS_USE_ZLIB" impl_only.c
        done
        add "$cc-names-zlib" names "$cc -std=c99 -O0 -DWS_USE_ZLIB" impl_only.c
    done
    for cxx in g++ clang++; do
        have $cxx || continue
        for std in c++11 c++20; do add "$cxx-$std-zlib" zlib "$cxx -x c++ -std=$std $strict" zlib.c; done
    done
    if command -v tcc >/dev/null; then add tcc-zlib zlib "tcc -Wall -Werror" zlib.c; fi
else
    echo "SKIP compile: no zlib"
fi

if command -v gcc >/dev/null 2>&1; then     # poll and kqueue instead of epoll; other systems, played
    mild="-Itests -pthread -O1 $strict -Wno-conversion -Wno-sign-conversion"
    add gcc-poll run "gcc -std=gnu99 -U__linux__ $mild" tests/test_groups.c
    for f in tests/test_groups.c tests/test_net.c tests/test_foreign.c tests/test_field_platform.c; do
        level=-O0; [ $f != tests/test_field_platform.c ] || level=-O1     # once for the warnings
        add gcc-kqueue-field_47 run "gcc -std=gnu99 -DWS__POLLER_KQUEUE -I$src/kqueue $mild $level" $f
    done
    add gcc-field_43 left "gcc -std=gnu99 -w" "WS_NO_SOCKETS : $sockets"
    add gcc-field_43 left "gcc -std=gnu99 -w" "WS_NO_SOCKETS WS_NO_SERVER : $sockets $server"
    add gcc-field_43 left "gcc -std=gnu99 -w" "WS_NO_SOCKETS WS_NO_CLIENT : $sockets $client"
    add gcc-field_43 left "gcc -std=gnu99 -w" "WS_NO_HTTP : $http"
    for annex in FOREIGN DIAL RECONNECT PROXY LISTEN GROUPS ROUTES SERVE FETCH SOURCE FILE; do     # each left out alone
        add gcc-without run "gcc -std=gnu99 -O0 -Itests -pthread -Wall -Wextra -Wpedantic -Werror -DWS__WITHOUT_$annex" \
            tests/test_transcripts.c
    done
    for f in tests/test_codec.c tests/test_transcripts.c; do    # by bytes, without short ways
        add gcc-Os run "gcc -std=gnu99 -Os -Itests -pthread $strict -Wno-conversion -Wno-sign-conversion -Wno-shadow" $f
    done
    add gcc-field_46 run "gcc -std=c99 -pthread $strict" sigpipe.c
    add gcc-field_48 run "gcc -std=c99 -pthread $strict" bsd.c
    android="-D__ANDROID__ -D__ANDROID_API__=24 -Dgetentropy=there_is_no_such_function"
    add gcc-android-field_48 run "gcc -std=c99 -pthread $android $strict" loopback.c
fi

if command -v clang >/dev/null 2>&1; then   # an int of 16 bits; Visual Studio
    for t in avr msp430; do
        tiny="clang --target=$t -ffreestanding -isystem $src/bare $strict"
        add clang-$t-field_39 refuses "$tiny -std=c99" "impl_only.c int.has.16.bits"
        add clang-$t-field_39 refuses "$tiny -std=c99" "plain_only.c int.has.16.bits"
        tiny="$tiny -DWS_NO_SOCKETS"
        add clang-$t-field_39 object "$tiny -std=c11" impl_only.c
        add clang-$t-field_39 object "$tiny -x c++ -std=c++11" impl_only.c
        for d in "" -DWS_NO_CLIENT -DWS_NO_SERVER "-DWS_NO_HTTP -DWS_NO_TEXT -DWS_NO_EXTENSIONS"; do
            add clang-$t-field_39 object "$tiny -std=c99 -DWS_NO_MALLOC $d" impl_only.c
        done
    done
    for t in x86_64 i686 aarch64; do
        msvc="clang --target=$t-pc-windows-msvc -fms-compatibility-version=19.30 -U__clang__ -isystem $src/msvc $strict -Wno-unused-function"
        add clang-msvc-$t-field_44 object "$msvc -std=c11" both_only.c
        add clang-msvc-$t-field_44 object "$msvc -x c++ -std=c++14" both_only.c
    done
    for d in -DWS_NO_SOCKETS -DWS_NO_CLIENT -DWS_NO_SERVER -DWS_NO_MALLOC -DWS_NO_THREADS "-include windows.h"; do
        msvc="clang --target=x86_64-pc-windows-msvc -fms-compatibility-version=19.30 -U__clang__ -isystem $src/msvc $strict -Wno-unused-function"
        add clang-msvc-field_44 object "$msvc -std=c99 $d" both_only.c
    done
fi

for cxx in g++ clang++; do
    have $cxx || continue
    for std in c++11 c++17 c++20; do
        how=as:c++11; [ $std != c++11 ] || how=run
        add "$cxx-$std" $how "$cxx -std=$std $strict" impl.cpp
        add "$cxx-$std" $how "$cxx -x c++ -std=$std $strict" loopback.c
        add "$cxx-$std" $how "$cxx -x c++ -std=$std $strict" "static_a.c static_b.c"
    done
    for f in twice.c no_client.c no_server.c no_simd.c no_threads.c no_extensions.c lwip.c; do
        add "$cxx-c++11" run "$cxx -x c++ -std=c++11 $strict" "$f"
    done
    for f in no_sockets.c no_malloc.c tiny.c; do       # C's { 0 } is a warning of -Wextra in C++
        add "$cxx-c++11" run "$cxx -x c++ -std=c++11 $strict -Wno-missing-field-initializers" "$f"
    done
    add "$cxx-O2" run "$cxx -std=c++11 -O2 $strict" impl.cpp
    add "$cxx-names" names "$cxx -x c++ -std=c++11 -O0" impl_only.c
    cc=gcc; [ $cxx = g++ ] || cc=clang
    add "$cxx-mixed" mixed "$cc -std=c99;$cxx -std=c++11 $strict" user.cpp
    m32="-m32 -idirafter /usr/include/x86_64-linux-gnu"
    if can $cxx $m32; then add "$cxx-m32" run "$cxx $m32 -x c++ -std=c++11 $strict" loopback.c
    else echo "SKIP compile: $cxx -m32 cannot link"
    fi
done

if have tcc; then
    for f in $sources late.c "static_a.c static_b.c"; do
        add tcc run "tcc -Wall -Werror" "$f"
    done
fi

if have x86_64-w64-mingw32-gcc; then
    mingw="x86_64-w64-mingw32-gcc $strict"
    for f in windows_first.c windows_last.c "static_a.c static_b.c" no_sockets.c; do
        add mingw-c99 windows "$mingw -std=c99" "$f"
    done
    add mingw-c99-wine-sec_H7 windows "$mingw -std=c99" loopback.c     # real sockets, under wine
    add mingw-c11-O2-wine-sec_H7 windows "$mingw -std=c11 -O2" loopback.c
    add mingw-gnu17 windows "$mingw -std=gnu17" windows_first.c
    add mingw-field_45 windows "$mingw -std=c99" windows_field.c
    for d in -DWS_NO_CLIENT -DWS_NO_SERVER; do add mingw-switches object "$mingw -std=c99 $d" impl_only.c; done
    for level in 0 2 s; do
        add mingw-O$level-field_41 stack "x86_64-w64-mingw32-gcc -std=c99 -O$level" both_only.c
    done
    add mingw-field_42 macros "x86_64-w64-mingw32-gcc -std=c99" ""
    for f in $(grep -LE 'include <(poll|arpa/inet|netdb|uv|ev|microhttpd|bearssl|openssl)|board' examples/*.c); do
        add mingw-examples-field_45 winlink "x86_64-w64-mingw32-gcc -std=c99 -Wall -Wextra -Wpedantic -Werror" "$f"
    done
    if ! have wine; then :; fi
fi

if have avr-gcc; then
    avr="avr-gcc -mmcu=atmega2560 -std=c99 -Os $strict -DWS_NO_SOCKETS"
    for d in "" -DWS_NO_CLIENT -DWS_NO_SERVER "-DWS_NO_HTTP -DWS_NO_TEXT -DWS_NO_EXTENSIONS"; do
        add avr-field_39 object "$avr $d" impl_only.c
        add avr-field_39 object "$avr -DWS_NO_MALLOC $d" impl_only.c
    done
fi

if have arm-none-eabi-gcc; then
    arm="arm-none-eabi-gcc -mthumb -std=c99 -ffreestanding -ffunction-sections -fdata-sections"
    for cpu in cortex-m0plus cortex-m4; do
        add "arm-$cpu" bare "$arm -mcpu=$cpu -Os $strict -DWS_NO_SOCKETS -DWS_NO_MALLOC" impl_only.c
        add "arm-$cpu" object "$arm -mcpu=$cpu -Os $strict" no_malloc.c
        add "arm-$cpu" object "$arm -mcpu=$cpu -Os $strict" examples/firmware.c
        add "arm-$cpu-field_41" stack "$arm -mcpu=$cpu -Os -DWS_NO_SOCKETS" both_only.c
    done
    link="$arm -mcpu=cortex-m0plus -Os $strict --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections"
    add arm-link firmware "$link" "examples/firmware.c tests/firmware/board_arm.c"
    add arm-link most:1536 "$link -nostartfiles" accept_key.c
    add arm-link most:26624 "$link -DWS_NO_SERVER" "examples/firmware.c tests/firmware/board_arm.c"
    add arm-link most:20992 "$link -DWS_NO_SERVER -DWS_NO_HTTP -DWS_NO_TEXT" \
        "examples/firmware.c tests/firmware/board_arm.c"
    # WS_TINY: the whole image, own start-up and stub board included. The aim: 5888, 6016, 6912;
    # with -flto and small functions of <string.h> 5120, 5248, 6144. A figure may only go down.
    tiny="$arm -mcpu=cortex-m0plus -Os $strict --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections"
    tiny="$tiny -nostartfiles -Ttests/firmware/cortex_m.ld -DWS_TINY"
    board="tests/firmware/board_arm.c tests/firmware/start_arm.c"
    small="$board tests/firmware/mem_arm.c"
    add arm-tiny most:7372 "$tiny -DWS_NO_SERVER" "tests/firmware/lamp.c $board"
    add arm-tiny most:8192 "$tiny -DWS_NO_CLIENT" "tests/firmware/lamp_server.c $board"
    add arm-tiny most:9804 "$tiny" "tests/firmware/lamp_both.c $board"
    add arm-tiny most:6284 "$tiny -flto -DWS_NO_SERVER" "tests/firmware/lamp.c $small"
    add arm-tiny most:7284 "$tiny -flto -DWS_NO_CLIENT" "tests/firmware/lamp_server.c $small"
    add arm-tiny most:8804 "$tiny -flto" "tests/firmware/lamp_both.c $small"
    add arm-tiny bare "$arm -mcpu=cortex-m0plus -Os $strict -DWS_TINY" impl_only.c
fi

# ws_sse.h: alone, beside ws.h, before it, after the headers of the system, as two private copies.
sse="sse.c|sse_after.c|sse_late.c impl_only.c|sse_static_a.c sse_static_b.c"
each() {        # each ID KIND COMPILER: every program of $sse
    echo "$sse" | tr '|' '\n' | while read -r files; do add "$1" "$2" "$3" "$files"; done
}
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    for std in c99 c17; do each "$cc-$std" run "$cc -std=$std $strict"; done
    add "$cc-late" run "$cc -std=c99 $strict -include unistd.h -include stdio.h" sse.c
    for level in 2 3 s; do add "$cc-O$level" run "$cc -std=c99 -O$level $strict" sse.c; done
    add "$cc-unsigned-char" run "$cc -std=c99 -funsigned-char $strict" sse.c
    add "$cc-extra" object "$cc -std=c99 -O2 -Wcast-qual -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wc++-compat $strict" sse_only.c
    add "$cc-static" object "$cc -std=c99 -DWS_STATIC $strict" sse_only.c
    for d in -DWS_NO_SOCKETS -DWS_NO_CLIENT -DWS_NO_SERVER; do
        add "$cc-switches" object "$cc -std=c99 $d $strict" sse_after_only.c
    done
    add "$cc-names" names "$cc -std=c99 -O0" sse_after_only.c
    add "$cc-names" names "$cc -std=c99 -O2" sse_only.c
    add "$cc-bare" bare "$cc -std=c99 -Os -ffreestanding" sse_only.c
    can $cc $m32 && each "$cc-m32" run "$cc $m32 -std=c99 $strict"
done
if can gcc $m32; then
    for f in tests/test_sse.c tests/test_stream.c tests/test_http.c; do
        add gcc-m32 run "gcc $m32 -std=gnu99 -O1 -Itests -pthread $strict -Wno-conversion -Wno-sign-conversion" $f
    done
fi
for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    for std in c++11 c++20; do each "$cxx-$std" run "$cxx -x c++ -std=$std $strict"; done
    add "$cxx-names" names "$cxx -x c++ -std=c++11 -O2" sse_only.c
done
if command -v tcc >/dev/null; then each tcc run "tcc -Wall -Werror"; fi
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
    each mingw-c99 windows "$mingw -std=c99"
    add mingw-windows-first windows "$mingw -std=c99 -include windows.h" sse.c
    for f in tests/test_sse.c tests/test_stream.c tests/test_http.c; do
        add mingw windows "$mingw -std=c99 -O1 -Itests -Wno-conversion -Wno-sign-conversion" $f
    done
fi
if command -v arm-none-eabi-gcc >/dev/null; then
    for cpu in cortex-m0plus cortex-m4; do
        add "arm-$cpu" bare "$arm -mcpu=$cpu -Os $strict" sse_only.c
    done
fi

# TLS by mbedTLS: each switch, both languages; a program whose TLS needs no sockets.
echo '#include <mbedtls/ssl.h>' >$out/tls.c
if ! ${CC-cc} -E $out/tls.c >/dev/null 2>&1; then echo "SKIP compile: no <mbedtls/ssl.h>"
elif ! have openssl; then :
else
    sh tests/tls/certs.sh $out/certs || exit 1
    libs="-Wl,--no-as-needed -lmbedtls -lmbedx509 -lmbedcrypto"
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        tls="$cc -std=c99 $strict -DWS_USE_MBEDTLS"
        for d in "" -DWS_NO_SOCKETS; do add "$cc-tls" run "$tls $d $libs" tls_memory.c; done
        add "$cc-tls-field_41" stack "$cc -std=c99 -O2 -DWS_USE_MBEDTLS" both_only.c
        for d in "" -O2 -DWS_STATIC -DWS_NO_CLIENT -DWS_NO_SERVER -DWS_NO_MALLOC -DWS_NO_SIMD "-DWS_NO_SOCKETS -DWS_STATIC" \
            "-DWS_NO_SOCKETS -DWS_NO_CLIENT" "-DWS_NO_SOCKETS -DWS_NO_SERVER" "-DWS_NO_SOCKETS -DWS_NO_MALLOC" \
            "-DWS_STATIC -DWS_NO_CLIENT" "-DWS_STATIC -DWS_NO_SERVER"; do
            add "$cc-tls" object "$tls $d" impl_only.c
        done
        add "$cc-tls-extra" object "$tls -Wcast-qual -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wc++-compat" impl_only.c
        add "$cc-tls-names" names "$cc -std=c99 -O0 -DWS_USE_MBEDTLS" impl_only.c
        ! can $cc $m32 || add "$cc-tls-m32" object "$tls $m32" impl_only.c
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        tls="$cxx -x c++ $strict -DWS_USE_MBEDTLS"
        for std in c++11 c++20; do add "$cxx-tls-$std" run "$tls -std=$std $libs" tls_memory.c; done
        for d in -DWS_STATIC -DWS_NO_CLIENT -DWS_NO_SERVER -DWS_NO_MALLOC "-DWS_NO_SOCKETS -DWS_STATIC"; do
            add "$cxx-tls" object "$tls -std=c++11 $d" impl_only.c
        done
    done
fi

# Wine makes its prefix once, before cells ask for it side by side.
if grep -q '|windows|' $out/list && command -v wine >/dev/null 2>&1; then
    WINEPREFIX=$PWD/$out/wine WINEDEBUG=-all wine cmd /c exit >/dev/null 2>&1
fi

# The examples' bodies on Windows, once for all.
if grep -q '|winlink|' $out/list; then
    printf '#define WS_IMPLEMENTATION\n#define WS_SSE_IMPLEMENTATION\n#include "ws.h"\n#include "ws_sse.h"\n' \
        >$out/winbodies.c
    x86_64-w64-mingw32-gcc -std=c99 -I. -c $out/winbodies.c -o $out/winbodies.o || rm -f $out/winbodies.o
fi

# ---- run ----------------------------------------------------------------------------------
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
# the long ones first: test programs, then what is optimized
awk -F '|' '{ print ($4 ~ /tests\/test_/ ? 3 : $3 ~ /-O[123s]/ ? 2 : 1), NR }' $out/list |
    sort -k 1,1nr -k 2n | sed 's/.* //' | xargs -P "$jobs" -n 1 sh tests/compile/run.sh --cell
[ ! -f "$(ls $out/*.size 2>/dev/null | head -n 1)" ] || {
    echo "firmware client for Cortex-M0+, whole image:"; cat $out/*.size; }
all=$(wc -l <$out/list)
passed=$(cat $out/*.result | grep -c ok)
echo "$passed passed, $((all - passed)) failed"
[ "$passed" = "$((all))" ]
