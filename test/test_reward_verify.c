// The math_verify grader: pairs with the verdict that Hugging Face Math-Verify 0.9 gives them, by kind, and what it extracts
// from a text. A larger comparison against the original is dev/reference/check_math_verify.py.
#include "check.h"
#include "llmc/reward.h"

typedef struct {
    const char *truth, *answer;
    int reward;
} Pair;
static void check_pairs(const Pair *pairs, size_t count, const char *kind) {
    for (size_t i = 0; i < count; i++) {
        bool equal = reward_answers_equal(GRADER_MATH_VERIFY, pairs[i].truth, pairs[i].answer);
        check(equal == (pairs[i].reward == 1), "%s: truth %s, answer %s: got %d", kind, pairs[i].truth, pairs[i].answer, equal);
    }
}
#define CHECK_PAIRS(kind, ...)                                      \
    do {                                                            \
        static const Pair pairs[] = {__VA_ARGS__};                  \
        check_pairs(pairs, sizeof(pairs) / sizeof(pairs[0]), kind); \
    } while (0)

static void test_numbers(void) {
    CHECK_PAIRS("numbers", {"1,000", "1000", 1}, {"-1,234,567", "-1234567", 1}, {"2.50", "2.5", 1}, {"0.5", ".5", 1}, {"12:5", "12/5", 1}, {"1/2/3", "1/6", 1}, {"2^{10}", "1024", 1},
                {"2^3^2", "512", 0},                // powers are read from the left
                {"2(3)", "6", 0}, {"2(3)", "5", 1}, // and this as a mixed number
                {"2\\frac{1}{2}", "5/2", 1}, {"-2\\frac12", "-2.5", 1}, {"\\frac123", "1/23", 1}, {"\\frac{2}{4}", "1/2", 1}, {"5!", "120", 1}, {"\\binom{5}{2}", "10", 1}, {"|{-3}|", "3", 1},
                {"\\sqrt[3]{8}", "2", 1}, {"\\log_2 8", "3", 1}, {"\\log 100", "2", 1}, {"\\ln e", "1", 1}, {"e^2", "7.389056", 1}, {"2\\sqrt{2}", "\\sqrt8", 1}, {"\\lfloor 2.5 \\rfloor", "2", 1});
    CHECK_PAIRS("decimals", {"1/3", "0.333333", 1}, {"1/3", "0.33", 0}, {"\\pi", "3.141593", 1}, {"\\pi", "3.1416", 0}, {"1", "1.0000001", 0}, {"2", "2.0", 1}, {"-47.5052795", "-47.505279", 0}, {"-47.5052795", "-47.505280", 1}, {"1000", "\\text{1,000}", 0});
    CHECK_PAIRS("percents", {"50\\%", "1/2", 1}, {"50\\%", "50", 1}, {"50\\%", "0.5", 1}, {"5.5\\%", "5.5", 0}, {"5.5\\%", "0.055", 1}, {"50 percent", "50%", 1});
    CHECK_PAIRS("units", {"3", "3\\text{ cm}^2", 1}, {"3", "3 cm", 1}, {"90", "90^\\circ", 1}, {"5", "\\$5", 1}, {"3", "3 x", 0});
}
static void test_grammar(void) { // what PS.g4 has and what it has not
    CHECK_PAIRS("not mathematics, but a number in it is", {"45", "\\large 45", 1}, {"51.6", "\\approx 51.6", 1}, {"45", "\\large 46", 0}, {"10", "is 10,", 1}, {"3.14", "is 3,14", 0}, {"3.14", "so: \\bad 3,14", 1});
    CHECK_PAIRS("not in the grammar", {"2,3", "\\lbrace 2,3 \\rbrace", 0}, {"(0,\\infty)", "(0,∞)", 0}, {"16", "16~\\text{cm}", 0}, {"84", "84°", 0}, {"\\sqrt{2}", "\\sqrt(2)", 0}, {"\\sqrt[3]{7}", "\\sqrt[3]7", 0}, {"\\text{(True)}", "true", 0},
                {"10^{-3}", "10^-3", 0}, {"0.\\overline{3}", "0.\\overline{3}", 1}, {"0.\\overline{3}", "0.\\overline{6}", 0});
    CHECK_PAIRS("commands", {"10", "\\dbinom{5}{2}", 1}, {"10", "{5 \\choose 2}", 1}, {"84", "84^°", 1}, {"2,-2", "\\mp 2", 1}, {"\\sin x", "\\sinx", 1}, {"2\\pi x", "2\\pix", 1}, {"6", "\\gcd(12,18)", 1}, {"36", "\\lcm(12,18)", 1}, {"6", "\\max(4,6)", 1}, {"4", "\\min(4,6,5)", 1},
                {"3", "7 \\mod 4", 1}, {"\\frac{\\pi}{3}", "\\arcsec 2", 1}, {"\\theta", "θ", 1}, {"\\frac{1}{2}", "{1 \\over 2}", 1}, {"2^{x^2}", "2^x^2", 1}, {"\\frac{1}{2}", "\\frac{1}2", 1}, {"1,2;3,4", "(1,2),(3,4)", 1}, {"x", "\\text{ x }", 1}, {"f(2)=3", "3", 0}, {"f(x)=3", "3", 1});
}
static void test_matrices(void) {
    CHECK_PAIRS("matrix arithmetic", {"\\begin{pmatrix}2&4\\end{pmatrix}", "2\\begin{pmatrix}1&2\\end{pmatrix}", 1}, {"\\begin{pmatrix}2\\\\4\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}+\\begin{pmatrix}1\\\\2\\end{pmatrix}", 1},
                {"\\begin{pmatrix}5\\\\11\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}\\begin{pmatrix}1\\\\2\\end{pmatrix}", 1}, {"-2", "\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", 1}, {"-2", "\\det\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", 1},
                {"\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}^T", 1}, {"\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}2&4\\end{pmatrix}/2", 1}, {"\\begin{pmatrix}1&2\\end{pmatrix}", "-\\begin{pmatrix}-1&-2\\end{pmatrix}", 1},
                {"\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}+1", 0}, {"\\begin{pmatrix}3&6\\end{pmatrix}", "2\\begin{pmatrix}1&2\\end{pmatrix}", 0}, {"24", "\\begin{vmatrix}1&2&0\\\\3&4&0\\\\0&0&-12\\end{vmatrix}", 1});
}
static void test_collections(void) {
    CHECK_PAIRS("sets", {"1,2", "2,1", 1}, {"\\{1,2\\}", "{2, 1}", 1}, {"\\{1,1,2\\}", "1,2", 1}, {"1;2", "1,2", 1}, {"1 and 2", "2,1", 1}, {"\\pm 2", "2,-2", 1}, {"3 \\pm \\sqrt{2}", "3-\\sqrt{2}, 3+\\sqrt{2}", 1},
                {"\\{1,2\\}", "\\{1,3\\}", 0}, {"\\{1,2\\}", "\\{1\\}", 0}, {"\\emptyset", "\\{\\}", 1}, {"\\{1/3\\}", "\\{0.333333\\}", 1}, {"(1,2),(3,4)", "\\{(3,4),(1,2)\\}", 1});
    CHECK_PAIRS("tuples", {"(1,2,3)", "[1,2,3]", 1}, {"(1,2,3)", "(1,3,2)", 0}, {"(1,2)", "1,2", 1}, {"1,2", "(1,2)", 1}, {"(2,1)", "1,2", 0}, {"\\{1,2\\}", "(2,1)", 1}, {"(a,b)", "a,b", 1}, {"(1,2)", "(2,1)", 0});
    CHECK_PAIRS("intervals", {"[1,2]", "(1,2)", 0}, {"[1,2)", "(1,2)", 0}, {"[0.5,1)", "[\\frac{1}{2},1)", 1}, {"(0,\\infty)", "(0,\\infty]", 1}, {"(-\\infty,1)\\cup(2,\\infty)", "(2,\\infty) \\cup (-\\infty,1)", 1},
                {"(0,1)\\cup(2,3)", "(0,1)\\cup(2,4)", 0}, {"(0,1)\\cup(0,1]", "(0,1]", 1}, {"(0,2)\\cup[1,3)", "(0,3)", 1}, {"(-\\infty,-1]", "(\\infty,-1]", 0}, {"\\mathbb{R}", "(-\\infty,\\infty)", 1}, {"[1,3]\\cap[2,5]", "[2,3]", 0});
    CHECK_PAIRS("matrices", {"\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix}1\\\\2\\end{bmatrix}", 1}, {"\\begin{pmatrix}1&2\\end{pmatrix}", "(1,2)", 0}, {"\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", 0},
                {"\\begin{pmatrix}1&\\frac12\\\\3&4\\end{pmatrix}", "\\begin{bmatrix}1 & 0.5 \\\\ 3 & 4 \\\\\\end{bmatrix}", 1}, {"\\begin{pmatrix}1&2\\\\3\\end{pmatrix}", "1", 0});
}
static void test_relations(void) {
    CHECK_PAIRS("equations", {"x=1", "1", 1}, {"1", "x=1", 1}, {"x=1", "y=1", 0}, {"2x=4", "x=2", 0}, {"x+y=1", "2x+2y=2", 1}, {"x+y=1", "2x+2y=3", 0}, {"x^2+2x=3", "x^2=3-2x", 1}, {"x=1,y=2", "y=2,x=1", 1}, {"x=1 or x=2", "1,2", 1},
                {"x=\\pm 2", "-2,2", 1}, {"f(x)=2x", "2x", 1}, {"y=2x+1", "2x+1", 1}, {"x = a = 3", "x=3", 1}, {"x \\ne 2", "x\\neq 2", 1}, {"x \\ne 2", "x=2", 0}, {"x\\in\\{1,2\\}", "1,2", 1}, {"x=3", "x\\in\\{3\\}", 0}, {"x\\in\\{3\\}", "x=3", 0}, {"x=1,2", "x=2,1", 1});
    CHECK_PAIRS("inequalities", {"x>1", "1<x", 1}, {"x<2", "2>x", 1}, {"a\\le b", "b\\ge a", 1}, {"x<2", "x>2", 0}, {"x<2", "2x<4", 0}, {"1<x<2", "(1,2)", 1}, {"(1,2)", "1<x<2", 0}, {"x>2", "(2,\\infty)", 1}, {"x\\le 3", "(-\\infty,3]", 1},
                {"1\\le x<2", "2>x\\ge 1", 0}, {"1<x\\le 2", "1<x\\leq 2", 1}, {"x \\in (1,2)", "(1,2)", 1});
}
static void test_expressions(void) {
    CHECK_PAIRS("expressions", {"(x+1)^2", "x^2+2x+1", 1}, {"\\frac{1}{2}x", "x/2", 1}, {"1/2x", "1/(2x)", 1}, {"1/2x", "x/2", 0}, {"3x4", "12x", 1}, {"\\sin^2 x", "(\\sin x)^2", 1}, {"\\sin^{-1} x", "\\arcsin x", 1}, {"\\sin x \\cos 2", "\\cos 2 \\sin x", 1},
                {"|x-1|", "|1-x|", 1}, {"|x-1|", "x-1", 0}, {"|x|+1", "x+1", 0}, {"\\sqrt{y^2}+1", "y+1", 0}, {"2\\frac{1}{2}x^2", "x^2", 1}, {"\\sqrt{x^2}", "|x|", 1}, {"3+4i", "4i+3", 1}, {"x_1", "x_{1}", 1}, {"x_1", "x_2", 0}, {"sin(x)", "\\sin x", 0}, {"x", "y", 0}, {"\\frac{1}{x-x}", "1", 0});
    CHECK_PAIRS("text", {"\\text{Yes}", "yes", 1}, {"\\text{(A)}", "A", 1}, {"A", "a", 1}, {"AB", "ab", 1}, {"\\text{AB}", "BA", 0}, {"90", "\\text{90}", 1}, {"\\text{Yes}", "\\text{No}", 0}, {"\\%", "5", 0});
}
static void test_extraction(void) {
    static const char *const cases[][2] = {
        {"So \\boxed{4}.", "4"},
        {"\\boxed{1} and, after much more text, \\boxed{\\frac{1}{2}}", "1,\\frac{1}{2}"}, // near, and joined by a word
        {"\\boxed{1} is what I first wrote here, \\boxed{2} what I found in the end", "1,2"},
        {"\\boxed{1} is what I wrote first, but then I saw that it is not so, since the root is wrong: it is \\boxed{3}", "3"},
        {"\\boxed{1}, \\boxed{2}", "1,2"}, // boxes side by side are one answer
        {"<think>\\boxed{9}</think> It is $x=3$ or so.", "x=3"},
        {"The final answer is $7$. I hope it is correct. \\boxed{8}", "7"},
        {"The final answer is 12. I hope it is correct.", "12"},
        {"We get $a=2$ and \\[ b = 3 \\]", "a=2, b = 3 "},
        {"We get $a=2$ so that \\[ b = 3 \\]", " b = 3 "},
        {"There are 1,000 of 12 kinds", "12"},
        {"It is -\\frac{3}{4}", "-\\frac{3}{4}"},
        {"Answer: the sum is 42, not 43", "42"},
        {"The final answer is $7$. \\boxed{8}", "8"}, // without the hope that it is correct
        {"So $x=2$ and $y=3$, \\fbox{9}", "x=2,y=3"}, // an \\fbox alone is no box
        {"\\boxed{\\bad} but it costs $12.50", "12.50"},
        {"Answer: x = 5", "5"},
        {"in all 3,14 or 1 234 567 km", "1234567"},
        {"AZYUK2A", NULL},
        {"\\boxed{", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Buffer answer = {0};
        bool found = reward_extract_answer(&answer, cases[i][0], strlen(cases[i][0]), GRADER_MATH_VERIFY);
        check(found == (cases[i][1] != NULL), "extraction from %s", cases[i][0]);
        if (found && cases[i][1]) { check_text(answer.data, cases[i][1], cases[i][0]); }
        buffer_free(&answer);
    }
    check_text(reward_grade_response(GRADER_MATH_VERIFY, "no idea", 7, "\"4\"").reason, "no answer", "a text without an answer");
    check(reward_grade_response(GRADER_MATH_VERIFY, "so \\boxed{\\frac{8}{2}}", 22, "[\"3\", 4]").reward == 1, "any of several truths");
}

int main(void) {
    test_numbers();
    test_grammar();
    test_matrices();
    test_collections();
    test_relations();
    test_expressions();
    test_extraction();
    reward_thread_cleanup();
    return check_report("test_reward_verify");
}
