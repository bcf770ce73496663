"""DistilBERT's checkpoints (Sanh et al. 2019), a BERT without segments and pooler, as Hugging Face names them."""

from collections.abc import Mapping
from typing import Any

from attention_zoo.pipelines.hub.bert import encoder_rows
from attention_zoo.pipelines.hub.family import Family
from attention_zoo.pipelines.hub.heads import answers, classifier, masked_tokens, tagger
from attention_zoo.pipelines.hub.tables import SAME, Row, dense_rows, norm_rows

OPTIONS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "hidden_dim": "dim",
    "intermediate_dim": "hidden_dim",
    "max_length": "max_position_embeddings",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation": "activation",
    "pad_token": "pad_token_id",
}
BLOCK = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attention_output": "attention.out_lin",
    "self_attention_norm": "sa_layer_norm",
    "feed_forward_in": "ffn.lin1",
    "feed_forward_out": "ffn.lin2",
    "feed_forward_norm": "output_layer_norm",
}


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of a `BertEncoder` without segments and pooler, with these options."""
    return encoder_rows(options, [f"transformer.layer.{number}" for number in range(options["num_layers"])], BLOCK)


PREDICTIONS = [
    *dense_rows("predictions/dense", "vocab_transform"),
    *norm_rows("predictions/norm", "vocab_layer_norm"),
    Row("predictions/bias", "vocab_projector.bias", SAME),
]

DISTILBERT = Family(
    "distilbert",
    "distilbert.",
    "DistilBert",
    "BertEncoder",
    OPTIONS,
    rows,
    {
        "MaskedLM": masked_tokens(PREDICTIONS, ("vocab_projector.weight",)),
        "SequenceClassification": classifier(
            dense_rows("hidden", "pre_classifier") + dense_rows("classes", "classifier"), "relu", "seq_classif_dropout"
        ),
        "TokenClassification": tagger(),
        "QuestionAnswering": answers(),
    },
    fixed={"num_segments": 0, "pooler": False},
)
