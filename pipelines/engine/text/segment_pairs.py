"""Pairs of segments of text, "[CLS] A [SEP] B [SEP]", for the sentence-level objectives of pretraining.

Next sentence prediction ("nsp", Devlin et al. 2019, sections 3.1 and A.2): B follows A in its document, or is of
another document. Sentence order prediction ("sop", Lan et al. 2020, section 3.1): B follows A, or A follows B.

Shapes: N tokens of all documents, S sentences, D documents, R pairs, B pairs of a batch, T tokens of a pair.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.wordpieces import SPECIALS

PAD, _, CLS, SEP, _ = range(len(SPECIALS))
DRAWS = 5  # random numbers that a pair takes
SHORTEST = 2  # tokens of the shortest pair, without the special ones
CHANGED = 0.5  # share of the pairs with another second segment, or another order


class Segments(NamedTuple):
    """Documents in memory, cut into sentences, and the sentences of each pair.

    Args:
        stream: Tokens of all documents, int32 `(N,)`.
        sentences: Where sentences begin in the stream, and N, int64 `(S + 1,)`.
        documents: Number of the first sentence of each document, and S, int64 `(D + 1,)`.
        firsts: Number of the first sentence of each pair, int64 `(R,)`. A pair has two sentences or more of a document.
        ends: Number of the sentence after the last one of each pair, int64 `(R,)`.
        targets: Tokens that each pair is to have, int64 `(R,)`.
    """

    stream: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    firsts: np.ndarray
    ends: np.ndarray
    targets: np.ndarray


def cut_segments(
    documents: tf.RaggedTensor, ends: np.ndarray, room: int, short_seq_prob: float = 0.1, seed: int = 0
) -> Segments:
    """Cuts documents into sentences, and takes consecutive sentences together until they have the tokens of a pair.

    A pair is to have `room` tokens or, with probability `short_seq_prob`, a random number of them from 2. Its last
    sentence may go beyond that, see `pair_segments`. A sentence of more than half of `room` is cut. So is one that
    would be alone, in the middle. Documents of one token are left out.

    Args:
        documents: Tokens, int32 `(D, None)`.
        ends: Which tokens end a sentence, bool, by their ids.
        room: Tokens that a pair has at most, without the special ones.
        short_seq_prob: Probability of a shorter pair. Defaults to .1, the paper's.
        seed: Seed of the lengths. Defaults to 0.

    Example: two documents, in which 9 ends a sentence.

    >>> documents = tf.ragged.constant([[7, 9, 8, 8, 9], [5, 6]])
    >>> found = cut_segments(documents, ends=np.arange(10) == 9, room=8, short_seq_prob=0.0)
    >>> found.sentences.tolist(), found.documents.tolist(), found.firsts.tolist(), found.ends.tolist()
    ([0, 2, 5, 6, 7], [0, 2, 4], [0, 2], [2, 4])
    """
    documents = tf.ragged.boolean_mask(documents, documents.row_lengths() >= SHORTEST)
    stream, splits, random = documents.flat_values.numpy(), documents.row_splits.numpy(), np.random.default_rng(seed)
    sentences, firsts, afters, targets, of_documents = [], [], [], [], []
    for start, stop in zip(splits[:-1], splits[1:], strict=True):
        of_documents.append(len(sentences))
        begins = [start, *(start + 1 + np.flatnonzero(ends[stream[start : stop - 1]])), stop]
        longest = max(1, room // 2)
        begins = np.concatenate([np.arange(*pair, longest) for pair in zip(begins[:-1], begins[1:], strict=True)])
        taken = 0
        while taken < len(begins):
            target = room if random.random() >= short_seq_prob else int(random.integers(SHORTEST, room + 1))
            after = int(np.searchsorted(begins, begins[taken] + target))
            own = begins[taken:after].tolist()
            end = begins[after] if after < len(begins) else stop
            if len(own) == 1 and end - own[0] >= SHORTEST:
                own.append((own[0] + end) // 2)
            if len(own) > 1:
                firsts.append(len(sentences))
                afters.append(len(sentences) + len(own))
                targets.append(target)
            sentences += own
            taken = after
    numbers = ([*sentences, len(stream)], [*of_documents, len(sentences)], firsts, afters, targets)
    return Segments(stream, *(np.array(column, "int64") for column in numbers))


def rows_of(segments: Segments, room: int) -> tf.RaggedTensor:
    """Returns the tokens of each pair as they stand in the document, at most `room` of them, int32 `(R, None)`."""
    starts, stops = (segments.sentences[numbers] for numbers in (segments.firsts, segments.ends))
    return slices(tf.constant(segments.stream), tf.constant(starts), tf.constant(np.minimum(stops, starts + room)))


def pair_segments(segments: Segments, numbers: tf.Tensor, draws: tf.Tensor, room: int, objective: str) -> dict:
    """Makes pairs, in the graph. The sentences of a pair are divided between A and B at random.

    With "nsp", half of the pairs have as B as many tokens of another document, from the beginning of a sentence. With
    "sop", half of the pairs have the second segment as A and the first one as B. Where A and B have more than `room`
    tokens, the longer one loses tokens, a random part of them at its beginning and the others at its end.

    Args:
        segments: As `cut_segments` returns it; of two documents or more for "nsp".
        numbers: Numbers of the pairs, int64 `(B,)`.
        draws: Random numbers from 0 to 1, float32 `(B, DRAWS)`.
        room: Tokens that a pair has at most, without the special ones.
        objective: "nsp" or "sop".

    Returns:
        A dict: "first" and "second", int32 RaggedTensors `(B, None)`, and "changed", int32 `(B,)`: 1 where B is of
        another document or the order is changed, else 0, as in transformers.

    Example:

    >>> segments = cut_segments(tf.ragged.constant([[7, 9, 8, 8, 9], [5, 6]]), np.arange(10) == 9, 8, 0.0)
    >>> draws = tf.constant([[0.0, 0.9, 0.0, 0.0, 0.0], [0.0, 0.1, 0.0, 0.0, 0.0]])
    >>> pairs = pair_segments(segments, tf.constant([0, 0], tf.int64), draws, room=8, objective="nsp")
    >>> pairs["first"].to_list(), pairs["second"].to_list(), pairs["changed"].numpy().tolist()
    ([[7, 9], [7, 9]], [[8, 8, 9], [5, 6]], [0, 1])
    """
    tables = [tf.constant(column) for column in segments]
    stream, sentences, documents = tables[:3]
    first, after, target = (tf.gather(column, numbers) for column in tables[3:])
    cut = first + 1 + floor(draws[:, 0], after - first - 1)
    start, middle, end = (tf.gather(sentences, place) for place in (first, cut, after))
    changed = draws[:, 1] < CHANGED
    begin, size = middle, end - middle
    if objective == "nsp":
        own = tf.searchsorted(documents, first, side="right", out_type=tf.int64)  # the next document
        before, behind = tf.gather(documents, own - 1), tf.gather(documents, own)
        other = floor(draws[:, 2], documents[-1] - (behind - before))
        other += tf.where(other < before, tf.zeros_like(other), behind - before)
        last = tf.gather(documents, tf.searchsorted(documents, other, side="right", out_type=tf.int64))
        there = tf.gather(sentences, other)
        wanted = there + tf.maximum(target - (middle - start), 1)
        stop = tf.searchsorted(sentences, wanted, out_type=tf.int64)  # whole sentences
        begin = tf.where(changed, there, begin)
        size = tf.where(changed, tf.gather(sentences, tf.minimum(stop, last)) - there, size)
    sizes = middle - start, size
    kept_second = tf.minimum(sizes[1], tf.maximum(room - sizes[0], room // 2))
    kept = tf.minimum(sizes[0], room - kept_second), kept_second
    starts = [
        whole + floor(draws[:, 3 + side], sizes[side] - kept[side] + 1) for side, whole in enumerate((start, begin))
    ]
    pair = [(begins, begins + size) for begins, size in zip(starts, kept, strict=True)]
    if objective == "sop":
        pair = [tuple(tf.where(changed, b, a) for a, b in zip(*sides, strict=True)) for sides in (pair, pair[::-1])]
    first, second = (slices(stream, *side) for side in pair)
    return {"first": first, "second": second, "changed": tf.cast(changed, tf.int32)}


def join_pairs(first: tf.RaggedTensor, second: tf.RaggedTensor) -> dict[str, tf.Tensor]:
    """Returns pairs as an encoder reads them: "tokens" and "segments", 0 and 1, int32 `(B, T)`.

    Example:

    >>> found = join_pairs(tf.ragged.constant([[7, 8], [9]]), tf.ragged.constant([[5], [6]]))
    >>> found["tokens"].numpy().tolist(), found["segments"].numpy().tolist()
    ([[2, 7, 8, 3, 5, 3], [2, 9, 3, 6, 3, 0]], [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]])
    """
    cls, sep = (tf.fill([first.nrows(), 1], tf.constant(token, tf.int32)) for token in (CLS, SEP))
    begin = tf.concat([cls, first, sep], axis=1)
    tokens = tf.concat([begin, second, sep], axis=1).to_tensor(PAD)
    places = tf.range(tf.shape(tokens)[1], dtype=tf.int64)
    segments = (places >= begin.row_lengths()[:, None]) & (tokens != PAD)
    return {"tokens": tokens, "segments": tf.cast(segments, tf.int32)}


def slices(stream: tf.Tensor, starts: tf.Tensor, stops: tf.Tensor) -> tf.RaggedTensor:
    """Returns the parts of a stream from starts to stops `(B,)`, `(B, None)`."""
    return tf.gather(stream, tf.ragged.range(starts, stops))


def floor(draws: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns numbers from 0 to below `count`, int64."""
    return tf.minimum(tf.cast(draws * tf.cast(count, tf.float32), tf.int64), count - 1)
