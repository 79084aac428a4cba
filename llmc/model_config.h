// model_config: what config.json and generation_config.json of a Hugging Face folder say, for the qwen2, llama and qwen3
// families, in the spelling of Transformers 4 (torch_dtype, rope_theta + rope_scaling) and 5 (dtype, rope_parameters).
// Whatever would change the mathematics and is not done here is refused by the name of its key: a model that is read
// wrong still produces text, only worse text.
#pragma once
#include <float.h>
#include <limits.h>
#include <math.h>
#include "llmc/json.h"

typedef enum { ROPE_DEFAULT,
               ROPE_LINEAR,
               ROPE_LLAMA3 } RopeType;
static const char *const rope_type_names[] = {"default", "linear", "llama3"};

typedef struct {
    char architecture[32]; // qwen2 | llama | qwen3
    char dtype[16];        // of the stored weights as config.json names it: "bfloat16", "float32"; informative, the weights carry their own
    int hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, max_position;
    float rms_eps, rope_theta;
    RopeType rope_type;
    float rope_factor;                                           // linear, llama3: how much longer the context became
    float rope_low_frequency_factor, rope_high_frequency_factor; // llama3
    int rope_original_max_position;                              // llama3
    bool tied_head;                                              // the head is the embedding matrix
    bool qkv_bias;                                               // qwen2
    bool qk_norm;                                                // qwen3: RMSNorm over each head of q and k
    int bos, eos, pad;                                           // as config.json has them, -1 for none; GenerationConfig below is what to stop on
} ModelConfig;

typedef struct {
    int eos[16], eos_count;   // generation ends on any of these; none is allowed (the caller may warn)
    int bos, pad;             // -1 for none
    float temperature, top_p; // 1 when not given
    int top_k;                // 0 = off, also when not given
} GenerationConfig;

// ---- the keys that must be absent, null or equal to one harmless value
static const struct {
    const char *key, *harmless, *meaning;
} model_config_unsupported[] = {
    {"use_sliding_window", "false", "sliding-window attention"},
    {"partial_rotary_factor", "1", "rotating a part of each head"},
    {"quantization_config", "null", "quantised weights"},
    {"compression_config", "null", "compressed weights"},
    {"auto_map", "null", "model code of the checkpoint's own"},
    {"mlp_bias", "false", "a bias in the feed-forward layer"},
    {"use_mrope", "false", "multimodal rotary positions"},
    {"is_causal", "true", "attention to later tokens"},
    {"is_encoder_decoder", "false", "an encoder"},
    {"attention_dropout", "0", "dropout in attention"},
    {"num_experts", "null", "a mixture of experts"},
    {"num_local_experts", "null", "a mixture of experts"},
    {"n_routed_experts", "null", "a mixture of experts"},
    {"num_experts_per_tok", "null", "a mixture of experts"},
    {"moe_intermediate_size", "null", "a mixture of experts"},
    {"num_nextn_predict_layers", "0", "multi-token prediction"},
};
static inline bool json_is_same_value(const json_t *a, const json_t *b) { // 1 and 1.0 are the same value
    return json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b) : json_equal(a, b) == 1;
}
// The value as JSON text for an error message, cut after 60 bytes.
typedef struct {
    char text[64];
} JsonExcerpt;
static inline JsonExcerpt json_excerpt(const json_t *value) {
    JsonExcerpt excerpt = {"nothing"};
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENSURE_ASCII) : NULL;
    if (text) { snprintf(excerpt.text, sizeof(excerpt.text), "%.57s%s", text, strlen(text) > 57 ? "..." : ""); }
    free(text);
    return excerpt;
}
static inline bool json_is_missing(const json_t *value) { return !value || json_is_null(value); }

static inline bool model_config_refuse_unsupported(const json_t *json, const char *path, Error *error) {
    for (size_t i = 0; i < sizeof(model_config_unsupported) / sizeof(*model_config_unsupported); i++) {
        const char *key = model_config_unsupported[i].key, *harmless = model_config_unsupported[i].harmless;
        const json_t *value = json_object_get(json, key);
        if (json_is_missing(value)) { continue; }
        json_t *allowed = json_loads(harmless, JSON_DECODE_ANY, NULL);
        bool same = json_is_same_value(value, allowed);
        json_decref(allowed);
        if (!same) {
            return error_set(error, "%s: %s is %s: %s is not supported; only %s works here", path, key, json_excerpt(value).text,
                             model_config_unsupported[i].meaning, harmless);
        }
    }
    return true;
}

