# make              every program for the backend this machine can run       make train_grpo   just one
# make test         every test                                               make sanitize     the same under ASan + UBSan
# make check        format, lint, budgets, gcc and clang                     make bench        micro-benchmarks beside their limits
# make help         this text                                                make clean        remove what was built
# make fingerprints a fixed run, to the bit, beside the one on record
# make ptxas        what each kernel takes of a GPU     make test BACKEND=emu   the kernels on an emulator, with race detection
# make ladders      each kernel's rungs against the CPU body               dev/gpu_check.sh     everything that only a GPU can show
# make fuzz         what reads untrusted bytes, 20 minutes a target        make fuzz-smoke      30 seconds a target
# BACKEND=cpu|cuda|emu forces a backend, PRECISION=FP32|BF16 the storage type, CC=gcc|clang the compiler.
CC        := $(if $(filter default,$(origin CC)),cc,$(CC))
NVCC      ?= $(shell command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
GPU_ARCH  ?= $(shell nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sort -n | sed -n '1s/^\([0-9]*\)\.\([0-9]*\).*/sm_\1\2/p')
# cuda when there are a compiler and a GPU for it, and a body for it in the tree; else cpu.
BACKEND   ?= $(if $(and $(NVCC),$(GPU_ARCH),$(wildcard llmc/backend_cuda.cu)),cuda,cpu)
PRECISION ?= $(if $(filter cuda,$(BACKEND)),BF16,FP32)
ifeq ($(filter $(BACKEND),cpu cuda emu),)
$(error BACKEND=$(BACKEND) is none of cpu, cuda, emu)
endif
ifeq ($(filter $(PRECISION),FP32 BF16),)
$(error PRECISION=$(PRECISION) is none of FP32, BF16)
endif

PROGRAMS  := train_grpo rollout train_sft prepare grade parquet_cat
TESTS     := $(basename $(notdir $(wildcard test/test_*.c)))
VARIANT   ?= $(BACKEND)-$(PRECISION)-$(notdir $(firstword $(CC)))
BUILD     := build/$(VARIANT)
# For tests with checks built in. At -O1 alone gcc leaves vector registers half full when it calls exp, and each such call waits; clang knows no such flag.
CHECKED   := -O1 -fexpensive-optimizations -Wno-ignored-optimization-argument -march=native
-include $(if $(filter emu,$(BACKEND)),test/emulator/rules.mk)

OPTIMIZE  ?= -O3 -march=native
# No -ffast-math: isfinite must work. Contraction to fma is asked for by name because -std=c11 turns it off.
# Where variables lie in optimised code is left out: lines are enough for reports, and it takes a quarter of the compiler's time.
CFLAGS    += -std=c11 -D_GNU_SOURCE -D$(PRECISION) -g -fno-var-tracking $(OPTIMIZE) -ffp-contract=fast -fno-math-errno -fopenmp \
             -Wall -Wextra -Wshadow -Werror -Wno-format-truncation -Wno-unknown-warning-option -I. -isystem /usr/include/flint -MMD -MP
# gcc tuned for some AVX2 processors breaks chains of fused multiply-adds apart, and with them the equality of sampler and trainer.
CFLAGS    += $(shell $(CC) --param=avoid-fma-max-bits=0 -Werror -c -x c /dev/null -o /dev/null 2>/dev/null && echo --param=avoid-fma-max-bits=0)
# Debian 12 has Arb beside FLINT 2; FLINT 3 includes it.
ARB       := $(if $(wildcard /usr/lib/*/libflint-arb.so /usr/lib/libflint-arb.so),-lflint-arb)
LDLIBS    += -Wl,--as-needed -ljansson -lutf8proc -lz -lzstd -llz4 -lsnappy -lbrotlidec $(ARB) -lflint -lgmp -lm

# Kernels for Ampere and Hopper, and PTX for what comes.
CUDA      := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
NVCCFLAGS += -std=c++17 -O3 -lineinfo -D$(PRECISION) -I. -Illmc/cuda -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a \
             -gencode arch=compute_90,code=compute_90 -Werror all-warnings -Xcompiler -Wall,-Wextra,-Wshadow,-Wno-format-truncation -MMD -MP
LDLIBS    += $(if $(filter cuda,$(BACKEND)),-L$(CUDA)/lib64 -Xlinker -rpath -Xlinker $(CUDA)/lib64 -lcublasLt -lcudart -lstdc++)
LDLIBS    += $(if $(filter emu,$(BACKEND)),-no-pie -lstdc++)

# Many processes talk over MPI, under mpirun and srun; over TCP, in torchrun's environment, where there is no MPI or MPI= leaves it out.
# GPUs want NCCL between them.
MPI       ?= $(firstword $(foreach p,mpi-c ompi-c mpich,$(shell pkg-config --exists $p 2>/dev/null && echo $p)))
CFLAGS    += $(if $(MPI),$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(MPI))))
LDLIBS    += $(if $(MPI),$(shell pkg-config --libs $(MPI)))
NCCL      ?= $(if $(filter cuda,$(BACKEND)),$(firstword $(wildcard $(CUDA)/include/nccl.h /usr/include/nccl.h)))
LDLIBS    += $(if $(NCCL),-lnccl)
RANKS     := llmc/ranks_$(if $(MPI),mpi,tcp)
COLLECTIVES := llmc/$(if $(NCCL),backend_nccl,collectives_host)

$(info backend: $(BACKEND) | precision: $(PRECISION) | compiler: $(CC) | gpu: $(or $(GPU_ARCH),none seen) | nvcc: $(or $(NVCC),none found) | ranks: $(or $(MPI),TCP)$(if $(NCCL), and NCCL))

all: $(PROGRAMS) $(if $(filter cuda,$(BACKEND)),tests)
# The top-level programs are valid C11 under a .cu name; the backend they run on is one object file, chosen here.
$(BUILD)/%.o: %.cu            ; @mkdir -p $(@D); echo 'cc   $<'; $(CC) $(CFLAGS) -x c -c $< -o $@
$(BUILD)/%.o: %.c             ; @mkdir -p $(@D); echo 'cc   $<'; $(CC) $(CFLAGS) -c $< -o $@
$(BUILD)/llmc/backend_nccl.o: llmc/backend_nccl.cu ; @mkdir -p $(@D); echo 'nvcc $<'; $(NVCC) $(NVCCFLAGS) -c $< -o $@
$(BUILD)/llmc/backend_cuda.o: llmc/backend_cuda.cu ; @mkdir -p $(@D); echo 'nvcc $<'; $(NVCC) $(NVCCFLAGS) -c $< -o $@
# Kernels that exist for Hopper alone are a unit of their own.
HOPPER_FLAGS := $(filter-out -gencode arch=%,$(NVCCFLAGS)) -gencode arch=compute_90a,code=sm_90a
$(BUILD)/llmc/backend_hopper.o: llmc/backend_hopper.cu ; @mkdir -p $(@D); echo 'nvcc $<'; $(NVCC) $(HOPPER_FLAGS) -c $< -o $@
$(BUILD)/dev/attention_hopper: NVCCFLAGS := $(HOPPER_FLAGS)
BACKEND_OBJECT ?= $(BUILD)/llmc/backend_$(BACKEND).o $(if $(filter cuda,$(BACKEND)),$(BUILD)/llmc/backend_hopper.o)
OBJECTS := $(BUILD)/$(RANKS).o $(BUILD)/$(COLLECTIVES).o
TCP_OBJECTS := $(BUILD)/llmc/ranks_tcp.o $(BUILD)/$(COLLECTIVES).o
LINK = @mkdir -p $(@D); echo 'link $@'; $(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

# Relinked when the variant changes, so that ./train_grpo is always what was asked for last.
$(shell mkdir -p build; echo '$(VARIANT)' | cmp -s - build/variant || echo '$(VARIANT)' > build/variant)
LINK_PROGRAM = @echo 'link $@'; $(CC) $(CFLAGS) $(filter %.o,$^) $(LDLIBS) -o $@
train_grpo rollout train_sft: %: $(BUILD)/%.o $(BACKEND_OBJECT) $(OBJECTS) build/variant ; $(LINK_PROGRAM)
prepare parquet_cat: %: $(BUILD)/data/%.o build/variant                       ; $(LINK_PROGRAM)
grade: $(BUILD)/grade.o build/variant                                         ; $(LINK_PROGRAM)
$(BUILD)/test/%: $(BUILD)/test/%.o $(BACKEND_OBJECT) $(OBJECTS)               ; $(LINK)
$(BUILD)/dev/%: $(BUILD)/dev/%.o $(BACKEND_OBJECT) $(OBJECTS)                 ; $(LINK)
# The same objects over TCP, beside those over MPI: what test_tcp_ranks.sh runs.
$(BUILD)/tcp/%: $(BUILD)/%.o $(BACKEND_OBJECT) $(TCP_OBJECTS)                 ; $(LINK)

test: $(if $(filter emu,$(BACKEND)),test_emu,test_all)
tests: $(addprefix $(BUILD)/test/,$(TESTS)) $(addprefix $(BUILD)/tcp/,train_grpo rollout test/test_ranks)
test_all: tests $(PROGRAMS)
	@sh test/run.sh $(BUILD)/test
# The same tests and programs under AddressSanitizer and UndefinedBehaviorSanitizer; leaks are errors.
sanitize:
	@$(MAKE) --no-print-directory test VARIANT=sanitize-$(PRECISION) OPTIMIZE='$(CHECKED) -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'
# Every object and nothing linked: what `make check` asks of each compiler.
objects: $(foreach p,train_grpo rollout train_sft grade data/prepare data/parquet_cat llmc/backend_$(BACKEND) llmc/ranks_tcp $(RANKS) $(COLLECTIVES) $(addprefix test/,$(TESTS)),$(BUILD)/$p.o)
check: ; @sh scripts/check.sh
mutants: ; @sh test/mutants.sh
# A fixed run's fingerprints, from programs for any x86-64 processor with AVX2, beside those on record.
fingerprints:
	@$(MAKE) --no-print-directory BACKEND=cpu PRECISION=FP32 VARIANT=avx2-FP32 OPTIMIZE='-O2 -march=x86-64-v3' train_grpo train_sft
	@sh test/fingerprints.sh
# Registers, shared memory and spills of every kernel; a spill is an error.
ptxas: ; @sh scripts/ptxas.sh $(NVCC) $(filter-out -gencode arch=% -MMD -MP,$(NVCCFLAGS))
-include dev/rules.mk
-include test/fuzz/rules.mk
help: ; @sed -n '/^[^#]/q;s/^# \{0,1\}//p' Makefile
clean: ; rm -rf build $(PROGRAMS)
.PHONY: all objects test tests test_all sanitize check mutants fingerprints ptxas help clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
