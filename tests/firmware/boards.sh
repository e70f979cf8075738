#!/bin/sh
# program.c on boards that QEMU plays, as client and as server, with npm ws and worse peers at the
# other end of the UART (boards.js). Prints "ok name" or "FAIL name", then a table of flash, RAM
# and stack; a figure above tests/firmware/budget is a failure. Last line "N passed, N failed".
#   sh tests/firmware/boards.sh                     all boards
#   sh tests/firmware/boards.sh microbit            those with that in their name
#   PROGRAMS=tiny sh tests/firmware/boards.sh       by WS_TINY (default: both)
# A missing tool is a loud SKIP, and a failure with CI=true.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/firmware
out=build/boards
rm -rf $out; mkdir -p $out
log=$out/log
: >$log; : >$out/list

say() { echo "$1" | tee -a $log; }
skip() {
    say "SKIP boards: $1"
    [ "${CI-}" != true ] || say "FAIL $1: skipped, which is a failure with CI=true"
}
finish() {
    failed=$(grep -c '^FAIL' $log)
    echo "$(grep -c '^ok' $log) passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}

strict="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror"
flags="-std=c99 -Os $strict -ffunction-sections -fdata-sections -Wl,--gc-sections -I. -I$here/boards"
own="-nostartfiles -L$here/boards"
# gcc 12 for ARM stores twice to volatile registers after a loop, unless it is told not to
arm="arm-none-eabi-gcc -mthumb $flags -fno-move-loop-stores --specs=nano.specs $own"

describe() {    # describe BOARD: its compiler, its files besides program.c, its command of QEMU
    case $1 in
    microbit)
        compiler="$arm -mcpu=cortex-m0 -T microbit.ld" files="microbit.c start.c"
        qemu="qemu-system-arm -M microbit -kernel" ;;
    lm3s6965evb)
        compiler="$arm -mcpu=cortex-m3 -T lm3s6965evb.ld" files="lm3s6965evb.c start.c played_random.c"
        qemu="qemu-system-arm -M lm3s6965evb -kernel" ;;
    riscv32)
        compiler="riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 $flags --specs=picolibc.specs $own -T virt.ld"
        files="virt.c start.c played_random.c"
        qemu="qemu-system-riscv32 -M virt -bios none -kernel" ;;
    mega2560)   # constants are in its 8 KB of RAM: no words for errors
        compiler="avr-gcc -mmcu=atmega2560 $flags -DWS_NO_TEXT -DWS_NO_HTTP"
        files="mega2560.c played_random.c"
        qemu="qemu-system-avr -M mega2560 -bios" ;;
    esac
}

build() {       # build BOARD ROLE PROGRAM: $out/BOARD-ROLE-PROGRAM.elf, its line in the list
    image=$out/$1-$2-$3.elf sources=$here/program.c
    case $2 in client) switches=-DWS_NO_SERVER ;; *) switches=-DWS_NO_CLIENT ;; esac
    [ "$3" != tiny ] || switches="$switches -DWS_TINY"
    for f in $files; do sources="$sources $here/boards/$f"; done
    if $compiler $switches $sources -o "$image" >$out/compiler.txt 2>&1; then
        echo "$1 $2 $3 $image $qemu" >>$out/list
    else
        say "FAIL $1 $2 $3: it does not compile"
        head -n 10 $out/compiler.txt | sed 's/^/    /'
    fi
}

# ---- what is needed ----
if ! { command -v node && command -v npm; } >/dev/null; then skip "no node or no npm"; finish; fi
if ! (cd tests/interop && npm ci --ignore-scripts --no-audit --no-fund) >$out/npm.log 2>&1; then
    tail -n 5 $out/npm.log
    skip "npm ci failed"
    finish
fi
for board in mega2560 riscv32 microbit lm3s6965evb; do      # the slowest first
    case $board in *"${1-}"*) ;; *) continue ;; esac
    describe $board
    missing=
    for tool in ${compiler%% *} ${qemu%% *}; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    if [ -n "$missing" ]; then skip "$board: these are missing:$missing"; continue; fi
    for program in ${PROGRAMS-engine tiny}; do
        build $board server "$program"
        build $board client "$program"
    done
done
[ -s $out/list ] || finish

# ---- run, and measure ----
node $here/boards.js $out/list >$out/run.txt 2>&1
status=$?
grep -v '^stack' $out/run.txt | tee -a $log
[ $status = 0 ] || grep -q '^FAIL' $log || say "FAIL boards.js: exit status $status"

printf '%-12s %-7s %-8s %7s %6s %6s\n' board role program flash RAM stack
while read -r board role program image qemu; do
    describe "$board"
    compiler=${compiler%% *}
    stack=$(sed -n "s/^stack $board $role $program //p" $out/run.txt)
    figures=$("${compiler%gcc}size" "$image" | awk 'NR == 2 { print $1 + $2, $2 + $3 }')
    echo "$board $role $program $figures ${stack:-0}"
done <$out/list | tee $out/figures | while read -r line; do
    printf '%-12s %-7s %-8s %7s %6s %6s\n' $line
done
awk 'FNR == NR { if ($0 !~ /^#/) for (i = 4; i <= 6; i++) most[$1 " " $2 " " $3, i] = $i; next }
     { split("x x x flash RAM stack", kind, " ")
       for (i = 4; i <= 6; i++) {
           name = $1 " " $2 " " $3
           what = name ": " $i " bytes of " kind[i]
           if (!((name, i) in most)) print "FAIL " what ", and no budget for it"
           else if ($i > most[name, i] || !$i) print "FAIL " what ", at most " most[name, i]
           else print "ok " what
       } }' $here/budget $out/figures | tee -a $log | grep '^FAIL'
finish
