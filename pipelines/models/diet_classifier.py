"""Dual Intent and Entity Transformer: one encoder for the intent of a sentence and its entities (Bunk et al. 2020).

Shapes: B sentences, T words, F features of a word, D hidden_dim, K intents, C tags, H heads.
"""

import keras
from keras import ops

from attention_zoo.layers import ConditionalRandomField, SinusoidalEncoding, TransformerEncoderBlock
from attention_zoo.layers.crf import tagging_constraints
from attention_zoo.pipelines.models.parts.label_similarity import LabelSimilarity
from attention_zoo.pipelines.models.parts.masked_tokens import MaskedTokens
from attention_zoo.pipelines.models.parts.relative_block import RelativeEncoderBlock


@keras.saving.register_keras_serializable("attention_zoo")
class DIETClassifier(keras.Model):
    """Classifies sentences and tags their words, with the sum of up to three losses (section 3).

    A word is the sum of the embeddings of its sparse features, which is what a dense layer makes of a multi-hot
    vector, beside an optional dense vector. `__CLS__` is a token of its own with the mean of the sparse features and of
    the dense vectors of the sentence. Both go through a dense layer and the encoder. The intent is the label whose
    embedding has the greatest dot product with that of `__CLS__`; a CRF on top of the words tags entities.

    Deviations: `__CLS__` stands before the words, not after them, so that padding does not move it; its features are
    the mean, not the sum; labels have an embedding of their own and no features.

    Args:
        num_features: Rows of the table of sparse features; feature 0 is none.
        num_intents: K.
        tags: List of the names of the C tags, such as "O", "B-area" and "I-area"; with fewer than two there is no CRF.
        hidden_dim: D. Defaults to 256, the paper's.
        num_layers: Blocks of the encoder. Defaults to 2, the paper's.
        num_heads: H. Defaults to 4, the paper's.
        intermediate_dim: Width of the blocks' inner layer. Defaults to 1024.
        embedding_dim: Width of the embeddings that are compared. Defaults to 20, the paper's.
        negatives: Wrong labels, and wrong tokens, that a loss compares with. Defaults to 20, the paper's.
        relative_positions: Whether attention sees distances. Otherwise sinusoids are added. Defaults to `True`.
        max_distance: Distance from which on all are alike. Defaults to 5.
        feature_dropout: Share of the sparse features that are dropped in training. Defaults to 0.
        dropout: Share of the features of the encoder that are dropped in training. Defaults to 0.
        intent_loss: Whether intents are learned. Defaults to `True`.
        entity_loss: Whether entities are learned. Defaults to `True`.
        mask_loss: Whether hidden words are predicted in training. Defaults to `True`.

    Call arguments:
        inputs: A dict: "features", integers `(B, T, F)`, of which the first names the word and is 0 in padding;
            optional "dense", `(B, T, V)`. With "words", integers `(B, T)`, "features" is `(W, F)`, a row for each
            distinct word, and "words" has the rows: each word is embedded once, however often it occurs.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout and to hide words.

    Returns:
        A dict: "intent", float32 similarities `(B, K)`; "emissions", `(B, T, C)`, what `crf` takes; in training with
        the mask loss "mask_loss", float32 `(B,)`. With `return_attention_scores` also a dict of the weights of each
        layer, `"encoder/1"`: float32 `(B, H, T + 1, T + 1)`, of which place 0 is `__CLS__`.

    Example:

    >>> import keras
    >>> model = DIETClassifier(100, num_intents=3, tags=["O", "B-area", "I-area"], hidden_dim=8, intermediate_dim=16)
    >>> words = {"features": keras.ops.array([[[5, 6], [7, 0], [0, 0]]])}
    >>> {name: tuple(value.shape) for name, value in model(words).items()}
    {'intent': (1, 3), 'emissions': (1, 3, 3)}
    """

    def __init__(
        self,
        num_features,
        num_intents,
        tags,
        hidden_dim=256,
        num_layers=2,
        num_heads=4,
        intermediate_dim=1024,
        embedding_dim=20,
        negatives=20,
        relative_positions=True,
        max_distance=5,
        feature_dropout=0.0,
        dropout=0.0,
        intent_loss=True,
        entity_loss=True,
        mask_loss=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = {
            "num_features": num_features,
            "num_intents": num_intents,
            "tags": list(tags),
            "hidden_dim": hidden_dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "embedding_dim": embedding_dim,
            "negatives": negatives,
            "relative_positions": relative_positions,
            "max_distance": max_distance,
            "feature_dropout": feature_dropout,
            "dropout": dropout,
            "intent_loss": intent_loss,
            "entity_loss": entity_loss,
            "mask_loss": mask_loss,
        }
        self.intent_loss, self.mask_loss = intent_loss, mask_loss
        self.entity_loss = entity_loss and len(tags) > 1
        self.sparse = keras.layers.Embedding(num_features, hidden_dim, name="features")
        self.keep_features = keras.layers.Dropout(feature_dropout, name="feature_dropout")
        self.project = keras.layers.Dense(hidden_dim, name="project")
        self.input_dropout = keras.layers.Dropout(dropout, name="input_dropout")
        self.positions = None if relative_positions else SinusoidalEncoding(name="positions")
        sizes = {"num_heads": num_heads, "intermediate_dim": intermediate_dim, "dropout": dropout}
        names = [f"encoder_{number + 1}" for number in range(num_layers)]
        self.blocks = [
            RelativeEncoderBlock(**sizes, max_distance=max_distance, normalize_first=True, name=name)
            if relative_positions
            else TransformerEncoderBlock(**sizes, normalize_first=True, name=name)
            for name in names
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.intents = LabelSimilarity(num_intents, embedding_dim, negatives, name="intents")
        self.emissions = keras.layers.Dense(max(len(tags), 1), name="emissions")
        self.crf = ConditionalRandomField(max(len(tags), 1), **tagging_constraints(tags), name="crf")
        self.hidden_words = MaskedTokens(embedding_dim, negatives, name="hidden_words")

    def build(self, inputs_shape):
        width = self.options["hidden_dim"]
        hidden = (None, None, width)
        self.sparse.build(inputs_shape["features"])
        self.project.build((None, None, width + (inputs_shape["dense"][-1] if "dense" in inputs_shape else 0)))
        for layer in (*self.blocks, self.norm, self.emissions, self.hidden_words):
            layer.build(hidden)
        self.intents.build((None, width))
        self.crf.build((None, None, self.crf.num_tags))
        self.built = True

    def embed(self, inputs, training=None):
        """Returns the tokens that the encoder takes: `__CLS__` and the words, `(B, T + 1, D)`."""
        features = inputs["features"]
        present = ops.cast(features != 0, "float32")
        # Inverted dropout of features: the kept ones weigh more, so that the expected sum stays.
        weights = ops.cast(self.keep_features(present, training=training), self.compute_dtype)
        words = of_each_word(inputs, ops.einsum("...f,...fd->...d", weights, self.sparse(features)))  # (B, T, D)
        if "dense" in inputs:
            words = ops.concatenate([words, ops.cast(inputs["dense"], words.dtype)], axis=-1)
        mask = ops.cast(names_of_words(inputs) != 0, words.dtype)[..., None]  # (B, T, 1)
        count = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
        sentence = ops.sum(words * mask, axis=1, keepdims=True) / count  # (B, 1, D)
        return self.input_dropout(self.project(ops.concatenate([sentence, words], axis=1)), training=training)

    def call(self, inputs, return_attention_scores=False, training=None):
        words = names_of_words(inputs)
        tokens = self.embed(inputs, training)  # (B, T + 1, D)
        hiding, outputs, scores, chosen = bool(training) and self.mask_loss, {}, {}, None
        states = tokens
        if hiding:
            hidden, chosen = self.hidden_words.hide(tokens[:, 1:], words)
            states = ops.concatenate([tokens[:, :1], hidden], axis=1)
        if self.positions is not None:
            states = self.positions(states)
        mask = ops.concatenate([ops.ones_like(words[:, :1], dtype="bool"), words != 0], axis=1)  # (B, T + 1)
        for number, block in enumerate(self.blocks, 1):
            states, scores[f"encoder/{number}"] = block(
                states, query_mask=mask, return_attention_scores=True, training=training
            )
        states = self.norm(states)
        outputs["intent"] = self.intents(states[:, 0])
        outputs["emissions"] = self.emissions(states[:, 1:])
        if hiding:
            outputs["mask_loss"] = self.hidden_words(states[:, 1:], tokens[:, 1:], words=words, chosen=chosen)
        return (outputs, scores) if return_attention_scores else outputs

    def losses_of(self, inputs, outputs, targets):
        """Returns the losses of each sentence by name, float32 `(B,)`: "intent", "entity" and "mask", if they are on.

        Args:
            inputs: As in `call`.
            outputs: What `call` returned.
            targets: A dict: "intent", integers `(B,)`, and "tags", integers `(B, T)`.
        """
        losses = {}
        if self.intent_loss:
            losses["intent"] = self.intents.loss(outputs["intent"], targets["intent"])
        if self.entity_loss:
            mask = names_of_words(inputs) != 0
            losses["entity"] = -self.crf.log_likelihood(outputs["emissions"], targets["tags"], mask)
        if "mask_loss" in outputs:
            losses["mask"] = outputs["mask_loss"]
        return losses

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean of the summed losses, so that `fit` trains with `{"intent": ..., "tags": ...}` as targets."""
        return ops.mean(sum(self.losses_of(x, y_pred, y).values()))

    def get_config(self):
        return super().get_config() | self.options


def of_each_word(inputs, values):
    """Returns values of "features" `(B, T, ...)`, of which "words", where the inputs have them, say the rows."""
    return ops.take(values, inputs["words"], axis=0) if "words" in inputs else values


def names_of_words(inputs):
    """Returns the first feature of each word, integers `(B, T)`; 0 is padding."""
    return of_each_word(inputs, inputs["features"][..., 0])
