#!/bin/bash
# keep.sh BUILD TARGET... - the fewest inputs that still reach all that was reached, into the tree. Seeds that were
# written by hand have names without a digest and stay.
set -euo pipefail
build=$1
shift
here=$(dirname "$0")

for target; do
    tree=$here/corpus/$target
    merged=$(mktemp -d)
    "$build/fuzz/$target" -merge=1 -max_len=65536 "$merged" "$tree" "$build/corpus/$target" >/dev/null 2>&1
    find "$tree" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
    # small ones: a corpus is read by people's git
    find "$merged" -type f -size -4k -printf '%s %p\n' | sort -n | head -150 | cut -d' ' -f2 |
        while read -r file; do
            cmp -s "$file" "$tree"/* 2>/dev/null || cp "$file" "$tree/"
        done
    rm -rf "$merged"
    echo "$target: $(find "$tree" -type f | wc -l) inputs, $(du -sk "$tree" | cut -f1) KiB"
done
