# POSIX make and a C compiler; nothing to configure. Local settings go into config.mk.
#   make run      build the demo and start it        make test    everything, with a sum
#   make examples every program into build/          make bench   against other servers
#   make mutants  do the tests see each rule?        make test-firmware   on boards in QEMU

CC = cc
CFLAGS = -O2 -g
CPPFLAGS =
LDFLAGS =
LDLIBS =
WARN = -Wall -Wextra -Wpedantic -Werror
PREFIX = /usr/local
PORT = 9001
FUZZ_SECONDS = 60
BENCH =
BOARD =

-include config.mk

SET = CC='$(CC)' CFLAGS='$(CFLAGS)' CPPFLAGS='$(CPPFLAGS)' LDFLAGS='$(LDFLAGS)' \
	LDLIBS='$(LDLIBS)' WARN='$(WARN)' MAKE='$(MAKE)'

all: examples

run:
	@$(SET) sh tests/examples.sh demo
	build/demo --port $(PORT)

examples:
	@$(SET) sh tests/examples.sh

test:
	@$(SET) sh tests/run.sh

lint:
	@sh tests/lint.sh

compile:
	@sh tests/compile/run.sh

bench:
	@$(SET) sh tests/examples.sh
	@$(SET) bash tests/bench/run.sh $(BENCH)

bench-smoke:
	@$(SET) sh tests/bench/smoke.sh

fuzz:
	@$(SET) FUZZ_SECONDS='$(FUZZ_SECONDS)' sh tests/fuzz/run.sh fuzz

mutants:
	@$(SET) sh tests/mutants/run.sh

test-interop:
	@$(SET) sh tests/examples.sh
	@$(SET) bash tests/interop/run.sh

test-firmware:
	@sh tests/firmware/boards.sh $(BOARD)

install:
	mkdir -p '$(DESTDIR)$(PREFIX)/include'
	cp ws.h ws_sse.h '$(DESTDIR)$(PREFIX)/include'
	cd '$(DESTDIR)$(PREFIX)/include' && chmod 644 ws.h ws_sse.h

clean:
	rm -rf build

.PHONY: all run examples test lint compile bench bench-smoke fuzz mutants test-interop \
	test-firmware install clean
