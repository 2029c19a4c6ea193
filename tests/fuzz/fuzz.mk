# Targets for libFuzzer: tests/fuzz/NAME.c each, with seeds in tests/fuzz/corpus/NAME. What is found goes into
# $(FUZZ_BUILD)/found; FUZZ="layer archive" picks some, FUZZ_SECONDS says how long each runs.
FUZZ_SECONDS ?= 600
FUZZ_BUILD   := build-fuzz
FUZZ_SHARED  := tests/fuzz/fuzz.c tests/fuzz/images.c
FUZZ         ?= $(basename $(notdir $(filter-out $(FUZZ_SHARED) %_test.c,$(wildcard tests/fuzz/*.c))))

# clang's own warnings are not what this is for.
FUZZED = BUILD=$(FUZZ_BUILD) STATIC=0 CC=clang-14 WARN= CFLAGS="-O1 -g" \
         SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"

.PHONY: fuzz fuzz-programs fuzz-keep
fuzz: need-root
	@tests/deps.sh build fuzz
	$(SUBMAKE) -j$(JOBS) $(FUZZED) fuzz-programs
	@tests/fuzz/run.sh $(FUZZ_BUILD) $(FUZZ_SECONDS) $(JOBS) $(FUZZ)

# What runs of `make fuzz` found worth keeping, made as few as say the same, becomes the corpus in the tree.
fuzz-keep: need-root
	$(SUBMAKE) -j$(JOBS) $(FUZZED) fuzz-programs
	@tests/fuzz/keep.sh $(FUZZ_BUILD) $(FUZZ)

fuzz-programs: $(addprefix $(BUILD)/fuzz/,$(FUZZ))

$(BUILD)/fuzz/%: tests/fuzz/%.c $(call objects,$(FUZZ_SHARED)) $(ROOM_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(TEST_CPPFLAGS) -DFUZZ_ALONE $(ALL_CFLAGS) -fsanitize=fuzzer $< $(call objects,$(FUZZ_SHARED)) $(rooms) $(HEAVY_LIBS) -o $@
