"""Writes tests/fixtures/nn/attention.json and tests/fixtures/nn/relative_position.json from transformers' DeBERTa-v2.

Made with torch 2.13.0 (CPU) and transformers 5.17.0:  python tests/oracles/attention.py
"""

import json
from pathlib import Path

import torch
from transformers import DebertaV2Config
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention, make_log_bucket_position

FIXTURES = Path(__file__).parent.parent / "fixtures" / "nn"
LENGTH = 14


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def attention(buckets, positions, terms):
    """One sequence through the layer in evaluation mode: what enters and leaves the attention proper."""
    config = DebertaV2Config(
        hidden_size=6,
        num_attention_heads=2,
        relative_attention=True,
        position_buckets=buckets,
        max_relative_positions=positions,
        pos_att_type=terms,
        share_att_key=False,
    )
    layer = DisentangledSelfAttention(config).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    span = buckets if buckets > 0 else positions
    captured = {}

    def capture(name):
        def hook(_module, _inputs, output):
            output.retain_grad()
            captured[name] = output

        return hook

    names = {"query_proj": "query", "key_proj": "key", "value_proj": "value"}
    names |= {"pos_key_proj": "positionKey", "pos_query_proj": "positionQuery"}
    for module, name in names.items():
        if hasattr(layer, module):
            getattr(layer, module).register_forward_hook(capture(name))
    hidden = torch.randn(1, LENGTH, 6)
    mask = torch.ones(1, 1, LENGTH, LENGTH)
    context, _ = layer(hidden, mask, rel_embeddings=torch.randn(2 * span, 6))
    d_context = torch.randn_like(context)
    context.backward(d_context)
    return {
        "heads": 2,
        "headSize": 3,
        "length": LENGTH,
        "bucketSize": buckets,
        "maxRelativePositions": positions,
        "inputs": {name: numbers(tensor) for name, tensor in captured.items()} | {"dContext": numbers(d_context)},
        "outputs": {"context": numbers(context)}
        | {f"d{name[0].upper()}{name[1:]}": numbers(tensor.grad) for name, tensor in captured.items()},
    }


def bucket_starts(bucket, positions):
    """Distances 1, 2, … at which the bucket changes, and the bucket from there on; the function is odd."""
    distances = torch.arange(-positions - 5, positions + 6)
    buckets = make_log_bucket_position(distances, bucket, positions).long().tolist()
    assert buckets == [-b for b in reversed(buckets)]
    half = buckets[positions + 5 :]
    starts = [[d, half[d]] for d in range(1, len(half)) if half[d] != half[d - 1]]
    return {"bucketSize": bucket, "maxRelativePositions": positions, "last": len(half) - 1, "starts": starts}


if __name__ == "__main__":
    torch.manual_seed(20)
    cases = [attention(4, 16, ["p2c", "c2p"]), attention(-1, 5, ["c2p"])]
    (FIXTURES / "attention.json").write_text(json.dumps(cases) + "\n")
    pairs = [(256, 512), (32, 128), (64, 512), (8, 32), (10, 1000), (7, 33), (48, 300), (2, 16), (128, 4096)]
    tables = [bucket_starts(*pair) for pair in pairs]
    (FIXTURES / "relative_position.json").write_text(json.dumps(tables) + "\n")
