// reward_verify_extract: which part of a text the math_verify grader reads, as Hugging Face Math-Verify 0.9 (its parser.py)
// has it with its default settings: by priority what follows "final answer is", the last boxes, what follows "answer", any
// LaTeX span or plain number; of one priority the part that ends last. A part that is no mathematics is passed over for the
// next, so that \boxed{\large 45} is still 45.
#pragma once
#include "llmc/reward_extract.h"
#include "llmc/reward_verify_parse.h"
#include "llmc/reward_verify_text.h"

enum { VERIFY_MAX_SPAN = 2000, // bytes of a LaTeX span: longer ones are no answers
       VERIFY_MAX_BOXES = 8,
       VERIFY_MAX_JOINED = 6, // spans
       VERIFY_MAX_FORMULA = 200,
       VERIFY_MAX_PHRASES = 3, // of "answer": the last ones
       VERIFY_MAX_TRIES = 32 };
// A part of the text; `end` is where what marks it ends, 0 when there is none.
typedef struct {
    size_t start, bytes, end;
    size_t reach;                // where the last of the spans ends that commas, "and" or "or" join to this one
    bool grouped, decimal_comma; // of a number: 1,234 or 1 234; 3,14
    bool percent;
    bool formula; // written as in Python: 10**-3
} VerifyPart;
enum { VERIFY_SPAN,
       VERIFY_FORMULA,
       VERIFY_NUMBER,
       VERIFY_PART_KINDS,
       VERIFY_SPAN_KINDS = 5 };
typedef struct {
    const char *text;
    size_t bytes;
    size_t scanned[VERIFY_SPAN_KINDS]; // no span of this kind closes between the last opening and here
    size_t no_operation;               // nor an operation between the last number tried as a formula and here
    Buffer first;                      // the part tried first
    Buffer part;                       // the one being tried; in the end the one that could be read
    int tries;
} VerifySearch;

static inline void verify_forget(VerifySearch *search) { // before looking from an earlier place on
    memset(search->scanned, 0, sizeof(search->scanned));
    search->no_operation = 0;
}

