"""Effective approaches to attention-based neural machine translation (Luong et al. 2015).

Shapes: B batch, S source, T target, E embedding_dim, U units, V target vocabulary.
"""

import keras

from attention_zoo.layers import AttentiveDecoder, LuongAttention
from attention_zoo.pipelines.models.parts.recurrent_translator import RecurrentTranslator, source_mask
from attention_zoo.pipelines.models.parts.stacked_lstm import StackedLSTM


@keras.saving.register_keras_serializable("attention_zoo")
class LuongTranslator(RecurrentTranslator):
    """A stack of LSTMs encodes the source; another starts from its states, steps, then attends to its top outputs.

        h_t = LSTMs([E y_{t-1}; h̃_{t-1}])      (h̃_{t-1} with input feeding, section 3.3)
        h̃_t = tanh(W_c [c_t; h_t])             (equation 5; c_t from `LuongAttention`)
        p(y_t) = softmax(W_s h̃_t)              (equation 6)

    Deviations: a bias in W_s, Keras's initialisers rather than U(-0.1, 0.1), and the source is read forwards, where the
    paper's best models reverse it.

    Args:
        source_vocabulary_size: Rows of the source embedding.
        target_vocabulary_size: V.
        embedding_dim: E. Defaults to 256.
        units: U of each LSTM, and of h̃. Defaults to 256.
        num_layers: LSTMs in the encoder, and again in the decoder. Defaults to 1.
        score: `"dot"`, `"general"`, `"concat"` or `"location"` (the first 128 source positions). Defaults to
            `"general"`.
        window: `None` (attend everywhere), `"monotonic"` (local-m) or `"predictive"` (local-p). Defaults to `None`.
        window_size: D, half the width of the window. Defaults to 10.
        input_feeding: Whether h̃ is part of the next step's input. Defaults to `True`. Without it training is faster:
            all steps attend at once.
        dropout: Share of features dropped in training: of the embeddings, between stacked LSTMs, and of h̃ before W_s.
            Defaults to 0.1.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; 0 is padding, the target begins with BOS.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 logits (B, T, V), and with `return_attention_scores` also `{"decoder/cross": float32 (B, T, S)}`.

    Raises:
        ValueError: If `score`, `window` or `window_size` is none of the above.

    Example:

    >>> model = LuongTranslator(50, 60, embedding_dim=8, units=6, num_layers=2, score="dot", window="predictive")
    >>> source, target = keras.ops.array([[5, 6, 3]]), keras.ops.array([[2, 7]])
    >>> tuple(model({"source": source, "target": target}).shape)
    (1, 2, 60)
    >>> memory = model.encode({"source": source})
    >>> logits, state, scores = model.step(keras.ops.array([2]), model.start(memory), memory)
    >>> tuple(logits.shape), tuple(model.alignment(scores).shape)
    ((1, 60), (1, 3))
    """

    attends = True

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        embedding_dim=256,
        units=256,
        num_layers=1,
        score="general",
        window=None,
        window_size=10,
        input_feeding=True,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(source_vocabulary_size, target_vocabulary_size, embedding_dim, units, dropout, **kwargs)
        self.num_layers = num_layers
        self.score = score
        self.window = window
        self.window_size = window_size
        self.input_feeding = input_feeding
        self.encoder = StackedLSTM(units, num_layers, dropout, dtype=self.dtype_policy, name="encoder")
        self.decoder = AttentiveDecoder(
            [keras.layers.LSTMCell(units, dtype=self.dtype_policy, name=f"cell_{i}") for i in range(num_layers)],
            LuongAttention(
                score,
                window=window,
                window_size=window_size,
                attentional_units=units,
                dtype=self.dtype_policy,
                name="attention",
            ),
            order="step_then_attend",
            input_feeding=input_feeding,
            dropout=dropout,
            dtype=self.dtype_policy,
            name="decoder",
        )

    @classmethod
    def paper(cls, source_vocabulary_size=50000, target_vocabulary_size=50000, **changes):
        """Section 4.1: four LSTMs of 1000, embeddings of 1000: the best single model of table 1.

        It has the general score, local-p windows and input feeding.

        222.1M parameters with the paper's vocabularies.
        """
        best = {"score": "general", "window": "predictive", "window_size": 10, "input_feeding": True}
        size = {"embedding_dim": 1000, "units": 1000, "num_layers": 4, "dropout": 0.2}
        return cls(source_vocabulary_size, target_vocabulary_size, **(size | best | changes))

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        embedded = (None, None, self.embedding_dim)
        self.build_ends(self.units)
        self.encoder.build(embedded)
        self.decoder.build(embedded, (None, None, self.units))

    def call(self, inputs, training=None, return_attention_scores=False):
        encoded, states, mask = self._read(inputs["source"], training)
        embedded = self.embed(self.target_embedding, inputs["target"], training)  # (B, T, E)
        _, attentional, weights = self.decoder(
            embedded, encoded, initial_state=states, value_mask=mask, return_attention_scores=True, training=training
        )
        logits = self.logits(attentional, training)  # (B, T, V)
        return (logits, {"decoder/cross": weights}) if return_attention_scores else logits

    def _read(self, source, training):
        """The top outputs (B, S, U), the last states of all LSTMs and the mask (B, S)."""
        mask = source_mask(source)
        encoded, states = self.encoder(
            self.embed(self.source_embedding, source, training), mask=mask, training=training
        )
        return encoded, states, mask

    def encode(self, inputs, training=False):
        """Encodes the source, and projects it for the attention; called once per source.

        Args:
            inputs: `{"source": (B, S)}` token ids.
            training: Whether to apply dropout.

        Returns:
            The memory: "value" (B, S, U), "key" (B, S, ·), "mask" (B, S), and for each LSTM "hidden/i" and "carry/i"
            (B, U).
        """
        if not self.built:
            self.build()
        encoded, states, mask = self._read(inputs["source"], training)
        memory = self.decoder.project_memory(encoded, value_mask=mask)
        for i, (hidden, carry) in enumerate(states):
            memory |= {f"hidden/{i}": hidden, f"carry/{i}": carry}
        return memory

    def start(self, memory):
        """The state before the first token, as `AttentiveDecoder.start` makes it from the encoder's last states."""
        return self.decoder.start(
            memory, [[memory[f"hidden/{i}"], memory[f"carry/{i}"]] for i in range(self.num_layers)]
        )

    def step(self, token, state, memory):
        """Writes one token.

        Args:
            token: (B K,) ids of the tokens written last, BOS at first, of K hypotheses per source.
            state: From `start` or the step before.
            memory: From `encode`.

        Returns:
            (logits, state, scores): float32 (B K, V) for the next token, the state after the step, and
            `{"decoder/cross": (B K, S)}`.
        """
        (_, attentional), state, weights = self.decoder.step(self.target_embedding(token), state, memory)
        return self.logits(attentional), state, {"decoder/cross": weights}

    def get_config(self):
        names = ("score", "window", "window_size", "input_feeding")
        return {**super().get_config(), "num_layers": self.num_layers, **{name: getattr(self, name) for name in names}}
