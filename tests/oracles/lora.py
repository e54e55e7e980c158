"""Adapters of peft on the models of families.py, and what `train` saves as adapters in peft.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, peft 0.21.2.
Run from the project folder: python tests/oracles/lora.py [write | check]

write: tests/fixtures/lora/<case>/ holds, for a model of tests/fixtures/<family>/<base>,
  adapter_config.json, adapter_model.safetensors   as peft saves them, before any training, B being no zeros; the base's
                                    path is `tests/fixtures/<family>/<base>`
  expected.safetensors              logits of the forward batch, gradient.<parameter> of its mean loss,
                                    trained.<parameter> after twenty steps; of what is trained alone
  expected.json                     lossValue, gradNorm, and the training run as in families.py, of the base's sequences
and tests/fixtures/lora/text/ an adapter to tests/fixtures/deberta/text with its logits for the pairs there.

check: trains with save=adapter, loads each folder with PeftModel on its base and compares with `predict`; 1e-4 fails.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import families

PROJECT = Path(__file__).resolve().parents[2]
OUT = families.FIXTURES / "lora"
DENSE = "attention.output.dense"

CASES = {
    # Position keys and queries go through the projections of the tokens, and so through their adapters.
    "deberta": dict(family="deberta", base="shared_buckets", r=4, alpha=6, modules=["pooler", "classifier"],
                    targets=["query_proj", "key_proj", "value_proj", DENSE]),
    # A rank that is no multiple of four.
    "bert": dict(family="bert", base="bert", r=3, alpha=5, modules=["pooler", "classifier"],
                 targets=["query", "key", "value", DENSE]),
    "roberta": dict(family="roberta", base="roberta", r=8, alpha=16, modules=["classifier"],
                    targets=["query", "key", "value"]),
    # A convolution that is frozen; the projections alone.
    "convolution": dict(family="deberta", base="convolution", r=5, alpha=5, modules=["pooler", "classifier"],
                        targets=["query_proj", "key_proj", "value_proj"]),
}


class Adapted(nn.Module):
    """A model of peft with the interface of families.py."""

    def __init__(self, peft_model):
        super().__init__()
        self.model = peft_model

    def forward(self, input_ids, token_type_ids=None):
        outputs = self.model(input_ids=input_ids, token_type_ids=token_type_ids, output_hidden_states=True)
        return outputs.logits, outputs.hidden_states


def plain(name):
    """A parameter's name without what peft puts around it."""
    return (name.removeprefix("base_model.model.").replace(".default", "").replace(".modules_to_save", ""))


def trained(model):
    return {plain(name): p for name, p in families.parameters(model).items() if p.requires_grad}


def lora_config(case, path):
    return LoraConfig(r=case["r"], lora_alpha=case["alpha"], lora_dropout=0.0, target_modules=case["targets"],
                      modules_to_save=case["modules"], task_type="SEQ_CLS", base_model_name_or_path=path)


