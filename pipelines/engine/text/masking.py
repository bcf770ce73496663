"""Hides some tokens of a text, which a model then has to predict (Devlin et al. 2019, section 3.1).

Pure functions of random numbers, for tf.data. Shapes: B rows, T tokens.
"""

import tensorflow as tf

DRAWS = 4  # random numbers that a token takes
HIDDEN, REPLACED = 0.8, 0.9  # of the chosen tokens, 80% are hidden, 10% are replaced, and 10% stay
PADDING, READ, CHOSEN = 0, 1, 2
"""Roles of tokens."""


def mask_tokens(
    tokens: tf.Tensor,
    draws: tf.Tensor,
    mask_token: int,
    first: int,
    vocabulary_size: int,
    share: float = 0.15,
    starts: tf.Tensor | None = None,
    longest: int = 1,
) -> dict[str, tf.Tensor]:
    """Chooses tokens to predict; of those, hides 80%, replaces 10% by random ones, and leaves 10% as they are.

    What is chosen are units: tokens, or whole words if `starts` is given, or with `longest` above 1 n-grams of words,
    whose lengths are drawn with p(n) ∝ 1/n (Lan et al. 2020, section 3.1). Units are taken in random order until the
    share is reached, at least one of each row.

    Args:
        tokens: int32 `(B, T)`; ids below `first` are special tokens and padding, which are never chosen.
        draws: Random numbers from 0 to 1, float32 `(B, T, DRAWS)`.
        mask_token: Id of the token that stands for a hidden one.
        first: Lowest id of a token that is not special; random tokens are drawn from it to `vocabulary_size`.
        vocabulary_size: Number of token ids.
        share: Share of the tokens to choose. Defaults to .15, the paper's.
        starts: Bool `(B, T)`, where a word begins. Defaults to `None`: everywhere.
        longest: Words of the longest n-gram. Defaults to `1`.

    Returns:
        A dict: "tokens", with some of them hidden; "labels", the tokens before; "roles", `CHOSEN`, `READ` or
        `PADDING`; each int32 `(B, T)`.

    Example:

    >>> draws = tf.random.stateless_uniform([1, 6, DRAWS], [1, 2])
    >>> masked = mask_tokens(tf.constant([[2, 7, 8, 9, 3, 0]]), draws, mask_token=4, first=5, vocabulary_size=10)
    >>> int(tf.reduce_sum(tf.cast(masked["roles"] == CHOSEN, tf.int32)))
    1
    """
    of_units, order, fate, of_others = tf.unstack(draws, num=DRAWS, axis=-1)  # (B, T) each
    may = tokens >= first
    units = units_of(may if starts is None else may & starts, of_units, longest)
    chosen = choose_units(tf.where(may, units, -1), order, share)
    count = tf.cast(vocabulary_size - first, tf.float32)
    others = first + tf.minimum(tf.cast(of_others * count, tf.int32), vocabulary_size - first - 1)
    instead = tf.where(fate < HIDDEN, mask_token, tf.where(fate < REPLACED, others, tokens))
    return {
        "tokens": tf.where(chosen, instead, tokens),
        "labels": tokens,
        "roles": tf.where(chosen, CHOSEN, tf.where(tokens == 0, PADDING, READ)),
    }


def units_of(starts: tf.Tensor, draws: tf.Tensor, longest: int) -> tf.Tensor:
    """Numbers words, or n-grams of words, from 0 in each row.

    Args:
        starts: Bool `(B, T)`, where a word begins; what stands before the first word belongs to it.
        draws: float32 `(B, T)`, for the lengths of the n-grams.
        longest: Words of the longest n-gram.

    Returns:
        int32 `(B, T)`.

    Example:

    >>> units_of(tf.constant([[True, False, True, True]]), tf.zeros([1, 4]), longest=1).numpy().tolist()
    [[0, 0, 1, 2]]
    """
    words = tf.maximum(tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1, 0)
    if longest == 1:
        return words
    shares = tf.cumsum(1.0 / tf.range(1.0, longest + 1.0))  # p(n) ∝ 1/n
    lengths = 1 + tf.searchsorted(shares / shares[-1], tf.reshape(draws, [-1]), side="right")
    lengths = tf.reshape(tf.minimum(lengths, longest), tf.shape(draws))
    ends = tf.cumsum(lengths, axis=1)  # words before the end of each n-gram
    return tf.searchsorted(ends, words, side="right")


def choose_units(units: tf.Tensor, draws: tf.Tensor, share: float) -> tf.Tensor:
    """Takes whole units in random order, until they have about `share` of the tokens.

    Args:
        units: int32 `(B, T)`, ascending in a row; tokens of -1 are never taken.
        draws: float32 `(B, T)`; a unit has the draw of the place of its number.
        share: Share of the tokens to take; at least one unit is.

    Returns:
        Bool `(B, T)`.

    Example:

    >>> units = tf.constant([[0, 0, 1, 2, 2, -1]])
    >>> choose_units(units, tf.constant([[0.9, 0.1, 0.5, 0.0, 0.0, 0.0]]), share=0.2).numpy().tolist()
    [[False, False, True, False, False, False]]
    """
    size = tf.shape(units)[1]
    may = units >= 0
    rows = tf.range(tf.shape(units)[0])[:, None] * size + tf.maximum(units, 0)  # numbers of units in the batch
    lengths = tf.math.unsorted_segment_sum(
        tf.reshape(tf.cast(may, tf.int32), [-1]), tf.reshape(rows, [-1]), tf.size(units)
    )
    lengths = tf.reshape(lengths, tf.shape(units))  # (B, units)
    order = tf.argsort(tf.where(lengths > 0, draws, 2.0), axis=1)  # what is no unit comes last
    ordered = tf.gather(lengths, order, batch_dims=1)
    before = tf.cumsum(ordered, axis=1, exclusive=True)
    budget = tf.round(share * tf.reduce_sum(tf.cast(may, tf.float32), axis=1, keepdims=True))
    # A unit that crosses the budget is taken if more than half of it fits, so that the share is met on average.
    taken = tf.cast(before, tf.float32) + tf.cast(ordered, tf.float32) / 2 <= budget
    taken = (taken | (tf.range(size) == 0)) & (ordered > 0)
    places = tf.argsort(order, axis=1)  # of each unit in the order
    return may & tf.gather(tf.gather(taken, places, batch_dims=1), tf.maximum(units, 0), batch_dims=1)
