// parquet_schema: the footer's schema as a tree of fields, each with the two levels that place its values in rows.
//
// Parquet stores a nested table as flat columns. Beside each value stand two small numbers (Dremel; Melnik and others, VLDB 2010):
//   definition  how many of the optional or repeated fields on the way to it are present
//   repetition  at which repeated field on the way it starts a new element (0: a new row)
// A field is present in an entry if the entry's definition level reaches the field's own.
//
// Fields lie in one array in the file's order (a parent, then its subtree), so the children of fields[i] begin at i + 1 and
// the field beside it is fields[i].next. Columns are the leaves, in the same order.
#pragma once
#include <jansson.h>
#include "parquet_thrift.h"
#include "parquet_values.h"

enum { REQUIRED,
       OPTIONAL,
       REPEATED };
enum { PARQUET_DEPTH_LIMIT = 64,
       PARQUET_FIELD_LIMIT = 1 << 20 };

// What a field's value is in a row.
typedef enum { SHAPE_VALUE,
               SHAPE_STRUCT,
               SHAPE_LIST,
               SHAPE_MAP } FieldShape;
// What a leaf's bytes mean, from the logical or the older converted type.
typedef enum { MEANING_PLAIN,
               MEANING_TEXT,
               MEANING_DECIMAL,
               MEANING_DATE,
               MEANING_TIME,
               MEANING_TIMESTAMP,
               MEANING_UNSIGNED,
               MEANING_FLOAT16,
               MEANING_UUID } Meaning;

typedef struct {
    char *name;
    int repetition;
    FieldShape shape;
    bool is_element_wrapper; // a repeated group that exists only to repeat its one child
    bool skipped;            // not among the columns asked for
    size_t next, children;
    int depth; // 0: the root
    int definition_level, repetition_level;
    size_t first_leaf, leaf_count; // columns below
    // leaves only
    int physical, fixed_length;
    Meaning meaning;
    int scale;       // of a decimal
    int unit_digits; // of a time: 3, 6 or 9 decimals of a second
    bool is_utc;     // of a timestamp
} ParquetField;

typedef struct {
    ParquetField *fields; // [0] is the root
    size_t count;
    size_t leaf_count;
    size_t *leaves; // field of each column
} ParquetSchema;

static inline void parquet_schema_free(ParquetSchema *schema) {
    for (size_t i = 0; i < schema->count; i++) { free(schema->fields[i].name); }
    free(schema->fields);
    free(schema->leaves);
    *schema = (ParquetSchema){0};
}

