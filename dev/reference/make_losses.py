"""Writes test/golden/losses/losses.safetensors: a small minibatch of made-up log-probabilities, and what PyTorch computes from it in
float64 for every surrogate, aggregation, kind of KL, dual clip, truncated importance sampling and mask: the loss and its derivatives by each
log-probability and entropy, by autograd; also the advantages of every estimator and what is taken off the rewards. The formulas are
transcribed as the papers and verl write them, over padded matrices; llmc/ has them over packed rows. test/golden/README.md explains the tensors.

    python dev/reference/make_losses.py [test/golden/losses]
"""
import os
import sys

import torch
from safetensors.torch import save_file

LENGTHS, GROUP, CONTEXT = [5, 1, 9, 4, 7, 3], 3, 12.0
MASKED = [False, False, False, True, False, False]
REWARDS = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]
CLIP_LOW, CLIP_HIGH, DUAL, TIS_CAP, KL_COEF, ENTROPY_COEF = 0.2, 0.28, 3.0, 2.0, 0.3, 0.05
OVERLONG_BUFFER, OVERLONG_PENALTY = 8, 0.5
SURROGATES = ["ppo", "gspo", "cispo", "reinforce"]
AGGREGATES = ["token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"]
KL_TYPES = ["k1", "k2", "k3", "k1+", "k3+"]
SEED = 5  # no importance ratio within 1e-3 of an edge, tokens on every side of each

rows, longest = len(LENGTHS), max(LENGTHS)
present = torch.arange(longest)[None, :] < torch.tensor(LENGTHS)[:, None]


def float32(x):
    """float64 values that a float32 file can hold."""
    return x.float().double()


def make_data(generator, far):
    """far: some tokens are so far away that every clamp is met."""
    normal = lambda scale: scale * torch.randn(rows, longest, generator=generator, dtype=torch.float64)
    lp = -2 + normal(0.7)
    old, ref = lp - normal(0.5), lp + normal(0.6)
    sampled = old - normal(0.5)
    if far:
        for t, move in enumerate([21, -21, 19, -19, 5]):
            old[0, t] = lp[0, t] - move
        old[1, 0] = lp[1, 0] - 12
        for t, away in enumerate([2.5, 2.75, 19, 21, -2, -9, -10.5, -12, -21]):
            ref[2, t] = lp[2, t] + away
        for t, away in enumerate([21, -21, 3, -3]):
            sampled[4, t] = old[4, t] - away
    advantage = torch.tensor([0.75, -1.25, -0.5, 1.5, -0.875, 0.625], dtype=torch.float64)
    return {k: float32(v) for k, v in dict(lp=lp, old=old, ref=ref, sampled=sampled, entropy=1 + normal(0.2), advantage=advantage).items()}


def clip(ratio):
    return ratio.clamp(1 - CLIP_LOW, 1 + CLIP_HIGH)


def dual(losses, advantage, on):
    return torch.where(advantage < 0, torch.min(losses, -advantage * DUAL), losses) if on else losses


def surrogate(kind, lp, data, mask, dual_on):
    advantage = data["advantage"][:, None].expand_as(lp)
    log_ratio = (lp - data["old"]).clamp(-20, 20)
    if kind == "ppo":
        ratio = log_ratio.exp()
        return dual(torch.maximum(-advantage * ratio, -advantage * clip(ratio)), advantage, dual_on)
    if kind == "gspo":
        of_sequence = ((lp - data["old"]) * mask).sum(-1) / mask.sum(-1)
        ratio = (lp - lp.detach() + of_sequence.detach()[:, None]).clamp(max=10).exp()
        return dual(torch.maximum(-advantage * ratio, -advantage * clip(ratio)), advantage, dual_on)
    if kind == "cispo":
        return -clip(log_ratio.exp()).detach() * advantage * lp
    return -advantage * lp


def kl_value(kind, lp, ref):
    if kind == "k1":
        return lp - ref
    if kind == "k2":
        return 0.5 * (lp - ref).square()
    distance = (ref - lp).clamp(-20, 20)
    return (distance.exp() - distance - 1).clamp(-10, 10)


def kl(kind, lp, ref):
    if not kind.endswith("+"):
        return kl_value(kind, lp, ref)
    straight = kl_value("k2", lp, ref)
    return straight - straight.detach() + kl_value(kind[:2], lp, ref).detach()


def aggregate(kind, losses, mask):
    sums, tokens = (losses * mask).sum(-1), mask.sum(-1)
    sequences = (tokens > 0).sum()
    if kind == "token-mean":
        return sums.sum() / tokens.sum()
    if kind == "token-sum":
        return sums.sum()
    if kind == "seq-mean-token-sum":
        return sums.sum() / sequences
    if kind == "seq-mean-token-mean":
        return (sums / tokens.clamp(min=1)).sum() / sequences
    return sums.sum() / CONTEXT / sequences


