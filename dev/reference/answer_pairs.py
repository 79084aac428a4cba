"""Pairs of a truth and an answer for comparing graders: one value spelled in two ways, or a near miss, by kind.

    from answer_pairs import answer_pairs
    for kind, truth, answer in answer_pairs(count, seed): ...

What models write: numbers in every spelling, sets, intervals, matrices, relations, units, words, and LaTeX with a mistake.
"""
import math
import random
import re

draw = random.Random()
pick = draw.choice


def chance(probability):
    return draw.random() < probability


def integer(low=-20, high=20):
    return draw.randint(low, high)


def near(value, wrong=0.3):  # the value, or a neighbour of it
    return value + pick([-1, 1]) if chance(wrong) else value


def fraction(top, bottom):
    return pick([rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", rf"\dfrac{{{top}}}{{{bottom}}}", rf"\frac{{{2 * top}}}{{{2 * bottom}}}", rf"\tfrac{{{top}}}{{{bottom}}}",
                 rf"\frac {{{top}}} {{{bottom}}}", rf"{top} / {bottom}", rf"-\frac{{{-top}}}{{{bottom}}}", rf"\frac{{{-top}}}{{{-bottom}}}", rf"{top}\div {bottom}", rf"({top})/({bottom})"])


def make_integer():
    value = integer(-2000, 2000)
    other = near(value)
    return str(value), pick([str(other), f"{other}.0", rf"\text{{{other}}}", f"{other}.", f" {other} ", f"+{other}", f"0{other}", f"({other})", f"{{{other}}}", f"[{other}]", rf"\boxed{{{other}}}",
                             f"{other - 7}+7", f"{other}.00", f"{2 * other}/2", rf"\frac{{{2 * other}}}{{2}}", f"${other}$", rf"\({other}\)", f"{other}!", f"{other}e0", f"--{other}"])


def make_fraction():
    top, bottom = integer(), pick([2, 3, 4, 5, 7, 8, 10, 25])
    return fraction(top, bottom), fraction(near(top), bottom)


def make_fraction_decimal():
    top, bottom = integer(), pick([2, 3, 4, 5, 7, 8, 10, 25])
    other = near(top)
    return pick([fraction(top, bottom), f"{top / bottom:.6f}"]), pick([f"{other / bottom:.{pick([1, 2, 4, 6, 8])}f}", f"{other / bottom}", f"{other / bottom:.3g}", f"{other / bottom:.10f}".rstrip("0"), fraction(other, bottom)])


def make_mixed():
    whole, bottom = integer(1, 9), integer(2, 9)
    top = integer(1, bottom - 1)
    other, sign = near(whole), pick(["", "", "-"])

    def spell(number):
        return pick([rf"{number}\frac{{{top}}}{{{bottom}}}", rf"{number} \frac{{{top}}}{{{bottom}}}", f"{number} {top}/{bottom}", rf"{number}\dfrac{{{top}}}{{{bottom}}}", rf"{number}+\frac{{{top}}}{{{bottom}}}",
                     rf"{number}\frac{top}{bottom}", fraction(number * bottom + top, bottom), rf"{number} \, \frac{{{top}}}{{{bottom}}}", rf"{number}\text{{ and }}\frac{{{top}}}{{{bottom}}}"])

    return sign + spell(whole), sign + spell(other)


def make_decimal():
    value = draw.uniform(-100, 100)
    digits = draw.randint(1, 8)
    truth = f"{value:.{digits}f}"
    return truth, pick([truth + "0", f"{value:.{max(1, digits - 1)}f}", f"{value:.{digits + 1}f}", truth.lstrip("0") or "0", truth + r"\text{ cm}", "0" + truth if value > 0 else truth, truth.replace("0.", "."), rf"\approx {truth}", rf"x \approx {truth}", truth.replace(".", ",")])


def make_repeating():
    digits = pick(["3", "6", "27", "142857", "09", "5"])
    value = f"{int(digits)}/{10 ** len(digits) - 1}"
    return pick([value, rf"0.\overline{{{digits}}}"]), pick([rf"0.\overline{{{digits}}}", rf"0.\dot{{{digits[0]}}}", rf"0.\bar{{{digits}}}", f"0.{digits * 3}...", rf"0.{digits * 2}\ldots", f"0.{digits * 4}", f"0.({digits})", value])


