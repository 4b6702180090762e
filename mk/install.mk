# SPDX-License-Identifier: Apache-2.0
#
# Installing the program, the embeddable library and the scenarios.
#
# Headers include each other as "engine/x.h", so they keep their folders below
# include/msgrlab and msgrlab.pc points the compiler there.

# "make install PREFIX=dir" is below here, not below wherever the library is used.
override PREFIX := $(abspath $(PREFIX))
D := $(DESTDIR)$(PREFIX)

# What an embedding program may include. Each compiles by itself, as C and as C++, which
# tests/interop/linking.sh tries: one that includes a private header fails there.
PUBLIC := $(addprefix engine/,base buffer connection entity_addr event_center_stats \
		event_driver limits message message_header messenger network_stack os os_calls \
		policy states trace trace_format trace_points) \
	stacks/tcp/tcp_stack stacks/rdma/rdma_stack stacks/rdma/verbs stacks/rdma/verbs_calls
HEADERS := $(PUBLIC:%=%.h)
MACHINE := $(wildcard scenarios/softroce/*)
SCRIPTS := $(patsubst scenarios/%,%,$(sort $(shell find scenarios -name '*.lua' 2>/dev/null)))

.PHONY: do-install do-uninstall
do-install: program
	$(Q)install -d $(D)/bin $(D)/lib/pkgconfig
	$(Q)install -m 755 $(B)/msgrlab $(D)/bin/msgrlab
	$(Q)install -m 644 $(B)/libmsgrlab.a $(D)/lib/libmsgrlab.a
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' msgrlab.pc.in \
		> $(D)/lib/pkgconfig/msgrlab.pc
	$(Q)rm -rf $(D)/include/msgrlab
	$(Q)for h in $(HEADERS); do install -D -m 644 $$h $(D)/include/msgrlab/$$h || exit 1; done
	$(Q)for s in $(SCRIPTS); do \
		install -D -m 644 scenarios/$$s $(D)/share/msgrlab/scenarios/$$s || exit 1; done
	$(Q)install -d $(D)/share/msgrlab/softroce
	$(Q)install -m 644 $(filter %.bash,$(MACHINE)) $(D)/share/msgrlab/softroce
	$(Q)install -m 755 $(filter %.sh,$(MACHINE)) $(D)/share/msgrlab/softroce
	@echo 'Installed msgrlab $(VERSION) below $(D)'

do-uninstall:
	$(Q)rm -f $(D)/bin/msgrlab $(D)/lib/libmsgrlab.a $(D)/lib/pkgconfig/msgrlab.pc
	$(Q)rm -rf $(D)/include/msgrlab $(D)/share/msgrlab
	@echo 'Removed msgrlab from $(D)'
