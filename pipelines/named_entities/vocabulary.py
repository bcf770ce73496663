"""Numbers of words and of their characters, in the TensorFlow graph: training and serving read a word alike."""

from collections import Counter

import tensorflow as tf
import tensorflow_text as tf_text

from attention_zoo.pipelines.engine.text.special_tokens import PAD, UNK

FIRST = UNK + 1  # id of the first word or character
LONGEST = 24  # characters of a word that are read


def folded(words):
    """Returns words as the vocabulary has them: composed accents, lower case, every digit 0."""
    lower = tf.strings.lower(tf_text.normalize_utf8(words, "NFC"), encoding="utf-8")
    return tf.strings.regex_replace(lower, r"\pN", "0")


def learn_vocabulary(words, size, characters):
    """Counts words.

    Args:
        words: String Tensor `(N,)`, all words of the training data, each as often as it occurs.
        size: Words to keep at most.
        characters: Characters to keep at most.

    Returns:
        `(words, characters)`: lists, from the most frequent to the rarest, of folded words, and of characters as they
        are written.

    Example:

    >>> learn_vocabulary(tf.constant(["Rome", "rome", "1996"]), 9, 9)[0]
    ['rome', '0000']
    """
    counts = Counter(word.decode() for word in folded(words).numpy().tolist())
    composed = tf_text.normalize_utf8(words, "NFC").numpy().tolist()
    spelled = Counter(character for word in composed for character in word.decode())
    return tuple(
        sorted(counted, key=lambda one, counted=counted: (-counted[one], one))[:room]
        for counted, room in ((counts, size), (spelled, characters))
    )


class TaggerVocabulary(tf.Module):
    """Turns words into the inputs of a `SequenceTagger`.

    Args:
        words: Folded words; word n has the id n + 2.
        characters: Characters, likewise.

    Example:

    >>> vocabulary = TaggerVocabulary(["rome", "0000"], ["R", "o", "m", "e"])
    >>> vocabulary.word_ids(tf.constant(["ROME", "1996", "Paris"])).numpy().tolist()
    [2, 3, 1]
    >>> vocabulary.character_ids(tf.constant(["Rom", "é"])).numpy()[:, :4].tolist()
    [[2, 3, 4, 0], [1, 0, 0, 0]]
    """

    def __init__(self, words, characters):
        super().__init__(name="vocabulary")
        self.sizes = (len(words) + FIRST, len(characters) + FIRST)
        self._words = self._table(tf.constant(list(words), tf.string))
        self._characters = self._table(tf.constant([ord(one) for one in characters], tf.int64))

    def _table(self, keys):
        ids = tf.range(FIRST, FIRST + len(keys), dtype=tf.int64)
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, ids), default_value=UNK)

    def word_ids(self, words):
        """Returns the ids of words `(N,)`, int32."""
        return tf.cast(self._words.lookup(folded(words)), tf.int32)

    def character_ids(self, words):
        """Returns the ids of the characters of words `(N,)`, int32 `(N, LONGEST)`; what is longer is cut."""
        points = tf.strings.unicode_decode(tf_text.normalize_utf8(words, "NFC"), "UTF-8")[:, :LONGEST]
        ids = tf.ragged.map_flat_values(lambda flat: self._characters.lookup(tf.cast(flat, tf.int64)), points)
        return tf.cast(ids.to_tensor(PAD, shape=[None, LONGEST]), tf.int32)
