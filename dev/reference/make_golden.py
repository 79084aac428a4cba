"""Writes test/golden/<family>/: a tiny random model as a Hugging Face folder, and golden.safetensors with what Transformers and
PyTorch compute from it in float64: logits, log-probabilities, entropies, the GRPO loss, every gradient, and the weights after
AdamW steps. test/golden/README.md explains every tensor; README.md beside this file gives the command and the versions.

    python dev/reference/make_golden.py [test/golden]
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

SIZES = dict(intermediate_size=40, num_hidden_layers=2, vocab_size=56, max_position_embeddings=512, rms_norm_eps=1e-6,
             bos_token_id=1, eos_token_id=2, initializer_range=0.02)
FAMILIES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, dict(hidden_size=24, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=False,
                                                  rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "llama": (LlamaConfig, LlamaForCausalLM, dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
                                                  rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
                                                                       high_freq_factor=4.0, original_max_position_embeddings=128))),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True,
                                                  rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
}
SEEDS = {"qwen2": 22, "llama": 16, "qwen3": 25}  # clips on both sides, and no ratio within 0.01 of a clip's edge
LENGTHS, PROMPTS = [9, 14, 22], [4, 3, 7]
CONSTANTS = dict(temperature=0.7, clip_low=0.2, clip_high=0.2, kl_coef=0.05, entropy_coef=0.01, learning_rate=1e-3, beta1=0.9,
                 beta2=0.999, epsilon=1e-8, weight_decay=0.01, gradient_clip=1.0)
ADVANTAGES = [1.25, -0.75, 0.5]


def to_float32(x):
    """float64 values that a float32 file can hold."""
    return x.float().double()


def use_float64():
    """Transformers computes norms, rotary tables and (not with sdpa) softmax in float32 whatever the model's type. Here they follow
    the model into float64; only the rotary angles stay float32, because that rounding is part of what a checkpoint was trained with."""
    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rotary(self, x, position_ids):
        angles = (position_ids[..., None].float() * self.inv_freq.float()).to(x.dtype)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos() * self.attention_scaling, angles.sin() * self.attention_scaling

    for module, name in ((modeling_llama, "Llama"), (modeling_qwen2, "Qwen2"), (modeling_qwen3, "Qwen3")):
        getattr(module, name + "RMSNorm").forward = norm
        getattr(module, name + "RotaryEmbedding").forward = rotary


def random_model(family, generator):
    config_class, model_class, more = FAMILIES[family]
    model = model_class(config_class(**SIZES, **more, attn_implementation="sdpa"))
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            if "norm" in name:
                value = 1 + 0.2 * noise
            elif name.endswith("bias"):
                value = 0.3 * noise
            elif "embed_tokens" in name or "lm_head" in name:
                value = 0.5 * noise
            else:
                value = noise / p.shape[1] ** 0.5
            p.copy_(value.float())
    return model.eval()


def forward(model, tokens):
    """Logits of each sequence, one sequence at a time: no padding, no packing."""
    logits, start = [], 0
    for length in LENGTHS:
        logits.append(model(input_ids=tokens[None, start:start + length], use_cache=False).logits[0])
        start += length
    return torch.cat(logits)


def token_values(logits, tokens, temperature):
    """Log-probability of each token and entropy of the distribution it was drawn from, at the tempered logits of the position
    before it; a sequence's first token has neither."""
    log_softmax = torch.log_softmax(logits / temperature, dim=-1)
    logprobs, entropy = [logits.new_zeros(())] * len(tokens), [logits.new_zeros(())] * len(tokens)
    start = 0
    for length in LENGTHS:
        for t in range(start + 1, start + length):
            logprobs[t] = log_softmax[t - 1, tokens[t]]
            entropy[t] = -(log_softmax[t - 1].exp() * log_softmax[t - 1]).sum()
        start += length
    return torch.stack(logprobs), torch.stack(entropy)


def grpo_loss(logprobs, entropy, data):
    mask, c = data["mask"], CONSTANTS
    ratio = torch.exp((logprobs - data["old"]).clamp(-20, 20))
    unclipped, clipped = -data["advantage"] * ratio, -data["advantage"] * ratio.clamp(1 - c["clip_low"], 1 + c["clip_high"])
    distance = (data["reference"] - logprobs).clamp(-20, 20)
    k3 = (distance.exp() - distance - 1).clamp(-10, 10)
    count = mask.sum()
    policy, kl, ent = (torch.maximum(unclipped, clipped) * mask).sum() / count, (k3 * mask).sum() / count, (entropy * mask).sum() / count
    was_clipped = (clipped > unclipped) & (mask > 0)
    return policy + c["kl_coef"] * kl - c["entropy_coef"] * ent, dict(policy_loss=policy, kl=kl, entropy_mean=ent, clip_fraction=was_clipped.sum() / count), was_clipped


def check_against_plain_transformers(model, tokens, logits):
    """The float64 patches may move nothing but rounding."""
    family = model.config.model_type
    plain = {"llama": modeling_llama, "qwen2": modeling_qwen2, "qwen3": modeling_qwen3}[family]
    saved = {c: getattr(plain, c).forward for c in dir(plain) if c.endswith("RMSNorm") or c.endswith("RotaryEmbedding")}
    for c in saved:
        getattr(plain, c).forward = ORIGINAL[family][c]
    with torch.no_grad():
        difference = (forward(model.float(), tokens).double() - logits).abs().max().item()
    for c, f in saved.items():
        getattr(plain, c).forward = f
    model.double()
    assert difference < 2e-5, difference
    return difference