// ---- whether a part is mathematics
static inline bool verify_reads_complex(const Buffer *text) { // an i that stands alone
    for (const char *i = text->data; (i = strchr(i, 'i')); i++) {
        if ((i == text->data || !text_is_word((unsigned char)i[-1])) && !text_is_word((unsigned char)i[1])) { return true; }
    }
    return text_contains(text, "\\mathbb{C}") || text_contains(text, "\\imath") || text_contains(text, "\\det");
}
// Adds the normal form `text` to the tree; false when it is no mathematics. x = a = b may still be read as its last part.
static inline bool verify_parse(int *root, Expression *tree, const Buffer *text) {
    tree->error = memchr(text->data, 0, text->size) != NULL;
    if (text->size > VERIFY_MAX_ANSWER) { tree->gave_up = "gave up: too long"; }
    if (tree->error || tree->gave_up) { return false; }
    *root = expression_parse_latex(tree, text->data, text->size, verify_reads_complex(text));
    if (!tree->error || tree->gave_up || strpbrk(text->data, ",;")) { return !tree->error; }
    int equations = 0;
    const char *last = NULL;
    for (const char *at = text->data; (at = strchr(at, '=')); at++) {
        if (at > text->data && strchr("\\<>!", at[-1])) { continue; }
        equations++;
        last = at + 1;
    }
    if (equations < 2) { return false; }
    *root = expression_parse_latex(tree, last, strlen(last), verify_reads_complex(text));
    return !tree->error;
}
static inline bool verify_is_readable(const Buffer *normal) { // or its reading meets a limit
    static _Thread_local Expression tree;
    expression_clear(&tree);
    int root;
    return verify_parse(&root, &tree, normal) || tree.gave_up;
}
// Whether `search->part` is the answer.
static inline bool verify_try(VerifySearch *search) {
    if (search->tries++ >= VERIFY_MAX_TRIES) { return false; }
    buffer_append(&search->part, "", 0);
    if (search->first.size == 0) { text_assign(&search->first, search->part.data, search->part.size); }
    Buffer normal = {0};
    verify_normalize(&normal, search->part.data, search->part.size);
    bool readable = verify_is_readable(&normal);
    buffer_free(&normal);
    return readable;
}
// ---- boxes
// The last \boxed{...} or \fbox{...}; boxes close before it join it with commas: less than 10 characters between, or less
// than 70 with a comma, a semicolon, "and" or "or".
static inline bool verify_extract_boxes(Buffer *answer, const char *text, size_t bytes) {
    struct {
        size_t start, end;
    } boxes[VERIFY_MAX_BOXES];
    int count = 0;
    size_t limit = bytes, last_start = bytes;
    for (size_t at = bytes; at-- > 0 && count < VERIFY_MAX_BOXES;) {
        if (text[at] != '\\') { continue; }
        bool boxed = at + 6 <= limit && !memcmp(text + at, "\\boxed", 6), framed = at + 5 <= limit && !memcmp(text + at, "\\fbox", 5);
        if (!boxed && !framed) { continue; }
        size_t open = at + (boxed ? 6 : 5);
        while (open < limit && text_is_space((unsigned char)text[open])) { open++; }
        if (open == limit || text[open] != '{') { break; }
        const char *close = verify_group_end(text + open, text + limit, '{', '}');
        if (!close) { break; }
        size_t end = (size_t)(close - text) - 1, between = last_start - end - 1;
        bool joins = between < 10;
        for (size_t i = end + 1; !joins && between < 70 && i < last_start; i++) {
            size_t word = !strncmp(text + i, "and", 3) ? 3 : !strncmp(text + i, "or", 2) ? 2
                                                                                         : 0;
            joins = text[i] == ',' || text[i] == ';' || (word && !text_is_word((unsigned char)text[i - 1]) && !text_is_word((unsigned char)text[i + word]));
        }
        if (count > 0 && !joins) { break; }
        last_start = limit = at;
        bool same = count > 0 && boxes[count - 1].end - boxes[count - 1].start == end - open - 1 && !memcmp(text + boxes[count - 1].start, text + open + 1, end - open - 1);
        if (same) { continue; }
        boxes[count].start = open + 1;
        boxes[count++].end = end;
    }
    for (int i = count - 1; i >= 0; i--) {
        if (i < count - 1) { buffer_append(answer, ",", 1); }
        size_t start = answer->size;
        buffer_append(answer, text + boxes[i].start, boxes[i].end - boxes[i].start);
        text_strip_from(answer, start);
    }
    return count > 0;
}

