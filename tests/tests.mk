# The test programs: one a kind. A test file registers its suite with SUITE() (tests/support/suite.h) and is
# found by its place: tests/unit (no privileges), tests/system (root, the real kernel), tests/engine (the
# built commands from outside).
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lm -lrt -lpthread)
TEST_CPPFLAGS = $(CPPFLAGS) -Itests -DBUILD_DIR='"$(abspath $(BUILD))"' -DSOURCE_DIR='"$(CURDIR)"'

$(BUILD)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(TEST_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

define test_program
$(BUILD)/tests/$(1): $(call objects,$(wildcard tests/$(1)/*.c tests/support/*.c)) $(ROOM_LIBS)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(ALL_CFLAGS) -pie $(call objects,$(wildcard tests/$(1)/*.c tests/support/*.c)) $$(rooms) $$(HEAVY_LIBS) $$(CHECK_LIBS) -o $$@
endef
$(foreach k,unit system engine,$(eval $(call test_program,$(k))))

# Programs that run inside containers and tell what they see: one file each, static.
payloads := $(patsubst tests/system/payload/%.c,$(BUILD)/tests/payload/%,$(wildcard tests/system/payload/*.c))
$(BUILD)/tests/payload/%: tests/system/payload/%.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@
$(BUILD)/tests/system: | $(payloads) $(LIBEXEC)/cooper-init
