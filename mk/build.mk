# SPDX-License-Identifier: Apache-2.0
#
# Every rule that compiles or links, for one FLAVOUR into $(B).

# ---- flavours -------------------------------------------------------------------

CC_plain    := gcc
CC_clang    := clang
CC_asan     := gcc
CC_clang-asan := clang
CC_tsan     := gcc
CC_coverage := gcc
CC_fuzz     := clang

SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_clang-asan := $(SAN_asan)
SAN_fuzz := -fsanitize=address,undefined -fno-sanitize-recover=all

OPT_plain    := -O2 -g
OPT_clang    := -O2 -g
OPT_asan     := -O1 -g -fno-omit-frame-pointer $(SAN_asan)
OPT_clang-asan := $(OPT_asan)
OPT_tsan     := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_coverage := -O0 -g --coverage
OPT_fuzz     := -O1 -g -fno-omit-frame-pointer $(SAN_fuzz) -fsanitize=fuzzer-no-link

LINK_asan     := $(SAN_asan)
LINK_clang-asan := $(SAN_asan)
LINK_tsan     := -fsanitize=thread
LINK_coverage := --coverage
LINK_fuzz     := $(SAN_fuzz)

# ---- flags ----------------------------------------------------------------------

PKG_CONFIG ?= pkg-config
CC         := $(CC_$(FLAVOUR))
# First match wins: distributions do not agree on Lua's name.
LUA_PC     := $(firstword $(foreach n,lua5.4 lua-5.4 lua54 lua,\
	$(shell $(PKG_CONFIG) --exists $(n) 2>/dev/null && echo $(n))) lua5.4)
pkg_cflags  = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs    = $(shell $(PKG_CONFIG) --libs $(1))

# Unused parameters are the normal case in callbacks and ops tables.
WARN := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef \
	-Wold-style-definition -Wimplicit-fallthrough
ifneq ($(WERROR),no)
WARN += -Werror
endif

# -fPIC: const tables of pointers land in .data.rel.ro, where tidy can tell them from
# variables, and the archives may be linked into shared objects.
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DMSGRLAB_VERSION='"$(VERSION)"' -I. -fPIC -pthread \
	$(WARN) $(OPT_$(FLAVOUR)) $(addprefix -,$(OPT))

# Third-party headers are offered only to the folder that may use them.
CFLAGS_stacks    := $(call pkg_cflags,libibverbs)
CFLAGS_scenarios := $(call pkg_cflags,$(LUA_PC)) $(CFLAGS_stacks)
CFLAGS_sim       := $(CFLAGS_stacks)
CFLAGS_tests     := $(CFLAGS_stacks) $(call pkg_cflags,check) $(CFLAGS_scenarios)

ISAL_LIBS  := $(call pkg_libs,libisal)
VERBS_LIBS := $(call pkg_libs,libibverbs)
LIBS       := $(call pkg_libs,$(LUA_PC)) $(VERBS_LIBS) $(ISAL_LIBS) -lm -lboost_context
CHECK_LIBS  = $(call pkg_libs,check)

# ---- folders --------------------------------------------------------------------

# In link order: each may use those to its right. A folder without sources yields nothing.
FOLDERS := scenarios viz sim/rdma sim stacks/rdma stacks/tcp engine
MAIN    := scenarios/cli/msgrlab.c

# A folder is one archive with everything below it that is not a folder of the list itself.
below  = $(filter-out $(1)/,$(addsuffix /,$(filter $(1)/%,$(FOLDERS))))
src_of = $(filter-out $(MAIN) $(addsuffix %,$(below)),$(sort $(shell find $(1) -name '*.c')))
obj_of = $(patsubst %.c,$(B)/%.o,$(call src_of,$(1)))
lib_of = $(B)/lib$(subst /,_,$(1)).a

USED := $(foreach f,$(FOLDERS),$(if $(call src_of,$(f)),$(f)))
ARCHIVES := $(foreach f,$(USED),$(call lib_of,$(f)))
# What an embedding program links: the messenger without lab and pictures.
EMBED := $(filter engine stacks/%,$(USED))

