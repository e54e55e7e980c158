"""Writes tests/fixtures/deberta/text and relative_buckets.json: a small model with its tokenizer, and bucket tables.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, tokenizers as it brings, safetensors 0.8.0.
Run from the project folder: python tests/oracles/deberta_text.py

text/ is a Hugging Face folder with a Unigram tokenizer laid out as DeBERTa-v3's. Its expected.json holds {maxLength,
pairs: [{post, criterion, ids, typeIds, logits, probability}]}; pairs are truncated only_first.
relative_buckets.json holds for each (buckets, maxPosition) the distances, from 1 up to `distances` (exclusive), at which
the bucket grows, with the bucket it grows to; negative distances mirror them.
"""

import json

import torch
from families import DEBERTA_NO_DROPOUT, FIXTURES, build, parameters, save_config, save_weights, scatter
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import DebertaV2Config, DebertaV2Tokenizer
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

TEXT_CONFIG = dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=48,
                   relative_attention=True, position_buckets=16, max_relative_positions=-1,
                   max_position_embeddings=64, share_att_key=True, norm_rel_ebd="layer_norm",
                   pos_att_type=["p2c", "c2p"], position_biased_input=False, initializer_range=0.2)

POSTS = [
    "I have not slept well for three weeks, and I wake up at four every night.",
    "Everything is fine. My sister says she feels tired all the time, but I don't.",
    "Nothing is fun any more: no music, no friends, no games...",
    "He said \"you are worthless\" and I believed him - I still do.",
    "  Two spaces,\ta tab\nand a line break; caf\u00e9, na\u00efve \u2014 and \u2603.  ",
    "I eat too much. " * 12,
    "Short.",
    "I can't concentrate at work, I read the same line again and again, and by the evening I have forgotten what it "
    "was about; my boss noticed, my friends noticed, and I am ashamed of how slow I have become since the spring.",
]
CRITERIA = [
    "Depressed mood most of the day, nearly every day.",
    "Insomnia or sleeping too much nearly every day.",
    "Fatigue or loss of energy, as indicated by the person's own account or by what other people have observed.",
]


def make_tokenizer():
    """A Unigram tokenizer laid out as DeBERTa-v3's: [PAD] [CLS] [SEP] [UNK] pieces [MASK]."""
    trainee = Tokenizer(models.Unigram())
    trainee.normalizer = normalizers.Sequence([normalizers.NFC()])
    trainee.pre_tokenizer = pre_tokenizers.Metaspace()
    trainee.decoder = decoders.Metaspace()
    trainee.train_from_iterator(
        POSTS + CRITERIA, trainers.UnigramTrainer(vocab_size=300, show_progress=False, unk_token="[UNK]",
                                                  special_tokens=["[UNK]"]))
    pieces = [(piece, round(score, 6)) for piece, score in json.loads(trainee.to_str())["model"]["vocab"]
              if piece != "[UNK]" and "\u2603" not in piece]
    special = [(token, 0.0) for token in ("[PAD]", "[CLS]", "[SEP]", "[UNK]")]
    return DebertaV2Tokenizer(vocab=special + pieces + [("[MASK]", 0.0)], unk_id=3)


def write_text(seed):
    folder = FIXTURES / "deberta" / "text"
    tokenizer = make_tokenizer()
    config = DebertaV2Config(**DEBERTA_NO_DROPOUT, **TEXT_CONFIG, vocab_size=len(tokenizer),
                             id2label={0: "no evidence", 1: "evidence"}, label2id={"no evidence": 0, "evidence": 1})
    model = build("deberta", config, "pooler_linear")
    scatter(model, torch.Generator().manual_seed(seed))
    with torch.no_grad():  # scores far apart, though all pairs share words
        parameters(model)["classifier.weight"].mul_(5)
    save_config(DebertaV2ForSequenceClassification, config, "pooler_linear", folder)
    save_weights(parameters(model), folder / "model.safetensors")
    tokenizer.save_pretrained(folder)
    max_length = 80
    pairs = []
    for post in POSTS:
        for criterion in CRITERIA[:2] if len(post) < 150 else CRITERIA:
            encoded = tokenizer(post, criterion, truncation="only_first", max_length=max_length)
            with torch.no_grad():
                logits, _ = model(torch.tensor([encoded["input_ids"]]))
            pairs.append(dict(post=post, criterion=criterion, ids=encoded["input_ids"],
                              typeIds=encoded["token_type_ids"], logits=logits[0].tolist(),
                              probability=logits.softmax(-1)[0, 1].item()))
    (folder / "expected.json").write_text(json.dumps(dict(maxLength=max_length, pairs=pairs), indent=1) + "\n")
    scores = [pair["probability"] for pair in pairs]
    print(f"text: {len(tokenizer)} tokens, lengths {[len(p['ids']) for p in pairs]}, "
          f"probabilities {min(scores):.3f} to {max(scores):.3f}")


def write_buckets():
    tables = []
    for buckets, max_position in [(256, 512), (8, 24), (5, 50), (12, 30), (32, 128), (48, 512), (64, 1000), (7, 7)]:
        distances = torch.arange(0, 3 * max_position)
        values = make_log_bucket_position(distances, buckets, max_position).to(torch.long).tolist()
        mirrored = make_log_bucket_position(-distances, buckets, max_position).to(torch.long).tolist()
        assert mirrored == [-value for value in values]
        growth = [[i, values[i]] for i in range(1, len(values)) if values[i] != values[i - 1]]
        tables.append(dict(buckets=buckets, maxPosition=max_position, distances=len(values), growth=growth))
    (FIXTURES / "deberta" / "relative_buckets.json").write_text(json.dumps(tables) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_text(seed=200)
    write_buckets()
