// jinja: renders a chat template: the subset of Jinja2 that the templates of published models use, bounded in steps, depth,
// memory and output, so that a template from outside can neither hang nor crash a run.
//
// Stages: jinja_value.h (values, arena, failure), jinja_parse.h and jinja_statements.h (text to tree), jinja_builtins.h
// (filters, tests, methods), here the evaluation of the tree. Whatever lies outside the subset is an error that names the
// template, the line and the column; nothing is passed over in silence.
#pragma once
#include <math.h>
#include "jinja_builtins.h"
#include "jinja_statements.h"

static const char *const JINJA_FUNCTIONS[] = {"namespace", "raise_exception", "range"};
enum { JINJA_FUNCTION_COUNT = 3 };

static inline JinjaValue jinja_evaluate(Jinja *j, const JinjaNode *node);

// ---- names
static inline JinjaValue jinja_lookup(Jinja *j, JinjaValue name) {
    for (const JinjaVariable *variable = j->variables; variable; variable = variable->older) {
        jinja_charge(j, 1);
        if (jinja_same_text(variable->name, name)) { return variable->value; }
    }
    for (int i = 0; i < JINJA_FUNCTION_COUNT; i++) {
        if (jinja_same_text(name, jinja_text(JINJA_FUNCTIONS[i]))) { return (JinjaValue){.type = JINJA_FUNCTION, .text = name.text, .count = name.count}; }
    }
    return jinja_undefined(name.text, name.count);
}
static inline void jinja_assign(Jinja *j, JinjaValue name, JinjaValue value) { // in the frame at work: a loop's body hides, it does not change
    for (JinjaVariable *variable = j->variables; variable != j->frame; variable = variable->older) {
        jinja_charge(j, 1);
        if (jinja_same_text(variable->name, name)) {
            variable->value = value;
            return;
        }
    }
    JinjaVariable *variable = (JinjaVariable *)jinja_alloc(j, sizeof(JinjaVariable));
    *variable = (JinjaVariable){name, value, j->variables};
    j->variables = variable;
}
__attribute__((noreturn)) static inline void jinja_fail_undefined(Jinja *j, JinjaValue v) {
    jinja_fail(j, j->position, "\"%.*s\" is undefined", (int)(v.count < 60 ? v.count : 60), v.text);
}

