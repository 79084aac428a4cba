"""Compares `./grade --grader math_verify` with PyPI math-verify on generated pairs of answers, and lists the misses by kind.

    python3 -m venv /tmp/verify && /tmp/verify/bin/pip install math-verify==0.9.0
    /tmp/verify/bin/python dev/reference/check_math_verify.py [PAIRS=3000] [SEED=1]

Truths and answers are made by rewriting: the same value spelled in another way, or a near miss. Ends with exit code 1
below 98 % agreement.
"""
import collections
import json
import logging
import random
import subprocess
import sys
import time

from math_verify import parse, verify

logging.disable(logging.CRITICAL)
pairs, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 3000, int(sys.argv[2]) if len(sys.argv) > 2 else 1
draw = random.Random(seed)
pick = draw.choice


def integer(low=-20, high=20):
    return draw.randint(low, high)


def fraction(top, bottom):
    return pick([rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", rf"\dfrac{{{top}}}{{{bottom}}}", rf"\frac{{{2 * top}}}{{{2 * bottom}}}"])


def number():
    """Two spellings of a number, the second sometimes of a neighbour."""
    top, bottom = integer(), pick([2, 3, 4, 5, 7, 8, 10, 25])
    wrong = draw.random() < 0.3
    other = top + 1 if wrong else top
    kind = draw.randrange(8)
    if kind == 0:
        return str(top), pick([str(other), f"{other}.0", rf"\text{{{other}}}", f"{other}.", f" {other} "])
    if kind == 1:
        return fraction(top, bottom), fraction(other, bottom)
    if kind == 2:
        return fraction(top, bottom), f"{other / bottom:.{pick([2, 4, 6, 8])}f}"
    if kind == 3:
        return rf"{abs(top) + 1}\sqrt{{2}}", pick([rf"\sqrt{{{2 * (abs(other) + 1) ** 2}}}", rf"\frac{{{2 * (abs(other) + 1)}}}{{\sqrt{{2}}}}", rf"\sqrt2 \cdot {abs(other) + 1}"])
    if kind == 4:
        return rf"{top}\pi", pick([rf"\pi \cdot {other}", rf"{other} \pi", f"{other * 3.14159265358979:.6f}", f"{other}π"])
    if kind == 5:
        whole, part = abs(top) + 1, draw.randint(1, bottom - 1)
        return rf"{whole}\frac{{{part}}}{{{bottom}}}", fraction((whole + wrong) * bottom + part, bottom)
    if kind == 6:
        return rf"2^{{{abs(top) % 12}}}", str(2 ** (abs(other) % 12))
    return f"{abs(top) + 1},{draw.randint(100, 999)}".replace(",", pick([",", ""])), str(integer(1000, 9999))


def make_number():
    return number()


def make_decimal():
    value = draw.uniform(-100, 100)
    digits = draw.randint(1, 8)
    truth = f"{value:.{digits}f}"
    return truth, pick([truth + "0", f"{value:.{max(1, digits - 1)}f}", f"{value:.{digits + 1}f}", truth.lstrip("0") or "0", truth + r"\text{ cm}", "0" + truth if value > 0 else truth])


def make_percent():
    top = pick([integer(1, 100), round(draw.uniform(0, 100), 1)])
    other = top if draw.random() < 0.7 else top + 1
    return rf"{top}\%", pick([f"{other}", rf"{other}\%", f"{other}%", f"{other / 100:.4f}", rf"\frac{{{other}}}{{100}}", f"{other} percent", rf"{other}\text{{ percent}}"])


def elements(count):
    return [pick([str(integer()), rf"\frac{{{integer()}}}{{{pick([3, 5, 7])}}}", rf"\sqrt{{{pick([2, 3, 5])}}}", f"{integer(0, 9)}.5"]) for _ in range(count)]


def make_set():
    truth = elements(draw.randint(1, 5))
    answer = list(truth)
    if draw.random() < 0.6:
        draw.shuffle(answer)
    if draw.random() < 0.3:
        answer[-1] = str(integer())
    if draw.random() < 0.1:
        answer.append(answer[0])

    def spell(items):
        return pick([r"\{%s\}", r"\left\{%s\right\}", "%s"]) % pick([", ", ","]).join(items)

    return spell(truth), spell(answer)


def make_tuple():
    truth = elements(draw.randint(2, 4))
    answer = list(truth)
    if draw.random() < 0.3:
        draw.shuffle(answer)
    if draw.random() < 0.2:
        answer = answer[:-1] + [str(integer())]

    def spell(items):
        return pick(["(%s)", r"\left(%s\right)", "%s", "[%s]", r"\{%s\}", "( %s )"]) % ", ".join(items)

    return spell(truth), spell(answer)


def ends():
    low = integer()
    return low, low + draw.randint(1, 9)


def make_interval():
    low, high = ends()
    pieces = [(pick("(["), str(low), str(high), pick(")]"))]
    if draw.random() < 0.3:
        pieces.append((pick("(["), str(high + 1), r"\infty", ")"))
    if draw.random() < 0.2:
        pieces.insert(0, ("(", r"-\infty", str(low - 1), pick(")]")))
    answer = list(pieces)
    if draw.random() < 0.3:
        draw.shuffle(answer)
    if draw.random() < 0.3:
        left, a, b, right = answer[0]
        answer[0] = pick([("(", a, b, right), (left, a, b, "]" if b != r"\infty" else ")"), (left, a, b + ".5" if b != r"\infty" else b, right), (left, a, b, right)])

    def spell(items):
        left, right = pick([("", ""), (r"\left", r"\right")])
        return pick([r" \cup ", r"\cup"]).join(f"{left}{a}{pick(['', ' '])}{b}, {c}{right}{d}" for a, b, c, d in items)

    return spell(pieces), spell(answer)


def make_relation():
    variable, low, (_, high) = pick("xyn"), integer(), ends()
    sign, flipped = pick([("<", ">"), (">", "<"), (r"\le", r"\ge"), (r"\geq", r"\leq"), ("=", "="), (r"\neq", r"\neq")])
    kind = draw.randrange(5)
    other = low if draw.random() < 0.7 else low + 1
    if kind == 0:
        return f"{variable} {sign} {low}", pick([f"{variable} {sign} {other}", f"{other} {flipped} {variable}", f"{variable} {flipped} {other}", f"{variable}-{abs(other)} {sign} {other - abs(other)}"])
    if kind == 1:
        return f"{variable}={low}", pick([str(other), f"{variable} = {other}", f"z={other}", f"{other} = {variable}", f"{variable} = 2 = {other}"])
    if kind == 2:
        return f"{low}", f"{pick('xyz')} = {other}"
    if kind == 3:
        low, high = ends()
        return rf"{low} < {variable} \le {high}", pick([rf"({low}, {high}]", rf"({low}, {high})", rf"{low} < {variable} \leq {high}", rf"{low} < {variable} \leq {high + 1}", rf"{variable} \in ({low}, {high}]"])
    return f"{variable} + z = {low}", pick([f"2{variable} + 2z = {2 * other}", f"{variable} = {other} - z", f"z + {variable} = {other}", f"{variable} + z"])


def make_matrix():
    rows, columns = draw.randint(1, 3), draw.randint(1, 3)
    truth = [elements(columns) for _ in range(rows)]
    answer = [list(row) for row in truth]
    if draw.random() < 0.3:
        answer[-1][0] = str(integer())
    if draw.random() < 0.1:
        answer = [list(row) for row in zip(*answer)]

    def spell(matrix):
        kind = pick(["pmatrix", "bmatrix", "matrix"])
        return rf"\begin{{{kind}}}" + r" \\ ".join(" & ".join(row) for row in matrix) + rf"\end{{{kind}}}"

    return spell(truth), spell(answer)


def make_expression():
    a, b = draw.randint(1, 9), draw.randint(1, 9)
    other = b if draw.random() < 0.7 else b + 1
    return pick([
        (f"(x+{a})(x-{b})", f"x^2 + {a - b}x - {a * other}".replace("+ -", "- ")),
        (f"{a}x + {b}", pick([f"{b} + {a}x", f"{other}+{a} x", rf"{a} \cdot x + {other}", f"x*{a} + {other}"])),
        (rf"\frac{{{a}x}}{{{b}}}", pick([rf"\frac{{{a}}}{{{other}}}x", f"{a}x/{other}", rf"\frac{{x \cdot {a}}}{{{other}}}"])),
        (rf"\sin x \cos {a}", pick([rf"\cos {a} \sin x", rf"\sin(x)\cos({other})", rf"\sin x"])),
        (rf"e^{{{a}}}", pick([rf"e^{other}", rf"\exp({a})", rf"e^{{{a}}}"])),
        (rf"\log_2 {2 ** a}", pick([str(a), str(other), rf"\frac{{\ln {2 ** a}}}{{\ln 2}}"])),
        (rf"\sqrt[3]{{{a ** 3}}}", str(other if other != b else a)),
        (f"{a}!", str([1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880][a])),
        (rf"\binom{{{a + b}}}{{{a}}}", rf"\frac{{{a + b}!}}{{{a}!{other}!}}"),
        (rf"|x-{a}|", pick([rf"|{a}-x|", rf"\left|x-{a}\right|", rf"x-{a}", rf"\sqrt{{(x-{a})^2}}"])),
        (f"{a}+{b}i", pick([f"{b}i+{a}", f"{a} + {other}i", rf"{a}+i{b}"])),
        (rf"{a} \pm \sqrt{{{b}}}", pick([rf"{a}+\sqrt{{{other}}}, {a}-\sqrt{{{b}}}", rf"{a}-\sqrt{{{b}}}, {a}+\sqrt{{{b}}}", rf"{a} \pm \sqrt{{{other}}}"])),
        (rf"x^{{{a}}}y", pick([rf"yx^{a}", rf"x^{{{a}}} y", rf"x^{other}y"])),
        (rf"\frac{{1}}{{x+{a}}}", pick([rf"(x+{a})^{{-1}}", rf"1/(x+{a})", rf"1/(x+{other})"])),
    ])


def make_text():
    word = pick(["Yes", "no", "Monday", "even", "A", "B", "neither", "C", "red", "True", "AB"])
    other = word if draw.random() < 0.7 else pick(["no", "D", "odd"])
    return rf"\text{{{word}}}", pick([rf"\text{{{other}}}", other, other.lower(), rf"\mathrm{{{other}}}", rf"\textbf{{{other}}}", rf"\text{{({other})}}"])


def make_unit():
    value = integer(1, 99)
    other = value if draw.random() < 0.7 else value + 1
    return str(value), pick([rf"{other}\text{{ cm}}", rf"{other} \text{{ cm}}^2", f"{other} meters", rf"\${other}", rf"{other}^\circ", f"{other} km", rf"{other}\mathrm{{~kg}}", rf"{other}^{{\circ}}", f"{other} hours"])


makers = {name[5:]: make for name, make in list(globals().items()) if name.startswith("make_")}
rows = [(kind, *makers[kind]()) for kind in draw.choices(sorted(makers), k=pairs)]
start = time.time()
wanted = [bool(verify(parse(f"${truth}$"), parse(rf"\boxed{{{answer}}}"))) for _, truth, answer in rows]
their_seconds = time.time() - start
lines = "".join(json.dumps({"answer": answer, "truth": truth}) + "\n" for _, truth, answer in rows)
start = time.time()
done = subprocess.run(["./grade", "--grader", "math_verify"], input=lines, capture_output=True, text=True, check=True)
seconds = time.time() - start
verdicts = [json.loads(line) for line in done.stdout.splitlines()]
assert len(verdicts) == len(rows)

totals, agreed = collections.Counter(), collections.Counter()
for (kind, truth, answer), want, verdict in zip(rows, wanted, verdicts):
    totals[kind] += 1
    agreed[kind] += want == bool(verdict["reward"])
    if want != bool(verdict["reward"]):
        print(f'miss ({kind}): truth {truth}, answer {answer}: math-verify says {int(want)}, grade says {verdict["reward"]} ({verdict["reason"]})')
for kind in sorted(totals):
    print(f"{kind:12} {agreed[kind]:5} of {totals[kind]:5}")
print(f"{sum(agreed.values())} of {len(rows)} agree ({100 * sum(agreed.values()) / len(rows):.2f} %), {sum(wanted)} of them right; "
      f"{len(rows) / seconds:.0f} a second through the pipe, math-verify {len(rows) / their_seconds:.0f}")
sys.exit(sum(agreed.values()) < 0.98 * len(rows))
