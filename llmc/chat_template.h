// chat_template: a conversation as the text that a model was trained to read: its own Jinja template, from its own folder.
#pragma once
#include "jinja.h"

// Appends the conversation, a list of {"role": .., "content": ..}. As in Transformers, `tools` and `documents` are none unless
// `extra` (an object of further variables such as enable_thinking, or NULL) says otherwise; a token that is NULL is undefined.
static inline bool chat_template_render(Buffer *out, const char *template_text, const json_t *messages, bool add_generation_prompt, const char *bos_token,
                                        const char *eos_token, const json_t *extra, Error *error) {
    if (!json_is_array(messages)) { return error_set(error, "chat template: the messages are not a list"); }
    json_t *variables = json_object();
    json_object_set(variables, "messages", (json_t *)(uintptr_t)messages);
    json_object_set_new(variables, "add_generation_prompt", json_boolean(add_generation_prompt));
    json_object_set_new(variables, "tools", json_null());
    json_object_set_new(variables, "documents", json_null());
    if (bos_token) { json_object_set_new(variables, "bos_token", json_string(bos_token)); }
    if (eos_token) { json_object_set_new(variables, "eos_token", json_string(eos_token)); }
    if (extra) { json_object_update(variables, (json_t *)(uintptr_t)extra); }
    bool ok = jinja_render(out, "chat template", template_text, strlen(template_text), variables, error);
    json_decref(variables);
    return ok;
}

// A special token of tokenizer_config.json: a string, an AddedToken object with its content, or absent.
static inline bool chat_template_read_token(Buffer *token, const json_t *config, const char *key, const char *path, Error *error) {
    const json_t *value = json_object_get(config, key), *content = json_is_object(value) ? json_object_get(value, "content") : value;
    buffer_clear(token);
    if (!value || json_is_null(value)) { return true; }
    if (!json_is_string(content)) { return error_set(error, "%s: %s is neither a string nor an object with a content", path, key); }
    buffer_append(token, json_string_value(content), json_string_length(content));
    return true;
}
// chat_template of tokenizer_config.json: a string, or a list of {name, template} of which "default" is taken.
static inline bool chat_template_read_config(Buffer *template_text, const json_t *config, const char *path, Error *error) {
    const json_t *template = json_object_get(config, "chat_template");
    size_t i;
    json_t *entry;
    json_array_foreach(template, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && !strcmp(name, "default")) {
            template = json_object_get(entry, "template");
            break;
        }
    }
    if (!json_is_string(template)) { return error_set(error, "%s: it has no chat_template (nor a default one), and no chat_template.jinja lies beside it", path); }
    if (strlen(json_string_value(template)) != json_string_length(template)) { return error_set(error, "%s: its chat_template holds a NUL", path); }
    buffer_append(template_text, json_string_value(template), json_string_length(template));
    return true;
}
// Reads a model folder: chat_template.jinja if it is there (newer folders keep it so), else tokenizer_config.json's; the tokens
// are empty if the folder names none. What the three buffers held before is gone.
static inline bool chat_template_load(Buffer *template_text, Buffer *bos, Buffer *eos, const char *model_dir, Error *error) {
    char path[1024];
    buffer_clear(template_text);
    snprintf(path, sizeof(path), "%s/chat_template.jinja", model_dir);
    bool beside = file_exists(path);
    if (beside && !file_read(path, template_text, error)) { return false; }
    if (beside && strlen(template_text->data) != template_text->size) { return error_set(error, "%s: it holds a NUL", path); }
    snprintf(path, sizeof(path), "%s/tokenizer_config.json", model_dir);
    json_t *config = json_read(path, error);
    if (!config) { return false; }
    bool ok = (beside || chat_template_read_config(template_text, config, path, error)) && chat_template_read_token(bos, config, "bos_token", path, error) &&
              chat_template_read_token(eos, config, "eos_token", path, error);
    json_decref(config);
    return ok;
}
