"""Learning phrase representations using RNN encoder-decoder (Cho et al. 2014).

Shapes: B batch, S source, T target, E embedding_dim, U units, V target vocabulary.
"""

import keras
from keras import ops

from attention_zoo.pipelines.models.parts.gru_cell import GRUCell
from attention_zoo.pipelines.models.parts.recurrent_translator import RecurrentTranslator, maxout, source_mask


@keras.saving.register_keras_serializable("attention_zoo")
class RecurrentEncoderDecoder(RecurrentTranslator):
    """A GRU encodes the source in one vector; another writes the target and reads the vector at each step.

        c = tanh(V h_S),  s_0 = tanh(V' c)                              (appendix A.1.1, A.1.2)
        s_t = GRU([e(y_{t-1}); c], s_{t-1})
        p(y_t) = softmax(G maxout(O_h s_t + O_y e(y_{t-1}) + O_c c))

    As in the paper, the output layer has half as many maxout units as the state (500, 1000), in pools of two.
    Deviations: in the decoder's candidate the appendix has the reset gate after the product, r ⊙ (U s + C c), ours is
    the encoder's form for both, U (r ⊙ s) (`GRUCell`); biases; Keras's initialisers rather than N(0, 0.01²); G is one
    matrix; dropout.

    Args:
        source_vocabulary_size: Rows of the source embedding.
        target_vocabulary_size: V.
        embedding_dim: E. Defaults to 256.
        units: U of both GRUs, even. Defaults to 256.
        dropout: Share of features dropped in training: of the embeddings, and before the projection to V. Defaults to
            0.1.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; 0 is padding, the target begins with BOS.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return attention weights too: there are none.

    Returns:
        float32 logits (B, T, V), and with `return_attention_scores` also `{}`.

    Raises:
        ValueError: If `units` is not even and positive.

    Example:

    >>> model = RecurrentEncoderDecoder(50, 60, embedding_dim=8, units=6)
    >>> source, target = keras.ops.array([[5, 6, 3]]), keras.ops.array([[2, 7]])
    >>> tuple(model({"source": source, "target": target}).shape)
    (1, 2, 60)
    >>> memory = model.encode({"source": source})
    >>> logits, state, scores = model.step(keras.ops.array([2]), model.start(memory), memory)
    >>> tuple(logits.shape), scores
    ((1, 60), {})
    """

    def __init__(
        self, source_vocabulary_size, target_vocabulary_size, embedding_dim=256, units=256, dropout=0.1, **kwargs
    ):
        super().__init__(source_vocabulary_size, target_vocabulary_size, embedding_dim, units, dropout, **kwargs)
        if units < 1 or units % 2:
            raise ValueError(
                f"`units` must be even, since the output layer has half as many, and positive. Received: units={units}"
            )
        policy = self.dtype_policy
        self.encoder = keras.layers.RNN(GRUCell(units, dtype=policy), dtype=policy, name="encoder")
        self.summarise = keras.layers.Dense(units, activation="tanh", dtype=policy, name="summarise")
        self.bridge = keras.layers.Dense(units, activation="tanh", dtype=policy, name="bridge")
        self.decoder = keras.layers.RNN(
            GRUCell(units, dtype=policy), return_sequences=True, dtype=policy, name="decoder"
        )
        self.hidden = keras.layers.Dense(units, activation=maxout, dtype=policy, name="hidden")

    @classmethod
    def paper(cls, source_vocabulary_size=15000, target_vocabulary_size=15000, **changes):
        """Section 4.1: 1000 units, embeddings of 100, 500 maxout units; 24.2M parameters with its vocabularies."""
        size = {"embedding_dim": 100, "units": 1000, "dropout": 0.0}
        return cls(source_vocabulary_size, target_vocabulary_size, **(size | changes))

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        self.build_ends(self.units // 2)
        self.encoder.build((None, None, self.embedding_dim))
        self.summarise.build((None, self.units))
        self.bridge.build((None, self.units))
        self.decoder.build((None, None, self.embedding_dim + self.units))
        self.hidden.build((None, None, self.embedding_dim + 2 * self.units))

    def call(self, inputs, training=None, return_attention_scores=False):
        summary = self._summarise(inputs["source"], training)  # c, (B, U)
        embedded = self.embed(self.target_embedding, inputs["target"], training)  # (B, T, E)
        repeated = ops.broadcast_to(summary[:, None], (*ops.shape(embedded)[:2], self.units))  # (B, T, U)
        read = ops.concatenate([embedded, repeated], axis=-1)  # (B, T, E + U)
        states = self.decoder(read, initial_state=[self.bridge(summary)])  # (B, T, U)
        logits = self.logits(self.hidden(ops.concatenate([states, read], axis=-1)), training)  # (B, T, V)
        return (logits, {}) if return_attention_scores else logits

    def _summarise(self, source, training):
        embedded = self.embed(self.source_embedding, source, training)
        return self.summarise(self.encoder(embedded, mask=source_mask(source)))

    def encode(self, inputs, training=False):
        """Encodes the source in one vector.

        Args:
            inputs: `{"source": (B, S)}` token ids.
            training: Whether to apply dropout.

        Returns:
            The memory: "summary", c (B, U).
        """
        if not self.built:
            self.build()
        return {"summary": self._summarise(inputs["source"], training)}

    def start(self, memory):
        """The state before the first token: "hidden", s_0 (B, U)."""
        return {"hidden": self.bridge(memory["summary"])}

    def step(self, token, state, memory):
        """Writes one token.

        Args:
            token: (B K,) ids of the tokens written last, BOS at first, of K hypotheses per source.
            state: From `start` or the step before.
            memory: From `encode`.

        Returns:
            (logits, state, scores): float32 (B K, V) for the next token, the state after the step, and `{}`.
        """
        hypotheses = ops.shape(token)[0] // ops.maximum(ops.shape(memory["summary"])[0], 1)
        summary = ops.repeat(memory["summary"], hypotheses, axis=0)  # (B K, U)
        read = ops.concatenate([self.target_embedding(token), summary], axis=-1)  # (B K, E + U)
        hidden, _ = self.decoder.cell(read, [state["hidden"]])
        return self.logits(self.hidden(ops.concatenate([hidden, read], axis=-1))), {"hidden": hidden}, {}
