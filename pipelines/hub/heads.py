"""The heads of checkpoints: which of our models they are, with what a config.json says of them."""

from collections.abc import Callable, Mapping
from typing import Any

from attention_zoo.pipelines.hub.family import Head
from attention_zoo.pipelines.hub.tables import Row, dense_rows


def masked_tokens(rows: list[Row], ignored: tuple[str, ...]) -> Head:
    """Returns the head of classes that end with "ForMaskedLM"."""
    return Head("MaskedLanguageModel", rows, ignored=ignored)


def pretraining(rows: list[Row], ignored: tuple[str, ...], pairs: str) -> Head:
    """Returns the head of classes that end with "ForPreTraining"; `pairs` is their name of the classifier of pairs."""
    return Head("PretrainingModel", [*rows, *dense_rows("pair_classes", pairs)], ignored=ignored)


def classifier(rows: list[Row], hidden_activation: str | None = None, dropout: str = "classifier_dropout") -> Head:
    """Returns the head of classes that end with "ForSequenceClassification".

    Args:
        rows: Of its weights.
        hidden_activation: As in `SequenceClassifier`. Defaults to `None`.
        dropout: The setting with its share of dropout. Defaults to "classifier_dropout", BERT's.
    """
    fixed = {"hidden_activation": hidden_activation, "pooling": "first"}
    return Head("SequenceClassifier", rows, with_labels(dropout), fixed=fixed)


def tagger() -> Head:
    """Returns the head of classes that end with "ForTokenClassification"."""
    return Head("TokenClassifier", dense_rows("classes", "classifier"), with_labels("classifier_dropout"))


def answers() -> Head:
    """Returns the head of classes that end with "ForQuestionAnswering"."""
    return Head("AnswerFinder", dense_rows("classes", "qa_outputs"))


def with_labels(dropout: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Returns a function that reads the labels and the dropout of a config.json."""

    def options(config: Mapping[str, Any]) -> dict[str, Any]:
        names = (dropout, "classifier_dropout_prob", "hidden_dropout_prob", "dropout")
        share = next((config[name] for name in names if config.get(name) is not None), 0.1)
        return {"labels": labels_of(config), "dropout": share}

    return options


def labels_of(config: Mapping[str, Any]) -> list[str]:
    """Returns the labels that a config.json names, in the order of their numbers; without any, two are made up.

    Example:

    >>> labels_of({"id2label": {"1": "good", "0": "bad"}})
    ['bad', 'good']
    """
    names = {int(number): str(name) for number, name in (config.get("id2label") or {}).items()}
    count = len(names) or config.get("num_labels") or 2
    return [names.get(number, f"LABEL_{number}") for number in range(count)]
