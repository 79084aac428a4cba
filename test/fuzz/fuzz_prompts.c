// prompts.bin. The size and both checksums of the header are made right before the file is opened, so that what lies behind is reached.
#include "data/prompts.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PromptsHeader header;
    uint8_t *file = (uint8_t *)host_alloc(size);
    memcpy(file, data, size);
    if (size >= PROMPTS_HEADER_BYTES) {
        memcpy(&header, data, PROMPTS_HEADER_BYTES);
        header.file_bytes = size;
        header.checksum = (uint32_t)crc32(0, data + PROMPTS_HEADER_BYTES, (uInt)(size - PROMPTS_HEADER_BYTES));
        header.header_checksum = (uint32_t)crc32(0, (const unsigned char *)&header, PROMPTS_HEADER_BYTES - 4);
        memcpy(file, &header, PROMPTS_HEADER_BYTES);
    }
    Error error = {""};
    PromptSet *set = prompt_set_open(fuzz_file(file, size), &error);
    assert(set || error.text[0]);
    for (int i = 0; set && i < prompt_set_count(set); i++) {
        Prompt prompt = prompt_set_get(set, i);
        const char *texts[] = {prompt.text, prompt.problem, prompt.truth_json, prompt.data_source};
        size_t bytes = 0;
        for (int t = 0; t < 4; t++) { bytes += strlen(texts[t]) + 1; } // reads every byte of it
        assert(prompt.count >= 1 && prompt.count <= prompt_set_longest(set) && bytes < size);
        for (int t = 0; t < prompt.count; t++) { assert(prompt.ids[t] >= 0 && prompt.ids[t] <= prompt_set_largest_id(set)); }
    }
    if (set && !prompt_set_check_limits(set, "prompts.bin", 1024, 151665, &error)) { assert(prompt_set_longest(set) > 1024 || prompt_set_largest_id(set) >= 151665); }
    prompt_set_close(set);
    free(file);
    return 0;
}
