"""Writes tests/fixtures/formats/torch/: files of torch.save, hostile ones, and what is in the good ones (expected.json).

Made with torch 2.13.0. tests/formats/torch_file_test.ts reads them.
"""

import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

target = Path(__file__).parent.parent / "fixtures" / "formats" / "torch"
target.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)
generator = torch.Generator().manual_seed(0)


def numbers(*shape):
    return torch.randn(*shape, generator=generator)


def described(tensors):
    result = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        values = tensor.float() if tensor.is_floating_point() else tensor
        dtype = str(tensor.dtype).removeprefix("torch.")
        result[name] = {"dtype": dtype, "shape": list(tensor.shape), "values": [str(x) for x in values.flatten().tolist()]}
    return result


base = numbers(6, 8)
table = numbers(5, 3)
special = torch.tensor([0.0, -0.0, 65504.0, 6e-8, float("inf"), float("nan")])
files = {
    # Every type that a state dict may have.
    "types.bin": {
        "f32": numbers(3, 5),
        "f16": torch.cat([numbers(4), special]).half(),
        "bf16": torch.cat([numbers(4), special]).bfloat16(),
        "f64": numbers(4).double() / 3,
        "i64": torch.tensor([[0, -1], [2**40, -(2**62)]]),
        "i32": torch.tensor([5, -7, 2**31 - 1], dtype=torch.int32),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(numbers(2, 2)),
    },
    # Storages that tensors share, and views that are not in row-major order.
    "views.bin": OrderedDict(
        tied=table,
        decoder=table,
        base=base,
        transposed=base.T,
        rows=base[2:5],
        columns=base[:, 3:5],
        every_third=base[::3, 1::3],
        permuted=base.reshape(2, 3, 8).permute(2, 0, 1),
        expanded=base[1].expand(3, 8),
        half_transposed=numbers(4, 3).half().T,
        wide_transposed=numbers(3, 2).double().T,
        bytes_transposed=torch.arange(6, dtype=torch.int8).reshape(2, 3).T,
    ),
}
expected = {}
for file, tensors in files.items():
    torch.save(tensors, target / file)
    expected[file] = described(tensors)

model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
for protocol in (2, 3, 4, 5):  # a state dict with its _metadata
    torch.save(model.state_dict(), target / f"protocol_{protocol}.bin", pickle_protocol=protocol)
    expected[f"protocol_{protocol}.bin"] = described(model.state_dict())

tensors = {"a": numbers(2, 2), "b": numbers(3), "c": numbers(2)}
sharded = target / "sharded"
sharded.mkdir(exist_ok=True)
torch.save({"a": tensors["a"], "c": tensors["c"]}, sharded / "pytorch_model-00001-of-00002.bin")
torch.save({"b": tensors["b"]}, sharded / "pytorch_model-00002-of-00002.bin")
weight_map = {name: f"pytorch_model-0000{2 if name == 'b' else 1}-of-00002.bin" for name in tensors}
(sharded / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {"total_size": 36}, "weight_map": weight_map}))
expected["sharded"] = described(tensors)
(target / "expected.json").write_text(json.dumps(expected) + "\n")

torch.save(tensors, target / "legacy.bin", _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.script(model), target / "torchscript.bin")
torch.save([1, 2], target / "no_tensors.bin")
torch.save({"z": torch.zeros(2, dtype=torch.complex64)}, target / "complex.bin")


def archive(name, data, storage=bytes(16), **options):
    with zipfile.ZipFile(target / name, "w", options.get("compression", zipfile.ZIP_STORED)) as file:
        # With a date of their own, the files are the same each time.
        file.writestr(zipfile.ZipInfo("archive/data.pkl"), data, file.compression)
        file.writestr(zipfile.ZipInfo("archive/data/0"), storage, file.compression)


class Calls:
    def __init__(self, function, *args):
        self.parts = function, args

    def __reduce__(self):
        return self.parts


def call(module, name, *args):
    """A pickle that calls a function that need not be there when it is written."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + pickle.dumps(args, 2)[2:-1] + b"R."


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"


def tensor(offset, size, stride):
    """A pickle of {"x": tensor over the four numbers of storage 0}."""
    parts = b"".join(pickle.dumps(part, 2)[2:-1] for part in (offset, size, stride))
    return (
        b"\x80\x02}" + text("x") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + parts
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )


archive("good_by_hand.bin", tensor(1, (3,), (1,)), struct.pack("<4f", 1, 2, 3, 4))
archive("os_system.bin", call("posix", "system", "touch /tmp/entail-was-here"))
archive("builtins_eval.bin", call("builtins", "eval", "1"))
archive("getattr_chain.bin", pickle.dumps(Calls(getattr, Calls(__import__, "os"), "system"), 2))
archive("stack_global.bin", pickle.dumps(Calls(exec, "1"), 4))
archive("newobj.bin", b"\x80\x02ccollections\nOrderedDict\n)\x81.")
archive("calls_storage.bin", b"\x80\x02ctorch\nFloatStorage\n)R.")
archive("build.bin", b"\x80\x02ctorch\nFloatStorage\n}b.")
archive("calls_text.bin", b"\x80\x02" + text("os.system") + b")R.")
archive("beyond_storage.bin", tensor(2, (3,), (1,)))
archive("beyond_by_stride.bin", tensor(0, (2, 2), (3, 1)))
archive("negative_stride.bin", tensor(3, (2,), (-1,)))
archive("huge_shape.bin", tensor(0, (2**40, 2**40), (0, 0)))
archive("huge_number.bin", tensor(2**80, (1,), (1,)))
archive("huge_text.bin", b"\x80\x02X\xff\xff\xff\xff.")
archive("huge_bytes.bin", b"\x80\x04\x8e" + b"\xff" * 8 + b".")
doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(200))
archive("memo_bomb.bin", b"\x80\x02(]q\x00" + doubled + b"t.")
archive("cut_off.bin", tensor(0, (1,), (1,))[:-10])
archive("stack_underflow.bin", b"\x80\x02R.")
archive("unknown_memo.bin", b"\x80\x02h\x07.")
archive("protocol_0.bin", pickle.dumps({"a": 1}, 0))
archive("missing_storage.bin", tensor(0, (1,), (1,)).replace(text("0"), text("7")))
archive("path_storage.bin", tensor(0, (1,), (1,)).replace(text("0"), text("../../x")))
archive("short_storage.bin", tensor(0, (1,), (1,)), bytes(15))
archive("compressed.bin", tensor(0, (1,), (1,)), compression=zipfile.ZIP_DEFLATED)
with zipfile.ZipFile(target / "no_pickle.bin", "w") as file:
    file.writestr(zipfile.ZipInfo("archive/readme"), "")
