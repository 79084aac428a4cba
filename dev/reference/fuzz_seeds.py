# Writes the seeds of test/fuzz/corpus: real data and fixtures of this repository in the forms
# that the targets of test/fuzz take. Finds lie beside them and are left alone.
# Development only, from the top of the repository with the data folder beside it: python3 dev/reference/fuzz_seeds.py ../shared/data   (needs pyarrow)
import datetime, io, json, os, re, struct, sys, zlib
import pyarrow as pa, pyarrow.parquet as pq
data = sys.argv[1]

def put(target, name, content):
    os.makedirs(f"test/fuzz/corpus/{target}", exist_ok=True)
    with open(f"test/fuzz/corpus/{target}/{name}", "wb") as file: file.write(content if isinstance(content, bytes) else content.encode())
def compact(value): return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

# ---- parquet: PAGES "PAR1" FOOTER
def put_parquet(name, file):
    length, = struct.unpack("<I", file[-8:-4])
    put("parquet", name, file[4:-8 - length] + b"PAR1" + file[-8 - length:-8])
fixtures = open("test/parquet_fixtures.h").read()
for name, numbers in re.findall(r"unsigned char (\w+)_data\[\d+\] = \{([\d,\s]*)\}", fixtures):
    put_parquet(name, bytes(int(n) for n in numbers.replace("\n", "").split(",") if n))
for name in ["nulls.duckdb.snappy", "nulls.arrowrs.snappy.v2"]: put_parquet(name, open(f"{data}/parquet-writers/{name}.parquet", "rb").read())
def write_parquet(name, table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, store_schema=False, write_statistics=False, **options)
    put_parquet(name, out.getvalue())
old = {"when": [datetime.datetime(1899, 1, 1), None, datetime.datetime(2024, 2, 29, 1, 2, 3, 4)], "half": pa.array([b"\x00\x7e", None, b"\x01\x80"], pa.binary(2)).view(pa.float16()),
       "uuid": pa.array([bytes(range(16)), None, b"\xff" * 16], pa.uuid())}
write_parquet("int96_half_uuid", pa.table(old), use_deprecated_int96_timestamps=True, compression="none", use_dictionary=False)
verl = [dict(data_source="aime", prompt=[dict(content="1+1?", role="user")], reward_model=dict(ground_truth=["2", "two"]), extra_info=dict(index=i)) for i in range(3)]
write_parquet("verl", pa.Table.from_pylist(verl), compression="none")
write_parquet("problem_v2", pa.Table.from_pylist([dict(problem="x" * i, answer=142.0 / i if i % 2 else None) for i in range(1, 9)]), compression="none", data_page_version="2.0", row_group_size=5)

# ---- tokenizer: tokenizer.json NUL text
full = json.load(open("test/data/tokenizer.json"))
split = full["pre_tokenizer"]["pretokenizers"][0]
regexes = re.findall(r'^    \{"[\w -]+", "(.*?)",', open("llmc/pretokenizer.h").read(), re.M) + re.findall(r'^    \{"GPT-2", "(.*?)",', open("llmc/pretokenizer.h").read(), re.M)
qwen, llama = (r.encode().decode("unicode_escape") for r in regexes[:2])
assert qwen == split["pattern"]["Regex"]
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
def tokenizer(normalizer, pre, decoder, vocab, merges, added, **model):
    return compact({"added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre, "decoder": decoder, "model": {"type": "BPE", **model, "vocab": vocab, "merges": merges}})
def sequence(regex): return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}, byte_level]}
letters = {c: i for i, c in enumerate("abceht1Ġ'!Ã©")}
words = {**letters, "th": 12, "he": 13, "the": 14, "Ġthe": 15, "11": 16, "Ã©": 17}
added = [{"id": 20, "content": "<end>", "special": True}, {"id": 21, "content": "<end>x", "normalized": False}, {"id": 22, "content": "A\u030a", "normalized": True}]
text = "\0the the\u0301 A\u030a<end>x 111 he's\r\n  \u00e9\u1100\u1161!! th"
merges = ["t h", "th e", "Ġ the", "1 1", "Ã ©"]
put("tokenizer", "qwen_strings", tokenizer({"type": "NFC"}, sequence(qwen), byte_level, words, merges, added) + text)
put("tokenizer", "llama_pairs", tokenizer(None, sequence(llama), byte_level, words, [m.split(" ") for m in merges], added[:1], ignore_merges=True) + text)
put("tokenizer", "gpt2_regex", tokenizer(None, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}, byte_level, words, merges, []) + text)
put("tokenizer", "characters_unknown", tokenizer(None, None, None, {"<unk>": 0, "a": 1, "b": 2, "ab": 3, "\u00e9": 4}, ["a b"], added[:1], unk_token="<unk>") + "\0aab\u00e9c<end>ab")

