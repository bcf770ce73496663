"""Whole words: a vocabulary counted from text, and answers joined from it in the TensorFlow graph.

For answers in short sentences of few words, such as captions, where a word is what attention is looked at for. Text
that comes in at serving, or of many words, is for `Subwords`.
"""

import re
from collections import Counter

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, UNK

_SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")  # by the ids PAD, UNK, BOS, EOS
_WORD = re.compile(r"\w+(?:['’-]\w+)*|,")


def split_words(text):
    """Splits a sentence into lower-case words and commas; other punctuation is left out.

    Example:

    >>> split_words("A dog's ball, on the t-shirt.")
    ['a', "dog's", 'ball', ',', 'on', 'the', 't-shirt']
    """
    return _WORD.findall(text.lower())


def learn_words(sentences, vocabulary_size):
    """Counts words.

    Args:
        sentences: Iterable of strings.
        vocabulary_size: Words to keep at most, the most frequent ones, the four special ones included.

    Returns:
        A list of words for `Words`, from the most frequent to the rarest, those of the same number by the alphabet.

    Raises:
        UserError: there is no word, or room for none.

    Example:

    >>> learn_words(["a dog", "a cat, a dog", "an owl"], vocabulary_size=7)
    ['a', 'dog', ',']
    """
    counts = Counter(word for sentence in sentences for word in split_words(sentence))
    room = vocabulary_size - len(_SPECIAL)
    if not counts or room < 1:
        raise UserError(
            f"vocabulary_size: expected more than {len(_SPECIAL)}, and a word to learn; "
            f"received {vocabulary_size}, and {len(counts)} words"
        )
    return sorted(counts, key=lambda word: (-counts[word], word))[:room]


class Words(tf.Module):
    """Numbers words, and joins them again.

    Args:
        words: As `learn_words` returns them; word n has the id n + 4.

    Example:

    >>> words = Words(["a", "dog", ","])
    >>> ids = words.encode(["A dog, a cat"])
    >>> ids.to_list()
    [[4, 5, 6, 4, 1]]
    >>> words.join(ids.to_tensor()).numpy().tolist()
    [b'a dog, a <unk>']
    """

    def __init__(self, words):
        super().__init__(name="words")
        self._names = (*_SPECIAL, *words)
        self._ids = {word: number for number, word in enumerate(words, start=len(_SPECIAL))}

    @property
    def vocabulary_size(self):
        """Number of words, the four special ones included."""
        return len(self._names)

    def encode(self, sentences):
        """Numbers the words of Python strings, without begin and end of sentence: int32 RaggedTensor `(B, None)`."""
        rows = [[self._ids.get(word, UNK) for word in split_words(sentence)] for sentence in sentences]
        lengths = [len(row) for row in rows]
        return tf.RaggedTensor.from_row_lengths(tf.constant([i for row in rows for i in row], tf.int32), lengths)

    def names(self, ids):
        """Names ids, as strings of the same shape."""
        return tf.gather(tf.constant(list(self._names)), ids)

    def join(self, ids):
        """Joins padded ids `(B, T)` to sentences `(B,)`; padding, begin and end of sentence are left out."""
        seen = (ids != PAD) & (ids != BOS) & (ids != EOS)
        parts = tf.where(seen, " " + self.names(ids), "")
        return tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(parts, axis=-1), " ,", ","))
