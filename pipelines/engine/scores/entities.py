"""Precision, recall and F1 of entities, as the CoNLL-2003 shared task defines them, by seqeval."""

from collections.abc import Sequence

from attention_zoo.pipelines.engine.text.tags import spans_of, tags_of


def entity_scores(truths: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Scores tagged sentences by their entities. An entity is right if its words and its label are.

    Args:
        truths: Tags of the words of each sentence, in BIO or BILOU.
        answers: Tags of the same words.

    Returns:
        A dict of `f1`, `precision` and `recall` over all entities, in percent, and `f1_LABEL` for each label.

    Raises:
        ValueError: A sentence has another number of tags in `answers`.

    Example:

    >>> truth = [["B-PER", "I-PER", "O", "B-LOC"]]
    >>> entity_scores(truth, [["B-PER", "I-PER", "O", "B-PER"]])["f1"]
    50.0
    """
    return {
        name if label == "micro avg" else f"{name}_{label}": 100.0 * float(row[key])
        for label, row in entity_report(truths, answers).items()
        for name, key in (("f1", "f1-score"), ("precision", "precision"), ("recall", "recall"))
        if label == "micro avg" or name == "f1"
    }


def entity_report(truths: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Returns seqeval's report of tagged sentences.

    Args:
        truths: As in `entity_scores`.
        answers: As in `entity_scores`.

    Returns:
        A dict from each label, and from "micro avg", to its shares `precision`, `recall` and `f1-score`, and `support`,
        the number of true entities.

    Raises:
        ValueError: A sentence has another number of tags in `answers`.
    """
    from seqeval.metrics import classification_report

    if [len(tags) for tags in truths] != [len(tags) for tags in answers]:
        raise ValueError("answers: expected as many tags as `truths` has for each sentence, received others")
    in_bio = ([tags_of(spans_of(tags), len(tags)) for tags in rows] for rows in (truths, answers))
    report = classification_report(*in_bio, output_dict=True, zero_division=0)  # pyright: ignore[reportArgumentType]
    return {label: row for label, row in report.items() if label not in ("macro avg", "weighted avg")}


def report_lines(report: dict[str, dict[str, float]]) -> list[str]:
    """Returns `entity_report` as the lines of a table, one for each label.

    Example:

    >>> report = entity_report([["B-PER", "O"]], [["B-PER", "O"]])
    >>> print("\\n".join(report_lines(report)))
               precision  recall      F1  entities
    PER            100.0   100.0   100.0         1
    all            100.0   100.0   100.0         1
    """
    lines = [f"{'':10} {'precision':>9} {'recall':>7} {'F1':>7} {'entities':>9}"]
    for label, row in report.items():
        shares = [100.0 * row[key] for key in ("precision", "recall", "f1-score")]
        name = "all" if label == "micro avg" else label
        lines.append(f"{name:10} {shares[0]:9.1f} {shares[1]:7.1f} {shares[2]:7.1f} {int(row['support']):9,}")
    return lines
