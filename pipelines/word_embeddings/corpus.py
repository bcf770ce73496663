"""Counts the words of texts, numbers them, and makes the batches that `SkipGram` trains on.

Shapes as in `models.skip_gram`: B rows, L centre words, W window, T = W + L + W, K negatives of a row.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.models.skip_gram import pair_weights
from attention_zoo.pipelines.word_embeddings.words import split_words

TOGETHER = 1024  # texts that are split together
CHUNK = 1_000_000  # words of texts that follow one another, from which batches are made at once
FEWEST_STEPS = 600  # of a run: with fewer, the engine would add epochs
CENTRES = 32  # L: a row is short, since the products of all pairs of a row are computed


def split_all(texts):
    """Yields the words of 1,024 texts at a time, as string RaggedTensors."""
    return iter(texts.batch(TOGETHER).map(split_words, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1))


def count_words(texts, min_count, vocabulary_size):
    """Returns the words that occur often enough, from the most frequent to the rarest; ties are sorted.

    Args:
        texts: `tf.data.Dataset` of strings.
        min_count: Rarer words are left out.
        vocabulary_size: Largest number of words; 0 is no limit.

    Raises:
        UserError: There are fewer than two such words.
    """
    counts = Counter()
    for words in split_all(texts):
        counts.update(words.flat_values.numpy().tolist())
    frequent = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    if len(frequent) < 2:
        raise UserError(
            f"--data.min_count: expected a text with words that occur {min_count} times, received {len(counts):,} "
            f"words, the most frequent of which occurs {max(counts.values(), default=0):,} times"
        )
    return [word.decode() for word in frequent[: vocabulary_size or None]]


@dataclass(frozen=True)
class Corpus:
    """Numbered words of a split.

    Args:
        ids: int32 Tensor `(N,)`, the known words of all texts, one text after the other.
        lengths: int64 array of the number of words of each text.
        read: Number of words in the texts, unknown ones included.
    """

    ids: tf.Tensor
    lengths: np.ndarray
    read: int


def number_words(texts, words):
    """Returns the `Corpus` of a `tf.data.Dataset` of strings; words that are not among `words` are left out."""
    keys = tf.lookup.KeyValueTensorInitializer(words, tf.range(len(words), dtype=tf.int32))
    table = tf.lookup.StaticHashTable(keys, -1)
    ids, lengths, read = [], [], 0
    for rows in split_all(texts):
        numbers = rows.with_flat_values(table.lookup(rows.flat_values))
        known = tf.ragged.boolean_mask(numbers, numbers >= 0)
        ids.append(known.flat_values.numpy())
        lengths.append(known.row_lengths().numpy())
        read += int(tf.size(rows.flat_values))
    return Corpus(tf.constant(np.concatenate(ids)), np.concatenate(lengths), read)


class WindowBatches:
    """Makes batches of text with the windows of its words and random negatives.

    Frequent words are left out at random before windows are cut: a word of frequency f stays with probability
    `sqrt(t / f) + t / f`, as in the program that the paper's authors published (the paper prints `sqrt(t / f)`). The
    window of each word is drawn from 1 to W. Negatives are drawn by the frequency to the power of 3/4.

    Args:
        counts: Number of occurrences of each word in training, `(V,)`.
        window: W.
        subsample: t; 0 leaves no word out.
        shared: K.
        rows: B.
    """

    def __init__(self, counts, window, subsample, shared, rows):
        self.traced = {}
        self.options = (window, subsample, shared, rows)
        self.window, self.shared, self.rows = window, shared, rows
        frequencies = counts / counts.sum()
        relative = subsample / np.maximum(frequencies, 1e-12)
        kept = np.minimum(1.0, np.sqrt(relative) + relative) if subsample else np.ones(len(counts))
        self.kept = tf.constant(kept, tf.float32)
        self.chance, self.other = (tf.constant(column) for column in alias_table(counts**0.75))

    def epoch(self, corpus, seed, epoch, shuffle):
        """Returns the batches of an epoch as a `tf.data.Dataset`; the same arguments give the same batches.

        A batch is a dict: "text" `(B, T)`, "left" and "right" `(B, L)`, the words before and after each centre that are
        its contexts, and "negatives" `(B, K)`. Contexts are words of the same text. Rows of a batch are from different
        parts of the corpus; the last batch of a chunk is filled with rows without contexts.

        Args:
            corpus: `Corpus`.
            seed: Seed of the run.
            epoch: Number of the epoch.
            shuffle: Whether texts change places.
        """
        ends = np.concatenate([[0], np.cumsum(corpus.lengths)])
        chunk_of = ends[:-1] // CHUNK
        firsts = np.flatnonzero(np.diff(chunk_of, prepend=-1))  # texts that begin a chunk
        bounds = np.stack([firsts, np.append(firsts[1:], len(corpus.lengths))], axis=1)  # (chunks, 2)
        order = np.arange(len(bounds))
        if shuffle:
            order = np.random.default_rng([seed, epoch]).permutation(len(bounds))
        seeds = np.tile(np.array([seed, epoch], "int64"), [len(order), 1])
        chunks = tf.data.Dataset.from_tensor_slices((bounds[order], order, seeds))
        count, make = self.functions(corpus, shuffle)
        total = chunks.map(count).reduce(tf.constant(0, tf.int64), lambda total, batches: total + batches)
        return chunks.map(make).unbatch().apply(tf.data.experimental.assert_cardinality(total)).prefetch(4)

    def functions(self, corpus, shuffle):
        """Returns what counts and what makes the batches of a chunk of a corpus; traced once, not in each epoch."""
        if (id(corpus), shuffle) in self.traced:
            return self.traced[id(corpus), shuffle]
        ends = tf.constant(np.concatenate([[0], np.cumsum(corpus.lengths)]), tf.int64)

        def thin(bounds, chunk, seed):
            """Returns the texts of a chunk without the words that are left out, and the chunk's seed."""
            seed = tf.random.experimental.stateless_fold_in(seed, chunk)
            splits = ends[bounds[0] : bounds[1] + 1]
            texts = tf.RaggedTensor.from_row_splits(corpus.ids[splits[0] : splits[-1]], splits - splits[0])
            if shuffle:
                texts = tf.gather(texts, tf.random.experimental.stateless_shuffle(tf.range(texts.nrows()), seed))
            chances = tf.random.stateless_uniform(tf.shape(texts.flat_values), seed)
            stay = texts.with_flat_values(chances < tf.gather(self.kept, texts.flat_values))
            return tf.ragged.boolean_mask(texts, stay), seed

        spec = [tf.TensorSpec([2], tf.int64), tf.TensorSpec([], tf.int64), tf.TensorSpec([2], tf.int64)]
        functions = (
            lambda *chunk: self.batches_of(thin(*chunk)[0].flat_values),
            lambda *chunk: self.cut(*thin(*chunk)),
        )
        self.traced[id(corpus), shuffle] = [
            tf.function(one, input_signature=spec, autograph=False) for one in functions
        ]
        return self.traced[id(corpus), shuffle]

    def batches_of(self, words):
        """Returns the number of batches that hold the words of a chunk."""
        return -(-tf.size(words, tf.int64) // (self.rows * CENTRES))

    def cut(self, texts, seed):
        """Cuts thinned texts into batches, with the batches as the first axis."""
        words, rows, width = texts.flat_values, self.rows, self.window
        places = tf.range(tf.size(words, tf.int64))
        text_of = texts.value_rowids()
        starts, ends = (tf.gather(splits, text_of) for splits in (texts.row_starts(), texts.row_limits()))
        windows = tf.random.stateless_uniform(tf.shape(places), seed + 1, 1, width + 1, tf.int64)
        left, right = tf.minimum(windows, places - starts), tf.minimum(windows, ends - 1 - places)
        batches = self.batches_of(words)
        missing = batches * rows * CENTRES - tf.size(words, tf.int64)

        def by_batch(values, size=CENTRES):
            """Rows of a batch are as far apart as possible: row r has the r-th part of the chunk."""
            return tf.transpose(tf.reshape(values, [rows, batches, size]), [1, 0, 2])

        padded = tf.pad(words, [[width, missing + width]])
        text = tf.signal.frame(padded, CENTRES + 2 * width, CENTRES)
        drawn, size = [batches, rows, self.shared], len(self.chance)
        first = tf.random.stateless_uniform(drawn, seed + 2, 0, size, tf.int32)
        stays = tf.random.stateless_uniform(drawn, seed + 3) < tf.gather(self.chance, first)
        return {
            "text": by_batch(text, CENTRES + 2 * width),
            "left": by_batch(tf.cast(tf.pad(left, [[0, missing]]), tf.int32)),
            "right": by_batch(tf.cast(tf.pad(right, [[0, missing]]), tf.int32)),
            "negatives": tf.where(stays, first, tf.gather(self.other, first)),
        }


def table_of_weights(window, negatives, shared):
    """Returns `pair_weights` of each centre of a row for each number of words before and after it that are contexts.

    To gather rows of it is faster than to compare offsets in each step.

    Args:
        window: W.
        negatives: Negatives of a pair.
        shared: K.

    Returns:
        Array `((W + 1) (W + 1) L, T + K)`; the row of `left`, `right` and centre i is `(left (W + 1) + right) L + i`.
    """
    left, right = np.divmod(np.arange((window + 1) ** 2), window + 1)
    left, right = (np.repeat(side[:, None], CENTRES, axis=1) for side in (left, right))
    with tf.init_scope():  # a constant, also where a training step is traced
        weights = np.array(pair_weights(left, right, window, negatives, shared))
    return weights.reshape(-1, weights.shape[-1])


def empty_batches(window, shared):
    """Returns an epoch of batches without pairs, whose steps change nothing."""
    none = tf.zeros([1, CENTRES], tf.int32)
    text, negatives = tf.zeros([1, CENTRES + 2 * window], tf.int32), tf.zeros([1, shared], tf.int32)
    batch = {"text": text, "left": none, "right": none, "negatives": negatives}
    return tf.data.Dataset.from_tensors(batch).repeat(FEWEST_STEPS)


def alias_table(weights):
    """Prepares draws in proportion to weights, in constant time each (Walker 1977).

    A draw takes a place at random, and stays there with the `chance` of the place, or else goes to its `other`.

    Args:
        weights: Array `(V,)`, none negative.

    Returns:
        `(chance, other)`, float32 and int32 arrays `(V,)`.

    Example:

    >>> alias_table(np.array([3.0, 1.0]))
    (array([1. , 0.5], dtype=float32), array([0, 0], dtype=int32))
    """
    scaled = (weights * (len(weights) / weights.sum())).tolist()
    chance, other = np.ones(len(scaled), "float32"), np.arange(len(scaled), dtype="int32")
    small = [place for place, weight in enumerate(scaled) if weight < 1]
    large = [place for place, weight in enumerate(scaled) if weight >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        chance[low], other[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return chance, other