// ---- spans
static inline size_t verify_percent_bytes(const char *at) { // spaces and a percent sign or word, or 0
    static const char *const signs[] = {"\\%", "%", "percentage", "Percentage", "percent", "Percent", "pct", "Pct"};
    const char *sign = at + verify_spaces(at);
    for (int i = 0; i < 8; i++) {
        if (verify_begins(sign, signs[i])) { return (size_t)(sign - at) + strlen(signs[i]); }
    }
    return 0;
}
static inline VerifyPart verify_fraction_at(const char *text, size_t at) { // -\frac{1}{2}, without dollar signs
    const char *p = text + at + (text[at] == '-');
    if (!verify_begins(p, "\\frac")) { return (VerifyPart){0}; }
    p += 5;
    for (int i = 0; i < 2; i++) {
        const char *digits = p + 1 + (*p == '{' && p[1] == '-');
        size_t whole = *p == '{' ? strspn(digits, "0123456789") : 0;
        if (!whole) { return (VerifyPart){0}; }
        p = digits + whole;
        if ((*p == '.' || *p == ',') && text_ascii_digit(p[1])) { p += 1 + strspn(p + 1, "0123456789"); }
        if (*p++ != '}') { return (VerifyPart){0}; }
    }
    size_t end = (size_t)(p - text);
    return (VerifyPart){.start = at, .bytes = end - at, .end = end, .reach = end};
}
// The LaTeX span that opens at `at`: $...$, $$...$$, \(...\), \[...\], [...] between spaces, or a fraction of two numbers.
static inline VerifyPart verify_span_at(VerifySearch *search, size_t at) {
    static const struct {
        const char *open, *close;
        bool one_line;
    } spans[VERIFY_SPAN_KINDS] = {{"$$", "$$", false}, {"$", "$", true}, {"\\[", "\\]", false}, {"\\(", "\\)", true}, {"[", "]", true}};
    const char *text = search->text;
    if (!text[at] || !strchr("$\\[-", text[at])) { return (VerifyPart){0}; }
    VerifyPart part = verify_fraction_at(text, at);
    char before = at > 0 ? text[at - 1] : ' ';
    for (int i = 0; i < VERIFY_SPAN_KINDS && !part.end; i++) {
        size_t mark = strlen(spans[i].open), start = at + mark;
        if (strncmp(text + at, spans[i].open, mark) || before == '\\' || (i == 1 && text_ascii_digit(before)) || (i == 4 && !text_is_space((unsigned char)before))) { continue; }
        size_t limit = search->bytes - start > VERIFY_MAX_SPAN ? start + VERIFY_MAX_SPAN : search->bytes;
        size_t end = search->scanned[i] > start ? search->scanned[i] : start; // what was scanned from an earlier opening
        for (; end + mark <= limit; end++) {
            if ((text[end] == '\n' && spans[i].one_line) || (i == 4 && text[end] == '[')) { break; }
            if ((end > start && text[end - 1] == '\\') || memcmp(text + end, spans[i].close, mark)) { continue; }
            if (end > start && (i < 4 || text_is_space((unsigned char)text[end + 1]))) { part = (VerifyPart){.start = start, .bytes = end - start, .end = end + mark}; }
            break;
        }
        search->scanned[i] = end;
    }
    size_t percent = part.end ? verify_percent_bytes(text + part.end) : 0;
    part.percent = percent > 0;
    part.end += percent;
    return part;
}

// The span that a comma, "and" or "or" joins to what ends at `end`.
static inline VerifyPart verify_next_span(VerifySearch *search, size_t end) {
    const char *at = search->text + end;
    at += verify_spaces(at);
    size_t comma = *at == ',';
    at += comma;
    size_t word = verify_begins(at, "and") ? 3 : verify_begins(at, "or") ? 2
                                                                         : 0;
    at += word;
    at += verify_spaces(at);
    return comma || word ? verify_span_at(search, (size_t)(at - search->text)) : (VerifyPart){0};
}
static inline VerifyPart verify_spans_at(VerifySearch *search, size_t at) {
    VerifyPart part = verify_span_at(search, at), next = part;
    for (int joined = 0; joined < VERIFY_MAX_JOINED && next.end; joined++) {
        part.reach = next.end;
        next = verify_next_span(search, next.end);
    }
    return part;
}
// The parts that are joined to one, `between` them.
static inline void verify_append_parts(Buffer *out, VerifySearch *search, VerifyPart part, const char *between, bool percents) {
    verify_forget(search);
    for (size_t reach = part.reach;;) {
        const char *text = search->text + part.start;
        for (size_t i = 0; i < part.bytes; i++) {
            if (part.grouped && (text[i] == ',' || text[i] == ' ')) { continue; }
            size_t power = !part.formula ? 0 : text[i] == '^'                     ? 1
                                           : text[i] == '*' && text[i + 1] == '*' ? 2
                                                                                  : 0;
            size_t digits = power ? (text[i + power] == '-') + strspn(text + i + power + (text[i + power] == '-'), "0123456789") : 0;
            if (digits) {
                buffer_printf(out, "^{%.*s}", (int)digits, text + i + power);
                i += power + digits - 1;
                i += i + 2 == part.bytes && text[i + 1] == '.'; // 10**3. is no other number
            } else {
                buffer_append(out, part.decimal_comma && text[i] == ',' ? "." : text + i, 1);
            }
            if (part.formula && text[i] == '.' && !text_ascii_digit(text[i + 1])) { buffer_append(out, "0", 1); }
        }
        if (part.percent && percents) { buffer_append_text(out, "\\%"); }
        if (part.end >= reach) { return; }
        part = verify_next_span(search, part.end);
        buffer_append_text(out, between);
    }
}
static inline bool verify_try_part(VerifySearch *search, VerifyPart part) { // with the spans joined to it, if all can be read
    if (search->first.size == 0) { verify_append_parts(&search->first, search, part, " and ", false); }
    buffer_clear(&search->part);
    verify_append_parts(&search->part, search, part, ",", true);
    if (verify_try(search)) { return true; }
    bool joined = part.reach > part.end;
    part.reach = part.end;
    buffer_clear(&search->part);
    if (joined) { verify_append_parts(&search->part, search, part, "", true); }
    return joined && verify_try(search);
}