// ---- operators
static inline JinjaValue jinja_divide(Jinja *j, int operator, JinjaValue a, JinjaValue b) { // Python's: quotients round down, remainders have the divisor's sign
    if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT || operator== '/') {
        double x = jinja_number(a), y = jinja_number(b);
        if (y == 0) { jinja_fail(j, j->position, "division by zero"); }
        if (operator!= '/') { jinja_fail(j, j->position, "// and %% of floats are not supported"); }
        return (JinjaValue){.type = JINJA_FLOAT, .number = x / y};
    }
    if (b.integer == 0) { jinja_fail(j, j->position, "division by zero"); }
    if (b.integer == -1) { // LLONG_MIN / -1 overflows, and traps
        if (a.integer == LLONG_MIN) { jinja_fail(j, j->position, "an integer is out of range"); }
        return jinja_integer(operator== '%' ? 0 : - a.integer);
    }
    long long quotient = a.integer / b.integer, remainder = a.integer % b.integer;
    bool down = remainder != 0 && (remainder < 0) != (b.integer < 0);
    return jinja_integer(operator== '%' ? remainder + (down ? b.integer : 0) : quotient - down);
}
static inline JinjaValue jinja_arithmetic(Jinja *j, int operator, JinjaValue a, JinjaValue b) {
    if (operator== '~') { return jinja_join(j, jinja_show(j, a), jinja_show(j, b)); }
    if (a.type == JINJA_UNDEFINED || b.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, a.type == JINJA_UNDEFINED ? a : b); }
    if (operator== '+' && a.type == JINJA_STRING && b.type == JINJA_STRING) { return jinja_join(j, a, b); }
    if (operator== '+' && a.type == JINJA_LIST && b.type == JINJA_LIST) {
        JinjaValue *items = jinja_items(j, a.count + b.count);
        if (a.count) { memcpy(items, a.items, a.count * sizeof(JinjaValue)); }
        if (b.count) { memcpy(items + a.count, b.items, b.count * sizeof(JinjaValue)); }
        return jinja_list(items, a.count + b.count);
    }
    if (!jinja_is_number(a) || !jinja_is_number(b)) {
        jinja_fail(j, j->position, "%s %s%s %s is not supported", JINJA_TYPE_NAMES[a.type], (char[2]){(char)(operator% JINJA_TWO), 0}, operator>= JINJA_TWO ? "/" : "", JINJA_TYPE_NAMES[b.type]);
    }
    if (operator== '/' || operator== '%' || operator== JINJA_FLOOR_DIVIDE) { return jinja_divide(j, operator, a, b); }
    if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT) {
        double x = jinja_number(a), y = jinja_number(b);
        return (JinjaValue){.type = JINJA_FLOAT, .number = operator== '+' ? x + y : operator== '-' ? x - y
                                                                                                   : x * y };
    }
    long long result;
    bool overflow = operator== '+' ? __builtin_add_overflow(a.integer, b.integer, &result) : operator== '-' ? __builtin_sub_overflow(a.integer, b.integer, &result)
                                                                                                            : __builtin_mul_overflow(a.integer, b.integer, &result);
    if (overflow) { jinja_fail(j, j->position, "an integer is out of range"); }
    return jinja_integer(result);
}
static inline bool jinja_contains(Jinja *j, JinjaValue item, JinjaValue v) { // item in v
    if (v.type == JINJA_UNDEFINED) { return false; }
    if (v.type == JINJA_STRING && item.type == JINJA_STRING) { return jinja_search(j, v, 0, item) != NULL; }
    if (v.type == JINJA_DICT) { return item.type == JINJA_STRING && jinja_find(j, v.dict, item); }
    if (v.type != JINJA_LIST) { jinja_fail(j, j->position, "%s in %s is not supported", JINJA_TYPE_NAMES[item.type], JINJA_TYPE_NAMES[v.type]); }
    for (size_t i = 0; i < v.count; i++) {
        if (jinja_equal(j, item, v.items[i], 0)) { return true; }
    }
    return false;
}
static inline bool jinja_compare(Jinja *j, int operator, JinjaValue a, JinjaValue b) {
    switch (operator) {
    case JINJA_EQUAL:
        return jinja_equal(j, a, b, 0);
    case JINJA_UNEQUAL:
        return !jinja_equal(j, a, b, 0);
    case JINJA_IN:
        return jinja_contains(j, a, b);
    case JINJA_NOT_IN:
        return !jinja_contains(j, a, b);
    default:
        break;
    }
    if (a.type == JINJA_UNDEFINED || b.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, a.type == JINJA_UNDEFINED ? a : b); }
    int order = jinja_order(j, a, b);
    return operator== '<' ? order < 0 : operator== '>' ? order > 0
                                    :
                                    operator== JINJA_AT_MOST ? order <= 0
                                                             : order >= 0;
}

