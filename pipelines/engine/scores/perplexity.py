"""How well a language model predicts text: perplexity, and bits for each byte."""

import math


def language_scores(nats: float, tokens: int, text_bytes: int) -> dict[str, float]:
    """Returns the scores of a text.

    Perplexity is that of a token, so it depends on the vocabulary; bits per byte do not.

    Args:
        nats: Negative log-likelihood of all tokens, the ends of the texts included.
        tokens: Their number.
        text_bytes: Number of bytes of the text in UTF-8.

    Returns:
        A dict of `perplexity` and `bits_per_byte`.

    Example: a token of two bytes that has the probability 1/4 costs one bit a byte.

    >>> language_scores(3 * math.log(4), tokens=3, text_bytes=6)
    {'perplexity': 4.0, 'bits_per_byte': 1.0}
    """
    perplexity = math.exp(min(nats / max(1, tokens), 700.0))  # a model without training may overflow
    return {
        "perplexity": float(f"{perplexity:.12g}"),
        "bits_per_byte": float(f"{nats / math.log(2) / max(1, text_bytes):.12g}"),
    }