def make_scientific():
    a, n = pick([integer(1, 9), round(draw.uniform(1, 10), 2)]), integer(-6, 9)
    other = near(n)
    value = a * 10.0 ** other
    return pick([rf"{a} \times 10^{{{n}}}", rf"{a}\cdot 10^{{{n}}}", f"{a}*10^{n}", f"{a}e{n}"]), pick(
        [rf"{a} \times 10^{{{other}}}", rf"{a}\cdot10^{other}", f"{a}e{other}", f"{a}E{other}", f"{value:.10f}".rstrip("0").rstrip("."), f"{value}", rf"{a}\times10^{other}", f"{a} x 10^{other}", rf"{a * 10}\times 10^{{{other - 1}}}", f"{a}*10**{other}"])


def make_thousands():
    value = integer(1000, 9999999)
    other = near(value, 0.2)
    return pick([str(value), f"{value:,}"]), pick([f"{other:,}", str(other), f"{other:,}.00", f"{other:,}".replace(",", "{,}"), f"{other:,}".replace(",", r",\!"), f"{other:,}".replace(",", " "), f"{other:,}".replace(",", r"\,"), f"{other:,}".replace(",", ", "), rf"\text{{{other:,}}}", rf"\${other:,}"])


def make_large():
    n = integer(2, 30)
    a, b = pick([2, 3, 5, 7, 10]), near(n)
    return pick([f"{a}^{{{n}}}", str(a ** n), f"{a}^{n}"]), pick([str(a ** b), f"{a}^{{{b}}}", f"{a}^{b}", rf"{a}\cdot {a}^{{{b - 1}}}", f"{a}**{b}", rf"({a})^{{{b}}}", f"{a ** b:,}", f"{float(a ** b)}"])


def make_percent():
    top = pick([integer(1, 100), round(draw.uniform(0, 100), 1)])
    other = top if chance(0.7) else top + 1
    return pick([rf"{top}\%", rf"{top}\%", f"{top}", f"{top}%"]), pick([f"{other}", rf"{other}\%", f"{other}%", f"{other / 100:.4f}", rf"\frac{{{other}}}{{100}}", f"{other} percent", rf"{other}\text{{ percent}}", rf"{other} \%", rf"{other}\text{{\%}}", f"{other}/100", rf"{other}\ \%"])


def surd(a, b, c):
    return pick([rf"{a}+{b}\sqrt{{{c}}}", rf"{b}\sqrt{{{c}}}+{a}", rf"{a} + \sqrt{{{b * b * c}}}", rf"{a}+{b}\sqrt{c}", rf"{a}+{b}*\sqrt{{{c}}}", rf"{a}+{b} \cdot \sqrt{{{c}}}", rf"\sqrt{{{c}}}\cdot{b}+{a}", f"{a}+{b}sqrt({c})",
                 f"{a}+{b}√{c}", rf"\frac{{{2 * a}+{2 * b}\sqrt{{{c}}}}}{{2}}", rf"({2 * a}+{2 * b}\sqrt{{{c}}})/2", rf"{a}+{b}\cdot {c}^{{1/2}}", rf"{a}+{b}{{\sqrt{{{c}}}}}", rf"{a}+\frac{{{b * c}}}{{\sqrt{{{c}}}}}"])


def make_surd():
    a, b, c = integer(1, 9), integer(2, 9), pick([2, 3, 5, 7, 11])
    return surd(a, b, c), surd(near(a, 0.15), near(b, 0.15), c)


def make_root():
    a, n = integer(2, 9), integer(2, 5)
    other = near(a)
    return pick([rf"{a}\sqrt{{2}}", rf"\sqrt[{n}]{{{a}}}", rf"\frac{{\sqrt{{{a}}}}}{{{n}}}", rf"\sqrt{{{a}+\sqrt{{{n}}}}}", rf"\sqrt{{\frac{{{a}}}{{{n}}}}}", rf"\sqrt[3]{{{a ** 3}}}", rf"\frac{{1}}{{\sqrt{{{a}}}}}"]), pick(
        [rf"\sqrt{{{2 * other ** 2}}}", rf"\frac{{{2 * other}}}{{\sqrt{{2}}}}", rf"\sqrt2 \cdot {other}", rf"{other}^{{1/{n}}}", rf"{other}^{{\frac{{1}}{{{n}}}}}", rf"\sqrt[{n}]{other}", rf"\frac{{1}}{{{n}}}\sqrt{{{other}}}",
         rf"\sqrt{{{other}}}/{n}", rf"\sqrt{{{other}+\sqrt{n}}}", rf"\frac{{\sqrt{{{other * n}}}}}{{{n}}}", rf"\sqrt{{{other}/{n}}}", str(other), rf"\frac{{\sqrt{{{other}}}}}{{{other}}}", rf"\sqrt{other}/{other}", rf"{other}^(1/{n})"])


