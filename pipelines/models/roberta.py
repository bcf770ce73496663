"""RoBERTa: BERT, trained longer on more text, without a second segment (Liu et al. 2019).

Shapes: B batch, T tokens.
"""

import keras
from keras import ops

from attention_zoo.pipelines.models.bert import BertEncoder

ROBERTA_SIZES = {
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
}
"""The paper's sizes (section 3.1)."""


@keras.saving.register_keras_serializable("attention_zoo")
class RobertaEncoder(BertEncoder):
    """`BertEncoder` whose positions are counted from `pad_token + 1`, the tokens alone (fairseq's code).

    All padding has the position `pad_token`. A table of `max_length` rows therefore has positions for
    `max_length - pad_token - 1` tokens: 512 of 514.

    Takes the arguments of `BertEncoder`; `max_length` defaults to 514, `num_segments` to 1, `layer_norm_epsilon` to
    1e-5, `pad_token` to 1.

    Example:

    >>> import keras
    >>> encoder = RobertaEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> tokens = keras.ops.array([[0, 7, 2, 1]])
    >>> print(encoder.positions_of({"tokens": tokens}, tokens != 1).numpy())
    [[2 3 4 1]]
    """

    def __init__(
        self, vocabulary_size, *args, max_length=514, num_segments=1, layer_norm_epsilon=1e-5, pad_token=1, **kwargs
    ):
        options = {"max_length": max_length, "num_segments": num_segments, "pad_token": pad_token}
        super().__init__(vocabulary_size, *args, **options, layer_norm_epsilon=layer_norm_epsilon, **kwargs)

    @property
    def max_tokens(self):
        return self.max_length - self.pad_token - 1

    def positions_of(self, inputs, mask):
        if "positions" in inputs:
            return inputs["positions"]
        length = inputs["tokens"].shape[1]
        if length is not None and length > self.max_tokens:
            raise ValueError(f"RobertaEncoder: expected at most {self.max_tokens} tokens. Received: {length}")
        tokens = ops.cast(inputs["tokens"] != self.pad_token, "int32")
        return ops.cumsum(tokens, axis=1) * tokens + self.pad_token
