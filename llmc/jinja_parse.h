// jinja_parse: template text -> tree. The grammar is Jinja's own (precedence, white space control with trim_blocks and
// lstrip_blocks as Transformers sets them) for the statements if, for, set, break, continue and all of the expressions that
// chat templates use; a statement or an operator outside it fails here, an unknown filter, test or method when it is reached.
#pragma once
#include "jinja_value.h"

typedef enum { // `first`, `second`, `third` and the list that begins at `list` are the parts of a node
    // statements
    JINJA_TEXT,     // value
    JINJA_OUTPUT,   // first
    JINJA_IF,       // list of JINJA_BRANCH
    JINJA_BRANCH,   // first: condition or NULL (else); list: body
    JINJA_FOR,      // first: iterable; second: list of target names; list: body; third: list of the else body
    JINJA_SET,      // first: name, or attribute of a namespace; second: value
    JINJA_BREAK,    //
    JINJA_CONTINUE, //
    // expressions
    JINJA_LITERAL,     // value
    JINJA_NAME,        // value: the name
    JINJA_LIST_OF,     // list of items
    JINJA_DICT_OF,     // list of key, value, key, value
    JINJA_NOT,         // first
    JINJA_NEGATE,      // first
    JINJA_AND,         // first, second
    JINJA_OR,          // first, second
    JINJA_CONDITIONAL, // first if second else third (or NULL)
    JINJA_ARITHMETIC,  // first operator second
    JINJA_COMPARE,     // first, then list of JINJA_OPERAND: a < b < c
    JINJA_OPERAND,     // operator, first
    JINJA_ATTRIBUTE,   // first . value
    JINJA_INDEX,       // first [second]
    JINJA_SLICE,       // first [list of three, JINJA_NOTHING where left out]
    JINJA_NOTHING,     //
    JINJA_CALL,        // first (list of JINJA_ARGUMENT)
    JINJA_FILTER,      // first | value (list)
    JINJA_TEST,        // first is value
    JINJA_ARGUMENT     // first; value: its keyword or empty
} JinjaKind;
typedef struct JinjaNode {
    JinjaKind kind;
    int operator, height;
    size_t position;
    JinjaValue value;
    struct JinjaNode *first, *second, *third, *list, *next;
} JinjaNode;

// An operator's characters are its number: '=' + 256 * '=' for "==". Longer kinds follow.
enum { JINJA_TWO = 256,
       JINJA_TOKEN_NAME = 1 << 16,
       JINJA_TOKEN_STRING,
       JINJA_TOKEN_INTEGER,
       JINJA_TOKEN_FLOAT,
       JINJA_TOKEN_END, // of the tag
       JINJA_IN,
       JINJA_NOT_IN };
#define JINJA_EQUAL        ('=' + JINJA_TWO * '=')
#define JINJA_UNEQUAL      ('!' + JINJA_TWO * '=')
#define JINJA_AT_MOST      ('<' + JINJA_TWO * '=')
#define JINJA_AT_LEAST     ('>' + JINJA_TWO * '=')
#define JINJA_FLOOR_DIVIDE ('/' + JINJA_TWO * '/')