// ---- single values; `*out` keeps its default when the key is missing
static inline bool json_get_int(int *out, const json_t *json, const char *key, const char *path, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (json_is_missing(value)) { return true; }
    if (!json_is_integer(value) || json_integer_value(value) < INT_MIN || json_integer_value(value) > INT_MAX) {
        return error_set(error, "%s: %s is %s: a 32-bit integer is wanted", path, key, json_excerpt(value).text);
    }
    *out = (int)json_integer_value(value);
    return true;
}
static inline bool json_get_float(float *out, const json_t *json, const char *key, const char *path, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (json_is_missing(value)) { return true; }
    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= (double)FLT_MAX)) {
        return error_set(error, "%s: %s is %s: a number that fits a float is wanted", path, key, json_excerpt(value).text);
    }
    *out = (float)json_number_value(value);
    return true;
}
static inline bool json_get_bool(bool *out, const json_t *json, const char *key, const char *path, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (json_is_missing(value)) { return true; }
    if (!json_is_boolean(value)) { return error_set(error, "%s: %s is %s: true or false is wanted", path, key, json_excerpt(value).text); }
    *out = json_is_true(value);
    return true;
}
// A required text that fits `size` bytes.
static inline bool json_get_text(char *out, size_t size, const json_t *json, const char *key, const char *path, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (!json_is_string(value) || json_string_length(value) >= size || strlen(json_string_value(value)) != json_string_length(value)) {
        return error_set(error, "%s: %s is %s: a string of less than %zu bytes is wanted", path, key, json_excerpt(value).text, size);
    }
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return true;
}
// A token id: missing gives -1 (as does the -1 of early llama folders), a list (some configs have one for eos) its first entry.
static inline bool json_get_token(int *out, const json_t *json, const char *key, int vocab, const char *path, Error *error) {
    const json_t *value = json_object_get(json, key);
    if (json_is_array(value) && json_array_size(value) > 0) { value = json_array_get(value, 0); }
    *out = -1;
    if (json_is_missing(value)) { return true; }
    if (!json_is_integer(value) || json_integer_value(value) < -1 || json_integer_value(value) >= vocab) {
        return error_set(error, "%s: %s has %s: a token id below the vocabulary's size %d is wanted", path, key, json_excerpt(value).text, vocab);
    }
    *out = (int)json_integer_value(value);
    return true;
}

// ---- rotary positions
// `rope` is rope_scaling (Transformers 4) or rope_parameters (5); `name` is which of the two.
static inline bool model_config_read_rope(ModelConfig *config, const json_t *rope, const char *name, const char *path, Error *error) {
    char where[1200];
    snprintf(where, sizeof(where), "%s: %s", path, name);
    if (!json_is_object(rope)) { return error_set(error, "%s is %s: an object is wanted", where, json_excerpt(rope).text); }
    static const char *const known[] = {"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "partial_rotary_factor"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)rope, key, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) { found = found || !strcmp(key, known[i]); }
        if (!found) { return error_set(error, "%s.%s is not supported", where, key); }
    }
    if (!model_config_refuse_unsupported(rope, where, error)) { return false; }
    const char *type_key = json_object_get(rope, "rope_type") ? "rope_type" : "type";
    char type[32] = "default";
    if (json_object_get(rope, type_key) && !json_get_text(type, sizeof(type), rope, type_key, where, error)) { return false; }
    int index = 0, types = (int)(sizeof(rope_type_names) / sizeof(*rope_type_names));
    while (index < types && strcmp(type, rope_type_names[index]) != 0) { index++; }
    if (index == types) { return error_set(error, "%s.%s is \"%s\": not supported; default, linear and llama3 are", where, type_key, type); }
    config->rope_type = (RopeType)index;
    return json_get_float(&config->rope_theta, rope, "rope_theta", where, error) &&
           json_get_float(&config->rope_factor, rope, "factor", where, error) &&
           json_get_float(&config->rope_low_frequency_factor, rope, "low_freq_factor", where, error) &&
           json_get_float(&config->rope_high_frequency_factor, rope, "high_freq_factor", where, error) &&
           json_get_int(&config->rope_original_max_position, rope, "original_max_position_embeddings", where, error);
}
// inverse_frequency[head_dim / 2]: the angle between neighbouring positions for each pair of a head's elements. Computed in
// double, stored in float. llama3 keeps the fast angles, divides the slow ones by the factor, and blends between
// (Transformers, modeling_rope_utils; Llama 3.1's release of 2024).
static inline void model_config_rope_frequencies(float *inverse_frequency, const ModelConfig *config) {
    double factor = (double)config->rope_factor, context = config->rope_original_max_position;
    double low = (double)config->rope_low_frequency_factor, high = (double)config->rope_high_frequency_factor;
    for (int i = 0; i < config->head_dim / 2; i++) {
        double frequency = pow((double)config->rope_theta, -2.0 * i / config->head_dim);
        if (config->rope_type == ROPE_LINEAR) { frequency /= factor; }
        if (config->rope_type == ROPE_LLAMA3) {
            double turns = context * frequency / (2.0 * 3.14159265358979323846); // within the original context
            double keep = fmin(1.0, fmax(0.0, (turns - low) / (high - low)));
            frequency = keep * frequency + (1.0 - keep) * frequency / factor;
        }
        inverse_frequency[i] = (float)frequency;
    }
}

