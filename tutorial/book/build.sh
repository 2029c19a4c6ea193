#!/bin/sh
# build.sh TUTORIAL OUT - makes the book of the chapters in TUTORIAL: one page a chapter and a page for each
# answer, linked, complete without a network. Needs pandoc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tutorial=$1
out=$2
book="Containers, step by step"

set -- "$tutorial"/[0-9]*.md
if [ ! -e "$1" ]; then echo "build.sh: no chapters in '$tutorial'" >&2; exit 1; fi

title() { sed -n '/^# /{s/^# //;p;q;}' "$1"; }
# The blockquote under the title.
goal() { awk '/^> / {sub(/^> /, ""); print; seen = 1; next} seen {exit} NR > 8 {exit}' "$1"; }
page() { basename "$1" .md | sed 's/$/.html/'; }

# page FILE OUT ROOT [OPTION...]: the info string becomes attributes, the way pandoc reads them.
convert() {
    file=$1 to=$2 root=$3
    shift 3
    sed -E 's/^(```+)([a-z]+) +(.+)$/\1 {.\2 path="\3"}/' "$file" |
        CHAPTER_DIR=$(dirname "$file") pandoc -f gfm+attributes -t html5 --standalone \
            --template "$here/template.html" --lua-filter "$here/filter.lua" --metadata pagetitle="$(title "$file")" \
            -V book="$book" -V root="$root" "$@" -o "$to"
}

rm -rf "$out"
mkdir -p "$out"
cp "$here/book.css" "$out/"

prev=
now=
for chapter in "$tutorial"/[0-9]*.md ""; do
    if [ -n "$now" ]; then
        set -- --toc --toc-depth=2 -V siblings=1
        if [ -n "$prev" ]; then set -- "$@" -V prev="$(page "$prev")" -V prevtitle="$(title "$prev")"; fi
        if [ -n "$chapter" ]; then set -- "$@" -V next="$(page "$chapter")" -V nexttitle="$(title "$chapter")"; fi
        convert "$now" "$out/$(page "$now")" "" "$@"
        prev=$now
    fi
    now=$chapter
done

for answer in "$tutorial"/answers/*/*.md; do
    [ -e "$answer" ] || continue
    below=${answer#"$tutorial"/}
    mkdir -p "$out/$(dirname "$below")"
    convert "$answer" "$out/${below%.md}.html" ../../
done
for patch in "$tutorial"/answers/*/*.patch; do
    if [ -e "$patch" ]; then cp "$patch" "$out/${patch#"$tutorial"/}"; fi
done

{
    cat "$here/index.md"
    for chapter in "$tutorial"/[0-9]*.md; do
        printf -- '- [%s](%s)\n\n  %s\n\n' "$(title "$chapter")" "$(basename "$chapter")" "$(goal "$chapter" | tr '\n' ' ')"
    done
    if [ -d "$out/answers" ]; then
        printf '## Hints and answers\n\n'
        for answer in "$tutorial"/answers/*/*.md; do
            below=${answer#"$tutorial"/}
            printf -- '- [%s](%s)\n' "$(title "$answer")" "$below"
        done
    fi
} >"$out/index.md"
convert "$out/index.md" "$out/index.html" ""
rm "$out/index.md"