// ---- tokens inside a tag
static inline bool jinja_is_name_start(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static inline bool jinja_is_digit(int c) { return c >= '0' && c <= '9'; }
static inline int jinja_char(const Jinja *j, size_t at) { return at < j->size ? (unsigned char)j->source[at] : 0; }
static inline bool jinja_is_space(int code) { // Python's str.isspace
    return (code >= 9 && code <= 13) || (code >= 0x1C && code <= 0x20) || (code >= 0x80 && unicode_class(code) == UNICODE_SPACE);
}
static inline size_t jinja_skip_space(const char *text, size_t bytes, size_t at) {
    for (size_t next; at < bytes; at = next) {
        next = at;
        if (!jinja_is_space(utf8_next(text, bytes, &next))) { break; }
    }
    return at;
}
static inline size_t jinja_skip_space_back(const char *text, size_t start, size_t end) { // the end of text[start, end) without its trailing space
    while (end > start) {
        size_t last = end - 1, next;
        while (last > start && ((unsigned char)text[last] & 0xC0) == 0x80) { last--; }
        next = last;
        if (!jinja_is_space(utf8_next(text, end, &next))) { break; }
        end = last;
    }
    return end;
}
// True if the tag closes here, with or without its sign; brackets that are open keep }} from closing.
static inline bool jinja_at_tag_end(const Jinja *j, size_t at, char closing) {
    at += jinja_char(j, at) == '-' || (closing == '%' && jinja_char(j, at) == '+');
    return j->brackets == 0 && jinja_char(j, at) == closing && jinja_char(j, at + 1) == '}';
}
// Reads the next token into j->token. A tag that closes is left for jinja_close_tag.
static inline void jinja_advance(Jinja *j, char closing) {
    size_t at = j->position = jinja_skip_space(j->source, j->size, j->at), end = at + 1;
    int c = jinja_char(j, at), kind = c;
    if (at >= j->size) { jinja_fail(j, at, "the template ends inside a tag"); }
    if (jinja_at_tag_end(j, at, closing)) {
        kind = JINJA_TOKEN_END;
        end = at;
    } else if (jinja_is_name_start(c)) {
        kind = JINJA_TOKEN_NAME;
        while (jinja_is_name_start(jinja_char(j, end)) || jinja_is_digit(jinja_char(j, end))) { end++; }
    } else if (jinja_is_digit(c)) {
        kind = JINJA_TOKEN_INTEGER;
        while (jinja_is_digit(jinja_char(j, end))) { end++; }
        if (c == '0' && end > at + 1) { jinja_fail(j, at, "a number with a leading zero is not supported"); }
        if (jinja_char(j, end) == '.' && jinja_is_digit(jinja_char(j, end + 1))) {
            kind = JINJA_TOKEN_FLOAT;
            for (end++; jinja_is_digit(jinja_char(j, end));) { end++; }
        }
        size_t exponent = end + 1 + (jinja_char(j, end + 1) == '-' || jinja_char(j, end + 1) == '+');
        if ((jinja_char(j, end) | 32) == 'e' && jinja_is_digit(jinja_char(j, exponent))) {
            kind = JINJA_TOKEN_FLOAT;
            for (end = exponent; jinja_is_digit(jinja_char(j, end));) { end++; }
        }
        if (jinja_is_name_start(jinja_char(j, end))) { jinja_fail(j, at, "a number with letters in it is not supported"); }
    } else if (c == '\'' || c == '"') {
        kind = JINJA_TOKEN_STRING;
        while (end < j->size && jinja_char(j, end) != c) { end += jinja_char(j, end) == '\\' ? 2 : 1; }
        if (end >= j->size) { jinja_fail(j, at, "a string is not closed"); }
        end++;
    } else if (c && strchr("=!<>", c) && jinja_char(j, end) == '=') {
        kind = c + JINJA_TWO * '=';
        end++;
    } else if (c == '/' && jinja_char(j, end) == '/') {
        kind = JINJA_FLOOR_DIVIDE;
        end++;
    } else if (!c || !strchr("+-*/%~()[]{}<>=.:|,", c) || (c == '*' && jinja_char(j, end) == '*')) {
        jinja_fail(j, at, "\"%.*s\" is not supported", c < 0x80 ? 1 : 4, j->source + at);
    }
    j->brackets += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1
                                                                                           : 0;
    j->token = (struct JinjaToken){kind, at, end};
    j->at = end;
}

// ---- the parser's tools
typedef struct { // a parser at work inside one tag
    Jinja *j;
    char closing; // '%' or '}'
} JinjaTag;

static inline JinjaNode *jinja_node(Jinja *j, JinjaKind kind, size_t position, JinjaNode *first, JinjaNode *second) {
    JinjaNode *node = (JinjaNode *)jinja_alloc(j, sizeof(JinjaNode));
    *node = (JinjaNode){.kind = kind, .position = position, .first = first, .second = second, .height = 1};
    if (first && first->height >= node->height) { node->height = first->height + 1; }
    if (second && second->height >= node->height) { node->height = second->height + 1; }
    if (node->height > JINJA_MAX_DEPTH) { jinja_fail(j, position, "an expression is nested deeper than %d", JINJA_MAX_DEPTH); }
    return node;
}
static inline void jinja_enter(Jinja *j) {
    if (++j->depth > JINJA_MAX_DEPTH) { jinja_fail(j, j->token.start, "the template is nested deeper than %d", JINJA_MAX_DEPTH); }
}
static inline JinjaNode *jinja_leave(Jinja *j, JinjaNode *node) {
    j->depth--;
    return node;
}
static inline void jinja_next(JinjaTag *tag) { jinja_advance(tag->j, tag->closing); }
static inline JinjaValue jinja_token_text(const Jinja *j) { return jinja_string(j->source + j->token.start, j->token.end - j->token.start); }
static inline bool jinja_is_word(const Jinja *j, const char *word) {
    return j->token.kind == JINJA_TOKEN_NAME && jinja_same_text(jinja_token_text(j), jinja_text(word));
}
static inline bool jinja_take_word(JinjaTag *tag, const char *word) {
    bool taken = jinja_is_word(tag->j, word);
    if (taken) { jinja_next(tag); }
    return taken;
}
static inline bool jinja_take(JinjaTag *tag, int kind) {
    bool taken = tag->j->token.kind == kind;
    if (taken) { jinja_next(tag); }
    return taken;
}
__attribute__((noreturn)) static inline void jinja_fail_token(Jinja *j, const char *wanted) {
    JinjaValue text = jinja_token_text(j);
    if (j->token.kind == JINJA_TOKEN_END) { jinja_fail(j, j->token.start, "the tag ends where %s is expected", wanted); }
    jinja_fail(j, j->token.start, "\"%.*s\" stands where %s is expected", (int)(text.count < 60 ? text.count : 60), text.text, wanted);
}
static inline void jinja_expect(JinjaTag *tag, int kind, const char *wanted) {
    if (!jinja_take(tag, kind)) { jinja_fail_token(tag->j, wanted); }
}
static inline JinjaValue jinja_take_name(JinjaTag *tag, const char *wanted) {
    JinjaValue name = jinja_token_text(tag->j);
    jinja_expect(tag, JINJA_TOKEN_NAME, wanted);
    return name;
}

// ---- literals
static inline int jinja_hex(Jinja *j, size_t at, int digits) {
    int value = 0;
    for (int i = 0; i < digits; i++) {
        int c = jinja_char(j, at + (size_t)i), low = c | 32;
        if (!jinja_is_digit(c) && !(low >= 'a' && low <= 'f')) { jinja_fail(j, at, "an escape in a string needs %d hexadecimal digits", digits); }
        value = value * 16 + (jinja_is_digit(c) ? c - '0' : low - 'a' + 10);
        if (value >= UNICODE_COUNT) { jinja_fail(j, at, "an escape in a string is no character"); }
    }
    if (value >= 0xD800 && value < 0xE000) { jinja_fail(j, at, "an escape in a string is a surrogate, no character"); }
    return value;
}
// The string token without its quotes, escapes as in Python.
static inline JinjaValue jinja_unescape(Jinja *j) {
    static const char FROM[] = "\\'\"abfnrtv", TO[] = "\\'\"\a\b\f\n\r\t\v";
    size_t end = j->token.end - 1, count = 0;
    char *text = (char *)jinja_alloc(j, end - j->token.start);
    for (size_t at = j->token.start + 1; at < end;) {
        int c = jinja_char(j, at++);
        if (c != '\\') {
            text[count++] = (char)c;
            continue;
        }
        c = jinja_char(j, at++);
        int digits = c == 'x' ? 2 : c == 'u' ? 4
                                : c == 'U'   ? 8
                                             : 0,
            code = 0;
        if (c && strchr(FROM, c)) {
            text[count++] = TO[strchr(FROM, c) - FROM];
        } else if (digits) {
            code = jinja_hex(j, at, digits);
            at += (size_t)digits;
        } else if (c >= '0' && c <= '7') {
            for (at--; digits < 3 && jinja_char(j, at) >= '0' && jinja_char(j, at) <= '7'; digits++) { code = code * 8 + jinja_char(j, at++) - '0'; }
        } else if (c == 'N') {
            jinja_fail(j, at - 2, "an escape \\N in a string is not supported");
        } else if (c != '\n') { // an unknown escape stands for itself, an escaped line end for nothing
            text[count++] = '\\';
            text[count++] = (char)c;
        }
        if (digits) { count += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)text + count); }
    }
    return jinja_string(text, count);
}
static inline JinjaValue jinja_parse_number(Jinja *j) {
    JinjaValue token = jinja_token_text(j);
    char text[64];
    if (token.count >= sizeof(text)) { jinja_fail(j, j->token.start, "a number is too long"); }
    memcpy(text, token.text, token.count);
    text[token.count] = 0;
    errno = 0;
    JinjaValue value = j->token.kind == JINJA_TOKEN_FLOAT ? (JinjaValue){.type = JINJA_FLOAT, .number = strtod(text, NULL)} : jinja_integer(strtoll(text, NULL, 10));
    if (errno == ERANGE) { jinja_fail(j, j->token.start, "the number %s is out of range", text); }
    return value;
}

