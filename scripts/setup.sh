#!/bin/sh
# setup: installs what building and testing need on Debian or Ubuntu; says what it would install when it cannot. Installs nothing that is there.
#   sudo ./scripts/setup.sh           libraries, compilers              sudo ./scripts/setup.sh --dev     and what `make check` uses
set -eu
build="gcc libc6-dev make libjansson-dev libutf8proc-dev zlib1g-dev libzstd-dev liblz4-dev libsnappy-dev libbrotli-dev libflint-dev libgmp-dev pkg-config libopenmpi-dev openmpi-bin"
check="clang libomp-dev clang-format clang-tidy cppcheck libclang-rt-dev"

case "${1:-}" in
"") wanted="$build" ;;
--dev) wanted="$build $check" ;;
*) echo "setup: unknown option $1 (only --dev)" >&2; exit 2 ;;
esac
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is no Debian or Ubuntu. Install by your own means: a C11 compiler with OpenMP, make, and the development files of" >&2
    echo "jansson, utf8proc, zlib, zstd, lz4, snappy, brotli, FLINT with Arb (FLINT 3 has it inside), GMP; for many ranks MPI and pkg-config" >&2
    exit 1
fi
# Debian 12 has Arb in a package of its own; FLINT 3, from Debian 13 on, includes it.
if ! dpkg-query -W -f '${Status}' libflint-arb-dev 2>/dev/null | grep -q 'install ok installed'; then
    apt-cache show libflint-arb-dev >/dev/null 2>&1 && wanted="$wanted libflint-arb-dev"
fi
missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "setup: everything is installed"
elif [ "$(id -u)" -ne 0 ]; then
    echo "setup: these packages are missing; install them as root:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
else
    echo "setup: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # asked again: on a machine without package lists the look-up above found nothing
    if ! dpkg-query -W libflint-arb-dev >/dev/null 2>&1 && apt-cache show libflint-arb-dev >/dev/null 2>&1; then missing="$missing libflint-arb-dev"; fi
    # shellcheck disable=SC2086 # a list of words is meant
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if command -v nvcc >/dev/null 2>&1 || [ -x /usr/local/cuda/bin/nvcc ]; then
    echo "setup: CUDA toolkit found"
else
    echo "setup: no CUDA toolkit: the CPU backend will be built"
fi
echo "setup: done. Next: make train_grpo && ./train_grpo -c 24576"