def make_pi():
    top, bottom = integer(-12, 12), pick([1, 2, 3, 4, 6])
    other = near(top)
    spellings = [rf"{{}}\pi", rf"\pi \cdot {{}}", r"{} \pi", "{}π", "{}pi", "{}*pi", r"{} \times \pi", r"{}{{\pi}}"]
    if bottom > 1:
        spellings = [rf"\frac{{{{{{}}\pi}}}}{{{{{bottom}}}}}", rf"{{}}\pi/{bottom}", rf"\frac{{{{{{}}}}}}{{{{{bottom}}}}}\pi", rf"\pi \frac{{{{{{}}}}}}{{{{{bottom}}}}}", rf"{{}}π/{bottom}"]
    return pick(spellings).format(top), pick(spellings + [f"{other * math.pi / bottom:.6f}", f"{other * math.pi / bottom:.2f}"]).format(other)


def make_logarithm():
    a, b = integer(2, 9), integer(2, 5)
    other = near(b)
    return pick([rf"\log_{{{a}}} {a ** b}", rf"\ln {{{a ** b}}}", rf"\log {10 ** b}", rf"{b}\ln {a}", rf"\ln({a})+{b}", rf"\log_2 {a}", rf"e^{{{b}}}", str(b)]), pick(
        [str(other), rf"\frac{{\ln {a ** b}}}{{\ln {a}}}", rf"{other} \ln({a})", rf"\ln {a ** other}", rf"{other}+\ln {a}", rf"\frac{{\log {a}}}{{\log 2}}", rf"\exp({other})", rf"e^{other}", rf"\log_{a}({a ** other})", rf"\log_{{10}} {10 ** other}", f"{other}ln({a})", f"e^{{{other}.0}}", rf"{math.log(a):.6f}"])


def make_trigonometry():
    name, angle = pick(["sin", "cos", "tan"]), pick([0, 1, 2, 3, 4, 6])
    value = {"sin": math.sin, "cos": math.cos, "tan": math.tan}[name](math.pi / angle if angle else 0)
    argument = rf"\frac{{\pi}}{{{angle}}}" if angle else "0"
    return pick([rf"\{name} {argument}", rf"\{name}({argument})", rf"\{name}\left({argument}\right)", rf"\{name}^2 {argument}", rf"\arc{name} 1"]), pick(
        [f"{value:.6f}", f"{value:.0f}", r"\frac{\sqrt{3}}{2}", r"\frac12", r"\frac{1}{2}", r"\frac{\sqrt{2}}{2}", "1", "0", r"\sqrt{3}", r"\frac{\pi}{4}", rf"{name}({argument})", rf"\{name}\left(\frac{{\pi}}{{{angle + 1}}}\right)", r"\frac{\pi}{2}", f"{value * value:.6f}"])


def make_factorial():
    n, k = integer(1, 9), integer(0, 4)
    other = near(n)
    return pick([f"{n}!", rf"\binom{{{n + k}}}{{{k}}}", str(math.comb(n + k, k)), str(math.factorial(n)), rf"\frac{{{n + k}!}}{{{k}!}}"]), pick(
        [str(math.factorial(max(other, 0))), rf"\frac{{{n + k}!}}{{{k}!{n}!}}", rf"\binom{{{n + k}}}{{{n}}}", f"{other}!", rf"{{{n + k} \choose {k}}}", rf"\dbinom{{{n + k}}}{{{k}}}", str(math.comb(n + k, k)), rf"{n} \cdot {max(n - 1, 0)}!", f"{n}!!", f"C({n + k},{k})", f"({n}!)", f"{n + k}!/{k}!"])