ORIGINAL = {family: {c: getattr(module, c).forward for c in dir(module) if c.endswith("RMSNorm") or c.endswith("RotaryEmbedding")}
            for family, module in (("llama", modeling_llama), ("qwen2", modeling_qwen2), ("qwen3", modeling_qwen3))}


def make(family, out_dir, seed):
    generator = torch.Generator().manual_seed(seed)
    model = random_model(family, generator)
    folder = os.path.join(out_dir, family)
    os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder)
    model = model.double()
    total = sum(LENGTHS)
    tokens = torch.randint(0, SIZES["vocab_size"], (total,), generator=generator)
    starts = [0]
    for length in LENGTHS:
        starts.append(starts[-1] + length)
    mask, advantage = torch.zeros(total, dtype=torch.float64), torch.zeros(total, dtype=torch.float64)
    for i in range(len(LENGTHS)):
        mask[starts[i] + PROMPTS[i]:starts[i + 1]] = 1
        advantage[starts[i]:starts[i + 1]] = ADVANTAGES[i]
    c = {k: to_float32(torch.tensor(v, dtype=torch.float64)).item() for k, v in CONSTANTS.items()}
    CONSTANTS.update(c)

    with torch.no_grad():
        logits = forward(model, tokens)
        logprobs, entropy = token_values(logits, tokens, c["temperature"])
        noise = lambda: 0.3 * torch.randn(total, generator=generator, dtype=torch.float64)
        data = dict(mask=mask, advantage=advantage, old=to_float32((logprobs + noise()) * mask), reference=to_float32((logprobs + noise()) * mask))
    float32_difference = check_against_plain_transformers(model, tokens, logits)

    golden = {
        "input.tokens": tokens.int(), "input.sequence_start": torch.tensor(starts).int(), "input.prompt_length": torch.tensor(PROMPTS).int(),
        "input.response_mask": mask.int(), "input.advantage": torch.tensor(ADVANTAGES), "input.old_logprob": data["old"], "input.reference_logprob": data["reference"],
        "input.inverse_frequency": model.model.rotary_emb.inv_freq.float(), "output.logits": logits, "output.logprob": logprobs * mask, "output.entropy": entropy * mask,
    }
    golden |= {"input." + k: torch.tensor([v]) for k, v in c.items()}

    optimizer = torch.optim.AdamW(model.parameters(), lr=c["learning_rate"], betas=(c["beta1"], c["beta2"]), eps=c["epsilon"], weight_decay=c["weight_decay"])
    for step in (1, 2):
        optimizer.zero_grad()
        loss, parts, was_clipped = grpo_loss(*token_values(forward(model, tokens), tokens, c["temperature"]), data)
        loss.backward()
        if step == 1:
            for name, p in model.named_parameters():
                golden["gradient." + name] = p.grad.clone()
            high, low = (was_clipped & (advantage > 0)).sum().item(), (was_clipped & (advantage < 0)).sum().item()
            assert high > 0 and low > 0, "both sides of the clip must be met; take another seed"
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), c["gradient_clip"])
        if step == 1:
            clipped = torch.cat([p.grad.flatten() for p in model.parameters()]).abs()
            print(f"{family}: loss {loss.item():.6f}, {high} + {low} tokens clipped high and low, gradient elements that are 0: {(clipped == 0).sum().item()}, "
                  f"below 1e-7 after clipping: {((clipped > 0) & (clipped < 1e-7)).sum().item()}")
        prefix = "output." if step == 1 else "output.second_"
        golden |= {prefix + k: v.detach().reshape(1) for k, v in dict(loss=loss, gradient_norm=norm, **parts).items()}
        optimizer.step()
        for name, p in model.named_parameters():
            if step == 1:
                golden["updated." + name] = p.detach().clone()
            elif p.dim() == 1:  # the second step for the small ones only: moments and bias correction are the same rule for all
                golden["second." + name] = p.detach().clone()
    golden = {k: (v.detach().float() if v.is_floating_point() else v).contiguous() for k, v in golden.items()}
    save_file(golden, os.path.join(folder, "golden.safetensors"), metadata={"format": "pt"})
    parameters = sum(p.numel() for p in model.parameters())
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    print(f"{family}: {parameters} parameters, gradient norm {golden['output.gradient_norm'].item():.4f} then {golden['output.second_gradient_norm'].item():.4f}, "
          f"float32 Transformers within {float32_difference:.1e} of these logits, {size} bytes in {folder}")


def write_old_spelling(folder):
    """config.json as Transformers 4 wrote it, for the llama folder: both spellings stay tested."""
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    config["torch_dtype"] = config.pop("dtype")
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    with open(path, "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    directory = sys.argv[1] if len(sys.argv) > 1 else "test/golden"
    torch.set_num_threads(1)
    use_float64()
    for name in FAMILIES:
        make(name, directory, SEEDS[name])
    write_old_spelling(os.path.join(directory, "llama"))
