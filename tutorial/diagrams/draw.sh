#!/bin/sh
# draw.sh NAME.pic - draws a diagram and prints it as SVG.
#
# dpic knows neither dark mode nor phones: its prologue with fixed sizes and colours is replaced by one that
# scales, has a title for those who do not see it (the first line of the .pic file, a comment) and sheet.css.
set -eu
cd "$(dirname "$1")"
file=$(basename "$1")
title=$(sed -n '1s/^# *//p' "$file" | sed 's/&/\&amp;/g; s/</\&lt;/g')
svg=$(dpic -v "$file")
viewbox=$(printf '%s\n' "$svg" | sed -n 's/.*viewBox="\([^"]*\)".*/\1/p' |
    awk '{print $1 - 8, $2 - 8, $3 + 16, $4 + 16}')
width=$(printf '%s\n' "$viewbox" | cut -d' ' -f3)

printf '<svg xmlns="http://www.w3.org/2000/svg" class="diagram" role="img" viewBox="%s" ' "$viewbox"
printf 'width="%s" style="max-width:100%%;min-width:min(%spx,26rem);height:auto" ' "$width" "$width"
printf 'text-anchor="middle" stroke-miterlimit="10" stroke-width="1.07" fill="none">\n'
printf '<title>%s</title>\n<style>\n' "$title"
cat sheet.css
printf '</style>\n'
# Sizes and colours of text come from the sheet.
printf '%s\n' "$svg" | sed -n '/^<g>/,$p' | sed '/^<text/s/ font-size="[^"]*" stroke-width="[^"]*"//; /^$/d'
