// jinja_statements: the text between the tags and the statements inside them.
#pragma once
#include "jinja_parse.h"

// The tag's closing sign decides what it swallows: -%} all white space behind it, %} one line end (trim_blocks), +%} and }} nothing.
static inline void jinja_close_tag(JinjaTag *tag) {
    Jinja *j = tag->j;
    if (j->token.kind != JINJA_TOKEN_END) { jinja_fail_token(j, "the end of the tag"); }
    int sign = jinja_char(j, j->token.start);
    j->at = j->token.start + (sign == tag->closing ? 2 : 3);
    if (sign == '-') {
        j->at = jinja_skip_space(j->source, j->size, j->at);
    } else if (tag->closing == '%' && sign != '+') {
        j->at += jinja_char(j, j->at) == '\n';
    }
}
// The end of the text that runs from `start` to the tag at `tag`: {%- takes all white space before it away; {% and {# take the
// blanks of their own line if nothing else stands before them on it (lstrip_blocks), {%+ and {{ do not.
static inline size_t jinja_text_end(const Jinja *j, size_t start, size_t tag) {
    int sign = jinja_char(j, tag + 2);
    if (sign == '-') { return jinja_skip_space_back(j->source, start, tag); }
    if (jinja_char(j, tag + 1) == '{' || sign == '+') { return tag; }
    size_t line = tag;
    while (line > start && j->source[line - 1] != '\n') { line--; }
    bool line_starts = line == 0 || j->source[line - 1] == '\n';
    return line_starts && jinja_skip_space(j->source, tag, line) == tag ? line : tag;
}
static inline void jinja_skip_comment(Jinja *j, size_t tag) {
    int sign = jinja_char(j, tag + 2);
    size_t start = tag + 2 + (sign == '-' || sign == '+');
    const char *found = start < j->size ? (const char *)memmem(j->source + start, j->size - start, "#}", 2) : NULL;
    if (!found) { jinja_fail(j, tag, "a comment is not closed"); }
    size_t end = (size_t)(found - j->source);
    sign = end > start ? jinja_char(j, end - 1) : 0;
    j->at = end + 2;
    if (sign == '-') {
        j->at = jinja_skip_space(j->source, j->size, j->at);
    } else if (sign != '+') {
        j->at += jinja_char(j, j->at) == '\n';
    }
}

static inline JinjaNode *jinja_parse_body(JinjaTag *tag, const char *opened, size_t opened_at, const char *const *ends, JinjaNode *parent);

