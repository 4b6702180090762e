#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# notices.sh [PACKAGE]: fresh.sh fails, for the right reason, when scripts/deps.sh forgets a
# package (gcc, with which it fails soonest). Half a minute, once fresh.sh has run.
set -u
package=${1:-gcc}
cd "$(dirname "$0")/../.." || exit 1
said=$(env -u RESULTS CHECK=no WITHOUT="$package" tests/fresh/fresh.sh 2>&1)
code=$?
[ $code -ne 77 ] || {
    echo "${said%%$'\n'*}"
    exit 77
}
if [ $code -ne 1 ] || [[ $said != *"FAILED: README.md:"* ]]; then
    printf '%s\n' "$said" "FAILED: without $package it ends with $code"
    exit 1
fi
