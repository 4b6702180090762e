# SPDX-License-Identifier: Apache-2.0
#
# msgrlab: one Makefile for the whole tree.
#
#   make            the program and its libraries, in build/plain/
#   make demo       a first picture, from nothing
#   make check      everything that must hold before a commit
#   make help       the full list
#
# How it is built up. This file is read twice. The first reading serves the words a
# person types: it looks after the packages (scripts/deps.sh) and then calls make again
# with GOAL=inner, because only then can pkg-config answer. The second reading includes
# mk/build.mk, which holds every rule that compiles something, for one FLAVOUR:
#
#   plain     gcc -O2          clang     the same with clang
#   asan      gcc, address and undefined-behaviour sanitizers
#   tsan      gcc, thread sanitizer
#   clang-asan  clang with the same sanitizers as asan
#   coverage  gcc --coverage
#   fuzz      clang, libFuzzer with the address and undefined-behaviour sanitizers
#
# Each flavour has a directory of its own below build/, so none disturbs another. OPT=O3
# optimises it otherwise, into build/FLAVOUR-O3.
#
# Knobs: FLAVOUR=asan  V=1 (show commands)  CFLAGS=... (added last)  WERROR=no
#        DEPS=no (never call the package manager)  FUZZ_SECONDS=60  PREFIX=  DESTDIR=

FLAVOUR      ?= plain
VERSION      := 0.1.0
PREFIX       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 60
DEPS         ?= yes
V            ?= 0

FLAVOURS := plain clang asan tsan
OPT      ?=
B        := build/$(FLAVOUR)$(if $(OPT),-$(OPT))

Q := $(if $(filter 1,$(V)),,@)

.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

ifeq ($(filter $(FLAVOUR),$(FLAVOURS) clang-asan coverage fuzz),)
$(error FLAVOUR=$(FLAVOUR) is unknown; choose one of: $(FLAVOURS) clang-asan coverage fuzz)
endif

ifeq ($(GOAL),inner)
include mk/build.mk
include mk/install.mk
else

# ---- the words a person types ---------------------------------------------------

# Without a -j of the user's own, use every processor; with one, share its job server.
JOBS   = $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
inner  = $(MAKE) $(JOBS) GOAL=inner FLAVOUR=$(or $(2),$(FLAVOUR)) $(1)
# $(call deps,GROUP); the flavours that clang builds need more than the group says.
deps   = $(if $(filter yes,$(DEPS)),scripts/deps.sh $(if $(filter clang clang-asan fuzz,$(FLAVOUR)),check,$(1)),true)

.PHONY: all help demo picture check check-fast test interop replay tidy format bench fuzz coverage \
	install uninstall clean deps determinism check-determinism check-fresh check-fresh-notices exhibits

all:
	$(Q)$(call deps,build)
	$(Q)+$(call inner,program)
	@echo 'The program is $(B)/msgrlab. To call it by its name: "make install", which puts it'
	@echo 'below $(PREFIX), or   export PATH=$$PWD/$(B):$$PATH'

help:
	@echo 'make              build the program and its libraries: build/plain/msgrlab'
	@echo 'make demo         run a first scenario and draw its IO path'
	@echo 'make picture      the same, into docs/ for the README'
	@echo 'make check        packages, tidy, all tests in every flavour, interop, fuzz corpus'
	@echo 'make check-fast   the tests of the plain flavour only'
	@echo 'make test         the tests of one flavour: make test FLAVOUR=tsan [T=test_x]'
	@echo 'make interop      the shell tests against real peers, same FLAVOUR= as above'
	@echo 'make exhibits     campaigns find bugs that Ceph had, put back by patches'
	@echo 'make determinism  seeds give the same runs in every flavour; part of make check'
	@echo 'make check-determinism  the same for -O0 to -O3 of both compilers, and other ways'
	@echo 'make check-fresh  every command of README.md on a fresh Debian 12, which debootstrap makes;'
	@echo '                  as root; CHECK=yes: also make check in there'
	@echo 'make replay       the fuzz corpus through plain programs, same FLAVOUR= as above'
	@echo 'make check-softroce   the tests on real verbs: soft-RoCE here or in a virtual machine'
	@echo 'make tidy         layers, banned calls, globals, format, sizes'
	@echo 'make format       let clang-format rewrite every .c and .h'
	@echo 'make bench        figures of this machine'
	@echo 'make bench-rdma   RDMA beside TCP and perftest: on a device here, or in a virtual machine'
	@echo 'make fuzz         each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make coverage     line coverage by folder'
	@echo 'make install      to DESTDIR + PREFIX=$(PREFIX); make uninstall takes it back'
	@echo 'make deps         install every package that build and check need'
	@echo 'make clean        remove build/'
	@echo
	@echo 'FLAVOUR=$(subst $() ,|,$(FLAVOURS) coverage)  V=1  CFLAGS=  WERROR=no  DEPS=no'

deps:
	$(Q)scripts/deps.sh check

