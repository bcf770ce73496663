"""ALBERT's checkpoints: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping
from typing import Any

from attention_zoo.pipelines.hub.bert import OPTIONS, encoder_rows
from attention_zoo.pipelines.hub.family import Family
from attention_zoo.pipelines.hub.heads import answers, classifier, masked_tokens, pretraining, tagger
from attention_zoo.pipelines.hub.tables import SAME, Row, dense_rows, norm_rows

BLOCK = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "attention_output": "attention.dense",
    "self_attention_norm": "attention.LayerNorm",
    "feed_forward_in": "ffn",
    "feed_forward_out": "ffn_output",
    "feed_forward_norm": "full_layer_layer_norm",
}


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of an `AlbertEncoder` with these options."""
    blocks = [f"encoder.albert_layer_groups.{number}.albert_layers.0" for number in range(options["num_groups"])]
    found = encoder_rows(options, blocks, BLOCK) + dense_rows("widen", "encoder.embedding_hidden_mapping_in")
    return found + (dense_rows("pooler", "pooler") if options["pooler"] else [])


PREDICTIONS = [
    *dense_rows("predictions/dense", "predictions.dense"),
    *norm_rows("predictions/norm", "predictions.LayerNorm"),
    Row("predictions/bias", "predictions.bias", SAME),
]
TIED = ("predictions.decoder.weight", "predictions.decoder.bias")

ALBERT = Family(
    "albert",
    "albert.",
    "Albert",
    "AlbertEncoder",
    OPTIONS | {"embedding_dim": "embedding_size", "num_groups": "num_hidden_groups"},
    rows,
    {
        "MaskedLM": masked_tokens(PREDICTIONS, TIED),
        "PreTraining": pretraining(PREDICTIONS, TIED, "sop_classifier.classifier"),
        "SequenceClassification": classifier(dense_rows("classes", "classifier")),
        "TokenClassification": tagger(),
        "QuestionAnswering": answers(),
    },
    needs={"inner_group_num": 1},
)
