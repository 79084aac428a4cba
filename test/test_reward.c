// The grader: each stage by hand, hostile text that must end at once, many threads, and the verdict file where it is present.
#include "check.h"
#include "llmc/reward.h"

// ---- stages
static void check_stage(void (*stage)(Buffer *, const char *, size_t), const char *const cases[][2], size_t count, const char *name) {
    Buffer got = {0};
    for (size_t i = 0; i < count; i++) {
        stage(&got, cases[i][0], strlen(cases[i][0]));
        check(!strcmp(got.data, cases[i][1]), "%s of \"%s\": got \"%s\", want \"%s\"", name, cases[i][0], got.data, cases[i][1]);
    }
    buffer_free(&got);
}
static void test_mathd(void) {
    static const char *const cases[][2] = {
        {" \\text{ yes } ", "yes"},
        {"\\frac12", "\\frac{1}{2}"},
        {"\\dfrac1{72} + \\tfrac34", "\\frac{1}{72}+\\frac{3}{4}"},
        {"\\frac{1}2", "\\frac{1}2"}, // the original's own gap
        {"\\frac", "\\frac"},         // it raises: the answer stays
        {"\\frac1", "\\frac1"},
        {"3/4", "\\frac{3}{4}"},
        {"-3/4", "\\frac{-3}{4}"},
        {"03/4", "03/4"},
        {"3/4/5", "3/4/5"},
        {"0.5", "\\frac{1}{2}"},
        {".5", "\\frac{1}{2}"},
        {"x=.25", ".25"}, // the 0 is only added before "x=" is dropped
        {"x = 5", "5"},
        {"abc=5", "abc=5"},
        {"a=b=c", "a=b=c"},
        {"θ=5", "5"}, // two characters, not two bytes
        {"\\sqrt3+\\sqrt{2}", "\\sqrt{3}+\\sqrt{2}"},
        {"\\sqrt", "\\sqrt"},
        {"\\sqrtπ", "\\sqrt{π}"},
        {"5\\text{ cm}", "5"},
        {"1\\text{ a}\\text{ b}", "1\\text{ a}\\text{ b}"},
        {"90^\\circ", "90"},
        {"90^{\\circ}", "90"},
        {"\\left(1,\\!2\\right)", "(1,2)"},
        {"50\\%", "50"},
        {"\\$5", "5"},
        {"", ""},
    };
    check_stage(mathd_normalize, cases, sizeof(cases) / sizeof(cases[0]), "mathd");
}
static void test_normalize(void) {
    static const char *const cases[][2] = {
        {"\\frac{a}{b}", "a/b"},
        {"7 \\frac{3}{4}", "7+3/4"},
        {"7 3/4", "7+3/4"},
        {"1 2 3", "1+23"}, // a digit joins once
        {"\\sqrt[3]{x+1}", "sqrt(x+1)"},
        {"2\\pi", "2pi"},
        {"3 \\times 10^{4}", "3*10^4"},
        {"\\infty", "inf"},
        {"(0,1)\\cup(2,3)", "(0,1)u(2,3)"},
        {"5 \\text{ cm}^2", "5^2"},
        {"5cm^2", "5"},
        {"3 feet", "3"},
        {"3 metres", "3metres"},
        {"4 million", "4*10^6"},
        {"1,000,000", "1000000"},
        {"1,234,567,890", "1,234,567,890"}, // one pass uses up every other comma, so this is no integer
        {"3.0", "3"},
        {"-0.0", "0"},
        {"1e3", "1000"},
        {"2.99999999", "3"},
        {"x or y", "x,y"},
        {"- 3", "-3"},
        {"\\text{Yes}", "yes"},
        {"{5}", "5"},
        {"\\begin{pmatrix} 1 & 2 \\\\ a & b \\end{pmatrix}", "[1+2;ab]"},
        {"\\frac\\pi2", "pi/2"},
        {"\\frac{1}", "%s/%s1"}, // the original's text for a missing argument
        {"\\sqrt", "\\sqrt"},    // it raises: the LaTeX stays
        {"\\mathbb{R}", "ℝ"},
        {"\\unknown{x}", "x"},
        {"a--b \\\\", "a–b"},
        {"\\(x\\)\\]", "x"},
        {"\\}5\\{", "5"},
        {"5\\", "5"},
        {"５", "5"}, // digits of any script
        {"90^{\\circ}", "90^∘"},
        {"90^ \\circ", "90"},
        {"nan", "nan"},
        {"", ""},
    };
    check_stage(reward_normalize, cases, sizeof(cases) / sizeof(cases[0]), "normal form");
}
static void test_extraction(void) {
    static const struct {
        const char *text, *answer, *missing;
    } cases[] = {
        {"<think>a</think>\\boxed{4}", "4", NULL},
        {"\\boxed{1}<think>\\boxed{2}</think>so \\boxed{3} and \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}", NULL},
        {"<think></think>\\boxed{4}</think>\\boxed{5}", "4", NULL}, // up to the second closing tag
        {"<think></think>\\boxed{\\text{a}", NULL, "no box"},
        {"<think></think>\\boxed 4", NULL, "no box"},
        {"<think></think>\\fbox{4}", NULL, "no box"}, // the original asks for \boxed first
        {"<think></think>", NULL, "no box"},
        {"</think>\\boxed{4}", NULL, "no think tag"},
        {"<think>\\boxed{4}", NULL, "no think tag"},
        {"</think>\\boxed{4}<think>", "4", NULL}, // in any order
        {"", NULL, "no think tag"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Buffer answer = {0};
        bool found = reward_extract_answer(&answer, cases[i].text, strlen(cases[i].text), GRADER_DEEPSCALER);
        Verdict verdict = reward_grade_response(GRADER_DEEPSCALER, cases[i].text, strlen(cases[i].text), "\"4\"");
        check(found == (cases[i].answer != NULL), "extraction from %s", cases[i].text);
        if (cases[i].answer) { check_text(answer.data, cases[i].answer, cases[i].text); }
        if (cases[i].missing) { check_text(verdict.reason, cases[i].missing, cases[i].text); }
        buffer_free(&answer);
    }
}

// ---- verdicts
static void test_verdicts(void) {
    static const struct {
        const char *answer, *truth_json, *reason;
    } cases[] = {
        {"4", "\"4\"", "text equal"},
        {"4", "4", "text equal"},
        {"142", "142.0", "text equal"},
        {"0.25", "0.25", "text equal"},
        {"1e-05", "0.00001", "text equal"}, // str() of a float
        {"7", "[\"5\", 7]", "text equal"},
        {"7", "[]", "no truth"},
        {"7", "null", "no truth"},
        {"7", "not json", "no truth"},
        {"7", "\"so \\\\boxed{7}\"", "text equal"},
        {"7", "\"\\\\boxed{7\"", "no truth"},
        {"\\frac{1}{2}", "\"1/2\"", "text equal"},
        {"3\\frac{1}{2}", "\"7/2\"", "equal as expressions"},
        {"0.75", "\"3/4\"", "equal as expressions"},
        {"2/4", "\"1/2\"", "different"}, // an unreduced fraction
        {"2+2", "\"4\"", "different"},   // an integer wants an integer
        {"x(x+1)", "\"x^2+x\"", "equal as expressions"},
        {"2\\sqrt{2}", "\"\\\\sqrt{8}\"", "equal as expressions"},
        {"1/\\sqrt{2}", "\"\\\\frac{\\\\sqrt{2}}{2}\"", "equal as expressions"},
        {"\\sqrt{x^2}", "\"x\"", "different"}, // not for negative x
        {"\\sqrt{2}+10^-30", "\"\\\\sqrt{2}\"", "different"},
        {"3.14159", "\"\\\\pi\"", "different"},
        {"2pi", "\"\\\\pi*2\"", "equal as expressions"},
        {"n!/n", "\"(n-1)!\"", "equal as expressions"},
        {"(n+1)!", "\"(n+1)*n!\"", "equal as expressions"},
        {"1/2x", "\"x/2\"", "equal as expressions"},
        {"2^x*2", "\"2*2^x\"", "equal as expressions"},
        {"-2^2-y", "\"-4-y\"", "equal as expressions"},
        {"-x^2", "\"(-x)^2\"", "different"},
        {"(y-x)/(x-y)", "\"-x^0\"", "equal as expressions"},
        {"1/(x-x)", "\"y\"", "different"},         // undefined
        {"a+b+c", "\"c+b+a\"", "different"},       // three letters are never evaluated
        {"x^{10}+1", "\"1+x^{10}\"", "different"}, // nor powers of two digits
        {"(1,0.5)", "\"(1,1/2)\"", "equal as expressions"},
        {"(1,2)", "\"[1,2]\"", "different"},
        {"(2,1)", "\"(1,2)\"", "different"},
        {"(1,0.5)", "\"(2,1/2)\"", "different"}, // every element counts
        {"2**3**2+x", "\"x+512\"", "equal as expressions"},
        {"1/(x-x)", "\"2/(x-x)\"", "different"},
        {"(1,2,3)", "\"(1,2)\"", "different"},
        {"(1,)", "\"(1,2)\"", "different"},
        {"", "\"4\"", "different"},
        {"", "\"\"", "text equal"},
        {"x)+(y", "\"x-y\"", "equal as expressions"}, // the original pastes text: (x-y)-(x)+(y)
        {"x)+(y", "\"x+y\"", "different"},
        // What sympy's parser makes of Python's numbers and of factorials.
        {"x+0x10", "\"x+16\"", "equal as expressions"},
        {"x+0b101", "\"x+5\"", "equal as expressions"},
        {"x+0o17", "\"x+15\"", "equal as expressions"},
        {"x+0xg", "\"x\"", "equal as expressions"}, // 0 times xg
        {"x*0x", "\"0*x\"", "equal as expressions"},
        {"x+1_0", "\"x+10\"", "equal as expressions"},
        {"2j+x+j", "\"x+2j+j\"", "equal as expressions"}, // 2j is imaginary, j a symbol
        {"2j+x", "\"x+2*j\"", "different"},
        {"j2+x", "\"x+2*j\"", "equal as expressions"},
        {"2^3j*x", "\"8j*x\"", "equal as expressions"},
        {"nx!", "\"(n*x)!\"", "equal as expressions"}, // the factorial of the whole name
        {"nx!", "\"n*(x!)\"", "different"},
        {"2x!", "\"2(x!)\"", "equal as expressions"},
        {"n(n+1)!", "\"n*(n+1)!\"", "different"}, // n would be called
        {"n*(n+1)!", "\"(n+1)!*n\"", "equal as expressions"},
        {"x^2!", "\"x^2\"", "equal as expressions"},
        {"x+5!!", "\"x+15\"", "equal as expressions"},
        {"x+6!!", "\"x+48\"", "equal as expressions"},
        {"x!!!", "\"(x!!)!\"", "different"},
        // Decimals are binary numbers, and every operation rounds.
        {"1.04*10^-3", "\"0.00104\"", "different"},
        {"2.5*10^-1", "\"0.25\"", "equal as expressions"},
        {"0.1+0.2", "\"0.3\"", "different"},
        {"0.25+0.5", "\"0.75\"", "equal as expressions"},
        {"5.34\\cdot10^-5", "\"5.34e-5\"", "different"},
        {"0.1^2", "\"0.01\"", "different"},
        {"1.5^2", "\"2.25\"", "equal as expressions"},
        {"x^2.0", "\"x^2\"", "different"},
        {"x^2.0*2", "\"2*x^2.0\"", "equal as expressions"},
        {"x^0.5", "\"sqrt(x)\"", "different"},
        {"x=5", "\"5\"", "text equal"},
        {"x==5", "\"5\"", "different"},
        {"50%", "\"50\"", "text equal"},
        {"1\\u0000", "\"1\"", "different"},
        {"\xff\xfe", "\"\xc3\xbf\"", "different"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Verdict verdict = reward_grade_answer(GRADER_DEEPSCALER, cases[i].answer, cases[i].truth_json);
        check(!strcmp(verdict.reason, cases[i].reason) && verdict.reward == (strstr(cases[i].reason, "equal") != NULL) && verdict.gave_up == !strncmp(cases[i].reason, "gave up", 7),
              "%s against %s: %s, want %s", cases[i].answer, cases[i].truth_json, verdict.reason, cases[i].reason);
    }
    check(reward_answers_equal(GRADER_DEEPSCALER, "\\frac{1}{2}", "1/2") && !reward_answers_equal(GRADER_DEEPSCALER, "1", "2"), "votes");
    GraderMode mode;
    check(grader_from_name(&mode, "deepscaler") && mode == GRADER_DEEPSCALER && !grader_from_name(&mode, "llm"), "grader names");
}

// ---- hostile text
static void repeat(Buffer *out, const char *head, const char *part, size_t bytes, const char *tail) {
    buffer_clear(out);
    buffer_append_text(out, head);
    while (out->size < bytes) { buffer_append_text(out, part); }
    buffer_append_text(out, tail);
}
static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; } // not a wall clock: other processes do not count
static void check_reason(Verdict verdict) {
    size_t i = 0, count = sizeof(reward_reasons) / sizeof(reward_reasons[0]);
    while (i < count && strcmp(verdict.reason, reward_reasons[i])) { i++; }
    check(i < count && verdict.gave_up == !strncmp(verdict.reason, "gave up", 7) && verdict.reward == (strstr(verdict.reason, "equal") != NULL), "%d for the reason \"%s\"", verdict.reward, verdict.reason);
}
static void check_quick(const char *answer, size_t bytes, const char *truth, bool right) {
    json_t *json = json_stringn_nocheck(truth, strlen(truth));
    double start = cpu_seconds();
    Verdict verdict = reward_grade(GRADER_DEEPSCALER, answer, bytes, NULL, json);
    double seconds = cpu_seconds() - start;
    // One second of this process's own time is generous for a sanitizer build; what it must catch takes minutes or for ever.
    check(seconds < 1, "%.40s...: %.2f s", answer, seconds);
    check(verdict.reward == right, "%.40s...: %d (%s)", answer, verdict.reward, verdict.reason);
    check_reason(verdict);
    start = cpu_seconds();
    check_reason(reward_grade(GRADER_MATH_VERIFY, answer, bytes, NULL, json));
    seconds = cpu_seconds() - start;
    check(seconds < 1, "%.40s...: %.2f s in math_verify", answer, seconds);
    json_decref(json);
}
static void test_hostile(void) {
    static const char *const short_ones[] = {
        "9^9^9", "9**9**9", "9**9**9**9", "9**-9**9", "2**2**2**2**2**2**2", "((((x**9)**9)**9)**9)**9", "((((x+y+1)**9)**9)**9)**9", "(x+1)**999999", "(x+1)**-32767",
        "999999999!", "9**99!", "(10**9)!", "9!!!!", "(-5)!", "0.5!!", "1e999999999", "1e-999999999", "1e2000-1", "sqrt(-9**9**9)", "0**-1", "0**0", "ln(0)", "1/0", "x/(x-x)",
        "\\", "\\\\", "^", "^^^", "_", "()", "(,)", "((", "))", "!", "-", "--", "+-+-x", "e", "1e", ".", "..", "0x", "1_", "_1", "\\begin{", "\\end{x}", "\\begin{pmatrix}\\end{pmatrix}",
        "\\frac{1}{\\frac{1}", "\\sqrt[", "\\sqrt[2", "\\vec", "\\mathbf", "\\left(", "sqrt", "sqrt(", "sqrt()", "ln(,)", "x'", "\xe2\x88", "\xf0\x9f", "\xed\xa0\x80", "2\n3", "x\n"};
    for (size_t i = 0; i < sizeof(short_ones) / sizeof(short_ones[0]); i++) { check_quick(short_ones[i], strlen(short_ones[i]), "x+7", false); }
    static const char *const parts[][3] = {
        {"", "{", ""}, {"", "}", ""}, {"", "{}", ""}, {"", "(", ""}, {"", "[", ""}, {"", "-", "x"}, {"", "x+", "x"}, {"", "x**", "x"}, {"", "2**", "x"}, {"", "x/", "x"}, {"", "sqrt(", ""}, {"", "x!", ""}, {"", "1,", ""}, {"", "1,000,", "0"}, {"", "(1,", ")"}, {"", "9", ""}, {"0.", "3", ""}, {"", "\\frac", ""}, {"", "\\frac{", ""}, {"", "\\frac{1}{", ""}, {"", "\\sqrt[", ""}, {"", "\\sqrt", "2"}, {"", "\\begin{pmatrix}", ""}, {"", "\\begin{a}", ""}, {"", "\\[", ""}, {"", "\\\\[", ""}, {"", "\\text{", ""}, {"", "\\text{ ", ""}, {"", "$", ""}, {"", "million", ""}, {"", "\\vec x", ""}, {"", "\\", ""}, {"", " ", ""}, {"", "\n\n", ""}, {"", "\xff", ""}, {"", "\xcc\x81", ""}, {"", "the answer is 42 so \\box ", ""}, {"(", "(x+y)*", "1)"}, {"", "(x+y)**9*", "1"}};
    Buffer text = {0}, whole = {0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        repeat(&text, parts[i][0], parts[i][1], 100000, parts[i][2]);
        check_quick(text.data, text.size, "x+7", false);
        check_quick(text.data, text.size, text.data, true); // the same text is right, whatever it is
        repeat(&text, parts[i][0], parts[i][1], 1500, parts[i][2]);
        check_quick(text.data, text.size, "x+7", false);
        repeat(&whole, "<think>hm</think>\\boxed{", parts[i][1], 130000, "}"); // a response of some 32K tokens
        double start = cpu_seconds();
        reward_grade_response(GRADER_DEEPSCALER, whole.data, whole.size, "\"x+7\"");
        reward_grade_response(GRADER_MATH_VERIFY, whole.data + 17, whole.size - 17, "\"x+7\"");
        reward_grade_response(GRADER_MATH_VERIFY, text.data, text.size, "\"x+7\"");
        double seconds = cpu_seconds() - start;
        check(seconds < 1, "%s...: %.2f s in a response", parts[i][1], seconds);
    }
    check_quick("x\0y", 3, "x+7", false);
    check_quick("\0", 1, "x+7", false);
    repeat(&text, "", "(", 300, "x");
    Verdict verdict = reward_grade_answer(GRADER_DEEPSCALER, text.data, "\"x+7\"");
    check(verdict.gave_up && !strcmp(verdict.reason, "gave up: too deep"), "300 parentheses: %s", verdict.reason);
    repeat(&text, "", "x+", 3000, "x");
    verdict = reward_grade_answer(GRADER_DEEPSCALER, text.data, "\"x+7\"");
    check(verdict.gave_up && !strcmp(verdict.reason, "gave up: too long"), "1,500 terms: %s", verdict.reason);
    buffer_free(&text);
    buffer_free(&whole);
}

// ---- threads: FLINT keeps memory per thread
static void test_threads(void) {
    int wrong = 0;
#pragma omp parallel for num_threads(4) reduction(+ \
                                                  : wrong)
    for (int i = 0; i < 400; i++) {
        char answer[64], truth[64];
        snprintf(answer, sizeof(answer), "\\sqrt{%d}+\\frac{%d}{7}", i + 2, i);
        snprintf(truth, sizeof(truth), "\"%d/7 + sqrt(%d)\"", i + i % 2, i + 2);
        Verdict verdict = reward_grade_answer(GRADER_DEEPSCALER, answer, truth);
        wrong += verdict.reward != (i % 2 == 0);
        if (i % 100 == 99) { reward_thread_cleanup(); }
    }
    check(wrong == 0, "%d wrong verdicts in threads", wrong);
#pragma omp parallel num_threads(4)
    reward_thread_cleanup();
}

