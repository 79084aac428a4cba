"""Lines 8 and 9: forward and backward of Transformers' Qwen2 in bf16, SDPA with cuDNN first, every layer compiled (one compilation serves all), the
head in compiled chunks that are made again in the backward pass. Line 9 checkpoints every layer and holds as much memory as Adam's fp32 states."""
from common import *
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

CHUNK = smoke_or(16, 2048)


def chunk_loss(hidden, weight, targets):
    z = (hidden @ weight.T).float() / 0.6
    return (torch.logsumexp(z, -1) - z.gather(-1, targets[:, None])[:, 0]).sum()


def main():
    model = qwen2().train()
    for layer in model.model.layers:
        layer.compile(dynamic=False)
    loss_of = compiled(chunk_loss)
    shapes = {8: [(2, 8192, 1), (4, 4096, 1)], 9: [(1, 24576, 1), (1, 24576, 2)]}
    for line in LINES:
        adam = [torch.empty(sum(p.numel() for p in model.parameters()), dtype=torch.float32, device=DEVICE) for _ in range(3)] if line == 9 else []
        if line == 9:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        done = {}
        for sequences, length, recompute in shapes[line]:
            name, peer = f"{sequences} x {length}, recompute {recompute}", "Transformers, compiled" + (", checkpointed" if line == 9 else "")
            if (sequences, length) in done:
                row(line, name, peer, *done[sequences, length])
                continue
            t = smoke_or(48, length)
            tokens = torch.randint(0, model.config.vocab_size, (sequences, t), device=DEVICE)
            targets = tokens.roll(-1, 1).flatten()

            def run():
                model.zero_grad(set_to_none=True)
                with sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH], set_priority=True):
                    hidden = model.model(tokens, attention_mask={"full_attention": None}, use_cache=False).last_hidden_state.flatten(0, 1)
                    loss = sum(checkpoint(loss_of, hidden[s:s + CHUNK], model.lm_head.weight, targets[s:s + CHUNK], use_reentrant=False) for s in range(0, sequences * t, CHUNK))
                    loss.backward()

            try:
                done[sequences, length] = seconds_of(run, warmups=2), sequences * t
                row(line, name, peer, *done[sequences, length])
                if DEVICE == "cuda" and line == 9:
                    print(json.dumps({"line": 9, "row": f"GPU memory taken, recompute {recompute}", "peer": peer, "text": f"{torch.cuda.max_memory_reserved() / 2**30:.1f} GiB"}), flush=True)
            except Exception as error:
                could_not(line, name, peer, error)
            model.zero_grad(set_to_none=True)
            if DEVICE == "cuda":
                torch.cuda.empty_cache()
        del adam


main()
