"""The objective of XLNet: tokens in random orders, each from those before it in its order (Yang et al. 2019).

Shapes: B rows, T tokens, P targets, M targets that are not left over, V vocabulary.
"""

import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.engine.text.permutations import permutation_masks
from attention_zoo.pipelines.engine.text.row_draws import draws_of_rows
from attention_zoo.pipelines.engine.text.segment_pairs import join_pairs
from attention_zoo.pipelines.engine.text.wordpieces import SPECIALS
from attention_zoo.pipelines.hub.text_reader import TextReader, cut
from attention_zoo.pipelines.language_modeling.masked import FIRST, LAST, MASK, PAD, SEEDS_APART, Cloze, Masked

PAIR_DRAWS = 2  # random numbers that a pair takes


class Permuted(Masked):
    """What the task asks of an XLNet; `LanguageModeling` has the order of the methods.

    A row is "[CLS] A [SEP] B [SEP]": B is what comes after A in the text, or with a probability of `other_share` the
    second half of any row (section 2.5). About one token of `tokens_per_target` is predicted (section 2.3).

    Args:
        config: `LanguageModelingConfig`.
        folder: `RunFolder`.
    """

    specials = 3
    accuracy = "plm_accuracy"

    def adapt(self, texts):
        """Learns the WordPieces, as `Masked.adapt`, and cuts the rows of all splits into halves."""
        sizes = super().adapt(texts)
        self.halves = {split: halves_of(rows[:, 1:-1]) for split, rows in self.rows.items()}
        return sizes

    def batches(self, split, rows, seed, epoch):
        """Returns batches of pairs with the orders in which their tokens are predicted.

        Pairs, orders and targets of a row depend on the seed, the row and, for training, the epoch.
        """
        train, options = split == "train", self.options
        seed_of_epoch = seed * SEEDS_APART + (epoch if train else 0)

        def permute(batch):
            numbers = tf.cast(batch["numbers"][:, 0], tf.int64)
            pairs = pairs_of(*self.halves[split], numbers, seed_of_epoch, options.other_share)

            def order(row):
                tokens, number = row
                seed = tf.stack([tf.constant(seed_of_epoch, tf.int64), number])
                sizes = options.tokens_per_target, options.longest
                found = permutation_masks(tokens[None] != PAD, seed, tokens[None] >= len(SPECIALS), *sizes)
                return {name: value[0] for name, value in found.items()}

            shapes = {"permutation_mask": ([None, None], tf.bool), "targets": ([None], tf.int32)}
            shapes["weights"] = ([None], tf.float32)
            specs = {name: tf.TensorSpec(*spec) for name, spec in shapes.items()}
            return pairs | tf.map_fn(order, (pairs["tokens"], numbers), fn_output_signature=specs)

        return self.numbered_batches(split, rows, seed, epoch, permute)

    def build(self):
        """Returns the model, built by a call on two tokens."""
        options = dict(vars(self.options))
        for ours in ("name", "context", "tokens_per_target", "longest", "other_share"):
            options.pop(ours)
        options |= {"pad_token": PAD, "text_token": "first"}
        model = models.XLNetEncoder(self.pieces.vocabulary_size, **options, name="encoder")
        tokens = tf.constant([[FIRST, LAST]])
        model({"tokens": tokens, "segments": tf.zeros_like(tokens), "targets": tf.constant([[0]])})
        return model

    def outputs(self, model, batch, training):
        """Returns what the model makes of a batch."""
        inputs = {name: batch[name] for name in ("tokens", "segments", "permutation_mask", "targets")}
        return model(inputs, training=training)

    def predictions(self, model, outputs, batch):
        """Returns logits `(M, V)` and tokens `(M,)` of the targets."""
        labels = tf.gather(batch["tokens"], batch["targets"], batch_dims=1)
        chosen = batch["weights"] > 0
        return tf.boolean_mask(outputs["logits"], chosen), tf.boolean_mask(labels, chosen)

    def cloze(self, model):
        """Returns the ability that fills in hidden tokens."""
        reader = TextReader(self.pieces, [FIRST], [LAST], [LAST], PAD, self.options.context, MASK)
        return Cloze(LastInOrder(model), reader)


class LastInOrder:
    """An XLNet that predicts the hidden tokens of texts last: no token sees them.

    Args:
        model: An `XLNetEncoder`.
    """

    def __init__(self, model):
        self.model = model

    def __call__(self, inputs, training=False, return_attention_scores=False):
        """Returns "logits" of all tokens, `(B, T, V)`, each from what the query stream sees of the others.

        Args:
            inputs: Of a `TextReader`.
            training: As of `XLNetEncoder`. Defaults to `False`.
            return_attention_scores: Whether to return the attention too: of hidden tokens that of the query stream, of
                the others that of the content stream. Defaults to `False`.
        """
        hidden = inputs["tokens"] == MASK  # (B, T)
        shape = tf.shape(hidden)
        places = tf.broadcast_to(tf.range(shape[1]), shape)
        seen = tf.broadcast_to(~hidden[:, None, :], tf.stack([shape[0], shape[1], shape[1]]))
        inputs = inputs | {"permutation_mask": seen, "targets": places}
        outputs = self.model(inputs, training=training, return_attention_scores=return_attention_scores)
        if not return_attention_scores:
            return outputs
        outputs, scores = outputs
        rows = hidden[:, None, :, None]
        content = {name: weights for name, weights in scores.items() if not name.endswith("/query")}
        return outputs, {n: tf.where(rows, scores[f"{n}/query"], weights) for n, weights in content.items()}


def halves_of(rows):
    """Returns the first and the second half of each row of a RaggedTensor; the first has the odd token.

    Example:

    >>> [half.to_list() for half in halves_of(tf.ragged.constant([[1, 2, 3], [4]]))]
    [[[1, 2], [4]], [[3], []]]
    """
    lengths = rows.row_lengths()
    sizes = (lengths + 1) // 2
    places = tf.ragged.range(lengths).flat_values
    return cut(rows, sizes), tf.ragged.boolean_mask(rows, rows.with_values(places >= tf.repeat(sizes, lengths)))


def pairs_of(first, second, numbers, seed, other_share):
    """Returns rows of two segments.

    Args:
        first: First halves of all rows, int32 RaggedTensor.
        second: Second halves of all rows.
        numbers: Numbers of the rows of the batch, int64 `(B,)`.
        seed: Seed of the draws, which belong to a row.
        other_share: Probability that the second half is that of any row.

    Returns:
        A dict: "tokens" and "segments", 0 and 1, each int32 `(B, T)`, and "numbers", int64 `(B,)`.

    Example:

    >>> halves = tf.ragged.constant([[7, 8], [9]]), tf.ragged.constant([[5], [6]])
    >>> found = pairs_of(*halves, tf.constant([0, 1], tf.int64), seed=1, other_share=0.0)
    >>> found["tokens"].numpy().tolist(), found["segments"].numpy().tolist()
    ([[2, 7, 8, 3, 5, 3], [2, 9, 3, 6, 3, 0]], [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]])
    """
    draws = draws_of_rows(seed, numbers, tf.constant(PAIR_DRAWS))
    others = tf.cast(draws[:, 1] * tf.cast(second.nrows(), tf.float32), tf.int64)
    seconds = tf.where(draws[:, 0] < other_share, others, numbers)
    return join_pairs(tf.gather(first, numbers), tf.gather(second, seconds)) | {"numbers": numbers}
