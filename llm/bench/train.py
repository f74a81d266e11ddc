"""Training step of a Qwen3-shaped decoder in PyTorch: forward, backward, AdamW. The peer of `llm/examples/bench.rs`."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SHAPES = {  # hidden, layers, heads, key heads, head_dim, intermediate, vocab, tokens, batch, prompt
    "grown": dict(d=64, layers=2, heads=4, keys=2, head=16, inside=192, vocab=64, tokens=32, batch=64, prompt=12),
    "million": dict(d=128, layers=4, heads=4, keys=4, head=32, inside=384, vocab=512, tokens=64, batch=32, prompt=16),
}


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-6)


def rotate(x, cos, sin):
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.norm1, self.norm2 = Norm(s["d"]), Norm(s["d"])
        self.q_norm, self.k_norm = Norm(s["head"]), Norm(s["head"])
        q, k = s["heads"] * s["head"], s["keys"] * s["head"]
        self.split = (q, k, k)
        self.qkv = nn.Linear(s["d"], q + 2 * k, bias=False)
        self.out = nn.Linear(q, s["d"], bias=False)
        self.gate_up = nn.Linear(s["d"], 2 * s["inside"], bias=False)
        self.down = nn.Linear(s["inside"], s["d"], bias=False)

    def heads(self, x, cos, sin):
        s, (b, t, _) = self.s, x.shape
        q, k, v = self.qkv(self.norm1(x)).split(self.split, -1)
        q = rotate(self.q_norm(q.view(b, t, s["heads"], s["head"])).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(k.view(b, t, s["keys"], s["head"])).transpose(1, 2), cos, sin)
        return q, k, v.view(b, t, s["keys"], s["head"]).transpose(1, 2)

    def rest(self, x, mixed):
        b, t, _ = x.shape
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def forward(self, x, cos, sin):
        q, k, v = self.heads(x, cos, sin)
        grouped = self.s["heads"] != self.s["keys"]
        return self.rest(x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped))


class Decoder(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.embed = nn.Embedding(s["vocab"], s["d"])
        self.blocks = nn.ModuleList(Block(s) for _ in range(s["layers"]))
        self.norm = Norm(s["d"])
        angles = torch.outer(torch.arange(4 * s["tokens"]).double(), 1e4 ** (-torch.arange(0, s["head"], 2).double() / s["head"]))
        angles = torch.cat((angles, angles), -1)
        self.register_buffer("cos", angles.cos().float())
        self.register_buffer("sin", angles.sin().float())
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        t = tokens.shape[1]
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos[:t], self.sin[:t])
        return F.linear(self.norm(x), self.embed.weight)


def step_of(s, compiled):
    """A training step on one batch."""
    model = Decoder(s)
    loss_of = lambda tokens: F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    if compiled:
        loss_of = torch.compile(loss_of)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    tokens = torch.randint(s["vocab"], (s["batch"], s["tokens"] + 1))

    def step():
        loss = loss_of(tokens)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.item()

    return step
