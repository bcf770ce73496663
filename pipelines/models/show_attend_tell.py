"""Show, attend and tell (Xu et al. 2015): an image in, a sentence out, and for each word where the model looked.

Shapes: B batch, T words, L locations of the feature map, D features of a location, E embedding_dim, U units, V
vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers import (
    AdditiveScore,
    AttentiveDecoder,
    GatedAttention,
    HardAlignment,
    LocationScore,
    SoftAlignment,
    UniformAlignment,
    reinforce_loss,
    sample_locations,
)
from attention_zoo.pipelines.models.parts.image_encoder import ImageEncoder

ATTENTIONS = ("soft", "hard", "mean")
BASELINE_DECAY = 0.9


@keras.saving.register_keras_serializable("attention_zoo")
class ShowAttendTell(keras.Model):
    """A convolutional network annotates the image; an LSTM attends to the annotations with its state, then steps.

        a = encoder(image),  h_0 = tanh(f_h(mean_i a_i)),  c_0 = tanh(f_c(mean_i a_i))       (sec. 3.1.1, 3.1.2)
        α_t = softmax_i(f_att(a_i, h_{t-1})),  ẑ_t = β_t Σ_i α_ti a_i                        (eq. 4-6, 13, sec. 4.2.1)
        h_t, c_t = LSTM([E y_{t-1}; ẑ_t], h_{t-1}, c_{t-1})                                  (eq. 1-3)
        p(y_t) = softmax(L_o tanh(E y_{t-1} + L_h h_t + L_z ẑ_t))                            (eq. 7)

    Soft attention sums the weighted annotations. Hard attention takes one sampled location (`HardAlignment`), and
    learns by `attention_loss`. "mean" weighs all locations the same: the baseline. Deviations: the tanh of the output,
    which eq. 7 leaves out and the authors' code has; one layer for h_0 and c_0, as in their code; coordinates in the
    annotations (`ImageEncoder`).

    The moving baseline of REINFORCE is a weight of the model that is not trained, so that checkpoints hold it.

    Args:
        vocabulary_size: V.
        image_size: (height, width) of the images. Defaults to (96, 96).
        attention: `"soft"`, `"hard"` or `"mean"`. Defaults to `"soft"`.
        backbone, weights, frozen: As in `ImageEncoder`. Default to `"small"`, `None` and `False`.
        embedding_dim: E, and the width of the output's hidden layer. Defaults to 128.
        units: U. Defaults to 256.
        attention_units: Width of f_att's hidden layer. Defaults to 128.
        dropout: Share of the output's hidden features that are dropped in training, in [0, 1). Defaults to 0.5.
        inference: Hard attention outside training: `"expectation"` or `"argmax"`. Defaults to `"expectation"`.

    Call arguments:
        inputs: `{"image": (B, height, width, 3) from 0 to 255, "target": (B, T)}` token ids; 0 is padding, the target
            begins with BOS.
        training: Whether to apply dropout, and to sample locations.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 logits (B, T, V); with `return_attention_scores` also `{"decoder/cross": float32 (B, T, L)}`, and from
        hard attention in training "decoder/sample" (B, T, L), the sampled locations. `grid` is the (height, width) of
        the L locations.

    Raises:
        ValueError: If `attention` is none of the above.

    Example:

    >>> model = ShowAttendTell(50, image_size=(16, 16), embedding_dim=8, units=6, attention_units=4)
    >>> image = keras.ops.zeros((1, 16, 16, 3))
    >>> logits, scores = model({"image": image, "target": keras.ops.array([[2, 7, 5]])}, return_attention_scores=True)
    >>> tuple(logits.shape), tuple(scores["decoder/cross"].shape), model.grid
    ((1, 3, 50), (1, 3, 4), (2, 2))
    >>> memory = model.encode({"image": image})
    >>> logits, state, scores = model.step(keras.ops.array([2]), model.start(memory), memory)
    >>> tuple(logits.shape), tuple(model.alignment(scores).shape)
    ((1, 50), (1, 4))
    """

    def __init__(
        self,
        vocabulary_size,
        image_size=(96, 96),
        attention="soft",
        backbone="small",
        weights=None,
        frozen=False,
        embedding_dim=128,
        units=256,
        attention_units=128,
        dropout=0.5,
        inference="expectation",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(f"`attention` must be one of {ATTENTIONS}. Received: attention={attention!r}")
        policy = self.dtype_policy
        self.vocabulary_size = vocabulary_size
        self.image_size = tuple(image_size)
        self.attention = attention
        self.embedding_dim = embedding_dim
        self.units = units
        self.attention_units = attention_units
        self.dropout = dropout
        self.inference = inference
        self.encoder = ImageEncoder(image_size, backbone, weights, frozen, dtype=policy, name="encoder")
        # As in the recurrent translators: Keras's ±0.05 would leave the gates near their middle for hundreds of steps.
        self.embedding = keras.layers.Embedding(
            vocabulary_size, embedding_dim, keras.initializers.RandomNormal(stddev=0.3), dtype=policy, name="embedding"
        )
        self.first_output, self.first_carry = (
            keras.layers.Dense(units, "tanh", dtype=policy, name=name) for name in ("first_output", "first_carry")
        )
        if attention == "mean":
            # `UniformAlignment` ignores scores. This one is as cheap as `ZeroScore`; its weight is in older
            # checkpoints.
            score = LocationScore(1, dtype=policy)
            alignment = UniformAlignment(dtype=policy, name="alignment")
        else:
            score = AdditiveScore(attention_units, dtype=policy)
            if attention == "hard":
                alignment = HardAlignment(inference=inference, dtype=policy, name="alignment")
            else:
                alignment = SoftAlignment(dtype=policy, name="alignment")
        self.decoder = AttentiveDecoder(
            keras.layers.LSTMCell(units, dtype=policy, name="cell"),
            GatedAttention(score, alignment, dtype=policy, name="attention"),
            order="attend_then_step",
            dtype=policy,
            name="decoder",
        )
        self.hidden = keras.layers.Dense(embedding_dim, dtype=policy, name="hidden")  # L_h and L_z, side by side
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        self.projection = keras.layers.Dense(vocabulary_size, dtype=policy, name="projection")

    @property
    def grid(self):
        """(h, w) of the feature map; L = h w."""
        return self.encoder.grid

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        annotations = self.encoder.compute_output_shape((None, *self.image_size, 3))  # (B, L, D)
        self.encoder.build()
        self.embedding.build((None, None))
        self.first_output.build((None, annotations[-1]))
        self.first_carry.build((None, annotations[-1]))
        self.decoder.build((None, None, self.embedding_dim), annotations)
        self.hidden.build((None, None, self.units + annotations[-1]))
        self.projection.build((None, None, self.embedding_dim))
        if self.attention == "hard":
            self.baseline = self.add_weight(
                name="baseline", shape=(), dtype="float32", initializer="zeros", trainable=False, aggregation="mean"
            )
        self.built = True

    def call(self, inputs, training=None, return_attention_scores=False):
        annotations = self.encoder(inputs["image"], training=training)  # (B, L, D)
        embedded = self.embedding(inputs["target"])  # (B, T, E)
        # Drawn here, so that the samples can be computed again for the scores.
        draws = self.decoder.attention.draw(ops.shape(inputs["target"])) if training else None
        outputs, contexts, weights = self.decoder(
            embedded,
            annotations,
            initial_state=self._first_state(annotations),
            return_attention_scores=True,
            training=training,
            draws=draws,
        )
        logits = self._logits(embedded, outputs, contexts, training)  # (B, T, V)
        if not return_attention_scores:
            return logits
        samples = {} if draws is None else {"decoder/sample": sample_locations(ops.stop_gradient(weights), draws)}
        return logits, {"decoder/cross": weights, **samples}

    def _first_state(self, annotations):
        """h_0 and c_0, (B, U) each."""
        mean = ops.mean(annotations, axis=1)  # (B, D)
        return [self.first_output(mean), self.first_carry(mean)]

    def _logits(self, embedded, outputs, contexts, training=False):
        """The deep output: float32 (..., V)."""
        hidden = ops.tanh(embedded + self.hidden(ops.concatenate([outputs, contexts], axis=-1)))
        return ops.cast(self.projection(self.drop(hidden, training=training)), "float32")

    def attention_loss(
        self, scores, mask, log_likelihood=None, doubly_stochastic=1.0, reward_scale=0.1, entropy_scale=0.002
    ):
        """The loss of the attention in addition to the likelihood, for each caption.

        λ Σ_i (1 - Σ_t α_ti)² (eq. 14) is small if every location gets attention. If locations were sampled,
        `reinforce_loss` is added, and the baseline moves: b <- 0.9 b + 0.1 mean log p(y|s), once for each part of a
        batch that is computed in parts.

        Args:
            scores: From the call in training.
            mask: (B, T), the words that are not padding.
            log_likelihood: (B,), log p(y|s) of the captions; needed only for sampled locations.
            doubly_stochastic: λ. Defaults to 1, the paper's.
            reward_scale, entropy_scale: λ_r and λ_e. Default to 0.1 and 0.002.

        Returns:
            float32 (B,).
        """
        weights, mask = scores["decoder/cross"], ops.cast(mask, "float32")
        looked_at = ops.sum(weights * mask[..., None], axis=1)  # Σ_t α_ti, (B, L)
        loss = doubly_stochastic * ops.sum(ops.square(1.0 - looked_at), axis=-1)
        if "decoder/sample" not in scores:
            return loss
        before = ops.convert_to_tensor(self.baseline)
        samples = scores["decoder/sample"]
        loss = loss + reinforce_loss(log_likelihood, weights, samples, before, mask, reward_scale, entropy_scale)
        count = ops.shape(log_likelihood)[0]  # a replica, or a part of a batch, may have no rows
        mean = ops.sum(ops.stop_gradient(log_likelihood)) / ops.cast(ops.maximum(count, 1), "float32")
        moved = BASELINE_DECAY * before + (1 - BASELINE_DECAY) * mean
        self.baseline.assign(ops.where(count > 0, moved, before))
        return loss

    def alignment(self, scores):
        """The attention to the locations, (B, T, L) or (B, L) for a step."""
        return scores["decoder/cross"]

    def encode(self, inputs, training=False):
        """Encodes the image, and projects the annotations for the attention; called once per image.

        Args:
            inputs: `{"image": (B, height, width, 3)}`.
            training: As in the call.

        Returns:
            The memory: "value" (B, L, D), "key" (B, L, attention_units), "first_output" and "first_carry" (B, U).
        """
        if not self.built:
            self.build()
        annotations = self.encoder(inputs["image"], training=training)
        first_output, first_carry = self._first_state(annotations)
        return {**self.decoder.project_memory(annotations), "first_output": first_output, "first_carry": first_carry}

    def start(self, memory):
        """The state before the first word, as `AttentiveDecoder.start` makes it."""
        return self.decoder.start(memory, initial_state=[memory["first_output"], memory["first_carry"]])

    def step(self, token, state, memory):
        """Writes one word.

        Args:
            token: (B K,) ids of the words written last, BOS at first, of K hypotheses per image.
            state: From `start` or the step before.
            memory: From `encode`.

        Returns:
            (logits, state, scores): float32 (B K, V) for the next word, the state after the step, and
            `{"decoder/cross": (B K, L)}`.
        """
        embedded = self.embedding(token)
        (output, context), state, weights = self.decoder.step(embedded, state, memory)
        return self._logits(embedded, output, context), state, {"decoder/cross": weights}

    def get_config(self):
        sizes = ("vocabulary_size", "image_size", "embedding_dim", "units", "attention_units")
        names = (*sizes, "attention", "dropout", "inference")
        encoder = {"backbone": self.encoder.backbone, "weights": None, "frozen": self.encoder.frozen}
        return {**super().get_config(), **encoder, **{name: getattr(self, name) for name in names}}