demo:
	$(Q)$(call deps,build)
	$(Q)+$(call inner,program,plain)
	$(Q)mkdir -p build/demo
	build/plain/msgrlab run scenarios/hello.lua --seed 7 \
		--trace build/demo/hello-rdma.trace
	build/plain/msgrlab show build/demo/hello-rdma.trace --view iopath \
		-o build/demo/hello-rdma-iopath.svg
	@echo
	build/plain/msgrlab run scenarios/hello.lua --on linux \
		--trace build/demo/hello.trace
	build/plain/msgrlab show build/demo/hello.trace --view iopath \
		-o build/demo/hello-iopath.svg
	@echo
	@echo 'Above, the same scenario in both worlds: simulated, over RDMA (every run the same),'
	@echo 'and on Linux, over TCP. Their IO paths, drawn from what was observed:'
	@echo '  build/demo/hello-rdma-iopath.svg  build/demo/hello-iopath.svg'
	@echo 'Open them in any browser:  xdg-open build/demo/hello-rdma-iopath.svg'

picture: demo
	$(Q)build/plain/msgrlab run scenarios/hello.lua --rdma polling_us=0 --seed 7 \
		--trace build/demo/hello-event.trace > build/demo/hello-event.log
	$(Q)build/plain/msgrlab show build/demo/hello-event.trace --view iopath \
		-o docs/hello-rdma-event-iopath.svg
	$(Q)build/plain/msgrlab show build/demo/hello-rdma.trace --view states \
		-o docs/hello-states.svg
	$(Q)cp build/demo/hello-iopath.svg build/demo/hello-rdma-iopath.svg docs/

check:
	$(Q)$(call deps,check)
	$(Q)+FLAVOURS='$(FLAVOURS)' tests/check.sh $(MAKE) $(JOBS)

check-fast:
	$(Q)$(call deps,check-fast)
	$(Q)+$(call inner,run-tests,plain)

test:
	$(Q)$(call deps,check-fast)
	$(Q)+$(call inner,run-tests)

interop replay:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,run-$@)

# Bugs that Ceph had, put into copies of the sources: campaigns must find each.
exhibits:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,program,plain)
	$(Q)FLAVOUR=plain TEST_SECONDS=900 tests/run.sh tests/exhibits/run.sh

# What all the builds must agree in: the trace hash of each seed.
determinism:
	$(Q)$(call deps,check)
	$(Q)+$(foreach f,$(FLAVOURS),$(call inner,program,$(f)) &&) true
	$(Q)+for m in plain-O0 clang-O3; do $(MAKE) DEPS=no matrix-$$m || exit 1; done
	$(Q)DETERMINISM_BUILDS='$(addprefix build/,$(FLAVOURS) plain-O0 clang-O3)' \
		tests/run.sh tests/determinism.sh

MATRIX := $(foreach f,plain clang asan clang-asan,$(foreach o,O0 O2 O3,$(f)-$(o)))
.PHONY: $(addprefix matrix-,$(MATRIX))
$(addprefix matrix-,$(MATRIX)): matrix-%:
	$(Q)+$(call inner,program,$(patsubst %-$(lastword $(subst -, ,$*)),%,$*)) \
		OPT=$(lastword $(subst -, ,$*)) WERROR=no

# One build after the other: each uses all processors by itself.
check-determinism:
	$(Q)$(call deps,check)
	$(Q)+for m in $(MATRIX); do $(MAKE) DEPS=no matrix-$$m || exit 1; done
	$(Q)DETERMINISM_BUILDS='$(addprefix build/,$(MATRIX))' DETERMINISM_WAYS=all \
		tests/determinism.sh

# README.md on a machine that has nothing but make; WITHOUT=PACKAGE must fail.
check-fresh:
	$(Q)$(call deps,fresh)
	$(Q)CHECK='$(CHECK)' WITHOUT='$(WITHOUT)' tests/fresh/fresh.sh

# That it does fail.
check-fresh-notices:
	$(Q)$(call deps,fresh)
	$(Q)FLAVOUR=plain TEST_SECONDS=1200 tests/run.sh tests/fresh/notices.sh

tidy:
	$(Q)$(call deps,check-fast)
	$(Q)+$(call inner,libs objects,plain)
	$(Q)scripts/tidy.sh

format:
	$(Q)$(call deps,check-fast)
	$(Q)find engine stacks sim viz scenarios tests docs -name '*.[ch]' 2>/dev/null | \
		xargs -r $(or $(shell command -v clang-format-14),clang-format) -i

bench:
	$(Q)$(call deps,build)
	$(Q)+$(call inner,program,plain)
	$(Q)build/plain/msgrlab bench
	@echo
	@echo 'RDMA beside TCP and perftest: make bench-rdma'

fuzz:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,fuzzers,fuzz)
	$(Q)tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

coverage:
	$(Q)$(call deps,check-fast)
	$(Q)find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)+$(call inner,run-tests,coverage)
	$(Q)scripts/coverage.sh build/coverage

# Installing compiles nothing as root that "make" has built before.
install:
	$(Q)$(call deps,build)
	$(Q)+$(call inner,do-install,plain)

uninstall:
	$(Q)+$(call inner,do-uninstall,plain)

clean:
	$(Q)rm -rf build

endif

include mk/softroce.mk
