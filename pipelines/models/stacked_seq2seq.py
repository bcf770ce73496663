"""Sequence to sequence learning with neural networks (Sutskever et al. 2014).

Shapes: B batch, S source, T target, E embedding_dim, U units, V target vocabulary.
"""

import keras
from keras import ops

from attention_zoo.pipelines.models.parts.recurrent_translator import RecurrentTranslator, source_mask
from attention_zoo.pipelines.models.parts.stacked_lstm import StackedLSTM


@keras.saving.register_keras_serializable("attention_zoo")
class StackedSeq2Seq(RecurrentTranslator):
    """A stack of LSTMs encodes the source backwards; another writes the target.

    Each LSTM of the second stack starts from the last state of its counterpart. The states are all that the decoder
    knows of the source: there is no attention, and the content of a long sentence must fit into them. The model itself
    reverses the tokens of each row (section 3.3); padding stays at the right. Deviations: the paper's LSTM is Graves's,
    ours is Keras's (forget bias 1), with Keras's initialisers rather than U(-0.08, 0.08); dropout.

    Args:
        source_vocabulary_size: Rows of the source embedding.
        target_vocabulary_size: V.
        embedding_dim: E. Defaults to 256.
        units: U of each LSTM. Defaults to 256.
        num_layers: LSTMs in the encoder, and again in the decoder. Defaults to 2.
        dropout: Share of features dropped in training: of the embeddings, between LSTMs, and before the projection to
            V. Defaults to 0.1.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; 0 is padding, the target begins with BOS.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return attention weights too: there are none.

    Returns:
        float32 logits (B, T, V), and with `return_attention_scores` also `{}`.

    Raises:
        ValueError: If `num_layers` is not a positive integer.

    Example:

    >>> model = StackedSeq2Seq(50, 60, embedding_dim=8, units=6, num_layers=2)
    >>> source, target = keras.ops.array([[5, 6, 3]]), keras.ops.array([[2, 7]])
    >>> tuple(model({"source": source, "target": target}).shape)
    (1, 2, 60)
    >>> memory = model.encode({"source": source})
    >>> logits, state, scores = model.step(keras.ops.array([2]), model.start(memory), memory)
    >>> tuple(logits.shape), scores
    ((1, 60), {})
    """

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        embedding_dim=256,
        units=256,
        num_layers=2,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(source_vocabulary_size, target_vocabulary_size, embedding_dim, units, dropout, **kwargs)
        self.num_layers = num_layers
        self.encoder = StackedLSTM(units, num_layers, dropout, dtype=self.dtype_policy, name="encoder")
        self.decoder = StackedLSTM(units, num_layers, dropout, dtype=self.dtype_policy, name="decoder")

    @classmethod
    def paper(cls, source_vocabulary_size=160000, target_vocabulary_size=80000, **changes):
        """Section 3.4: four LSTMs of 1000 cells, embeddings of 1000; 384M parameters with the paper's vocabularies."""
        size = {"embedding_dim": 1000, "units": 1000, "num_layers": 4, "dropout": 0.0}
        return cls(source_vocabulary_size, target_vocabulary_size, **(size | changes))

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        embedded = (None, None, self.embedding_dim)
        self.build_ends(self.units)
        self.encoder.build(embedded)
        self.decoder.build(embedded)

    def call(self, inputs, training=None, return_attention_scores=False):
        states = self._read(inputs["source"], training)
        embedded = self.embed(self.target_embedding, inputs["target"], training)  # (B, T, E)
        outputs, _ = self.decoder(embedded, initial_state=states, training=training)  # (B, T, U)
        logits = self.logits(outputs, training)  # (B, T, V)
        return (logits, {}) if return_attention_scores else logits

    def _read(self, source, training):
        """The last (hidden, carry) of each LSTM of the encoder, (B, U) each."""
        source = reverse_tokens(source)
        embedded = self.embed(self.source_embedding, source, training)
        return self.encoder(embedded, mask=source_mask(source), training=training)[1]

    def encode(self, inputs, training=False):
        """Encodes the source.

        Args:
            inputs: `{"source": (B, S)}` token ids.
            training: Whether to apply dropout.

        Returns:
            The memory: for each LSTM "hidden/i" and "carry/i" (B, U).
        """
        if not self.built:
            self.build()
        memory = {}
        for i, (hidden, carry) in enumerate(self._read(inputs["source"], training)):
            memory |= {f"hidden/{i}": hidden, f"carry/{i}": carry}
        return memory

    def start(self, memory):
        """The state before the first token: a copy of the memory, whose tensors have the same names."""
        return dict(memory)

    def step(self, token, state, memory):
        """Writes one token.

        Args:
            token: (B K,) ids of the tokens written last, BOS at first, of K hypotheses per source.
            state: From `start` or the step before.
            memory: From `encode`.

        Returns:
            (logits, state, scores): float32 (B K, V) for the next token, the state after the step, and `{}`.
        """
        states = [(state[f"hidden/{i}"], state[f"carry/{i}"]) for i in range(self.num_layers)]
        output, states = self.decoder.step(self.target_embedding(token), states)
        state = {}
        for i, (hidden, carry) in enumerate(states):
            state |= {f"hidden/{i}": hidden, f"carry/{i}": carry}
        return self.logits(output), state, {}

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}


def reverse_tokens(token_ids):
    """Reverses each row, and leaves its padding (0, at the right) where it was.

    Padding at the left would be correct too, but cuDNN's LSTM refuses it.

    Example:

    >>> print(reverse_tokens(keras.ops.array([[5, 6, 3], [7, 3, 0]])).numpy())
    [[3 6 5]
     [3 7 0]]
    """
    positions = ops.arange(ops.shape(token_ids)[1], dtype="int32")[None]  # (1, S)
    lengths = ops.sum(ops.cast(source_mask(token_ids), "int32"), axis=1, keepdims=True)  # (B, 1)
    return ops.take_along_axis(token_ids, ops.where(positions < lengths, lengths - 1 - positions, positions), axis=1)
