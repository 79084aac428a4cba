"""Compares our chat templates with Jinja2, set up as Transformers sets it up.

    make build/cpu-FP32-cc/dev/render_template
    python dev/reference/check_chat_template.py build/cpu-FP32-cc/dev/render_template FILE... [--conversations 300] [--mutations 20000]

FILE is a template (*.jinja) or a tokenizer_config.json with one. Each renders the same random conversations (system, user,
assistant with and without think tags, tool calls and answers) in both programs. Beside that, small templates that exercise
one construct each, and random mutations of them, are rendered in both. Equal text is right; a text of ours where Jinja2 has
another one or refuses is a fault; a refusal of ours where Jinja2 renders is the subset's border and is only counted.
Needs the package jinja2.
"""
import argparse
import json
import random
import re
import subprocess
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

CONSTRUCTS = r"""{{ 1 + 2 * 3 - 4 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ 7 / 2 }}|{{ 2 * 2.5 }}
{{ 0.1 + 0.2 }} {{ 1e16 * 1.0 }} {{ 1.0 / 3 }} {{ 100000.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 5.0 }} {{ 1e3 }}
{{ 1 ~ 'a' ~ none ~ true ~ 2.0 }}{{ 'a' + 'b' | trim + ' c ' | trim }}{{ 'a' 'b' "c" }}
{{ "\x41\u00e9\n\t\\\'\"\q\101" }}
{{ 'é😀'|length }}{{ 'é😀x'[1] }}{{ 'é😀x'[::-1] }}{{ 'abcdef'[4:1:-1] }}{{ 'abcdef'[:-2] }}{{ 'abc'[5:] }}{{ 'abc'[9::-1] }}{{ 'abc'[:-9:-1] }}
{{ messages|length }}{{ messages[0].role }}{{ messages[-1]['content'] }}{{ messages[::-1][0].content }}{{ messages[1:]|length }}
{% for m in messages %}{{ loop.index0 }}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }};{% endfor %}
{% for m in messages[:0] %}x{% else %}none{% endfor %}{% for m in missing %}x{% else %}none{% endfor %}
{% set ns = namespace(a=1, b='x') %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{% set q = 5 %}{% endfor %}{{ ns.a }}{{ q is defined }}
{% set x=1 %}{% for i in [1,2] %}{{x}}{% set x = 2 %}{{x}}{% endfor %}{{x}}
{% if x is defined %}a{% elif y %}b{% else %}c{% endif %}{% if not x is defined %}{% set x = false %}{% endif %}{{ x }}
{{ none is none }}{{ 'a' is string }}{{ true is true }}{{ 1 is true }}{{ true is number }}{{ [] is iterable }}{{ {} is mapping }}{{ 'a' is not string }}
{{ 'a' in 'abc' }}{{ 'z' not in 'abc' }}{{ 1 in [1,2] }}{{ 'role' in messages[0] }}{{ 'a' in x }}{{ not 'a' in 'abc' }}
{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 'a' < 'b' }}{{ 1 == 1.0 }}{{ true == 1 }}{{ [1,2] == [1,2] }}{{ {'a':1} == {'a':1} }}{{ none == x }}{{ 2 >= 2 }}
{{ '' or 'a' }}{{ 0 and 'b' }}{{ none or false }}{{ not '' }}{{ 'a' if true else 'b' }}{{ 'a' if false }}|{{ 1 if 0 else 2 if 0 else 3 }}
{{ messages[0] | tojson }}{{ [1,2.5,1e20,1e-7,none,true,'a"\\\n\u0001é/'] | tojson }}{{ {} | tojson }}{{ messages[:2] | tojson(indent=2) }}
{{ 'a</think>b</think>c'.split('</think>')[-1] }}{{ ' a b  c '.split() | join('-') }}{{ 'a,b,c'.split(',', 1) | join('|') }}{{ ' a  b '.split(none, 1)|join('|') }}
{{ '  a '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.lstrip('yx') }}|{{ '\na\n\n'.rstrip('\n') }}|{{ ' \u00a0a\u2003 '|trim }}|{{ 'éaé'.strip('é') }}|
{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('bc') }}{{ 'abc'.endswith('') }}{{ 'aXbX'.replace('X','--') }}
{{ raise_exception('no ' + 'good') }}
{{ x.y }}
{{ 1 + 'a' }}{{ none + 'a' }}
{{ messages[0].nokey }}|{{ messages[9] is defined }}|{{ none.a }}
{% for k, v in {'a':1,'b':2}.items() %}{{k}}={{v}},{% endfor %}{% for k, v in {'a':1,'b':2}|items %}{{k}}={{v}},{% endfor %}{% for k in {'a':1,'b':2} %}{{k}}{% endfor %}
{{ x | default('d') }}{{ '' | default('d', true) }}{{ none|default('d') }}{{ [1,2,3] | first }}{{ [1,2,3] | last }}{{ [1,'a',none]|join(',') }}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{i}}{% endfor %}
{# comment #}a{#- c -#}  b {# x #}{{ messages[0].get('role') }}{{ messages[0].get('zzz', 'k') }}{{ {'a': {'b': 1}}.a.b }}
{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}{{ loop.nextitem is defined }}{% endfor %}
{%- if messages[0]['role'] == 'system' -%}A{%- else -%}B{%- endif -%} {{- 'a' -}}   {{ 'b' }}
{{ bos_token }}{{ eos_token is defined }}{{ tools is none }}{{ add_generation_prompt }}{{ '%}' }}{{ '}}' }}""".split("\n") + [
    "a\n  {% if true %}\n  b\n  {% endif %}\n  c\n", "{% if true %}  \n x{% endif %}\n\n", "  {%+ if true %}x{% endif +%}\n y",
    "\r\n{% if true %}\r\nx\r{% endif %}\r\n", "  {{ 1 }}\n  {# c #}\n  d {# e #} \nf", "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\nend",
    "\u00a0{%- if true -%}\u2003x{% endif %}", "a{#- b #}\n c", "{{ '\\\n' }}x", "a\n \t{% if 1 %}b{% endif %}\n\t {%- if 1 %}c{% endif %}"]