TEST_SRC    := $(sort $(shell find tests/unit -name 'test_*.c') $(wildcard tests/conformance/test_*.c))
TEST_BIN    := $(patsubst %.c,$(B)/%,$(TEST_SRC))
TEST_LIB    := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/lib/*.c)))
FUZZ_SRC    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY_BIN  := $(patsubst tests/fuzz/fuzz_%.c,$(B)/tests/fuzz/replay_%,$(FUZZ_SRC))
FUZZER_BIN  := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
INTEROP     := $(sort $(wildcard tests/interop/*.sh))
PROGRAM     := $(if $(wildcard $(MAIN)),$(B)/msgrlab)

say = $(if $(filter 1,$(V)),,@printf '%-5s %s\n' $(1) '$(patsubst $(B)/%,%,$(2))';)

.PHONY: program libs objects tests run-tests run-interop run-replay fuzzers FORCE
program: libs $(PROGRAM) ; @:
libs: $(ARCHIVES) $(B)/libmsgrlab.a ; @:
objects: $(if $(PROGRAM),$(B)/$(MAIN:.c=.o)) ; @:
tests: $(TEST_BIN) $(REPLAY_BIN)
fuzzers: $(FUZZER_BIN)

# ---- rules ----------------------------------------------------------------------

# $(B)/flags changes when the compiler or a flag does; every object depends on it.
FLAGS_LINE := $(CC) $(ALL_CFLAGS) $(CFLAGS) | $(CFLAGS_scenarios) | $(LIBS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_LINE))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_LINE))' > $@

# Fuzz entry points have a name that libFuzzer chose and no header.
NOPROTO = $(if $(filter tests/fuzz/%,$<),-Wno-missing-prototypes)
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$<))) $(NOPROTO) \
		$(CFLAGS) -MMD -MP -c $< -o $@

# An archive is made afresh, and also when the list of its members changed, so a removed
# source file leaves nothing behind.
define archive_rule
$(1): $(2) $(1:.a=.list)
	$$(call say,AR,$$@)rm -f $$@ && ar rcs $$@ $(2)
$(1:.a=.list): FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' > $$@
endef
$(foreach f,$(USED),$(eval $(call archive_rule,$(call lib_of,$(f)),$(call obj_of,$(f)))))
$(eval $(call archive_rule,$(B)/libmsgrlab.a,$(foreach f,$(EMBED),$(call obj_of,$(f)))))

link = $(call say,LD,$@)$(CC) -pthread $(LINK_$(FLAVOUR)) $(1) $(filter %.o,$^) \
	$(filter %.a,$^) $(2) $(LIBS) $(LDFLAGS) -o $@

$(B)/msgrlab: $(B)/$(MAIN:.c=.o) $(ARCHIVES)
	$(call link)

# One test makes allocations of the engine and the stacks fail: it gets copies of their
# archives that call failing_malloc and so on, which the test defines.
FAILING_BIN := $(B)/tests/unit/engine/msgr/test_faults_alloc
FAILING_LIB := $(patsubst $(B)/%,$(B)/failing/%,$(foreach f,$(EMBED),$(call lib_of,$(f))))

$(FAILING_LIB): $(B)/failing/%: $(B)/%
	@mkdir -p $(@D)
	$(call say,COPY,$@)objcopy --redefine-sym malloc=failing_malloc \
		--redefine-sym calloc=failing_calloc --redefine-sym realloc=failing_realloc \
		--redefine-sym aligned_alloc=failing_aligned_alloc $< $@

$(FAILING_BIN): %: %.o $(TEST_LIB) \
		$(filter-out $(FAILING_LIB:$(B)/failing/%=$(B)/%),$(ARCHIVES)) $(FAILING_LIB)
	$(call link,,$(CHECK_LIBS))

$(filter-out $(FAILING_BIN),$(TEST_BIN)): $(B)/%: $(B)/%.o $(TEST_LIB) $(ARCHIVES)
	$(call link,,$(CHECK_LIBS))

# This one runs the verbs conformance suite on the virtual device.
$(B)/tests/unit/sim/rdma/test_verbs: $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,\
	$(sort $(wildcard tests/conformance/verbs/*.c))))

$(REPLAY_BIN): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o \
		$(B)/tests/fuzz/replay_main.o $(ARCHIVES)
	$(call link)

$(FUZZER_BIN): $(B)/%: $(B)/%.o $(ARCHIVES)
	$(call link,-fsanitize=fuzzer)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- running --------------------------------------------------------------------

RUN = FLAVOUR=$(FLAVOUR) MSGRLAB=$(abspath $(B)/msgrlab) tests/run.sh

# T=test_x runs the programs of that name, wherever they lie; T=unit/engine/event/test_x one.
run-tests: program tests
	$(Q)$(RUN) $(if $(T),$(filter %/$(T),$(TEST_BIN)),$(TEST_BIN))

run-interop: program
	$(Q)$(RUN) $(INTEROP)

run-replay: tests
	$(Q)$(RUN) $(REPLAY_BIN)
