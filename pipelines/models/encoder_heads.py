"""What is learned on top of an encoder such as `BertEncoder`: hidden tokens, classes, tags, spans, sentence vectors.

Shapes: B batch, T tokens, D features, V vocabulary, C classes.
"""

import keras
from keras import ops

from attention_zoo.pipelines.models.parts.bert_embeddings import initial_weights
from attention_zoo.pipelines.models.parts.masked_token_head import MaskedTokenHead


def mean_of_tokens(states, mask):
    """Returns the mean of the states `(B, T, D)` where `mask` `(B, T)` is True, float32 `(B, D)`.

    Example:

    >>> print(mean_of_tokens(ops.array([[[2.0], [4.0], [9.0]]]), ops.array([[True, True, False]])).numpy())
    [[3.]]
    """
    weights = ops.cast(mask, "float32")[..., None]  # (B, T, 1)
    return ops.sum(ops.cast(states, "float32") * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1e-9)


class EncoderWithHead(keras.Model):
    """Base of the models in this file: calls the encoder, and adds what `head` returns to its outputs.

    Args:
        encoder: A `BertEncoder` or a relative. Its name should be "encoder".
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder

    def build(self, inputs_shape):
        if not self.encoder.built:
            self.encoder.build(inputs_shape)
        self.build_head((*inputs_shape["tokens"], self.encoder.hidden_dim))
        self.built = True

    def build_head(self, states_shape):
        """Builds the layers of the head for states `(B, T, D)`."""

    def head(self, outputs, inputs, training=None):
        """Returns a dict of what the head computes of the encoder's outputs and inputs."""
        raise NotImplementedError

    def call(self, inputs, return_attention_scores=False, training=None):
        outputs = self.encoder(inputs, return_attention_scores=return_attention_scores, training=training)
        outputs, scores = outputs if return_attention_scores else (outputs, None)
        outputs = outputs | self.head(outputs, inputs, training)
        return (outputs, scores) if return_attention_scores else outputs

    def get_config(self):
        return super().get_config() | {"encoder": keras.saving.serialize_keras_object(self.encoder)}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": keras.saving.deserialize_keras_object(config["encoder"])})


@keras.saving.register_keras_serializable("attention_zoo")
class MaskedLanguageModel(EncoderWithHead):
    """Predicts each token from both of its sides (Devlin et al. 2019, section 3.1).

    Args:
        encoder: A `BertEncoder` or a relative.

    Call arguments:
        As of `BertEncoder`.

    Returns:
        The outputs of the encoder and "logits", float32 `(B, T, V)`.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> model = MaskedLanguageModel(BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16))
    >>> tuple(model({"tokens": keras.ops.array([[5, 6, 0]])})["logits"].shape)
    (1, 3, 100)
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        options = {name: encoder.options[name] for name in ("activation", "layer_norm_epsilon")}
        embeddings = encoder.embeddings
        self.predictions = MaskedTokenHead(
            embeddings.vocabulary_size, embeddings.dim, **options, dtype=self.dtype_policy, name="predictions"
        )

    def build_head(self, states_shape):
        self.predictions.build(states_shape)

    def head(self, outputs, inputs, training=None):
        return {"logits": self.predictions(outputs["states"], embeddings=self.encoder.embeddings)}


@keras.saving.register_keras_serializable("attention_zoo")
class SequenceClassifier(EncoderWithHead):
    """Classifies a text, or a pair of texts; with one class it predicts a number (Devlin et al. 2019, section 4.1).

    Args:
        encoder: A `BertEncoder` or a relative.
        labels: Names of the C classes.
        hidden_activation: Activation of a dense layer on the first token's state, such as RoBERTa's and XLNet's
            (`"tanh"`), and DistilBERT's (`"relu"`). Defaults to `None`: BERT's, which is the encoder's "pooled".
        dropout: Share of the features that are dropped in training. Defaults to .1.
        pooling: `"first"`, the first token stands for the text, or for an `XLNetEncoder` its `text_token`, "<cls>",
            which is the last one; or `"mean"` of the tokens' states, as in sentence encoders. Defaults to `"first"`.

    Call arguments:
        As of `BertEncoder`.

    Returns:
        The outputs of the encoder and "logits", float32 `(B, C)`.

    Raises:
        ValueError: If `pooling` is neither, or the first token has no dense layer: `hidden_activation` is `None` and
            the encoder has no pooler.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> encoder = BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> tuple(SequenceClassifier(encoder, ["a", "b", "c"])({"tokens": keras.ops.array([[5, 6, 0]])})["logits"].shape)
    (1, 3)
    """

    def __init__(self, encoder, labels, hidden_activation=None, dropout=0.1, pooling="first", **kwargs):
        super().__init__(encoder, **kwargs)
        if pooling not in ("first", "mean"):
            raise ValueError(f'`pooling` must be "first" or "mean". Received: pooling={pooling!r}')
        if pooling == "first" and hidden_activation is None and encoder.pooler is None:
            raise ValueError('`hidden_activation` is needed for pooling="first" of an encoder without a pooler')
        self.labels, self.hidden_activation, self.dropout = list(labels), hidden_activation, dropout
        self.pooling = pooling
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        initial = {"kernel_initializer": initial_weights()}
        self.hidden = (
            None
            if hidden_activation is None
            else keras.layers.Dense(
                encoder.hidden_dim, activation=hidden_activation, **initial, dtype=self.dtype_policy, name="hidden"
            )
        )
        self.classes = keras.layers.Dense(len(self.labels), **initial, dtype="float32", name="classes")

    def build_head(self, states_shape):
        shape = (states_shape[0], states_shape[-1])
        if self.hidden is not None:
            self.hidden.build(shape)
        self.classes.build(shape)

    def features(self, outputs, inputs, training=None):
        """Returns what the layer of the classes takes, of the encoder's outputs and inputs, `(B, D)`."""
        mask = self.encoder.mask_of(inputs)
        if self.pooling == "mean":
            features = mean_of_tokens(outputs["states"], mask)
        else:
            features = outputs["pooled"] if self.hidden is None else self.encoder.state_of_text(outputs["states"], mask)
        if self.hidden is not None:
            features = self.hidden(self.dropout_layer(features, training=training))
        return self.dropout_layer(features, training=training)

    def head(self, outputs, inputs, training=None):
        return {"logits": self.classes(self.features(outputs, inputs, training))}

    def get_config(self):
        options = ("labels", "hidden_activation", "dropout", "pooling")
        return super().get_config() | {name: getattr(self, name) for name in options}


