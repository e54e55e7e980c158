"""Twenty steps of a fixture of families.py with a learning rate for every layer, by AdamW's parameter groups.

Writes tests/fixtures/training/layer_decay.json and .safetensors. PyTorch 2.13, transformers 5.
"""

import json
import pathlib

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import DebertaV2Config, get_scheduler

import families

CASE = "shared_buckets"
DECAY = 0.6
STEPS, WARMUP, RATE, WEIGHT_DECAY, MAX_GRAD_NORM = 20, 4, 5e-3, 0.05, 1.0
#: One of every depth, with and without weight decay.
KEPT = ["deberta.embeddings.word_embeddings.weight", "deberta.embeddings.LayerNorm.bias",
        "deberta.encoder.rel_embeddings.weight", "deberta.encoder.layer.0.output.dense.weight",
        "deberta.encoder.layer.0.output.LayerNorm.weight", "deberta.encoder.layer.1.output.dense.weight",
        "deberta.encoder.layer.1.attention.output.LayerNorm.weight", "pooler.dense.weight", "classifier.weight",
        "classifier.bias"]


def depth(name, layers):
    """0 for the head, 1 for the last layer, and so on; what lies below the first layer is one deeper."""
    if not name.startswith("deberta."):
        return 0
    for layer in range(layers):
        if name.startswith(f"deberta.encoder.layer.{layer}."):
            return layers - layer
    return layers + 1


def train(model, layers, data, loss):
    groups = [
        dict(params=[tensor], lr=RATE * DECAY ** depth(name, layers),
             weight_decay=0.0 if name.endswith("bias") or "LayerNorm" in name else WEIGHT_DECAY)
        for name, tensor in families.parameters(model).items()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    steps = []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        batch = [(4 * step + i) % len(data["sequences"]) for i in range(4)]
        value, _, _ = families.batch_loss(model, data, batch, loss)
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        scheduler.step()
        steps.append(dict(batch=batch, loss=value.item(), gradNorm=norm.item()))
    return steps


def main():
    torch.set_num_threads(1)
    folder = families.FIXTURES / "deberta" / CASE
    config = DebertaV2Config.from_pretrained(folder)
    data = json.loads((folder / "expected.json").read_text())
    model = families.build("deberta", config, config.classifier_head)
    weights = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, tensor in families.parameters(model).items():
            tensor.copy_(weights[name])
    steps = train(model, config.num_hidden_layers, data, data["loss"])
    out = pathlib.Path(__file__).parent.parent / "fixtures/training"
    out.mkdir(exist_ok=True)
    expected = dict(fixture=CASE, decay=DECAY, learningRate=RATE, warmupSteps=WARMUP, weightDecay=WEIGHT_DECAY,
                    maxGradNorm=MAX_GRAD_NORM, steps=steps)
    (out / "layer_decay.json").write_text(json.dumps(expected) + "\n")
    after = families.parameters(model)
    families.save_weights({name: after[name] for name in KEPT}, out / "layer_decay.safetensors")
    print(steps[-1])


main()
