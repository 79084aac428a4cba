"""Line 6: Transformers' continuous batching, 32 prompts of 150 tokens, 512 new tokens each (it has no limit of its own for each answer)."""
from common import *


def main():
    name, peer = "32 prompts x 16, mean 1536, at most 6144, 256 at a time", "Transformers generate_batch, 32 x 512"
    try:
        from transformers import GenerationConfig
        model = qwen2().eval()
        prompts, prompt, answer = smoke_or((2, 8, 4), (32, 150, 512))
        inputs = torch.randint(0, model.config.vocab_size, (prompts, prompt)).tolist()
        config = GenerationConfig(max_new_tokens=answer, eos_token_id=-1, pad_token_id=0, do_sample=True, temperature=0.6, top_k=0, top_p=1.0)

        def run(count):
            config.max_new_tokens = count
            with torch.no_grad():
                answers = model.generate_batch(inputs=inputs, generation_config=config, progress_bar=False)
            return sum(len(answer.generated_tokens) for answer in answers.values())

        run(smoke_or(2, 8))
        start = time.perf_counter()
        tokens = run(answer)
        wait()
        if tokens < prompts * answer:
            raise RuntimeError(f"{tokens} tokens came, not {prompts * answer}")
        row(6, name, peer, time.perf_counter() - start, work=tokens)
    except Exception as error:
        could_not(6, name, peer, error)


main()
