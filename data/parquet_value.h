// parquet_value: one Parquet value as JSON.
//
// Numbers and booleans are themselves. NaN and the infinities, which JSON lacks, are the strings "NaN", "Infinity", "-Infinity".
// Text is a string. Bytes without a meaning are a string if they are valid UTF-8 (old writers leave the annotation out),
// otherwise \x and hexadecimal digits. A decimal is a string with all its digits, "12.30". Dates and times are ISO 8601
// strings in the proleptic Gregorian calendar. Unsigned 64-bit numbers beyond 2^63 - 1 are strings of digits.
#pragma once
#include <inttypes.h>
#include <math.h>
#include "parquet_schema.h"

static inline json_t *value_number_json(double number) {
    if (isnan(number)) { return json_string("NaN"); }
    if (isinf(number)) { return json_string(number > 0 ? "Infinity" : "-Infinity"); }
    return json_real(number);
}
static inline double value_half_to_double(unsigned bits) { // IEEE 754 binary16
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double size = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY) : exponent ? ldexp(1024 + fraction, exponent - 25)
                                                                                          : ldexp(fraction, -24);
    return bits >> 15 ? -size : size;
}
static inline json_t *value_bytes_json(Bytes value, const char *prefix) {
    Buffer text = {0};
    buffer_append_text(&text, prefix);
    for (size_t i = 0; i < value.size; i++) { buffer_printf(&text, "%02x", value.data[i]); }
    json_t *json = json_stringn(text.data, text.size);
    buffer_free(&text);
    return json;
}

// Big-endian two's complement (or a little-endian INT32 or INT64) with `scale` decimals; of any length, by long division.
static inline json_t *value_decimal_json(Bytes value, bool is_integer, int scale) {
    enum { LONGEST = 64 };
    unsigned char digits[LONGEST] = {0};
    size_t count = value.size;
    if (count == 0 || count > LONGEST) { return value_bytes_json(value, "\\x"); }
    for (size_t i = 0; i < count; i++) { digits[i] = value.data[is_integer ? count - 1 - i : i]; }
    bool is_negative = digits[0] & 0x80;
    for (size_t i = count, carry = 1; is_negative && i-- > 0;) { // negate
        carry += (unsigned char)~digits[i];
        digits[i] = (unsigned char)carry;
        carry >>= 8;
    }
    char text[1400]; // a scale of up to 1000, 155 digits, sign, point
    size_t at = sizeof(text) - 1;
    text[at] = 0;
    bool is_zero = false;
    for (int place = 0; place <= scale || !is_zero; place++) {
        if (place == scale && scale > 0) { text[--at] = '.'; }
        unsigned remainder = 0;
        is_zero = true;
        for (size_t i = 0; i < count; i++) {
            unsigned part = remainder << 8 | digits[i];
            digits[i] = (unsigned char)(part / 10);
            remainder = part % 10;
            is_zero = is_zero && digits[i] == 0;
        }
        text[--at] = (char)('0' + remainder);
    }
    if (is_negative) { text[--at] = '-'; }
    return json_string(text + at);
}

// Days since 1970-01-01 to a date: years counted from March, so that the leap day is the last of its year.
static inline int value_print_date(char *out, size_t bytes, int64_t days) {
    days += 719468;                                                                       // since 0000-03-01
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day = days - era * 146097; // 400 years repeat
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365, month;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    return snprintf(out, bytes, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year + era * 400 + (month <= 2), month, day + 1);
}
static inline void value_print_time(char *out, size_t bytes, int64_t ticks, int unit_digits) { // since midnight
    int64_t unit = unit_digits == 3 ? 1000 : unit_digits == 6 ? 1000000
                                                              : 1000000000,
            seconds = ticks / unit;
    int used = snprintf(out, bytes, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (ticks % unit) { snprintf(out + used, bytes - (size_t)used, ".%0*" PRId64, unit_digits, ticks % unit); }
}
static inline json_t *value_timestamp_json(int64_t days, int64_t ticks, int unit_digits, bool is_utc) {
    char text[128];
    int used = value_print_date(text, sizeof(text), days);
    text[used++] = 'T';
    value_print_time(text + used, sizeof(text) - (size_t)used, ticks, unit_digits);
    if (is_utc) { strcat(text, "Z"); }
    return json_string(text);
}

// NULL only for text that is not valid UTF-8.
static inline json_t *parquet_value_json(const ParquetField *field, Bytes value) {
    bool is_integer = field->physical == PHYSICAL_INT32 || field->physical == PHYSICAL_INT64;
    uint64_t bits = is_integer ? bytes_read_unsigned(value.data, value.size) : 0;
    int64_t integer = field->physical == PHYSICAL_INT32 ? (int32_t)bits : (int64_t)bits;
    char text[128];
    switch (field->meaning) {
    case MEANING_TEXT:
        return json_stringn(value.size ? (const char *)value.data : "", value.size);
    case MEANING_DECIMAL:
        return value_decimal_json(value, is_integer, field->scale);
    case MEANING_DATE:
        value_print_date(text, sizeof(text), integer);
        return json_string(text);
    case MEANING_TIME:
        if (integer < 0) { return json_integer(integer); }
        value_print_time(text, sizeof(text), integer, field->unit_digits);
        return json_string(text);
    case MEANING_TIMESTAMP: {
        int64_t day = 86400 * (field->unit_digits == 3 ? 1000ll : field->unit_digits == 6 ? 1000000ll
                                                                                          : 1000000000ll);
        int64_t days = integer / day - (integer % day < 0);
        return value_timestamp_json(days, integer % day + (integer % day < 0 ? day : 0), field->unit_digits, field->is_utc);
    }
    case MEANING_UNSIGNED:
        if (bits <= INT64_MAX) { return json_integer((json_int_t)bits); }
        snprintf(text, sizeof(text), "%" PRIu64, bits);
        return json_string(text);
    case MEANING_FLOAT16:
        return value_number_json(value_half_to_double((unsigned)bytes_read_unsigned(value.data, 2)));
    case MEANING_UUID:
        return value_bytes_json(value, "");
    case MEANING_PLAIN:
        break;
    }
    float single;
    double number;
    switch (field->physical) {
    case PHYSICAL_BOOLEAN:
        return json_boolean(value.data[0]);
    case PHYSICAL_INT32:
    case PHYSICAL_INT64:
        return json_integer(integer);
    case PHYSICAL_INT96: { // Spark's and Impala's old timestamp: nanoseconds of the day, Julian day
        int64_t nanoseconds = (int64_t)bytes_read_unsigned(value.data, 8), day = (int64_t)bytes_read_unsigned(value.data + 8, 4) - 2440588;
        return nanoseconds < 0 ? value_bytes_json(value, "\\x") : value_timestamp_json(day, nanoseconds, 9, false);
    }
    case PHYSICAL_FLOAT:
        memcpy(&single, value.data, 4);
        return value_number_json((double)single);
    case PHYSICAL_DOUBLE:
        memcpy(&number, value.data, 8);
        return value_number_json(number);
    default:
        break;
    }
    json_t *json = json_stringn(value.size ? (const char *)value.data : "", value.size);
    return json ? json : value_bytes_json(value, "\\x");
}