def make_complex():
    a, b = integer(-9, 9), integer(1, 9)
    other = near(b)
    return pick([f"{a}+{b}i", f"{a} + {b} i", f"{b}i", f"{a}-{b}i", rf"{a}+{b}\mathrm{{i}}"]), pick(
        [f"{b}i+{a}", f"{a} + {other}i", f"{a}+i{b}", f"{other}i", f"{a}+{other}j", f"{a}+{other}*I", rf"{a}+{b}\cdot i", rf"{a} + i\sqrt{{{b * b}}}", f"{a}-{other}i", f"({a}+{other}i)", rf"{a}+{b}\imath", f"{a}+{b}i^2", rf"\sqrt{{-{b * b}}}", f"{b}j"])


def make_plus_minus():
    a, b = integer(-9, 9), pick([2, 3, 5, 4, 9])
    other = near(b, 0.2)
    return pick([rf"{a} \pm \sqrt{{{b}}}", rf"\pm {b}", rf"{a}+\sqrt{{{b}}}, {a}-\sqrt{{{b}}}", rf"x = {a} \pm {b}", f"{b},-{b}", rf"\{{{b},-{b}\}}"]), pick(
        [rf"{a}+\sqrt{{{other}}}, {a}-\sqrt{{{b}}}", rf"{a}-\sqrt{{{b}}}, {a}+\sqrt{{{b}}}", rf"{a} \pm \sqrt{{{other}}}", rf"\pm{other}", f"{other},-{other}", f"{other} or -{other}", rf"{other} \text{{ or }} -{other}", rf"x={other}, x=-{other}", f"{a}+{b},{a}-{b}", rf"\pm \sqrt{{{b * b}}}", f"±{other}", f"{a}±{b}", f"{other} and -{other}", rf"{a}\mp\sqrt{{{b}}}"])


def elements(count):
    return [pick([str(integer()), rf"\frac{{{integer()}}}{{{pick([3, 5, 7])}}}", rf"\sqrt{{{pick([2, 3, 5])}}}", f"{integer(0, 9)}.5", str(integer())]) for _ in range(count)]


def make_set():
    truth = elements(draw.randint(1, 5))
    answer = list(truth)
    if chance(0.6):
        draw.shuffle(answer)
    if chance(0.3):
        answer[-1] = str(integer())
    if chance(0.1):
        answer.append(answer[0])

    def spell(items):
        return pick([r"\{%s\}", r"\left\{%s\right\}", "%s", "%s", "{%s}", r"\lbrace %s \rbrace", r"x \in \{%s\}", "x=%s", r"\{ %s \}", "[%s]"]) % pick([", ", ",", "; ", r",\,", r"\text{ and }", " and ", r",\ ", " or ", r"\text{, }"]).join(items)

    return spell(truth), spell(answer)


def make_tuple():
    truth = elements(draw.randint(2, 4))
    answer = list(truth)
    if chance(0.3):
        draw.shuffle(answer)
    if chance(0.2):
        answer = answer[:-1] + [str(integer())]

    def spell(items):
        return pick(["(%s)", "(%s)", r"\left(%s\right)", "%s", "[%s]", r"\{%s\}", "( %s )", r"(x,y)=(%s)", r"\langle %s \rangle", r"\big(%s\big)"]) % pick([", ", ",", r",\;", "; "]).join(items)

    return spell(truth), spell(answer)


def make_tuples():
    pairs = [tuple(str(integer(0, 9)) for _ in range(2)) for _ in range(draw.randint(2, 4))]
    answer = list(pairs)
    if chance(0.5):
        draw.shuffle(answer)
    if chance(0.2):
        answer[-1] = ("1", "2")

    def spell(items):
        return pick(["%s", r"\{%s\}", r"\left\{%s\right\}"]) % pick([", ", ",", r"\text{ and }", " and ", ";"]).join(pick(["(%s,%s)", "(%s, %s)", r"\left(%s,%s\right)"]) % item for item in items)

    return spell(pairs), spell(answer)


