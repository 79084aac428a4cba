"""Line 10: the elementwise ops written plainly and compiled; AdamW(fused=True) on fp32 parameters, which writes no bf16 copy."""
from common import *

N, F = smoke_or((64, 64), (ROWS, INTERMEDIATE))


def residual(stream, delta, weight):
    total = stream + delta
    x = total.float()
    rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    return total, (x * rstd).to(total.dtype) * weight, rstd


def rmsnorm_backward(dx, dout, x, weight, rstd):
    d, h = dout.float() * weight.float(), x.float() * rstd
    return (dx.float() + rstd * (d - h * (d * h).mean(-1, keepdim=True))).to(dx.dtype), (dout.float() * h).sum(0)


def rope_write(qkv, cos, sin, cache, slots):
    turned = qkv[:, :HEADS + KV_HEADS].float()
    a, b = turned.chunk(2, -1)
    qkv[:, :HEADS + KV_HEADS] = torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(qkv.dtype)
    cache[slots] = qkv[:, HEADS:]


def swiglu(gate_up):
    gate, up = gate_up.chunk(2, -1)
    return (torch.nn.functional.silu(gate.float()) * up.float()).to(gate_up.dtype)


def swiglu_backward(dout, gate_up):
    gate, up = (x.float() for x in gate_up.chunk(2, -1))
    d, sigma = dout.float(), torch.sigmoid(gate)
    return torch.cat((d * up * sigma * (1 + gate * (1 - sigma)), d * gate * sigma), -1).to(gate_up.dtype)


def main():
    x, y, dout, weight, rstd = random(N, HIDDEN), random(N, HIDDEN), random(N, HIDDEN), random(HIDDEN), random(N, 1, dtype=torch.float32).abs()
    qkv, cache, slots = random(N, HEADS + 2 * KV_HEADS, HEAD_DIM), random(N, 2 * KV_HEADS, HEAD_DIM), torch.arange(N, device=DEVICE)
    angles = random(N, 1, HEAD_DIM // 2, dtype=torch.float32)
    cos, sin = angles.cos(), angles.sin()
    gate_up, dgated = random(N, 2 * F), random(N, F)
    with torch.no_grad():
        for name, function, arguments in (("residual + rmsnorm forward", residual, (x, y, weight)), ("rmsnorm backward", rmsnorm_backward, (x, dout, y, weight, rstd)),
                                          ("rope + KV write", rope_write, (qkv, cos, sin, cache, slots)), ("swiglu forward", swiglu, (gate_up,)), ("swiglu backward", swiglu_backward, (dgated, gate_up))):
            run = compiled(function)
            measure(10, name, "torch.compile", lambda: run(*arguments))
    del x, y, dout, qkv, cache, gate_up, dgated
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    count, tensors = smoke_or((4096, 4), (1777088000, 64))
    parameters = [torch.nn.Parameter(random(count // tensors, deviation=0.02, dtype=torch.float32)) for _ in range(tensors)]
    for p in parameters:
        p.grad = random(count // tensors, deviation=1e-4, dtype=torch.float32)
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.01, fused=True)
    measure(10, "AdamW, 1777 M parameters", "AdamW(fused=True)", optimizer.step)


main()
