#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_readme.sh: the test that README.md gives as an example is one, as it stands there.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

sample=tests/softroce/t_sample.sh
[ ! -e $sample ] || fail "$sample is there"
sed -n '/^```bash$/,/^```$/ { /^```/d; p }' tests/softroce/README.md >$sample
chmod +x $sample
MSGRLAB=$MSGRLAB RESULTS= FLAVOUR=softroce_sample tests/run.sh $sample >"$dir/sample.out" 2>&1
code=$?
rm -f $sample
[ $code -eq 0 ] || fail "the example: exit code $code" "$dir/sample.out"
says sample '^1 passed, 0 failed, 0 skipped$'
ok "the example of README.md"
