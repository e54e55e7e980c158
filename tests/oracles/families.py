"""Writes tests/fixtures/<family>: small models of every family with what transformers and PyTorch make of them.

Versions: torch 2.13.0 (CPU), transformers 5.17.0 (the newer cases 5.23.0), safetensors 0.8.0.
Run from the project folder: python tests/oracles/families.py [case …]
Everything is fp32 with eager attention and all dropouts 0; the sequences are computed one by one, without padding.

tests/fixtures/<family>/<case>/ holds
  config.json, model.safetensors   a Hugging Face folder; heads that transformers does not have are
                                   named by the key `classifier_head`
  expected.safetensors             hidden_states.<i>      [tokens, hidden] of the forward batch, packed; 0 = embeddings
                                   logits                 [sequences, labels]
                                   gradient.<parameter>   of the forward batch's mean loss
                                   trained.<n>.<parameter>  after the training run with n micro-batches per step
  expected.json
    loss            {type: ce|focal|bce|weighted_bce, gamma, alpha (of the positive class; null: none), posWeight}
    sequences       token ids; typeIds: segment ids beside them; labels: 0 or 1 for each sequence
    batch           indices of the sequences in the forward batch
    lossValue, gradNorm   of the forward batch
    zeroGradients   parameters whose gradient is zero but for rounding (a constant added to all scores of a query):
                    AdamW turns that rounding into arbitrary steps, so their values after training say nothing
    training        [{accumulation, learningRate, warmupSteps, weightDecay, maxGradNorm, steps: [
                      {microBatches: [[sequence indices]], loss, gradNorm (before clipping), learningRate}]}]
"""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2Model,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
    get_scheduler,
)

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
STEPS = 20
WARMUP = 5
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 1.0
NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
DEBERTA_NO_DROPOUT = dict(NO_DROPOUT, pooler_dropout=0.0, cls_dropout=0.0)

FAMILIES = {
    "deberta": dict(config=DebertaV2Config, encoder=DebertaV2Model, whole=DebertaV2ForSequenceClassification,
                    options=DEBERTA_NO_DROPOUT),
    "bert": dict(config=BertConfig, encoder=lambda config: BertModel(config, add_pooling_layer=False),
                 whole=BertForSequenceClassification, options=NO_DROPOUT),
    "roberta": dict(config=RobertaConfig, encoder=lambda config: RobertaModel(config, add_pooling_layer=False),
                    whole=RobertaForSequenceClassification, options=NO_DROPOUT),
    "xlm_roberta": dict(config=XLMRobertaConfig, encoder=lambda config: XLMRobertaModel(config, add_pooling_layer=False),
                        whole=XLMRobertaForSequenceClassification, options=NO_DROPOUT),
}
PREFIXES = {"deberta": "deberta", "bert": "bert", "roberta": "roberta", "xlm_roberta": "roberta"}

