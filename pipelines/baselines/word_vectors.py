"""Word vectors of gensim, trained on the same text with the same settings."""

from collections.abc import Sequence

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError


def gensim_vectors(
    texts: Sequence[Sequence[str]],
    embedding_dim: int,
    window: int,
    negatives: int,
    min_count: int,
    subsample: float,
    epochs: int,
    learning_rate: float,
    seed: int = 1,
) -> tuple[list[str], np.ndarray]:
    """Trains gensim's skip-gram with negative sampling, with one worker.

    Args:
        texts: Lists of words.
        embedding_dim: D.
        window: Largest distance of a word and its context.
        negatives: Negatives of a pair.
        min_count: Rarer words are left out.
        subsample: Frequency above which words are left out at random.
        epochs: Passes over the texts.
        learning_rate: That of the first pair; it falls linearly.
        seed: Seed of the initial weights. Defaults to 1.

    Returns:
        `(words, vectors)`: the V words, the most frequent first, and an array `(V, D)`.

    Raises:
        UserError: gensim is not installed.
    """
    try:
        from gensim.models import Word2Vec  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            "--baselines.names: gensim is not installed; pip install 'attention-zoo[vectors]', or leave it out"
        ) from None
    model = Word2Vec(
        sentences=texts,
        vector_size=embedding_dim,
        window=window,
        negative=negatives,
        min_count=min_count,
        sample=subsample,
        epochs=epochs,
        alpha=learning_rate,
        seed=seed,
        sg=1,
        workers=1,
    )
    return [str(word) for word in model.wv.index_to_key], np.asarray(model.wv.vectors)
