"""From raw text to what an encoder takes, in the graph: the tokeniser of a folder with its special tokens.

Shapes: B texts, T tokens.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text


class TextReader(tf.Module):
    """Tokenises texts, or pairs of texts, adds the special tokens, cuts what is too long, and pads at the right.

    A text becomes `before text after`, a pair `before text between second after`. Of a pair that is too long the longer
    one loses tokens, one by one, as in transformers' "longest_first".

    Args:
        tokenizer: A `WordPieces` or a `BytePairs`.
        before: Ids of the tokens before a text, such as that of "[CLS]".
        between: Ids of the tokens between the texts of a pair, such as that of "[SEP]". They belong to the first.
        after: Ids of the tokens after all.
        pad: Id of padding.
        max_tokens: Largest number of tokens of a row, the special ones included.
        mask: Id of the token that stands for a hidden one. Defaults to `None`: there is none.
        segments: Whether the second text of a pair is segment 1. Defaults to `True`; without, all is segment 0.
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
    ):
        super().__init__(name="text_reader")
        self.tokenizer = tokenizer
        self.before, self.between, self.after = (list(ids) for ids in (before, between, after))
        self.pad, self.mask, self.segments = pad, mask, segments
        self.max_tokens = max_tokens

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
        parts = [parts[0][:, :room]] if pair is None else tensorflow_text.ShrinkLongestTrimmer(room).trim(parts)
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
        return {"tokens": tokens, "mask": mask, "segments": segments}, lengths > room

    def pieces(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape."""
        return self.tokenizer.pieces(tokens)
