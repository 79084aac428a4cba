// options: a command line from a table. One line per option names the field, its type, its short letter, its default, the values it
// may take and what it does; parsing, --help, the table printed at start and config.json all follow from that line:
//     OPTION(int, group_size, "g", "8", "[2,4096]", "answers sampled per question")
// Accepted: --name value, --name=value, -x value, --flag, --flag true|false, and the `a.b=value`, `+a.b=value` of a table of aliases.
// A later word wins over an earlier one. Whatever is not understood ends in one sentence that names the nearest thing that would be.
#pragma once
#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include "llmc/json.h"

typedef int option_type_int;
typedef int64_t option_type_int64;
typedef float option_type_float;
typedef const char *option_type_text; // points into argv or at a literal, never owned
typedef bool option_type_flag;

typedef enum { OPTION_int,
               OPTION_int64,
               OPTION_float,
               OPTION_text,
               OPTION_flag } OptionType;
typedef struct {
    OptionType type;
    const char *group; // heading in --help
    const char *name, *letter, *value, *allowed, *help;
    size_t offset, given; // in the config struct: the field, and the bool that says the user set it
} Option;
// `allowed`: numbers name an interval, "[1,64]" with its ends and "(0,inf)" without them; texts name their choices, "k1|k2|k3".
// A choice in capitals stands for any text ("auto|never|DIR"). "" allows everything.

// Another program's key. With an option it sets that option ("clip_low clip_high" sets two), its values translated by `values`, pairs
// "from=to". Without an option its meaning is fixed here, and `values` are the ones that agree; without those it is ignored, and said so.
// values "?ONLY:ON:OFF" make it a switch: it says of the option that other words set whether it is wanted, wherever it stands among them.
// False gives the option the value OFF (where it is ONLY, if that is anything), True leaves it, but for a 0, which becomes ON.
typedef struct {
    const char *key, *option, *values, *hint;
} OptionAlias;
enum { MAX_SWITCHES = 16 };
typedef struct {
    struct {
        const OptionAlias *alias;
        bool on;
    } list[MAX_SWITCHES];
    int count;
} OptionSwitches; // met on a command line, to be thrown when all of it has been read

typedef struct {
    const char *program, *summary;
    const Option *options;
    int option_count;
    const OptionAlias *aliases;
    int alias_count;
} OptionSet;
typedef enum { OPTIONS_RUN,
               OPTIONS_HELP,
               OPTIONS_VERSION,
               OPTIONS_WRONG } OptionsOutcome;

