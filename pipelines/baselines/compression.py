"""Language models without attention that take seconds: frequencies of tokens, and a general compressor."""

import lzma

import numpy as np

DICTIONARY = 1 << 26  # bytes of training text that a compressor looks back on


def unigram_bits(train: np.ndarray, test: np.ndarray, vocabulary_size: int) -> float:
    """Returns the bits that a text takes if each token has its frequency in training, to which one is added.

    Args:
        train: Token ids of the training text, `(N,)`.
        test: Token ids of the text, `(M,)`.
        vocabulary_size: Number of token ids.

    Example:

    >>> print(unigram_bits(np.array([0, 0, 1]), np.array([0, 2]), vocabulary_size=5))  # 3/8 and 1/8
    4.415...
    """
    counts = np.bincount(train, minlength=vocabulary_size) + 1.0
    return float(-np.log2(counts / counts.sum())[test].sum())


def lzma_bits(train: bytes, test: bytes) -> float:
    """Returns the bits by which LZMA's output grows if a text follows the last 64 MB of the training text.

    Example:

    >>> known = b"to be or not to be" * 20
    >>> lzma_bits(known, known) < lzma_bits(b"", known)
    True
    """
    train = train[-DICTIONARY:]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY}]
    sizes = [len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters)) for text in (train, train + test)]
    return 8.0 * (sizes[1] - sizes[0])
