"""Loads a checkpoint folder written by train_grpo in Transformers and compares its log-probabilities with those of our own sampler
on the same token ids. Prints the largest difference; ends with 1 when it is above the tolerance.

    python dev/reference/check_checkpoint.py DIR [--rollout ./rollout] [--sequences 4] [--length 64] [--seed 0] [--tolerance 1e-4]

Ids are random among those the tokenizer has; give real ones with --ids FILE (JSON lines {"ids": [..]}). Rows of the head beyond the
tokenizer (a vocabulary padded to 151936, say) have probability zero on our side, so they are left out on the other side too. Both sides
compute in float32 from the stored weights, so 1e-4 nats holds a float32 build; a bf16 build (activations rounded to 8 bits) needs about 0.1.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM


def tokenizer_size(folder):
    """The largest id of tokenizer.json, plus one."""
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        tokenizer = json.load(file)
    return 1 + max(list(tokenizer["model"]["vocab"].values()) + [token["id"] for token in tokenizer["added_tokens"]])


def transformers_logprobs(model, ids, size):
    """Log-probability of every id after the first among the first `size`, given the ids before it."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :, :size].double()
    return torch.log_softmax(logits[:-1], dim=-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


def rollout_logprobs(rollout, folder, sequences):
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "ids.jsonl")
        with open(path, "w") as file:
            for ids in sequences:
                file.write(json.dumps({"ids": ids}) + "\n")
        done = subprocess.run([rollout, "-m", folder, "--score", path], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{rollout} ended with {done.returncode}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line["logprobs"] for line in lines if "logprobs" in line]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rollout", default="./rollout")
    parser.add_argument("--ids")
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    options = parser.parse_args()

    config = AutoConfig.from_pretrained(options.folder)
    model, loading = AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    strange = {key: sorted(map(str, names)) for key, names in loading.items() if names}
    if strange:
        sys.exit(f"{options.folder}: Transformers reports {strange}")

    size = tokenizer_size(options.folder)
    if options.ids:
        with open(options.ids) as file:
            sequences = [json.loads(line)["ids"] for line in file if line.strip()]
    else:
        generator = random.Random(options.seed)
        length = min(options.length, config.max_position_embeddings)
        sequences = [[generator.randrange(size) for _ in range(max(2, length - 7 * i))] for i in range(options.sequences)]

    ours = rollout_logprobs(options.rollout, options.folder, sequences)
    if len(ours) != len(sequences):
        sys.exit(f"{options.rollout} --score gave {len(ours)} lines of log-probabilities for {len(sequences)} sequences")
    largest, total, count = 0.0, 0.0, 0
    for i, (ids, got) in enumerate(zip(sequences, ours)):
        want = transformers_logprobs(model, ids, size)
        if len(got) != len(want):
            sys.exit(f"sequence {i}: {len(got)} log-probabilities for {len(ids)} ids; one for each id after the first is wanted")
        differences = [abs(a - b) for a, b in zip(got, want)]
        if not all(d <= float("inf") for d in differences):
            sys.exit(f"sequence {i}: a log-probability is not a number")
        largest, total, count = max([largest] + differences), total + sum(differences), count + len(differences)
    print(f"{options.folder}: {count} log-probabilities, largest difference {largest:.3e}, mean {total / max(count, 1):.3e} (allowed {options.tolerance:.0e})")
    sys.exit(0 if largest <= options.tolerance else 1)


if __name__ == "__main__":
    main()
