"""Merges pairs of neighbouring ids in the order of a list, in all words of a batch at a time, in the graph."""

import numpy as np
import tensorflow as tf

NONE = 2**31 - 1  # rank of a pair that is not merged
FIRST_PASSES = 8  # after so many, words that are done are set aside


class PairMerging(tf.Module):
    """Merges pairs of ids until no pair of a word is in the list (Sennrich et al. 2016).

    Of the pairs of a word, all occurrences of the one that comes first in the list are merged, from left to right, then
    those of the next, until none is left.

    Each pass of the loop merges in all words, and in many places of a long word: merges elsewhere change what a pair
    is merged with only by a piece that grows up to it, and no piece is longer than `longest`. So a pair is merged as
    soon as no pair within that distance comes before it in the list. A word of 10,000 characters takes about as many
    passes as one of a few hundred.

    Args:
        merges: Ids of two pieces and of the two together, first merge first, int64 `(M, 3)`.
        size: One more than the largest id.
        longest: Bytes of the longest piece.

    Call arguments:
        ids: int32 `(N,)`, of all words.
        words: int64 `(N,)`: the number of the word of each id, in ascending order.

    Returns:
        `(ids, words)` of the pieces that are left, `(K,)` each.

    Example:

    >>> merging = PairMerging(np.array([[1, 2, 4], [4, 3, 5]]), size=6, longest=3)
    >>> ids, words = merging(tf.constant([1, 2, 3, 2, 1, 2]), tf.constant([0, 0, 0, 0, 1, 1], tf.int64))
    >>> ids.numpy().tolist(), words.numpy().tolist()
    ([5, 2, 4], [0, 0, 1])
    """

    def __init__(self, merges: np.ndarray, size: int, longest: int):
        super().__init__(name="pair_merging")
        self._size, self._longest = size, longest
        # A pair that stands twice in the list has the later place, as in Hugging Face's tokenisers.
        ranks = {int(left) * size + int(right): rank for rank, (left, right, _) in enumerate(merges)}
        ranks = ranks or {-1: NONE}  # a table must not be empty
        self._merged = np.append(merges[:, 2], 0).astype(np.int32)
        keys, values = tf.constant(list(ranks), tf.int64), tf.constant(list(ranks.values()), tf.int32)
        self._ranks = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), NONE)

    # Run eagerly, each pass of the loop would take as long as the whole call does in a graph.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64)], autograph=False)
    def __call__(self, ids: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ids, words, ranks = self._run(ids, words, self._ranks_of(ids, words), FIRST_PASSES)
        # Most words are done by now, and the few long ones would take all others with them through their passes.
        count = tf.reduce_max(tf.concat([words, [-1]], axis=0)) + 1
        lowest = tf.math.unsorted_segment_min(ranks, words, count)
        busy = tf.gather(lowest < NONE, words)
        rest, rest_words, _ = self._run(ids[busy], words[busy], ranks[busy])
        done = tf.logical_not(busy)
        ids, words = tf.concat([ids[done], rest], axis=0), tf.concat([words[done], rest_words], axis=0)
        order = tf.argsort(words, stable=True)  # a word is in one of the two parts
        return tf.gather(ids, order), tf.gather(words, order)

    def _run(
        self, ids: tf.Tensor, words: tf.Tensor, ranks: tf.Tensor, passes: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return tf.while_loop(
            lambda ids, words, ranks: tf.reduce_any(ranks < NONE),
            self._merge,
            (ids, words, ranks),
            shape_invariants=(tf.TensorShape([None]),) * 3,
            maximum_iterations=passes,
        )

    def _ranks_of(self, ids: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Returns the place in the list of each id with the next one of its word, int32 `(N,)`, or `NONE`."""
        wide = tf.cast(ids, tf.int64)
        ranks = self._ranks.lookup(wide[:-1] * self._size + wide[1:])
        return tf.pad(tf.where(words[1:] == words[:-1], ranks, NONE), [[0, 1]], constant_values=NONE)[: tf.size(ids)]

    def _merge(self, ids: tf.Tensor, words: tf.Tensor, ranks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        chosen = (ranks == self._lowest_nearby(words, ranks)) & (ranks < NONE)
        # In "aaaa" the pairs of a run overlap: from its left end, each second one is merged. If the left end has to
        # wait, so has the rest of the run, since the left end says which are the second ones.
        places = tf.range(tf.size(ids))
        begins = tf.concat([tf.ones_like(chosen[:1]), (ranks[1:] != ranks[:-1]) | (ranks[1:] == NONE)], axis=0)
        begin = tf.gather(places[begins], tf.cumsum(tf.cast(begins, tf.int32)) - 1)
        merged = chosen & tf.gather(chosen, begin) & ((places - begin) % 2 == 0)
        ids = tf.where(merged, tf.gather(self._merged, tf.where(merged, ranks, 0)), ids)
        kept = tf.logical_not(tf.pad(merged, [[1, 0]])[:-1])
        ids, words = ids[kept], words[kept]
        return ids, words, self._ranks_of(ids, words)

    def _lowest_nearby(self, words: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
        """Returns the lowest rank of a word within `longest` ids of each id, and somewhat farther, `(N,)`.

        Words are cut into blocks of `longest` ids; the lowest rank of a block and of its neighbours is taken.
        """
        new_word = tf.concat([tf.ones_like(words[:1], tf.bool), words[1:] != words[:-1]], axis=0)
        new_block = new_word | (tf.range(tf.size(words)) % self._longest == 0)
        blocks = tf.cumsum(tf.cast(new_block, tf.int32)) - 1
        lowest = tf.math.segment_min(ranks, blocks)  # (blocks,)
        joined = tf.logical_not(new_word[new_block][1:])  # whether two blocks that follow one another are of one word
        right = tf.pad(tf.where(joined, lowest[1:], NONE), [[0, 1]], constant_values=NONE)
        left = tf.pad(tf.where(joined, lowest[:-1], NONE), [[1, 0]], constant_values=NONE)
        return tf.gather(tf.minimum(lowest, tf.minimum(left, right)), blocks)
