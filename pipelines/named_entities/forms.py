"""The distinct words of a run's data, and what the model reads of each, so that batches hold only their numbers."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.hub.text_reader import cut


class WordForms:
    """Numbers the distinct words of the data from 1; 0 is padding.

    Args:
        splits: Dict of "train" and other splits to their words, string RaggedTensors `(N, None)`.
        vocabulary: `TaggerVocabulary`.
        reader: `TextReader` of the encoder of words. Defaults to `None`.

    Attributes:
        numbers: Dict of the splits to the numbers of their words, int64 RaggedTensors `(N, None)`. Where there is a
            reader, the words for which it has no room are left out.

    Example:

    >>> from attention_zoo.pipelines.named_entities.vocabulary import TaggerVocabulary
    >>> forms = WordForms({"train": tf.ragged.constant([["in", "Rome"], ["in"]])}, TaggerVocabulary(["rome"], ["R"]))
    >>> forms.numbers["train"].to_list(), forms.inputs(tf.constant([[2, 1], [2, 0]]))["words"].numpy().tolist()
    ([[2, 1], [2]], [[1, 2], [1, 0]])
    """

    def __init__(self, splits, vocabulary, reader=None):
        flat = tf.concat([words.flat_values for words in splits.values()], axis=0)
        distinct, numbers = np.unique(flat.numpy(), return_inverse=True)
        ends = np.cumsum([words.flat_values.shape[0] for words in splits.values()])
        parts = zip(splits.items(), np.split(numbers + 1, ends[:-1]))
        self.numbers = {split: words.with_flat_values(tf.constant(part)) for (split, words), part in parts}
        distinct = tf.constant([b"", *distinct.tolist()])
        ids = vocabulary.word_ids(distinct).numpy() * (np.arange(len(distinct)) > 0)
        train = self.numbers["train"].flat_values.numpy()
        self.ids = tf.constant(ids)
        self.single = tf.constant(np.bincount(ids[train], minlength=vocabulary.sizes[0])[ids] == 1)
        self.characters = vocabulary.character_ids(distinct)
        self.reader = reader
        if reader:
            self.pieces = reader.pieces_of_words(distinct)
            for split, rows in self.numbers.items():
                columns = reader.read_pieces(tf.gather(self.pieces, rows))[1]
                self.numbers[split] = cut(rows, columns.row_lengths())

    def inputs(self, numbers):
        """Returns what a model reads of words `(B, T)`: "words", and for its encoder what it reads, and "columns"."""
        words = {"words": tf.gather(self.ids, numbers)}
        if self.reader is None:
            return words
        rows = tf.RaggedTensor.from_tensor(numbers, padding=0)
        tokens, columns = self.reader.read_pieces(tf.gather(self.pieces, rows))
        return words | tokens | {"columns": columns.to_tensor()}

    def rare(self, numbers):
        """Returns whether words `(B, T)` occur once in the training data, bool."""
        return tf.gather(self.single, numbers)
