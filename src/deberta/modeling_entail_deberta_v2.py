"""DeBERTa-v2 under entail's pooling heads, for transformers: load with trust_remote_code=True."""

import torch
from torch import nn
from torch.nn import functional
from transformers import DebertaV2Config, DebertaV2Model, DebertaV2PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class EntailDebertaV2Config(DebertaV2Config):
    """`classifier_head` says what pools the last hidden states. The type is not DeBERTa-v2's, whose class would not know it."""

    model_type = "entail-deberta-v2"


def first_token(hidden, mask):
    return hidden[:, 0]


def mean_of_tokens(hidden, mask):
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def max_of_tokens(hidden, mask):
    lowest = torch.finfo(hidden.dtype).min
    return hidden.masked_fill(mask.unsqueeze(-1) == 0, lowest).max(dim=1).values


POOLING = {"linear": first_token, "mean_pooling": mean_of_tokens, "max_pooling": max_of_tokens}


class EntailDebertaV2ForSequenceClassification(DebertaV2PreTrainedModel):
    config_class = EntailDebertaV2Config

    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.pool = POOLING[config.classifier_head]
        self.deberta = DebertaV2Model(config)
        dropout = getattr(config, "cls_dropout", None)
        self.dropout = nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

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
        outputs = self.deberta(
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
        logits = self.classifier(self.dropout(self.pool(hidden, mask)))
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
