"""Documents as ids of words, in sentences: a vocabulary counted from text, and the reading of raw text in the graph."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.text.sentences import split_sentences
from attention_zoo.pipelines.engine.text.special_tokens import PAD, UNK

FIRST = max(PAD, UNK) + 1  # id of the most frequent word
READ_TOGETHER = 128  # documents


def normalized(words: tf.Tensor) -> tf.Tensor:
    """Returns words as the vocabulary has them: lower case, accents composed."""
    return tf.strings.lower(tf_text.normalize_utf8(words, "NFC"), encoding="utf-8")


def count_words(texts: Sequence[str], max_words: int) -> Counter[bytes]:
    """Counts the normalized words of texts, split into sentences of at most `max_words` words.

    Example:

    >>> count_words(["A cat. A dog.", "a"], 50).most_common(2)
    [(b'a', 3), (b'.', 2)]
    """
    counts: Counter[bytes] = Counter()
    split = tf.function(
        lambda batch: normalized(split_sentences(batch, max_words)[0].flat_values),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    for start in counted(range(0, len(texts), READ_TOGETHER)):
        counts.update(split(tf.constant(texts[start : start + READ_TOGETHER])).numpy().tolist())
    return counts


def choose_words(counts: Counter[bytes], vocabulary_size: int, min_count: int) -> list[str]:
    """Returns the words of a vocabulary, the most frequent first; words of the same count are sorted.

    Args:
        counts: Count of each word.
        vocabulary_size: Ids to keep at most, those of padding and of unknown words included.
        min_count: Least count of a word that is kept.

    Raises:
        UserError: No word is left.

    Example:

    >>> choose_words(Counter({b"a": 3, b"cat": 2, b"an": 2, b"owl": 1}), vocabulary_size=5, min_count=2)
    ['a', 'an', 'cat']
    """
    known = [word for word, count in counts.items() if count >= min_count]
    chosen = sorted(known, key=lambda word: (-counts[word], word))[: max(0, vocabulary_size - FIRST)]
    if not chosen:
        raise UserError(
            f"--data.min_count, --data.vocabulary_size: expected values that leave a word of {len(counts):,}, "
            f"received {min_count} and {vocabulary_size}"
        )
    return [word.decode() for word in chosen]


class DocumentReader(tf.Module):
    """Turns raw text into ids of words in sentences, in the graph.

    Args:
        words: As `choose_words` returns them.
        max_words: Longest sentence; longer ones are cut into several.
        max_sentences: Most sentences of a document; the others are not read.

    Example:

    >>> reader = DocumentReader(["a", "cat", "."], max_words=50, max_sentences=2)
    >>> documents = reader.read(tf.constant(["A cat. An owl. A cat.", ""]))
    >>> documents["ids"].to_list(), documents["truncated"].numpy().tolist()
    ([[[2, 3, 4], [1, 1, 4]], []], [True, False])
    """

    def __init__(self, words: Sequence[str], max_words: int, max_sentences: int):
        super().__init__(name="document_reader")
        self.max_words = max_words
        self.max_sentences = max_sentences
        self.vocabulary_size = len(words) + FIRST
        ids = tf.range(FIRST, self.vocabulary_size, dtype=tf.int64)
        entries = tf.lookup.KeyValueTensorInitializer(tf.constant(list(words)), ids)
        self.table = tf.lookup.StaticHashTable(entries, default_value=UNK)

    def read(self, text: tf.Tensor) -> dict[str, Any]:
        """Reads documents.

        Args:
            text: UTF-8 strings `(B,)`.

        Returns:
            A dict. "ids" int32, "words" as they are written, "starts" and "ends", int64 offsets in bytes:
            RaggedTensors `(B, None, None)`. "truncated" bool `(B,)`: whether sentences were left out.
        """
        parts: Any = split_sentences(text, self.max_words)
        truncated = parts[0].row_lengths() > self.max_sentences
        words, starts, ends = (part[:, : self.max_sentences] for part in parts)
        ids = tf.cast(self.table.lookup(normalized(words.flat_values)), tf.int32)
        return {
            "ids": words.with_flat_values(ids),
            "words": words,
            "starts": starts,
            "ends": ends,
            "truncated": truncated,
        }

    def read_all(self, texts: Sequence[str]) -> tf.RaggedTensor:
        """Returns the ids of many documents, int32 RaggedTensor `(N, None, None)`."""
        read = tf.function(
            lambda text: self.read(text)["ids"], input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )
        starts = range(0, max(1, len(texts)), READ_TOGETHER)
        parts: Any = [read(tf.constant(texts[start : start + READ_TOGETHER])) for start in counted(starts)]
        return tf.concat(parts, axis=0)  # pyright: ignore[reportReturnType]