# ---- jinja: template [NUL variables]
def template(folder, name="tokenizer_config.json"): return json.load(open(f"{data}/tokenizers/{folder}/{name}"))["chat_template"]
put("jinja", "r1", template("r1-distill-qwen"))
put("jinja", "qwen2_5", template("qwen2_5") + "\0" + compact({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [
    {"function": {"name": "f", "arguments": {"x": 1}}}]}, {"role": "tool", "content": "2"}], "tools": [{"type": "function", "function": {"name": "f"}}]}))
cases = re.findall(r'^        \{"((?:[^"\\]|\\.)*)", "(?:[^"\\]|\\.)*"\},$', open("test/test_chat_template.c").read(), re.M)
cases = [bytes(c, "utf-8").decode("unicode_escape").encode("latin-1") for c in cases]
for i in range(0, len(cases), 12): put("jinja", f"constructs_{i // 12}", b"\n".join(cases[i:i + 12][j] for j in range(len(cases[i:i + 12]))))
for name, case in [("loop", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif loop.last %}{{ loop.index0 }}{% endif %}{% else %}x{% endfor %}"),
                   ("namespace", "{% set ns = namespace(a=1) %}{% for k, v in {'a':1,'b':2}.items() %}{% set ns.a = ns.a + v %}{% endfor %}{{ ns.a ~ k }}"),
                   ("slices", "{{ 'abcdef'[4:1:-1] }}{{ messages[::-1][1].role|trim|length }}{{ ' a  b '.split(none, 1)|join('|') }}"),
                   ("tojson", "{{ [1, {'a': []}, 'q\"\\n\\u0001\u00e9', 1.5e-5, none] | tojson(indent=2) }}{{ x | default('d') }}"),
                   ("builtins", "{{ 'a-b'.replace('-', '+') }}{{ {'a':1}.get('a', 2) }}{{ messages|first }}{{ messages[0]|list|last|string }}{{ {'b':1}.keys()|join }}{{ 'abab'.count('ab') }}{{ {}|length }}{{ 'x'|safe }}"),
                   ("raise", "{%- macro m(a) -%}{{ a }}{%- endmacro -%}{{ raise_exception('no') }}"),
                   ("arithmetic", "{{ 1 + 2 * 3 - 4 // 2 % 3 / 7 ~ 'a' }}{{ 1 < 2 <= 3 and not 'a' in 'abc' or x is not defined }}")]: put("jinja", name, case)

# ---- grader: choices, text, NUL, truth
rows = [json.loads(line) for line in open(f"{data}/grader/deepscaler_verdicts.jsonl")]
picked = sorted(rows, key=lambda r: zlib.crc32((r["gold"] + r["pred"]).encode()))
hard = [r for r in picked if not r["mathd"] and r["norm_gold"] != r["norm_pred"] and len(r["gold"]) + len(r["pred"]) < 200]
for i, row in enumerate(hard[:12]): put("grader", f"pair_{i:02}", "01"[i % 2] + row["pred"] + "\0" + row["gold"])
response = "<think>\nso \\boxed{3}\n</think>\nThe answer is \\boxed{%s}."
for i, (answer, truth) in enumerate([("\\frac{3}{4}", "[\"0.75\", \"3/4\"]"), ("x \\in (-\\infty, 2] \\cup [3, 5)", "\"$(-\\\\infty,2]\\\\cup[3,5)$\""), ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "142.0"),
                                     ("\\{1, \\sqrt{2}\\}", "\"\\\\boxed{\\\\{\\\\sqrt2,1\\\\}}\""), ("50\\%", "[0.5, null]"), ("x = 3 \\text{ or } y \\leq 7\\frac{1}{2}", "12345678901234567890")]):
    for mode in "67": put("grader", f"response_{i}_{mode}", mode + response % answer + "\0" + truth)
