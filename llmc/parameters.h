// parameters: every weight of a Qwen2, Llama or Qwen3 model, by its Hugging Face name and its place in one flat array.
// Weights, gradients, master weights and both Adam moments are five arrays of this same layout. Rows that one matrix product wants
// together lie together: q, k, v (weights, then biases) and gate, up.
#pragma once
#include "llmc/model_config.h"

typedef struct {
    char name[96];
    size_t offset, count; // in elements
    int rows, columns;    // columns 0: a vector of `rows`
} Parameter;
typedef struct {
    size_t input_norm, qkv, qkv_bias, q_norm, k_norm, output, post_norm, gate_up, down;
} LayerOffsets;
typedef struct {
    Parameter *list;
    int count;
    LayerOffsets *layers;
    size_t embedding, final_norm, head;
    size_t total;  // elements of the flat array, padding between groups included
    size_t actual; // elements that are parameters
} ParameterTable;

enum { PARAMETER_ALIGNMENT = 64 }; // elements; a group starts on it, so that vector loads and matrix products are aligned

static inline size_t parameter_add(ParameterTable *table, bool starts_group, int rows, int columns, const char *format, int layer) {
    if (starts_group) { table->total = (table->total + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT; }
    Parameter *parameter = &table->list[table->count++];
    *parameter = (Parameter){.offset = table->total, .count = (size_t)rows * (size_t)(columns ? columns : 1), .rows = rows, .columns = columns};
    snprintf(parameter->name, sizeof(parameter->name), "model.layers.%d.", layer);
    int prefix = layer < 0 ? 0 : (int)strlen(parameter->name);
    snprintf(parameter->name + prefix, sizeof(parameter->name) - (size_t)prefix, "%s", format);
    table->total += parameter->count;
    table->actual += parameter->count;
    return parameter->offset;
}

static inline ParameterTable parameter_table_create(const ModelConfig *c) {
    ParameterTable t = {.list = (Parameter *)host_alloc(sizeof(Parameter) * (size_t)(c->layers * 14 + 3)),
                        .layers = (LayerOffsets *)host_alloc(sizeof(LayerOffsets) * (size_t)c->layers)};
    int queries = c->heads * c->head_dim, keys = c->kv_heads * c->head_dim;
    t.embedding = parameter_add(&t, true, c->vocab, c->hidden, "model.embed_tokens.weight", -1);
    for (int l = 0; l < c->layers; l++) {
        LayerOffsets *o = &t.layers[l];
        o->input_norm = parameter_add(&t, true, c->hidden, 0, "input_layernorm.weight", l);
        o->qkv = parameter_add(&t, true, queries, c->hidden, "self_attn.q_proj.weight", l);
        parameter_add(&t, false, keys, c->hidden, "self_attn.k_proj.weight", l);
        parameter_add(&t, false, keys, c->hidden, "self_attn.v_proj.weight", l);
        if (c->qkv_bias) {
            o->qkv_bias = parameter_add(&t, true, queries, 0, "self_attn.q_proj.bias", l);
            parameter_add(&t, false, keys, 0, "self_attn.k_proj.bias", l);
            parameter_add(&t, false, keys, 0, "self_attn.v_proj.bias", l);
        }
        if (c->qk_norm) {
            o->q_norm = parameter_add(&t, true, c->head_dim, 0, "self_attn.q_norm.weight", l);
            o->k_norm = parameter_add(&t, true, c->head_dim, 0, "self_attn.k_norm.weight", l);
        }
        o->output = parameter_add(&t, true, c->hidden, queries, "self_attn.o_proj.weight", l);
        o->post_norm = parameter_add(&t, true, c->hidden, 0, "post_attention_layernorm.weight", l);
        o->gate_up = parameter_add(&t, true, c->intermediate, c->hidden, "mlp.gate_proj.weight", l);
        parameter_add(&t, false, c->intermediate, c->hidden, "mlp.up_proj.weight", l);
        o->down = parameter_add(&t, true, c->hidden, c->intermediate, "mlp.down_proj.weight", l);
    }
    t.final_norm = parameter_add(&t, true, c->hidden, 0, "model.norm.weight", -1);
    t.head = c->tied_head ? t.embedding : parameter_add(&t, true, c->vocab, c->hidden, "lm_head.weight", -1);
    t.total = (t.total + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT;
    return t;
}
static inline void parameter_table_free(ParameterTable *table) {
    free(table->list);
    free(table->layers);
}