// ---- parts of values
static inline JinjaValue jinja_attribute(Jinja *j, JinjaValue v, JinjaValue name) {
    static const char *const METHODS[] = {"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"};
    if (v.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, v); }
    if (v.type == JINJA_STRING || v.type == JINJA_LIST) { jinja_fail(j, j->position, "an attribute of a value that is %s is not supported", JINJA_TYPE_NAMES[v.type]); }
    if (v.type != JINJA_DICT && v.type != JINJA_NAMESPACE) { return jinja_undefined(name.text, name.count); }
    for (int i = 0; v.type == JINJA_DICT && i < 11; i++) { // Python would find its own method before the key
        if (jinja_same_text(name, jinja_text(METHODS[i]))) { jinja_fail(j, j->position, "the method \"%s\" of a dict without a call is not supported", METHODS[i]); }
    }
    const JinjaValue *found = jinja_find(j, v.dict, name);
    return found ? *found : jinja_undefined(name.text, name.count);
}
static inline JinjaValue jinja_index(Jinja *j, JinjaValue v, JinjaValue key) {
    if (v.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, v); }
    if ((v.type == JINJA_DICT || v.type == JINJA_NAMESPACE) && key.type == JINJA_STRING) {
        const JinjaValue *found = jinja_find(j, v.dict, key);
        return found ? *found : jinja_undefined(key.text, key.count);
    }
    if ((v.type == JINJA_LIST || v.type == JINJA_STRING) && key.type == JINJA_INTEGER) {
        JinjaValue list = jinja_iterate(j, v);
        long long at = key.integer < 0 ? key.integer + (long long)list.count : key.integer;
        return at >= 0 && at < (long long)list.count ? list.items[at] : jinja_undefined("an index out of range", 21);
    }
    return jinja_undefined("an index of another type", 24);
}
// v[start:stop:step]; parts left out are JINJA_NOTHING nodes.
static inline JinjaValue jinja_slice(Jinja *j, JinjaValue v, const JinjaNode *parts) {
    long long bounds[3], step = 1;
    bool given[3];
    for (int i = 0; i < 3; i++, parts = parts->next) {
        JinjaValue part = parts->kind == JINJA_NOTHING ? jinja_none() : jinja_evaluate(j, parts);
        given[i] = part.type == JINJA_INTEGER;
        bounds[i] = part.integer;
        if (!given[i] && part.type != JINJA_NONE) { jinja_fail(j, j->position, "a slice by a value that is %s", JINJA_TYPE_NAMES[part.type]); }
    }
    step = given[2] ? bounds[2] : 1;
    if (step == 0) { jinja_fail(j, j->position, "a slice with step 0"); }
    if (v.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, v); }
    if (v.type != JINJA_LIST && v.type != JINJA_STRING) { jinja_fail(j, j->position, "a slice of a value that is %s is not supported", JINJA_TYPE_NAMES[v.type]); }
    JinjaValue list = jinja_iterate(j, v);
    long long count = (long long)list.count, low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
    for (int i = 0; i < 2; i++) { // count from the end, then clamp to what the direction can reach
        long long missing = (i == 0) == (step > 0) ? low : high, bound = bounds[i] < 0 && bounds[i] >= -count ? bounds[i] + count : bounds[i] < 0 ? low
                                                                                                                                                  : bounds[i];
        bounds[i] = !given[i] ? missing : bound > high ? high
                                                       : bound;
    }
    JinjaValue *items = jinja_items(j, list.count);
    size_t taken = 0;
    step = step > count + 1 ? count + 1 : step < -count - 1 ? -count - 1
                                                            : step;
    for (long long at = bounds[0]; step > 0 ? at < bounds[1] : at > bounds[1]; at += step) { items[taken++] = list.items[at]; }
    JinjaValue result = jinja_list(items, taken);
    return v.type == JINJA_STRING ? jinja_join_all(j, result, jinja_text("")) : result;
}

