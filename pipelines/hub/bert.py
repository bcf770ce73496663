"""BERT's checkpoints: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

from attention_zoo.pipelines.hub.family import Family
from attention_zoo.pipelines.hub.heads import answers, classifier, masked_tokens, pretraining, tagger
from attention_zoo.pipelines.hub.tables import SAME, Row, block_rows, dense_rows, embedding_rows, norm_rows

OPTIONS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
    "layer_norm_epsilon": "layer_norm_eps",
    "pad_token": "pad_token_id",
}
BLOCK = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "self_attention_norm": "attention.output.LayerNorm",
    "feed_forward_in": "intermediate.dense",
    "feed_forward_out": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
EMBEDDINGS = {
    "tokens": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
}


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of a `BertEncoder` or `RobertaEncoder` with these options."""
    blocks = [f"encoder.layer.{number}" for number in range(options["num_layers"])]
    return encoder_rows(options, blocks, BLOCK) + (dense_rows("pooler", "pooler.dense") if options["pooler"] else [])


def encoder_rows(options: Mapping[str, Any], blocks: Sequence[str], names: Mapping[str, str]) -> list[Row]:
    """Returns the rows of the embeddings and blocks of BERT or a relative.

    Args:
        options: Of the encoder.
        blocks: Their names of the blocks.
        names: As of `block_rows`.
    """
    embeddings = {ours: theirs for ours, theirs in EMBEDDINGS.items() if ours != "segments" or options["num_segments"]}
    found = embedding_rows("embeddings", embeddings) + norm_rows("embeddings/norm", "embeddings.LayerNorm")
    for number, name in enumerate(blocks):
        found += block_rows(f"encoder_{number}", name, names)
    return found


PREDICTIONS = [
    *dense_rows("predictions/dense", "cls.predictions.transform.dense"),
    *norm_rows("predictions/norm", "cls.predictions.transform.LayerNorm"),
    Row("predictions/bias", "cls.predictions.bias", SAME),
]
TIED = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")

BERT = Family(
    "bert",
    "bert.",
    "Bert",
    "BertEncoder",
    OPTIONS,
    rows,
    {
        "MaskedLM": masked_tokens(PREDICTIONS, TIED),
        "PreTraining": pretraining(PREDICTIONS, TIED, "cls.seq_relationship"),
        "SequenceClassification": classifier(dense_rows("classes", "classifier")),
        "TokenClassification": tagger(),
        "QuestionAnswering": answers(),
    },
)
