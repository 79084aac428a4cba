#!/bin/sh
# download: DeepScaleR's start model and its data, with curl alone. A file is fetched under a name ending in .part, goes on where it was cut, and gets
# its own name when its checksum is right: the one that Hugging Face announces for the pinned revision (sha256 of large files, git's sha1 of
# small ones), the one written below for GitHub. Run again, it fetches what is missing.
#   ./scripts/download.sh            all of it: 3.6 GB           ./scripts/download.sh model       or data, or eval alone
#   ./scripts/download.sh --plan     what would be fetched to where, without network
# HF_ENDPOINT names a mirror; a token is taken from HF_TOKEN or from where `huggingface-cli login` left it. Another model:
#   MODEL_REPO=Qwen/Qwen2.5-0.5B MODEL_REVISION=main ./scripts/download.sh model
set -u
cd "$(dirname "$0")/.." || exit 1
HF=${HF_ENDPOINT:-https://huggingface.co} GITHUB=${GITHUB_RAW:-https://raw.githubusercontent.com}
MODEL_REPO=${MODEL_REPO:-deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B}
MODEL_REVISION=${MODEL_REVISION:-ad9f0ae0864d7fbcd1cd905e3c6c5b069cc8b562}
MODEL_FILES=${MODEL_FILES:-config.json generation_config.json tokenizer.json tokenizer_config.json model.safetensors}
MODELS=${MODELS:-models} DATASETS=${DATASETS:-datasets}
DATA_REPO=agentica-org/DeepScaleR-Preview-Dataset
DATA_REVISION=${DATA_REVISION:-b6ae8c60f5c1f2b594e2140b91c49c9ad0949e29}
EVAL_REPO=agentica-project/deepscaler/95ef74ffee001cce89463f2d61dfdce1d03576c1
EVAL_FILES="aime:e1a705f2a03b9f8a0c4a2d334fc71eddc30bad7d amc:ac11f74f22c4b79e9bf4aca53c885fcd35413749 math:0e3f122e6be5c99a0123adfdf4b4fe1bc8e861cc
    minerva:01569be85b1df9007fa0bb4068a022da7606586b olympiad_bench:efcd0ebe99a97294b9e1f0496ef2e6557c6eb924"
TRIES=${TRIES:-5}
plan= failed=0 wanted=

say() { echo "download: $*"; }
fail() {
    echo "download: error: $*" >&2
    failed=1
}
token() { # as Hugging Face's own client finds it
    home=${HF_HOME:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/huggingface}
    if [ -n "${HF_TOKEN:-${HUGGING_FACE_HUB_TOKEN:-}}" ]; then
        echo "${HF_TOKEN:-$HUGGING_FACE_HUB_TOKEN}"
    elif [ "${HF_HUB_DISABLE_IMPLICIT_TOKEN:-0}" = 0 ]; then
        cat "${HF_TOKEN_PATH:-$home/token}" 2>/dev/null
    fi | tr -d ' \r\n'
}
# curl, with the token for Hugging Face on its standard input: among the arguments every user of the machine could read it. Where a redirect
# leads to another host curl leaves it out.
call() { # url, arguments of curl
    url=$1
    shift
    case $url in
    "$HF"/*) secret=$(token) ;;
    *) secret= ;;
    esac
    printf '%s' "${secret:+header = \"Authorization: Bearer $secret\"}" | curl -fsS -K - --connect-timeout 30 --speed-limit 1000 --speed-time 60 -A grpo.c "$@" "$url"
}
header() { # of the answer in $headers, without quotes and the mark of a weak tag
    printf '%s\n' "$headers" | tr -d '\r"' | awk -v name="$1:" '{ if (tolower($1) == name) value = $2 } END { sub(/^W\//, "", value); print value }'
}
# What Hugging Face says of a file before it is fetched: sets $sum and $size. Its redirects within the host lead to the answer, one to a store of
# large files is the answer.
announced() {
    place=$1
    for hop in 1 2 3 4; do
        headers=$(call "$place" -I -H 'Accept-Encoding: identity') || return 1
        sum=$(header x-linked-etag) size=$(header x-linked-size) to=$(header location)
        [ -z "$sum" ] || return 0
        case $to in
        /*) place=$HF$to ;;
        *) break ;;
        esac
    done
    sum=$(header etag) size=$(header content-length)
    [ -n "$sum" ]
}
bytes() { wc -c <"$1" | tr -d ' '; }
matches() { # file, checksum: 64 digits are sha256, 40 the sha1 of git's blob
    case ${#2} in
    64) found=$(sha256sum <"$1") ;;
    *) found=$({ printf 'blob %s\0' "$(bytes "$1")" && cat "$1"; } | sha1sum) ;;
    esac
    found=${found%% *}
    [ "$found" = "$2" ]
}
transfer() { # url, part: until it is whole, from where it is
    try=0
    while [ $try -lt "$TRIES" ]; do
        [ $try -eq 0 ] || sleep "${PAUSE:-5}"
        try=$((try + 1))
        answer=$(call "$1" -L -C - -o "$2" -w '%{http_code}') # curl's own --retry would begin anew
        code=$?
        case $code:$answer in
        0:*) return 0 ;;
        33:* | 22:416) rm -f "$2" ;;          # the server cannot go on in the middle, or not there
        22:408 | 22:429 | 22:5??) ;;          # it is busy
        22:* | 23:*) return 1 ;; # it refuses, or the disk is full: another try will not change that
        esac
        [ ! -s "$2" ] || say "$2: cut after $(bytes "$2") bytes (curl $code)"
    done
    return 1
}
is_whole() { # part, size if it is known, checksum: whether it was cut between its last byte and its own name; what cannot become right is removed
    [ -s "$1" ] || return 1
    if [ -z "$2" ]; then matches "$1" "$3" && return; fi
    if [ -n "$2" ] && [ "$(bytes "$1")" -ge "$2" ]; then
        matches "$1" "$3" && return
        rm -f "$1"
    fi
    return 1
}
fetch() { # url, file, checksum if it is known
    url=$1 file=$2 sum=${3:-} size=
    if [ -n "$plan" ]; then
        echo "$url -> $file"
        return
    fi
    if [ -z "$sum" ] && ! announced "$url"; then
        fail "$url: cannot be reached, or says no checksum: see HF_ENDPOINT, HF_TOKEN and the revision"
        return
    fi
    case $sum in
    *[!0-9a-f]*) sum= ;;
    esac
    if [ ${#sum} -ne 64 ] && [ ${#sum} -ne 40 ]; then
        fail "$url: its tag is no checksum"
        return
    fi
    if [ -e "$file" ]; then
        if matches "$file" "$sum"; then say "$file: is there"; else fail "$file: is there and differs from $url ($found, not $sum): remove it to fetch it again"; fi
        return
    fi
    part=$file.$(printf %.8s "$sum").part # of these contents: another revision's beginning is not continued
    mkdir -p "$(dirname "$file")" || exit 1
    if ! is_whole "$part" "$size" "$sum"; then
        [ ! -s "$part" ] || say "$file: goes on after $(bytes "$part") bytes"
        if ! transfer "$url" "$part"; then
            fail "$file: not fetched from $url; run this again to go on"
            return
        fi
    fi
    if ! matches "$part" "$sum"; then
        rm -f "$part"
        fail "$file: what came from $url has checksum $found, not $sum: removed; run this again"
        return
    fi
    sync "$part" 2>/dev/null
    mv "$part" "$file" || exit 1
    say "$file: $(bytes "$file") bytes, checksum right"
}

for word in "$@"; do
    case $word in
    --plan) plan=yes ;;
    model | data | eval) wanted="$wanted $word" ;;
    *)
        echo "download: unknown word $word: only model, data, eval and --plan" >&2
        exit 2
        ;;
    esac
done
HF=${HF%/}
for part_of in ${wanted:-model data eval}; do
    case $part_of in
    model) for name in $MODEL_FILES; do fetch "$HF/$MODEL_REPO/resolve/$MODEL_REVISION/$name" "$MODELS/${MODEL_REPO##*/}/$name"; done ;;
    data) fetch "$HF/datasets/$DATA_REPO/resolve/$DATA_REVISION/deepscaler.json" "$DATASETS/deepscaler.json" ;;
    eval) for set in $EVAL_FILES; do fetch "$GITHUB/$EVAL_REPO/deepscaler/data/test/${set%%:*}.json" "$DATASETS/${set%%:*}.json" "${set#*:}"; done ;;
    esac
done
exit $failed