// ---- calls
static inline void jinja_evaluate_arguments(Jinja *j, JinjaArguments *arguments, JinjaValue name, const JinjaNode *list) {
    arguments->name = name;
    arguments->count = 0;
    for (; list; list = list->next) {
        if (arguments->count == JINJA_MAX_ARGUMENTS) { jinja_fail(j, list->position, "more than %d arguments", JINJA_MAX_ARGUMENTS); }
        arguments->keywords[arguments->count] = list->value;
        arguments->values[arguments->count++] = jinja_evaluate(j, list->first);
    }
}
static inline JinjaValue jinja_range(Jinja *j, const JinjaArguments *arguments) { // range(stop), range(start, stop[, step])
    long long bounds[3] = {0, 0, 1};
    jinja_want_arguments(j, arguments, 1, 3, JINJA_INTEGER);
    for (int i = 0; i < arguments->count; i++) {
        if (arguments->values[i].type != JINJA_INTEGER || llabs(arguments->values[i].integer) > JINJA_MAX_STEPS) { jinja_fail_arguments(j, arguments); }
        bounds[arguments->count == 1 ? 1 : i] = arguments->values[i].integer;
    }
    if (bounds[2] == 0) { jinja_fail_arguments(j, arguments); }
    long long span = bounds[2] > 0 ? bounds[1] - bounds[0] : bounds[0] - bounds[1], step = llabs(bounds[2]);
    size_t count = span > 0 ? (size_t)((span + step - 1) / step) : 0;
    JinjaValue *items = jinja_items(j, count);
    for (size_t i = 0; i < count; i++) { items[i] = jinja_integer(bounds[0] + (long long)i * bounds[2]); }
    return jinja_list(items, count);
}
static inline JinjaValue jinja_call_function(Jinja *j, const JinjaArguments *arguments) {
    if (jinja_called(arguments, "range")) { return jinja_range(j, arguments); }
    if (jinja_called(arguments, "raise_exception")) {
        jinja_want_arguments(j, arguments, 1, 1, JINJA_UNDEFINED);
        JinjaValue why = jinja_show(j, arguments->values[0]);
        jinja_fail(j, j->position, "the template refuses these messages: %.*s", (int)(why.count < 500 ? why.count : 500), why.text);
    }
    JinjaValue created = jinja_dict_new(j, JINJA_NAMESPACE);
    for (int i = 0; i < arguments->count; i++) {
        if (arguments->keywords[i].count == 0) { jinja_fail_arguments(j, arguments); }
        jinja_put(j, created.dict, arguments->keywords[i], arguments->values[i]);
    }
    return created;
}
static inline JinjaValue jinja_call(Jinja *j, const JinjaNode *node) {
    const JinjaNode *callee = node->first;
    JinjaArguments arguments;
    if (callee->kind == JINJA_ATTRIBUTE) {
        JinjaValue object = jinja_evaluate(j, callee->first);
        jinja_evaluate_arguments(j, &arguments, callee->value, node->list);
        j->position = node->position;
        if (object.type == JINJA_STRING) { return jinja_string_method(j, object, &arguments); }
        if (object.type == JINJA_DICT) { return jinja_dict_method(j, object.dict, &arguments); }
        if (object.type == JINJA_UNDEFINED) { jinja_fail_undefined(j, object); }
        jinja_fail(j, node->position, "a method of a value that is %s is not supported", JINJA_TYPE_NAMES[object.type]);
    }
    JinjaValue function = jinja_evaluate(j, callee);
    if (function.type == JINJA_UNDEFINED) { jinja_fail(j, node->position, "the function \"%.*s\" is not supported", (int)(function.count < 60 ? function.count : 60), function.text); }
    if (function.type != JINJA_FUNCTION) { jinja_fail(j, node->position, "a value that is %s is called", JINJA_TYPE_NAMES[function.type]); }
    jinja_evaluate_arguments(j, &arguments, function, node->list);
    j->position = node->position;
    return jinja_call_function(j, &arguments);
}

// ---- expressions
static inline JinjaValue jinja_evaluate_list(Jinja *j, const JinjaNode *node) {
    size_t count = 0;
    for (const JinjaNode *item = node->list; item; item = item->next) { count++; }
    JinjaValue *items = jinja_items(j, count), *end = items;
    for (const JinjaNode *item = node->list; item; item = item->next) { *end++ = jinja_evaluate(j, item); }
    return jinja_list(items, count);
}
static inline JinjaValue jinja_evaluate_dict(Jinja *j, const JinjaNode *node) {
    JinjaValue dict = jinja_dict_new(j, JINJA_DICT);
    for (const JinjaNode *key = node->list; key; key = key->next->next) {
        JinjaValue name = jinja_evaluate(j, key);
        if (name.type != JINJA_STRING) { jinja_fail(j, key->position, "a dict key that is %s is not supported", JINJA_TYPE_NAMES[name.type]); }
        jinja_put(j, dict.dict, name, jinja_evaluate(j, key->next));
    }
    return dict;
}
static inline JinjaValue jinja_evaluate_compare(Jinja *j, const JinjaNode *node) {
    JinjaValue left = jinja_evaluate(j, node->first);
    for (const JinjaNode *operand = node->list; operand; operand = operand->next) {
        JinjaValue right = jinja_evaluate(j, operand->first);
        j->position = operand->position;
        if (!jinja_compare(j, operand->operator, left, right)) { return jinja_bool(false); }
        left = right;
    }
    return jinja_bool(true);
}
static inline JinjaValue jinja_negate(Jinja *j, JinjaValue v) {
    return v.type == JINJA_FLOAT ? (JinjaValue){.type = JINJA_FLOAT, .number = -v.number} : jinja_arithmetic(j, '-', jinja_integer(0), v);
}
static inline JinjaValue jinja_apply_filter(Jinja *j, JinjaValue v, const JinjaNode *node) {
    JinjaArguments arguments;
    jinja_evaluate_arguments(j, &arguments, node->value, node->list);
    j->position = node->position;
    return jinja_filter(j, v, &arguments);
}
static inline JinjaValue jinja_evaluate(Jinja *j, const JinjaNode *node) {
    JinjaValue a = node->first && node->kind != JINJA_CALL && node->kind != JINJA_COMPARE && node->kind != JINJA_CONDITIONAL ? jinja_evaluate(j, node->first) : jinja_none(), b;
    jinja_charge(j, 1);
    j->position = node->position;
    switch (node->kind) {
    case JINJA_LITERAL:
        return node->value;
    case JINJA_NAME:
        return jinja_lookup(j, node->value);
    case JINJA_LIST_OF:
        return jinja_evaluate_list(j, node);
    case JINJA_DICT_OF:
        return jinja_evaluate_dict(j, node);
    case JINJA_NOT:
        return jinja_bool(!jinja_truth(a));
    case JINJA_NEGATE:
        return jinja_negate(j, a);
    case JINJA_AND:
        return jinja_truth(a) ? jinja_evaluate(j, node->second) : a;
    case JINJA_OR:
        return jinja_truth(a) ? a : jinja_evaluate(j, node->second);
    case JINJA_CONDITIONAL:
        if (jinja_truth(jinja_evaluate(j, node->second))) { return jinja_evaluate(j, node->first); }
        return node->third ? jinja_evaluate(j, node->third) : jinja_undefined("the missing else", 16);
    case JINJA_ARITHMETIC:
        b = jinja_evaluate(j, node->second);
        j->position = node->position;
        return jinja_arithmetic(j, node->operator, a, b);
    case JINJA_COMPARE:
        return jinja_evaluate_compare(j, node);
    case JINJA_ATTRIBUTE:
        return jinja_attribute(j, a, node->value);
    case JINJA_INDEX:
        b = jinja_evaluate(j, node->second);
        j->position = node->position;
        return jinja_index(j, a, b);
    case JINJA_SLICE:
        return jinja_slice(j, a, node->list);
    case JINJA_CALL:
        return jinja_call(j, node);
    case JINJA_FILTER:
        return jinja_apply_filter(j, a, node);
    case JINJA_TEST:
        return jinja_bool(jinja_test(j, a, node->value));
    default:
        jinja_fail(j, node->position, "this is no expression");
    }
}