@keras.saving.register_keras_serializable("attention_zoo")
class TokenClassifier(EncoderWithHead):
    """Gives each token a class, such as the tag of an entity (Devlin et al. 2019, section 5.3).

    Args:
        encoder: A `BertEncoder` or a relative.
        labels: Names of the C classes.
        dropout: Share of the features that are dropped in training. Defaults to .1.

    Call arguments:
        As of `BertEncoder`.

    Returns:
        The outputs of the encoder and "logits", float32 `(B, T, C)`.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> encoder = BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> tuple(TokenClassifier(encoder, ["a", "b", "c"])({"tokens": keras.ops.array([[5, 6, 0]])})["logits"].shape)
    (1, 3, 3)
    """

    def __init__(self, encoder, labels, dropout=0.1, **kwargs):
        super().__init__(encoder, **kwargs)
        self.labels, self.dropout = list(labels), dropout
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.classes = keras.layers.Dense(
            len(self.labels), kernel_initializer=initial_weights(), dtype="float32", name="classes"
        )

    def build_head(self, states_shape):
        self.classes.build(states_shape)

    def head(self, outputs, inputs, training=None):
        return {"logits": self.classes(self.dropout_layer(outputs["states"], training=training))}

    def get_config(self):
        return super().get_config() | {"labels": self.labels, "dropout": self.dropout}


@keras.saving.register_keras_serializable("attention_zoo")
class AnswerFinder(EncoderWithHead):
    """Finds where in a text the answer to a question begins and ends (Devlin et al. 2019, section 4.2).

    Args:
        encoder: A `BertEncoder` or a relative, which reads the question and the text as a pair.

    Call arguments:
        As of `BertEncoder`.

    Returns:
        The outputs of the encoder and "logits", float32 `(B, T, 2)`: how well an answer begins, or ends, at a token.
        Their softmax goes over the tokens.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> encoder = BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> tuple(AnswerFinder(encoder)({"tokens": keras.ops.array([[5, 6, 0]])})["logits"].shape)
    (1, 3, 2)
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.classes = keras.layers.Dense(2, kernel_initializer=initial_weights(), dtype="float32", name="classes")

    def build_head(self, states_shape):
        self.classes.build(states_shape)

    def head(self, outputs, inputs, training=None):
        return {"logits": self.classes(outputs["states"])}


@keras.saving.register_keras_serializable("attention_zoo")
class SentenceEncoder(EncoderWithHead):
    """One vector a text, whose cosine says how alike two texts are (Reimers and Gurevych 2019, section 3).

    Args:
        encoder: A `BertEncoder` or a relative.
        pooling: `"mean"` of the tokens' states, their `"max"`, or the `"first"` one. Defaults to `"mean"`.
        normalize: Whether vectors have the length 1. Defaults to `True`.

    Call arguments:
        As of `BertEncoder`.

    Returns:
        The outputs of the encoder and "embedding", float32 `(B, D)`.

    Raises:
        ValueError: If `pooling` is none of the three.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models import BertEncoder
    >>> model = SentenceEncoder(BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16))
    >>> vectors = model({"tokens": keras.ops.array([[5, 6, 0], [5, 6, 7]])})["embedding"]
    >>> tuple(vectors.shape), bool(keras.ops.all(keras.ops.abs(keras.ops.norm(vectors, axis=1) - 1) < 1e-5))
    ((2, 8), True)
    """

    def __init__(self, encoder, pooling="mean", normalize=True, **kwargs):
        super().__init__(encoder, **kwargs)
        if pooling not in ("mean", "max", "first"):
            raise ValueError(f'`pooling` must be "mean", "max" or "first". Received: pooling={pooling!r}')
        self.pooling, self.normalize = pooling, normalize

    def head(self, outputs, inputs, training=None):
        states = ops.cast(outputs["states"], "float32")  # (B, T, D)
        mask = self.encoder.mask_of(inputs)  # (B, T)
        if self.pooling == "first":
            vectors = states[:, 0]
        elif self.pooling == "max":
            vectors = ops.max(ops.where(mask[..., None], states, -1e9), axis=1)
        else:
            vectors = mean_of_tokens(states, mask)
        if self.normalize:
            vectors = vectors / ops.maximum(ops.norm(vectors, axis=1, keepdims=True), 1e-12)
        return {"embedding": vectors}

    def get_config(self):
        return super().get_config() | {"pooling": self.pooling, "normalize": self.normalize}
