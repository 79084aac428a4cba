"""Line 5: Transformers' Qwen2 with its StaticCache, one token a sequence with sampling: eager; and with everything between the caches compiled,
the whole step replayed as a CUDA graph. No attention mask is given, since every sequence is as long as its cache: SDPA then takes its fast kernels."""
from common import *
from transformers import StaticCache
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb
import torch.nn.functional as F


def sample(logits):
    p = torch.softmax(logits.float() / 0.6, -1)
    token = torch.argmax(p / torch.empty_like(p).exponential_(1), -1, keepdim=True)  # multinomial without waiting for the host
    return token, p.gather(-1, token).log()


def before_attention(layer, x, cos, sin):
    a = layer.self_attn
    h = layer.input_layernorm(x)
    shape = (x.shape[0], x.shape[1], -1, a.head_dim)
    q, k, v = (f(h).view(shape).transpose(1, 2) for f in (a.q_proj, a.k_proj, a.v_proj))
    return *apply_rotary_pos_emb(q, k, cos, sin), v


def after_attention(layer, x, attended):
    x = x + layer.self_attn.o_proj(attended.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1))
    return x + layer.mlp(layer.post_attention_layernorm(x))


class Step:
    def __init__(self, model, batch, context):
        self.model, config = model, model.config
        self.cache = StaticCache(config=config, max_cache_len=context)
        self.cache.early_initialization(batch, config.num_key_value_heads, config.hidden_size // config.num_attention_heads, torch.bfloat16, torch.device(DEVICE))
        for layer in self.cache.layers:
            layer.keys.normal_()
            layer.values.normal_()
            layer.cumulative_length.fill_(context - 1)
        self.lengths = [layer.cumulative_length for layer in self.cache.layers]
        self.token = torch.zeros(batch, 1, dtype=torch.long, device=DEVICE)
        self.position = torch.full((1, 1), context - 1, device=DEVICE)
        self.before, self.after, self.sample, self.norm = (compiled(f) for f in (before_attention, after_attention, sample, lambda norm, x: norm(x)))

    def eager(self):
        logits = self.model(self.token, attention_mask={"full_attention": None}, position_ids=self.position, past_key_values=self.cache, use_cache=True).logits[:, 0]
        torch._foreach_sub_(self.lengths, 1)  # the same place of the cache again
        return sample(logits)

    def fast(self):
        model = self.model.model
        x = model.embed_tokens(self.token)
        cos, sin = model.rotary_emb(x, self.position)
        for i, layer in enumerate(model.layers):
            q, k, v = self.before(layer, x, cos, sin)
            keys, values = self.cache.update(k, v, i)
            x = self.after(layer, x, F.scaled_dot_product_attention(q, keys, values, enable_gqa=True))
        torch._foreach_sub_(self.lengths, 1)
        return self.sample(self.model.lm_head(self.norm(model.norm, x))[:, 0])


def main():
    with torch.inference_mode(False), torch.no_grad():
        model = qwen2().eval()
        for batch, context in ((1, 1024), (64, 4096), (256, 2560)):
            name, step = f"B={batch}, {context} tokens", None
            torch._dynamo.reset()
            try:
                step = Step(model, *smoke_or((min(batch, 4), 64), (batch, context)))
                if DEVICE == "cuda":
                    stream = torch.cuda.Stream()
                    stream.wait_stream(torch.cuda.current_stream())
                    with torch.cuda.stream(stream):
                        for _ in range(3):
                            step.fast()
                    torch.cuda.current_stream().wait_stream(stream)
                    graph = torch.cuda.CUDAGraph()
                    with torch.cuda.graph(graph):
                        step.fast()
                    measure(5, name, "Transformers, compiled, CUDA graph", graph.replay)
                    del graph
                else:
                    measure(5, name, "Transformers, compiled", step.fast)
            except Exception as error:
                could_not(5, name, "Transformers, compiled, CUDA graph", error)
            if step:
                measure(5, name, "Transformers eager", step.eager)
            del step
            if DEVICE == "cuda":
                torch.cuda.empty_cache()


main()
