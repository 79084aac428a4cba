"""Line 4: one query token a sequence. A split-KV kernel in Triton over contiguous caches, without pages, which is the easier case; and SDPA, which
knows no ragged lengths: its sequences all have the mean length, the same bytes in all."""
from common import *
import torch.nn.functional as F

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

GROUP = HEADS // KV_HEADS
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # the kernel on a CPU; the interpreter knows no bf16
DTYPE = torch.float16 if INTERPRETED else torch.bfloat16

if triton:
    @triton.jit
    def split_kernel(part_out, part_lse, q, k, v, lengths, T, scale, CHUNK: tl.constexpr, SPLITS: tl.constexpr, HEADS: tl.constexpr, KV: tl.constexpr, GROUP: tl.constexpr,
                     D: tl.constexpr, BLOCK: tl.constexpr):
        # one program per sequence, KV head and chunk of the keys; its query heads are the rows of one tile of 16
        b, kv, split = tl.program_id(0) // KV, tl.program_id(0) % KV, tl.program_id(1)
        length = tl.load(lengths + b)
        head, channel = tl.arange(0, 16), tl.arange(0, D)
        mine = head < GROUP
        row = b * HEADS + kv * GROUP + head
        queries = tl.load(q + row[:, None] * D + channel[None, :], mask=mine[:, None], other=0.0)
        base = (b * KV + kv).to(tl.int64) * T * D
        largest = tl.full([16], -1e30, tl.float32)
        total = tl.zeros([16], tl.float32)
        out = tl.zeros([16, D], tl.float32)
        first = split * CHUNK
        for start in range(first, tl.minimum(first + CHUNK, length), BLOCK):
            token = start + tl.arange(0, BLOCK)
            exists = token < length
            keys = tl.load(k + base + token[None, :] * D + channel[:, None], mask=exists[None, :], other=0.0)
            scores = tl.where(exists[None, :], tl.dot(queries, keys) * scale, -1e30)
            new = tl.maximum(largest, tl.max(scores, 1))
            weights = tl.exp(scores - new[:, None])
            shrink = tl.exp(largest - new)
            values = tl.load(v + base + token[:, None] * D + channel[None, :], mask=exists[:, None], other=0.0)
            total = total * shrink + tl.sum(weights, 1)
            out = out * shrink[:, None] + tl.dot(weights.to(values.dtype), values)
            largest = new
        place = row * SPLITS + split
        tl.store(part_out + place[:, None] * D + channel[None, :], out / tl.maximum(total, 1e-30)[:, None], mask=mine[:, None])
        tl.store(part_lse + place, tl.where(total > 0, largest + tl.log(tl.maximum(total, 1e-30)), -1e30), mask=mine)

    @triton.jit
    def merge_kernel(out, part_out, part_lse, SPLITS: tl.constexpr, D: tl.constexpr, ROOM: tl.constexpr):
        # one program per sequence and head
        row, split, channel = tl.program_id(0), tl.arange(0, ROOM), tl.arange(0, D)
        exists = split < SPLITS
        lse = tl.load(part_lse + row * SPLITS + split, mask=exists, other=-1e30)
        weights = tl.exp(lse - tl.max(lse, 0))
        weights = weights / tl.sum(weights, 0)
        parts = tl.load(part_out + (row * SPLITS + split[:, None]) * D + channel[None, :], mask=exists[:, None], other=0.0)
        tl.store(out + row * D + channel, tl.sum(parts * weights[:, None], 0).to(out.dtype.element_ty))


class SplitKV:
    def __init__(self, batch, longest, processors=132):
        # as many chunks as keep every multiprocessor busy a few times over, each of at least 128 keys
        self.splits = max(1, min(-(-4 * processors // (batch * KV_HEADS)), -(-longest // 128), 128))
        self.chunk = -(-(-(-longest // self.splits)) // 64) * 64
        self.part_out = torch.empty(batch * HEADS * self.splits, HEAD_DIM, dtype=torch.float32, device=DEVICE)
        self.part_lse = torch.empty(batch * HEADS * self.splits, dtype=torch.float32, device=DEVICE)
        self.out = torch.empty(batch, HEADS, HEAD_DIM, dtype=DTYPE, device=DEVICE)

    def __call__(self, q, k, v, lengths):
        batch, longest = k.shape[0], k.shape[2]
        split_kernel[(batch * KV_HEADS, self.splits)](self.part_out, self.part_lse, q, k, v, lengths, longest, HEAD_DIM**-0.5, self.chunk, self.splits, HEADS, KV_HEADS, GROUP, HEAD_DIM, 64,
                                                      num_warps=4, num_stages=3)
        merge_kernel[(batch * HEADS,)](self.out, self.part_out, self.part_lse, self.splits, HEAD_DIM, triton.next_power_of_2(self.splits))
        return self.out


def check():
    batch, longest = 3, 300
    q, k, v = random(batch, HEADS, HEAD_DIM, dtype=DTYPE), random(batch, KV_HEADS, longest, HEAD_DIM, dtype=DTYPE), random(batch, KV_HEADS, longest, HEAD_DIM, dtype=DTYPE)
    lengths = torch.tensor([1, 130, 300], dtype=torch.int32, device=DEVICE)
    got = SplitKV(batch, longest, processors=16)(q, k, v, lengths).float()
    for b in range(batch):
        n = int(lengths[b])
        keys, values = (x[b, :, :n].float().repeat_interleave(GROUP, 0) for x in (k, v))
        want = (torch.softmax((q[b].float()[:, None] * keys).sum(-1) * HEAD_DIM**-0.5, -1)[:, None] @ values)[:, 0]
        error = ((got[b] - want).norm() / want.norm()).item()
        assert error < 1e-2, f"the Triton kernel is wrong: {error}"


def main():
    use_triton = triton is not None and (DEVICE == "cuda" or INTERPRETED)
    if use_triton:
        check()
    for name, batch, mean, ragged in (("B=256, 2560 tokens in the mean, ragged", 256, 2560, True), ("B=64, 16384 tokens", 64, 16384, False), ("B=8, 24576 tokens", 8, 24576, False)):
        batch, mean = smoke_or((4, mean // 64), (batch, mean))
        longest = mean * 9 // 5 if ragged else mean
        lengths = torch.full((batch,), mean, dtype=torch.int32)
        if ragged:
            lengths = (mean * (0.2 + 1.6 * torch.randperm(batch) / (batch - 1))).int()
        lengths = lengths.to(DEVICE)
        q = random(batch, HEADS, HEAD_DIM, dtype=DTYPE)
        copies = smoke_or(1, max(1, min(8, (1 << 30) // (batch * mean * KV_HEADS * HEAD_DIM * 4) + 1)))  # another cache each time, none left in the L2 cache
        caches = [(random(batch, KV_HEADS, longest, HEAD_DIM, dtype=DTYPE), random(batch, KV_HEADS, longest, HEAD_DIM, dtype=DTYPE)) for _ in range(copies)]
        turn = iter(range(1 << 60))
        if use_triton:
            split = SplitKV(batch, longest)
            measure(4, name, "Triton split-KV", lambda: split(q, *caches[next(turn) % copies], lengths))
        caches = [(k[:, :, :mean].contiguous(), v[:, :, :mean].contiguous()) for k, v in caches]
        one = q[:, :, None]
        measure(4, name, "SDPA", lambda: F.scaled_dot_product_attention(one, *caches[next(turn) % copies], enable_gqa=True))
        del caches


main()