// ---- plain numbers
// Whether a number may begin at `at`: at the start, behind a space or an equals sign; ** may stand between, and
// a currency sign before an amount of money.
static inline bool verify_number_may_begin(const char *text, size_t at, bool money) {
    static const char *const currencies[] = {"$", "€", "£", "¥", "₹", "₽", "₪", "₩", "₫", "฿", "₡", "₤", "₦", "₨", "₱", "₲", "₴", "₵", "₸", "₺", "₼", "₾", "₿"};
    for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]) && money; i++) {
        size_t bytes = strlen(currencies[i]);
        if (at < bytes || memcmp(text + at - bytes, currencies[i], bytes)) { continue; }
        at -= bytes;
        break;
    }
    if (at >= 2 && !memcmp(text + at - 2, "**", 2)) { at -= 2; }
    return at == 0 || text[at - 1] == '=' || text_is_space((unsigned char)text[at - 1]);
}
// The number that begins at `at`: 1,234.5 and 1 234, 3.14 and 3,14, .5, 42, with its sign and percent sign.
static inline VerifyPart verify_number_at(const char *text, size_t at) {
    bool sign = text[at] == '-', grouped = false;
    if (!text[at] || !strchr("0123456789-.", text[at]) || !verify_number_may_begin(text, at, true)) { return (VerifyPart){0}; }
    const char *digits = text + at + sign, *p = digits + strspn(digits, "0123456789");
    bool whole = p > digits;
    if (!whole && (sign || *p != '.' || !text_ascii_digit(p[1]))) { return (VerifyPart){0}; }
    const char *group = p;
    while (whole && *digits != '0' && p - digits <= 3 && (*group == ',' || *group == ' ') && strspn(group + 1, "0123456789") >= 3) { // the last group may run on
        grouped = true;
        group += 4;
        if (text_ascii_digit(*group)) { break; }
    }
    if (grouped) { p = group; }
    bool decimal = (*p == '.' || (*p == ',' && whole && !grouped)) && text_ascii_digit(p[1]);
    bool comma = decimal && *p == ',';
    if (decimal) { p += 1 + strspn(p + 1, "0123456789"); }
    size_t end = (size_t)(p - text), percent = verify_percent_bytes(p);
    return (VerifyPart){.start = at, .bytes = end - at, .end = end + percent, .reach = end + percent, .grouped = grouped, .decimal_comma = comma, .percent = percent > 0};
}
// The sum, product or quotient of numbers that begins at `at`, such as 3/4, with a point, comma, colon, space, dollar sign or
// the end behind it.
static inline VerifyPart verify_formula_at(VerifySearch *search, size_t at) {
    const char *text = search->text;
    static const char *const ends = ".,:)$ \n\t\r"; // and the NUL
    const char *first = text + at + (text[at] == '-');
    first += *first == '(';
    first += *first == '-';
    if (!text_ascii_digit(*first) || !verify_number_may_begin(text, at, false)) { return (VerifyPart){0}; }
    const char *operation = NULL, *end = NULL;
    const char *p = text + search->no_operation > first ? text + search->no_operation : first + 1;
    for (; p - first < VERIFY_MAX_FORMULA; p++) { // the longest with an operation and something behind it
        if (operation && p > operation + 1 && strchr(ends, *p)) { end = p; }
        if (!*p || !strchr("0123456789. \n\t\r+-*/^()", *p)) { break; }
        if (!operation && strchr("+-*/^()", *p)) { operation = p; }
    }
    if (!operation) { search->no_operation = (size_t)(p - text); }
    if (!end) { return (VerifyPart){0}; }
    return (VerifyPart){.start = at, .bytes = (size_t)(end - text) - at, .end = (size_t)(end - text), .reach = (size_t)(end - text), .formula = true};
}
static inline VerifyPart verify_part_at(VerifySearch *search, int kind, size_t at) {
    return kind == VERIFY_SPAN ? verify_spans_at(search, at) : kind == VERIFY_FORMULA ? verify_formula_at(search, at)
                                                                                      : verify_number_at(search->text, at);
}

