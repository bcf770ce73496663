"""From raw text to what an encoder takes, in the graph: the tokeniser of a folder with its special tokens.

Shapes: B texts, T tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from attention_zoo.pipelines.engine.text.byte_words import row_numbers


class Words(NamedTuple):
    """The words of texts of which a model read at least the first token, int64 RaggedTensors `(B, None)`.

    Args:
        starts: Offset in bytes of the first byte of each word in its text.
        ends: Offset of the byte after its last one.
        columns: Column of its first token in "tokens".
        sizes: Number of its tokens that were read.
    """

    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    columns: tf.RaggedTensor
    sizes: tf.RaggedTensor


class TextReader(tf.Module):
    """Tokenises texts, or pairs of texts, adds the special tokens, cuts what is too long, and pads at the right.

    A text becomes `before text after`, a pair `before text between second after`. A pair that is too long is cut as by
    transformers' "longest_first" (see `shrunk`).

    Args:
        tokenizer: A `WordPieces`, `BytePairs`, `SentencePieces` or `VocabularyPieces`.
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
        texts = [text] if pair is None else [text, pair]
        return self.arrange([self.tokenizer.tokenize(one) for one in texts])[:2]

    def read_words(
        self, text: tf.Tensor, pair: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, Words]:
        """Returns what `read` returns, and the `Words` of the texts, or of the second text of each pair.

        Raises:
            AttributeError: The tokeniser is a `VocabularyPieces`, which does not know the places of words.
        """
        tokens, starts, ends = self.tokenizer.tokenize_with_offsets(text if pair is None else pair)
        last = tokens.merge_dims(1, 2)
        inputs, cut, begins, kept = self.arrange([last] if pair is None else [self.tokenizer.tokenize(text), last])
        rows = row_numbers(starts)
        places = places_of(tokens, rows)
        sizes = tf.minimum(tokens.values.row_lengths(), tf.gather(kept, rows) - places)
        read = (sizes > 0) & (ends.values > starts.values)
        columns = tf.gather(begins, rows) + places
        flat = Words(starts.values, ends.values, columns, sizes)
        kept_words = (tf.ragged.boolean_mask(starts.with_values(v), starts.with_values(read)) for v in flat)
        return inputs, cut, Words(*kept_words)  # pyright: ignore[reportArgumentType]

    def pieces_of_words(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Tokenises words that something else has split, each as in the middle of a text.

        Args:
            words: Strings `(N,)`.

        Returns:
            int32 RaggedTensor `(N, None)`, at least one token each: padding for what the tokeniser leaves out.
        """
        pieces = self.tokenizer.tokenize(tf.strings.join([" ", words]))
        none = tf.cast(pieces.row_lengths() == 0, tf.int64)  # (N,)
        padding = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(none)], self.pad), none, validate=False)
        padded: Any = tf.concat([pieces, padding], axis=1)
        return padded

    def read_pieces(self, pieces: tf.RaggedTensor) -> tuple[dict[str, tf.Tensor], tf.RaggedTensor]:
        """Returns what `__call__` returns for texts of words that `pieces_of_words` tokenised, and where the words are.

        Args:
            pieces: int32 RaggedTensor `(B, None, None)`, the tokens of the words of texts.

        Returns:
            The inputs of the encoder, and an int64 RaggedTensor `(B, None)`: the column of the first token of each word
            for which there is room.
        """
        inputs, _, begins, kept = self.arrange([pieces.merge_dims(1, 2)])
        rows = pieces.value_rowids()
        places = places_of(pieces, rows)
        columns = pieces.with_values(tf.gather(begins, rows) + places)
        return inputs, tf.ragged.boolean_mask(columns, columns.with_values(places < tf.gather(kept, rows)))

    def arrange(self, parts: list[Any]) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        """Adds the special tokens to the tokens of a text, or of two, cuts what is too long, and pads.

        Args:
            parts: List of one or two RaggedTensors `(B, None)`.

        Returns:
            The inputs of the encoder; bool `(B,)`, whether a text was cut; and int64 `(B,)` each, the column of the
            first token of the last text, and the number of its tokens.
        """
        paired = len(parts) > 1
        lengths = tf.add_n([part.row_lengths() for part in parts])
        room = self.max_tokens - len(self.before) - len(self.after) - (len(self.between) if paired else 0)
        parts = shrunk(parts[0], parts[1], room) if paired else [parts[0][:, :room]]
        rows = tf.size(lengths)
        before, between, after = (
            tf.tile(tf.constant([ids], tf.int32), tf.stack([rows, 1]))
            for ids in (self.before, self.between, self.after)
        )
        begin = tf.concat([before, parts[0], between if paired else after], axis=1)
        row = tf.concat([begin, parts[1], after], axis=1) if paired else begin
        size = row.row_lengths()
        tokens = row.to_tensor(self.pad)  # (B, T)
        mask = tf.sequence_mask(size, tf.shape(tokens)[1])
        first = tf.sequence_mask(begin.row_lengths(), tf.shape(tokens)[1])
        segments = tf.cast(mask & ~first, tf.int32) if self.segments else tf.zeros_like(tokens)
        if self.last_segment is not None:
            last = tf.range(tf.shape(tokens)[1]) == tf.cast(size, tf.int32)[:, None] - 1  # (B, T)
            segments = tf.where(last, self.last_segment, segments)
        kept = parts[-1].row_lengths()
        begins = begin.row_lengths() if paired else len(self.before) * tf.ones_like(kept)
        return {"tokens": tokens, "mask": mask, "segments": segments}, lengths > room, begins, kept

    def pieces(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape."""
        return self.tokenizer.pieces(tokens)


def places_of(tokens: tf.RaggedTensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns the place of the first token of each word, int64 `(W,)`, among the tokens of its text.

    Args:
        tokens: Of the words of texts, `(B, None, None)`.
        rows: Number of the text of each word, `(W,)`.
    """
    return tokens.values.row_starts() - tf.gather(tokens.merge_dims(1, 2).row_starts(), rows)


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
