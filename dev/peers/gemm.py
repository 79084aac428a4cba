"""Line 1: torch.mm on the trainer's matrix products. The head's logits are fp32, as ours are, where torch.mm can; its weight gradients are bf16, ours fp32."""
from common import *

SHAPES = [("qkv", (HEADS + 2 * KV_HEADS) * HEAD_DIM, HIDDEN, ROWS), ("o", HIDDEN, HIDDEN, ROWS), ("gate+up", 2 * INTERMEDIATE, HIDDEN, ROWS), ("down", HIDDEN, INTERMEDIATE, ROWS),
          ("head chunk", VOCABULARY, HIDDEN, 2048)]


def main():
    total = 0.0
    for name, outputs, inputs, rows in SHAPES:
        n, c, o = smoke_or((24, inputs // 64, outputs // 64), (rows, inputs, outputs))
        x, weight, out = random(n, c), random(o, c, deviation=0.02), random(n, o, deviation=0.02)
        dx, dweight = torch.empty_like(x), torch.empty_like(weight)
        forward_out = torch.empty_like(out)

        def forward():
            torch.mm(x, weight.T, out=forward_out)

        def forward_float():
            torch.mm(x, weight.T, out_dtype=torch.float32)

        for kind, run in (("forward", forward_float if name == "head chunk" and DEVICE == "cuda" else forward), ("dx", lambda: torch.mm(out, weight, out=dx)),
                          ("dweight", lambda: torch.mm(out.T, x, out=dweight))):
            seconds = seconds_of(run)
            total += seconds
            row(1, f"{name} {kind}, {outputs}x{inputs}, {rows} rows", "torch.mm", seconds)
    row(1, "all, by time", "torch.mm", total)


main()
