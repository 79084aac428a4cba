#!/usr/bin/env python3
"""bench_join: the JSON lines of dev/bench_device*.c and of dev/peers/*.py as one Markdown table, a row for each figure beside its peers and its limit.

    bench_join.py [--blank] FILE...

Ours:  {"line", "row", "unit", "seconds", "work", "model_flops", "parts", "of", "good_of", "first", "good", "times_peer", "times_of"}, or {"line", "row", "text", "target"}
Peers: {"line", "row", "peer", "seconds"}, or "work" as well where a peer does a smaller piece of it; {"line", "row", "peer", "text"} where it could not run.
Line 0 holds the ceilings that every limit is made of. Ratios are of speed, so above 1 is faster, whatever the unit. --blank prints a dash for every figure.
"""
import json
import sys

UNITS = {"TFLOP/s": 1e12, "GB/s": 1e9, "tok/s": 1.0, "ms": 1e-3, "us": 1e-6, "s": 1.0}
TIMES = ("ms", "us", "s")
NAMES = {0: "ceilings", 1: "gemm", 2: "attn_fwd", 3: "attn_bwd", 4: "decode_attn", 5: "decode_step", 6: "rollout", 7: "logprob_head",
         8: "train_8k", 9: "train_24k", 10: "stream", 11: "sample", 12: "grpo_step"}
PEAK = 989.5e12  # of an H100 SXM in bf16, what a share of model flops (MFU) is of
# Attention's limit is a share of the matrix product ceiling: what FlashAttention-3 is published to reach of it at head size 128, forward and backward.
ATTENTION = {"attention_forward": 0.77, "attention_backward": 0.71}


def read(files):
    rows = []
    for name in files:
        with open(name) as file:
            for text in file:
                if text.startswith("{"):
                    try:
                        rows.append(json.loads(text))
                    except json.JSONDecodeError:  # a program was stopped in the middle of a line
                        pass
    return rows


def limit_seconds(row, ceilings):
    if not row.get("parts") or not ceilings.get("copy") or not ceilings.get("gemm"):
        return None
    rates = {"bytes": ceilings["copy"], "flops": ceilings["gemm"]}
    rates.update({name: ceilings["gemm"] * share for name, share in ATTENTION.items()})
    return sum(max(part[name] / rate for name, rate in rates.items()) for part in row["parts"])


def figure(seconds, work, unit):
    """Seconds as a figure in its unit, with three digits that count."""
    value = seconds / UNITS[unit] if unit in TIMES else work / seconds / UNITS[unit]
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def peer_speeds(row, peers):
    """{name: how many times as fast as it we are}"""
    speeds = {}
    for peer in peers:
        if "seconds" in peer:
            ours, theirs = row["seconds"], peer["seconds"]
            if peer.get("work") and row["work"]:
                ours, theirs = ours / row["work"], theirs / peer["work"]
            speeds[peer["peer"]] = theirs / ours
    return speeds


def target(row, to_limit, speeds):
    """The targets in words, and which of them are met."""
    if "of" not in row:
        return ""

    def share(of):
        if of == "limit":
            return to_limit
        found = [speed for name, speed in speeds.items() if of == "peer" or of in name]
        return min(found) if found else None

    first, good = share(row["of"]), share(row["good_of"])
    words = (f"{row['first']:.3g} / {row['good']:.3g} of {row['of']}" if row["of"] == row["good_of"]
             else f"{row['first']:.3g} of {row['of']} / {row['good']:.3g} of {row['good_of']}")
    if row["times_peer"]:
        words += f", {row['times_peer']:.3g} x {row['times_of'] or 'peer'}"
    if first is None and good is None:
        return words
    met = "good" if good is not None and good >= row["good"] else "first" if first is not None and first >= row["first"] else "missed"
    near = [speed for name, speed in speeds.items() if row["times_of"] in name and speed < row["times_peer"]]
    met += ", peer too near" if near else ""
    return f"{words}: {met}"


def sum_of_peers(rows, step):
    """Line 12's peer: its response tokens at the speed of the peers of lines 5 and 8, and a third of the training time for the reference's forward pass."""
    def seconds(line, start):
        found = [row["seconds"] / (row.get("work") or 1) for row in rows if row["line"] == line and "peer" in row and "seconds" in row and row["row"].startswith(start)]
        return min(found) if found else None
    decode, train = seconds(5, "B=256"), seconds(8, "4 x")
    if decode is None or train is None or not step["work"]:
        return None
    return {"line": 12, "row": step["row"], "peer": "sum of peers of 5 and 8", "seconds": step["work"] * (decode / 256 + train * 4 / 3), "work": step["work"]}


def main(arguments):
    blank = "--blank" in arguments
    rows = read([name for name in arguments if not name.startswith("--")])
    ours = [row for row in rows if "peer" not in row]
    ceilings = {row["row"]: row["work"] / row["seconds"] for row in ours if row["line"] == 0}
    for step in [row for row in ours if row["line"] == 12 and row.get("unit") == "tok/s"]:
        found = sum_of_peers(rows, step)
        rows += [found] if found else []
    print("| line | measured | peer | limit | ratio to limit | ratio to peer | target |\n|---|---|---|---|---|---|---|")
    for row in sorted(ours, key=lambda r: r["line"]):
        name = f"{row['line']} {NAMES.get(row['line'], '')}: {row['row']}"
        peers = [peer for peer in rows if "peer" in peer and peer["line"] == row["line"] and peer["row"] == row["row"]]
        if blank:
            print(f"| {name} | - | - | - | - | - | {row.get('target', '') if 'text' in row else target(row, None, {})} |")
            continue
        if "text" in row:
            print(f"| {name} | {row['text']} | {', '.join(p['text'] + ' (' + p['peer'] + ')' for p in peers if 'text' in p) or '-'} | - | - | - | {row['target']} |")
            continue
        unit, limit, speeds = row["unit"], limit_seconds(row, ceilings), peer_speeds(row, peers)
        to_limit = limit / row["seconds"] if limit else None
        measured = f"{figure(row['seconds'], row['work'], unit)} {unit}" + (f" ({row['model_flops'] / row['seconds'] / PEAK:.1%} MFU)" if row["model_flops"] else "")
        said = [f"{figure(p['seconds'], p.get('work') or row['work'], unit)} {p['peer']}" if "seconds" in p else f"{p['text']} ({p['peer']})" for p in peers]
        print(f"| {name} | {measured} | {'; '.join(said) or '-'} | {figure(limit, row['work'], unit) + ' ' + unit if limit else '-'} | {ratio(to_limit)} | "
              f"{ratio(min(speeds.values()) if speeds else None)} | {target(row, to_limit, speeds)} |")
    for peer in rows:  # a peer without our own figure still counts for something
        if "peer" in peer and not blank and not any(r["line"] == peer["line"] and r["row"] == peer["row"] for r in ours):
            print(f"| {peer['line']} {NAMES.get(peer['line'], '')}: {peer['row']} | - | {peer.get('text') or format(peer['seconds'], '.4g') + ' s'} ({peer['peer']}) | - | - | - | |")


if __name__ == "__main__":
    main(sys.argv[1:])
