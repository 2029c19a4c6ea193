# Cooper. `make` builds everything into build/ and touches nothing else.
#
#   sudo make demo       see it work: pull an image, run it, look into it, remove it
#   sudo make check      install what is missing, build, run every test suite
#
#   make rootfs          what the tutorial's chapters run; make grade STEP=01 BIN=... judges yours
#   make book            the tutorial for a browser; sudo make check-tutorial: is it still true
#
#   make                 build; installs nothing
#   make rootfs          the small root file system and image that the chapters run
#   sudo make deps       install the Debian or Ubuntu packages that are missing (tests/deps.sh has the list)
#   sudo make install    into PREFIX=/usr/local (below DESTDIR= if given); make uninstall takes it out
#   sudo make check-vm   the suites in a virtual machine with Debian's kernel and nothing but cgroup v2
#   sudo make check-crash   every command killed and failed at every point of its run
#   sudo make check-peers   docker, Podman and containerd with cooper-runtime under them
#   sudo make asan       the suites again with AddressSanitizer and UndefinedBehaviorSanitizer
#   sudo make fuzz       the parsers under libFuzzer, FUZZ_SECONDS=600 each (FUZZ="layer archive": only some)
#   sudo make bench      speed and memory beside crun, runc, podman and docker
#   sudo make check-tutorial   the chapters against the sources and against what their commands print
#   make book            the tutorial as HTML, in build/book (needs pandoc)
#   make unit            only the tests that need no root;  make clean

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
VERSION := 0.1.0
COMMIT  := $(shell git -C $(CURDIR) rev-parse --short HEAD 2>/dev/null || echo unknown)

CC       ?= gcc
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -D_GNU_SOURCE -Ifinal -I$(BUILD)/gen -DCOOPER_VERSION='"$(VERSION)"' \
            -DCOOPER_COMMIT='"$(COMMIT)"'
ALL_CFLAGS = -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS) $(SANITIZE)

# cooper and cooper-shim start often and live long: static, so that starting them loads nothing and a
# running shim owns next to no memory. STATIC=0 links them dynamically (sanitizers need that).
STATIC ?= 1
ifeq ($(STATIC),1)
STATIC_LDFLAGS := -static-pie
else
STATIC_LDFLAGS := -pie
endif
LDFLAGS += -Wl,-z,relro,-z,now -Wl,--gc-sections

PROGRAM_DIR := $(BUILD)/bin
LIBEXEC := $(BUILD)/libexec/cooper

