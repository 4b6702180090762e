#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tidy.sh: the rules of the tree that a compiler does not know. Run it through
# "make tidy", which builds the plain objects that it looks into.
#
#   layers    who may include whom, between folders and inside them, and that engine/ links
#             by itself
#   circles   files that need each other, directly or by way of others
#   calls     time, randomness, threads and sockets only in engine/os/os_linux*.c
#   data      no variable of static life outside functions or in them
#   sizes     files and functions; what is too long today is listed and may not grow
#   format    clang-format
#   text      the licence line, no paths of one machine
#
# Prints file:line: what, for each violation. Exit 1 if there was any. Exceptions, each
# with its reason, are in scripts/tidy-allow.txt.
set -u
export LC_ALL=C

B=build/plain
ALLOW=scripts/tidy-allow.txt
FILE_LINES=600   # of a .c outside of tests/
HEADER_LINES=250
TEST_LINES=800
FUNCTION_LINES=60

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
found=$tmp/found
: >"$found"

mapfile -t sources < <(find engine stacks sim viz scenarios tests docs -name '*.[ch]' \
    2>/dev/null | sort)
if [ ${#sources[@]} -eq 0 ]; then
    echo "tidy: no source files here" >&2
    exit 1
fi
folder() { find "$@" -name '*.[ch]' 2>/dev/null | sort; }

# ---- exceptions --------------------------------------------------------------------
#
# Every check writes KIND FILE LINE NAME TEXT to $found (NAME is - where there is none);
# the report at the end strikes out what the allow file has. Its lines are:
# KIND FILE NAME REASON...
# For a function or file size NAME is "name<=LINES": it may shrink but not grow.

# ---- layers ------------------------------------------------------------------------

# layer FOLDER QUOTED SYSTEM: patterns (ERE, whole name) of what FOLDER may include as
# "x" and, of the third-party headers, as <x>.
THIRD='^(infiniband/|rdma/|graphviz/|gvc|cgraph|lua|lauxlib|check\.h|isa-l)'
layer() {
    local dir=$1 quoted=$2 system=$3
    folder "$dir" | xargs -r awk -v quoted="^($quoted)\$" -v system_ok="^($system)" \
        -v third="$THIRD" '
        /^[ \t]*#[ \t]*include/ {
            name = $0
            if (sub(/^[^"<]*"/, "", name)) {
                sub(/".*/, "", name)
                if (name !~ quoted)
                    print "include", FILENAME, FNR, name, "may not be included from here"
            } else if (sub(/^[^<]*</, "", name)) {
                sub(/>.*/, "", name)
                if (name ~ third && name !~ system_ok)
                    print "include", FILENAME, FNR, name, "belongs to another layer"
            }
        }' >>"$found"
}
layer engine 'engine/.*' 'isa-l'
layer engine/base 'engine/(base|util)\.h|engine/base/.*' 'isa-l'
layer stacks/tcp '(engine|stacks/tcp)/.*' '-'
layer stacks/rdma '(engine|stacks/rdma|infiniband)/.*' 'infiniband/|rdma/'
layer sim '(engine|stacks|sim)/.*' 'infiniband/|rdma/|isa-l'
layer viz 'viz/.*|engine/(trace_points|trace_format|states|util)\.h|engine/base/.*' 'isa-l'
layer scenarios '(engine|stacks|sim|viz|scenarios)/.*' 'lua|lauxlib|infiniband/'
layer docs '(engine|stacks)/.*' 'infiniband/'
layer tests '(engine|stacks|sim|viz|scenarios|tests)/.*' '.*'

# inside TOP FOLDER...: the folders below TOP, from the top down; "a,b" stand beside each
# other. A file includes only headers of its own folder, of folders further down, and those
# of TOP itself, which are everybody's, and so include none of below but of base/, which
# knows of nothing.
inside() {
    local top=$1
    shift
    folder "$top" | xargs -r awk -v top="$top" -v list="$*" '
        function where(path) {
            sub("^" top "/", "", path)
            return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : ""
        }
        BEGIN {
            n = split(list, level, " ")
            for (i = 1; i <= n; i++) {
                m = split(level[i], part, ",")
                for (k = 1; k <= m; k++)
                    rank[part[k]] = i
            }
        }
        FNR == 1 {
            here = where(FILENAME)
            if (!(here in rank) && here != "")
                print "include", FILENAME, 1, here, "is not a layer of " top "/ in scripts/tidy.sh"
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            name = $0
            sub(/^[^"]*"/, "", name)
            sub(/".*/, "", name)
            if (name !~ "^" top "/")
                next
            there = where(name)
            if (there == here || there == "" ||
                (here == "" && (FILENAME ~ /\.c$/ || there == "base")))
                next
            if (here == "")
                print "include", FILENAME, FNR, name, "is below, and this header is everybody'\''s"
            else if (rank[there] <= rank[here])
                print "include", FILENAME, FNR, name, "is not a layer below " top "/" here
        }' >>"$found"
}
inside engine msgr queue proto event trace os,base
inside sim campaign world,rdma net node sched faults,check decide
inside viz views draw,join trace
inside scenarios cli campaign,peer,bench,doctor run lua lab base

# engine/ needs nothing above it: its archive, whole, links with system libraries only.
if [ -e $B/libengine.a ] && ! gcc -shared -o "$tmp/engine.so" -Wl,--whole-archive \
    $B/libengine.a -Wl,--no-whole-archive -Wl,-z,defs -lisal -lpthread 2>"$tmp/link"; then
    sed -n 's/.*undefined reference to/include engine 0 link it does not link by itself:/p' \
        "$tmp/link" | sort -u >"$tmp/undefined"
    [ -s "$tmp/undefined" ] || {
        cat "$tmp/link" >&2
        echo "include engine 0 link it does not link by itself" >"$tmp/undefined"
    }
    cat "$tmp/undefined" >>"$found"
fi

# ---- calls and data, from the object files -----------------------------------------

CLOCK='clock_gettime|clock_nanosleep|clock|gettimeofday|time|times|nanosleep|usleep|sleep|timer_create|timerfd_.*|alarm|setitimer'
RANDOM_='rand|rand_r|srand|random|srandom|.rand48|getrandom|getentropy|arc4random.*'
THREAD='pthread_.*|thrd_.*|mtx_.*|cnd_.*|sem_(init|wait|post|timedwait)|sched_yield'
SOCKET='socket|socketpair|bind|listen|accept|accept4|connect|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|shutdown|setsockopt|getsockopt|getsockname|getpeername|getaddrinfo|gethostbyname.*'
WAIT='poll|ppoll|select|pselect|epoll_.*|eventfd|eventfd_.*'
BYTES='read|write|readv|writev|pipe|pipe2|fcntl|ioctl'

# objects DIR...: pairs "object source" for every source that has been compiled.
objects() {
    local c
    for c in $(find "$@" -name '*.c' 2>/dev/null | sort); do
        [ -e "$B/${c%.c}.o" ] && echo "$B/${c%.c}.o $c"
    done
}

# calls PATTERN [OWNER]: from "object source" on stdin, reports undefined symbols that match.
# A fortified call (__poll_chk) is the call; the line is that of its first use.
calls() {
    local object source name line
    while read -r object source; do
        nm -u "$object" | awk -v banned="^($1)\$" '
            { n = $2; sub(/^__/, "", n) && sub(/_chk$/, "", n); if (n ~ banned) print n }' |
            sort -u | while read -r name; do
            line=$(grep -nE -m 1 "\b$name *\(" "$source" | cut -d: -f1)
            echo "call $source ${line:-0} $name is called here; that is for ${2:-engine/os.h}"
        done
    done >>"$found"
}
objects engine stacks sim | grep -vE ' engine/os/os_linux(_io)?\.c$' |
    calls "$CLOCK|$RANDOM_|$THREAD|$SOCKET|$WAIT|$BYTES"
# The data verbs are inline, so this sees the control verbs.
objects engine stacks sim viz scenarios | grep -v ' stacks/rdma/verbs_rdmacore\.c$' |
    calls '_?ibv_[a-z_0-9]*' stacks/rdma/verbs.h
objects viz scenarios | calls "$CLOCK|$RANDOM_|$THREAD|$SOCKET|$WAIT"

folder engine stacks sim | grep -vE '^engine/os/os_linux(_io)?\.c$' | xargs -r grep -nE \
    '\b(__thread|_Thread_local|_*rdtscp?|__builtin_ia32_rdtscp?|__builtin_readcyclecounter)\b' \
    /dev/null | grep -vE '^[^:]*:[0-9]+: *(/?\*|//)' |
    sed -E 's/^([^:]*):([0-9]+):.*(__thread|_Thread_local|rdtsc|readcyclecounter).*/call \1 \2 \3 is used here; see engine\/os.h/' >>"$found"

# Read-only tables of pointers are in .data.rel.ro, everything else writable varies.
objects engine stacks sim | while read -r object source; do
    nm --format=sysv "$object" | awk -F'|' '
        { name = $1; section = $7; gsub(/ /, "", name); gsub(/ /, "", section) }
        section ~ /^(\.t?(data|bss)(\.|$)|\*COM\*)/ && section !~ /^\.data\.rel\.ro/ {
            sub(/\.[0-9]+$/, "", name); print name }' | sort -u | while read -r name; do
        line=$(grep -nw -m 1 "$name" "$source" | cut -d: -f1)
        echo "data $source ${line:-0} $name is a variable of static life"
    done
done >>"$found"

# ---- circles -----------------------------------------------------------------------

# The files of a unit are one thing, so circles inside it are not looked at: but those of
# ALONE belong to none. sim/rdma: a device, each part of which acts on the others.
# engine/msgr: until the core of the protocol is a machine of its own that decides and does
# not act, a handler that reads a frame also answers it and may end its connection.
UNITS='sim/rdma engine/msgr'
ALONE='sim/rdma/faults.c' # it answers, and does nothing

# Who needs whom, from what each object defines and lacks. tsort names those in a loop.
objects engine stacks sim viz scenarios | while read -r object source; do
    nm "$object" | awk -v f="$source" '
        NF == 3 && $2 ~ /[TDRBVW]/ { print "has", $3, f }
        $1 == "U" { print "wants", $2, f }'
done | sort | awk -v units="$UNITS" -v alone=" $ALONE " '
    function unit(f,    i, n, u) {
        if (index(alone, " " f " "))
            return f
        n = split(units, u, " ")
        for (i = 1; i <= n; i++)
            if (index(f, u[i] "/") == 1)
                return u[i]
        return f
    }
    $1 == "has" { owner[$2] = unit($3) }
    $1 == "wants" && $2 in owner && owner[$2] != unit($3) { print unit($3), owner[$2] }' |
    sort -u >"$tmp/needs"
tsort "$tmp/needs" 2>&1 >/dev/null | awk '
    # "tsort: FILE: input contains a loop:", then the members, each with "tsort: " before it.
    function say() {
        if (first != "")
            print "circle", first, 0, "-", "it needs itself by way of" rest
        first = rest = ""
    }
    /input contains a loop/ { say(); next }
    { sub(/^tsort: /, "") }
    first == "" { first = $1; next }
    { rest = rest " " $1 }
    END { say() }' >>"$found"

# ---- sizes -------------------------------------------------------------------------

# clang-format keeps its hands off comments, so their width is looked at here.
awk '/clang-format off/ { off = 1 } /clang-format on/ { off = 0 } FNR == 1 { off = 0 }
     !off && length > 92 && /^ *(\/\*|\*)/ {
         print "format", FILENAME, FNR, "width", "the comment has", length, "columns, of 92"
     }' "${sources[@]}" >>"$found"

# A function is what stands between "{" and "}" in column 0; both lines count.
awk -v most="$FUNCTION_LINES" -v c_most="$FILE_LINES" -v h_most="$HEADER_LINES" \
    -v test_most="$TEST_LINES" '
    function end_of_file() {
        file_most = file ~ /^tests\// ? test_most : file ~ /\.h$/ ? h_most : c_most
        if (file != "" && last > file_most)
            print "lines", file, last, "file<=" last, "the file has", last, "lines"
    }
    FNR == 1 { end_of_file(); file = FILENAME; name = "?"; start = 0 }
    { last = FNR }
    /^[A-Za-z_].*\(/ {
        name = $0
        if (!sub(/^(START_TEST|START_LOOP_TEST)\(/, "", name))
            sub(/\(.*/, "", name)
        sub(/[,)].*/, "", name)
        sub(/.*[ *]/, "", name)
    }
    /^\{/ { start = FNR }
    /^\}/ && start {
        n = FNR - start + 1
        if (n > most)
            print "lines", FILENAME, start, name "<=" n, "the function has", n, "lines"
        start = 0
    }
    END { end_of_file() }' "${sources[@]}" >>"$found"

# ---- format and text ---------------------------------------------------------------

# Only one version can be right: others disagree with it in details.
format=$(command -v clang-format-14 || command -v clang-format)
if "${format:-false}" --version 2>/dev/null | grep -q 'version 14\.'; then
    "$format" --dry-run -Werror "${sources[@]}" 2>&1 | awk -F: '
        / error: / { print "format", $1, $2, "-", "clang-format disagrees (make format)" }' \
        >>"$found"
else
    echo "tidy: clang-format 14 is not here, so the format was not checked"
fi

awk -v want='/* SPDX-License-Identifier: Apache-2.0 */' '
    FNR == 1 && $0 != want { print "spdx", FILENAME, 1, "-", "line 1 is not: " want }' \
    "${sources[@]}" >>"$found"

# In a checkout, what git would take; in an unpacked archive, everything but build/.
{
    git ls-files -co --exclude-standard 2>/dev/null ||
        find . -type f -not -path './build/*' -not -path './.git/*'
} | while read -r f; do [ -f "$f" ] && echo "$f"; done |
    xargs -r -d '\n' grep -nIE '/wor[k]/|/roo[t]/|bash_job[s]' /dev/null | awk -F: '
        { print "path", $1, $2, "-", "a path of one machine" }' >>"$found"

# ---- report ------------------------------------------------------------------------

[ -e $ALLOW ] || : >"$tmp/none"
awk -v allow_file="$ALLOW" '
    function sized(name) { return name ~ /<=[0-9]+$/ }
    function base(name) { sub(/<=[0-9]+$/, "", name); return name }
    function size(name) { sub(/.*<=/, "", name); return name + 0 }
    FILENAME == allow_file {
        if (/^[ \t]*(#|$)/)
            next
        if (NF < 4) {
            print allow_file ":" FNR ": an exception is KIND FILE NAME REASON"
            bad++
            next
        }
        key = $1 " " $2 " " base($3)
        line[key] = FNR
        limit[key] = size($3)
        next
    }
    {
        key = $1 " " $2 " " base($4)
        if (key in line && (!sized($4) || size($4) <= limit[key])) {
            used[key] = 1
            next
        }
        text = $0
        for (i = ($4 == "-" ? 0 : 1); i <= 3; i++)
            sub(/^[^ ]+ /, "", text)
        if (sized($4))
            sub(/<=[0-9]+/, ":", text)
        if (key in line) {
            used[key] = 1
            text = text ", more than the " limit[key] " it is allowed"
        }
        print $2 ":" $3 ": " $1 ": " text
        bad++
    }
    END {
        for (key in line)
            if (!(key in used)) {
                print allow_file ":" line[key] ": no longer needed: " key
                bad++
            }
        exit bad > 0
    }' "$([ -e $ALLOW ] && echo $ALLOW || echo "$tmp/none")" "$found"
status=$?
if [ $status -eq 0 ]; then
    echo "tidy: ${#sources[@]} files, nothing to complain about"
fi
exit $status
