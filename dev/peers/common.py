"""What the peers share: a timer like bench_device.h's, random bf16 data, and one JSON line for each figure. Each peer is a program:

    python3 dev/peers/NAME.py [--smoke] LINE...

--smoke: tiny shapes, run once, on the CPU where there is no GPU: does it work?
"""
import json
import os
import statistics
import sys
import time
import traceback

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch

SMOKE = "--smoke" in sys.argv
LINES = [int(word) for word in sys.argv[1:] if word.isdigit()]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SAMPLES = 11
HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY, ROWS = 1536, 8960, 12, 2, 128, 151936, 16384


def smoke_or(tiny, full):
    return tiny if SMOKE else full


def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def once(run, times):
    wait()
    start = time.perf_counter()
    for _ in range(times):
        run()
    wait()
    return (time.perf_counter() - start) / times


def seconds_of(run, warmups=3):
    """The median of 11 samples, each of as many runs as make 20 ms."""
    for _ in range(smoke_or(1, warmups)):
        run()
    if SMOKE:
        return once(run, 1)
    estimate = once(run, 2)
    times = max(1, int(0.02 / estimate) + 1) if estimate < 0.02 else 1
    return statistics.median(once(run, times) for _ in range(SAMPLES))


def random(*shape, deviation=1.0, dtype=torch.bfloat16):
    return torch.empty(shape, dtype=dtype, device=DEVICE).normal_(0, deviation)


def row(line, name, peer, seconds, work=None):
    print(json.dumps({"line": line, "row": name, "peer": peer, "seconds": seconds, **({"work": work} if work else {})}), flush=True)


def measure(line, name, peer, run, work=None, **options):
    """A peer that cannot run here says why in the table, and the others go on."""
    try:
        row(line, name, peer, seconds_of(run, **options), work)
    except Exception as error:  # whatever a library raises
        could_not(line, name, peer, error)
    finally:
        if DEVICE == "cuda":
            torch.cuda.empty_cache()


def could_not(line, name, peer, error):
    traceback.print_exception(error)
    text = " ".join(str(error).split()) or type(error).__name__
    print(json.dumps({"line": line, "row": name, "peer": peer, "text": "did not run: " + text[:100].replace("|", "/")}), flush=True)


def compiled(function, **options):
    return torch.compile(function, dynamic=False, **options)


def qwen2(attention="sdpa"):
    """Transformers' own model in the shape of DeepSeek-R1-Distill-Qwen-1.5B, with random bf16 weights made on the device."""
    from transformers import Qwen2Config, Qwen2ForCausalLM
    shape = dict(hidden_size=HIDDEN, intermediate_size=INTERMEDIATE, num_hidden_layers=28, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, vocab_size=VOCABULARY)
    if SMOKE:
        shape = dict(hidden_size=96, intermediate_size=64, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, vocab_size=512)
    config = Qwen2Config(**shape, max_position_embeddings=131072, rms_norm_eps=1e-6, rope_theta=10000.0, tie_word_embeddings=False, use_sliding_window=False, bos_token_id=None,
                         eos_token_id=None, pad_token_id=None)
    config._attn_implementation = attention
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            return Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
