"""Agreement with transformers on a model of DeBERTa-v3-base's shape: 12 layers of 768, 128,100 tokens, random weights.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, tokenizers as it brings, scikit-learn 1.9.1. By hand, not in CI: it
takes minutes, 2 GB of disk and 4 GB of memory. From the project folder:

  python tests/oracles/base_shaped.py expect FOLDER       builds FOLDER and computes what is expected
  the commands it prints                                  predict, and two steps of train
  python tests/oracles/base_shaped.py compare FOLDER      prints the differences and the limits

FOLDER/model is a Hugging Face folder with a synthetic tokenizer; pairs.jsonl, groundtruth.csv and criteria.json are
made of its words. expected.json holds logits, and loss, grad_norm and learning_rate of the steps; trained.safetensors
the parameters after them. --hidden, --layers and --vocab make it smaller, to try the script.
"""

import argparse
import csv
import json
import math
import random
from pathlib import Path

import torch
from families import DEBERTA_NO_DROPOUT, save_weights, scatter
from safetensors.torch import load_file
from sklearn.model_selection import StratifiedGroupKFold
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, DebertaV2Config,
                          DebertaV2ForSequenceClassification, DebertaV2Tokenizer, get_scheduler)

SEED = 42
MAX_LENGTH = 128
BATCH_SIZE = 4
STEPS = 2
LEARNING_RATE = 1e-4
SPLITS = 2


def make_tokenizer(vocab_size):
    """Unigram pieces as DeBERTa-v3's vocabulary has them, made of syllables; also the words that texts are made of."""
    syllables = [a + b + c for a in "bdfghjklmnprstvwz" for b in "aeiou" for c in ("", "n", "r", "s")]
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    letters = list("abcdefghijklmnopqrstuvwxyz.,") + ["\u2581"]
    words = ["\u2581" + a + b for a in syllables for b in syllables]
    words += [word + a for word in words for a in syllables][:max(vocab_size - len(words), 0)]
    random.Random(SEED).shuffle(words)
    words = words[:vocab_size - len(special) - len(letters) - 1]
    vocab = [(token, 0.0) for token in special]
    vocab += [(letter, -20.0) for letter in letters] + [(word, -8 - 4 * i / len(words)) for i, word in enumerate(words)]
    return DebertaV2Tokenizer(vocab=vocab + [("[MASK]", 0.0)], unk_id=3), words


