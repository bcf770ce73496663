"""Entities of tagged words in the TensorFlow graph, as `tags.spans_of` finds them in Python."""

from collections.abc import Sequence

import tensorflow as tf

from attention_zoo.pipelines.engine.text.tags import BEGINS, ENDS, parts
from attention_zoo.pipelines.engine.text.word_splitting import code_point_offsets


def entities_in_text(
    text: tf.Tensor,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    tags: tf.Tensor,
    names: Sequence[str],
    probabilities: tf.Tensor,
) -> tuple[tf.RaggedTensor, dict[str, tf.Tensor]]:
    """Finds the entities of tagged words in their texts.

    Args:
        text: Strings `(B,)`.
        starts: int64 `(B, None)`, the offset of each word in bytes, see `split_words`.
        ends: int64 `(B, None)`, the offset of the byte after each word.
        tags: Numbers of tags `(B, T)`.
        names: Names of the tags, in BIO or BILOU.
        probabilities: float32 `(B, T)`, of the tag of each word.

    Returns:
        `(first, values)`: int64 RaggedTensor `(B, N)`, the places of the first words; and a dict of the flat values of
        all entities, `entities` as they stand in the text, `labels`, `starts` and `ends` in bytes,
        `code_point_starts`, `code_point_ends` and `confidences`.

    Example:

    >>> words = tf.ragged.constant([["né", "à", "Rome"]])
    >>> starts, ends = (tf.ragged.constant([offsets], tf.int64) for offsets in ([0, 4, 7], [3, 6, 11]))
    >>> tags, names = tf.constant([[0, 0, 1]]), ["O", "B-LOC", "I-LOC"]
    >>> _, found = entities_in_text(tf.constant(["né à Rome"]), starts, ends, tags, names, tf.ones([1, 3]))
    >>> found["entities"].numpy().tolist(), found["starts"].numpy(), found["code_point_starts"].numpy()
    ([b'Rome'], array([7]), array([5]))
    """
    first, last, labels, confidences = entity_spans(tags, starts.row_lengths(), names, probabilities)
    row = first.value_rowids()
    begin = tf.gather(starts.flat_values, tf.gather(starts.row_starts(), row) + first.flat_values)  # (N,)
    end = tf.gather(ends.flat_values, tf.gather(ends.row_starts(), row) + last.flat_values)
    points = code_point_offsets(text, first.with_flat_values(tf.stack([begin, end], axis=1))).flat_values  # (N, 2)
    return first, {
        "entities": tf.strings.substr(tf.gather(text, row), begin, end - begin),
        "labels": labels.flat_values,
        "starts": begin,
        "ends": end,
        "code_point_starts": points[:, 0],
        "code_point_ends": points[:, 1],
        "confidences": confidences.flat_values,
    }


def entity_spans(
    tags: tf.Tensor, lengths: tf.Tensor, names: Sequence[str], probabilities: tf.Tensor
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Finds the entities of tagged words. No word is in two of them.

    Args:
        tags: Numbers of tags `(B, T)`.
        lengths: int64 `(B,)`, the number of words of each row.
        names: Names of the tags, in BIO or BILOU.
        probabilities: float32 `(B, T)`, of the tag of each word.

    Returns:
        `(first, last, labels, confidences)`, RaggedTensors `(B, N)`: the places of the first and of the last word of
        each entity, int64; its label, a string; and the lowest probability of its words' tags.

    Example:

    >>> tags, probabilities = tf.constant([[1, 2, 0, 1]]), tf.constant([[0.9, 0.8, 1.0, 0.7]])
    >>> first, last, labels, _ = entity_spans(tags, tf.constant([4], tf.int64), ["O", "B-PER", "I-PER"], probabilities)
    >>> first.to_list(), last.to_list(), labels.to_list()
    ([[0, 3]], [[1, 3]], [[b'PER', b'PER']])
    """
    prefixes, labels = zip(*(parts(name) for name in names))
    kinds = ["", *sorted(set(labels) - {""})]
    kind = tf.gather(tf.constant([kinds.index(label) for label in labels]), tags)  # (B, T), 0 is no entity
    kind = tf.where(tf.sequence_mask(lengths, tf.shape(tags)[1]), kind, 0)
    opens = tf.gather(tf.constant([prefix in BEGINS for prefix in prefixes]), tags)
    closes = tf.gather(tf.constant([prefix in ENDS for prefix in prefixes]), tags)
    before, closed = tf.pad(kind, [[0, 0], [1, 0]])[:, :-1], tf.pad(closes, [[0, 0], [1, 0]])[:, :-1]
    inside = kind > 0
    begins = inside & (opens | closed | (before != kind))
    after, opened = tf.pad(kind, [[0, 0], [0, 1]])[:, 1:], tf.pad(begins, [[0, 0], [0, 1]])[:, 1:]
    ends = inside & (opened | (after != kind))
    opened_at = tf.where(begins)  # (N, 2), row and place
    rows = tf.shape(tags, out_type=tf.int64)[0]
    first = tf.RaggedTensor.from_value_rowids(opened_at[:, 1], opened_at[:, 0], rows, validate=False)
    last = first.with_flat_values(tf.where(ends)[:, 1])
    found = tf.gather(tf.constant(kinds), tf.boolean_mask(kind, begins))
    number = tf.cumsum(tf.cast(tf.boolean_mask(begins, inside), tf.int32)) - 1  # of the entity of each word in one
    lowest = tf.math.segment_min(tf.boolean_mask(probabilities, inside), number)
    return first, last, first.with_flat_values(found), first.with_flat_values(lowest)