// ---- expressions, loosest binding first
static inline JinjaNode *jinja_parse_expression(JinjaTag *tag);

static inline void jinja_add(JinjaNode *parent, JinjaNode ***tail, JinjaNode *child) {
    **tail = child;
    *tail = &child->next;
    if (child->height >= parent->height) { parent->height = child->height + 1; }
}
static inline JinjaNode *jinja_literal(Jinja *j, JinjaValue value) {
    JinjaNode *node = jinja_node(j, JINJA_LITERAL, j->token.start, NULL, NULL);
    node->value = value;
    return node;
}
// Items up to the closing bracket, which is taken; in a dict each is a key, a colon and a value.
static inline JinjaNode *jinja_parse_items(JinjaTag *tag, JinjaKind kind, int closing) {
    Jinja *j = tag->j;
    JinjaNode *list = jinja_node(j, kind, j->token.start, NULL, NULL), **tail = &list->list;
    while (!jinja_take(tag, closing)) {
        if (list->list) {
            jinja_expect(tag, ',', "a comma");
            if (jinja_take(tag, closing)) { break; }
        }
        jinja_add(list, &tail, jinja_parse_expression(tag));
        if (kind == JINJA_DICT_OF) {
            jinja_expect(tag, ':', "a colon");
            jinja_add(list, &tail, jinja_parse_expression(tag));
        }
    }
    return list;
}
static const char *const JINJA_CONSTANTS[] = {"true", "True", "false", "False", "none", "None"};
static inline JinjaNode *jinja_parse_name(JinjaTag *tag) {
    Jinja *j = tag->j;
    JinjaNode *node = jinja_node(j, JINJA_NAME, j->token.start, NULL, NULL);
    node->value = jinja_token_text(j);
    for (int i = 0; i < 6; i++) {
        if (!jinja_same_text(node->value, jinja_text(JINJA_CONSTANTS[i]))) { continue; }
        node->kind = JINJA_LITERAL;
        node->value = i < 4 ? jinja_bool(i < 2) : jinja_none();
        break;
    }
    jinja_next(tag);
    return node;
}
// A name that is given a value.
static inline JinjaNode *jinja_parse_target(JinjaTag *tag) {
    Jinja *j = tag->j;
    for (int i = 0; i < 6; i++) {
        if (jinja_is_word(j, JINJA_CONSTANTS[i])) { jinja_fail_token(j, "a name"); }
    }
    JinjaNode *node = jinja_node(j, JINJA_NAME, j->token.start, NULL, NULL);
    node->value = jinja_take_name(tag, "a name");
    return node;
}
static inline JinjaNode *jinja_parse_primary(JinjaTag *tag) {
    Jinja *j = tag->j;
    JinjaNode *node;
    switch (j->token.kind) {
    case JINJA_TOKEN_NAME:
        return jinja_parse_name(tag);
    case JINJA_TOKEN_INTEGER:
    case JINJA_TOKEN_FLOAT:
        node = jinja_literal(j, jinja_parse_number(j));
        jinja_next(tag);
        return node;
    case JINJA_TOKEN_STRING:
        node = jinja_literal(j, jinja_unescape(j));
        for (jinja_next(tag); j->token.kind == JINJA_TOKEN_STRING; jinja_next(tag)) { node->value = jinja_join(j, node->value, jinja_unescape(j)); }
        return node;
    case '[':
        jinja_next(tag);
        return jinja_parse_items(tag, JINJA_LIST_OF, ']');
    case '{':
        jinja_next(tag);
        return jinja_parse_items(tag, JINJA_DICT_OF, '}');
    case '(':
        jinja_next(tag);
        if (j->token.kind == ')') { jinja_fail_token(j, "an expression"); }
        node = jinja_parse_expression(tag);
        jinja_expect(tag, ')', "a closing parenthesis (tuples are not supported)");
        return node;
    default:
        jinja_fail_token(j, "an expression");
    }
}
// [index] or [start:stop:step], behind its opening bracket.
static inline JinjaNode *jinja_parse_subscript(JinjaTag *tag, JinjaNode *object) {
    Jinja *j = tag->j;
    JinjaNode *slice = jinja_node(j, JINJA_SLICE, j->token.start, object, NULL), **tail = &slice->list;
    bool colon = false;
    for (int part = 0; part < 3; part++) {
        bool given = j->token.kind != ':' && j->token.kind != ']';
        JinjaNode *node = given ? jinja_parse_expression(tag) : jinja_node(j, JINJA_NOTHING, j->token.start, NULL, NULL);
        if (part == 0 && j->token.kind == ']' && given) {
            jinja_next(tag);
            return jinja_node(j, JINJA_INDEX, slice->position, object, node);
        }
        jinja_add(slice, &tail, node);
        if (part < 2) { colon |= jinja_take(tag, ':'); }
    }
    if (!colon) { jinja_fail_token(j, "an index"); }
    jinja_expect(tag, ']', "a closing bracket");
    return slice;
}
static inline void jinja_parse_arguments(JinjaTag *tag, JinjaNode *call) { // behind the opening parenthesis
    Jinja *j = tag->j;
    JinjaNode **tail = &call->list;
    while (!jinja_take(tag, ')')) {
        if (call->list) {
            jinja_expect(tag, ',', "a comma");
            if (jinja_take(tag, ')')) { break; }
        }
        JinjaNode *argument = jinja_parse_expression(tag);
        JinjaValue keyword = jinja_string("", 0);
        if (argument->kind == JINJA_NAME && jinja_take(tag, '=')) {
            keyword = argument->value;
            argument = jinja_parse_expression(tag);
        }
        JinjaNode *node = jinja_node(j, JINJA_ARGUMENT, argument->position, argument, NULL);
        node->value = keyword;
        jinja_add(call, &tail, node);
    }
}
// What may follow an expression: .name [index] (arguments) and, if asked for, |filter and `is test`.
static inline JinjaNode *jinja_parse_suffixes(JinjaTag *tag, JinjaNode *node, bool filters) {
    Jinja *j = tag->j;
    for (;;) {
        size_t position = j->token.start;
        if (jinja_take(tag, '.')) {
            node = jinja_node(j, JINJA_ATTRIBUTE, position, node, NULL);
            node->value = jinja_take_name(tag, "a name");
        } else if (jinja_take(tag, '[')) {
            node = jinja_parse_subscript(tag, node);
        } else if (jinja_take(tag, '(')) {
            node = jinja_node(j, JINJA_CALL, position, node, NULL);
            jinja_parse_arguments(tag, node);
        } else if (filters && jinja_take(tag, '|')) {
            node = jinja_node(j, JINJA_FILTER, position, node, NULL);
            node->value = jinja_take_name(tag, "a filter");
            if (jinja_take(tag, '(')) { jinja_parse_arguments(tag, node); }
        } else if (filters && jinja_take_word(tag, "is")) {
            bool negated = jinja_take_word(tag, "not");
            node = jinja_node(j, JINJA_TEST, position, node, NULL);
            node->value = jinja_take_name(tag, "a test");
            int kind = j->token.kind;
            bool operator_follows = jinja_is_word(j, "and") || jinja_is_word(j, "or") || jinja_is_word(j, "if") || jinja_is_word(j, "else") ||
                                    jinja_is_word(j, "in") || jinja_is_word(j, "not");
            if ((kind == JINJA_TOKEN_NAME && !operator_follows) || (kind >= JINJA_TOKEN_STRING && kind <= JINJA_TOKEN_FLOAT) || kind == '(' || kind == '[' || kind == '{' || kind == '.') {
                jinja_fail(j, j->token.start, "a test with an argument, or behind a test, is not supported");
            }
            if (negated) { node = jinja_node(j, JINJA_NOT, position, node, NULL); }
        } else {
            return node;
        }
    }
}
static inline JinjaNode *jinja_parse_unary(JinjaTag *tag, bool filters) {
    Jinja *j = tag->j;
    size_t position = j->token.start;
    JinjaNode *node;
    jinja_enter(j);
    if (jinja_take(tag, '-')) {
        node = jinja_node(j, JINJA_NEGATE, position, jinja_parse_unary(tag, false), NULL);
    } else {
        node = jinja_parse_primary(tag);
    }
    return jinja_leave(j, jinja_parse_suffixes(tag, node, filters));
}
// One level of left-associative operators for each rank: 0 is + and -, 1 is ~, 2 is * / // %.
static inline JinjaNode *jinja_parse_arithmetic(JinjaTag *tag, int rank) {
    Jinja *j = tag->j;
    JinjaNode *node = rank == 2 ? jinja_parse_unary(tag, true) : jinja_parse_arithmetic(tag, rank + 1);
    for (;;) {
        int kind = j->token.kind;
        bool here = rank == 0 ? kind == '+' || kind == '-' : rank == 1 ? kind == '~'
                                                                       : kind == '*' || kind == '/' || kind == '%' || kind == JINJA_FLOOR_DIVIDE;
        if (!here) { return node; }
        size_t position = j->token.start;
        jinja_next(tag);
        node = jinja_node(j, JINJA_ARITHMETIC, position, node, rank == 2 ? jinja_parse_unary(tag, true) : jinja_parse_arithmetic(tag, rank + 1));
        node->operator= kind;
    }
}
static inline JinjaNode *jinja_parse_compare(JinjaTag *tag) {
    Jinja *j = tag->j;
    JinjaNode *node = jinja_parse_arithmetic(tag, 0), *chain = NULL, **tail = NULL;
    for (;;) {
        int kind = j->token.kind;
        size_t position = j->token.start;
        if (jinja_is_word(j, "in")) {
            kind = JINJA_IN;
        } else if (jinja_is_word(j, "not")) {
            kind = JINJA_NOT_IN;
            jinja_next(tag);
            if (!jinja_is_word(j, "in")) { jinja_fail_token(j, "\"in\""); }
        } else if (kind != JINJA_EQUAL && kind != JINJA_UNEQUAL && kind != JINJA_AT_MOST && kind != JINJA_AT_LEAST && kind != '<' && kind != '>') {
            return chain ? chain : node;
        }
        jinja_next(tag);
        if (!chain) {
            chain = jinja_node(j, JINJA_COMPARE, position, node, NULL);
            tail = &chain->list;
        }
        JinjaNode *operand = jinja_node(j, JINJA_OPERAND, position, jinja_parse_arithmetic(tag, 0), NULL);
        operand->operator= kind;
        jinja_add(chain, &tail, operand);
    }
}
static inline JinjaNode *jinja_parse_not(JinjaTag *tag) {
    Jinja *j = tag->j;
    size_t position = j->token.start;
    if (!jinja_take_word(tag, "not")) { return jinja_parse_compare(tag); }
    jinja_enter(j);
    return jinja_leave(j, jinja_node(j, JINJA_NOT, position, jinja_parse_not(tag), NULL));
}
static inline JinjaNode *jinja_parse_and(JinjaTag *tag) {
    JinjaNode *node = jinja_parse_not(tag);
    for (size_t position = tag->j->token.start; jinja_take_word(tag, "and"); position = tag->j->token.start) { node = jinja_node(tag->j, JINJA_AND, position, node, jinja_parse_not(tag)); }
    return node;
}
static inline JinjaNode *jinja_parse_or(JinjaTag *tag) {
    JinjaNode *node = jinja_parse_and(tag);
    for (size_t position = tag->j->token.start; jinja_take_word(tag, "or"); position = tag->j->token.start) { node = jinja_node(tag->j, JINJA_OR, position, node, jinja_parse_and(tag)); }
    return node;
}
static inline JinjaNode *jinja_parse_expression(JinjaTag *tag) {
    Jinja *j = tag->j;
    jinja_enter(j);
    JinjaNode *node = jinja_parse_or(tag);
    for (size_t position = j->token.start; jinja_take_word(tag, "if"); position = j->token.start) {
        node = jinja_node(j, JINJA_CONDITIONAL, position, node, jinja_parse_or(tag));
        if (!jinja_take_word(tag, "else")) { continue; }
        node->third = jinja_parse_expression(tag);
        node->height = node->third->height >= node->height ? node->third->height + 1 : node->height;
    }
    return jinja_leave(j, node);
}
