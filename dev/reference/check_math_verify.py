"""Compares `./grade --grader math_verify` with PyPI math-verify on generated pairs of answers (answer_pairs.py), and lists the
misses by kind.

    python3 -m venv /tmp/verify && /tmp/verify/bin/pip install math-verify==0.9.0
    /tmp/verify/bin/python dev/reference/check_math_verify.py [PAIRS=6000] [SEED=1]

A truth is parsed as $truth$, an answer as it stands in a response: mostly in a box, one time in four in prose without one.
Ends with exit code 1 below 98 % agreement.
"""
import collections
import json
import logging
import random
import subprocess
import sys
import time
import warnings

from answer_pairs import answer_pairs
from math_verify import parse, verify

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
count, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 6000, int(sys.argv[2]) if len(sys.argv) > 2 else 1
draw = random.Random(seed)
PROSE = [
    "The final answer is ${}$. I hope it is correct.", "The final answer is {}. I hope it is correct.", "**Final answer:** ${}$", "So the answer is {}.", "Answer: {}", "Answer: ${}$", "we get $x+1$, hence ${}$.", "Therefore \\[ {} \\] and we are done.",
    "It follows that \\({}\\).", "the result is $${}$$", "There are {} ways.", "= {}", "The answer is **{}**.", "The value is ${}$, as 3 + 4 = 7 shows.", "{}", "$a = 2$, and so we have that the answer to this is ${}$", "in total {} and no more", "First $1$, then ${}$ and $7$.",
    "We have 12 cases. The answer is therefore ${}$ dollars.", "\\boxed{{{}}} and \\boxed{{3}}", "\\boxed{{3}}, no: \\boxed{{{}}}", "The answer: \\boxed{{{}}}, which is 5 more than 2.", "I first thought $\\boxed{{5}}$ but the final answer is $\\boxed{{{}}}$.", "\\fbox{{{}}}",
]
rows = [(kind, truth, ("\\boxed{%s}" % answer) if draw.random() < 0.75 else draw.choice(PROSE).format(answer)) for kind, truth, answer in answer_pairs(count, seed)]


def wanted(truth, response):
    try:
        return bool(verify(parse(f"${truth}$"), parse(response)))
    except Exception:
        return False


start = time.time()
wanted_verdicts = [wanted(truth, response) for _, truth, response in rows]
their_seconds = time.time() - start
lines = "".join(json.dumps({"response": response, "truth": truth}) + "\n" for _, truth, response in rows)
start = time.time()
done = subprocess.run(["./grade", "--grader", "math_verify"], input=lines, capture_output=True, text=True, check=True)
seconds = time.time() - start
verdicts = [json.loads(line) for line in done.stdout.splitlines()]
assert len(verdicts) == len(rows)

totals, agreed = collections.Counter(), collections.Counter()
for (kind, truth, response), want, verdict in zip(rows, wanted_verdicts, verdicts):
    kind += "" if response.startswith("\\boxed{") and response.count("boxed") == 1 else " in prose"
    totals[kind] += 1
    agreed[kind] += want == bool(verdict["reward"])
    if want != bool(verdict["reward"]):
        print(f'miss ({kind}): truth {truth!r}, response {response!r}: math-verify says {int(want)}, grade says {verdict["reward"]} ({verdict["reason"]})')
for kind in sorted(totals):
    print(f"{kind:26} {agreed[kind]:5} of {totals[kind]:5}")
print(f"{sum(agreed.values())} of {len(rows)} agree ({100 * sum(agreed.values()) / len(rows):.2f} %), {sum(wanted_verdicts)} of them right; "
      f"{len(rows) / seconds:.0f} a second through the pipe, math-verify {len(rows) / their_seconds:.0f}")
sys.exit(sum(agreed.values()) < 0.98 * len(rows))
