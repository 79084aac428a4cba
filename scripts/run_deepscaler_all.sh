#!/bin/sh
# DeepScaleR whole: the three stages one after the other, each from where the one before ended; run again, it goes on where it was.
# (One command with -c 8192:1040,16384:480,24576:230 does the same with one group size for all stages.) Options go to every stage.
set -e
folder=$(dirname "$0")
for stage in 8k 16k 24k; do "$folder/run_deepscaler_1.5b_$stage.sh" "$@"; done
