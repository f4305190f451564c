# SPDX-License-Identifier: GPL-2.0-only
# How the test programs are compiled; called by runner/programs.bash with
#	ROOT SUITES_DIR TREE KERNEL_SOURCE KERNEL_HEADERS CROSS SUITES [SANITIZE] [URING_INCLUDE URING_LIBRARY]
# in the directory that takes the output; suites go below TREE in it, so that several directories of
# suites share the objects of harness/. One .c in $SUITES_DIR/<suite>/ is one program.

comma := ,
space := $(subst ,, )

CC := $(CROSS)gcc
AR := $(CROSS)ar
STRIP := $(CROSS)strip

CPPFLAGS := -D_GNU_SOURCE -I$(ROOT)/harness -I$(KERNEL_SOURCE)/tools/testing/selftests \
	-I$(KERNEL_SOURCE)/drivers/iommu/iommufd -isystem $(KERNEL_HEADERS)
CFLAGS := -std=gnu11 -O2 -g -pthread -Wall -Wextra -Wno-sign-compare -Wno-unused-parameter \
	-Wno-missing-field-initializers -MMD -MP
# "fill" is not one of gcc's: what nobody initialised, on the stack or from malloc(), is no zero.
sanitizers := $(filter-out fill,$(subst $(comma),$(space),$(SANITIZE)))
sanitize := $(subst $(space),$(comma),$(strip $(sanitizers)))
ifneq ($(filter fill,$(subst $(comma),$(space),$(SANITIZE))),)
CPPFLAGS += -DNIT_FILL=0xa5
CFLAGS += -ftrivial-auto-var-init=pattern
endif
# Static, so that a guest needs no libraries; ASan and TSan cannot be, the runner packs theirs.
LDFLAGS := -pthread $(if $(filter address thread,$(sanitizers)),,-static)
ifneq ($(sanitize),)
CFLAGS += -fsanitize=$(sanitize) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(sanitize)
endif
ifneq ($(WERROR),)
CFLAGS += -Werror
endif

modules := core iommufd vfio model hw hyp pgtable guest vmm dma qtest oracle target vfio_user
sources := $(foreach m,$(modules),$(wildcard $(ROOT)/harness/$(m)/*.c))
objects := $(patsubst $(ROOT)/%.c,%.o,$(sources))
programs := $(foreach s,$(SUITES),$(patsubst $(SUITES_DIR)/%.c,$(TREE)/bin/%,$(wildcard $(SUITES_DIR)/$(s)/*.c)))

all: $(programs) $(TREE)/bin/init $(TREE)/bin/nit-hw $(TREE)/bin/nit-device

$(TREE)/bin/init: $(ROOT)/guests/init/init.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(filter-out -fsanitize=% -fno-sanitize%,$(CFLAGS)) -static -MF $@.d -o $@ $<

# The server of reference hardware, which runs beside QEMU
$(TREE)/bin/nit-hw: harness/vfio_user/main/nit-hw.o libnit.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< libnit.a

# Says what the devices of this machine can do, for --target host
$(TREE)/bin/nit-device: harness/target/main/nit-device.o libnit.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< libnit.a

$(TREE)/bin/%: $(TREE)/suites/%.o libnit.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< libnit.a $(LDLIBS)

$(TREE)/suites/%.o: $(SUITES_DIR)/%.c flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I$(dir $<) $(CFLAGS) -c -o $@ $<

harness/%.o: $(ROOT)/harness/%.c flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Load that real devices carry: liburing is needed for suites/load alone
load := $(patsubst $(ROOT)/%.c,%.o,$(wildcard $(ROOT)/harness/load/*.c))
harness/load/%.o: CPPFLAGS += -isystem $(URING_INCLUDE)
$(TREE)/suites/load/%.o: CPPFLAGS += -isystem $(URING_INCLUDE)
$(TREE)/bin/load/%: $(TREE)/suites/load/%.o $(load) libnit.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(load) libnit.a $(URING_LIBRARY)

libnit.a: $(objects)
	rm -f $@
	$(AR) crs $@ $(objects)

# The kernel's own selftests are not ours to warn about
$(TREE)/suites/upstream/%.o: CPPFLAGS += -I$(KERNEL_SOURCE)
$(TREE)/suites/upstream/%.o: CFLAGS += -w
$(TREE)/bin/upstream/%: LDLIBS := -lcap

# Other flags, other objects
flags: FORCE
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' >$@

.PHONY: all FORCE
.SECONDARY:
-include harness/vfio_user/main/nit-hw.d harness/target/main/nit-device.d
-include $(objects:.o=.d) $(load:.o=.d) $(programs:$(TREE)/bin/%=$(TREE)/suites/%.d) $(TREE)/bin/init.d
