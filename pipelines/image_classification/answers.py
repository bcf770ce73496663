"""The answers of a classifier on a split: as a list in a file, and as the counts of a confusion matrix."""

import csv
import io

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.storage.files import atomic_write

COLUMNS = ("image", "truth", "answer", "probability")


def answers_of(model, batches):
    """Returns the true class, the answered class and its probability of each image, arrays `(N,)`.

    Args:
        model: Any model from images to logits.
        batches: Batches of `images` and one-hot `labels`, as `preprocess` makes them.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(batch):
        logits = tf.cast(model(batch["images"], training=False), tf.float32)  # (B, K)
        probability = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
        return tf.argmax(batch["labels"], -1), tf.argmax(logits, -1), probability

    return [np.concatenate(column) for column in zip(*[[part.numpy() for part in answer(batch)] for batch in batches])]


def keep_answers(path, files, labels, truths, answers, probabilities):
    """Writes a line for each image, TSV with a head: its file or else its number from 1, truth, answer, probability."""
    text = io.StringIO()
    writer = csv.writer(text, "excel-tab", lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, (truth, answer, probability) in enumerate(zip(truths, answers, probabilities)):
        writer.writerow([files[row] if files else row + 1, labels[truth], labels[answer], f"{probability:.4f}"])
    atomic_write(path, text.getvalue())


def confusion_of(path, labels):
    """Returns how many images of a class (row) got which answer (column), int `(K, K)`, from the file of answers."""
    numbers = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, dialect="excel-tab"):
            counts[numbers[row["truth"]], numbers[row["answer"]]] += 1
    return counts
