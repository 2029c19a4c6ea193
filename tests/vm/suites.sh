#!/bin/bash
# suites.sh PROGRAM... - runs inside the virtual machine: each test program whole, or of the engine program only
# shellcheck disable=SC2086  # lists of words are meant to split
# what depends on the kernel (pulling was tested outside, and emulated cryptography is slow).
set -u
engine_suites="run states logs limits terminal crash"

status=0
for program in "$@"; do
    suites=
    [ "${program##*/}" = engine ] && suites=$engine_suites
    echo "== $program $suites: kernel $(uname -r), cgroup v2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
    $program $suites || status=1
done
exit $status