// ---- statements
typedef enum { JINJA_GO_ON,
               JINJA_LEAVE_LOOP,
               JINJA_NEXT_ROUND } JinjaFlow;
static inline JinjaFlow jinja_run(Jinja *j, const JinjaNode *list);

static inline void jinja_unpack(Jinja *j, const JinjaNode *targets, JinjaValue item) {
    if (!targets->next) {
        jinja_assign(j, targets->value, item);
        return;
    }
    size_t at = 0;
    item = jinja_iterate(j, item);
    for (; targets; targets = targets->next, at++) {
        if (at < item.count) { jinja_assign(j, targets->value, item.items[at]); }
    }
    if (at != item.count) { jinja_fail(j, j->position, "%zu values for %zu names", item.count, at); }
}
static inline JinjaFlow jinja_run_for(Jinja *j, const JinjaNode *node) {
    JinjaValue items = jinja_iterate(j, jinja_evaluate(j, node->first)), loop = jinja_dict_new(j, JINJA_NAMESPACE);
    if (items.count == 0) { return jinja_run(j, node->third); }
    JinjaVariable *variables = j->variables, *frame = j->frame;
    JinjaFlow flow = JINJA_GO_ON;
    for (size_t i = 0; i < items.count && flow != JINJA_LEAVE_LOOP; i++) {
        j->frame = j->variables = variables; // a fresh frame for each round
        j->position = node->position;
        long long at = (long long)i, count = (long long)items.count;
        jinja_put(j, loop.dict, jinja_text("index0"), jinja_integer(at));
        jinja_put(j, loop.dict, jinja_text("index"), jinja_integer(at + 1));
        jinja_put(j, loop.dict, jinja_text("revindex0"), jinja_integer(count - at - 1));
        jinja_put(j, loop.dict, jinja_text("revindex"), jinja_integer(count - at));
        jinja_put(j, loop.dict, jinja_text("first"), jinja_bool(at == 0));
        jinja_put(j, loop.dict, jinja_text("last"), jinja_bool(at == count - 1));
        jinja_put(j, loop.dict, jinja_text("length"), jinja_integer(count));
        jinja_put(j, loop.dict, jinja_text("previtem"), i > 0 ? items.items[i - 1] : jinja_undefined("loop.previtem", 13));
        jinja_put(j, loop.dict, jinja_text("nextitem"), i + 1 < items.count ? items.items[i + 1] : jinja_undefined("loop.nextitem", 13));
        jinja_assign(j, jinja_text("loop"), loop);
        jinja_unpack(j, node->second, items.items[i]);
        flow = jinja_run(j, node->list);
    }
    j->variables = variables;
    j->frame = frame;
    return JINJA_GO_ON;
}
static inline void jinja_run_set(Jinja *j, const JinjaNode *node) {
    JinjaValue value = jinja_evaluate(j, node->second);
    if (node->first->kind == JINJA_NAME) {
        jinja_assign(j, node->first->value, value);
        return;
    }
    JinjaValue target = jinja_evaluate(j, node->first->first);
    if (target.type != JINJA_NAMESPACE) { jinja_fail(j, node->position, "only a namespace's attributes can be set, this is %s", JINJA_TYPE_NAMES[target.type]); }
    jinja_put(j, target.dict, node->first->value, value);
}
static inline JinjaFlow jinja_run(Jinja *j, const JinjaNode *list) {
    JinjaFlow flow = JINJA_GO_ON;
    for (const JinjaNode *node = list; node && flow == JINJA_GO_ON; node = node->next) {
        jinja_charge(j, 1);
        j->position = node->position;
        switch (node->kind) {
        case JINJA_TEXT:
            jinja_write(j, j->out, j->out_start, node->value.text, node->value.count);
            break;
        case JINJA_OUTPUT: {
            JinjaValue value = jinja_evaluate(j, node->first);
            j->position = node->position;
            value = jinja_show(j, value);
            jinja_write(j, j->out, j->out_start, value.text, value.count);
            break;
        }
        case JINJA_IF:
            for (const JinjaNode *branch = node->list; branch; branch = branch->next) {
                if (branch->first && !jinja_truth(jinja_evaluate(j, branch->first))) { continue; }
                flow = jinja_run(j, branch->list);
                break;
            }
            break;
        case JINJA_FOR:
            flow = jinja_run_for(j, node);
            break;
        case JINJA_SET:
            jinja_run_set(j, node);
            break;
        case JINJA_BREAK:
            flow = JINJA_LEAVE_LOOP;
            break;
        default:
            flow = JINJA_NEXT_ROUND;
            break; // continue
        }
    }
    return flow;
}

