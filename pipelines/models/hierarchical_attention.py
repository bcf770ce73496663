"""Hierarchical attention: words make sentences, sentences make a document (Yang et al. 2016).

Shapes: B documents, N sentences, W words of a sentence, E embedding_dim, U units, K classes.
"""

import keras
from keras import ops

from attention_zoo.layers import AttentionPooling
from attention_zoo.pipelines.models.parts.mean_pooling import MeanPooling

POOLINGS = ("attention", "mean")


@keras.saving.register_keras_serializable("attention_zoo")
class HierarchicalAttentionNetwork(keras.Model):
    """Classifies documents by the words of their sentences and the sentences of the document (sec. 2.2).

    The same two parts on both levels: a bidirectional GRU over the elements, then attention of a learned query, which
    summarises them. Padding is masked on both levels. The paper's sizes are the defaults.

    Args:
        vocabulary_size: Rows of the embedding; id 0 is padding.
        num_classes: K.
        embedding_dim: E. Defaults to 200.
        units: U, size of each direction's GRU; annotations have 2 U features. Defaults to 50.
        attention_units: Width of the attention's hidden layer. Defaults to 100.
        pooling: `"attention"`, or `"mean"` for the mean of the annotations, to compare with. Defaults to
            `"attention"`.
        dropout: Share of the words dropped in training, each with its whole embedding (Iyyer et al. 2015, "Deep
            Unordered Composition Rivals Syntactic Methods", sec. 3.1), and of the features of both summaries. The paper
            drops nothing. Defaults to 0.

    Call arguments:
        token_ids: Integers (B, N, W), 0 = padding. A sentence whose ids are all 0 is padding.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout.

    Returns:
        Logits, float32 (B, K), and with `return_attention_scores` also a dict of float32 weights: `"words"` (B, N, W),
        which sum to 1 in every sentence, and `"sentences"` (B, N), which sum to 1 in every document.

    Raises:
        ValueError: If `pooling` is unknown.

    Example:

    >>> import keras
    >>> model = HierarchicalAttentionNetwork(30, num_classes=4, embedding_dim=8, units=3, attention_units=5)
    >>> documents = keras.ops.array([[[5, 6, 7], [8, 0, 0], [0, 0, 0]]])
    >>> logits, scores = model(documents, return_attention_scores=True)
    >>> tuple(logits.shape), {name: tuple(weights.shape) for name, weights in scores.items()}
    ((1, 4), {'words': (1, 3, 3), 'sentences': (1, 3)})
    """

    def __init__(
        self,
        vocabulary_size,
        num_classes,
        embedding_dim=200,
        units=50,
        attention_units=100,
        pooling="attention",
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {POOLINGS}. Received: pooling={pooling!r}")
        self.vocabulary_size = vocabulary_size
        self.num_classes = num_classes
        self.embedding_dim = embedding_dim
        self.units = units
        self.attention_units = attention_units
        self.pooling = pooling
        self.dropout = dropout
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, dtype=policy, name="embedding")
        self.word_encoder, self.sentence_encoder = (
            keras.layers.Bidirectional(
                keras.layers.GRU(units, return_sequences=True, dtype=policy, name="gru"),
                dtype=policy,
                name=f"{level}_encoder",
            )
            for level in ("word", "sentence")
        )
        self.word_pooling, self.sentence_pooling = (
            AttentionPooling(attention_units, dtype=policy, name=f"{level}_pooling")
            if pooling == "attention"
            else MeanPooling(dtype=policy, name=f"{level}_pooling")
            for level in ("word", "sentence")
        )
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        self.drop_words = keras.layers.Dropout(dropout, (None, None, 1), dtype=policy, name="drop_words")
        self.head = keras.layers.Dense(num_classes, dtype="float32", name="head")

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend on the arguments of the constructor only."""
        features = 2 * self.units
        self.embedding.build((None, None))
        self.word_encoder.build((None, None, self.embedding_dim))
        self.sentence_encoder.build((None, None, features))
        for pooling in (self.word_pooling, self.sentence_pooling):
            if not pooling.built:
                pooling.build((None, None, features))
        self.head.build((None, features))

    def call(self, token_ids, return_attention_scores=False, training=None):
        b, n, w = ops.shape(token_ids)
        rows = ops.reshape(token_ids, (b * n, w))
        sentences, word_weights = self.encode_sentences(rows, training=training)
        sentences = ops.reshape(sentences, (b, n, 2 * self.units))
        mask = ops.any(ops.not_equal(token_ids, 0), axis=-1)  # (B, N)
        logits, sentence_weights = self.classify(sentences, mask, training=training)
        if not return_attention_scores:
            return logits
        return logits, {"words": ops.reshape(word_weights, (b, n, w)), "sentences": sentence_weights}

    def encode_sentences(self, token_ids, training=None):
        """The first level (eq. 5 to 7): ids (R, W) of R sentences -> their vectors (R, 2 U) and weights (R, W).

        A sentence has the same vector in any document, so that each is read once, however its document is changed.
        """
        mask = ops.not_equal(token_ids, 0)
        embedded = self.drop_words(self.embedding(token_ids), training=training)  # (R, W, E)
        words = self.word_encoder(embedded, mask=mask, training=training)  # (R, W, 2 U)
        return self.word_pooling(words, mask=mask, return_attention_scores=True)

    def classify(self, sentences, mask, training=None):
        """The second level (eq. 8 to 11): vectors (B, N, 2 U) of sentences -> logits (B, K) and weights (B, N).

        Sentences that `mask`, bool (B, N), leaves out are read nowhere, wherever they stand.
        """
        sentences = self.drop(sentences, training=training)
        annotations = self.sentence_encoder(sentences, mask=mask, training=training)  # (B, N, 2 U)
        document, weights = self.sentence_pooling(annotations, mask=mask, return_attention_scores=True)
        return self.head(self.drop(document, training=training)), weights

    def get_config(self):
        names = ("vocabulary_size", "num_classes", "embedding_dim", "units", "attention_units", "pooling", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
