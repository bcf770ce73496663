"""What depends on the kind of the labels: where training starts, loss, scores, baseline and picture.

`Classes` and `Numbers` have the same methods, and the task calls those of one of them.

Shapes: B texts of a batch, N texts of a split, D features, C classes.
"""

import numpy as np

from attention_zoo.pipelines.baselines.texts import tfidf_regression_predictions, tfidf_ridge_predictions
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.scores.answer_lists import answered, confusion_of, keep_answers, spread_line
from attention_zoo.pipelines.engine.scores.classification import classification_scores
from attention_zoo.pipelines.engine.scores.regression import correlation_line, pearson, regression_scores
from attention_zoo.pipelines.engine.training.losses import classification_loss, regression_loss
from attention_zoo.pipelines.engine.views import ConfusionMatrix, Scatter
from attention_zoo.pipelines.text_classification.answers import TextClassifier, TextRegressor
from attention_zoo.pipelines.text_classification.linear_probe import fit_probe, fit_ridge


class Classes:
    """Labels are classes.

    Args:
        texts: `LabelledTexts` by split.

    Attributes:
        Answers: What answers raw text with a model.
    """

    Answers = TextClassifier

    def __init__(self, texts):
        self.names = texts["train"].names

    def things(self, texts):
        """Returns what the texts of a split are, for messages."""
        return f"texts of {len(self.names):,} classes"

    def begin(self, model):
        """Gives a built model what is known before training: nothing."""

    def fit_probe(self, features, labels):
        """Returns kernel `(D, C)` and bias `(C,)` of a linear probe on features `(N, D)`."""
        return fit_probe(features, labels, len(self.names))

    def rate_factors(self, optimizer):
        """Returns the factors of the learning rate that the labels ask for: none."""
        return {}

    def loss(self, labels, logits, smoothing):
        """Cross-entropy of labels `(B,)` and logits `(B, C)`, as `Task.loss`."""
        return classification_loss(labels, logits, smoothing)

    def as_answers(self, labels):
        """Returns labels as a model would answer them: names."""
        return [self.names[label] for label in labels]

    def scores(self, labels, answers):
        """Accuracy and macro F1 in percent, of labels `(N,)` and N answers of `Answers`."""
        return classification_scores(self.as_answers(labels), [answer["class"] for answer in answers])

    def keep(self, path, labels, answers):
        """Writes the answers with the truths."""
        found = ([answer[name] for answer in answers] for name in ("class", "probability"))
        keep_answers(path, self.as_answers(labels), *found)

    def kept(self, path):
        """Returns truths and answers of a file, strings `(N,)` each."""
        truths, answers = zip(*answered(path))
        return np.array(truths), np.array(answers)

    def tfidf(self, train, labels, test):
        """Answers of a logistic regression on TF-IDF to test texts."""
        return np.array(self.as_answers(tfidf_regression_predictions(train, labels, test)))

    def compare(self, name, path, others):
        """Prints how far the run is from the answers of a baseline, and returns the baseline's accuracy."""
        truths, answers = self.kept(path)
        print(spread_line(name, truths == answers, truths == others))
        return 100.0 * float(np.mean(truths == others))

    def draw(self, path, directory):
        """Draws which classes were taken for which, from a file of answers. Returns the path of the picture."""
        counts = confusion_of(path, self.names)
        title = f"test: {np.trace(counts):,} of {counts.sum():,} texts are right"
        return draw(ConfusionMatrix(self.names, counts, title), directory / "confusion.png")


class Numbers:
    """Labels are numbers, and the model's one logit is the number itself, as in transformers with one label.

    Training does as well with labels of any unit. The last layer begins with the mean of the labels as its bias, and
    with their deviation as the unit of its kernel; the loss has the deviation as its unit; and the layer's learning
    rate is multiplied by the deviation, since a step of Adam does not depend on the size of the gradient. The encoder
    thus learns as if the labels were standardised.

    Args:
        texts: `LabelledTexts` by split.

    Attributes:
        As of `Classes`.

    Raises:
        UserError: All numbers of a split are the same, so that nothing correlates with them.
    """

    Answers = TextRegressor

    def __init__(self, texts):
        for split, one in texts.items():
            if not np.ptp(one.labels):
                raise UserError(
                    "--data.dataset, --data.files: expected at least two different numbers in every split, received "
                    f"{one.labels[0]:g} alone in the {len(one):,} of {split}; --data.dev and --data.test name others"
                )
        numbers = np.array(texts["train"].labels, "float64")
        self.mean, self.deviation = float(numbers.mean()), float(numbers.std())

    def things(self, texts):
        """Returns what the texts of a split are, for messages."""
        return f"texts with numbers from {texts.labels.min():g} to {texts.labels.max():g}"

    def begin(self, model):
        """Gives the last layer of a built model the mean and the deviation of the labels."""
        model.classes.kernel.assign(model.classes.kernel * self.deviation)
        model.classes.bias.assign([self.mean])

    def fit_probe(self, features, labels):
        """Returns kernel `(D, 1)` and bias `(1,)` of a ridge regression on features `(N, D)`."""
        return fit_ridge(features, labels)

    def rate_factors(self, optimizer):
        """Returns the factors of the learning rate of the last layer.

        The step of sgd is in proportion to the gradient, which falls as the deviation grows.
        """
        factor = self.deviation**2 if optimizer == "sgd" else self.deviation
        return {"classes/kernel": factor, "classes/bias": factor}

    def loss(self, labels, logits, smoothing):
        """Squared errors of labels `(B,)` and logits `(B, 1)`, in units of the deviation, as `Task.loss`."""
        return regression_loss(labels, logits[:, 0], self.deviation)

    def as_answers(self, labels):
        """Returns labels as a model would answer them: numbers."""
        return np.asarray(labels, "float32")

    def scores(self, labels, answers):
        """Pearson's and Spearman's correlation times 100, of labels `(N,)` and N answers of `Answers`."""
        return regression_scores(labels, [answer["number"] for answer in answers])

    def keep(self, path, labels, answers):
        """Writes the answers with the truths."""
        keep_answers(path, self.as_answers(labels), self.as_answers([answer["number"] for answer in answers]))

    def kept(self, path):
        """Returns truths and answers of a file, floats `(N,)` each."""
        return np.array(answered(path)).astype("float64").T

    def tfidf(self, train, labels, test):
        """Answers of a ridge regression on TF-IDF to test texts."""
        return tfidf_ridge_predictions(train, labels, test)

    def compare(self, name, path, others):
        """Prints how far the run is from the answers of a baseline, and returns the baseline's correlation."""
        truths, answers = self.kept(path)
        print(correlation_line(name, truths, answers, others))
        return pearson(truths, others)

    def draw(self, path, directory):
        """Draws answers against truths, from a file of answers. Returns the path of the picture."""
        truths, answers = self.kept(path)
        title = f"test: {len(truths):,} texts, Pearson {pearson(truths, answers):.1f}"
        return draw(Scatter(truths, answers, title), directory / "scatter.png")


TARGETS = {"classes": Classes, "numbers": Numbers}
