"""Positions of tokens, for layers that do not depend on order: fixed sinusoids or learned embeddings.

Shapes: B batch, T tokens, D features, V vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer, check_share
from attention_zoo.layers.tied_logits import output_matrix, tied_logits


def sinusoids(length, dim, offset=0, max_wavelength=10000.0, interleaved=True):
    """Sines and cosines of the positions `offset ... offset + length - 1` (Vaswani et al. 2017, section 3.5).

    `PE(pos, 2i) = sin(pos / w^(2i / D))` and `PE(pos, 2i + 1) = cos(pos / w^(2i / D))`: sines and cosines alternate.

    Args:
        length: T, an integer or a scalar tensor.
        dim: D, an integer; an odd one ends with a sine.
        offset: The first position, an integer or a scalar tensor. Defaults to 0.
        max_wavelength: w; wavelengths range from 2 pi to almost 2 pi w. Defaults to 10000.
        interleaved: Whether sines and cosines alternate. Otherwise all sines come before all cosines, as in Marian
            (Junczys-Dowmunt et al. 2018). Defaults to `True`.

    Returns:
        float32 `(T, D)`.

    Example:

    >>> from attention_zoo.layers.positions import sinusoids
    >>> sinusoids(length=4, dim=6).shape == (4, 6)
    True
    """
    rates = ops.convert_to_tensor([max_wavelength ** (-2 * i / dim) for i in range((dim + 1) // 2)], dtype="float32")
    positions = ops.cast(ops.arange(length) + offset, "float32")  # (T,)
    angles = ops.expand_dims(positions, -1) * rates  # (T, ceil(D / 2))
    if not interleaved:
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)[:, :dim]  # (T, D)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # (T, ceil(D / 2), 2)
    return ops.reshape(pairs, (-1, 2 * ((dim + 1) // 2)))[:, :dim]  # (T, D)


@keras.saving.register_keras_serializable("attention_zoo")
class SinusoidalEncoding(keras.layers.Layer):
    """Adds to each vector the sinusoids of its position (Vaswani et al. 2017, section 3.5). It has no weights.

    The sinusoids are computed in float32 whatever the policy: bfloat16 cannot tell position 257 from 256.

    Args:
        max_wavelength: As in `sinusoids`. Defaults to 10000, the paper's.
        interleaved: As in `sinusoids`. Defaults to `True`, the paper's.

    Call arguments:
        inputs: `(..., T, D)`.
        offset: Position of the first vector, an integer or a scalar tensor. Step t of a decoder passes t.

    Returns:
        `(..., T, D)`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import SinusoidalEncoding
    >>> tuple(SinusoidalEncoding()(keras.ops.zeros((2, 5, 8)), offset=3).shape)
    (2, 5, 8)
    """

    def __init__(self, max_wavelength=10000.0, interleaved=True, **kwargs):
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.interleaved = interleaved
        self.supports_masking = True
        self.built = type(self).build is keras.layers.Layer.build  # nothing to build, unless a subclass has weights

    def call(self, inputs, offset=0):
        length, dim = ops.shape(inputs)[-2], inputs.shape[-1]
        encoding = sinusoids(length, dim, offset, self.max_wavelength, self.interleaved)  # (T, D)
        return inputs + ops.cast(encoding, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "max_wavelength": self.max_wavelength, "interleaved": self.interleaved}


@keras.saving.register_keras_serializable("attention_zoo")
class PositionalEmbedding(keras.layers.Layer):
    """Embeds tokens and their positions (Vaswani et al. 2017, sections 3.4 and 3.5).

    Output: `dropout(E[token] * sqrt(D) + position)`. E is drawn from N(0, 1/D), so that a scaled embedding has unit
    variance, as in the authors' code. `logits` multiplies by the same matrix, transposed (weight tying).

    Args:
        vocabulary_size: V.
        dim: D.
        max_length: Number of learned positions. Sinusoidal positions need none, and it does not limit them. Defaults to
            `None`.
        positions: `"sinusoidal"`, or `"learned"` (drawn from N(0, 0.02^2)). Defaults to `"sinusoidal"`.
        scale: Whether to multiply token embeddings by sqrt(D). Defaults to `True`.
        mask_zero: Whether token 0 is padding: the output then carries a Keras mask. Defaults to `True`.
        dropout: Share of the features of the sum that are dropped in training. Defaults to 0.
        interleaved: Whether the sines and cosines of sinusoidal positions alternate; see `sinusoids`. Defaults to
            `True`.

    Call arguments:
        token_ids: Integers `(..., T)`.
        offset: Position of the first token, an integer or a scalar tensor.
        training: Whether to apply dropout.

    Returns:
        `(..., T, D)`.

    Raises:
        ValueError: If a size is not a positive integer, if `positions` is unknown, if `max_length` is missing, or if a
            position is known to lie beyond it.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import PositionalEmbedding
    >>> embedding = PositionalEmbedding(vocabulary_size=100, dim=16)
    >>> features = embedding(keras.ops.array([[5, 6, 0]]))
    >>> tuple(features.shape), tuple(embedding.logits(features).shape)
    ((1, 3, 16), (1, 3, 100))
    """

    def __init__(
        self,
        vocabulary_size,
        dim,
        max_length=None,
        positions="sinusoidal",
        scale=True,
        mask_zero=True,
        dropout=0.0,
        interleaved=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if positions not in ("sinusoidal", "learned"):
            raise ValueError(f'`positions` must be "sinusoidal" or "learned". Received: positions={positions!r}')
        if positions == "learned" and max_length is None:
            raise ValueError('`max_length` must be an integer when positions="learned". Received: max_length=None')
        check_positive_integer("vocabulary_size", vocabulary_size)
        check_positive_integer("dim", dim)
        check_positive_integer("max_length", max_length, optional=True)
        check_share("dropout", dropout)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.max_length = max_length
        self.positions = positions
        self.scale = scale
        self.mask_zero = mask_zero
        self.dropout = dropout
        self.interleaved = interleaved
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size,
            dim,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=dim**-0.5),
            dtype=self.dtype_policy,
            name="tokens",
        )
        if positions == "learned":
            self.position_embedding = keras.layers.Embedding(
                max_length,
                dim,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
                dtype=self.dtype_policy,
                name="positions",
            )
        else:
            self.position_encoding = SinusoidalEncoding(
                interleaved=interleaved, dtype=self.dtype_policy, name="positions"
            )
        self.sum_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, token_ids_shape):
        self.token_embedding.build(token_ids_shape)
        if self.positions == "learned":
            self.position_embedding.build((self.max_length,))

    def call(self, token_ids, offset=0, training=None):
        features = self.token_embedding(token_ids)  # (..., T, D)
        if self.scale:
            features = features * self.dim**0.5
        if self.positions == "learned":
            length = token_ids.shape[-1]
            if isinstance(offset, int) and isinstance(length, int) and offset + length > self.max_length:
                raise ValueError(
                    f"`token_ids` must end within max_length={self.max_length} learned positions. "
                    f"Received: {length} tokens from offset={offset}"
                )
            features = features + self.position_embedding(ops.arange(ops.shape(token_ids)[-1]) + offset)
        else:
            features = self.position_encoding(features, offset=offset)
        return self.sum_dropout(features, training=training)

    def logits(self, features, matrix=None):
        """Scores every token of the vocabulary: `features E^T`.

        Args:
            features: `(..., D)`.
            matrix: From `output_matrix`, which a decoding loop calls once. Defaults to `output_matrix()`.

        Returns:
            float32 `(..., V)`.
        """
        return tied_logits(features, self.token_embedding, matrix)

    def output_matrix(self):
        """The embeddings as the matrix that `logits` multiplies by: `(D, V)`, in the compute dtype."""
        return output_matrix(self.token_embedding)

    def compute_mask(self, token_ids, previous_mask=None):
        return ops.not_equal(token_ids, 0) if self.mask_zero else None

    def compute_output_shape(self, token_ids_shape):
        return (*token_ids_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "max_length": self.max_length,
            "positions": self.positions,
            "scale": self.scale,
            "mask_zero": self.mask_zero,
            "dropout": self.dropout,
            "interleaved": self.interleaved,
        }