CASES = {
    # As DeBERTa-v3: logarithmic buckets, both terms, projections shared with the content.
    "shared_buckets": dict(
        head="pooler_linear",
        loss=dict(type="ce"),
        accumulations=[1, 2],
        config=dict(vocab_size=97, hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=37,
                    relative_attention=True, position_buckets=8, max_relative_positions=24, share_att_key=True,
                    norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False),
    ),
    # Plain distances, clamped at 7; a projection of its own; normalised relative embeddings without.
    "separate_c2p": dict(
        head="mean_pooling",
        loss=dict(type="focal", gamma=2.0, alpha=0.75),
        accumulations=[2],
        config=dict(vocab_size=61, hidden_size=48, num_attention_heads=3, num_hidden_layers=1, intermediate_size=50,
                    relative_attention=True, position_buckets=-1, max_relative_positions=7, share_att_key=False,
                    norm_rel_ebd="none", pos_att_type=["c2p"], position_biased_input=False),
    ),
    # Odd number of buckets, default range, absolute positions and segments besides, three layers.
    "separate_p2c": dict(
        head="max_pooling",
        loss=dict(type="bce"),
        accumulations=[1],
        config=dict(vocab_size=53, hidden_size=20, num_attention_heads=2, num_hidden_layers=3, intermediate_size=23,
                    relative_attention=True, position_buckets=5, max_relative_positions=-1, share_att_key=False,
                    norm_rel_ebd="layer_norm", pos_att_type=["p2c"], position_biased_input=True,
                    max_position_embeddings=50, type_vocab_size=3, num_labels=1),
    ),
    # No relative attention.
    "absolute": dict(
        head="linear",
        loss=dict(type="weighted_bce", posWeight=2.5),
        accumulations=[2],
        config=dict(vocab_size=71, hidden_size=28, num_attention_heads=4, num_hidden_layers=1, intermediate_size=31,
                    relative_attention=False, position_biased_input=True, max_position_embeddings=64,
                    type_vocab_size=2, num_labels=1),
    ),
    # Both terms with projections of their own, plain distances up to max_position_embeddings, heads of width 11.
    "separate_both": dict(
        head="pooler_linear",
        loss=dict(type="focal", gamma=1.5, alpha=None),
        accumulations=[1],
        config=dict(vocab_size=67, hidden_size=33, num_attention_heads=3, num_hidden_layers=1, intermediate_size=29,
                    relative_attention=True, max_relative_positions=-1, max_position_embeddings=20,
                    share_att_key=False, norm_rel_ebd="layer_norm", pos_att_type=["c2p", "p2c"],
                    position_biased_input=False),
    ),
    # One label with the focal loss; c2p alone with shared projections.
    "shared_c2p": dict(
        head="linear",
        loss=dict(type="focal", gamma=0.7, alpha=0.3),
        accumulations=[1],
        config=dict(vocab_size=41, hidden_size=18, num_attention_heads=3, num_hidden_layers=1, intermediate_size=70,
                    relative_attention=True, position_buckets=12, max_relative_positions=30, share_att_key=True,
                    norm_rel_ebd="none", pos_att_type=["c2p"], position_biased_input=False, num_labels=1),
    ),
    # The convolution beside the first layer, in groups; relative attention without position terms.
    "convolution": dict(
        head="pooler_linear",
        loss=dict(type="ce"),
        accumulations=[1],
        config=dict(vocab_size=59, hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=37,
                    relative_attention=True, position_buckets=8, max_relative_positions=24, share_att_key=True,
                    norm_rel_ebd="layer_norm", pos_att_type=["c2p", "p2c"], position_biased_input=False,
                    conv_kernel_size=3, conv_groups=3, conv_act="tanh"),
    ),
    # A wide convolution with GELU in one layer, no terms, embeddings narrower than the layers.
    "narrow_embeddings": dict(
        head="pooler_linear",
        loss=dict(type="ce"),
        accumulations=[1],
        config=dict(vocab_size=47, hidden_size=28, num_attention_heads=4, num_hidden_layers=2, intermediate_size=33,
                    relative_attention=True, max_relative_positions=9, share_att_key=False, norm_rel_ebd="layer_norm",
                    pos_att_type=[], position_biased_input=True, max_position_embeddings=45, type_vocab_size=2,
                    embedding_size=11, conv_kernel_size=5, conv_groups=1, conv_act="gelu"),
    ),
    # BERT: two segments, its pooler.
    "bert": dict(
        family="bert",
        head="pooler_linear",
        loss=dict(type="ce"),
        accumulations=[1, 2],
        config=dict(vocab_size=83, hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=37,
                    max_position_embeddings=47, type_vocab_size=2),
    ),
    # A pooling head on BERT; one label.
    "bert_mean": dict(
        family="bert",
        head="mean_pooling",
        loss=dict(type="weighted_bce", posWeight=1.5),
        accumulations=[1],
        config=dict(vocab_size=43, hidden_size=24, num_attention_heads=2, num_hidden_layers=1, intermediate_size=41,
                    max_position_embeddings=40, type_vocab_size=3, num_labels=1),
    ),
    # RoBERTa: positions from padding on, two layers in its head.
    "roberta": dict(
        family="roberta",
        head="pooler_linear",
        loss=dict(type="focal", gamma=2.0, alpha=0.6),
        accumulations=[2],
        config=dict(vocab_size=79, hidden_size=28, num_attention_heads=4, num_hidden_layers=2, intermediate_size=31,
                    max_position_embeddings=44, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5),
    ),
    # As bge-reranker-v2-m3: XLM-RoBERTa with one label.
    "xlm_roberta": dict(
        family="xlm_roberta",
        head="pooler_linear",
        loss=dict(type="bce"),
        accumulations=[1],
        config=dict(vocab_size=91, hidden_size=33, num_attention_heads=3, num_hidden_layers=2, intermediate_size=29,
                    max_position_embeddings=50, type_vocab_size=1, pad_token_id=3, layer_norm_eps=1e-5, num_labels=1),
    ),
    # The other heads that transformers does not have.
    "attention_pooling": dict(
        head="attention_pooling",
        loss=dict(type="ce"),
        accumulations=[2],
        config=dict(vocab_size=43, hidden_size=22, num_attention_heads=2, num_hidden_layers=1, intermediate_size=27,
                    relative_attention=True, position_buckets=4, max_relative_positions=20, share_att_key=True,
                    norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False),
    ),
    "mlp1": dict(
        head="mlp1",
        loss=dict(type="bce"),
        accumulations=[1],
        config=dict(vocab_size=43, hidden_size=18, num_attention_heads=2, num_hidden_layers=1, intermediate_size=27,
                    relative_attention=True, position_buckets=4, max_relative_positions=20, share_att_key=True,
                    norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False, num_labels=1),
    ),
    "mlp2": dict(
        head="mlp2",
        loss=dict(type="focal", gamma=2.0, alpha=0.75),
        accumulations=[1],
        config=dict(vocab_size=43, hidden_size=18, num_attention_heads=2, num_hidden_layers=1, intermediate_size=27,
                    relative_attention=True, position_buckets=4, max_relative_positions=20, share_att_key=True,
                    norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False),
    ),
}


