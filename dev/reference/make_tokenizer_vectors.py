"""Writes test/data/tokenizer.json, a byte-level BPE of a few hundred tokens trained on the lines below, and
test/data/tokenizer_vectors.jsonl, texts with the ids and the decoded text that the package `tokenizers` gives in five variants.

    python dev/reference/make_tokenizer_vectors.py

A line with "variant" changes the file: its other keys replace those of the JSON, its "model" those of the model; the lines
behind it are vectors of that variant. (No added token is spelled in GPT-2's byte alphabet alone beyond ASCII: the package would
decode it as bytes, we decode it as it is written.) Made with tokenizers 0.23.3. Texts are drawn as in check_tokenizer.py, from a fixed seed.
"""
import copy
import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from check_tokenizer import random_text

CORPUS = ["Let's think step by step and output the final answer within \\boxed{}.", "What is the sum of the first 12 positive integers?",
          "The answer is \\boxed{42}, isn't it? We'll see that they're right, and I'd say you've won.", "Find all x such that x^2 - 5x + 6 = 0.",
          "Sei n eine natürliche Zahl; größer als 100.", "Сколько будет два плюс два?", "二加二等于多少？", "\n\nThus    the thing is there, then.\n    return 1000000\n"]
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r"\p{N}| ?", r"\p{N}{1,3}| ?")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def added(id, content, special=False, normalized=False):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special}


def sequence(regex):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}, BYTE_LEVEL]}


def main():
    folder = Path(__file__).resolve().parents[2] / "test" / "data"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    trained = json.loads(tokenizer.to_str())["model"]
    size = len(trained["vocab"])
    base = {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(size, "<|end|>", special=True), added(size + 1, "<think>"), added(size + 2, "<｜User｜>"), added(size + 3, "<|end|>x"), added(size + 4, "\u00c5\u4e8c!", normalized=True)],
            "normalizer": {"type": "NFC"}, "pre_tokenizer": sequence(QWEN2), "post_processor": None, "decoder": BYTE_LEVEL,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                      "byte_fallback": False, "ignore_merges": False, "vocab": trained["vocab"], "merges": [" ".join(pair) for pair in trained["merges"]]}}
    variants = [{"variant": "Qwen2"}, {"variant": "merges as pairs, no NFC", "normalizer": None, "model": {"merges": [merge.split(" ") for merge in base["model"]["merges"]][:80]}},
                {"variant": "Llama 3", "normalizer": None, "pre_tokenizer": sequence(LLAMA3), "model": {"ignore_merges": True, "merges": base["model"]["merges"][:60]}},
                {"variant": "GPT-2", "normalizer": None, "pre_tokenizer": {**BYTE_LEVEL, "use_regex": True}},
                {"variant": "GPT-2 by its expression", "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}, "pre_tokenizer": sequence(GPT2)}]
    (folder / "tokenizer.json").write_text(json.dumps(base, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    names, draw, lines = [token["content"] for token in base["added_tokens"]], random.Random(3), []
    for variant in variants:
        changed = copy.deepcopy(base)
        changed.update({key: value for key, value in variant.items() if key not in ("variant", "model")})
        changed["model"].update(variant.get("model", {}))
        reference = Tokenizer.from_str(json.dumps(changed))
        lines.append(variant)
        texts = CORPUS + ["", " ", "\n", "  \n \n  x", "a\r\n\r\n b", "I'LL'S'ſ don't", "1234567 89", "\u212b\u4e8c! \u00c5\u4e8c! A\u030a\u4e8c!", "<|end|>xx<|end|><think", "e\u0301\u0323 e\u0323\u0301", "\uac00\u11a8"]
        texts += [text[:40] for text in (random_text(draw, names) for _ in range(24))]
        lines += [{"text": text, "ids": reference.encode(text, add_special_tokens=False).ids} for text in texts]
        for line in lines[-len(texts):]:
            line["decoded"] = reference.decode(line["ids"], skip_special_tokens=False)
    (folder / "tokenizer_vectors.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
