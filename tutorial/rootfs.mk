# `make rootfs`: build/rootfs and build/image, which the chapters and the tests of the steps run, with the
# programs that attack (tutorial/attacks/*.c) in build/rootfs/attacks. An ordinary user may make them too.
attacks := $(patsubst tutorial/attacks/%.c,$(BUILD)/rootfs/attacks/%,$(wildcard tutorial/attacks/*.c))

rootfs: $(BUILD)/rootfs.made $(attacks)

$(BUILD)/rootfs.made: tutorial/rootfs.sh $(shell command -v busybox)
	@echo "  ROOTFS  $(BUILD)/rootfs $(BUILD)/image"
	@tutorial/rootfs.sh $(BUILD)
	@touch $@

# Static: the root file system has no libraries.
$(BUILD)/rootfs/attacks/%: tutorial/attacks/%.c $(BUILD)/rootfs.made
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) -D_GNU_SOURCE -std=gnu17 $(WARN) -O2 -static $< -o $@

.PHONY: rootfs