class PooledClassifier(nn.Module):
    """The heads that transformers does not have: pooled last hidden states, dropout (here 0), `classifier`."""

    def __init__(self, family, config, head):
        super().__init__()
        self.encoder_name = PREFIXES[family]
        setattr(self, self.encoder_name, FAMILIES[family]["encoder"](config))
        size = config.hidden_size
        if head == "attention_pooling":
            self.attention_pooling = nn.Linear(size, 1, bias=False)
        if head.startswith("mlp"):
            self.mlp = nn.ModuleList(nn.Linear(size, size) for _ in range(int(head[3:])))
        self.classifier = nn.Linear(size, config.num_labels)
        self.head = head

    def forward(self, input_ids, token_type_ids=None):
        outputs = getattr(self, self.encoder_name)(input_ids, token_type_ids=token_type_ids, output_hidden_states=True)
        hidden = outputs.last_hidden_state
        pooled = {
            "linear": lambda: hidden[:, 0],
            "mean_pooling": lambda: hidden.mean(dim=1),
            "max_pooling": lambda: hidden.max(dim=1).values,
            "attention_pooling": lambda: (self.attention_pooling(hidden).softmax(dim=1) * hidden).sum(dim=1),
            "mlp1": lambda: functional.gelu(self.mlp[0](hidden[:, 0])),
            "mlp2": lambda: functional.gelu(self.mlp[1](functional.gelu(self.mlp[0](hidden[:, 0])))),
        }[self.head]()
        return self.classifier(pooled), outputs.hidden_states


class SequenceClassifier(nn.Module):
    """The family's own class with the same result as `PooledClassifier`; adds nothing to its names."""

    def __init__(self, family, config):
        super().__init__()
        self.model = FAMILIES[family]["whole"](config)

    def forward(self, input_ids, token_type_ids=None):
        outputs = self.model(input_ids, token_type_ids=token_type_ids, output_hidden_states=True)
        return outputs.logits, outputs.hidden_states


def build(family, config, head):
    model = SequenceClassifier(family, config) if head == "pooler_linear" else PooledClassifier(family, config, head)
    return model.eval()


def parameters(model):
    return {name.removeprefix("model."): tensor for name, tensor in model.named_parameters()}


def model_config(model):
    whole = {SequenceClassifier: "model", PooledClassifier: getattr(model, "encoder_name", "")}.get(type(model))
    return getattr(model, whole).config if whole else model.config


def scatter(model, generator):
    """Values that make every parameter matter: larger weights, biases and LayerNorms off their defaults."""
    with torch.no_grad():
        for name, tensor in parameters(model).items():
            noise = torch.randn(tensor.shape, generator=generator)
            if "LayerNorm.weight" in name:
                tensor.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                tensor.copy_(0.2 * noise)
            elif name in ("classifier.weight", "classifier.out_proj.weight"):
                tensor.copy_(0.4 * noise)
            elif tensor.dim() == 2 and "embeddings" not in name:
                tensor.copy_(noise * 0.9 / math.sqrt(tensor.shape[1]))
            else:
                tensor.copy_(0.5 * noise)
            if name.endswith("word_embeddings.weight"):
                tensor[model_config(model).pad_token_id] = 0


