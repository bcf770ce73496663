"""Attention of a translation model under teacher forcing: the weights over the source for each reference token."""

import tensorflow as tf


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
