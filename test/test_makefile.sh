# What the Makefile finds out about the machine, with a made-up nvidia-smi and nvcc: cuda only when there are a compiler, a GPU, and
# kernels in the tree.
. test/check.sh
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL BACKEND PRECISION CC NVCC GPU_ARCH VARIANT
cp Makefile "$scratch" # alone in a folder: what make builds here is left as it is
mkdir "$scratch/llmc" "$scratch/gpu" "$scratch/nvcc" "$scratch/broken"
fake() { # folder/program, body
    printf '#!/bin/sh\n%s\n' "$2" >"$scratch/$1"
    chmod +x "$scratch/$1"
}
fake gpu/nvidia-smi 'echo 9.0'
fake nvcc/nvcc 'exit 0'
fake broken/nvidia-smi 'echo "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver." >&2; exit 9'
first_line() { # PATH's first folder, then make's words: the line that says what was found
    folder=$1
    shift
    PATH=$scratch/$folder:$PATH make -C "$scratch" --no-print-directory -n help "$@" 2>&1 | head -n 1
}
check_backend() { # "what" line backend precision gpu
    check_contains "$1" "$2" "^backend: $3 \\| precision: $4 \\| compiler: .* \\| gpu: $5 "
}
nvcc=NVCC=$scratch/nvcc/nvcc

check_backend "GPU and compiler, no kernels" "$(first_line gpu "$nvcc")" cpu FP32 sm_90
: >"$scratch/llmc/backend_cuda.cu"
check_backend "GPU and compiler" "$(first_line gpu "$nvcc")" cuda BF16 sm_90
check_contains "it says which nvcc" "$(first_line gpu "$nvcc")" "nvcc: $scratch/nvcc/nvcc"
check_backend "a GPU without compiler" "$(first_line gpu NVCC=)" cpu FP32 sm_90
check_contains "it says that nvcc is missing" "$(first_line gpu NVCC=)" 'nvcc: none found'
check_backend "a compiler without GPU" "$(first_line broken "$nvcc")" cpu FP32 'none seen'
check_backend "neither" "$(first_line broken NVCC=)" cpu FP32 'none seen'
cp -r "$scratch/nvcc/nvcc" "$scratch/gpu"
check_backend "nvcc from PATH" "$(first_line gpu)" cuda BF16 sm_90
check_contains "nvcc from PATH" "$(first_line gpu)" "nvcc: $scratch/gpu/nvcc"

for capability in 8.0:sm_80 8.9:sm_89 10.0:sm_100 12.0:sm_120; do
    fake gpu/nvidia-smi "echo ${capability%:*}"
    check_backend "capability ${capability%:*}" "$(first_line gpu "$nvcc")" cuda BF16 "${capability#*:}"
done
fake gpu/nvidia-smi 'echo 9.0; echo 8.0; echo 10.0'
check_backend "of several GPUs the oldest" "$(first_line gpu "$nvcc")" cuda BF16 sm_80
fake gpu/nvidia-smi 'echo "No devices were found"; exit 6'
check_backend "nvidia-smi sees no device" "$(first_line gpu "$nvcc")" cpu FP32 'none seen'
fake gpu/nvidia-smi 'echo "[N/A]"'
check_backend "nvidia-smi does not know" "$(first_line gpu "$nvcc")" cpu FP32 'none seen'
fake gpu/nvidia-smi 'echo 9.0'

check_backend "BACKEND=cpu on a GPU" "$(first_line gpu "$nvcc" BACKEND=cpu)" cpu FP32 sm_90
check_backend "BACKEND=emu" "$(first_line broken NVCC= BACKEND=emu)" emu FP32 'none seen'
check_backend "BACKEND=cuda without a GPU" "$(first_line broken NVCC= BACKEND=cuda)" cuda BF16 'none seen'
check_backend "PRECISION=FP32 on a GPU" "$(first_line gpu "$nvcc" PRECISION=FP32)" cuda FP32 sm_90
check_backend "PRECISION=BF16 on the CPU" "$(first_line broken NVCC= PRECISION=BF16)" cpu BF16 'none seen'
check_backend "from the environment" "$(BACKEND=cpu PRECISION=BF16 first_line gpu "$nvcc")" cpu BF16 sm_90
check_contains "CC" "$(first_line broken NVCC= CC=clang)" 'compiler: clang '
check_contains "a wrong BACKEND" "$(first_line gpu "$nvcc" BACKEND=gpu)" 'BACKEND=gpu is none of cpu, cuda, emu'
check_contains "a wrong PRECISION" "$(first_line gpu "$nvcc" PRECISION=FP8)" 'PRECISION=FP8 is none of FP32, BF16'
check "a right BACKEND is no error" make -C "$scratch" -n help BACKEND=cpu
check "a wrong BACKEND is an error" sh -c "! make -C '$scratch' -n help BACKEND=gpu"
check "a wrong PRECISION is an error" sh -c "! make -C '$scratch' -n help PRECISION=FP8"
check_report test_makefile
