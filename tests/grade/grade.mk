# `make grade STEP=03 BIN=./mine [EXERCISE=2]`: the judge of the exercises. It runs a keg, its reader's or ours, and looks at
# what the kernel says of the process inside.
grade_objects := $(call objects,$(wildcard tests/grade/*.c))
grade_probe   := $(BUILD)/tests/grade-probe

$(BUILD)/tests/grade: $(grade_objects) $(BUILD)/lib/libbase.a | $(grade_probe)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -pie $^ $(CHECK_LIBS) -lcrypto -lz -o $@

# Static: the root it runs in has no libraries. Never with a sanitizer.
$(grade_probe): tests/grade/payload/probe.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@

# It finds the probe beside itself.
grade: $(BUILD)/tests/grade
	@$(BUILD)/tests/grade "$(STEP)" "$(BIN)" $(EXERCISE)

.PHONY: grade