// A struct's fields, the bools that say which were given, and the table's rows, all from the same lines.
#define OPTION_FIELD(type, name, letter, value, allowed, help) option_type_##type name;
#define OPTION_GIVEN(type, name, letter, value, allowed, help) bool name;
#define OPTION_ROW(Struct, group, type, name, letter, value, allowed, help) \
    {OPTION_##type, group, #name, letter, value, allowed, help, offsetof(Struct, name), offsetof(Struct, given.name)},

// ---- one value
static inline void *option_field(void *config, const Option *option) { return (char *)config + option->offset; }

// The shortest decimal that reads back as the same float: 1e-06, not 9.99999997e-07.
static inline void option_float_text(char out[32], float value) {
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(out, 32, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value) { return; }
    }
}
static inline void option_text(Buffer *out, const void *config, const Option *option) {
    const void *field = (const char *)config + option->offset;
    char number[32];
    switch (option->type) {
    case OPTION_int:
        buffer_printf(out, "%d", *(const int *)field);
        break;
    case OPTION_int64:
        buffer_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case OPTION_flag:
        buffer_append_text(out, *(const bool *)field ? "true" : "false");
        break;
    case OPTION_text:
        buffer_append_text(out, *(const char *const *)field);
        break;
    case OPTION_float:
        option_float_text(number, *(const float *)field);
        buffer_append_text(out, number);
    }
}
static inline bool option_number_allowed(const char *allowed, double value) {
    if (!*allowed) { return true; }
    char *end;
    double low = strtod(allowed + 1, &end), high = strtod(end + 1, &end);
    return (allowed[0] == '(' ? value > low : value >= low) && (*end == ')' ? value < high : value <= high);
}
static inline bool option_choice_allowed(const char *allowed, const char *value) {
    if (!*allowed) { return true; }
    for (const char *choice = allowed; *choice;) {
        size_t length = strcspn(choice, "|");
        bool any = isupper((unsigned char)choice[0]);
        if (any || (strlen(value) == length && !strncmp(choice, value, length))) { return true; }
        choice += length + (choice[length] == '|');
    }
    return false;
}
static inline bool option_flag_parse(const char *value, bool *out) {
    static const char *const words[] = {"true", "True", "1", "false", "False", "0"};
    for (int i = 0; i < 6; i++) {
        if (!strcmp(value, words[i])) { return *out = i < 3, true; }
    }
    return false;
}
static inline bool option_text_is_utf8(const char *value) { // all that config.json can hold, and a run must find again
    json_t *json = json_string(value);
    json_decref(json);
    return json != NULL;
}
// `shown` is the option as the user wrote it.
static inline bool option_set(void *config, const Option *option, const char *value, const char *shown, Error *error) {
    static const char *const kinds[] = {"a whole number", "a whole number", "a number", "a text", "true or false"};
    void *field = option_field(config, option);
    char *end = (char *)"";
    errno = 0;
    long long whole = 0;
    float real = 0;
    bool ok = true;
    switch (option->type) {
    case OPTION_int:
    case OPTION_int64:
        whole = strtoll(value, &end, 10);
        ok = errno == 0 && (option->type == OPTION_int64 || whole == (int)whole) && option_number_allowed(option->allowed, (double)whole);
        break;
    case OPTION_float:
        real = strtof(value, &end);
        ok = isfinite(real) && option_number_allowed(option->allowed, (double)real);
        break;
    case OPTION_text:
        if (!option_text_is_utf8(value)) { return error_set(error, "%s: \"%.200s\" is not UTF-8, the only text that config.json can hold: use another name", shown, value); }
        ok = option_choice_allowed(option->allowed, value);
        break;
    case OPTION_flag:
        ok = option_flag_parse(value, (bool *)field);
    }
    bool number = option->type == OPTION_int || option->type == OPTION_int64 || option->type == OPTION_float;
    if (number && (end == value || *end || isspace((unsigned char)value[0]))) { ok = false; }
    if (!ok) {
        return error_set(error, "%s: \"%.200s\" is not %s%s%s", shown, value, option->type == OPTION_text ? "available: only " : kinds[option->type],
                         number && *option->allowed ? " in " : "", option->allowed);
    }
    if (option->type == OPTION_int) { *(int *)field = (int)whole; }
    if (option->type == OPTION_int64) { *(int64_t *)field = whole; }
    if (option->type == OPTION_float) { *(float *)field = real; }
    if (option->type == OPTION_text) { *(const char **)field = value; }
    return true;
}

