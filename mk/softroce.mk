# SPDX-License-Identifier: Apache-2.0
#
# Real verbs without hardware: what is built for tests/softroce, and how it is run there.
# The Makefile includes this in both of its readings.

VERBS_SRC := $(sort $(wildcard tests/conformance/verbs/*.c))
VERBS_BIN := $(B)/tests/conformance/verbs/verbs_conformance
# Check programs that need real devices.
ROCE_SRC  := $(sort $(wildcard tests/softroce/test_*.c))
ROCE_BIN  := $(ROCE_SRC:%.c=$(B)/%)
# Cases of other folders that run there over RDMA.
ROCE_ALSO := $(B)/tests/conformance/test_network_stack $(B)/tests/conformance/test_network_stress

ifeq ($(GOAL),inner)

.PHONY: softroce-programs
softroce-programs: program $(if $(VERBS_SRC),$(VERBS_BIN)) $(ROCE_BIN) $(ROCE_ALSO) ; @:

$(ROCE_BIN): $(B)/%: $(B)/%.o $(TEST_LIB) $(ARCHIVES)
	$(call link,,$(CHECK_LIBS) $(call pkg_libs,libibverbs))

$(VERBS_BIN): $(VERBS_SRC:%.c=$(B)/%.o) $(ARCHIVES)
	$(call link,,$(call pkg_libs,libibverbs))

else

# Where kernels are kept: "make clean" takes this one away.
SOFTROCE_CACHE ?= $(CURDIR)/build/cache
export SOFTROCE_CACHE

.PHONY: check-softroce verbs-table bench-rdma

# T="tests/softroce/t_x.sh ..." runs only these.
check-softroce:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,softroce-programs,plain)
	$(Q)B=build/plain tests/softroce/suite.sh $(T)

verbs-table:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,softroce-programs,plain)
	$(Q)build/plain/msgrlab softroce --where any --time 400 --out build/softroce -- \
		tests/conformance/verbs/table.sh $(VERBS_BIN)
	$(Q)cp build/softroce/verbs-conformance.md docs/verbs-conformance.md

# Two processors, or two ends that spin would wait for each other's time slices.
BENCH_RDMA ?= --rounds 3 --count 300
bench-rdma:
	$(Q)$(call deps,check)
	$(Q)+$(call inner,program,plain)
	$(Q)$(if $(wildcard /sys/class/infiniband/*),,build/plain/msgrlab softroce --processors 2 \
		--time 1200 --) \
		build/plain/msgrlab bench rdma $(BENCH_RDMA)

endif
