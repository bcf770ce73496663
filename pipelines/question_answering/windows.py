"""What a model learns from: windows of texts with the places of the answers, and the loss of these places.

Windows in which the answer is not whole teach nothing, and are left out, as in the first release of BERT for SQuAD 1.1.

Shapes: B texts or windows of a batch, N windows, T tokens.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.training.losses import classification_loss
from attention_zoo.pipelines.hub.abilities.answer import NEVER
from attention_zoo.pipelines.hub.windows import read_windows

TOGETHER = 32  # texts that are read at once


def answer_windows(reader, rows):
    """Returns the windows of texts in which the answer to the question is whole, and how many questions have none.

    Args:
        reader: A `TextReader`.
        rows: `Question`s, of which the first answers are taken.

    Returns:
        A dict of RaggedTensors and the number of questions without a window: "tokens" and "segments" `(N, None)`, their
        numbers from 1, since 0 is padding; and "places" `(N, 4)`, the columns of the first and the last token of the
        answer, the column of the first token of the text, and the number of its tokens.

    Example: a window has room for five tokens, of which two are the question's.

    >>> from attention_zoo.pipelines.datasets.squad_files import Question
    >>> from attention_zoo.pipelines.engine.text.wordpieces import WordPieces
    >>> from attention_zoo.pipelines.hub.text_reader import TextReader
    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "a", "b", "c", "d", "e", "?"])
    >>> reader = TextReader(pieces, before=[2], between=[3], after=[3], pad=0, max_tokens=8)
    >>> rows = [Question("who?", "a b c d e", ("d e",), 6), Question("who?", "a b c d e", ("a b c d e",), 0)]
    >>> columns, lost = answer_windows(reader, rows)
    >>> columns["places"].to_list(), lost
    ([[5, 6, 4, 3]], 1)
    """
    specs = [tf.TensorSpec([None], dtype) for dtype in (tf.string, tf.string, tf.int64, tf.int64)]
    read = tf.function(lambda *columns: _columns(reader, *columns), input_signature=specs, autograph=False)
    found, lost = [], 0
    for start in counted(range(0, len(rows), TOGETHER)):
        some = rows[start : start + TOGETHER]
        starts = [len(row.context[: row.start].encode()) for row in some]
        ends = [start + len(row.answers[0].encode()) for start, row in zip(starts, some)]
        columns, missing = read([row.question for row in some], [row.context for row in some], starts, ends)
        found.append(columns)
        lost += int(missing)
    return {name: tf.concat([columns[name] for columns in found], axis=0) for name in found[0]}, lost


def _columns(reader, questions, contexts, starts, ends):
    """Returns the columns of some texts, whose answers are from `starts` to `ends` `(B,)` in bytes."""
    windows = read_windows(reader, questions, contexts)
    firsts, lasts = (part.to_tensor() for part in (windows.starts, windows.ends))  # (N, C)
    counts = windows.starts.row_lengths()
    there = tf.sequence_mask(counts, tf.shape(firsts)[1])
    texts = windows.of_texts.value_rowids()
    start, end = (tf.gather(offsets, texts)[:, None] for offsets in (starts, ends))
    opens = there & (firsts <= start) & (start < lasts)
    closes = there & (firsts < end) & (end <= lasts)
    first, after = tf.argmax(opens, axis=1), tf.argmax(closes[:, ::-1], axis=1)
    last = tf.shape(firsts, tf.int64)[1] - 1 - after
    kept = tf.reduce_any(opens, axis=1) & tf.reduce_any(closes, axis=1)
    places = tf.stack([windows.columns + first, windows.columns + last, windows.columns, counts], axis=1)
    lengths = tf.math.count_nonzero(windows.inputs["mask"], axis=1)
    ids = {name: windows.inputs[name] + 1 for name in ("tokens", "segments")}
    columns = {name: tf.RaggedTensor.from_tensor(rows, lengths) for name, rows in ids.items()}
    columns["places"] = tf.RaggedTensor.from_tensor(places)
    with_windows = tf.math.unsorted_segment_max(tf.cast(kept, tf.int32), texts, tf.size(starts))
    missing = tf.size(starts) - tf.reduce_sum(tf.maximum(with_windows, 0))
    return {name: tf.ragged.boolean_mask(rows, kept) for name, rows in columns.items()}, missing


def among_text(logits, places):
    """Returns logits `(B, T, 2)` that are as good as minus infinity outside of the text.

    Args:
        logits: float32 `(B, T, 2)`.
        places: `(B, 4)`, as `answer_windows` returns them.

    Example:

    >>> among_text(tf.zeros([1, 4, 2]), tf.constant([[1, 2, 1, 2]]))[0, :, 0].numpy().tolist()
    [-1000000000.0, 0.0, 0.0, -1000000000.0]
    """
    begin, end = places[:, 2:3], places[:, 2:3] + places[:, 3:]  # (B, 1) each
    column = tf.range(tf.shape(logits)[1], dtype=places.dtype)
    return tf.where(((column >= begin) & (column < end))[..., None], logits, NEVER)


def answer_loss(logits, places):
    """Returns what `Task.loss` does: the mean cross-entropy of the first and the last token, among those of the text.

    Args:
        logits: float32 `(B, T, 2)`.
        places: `(B, 4)`, as `answer_windows` returns them.

    Example:

    >>> loss, weight, _ = answer_loss(tf.zeros([1, 6, 2]), tf.constant([[2, 3, 2, 4]]))
    >>> round(float(loss) / float(weight), 4)  # log(4)
    1.3863
    """
    logits = among_text(logits, places)
    sides = [classification_loss(places[:, side], logits[..., side]) for side in range(2)]
    loss = (sides[0][0] + sides[1][0]) / 2
    return loss, sides[0][1], {"loss": loss}
