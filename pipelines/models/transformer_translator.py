"""The Transformer of "Attention is all you need" (Vaswani et al. 2017), as a translator.

Shapes: B batch, S source, T target, D embedding_dim, H heads, d = D / H, V vocabulary.
"""

import keras

from attention_zoo.layers import PositionalEmbedding, TransformerDecoderBlock, TransformerEncoderBlock
from attention_zoo.pipelines.models.parts.transformer_seq2seq import TransformerSequenceToSequence


@keras.saving.register_keras_serializable("attention_zoo")
class TransformerTranslator(TransformerSequenceToSequence):
    """Encoder and decoder without recurrence; one matrix embeds source and target and scores the output.

    As in the paper (section 3): sinusoidal positions, embeddings times sqrt(D), layer normalisation after each
    sublayer, dropout on the sums of embeddings and positions and on each sublayer's output.
    `TransformerTranslator.paper()` is the base size. Beyond the paper's equations: biases in the attention projections;
    `normalize_first` moves the normalisation before each sublayer and adds one after each stack; `attention_dropout`
    drops attention weights.

    Args:
        source_vocabulary_size: V; the vocabulary is shared, so it must equal the target's.
        target_vocabulary_size: V.
        embedding_dim: D, the width of the whole model (the paper's d_model); a multiple of `num_heads`.
            Defaults to 256.
        num_layers: Blocks in the encoder, and again in the decoder. Defaults to 3.
        num_heads: H. Defaults to 4.
        intermediate_dim: Width of the feed-forward networks' inner layer. Defaults to 1024.
        dropout: Share of embeddings and of sublayer outputs that are dropped in training. Defaults to 0.1.
        attention_dropout: Share of attention weights that are dropped in training. Defaults to 0.
        normalize_first: Whether to normalise before each sublayer rather than after it. Defaults to `False`.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; 0 is padding, the target begins with BOS.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 logits `(B, T, V)`, and with `return_attention_scores` also a dict of float32 weights:
        `"encoder/0/self": (B, H, S, S)`, `"decoder/0/self": (B, H, T, T)`, `"decoder/0/cross": (B, H, T, S)`, and so
        on.

    Raises:
        ValueError: If the vocabularies differ in size, or `embedding_dim` is not a multiple of `num_heads`.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models.transformer_translator import TransformerTranslator
    >>> model = TransformerTranslator(50, 50, embedding_dim=8, num_layers=1, num_heads=2, intermediate_dim=16)
    >>> source, target = keras.ops.array([[5, 6, 3]]), keras.ops.array([[2, 7]])
    >>> tuple(model({"source": source, "target": target}).shape)
    (1, 2, 50)
    >>> memory = model.encode({"source": source})
    >>> logits, state, scores = model.step(keras.ops.array([2]), model.start(memory), memory)
    >>> tuple(logits.shape), tuple(model.alignment(scores).shape)
    ((1, 50), (1, 3))
    """

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        embedding_dim=256,
        num_layers=3,
        num_heads=4,
        intermediate_dim=1024,
        dropout=0.1,
        attention_dropout=0.0,
        normalize_first=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if source_vocabulary_size != target_vocabulary_size:
            raise ValueError(
                "`source_vocabulary_size` and `target_vocabulary_size` must be equal, since source, target and output "
                "share one embedding: learn one vocabulary from both languages. "
                f"Received: {source_vocabulary_size} and {target_vocabulary_size}"
            )
        if num_heads < 1 or embedding_dim < 1 or embedding_dim % num_heads:
            raise ValueError(
                f"`embedding_dim` must be a multiple of `num_heads`. Received: embedding_dim={embedding_dim}, "
                f"num_heads={num_heads}"
            )
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = target_vocabulary_size
        self.embedding_dim = embedding_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.normalize_first = normalize_first

        self.embedding = PositionalEmbedding(
            target_vocabulary_size, embedding_dim, dropout=dropout, dtype=self.dtype_policy, name="embedding"
        )
        block = {
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "normalize_first": normalize_first,
            "dtype": self.dtype_policy,
        }
        self.encoder_blocks = [TransformerEncoderBlock(**block, name=f"encoder_{i}") for i in range(num_layers)]
        self.decoder_blocks = [TransformerDecoderBlock(**block, name=f"decoder_{i}") for i in range(num_layers)]
        if normalize_first:
            norm = {"epsilon": 1e-6, "dtype": self.dtype_policy}
            self.encoder_norm = keras.layers.LayerNormalization(**norm, name="encoder_norm")
            self.decoder_norm = keras.layers.LayerNormalization(**norm, name="decoder_norm")

    @classmethod
    def paper(cls, vocabulary_size=37000, **changes):
        """The base model of the paper (table 3): 63.1M parameters with the 37000 shared BPE tokens of English-German.

        Args:
            vocabulary_size: V.
            **changes: Constructor arguments that differ from the paper's.
        """
        base = {"embedding_dim": 512, "num_layers": 6, "num_heads": 8, "intermediate_dim": 2048, "dropout": 0.1}
        return cls(vocabulary_size, vocabulary_size, **(base | changes))

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        super().build(input_shape)
        if self.normalize_first:
            self.encoder_norm.build((None, None, self.embedding_dim))
            self.decoder_norm.build((None, None, self.embedding_dim))

    def finish_encoding(self, features):
        return self.encoder_norm(features) if self.normalize_first else features

    def logits(self, features, matrix=None):
        return super().logits(self.decoder_norm(features) if self.normalize_first else features, matrix)

    def get_config(self):
        return {
            **super().get_config(),
            "source_vocabulary_size": self.source_vocabulary_size,
            "target_vocabulary_size": self.target_vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "normalize_first": self.normalize_first,
        }
