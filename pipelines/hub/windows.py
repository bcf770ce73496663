"""Windows of texts that are longer than an encoder reads, each with the question about the text before it.

A window begins half a window after the one before it, so that a part of the text of up to half a window is whole in one
of them (the "doc stride" of BERT's evaluation on SQuAD).

Shapes: B texts, N windows of all of them, T tokens of a window.
"""

from typing import NamedTuple

import tensorflow as tf

from attention_zoo.pipelines.hub.text_reader import TextReader

MOST = 16  # windows of a text, so that one of any length takes a bounded time
QUESTION = 64  # tokens of a question that are read, as in BERT's evaluation


class Windows(NamedTuple):
    """The windows of texts, those of a text one after the other.

    Args:
        inputs: Of the encoder: "tokens" and "segments", int32 `(N, T)`, and "mask", bool `(N, T)`.
        of_texts: int64 RaggedTensor `(B, None)`: the numbers of the windows of each text, at least one.
        columns: int64 `(N,)`, the column of the first token of the text.
        starts: int64 RaggedTensor `(N, None)`: for each token of the text, the offset in bytes of the first byte of the
            word that it is of.
        ends: The offset of the byte after the last one of that word.
        truncated: bool `(B,)`, whether a question or a text has tokens that are in no window.
    """

    inputs: dict[str, tf.Tensor]
    of_texts: tf.RaggedTensor
    columns: tf.Tensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    truncated: tf.Tensor


def read_windows(reader: TextReader, question: tf.Tensor, context: tf.Tensor) -> Windows:
    """Reads questions and texts in windows of at most `max_tokens` of a reader.

    Args:
        reader: A `TextReader` whose tokeniser knows where words are: `tokenize_with_offsets`.
        question: Strings `(B,)`. One of more than half a window is cut.
        context: Strings `(B,)`, the texts.

    Example: a window has room for five tokens, of which two are the question's.

    >>> from attention_zoo.pipelines.engine.text.wordpieces import WordPieces
    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "a", "b", "c", "d", "e", "?"])
    >>> reader = TextReader(pieces, before=[2], between=[3], after=[3], pad=0, max_tokens=8)
    >>> found = read_windows(reader, tf.constant(["who?"]), tf.constant(["a b c d e"]))
    >>> [" ".join(row) for row in reader.pieces(found.inputs["tokens"]).numpy().astype(str)]
    ['[CLS] who ? [SEP] a b c [SEP]', '[CLS] who ? [SEP] c d e [SEP]']
    >>> found.of_texts.to_list(), found.columns.numpy().tolist(), found.starts.to_list()
    ([[0, 1]], [4, 4], [[0, 2, 4], [4, 6, 8]])
    """
    room = reader.max_tokens - len(reader.before) - len(reader.between) - len(reader.after)
    asked = reader.tokenizer.tokenize(question)  # (B, None)
    longest = min(QUESTION, room // 2)
    cut = asked.row_lengths() > longest
    asked = asked[:, :longest]
    words, starts, ends = reader.tokenizer.tokenize_with_offsets(context)
    tokens, sizes = words.merge_dims(1, 2), words.values.row_lengths()  # (B, None), (words,)
    lengths = tokens.row_lengths()
    size = room - asked.row_lengths()  # (B,), tokens of the text in a window
    step = (size + 1) // 2
    count = 1 + -(-tf.maximum(lengths - size, 0) // step)
    numbers = tf.ragged.range(tf.minimum(count, MOST))  # (B, None)
    rows = numbers.value_rowids()
    first = numbers.values * tf.gather(step, rows)
    last = tf.minimum(first + tf.gather(size, rows), tf.gather(lengths, rows))
    before = tf.gather(tokens.row_starts(), rows)
    places = tf.ragged.range(before + first, before + last)  # (N, None)
    inputs, _, columns, _ = reader.arrange([tf.gather(asked, rows), tf.gather(tokens.values, places)])
    of_texts = numbers.with_values(tf.range(tf.size(rows, tf.int64)))
    starts, ends = (tf.gather(tf.repeat(offsets.values, sizes), places) for offsets in (starts, ends))
    return Windows(inputs, of_texts, columns, starts, ends, cut | (count > MOST))
