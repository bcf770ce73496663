"""Baseline of a classifier of texts on the same split: TF-IDF and a linear support vector machine."""

from collections.abc import Sequence

import numpy as np


def tfidf_svm_predictions(train: Sequence[str], labels: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """Labels of a linear SVM, C=10, on sublinear TF-IDF of words and pairs of words (of fewer than 100 texts: of all,
    else of those that at least two texts have).

    Args:
        train: N texts.
        labels: Their classes, integers `(N,)`.
        test: M texts.

    Returns:
        Classes of the test texts, integers `(M,)`.

    Example:

    >>> train = ["a good film", "good fun", "a bad film", "so bad"]
    >>> tfidf_svm_predictions(train, np.array([1, 1, 0, 0]), ["good", "bad bad"]).tolist()
    [1, 0]
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    least = 2 if len(train) >= 100 else 1  # of few texts, two have little in common
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=least)
    classifier = LinearSVC(C=10.0, random_state=0).fit(vectorizer.fit_transform(train), labels)
    return np.asarray(classifier.predict(vectorizer.transform(test)))
