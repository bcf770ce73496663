"""Word vectors that the embeddings begin with: kept in the run's folder, so that a later export needs no other file."""

import io

import numpy as np

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.vector_files import read_vectors
from attention_zoo.pipelines.engine.storage.files import atomic_write


def keep_vectors(path, source, words, strict):
    """Writes the vectors that the file `source` has for `words`, once a run, and prints how many it has."""
    if not source or path.is_file():
        return
    dirt = Dirt(strict)
    vectors, known = read_vectors(source, {word: number for number, word in enumerate(words)}, dirt)
    dirt.report()
    print(f"{source}: vectors of {known.sum():,} of {len(words):,} words")
    content = io.BytesIO()
    np.savez(content, vectors=vectors, known=known)
    atomic_write(path, content.getvalue())


def with_vectors(embeddings, path, first):
    """Returns embeddings `(V, E)` with the kept vectors from row `first` on, scaled to the spread of the others.

    Vectors of word2vec are several times as long as what Keras draws. The scale keeps known and unknown words alike,
    and cosines as they are.
    """
    embeddings = np.array(embeddings)
    with np.load(path) as kept:
        known, vectors = kept["known"], kept["vectors"][kept["known"]]
    if len(vectors):
        embeddings[first:][known] = vectors * (embeddings.std() / max(vectors.std(), 1e-12))
    return embeddings
