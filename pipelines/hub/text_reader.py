"""From raw text to what an encoder takes, in the graph: the tokeniser of a folder with its special tokens.

Shapes: B texts, T tokens.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class TextReader(tf.Module):
    """Tokenises texts, or pairs of texts, adds the special tokens, cuts what is too long, and pads at the right.

    A text becomes `before text after`, a pair `before text between second after`. A pair that is too long is cut as by
    transformers' "longest_first" (see `shrunk`).

    Args:
        tokenizer: A `WordPieces`, `BytePairs` or `SentencePieces`.
        before: Ids of the tokens before a text, such as that of "[CLS]".
        between: Ids of the tokens between the texts of a pair, such as that of "[SEP]". They belong to the first.
        after: Ids of the tokens after all.
        pad: Id of padding.
        max_tokens: Largest number of tokens of a row, the special ones included.
        mask: Id of the token that stands for a hidden one. Defaults to `None`: there is none.
        segments: Whether the second text of a pair is segment 1. Defaults to `True`; without, all is segment 0.
        last_segment: Segment of the last token of a row. Defaults to `None`: that of the text before it.
    """

    def __init__(
        self,
        tokenizer: Any,
        before: Sequence[int],
        between: Sequence[int],
        after: Sequence[int],
        pad: int,
        max_tokens: int,
        mask: int | None = None,
        segments: bool = True,
        last_segment: int | None = None,
    ):
        super().__init__(name="text_reader")
        self.tokenizer = tokenizer
        self.before, self.between, self.after = (list(ids) for ids in (before, between, after))
        self.pad, self.mask, self.segments = pad, mask, segments
        self.max_tokens, self.last_segment = max_tokens, last_segment

    def __call__(self, text: tf.Tensor, pair: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns the inputs of the encoder.

        Args:
            text: Strings `(B,)`.
            pair: Strings `(B,)`, second texts. Defaults to `None`.

        Returns:
            A dict: "tokens" and "segments", int32 `(B, T)`, and "mask", bool `(B, T)`.
        """
        return self.read(text, pair)[0]

    def read(self, text: tf.Tensor, pair: tf.Tensor | None = None) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns what `__call__` returns, and bool `(B,)`: whether a text was cut."""
        parts: list[Any] = [self.tokenizer.tokenize(one) for one in ([text] if pair is None else [text, pair])]
        lengths = tf.add_n([part.row_lengths() for part in parts])
        room = self.max_tokens - len(self.before) - len(self.after) - (0 if pair is None else len(self.between))
        parts = [parts[0][:, :room]] if pair is None else shrunk(parts[0], parts[1], room)
        rows = tf.shape(text)[0]
        before, between, after = (
            tf.tile(tf.constant([ids], tf.int32), tf.stack([rows, 1]))
            for ids in (self.before, self.between, self.after)
        )
        begin = tf.concat([before, parts[0], after if pair is None else between], axis=1)
        row = begin if pair is None else tf.concat([begin, parts[1], after], axis=1)
        size = row.row_lengths()
        tokens = row.to_tensor(self.pad)  # (B, T)
        mask = tf.sequence_mask(size, tf.shape(tokens)[1])
        first = tf.sequence_mask(begin.row_lengths(), tf.shape(tokens)[1])
        segments = tf.cast(mask & ~first, tf.int32) if self.segments else tf.zeros_like(tokens)
        if self.last_segment is not None:
            last = tf.range(tf.shape(tokens)[1]) == tf.cast(size, tf.int32)[:, None] - 1  # (B, T)
            segments = tf.where(last, self.last_segment, segments)
        return {"tokens": tokens, "mask": mask, "segments": segments}, lengths > room

    def pieces(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape."""
        return self.tokenizer.pieces(tokens)


def shrunk(first: tf.RaggedTensor, second: tf.RaggedTensor, room: int) -> list[tf.RaggedTensor]:
    """Cuts the longer row of each pair, and if both are longer than half of the room, both to halves.

    The row that was longer gets the odd token, the second one if they were equal: as Hugging Face's tokenisers do.

    Args:
        first: `(B, None)`.
        second: `(B, None)`.
        room: Largest number of tokens of a pair.

    Example:

    >>> rows = shrunk(tf.ragged.constant([[1, 2, 3, 4]]), tf.ragged.constant([[5, 6, 7]]), room=5)
    >>> [row.to_list() for row in rows]
    [[[1, 2, 3]], [[5, 6]]]
    """
    lengths = tf.stack([first.row_lengths(), second.row_lengths()])  # (2, B)
    short = tf.minimum(tf.reduce_min(lengths, axis=0), room // 2)  # (B,)
    first_is_longer = lengths[0] > lengths[1]
    kept = tf.where([first_is_longer, ~first_is_longer], room - short, short)  # (2, B)
    return [cut(row, size) for row, size in zip((first, second), tf.unstack(tf.minimum(lengths, kept)))]


def cut(rows: tf.RaggedTensor, sizes: tf.Tensor) -> tf.RaggedTensor:
    """Returns the first tokens of rows: so many of each."""
    places = tf.ragged.range(rows.row_lengths()).flat_values
    return tf.ragged.boolean_mask(rows, rows.with_values(places < tf.repeat(sizes, rows.row_lengths())))
