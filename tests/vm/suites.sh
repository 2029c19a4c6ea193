#!/bin/bash
# suites.sh PROGRAM... - runs inside the virtual machine: each test program whole, or of those named here
# only what depends on the kernel (pulling was tested outside, and emulated cryptography and browsers are slow).
# shellcheck disable=SC2086  # lists of words are meant to split
set -u
engine_suites="run states logs limits terminal crash"
tutorial_suites="chapter chapters"

status=0
for program in "$@"; do
    suites=
    case ${program##*/} in
    engine) suites=$engine_suites ;;
    tutorial) suites=$tutorial_suites ;;
    esac
    echo "== $program $suites: kernel $(uname -r), cgroup v2 with $(cat /sys/fs/cgroup/cgroup.controllers)"
    $program $suites || status=1
done
exit $status