// ---- finding options, and the nearest one when there is none
static inline const Option *option_find(const OptionSet *set, const char *name, size_t length) {
    for (int i = 0; i < set->option_count; i++) {
        if (strlen(set->options[i].name) == length && !strncmp(set->options[i].name, name, length)) { return &set->options[i]; }
    }
    return NULL;
}
static inline const Option *option_find_letter(const OptionSet *set, const char *letter) {
    for (int i = 0; i < set->option_count; i++) {
        if (*set->options[i].letter && !strcmp(set->options[i].letter, letter)) { return &set->options[i]; }
    }
    return NULL;
}
// Levenshtein's distance in half steps: an insertion, a deletion and another letter cost 2, the same letter in the other case 1.
static inline int option_distance(const char *a, const char *b) {
    enum { LONGEST = 127 };
    size_t rows = strnlen(a, LONGEST), columns = strnlen(b, LONGEST);
    int above[LONGEST + 1], row[LONGEST + 1];
    for (size_t j = 0; j <= columns; j++) { above[j] = 2 * (int)j; }
    for (size_t i = 1; i <= rows; i++) {
        row[0] = 2 * (int)i;
        for (size_t j = 1; j <= columns; j++) {
            bool same_letter = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            int best = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : same_letter ? 1
                                                                              : 2);
            if (above[j] + 2 < best) { best = above[j] + 2; }
            if (row[j - 1] + 2 < best) { best = row[j - 1] + 2; }
            row[j] = best;
        }
        memcpy(above, row, sizeof(row));
    }
    return above[columns];
}
static inline void option_nearest(char out[128], const OptionSet *set, const char *word) {
    int least = INT32_MAX;
    char candidate[128];
    for (int i = 0; i < 2 * set->option_count + set->alias_count; i++) {
        const Option *option = i < 2 * set->option_count ? &set->options[i / 2] : NULL;
        if (option && i % 2 && !*option->letter) { continue; }
        snprintf(candidate, sizeof(candidate), "%s%s", !option ? "" : i % 2 ? "-"
                                                                            : "--",
                 !option ? set->aliases[i - 2 * set->option_count].key : i % 2 ? option->letter
                                                                               : option->name);
        int distance = option_distance(word, candidate);
        if (distance < least) {
            least = distance;
            snprintf(out, 128, "%s", candidate);
        }
    }
}
static inline bool option_unknown(const OptionSet *set, const char *word, Error *error) {
    char nearest[128];
    option_nearest(nearest, set, word);
    return error_set(error, "%.200s is not an option of %s: the nearest one is %s (--help lists all)", word, set->program, nearest);
}

// ---- aliases
// [ 'a', "b" ] becomes a,b in place: lists arrive in Python's spelling.
static inline void option_unbracket(char *value) {
    size_t length = strlen(value);
    if (length < 2 || value[0] != '[' || value[length - 1] != ']') { return; }
    char *out = value;
    for (const char *in = value + 1; in < value + length - 1; in++) {
        if (!strchr("'\" ", *in)) { *out++ = *in; }
    }
    *out = 0;
}
// Finds `value` among the pairs "from=to" (or plain "from") and translates it in place, so that it needs no owner: no `to` is longer than its `from`.
static inline bool option_translate(const char *pairs, char *value) {
    for (const char *pair = pairs; *pair;) {
        size_t length = strcspn(pair, " "), left = strcspn(pair, "= ");
        if (strlen(value) == left && !strncmp(pair, value, left)) {
            if (left < length) { snprintf(value, left + 1, "%.*s", (int)(length - left - 1), pair + left + 1); }
            return true;
        }
        pair += length + (pair[length] == ' ');
    }
    return false;
}
static inline bool option_is_one_of(const char *words, const char *value) {
    char found[64];
    snprintf(found, sizeof(found), " %.60s ", value);
    return strstr(words, found) != NULL;
}
static inline bool option_note_switch(OptionSwitches *switches, const OptionAlias *alias, const char *value, Error *error) {
    const bool on = option_is_one_of(" True true 1 token ", value);
    if (!on && !option_is_one_of(" False false 0 null None ", value)) { return error_set(error, "%s=%.200s is not available: only True, False%s%s", alias->key, value, alias->hint ? "; " : "", alias->hint ? alias->hint : ""); }
    assert(switches->count < MAX_SWITCHES);
    switches->list[switches->count].alias = alias;
    switches->list[switches->count++].on = on;
    return true;
}
static inline bool options_throw_switches(void *config, const OptionSet *set, const OptionSwitches *switches, Error *error) {
    bool ok = true;
    for (int i = 0; i < switches->count && ok; i++) {
        const OptionAlias *alias = switches->list[i].alias;
        const Option *option = option_find(set, alias->option, strlen(alias->option));
        const char *only = alias->values + 1, *on = strchr(only, ':') + 1, *off = strchr(on, ':') + 1;
        const int only_length = (int)(on - only) - 1;
        Buffer now = {0};
        char on_value[32];
        option_text(&now, config, option);
        snprintf(on_value, sizeof(on_value), "%.*s", (int)(off - on) - 1, on);
        const bool becomes_on = switches->list[i].on && !strcmp(now.data, "0");
        const bool becomes_off = !switches->list[i].on && (only_length == 0 || (strlen(now.data) == (size_t)only_length && !strncmp(now.data, only, (size_t)only_length)));
        if (becomes_on || becomes_off) {
            ok = option_set(config, option, becomes_on ? on_value : off, alias->key, error);
            *((bool *)config + option->given) = true;
        }
        buffer_free(&now);
    }
    return ok;
}
static inline bool option_set_alias(void *config, const OptionSet *set, char *word, OptionSwitches *switches, Buffer *ignored, Error *error) {
    char *key = word + strspn(word, "+"), *value = strchr(key, '=') + 1;
    const OptionAlias *alias = NULL;
    for (int i = 0; i < set->alias_count && !alias; i++) {
        const char *name = set->aliases[i].key;
        if (strlen(name) == (size_t)(value - 1 - key) && !strncmp(name, key, strlen(name))) { alias = &set->aliases[i]; }
    }
    value[-1] = 0;
    if (!alias || key - word > 2) { return option_unknown(set, key, error); }
    if (!*value) { return error_set(error, "%s= has no value", key); }
    option_unbracket(value);
    if (alias->values && *alias->values == '?') { return option_note_switch(switches, alias, value, error); }
    bool known = alias->values && option_translate(alias->values, value);
    if (!alias->option && alias->values) {
        if (known) { return true; }
        return error_set(error, "%s=%.200s is not available: only %s%s%s", key, value, alias->values, alias->hint ? "; " : "",
                         alias->hint ? alias->hint : "");
    }
    if (!alias->option) {
        buffer_printf(ignored, "%s%s", ignored->size ? ", " : "", key);
        return true;
    }
    for (const char *name = alias->option; *name;) {
        size_t length = strcspn(name, " ");
        const Option *option = option_find(set, name, length);
        assert(option);
        if (!option_set(config, option, value, key, error)) { return false; }
        *((bool *)config + option->given) = true;
        name += length + (name[length] == ' ');
    }
    return true;
}

