# BACKEND=emu, included by the Makefile: the kernels of llmc/cuda compiled by the host compiler and run by the emulator.
# EMU=asan: bounds, alignment, NaN in whatever nobody wrote, in any order of threads (EMU_ORDER). EMU=race: every access recorded, so that a
# missing barrier and a read of uninitialised shared memory show; compiled as for ThreadSanitizer, whose place emulator.cc takes.
.DEFAULT_GOAL := all
EMU         ?= asan
EMU_asan    := -fsanitize=address,undefined -fno-sanitize-recover=all
EMU_race    := -fsanitize=thread --param tsan-instrument-func-entry-exit=0
EMU_HOST    := $(if $(filter asan,$(EMU)),$(EMU_asan))
OPTIMIZE    ?= $(CHECKED) $(EMU_HOST)
EMU_CXX      = $(CXX) -std=c++17 -g -fno-var-tracking -D$(PRECISION) -Itest/emulator -I. -fno-strict-aliasing -ffp-contract=off -Wall -Wextra -Wshadow -Werror \
               -Wno-unknown-pragmas -Wno-unused-function -Wno-format-truncation -MMD -MP
BACKEND_OBJECT = $(BUILD)/test/emulator/backend_emu.o $(BUILD)/test/emulator/emulator.o
EMU_TESTS   ?= $(addprefix test_,adamw attention attention_decode attention_long decode_advance embedding gradient_norm linear logprob qk_norm rmsnorm rollout rope sample swiglu)

$(BUILD)/test/emulator/emulator.o: test/emulator/emulator.cc ; @mkdir -p $(@D); echo 'c++  $<'; $(EMU_CXX) -O3 -march=native $(EMU_HOST) -c $< -o $@
# All __shared__ arrays lie in one section, under a name whose bounds the linker knows.
$(BUILD)/test/emulator/%.o: test/emulator/%.cc ; @mkdir -p $(@D); echo 'c++  $<'; $(EMU_CXX) -O1 $(EMU_$(EMU)) -c $< -o $@ && objcopy --rename-section .noinit=emu_shared $@
$(BUILD)/faults: $(BUILD)/test/emulator/faults.o $(BUILD)/test/emulator/emulator.o ; @echo 'link $@'; $(CXX) $(EMU_HOST) -no-pie $^ -o $@
$(BUILD)/faults_hopper: $(BUILD)/test/emulator/faults_hopper.o $(BUILD)/test/emulator/emulator.o ; @echo 'link $@'; $(CXX) $(EMU_HOST) -no-pie $^ -o $@
emu_programs: $(addprefix $(BUILD)/test/,$(EMU_TESTS)) $(BUILD)/faults $(BUILD)/faults_hopper
# Four builds side by side, so that the long unit of one does not keep the others waiting.
EMU_BUILDS := $(foreach p,FP32 BF16,$(foreach e,race asan,emu_build-$e-$p))
$(EMU_BUILDS): emu_build-%: ; @$(MAKE) --no-print-directory BACKEND=emu EMU=$(word 1,$(subst -, ,$*)) PRECISION=$(word 2,$(subst -, ,$*)) VARIANT=emu-$* emu_programs
emu_builds: $(EMU_BUILDS)
# Every op test in both precisions, in several orders of threads and with the race detector; then the planted faults, which must be found.
test_emu: emu_builds
	@sh test/emulator/run.sh $(EMU_TESTS)
# The shipped kernels broken on purpose, one way at a time; the tests must notice.
emu_mutants: ; @sh test/emulator/mutants.sh
.PHONY: emu_mutants emu_programs emu_builds $(EMU_BUILDS) test_emu
