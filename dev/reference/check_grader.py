"""Lists every pair of DeepScaleR's verdict file on which ./grade disagrees, by kind of rewrite.

    python3 dev/reference/check_grader.py ../shared/data/grader/deepscaler_verdicts.jsonl

The file's verdicts come from DeepScaleR's own grader (mathd, then sympy). Needs nothing but ./grade (make grade).
Ends with exit code 1 below 99.9 % agreement.
"""
import collections
import json
import subprocess
import sys
import time

if len(sys.argv) != 2:
    sys.exit(__doc__)
with open(sys.argv[1], encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]
lines = "".join(json.dumps({"answer": row["pred"], "truth": row["gold"]}) + "\n" for row in rows)
start = time.time()
done = subprocess.run(["./grade", "--grader", "deepscaler"], input=lines, capture_output=True, text=True, check=True)
seconds = time.time() - start
verdicts = [json.loads(line) for line in done.stdout.splitlines()]
assert len(verdicts) == len(rows)

misses, reasons = collections.Counter(), collections.Counter()
for row, verdict in zip(rows, verdicts):
    reasons[verdict["reason"]] += 1
    if verdict["reward"] != row["verdict"]:
        misses[row["kind"]] += 1
        print(f'miss ({row["kind"]}): truth {row["gold"]!r}, answer {row["pred"]!r}: DeepScaleR says {int(row["verdict"])}, '
              f'grade says {verdict["reward"]} ({verdict["reason"]}); normal forms {row["norm_gold"]!r}, {row["norm_pred"]!r}')
agreed = len(rows) - sum(misses.values())
print(f"{agreed} of {len(rows)} verdicts agree ({100 * agreed / len(rows):.3f} %), {len(rows) / seconds:.0f} a second through the pipe")
print("misses by kind:", dict(misses))
print("reasons:", dict(reasons))
sys.exit(agreed < 0.999 * len(rows))
