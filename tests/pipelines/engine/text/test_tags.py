"""Tags and spans: schemes are recognised, converted, and read in the graph as in Python."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from seqeval.metrics.sequence_labeling import get_entities

from attention_zoo.pipelines.engine.text.tag_spans import entity_spans
from attention_zoo.pipelines.engine.text.tags import fault_of, names_of, scheme_of, spans_of, tags_of

SPANS = [(0, 2, "PER"), (2, 3, "PER"), (4, 7, "LOC"), (7, 8, "ORG")]
BIO2 = ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "B-ORG"]
BIO1 = ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-LOC", "I-LOC", "I-ORG"]
BILOU = ["B-PER", "L-PER", "U-PER", "O", "B-LOC", "I-LOC", "L-LOC", "U-ORG"]
IOBES = ["B-PER", "E-PER", "S-PER", "O", "B-LOC", "I-LOC", "E-LOC", "S-ORG"]


@pytest.mark.parametrize("tags, scheme", [(BIO2, "BIO2"), (BIO1, "BIO1"), (BILOU, "BILOU"), (IOBES, "BILOU")])
def test_each_scheme_is_recognised_and_gives_the_same_spans(tags, scheme):
    assert scheme_of([["O"], tags]) == scheme
    assert spans_of(tags) == SPANS
    assert fault_of(tags, scheme) is None
    assert tags_of(SPANS, 8) == BIO2 and tags_of(SPANS, 8, bilou=True) == BILOU


def test_spans_of_any_bio_tags_are_those_of_seqeval():
    names = names_of(["A", "B"])
    for tags in itertools.product(names, repeat=4):
        expected = [(start, end + 1, label) for label, start, end in get_entities(list(tags))]
        assert spans_of(tags) == expected, tags


@pytest.mark.parametrize(
    "tags, scheme, fault",
    [
        (["O", "I-A"], "BIO2", (1, "I-A after O")),
        (["B-A", "I-B"], "BIO2", (1, "I-B after B-A")),
        (["I-A"], "BIO2", (0, "I-A after the beginning")),
        (["L-A"], "BILOU", (0, "L-A after the beginning")),
        (["B-A", "B-A"], "BILOU", (1, "B-A after B-A")),
        (["O", "B-A"], "BILOU", (1, "the end after B-A")),
        (["U-A", "I-A", "L-A"], "BILOU", (1, "I-A after U-A")),
        (["B-A", "I-A", "B-A", "O"], "BIO2", None),
    ],
)
def test_the_first_tag_that_cannot_be_there_is_named(tags, scheme, fault):
    assert fault_of(tags, scheme) == fault


@pytest.mark.parametrize("bilou", [False, True])
def test_spans_in_the_graph_equal_those_in_python(bilou):
    names = names_of(["A", "B"], bilou)
    rng = np.random.default_rng(0)
    tags, lengths = rng.integers(0, len(names), (300, 7)), rng.integers(0, 8, 300)
    probabilities = rng.uniform(size=tags.shape).astype("float32")
    first, last, labels, lowest = entity_spans(tf.constant(tags), tf.constant(lengths), names, probabilities)
    for row, length in enumerate(lengths):
        expected = spans_of([names[tag] for tag in tags[row, :length]])
        found = zip(first[row].numpy(), last[row].numpy() + 1, [label.decode() for label in labels[row].numpy()])
        assert list(found) == expected
        assert lowest[row].numpy().tolist() == [probabilities[row, start:end].min() for start, end, _ in expected]
