#!/bin/sh
# sh dev/table.sh README.md OUTPUT..: puts the rows that ladders printed between the two markers of README.md.
# A row with figures replaces the row of its rung; one without (from the emulator) leaves what a GPU has said before about the same idea
# and shape. Rungs that no output names are left out only when their ladder was run.
set -eu
readme=$1
shift
awk -F ' *[|] *' -v readme="$readme" '
    function key(line) { split(line, cell, / *[|] */); return cell[2] }                          # "rmsnorm 1"
    function ladder(line) { split(line, cell, / *[|] */); sub(/ [0-9]+$/, "", cell[2]); return cell[2] }
    function idea(line) { split(line, cell, / *[|] */); return cell[3] "|" cell[4] }
    function measured(line) { return line !~ /not yet run on a GPU/ }
    FILENAME != readme && /^on: / { on = substr($0, 5) }
    function take(line) { if (!(key(line) in row)) { order[++rows] = key(line) } row[key(line)] = line }
    FILENAME != readme && /^[|] [a-z_]+ [0-9]+ [|]/ { ran[ladder($0)] = 1; take($0); next }
    FILENAME != readme { next }
    /<!-- ladders begin -->/ { inside = 1; before = before $0 "\n"; next }
    /<!-- ladders end -->/ { inside = 0; after = $0 "\n"; behind = 1; next }
    inside && /^[|] [a-z_]+ [0-9]+ [|]/ {
        k = key($0)
        if (!(ladder($0) in ran)) { take($0) }
        else if ((k in row) && !measured(row[k]) && measured($0) && idea(row[k]) == idea($0)) { take($0) }
        next
    }
    inside && /^Measured on / && on == "" { on = substr($0, 13); sub(/\.$/, "", on) }
    inside { next }
    behind { after = after $0 "\n"; next }
    { before = before $0 "\n" }
    END {
        if (after == "") { print "table.sh: " readme " has no markers for the table" > "/dev/stderr"; exit 1 }
        printf "%s", before
        if (on != "") { printf "Measured on %s.\n\n", on }
        print "| rung | what | shape | measured | of the limit |\n|---|---|---|---|---|"
        for (i = 2; i <= rows; i++) { # by ladder and rung: few rows, so by insertion
            k = order[i]
            for (j = i - 1; j > 0 && order[j] > k; j--) { order[j + 1] = order[j] }
            order[j + 1] = k
        }
        for (i = 1; i <= rows; i++) { print row[order[i]] }
        printf "%s", after
    }' "$@" "$readme" >"$readme.tmp" && mv "$readme.tmp" "$readme"
