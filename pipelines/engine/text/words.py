"""Whole words: a vocabulary counted from text, and answers joined from it in the TensorFlow graph.

For answers in short sentences with a small vocabulary, such as captions, where attention is shown for each word. Text
that is an input of serving, or has a large vocabulary, needs `Subwords`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, UNK

_SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")  # by the ids PAD, UNK, BOS, EOS
_WORD = re.compile(r"\w+(?:['’-]\w+)*|,")


def split_words(text: str) -> list[str]:
    """Splits a sentence into lower-case words and commas; other punctuation is left out.

    Example:

    >>> split_words("A dog's ball, on the t-shirt.")
    ['a', "dog's", 'ball', ',', 'on', 'the', 't-shirt']
    """
    return _WORD.findall(text.lower())


def learn_words(sentences: Iterable[str], vocabulary_size: int) -> list[str]:
    """Counts words.

    Args:
        sentences: Iterable of strings.
        vocabulary_size: Words to keep at most, the most frequent ones, the four special ones included.

    Returns:
        A list of words for `Words`, from the most frequent to the rarest; words of the same frequency are sorted.

    Raises:
        UserError: There is no word in the sentences, or `vocabulary_size` has no room for one.

    Example:

    >>> learn_words(["a dog", "a cat, a dog", "an owl"], vocabulary_size=7)
    ['a', 'dog', ',']
    """
    counts = Counter(word for sentence in sentences for word in split_words(sentence))
    room = vocabulary_size - len(_SPECIAL)
    if not counts or room < 1:
        raise UserError(
            f"--data.vocabulary_size: expected more than {len(_SPECIAL)}, and text with words; "
            f"received {vocabulary_size}, and text with {len(counts)} words"
        )
    return sorted(counts, key=lambda word: (-counts[word], word))[:room]


class Words(tf.Module):
    """Turns words into ids, and joins ids to sentences.

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

    def __init__(self, words: Sequence[str]):
        super().__init__(name="words")
        self._names = (*_SPECIAL, *words)
        self._ids = {word: number for number, word in enumerate(words, start=len(_SPECIAL))}

    @property
    def vocabulary_size(self) -> int:
        """Number of words, the four special ones included."""
        return len(self._names)

    def encode(self, sentences: Iterable[str]) -> tf.RaggedTensor:
        """Returns the ids of the words of Python strings, without BOS and EOS: int32 RaggedTensor `(B, None)`."""
        rows = [[self._ids.get(word, UNK) for word in split_words(sentence)] for sentence in sentences]
        lengths = [len(row) for row in rows]
        return tf.RaggedTensor.from_row_lengths(tf.constant([i for row in rows for i in row], tf.int32), lengths)

    def names(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the words of ids, as strings of the same shape."""
        return tf.gather(tf.constant(list(self._names)), ids)

    def join(self, ids: tf.Tensor) -> tf.Tensor:
        """Joins padded ids `(B, T)` to sentences `(B,)`; padding, begin and end of sentence are left out."""
        seen = (ids != PAD) & (ids != BOS) & (ids != EOS)
        parts = tf.where(seen, " " + self.names(ids), "")
        return tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(parts, axis=-1), " ,", ","))