def make_interval():
    low = integer()
    high = low + integer(1, 9)
    pieces = [(pick("(["), str(low), str(high), pick(")]"))]
    if chance(0.3):
        pieces.append((pick("(["), str(high + 1), r"\infty", ")"))
    if chance(0.2):
        pieces.insert(0, ("(", r"-\infty", str(low - 1), pick(")]")))
    if chance(0.2):
        pieces = pieces[:1] + [("[", str(high), str(high + 4), ")")]
    answer = list(pieces)
    if chance(0.3):
        draw.shuffle(answer)
    if chance(0.3):
        left, a, b, right = answer[0]
        answer[0] = pick([("(", a, b, right), (left, a, b, "]" if b != r"\infty" else ")"), (left, a, b + ".5" if b != r"\infty" else b, right), (left, a, b, right)])

    def spell(items):
        left, right = pick([("", ""), (r"\left", r"\right")])
        text = pick([r" \cup ", r"\cup", " ∪ ", "U", r" \cup"]).join(f"{left}{a}{pick(['', ' '])}{b}{pick([', ', ','])}{c}{right}{d}" for a, b, c, d in items)
        return pick([text, text, text, rf"x \in {text}", text.replace(r"\infty", "inf"), text.replace(r"\infty", "∞"), text.replace("-\\infty", r"- \infty"), text.replace(r"\infty", r"+\infty") if "-" not in text else text])

    return spell(pieces), spell(answer)


def make_relation():
    variable, low = pick("xyna"), integer()
    high = low + integer(1, 9)
    sign, flipped = pick([("<", ">"), (">", "<"), (r"\le", r"\ge"), (r"\geq", r"\leq"), ("=", "="), (r"\neq", r"\neq"), ("≤", "≥"), (">=", "<=")])
    other = near(low)
    return pick([
        (f"{variable} {sign} {low}", pick([f"{variable} {sign} {other}", f"{other} {flipped} {variable}", f"{variable} {flipped} {other}", f"{variable}-{abs(other)} {sign} {other - abs(other)}"])),
        (f"{variable}={low}", pick([str(other), f"{variable} = {other}", f"z={other}", f"{other} = {variable}", f"{variable} = 2 = {other}", rf"\text{{{variable}}}={other}", f"{variable}: {other}", f"{variable}={other}.0", rf"{variable}\approx {other}"])),
        (f"{low}", f"{pick('xyz')} = {other}"),
        (rf"{low} < {variable} \le {high}", pick([rf"({low}, {high}]", rf"({low}, {high})", rf"{low} < {variable} \leq {high}", rf"{low} < {variable} \leq {high + 1}", rf"{variable} \in ({low}, {high}]", rf"{high} \ge {variable} > {low}"])),
        (rf"{variable} > {low}", pick([rf"({low}, \infty)", rf"({other},\infty)", rf"[{low},\infty)"])),
        (f"{variable} + z = {low}", pick([f"2{variable} + 2z = {2 * other}", f"{variable} = {other} - z", f"z + {variable} = {other}", f"{variable} + z", f"{variable}+z-{abs(other)}={other - abs(other)}"])),
        (f"y = {high}x + {low}", pick([f"y={high}x+{other}", f"{high}x+{other}", f"y-{high}x={other}", f"f(x)={high}x+{other}"])),
        (rf"({low},{high})", f"{low} < {variable} < {high}"),
        (f"{variable}={low}, z={high}", pick([f"z={high},{variable}={other}", f"{variable}={other} and z={high}", f"({other},{high})", f"{other},{high}"])),
    ])


def make_matrix():
    rows, columns = draw.randint(1, 3), draw.randint(1, 3)
    truth = [elements(columns) for _ in range(rows)]
    answer = [list(row) for row in truth]
    if chance(0.3):
        answer[-1][0] = str(integer())
    if chance(0.1):
        answer = [list(row) for row in zip(*answer)]

    def spell(matrix, factor=""):
        kind = pick(["pmatrix", "pmatrix", "bmatrix", "matrix", "vmatrix", "array"])
        head = "{" + "c" * len(matrix[0]) + "}" if kind == "array" else ""
        text = rf"\begin{{{kind}}}{head}" + pick([r" \\ ", r"\\"]).join(pick([" & ", "&"]).join(row) for row in matrix) + pick(["", "", r"\\"]) + rf"\end{{{kind}}}"
        return factor + pick([text, text, rf"\left({text}\right)" if kind in ("matrix", "array") else text])

    if chance(0.25):
        numbers = [[integer(-5, 5) for _ in range(columns)] for _ in range(rows)]
        scaled = [[str(2 * near(n, 0.05)) for n in row] for row in numbers]
        numbers = [[str(n) for n in row] for row in numbers]
        return spell(scaled), pick([spell(numbers, "2"), spell(numbers, r"2 \cdot "), spell(numbers) + "+" + spell(numbers), spell(scaled, "-"), spell(scaled) + r"^T"])
    return spell(truth), spell(answer)


