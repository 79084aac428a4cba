# test/fuzz, included by the Makefile: readers of untrusted bytes under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
# make fuzz: each target for FUZZ_SECONDS (1200), two at a time; FUZZ="json grader" picks targets. make fuzz-smoke: 30 seconds each.
# A find ends up in build/fuzz/finds: mend the reader, then keep the input, minimised, in test/fuzz/corpus/TARGET, which `make test` and
# `make sanitize` replay without libFuzzer.
FUZZ_TARGETS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ         ?= $(FUZZ_TARGETS)
FUZZ_SECONDS ?= 1200
FUZZ_FLAGS   := -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all

objects: $(FUZZ_TARGETS:%=$(BUILD)/test/fuzz/fuzz_%.o) $(BUILD)/test/fuzz/replay.o
tests: $(FUZZ_TARGETS:%=$(BUILD)/test/test_fuzz_%)
$(BUILD)/test/test_fuzz_%: $(BUILD)/test/fuzz/fuzz_%.o $(BUILD)/test/fuzz/replay.o $(BACKEND_OBJECT) $(OBJECTS) ; $(LINK)
$(BUILD)/fuzz/%: $(BUILD)/test/fuzz/fuzz_%.o $(BACKEND_OBJECT) $(OBJECTS) ; @mkdir -p $(@D); echo 'link $@'; $(CC) $(CFLAGS) -fsanitize=fuzzer $^ $(LDLIBS) -o $@
fuzz_programs: $(FUZZ:%=$(BUILD)/fuzz/%)
fuzz:
	@echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return !d && n; }' | clang -x c -fsanitize=fuzzer,address - -o /dev/null || \
	    { echo "make fuzz: clang or its fuzzer runtime is missing: sudo ./scripts/setup.sh --dev"; exit 1; }
	@$(MAKE) --no-print-directory BACKEND=cpu PRECISION=FP32 CC=clang VARIANT=fuzz OPTIMIZE='-O1 -march=native -fno-omit-frame-pointer -Wno-pass-failed -fsanitize=fuzzer-no-link $(FUZZ_FLAGS)' FUZZ='$(FUZZ)' fuzz_programs
	@sh test/fuzz/run.sh $(FUZZ_SECONDS) build/fuzz/fuzz $(FUZZ)
fuzz-smoke: ; @$(MAKE) --no-print-directory FUZZ_SECONDS=30 fuzz
.PHONY: fuzz fuzz-smoke fuzz_programs