TOKENS = re.compile(r"\{%[-+]?|\{\{-?|\{#-?|[-+]?%\}|-?\}\}|-?#\}|'(?:[^'\\]|\\.)*'|\w+|\s+|.", re.S)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def render(env, case):
    variables = {"tools": None, "documents": None, **{k: v for k, v in case.items() if k not in ("template", "extra")}, **case["extra"]}
    try:
        return {"text": env.from_string(case["template"]).render(**variables)}
    except Exception as error:  # whatever a template can raise
        return {"error": f"{type(error).__name__}: {error}"}


def conversation(draw):
    def content():
        words = ["What is 2+2?", " two  words ", "\n", "é😀", "<think>", "</think>", "\\boxed{4}", "x" * draw.randint(0, 9), '"quoted"', "<tool_response>a</tool_response>"]
        return "".join(draw.choice(words) for _ in range(draw.randint(0, 4)))

    messages = [{"role": "system", "content": content()}] if draw.random() < 0.5 else []
    for _ in range(draw.randint(1, 6)):
        role = draw.choice(["user", "user", "assistant", "assistant", "tool", "system"])
        message = {"role": role, "content": content()}
        if role == "assistant" and draw.random() < 0.3:
            arguments = draw.choice([{"a": 1, "b": [True, None, 1.5], "c": {"d": "é"}}, '{"a": 1}', {}])
            message["tool_calls"] = [{"type": "function", "function": {"name": "f", "arguments": arguments}} for _ in range(draw.randint(1, 2))]
            message["content"] = draw.choice([None, message["content"]])
        if role == "assistant" and draw.random() < 0.2:
            message["reasoning_content"] = content()
        if role == "user" and draw.random() < 0.1:
            message["content"] = [{"type": "text", "text": content()}, {"type": "image"}]
        messages.append(message)
    extra = {}
    if draw.random() < 0.3:
        extra["enable_thinking"] = draw.random() < 0.5
    if draw.random() < 0.3:
        extra["tools"] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}}}]
    case = {"messages": messages, "add_generation_prompt": draw.random() < 0.7, "extra": extra}
    if draw.random() < 0.9:
        case.update(bos_token="<s>", eos_token="</s>")
    return case


def mutate(draw, sources):
    tokens = list(draw.choice(sources))
    for _ in range(draw.randint(1, 2)):
        at = draw.randrange(len(tokens) or 1)
        kind = draw.randint(0, 3)
        if kind == 0 and tokens:
            del tokens[at]
        elif kind == 1:
            tokens.insert(at, draw.choice(draw.choice(sources)))
        elif kind == 2:
            other = draw.choice(sources)
            start = draw.randrange(len(other))
            tokens[at:at] = other[start:start + draw.randint(1, 8)]
        elif tokens:
            other = draw.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
    return "".join(tokens)


def compare(env, program, title, cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    ours = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(ours) == len(cases)
    equal = refused_by_both = border = faults = 0
    for case, got in zip(cases, ours):
        want = render(env, case)
        if got == want:
            equal += 1
        elif "error" in got and "error" in want:
            refused_by_both += 1
        elif "error" in got:
            border += 1
        else:
            faults += 1
            print(f"FAULT {title}: {case}\n  want {want}\n  got  {got}")
    print(f"{title}: {len(cases)} rendered, {equal} equal, {refused_by_both} refused by both, {border} outside our subset, {faults} faults")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--mutations", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    env, draw, faults = environment(), random.Random(args.seed), 0
    for path in args.files:
        text = open(path, encoding="utf-8", newline="").read()
        template = json.loads(text)["chat_template"] if path.endswith(".json") else text
        faults += compare(env, args.program, path, [{"template": template, **conversation(draw)} for _ in range(args.conversations)])
    fixed = {"messages": [{"role": "system", "content": " Sys\n"}, {"role": "user", "content": "Hi é😀\tthere"}, {"role": "assistant", "content": "<think>\na\n</think>\n\nb"}],
             "add_generation_prompt": True, "bos_token": "<s>", "extra": {}}
    faults += compare(env, args.program, "constructs", [{"template": text, **fixed} for text in CONSTRUCTS])
    sources = [TOKENS.findall(text) for text in CONSTRUCTS]
    mutated = [mutate(draw, sources) for _ in range(args.mutations)]
    mutated = [text for text in mutated if not re.search(r"\d{6}", text)]  # Jinja2 would compute with them for ever
    faults += compare(env, args.program, "mutations", [{"template": text, **fixed} for text in mutated])
    sys.exit(faults != 0)


if __name__ == "__main__":
    main()