def make_polynomial():
    a, b = integer(1, 9), integer(1, 9)
    other = near(b)
    return pick([
        (f"(x+{a})(x-{b})", f"x^2 + {a - b}x - {a * other}".replace("+ -", "- ")),
        (f"x^2+{2 * a}x+{a * a}", pick([f"(x+{a})^2", f"(x+{a})^{{2}}", f"{a * a}+{2 * a}x+x^2", f"x(x+{2 * a})+{a * a}", rf"\left(x+{a}\right)^2", f"x**2+{2 * a}*x+{a * a}"])),
        (f"{a}x + {b}", pick([f"{b} + {a}x", f"{other}+{a} x", rf"{a} \cdot x + {other}", f"x*{a} + {other}", f"{a}X+{other}", f"{a}y+{other}"])),
        (rf"\frac{{{a}x}}{{{b}}}", pick([rf"\frac{{{a}}}{{{other}}}x", f"{a}x/{other}", rf"\frac{{x \cdot {a}}}{{{other}}}", rf"\frac{{{a}}}{{{b}}} \cdot x", f"{a}/{b}x"])),
        (rf"x^{{{a}}}y", pick([rf"yx^{a}", rf"x^{{{a}}} y", rf"x^{other}y", rf"y \cdot x^{{{a}}}"])),
        (rf"\frac{{1}}{{x+{a}}}", pick([rf"(x+{a})^{{-1}}", rf"1/(x+{a})", rf"1/(x+{other})", rf"\frac{{2}}{{2x+{2 * a}}}"])),
        (rf"|x-{a}|", pick([rf"|{a}-x|", rf"\left|x-{a}\right|", rf"x-{a}", rf"\sqrt{{(x-{a})^2}}", rf"\lvert x-{a} \rvert"])),
        (f"{a}n({b}n+1)", pick([f"{a * b}n^2+{a}n", f"n({a * b}n+{a})", f"{a}*n*({b}*n+1)", f"{a * b}n^{{2}}+{a}", f"({a}n)({b}n+1)"])),
        (f"2^{{n+{a}}}", pick([rf"{2 ** a}\cdot 2^n", rf"2^n \cdot 2^{{{a}}}", f"2^{{n}}*{2 ** a}", f"2^(n+{a})", f"2^n+{a}"])),
        (f"a^{a}b^{b}", pick([f"b^{b}a^{a}", f"a^{{{a}}} b^{{{other}}}", f"A^{a}B^{b}", f"(ab)^{a}"])),
        (rf"\sin x \cos {a}", pick([rf"\cos {a} \sin x", rf"\sin(x)\cos({other})", r"\sin x", rf"\frac{{1}}{{2}}(\sin(x+{a})+\sin(x-{a}))"])),
        (rf"x_{a}+x_{{{b}}}", pick([rf"x_{{{a}}}+x_{other}", rf"x_{b}+x_{a}"])),
        (rf"\frac{{x^2-{a * a}}}{{x-{a}}}", pick([f"x+{a}", f"x-{a}", rf"\frac{{(x-{a})(x+{a})}}{{x-{a}}}"])),
    ])