def adapted(base, config, generator):
    model = get_peft_model(base, config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "lora_B" in name:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
            elif tensor.requires_grad and "lora_A" not in name:
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return model


def save(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    for file in folder.iterdir():
        file.chmod(0o644)


def write_case(name, case, seed):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    path = f"tests/fixtures/{case['family']}/{case['base']}"
    data = json.loads((PROJECT / path / "expected.json").read_text())
    base = AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager").eval()
    model = adapted(base, lora_config(case, path), generator).eval()
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder)

    def load(dtype):
        base = AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager")
        return Adapted(PeftModel.from_pretrained(base, folder, is_trainable=True)).to(dtype).eval()

    model = load(torch.float32)
    start = {key: p.detach().clone() for key, p in trained(model).items()}
    value, logits, _ = families.batch_loss(model, data, data["batch"], data["loss"])
    value.backward()
    tensors = {"logits": logits.detach()} | {f"gradient.{key}": p.grad.clone() for key, p in trained(model).items()}
    norm = families.grad_norm(model).item()
    model = load(torch.float32)
    run = families.train(model, data, data["loss"], 1)
    after = {key: p.detach() for key, p in trained(model).items()}
    tensors |= {f"trained.{key}": p for key, p in after.items()}
    exact = load(torch.float64)
    families.batch_loss(exact, data, data["batch"], data["loss"])[0].backward()
    zero = [key for key, p in trained(exact).items() if p.grad.norm() < 1e-12]
    families.train(exact, data, data["loss"], 1)
    kept = [key for key in after if key not in zero]
    wanted = {key: trained(exact)[key].detach() for key in kept}
    families.save_weights(tensors, folder / "expected.safetensors")
    expected = dict(lossValue=value.item(), gradNorm=norm, zeroGradients=zero, training=run)
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    print(f"{name}: loss {value.item():.4f}, gradient {norm:.3f}, zero {zero}, fp32 against fp64: parameters "
          f"{families.relative_change(after, wanted, start):.1e}")


def logits_of(model, tokenizer, pairs, max_length):
    rows = []
    for post, criterion in pairs:
        inputs = tokenizer(post, criterion, truncation="only_first", max_length=max_length, return_tensors="pt")
        with torch.no_grad():
            rows.append(model(**inputs).logits[0].tolist())
    return rows


def write_text():
    torch.manual_seed(5)
    path = "tests/fixtures/deberta/text"
    folder = OUT / "text"
    folder.mkdir(parents=True, exist_ok=True)
    base = AutoModelForSequenceClassification.from_pretrained(path).eval()
    model = adapted(base, lora_config(CASES["deberta"], path), torch.Generator().manual_seed(5)).eval()
    save(model, folder)
    expected = json.loads((PROJECT / path / "expected.json").read_text())
    pairs = [(pair["post"], pair["criterion"]) for pair in expected["pairs"]]
    logits = logits_of(model, AutoTokenizer.from_pretrained(path), pairs, expected["maxLength"])
    (folder / "expected.json").write_text(json.dumps(dict(logits=logits)) + "\n")
    print("text:", logits[0])


def entail(*arguments):
    subprocess.run([PROJECT / "entail", *map(str, arguments)], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)


def check():
    work = Path(tempfile.mkdtemp(prefix="entail-lora-"))
    expected = json.loads((families.FIXTURES / "deberta/text/expected.json").read_text())
    pairs = [(pair["post"], pair["criterion"]) for pair in expected["pairs"]]
    source, target = work / "pairs.jsonl", work / "scores.jsonl"
    source.write_text("".join(json.dumps(dict(post=post, criterion=criterion)) + "\n" for post, criterion in pairs))
    bases = [PROJECT / "data/demo/model", families.FIXTURES / "bert/text", families.FIXTURES / "roberta/text"]
    for base in bases:
        for targets in ["qkv", "qkvd"]:
            run = work / f"{base.parent.name}-{targets}"
            entail("train", "--fold", 0, f"model.model_name={base}", "model.loss_type=ce", "model.lora.r=4",
                   f"model.lora.targets={targets}", "model.lora.save=adapter", "training.max_steps=10",
                   "training.learning_rate=0.01", "data.sample_size=200", "data.max_length=60", "mlflow.enable=false",
                   f"output_dir={run}")
            worst = 0.0
            for which in ["best", "last"]:
                folder = run / "checkpoints/fold_0" / which
                recorded = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
                labels = len(json.loads((folder / "model_config.json").read_text())["id2label"])
                model = AutoModelForSequenceClassification.from_pretrained(recorded, num_labels=labels)
                model = PeftModel.from_pretrained(model, folder).eval()
                entail("predict", "--checkpoint", folder, "--input", source, "--output", target)
                scores = [json.loads(line)["logits"] for line in target.read_text().splitlines()]
                peft = logits_of(model, AutoTokenizer.from_pretrained(folder), pairs, 60)
                worst = max(worst, (torch.tensor(scores) - torch.tensor(peft)).abs().max().item())
                auto = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels).eval()
                auto = logits_of(auto, AutoTokenizer.from_pretrained(folder), pairs, 60)
                worst = max(worst, (torch.tensor(auto) - torch.tensor(peft)).abs().max().item())
            print(f"{base.parent.name} {targets}: {len(pairs)} pairs, worst logit {worst:.1e}")
            assert worst < 1e-4


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.chdir(PROJECT)
    if "check" in sys.argv[1:]:
        check()
    else:
        for number, (case_name, description) in enumerate(CASES.items()):
            write_case(case_name, description, seed=900 + number)
        write_text()
