"""Lists every pair of DeepScaleR's verdict file on which ./grade disagrees, by kind of rewrite. With DeepScaleR's own grader at
hand, also compares fresh pairs (answer_pairs.py) and the speed of the two on the same pairs of the file.

    python3 dev/reference/check_grader.py ../shared/data/grader/deepscaler_verdicts.jsonl

    git clone https://github.com/agentica-project/deepscaler /tmp/deepscaler # 95ef74f
    python3 -m venv /tmp/grader && /tmp/grader/bin/pip install sympy==1.14.0 pylatexenc==2.10
    /tmp/grader/bin/python dev/reference/check_grader.py VERDICTS /tmp/deepscaler/deepscaler/rewards/math_utils/utils.py [PAIRS=6000] [SEED=7]

The file's verdicts come from DeepScaleR's own grader (mathd, then sympy). Needs ./grade (make grade). Ends with exit code 1
below 99.9 % agreement on the file, or 99.5 % on fresh pairs.
"""
import collections
import importlib.util
import json
import logging
import random
import signal
import subprocess
import sys
import time
import warnings

from answer_pairs import answer_pairs

if len(sys.argv) < 2:
    sys.exit(__doc__)


def grade(pairs):
    """Verdicts of ./grade on (truth, answer) pairs, and how many it gives a second, start and pipe included."""
    lines = "".join(json.dumps({"answer": answer, "truth": truth}) + "\n" for truth, answer in pairs)
    start = time.time()
    done = subprocess.run(["./grade", "--grader", "deepscaler"], input=lines, capture_output=True, text=True, check=True)
    seconds = time.time() - start
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(pairs)
    return verdicts, len(pairs) / seconds


def compare(rows, verdicts):
    """Prints the rows (kind, truth, answer, wanted, note) that differ; returns how many agree."""
    misses, reasons = collections.Counter(), collections.Counter()
    for (kind, truth, answer, wanted, note), verdict in zip(rows, verdicts):
        reasons[verdict["reason"]] += 1
        if verdict["reward"] != wanted:
            misses[kind] += 1
            print(f'miss ({kind}): truth {truth!r}, answer {answer!r}: DeepScaleR says {int(wanted)}, grade says {verdict["reward"]} ({verdict["reason"]}){note}')
    agreed = len(rows) - sum(misses.values())
    print(f"{agreed} of {len(rows)} verdicts agree ({100 * agreed / len(rows):.3f} %); misses by kind {dict(misses)}, reasons {dict(reasons)}")
    return agreed


def load_deepscaler(path):
    """DeepScaleR's verdict as a function of truth and answer; None where it takes more than 10 seconds."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    spec = importlib.util.spec_from_file_location("utils", path)
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)

    class Late(BaseException):  # an Exception would be caught on the way
        pass

    def ring(*_):
        raise Late

    signal.signal(signal.SIGALRM, ring)

    def verdict(truth, answer):
        signal.alarm(10)
        try:
            return bool(utils.grade_answer_mathd(answer, truth) or utils.grade_answer_sympy(answer, truth))
        except Late:
            return None
        finally:
            signal.alarm(0)

    return verdict


with open(sys.argv[1], encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]
verdicts, speed = grade([(row["gold"], row["pred"]) for row in rows])
agreed = compare([(row["kind"], row["gold"], row["pred"], row["verdict"], f'; normal forms {row["norm_gold"]!r}, {row["norm_pred"]!r}') for row in rows], verdicts)
failed = agreed < 0.999 * len(rows)
print(f"{speed:.0f} verdicts a second through the pipe")

if len(sys.argv) > 2:
    deepscaler = load_deepscaler(sys.argv[2])
    count, seed = (int(argument) for argument in (sys.argv[3:] + ["6000", "7"][len(sys.argv) - 3:])[:2])
    sample = [(row["gold"], row["pred"]) for row in random.Random(seed).sample(rows, 2000)]
    start = time.time()
    for truth, answer in sample:
        deepscaler(truth, answer)
    theirs = len(sample) / (time.time() - start)
    _, ours = grade(sample * 10)  # of 2,000 pairs the start of the process would be a large part
    print(f"the same {len(sample)} pairs of the file: grade {ours:.0f} a second, DeepScaleR's grader {theirs:.0f}: {ours / theirs:.0f} times")
    fresh = [(kind, truth, answer, deepscaler(truth, answer), "") for kind, truth, answer in answer_pairs(count, seed)]
    known = [row for row in fresh if row[3] is not None]
    verdicts, _ = grade([(row[1], row[2]) for row in known])
    print(f"fresh pairs, seed {seed}: {len(fresh) - len(known)} took DeepScaleR's grader too long, {sum(row[3] for row in known)} are right")
    failed |= compare(known, verdicts) < 0.995 * len(known)
sys.exit(failed)