def make_nested():
    a, b, c = integer(1, 9), integer(2, 9), integer(2, 9)
    other = near(b)
    return pick([
        (rf"\frac{{{a}}}{{{b}+\frac{{1}}{{{c}}}}}", pick([fraction(a * c, other * c + 1), rf"{a}/({other}+1/{c})", rf"\cfrac{{{a}}}{{{b}+\cfrac{{1}}{{{c}}}}}"])),
        (rf"\frac{{\frac{{{a}}}{{{b}}}}}{{{c}}}", pick([fraction(a, other * c), f"{a}/{b}/{c}", rf"\frac{{{a}}}{{{b}}}\div {c}"])),
        (rf"\frac{{{a}+\sqrt{{{b}}}}}{{{c}}}", pick([rf"\frac{{{a}}}{{{c}}}+\frac{{\sqrt{{{b}}}}}{{{c}}}", rf"\frac{{\sqrt{{{other}}}+{a}}}{{{c}}}", rf"({a}+\sqrt{b})/{c}", rf"\frac{{1}}{{{c}}}({a}+\sqrt{{{b}}})"])),
        (rf"\sqrt{{{a + b}+2\sqrt{{{a * b}}}}}", pick([rf"\sqrt{{{a}}}+\sqrt{{{b}}}", rf"\sqrt{{{a}}}+\sqrt{{{other}}}"])),
        (rf"\frac{{1}}{{\sqrt{{{a + 1}}}-1}}", pick([rf"\frac{{\sqrt{{{a + 1}}}+1}}{{{a}}}", rf"\frac{{\sqrt{{{a + 1}}}-1}}{{{a}}}"])),
        (rf"({a}+{b})^2-{c}", pick([str((a + other) ** 2 - c), rf"{a * a}+{2 * a * b}+{b * b}-{c}"])),
        (rf"\left(\frac{{{a}}}{{{b}}}\right)^{{{c % 4}}}", pick([fraction(a ** (c % 4), b ** (c % 4)), rf"\frac{{{a}^{c % 4}}}{{{other}^{c % 4}}}"])),
        (rf"-\left({a}-{b}\right)", pick([str(b - a), str(a - other), f"{b}-{a}"])),
    ])


def make_text():
    word = pick(["Yes", "no", "Monday", "even", "A", "B", "neither", "C", "red", "True", "AB", "E", "x", "convex", "None", "D", "All of the above", "f", "odd", "two", "III", "isosceles", "undefined"])
    other = word if chance(0.7) else pick(["no", "D", "odd", "Yes", "B"])
    return pick([rf"\text{{{word}}}", word, rf"\textbf{{({word})}}", rf"\text{{({word})}}"]), pick([rf"\text{{{other}}}", other, other.lower(), rf"\mathrm{{{other}}}", rf"\textbf{{{other}}}", rf"\text{{({other})}}", f"({other})", rf"\text{{ {other} }}", other.upper(), f"{other}.", rf"\mathbf{{({other})}}", rf"\textbf{{({other}) }}7", rf"\textit{{{other}}}"])


def make_unit():
    value = pick([integer(1, 99), round(draw.uniform(0, 99), 1)])
    other = value if chance(0.7) else value + 1
    return pick([str(value), str(value), rf"{value}\text{{ cm}}", rf"{value}^\circ"]), pick([rf"{other}\text{{ cm}}", rf"{other} \text{{ cm}}^2", f"{other} meters", rf"\${other}", rf"{other}^\circ", f"{other} km", rf"{other}\mathrm{{~kg}}", rf"{other}^{{\circ}}", f"{other} hours", f"${other}", f"{other}°", f"{other} degrees",
                                                                                              rf"{other}\,\text{{m/s}}", rf"{other} \text{{ square units}}", f"{other} dollars", rf"\text{{{other} inches}}", f"{other}cm^2", f"{other} mph", rf"{other}\ \mathrm{{cm}}^3", f"£{other}", f"{other} feet", rf"{other}~\text{{cm}}", f"{other} cents", rf"{other}\text{{.}}", rf"\text{{about }}{other}", rf"{other}\textrm{{ units}}"])


def make_prose():
    value = integer(1, 99)
    other = near(value)
    return str(value), pick([f"The answer is {other}", f"x = {other}", f"n={other}", f"{other} (approximately)", f"{other}, {other}", f"There are {other} ways", f"approximately {other}", rf"\text{{The answer is }} {other}", rf"{other} \text{{ ways}}", rf"N = {other}", f"{other};", rf"\textbf{{{other}}}", f"**{other}**",
                             rf"\mathbf{{{other}}}", rf"\displaystyle {other}", rf"{other}\quad", rf"\;{other}", rf"\large {other}", rf"{other} \mod 7", rf"f(x)={other}", rf"\angle ABC = {other}^\circ", rf"{other}_{{10}}", rf"{other}_8", rf"AB={other}", rf"\overline{{AB}}={other}", rf"P(x)={other}"])


