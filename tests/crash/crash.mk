# The program that kills and fails commands at every point of their run, and its payload.
$(eval $(call test_program,crash))
$(BUILD)/tests/crash: CHECK_LIBS += -lnftables

$(BUILD)/tests/payload/%: tests/crash/payload/%.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@
$(BUILD)/tests/crash: | $(BUILD)/tests/payload/stages $(PROGRAMS)

# Everything (tests/crash/README.md): a quarter of an hour on two CPUs. make check takes a sample.
.PHONY: check-crash
check-crash: need-root
	$(SUBMAKE) deps
	$(SUBMAKE) -j$(JOBS) $(BUILD)/tests/crash
	@$(BUILD)/tests/crash --sweep
