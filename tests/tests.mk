# The test programs: one a kind. A test file registers its suite with SUITE() (tests/support/suite.h) and is
# found by its place: tests/unit (no privileges), tests/system (root, the real kernel), tests/engine (the
# built commands from outside), tests/runtime (cooper-runtime from outside), tests/peers (other engines with
# cooper-runtime under them), tests/fuzz (the corpora of the fuzz targets), tests/steps (the keg of each step, from
# outside). tests/tree looks at the sources themselves and belongs to the unit program.
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lsubunit -lm -lrt -lpthread)
TEST_CPPFLAGS = $(CPPFLAGS) -Itests -DBUILD_DIR='"$(abspath $(BUILD))"' -DSOURCE_DIR='"$(CURDIR)"'

$(BUILD)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TEST_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

test_sources = $(wildcard tests/$(1)/*.c tests/support/*.c) $(if $(filter unit,$(1)),$(wildcard tests/tree/*.c)) \
               $(if $(filter runtime,$(1)),tests/system/container.c tests/system/bundle.c)

define test_program
$(BUILD)/tests/$(1): $(call objects,$(call test_sources,$(1))) $(ROOM_LIBS)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(ALL_CFLAGS) -pie $(call objects,$(call test_sources,$(1))) $$(rooms) $$(HEAVY_LIBS) $$(CHECK_LIBS) -o $$@
endef
$(foreach k,unit fuzz system runtime engine peers steps tutorial,$(eval $(call test_program,$(k))))

# Programs that run inside containers and tell what they see: one file each, static.
payloads := $(patsubst tests/system/payload/%.c,$(BUILD)/tests/payload/%,$(wildcard tests/system/payload/*.c))
$(BUILD)/tests/payload/%: tests/system/payload/%.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@
$(BUILD)/tests/engine: | $(payloads)
$(BUILD)/tests/system: | $(payloads) $(LIBEXEC)/cooper-init $(filter %/cooper-systemd %/cooper-runtime,$(PROGRAMS))
$(BUILD)/tests/runtime: | $(payloads) $(PROGRAM_DIR)/cooper-runtime

# The keg of every step, built outside of its directory; each makefile knows what is up to date.
STEP_DIRS := $(sort $(wildcard steps/[0-9][0-9]-*))
step_kegs := $(patsubst %,$(BUILD)/%/keg,$(STEP_DIRS))
$(step_kegs): $(BUILD)/%/keg: FORCE
	@$(MAKE) --no-print-directory -s -C $* BUILD=$(abspath $(BUILD))/$* CFLAGS="$(CFLAGS) $(SANITIZE)"
$(BUILD)/tests/steps: | $(step_kegs) rootfs $(BUILD)/tests/grade
FORCE:
.PHONY: FORCE

include tests/grade/grade.mk
include tests/crash/crash.mk

# --- running them ------------------------------------------------------------------------------------
# Packages are installed before the rest of the makefile is read again (pkg-config answers differently
# then), so these targets call make anew, step by step.

JOBS  ?= 2
# The kinds that have a test here.
KINDS := $(foreach k,unit fuzz system runtime engine steps tutorial crash,$(if $(wildcard tests/$(k)/*_test.c),$(k)))
TESTS := $(addprefix $(BUILD)/tests/,$(KINDS))
SUBMAKE = +@$(MAKE) --no-print-directory

.PHONY: deps tests unit check check-peers check-tutorial tutorial-update diagrams book suites check-vm check-vm-tutorial asan demo bench need-root

tests: all $(TESTS)

deps:
	@tests/deps.sh build test

need-root:
	@[ "$$(id -u)" = 0 ] || { echo "this needs root: sudo make $(MAKECMDGOALS); without: make unit" >&2; exit 1; }

check: need-root
	$(SUBMAKE) deps
	$(SUBMAKE) -j$(JOBS) tests
	$(SUBMAKE) suites

# Runs every program even when one fails, so that one run tells all; Check prints each program's result.
suites:
	@status=0; for t in $(TESTS); do echo "== $$t"; $$t || status=1; done; exit $$status

unit:
	@tests/deps.sh build test
	$(SUBMAKE) -j$(JOBS) $(BUILD)/tests/unit
	@$(BUILD)/tests/unit

# Docker, Podman and containerd with cooper-runtime under them: installs them, and each runs in a corner of its own.
check-peers: need-root
	@tests/deps.sh build test peers
	$(SUBMAKE) -j$(JOBS) all $(BUILD)/tests/peers
	@$(BUILD)/tests/peers

# What is about control groups, once more with version 1 and nothing else.
GROUP_SUITES := limits limits_update limits_devices groups groups_place groups_hostile

# Emulation is slow: Check's time limits are stretched, and what only computes (unit) stays outside.
check-vm: need-root
	@tests/deps.sh build test vm
	$(SUBMAKE) -j$(JOBS) tests
	@CK_TIMEOUT_MULTIPLIER=10 COOPER_VM_TIMEOUT=2400 tests/vm/check-vm.sh tests/vm/suites.sh $(filter-out %/unit,$(TESTS))
	@CK_TIMEOUT_MULTIPLIER=10 COOPER_VM_CGROUPS=1 tests/vm/check-vm.sh $(BUILD)/tests/system $(GROUP_SUITES)

# Every command of every chapter under pure cgroup v2: most of an hour, because what is emulated compiles, too.
check-vm-tutorial: need-root
	@tests/deps.sh build test vm
	$(SUBMAKE) -j$(JOBS) $(BUILD)/tests/tutorial
	@CK_TIMEOUT_MULTIPLIER=10 COOPER_VM_TIMEOUT=3600 tests/vm/check-vm.sh $(BUILD)/tests/tutorial --check --only console

# The sanitizers' run-time library is a shared object: nothing is linked statically here.
LEAKS := $(CURDIR)/build-asan/leaks.o
ASAN = BUILD=build-asan STATIC=0 \
       SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wl,$(LEAKS)"
$(LEAKS): tests/asan/leaks.c
	@mkdir -p $(@D)
	@$(CC) -D_GNU_SOURCE $(WARN) -O1 -c $< -o $@

asan: need-root
	$(SUBMAKE) deps
	$(SUBMAKE) $(LEAKS)
	$(SUBMAKE) -j$(JOBS) $(ASAN) tests
	+@ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 CK_TIMEOUT_MULTIPLIER=4 \
		$(MAKE) --no-print-directory $(ASAN) suites

# The chapters of the tutorial against the sources and against what their commands print.
check-tutorial: need-root
	$(SUBMAKE) deps
	$(SUBMAKE) -j$(JOBS) $(BUILD)/tests/tutorial
	@$(BUILD)/tests/tutorial

# Writes into the chapters what the sources say and the commands print; git diff shows what that was.
# ONLY=code or ONLY=console, CHAPTER="02 03": not everything.
tutorial-update: need-root
	$(SUBMAKE) -j$(JOBS) $(BUILD)/tests/tutorial
	@$(BUILD)/tests/tutorial --update $(addprefix --only ,$(ONLY)) $(CHAPTER)

# The diagrams are in the tree as drawn: a reader needs no dpic.
DIAGRAMS := $(patsubst %.pic,%.svg,$(filter-out %/style.pic,$(wildcard tutorial/diagrams/*.pic)))
diagrams: $(DIAGRAMS)
$(DIAGRAMS): %.svg: %.pic $(addprefix tutorial/diagrams/,style.pic draw.sh sheet.css)
	@tutorial/diagrams/draw.sh $< >$@.new && mv $@.new $@

# One offline HTML page a chapter, in $(BUILD)/book.
book:
	@command -v pandoc >/dev/null || { echo "this needs pandoc: apt-get install pandoc" >&2; exit 1; }
	@tutorial/book/build.sh tutorial $(BUILD)/book
	@echo "$(BUILD)/book/index.html"

demo: need-root
	@tests/demo/demo.sh

include tests/fuzz/fuzz.mk

bench: need-root
	@tests/deps.sh build test bench
	$(SUBMAKE) -j$(JOBS) all $(BUILD)/bench/floor $(BUILD)/bench/measure $(BUILD)/bench/true $(BUILD)/bench/dnsrate
	@BUILD=$(BUILD) tests/bench/bench.sh

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -static $< -o $@