def variant(data, kind, aggregation, kl_type, dual_on, tis_on, mask_on):
    mask = (present & ~(torch.tensor(MASKED)[:, None] if mask_on else torch.tensor([[False]]))).double()
    lp, entropy = data["lp"].clone().requires_grad_(), data["entropy"].clone().requires_grad_()
    losses = surrogate(kind, lp, data, present.double(), dual_on)
    if tis_on:
        losses = losses * (data["old"] - data["sampled"]).clamp(-20, 20).exp().clamp(max=TIS_CAP)
    loss = aggregate(aggregation, losses + KL_COEF * kl(kl_type, lp, data["ref"]) - ENTROPY_COEF * entropy, mask)
    loss.backward()
    return loss.detach(), lp.grad, entropy.grad


def whiten_tokens(values):
    mask = present.double()
    mean = (values * mask).sum() / mask.sum()
    variance = ((values - mean).square() * mask).sum() / mask.sum() * mask.sum() / (mask.sum() - 1)
    return (values - mean) * torch.rsqrt(variance + 1e-8)


def whiten(values):
    return whiten_tokens(values)[:, 0]


def reinforce_with_kl(rewards, token_kl):
    """REINFORCE++: every token costs its KL, the last one earns the reward; a token's return is what comes from it on."""
    token_rewards = -KL_COEF * token_kl * present
    for i, length in enumerate(LENGTHS):
        token_rewards[i, length - 1] += rewards[i]
    returns, following = torch.zeros_like(token_rewards), torch.zeros(rows, dtype=torch.float64)
    for t in reversed(range(longest)):
        following = following + token_rewards[:, t]
        returns[:, t] = following
    return whiten_tokens(returns)


def advantages(rewards):
    """Each estimator's, one number an answer."""
    groups = rewards.view(-1, GROUP)
    centred = (groups - groups.mean(-1, keepdim=True)).flatten()
    others = ((groups.sum(-1, keepdim=True) - groups) / (GROUP - 1)).flatten()
    every_token = lambda x: x[:, None].expand(rows, longest)
    return torch.stack([((groups - groups.mean(-1, keepdim=True)) / (groups.std(-1, keepdim=True) + 1e-6)).flatten(), centred, rewards - others,
                        whiten(every_token(rewards)), whiten(every_token(centred))])


def packed(x):
    return x[present]


def main(folder):
    os.makedirs(folder, exist_ok=True)
    generator = torch.Generator().manual_seed(SEED)
    out, sets = {}, []
    for far in (False, True):
        data = make_data(generator, far)
        sets.append(data)
        for k, v in data.items():
            out[f"input.{'far' if far else 'near'}.{k}"] = v if v.dim() == 1 else packed(v)
    near = sets[0]
    ratio = (near["lp"] - near["old"]).exp()
    mean_ratio = (((near["lp"] - near["old"]) * present).sum(-1) / present.sum(-1)).exp()
    for r in (packed(ratio), mean_ratio):
        for edge in (1 - CLIP_LOW, 1 + CLIP_HIGH, DUAL):
            assert (r - edge).abs().min() > 1e-3, "a ratio is at an edge; take another seed"
    options, losses, by_lp, by_entropy = [], [], [], []
    for far, data in enumerate(sets):
        for s, kind in enumerate(SURROGATES):
            for a, aggregation in enumerate(AGGREGATES):
                for k, kl_type in enumerate(KL_TYPES):
                    for flags in range(8):
                        dual_on, tis_on, mask_on = flags & 1, flags >> 1 & 1, flags >> 2
                        if (dual_on and kind in ("cispo", "reinforce")) or (a + k + flags) % 5:  # one kind of KL for each of the others
                            continue
                        loss, dlp, dentropy = variant(data, kind, aggregation, kl_type, dual_on, tis_on, mask_on)
                        options.append([far, s, a, k, dual_on, tis_on, mask_on])
                        losses.append(loss), by_lp.append(packed(dlp)), by_entropy.append(packed(dentropy)[:1])
    out |= {"variant.options": torch.tensor(options), "variant.loss": torch.stack(losses), "variant.by_logprob": torch.stack(by_lp), "variant.by_first_entropy": torch.cat(by_entropy)}
    rewards = torch.tensor(REWARDS, dtype=torch.float64)
    over = -torch.clamp(-(torch.tensor(LENGTHS).double() - (CONTEXT - OVERLONG_BUFFER)) / OVERLONG_BUFFER * OVERLONG_PENALTY, max=0)
    kl_sums = torch.stack([(kl_value(k[:2], near["old"], near["ref"]) * present).sum(-1) for k in KL_TYPES])
    out |= {"shaping.overlong": over, "shaping.kl": kl_sums, "advantage.plain": advantages(rewards), "advantage.shaped": advantages(rewards - over - KL_COEF * kl_sums[0])}
    out["advantage.reinforce_tokens"] = packed(reinforce_with_kl(rewards - over, kl_value("k1", near["old"], near["ref"])))
    out = {k: (v.float() if v.is_floating_point() else v.int()).contiguous() for k, v in out.items()}
    path = os.path.join(folder, "losses.safetensors")
    save_file(out, path, metadata={"format": "pt"})
    print(f"{len(losses)} variants, {os.path.getsize(path)} bytes in {path}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1] if len(sys.argv) > 1 else "test/golden/losses")
