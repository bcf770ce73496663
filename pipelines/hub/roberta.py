"""RoBERTa's checkpoints: how Hugging Face names their settings and tensors."""

from attention_zoo.pipelines.hub.bert import OPTIONS, rows
from attention_zoo.pipelines.hub.family import Family
from attention_zoo.pipelines.hub.heads import answers, classifier, masked_tokens, tagger
from attention_zoo.pipelines.hub.tables import SAME, Row, dense_rows, norm_rows

PREDICTIONS = [
    *dense_rows("predictions/dense", "lm_head.dense"),
    *norm_rows("predictions/norm", "lm_head.layer_norm"),
    Row("predictions/bias", "lm_head.bias", SAME),
]

ROBERTA = Family(
    "roberta",
    "roberta.",
    "Roberta",
    "RobertaEncoder",
    OPTIONS,
    rows,
    {
        "MaskedLM": masked_tokens(PREDICTIONS, ("lm_head.decoder.weight", "lm_head.decoder.bias")),
        "SequenceClassification": classifier(
            dense_rows("hidden", "classifier.dense") + dense_rows("classes", "classifier.out_proj"), "tanh"
        ),
        "TokenClassification": tagger(),
        "QuestionAnswering": answers(),
    },
)
