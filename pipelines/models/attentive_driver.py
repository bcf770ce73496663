"""Interpretable driving (Kim and Canny 2017): frames of a camera in, steering and attention to the frames out.

Shapes: B batch, T frames, H x W a frame, h x w its feature map, S = h w locations, D features of a location, U units.
"""

import keras
from keras import ops

from attention_zoo.layers import SpatialAttention
from attention_zoo.layers.loop import loop
from attention_zoo.pipelines.models.parts.image_encoder import convolve

# Factors of the initial kernel and vector of f_attn, which are Glorot's. Features shrink in training, and the scores
# with them: without these factors, no location came to weigh more than an eighth above the mean.
SPREAD = 5.0, 3.0
CONVOLUTIONS = ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1))  # filters, kernel size, stride


@keras.saving.register_keras_serializable("attention_zoo")
class AttentiveDriver(keras.Model):
    """Five convolutions encode a frame; an LSTM attends to their locations with its last state, and steers.

        x_t = convolutions(HSV(frame_t))                                 S locations of D = 64 features, no pooling
        α_t = softmax_i(f_attn(x_ti, h_{t-1})),  β_t = sigmoid(f_β(h_{t-1}))
        y_t = β_t · flatten(S α_ti x_ti)                                 (`SpatialAttention`: not the sum)
        h_t, c_t = LSTM(y_t, h_{t-1}, c_{t-1}),  h_0 = tanh(f_h(mean_i x_1i)),  c_0 = tanh(f_c(mean_i x_1i))
        û_t = f_out(y_t, h_t)                                            one hidden layer, tanh

    Kim and Canny 2017, "Interpretable Learning for Self-Driving Cars by Visualizing Causal Attention", sec. 3. With the
    paper's frames of 80 x 160 the map is 10 x 20. Deviations: the factor S in y (see the layer); frames of another size
    by option: the 84 x 96 of the racing game, whose map is 11 x 12, are taken as they are rather than stretched; He's
    initialiser rather than Glorot's before ReLUs, where features and with them the scores would start five times
    smaller; the weights of f_attn start larger (`SPREAD`); U is small by default.

    Args:
        height, width: Of a frame, in pixels. Default to 84 and 96.
        units: U of the LSTM, of the hidden layer of f_attn and of that of f_out. Defaults to 64.
        dropout: Share of the hidden features of f_out that are dropped in training, in [0, 1). Defaults to 0.

    Call arguments:
        frames: RGB, (B, T, H, W, 3), numbers from 0 to 255.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 steering (B, T), and with `return_attention_scores` also `{"driver/spatial": float32 (B, T, h, w)}`.
        The steering at frame t depends on the frames up to t.

    A driving loop calls `start` with the first frame and `step` with every frame.

    Example:

    >>> model = AttentiveDriver(height=16, width=24, units=4)
    >>> frames = keras.random.uniform((2, 3, 16, 24, 3), maxval=255)
    >>> steering, scores = model(frames, return_attention_scores=True)
    >>> tuple(steering.shape), tuple(scores["driver/spatial"].shape)
    ((2, 3), (2, 3, 2, 3))
    >>> state = model.start(frames[:, 0])
    >>> for frame in (frames[:, 0], frames[:, 1]):
    ...     answer, weights, state = model.step(frame, state)
    >>> bool(keras.ops.max(keras.ops.abs(answer - steering[:, 1])) < 1e-5)
    True
    """

    def __init__(self, height=84, width=96, units=64, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width, self.units, self.dropout = height, width, units, dropout
        policy = self.dtype_policy
        self.convolutions = [
            keras.layers.Conv2D(
                *sizes, "same", activation="relu", kernel_initializer="he_normal", dtype=policy, name=f"convolution_{n}"
            )
            for n, sizes in enumerate(CONVOLUTIONS)
        ]
        self.hidden_start = keras.layers.Dense(units, activation="tanh", dtype=policy, name="hidden_start")
        self.carry_start = keras.layers.Dense(units, activation="tanh", dtype=policy, name="carry_start")
        self.attention = self.make_attention()
        self.cell = keras.layers.LSTMCell(units, recurrent_initializer="glorot_uniform", dtype=policy, name="cell")
        self.readout = keras.layers.Dense(units, dtype=policy, name="readout")
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        self.steering = keras.layers.Dense(1, dtype=policy, name="steering")

    def make_attention(self):
        """Returns the layer for f_attn and f_β."""
        return SpatialAttention(self.units, dtype=self.dtype_policy, name="attention")

    @classmethod
    def paper(cls, **changes):
        """The paper's frames, with 1024 units and dropout of one half."""
        return cls(**({"height": 80, "width": 160, "units": 1024, "dropout": 0.5} | changes))

    @property
    def grid(self):
        """(h, w) of the feature map: each of the three strides of two halves the frame, and rounds up."""
        return -(-self.height // 8), -(-self.width // 8)

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        rows, columns = self.grid
        features = 3
        for convolution in self.convolutions:
            convolution.build((None, None, None, features))
            features = convolution.filters
        locations = rows * columns
        self.hidden_start.build((None, features))
        self.carry_start.build((None, features))
        self.attention.build((None, 1, self.units), (None, locations, features))
        self.spread_scores()
        self.cell.build((None, locations * features))
        self.readout.build((None, locations * features + self.units))
        self.steering.build((None, None, self.units))

    def spread_scores(self):
        """Multiplies the first weights of f_attn by `SPREAD`."""
        score = self.attention.score
        for weight, factor in zip((score.key_kernel, score.vector), SPREAD):
            weight.assign(factor * weight)

    def call(self, frames, training=None, return_attention_scores=False):
        features = self.see(frames)  # (B, T, S, D)
        steering, weights, _ = self.drive(features, self.first_state(features[:, 0]), training)
        return (steering, {"driver/spatial": weights}) if return_attention_scores else steering

    def see(self, frames):
        """Feature maps (B, T, S, D) of frames (B, T, H, W, 3): all frames at once, since they need no state."""
        batch, time = ops.shape(frames)[:2]
        colors = ops.cast(ops.reshape(frames, (-1, self.height, self.width, 3)), "float32") / 255.0
        features = ops.cast(ops.image.rgb_to_hsv(colors) - 0.5, self.compute_dtype)  # (B T, H, W, 3)
        features = convolve(self._feature_maps, features)  # (B T, h, w, D)
        return ops.reshape(features, (batch, time, self.grid[0] * self.grid[1], features.shape[-1]))

    def _feature_maps(self, features):
        for convolution in self.convolutions:
            features = convolution(features)
        return features

    def first_state(self, features):
        """(h_0, c_0), each (B, U), from the features (B, S, D) of the first frame."""
        mean = ops.mean(features, axis=-2)
        return self.hidden_start(mean), self.carry_start(mean)

    def drive(self, features, state, training=None):
        """Steers through feature maps, starting from a state.

        Args:
            features: From `see`, (B, T, S, D).
            state: (hidden, carry), each (B, U): from `first_state`, or from the call before.
            training: Whether to apply dropout.

        Returns:
            float32 steering (B, T), float32 weights (B, T, h, w), and the state after the last frame.
        """
        keys = self.attention.project_key(features)  # (B, T, S, U), the same for every state
        depth = features.shape[-1]

        def step(inputs, state):  # inputs: features and keys of a frame, side by side
            features, key = inputs[..., :depth], inputs[..., depth:]  # (B, S, D), (B, S, U)
            attended, weights = self.attention.attend(state[0][:, None], key, features)
            attended, weights = attended[:, 0], weights[:, 0]  # (B, S D), (B, S)
            _, state = self.cell(attended, list(state))
            read = self.readout(ops.concatenate([attended, ops.cast(state[0], attended.dtype)], axis=-1))
            return (read, weights), tuple(state)

        results, state = loop(step, ops.concatenate([features, keys], axis=-1), tuple(state), return_state=True)
        hidden, weights = results[..., : self.units], results[..., self.units :]
        hidden = self.drop(ops.tanh(ops.cast(hidden, self.compute_dtype)), training=training)
        steering = ops.cast(self.steering(hidden)[..., 0], "float32")  # (B, T)
        return steering, ops.reshape(weights, (*ops.shape(weights)[:2], *self.grid)), state

    def start(self, frame):
        """The state (hidden, carry) before the first frame (B, H, W, 3)."""
        return self.first_state(self.see(frame[:, None])[:, 0])

    def step(self, frame, state):
        """Steers at one frame (B, H, W, 3): steering (B,), weights (B, h, w), and the state after it."""
        steering, weights, state = self.drive(self.see(frame[:, None]), state)
        return steering[:, 0], weights[:, 0], state

    def alignment(self, scores):
        """The attention to the locations of each frame, `(B, T, h, w)`."""
        return scores["driver/spatial"]

    def get_config(self):
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in ("height", "width", "units", "dropout")},
        }


@keras.saving.register_keras_serializable("attention_zoo")
class UniformDriver(AttentiveDriver):
    """The same network without attention: every location weighs 1 / S. It is the baseline.

    Arguments, shapes and methods as in `AttentiveDriver`.

    Example:

    >>> model = UniformDriver(height=16, width=24, units=4)
    >>> _, scores = model(keras.ops.zeros((1, 1, 16, 24, 3)), return_attention_scores=True)
    >>> print(scores["driver/spatial"].numpy().round(3))
    [[[[0.167 0.167 0.167]
       [0.167 0.167 0.167]]]]
    """

    def make_attention(self):
        """Returns the layer for f_β; there is no f_attn."""
        return SpatialAttention(None, dtype=self.dtype_policy, name="attention")

    def spread_scores(self):
        """Does nothing: there are no scores."""
