"""The model that BERT and ALBERT are pretrained as: hidden tokens, and how two segments belong together.

Shapes: B batch, T tokens, V vocabulary.
"""

import keras

from attention_zoo.pipelines.models.encoder_heads import MaskedLanguageModel
from attention_zoo.pipelines.models.parts.bert_embeddings import initial_weights


@keras.saving.register_keras_serializable("attention_zoo")
class PretrainingModel(MaskedLanguageModel):
    """`MaskedLanguageModel` with a classifier of pairs of segments on the encoder's "pooled".

    The classes are those of transformers: in next sentence prediction 0 is "follows" and 1 "is of another document"
    (Devlin et al. 2019, section 3.1), in sentence order prediction 0 is "in order" and 1 "swapped" (Lan et al. 2020,
    section 3.1).

    Args:
        encoder: A `BertEncoder` or a relative with a pooler.

    Call arguments:
        As of `BertEncoder`; "segments" are 0 in the first segment of a pair, and 1 in the second.

    Returns:
        The outputs of `MaskedLanguageModel` and "pair_logits", float32 `(B, 2)`.

    Raises:
        ValueError: If the encoder has no pooler.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> model = PretrainingModel(BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16))
    >>> inputs = {"tokens": keras.ops.array([[2, 5, 3, 6, 3]]), "segments": keras.ops.array([[0, 0, 0, 1, 1]])}
    >>> outputs = model(inputs)
    >>> tuple(outputs["logits"].shape), tuple(outputs["pair_logits"].shape)
    ((1, 5, 100), (1, 2))
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        if encoder.pooler is None:
            raise ValueError("`encoder` needs a pooler, from which pairs are classified")
        self.pair_classes = keras.layers.Dense(
            2, kernel_initializer=initial_weights(), dtype="float32", name="pair_classes"
        )

    def build_head(self, states_shape):
        super().build_head(states_shape)
        self.pair_classes.build((states_shape[0], states_shape[-1]))

    def head(self, outputs, inputs, training=None):
        return super().head(outputs, inputs, training) | {"pair_logits": self.pair_classes(outputs["pooled"])}
