"""Maps of words: t-SNE of many, principal components of a word and its neighbours."""

import numpy as np

from attention_zoo.pipelines.engine.scores.word_vectors import unit_vectors
from attention_zoo.pipelines.engine.views import PointMap


def map_of_words(words, vectors, settings, seed):
    """Returns the t-SNE map of frequent words as a `PointMap`, in the colors of k-means.

    Args:
        words: The V words, from the most frequent to the rarest.
        vectors: Array `(V, D)`.
        settings: `PictureSettings`.
        seed: Seed of t-SNE and k-means.
    """
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    first = max(0, min(settings.skip, len(words) - settings.words))
    chosen = slice(first, first + settings.words)
    unit = unit_vectors(vectors[chosen])
    count = len(unit)
    perplexity = min(settings.perplexity, max(1.0, (count - 1) / 3))
    if count < 4 or vectors.shape[1] < 2:
        points = np.pad(unit, [(0, 0), (0, 2)])[:, :2]
    else:
        points = TSNE(init="pca", perplexity=perplexity, random_state=seed, metric="euclidean").fit_transform(unit)
    groups = KMeans(min(settings.groups, count), n_init=4, random_state=seed).fit_predict(unit)
    title = f"t-SNE of the words of rank {first + 1:,} to {first + count:,}, in the groups of k-means"
    return PointMap(points, words[chosen], [f"group {group + 1}" for group in groups], title)


def map_of_answer(answer):
    """Returns a word or sum and its neighbours, on their first two principal components; `None` without neighbours."""
    kept = [place for place, word in enumerate(answer["neighbours"]) if word]
    if not kept:
        return None
    vectors = answer["vectors"][[0, *(place + 1 for place in kept)]]
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    points = np.pad(centred @ directions[:2].T, [(0, 0), (0, max(0, 2 - len(directions)))])
    labels = [answer["input"][:60], *(answer["neighbours"][place] for place in kept)]
    groups = ["asked", *["neighbours"] * len(kept)]
    return PointMap(points, labels, groups, "the nearest words, on two principal components")
