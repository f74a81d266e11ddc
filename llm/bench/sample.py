"""Sampling with a static KV cache in PyTorch: the peer of `llm/examples/bench.rs`, on the decoder of `train.py`.

Each token comes with its log-probability, the entropy and the certainty of its distribution, as in `mta_llm::model::Model::generate`.
"""

import torch
import torch.nn.functional as F

from train import Decoder


class Sampler:
    def __init__(self, model, s):
        self.model, self.s = model, s
        shape = (s["batch"], s["keys"], s["tokens"], s["head"])
        self.cache = [(torch.zeros(shape), torch.zeros(shape)) for _ in model.blocks]

    def hidden(self, tokens, past):
        new = tokens.shape[1]
        cos, sin = self.model.cos[past : past + new], self.model.sin[past : past + new]
        x = self.model.embed(tokens)
        for block, (keys, values) in zip(self.model.blocks, self.cache):
            q, k, v = block.heads(x, cos, sin)
            keys[:, :, past : past + new] = k
            values[:, :, past : past + new] = v
            k, v = keys[:, :, : past + new], values[:, :, : past + new]
            grouped = self.s["heads"] != self.s["keys"]
            x = block.rest(x, F.scaled_dot_product_attention(q, k, v, is_causal=new > 1, enable_gqa=grouped))
        return x[:, -1]

    def step(self, tokens, past):
        logs = F.log_softmax(F.linear(self.model.norm(self.hidden(tokens, past)), self.model.embed.weight), -1)
        chances = logs.exp()
        token = torch.multinomial(chances, 1)
        return token, logs.gather(1, token), -(chances * logs).sum(-1), -logs.mean(-1)

    def draw(self, prompts):
        tokens, past, drawn = prompts, 0, []
        for _ in range(self.s["tokens"] - self.s["prompt"]):
            result = self.step(tokens, past)
            past += tokens.shape[1]
            tokens = result[0]
            drawn.append(result)
        return [torch.stack([r.flatten() for r in column], 1) for column in zip(*drawn)]


def batch_of(s, compiled):
    """A batch of responses, each to a prompt of its own. Compiled is the step through the blocks; lengths are dynamic, as the cache grows."""
    sampler = Sampler(Decoder(s).eval(), s)
    if compiled:
        sampler.hidden = torch.compile(sampler.hidden, dynamic=True)
    prompts = torch.randint(s["vocab"], (s["batch"], s["prompt"]))

    def batch():
        with torch.inference_mode():
            return sampler.draw(prompts)

    return batch
