"""Reads a run_dir's TensorBoard and W&B files with those projects' own readers and compares them with metrics.jsonl.

    python dev/reference/check_loggers.py RUN_DIR

Needs: tensorboard; wandb 0.19 (wandb.sdk.internal.datastore, dropped later).
"""
import glob
import json
import math
import struct
import sys

run_dir = sys.argv[1]
steps = {}
with open(f"{run_dir}/metrics.jsonl") as file:
    for line in file:
        row = json.loads(line)
        steps[row["step"]] = {k: math.nan if v is None else v for k, v in row["data"].items()}


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def to_float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def check_tensorboard():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(f"{run_dir}/tensorboard", size_guidance={"scalars": 0})
    board.Reload()
    count = 0
    for tag in board.Tags()["scalars"]:
        for event in board.Scalars(tag):
            assert same(event.value, to_float32(steps[event.step][tag])), (tag, event)
            assert abs(event.wall_time - steps[event.step]["_timestamp"]) < 1e-3
            count += 1
    want = sum(not name.startswith("_") for data in steps.values() for name in data)
    assert count == want, (count, want)
    print(f"tensorboard: {count} scalars of {len(board.Tags()['scalars'])} tags equal metrics.jsonl")


def check_wandb():
    import wandb.sdk.internal.datastore as datastore
    from wandb.proto import wandb_internal_pb2 as pb

    files = sorted(glob.glob(f"{run_dir}/wandb/offline-run-*/run-*.wandb"))
    store = datastore.DataStore()
    store.open_for_scan(files[-1])
    kinds, count, seen = [], 0, set()
    while (data := store.scan_data()) is not None:
        record = pb.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        assert record.num == len(kinds), (record.num, len(kinds))
        kinds.append(kind)
        if kind == "run":
            print("wandb: run", record.run.run_id, record.run.project, record.run.display_name, len(record.run.config.update), "config keys")
            config = {u.key: json.loads(u.value_json) for u in record.run.config.update}
            assert config == json.load(open(f"{run_dir}/config.json")), "the run's config is config.json"
        if kind == "history":
            row = {item.key: json.loads(item.value_json) for item in record.history.item}
            step = record.history.step.num
            assert row.pop("_step") == step
            assert row.keys() == steps[step].keys() and all(same(row[k], steps[step][k]) for k in row), step
            seen.add(step)
            count += len(row)
    assert seen == set(steps) and kinds[:2] == ["header", "run"]
    assert kinds[-5:] == ["summary", "files", "exit", "final", "footer"], kinds[-5:]
    print(f"wandb: {len(kinds)} records, {count} values equal metrics.jsonl")


check_tensorboard()
check_wandb()
