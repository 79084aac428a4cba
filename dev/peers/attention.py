"""Lines 2 and 3: scaled_dot_product_attention, FlashAttention-2 and cuDNN, causal with grouped queries, forward, and backward alone."""
from common import *
from torch.nn.attention import SDPBackend, sdpa_kernel
import torch.nn.functional as F

BACKENDS = [("SDPA FLASH", SDPBackend.FLASH_ATTENTION), ("SDPA cuDNN", SDPBackend.CUDNN_ATTENTION)] if DEVICE == "cuda" else [("SDPA math", SDPBackend.MATH)]


def attention(q, k, v, backend):
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def main():
    for sequences, length in ((3, 8192), (1, 24576)):
        name, t = f"{sequences} x {length}", smoke_or(40, length)
        # laid out as a model leaves them, (sequence, token, head, channel), seen as SDPA wants them
        qkv = [random(sequences, t, heads, HEAD_DIM).transpose(1, 2) for heads in (HEADS, KV_HEADS, KV_HEADS)]
        for peer, backend in BACKENDS:
            if 2 in LINES:
                with torch.no_grad():
                    measure(2, name, peer, lambda: attention(*qkv, backend))
            if 3 in LINES:
                try:
                    inputs = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_() for x in qkv]
                    out = attention(*inputs, backend)
                    dout = torch.randn_like(out)
                except Exception as error:
                    could_not(3, name, peer, error)
                    continue
                measure(3, name, peer, lambda: torch.autograd.grad(out, inputs, dout, retain_graph=True))
                del inputs, out, dout


main()
