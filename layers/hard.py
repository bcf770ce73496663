"""Hard attention: one sampled location at a time (Xu et al. 2015, "Show, Attend and Tell", sec. 4.1).

Notation: B batch, T queries, S keys; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.alignments import SoftAlignment
from attention_zoo.layers.attention import Attention
from attention_zoo.layers.scores import AdditiveScore


@keras.saving.register_keras_serializable("attention_zoo")
class HardAlignment(SoftAlignment):
    """Attends to one key at a time, sampled from the softmax over all of them (Xu et al. 2015, sec. 4.1).

    The weights are the probabilities α = softmax(scores), as in `SoftAlignment`. `choose` turns them into the factors
    of the values:

    - in training, one location, s_t ~ Multinoulli(α_t). No gradient flows through it into α, which `reinforce_loss`
      teaches. A share of the examples uses α itself instead, for all queries ("we set the sampled attention location
      to its expected value");
    - in inference, α or its likeliest location.

    `draw` makes the random numbers and `choose` samples with them. A loop therefore draws nothing, and the loss can
    compute the same samples from weights and draws later (`sample_locations`): the layer keeps no state.

    Args:
        expected_share: Probability that an example uses α instead of samples, in [0, 1]. Defaults to 0.5, the paper's.
        inference: `"expectation"` (α) or `"argmax"` (the likeliest location gets weight 1). Defaults to
            `"expectation"`.
        seed: Integer seed of the draws. Defaults to `None`: Keras's global seed.

    Call arguments and shapes: as in `Alignment`.

    Raises:
        ValueError: If `expected_share` is not in [0, 1], or `inference` is neither of the two.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import HardAlignment
    >>> align = HardAlignment(inference="argmax")
    >>> weights = align(keras.ops.array([[[0.0, 1.0, 0.0]]]))
    >>> print(align.choose(weights).numpy(), align.choose(weights, keras.ops.array([[[0.99]]])).numpy())
    [[[0. 1. 0.]]] [[[0. 0. 1.]]]
    """

    def __init__(self, expected_share=0.5, inference="expectation", seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= expected_share <= 1:
            raise ValueError(
                f"HardAlignment: `expected_share` must be in [0, 1]. Received: expected_share={expected_share!r}"
            )
        if inference not in ("expectation", "argmax"):
            raise ValueError(
                f"HardAlignment: `inference` must be 'expectation' or 'argmax'. Received: inference={inference!r}"
            )
        self.expected_share = expected_share
        self.inference = inference
        self.seed = seed
        self._seed_generator = keras.random.SeedGenerator(seed)

    def draw(self, shape):
        """Random numbers for `sample_locations`: float32 (..., T, 1) for `shape` (..., T); -1 if an example uses α."""
        draws = keras.random.uniform(shape, dtype="float32", seed=self._seed_generator)  # (..., T)
        examples = keras.random.uniform((*shape[:-1], 1), dtype="float32", seed=self._seed_generator)  # (..., 1)
        return ops.where(examples < self.expected_share, -1.0, draws)[..., None]

    def choose(self, weights, draws=None):
        if draws is not None:
            return ops.where(draws >= 0, ops.stop_gradient(sample_locations(weights, draws)), weights)
        if self.inference == "expectation":
            return weights
        likeliest = weights >= ops.max(weights, axis=-1, keepdims=True)
        return ops.cast(ops.logical_and(_first(likeliest), weights > 0), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "expected_share": self.expected_share,
            "inference": self.inference,
            "seed": self.seed,
        }


def sample_locations(weights, draws):
    """Samples locations: the first one at which the cumulative sum of the weights exceeds the draw.

    Args:
        weights: float32 (..., T, S), probabilities.
        draws: float32 (..., T, 1), uniform in [0, 1); a negative draw samples nothing.

    Returns:
        float32 (..., T, S): 1 at the sampled location, 0 elsewhere; all zeros for a negative draw, or if all weights
        are zero.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import sample_locations
    >>> print(sample_locations(keras.ops.array([[0.2, 0.5, 0.3]] * 3), keras.ops.array([[0.1], [0.6], [-1.0]])).numpy())
    [[1. 0. 0.]
     [0. 1. 0.]
     [0. 0. 0.]]
    """
    reached = ops.cumsum(weights, axis=-1)  # (..., T, S)
    # Rounding may leave the last sum below 1. Every draw must still reach a location.
    threshold = ops.minimum(draws, 1.0 - 1e-6) * reached[..., -1:]
    return ops.cast(ops.logical_and(_first(reached > threshold), draws >= 0), "float32")


def _first(flags):
    """The first True of each row: bool (..., S) -> bool (..., S)."""
    return ops.logical_and(flags, ops.cumsum(ops.cast(flags, "int32"), axis=-1) == 1)


@keras.saving.register_keras_serializable("attention_zoo")
class HardAttention(Attention):
    """Additive score, one sampled location at a time (Xu et al. 2015, sec. 4.1).

    Args:
        units: Width of the hidden layer of the score, a positive integer.
        expected_share, inference, seed: As in `HardAlignment`.

    Call arguments, output and methods: as in `Attention`. The weights are the probabilities of the locations.

    Raises:
        ValueError: As in `AdditiveScore` and `HardAlignment`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import HardAttention
    >>> attention = HardAttention(units=8, expected_share=0.0)
    >>> value = keras.ops.array([[[1.0], [10.0], [100.0]]])
    >>> float(attention(keras.ops.ones((1, 1, 4)), value, training=True)[0, 0, 0]) in (1.0, 10.0, 100.0)
    True
    """

    def __init__(self, units, expected_share=0.5, inference="expectation", seed=None, **kwargs):
        dtype = kwargs.get("dtype")
        alignment = HardAlignment(expected_share, inference, seed, name="alignment", dtype=dtype)
        super().__init__(AdditiveScore(units, name="score", dtype=dtype), alignment, dropout=0.0, **kwargs)
        self.units = units
        self.expected_share = expected_share
        self.inference = inference
        self.seed = seed

    def get_config(self):
        config = super().get_config()
        for name in ("score", "alignment", "dropout"):  # two follow from `units`, and there is no dropout
            del config[name]
        return {**config, **{name: getattr(self, name) for name in ("units", "expected_share", "inference", "seed")}}
