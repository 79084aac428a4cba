// doctor_model: whether a model folder is whole and of one piece: config.json, weights, tokenizer, chat template, end of sequence.
#pragma once
#include "llmc/doctor_report.h"

static inline void doctor_check_config(Doctor *d) {
    const Config *c = d->t.config;
    Policy *policy = &d->t.g.policy;
    const ModelConfig *m = &policy->config;
    const int64_t longest = (int64_t)c->max_prompt_tokens + (config_longest_context(c) > c->eval_max_tokens ? config_longest_context(c) : c->eval_max_tokens);
    Error error;
    d->has_config = policy_open(policy, c->model, 0, &error);
    if (!d->has_config) {
        doctor_say(d, DOCTOR_PROBLEM, "model", "%s", error.text);
    } else if (m->max_position > 0 && longest > m->max_position) {
        doctor_say(d, DOCTOR_WARNING, "model", "%s: made for %d positions, prompt and answer may take %lld: lower --context or --max_prompt_tokens", c->model, m->max_position, (long long)longest);
    } else {
        doctor_say(d, DOCTOR_OK, "model", "%s: %s, %d layers, hidden %d, %.1f M parameters in " FLOATX_NAME, c->model, m->architecture, m->layers, m->hidden, (double)policy->parameters.actual * 1e-6);
    }
}
// Headers are read, and of the data only its size: a folder of many GiB takes no longer than a small one.
static inline void doctor_check_weights(Doctor *d) {
    const Config *c = d->t.config;
    const ParameterTable *parameters = &d->t.g.policy.parameters;
    char single[1100], index[1100];
    Error error, first;
    int wrong = 0;
    snprintf(single, sizeof(single), "%.1000s/model.safetensors", c->model);
    snprintf(index, sizeof(index), "%.1000s/model.safetensors.index.json", c->model);
    const bool there = file_exists(single) || file_exists(index);
    if (!d->has_config) {
        doctor_say(d, DOCTOR_UNCHECKED, "weights", "not checked without config.json");
        return;
    }
    if (!there && (d->miniature || c->random_weights)) {
        doctor_say(d, DOCTOR_OK, "weights", "%s", d->miniature ? "the supervised start will make them" : "none in the folder: drawn at random");
        return;
    }
    SafetensorsFolder *folder = safetensors_open(c->model, &error);
    if (!folder) {
        doctor_say(d, DOCTOR_PROBLEM, "weights", "%s", error.text);
        return;
    }
    for (int i = 0; i < parameters->count; i++) {
        const Parameter *parameter = &parameters->list[i];
        if (!safetensors_check_shape(folder, parameter->name, parameter->rows, parameter->columns, wrong ? &error : &first)) { wrong++; }
    }
    if (wrong) {
        doctor_say(d, DOCTOR_PROBLEM, "weights", "%d of %d tensors are missing or wrong, the first: %s: fetch the model again, or a config.json that is its own", wrong, parameters->count, first.text);
    } else {
        doctor_say(d, DOCTOR_OK, "weights", "%d tensors in %d file%s, %s first", parameters->count, folder->file_count, folder->file_count == 1 ? "" : "s", safetensors_dtypes[folder->tensors[0].dtype].name);
    }
    safetensors_close(folder);
}
static inline void doctor_check_tokenizer(Doctor *d) {
    const Config *c = d->t.config;
    Policy *policy = &d->t.g.policy;
    char path[1100];
    Error error;
    snprintf(path, sizeof(path), "%.1000s/tokenizer.json", c->model);
    d->t.g.tokenizer = tokenizer_open(path, &error);
    d->has_tokenizer = d->t.g.tokenizer != NULL;
    if (!d->has_tokenizer) {
        doctor_say(d, DOCTOR_PROBLEM, "tokenizer", "%s", error.text);
        return;
    }
    const int tokens = tokenizer_vocab_size(d->t.g.tokenizer);
    if (!d->has_config) {
        doctor_say(d, DOCTOR_OK, "tokenizer", "%d tokens; not compared with the model's rows without config.json", tokens);
    } else if (tokens > policy->config.vocab) {
        doctor_say(d, DOCTOR_PROBLEM, "tokenizer", "%s: has %d tokens, config.json a vocab_size of %d: they are not of one model", path, tokens, policy->config.vocab);
        d->has_tokenizer = false; // its ids are not this model's
    } else {
        doctor_say(d, DOCTOR_OK, "tokenizer", "%d tokens for %d rows of the model; the other %d are never sampled", tokens, policy->config.vocab, policy->config.vocab - tokens);
        policy_free(policy);
        if (!policy_open(policy, c->model, tokens, &error)) { doctor_say(d, DOCTOR_PROBLEM, "tokenizer", "%s", error.text); }
    }
}