for i, (answer, truth) in enumerate([("9^9^9", "9^{9^9}"), ("\\sqrt[3]{2}+\\sin(\\pi/7)", "\\sin{\\frac{\\pi}{7}}+2^{1/3}"), ("\\binom{10}{3}\\cdot 5!", "14400"), ("3+4i", "4i+3"), ("(x+1)^{20}-x", "x^2"), ("\\log_2 8 = 3", "\\ln e^3"),
                                     ("1,234,567.89", "1234567.890"), ("\\left[\\frac12,\\infty\\right)", "x\\geq 0.5"), ("-\\frac{-3}{\\dfrac{4}{5}}", "3.75"), ("90^\\circ", "\\pi/2")]):
    for mode in "01": put("grader", f"hard_{i}_{mode}", mode + answer + "\0" + truth)

# ---- prompts: a file as data/prompts.h writes it; the target makes size and checksums
def prompts(entries):
    body, places = b"", []
    for ids, texts, index in entries:
        places.append(64 + len(body))
        record = struct.pack("<6Iq", len(ids), *(len(t.encode()) for t in texts), 0, index) + struct.pack(f"<{len(ids)}i", *ids) + b"".join(t.encode() + b"\0" for t in texts)
        body += record + b"\0" * (-len(record) % 8)
    table = struct.pack(f"<{len(places)}Q", *places)
    return struct.pack("<8sIIQQQQIIII", b"GRPOPRMT", 1, len(entries), 64 + len(body) + len(table), 7, 9, 64 + len(body), max(len(e[0]) for e in entries), 0, 0, 0) + body + table
put("prompts", "one", prompts([([1, 2, 3], ("<s>1+1=", "1+1=", '["2"]', ""), 0)]))
put("prompts", "three", prompts([([5], ("a", "a", '["1","one"]', "aime"), -1), ([1, 151642, 7, 8], ("\u00e9\u4e8c", "x", '["\\\\frac{1}{2}"]', "math"), 1 << 40), ([9, 9], ("", "", '["-1.5"]', ""), 3)]))

# ---- json: config.json, generation_config.json, tokenizer_config.json, rows
for family in ["qwen2", "llama", "qwen3"]: put("json", f"config_{family}", compact(json.load(open(f"test/golden/{family}/config.json"))))
put("json", "config_r1", open(f"{data}/tokenizers/r1-distill-qwen/config.json").read())
put("json", "generation_r1", open(f"{data}/tokenizers/r1-distill-qwen/generation_config.json").read())
llama = json.load(open("test/golden/llama/config.json"))
llama.pop("rope_theta", None), llama.pop("torch_dtype", None), llama.pop("rope_scaling", None)
put("json", "config_llama3_rope", compact({**llama, "dtype": "bfloat16", "layer_types": ["full_attention"] * llama["num_hidden_layers"], "rope_parameters": {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "eos_token_id": [1, 2]}))
put("json", "tokenizer_config", compact({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "default", "template": "{{ bos_token }}"}]}))
put("json", "values", '[0, -0.0, 1e308, 142.0, 1e-05, 9223372036854775807, "\\u0000\\ud83d\\ude00\\u00e9\\\\", true, null, {"a": {"a": []}}]')
put("json", "rows", "\n".join(open(f"{data}/parquet-writers/amc.verl.jsonl").read().split("\n")[:2]) + "\n" + compact({"question": "Q?", "answer": "so\n#### 1,000 "}) + "\n\n"
    + compact({"problem": "x", "answer": [142.0, 7, "a", None]}) + "\n")
put("json", "row_verl", compact({"data_source": "", "prompt": [{"role": "user", "content": "x"}], "reward_model": {"ground_truth": ["1", 2.5]}, "extra_info": {"index": 7}}))

# ---- safetensors: 0 FILE, 1 SIZE HEADER, 2 INDEX
header = compact({"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "b": {"dtype": "F16", "shape": [2], "data_offsets": [16, 20]}})
put("safetensors", "file", b"\0" + struct.pack("<Q", len(header)) + header.encode() + bytes(range(20)))
put("safetensors", "header", b"\1" + struct.pack(">H", 20) + header.encode())
put("safetensors", "header_kinds", b"\1" + struct.pack(">H", 25) + compact({"e": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [0, 0]}, "s": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]},
    "four": {"dtype": "F4", "shape": [2, 3], "data_offsets": [8, 11]}, "six": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [11, 14]}, "bool": {"dtype": "BOOL", "shape": [3, 1], "data_offsets": [14, 17]},
    "c": {"dtype": "C64", "shape": [1], "data_offsets": [17, 25]}}).encode() + b"  ")
