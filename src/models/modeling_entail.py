"""Encoders of transformers under entail's heads: load with trust_remote_code=True."""

import torch
from torch import nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertModel,
    BertPreTrainedModel,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    RobertaPreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaPreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput


def first_token(hidden, mask):
    return hidden[:, 0]


def mean_of_tokens(hidden, mask):
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def max_of_tokens(hidden, mask):
    lowest = torch.finfo(hidden.dtype).min
    return hidden.masked_fill(mask.unsqueeze(-1) == 0, lowest).max(dim=1).values


class AttentionPooling(nn.Linear):
    """The mean over all tokens, weighted by the softmax of their products with a learnt query."""

    def __init__(self, hidden_size):
        super().__init__(hidden_size, 1, bias=False)

    def forward(self, hidden, mask):
        scores = super().forward(hidden).squeeze(-1).masked_fill(mask == 0, -torch.inf)
        return (scores.softmax(dim=1).unsqueeze(-1) * hidden).sum(dim=1)


POOLING = {"mean_pooling": mean_of_tokens, "max_pooling": max_of_tokens}
DENSE_LAYERS = {"mlp1": 1, "mlp2": 2}


class Classifier:
    """What the classes below have in common; `classifier_head` says what makes features of the last hidden states."""

    def build(self, config, encoder, dropout):
        self.num_labels = config.num_labels
        self.head = config.classifier_head
        size = config.hidden_size
        if self.head == "attention_pooling":
            self.attention_pooling = AttentionPooling(size)
        if self.head in DENSE_LAYERS:
            self.mlp = nn.ModuleList(nn.Linear(size, size) for _ in range(DENSE_LAYERS[self.head]))
        setattr(self, self.base_model_prefix, encoder)
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def features(self, hidden, mask):
        if self.head == "attention_pooling":
            return self.dropout(self.attention_pooling(hidden, mask))
        features = POOLING.get(self.head, first_token)(hidden, mask)
        if self.head not in DENSE_LAYERS:
            return self.dropout(features)
        for layer in self.mlp:
            features = self.dropout(functional.gelu(layer(features)))
        return features

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        token_type_ids=None,
        position_ids=None,
        inputs_embeds=None,
        labels=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
    ):
        outputs = getattr(self, self.base_model_prefix)(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        hidden = outputs.last_hidden_state
        mask = torch.ones(hidden.shape[:2], device=hidden.device) if attention_mask is None else attention_mask
        logits = self.classifier(self.features(hidden, mask))
        loss = None if labels is None else self.loss_of(logits, labels)
        if return_dict is False:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )

    def loss_of(self, logits, labels):
        """Cross-entropy; with one label that of its sigmoid."""
        if self.num_labels == 1:
            return functional.binary_cross_entropy_with_logits(logits.view(-1), labels.view(-1).to(logits.dtype))
        return functional.cross_entropy(logits, labels.view(-1))


# The types are not those of transformers, whose classes would not know these heads.


class EntailDebertaV2Config(DebertaV2Config):
    model_type = "entail-deberta-v2"


class EntailDebertaV2ForSequenceClassification(Classifier, DebertaV2PreTrainedModel):
    config_class = EntailDebertaV2Config

    def __init__(self, config):
        super().__init__(config)
        self.build(config, DebertaV2Model(config), getattr(config, "cls_dropout", None))


class EntailBertConfig(BertConfig):
    model_type = "entail-bert"


class EntailBertForSequenceClassification(Classifier, BertPreTrainedModel):
    config_class = EntailBertConfig

    def __init__(self, config):
        super().__init__(config)
        self.build(config, BertModel(config, add_pooling_layer=False), config.classifier_dropout)


class EntailRobertaConfig(RobertaConfig):
    model_type = "entail-roberta"


class EntailRobertaForSequenceClassification(Classifier, RobertaPreTrainedModel):
    config_class = EntailRobertaConfig

    def __init__(self, config):
        super().__init__(config)
        self.build(config, RobertaModel(config, add_pooling_layer=False), config.classifier_dropout)


class EntailXLMRobertaConfig(XLMRobertaConfig):
    model_type = "entail-xlm-roberta"


class EntailXLMRobertaForSequenceClassification(Classifier, XLMRobertaPreTrainedModel):
    config_class = EntailXLMRobertaConfig

    def __init__(self, config):
        super().__init__(config)
        self.build(config, XLMRobertaModel(config, add_pooling_layer=False), config.classifier_dropout)
