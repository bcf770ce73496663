"""Attention of a translation model under teacher forcing, and how well it agrees with known alignments."""

import tensorflow as tf

from attention_zoo.pipelines.engine.scores.alignment_error import (
    ErrorCounts,
    links_from_spans,
    links_from_weights,
    word_links,
)


def forced_weights(model, columns, batch_size):
    """Yields the attention that a model pays while it reads given translations.

    Args:
        model: A translation model with `alignment`.
        columns: `source` and `target`, int32 RaggedTensors `(N, None)`, as the model reads them.
        batch_size: Pairs that are computed together.

    Yields:
        The number of a row, and its float32 weights `(T, S)`, padded to the longest row of its batch.
    """
    spec = tf.TensorSpec([None, None], tf.int32)

    @tf.function(input_signature=[spec, spec], autograph=False)
    def align(source, target):
        inputs = {"source": source, "target": target}
        return model.alignment(model(inputs, training=False, return_attention_scores=True)[1])

    for start in range(0, int(columns["source"].nrows()), batch_size):
        rows = slice(start, start + batch_size)
        weights = align(columns["source"][rows].to_tensor(), columns["target"][rows].to_tensor()).numpy()
        yield from enumerate(weights, start=start)


def forced_links(model, columns, offsets, batch_size):
    """Yields the links between tokens that a model makes while it reads given translations.

    Args:
        model: A translation model with `alignment`.
        columns: As in `forced_weights`.
        offsets: Function of a row to the (start, end) of each source token, and to those of each target token, in
            characters, without EOS.
        batch_size: Pairs that are computed together.

    Yields:
        (row, links, source offsets, target offsets). Each target token is linked with the source token of the greatest
        weight.
    """
    for row, weights in forced_weights(model, columns, batch_size):
        source, target = offsets(row)
        yield row, links_from_weights(weights[: len(target), : len(source) + 1]), source, target


def span_scores(forced, spans):
    """Scores links against the spans that are known to be aligned.

    Args:
        forced: As `forced_links` yields it.
        spans: The aligned spans of each row, see `links_from_spans`. A target token outside all spans is not judged.

    Returns:
        A dict: "aer", the alignment error rate, and "alignment_precision", the share (0 to 100) of links on the truth.
    """
    counts = ErrorCounts()
    for row, links, *offsets in forced:
        sure, possible = links_from_spans(spans[row], *offsets)
        known = {link[1] for link in possible}
        counts.add({link for link in links if link[1] in known}, sure, possible)
    return {"aer": counts.error_rate(), "alignment_precision": 100 * counts.precision()}


def human_scores(forced, examples, human_links):
    """Scores links against the words that people linked.

    Args:
        forced: As `forced_links` yields it.
        examples: The sentence pairs.
        human_links: For each pair the sets of sure and of possible links between words.

    Returns:
        A dict: "human_aer" and "human_alignment_precision", as in `span_scores`.
    """
    counts = ErrorCounts()
    for row, links, *offsets in forced:
        words = word_links(links, examples.source[row], examples.target[row], *offsets)
        counts.add(words, *human_links[row])
    return {"human_aer": counts.error_rate(), "human_alignment_precision": 100 * counts.precision()}