// ---- config.json
// Every range that later code relies on. `what` names the source of the values in the error.
static inline bool model_config_check(const ModelConfig *c, const char *what, Error *error) {
    const struct {
        const char *key;
        int value, most;
    } sizes[] = {{"hidden_size", c->hidden, 1 << 16}, {"intermediate_size", c->intermediate, 1 << 18}, {"num_hidden_layers", c->layers, 1 << 10}, {"num_attention_heads", c->heads, 1 << 10}, {"num_key_value_heads", c->kv_heads, 1 << 10}, {"head_dim", c->head_dim, 256}, {"vocab_size", c->vocab, 1 << 21}, {"max_position_embeddings", c->max_position, 1 << 26}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        if (sizes[i].value < 1 || sizes[i].value > sizes[i].most) {
            return error_set(error, "%s: %s is %d: 1 to %d is supported", what, sizes[i].key, sizes[i].value, sizes[i].most);
        }
    }
    if (c->head_dim % 2) { return error_set(error, "%s: head_dim is %d: rotary positions need an even one", what, c->head_dim); }
    if (c->heads % c->kv_heads) {
        return error_set(error, "%s: num_attention_heads %d is no multiple of num_key_value_heads %d", what, c->heads, c->kv_heads);
    }
    if (!(c->rms_eps > 0 && c->rms_eps < 1)) { return error_set(error, "%s: rms_norm_eps is %g: between 0 and 1 is wanted", what, (double)c->rms_eps); }
    if (!(c->rope_theta >= 1 && c->rope_theta <= 1e12f)) {
        return error_set(error, "%s: rope_theta is %g: 1 to 1e12 is supported", what, (double)c->rope_theta);
    }
    if (c->rope_type != ROPE_DEFAULT && !(c->rope_factor >= 1 && c->rope_factor <= 1e6f)) {
        return error_set(error, "%s: factor of the rope scaling is %g: 1 to 1e6 is supported", what, (double)c->rope_factor);
    }
    if (c->rope_type == ROPE_LLAMA3 && !(c->rope_low_frequency_factor > 0 && c->rope_high_frequency_factor > c->rope_low_frequency_factor &&
                                         c->rope_high_frequency_factor <= 1e6f && c->rope_original_max_position > 0)) {
        return error_set(error, "%s: the llama3 rope scaling has low_freq_factor %g, high_freq_factor %g, original_max_position_embeddings %d: 0 < low < high and a positive length are wanted",
                         what, (double)c->rope_low_frequency_factor, (double)c->rope_high_frequency_factor, c->rope_original_max_position);
    }
    return true;
}

