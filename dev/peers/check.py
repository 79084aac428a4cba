"""Attention of `bench_device_ops check` beside PyTorch's in fp32: out, and the gradient of queries, keys and values. usage: check.py FOLDER"""
import sys

sys.argv, folder = sys.argv[:1], sys.argv[1]
from common import *
import torch.nn.functional as F

STARTS = (0, 130, 131, 387)


def read(name, heads):
    with open(f"{folder}/{name}", "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=torch.bfloat16).view(-1, heads, HEAD_DIM).float()


def main():
    qkv, out, dout, dqkv = read("qkv", HEADS + 2 * KV_HEADS), read("out", HEADS), read("dout", HEADS), read("dqkv", HEADS + 2 * KV_HEADS)
    qkv.requires_grad_()
    wanted = []
    for first, last in zip(STARTS, STARTS[1:]):
        q, k, v = (x.transpose(0, 1)[None] for x in qkv[first:last].split((HEADS, KV_HEADS, KV_HEADS), 1))
        k, v = (x.repeat_interleave(HEADS // KV_HEADS, 1) for x in (k, v))
        wanted.append(F.scaled_dot_product_attention(q, k, v, is_causal=True)[0].transpose(0, 1))
    wanted = torch.cat(wanted)
    wanted.backward(dout)
    worst = 0.0
    for name, ours, theirs in (("out", out, wanted.detach()), ("dqkv", dqkv, qkv.grad)):
        error = ((ours - theirs).norm() / theirs.norm()).item()
        print(f"{name}: relative error {error:.1e}")
        worst = max(worst, error if error == error else 1.0)
    # inputs are the same bf16 numbers; results, and weights before the second product, are rounded to 8 bits
    sys.exit(0 if worst < 1e-2 else 1)


main()
