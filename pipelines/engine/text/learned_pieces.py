"""Learns the vocabulary of `WordPieces` from texts."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import tensorflow as tf

from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.text.wordpieces import SPECIALS, WordPieces

READ_TOGETHER = 256  # texts


def learn_pieces(texts: Iterable[str], size: int) -> list[str]:
    """Learns a WordPiece vocabulary of lower-case words, top down as BERT's (tensorflow_text's learner).

    Args:
        texts: The texts.
        size: Number of pieces to come near to, the special ones included.

    Returns:
        The pieces, those of `SPECIALS` first. Every character of the texts is among them, so there may be more than
        `size`; of few texts there are fewer. The same texts give the same pieces.

    Example:

    >>> pieces = learn_pieces(["a cat and a cat", "Cats and dogs"], 60)
    >>> pieces[:5], "cat" in pieces, "##s" in pieces
    (['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], True, True)
    """
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    reader = WordPieces(SPECIALS)
    counts: Counter[bytes] = Counter()
    split = tf.function(
        lambda batch: reader.words(batch).flat_values,  # strings (N,)
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    left = iter(texts)
    for batch in counted(iter(lambda: list(islice(left, READ_TOGETHER)), [])):
        counts.update(split(tf.constant(batch)).numpy().tolist())
    words = {word.decode(): count for word, count in sorted(counts.items())}
    if not words:
        return list(SPECIALS)
    # The learner looks for the least count of a piece by bisection. That many pieces cannot occur more often than this.
    most = max(2, sum(len(word) * count for word, count in words.items()) // size)
    return learner.learn(words, size, list(SPECIALS), upper_thresh=most, lower_thresh=2)