static inline bool model_config_read_architecture(ModelConfig *config, const json_t *json, const char *path, Error *error) {
    if (!json_get_text(config->architecture, sizeof(config->architecture), json, "model_type", path, error)) { return false; }
    bool qwen2 = !strcmp(config->architecture, "qwen2"), llama = !strcmp(config->architecture, "llama"), qwen3 = !strcmp(config->architecture, "qwen3");
    if (!qwen2 && !llama && !qwen3) {
        return error_set(error, "%s: model_type is \"%s\": not supported; qwen2, llama and qwen3 are", path, config->architecture);
    }
    config->qkv_bias = qwen2;
    config->qk_norm = qwen3;
    const char *class_name = qwen2 ? "Qwen2ForCausalLM" : llama ? "LlamaForCausalLM"
                                                                : "Qwen3ForCausalLM";
    const json_t *classes = json_object_get(json, "architectures"), *first = json_array_get(classes, 0);
    if (!json_is_missing(classes) && !(json_array_size(classes) == 1 && json_is_string(first) && !strcmp(json_string_value(first), class_name))) {
        return error_set(error, "%s: architectures is %s: only [\"%s\"] is supported for this model_type", path, json_excerpt(classes).text, class_name);
    }
    const json_t *activation = json_object_get(json, "hidden_act");
    if (!json_is_missing(activation) && !(json_is_string(activation) && !strcmp(json_string_value(activation), "silu"))) {
        return error_set(error, "%s: hidden_act is %s: only \"silu\" is supported", path, json_excerpt(activation).text);
    }
    // Qwen2's q, k and v always carry a bias whatever this key says; in the others it would put one on o as well.
    const json_t *bias = json_object_get(json, "attention_bias");
    if (!qwen2 && !json_is_missing(bias) && !json_is_false(bias)) {
        return error_set(error, "%s: attention_bias is %s: a bias in attention is not supported for %s", path, json_excerpt(bias).text, config->architecture);
    }
    return true;
}
static inline bool model_config_check_layer_types(const ModelConfig *config, const json_t *json, const char *path, Error *error) {
    const json_t *types = json_object_get(json, "layer_types");
    if (json_is_missing(types)) { return true; }
    if (!json_is_array(types) || json_array_size(types) != (size_t)config->layers) {
        return error_set(error, "%s: layer_types is %s: a list of num_hidden_layers = %d entries is wanted", path, json_excerpt(types).text, config->layers);
    }
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *type = json_array_get(types, i);
        if (!json_is_string(type) || strcmp(json_string_value(type), "full_attention") != 0) {
            return error_set(error, "%s: layer_types[%zu] is %s: only \"full_attention\" is supported", path, i, json_excerpt(type).text);
        }
    }
    return true;
}
static inline bool model_config_from_json(ModelConfig *config, const json_t *json, const char *path, Error *error) {
    *config = (ModelConfig){.rms_eps = 1e-6f, .rope_theta = 10000, .bos = -1, .eos = -1, .pad = -1}; // the defaults all three families have
    if (!json_is_object(json)) { return error_set(error, "%s: an object is wanted, found %s", path, json_excerpt(json).text); }
    if (!model_config_read_architecture(config, json, path, error) || !model_config_refuse_unsupported(json, path, error)) { return false; }
    static const char *const required[] = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings"};
    for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++) {
        if (json_is_missing(json_object_get(json, required[i]))) { return error_set(error, "%s: %s is missing", path, required[i]); }
    }
    bool ok = json_get_int(&config->hidden, json, "hidden_size", path, error) &&
              json_get_int(&config->intermediate, json, "intermediate_size", path, error) &&
              json_get_int(&config->layers, json, "num_hidden_layers", path, error) &&
              json_get_int(&config->heads, json, "num_attention_heads", path, error) &&
              json_get_int(&config->vocab, json, "vocab_size", path, error) &&
              json_get_int(&config->max_position, json, "max_position_embeddings", path, error) &&
              json_get_float(&config->rms_eps, json, "rms_norm_eps", path, error) &&
              json_get_float(&config->rope_theta, json, "rope_theta", path, error) &&
              json_get_bool(&config->tied_head, json, "tie_word_embeddings", path, error);
    if (!ok) { return false; }
    config->kv_heads = config->heads;
    if (!json_get_int(&config->kv_heads, json, "num_key_value_heads", path, error)) { return false; }
    if (json_is_missing(json_object_get(json, "head_dim"))) {
        if (config->qk_norm) { return error_set(error, "%s: head_dim is missing: qwen3 needs it", path); }
        if (config->heads < 1 || config->hidden % config->heads) {
            return error_set(error, "%s: hidden_size %d is no multiple of num_attention_heads %d and there is no head_dim", path, config->hidden, config->heads);
        }
        config->head_dim = config->hidden / config->heads;
    }
    if (!json_get_int(&config->head_dim, json, "head_dim", path, error)) { return false; }
    const json_t *scaling = json_object_get(json, "rope_scaling"), *parameters = json_object_get(json, "rope_parameters");
    if (!json_is_missing(scaling) && !model_config_read_rope(config, scaling, "rope_scaling", path, error)) { return false; }
    if (!json_is_missing(parameters)) {
        ModelConfig old = *config;
        if (!model_config_read_rope(config, parameters, "rope_parameters", path, error)) { return false; }
        bool theta_differs = !json_is_missing(json_object_get(json, "rope_theta")) && old.rope_theta != config->rope_theta;
        bool type_differs = !json_is_missing(scaling) && old.rope_type != config->rope_type;
        if (theta_differs || type_differs) {
            return error_set(error, "%s: %s and rope_parameters disagree; remove one of them", path, theta_differs ? "rope_theta" : "rope_scaling");
        }
    }
    if (!model_config_check(config, path, error) || !model_config_check_layer_types(config, json, path, error)) { return false; }
    const char *dtype_key = json_is_missing(json_object_get(json, "dtype")) ? "torch_dtype" : "dtype";
    if (!json_is_missing(json_object_get(json, dtype_key)) && !json_get_text(config->dtype, sizeof(config->dtype), json, dtype_key, path, error)) { return false; }
    return json_get_token(&config->bos, json, "bos_token_id", config->vocab, path, error) &&
           json_get_token(&config->eos, json, "eos_token_id", config->vocab, path, error) &&
           json_get_token(&config->pad, json, "pad_token_id", config->vocab, path, error);
}
// Fills `config` from model_dir/config.json. False with one sentence in `error` for a broken or unsupported file.
static inline bool model_config_read(ModelConfig *config, const char *model_dir, Error *error) {
    char path[1100];
    snprintf(path, sizeof(path), "%s/config.json", model_dir);
    json_t *json = json_read(path, error);
    bool ok = json && model_config_from_json(config, json, path, error);
    json_decref(json);
    return ok;
}