put("safetensors", "index", b"\2" + compact({"metadata": {"total_size": 36}, "weight_map": {"w": "a.safetensors", "b": "a.safetensors", "w2": "b.safetensors", "b2": "b.safetensors"}}).encode())
put("safetensors", "index_outside", b"\2" + compact({"weight_map": {"w": "../a.safetensors"}}).encode())

# ---- checkpoint: see the target
state = {"step": 3, "stage": 0, "stage_start": 0, "warmup_start": 0, "updates": 6, "data_position": 0, "fingerprint": "0" * 16}
put("checkpoint", "state", b"\0" + json.dumps(state, indent=2).encode() + b"\n")
metrics = {"step": 1, "data": {"training/global_step": 1, "critic/score/mean": 0.5, "val-core/aime/acc/mean@4": 0.25, "actor/grad_norm": None, "_timestamp": 1.7e9, "_runtime": 2.5}, "fingerprint": "0badcafe"}
put("checkpoint", "metrics", b"\3" + b"".join(compact({**metrics, "step": s}).encode() + b"\n" for s in (0, 1, 2, 9)))
put("checkpoint", "metrics_many", b"\3" + compact({"step": 1, "data": {f"n{i}": i for i in range(161)}}).encode() + b"\n")
put("checkpoint", "samples", b"\4" + b"".join(compact({"step": s, "reward": 1.0, "prompt": "<b>1+1=", "response": "</think>\\boxed{2}", "truth": "[\"2\"]", "reason": "text equal"}).encode() + b"\n" for s in (1, 1, 9)))
put("checkpoint", "config", b"\5" + compact({"context": "8192:2,16384:3,24576", "group_size": 8, "learning_rate": 1e-6, "train_data": "a.parquet", "loss": "grpo", "seed": 1, "eval_before_train": True}).encode())
put("checkpoint", "names", b"\6step_000001\nstep_000100\nstep_000007.tmp\nstep_000002\nstep_000100_best\nstep_99999999999\nstep_-00001")
names = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"] + [f"model.layers.0.{n}" for n in ["input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.q_proj.weight",
    "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight"]]
shapes = [[16, 8], [8], [16, 8], [8], [8], [8, 8], [4, 8], [4, 8], [8, 8], [8, 8], [8, 8], [8, 8]]
def tensors(prefixes):
    entries, at = {}, 0
    for prefix in prefixes:
        for name, shape in zip(names, shapes):
            size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            entries[prefix + name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
            at += size
    return compact(entries).encode()
put("checkpoint", "optimizer", b"\1" + tensors(["adam_m.", "adam_v."]))
put("checkpoint", "model", b"\2" + tensors([""]))

# ---- options: program, then words ended by line ends
put("options", "train", "0--model\nM\n-d\na.parquet\n--context=8192:2,16384:3,24576\n-b\n128\n-g\n8\n--learning_rate\n1e-6\n--clip_high\n0.28\n--logger\ntensorboard,wandb\n--plan\n--seed\n-5\n--kl_type\nk2\n")
put("options", "verl", "0data.train_files=a.parquet\ndata.max_response_length=8192\nactor_rollout_ref.actor.clip_ratio=0.2\nactor_rollout_ref.actor.kl_loss_type=low_var_kl\n+trainer.val_before_train=False\n"
    "trainer.logger=['console','wandb']\ntrainer.save_freq=-1\nalgorithm.adv_estimator=grpo\nactor_rollout_ref.rollout.n=16\ntrainer.resume_mode=disable\nactor_rollout_ref.rollout.name=vllm\n")
put("options", "rollout", "1-m\nM\n-p\nhi\n-n\n4\n--top_p\n0.95\n--greedy\ntrue\nrollout.top_k=-1\ndata.n_samples=16\n")
put("options", "wrong", "0--promts_per_step\n3\n--help\n")