// ---- the whole command line
static inline void options_default(void *config, const OptionSet *set) {
    for (int i = 0; i < set->option_count; i++) {
        Error error = {""};
        Option any = set->options[i];
        if (any.type == OPTION_text) { any.allowed = ""; }
        bool ok = option_set(config, &any, any.value, any.name, &error);
        assert(ok);
        (void)ok;
    }
}
// `config` is filled with the defaults, then with what argv says. Words of argv may be edited in place and are pointed at.
// `ignored` collects the keys that are understood and have no meaning here.
static inline OptionsOutcome options_parse(void *config, const OptionSet *set, int argc, char **argv, Buffer *ignored, Error *error) {
    OptionSwitches switches = {.count = 0};
    options_default(config, set);
    for (int i = 1; i < argc; i++) {
        char *word = argv[i], *equals = strchr(word, '=');
        if (!strcmp(word, "--help") || !strcmp(word, "-h")) { return OPTIONS_HELP; }
        if (!strcmp(word, "--version")) { return OPTIONS_VERSION; }
        if (word[0] != '-' && equals) {
            if (!option_set_alias(config, set, word, &switches, ignored, error)) { return OPTIONS_WRONG; }
            continue;
        }
        bool is_long = !strncmp(word, "--", 2);
        const Option *option = is_long          ? option_find(set, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2)
                               : word[0] == '-' ? option_find_letter(set, word + 1)
                                                : NULL;
        if (is_long && equals) { *equals = 0; }
        if (!option) { return option_unknown(set, word, error), OPTIONS_WRONG; }
        bool unused;
        const char *value = is_long && equals ? equals + 1 : i + 1 < argc ? argv[i + 1]
                                                                          : "",
                   *shown = word;
        if (option->type == OPTION_flag && !(is_long && equals)) {
            bool follows = i + 1 < argc && option_flag_parse(argv[i + 1], &unused);
            value = follows ? argv[i + 1] : "true";
            i += follows;
        } else if (!(is_long && equals)) {
            if (option->type == OPTION_text && !strncmp(value, "--", 2)) { value = ""; }
            i++;
        }
        if (!*value) { return error_set(error, "%s needs a value: %s (--help lists all)", shown, option->help), OPTIONS_WRONG; }
        if (!option_set(config, option, value, shown, error)) { return OPTIONS_WRONG; }
        *((bool *)config + option->given) = true;
    }
    return options_throw_switches(config, set, &switches, error) ? OPTIONS_RUN : OPTIONS_WRONG;
}
// A default that depends on something else (the miniature's): takes effect unless the user said otherwise.
static inline void options_set_default(void *config, const OptionSet *set, const char *name, const char *value) {
    const Option *option = option_find(set, name, strlen(name));
    Error error = {""};
    bool ok = option && (*((const bool *)config + option->given) || option_set(config, option, value, name, &error));
    if (!ok) { fatal("default of --%s: %s", name, option ? error.text : "there is no such option"); }
}

