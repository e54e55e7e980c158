"""Models of real sizes in the layout of their repositories, with random weights: for published.ts.

    PYTHON published_model.py make NAME FOLDER      NAME: deberta-v3-base or bge-reranker-v2-m3
    PYTHON published_model.py logits FOLDER PAIRS   what transformers makes of JSON lines of post and criterion, as JSON

Versions: torch 2.13.0 (CPU), transformers 5.23.0, sentencepiece 0.2.3, protobuf. Sizes and names are those of the
repositories; the pieces that the demo's texts need are trained, the others are made of syllables. Weights are drawn tensor
by tensor, so that no more than one is in memory where the file is safetensors.
"""

import csv
import io
import json
import os
import random
import resource
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
V3_BASE = dict(
    model_type="deberta-v2", attention_probs_dropout_prob=0.1, hidden_act="gelu", hidden_dropout_prob=0.1,
    hidden_size=768, initializer_range=0.02, intermediate_size=3072, max_position_embeddings=512,
    relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
    pos_att_type="p2c|c2p", layer_norm_eps=1e-7, max_relative_positions=-1, position_biased_input=False,
    num_attention_heads=12, num_hidden_layers=12, type_vocab_size=0, vocab_size=128100)
BGE = dict(
    _name_or_path="BAAI/bge-m3", architectures=["XLMRobertaForSequenceClassification"],
    attention_probs_dropout_prob=0.1, bos_token_id=0, classifier_dropout=None, eos_token_id=2, hidden_act="gelu",
    hidden_dropout_prob=0.1, hidden_size=1024, id2label={"0": "LABEL_0"}, initializer_range=0.02,
    intermediate_size=4096, label2id={"LABEL_0": 0}, layer_norm_eps=1e-5, max_position_embeddings=8194,
    model_type="xlm-roberta", num_attention_heads=16, num_hidden_layers=24, output_past=True, pad_token_id=1,
    position_embedding_type="absolute", torch_dtype="float32", transformers_version="4.38.1", type_vocab_size=1,
    use_cache=True, vocab_size=250002)
BGE_TOKENIZER = dict(
    bos_token="<s>", clean_up_tokenization_spaces=True, cls_token="<s>", eos_token="</s>", mask_token="<mask>",
    model_max_length=8192, pad_token="<pad>", sep_token="</s>", sp_model_kwargs={}, tokenizer_class="XLMRobertaTokenizer",
    unk_token="<unk>")


def sentencepiece_model(path, size, **options):
    """A unigram model of `size` pieces."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    with open(DEMO / "posts.csv", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    texts += [each["text"] for each in json.loads((DEMO / "criteria.json").read_text())["criteria"]]
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=trained, vocab_size=1500, model_type="unigram",
        hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(trained.getvalue())
    known = {piece.piece for piece in model.pieces}
    syllables = [a + b + c for a in "bdfghjklmnprstvwz" for b in "aeiou" for c in ("", "n", "r", "s")]
    draw = random.Random(1)
    while len(known) < size:
        piece = "\u2581" + "".join(draw.choice(syllables) for _ in range(draw.randint(2, 4)))
        if piece not in known:
            known.add(piece)
            model.pieces.add(piece=piece, score=-20.0 - len(known) / size)
    model.trainer_spec.vocab_size = size
    path.write_bytes(model.SerializeToString())


def parameters(model_class, config):
    """Names and shapes of a model that is never allocated."""
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in model_class(config).state_dict().items()}


def drawn(name, shape, generator):
    """Numbers that keep activations in the usual range: matrices of deviation 0.02, LayerNorms around one."""
    import torch

    noise = torch.randn(shape, generator=generator) * 0.02
    return noise + 1 if name.endswith("LayerNorm.weight") else noise


def make_v3_base(folder):
    import torch
    from transformers import DebertaV2Config, DebertaV2Model

    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "vocab_type": "spm"}))
    sentencepiece_model(folder / "spm.model", 128000, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                        bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
    (folder / "config.json").write_text(json.dumps(V3_BASE, indent=2))
    hidden, tokens = V3_BASE["hidden_size"], V3_BASE["vocab_size"]
    shapes = {f"deberta.{name}": shape for name, shape in parameters(DebertaV2Model, DebertaV2Config(**V3_BASE)).items()}
    for head in ("lm_predictions.lm_head", "mask_predictions"):
        shapes |= {f"{head}.dense.weight": (hidden, hidden), f"{head}.dense.bias": (hidden,),
                   f"{head}.LayerNorm.weight": (hidden,), f"{head}.LayerNorm.bias": (hidden,)}
    shapes |= {"lm_predictions.lm_head.bias": (tokens,), "mask_predictions.classifier.weight": (1, hidden),
               "mask_predictions.classifier.bias": (1,)}
    generator = torch.Generator().manual_seed(1)
    state = {name: drawn(name, shape, generator).half() for name, shape in shapes.items()}
    state["deberta.embeddings.position_ids"] = torch.arange(512).expand((1, -1))
    torch.save(state, folder / "pytorch_model.bin")


def make_bge_reranker(folder):
    import torch
    from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaForSequenceClassification

    sentencepiece_model(folder / "sentencepiece.bpe.model", 250000)
    (folder / "tokenizer_config.json").write_text(json.dumps(BGE_TOKENIZER))
    (folder / "config.json").write_text(json.dumps(BGE, indent=2))
    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))
    shapes = parameters(XLMRobertaForSequenceClassification, XLMRobertaConfig(**BGE))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[name] = dict(dtype="F32", shape=shape, data_offsets=[offset, offset + size])
        offset += size
    generator = torch.Generator().manual_seed(1)
    with open(folder / "model.safetensors", "wb") as file:
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            drawn(name, shape, generator).numpy().tofile(file)


def logits(folder, pairs):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    values = []
    with torch.no_grad():
        for line in Path(pairs).read_text().splitlines():
            pair = json.loads(line)
            encoded = tokenizer(pair["post"], pair["criterion"], truncation="only_first", return_tensors="pt")
            values.append(model(**encoded).logits[0].tolist())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(logits=values, peak_bytes=peak)))


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    action, *arguments = sys.argv[1:]
    if action == "logits":
        logits(*arguments)
    else:
        name, folder = arguments[0], Path(arguments[1])
        folder.mkdir(parents=True)
        {"deberta-v3-base": make_v3_base, "bge-reranker-v2-m3": make_bge_reranker}[name](folder)
