#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# commands.sh FILE.md [all]: takes the commands out of a Markdown file, in order, for inside.sh.
#
# A block fenced with ```sh holds commands, one a line; a line that ends in "\" and a here
# document go on. Comments behind "#" are for the reader, but one that ends in "(exit N)" says
# that the command must end with N instead of 0. A comment line before the fence says more:
#
#   <!-- fresh: on demand -->         only with "all"
#   <!-- fresh: not run: REASON -->   never; the reason goes to standard error
#
# So that nothing is passed over in silence, anything else that looks like a block is an error:
# an indented one, a fence in no language that is known, a comment that says something else.
#
# Prints for each command LINE, EXIT CODE and the text, a NUL behind each. Exit 1 on an error.
set -u

file=$1 which=${2:-}
number=0 kind=prose mark= text= first=0 here_word=

bad() {
    echo "$file:$number: $1" >&2
    exit 1
}

# open_fence LANGUAGE
open_fence() {
    case $1 in
    sh) kind=commands ;;
    lua | text | yaml | c) kind=listing ;;
    *) bad "a block of language '$1': \`\`\`sh for commands; text, lua, yaml or c for others" ;;
    esac
    case $mark in
    "") ;;
    "on demand") [ "$which" = all ] || kind=listing ;;
    "not run: "?*)
        echo "$file:$number: not run: ${mark#not run: }" >&2
        kind=listing
        ;;
    *) bad "'fresh: $mark': it may say 'on demand' or 'not run: REASON'" ;;
    esac
    mark=
}

emit() {
    local expected=0 line=${text%%$'\n'*}
    [[ $line =~ \#.*\(exit\ ([0-9]+)\)$ ]] && expected=${BASH_REMATCH[1]}
    printf '%s\0' "$first" "$expected" "$text"
    text=
}

# command_line LINE: adds it to the command, which may be complete then.
command_line() {
    if [ -z "$text" ]; then
        [[ $1 =~ ^[[:space:]]*(#.*)?$ ]] && return
        first=$number
        text=$1
    else
        text+=$'\n'$1
    fi
    if [ -n "$here_word" ]; then
        [ "$1" = "$here_word" ] || return
        here_word=
    elif [[ $1 =~ \<\<[\'\"]?([A-Za-z_]+) ]]; then
        here_word=${BASH_REMATCH[1]}
        return
    elif [[ $1 == *\\ ]]; then
        return
    fi
    emit
}

prose_line() {
    case $1 in
    '```'*) open_fence "${1#'```'}" ;;
    '<!-- fresh: '*' -->')
        mark=${1#'<!-- fresh: '}
        mark=${mark%' -->'}
        ;;
    *'<!-- fresh'*) bad "a comment for fresh is a line of its own, like <!-- fresh: on demand -->" ;;
    '    '* | $'\t'*) bad "an indented block: put commands between \`\`\`sh and \`\`\`" ;;
    *'```'*) bad "a fence that does not begin its line" ;;
    *) [ -z "$mark" ] || bad "'fresh: $mark' is not right before a block" ;;
    esac
}

while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    if [ $kind = prose ]; then
        prose_line "$line"
    elif [[ $line == '```'* ]]; then
        [ -z "$text" ] || bad "the block ends within the command of line $first"
        kind=prose
    elif [ $kind = commands ]; then
        command_line "$line"
    fi
done <"$file" || exit 1
[ $kind = prose ] || bad "the file ends within a block"
