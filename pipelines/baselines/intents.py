"""Baseline of a classifier of short texts on the same split: TF-IDF of characters and logistic regression."""

from collections.abc import Sequence

from attention_zoo.pipelines.engine.stages import stage


def tfidf_logistic_predictions(train: Sequence[str], labels: Sequence[str], test: Sequence[str]) -> list[str]:
    """Labels of a logistic regression, C=10, on sublinear TF-IDF of the character 1- to 4-grams of lower-case texts.

    Args:
        train: N texts.
        labels: Their classes.
        test: M texts.

    Returns:
        Classes of the test texts. If all training texts have one class, it is that one.

    Example:

    >>> tfidf_logistic_predictions(["lights on", "all lights on", "off", "off now"], [*"aabb"], ["on", "off!"])
    ['a', 'b']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    if len(set(labels)) == 1:
        return [labels[0]] * len(test)
    with stage("baseline: training a logistic regression"):
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
        classifier = LogisticRegression(C=10.0, max_iter=200).fit(vectorizer.fit_transform(train), labels)
        return classifier.predict(vectorizer.transform(test)).tolist()
