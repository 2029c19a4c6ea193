#!/bin/bash
# suites.sh PROGRAM... - runs inside the virtual machine: each test program whole, or of those named here
# only what depends on the kernel (pulling was tested outside, and emulated cryptography and browsers are slow).
# shellcheck disable=SC2086  # lists of words are meant to split
set -u
engine_suites="run states logs limits terminal crash network_reach network_isolation network_names"
# Half an attempt a second, emulated: what is different there is the control groups.
crash_suites="--sweep --sample 8 run-rm run-d stop rm-f exec oci-create oci-delete-f"
steps_suites="errors behaviour attack_01 attack_02 attack_03 attack_04 attack_05 attack_06"

status=0
for program in "$@"; do
    suites=
    case ${program##*/} in
    engine) suites=$engine_suites ;;
    crash) suites=$crash_suites ;;
    tutorial) suites="--check --only console 03" ;; # the chapter that differs; make check-vm-tutorial runs all
    steps) suites=$steps_suites ;;
    esac
    echo "== $program $suites: kernel $(uname -r), cgroup v2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
    $program $suites || status=1
    # All answers judged would take an hour here: the last step, with what it has of those before it, stands for them.
    if [ "${program##*/}" = steps ]; then
        "${program%/*}/grade" 06 "${program%/tests/*}/steps/06-network/keg" || status=1
    fi
done
exit $status
