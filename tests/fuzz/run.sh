#!/bin/bash
# run.sh BUILD SECONDS JOBS TARGET... - each target for so long, JOBS at a time. Says what broke, and where the
# bytes are that do it.
set -uo pipefail
build=$1 seconds=$2 jobs=$3
shift 3
here=$(dirname "$0")

one() {
    local target=$1 log=$build/found/$1.log
    mkdir -p "$build/corpus/$target" "$build/found"
    # the corpus in the tree is only read
    if "$build/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/found/$target-" $([ -f "$here/$target.dict" ] && echo "-dict=$here/$target.dict") \
        "$build/corpus/$target" "$here/corpus/$target" >"$log" 2>&1; then
        echo "$target: clean, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d' ' -f2) edges"
    else
        echo "$target: BROKEN, see $log"
        grep -m3 -E 'ERROR|SUMMARY|not true|runtime error' "$log"
        return 1
    fi
}

status=0 running=0
for target; do
    if [ "$running" -ge "$jobs" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    one "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit $status
