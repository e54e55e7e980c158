"""Turns FOLDER, a Hugging Face folder of a DebertaV2ForSequenceClassification, into TARGET as such models are published.

PYTHON tests/oracles/published.py FOLDER TARGET [float16|float32|bfloat16] [transposed]: the encoder alone, in
pytorch_model.bin, beside the two heads of pretraining, which nothing here reads. With `transposed`, matrices lie in the
file column by column. tests/fixtures/deberta/published was made from tests/fixtures/deberta/text, in float32, with torch 2.13.0.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

torch.manual_seed(0)
folder, target = map(Path, sys.argv[1:3])
dtype = getattr(torch, (sys.argv[3:] or ["float16"])[0])
target.mkdir(parents=True, exist_ok=True)
for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
    shutil.copy(folder / name, target)
state = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if name.startswith("deberta.")}
table = state["deberta.embeddings.word_embeddings.weight"]
hidden = table.shape[1]
state["deberta.embeddings.position_ids"] = torch.arange(512).expand((1, -1))
for head in ("lm_predictions.lm_head", "mask_predictions"):
    state[f"{head}.dense.weight"] = torch.randn(hidden, hidden)
    state[f"{head}.dense.bias"] = torch.zeros(hidden)
    state[f"{head}.LayerNorm.weight"] = torch.ones(hidden)
    state[f"{head}.LayerNorm.bias"] = torch.zeros(hidden)
state["lm_predictions.lm_head.bias"] = torch.zeros(table.shape[0])
state["mask_predictions.classifier.weight"] = torch.randn(1, hidden)
state["mask_predictions.classifier.bias"] = torch.zeros(1)
for name, tensor in state.items():
    if tensor.is_floating_point():
        state[name] = tensor.to(dtype)
    if "transposed" in sys.argv and tensor.dim() == 2:
        state[name] = state[name].T.contiguous().T
torch.save(state, target / "pytorch_model.bin")
