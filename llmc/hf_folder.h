// hf_folder: the parts of a Hugging Face model folder besides its weights, so that a checkpoint of ours loads in Transformers
// and vLLM as it is: config.json with the dtype that was written, everything else byte for byte from the model it began as.
#pragma once
#include "llmc/model_config.h"

// What a tokenizer, a chat template and generation need. Files that a model lacks are passed over.
static const char *const hf_folder_files[] = {"generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "chat_template.jinja", "chat_template.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"};

// Copies each of them that from_dir has into to_dir, byte for byte, each atomically.
static inline bool hf_folder_copy_files(const char *to_dir, const char *from_dir, Error *error) {
    bool ok = true;
    for (size_t i = 0; i < sizeof(hf_folder_files) / sizeof(*hf_folder_files) && ok; i++) {
        char from[1100], to[1000];
        snprintf(from, sizeof(from), "%s/%s", from_dir, hf_folder_files[i]);
        snprintf(to, sizeof(to), "%s/%s", to_dir, hf_folder_files[i]);
        if (!file_exists(from)) { continue; }
        Buffer bytes = {0};
        ok = file_read(from, &bytes, error) && file_write_atomic(to, bytes.data, bytes.size, error);
        buffer_free(&bytes);
    }
    return ok;
}

// JSON with the shortest numbers that read back as the same values: 1e-06 and not 9.9999999999999995e-07.
static inline bool hf_folder_write_json(const char *path, const json_t *json, Error *error) {
    char *text = NULL;
    for (size_t digits = 15; digits <= 17; digits++) {
        free(text);
        text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
        json_t *again = text ? json_loads(text, 0, NULL) : NULL;
        bool same = json_equal(json, again);
        json_decref(again);
        if (same) { break; }
    }
    if (!text) { return error_set(error, "%s: the value cannot be written as JSON", path); }
    Buffer bytes = {0};
    buffer_append_text(&bytes, text);
    buffer_append_text(&bytes, "\n");
    free(text);
    bool ok = file_write_atomic(path, bytes.data, bytes.size, error);
    buffer_free(&bytes);
    return ok;
}
// from_dir/config.json to to_dir/config.json with its dtype set to what is written: "float32" or "bfloat16". Every other key,
// known to us or not, stays as it is.
static inline bool hf_folder_copy_config(const char *to_dir, const char *from_dir, const char *dtype, Error *error) {
    char from[1100], to[1000];
    snprintf(from, sizeof(from), "%s/config.json", from_dir);
    snprintf(to, sizeof(to), "%s/config.json", to_dir);
    json_t *json = json_read(from, error);
    if (!json_is_object(json)) {
        if (json) { error_set(error, "%s: an object is wanted, found %s", from, json_excerpt(json).text); }
        json_decref(json);
        return false;
    }
    if (json_object_get(json, "dtype")) { json_object_set_new(json, "dtype", json_string(dtype)); }
    if (json_object_get(json, "torch_dtype") || !json_object_get(json, "dtype")) { json_object_set_new(json, "torch_dtype", json_string(dtype)); }
    bool ok = hf_folder_write_json(to, json, error);
    json_decref(json);
    return ok;
}

// ---- models that were made here and have no folder to copy from
// The decimal number that a float was most likely written as: 1e-06f is 0.000001 and not 9.9999999747524271e-07.
static inline json_t *json_shortest_real(float value) {
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) { break; }
    }
    return json_real(strtod(text, NULL));
}
static inline void json_set_token(json_t *json, const char *key, int id) {
    json_object_set_new(json, key, id >= 0 ? json_integer(id) : json_null());
}
static inline json_t *model_config_rope_json(const ModelConfig *config) { // rope_scaling in Transformers 4's spelling, which 5 reads too
    if (config->rope_type == ROPE_DEFAULT) { return json_null(); }
    json_t *rope = json_pack("{s:s, s:o}", "rope_type", rope_type_names[config->rope_type], "factor", json_shortest_real(config->rope_factor));
    if (config->rope_type == ROPE_LLAMA3) {
        json_object_set_new(rope, "low_freq_factor", json_shortest_real(config->rope_low_frequency_factor));
        json_object_set_new(rope, "high_freq_factor", json_shortest_real(config->rope_high_frequency_factor));
        json_object_set_new(rope, "original_max_position_embeddings", json_integer(config->rope_original_max_position));
    }
    return rope;
}
// Writes dir/config.json from scratch; config->dtype names the weights' type. Reading it back gives the same ModelConfig.
static inline bool model_config_write(const char *dir, const ModelConfig *config, Error *error) {
    if (!model_config_check(config, dir, error)) { return false; }
    bool qwen2 = !strcmp(config->architecture, "qwen2"), llama = !strcmp(config->architecture, "llama");
    json_t *json = json_pack("{s:[s], s:s, s:s, s:s}", "architectures", qwen2 ? "Qwen2ForCausalLM" : llama ? "LlamaForCausalLM"
                                                                                                           : "Qwen3ForCausalLM",
                             "model_type", config->architecture, "torch_dtype", *config->dtype ? config->dtype : "float32", "hidden_act", "silu");
    const struct {
        const char *key;
        int value;
    } sizes[] = {{"hidden_size", config->hidden}, {"intermediate_size", config->intermediate}, {"num_hidden_layers", config->layers}, {"num_attention_heads", config->heads}, {"num_key_value_heads", config->kv_heads}, {"head_dim", config->head_dim}, {"vocab_size", config->vocab}, {"max_position_embeddings", config->max_position}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) { json_object_set_new(json, sizes[i].key, json_integer(sizes[i].value)); }
    json_object_set_new(json, "rms_norm_eps", json_shortest_real(config->rms_eps));
    json_object_set_new(json, "rope_theta", json_shortest_real(config->rope_theta));
    json_object_set_new(json, "rope_scaling", model_config_rope_json(config));
    json_object_set_new(json, "tie_word_embeddings", json_boolean(config->tied_head));
    if (!qwen2) { json_object_set_new(json, "attention_bias", json_false()); }
    if (!llama) { json_object_set_new(json, "use_sliding_window", json_false()); }
    json_set_token(json, "bos_token_id", config->bos);
    json_set_token(json, "eos_token_id", config->eos);
    json_set_token(json, "pad_token_id", config->pad);
    char path[1000];
    snprintf(path, sizeof(path), "%s/config.json", dir);
    bool ok = hf_folder_write_json(path, json, error);
    json_decref(json);
    return ok;
}
static inline bool generation_config_write(const char *dir, const GenerationConfig *config, Error *error) {
    json_t *eos = json_array();
    for (int i = 0; i < config->eos_count; i++) { json_array_append_new(eos, json_integer(config->eos[i])); }
    json_t *json = json_pack("{s:b, s:o, s:o}", "do_sample", config->temperature > 0, "temperature", json_shortest_real(config->temperature), "top_p", json_shortest_real(config->top_p));
    if (config->top_k > 0) { json_object_set_new(json, "top_k", json_integer(config->top_k)); }
    json_set_token(json, "bos_token_id", config->bos);
    json_object_set_new(json, "eos_token_id", config->eos_count == 1 ? json_integer(config->eos[0]) : config->eos_count ? json_incref(eos)
                                                                                                                        : json_null());
    json_set_token(json, "pad_token_id", config->pad);
    json_decref(eos);
    char path[1000];
    snprintf(path, sizeof(path), "%s/generation_config.json", dir);
    bool ok = hf_folder_write_json(path, json, error);
    json_decref(json);
    return ok;
}
