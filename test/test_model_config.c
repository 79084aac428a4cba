// config.json and generation_config.json: what three families look like in both spellings, and everything that must be refused.
#include "llmc/hf_folder.h"
#include "llmc/safetensors.h"
#include "test/check.h"

#define BASE "\"hidden_size\": 48, \"intermediate_size\": 80, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, " \
             "\"vocab_size\": 96, \"max_position_embeddings\": 128, \"rms_norm_eps\": 1e-5"
#define LLAMA "{\"model_type\": \"llama\", " BASE

static ModelConfig parsed;
static Error error;
static bool parse(const char *text) {
    json_t *json = json_parse(text, strlen(text), "config.json", &error);
    bool ok = json && model_config_from_json(&parsed, json, "config.json", &error);
    json_decref(json);
    return ok;
}
static void refuse(const char *text, const char *key) { // `key` must be named in the sentence
    bool ok = parse(text);
    check(!ok && strstr(error.text, key), "%s was not refused by \"%s\": %s", text, key, ok ? "accepted" : error.text);
}
static void accept(const char *text) { check(parse(text), "%s: %s", text, error.text); }

static void test_families(void) {
    accept("{\"model_type\": \"qwen2\", \"architectures\": [\"Qwen2ForCausalLM\"], \"torch_dtype\": \"bfloat16\", \"rope_theta\": 10000, \"attention_bias\": false,"
           "\"use_sliding_window\": false, \"sliding_window\": 4096, \"use_mrope\": false, \"pad_token_id\": null, \"eos_token_id\": 95, " BASE "}");
    check(parsed.qkv_bias && !parsed.qk_norm && !parsed.tied_head && parsed.head_dim == 12 && parsed.kv_heads == 2, "qwen2");
    check(parsed.rope_theta == 10000 && parsed.rms_eps == 1e-5f && parsed.eos == 95 && parsed.pad == -1 && parsed.bos == -1, "qwen2 values");
    check_text(parsed.dtype, "bfloat16", "torch_dtype");
    // as Transformers 5 saves it
    accept("{\"model_type\": \"qwen3\", \"architectures\": [\"Qwen3ForCausalLM\"], \"dtype\": \"float32\", \"head_dim\": 16, \"tie_word_embeddings\": true, \"attention_bias\": false,"
           "\"layer_types\": [\"full_attention\", \"full_attention\"], \"rope_parameters\": {\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}, \"bos_token_id\": 1, " BASE "}");
    check(!parsed.qkv_bias && parsed.qk_norm && parsed.tied_head && parsed.head_dim == 16 && parsed.rope_theta == 1e6f && parsed.bos == 1, "qwen3");
    check_text(parsed.dtype, "float32", "dtype");
    accept(LLAMA ", \"pad_token_id\": -1, \"eos_token_id\": [7, 8], \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                 "\"original_max_position_embeddings\": 8192}}");
    check(parsed.rope_type == ROPE_LLAMA3 && parsed.rope_factor == 8 && parsed.rope_low_frequency_factor == 1 && parsed.rope_high_frequency_factor == 4, "llama3");
    check(parsed.rope_original_max_position == 8192 && parsed.eos == 7 && parsed.pad == -1 && parsed.rope_theta == 10000, "llama3 values");
    accept(LLAMA ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}");
    check(parsed.rope_type == ROPE_LINEAR && parsed.rope_factor == 2, "linear");
    accept(LLAMA ", \"rope_theta\": 5e5, \"rope_parameters\": {\"rope_theta\": 500000, \"rope_type\": \"default\"}}");
    accept("{\"model_type\": \"llama\", \"hidden_size\": 48, \"intermediate_size\": 80, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"vocab_size\": 96, \"max_position_embeddings\": 128}");
    check(parsed.kv_heads == 4 && parsed.rms_eps == 1e-6f, "llama without num_key_value_heads has as many as heads");
    accept(LLAMA ", \"quantization_config\": null, \"partial_rotary_factor\": 1.0, \"attention_dropout\": 0.0, \"mlp_bias\": false, \"hidden_act\": null, \"unknown_note\": {\"x\": 1}}");
}
static void test_refusals(void) {
    refuse("[1]", "object");
    refuse("{\"model_type\": \"llama\"", "JSON");
    refuse("{" BASE "}", "model_type");
    refuse("{\"model_type\": \"mistral\", " BASE "}", "mistral");
    refuse("{\"model_type\": 3, " BASE "}", "model_type");
    refuse("{\"model_type\": \"llama\\u0000\", " BASE "}", "model_type");
    refuse("{\"model_type\": \"qwen3\", " BASE "}", "head_dim");
    refuse("{\"model_type\": \"qwen3\", \"head_dim\": 16, \"attention_bias\": true, " BASE "}", "attention_bias");
    static const struct {
        const char *more, *key;
    } cases[] = {
        {"\"attention_bias\": true", "attention_bias"},
        {"\"mlp_bias\": true", "mlp_bias"},
        {"\"hidden_act\": \"gelu\"", "hidden_act"},
        {"\"use_sliding_window\": true", "use_sliding_window"},
        {"\"layer_types\": [\"full_attention\", \"sliding_attention\"]", "layer_types[1]"},
        {"\"layer_types\": [\"full_attention\"]", "layer_types"},
        {"\"layer_types\": \"full_attention\"", "layer_types"},
        {"\"partial_rotary_factor\": 0.5", "partial_rotary_factor"},
        {"\"quantization_config\": {\"bits\": 4}", "quantization_config"},
        {"\"auto_map\": {}", "auto_map"},
        {"\"num_experts\": 64", "num_experts"},
        {"\"num_local_experts\": 8", "num_local_experts"},
        {"\"moe_intermediate_size\": 64", "moe_intermediate_size"},
        {"\"is_causal\": false", "is_causal"},
        {"\"attention_dropout\": 0.1", "attention_dropout"},
        {"\"architectures\": [\"LlamaForSequenceClassification\"]", "architectures"},
        {"\"architectures\": []", "architectures"},
        {"\"architectures\": \"LlamaForCausalLM\"", "architectures"},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}", "yarn"},
        {"\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4}", "dynamic"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4, \"mrope_section\": [1]}", "mrope_section"},
        {"\"rope_scaling\": {\"type\": \"linear\"}", "factor"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0.5}", "factor"},
        {"\"rope_scaling\": {\"type\": 4}", "rope_scaling"},
        {"\"rope_scaling\": 4", "rope_scaling"},
        {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}", "llama3"},
        {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 64}", "high_freq_factor"},
        {"\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}", "full_attention"},
        {"\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.25}", "partial_rotary_factor"},
        {"\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1e6}, \"rope_theta\": 1e4", "disagree"},
        {"\"rope_parameters\": {\"rope_type\": \"default\"}, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}", "disagree"},
        {"\"rope_theta\": 1e99", "rope_theta"},
        {"\"rope_theta\": 0", "rope_theta"},
        {"\"rope_theta\": \"1e4\"", "rope_theta"},
        {"\"tie_word_embeddings\": 1", "tie_word_embeddings"},
        {"\"bos_token_id\": 96", "bos_token_id"},
        {"\"eos_token_id\": [96]", "eos_token_id"},
        {"\"eos_token_id\": \"</s>\"", "eos_token_id"},
        {"\"head_dim\": 13", "head_dim"},
        {"\"head_dim\": 258", "head_dim"},
        {"\"head_dim\": 0", "head_dim"},
        {"\"torch_dtype\": 16", "torch_dtype"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[2048];
        snprintf(text, sizeof(text), LLAMA ", %s}", cases[i].more);
        refuse(text, cases[i].key);
    }
}
// Every size: missing, of the wrong type, zero, negative, too large for the range and for an int.
static void test_sizes(void) {
    static const char *const keys[] = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size", "max_position_embeddings", "rms_norm_eps"};
    static const char *const values[] = {"0", "-4", "1099511627776", "2147483647", "\"48\"", "true", "[48]", "1.5e300"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++) {
            json_t *json = json_loads(LLAMA "}", 0, NULL);
            json_object_set_new(json, keys[k], json_loads(values[v], JSON_DECODE_ANY, NULL));
            bool ok = model_config_from_json(&parsed, json, "config.json", &error);
            check(!ok && strstr(error.text, keys[k]), "%s = %s: %s", keys[k], values[v], ok ? "accepted" : error.text);
            json_decref(json);
        }
        if (!strcmp(keys[k], "num_key_value_heads") || !strcmp(keys[k], "rms_norm_eps")) { continue; } // these have defaults
        json_t *json = json_loads(LLAMA "}", 0, NULL);
        json_object_del(json, keys[k]);
        bool ok = model_config_from_json(&parsed, json, "config.json", &error);
        check(!ok && strstr(error.text, keys[k]), "without %s: %s", keys[k], ok ? "accepted" : error.text);
        json_decref(json);
    }
    refuse("{\"model_type\": \"llama\", \"hidden_size\": 50, \"intermediate_size\": 80, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"vocab_size\": 96, \"max_position_embeddings\": 128}", "hidden_size");
    refuse("{\"model_type\": \"llama\", \"hidden_size\": 48, \"intermediate_size\": 80, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 3, \"vocab_size\": 96, \"max_position_embeddings\": 128}", "num_key_value_heads");
}
static void test_rope(void) {
    float frequency[8];
    ModelConfig c = {.head_dim = 8, .rope_theta = 10000, .rope_type = ROPE_DEFAULT};
    model_config_rope_frequencies(frequency, &c);
    check(frequency[0] == 1 && frequency[1] == 0.1f && frequency[2] == 0.01f && frequency[3] == 0.001f, "default frequencies");
    c.rope_type = ROPE_LINEAR;
    c.rope_factor = 4;
    model_config_rope_frequencies(frequency, &c);
    check(frequency[0] == 0.25f && frequency[3] == 0.00025f, "linear frequencies");
    // Wavelengths 6.3, 62.8, 628, 6283 in a context of 128 with factors 1 and 4: kept below 32, divided above 128, blended between.
    c = (ModelConfig){.head_dim = 8, .rope_theta = 10000, .rope_type = ROPE_LLAMA3, .rope_factor = 8, .rope_low_frequency_factor = 1, .rope_high_frequency_factor = 4, .rope_original_max_position = 128};
    model_config_rope_frequencies(frequency, &c);
    double turns = 128 * 0.1 / (2 * 3.14159265358979323846), keep = (turns - 1) / (4 - 1);
    check(frequency[0] == 1 && frequency[2] == 0.01f / 8 && frequency[3] == 0.001f / 8, "llama3: kept and divided frequencies");
    check(fabs((double)frequency[1] - (keep * 0.1 + (1 - keep) * 0.1 / 8)) < 1e-8, "llama3: blended frequency %g", (double)frequency[1]); // float rounding of 0.04
}

