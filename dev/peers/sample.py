"""Line 11: a token and its log-probability from fp32 logits: softmax and torch.multinomial; with top-p by sorting, eager and compiled."""
from common import *


def plain(logits):
    p = torch.softmax(logits / 0.6, -1)
    token = torch.multinomial(p, 1)
    return token, p.gather(-1, token).log()


def top_p(logits):
    p = torch.softmax(logits / 0.6, -1)
    ordered, index = p.sort(-1, descending=True)
    kept = torch.where(ordered.cumsum(-1) - ordered < 0.95, ordered, 0)
    token = index.gather(-1, torch.multinomial(kept, 1))
    return token, p.gather(-1, token).log()


def main():
    logits = random(*smoke_or((4, 2048), (256, VOCABULARY)), deviation=3, dtype=torch.float32)
    with torch.no_grad():
        for name, function, peer in (("plain", plain, "multinomial"), ("top_p 0.95", top_p, "sort")):
            measure(11, name, peer, lambda: function(logits))
            run = compiled(function)
            measure(11, name, peer + ", compiled", lambda: run(logits))


main()
