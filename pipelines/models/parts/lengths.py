"""What a model knows of the lengths of its sequences, for the attention inside it."""

from attention_zoo.layers import MultiHeadAttention
from attention_zoo.layers.walk import inner_layers


def expect_at_most(model, max_length):
    """Tells all multi-head attention of a model how long its sequences can be; see `MultiHeadAttention.max_length`.

    Graphs with batches of any length are then traced in less time. Outputs stay the same.

    Args:
        model: A Keras model.
        max_length: The largest number of tokens of a sequence, a positive integer.

    Example:

    >>> from attention_zoo.pipelines.models import TransformerTranslator
    >>> model = TransformerTranslator(9, 9, embedding_dim=8, num_layers=1, num_heads=2, intermediate_dim=8)
    >>> model.build()
    >>> expect_at_most(model, 128)
    >>> model.decoder_blocks[0].cross_attention.max_length
    128
    """
    for _, _, layer in inner_layers(model):
        if isinstance(layer, MultiHeadAttention):
            layer.max_length = max_length
