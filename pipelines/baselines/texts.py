"""Baselines of models of texts on the same split: TF-IDF and a linear classifier, or a linear regression."""

from collections.abc import Sequence
from typing import Any

import numpy as np

RIDGE = 1.0  # strength of the regularisation of weights of texts of length 1


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
    from sklearn.svm import LinearSVC

    return _tfidf_predictions(LinearSVC(C=10.0, random_state=0), train, labels, test)


def tfidf_regression_predictions(train: Sequence[str], labels: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """Labels of a logistic regression, C=10, on the features of `tfidf_svm_predictions`, whose arguments it takes.

    Example:

    >>> train = ["a good film", "good fun", "a bad film", "so bad"]
    >>> tfidf_regression_predictions(train, np.array([1, 1, 0, 0]), ["good", "bad bad"]).tolist()
    [1, 0]
    """
    from sklearn.linear_model import LogisticRegression

    return _tfidf_predictions(LogisticRegression(C=10.0, max_iter=1000), train, labels, test)


def tfidf_ridge_predictions(train: Sequence[str], numbers: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """Numbers that a ridge regression predicts, on the features of `tfidf_svm_predictions`.

    Args:
        train: N texts.
        numbers: What they are labelled with, floats `(N,)`.
        test: M texts.

    Returns:
        Numbers of the test texts, floats `(M,)`.

    Example:

    >>> train = ["a good film", "good fun", "a bad film", "so bad"]
    >>> good, bad = tfidf_ridge_predictions(train, np.array([5.0, 5.0, 1.0, 1.0]), ["good", "bad bad"])
    >>> bool(good > 3 > bad)
    True
    """
    from sklearn.linear_model import Ridge

    return _tfidf_predictions(Ridge(alpha=RIDGE), train, numbers, test)


def _tfidf_predictions(classifier: Any, train: Sequence[str], labels: np.ndarray, test: Sequence[str]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    least = 2 if len(train) >= 100 else 1  # of few texts, two have little in common
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=least)
    classifier.fit(vectorizer.fit_transform(train), labels)
    return np.asarray(classifier.predict(vectorizer.transform(test)))