// ---- types
static inline int schema_read_unit(ThriftReader *t) { // union of empty structs: 1 ms, 2 us, 3 ns
    int id = 0, type, digits = 0;
    while (thrift_field(t, &id, &type)) {
        digits = 3 * id;
        thrift_skip(t, type, false, 1);
    }
    return digits;
}
static inline void schema_read_logical_type(ThriftReader *t, ParquetField *field) { // a union: one field, whose id is the kind
    int kind = 0, type;
    while (thrift_field(t, &kind, &type)) {
        if (type != THRIFT_STRUCT) {
            thrift_skip(t, type, false, 1);
            continue;
        }
        int id = 0, inner;
        bool is_signed = true;
        while (thrift_field(t, &id, &inner)) {
            if (kind == 5 && id == 1) {
                field->scale = thrift_int32(t, inner);
            } else if (kind == 10 && id == 2) {
                is_signed = thrift_bool(t, inner);
            } else if (kind == 8 && id == 1) {
                field->is_utc = thrift_bool(t, inner);
            } else if ((kind == 7 || kind == 8) && id == 2 && inner == THRIFT_STRUCT) {
                field->unit_digits = schema_read_unit(t);
            } else {
                thrift_skip(t, inner, false, 1);
            }
        }
        switch (kind) {
        case 1:
        case 4:
        case 12:
            field->meaning = MEANING_TEXT;
            break; // STRING, ENUM, JSON
        case 2:
            field->shape = SHAPE_MAP;
            break;
        case 3:
            field->shape = SHAPE_LIST;
            break;
        case 5:
            field->meaning = MEANING_DECIMAL;
            break;
        case 6:
            field->meaning = MEANING_DATE;
            break;
        case 7:
            field->meaning = MEANING_TIME;
            break;
        case 8:
            field->meaning = MEANING_TIMESTAMP;
            break;
        case 10:
            field->meaning = is_signed ? MEANING_PLAIN : MEANING_UNSIGNED;
            break;
        case 14:
            field->meaning = MEANING_UUID;
            break;
        case 15:
            field->meaning = MEANING_FLOAT16;
            break;
        default:
            break; // a newer kind: the physical value is given
        }
    }
}
static inline void schema_apply_converted_type(ParquetField *field, int converted) {
    switch (converted) {
    case 0:
    case 4:
    case 19:
        field->meaning = MEANING_TEXT;
        break; // UTF8, ENUM, JSON
    case 1:
    case 2:
        field->shape = SHAPE_MAP;
        break; // MAP, MAP_KEY_VALUE
    case 3:
        field->shape = SHAPE_LIST;
        break;
    case 5:
        field->meaning = MEANING_DECIMAL;
        break;
    case 6:
        field->meaning = MEANING_DATE;
        break;
    case 7:
    case 8:
        field->meaning = MEANING_TIME, field->unit_digits = converted == 7 ? 3 : 6;
        break;
    case 9:
    case 10:
        field->meaning = MEANING_TIMESTAMP, field->unit_digits = converted == 9 ? 3 : 6, field->is_utc = true;
        break;
    case 11:
    case 12:
    case 13:
    case 14:
        field->meaning = MEANING_UNSIGNED;
        break;
    default:
        break;
    }
}
// A meaning that the physical type cannot carry is dropped, and the plain value is given.
static inline void schema_settle_meaning(ParquetField *field) {
    bool is_integer = field->physical == PHYSICAL_INT32 || field->physical == PHYSICAL_INT64;
    bool is_bytes = field->physical == PHYSICAL_BYTE_ARRAY || field->physical == PHYSICAL_FIXED, fits = true;
    switch (field->meaning) {
    case MEANING_PLAIN:
        break;
    case MEANING_TEXT:
        fits = is_bytes;
        break;
    case MEANING_DECIMAL:
        fits = (is_integer || is_bytes) && field->scale >= 0 && field->scale <= 1000;
        break;
    case MEANING_DATE:
        fits = field->physical == PHYSICAL_INT32;
        break;
    case MEANING_TIME:
        fits = is_integer && field->unit_digits >= 3 && field->unit_digits <= 9;
        break;
    case MEANING_TIMESTAMP:
        fits = field->physical == PHYSICAL_INT64 && field->unit_digits >= 3 && field->unit_digits <= 9;
        break;
    case MEANING_UNSIGNED:
        fits = is_integer;
        break;
    case MEANING_FLOAT16:
        fits = field->physical == PHYSICAL_FIXED && field->fixed_length == 2;
        break;
    case MEANING_UUID:
        fits = field->physical == PHYSICAL_FIXED && field->fixed_length == 16;
        break;
    }
    if (!fits) { field->meaning = MEANING_PLAIN; }
}

// ---- one SchemaElement
static inline const char *schema_read_element(ThriftReader *t, ParquetField *field, int *child_count) {
    int id = 0, type, converted = -1, scale = 0;
    size_t bytes = 0;
    const char *name = "";
    *field = (ParquetField){.physical = -1};
    *child_count = 0;
    while (thrift_field(t, &id, &type)) {
        switch (id) {
        case 1:
            field->physical = thrift_int32(t, type);
            break;
        case 2:
            field->fixed_length = thrift_int32(t, type);
            break;
        case 3:
            field->repetition = thrift_int32(t, type);
            break;
        case 4:
            name = thrift_binary(t, type, &bytes);
            break;
        case 5:
            *child_count = thrift_int32(t, type);
            break;
        case 6:
            converted = thrift_int32(t, type);
            break;
        case 7:
            scale = thrift_int32(t, type);
            break;
        case 10:
            if (type == THRIFT_STRUCT) {
                schema_read_logical_type(t, field);
            } else {
                thrift_skip(t, type, false, 1);
            }
            break;
        default:
            thrift_skip(t, type, false, 1);
        }
    }
    if (t->fault) { return t->fault; }
    if (field->meaning == MEANING_PLAIN && field->shape == SHAPE_VALUE) { // older files have the converted type alone
        schema_apply_converted_type(field, converted);
        field->scale = scale;
    }
    json_t *text = json_stringn(name, bytes);
    bool readable = text && !memchr(name, 0, bytes);
    json_decref(text);
    field->name = (char *)host_alloc(bytes + 1);
    memcpy(field->name, name, bytes);
    if (!readable) { return "a field's name is not text"; }
    if (field->repetition < REQUIRED || field->repetition > REPEATED) { return "a field is neither required, optional nor repeated"; }
    if (*child_count == 0) {
        if (field->physical < 0 || field->physical >= PHYSICAL_COUNT) { return "a field has neither a known type nor fields below it"; }
        if (field->fixed_length < 0 || field->fixed_length > (1 << 24)) { return "a field's fixed length is out of range"; }
        field->shape = SHAPE_VALUE;
        schema_settle_meaning(field);
    } else if (*child_count < 0) {
        return "a field has a negative number of fields below it";
    } else if (field->shape == SHAPE_VALUE) {
        field->shape = SHAPE_STRUCT;
    }
    return NULL;
}