// {% if a %}..{% elif b %}..{% else %}..{% endif %}, behind the word `if`.
static inline JinjaNode *jinja_parse_if(JinjaTag *tag, size_t position) {
    static const char *const ENDS[] = {"elif", "else", "endif", NULL}, *const LAST[] = {"endif", NULL};
    Jinja *j = tag->j;
    JinjaNode *node = jinja_node(j, JINJA_IF, position, NULL, NULL), **tail = &node->list;
    for (bool condition = true;;) {
        JinjaNode *branch = jinja_node(j, JINJA_BRANCH, j->token.start, condition ? jinja_parse_or(tag) : NULL, NULL);
        jinja_close_tag(tag);
        branch->list = jinja_parse_body(tag, "if", position, condition ? ENDS : LAST, branch);
        jinja_add(node, &tail, branch);
        if (jinja_take_word(tag, "endif")) { return node; }
        condition = jinja_take_word(tag, "elif");
        if (!condition) { jinja_next(tag); } // else
    }
}
// {% for name[, name] in items %}..{% else %}..{% endfor %}, behind the word `for`.
static inline JinjaNode *jinja_parse_for(JinjaTag *tag, size_t position) {
    static const char *const ENDS[] = {"else", "endfor", NULL}, *const LAST[] = {"endfor", NULL};
    Jinja *j = tag->j;
    JinjaNode *node = jinja_node(j, JINJA_FOR, position, NULL, NULL), **tail = &node->second;
    do {
        jinja_add(node, &tail, jinja_parse_target(tag));
    } while (jinja_take(tag, ','));
    if (!jinja_take_word(tag, "in")) { jinja_fail_token(j, "\"in\""); }
    jinja_enter(j);
    node->first = jinja_leave(j, jinja_parse_or(tag)); // a conditional would be taken for a loop filter
    if (jinja_is_word(j, "if") || jinja_is_word(j, "recursive")) { jinja_fail(j, j->token.start, "a for with \"if\" or \"recursive\" is not supported"); }
    jinja_close_tag(tag);
    node->list = jinja_parse_body(tag, "for", position, ENDS, node);
    if (jinja_take_word(tag, "else")) {
        jinja_close_tag(tag);
        node->third = jinja_parse_body(tag, "for", position, LAST, node);
    }
    jinja_next(tag); // endfor
    return node;
}
// {% set name = value %} or {% set namespace.name = value %}, behind the word `set`.
static inline JinjaNode *jinja_parse_set(JinjaTag *tag, size_t position) {
    Jinja *j = tag->j;
    JinjaNode *target = jinja_parse_target(tag);
    if (jinja_take(tag, '.')) {
        target = jinja_node(j, JINJA_ATTRIBUTE, target->position, target, NULL);
        target->value = jinja_take_name(tag, "a name");
    }
    jinja_expect(tag, '=', "\"=\" (a set block is not supported)");
    return jinja_node(j, JINJA_SET, position, target, jinja_parse_expression(tag));
}
// A statement, behind its word; the tag it ends on is still open.
static inline JinjaNode *jinja_parse_statement(JinjaTag *tag, JinjaValue word, size_t position) {
    if (jinja_same_text(word, jinja_text("if"))) { return jinja_parse_if(tag, position); }
    if (jinja_same_text(word, jinja_text("for"))) { return jinja_parse_for(tag, position); }
    if (jinja_same_text(word, jinja_text("set"))) { return jinja_parse_set(tag, position); }
    if (jinja_same_text(word, jinja_text("break"))) { return jinja_node(tag->j, JINJA_BREAK, position, NULL, NULL); }
    if (jinja_same_text(word, jinja_text("continue"))) { return jinja_node(tag->j, JINJA_CONTINUE, position, NULL, NULL); }
    jinja_fail(tag->j, position, "the statement \"%.*s\" is not supported", (int)(word.count < 60 ? word.count : 60), word.text);
}
static inline JinjaNode *jinja_parse_output(Jinja *j, size_t position) {
    JinjaTag tag = {j, '}'};
    jinja_next(&tag);
    JinjaNode *node = jinja_node(j, JINJA_OUTPUT, position, jinja_parse_expression(&tag), NULL);
    jinja_close_tag(&tag);
    return node;
}
// Text and tags up to a statement named in `ends`, whose word is then the current token; with `ends` NULL, up to the end.
static inline JinjaNode *jinja_parse_body(JinjaTag *tag, const char *opened, size_t opened_at, const char *const *ends, JinjaNode *parent) {
    Jinja *j = tag->j;
    JinjaNode *list = NULL, **tail = &list;
    jinja_enter(j);
    for (;;) {
        size_t start = j->at, at = start;
        while (at < j->size && !(jinja_char(j, at) == '{' && jinja_char(j, at + 1) && strchr("{%#", jinja_char(j, at + 1)))) { at++; }
        size_t end = at < j->size ? jinja_text_end(j, start, at) : at;
        if (end > start) {
            JinjaNode *text = jinja_node(j, JINJA_TEXT, start, NULL, NULL);
            text->value = jinja_string(j->source + start, end - start);
            jinja_add(parent, &tail, text);
        }
        if (at >= j->size) { break; }
        int kind = jinja_char(j, at + 1), sign = jinja_char(j, at + 2);
        if (kind == '#') {
            jinja_skip_comment(j, at);
            continue;
        }
        j->at = at + 2 + (sign == '-' || (sign == '+' && kind == '%'));
        j->brackets = 0;
        if (kind == '{') {
            jinja_add(parent, &tail, jinja_parse_output(j, at));
            continue;
        }
        jinja_next(tag);
        for (int i = 0; ends && ends[i]; i++) {
            if (jinja_is_word(j, ends[i])) { return jinja_leave(j, list); }
        }
        JinjaValue word = jinja_take_name(tag, "a statement");
        jinja_add(parent, &tail, jinja_parse_statement(tag, word, at));
        jinja_close_tag(tag);
    }
    if (ends) { jinja_fail(j, opened_at, "this %s is not closed", opened); }
    return jinja_leave(j, list);
}
