"""From raw text to what an encoder takes, in the graph: the tokeniser of a folder with its special tokens.

Shapes: B texts, T tokens.
"""

from typing import Any

import tensorflow as tf
import tensorflow_text


class TextReader(tf.Module):
    """Tokenises texts, or pairs of texts, adds the special tokens, cuts what is too long, and pads at the right.

    A text becomes `first text last`, a pair `first text last second last`. Of a pair that is too long the longer one
    loses tokens, one by one, as in transformers' "longest_first".

    Args:
        tokenizer: A `WordPieces`.
        first: Id of the token before a text, such as that of "[CLS]".
        last: Id of the token after a text, such as that of "[SEP]".
        pad: Id of padding.
        mask: Id of the token that stands for a hidden one.
        max_tokens: Largest number of tokens of a row, the special ones included.
    """

    def __init__(
        self,
        tokenizer: Any,
        first: int,
        last: int,
        pad: int,
        mask: int,
        max_tokens: int,
    ):
        super().__init__(name="text_reader")
        self.tokenizer = tokenizer
        self.first, self.last, self.pad, self.mask = first, last, pad, mask
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
        room = self.max_tokens - (2 if pair is None else 3)
        parts = [parts[0][:, :room]] if pair is None else tensorflow_text.ShrinkLongestTrimmer(room).trim(parts)
        rows = tf.shape(text)[0]
        first, last = (tf.fill([rows, 1], tf.constant(token, tf.int32)) for token in (self.first, self.last))
        begin = tf.concat([first, parts[0], last], axis=1)
        row = begin if pair is None else tf.concat([begin, parts[1], last], axis=1)
        size = row.row_lengths()
        tokens = row.to_tensor(self.pad)  # (B, T)
        mask = tf.sequence_mask(size, tf.shape(tokens)[1])
        second = tf.sequence_mask(begin.row_lengths(), tf.shape(tokens)[1])
        segments = tf.cast(mask & ~second, tf.int32)
        return {"tokens": tokens, "mask": mask, "segments": segments}, lengths > room

    def pieces(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape."""
        return self.tokenizer.pieces(tokens)