def build(folder, hidden, layers, vocab):
    """The Hugging Face folder and the data files."""
    model_folder = folder / "model"
    model_folder.mkdir(parents=True, exist_ok=True)
    tokenizer, words = make_tokenizer(vocab)
    tokenizer.save_pretrained(model_folder)
    config = DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden, relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], max_relative_positions=-1, position_biased_input=False,
        **DEBERTA_NO_DROPOUT)
    model = DebertaV2ForSequenceClassification(config)
    scatter(model, torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        model.classifier.weight.mul_(0.2)
    model.save_pretrained(model_folder)

    draw = random.Random(SEED)
    text = lambda count: " ".join(draw.choice(words)[1:] for _ in range(count)) + "."
    criteria = [dict(id=f"A.{i + 1}", text=text(8)) for i in range(3)]
    posts = [text(draw.choice([5, 20, 60, 110, 150])) for _ in range(12)]
    (folder / "criteria.json").write_text(json.dumps(dict(criteria=criteria)))
    rows = [dict(post_id=f"p{i}", post=post, DSM5_symptom=criterion["id"], groundtruth=int(draw.random() < 0.4))
            for i, post in enumerate(posts) for criterion in criteria]
    with open(folder / "groundtruth.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    texts = {criterion["id"]: criterion["text"] for criterion in criteria}
    with open(folder / "pairs.jsonl", "w") as file:
        for row in rows[::4]:
            file.write(json.dumps(dict(post=row["post"], criterion=texts[row["DSM5_symptom"]])) + "\n")


def logits_of(model, tokenizer, post, criterion):
    encoded = tokenizer(post, criterion, truncation="only_first", max_length=MAX_LENGTH, return_tensors="pt")
    return model(input_ids=encoded["input_ids"]).logits  # v3 has no segment embeddings


def expect(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    pairs = [json.loads(line) for line in open(folder / "pairs.jsonl")]
    with torch.no_grad():
        logits = [logits_of(model, tokenizer, pair["post"], pair["criterion"])[0].tolist() for pair in pairs]

    rows = list(csv.DictReader(open(folder / "groundtruth.csv", newline="")))
    texts = {c["id"]: c["text"] for c in json.load(open(folder / "criteria.json"))["criteria"]}
    labels = [int(row["groundtruth"]) for row in rows]
    folds = StratifiedGroupKFold(SPLITS, shuffle=True, random_state=SEED)
    training, _ = next(folds.split(rows, labels, groups=[row["post_id"] for row in rows]))

    decayed = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "LayerNorm" in n)]
    others = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=0.01), dict(params=others, weight_decay=0.0)], lr=LEARNING_RATE)
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=STEPS)
    steps = []
    for step in range(STEPS):
        total = 0.0
        for index in training[step * BATCH_SIZE:(step + 1) * BATCH_SIZE]:
            row = rows[index]
            out = logits_of(model, tokenizer, row["post"], texts[row["DSM5_symptom"]])
            loss = torch.nn.functional.cross_entropy(out, torch.tensor([labels[index]])) / BATCH_SIZE
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
        steps.append(dict(loss=total, grad_norm=norm, learning_rate=scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        print(f"step {step + 1}: {steps[-1]}", flush=True)
    save_weights(dict(model.named_parameters()), folder / "trained.safetensors")
    (folder / "expected.json").write_text(json.dumps(dict(logits=logits, steps=steps), indent=1))
    print(f"logits {logits}")
    common = f"model.model_name={folder}/model data.max_length={MAX_LENGTH}"
    print(f"""
./entail predict --checkpoint {folder}/model --input {folder}/pairs.jsonl --output {folder}/scores.jsonl \\
  data.max_length={MAX_LENGTH}
./entail train --fold 0 data=redsm5 {common} data.groundtruth_csv={folder}/groundtruth.csv \\
  data.criteria_json={folder}/criteria.json data.annotations_csv=null output_dir={folder}/run seed={SEED} kfold.n_splits={SPLITS} \\
  training.shuffle=false training.batch_size={BATCH_SIZE} training.max_steps={STEPS} \\
  training.learning_rate={LEARNING_RATE} training.warmup_ratio=0 training.scheduler_type=linear \\
  training.weight_decay=0.01 training.max_grad_norm=1 training.gradient_accumulation_steps=1 \\
  training.optimization.precision=fp32 model.loss_type=ce model.hidden_dropout=0 model.attention_dropout=0 \\
  model.classifier_dropout=0 mlflow.enable=false""")


def compare(folder):
    expected = json.load(open(folder / "expected.json"))
    scores = [json.loads(line)["logits"] for line in open(folder / "scores.jsonl")]
    off = max(abs(a - b) for got, want in zip(scores, expected["logits"], strict=True) for a, b in zip(got, want))
    print(f"logits: largest difference {off:.2e} (limit 1e-4)")
    lines = [json.loads(line) for line in open(folder / "run" / "fold_0" / "metrics.jsonl")]
    steps = [line for line in lines if "step" in line]
    for step, (got, want) in enumerate(zip(steps, expected["steps"], strict=True)):
        ratios = ", ".join(f"{key} {abs(got[key] / want[key] - 1):.1e}" for key in want)
        print(f"step {step + 1}: relative difference of {ratios} (limit 1e-3)")
    before = load_file(folder / "model" / "model.safetensors")
    wanted = load_file(folder / "trained.safetensors")
    after = load_file(folder / "run" / "checkpoints" / "fold_0" / "last" / "model.safetensors")
    total_off = total_moved = 0.0
    worst = (0.0, "")
    for name, want in wanted.items():
        off = (after[name] - want).double().square().sum().item()
        moved = (want - before[name]).double().square().sum().item()
        total_off += off
        total_moved += moved
        worst = max(worst, (math.sqrt(off / moved), name))
    print(f"parameters: difference {math.sqrt(total_off / total_moved):.1e} of their change (limit 1e-3), "
          f"worst tensor {worst[0]:.1e} ({worst[1]}, limit 1e-2)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["expect", "compare"])
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vocab", type=int, default=128100)
    arguments = parser.parse_args()
    if arguments.action == "compare":
        compare(arguments.folder)
    else:
        build(arguments.folder, arguments.hidden, arguments.layers, arguments.vocab)
        expect(arguments.folder)
