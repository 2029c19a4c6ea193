# `make grade STEP=03 BIN=./mine`: the judge of the exercises. It runs a keg, its reader's or ours, and looks at
# what the kernel says of the process inside.
grade_objects := $(call objects,$(wildcard tests/grade/*.c))
grade_probe   := $(BUILD)/tests/grade-probe

$(BUILD)/obj/tests/grade/%.o: TEST_CPPFLAGS += -DPROBE_PATH='"$(abspath $(grade_probe))"'
$(BUILD)/tests/grade: $(grade_objects) $(BUILD)/lib/libbase.a | $(grade_probe)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -pie $^ $(CHECK_LIBS) -o $@

# Static: the root it runs in has no libraries. Never with a sanitizer.
$(grade_probe): tests/grade/payload/probe.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@

grade: $(BUILD)/tests/grade
	@$(BUILD)/tests/grade "$(STEP)" "$(BIN)" $(EXERCISE)

.PHONY: grade
