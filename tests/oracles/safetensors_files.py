"""Writes tests/fixtures/formats/reference.safetensors and reference.json. Made with safetensors 0.8.0, torch 2.13.0.

With an argument it checks a file written by the program instead: its tensors "ramp" and "scalar" must be what
tests/formats/safetensors_test.ts writes.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

target = Path(__file__).parent.parent / "fixtures" / "formats"
if len(sys.argv) > 1:
    with safe_open(sys.argv[1], framework="pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()
        assert torch.equal(file.get_tensor("ramp"), torch.arange(60).reshape(5, 12) / 8)
        assert file.get_tensor("scalar").shape == () and file.get_tensor("scalar").item() == -1.5
        assert file.get_tensor("none").shape == (0, 4)
    print("ok")
    sys.exit()

generator = torch.Generator().manual_seed(0)
values = torch.randn(7, 5, generator=generator)
special = torch.tensor([0.0, -0.0, 1.0, 65504.0, 6e-8, -6.1e-5, float("inf"), float("-inf"), float("nan")])
tensors = {
    "f32": values,
    "f16": torch.cat([values.flatten(), special]).half(),
    "bf16": torch.cat([values.flatten(), special]).bfloat16(),
    "f64": values.double() / 3,
    "i64": torch.tensor([[0, -1], [2**40, -(2**62)]]),
    "i32": torch.tensor([5, -7, 2**31 - 1], dtype=torch.int32),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(2.5),
}
target.mkdir(parents=True, exist_ok=True)
save_file(tensors, target / "reference.safetensors", metadata={"format": "pt"})
expected = {}
for name, tensor in tensors.items():
    numbers = tensor.float().flatten().tolist() if tensor.is_floating_point() else [str(x) for x in tensor.flatten().tolist()]
    expected[name] = {"shape": list(tensor.shape), "values": [str(x) for x in numbers]}
(target / "reference.json").write_text(json.dumps(expected) + "\n")
