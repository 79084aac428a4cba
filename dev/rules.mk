# dev/, included by the Makefile: benchmarks (dev/bench_*.c) and ladders (dev/*.cu).
# make ladders: every rung of every ladder against the CPU body; without a GPU on the emulator.
# make bench: each benchmark beside its peer and its measured limit, on a quiet machine, please; on a GPU also the ladders, whose table in
# dev/README.md is rewritten. Benchmarks of the CPU follow device pointers; bench_device_*, of any backend, are run by gpu_check.sh.
BENCHES         := $(basename $(notdir $(wildcard dev/bench_*.c)))
BENCHES         := $(if $(filter cuda,$(BACKEND)),$(filter bench_device_%,$(BENCHES)),$(filter-out bench_device_%,$(BENCHES)))
LADDERS         := $(basename $(notdir $(wildcard dev/*.cu)))
LADDER_PROGRAMS := $(LADDERS:%=$(BUILD)/dev/%)
# Ladders include the CPU bodies, which are C: partly named initializers and functions that a ladder does not use are no faults there.
LADDER_HOST     := -fopenmp -march=native -Wno-unused-function -Wno-missing-field-initializers -Wno-format-truncation
LADDER_RUN       = for l in $(LADDERS); do $(BUILD)/dev/$$l >$(BUILD)/dev/$$l.txt || { cat $(BUILD)/dev/$$l.txt; exit 1; }

bench: $(addprefix $(BUILD)/dev/,$(BENCHES))
	@$(if $(filter cuda,$(BACKEND)),sh dev/gpu_check.sh build bench && $(MAKE) --no-print-directory bench_ladders,for b in $(BENCHES); do $(BUILD)/dev/$$b || exit 1; done)
bench_ladders: $(LADDER_PROGRAMS)
	@$(LADDER_RUN); cat $(BUILD)/dev/$$l.txt; done; sh dev/table.sh dev/README.md $(LADDER_PROGRAMS:%=%.txt)
ladders: $(if $(filter cpu,$(BACKEND)),ladders_emu,ladders_here)
ladders_emu: ; @$(MAKE) --no-print-directory BACKEND=emu PRECISION=$(PRECISION) VARIANT=emu-asan-$(PRECISION) ladders_here
ladders_here: $(LADDER_PROGRAMS)
	@$(LADDER_RUN); grep passed $(BUILD)/dev/$$l.txt; done
.PHONY: bench_ladders ladders ladders_emu ladders_here

ifeq ($(BACKEND),emu)
$(LADDER_PROGRAMS:%=%.o): $(BUILD)/dev/%.o: dev/%.cu
	@mkdir -p $(@D); echo 'c++  $<'; $(EMU_CXX) $(LADDER_HOST) -O1 $(EMU_$(EMU)) -x c++ -c $< -o $@ && objcopy --rename-section .noinit=emu_shared $@
$(LADDER_PROGRAMS): $(BUILD)/dev/%: $(BUILD)/dev/%.o $(BUILD)/test/emulator/emulator.o
	@echo 'link $@'; $(CXX) $(EMU_HOST) -no-pie -fopenmp $^ -o $@
else
$(LADDER_PROGRAMS): $(BUILD)/dev/%: dev/%.cu
	@mkdir -p $(@D); echo 'nvcc $<'; $(NVCC) $(NVCCFLAGS) $(LADDER_HOST:%=-Xcompiler %) $< -o $@ -L$(CUDA)/lib64 -Xlinker -rpath -Xlinker $(CUDA)/lib64 -lcublasLt
endif
