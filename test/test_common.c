// common, dtype, random: the small things that everything else stands on.
#include "check.h"
#include "llmc/json.h"
#include "llmc/random.h"

int main(void) {
    device_init();
    // bf16: round to nearest even, and a NaN of any payload stays a NaN
    check(bf16_from_float(1.0f) == 0x3F80, "1.0 in bf16");
    check(bf16_from_float(1.00390625f) == 0x3F80, "a tie rounds to even, down");
    check(bf16_from_float(1.01171875f) == 0x3F82, "a tie rounds to even, up");
    uint32_t nans[] = {0x7FFFFFFFu, 0xFFFFFFFFu, 0x7F800001u, 0x7FC00000u};
    for (int i = 0; i < 4; i++) {
        float nan;
        memcpy(&nan, &nans[i], 4);
        check(isnan(bf16_to_float(bf16_from_float(nan))), "NaN %08x survives bf16", nans[i]);
    }
    check(isinf(bf16_to_float(bf16_from_float(INFINITY))), "infinity survives bf16");

    // random: mean, variance and the absence of repeats over neighbouring counters
    double sum = 0, square = 0, normal = 0, normal_square = 0;
    enum { DRAWS = 100000 };
    for (int i = 0; i < DRAWS; i++) {
        float u = random_uniform(7, (uint64_t)i), z = random_normal(8, (uint64_t)i);
        check(u >= 0 && u < 1, "uniform in [0, 1)");
        sum += u, square += u * u, normal += z, normal_square += z * z;
    }
    check(fabs(sum / DRAWS - 0.5) < 4 / sqrt(12.0 * DRAWS), "mean of the uniform draw"); // four standard errors
    check(fabs(square / DRAWS - 1.0 / 3) < 4 * sqrt(4.0 / 45 / DRAWS), "second moment of the uniform draw");
    check(fabs(normal / DRAWS) < 4 / sqrt((double)DRAWS), "mean of the normal draw");
    check(fabs(normal_square / DRAWS - 1) < 4 * sqrt(2.0 / DRAWS), "variance of the normal draw");

    Error error;
    check(!json_parse("{\"a\":1,\"a\":2}", 13, "twice", &error), "a duplicate key is refused");
    check(!json_parse("{\"a\":", 5, "cut", &error) && strstr(error.text, "cut: not valid JSON"), "cut JSON names its source");
    Buffer buffer = {0};
    check(!file_read("/nonexistent", &buffer, &error) && strstr(error.text, "/nonexistent"), "a missing file is named");
    buffer_free(&buffer);
    return check_report("test_common");
}