// ---- the tree
// Decides how the annotated group at `at` repeats, by structure (parquet-format, LogicalTypes.md, with its rules for files
// from before the standard); a LIST or MAP that is built like neither is given as the struct that it is.
static inline void schema_settle_shape(ParquetSchema *schema, size_t at) {
    ParquetField *field = &schema->fields[at];
    if (field->shape != SHAPE_LIST && field->shape != SHAPE_MAP) { return; }
    ParquetField *repeated = &schema->fields[at + 1];
    if (field->children != 1 || repeated->repetition != REPEATED) {
        field->shape = SHAPE_STRUCT;
    } else if (field->shape == SHAPE_MAP && repeated->shape != SHAPE_VALUE && repeated->children == 2) {
        const ParquetField *key = &schema->fields[at + 2];
        repeated->shape = SHAPE_STRUCT;
        if (key->children > 0 || key->physical != PHYSICAL_BYTE_ARRAY || key->repetition == REPEATED) { field->shape = SHAPE_LIST; } // of {key, value}
    } else {                                                                                                                         // a map that has keys alone is a list
        field->shape = SHAPE_LIST;
        size_t length = strlen(repeated->name), suffix = strlen("_tuple");
        bool is_tuple = !strcmp(repeated->name, "array") || (length >= suffix && !strcmp(repeated->name + length - suffix, "_tuple"));
        repeated->is_element_wrapper = repeated->shape == SHAPE_STRUCT && repeated->children == 1 && !is_tuple && schema->fields[at + 2].repetition != REPEATED;
    }
}
// Places the subtree whose root is fields[at]; child_counts come from the file. Returns a fault or NULL.
static inline const char *schema_place(ParquetSchema *schema, const int *child_counts, size_t at, int depth, int definition, int repetition) {
    ParquetField *field = &schema->fields[at];
    if (depth > PARQUET_DEPTH_LIMIT) { return "the schema is nested too deeply"; }
    if (at > 0) {
        definition += field->repetition != REQUIRED;
        repetition += field->repetition == REPEATED;
    }
    field->depth = depth, field->definition_level = definition, field->repetition_level = repetition;
    field->first_leaf = schema->leaf_count;
    field->children = (size_t)child_counts[at];
    size_t next = at + 1;
    if (field->children == 0) { schema->leaves[schema->leaf_count++] = at; }
    for (size_t i = 0; i < field->children; i++) {
        if (next >= schema->count) { return "the schema ends before all fields are there"; }
        const char *fault = schema_place(schema, child_counts, next, depth + 1, definition, repetition);
        if (fault) { return fault; }
        next = schema->fields[next].next;
    }
    field->next = next;
    field->leaf_count = schema->leaf_count - field->first_leaf;
    schema_settle_shape(schema, at);
    return NULL;
}
// Reads the footer's list of SchemaElements. Returns a fault or NULL; free the schema in either case.
static inline const char *parquet_schema_read(ParquetSchema *schema, ThriftReader *t, int type) {
    int element_type;
    size_t count = thrift_list(t, type, &element_type);
    if (t->fault || count == 0 || element_type != THRIFT_STRUCT) { return "the schema is missing"; }
    if (count > PARQUET_FIELD_LIMIT) { return "the schema has more than a million fields"; }
    schema->fields = (ParquetField *)host_alloc(count * sizeof(ParquetField));
    schema->leaves = (size_t *)host_alloc(count * sizeof(size_t));
    int *child_counts = (int *)host_alloc(count * sizeof(int));
    const char *fault = NULL;
    for (size_t i = 0; i < count && !fault; i++) {
        fault = schema_read_element(t, &schema->fields[i], &child_counts[i]);
        schema->count = i + 1;
    }
    if (!fault && child_counts[0] == 0) { fault = "the schema has no columns"; }
    if (!fault) { fault = schema_place(schema, child_counts, 0, 0, 0, 0); }
    if (!fault && schema->fields[0].next != schema->count) { fault = "the schema has fields that belong nowhere"; }
    if (!fault) { schema->fields[0].shape = SHAPE_STRUCT; }
    free(child_counts);
    return fault;
}