// ---- what people see
static inline void options_help(FILE *out, const OptionSet *set) {
    static const char *const kinds[] = {"N", "N", "X", "TEXT", "[true|false]"};
    fprintf(out, "%s: %s\n", set->program, set->summary);
    const char *group = "";
    for (int i = 0; i < set->option_count; i++) {
        const Option *option = &set->options[i];
        if (strcmp(group, option->group) != 0) { fprintf(out, "\n%s\n", group = option->group); }
        char left[192];
        snprintf(left, sizeof(left), "%s%s%s --%s %s", *option->letter ? "-" : "  ", option->letter, *option->letter ? "," : " ", option->name,
                 option->type == OPTION_text && *option->allowed ? option->allowed : kinds[option->type]);
        fprintf(out, "  %-40s %s%s%s%s\n", left, option->help, *option->value ? " (default " : "", option->value, *option->value ? ")" : "");
    }
    fprintf(out, "\n      --%-34s %s\n      --%-34s %s\n", "help", "this text", "version", "the version");
    if (set->alias_count) { fprintf(out, "verl's keys are understood too: data.train_batch_size=128, +trainer.val_before_train=True\n"); }
}
// llm.c's table: | Parameter | Value |
static inline void options_table(FILE *out, const void *config, const OptionSet *set) {
    static const char line[] = "+-----------------------+----------------------------------------------------+\n";
    fprintf(out, "%s| %-21s | %-50s |\n%s", line, "Parameter", "Value", line);
    Buffer value = {0};
    for (int i = 0; i < set->option_count; i++) {
        buffer_clear(&value);
        buffer_append_text(&value, "");
        option_text(&value, config, &set->options[i]);
        fprintf(out, "| %-21s | %-50s |\n", set->options[i].name, value.size ? value.data : "-");
    }
    fputs(line, out);
    buffer_free(&value);
}
static inline json_t *options_json(const void *config, const OptionSet *set) { // the caller owns it
    json_t *json = json_object();
    for (int i = 0; i < set->option_count; i++) {
        const Option *option = &set->options[i];
        const void *field = (const char *)config + option->offset;
        char number[32];
        json_t *value = NULL;
        switch (option->type) {
        case OPTION_int:
            value = json_integer(*(const int *)field);
            break;
        case OPTION_int64:
            value = json_integer(*(const int64_t *)field);
            break;
        case OPTION_flag:
            value = json_boolean(*(const bool *)field);
            break;
        case OPTION_text:
            value = json_string(*(const char *const *)field);
            break;
        case OPTION_float:
            option_float_text(number, *(const float *)field);
            value = json_real(strtod(number, NULL));
        }
        json_object_set_new(json, option->name, value ? value : json_null());
    }
    return json;
}
// For a main(): defaults, command line, --help, --version, errors.
static inline void options_from_args(void *config, const OptionSet *set, int argc, char **argv) {
    Error error = {""};
    Buffer ignored = {0};
    OptionsOutcome outcome = options_parse(config, set, argc, argv, &ignored, &error);
    if (ignored.size && outcome == OPTIONS_RUN) { printf("ignored: %s\n", ignored.data); }
    buffer_free(&ignored);
    if (outcome == OPTIONS_WRONG) { fatal("%s", error.text); }
    if (outcome == OPTIONS_HELP) { options_help(stdout, set); }
    if (outcome == OPTIONS_VERSION) { printf("%s (grpo.c) %s\n", set->program, GRPO_VERSION); }
    if (outcome != OPTIONS_RUN) { exit(EXIT_SUCCESS); }
}