// ---- the whole
// The source as Jinja's lexer takes it: line ends as \n, and without the last one.
static inline void jinja_take_source(Jinja *j, const char *source, size_t size) {
    char *text = (char *)jinja_alloc(j, size + 1);
    for (size_t i = 0; i < size; i++) {
        if (source[i] == '\r' && i + 1 < size && source[i + 1] == '\n') { continue; }
        text[j->size++] = source[i] == '\r' ? '\n' : source[i];
    }
    if (j->size && text[j->size - 1] == '\n') { j->size--; }
    text[j->size] = 0;
    j->source = text;
}
// Appends the template rendered with these variables, an object of JSON; `name` stands for the template in errors. After a
// failure the output is as it was.
static inline bool jinja_render(Buffer *out, const char *name, const char *source, size_t size, const json_t *variables, Error *error) {
    Jinja *j = (Jinja *)host_alloc(sizeof(Jinja)); // on the heap: a local would be indeterminate after the jump
    size_t out_start = out->size;
    bool ok = true;
    j->name = name;
    j->error = error;
    j->out = out;
    j->out_start = out_start;
    if (utf8_valid_length(source, size) < size) {
        ok = error_set(error, "%.150s: is not UTF-8 at byte %zu", name, utf8_valid_length(source, size));
    } else if (setjmp(j->failed) == 0) {
        jinja_take_source(j, source, size);
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)variables, key, value) { jinja_assign(j, jinja_text(key), jinja_from_json(j, value, 0)); }
        JinjaTag tag = {j, '%'};
        JinjaNode *root = jinja_node(j, JINJA_BRANCH, 0, NULL, NULL);
        root->list = jinja_parse_body(&tag, "template", 0, NULL, root);
        if (jinja_run(j, root->list) != JINJA_GO_ON) { jinja_fail(j, j->position, "break or continue outside a loop"); }
    } else {
        ok = false;
        out->size = out_start;
        if (out->data) { out->data[out_start] = 0; }
    }
    jinja_free(j);
    free(j);
    return ok;
}
