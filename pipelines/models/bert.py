"""BERT: a Transformer encoder that reads in both directions (Devlin et al. 2019).

Shapes: B batch, T tokens, D hidden_dim, H heads.
"""

import keras
from keras import ops

from attention_zoo.layers import TransformerEncoderBlock
from attention_zoo.pipelines.models.parts.activations import activation_of
from attention_zoo.pipelines.models.parts.bert_embeddings import BertEmbeddings, initial_weights
from attention_zoo.pipelines.models.parts.lengths import expect_at_most

BERT_SIZES = {
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 128, "intermediate_dim": 512},
    "mini": {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024},
    "small": {"num_layers": 4, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048},
    "medium": {"num_layers": 8, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048},
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
}
"""The paper's sizes (section 3), and the smaller ones of Turc et al. 2019."""


@keras.saving.register_keras_serializable("attention_zoo")
class BertEncoder(keras.Model):
    """Embeddings of tokens, positions and segments, and a stack of post-norm blocks with exact GELU (section 3).

    Args:
        vocabulary_size: Number of token ids.
        num_layers: Blocks. Defaults to 4.
        num_heads: H. Defaults to 4.
        hidden_dim: D. Defaults to 256.
        intermediate_dim: Width of the blocks' inner layer. Defaults to 1024.
        max_length: Number of learned positions. Defaults to 512.
        num_segments: Number of learned segments; 0 leaves them out. Defaults to 2.
        dropout: Share of the features that are dropped in training. Defaults to .1, the paper's.
        attention_dropout: Share of the attention weights that are dropped in training. Defaults to .1, the paper's.
        activation: Activation of the blocks' inner layer. Defaults to `"gelu"`, the exact one; `"gelu_tanh"`
            is its approximation.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-12, that of the authors' code.
        pad_token: Id of padding. Defaults to 0.
        pooler: Whether there is a dense layer with tanh on the first token, "pooled". Defaults to `True`.
        embedding_dim: Width of the embeddings, which a dense layer makes as wide as the blocks. Defaults to `None`:
            D, without that layer.
        num_groups: Groups of consecutive layers that share a block; `None` is one for each layer. Defaults to `None`.

    Call arguments:
        inputs: A dict: "tokens", integers `(B, T)`; optional "mask", bool `(B, T)`, True where there is a token, by
            default where "tokens" is not `pad_token`; optional "segments", integers `(B, T)`, by default 0; optional
            "positions", integers `(B, T)`, by default 0 ... T - 1.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout.

    Returns:
        A dict: "states", `(B, T, D)`, of which padding is undefined; with `pooler` "pooled", `(B, D)`. With
        `return_attention_scores` also a dict of the weights of each block, `"encoder/1"`: float32 `(B, H, T, T)`.

    Raises:
        ValueError: If T is known to be more than `max_length`, or `num_layers` is not a multiple of `num_groups`.

    Example:

    >>> import keras
    >>> encoder = BertEncoder(100, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> outputs, scores = encoder({"tokens": keras.ops.array([[5, 6, 7, 0]])}, return_attention_scores=True)
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'states': (1, 4, 8), 'pooled': (1, 8)}
    >>> {name: tuple(value.shape) for name, value in scores.items()}
    {'encoder/1': (1, 2, 4, 4), 'encoder/2': (1, 2, 4, 4)}
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=4,
        num_heads=4,
        hidden_dim=256,
        intermediate_dim=1024,
        max_length=512,
        num_segments=2,
        dropout=0.1,
        attention_dropout=0.1,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        pad_token=0,
        pooler=True,
        embedding_dim=None,
        num_groups=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "max_length": max_length,
            "num_segments": num_segments,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "layer_norm_epsilon": layer_norm_epsilon,
            "pad_token": pad_token,
            "pooler": pooler,
            "embedding_dim": embedding_dim,
            "num_groups": num_groups,
        }
        if num_groups is not None and num_layers % num_groups:
            raise ValueError(
                f"{type(self).__name__}: `num_layers` must be a multiple of num_groups={num_groups}. "
                f"Received: num_layers={num_layers}"
            )
        self.hidden_dim, self.max_length, self.pad_token = hidden_dim, max_length, pad_token
        self.embeddings = BertEmbeddings(
            vocabulary_size,
            embedding_dim or hidden_dim,
            max_length,
            num_segments=num_segments,
            dropout=dropout,
            layer_norm_epsilon=layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="embeddings",
        )
        dense = {"units": hidden_dim, "kernel_initializer": initial_weights(), "dtype": self.dtype_policy}
        self.widen = None if embedding_dim is None else keras.layers.Dense(**dense, name="widen")
        self.blocks = [
            TransformerEncoderBlock(
                num_heads,
                intermediate_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                activation=activation_of(activation),
                layer_norm_epsilon=layer_norm_epsilon,
                kernel_initializer=initial_weights(),
                dtype=self.dtype_policy,
                name=f"encoder_{number}",  # from 0, as in checkpoints
            )
            for number in range(num_groups or num_layers)
        ]
        self.pooler = keras.layers.Dense(**dense, activation="tanh", name="pooler") if pooler else None

    def build(self, inputs_shape):
        batch, length = inputs_shape["tokens"]
        self.embeddings.build((batch, length))
        if self.widen is not None:
            self.widen.build((batch, length, self.embeddings.dim))
        for block in self.blocks:
            block.build((batch, length, self.hidden_dim))
        if self.pooler is not None:
            self.pooler.build((batch, self.hidden_dim))
        expect_at_most(self, self.max_tokens)
        self.built = True

    @property
    def max_tokens(self):
        """The largest number of tokens of a text, for all of which there are positions."""
        return self.max_length

    def mask_of(self, inputs):
        """Returns where there are tokens, bool `(B, T)`."""
        return ops.cast(inputs["mask"], "bool") if "mask" in inputs else inputs["tokens"] != self.pad_token

    def positions_of(self, inputs, mask):
        """Returns the positions of the tokens, integers that broadcast to `(B, T)`."""
        if "positions" in inputs:
            return inputs["positions"]
        length = inputs["tokens"].shape[1]
        if length is not None and length > self.max_length:
            raise ValueError(
                f"{type(self).__name__}: expected at most max_length={self.max_length} tokens. Received: {length}"
            )
        return ops.arange(ops.shape(inputs["tokens"])[1])[None]

    def state_of_text(self, states, mask):
        """Returns the states of the tokens that stand for texts, of `(B, T, D)` and bool `(B, T)` to `(B, D)`."""
        return states[:, 0]

    def embed(self, inputs, mask, training=None):
        """Returns what the first block takes, `(B, T, D)`."""
        positions = self.positions_of(inputs, mask)
        features = self.embeddings(inputs["tokens"], positions, inputs.get("segments"), training=training)
        return features if self.widen is None else self.widen(features)

    def call(self, inputs, return_attention_scores=False, training=None):
        mask = self.mask_of(inputs)
        states, scores = self.embed(inputs, mask, training), {}
        layers = self.options["num_layers"]
        for number in range(layers):
            block = self.blocks[number * len(self.blocks) // layers]
            states = block(states, query_mask=mask, return_attention_scores=return_attention_scores, training=training)
            if return_attention_scores:
                states, scores[f"encoder/{number + 1}"] = states
        outputs = {"states": states}
        if self.pooler is not None:
            outputs["pooled"] = self.pooler(self.state_of_text(states, mask))
        return (outputs, scores) if return_attention_scores else outputs

    def get_config(self):
        return super().get_config() | self.options