// ---- chat template
static inline bool doctor_render(Buffer *text, const Buffer template[3], const char *question, bool prompt, Error *error) { // template, bos, eos
    buffer_clear(text);
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", question);
    const bool ok = chat_template_render(text, template[0].data, messages, prompt, template[1].size ? template[1].data : NULL, template[2].size ? template[2].data : NULL, NULL, error);
    json_decref(messages);
    return ok;
}
static inline bool doctor_ends_in(const Buffer *text, const char *ending) { // white space behind it aside
    size_t size = text->size;
    while (size > 0 && strchr(" \t\r\n", text->data[size - 1])) { size--; }
    return size >= strlen(ending) && !memcmp(text->data + size - strlen(ending), ending, strlen(ending));
}
static inline void doctor_judge_template(Doctor *d, const Buffer *asked, const Buffer *shown, const char *question) {
    const bool thinks = doctor_ends_in(asked, "<think>"), wants_tags = !strcmp(d->t.config->grader, "deepscaler");
    if (!strstr(asked->data ? asked->data : "", question)) {
        doctor_say(d, DOCTOR_PROBLEM, "chat template", "does not show the user's message: take the template of the model's own folder");
    } else if (asked->size == shown->size && !memcmp(asked->data, shown->data, shown->size)) {
        doctor_say(d, DOCTOR_WARNING, "chat template", "adds nothing where the model is to go on (add_generation_prompt changes nothing)");
    } else if (!thinks && wants_tags) {
        doctor_say(d, DOCTOR_WARNING, "chat template", "the generation prompt does not end in <think>: an answer that does not write it itself has reward 0 by --grader deepscaler");
    } else {
        doctor_say(d, DOCTOR_OK, "chat template", "renders a message; the generation prompt %s in <think>", thinks ? "ends" : "does not end");
    }
}
// Renders one question, with and without the place where the model goes on. Leaves bos and eos of the folder in their buffers.
static inline void doctor_check_template(Doctor *d, Buffer *bos, Buffer *eos) {
    static const char question[] = "1+1=";
    Buffer text = {0}, asked = {0}, shown = {0};
    Error error;
    d->has_template = chat_template_load(&text, bos, eos, d->t.config->model, &error);
    const Buffer template[3] = {text, *bos, *eos};
    if (!d->has_template) {
        doctor_say(d, DOCTOR_PROBLEM, "chat template", "%s", error.text);
    } else if (!doctor_render(&asked, template, question, true, &error) || !doctor_render(&shown, template, question, false, &error)) {
        doctor_say(d, DOCTOR_PROBLEM, "chat template", "%s: %s", d->t.config->model, error.text);
        d->has_template = false;
    } else {
        doctor_judge_template(d, &asked, &shown, question);
    }
    buffer_free(&text);
    buffer_free(&asked);
    buffer_free(&shown);
}

// ---- end of sequence: where sampling stops must be where the tokenizer says that a text ends
static inline void doctor_judge_eos(Doctor *d, const GenerationConfig *generation, const char *name, const Ints *ids) {
    bool stops = false;
    for (int i = 0; i < generation->eos_count && ids->size == 1; i++) { stops = stops || generation->eos[i] == ids->data[0]; }
    if (ids->size != 1) {
        doctor_say(d, DOCTOR_PROBLEM, "eos", "tokenizer_config.json's eos_token %s is %zu tokens of tokenizer.json, one is wanted: they are not of one model", name, ids->size);
    } else if (!stops) {
        doctor_say(d, DOCTOR_WARNING, "eos", "sampling stops at id %d, but tokenizer_config.json's eos_token %s is %d: make eos_token_id of generation_config.json [%d, %d] if it should stop there", generation->eos[0], name, ids->data[0],
                   generation->eos[0], ids->data[0]);
    } else {
        doctor_say(d, DOCTOR_OK, "eos", "%s is id %d, and sampling stops there%s", name, ids->data[0], generation->eos_count > 1 ? " and elsewhere" : "");
    }
}
static inline void doctor_check_eos(Doctor *d, const Buffer *eos) {
    GenerationConfig generation;
    Error error;
    if (!d->has_config || !d->has_tokenizer) {
        doctor_say(d, DOCTOR_UNCHECKED, "eos", "not checked without %s", d->has_config ? "a tokenizer" : "config.json");
    } else if (!generation_config_read(&generation, d->t.config->model, tokenizer_vocab_size(d->t.g.tokenizer), &error)) {
        doctor_say(d, DOCTOR_PROBLEM, "eos", "%s", error.text);
    } else if (generation.eos_count == 0) {
        doctor_say(d, DOCTOR_PROBLEM, "eos", "%s: neither generation_config.json nor config.json has an eos_token_id: every answer would run to its limit", d->t.config->model);
    } else if (!eos->size) {
        doctor_say(d, DOCTOR_OK, "eos", "sampling stops at id %d; tokenizer_config.json names no eos_token to compare with", generation.eos[0]);
    } else {
        Ints ids = {0};
        tokenizer_encode(d->t.g.tokenizer, eos->data, eos->size, &ids);
        doctor_judge_eos(d, &generation, eos->data, &ids);
        ints_free(&ids);
    }
}
