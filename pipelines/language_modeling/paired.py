"""The objective of BERT and ALBERT: hidden tokens of pairs of segments, and how the two segments belong together.

Shapes: B rows.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.masking import PADDING
from attention_zoo.pipelines.engine.text.row_draws import draws_of_rows
from attention_zoo.pipelines.engine.text.segment_pairs import DRAWS, cut_segments, join_pairs, pair_segments, rows_of
from attention_zoo.pipelines.engine.training.losses import classification_loss
from attention_zoo.pipelines.language_modeling.masked import Masked

SENTENCE_ENDS = (*".!?…؟۔।。！？",)  # pieces that end a sentence
APART = 5_003  # seeds of pairs differ by it from those of masks


class Paired(Masked):
    """What the task asks of a model of pairs; `LanguageModeling` has the order of the methods.

    A row is "[CLS] A [SEP] B [SEP]"; `segment_pairs` says what A and B are. They are drawn anew for each mask of a row.

    Args:
        config: `LanguageModelingConfig`.
        folder: `RunFolder`.
    """

    specials = 3
    Model = models.PretrainingModel

    def __init__(self, config, folder):
        super().__init__(config, folder)
        self.segments = {}

    def cut(self, split, documents):
        """Keeps the segments of a split, of which pairs are made, and returns the tokens of each pair."""
        room, texts = self.options.context - self.specials, int(documents.nrows())
        if self.options.pairs == "nsp" and texts < 2:
            expected = f"expected two texts or more in the split {split} for nsp, which takes segments of other texts"
            raise UserError(f"--model.pairs: {expected}; received {texts}")
        ends = np.isin(self.vocabulary, SENTENCE_ENDS)
        shares = self.options.short_seq_prob, self.config.training.seed
        self.segments[split] = cut_segments(tf.cast(documents, tf.int32), ends, room, *shares)
        return rows_of(self.segments[split], room)

    def hide(self, split, tokens, numbers, seed):
        """Makes pairs in place of rows, and hides tokens of them; draws depend on the seed and the rows' numbers."""
        draws = draws_of_rows(seed + APART, numbers, tf.constant(DRAWS))
        room = self.options.context - self.specials
        pairs = pair_segments(self.segments[split], numbers, draws, room, self.options.pairs)
        joined = join_pairs(pairs["first"], pairs["second"])
        hidden = super().hide(split, joined["tokens"], numbers, seed)
        return hidden | {"segments": joined["segments"], "changed": pairs["changed"]}

    def outputs(self, model, batch, training):
        """Returns what the encoder makes of a batch."""
        inputs = {"tokens": batch["tokens"], "mask": batch["roles"] != PADDING, "segments": batch["segments"]}
        return model.encoder(inputs, training=training)

    def sums(self, model, outputs, batch, smoothing=0.0):
        """Adds the classification of the pairs to the sums: its mean loss counts as much as that of the tokens."""
        sums = super().sums(model, outputs, batch, smoothing)
        nats, pairs, parts = classification_loss(batch["changed"], model.pair_classes(outputs["pooled"]))
        nats *= sums["count"] / pairs
        sums |= {name: sums[name] + nats for name in ("loss", "unsmoothed")}
        return sums | {"pairs": pairs, "right_pairs": parts["accuracy"]}

    def scores(self, sums):
        """Adds how many pairs are right, in percent, as `nsp_accuracy` or `sop_accuracy`."""
        return super().scores(sums) | {f"{self.options.pairs}_accuracy": sums["right_pairs"] / sums["pairs"]}
