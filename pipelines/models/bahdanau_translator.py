"""Neural machine translation by jointly learning to align and translate (Bahdanau et al. 2015): RNNsearch.

Shapes: B batch, S source, T target, E embedding_dim, U units, V target vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers import AttentiveDecoder, BahdanauAttention
from attention_zoo.pipelines.models.parts.gru_cell import GRUCell
from attention_zoo.pipelines.models.parts.recurrent_translator import RecurrentTranslator, maxout, source_mask

READOUTS = ("maxout", "deep")


@keras.saving.register_keras_serializable("attention_zoo")
class BahdanauTranslator(RecurrentTranslator):
    """A bidirectional GRU annotates the source; a GRU attends to the annotations with its state, then steps.

        h_j = [→h_j; ←h_j],  s_0 = tanh(W_s ←h_1)                        (appendix A.2.1, A.2.2)
        c_i = Σ_j α_ij h_j,  α_i = softmax_j(v_aᵀ tanh(W_a s_{i-1} + U_a h_j))
        s_i = GRU([E y_{i-1}; c_i], s_{i-1})                             (`GRUCell`)
        t_i = maxout(U_o s_{i-1} + V_o E y_{i-1} + C_o c_i),  p(y_i) = softmax(W_o t_i)

    As in the paper, attention is as wide as the state and the output layer half as wide (n' = n = 1000, l = 500), in
    pools of two. Deviations: biases (the paper "omits" them from its equations), Glorot and orthogonal initialisers
    (embeddings N(0, 0.3²)) rather than N(0, 0.01²), dropout.

    Args:
        source_vocabulary_size: Rows of the source embedding.
        target_vocabulary_size: V.
        embedding_dim: E. Defaults to 256.
        units: U of each GRU, even; the annotations have 2 U features. Defaults to 256.
        dropout: Share of features dropped in training: of the embeddings, and before the projection to V. Defaults to
            0.1.
        output: `"maxout"`, the paper's, or `"deep"`: tanh over the same sum, U / 2 wide, rather than maxout. The
            attribute is `readout`, since `output` of a Keras model is its output tensor. Defaults to `"maxout"`.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; 0 is padding, the target begins with BOS.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 logits (B, T, V), and with `return_attention_scores` also `{"decoder/cross": float32 (B, T, S)}`.

    Raises:
        ValueError: If `output` is none of the above, or `units` is not even and positive.

    Example:

    >>> model = BahdanauTranslator(50, 60, embedding_dim=8, units=6)
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
        dropout=0.1,
        output="maxout",
        **kwargs,
    ):
        super().__init__(source_vocabulary_size, target_vocabulary_size, embedding_dim, units, dropout, **kwargs)
        if output not in READOUTS:
            raise ValueError(f"`output` must be one of {READOUTS}. Received: output={output!r}")
        if units < 1 or units % 2:
            raise ValueError(
                f"`units` must be even, since the output layer has half as many, and positive. Received: units={units}"
            )
        self.readout = output
        policy = self.dtype_policy
        gru = keras.layers.RNN(
            GRUCell(units, dtype=policy), return_sequences=True, return_state=True, dtype=policy, name="gru"
        )
        self.encoder = keras.layers.Bidirectional(gru, dtype=policy, name="encoder")
        self.bridge = keras.layers.Dense(units, activation="tanh", dtype=policy, name="bridge")
        self.decoder = AttentiveDecoder(
            GRUCell(units, dtype=policy, name="cell"),
            BahdanauAttention(units, dtype=policy, name="attention"),
            order="attend_then_step",
            dtype=policy,
            name="decoder",
        )
        width, activation = (units, maxout) if output == "maxout" else (units // 2, ops.tanh)
        self.hidden = keras.layers.Dense(width, activation=activation, dtype=policy, name="hidden")

    @classmethod
    def paper(cls, source_vocabulary_size=30000, target_vocabulary_size=30000, **changes):
        """RNNsearch (appendix A.2.3): n = n' = 1000, m = 620, l = 500; 80.4M parameters with its vocabularies."""
        size = {"embedding_dim": 620, "units": 1000, "dropout": 0.0}
        return cls(source_vocabulary_size, target_vocabulary_size, **(size | changes))

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        annotations, embedded = (None, None, 2 * self.units), (None, None, self.embedding_dim)
        self.build_ends(self.units // 2)
        self.encoder.build(embedded)
        self.bridge.build((None, self.units))
        self.decoder.build(embedded, annotations)
        self.hidden.build((None, None, 3 * self.units + self.embedding_dim))

    def call(self, inputs, training=None, return_attention_scores=False):
        annotations, first_state, mask = self._annotate(inputs["source"], training)
        embedded = self.embed(self.target_embedding, inputs["target"], training)  # (B, T, E)
        states, contexts, weights = self.decoder(
            embedded,
            annotations,
            initial_state=[first_state],
            value_mask=mask,
            return_attention_scores=True,
            training=training,
        )
        previous = ops.concatenate([first_state[:, None], states[:, :-1]], axis=1)  # s_{i-1}, (B, T, U)
        logits = self.logits(self._hidden(previous, embedded, contexts), training)  # (B, T, V)
        return (logits, {"decoder/cross": weights}) if return_attention_scores else logits

    def _annotate(self, source, training):
        """Annotations (B, S, 2 U), the decoder's first state (B, U) and the mask (B, S)."""
        mask = source_mask(source)
        embedded = self.embed(self.source_embedding, source, training)
        annotations, _, first_backward = self.encoder(embedded, mask=mask)  # the backward GRU ends at the first word
        return annotations, self.bridge(first_backward), mask

    def _hidden(self, previous, embedded, context):
        """t_i: one product over the concatenation is the sum of the paper's three."""
        return self.hidden(ops.concatenate([previous, embedded, context], axis=-1))

    def encode(self, inputs, training=False):
        """Encodes the source, and projects the annotations for the attention; called once per source.

        Args:
            inputs: `{"source": (B, S)}` token ids.
            training: Whether to apply dropout.

        Returns:
            The memory: "value" (B, S, 2 U), "key" (B, S, U), "mask" (B, S) and "first_state" (B, U).
        """
        if not self.built:
            self.build()
        annotations, first_state, mask = self._annotate(inputs["source"], training)
        return {**self.decoder.project_memory(annotations, value_mask=mask), "first_state": first_state}

    def start(self, memory):
        """The state before the first token, as `AttentiveDecoder.start` makes it."""
        return self.decoder.start(memory, initial_state=[memory["first_state"]])

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
        embedded, previous = self.target_embedding(token), state["cells"][-1][0]
        (_, context), state, weights = self.decoder.step(embedded, state, memory)
        return self.logits(self._hidden(previous, embedded, context)), state, {"decoder/cross": weights}

    def get_config(self):
        return {**super().get_config(), "output": self.readout}