// ---- the search
static inline bool verify_is_followed_by(const VerifySearch *search, VerifyPart part, const char *behind) { // after a point and a space, which may be missing
    const char *rest = search->text + part.reach + (search->text[part.reach] == '.');
    return verify_begins(rest + text_is_space((unsigned char)*rest), behind);
}
// The first span, and the first formula or number, that begin in the `within` bytes from `from` on; the one that ends last
// goes first. "answer: x = 5": a number behind the last equals sign of the line and a space comes before others.
static inline bool verify_try_near(VerifySearch *search, size_t from, size_t within, const char *behind) {
    VerifyPart parts[2] = {{0}}; // span, plain
    verify_forget(search);
    for (size_t at = from; at < search->bytes && at <= from + within && !parts[0].end; at++) { parts[0] = verify_spans_at(search, at); }
    size_t line = strcspn(search->text + from, "\n"), last = 2 * within < line ? 2 * within : line, equals = 0;
    for (size_t at = from; at < from + last; at++) {
        size_t spaces = search->text[at] == '=' ? verify_spaces(search->text + at + 1) : 0;
        if (spaces && (verify_formula_at(search, at + 1 + spaces).end || verify_number_at(search->text, at + 1 + spaces).end)) { equals = at + 1 + spaces; }
    }
    for (size_t at = equals ? equals : from; at < search->bytes && at <= (equals ? equals : from) + (line < within ? line : within) && !parts[1].end; at++) {
        parts[1] = verify_formula_at(search, at);
        if (!parts[1].end) { parts[1] = verify_number_at(search->text, at); }
    }
    for (int turn = 0; turn < 2; turn++) {
        VerifyPart *part = &parts[(parts[1].reach > parts[0].reach) ^ (turn == 1)];
        if (part->end && verify_is_followed_by(search, *part, behind) && verify_try_part(search, *part)) { return true; }
    }
    return false;
}
// Behind the last occurrences of `phrase`, in any case.
static inline bool verify_try_behind(VerifySearch *search, const char *phrase, size_t within, const char *behind) {
    size_t phrase_bytes = strlen(phrase);
    int tried = 0;
    for (size_t at = search->bytes; at-- > 0 && tried < VERIFY_MAX_PHRASES;) {
        if ((search->text[at] | 32) != *phrase || strncasecmp(search->text + at, phrase, phrase_bytes)) { continue; }
        tried++;
        size_t from = at + phrase_bytes;
        if (!within) { // nothing but a colon and spaces may stand between
            from += search->text[from] == ':';
            from += verify_spaces(search->text + from);
        }
        if (verify_try_near(search, from, within, behind)) { return true; }
    }
    return false;
}
typedef struct {
    VerifyPart *parts;
    size_t count, capacity;
} VerifyParts;
static inline VerifyParts verify_collect(VerifySearch *search, int kind) { // all of a kind, one behind the other
    VerifyParts found = {0};
    verify_forget(search);
    for (size_t at = 0; at < search->bytes; at++) {
        VerifyPart part = verify_part_at(search, kind, at);
        if (!part.end) { continue; }
        if (found.count == found.capacity) {
            found.capacity = found.capacity * 2 + 16;
            found.parts = (VerifyPart *)host_realloc(found.parts, found.capacity * sizeof(VerifyPart));
        }
        found.parts[found.count++] = part;
        at = part.reach - 1;
    }
    return found;
}
static inline bool verify_try_all(VerifySearch *search) { // any part, from the last
    VerifyParts found[VERIFY_PART_KINDS];
    for (int kind = 0; kind < VERIFY_PART_KINDS; kind++) { found[kind] = verify_collect(search, kind); }
    bool done = false;
    while (!done && search->tries < VERIFY_MAX_TRIES) {
        int last = -1;
        for (int kind = 0; kind < VERIFY_PART_KINDS; kind++) {
            if (found[kind].count && (last < 0 || found[kind].parts[found[kind].count - 1].reach > found[last].parts[found[last].count - 1].reach)) { last = kind; }
        }
        if (last < 0) { break; }
        done = verify_try_part(search, found[last].parts[--found[last].count]);
    }
    for (int kind = 0; kind < VERIFY_PART_KINDS; kind++) { free(found[kind].parts); }
    return done;
}
static inline bool verify_try_boxed_spans(VerifySearch *search) { // spans with boxes in them, where the last box cannot be read
    VerifyParts spans = strstr(search->text, "\\boxed{") ? verify_collect(search, VERIFY_SPAN) : (VerifyParts){0};
    bool done = false;
    for (; !done && spans.count > 0 && search->tries < VERIFY_MAX_TRIES; spans.count--) {
        VerifyPart part = spans.parts[spans.count - 1];
        buffer_clear(&search->part);
        done = verify_extract_boxes(&search->part, search->text + part.start, part.bytes) && verify_try(search);
    }
    free(spans.parts);
    return done;
}
static inline bool verify_try_boxes(VerifySearch *search) { // an \fbox counts behind a \boxed only
    const char *box = strstr(search->text, "\\boxed{");
    buffer_clear(&search->part);
    return box && verify_extract_boxes(&search->part, box, search->bytes - (size_t)(box - search->text)) && verify_try(search);
}
// What lies before </think> is not looked at. NULL, or why there is no answer. `first` (may be NULL) is the part that came
// first, even if it was no mathematics: two answers of the same text are equal whatever it says.
static inline const char *verify_extract(Buffer *answer, Buffer *first, const char *text, size_t bytes) {
    const char *thought = NULL, *close = "</think>";
    for (const char *at = text; (at = (const char *)memmem(at, bytes - (size_t)(at - text), close, 8)); at += 8) { thought = at + 8; }
    size_t skipped = thought ? (size_t)(thought - text) : 0;
    Buffer copy = text_copy(text + skipped, bytes - skipped); // ends in a NUL
    VerifySearch search = {.text = copy.data, .bytes = copy.size};
    bool done = verify_try_behind(&search, "final answer is", 0, "I hope") || verify_try_boxes(&search) || verify_try_behind(&search, "final answer is", 0, "") || verify_try_boxed_spans(&search) || verify_try_behind(&search, "answer:", 50, "") ||
                verify_try_behind(&search, "answer", 50, "") || verify_try_all(&search);
    const Buffer *best = done ? &search.part : &search.first;
    bool any = best->size > 0;
    if (any) { buffer_append(answer, best->data, best->size); }
    if (any && first) { buffer_append(first, search.first.data, search.first.size); }
    Buffer *buffers[] = {&copy, &search.first, &search.part};
    for (int i = 0; i < 3; i++) { buffer_free(buffers[i]); }
    return any ? NULL : "no answer";
}
// The normal forms of a part already taken out, and of what in it is mathematics: of the whole, if it is. `head` and `tail`
// are what stood around it where it came from, which matters when only a number in it can be read; without a head nothing
// else is looked for.
static inline void verify_read(Buffer *normal, Buffer *first, const char *text, size_t bytes, const char *head, const char *tail) {
    Buffer part = {0}, whole = {0};
    if (!verify_extract_boxes(&part, text, bytes)) { text_assign(&part, text, bytes); }
    verify_normalize(first, part.data, part.size);
    if (!head || verify_is_readable(first)) {
        text_assign(normal, first->data, first->size);
    } else {
        buffer_append_text(&whole, head);
        buffer_append(&whole, text, bytes);
        buffer_append_text(&whole, tail);
        buffer_clear(&part);
        verify_extract(&part, NULL, whole.data, whole.size);
        verify_normalize(normal, part.data, part.size);
    }
    buffer_free(&whole);
    buffer_free(&part);
}