def loss_of(logits, labels, loss):
    """The contract's losses: with two labels p_y by softmax, with one by sigmoid."""
    if loss["type"] == "ce":
        return functional.cross_entropy(logits, labels)
    targets = labels.to(logits.dtype)
    if loss["type"] in ("bce", "weighted_bce"):
        weight = torch.tensor(loss["posWeight"], dtype=logits.dtype) if loss["type"] == "weighted_bce" else None
        return functional.binary_cross_entropy_with_logits(logits[:, 0], targets, pos_weight=weight)
    if logits.shape[1] == 1:
        log_p = functional.logsigmoid(torch.where(labels == 1, logits[:, 0], -logits[:, 0]))
    else:
        log_p = functional.log_softmax(logits, dim=-1).gather(1, labels[:, None])[:, 0]
    value = (1 - log_p.exp()) ** loss["gamma"] * -log_p
    if loss["alpha"] is not None:
        value = torch.where(labels == 1, loss["alpha"], 1 - loss["alpha"]).to(value.dtype) * value
    return value.mean()


def forward(model, data, indices):
    """Logits [sequences, labels] and hidden states [tokens, hidden] of some sequences, each computed alone."""
    logits, hidden = [], []
    for index in indices:
        ids = torch.tensor([data["sequences"][index]])
        types = torch.tensor([data["typeIds"][index]])
        result, states = model(ids, types)
        logits.append(result)
        hidden.append([state[0] for state in states])
    return torch.cat(logits), [torch.cat(layer) for layer in zip(*hidden)]


def batch_loss(model, data, indices, loss):
    logits, hidden = forward(model, data, indices)
    labels = torch.tensor([data["labels"][index] for index in indices])
    return loss_of(logits, labels, loss), logits, hidden


def grad_norm(model):
    return torch.norm(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]))


def train(model, data, loss, accumulation):
    """Twenty steps of AdamW; micro-batches of four and three sequences in turn."""
    groups = [{"params": [], "weight_decay": WEIGHT_DECAY}, {"params": [], "weight_decay": 0.0}]
    for name, tensor in parameters(model).items():
        groups[1 if name.endswith("bias") or "LayerNorm" in name else 0]["params"].append(tensor)
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    steps, at, micro = [], 0, 0
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        batches, total = [], 0.0
        for _ in range(accumulation):
            size = 4 - micro % 2
            indices = [(at + i) % len(data["sequences"]) for i in range(size)]
            at, micro = at + size, micro + 1
            value, _, _ = batch_loss(model, data, indices, loss)
            (value / accumulation).backward()
            total += value.item() / accumulation
            batches.append(indices)
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        rate = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
        steps.append(dict(microBatches=batches, loss=total, gradNorm=norm.item(), learningRate=rate))
    return dict(accumulation=accumulation, learningRate=LEARNING_RATE, warmupSteps=WARMUP, weightDecay=WEIGHT_DECAY,
                maxGradNorm=MAX_GRAD_NORM, steps=steps)


def make_data(config, generator):
    def draw(low, high):
        return int(torch.randint(low, high, (1,), generator=generator))

    lengths = [17, 1, 40, 6, 2, 29, 11, 3] + [draw(2, 20) for _ in range(9)]
    first = (config.pad_token_id or 0) + 1
    sequences = [[draw(first, config.vocab_size) for _ in range(length)] for length in lengths]
    types = [[draw(0, max(config.type_vocab_size, 1)) for _ in range(length)] for length in lengths]
    return dict(sequences=sequences, typeIds=types, labels=[draw(0, 2) for _ in lengths])


def copy_of(model, family, config, head, dtype):
    """The same parameters in another precision; rounding of positions to buckets stays fp32 in transformers."""
    other = build(family, config, head).to(dtype)
    other.load_state_dict({name: tensor.to(dtype) for name, tensor in model.state_dict().items()})
    return other


def save_weights(tensors, path):
    """Writes a safetensors file that others may read too."""
    save_file({key: tensor.detach().contiguous() for key, tensor in tensors.items()}, path, metadata={"format": "pt"})
    path.chmod(0o644)


