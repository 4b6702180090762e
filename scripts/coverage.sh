#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh BUILD: line coverage by folder, and the files least covered, from the
# counters that a run of the coverage flavour left in BUILD. Needs gcov only.
set -eu

build=${1:-build/coverage}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A source that no test links has no counters and counts as not covered, by gcov's own
# count of its lines in the .gcno.
find "$build" -name '*.gcno' -not -path '*/tests/*' | sort | while read -r notes; do
    gcov -n "${notes%.gcno}.o" 2>/dev/null
done | awk -v worst="$tmp/files" '
    /^File / { file = $0; gsub(/^File .|.$/, "", file) }
    /^Lines executed:/ && file ~ /^(engine|stacks|sim|viz|scenarios)\/.*\.c$/ && !seen[file]++ {
        split($0, part, /[:% ]+/)
        n = part[5]
        hit = n * part[3] / 100
        dir = file
        sub(/\/[^\/]*$/, "", dir)
        total[dir] += n; covered[dir] += hit
        all += n; all_hit += hit
        if (n > 0)
            printf "%6.1f %% of %5d lines  %s\n", 100 * hit / n, n, file > worst
        file = ""
    }
    END {
        if (all == 0) {
            print "coverage: no counters found"
            exit 1
        }
        for (dir in total)
            printf "%-16s %6.1f %% of %5d lines\n", dir, 100 * covered[dir] / total[dir], \
                total[dir] | "sort"
        close("sort")
        printf "%-16s %6.1f %% of %5d lines\n", "all", 100 * all_hit / all, all
    }'
echo "least covered:"
sort -n "$tmp/files" | head -n 8