// ---- files
static char folder[64] = "/tmp/test_model_config.XXXXXX";
static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (!text) {
        unlink(path);
    } else if (!file_write_atomic(path, text, strlen(text), &error)) {
        fatal("%s", error.text);
    }
}
static void test_generation_config(void) {
    GenerationConfig g;
    put("config.json", "{\"bos_token_id\": 3, \"eos_token_id\": 3, \"pad_token_id\": 9, \"temperature\": 5}");
    put("generation_config.json", "{\"bos_token_id\": 6, \"eos_token_id\": [3, 5], \"temperature\": 0.6, \"top_p\": 0.95, \"top_k\": -1}");
    check(generation_config_read(&g, folder, 96, &error), "%s", error.text);
    check(g.bos == 6 && g.eos_count == 2 && g.eos[0] == 3 && g.eos[1] == 5 && g.pad == 9, "ids: generation_config before config");
    check(g.temperature == 0.6f && g.top_p == 0.95f && g.top_k == 0, "sampling values");
    put("generation_config.json", "{\"do_sample\": true}");
    check(generation_config_read(&g, folder, 96, &error) && g.eos_count == 1 && g.eos[0] == 3 && g.temperature == 1 && g.top_p == 1, "fallback to config.json");
    put("generation_config.json", NULL);
    check(generation_config_read(&g, folder, 96, &error) && g.eos_count == 1 && g.bos == 3, "no generation_config.json");
    put("config.json", "{}");
    check(generation_config_read(&g, folder, 96, &error) && g.eos_count == 0 && g.bos == -1 && g.pad == -1, "no ids at all");
    static const struct {
        const char *text, *key;
    } cases[] = {
        {"[]", "object"},
        {"{\"eos_token_id\": 96}", "eos_token_id"},
        {"{\"eos_token_id\": -1}", "eos_token_id"},
        {"{\"eos_token_id\": [1, \"2\"]}", "eos_token_id"},
        {"{\"eos_token_id\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", "eos_token_id"},
        {"{\"bos_token_id\": 1e3}", "bos_token_id"},
        {"{\"temperature\": -1}", "temperature"},
        {"{\"temperature\": \"hot\"}", "temperature"},
        {"{\"top_p\": 0}", "top_p"},
        {"{\"top_p\": 1.5}", "top_p"},
        {"{\"top_k\": 1.5}", "top_k"},
        {"{\"top_k\": 1,}", "JSON"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        put("generation_config.json", cases[i].text);
        bool ok = generation_config_read(&g, folder, 96, &error);
        check(!ok && strstr(error.text, cases[i].key), "%s: %s", cases[i].text, ok ? "accepted" : error.text);
    }
    put("generation_config.json", NULL);
}
static bool same_config(const ModelConfig *a, const ModelConfig *b) {
    return !strcmp(a->architecture, b->architecture) && !strcmp(a->dtype, b->dtype) && a->hidden == b->hidden && a->intermediate == b->intermediate &&
           a->layers == b->layers && a->heads == b->heads && a->kv_heads == b->kv_heads && a->head_dim == b->head_dim && a->vocab == b->vocab &&
           a->max_position == b->max_position && a->rms_eps == b->rms_eps && a->rope_theta == b->rope_theta && a->rope_type == b->rope_type &&
           a->rope_factor == b->rope_factor && a->rope_low_frequency_factor == b->rope_low_frequency_factor && a->rope_high_frequency_factor == b->rope_high_frequency_factor &&
           a->rope_original_max_position == b->rope_original_max_position && a->tied_head == b->tied_head && a->qkv_bias == b->qkv_bias && a->qk_norm == b->qk_norm &&
           a->bos == b->bos && a->eos == b->eos && a->pad == b->pad;
}
static void test_round_trip(void) {
    const ModelConfig configs[] = {
        {.architecture = "qwen2", .dtype = "float32", .hidden = 48, .intermediate = 80, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 12, .vocab = 96, .max_position = 128, .rms_eps = 1e-6f, .rope_theta = 10000, .qkv_bias = true, .bos = 1, .eos = 2, .pad = -1},
        {.architecture = "llama", .dtype = "bfloat16", .hidden = 48, .intermediate = 80, .layers = 2, .heads = 4, .kv_heads = 4, .head_dim = 12, .vocab = 96, .max_position = 128, .rms_eps = 1e-5f, .rope_theta = 500000, .rope_type = ROPE_LLAMA3, .rope_factor = 8, .rope_low_frequency_factor = 1, .rope_high_frequency_factor = 4.1f, .rope_original_max_position = 64, .tied_head = true, .bos = -1, .eos = 2, .pad = 0},
        {.architecture = "qwen3", .dtype = "float32", .hidden = 48, .intermediate = 80, .layers = 2, .heads = 4, .kv_heads = 1, .head_dim = 16, .vocab = 96, .max_position = 128, .rms_eps = 1.2345678e-6f, .rope_theta = 1e6f, .rope_type = ROPE_LINEAR, .rope_factor = 1.1f, .qk_norm = true, .bos = -1, .eos = -1, .pad = -1},
    };
    for (size_t i = 0; i < 3; i++) {
        ModelConfig back;
        bool ok = model_config_write(folder, &configs[i], &error) && model_config_read(&back, folder, &error);
        check(ok && same_config(&configs[i], &back), "%s does not come back as it was written: %s", configs[i].architecture, ok ? "" : error.text);
    }
    GenerationConfig g = {.eos = {4, 7}, .eos_count = 2, .bos = 3, .pad = -1, .temperature = 0.6f, .top_p = 0.95f, .top_k = 20}, back;
    check(generation_config_write(folder, &g, &error) && generation_config_read(&back, folder, 96, &error), "%s", error.text);
    check(back.eos_count == 2 && back.eos[1] == 7 && back.bos == 3 && back.pad == -1 && back.temperature == 0.6f && back.top_p == 0.95f && back.top_k == 20, "generation config");
    g.eos_count = 1;
    check(generation_config_write(folder, &g, &error) && generation_config_read(&back, folder, 96, &error) && back.eos_count == 1 && back.eos[0] == 4, "one eos");
    ModelConfig bad = configs[0];
    bad.head_dim = 13;
    check(!model_config_write(folder, &bad, &error) && strstr(error.text, "head_dim"), "a broken config is not written");
}
// A checkpoint's config.json: only the dtype changes; numbers keep their spelling's value, unknown keys stay.
static void test_copy(void) {
    char to[96], path[128];
    snprintf(to, sizeof(to), "%s/copy", folder);
    check(directory_create(to, &error), "%s", error.text);
    put("config.json", LLAMA ", \"torch_dtype\": \"bfloat16\", \"rope_theta\": 1000000.0, \"note\": [0.1, 1e-06, 0.30000000000000004]}");
    put("tokenizer.json", "{\"a\": \"\\u0120\"}  ");
    put("chat_template.jinja", "");
    check(hf_folder_copy_config(to, folder, "float32", &error) && hf_folder_copy_files(to, folder, &error), "%s", error.text);
    snprintf(path, sizeof(path), "%s/config.json", to);
    json_t *copy = json_read(path, &error), *want = json_loads(LLAMA ", \"torch_dtype\": \"float32\", \"rope_theta\": 1000000.0, \"note\": [0.1, 1e-06, 0.30000000000000004]}", 0, NULL);
    check(copy && json_equal(copy, want), "config.json with the new dtype");
    json_decref(copy);
    json_decref(want);
    static const char *const names[] = {"tokenizer.json", "chat_template.jinja"}, *const texts[] = {"{\"a\": \"\\u0120\"}  ", ""};
    for (int i = 0; i < 2; i++) {
        Buffer bytes = {0};
        snprintf(path, sizeof(path), "%s/%s", to, names[i]);
        check(file_read(path, &bytes, &error) && !strcmp(bytes.data, texts[i]), "%s is copied byte for byte", names[i]);
        buffer_free(&bytes);
    }
    put("config.json", LLAMA ", \"dtype\": \"bfloat16\"}");
    check(hf_folder_copy_config(to, folder, "float32", &error) && model_config_read(&parsed, to, &error) && !strcmp(parsed.dtype, "float32"), "dtype in the newer spelling");
    put("config.json", "3");
    check(!hf_folder_copy_config(to, folder, "float32", &error) && strstr(error.text, "object"), "a config.json that is no object");
    check(!hf_folder_copy_config("/tmp/no/such/folder", to, "float32", &error), "a folder that is not there");
}
// The folders that Transformers 5 saved (llama's config in the spelling of 4), with the rotary frequencies that it computed.
static void test_golden(void) {
    static const struct {
        const char *family;
        int hidden, heads, kv_heads, head_dim;
        RopeType rope_type;
        bool tied_head;
    } cases[] = {{"qwen2", 24, 3, 1, 8, ROPE_DEFAULT, false}, {"llama", 32, 4, 2, 8, ROPE_LLAMA3, false}, {"qwen3", 24, 4, 2, 16, ROPE_DEFAULT, true}};
    for (size_t i = 0; i < 3; i++) {
        char dir[64], path[96];
        snprintf(dir, sizeof(dir), "test/golden/%s", cases[i].family);
        snprintf(path, sizeof(path), "%s/golden.safetensors", dir);
        float want[8], got[8];
        GenerationConfig g;
        SafetensorsFolder *golden = safetensors_open(path, &error);
        bool ok = golden && model_config_read(&parsed, dir, &error) && generation_config_read(&g, dir, parsed.vocab, &error) &&
                  safetensors_check_shape(golden, "input.inverse_frequency", parsed.head_dim / 2, 0, &error) &&
                  safetensors_read_floats(want, golden, "input.inverse_frequency", 0, (size_t)parsed.head_dim / 2, &error);
        safetensors_close(golden);
        if (!check(ok, "%s: %s", dir, error.text)) { continue; }
        check_text(parsed.architecture, cases[i].family, "model_type");
        check_text(parsed.dtype, "float32", "dtype");
        check(parsed.hidden == cases[i].hidden && parsed.heads == cases[i].heads && parsed.kv_heads == cases[i].kv_heads && parsed.head_dim == cases[i].head_dim, "%s: sizes", dir);
        check(parsed.rope_type == cases[i].rope_type && parsed.tied_head == cases[i].tied_head && parsed.eos == 2 && g.bos == 1 && g.eos_count == 1 && g.eos[0] == 2, "%s: values", dir);
        model_config_rope_frequencies(got, &parsed);
        for (int j = 0; j < parsed.head_dim / 2; j++) { // Transformers takes the power in float32: a few units of the last place, 6e-8 each
            check(fabsf(got[j] - want[j]) <= 3e-7f * want[j], "%s: frequency %d is %.9g, Transformers has %.9g", dir, j, (double)got[j], (double)want[j]);
        }
    }
}
static void test_real(void) {
    const char *data = check_data_folder();
    if (!data) {
        check_skip("no GRPO_TEST_DATA: the configs of real models were not read");
        return;
    }
    char dir[1000];
    GenerationConfig g;
    snprintf(dir, sizeof(dir), "%s/tokenizers/r1-distill-qwen", data);
    if (check(model_config_read(&parsed, dir, &error) && generation_config_read(&g, dir, parsed.vocab, &error), "%s", error.text)) {
        check(parsed.hidden == 1536 && parsed.intermediate == 8960 && parsed.layers == 28 && parsed.heads == 12 && parsed.kv_heads == 2 && parsed.head_dim == 128, "R1 distill sizes");
        check(parsed.rope_theta == 10000 && parsed.vocab == 151936 && parsed.max_position == 131072 && !parsed.tied_head && parsed.qkv_bias && parsed.rms_eps == 1e-6f, "R1 distill values");
        check(parsed.bos == 151643 && g.bos == 151646 && g.eos_count == 1 && g.eos[0] == 151643 && g.temperature == 0.6f && g.top_p == 0.95f, "R1 distill ids");
    }
    snprintf(dir, sizeof(dir), "%s/stories260K/hf", data);
    if (check(model_config_read(&parsed, dir, &error), "%s", error.text)) {
        check(parsed.hidden == 64 && parsed.layers == 5 && parsed.kv_heads == 4 && parsed.head_dim == 8 && parsed.tied_head && parsed.vocab == 512, "stories260K");
    }
}

int main(void) {
    if (!mkdtemp(folder)) { fatal("%s: cannot be created", folder); }
    test_families();
    test_refusals();
    test_sizes();
    test_rope();
    test_generation_config();
    test_round_trip();
    test_copy();
    test_golden();
    test_real();
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    check(system(command) == 0, "%s", command);
    return check_report("test_model_config");
}