// ---- generation_config.json
static inline bool generation_config_read_eos(GenerationConfig *config, const json_t *json, int vocab, const char *path, Error *error) {
    const json_t *value = json_object_get(json, "eos_token_id");
    if (json_is_missing(value)) { return true; }
    size_t count = json_is_array(value) ? json_array_size(value) : 1, most = sizeof(config->eos) / sizeof(*config->eos);
    if (count > most) { return error_set(error, "%s: eos_token_id has %zu entries: at most %zu are supported", path, count, most); }
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= vocab) {
            return error_set(error, "%s: eos_token_id has %s: a token id below the vocabulary's size %d is wanted", path, json_excerpt(id).text, vocab);
        }
        config->eos[i] = (int)json_integer_value(id);
    }
    config->eos_count = (int)count;
    return true;
}
// Reads model_dir/generation_config.json; ids that it lacks (or the whole file) come from config.json, whose ids often
// differ (R1 distills: bos 151643 there, 151646 here) and so count second. Ids are checked against `vocab`.
static inline bool generation_config_read(GenerationConfig *config, const char *model_dir, int vocab, Error *error) {
    *config = (GenerationConfig){.bos = -1, .pad = -1, .temperature = 1, .top_p = 1};
    static const char *const names[] = {"generation_config.json", "config.json"};
    for (int i = 0; i < 2; i++) {
        char path[1100];
        snprintf(path, sizeof(path), "%s/%s", model_dir, names[i]);
        if (!file_exists(path)) { continue; }
        json_t *json = json_read(path, error);
        if (!json) { return false; }
        bool ok = json_is_object(json) || error_set(error, "%s: an object is wanted, found %s", path, json_excerpt(json).text);
        ok = ok && (config->eos_count || generation_config_read_eos(config, json, vocab, path, error)) &&
             (config->bos >= 0 || json_get_token(&config->bos, json, "bos_token_id", vocab, path, error)) &&
             (config->pad >= 0 || json_get_token(&config->pad, json, "pad_token_id", vocab, path, error));
        if (ok && i == 0) {
            ok = json_get_float(&config->temperature, json, "temperature", path, error) &&
                 json_get_float(&config->top_p, json, "top_p", path, error) && json_get_int(&config->top_k, json, "top_k", path, error);
        }
        if (ok && !(config->temperature >= 0 && config->temperature <= 100)) {
            ok = error_set(error, "%s: temperature is %g: 0 to 100 is supported", path, (double)config->temperature);
        }
        if (ok && !(config->top_p > 0 && config->top_p <= 1)) {
            ok = error_set(error, "%s: top_p is %g: above 0 and at most 1 is wanted", path, (double)config->top_p);
        }
        if (ok && config->top_k < 0) { config->top_k = 0; } // vLLM writes -1 for "off"
        json_decref(json);
        if (!ok) { return false; }
    }
    return true;
}