def check_padding(model, data, indices, expected):
    """A padded batch with its mask has the logits of the sequences alone: what is computed here stands for both."""
    pad = model_config(model).pad_token_id
    longest = max(len(data["sequences"][index]) for index in indices)
    fill = lambda values, filler: torch.tensor([values[i] + [filler] * (longest - len(values[i])) for i in indices])
    mask = fill([[1] * len(ids) for ids in data["sequences"]], 0)
    logits = model.model(
        fill(data["sequences"], pad), attention_mask=mask, token_type_ids=fill(data["typeIds"], 0)
    ).logits
    assert (logits - expected).abs().max() < 1e-5, (logits - expected).abs().max()


def save_config(whole, config, head, folder):
    config.architectures = [whole.__name__ if head == "pooler_linear" else whole.__name__.split("For")[0] + "Model"]
    config.dtype = "float32"
    config.classifier_head = head
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)


def relative_change(a, b, start):
    """|a − b| as a share of the change from `start` to `b`, the L2 norm over all tensors."""
    off = sum(((a[name].double() - b[name].double()) ** 2).sum() for name in b)
    moved = sum(((b[name].double() - start[name].double()) ** 2).sum() for name in b)
    return (off / moved).sqrt().item()


def write_case(name, case, seed):
    family = case.get("family", "deberta")
    folder = FIXTURES / family / name
    generator = torch.Generator().manual_seed(seed)
    config = FAMILIES[family]["config"](**FAMILIES[family]["options"], **case["config"])
    model = build(family, config, case["head"])
    scatter(model, generator)
    data = make_data(config, generator)
    loss = dict(gamma=None, alpha=None, posWeight=None) | case["loss"]
    batch = list(range(8))
    start = {key: tensor.detach().clone() for key, tensor in parameters(model).items()}
    save_config(FAMILIES[family]["whole"], config, case["head"], folder)
    save_weights(start, folder / "model.safetensors")

    value, logits, hidden = batch_loss(model, data, batch, loss)
    value.backward()
    if case["head"] == "pooler_linear":
        check_padding(model, data, batch, logits)
    tensors = {f"hidden_states.{i}": state.detach() for i, state in enumerate(hidden)} | {"logits": logits.detach()}
    # A parameter without a gradient (a table that is never read) has none in the file either.
    tensors |= {f"gradient.{key}": p.grad.clone() for key, p in parameters(model).items() if p.grad is not None}
    norm = grad_norm(model).item()

    exact = copy_of(model, family, config, case["head"], torch.float64)
    batch_loss(exact, data, batch, loss)[0].backward()
    zero = [key for key, p in parameters(exact).items() if p.grad is not None and p.grad.norm() < 1e-12]

    runs = []
    for accumulation in case["accumulations"]:
        trained = copy_of(model, family, config, case["head"], torch.float32)
        runs.append(train(trained, data, loss, accumulation))
        after = {key: tensor.detach() for key, tensor in parameters(trained).items()}
        tensors |= {f"trained.{accumulation}.{key}": tensor for key, tensor in after.items()}
        exact = copy_of(model, family, config, case["head"], torch.float64)
        exact_run = train(exact, data, loss, accumulation)
        kept = [key for key in after if key not in zero]
        wanted = {key: parameters(exact)[key].detach() for key in kept}
        single = max((relative_change({k: after[k]}, {k: wanted[k]}, start), k) for k in kept)
        losses = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(runs[-1]["steps"], exact_run["steps"]))
        print(f"{name}, accumulation {accumulation}: fp32 against fp64: loss {losses:.1e}, parameters "
              f"{relative_change(after, wanted, start):.1e}, worst {single[0]:.1e} ({single[1]})")
    save_weights(tensors, folder / "expected.safetensors")
    expected = dict(loss=loss, **data, batch=batch, lossValue=value.item(), gradNorm=norm, zeroGradients=zero,
                    training=runs)
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    print(f"{name}: loss {value.item():.4f}, logits {logits.detach().flatten().tolist()[:6]}, gradient {norm:.3f}, "
          f"zero {zero}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, (case_name, description) in enumerate(CASES.items()):
        if case_name in sys.argv[1:] or len(sys.argv) == 1:
            write_case(case_name, description, seed=100 + number)
