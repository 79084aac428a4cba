// evaluate: pass@k against every subset of the answers, standard errors against numbers worked out by hand, votes and their ties.
#include "llmc/evaluate.h"
#include "test/check.h"

// The share of the subsets of k out of n answers, the first c of them right, in which one is right.
static double pass_by_enumeration(int n, int c, int k) {
    int subsets = 0, passed = 0;
    for (int mask = 0; mask < 1 << n; mask++) {
        if (__builtin_popcount((unsigned)mask) != k) { continue; }
        subsets++;
        passed += (mask & ((1 << c) - 1)) != 0;
    }
    return (double)passed / subsets;
}
static void test_pass_at_k(void) {
    double worst = 0;
    for (int n = 1; n <= 10; n++) {
        for (int c = 0; c <= n; c++) {
            for (int k = 1; k <= n; k++) { worst = fmax(worst, fabs(evaluation_pass_at_k(n, c, k) - pass_by_enumeration(n, c, k))); }
        }
    }
    check(worst < 1e-14, "pass@k is off by %.1e from the count of subsets", worst);
    check(evaluation_pass_at_k(65536, 1, 32768) == 0.5 || fabs(evaluation_pass_at_k(65536, 1, 32768) - 0.5) < 1e-9, "large n does not overflow");
    check(evaluation_pass_at_k(65536, 60000, 65536) == 1 && evaluation_pass_at_k(65536, 0, 65536) == 0, "all of many");
    const Evaluation sixteen = evaluation_start(16), one = evaluation_start(1), twenty = evaluation_start(20);
    check(sixteen.k_count == 5 && sixteen.k[0] == 1 && sixteen.k[4] == 16, "16 samples: k = 1, 2, 4, 8, 16");
    check(one.k_count == 1 && twenty.k_count == 5 && twenty.k[4] == 16, "20 samples: k up to 16");
}

// A question's answers: what they say, in "a b c" letters (- for none); capitals are right.
static void add_question(Samples *samples, const char *answers, int count_of_first) {
    int prompt = 1, n = (int)strlen(answers), first = samples->count;
    samples_add_group(samples, first / n, &prompt, 1, n, 0);
    for (int i = 0; i < n; i++) {
        Sample *s = &samples->list[first + i];
        const char text[] = {'x', (char)(answers[i] | 32), 0};
        buffer_append_text(&s->answer, answers[i] == '-' ? "" : text);
        s->verdict = (Verdict){.reward = answers[i] >= 'A' && answers[i] <= 'Z', .gave_up = answers[i] == 'g'};
        s->count = count_of_first + i;
        s->finished = answers[i] != '-';
    }
}
static bool majority(const char *answers) {
    Samples samples = samples_create((int)strlen(answers), 1);
    add_question(&samples, answers, 1);
    bool right = evaluation_majority(samples.list, samples.count);
    samples_free(&samples);
    return right;
}
static void test_majority(void) {
    check(majority("AAb") && majority("bAA") && majority("AbA"), "two of three");
    check(!majority("Abb") && !majority("bbA"), "one of three");
    check(majority("Ab") && !majority("bA"), "a tie goes to the answer given first");
    check(majority("Abcb-Ac") && !majority("cAbbAc"), "a tie of two answers, among others");
    check(!majority("----") && !majority("-"), "no answer at all");
    check(majority("---A"), "answers that are none have no vote");
    check(!majority("--bbA"), "nor do they take one away");
    check(majority("A") && !majority("b"), "one sample");
    Samples samples = samples_create(3, 1);
    add_question(&samples, "bAA", 1);
    buffer_clear(&samples.list[0].answer), buffer_append_text(&samples.list[0].answer, "x"); // begins like the others: still another answer
    check(evaluation_majority(samples.list, 3), "the first letters of an answer are no vote for it");
    samples_free(&samples);
    samples = samples_create(3, 1);
    add_question(&samples, "Abb", 1);
    buffer_clear(&samples.list[1].answer), buffer_append_text(&samples.list[1].answer, "xa ");
    check(evaluation_majority(samples.list, 3), "texts of one length or not at all");
    samples_free(&samples);
}

static bool near(double a, double b) { return fabs(a - b) < 1e-12; }
static void test_evaluation(void) {
    // shares of right answers 1, 1/2, 0, 1/4: mean 7/16, squares of the distances 81/256 + 1/256 + 49/256 + 9/256 = 140/256
    Evaluation e = evaluation_start(4);
    Samples samples = samples_create(8, 1);
    add_question(&samples, "AAAA", 10), add_question(&samples, "bAbA", 20);
    evaluation_add(&e, &samples, 21);
    samples_clear(&samples);
    add_question(&samples, "bg--", 30), add_question(&samples, "bbAc", 40);
    evaluation_add(&e, &samples, 21); // two calls, one evaluation
    evaluation_finish(&e);
    check(e.questions == 4 && near(e.mean, 7.0 / 16), "mean@4 is %g", e.mean);
    check(near(e.standard_error, sqrt(140.0 / 256 / 3 / 4)), "its standard error is %g, want %g", e.standard_error, sqrt(140.0 / 256 / 3 / 4));
    check(e.k_count == 3 && near(e.pass_at[0], e.mean) && near(e.pass_at[1], (1 + 5.0 / 6 + 0 + 0.5) / 4) && near(e.pass_at[2], 0.75), "pass@1, 2, 4 are %g, %g, %g", e.pass_at[0], e.pass_at[1], e.pass_at[2]);
    check(near(e.majority, 0.25), "maj@4 is %g: bAbA is a tie that b began", e.majority);
    check(near(e.within, (4 + 1) / 16.0), "within 21 tokens: %g", e.within); // the four of the first question, one of the second (21 tokens; the other has 23)
    check(near(e.mean_length, (4 * (10 + 20 + 30 + 40) + 4 * 6) / 16.0), "mean length %g", e.mean_length);
    check(near(e.truncated, 2.0 / 16) && near(e.gave_up, 1.0 / 16), "truncated %g, gave up %g", e.truncated, e.gave_up);
    Evaluation unlimited = evaluation_start(4);
    evaluation_add(&unlimited, &samples, 0);
    evaluation_finish(&unlimited);
    check(near(unlimited.within, unlimited.mean) && near(unlimited.mean, 1.0 / 8), "no limit: within is the mean");
    samples_clear(&samples);
    for (int same = 0; same < 2; same++) {
        Evaluation few = evaluation_start(4);
        samples_clear(&samples);
        add_question(&samples, "AbbA", 1);
        if (same) { add_question(&samples, "bAAb", 1); }
        evaluation_add(&few, &samples, 0);
        evaluation_finish(&few);
        check(few.standard_error == 0 && near(few.mean, 0.5), "%s: standard error %g", same ? "equal questions" : "one question", few.standard_error);
    }
    samples_free(&samples);
    Evaluation thirds = evaluation_start(3); // shares that no float holds: the variance of equal ones may come out as -1e-17, never as NaN
    Samples third = samples_create(30, 1);
    for (int q = 0; q < 10; q++) { add_question(&third, "Abc", 1); }
    evaluation_add(&thirds, &third, 0);
    evaluation_finish(&thirds);
    check(thirds.standard_error >= 0 && thirds.standard_error < 1e-8, "equal shares of 1/3: standard error %g", thirds.standard_error);
    samples_free(&third);
}

int main(void) {
    test_pass_at_k();
    test_majority();
    test_evaluation();
    return check_report("test_evaluate");
}