def make_python():
    a, b = integer(0, 9), integer(1, 9)
    return pick([str(a), f"{a}+{b}i", "x", f"x+{a}", f"{a}x", r"\sqrt{2}", "0.5", r"\pi", f"{a}.5", "e", f"x^{b}"]), pick(
        [f"0x{a}", f"{a}j", f"0b1{a % 2}", f"0o{a % 8}", f"{a}_0", f"1_000", f"{a}e{b}", f"{a}**{b}", "E", "I", "N", "S", "Q", "beta", "gamma", "zeta", "oo", "nan", f"sin({a})", f"x**{b}", f"lambda", f"{a};{b}", f"x if {a} else {b}", f"{a}==%d" % b, f"({a},)", f"'{a}'", f"[{a}]", f"{{{a}}}", f"abs(-{a})", f"ln({b})", f"log({b})",
         f"exp({a})", f"{a}//{b}", f"{a}%{b}", f"{a}<<{b}", f"{a}&{b}", f"{a}|{b}", f"~{a}", f"not {a}", f"x.y", f"{a}.real", f"re({a})", f"im({b}x)", f"xx+{a}", f"x'+{a}", f"f(x)", f"x(y)", f"pi{a}", f"{a}pi{b}", f"x2+{a}", f"2x3", f"x_1+{a}", f"{a} {b}", f"{a}.{b}.{a}", f"x!{b}", f"x!+{a}", f"{a}x!", f"x^-{b}", f"-x^2", f"x^y", f"{a}^x", f"1/{b}x", f"x/{b}y", f"sqrt{b}", f"sqrt x", f"sqrt({b})({b})", f"sqrt(x)^2", f"ln x", f"e^{b}", f"pi(x)", f"xi", f"mu+nu", f"ex", f"ix", f"{b}xx/x",
         f"gcd({a},{b})", rf"\gcd({a},{b})", rf"\max({a},{b})", rf"\min({a},{b})", rf"\lfloor {a}.5 \rfloor", rf"\lceil {a}.5 \rceil", rf"\left\lfloor \frac{{{a}}}{{{b}}} \right\rfloor", rf"{a} \pmod {{{b}}}", rf"{a} \bmod {b}", rf"\sum_{{k=1}}^{{{b}}} k", rf"\int_0^1 x dx", rf"\lim_{{x \to 0}} x", rf"\det({a})", rf"\operatorname{{lcm}}({a},{b})", rf"\overline{{{a}{b}}}", rf"\vec{{v}}", rf"\mathbb{{R}}", rf"\mathbb{{N}}", r"\emptyset", r"\varnothing", r"\infty", r"-\infty", r"\text{DNE}", r"\infty + 1", r"\aleph_0"])


def make_mutation():
    """One of the others, with a slip: a character gone, doubled, moved or put in."""
    kind = pick([name for name in makers if name != "mutation"])
    truth, answer = makers[kind]()
    for _ in range(draw.randint(1, 2)):
        at = draw.randrange(len(answer) + 1)
        token = pick(["{", "}", "\\", "(", ")", "[", "]", " ", "^", "_", "$", "%", ",", ".", "/", "+", "-", "*", "=", "!", "|", "&", "~", "'", '"', ":", ";", "<", ">", "?", "#", "@", "`", "x", "i", "e", "0", "1", "\\frac", "\\sqrt", "\\left", "\\right", "\\text{", "\\\\", "\\,", "\\!", "π", "√", "°", "−", "×", "·", "\n", "\\cdot", "\\times", "...", "²", "½"])
        answer = pick([answer[:at] + answer[at + 1:], answer[:at] + token + answer[at:], answer[:at] + answer[at:at + 1] + answer[at:], answer[:at] + answer[at + 1:at + 2] + answer[at:at + 1] + answer[at + 2:], answer.replace(" ", ""), re.sub(r"([-+*/=,])", r" \1 ", answer)])
    return truth, answer


makers = {name[5:]: make for name, make in list(globals().items()) if name.startswith("make_")}


def answer_pairs(count, seed):
    draw.seed(seed)
    for kind in draw.choices(sorted(makers), [6 if name == "mutation" else 1 for name in sorted(makers)], k=count):
        yield kind, *makers[kind]()
