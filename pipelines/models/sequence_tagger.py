"""A tagger of words: words and their characters, an encoder, and a conditional random field (Lample et al. 2016).

Shapes: B sentences, T words, C characters of a word, D features, K tags, H heads.
"""

import keras
from keras import ops

from attention_zoo.layers import ConditionalRandomField, SinusoidalEncoding, TransformerEncoderBlock
from attention_zoo.layers.crf import tagging_constraints

ENCODERS = ("lstm", "attention")
HEADS = ("crf", "softmax")


@keras.saving.register_keras_serializable("attention_zoo")
class SequenceTagger(keras.Model):
    """Tags each word of a sentence.

    A word is its embedding, and the maximum over its characters of a convolution (Ma and Hovy 2016, sec. 2.1; Lample et
    al. read the characters with an LSTM, which takes longer and scores alike). With `word_encoder`, the state of its
    first token stands in place of its embedding (Devlin et al. 2019, sec. 5.3). The encoder is a bidirectional LSTM, or
    Transformer blocks with sinusoidal positions. The head is a `ConditionalRandomField`, which knows what the tagging
    scheme forbids, or a softmax for each word.

    Args:
        vocabulary_size: Rows of the word embedding; id 0 is padding.
        characters: Rows of the character embedding; id 0 is padding.
        tags: Names of the K tags, "O" first.
        embedding_dim: Size of a word's embedding. Defaults to 100.
        character_dim: Size of a character's embedding. Defaults to 25.
        filters: Features of the characters. Defaults to 50.
        encoder: `"lstm"` or `"attention"`. Defaults to `"lstm"`.
        hidden_dim: Units of each direction of the LSTM, or width of the Transformer's blocks. Defaults to 100.
        num_layers: LSTMs or blocks. Defaults to 1.
        num_heads: Heads of a block. Defaults to 4.
        dropout: Share of the features dropped in training before and after the encoder. Defaults to 0.5.
        head: `"crf"` or `"softmax"`. Defaults to `"crf"`.
        word_encoder: A `BertEncoder`, a relative or an `XLNetEncoder`, named "encoder", whose weights are learned
            too. Defaults to `None`.

    Call arguments:
        inputs: A dict of `"words"`, integers (B, T), and `"characters"`, integers (B, T, C), 0 = padding at the right.
            For the `word_encoder` also its `"tokens"`, their `"mask"` and optionally their `"segments"`, and
            `"columns"`, integers (B, T): where among the tokens the first one of each word is.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout.

    Returns:
        The scores of the tags, float32 (B, T, K); with `return_attention_scores` also a dict of the weights of each
        block, `"encoder/1/self"` (B, H, T, T). For the LSTM it has those of the last block of the `word_encoder`, from
        the first token of each word to those of the others, and without one it is empty. `marginals`, `decode` and
        `log_likelihood` take the scores.

    Raises:
        ValueError: If `encoder` or `head` is unknown.

    Example:

    >>> import keras
    >>> model = SequenceTagger(30, 20, ["O", "B-PER", "I-PER"], embedding_dim=8, hidden_dim=6)
    >>> inputs = {"words": keras.ops.ones((2, 3), "int32"), "characters": keras.ops.ones((2, 3, 5), "int32")}
    >>> scores = model(inputs)
    >>> tags, _ = model.decode(scores, inputs["words"] > 0)
    >>> tuple(scores.shape), tuple(tags.shape)
    ((2, 3, 3), (2, 3))
    """

    def __init__(
        self,
        vocabulary_size,
        characters,
        tags,
        embedding_dim=100,
        character_dim=25,
        filters=50,
        encoder="lstm",
        hidden_dim=100,
        num_layers=1,
        num_heads=4,
        dropout=0.5,
        head="crf",
        word_encoder=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value, known in (("encoder", encoder, ENCODERS), ("head", head, HEADS)):
            if value not in known:
                raise ValueError(f"`{name}` must be one of {known}. Received: {name}={value!r}")
        self.vocabulary_size = vocabulary_size
        self.characters = characters
        self.tags = list(tags)
        self.embedding_dim = embedding_dim
        self.character_dim = character_dim
        self.filters = filters
        self.encoder = encoder
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.dropout = dropout
        self.head = head
        self.word_encoder = word_encoder
        policy = self.dtype_policy

        def embedding(rows, size, name):  # uniform from -sqrt(3/d) to sqrt(3/d), as Lample et al.'s
            initializer = keras.initializers.RandomUniform(-((3 / size) ** 0.5), (3 / size) ** 0.5)
            return keras.layers.Embedding(rows, size, embeddings_initializer=initializer, dtype=policy, name=name)

        self.word_embedding = None if word_encoder else embedding(vocabulary_size, embedding_dim, "word_embedding")
        self.character_embedding = embedding(characters, character_dim, "character_embedding")
        self.convolution = keras.layers.Conv1D(filters, 3, padding="same", dtype=policy, name="convolution")
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        self.positions = self.project = None
        if encoder == "lstm":
            self.blocks = [
                keras.layers.Bidirectional(
                    keras.layers.LSTM(hidden_dim, return_sequences=True, dtype=policy, name="lstm"),
                    dtype=policy,
                    name=f"encoder_{number}",
                )
                for number in range(1, num_layers + 1)
            ]
        else:
            self.positions = SinusoidalEncoding(dtype=policy, name="positions")
            self.project = keras.layers.Dense(hidden_dim, dtype=policy, name="project")
            self.blocks = [
                TransformerEncoderBlock(
                    num_heads, 4 * hidden_dim, dropout=0.2 * dropout, dtype=policy, name=f"encoder_{number}"
                )
                for number in range(1, num_layers + 1)
            ]
        self.scorer = keras.layers.Dense(len(self.tags), dtype="float32", name="scorer")
        self.crf = (
            ConditionalRandomField(len(self.tags), **tagging_constraints(self.tags), dtype="float32", name="crf")
            if head == "crf"
            else None
        )

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend on the arguments of the constructor only."""
        if self.word_encoder is None:
            self.word_embedding.build((None, None))
        elif not self.word_encoder.built:
            self.word_encoder.build({"tokens": (None, None)})
        self.character_embedding.build((None, None))
        self.convolution.build((None, None, self.character_dim))
        features = (self.word_encoder.hidden_dim if self.word_encoder else self.embedding_dim) + self.filters
        if self.project:
            self.project.build((None, None, features))
            features = self.hidden_dim
        for block in self.blocks:
            block.build((None, None, features))
            features = self.hidden_dim if self.project else 2 * self.hidden_dim
        self.scorer.build((None, None, features))
        if self.crf:
            self.crf.build((None, None, len(self.tags)))

    def call(self, inputs, return_attention_scores=False, training=None):
        mask = ops.not_equal(inputs["words"], 0)  # (B, T)
        words, scores = self.read(inputs, return_attention_scores, training)
        read = ops.concatenate([words, self.spell(inputs["characters"])], axis=-1)
        hidden = self.drop(read, training=training)  # (B, T, D)
        if self.project:
            hidden = self.positions(self.project(hidden))
        for number, block in enumerate(self.blocks, 1):
            if not self.project:
                hidden = block(hidden, mask=mask, training=training)
            elif return_attention_scores:
                hidden, scores[f"encoder/{number}/self"] = block(
                    hidden, query_mask=mask, return_attention_scores=True, training=training
                )
            else:
                hidden = block(hidden, query_mask=mask, training=training)
        logits = self.scorer(self.drop(hidden, training=training))  # (B, T, K)
        return (logits, scores) if return_attention_scores else logits

    def read(self, inputs, return_attention_scores, training):
        """Returns the embeddings of the words `(B, T, D)`, and a dict of the weights that `call` returns for them."""
        if self.word_encoder is None:
            return self.word_embedding(inputs["words"]), {}
        tokens = {name: inputs[name] for name in ("tokens", "mask", "segments") if name in inputs}
        columns = inputs["columns"][..., None]  # (B, T, 1)
        outputs = self.word_encoder(tokens, return_attention_scores=return_attention_scores, training=training)
        outputs, scores = outputs if return_attention_scores else (outputs, {})
        words = ops.take_along_axis(outputs["states"], columns, axis=1)
        if not scores or self.project:
            return words, {}
        weights = list(scores.values())[-1]  # (B, H, tokens, tokens)
        weights = ops.take_along_axis(weights, columns[:, None], axis=2)
        weights = ops.take_along_axis(weights, inputs["columns"][:, None, None, :], axis=3)  # (B, H, T, T)
        there = ops.not_equal(inputs["words"], 0)
        there = ops.logical_and(there[:, None, :, None], there[:, None, None, :])
        return words, {"encoder/1/self": ops.where(there, weights, 0.0)}

    def spell(self, characters):
        """Returns the features of the characters `(B, T, C)` of words, `(B, T, filters)`."""
        b, t, c = ops.shape(characters)
        characters = ops.reshape(characters, (b * t, c))
        there = ops.cast(ops.not_equal(characters, 0), self.compute_dtype)[..., None]  # (B T, C, 1)
        features = ops.relu(self.convolution(self.character_embedding(characters) * there)) * there
        return ops.reshape(ops.max(features, axis=1), (b, t, self.filters))

    def marginals(self, scores, mask):
        """Returns the probability of each tag `(B, T, K)`, from `scores` and `mask`, bool `(B, T)`."""
        if self.crf:
            return self.crf(scores, mask=mask)
        return ops.where(mask[..., None], ops.softmax(scores, axis=-1), 0.0)

    def decode(self, scores, mask):
        """Returns the best tags, int32 `(B, T)`, 0 where the mask is False, and their score `(B,)`."""
        if self.crf:
            return self.crf.decode(scores, mask)
        best = ops.where(mask, ops.max(ops.log_softmax(scores, axis=-1), axis=-1), 0.0)
        return ops.where(mask, ops.cast(ops.argmax(scores, axis=-1), "int32"), 0), ops.sum(best, axis=-1)

    def log_likelihood(self, scores, tags, mask):
        """Returns the log-probability of each sentence's tags `(B,)`."""
        if self.crf:
            return self.crf.log_likelihood(scores, tags, mask)
        chosen = ops.one_hot(ops.where(mask, tags, -1), len(self.tags), dtype="float32")
        return ops.sum(ops.log_softmax(scores, axis=-1) * chosen, axis=(1, 2))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of `fit`, where `y` holds the tags `(B, T)`: minus the log-likelihood, the mean of the sentences."""
        return -ops.mean(self.log_likelihood(y_pred, ops.cast(y, "int32"), ops.not_equal(x["words"], 0)))

    def get_config(self):
        names = (
            *("vocabulary_size", "characters", "tags", "embedding_dim", "character_dim", "filters", "encoder"),
            *("hidden_dim", "num_layers", "num_heads", "dropout", "head"),
        )
        encoder = self.word_encoder and keras.saving.serialize_keras_object(self.word_encoder)
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "word_encoder": encoder}

    @classmethod
    def from_config(cls, config):
        encoder = config.get("word_encoder")
        return cls(**config | {"word_encoder": encoder and keras.saving.deserialize_keras_object(encoder)})
