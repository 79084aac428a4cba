"""Line 7: log-probability and entropy of 16,384 rows. Chunks of 2,048 rows, compiled; and cross_entropy on all logits at once, which has no entropy.
The backward pass of a chunk follows its forward pass at once, so logits are made once, as ours are. Gradients are bf16, ours of the weights fp32."""
from common import *
import torch.nn.functional as F

CHUNK = smoke_or(16, 2048)


def chunk_logprob(hidden, weight, targets):
    z = (hidden @ weight.T).float() / 0.6
    lse = torch.logsumexp(z, -1)
    entropy = lse - (torch.exp(z - lse[:, None]) * z).sum(-1)
    return z.gather(-1, targets[:, None])[:, 0] - lse, entropy


def main():
    n, c, v = smoke_or((40, 24, 512), (ROWS, HIDDEN, VOCABULARY))
    hidden, weight = random(n, c).requires_grad_(), random(v, c, deviation=0.02).requires_grad_()
    targets, dlogprob = torch.randint(0, v, (n,), device=DEVICE), random(n, deviation=1e-4, dtype=torch.float32)
    chunk = compiled(chunk_logprob)
    starts = range(0, n - CHUNK + 1, CHUNK)

    def forward():
        with torch.no_grad():
            for s in starts:
                chunk(hidden[s:s + CHUNK], weight, targets[s:s + CHUNK])

    def both():
        hidden.grad = weight.grad = None
        for s in starts:
            logprob, entropy = chunk(hidden[s:s + CHUNK], weight, targets[s:s + CHUNK])
            ((logprob * dlogprob[s:s + CHUNK]).sum() + 1e-4 * entropy.sum()).backward()

    def whole_forward():
        with torch.no_grad():
            F.cross_entropy((hidden @ weight.T).float() / 0.6, targets, reduction="none")

    def whole_both():
        hidden.grad = weight.grad = None
        (F.cross_entropy((hidden @ weight.T).float() / 0.6, targets, reduction="none") * dlogprob).sum().backward()

    for name, chunked, whole in ((f"logprob and entropy, forward, {ROWS} rows", forward, whole_forward), (f"forward + backward, {ROWS} rows", both, whole_both)):
        measure(7, name, "compiled, chunked", chunked)
        measure(7, name, "cross_entropy", whole)
        if name.startswith("forward") and DEVICE == "cuda":
            hidden.grad = weight.grad = None
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            both()
            print(json.dumps({"line": 7, "row": "memory beside inputs and gradients", "peer": "compiled, chunked", "text": f"{(torch.cuda.max_memory_allocated() - before) / 2**20:.0f} MiB, gradients in it"}), flush=True)


main()