ROOMS := cli build engine runtime image registry network storage base
mains := final/cli/main.c final/cli/image_main.c final/network/nft_main.c final/engine/gzip_main.c final/runtime/init_main.c final/runtime/systemd_main.c final/runtime/seccomp_gen.c
room_sources = $(filter-out $(mains),$(wildcard final/$(1)/*.c))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ROOM_LIBS := $(foreach r,$(ROOMS),$(BUILD)/lib/lib$(r).a)

PROGRAMS := $(PROGRAM_DIR)/cooper $(PROGRAM_DIR)/cooper-runtime $(LIBEXEC)/cooper-shim $(LIBEXEC)/cooper-image $(LIBEXEC)/cooper-init $(LIBEXEC)/cooper-nft $(LIBEXEC)/cooper-gzip
# The runtime's words with systemd: only where its library is. Without, the manager "systemd" is refused.
SYSTEMD_LIBS := $(shell pkg-config --libs libsystemd 2>/dev/null)
ifneq ($(SYSTEMD_LIBS),)
PROGRAMS += $(LIBEXEC)/cooper-systemd
endif

all: $(PROGRAMS)

define room_rule
$(BUILD)/lib/lib$(1).a: $(call objects,$(call room_sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The rooms call only downwards, but archives are searched left to right: the group makes order not matter.
rooms = -Wl,--start-group $(ROOM_LIBS) -Wl,--end-group
# libsqlite3.a and others mention dlopen and getpwnam, which we do not use: the linker's warnings say so.
LIGHT_LIBS := -lsqlite3 -ljansson -lcap -lseccomp -lm -lpthread
HEAVY_LIBS := -lsqlite3 -ljansson -lcap -lseccomp -lcurl -larchive -lisal -lzstd -lbz2 -llzma -lz -lcrypto -lpthread

$(PROGRAM_DIR)/cooper: $(call objects,final/cli/main.c) $(ROOM_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(STATIC_LDFLAGS) $(LDFLAGS) $< $(rooms) $(LIGHT_LIBS) -o $@ 2>$@.ld || (cat $@.ld; false)
	@rm -f $@.ld

# Other engines start it for every step of a container's life: static, too. The compiler of syscall filters is
# a weak reference of the runtime room (the shim does without); -u asks for it.
runtime_cli := $(call objects,$(wildcard final/runtime/cli/*.c))
$(PROGRAM_DIR)/cooper-runtime: $(runtime_cli) $(ROOM_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(STATIC_LDFLAGS) $(LDFLAGS) -Wl,-u,seccomp_compile_spec $(runtime_cli) $(rooms) -ljansson -lcap -lseccomp -o $@

$(LIBEXEC)/cooper-shim: $(call objects,$(wildcard final/engine/shim/*.c)) $(ROOM_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(STATIC_LDFLAGS) $(LDFLAGS) $(call objects,$(wildcard final/engine/shim/*.c)) $(rooms) -ljansson -lcap -o $@

$(LIBEXEC)/cooper-image: $(call objects,final/cli/image_main.c) $(ROOM_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -pie $(LDFLAGS) $< $(rooms) $(HEAVY_LIBS) -o $@

$(LIBEXEC)/cooper-nft: $(call objects,final/network/nft_main.c)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -pie $(LDFLAGS) $< -lnftables -o $@

$(LIBEXEC)/cooper-gzip: final/engine/gzip_main.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pie $(LDFLAGS) $< -lz -o $@

# libsystemd is a shared library only: a program of its own, run when it is needed.
$(LIBEXEC)/cooper-systemd: final/runtime/systemd_main.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pie $(LDFLAGS) $< $(SYSTEMD_LIBS) -ljansson -o $@

# It runs inside images that may have no libraries at all: always static, never with a sanitizer.
$(LIBEXEC)/cooper-init: final/runtime/init_main.c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(CPPFLAGS) -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS) -static-pie $(LDFLAGS) $< -o $@

# The default syscall filter is compiled once, here, and not on every start.
gen_sources := $(addprefix final/runtime/,seccomp_gen.c seccomp_policy.c seccomp_bpf.c seccomp_asm.c seccomp_lib.c seccomp_profile.c caps.c) $(filter-out final/base/sha256.c,$(wildcard final/base/*.c))
$(BUILD)/gen/seccomp_gen: $(gen_sources)
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	@$(CC) $(CPPFLAGS) -std=gnu17 -O1 -ffunction-sections -Wl,--gc-sections $^ -o $@ -lseccomp -ljansson -lcap
$(BUILD)/gen/seccomp_default.h: $(BUILD)/gen/seccomp_gen
	@$< > $@.tmp && mv $@.tmp $@
$(BUILD)/obj/final/runtime/seccomp.o: $(BUILD)/gen/seccomp_default.h

INSTALL_BIN     = $(DESTDIR)$(PREFIX)/bin
# Where systemd looks for units of a PREFIX of /usr and of /usr/local. It is not told: `systemctl daemon-reload`.
INSTALL_UNITS   = $(DESTDIR)$(PREFIX)/lib/systemd/system
INSTALL_LIBEXEC = $(DESTDIR)$(PREFIX)/libexec/cooper
HELPERS        := $(notdir $(filter $(LIBEXEC)/%,$(PROGRAMS)))

install: $(PROGRAMS)
	+@$(MAKE) --no-print-directory install-files

# What is there, without looking whether it is up to date.
install-files:
	install -d $(INSTALL_BIN) $(INSTALL_LIBEXEC)
	install -m 755 $(PROGRAM_DIR)/cooper $(PROGRAM_DIR)/cooper-runtime $(INSTALL_BIN)/
	install -m 755 $(addprefix $(LIBEXEC)/,$(HELPERS)) $(INSTALL_LIBEXEC)/
	install -d $(INSTALL_UNITS)
	sed 's|@BIN@|$(PREFIX)/bin|' final/cooper.service.in >$(INSTALL_UNITS)/cooper.service

uninstall:
	rm -f $(INSTALL_BIN)/cooper $(INSTALL_BIN)/cooper-runtime $(addprefix $(INSTALL_LIBEXEC)/,$(HELPERS)) \
		$(INSTALL_UNITS)/cooper.service
	-rmdir $(INSTALL_LIBEXEC)

clean:
	rm -rf build build-asan build-fuzz
	rm -f steps/*/*.o steps/*/keg

include tutorial/rootfs.mk
include tests/tests.mk

.PHONY: all install install-files uninstall clean
.DELETE_ON_ERROR:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