// ---- the verdict file
static void test_verdict_file(const char *folder) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/grader/deepscaler_verdicts.jsonl", folder);
    FILE *file = fopen(path, "r");
    if (!check(file != NULL, "%s cannot be opened", path)) { return; }
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    long pairs = 0, agreed = 0, stages = 0, stages_agreed = 0, gave_up = 0;
    double seconds = 0;
    Buffer got = {0};
    Error error;
    while ((bytes = getline(&line, &capacity, file)) >= 0) {
        json_t *row = json_parse(line, (size_t)bytes, path, &error);
        if (!check(row != NULL, "%s", row ? "" : error.text)) { break; }
        static const char *const sides[] = {"gold", "pred"};
        for (int side = 0; side < 2; side++) {
            const char *text = json_string_value(json_object_get(row, sides[side])), *want;
            char key[32];
            mathd_normalize(&got, text, strlen(text));
            snprintf(key, sizeof(key), "mathd_%s", sides[side]);
            want = json_string_value(json_object_get(row, key));
            stages_agreed += !strcmp(got.data, want);
            reward_normalize(&got, text, strlen(text));
            snprintf(key, sizeof(key), "norm_%s", sides[side]);
            want = json_string_value(json_object_get(row, key));
            stages_agreed += !strcmp(got.data, want);
            stages += 2;
        }
        const char *answer = json_string_value(json_object_get(row, "pred"));
        double start = seconds_now();
        Verdict verdict = reward_grade(GRADER_DEEPSCALER, answer, strlen(answer), NULL, json_object_get(row, "gold"));
        seconds += seconds_now() - start;
        agreed += verdict.reward == json_is_true(json_object_get(row, "verdict"));
        gave_up += verdict.gave_up;
        pairs++;
        json_decref(row);
    }
    fclose(file);
    free(line);
    buffer_free(&got);
    printf("ok   verdict file: %ld of %ld verdicts agree, %ld of %ld normal forms, %ld gave up, %.0f verdicts a second\n", agreed, pairs, stages_agreed, stages, gave_up, (double)pairs / seconds);
    check(pairs == 16413 && agreed * 1000 >= pairs * 999, "verdicts: %ld of %ld agree", agreed, pairs);
    check(stages_agreed == stages, "normal forms: %ld of %ld agree", stages_agreed, stages);
    check(gave_up == 0, "%ld verdicts given up", gave_up);
}

int main(void) {
    test_mathd();
    test_normalize();
    test_extraction();
    test_verdicts();
    test_hostile();
    test_threads();
    const char *folder = check_data_folder();
    if (folder) {
        test_verdict_file(folder);
    } else {
        check_skip("no data folder: the verdict file of DeepScaleR's grader is not compared");
    }
    reward_thread_cleanup();
    return check_report("test_reward");
}
