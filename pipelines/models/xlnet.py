"""XLNet: learns from both sides of a token by predicting tokens in random orders (Yang et al. 2019).

Shapes: B batch, T tokens, P targets, M tokens of a memory, S = M + T, L layers, D hidden_dim, H heads, V vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers.tied_logits import tied_logits
from attention_zoo.pipelines.models.parts.activations import activation_of
from attention_zoo.pipelines.models.parts.two_stream_block import TwoStreamBlock

XLNET_SIZES = {
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
}
"""The paper's sizes (appendix A.4, and BERT's base)."""


def initial_weights():
    """Returns XLNet's initialiser: normal, standard deviation .02 (the authors' code)."""
    return keras.initializers.RandomNormal(stddev=0.02)


@keras.saving.register_keras_serializable("attention_zoo")
class XLNetEncoder(keras.Model):
    """A stack of two-stream blocks with relative positions, segments and a memory (sections 2.2 to 2.5).

    In pretraining, `permutation_mask` gives the order in which tokens are predicted, and `targets` the tokens that are:
    the query stream, which starts from one learned vector, predicts them without seeing them. In fine-tuning and
    serving there are no targets, and the content stream alone is computed.

    Deviations from the authors' code: the biases r_w, r_r and r_s start at zero, not from N(0, .02); the sinusoids have
    no dropout. A target without anything to attend to gets zeros as its context, not the mean of all tokens.

    Args:
        vocabulary_size: V.
        num_layers: L, blocks. Defaults to 4.
        num_heads: H. Defaults to 4.
        hidden_dim: D, even. Defaults to 256.
        intermediate_dim: Width of the blocks' inner layer. Defaults to 1024.
        dropout: Share of the features that are dropped in training. Defaults to .1, the paper's.
        attention_dropout: Share of the attention weights that are dropped in training. Defaults to .1, the paper's.
        activation: Activation of the blocks' inner layer. Defaults to `"gelu"`, the exact one.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-12, that of the authors' code.
        pad_token: Id of padding. Defaults to 5, that of the authors' vocabulary.
        memory_length: Tokens that a memory keeps at most; 0 returns none. Defaults to 0.
        reuse_length: Tokens of a row, from the first, that go into its memory. Defaults to `None`: all.
        clamp_length: Distance from which on all are alike. Defaults to `None`: no limit.
        output_bias: Whether the logits have a bias. Defaults to `True`.
        text_token: Which of the tokens of a text stands for it: `"last"`, where the authors' vocabulary has "<cls>"; or
            `"first"`, where BERT's has "[CLS]". Padding does not count. Defaults to `"last"`.

    Call arguments:
        inputs: A dict: "tokens", integers `(B, T)`; optional "mask", bool `(B, T)`, True where there is a token, by
            default where "tokens" is not `pad_token`; optional "segments", integers `(B, T)`, by default no scores of
            segments. Optional for pretraining: "permutation_mask", bool `(B, T, T)`, True where a token may attend
            (the content stream of a token also sees itself, the query stream never does); "targets", integers `(B, P)`,
            the positions to predict, or one-hot `(B, P, T)`. Optional "memory", `(B, L, M, D)`, which all tokens see,
            and "memory_mask", bool `(B, M)`, by default True everywhere; both as an earlier call returned them.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout.

    Returns:
        A dict: "states", the content stream, `(B, T, D)`, of which padding is undefined. With "targets" also
        "target_states", `(B, P, D)`, and "logits", float32 `(B, P, V)`. With a `memory_length` also "memory" and
        "memory_mask", without gradients. With `return_attention_scores` also a dict of the weights of each block,
        `"encoder/1"`: float32 `(B, H, T, S)`, and with "targets" `"encoder/1/query"`: float32 `(B, H, P, S)`.

    Raises:
        ValueError: If `text_token` is neither.

    Example:

    >>> import keras
    >>> model = XLNetEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, memory_length=6)
    >>> inputs = {"tokens": keras.ops.array([[7, 8, 9, 6]]), "targets": keras.ops.array([[2]])}
    >>> outputs, scores = model(inputs, return_attention_scores=True)
    >>> {name: tuple(value.shape) for name, value in outputs.items() if name != "memory_mask"}
    {'states': (1, 4, 8), 'target_states': (1, 1, 8), 'logits': (1, 1, 100), 'memory': (1, 1, 4, 8)}
    >>> {name: tuple(value.shape) for name, value in scores.items()}
    {'encoder/1': (1, 2, 4, 4), 'encoder/1/query': (1, 2, 1, 4)}
    >>> memory = {name: outputs[name] for name in ("memory", "memory_mask")}
    >>> tuple(model({"tokens": keras.ops.array([[9, 9]])} | memory)["memory"].shape)
    (1, 1, 6, 8)
    """

    pooler = None  # classifiers have a layer of their own

    def __init__(
        self,
        vocabulary_size,
        num_layers=4,
        num_heads=4,
        hidden_dim=256,
        intermediate_dim=1024,
        dropout=0.1,
        attention_dropout=0.1,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        pad_token=5,
        memory_length=0,
        reuse_length=None,
        clamp_length=None,
        output_bias=True,
        text_token="last",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if text_token not in ("first", "last"):
            raise ValueError(f'`text_token` must be "first" or "last". Received: text_token={text_token!r}')
        self.options = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "layer_norm_epsilon": layer_norm_epsilon,
            "pad_token": pad_token,
            "memory_length": memory_length,
            "reuse_length": reuse_length,
            "clamp_length": clamp_length,
            "output_bias": output_bias,
            "text_token": text_token,
        }
        self.hidden_dim, self.pad_token = hidden_dim, pad_token
        self.memory_length, self.reuse_length = memory_length, reuse_length
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size,
            hidden_dim,
            embeddings_initializer=initial_weights(),
            dtype=self.dtype_policy,
            name="tokens",
        )
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.blocks = [
            TwoStreamBlock(
                num_heads,
                intermediate_dim,
                clamp_length=clamp_length,
                dropout=dropout,
                attention_dropout=attention_dropout,
                activation=activation_of(activation),
                layer_norm_epsilon=layer_norm_epsilon,
                kernel_initializer=initial_weights(),
                dtype=self.dtype_policy,
                name=f"encoder_{number}",  # from 0, as in checkpoints
            )
            for number in range(num_layers)
        ]

    def build(self, inputs_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        self.token_embedding.build((None, None))
        for block in self.blocks:
            block.build((None, None, self.hidden_dim))
        shape = (1, 1, self.hidden_dim)
        self.target_embedding = self.add_weight(name="target_embedding", shape=shape, initializer=initial_weights())
        if self.options["output_bias"]:
            size = (self.options["vocabulary_size"],)
            # Not cast to the compute dtype: the logits are float32.
            self.bias = self.add_weight(name="bias", shape=size, initializer="zeros", dtype="float32", autocast=False)
        self.built = True

    def mask_of(self, inputs):
        """Returns where there are tokens, bool `(B, T)`."""
        return ops.cast(inputs["mask"], "bool") if "mask" in inputs else inputs["tokens"] != self.pad_token

    def state_of_text(self, states, mask):
        """Returns the states of the tokens that stand for texts, of `(B, T, D)` and bool `(B, T)` to `(B, D)`."""
        places = ops.cast(mask, "int32")
        if self.options["text_token"] == "last":
            places = places * (1 + ops.arange(ops.shape(mask)[1], dtype="int32"))
        place = ops.argmax(places, axis=1)  # the first of the greatest
        return ops.take_along_axis(states, place[:, None, None], axis=1)[:, 0]

    def call(self, inputs, return_attention_scores=False, training=None):
        mask, memory, memory_mask = self.mask_of(inputs), inputs.get("memory"), inputs.get("memory_mask")
        states = self.dropout_layer(self.token_embedding(inputs["tokens"]), training=training)  # (B, T, D)
        stream, targets = None, positions_of(inputs.get("targets"))
        if targets is not None:
            start = ops.cast(self.target_embedding, self.compute_dtype)
            stream = ops.broadcast_to(start, (*ops.shape(targets), self.hidden_dim))  # (B, P, D)
            stream = self.dropout_layer(stream, training=training)
        attention_mask = content_mask(inputs.get("permutation_mask"), memory)
        kept, scores = [], {}
        for number, block in enumerate(self.blocks, 1):
            past = None if memory is None else ops.stop_gradient(ops.cast(memory[:, number - 1], self.compute_dtype))
            if self.memory_length:
                kept.append(self.remember(states, past))
            streams = block(
                states,
                query_stream=stream,
                memory=past,
                targets=targets,
                segments=inputs.get("segments"),
                query_mask=mask,
                memory_mask=memory_mask,
                attention_mask=attention_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            streams, weights = streams if return_attention_scores else (streams, (None, None))
            states, stream = streams
            names = (f"encoder/{number}", f"encoder/{number}/query")
            scores |= {name: part for name, part in zip(names, weights) if part is not None}
        outputs = {"states": self.dropout_layer(states, training=training)}
        if stream is not None:
            outputs["target_states"] = self.dropout_layer(stream, training=training)
            outputs["logits"] = self.logits(outputs["target_states"])
        if self.memory_length:
            outputs["memory"] = ops.stop_gradient(ops.stack(kept, axis=1))  # (B, L, M, D)
            outputs["memory_mask"] = self.remember(mask, known_memory(memory, memory_mask))
        return (outputs, scores) if return_attention_scores else outputs

    def remember(self, tokens, memory=None):
        """Returns what a memory keeps of tokens `(B, T, ...)`, with those of the memory before, `(B, M, ...)`."""
        tokens = tokens[:, : self.reuse_length]
        joined = tokens if memory is None else ops.concatenate([memory, tokens], axis=1)
        return joined[:, -self.memory_length :]

    def logits(self, states):
        """Scores every token of the vocabulary by the token embeddings, `(..., D)` to float32 `(..., V)`."""
        logits = tied_logits(states, self.token_embedding)
        return logits + self.bias if self.options["output_bias"] else logits

    def get_config(self):
        return super().get_config() | self.options


def positions_of(targets):
    """Returns positions `(B, P)`, int32, of targets that may be one-hot, `(B, P, T)`, or `None`.

    Example:

    >>> import keras
    >>> print(positions_of(keras.ops.array([[[0, 0, 1], [0, 1, 0]]])).numpy())
    [[2 1]]
    """
    if targets is None:
        return None
    return ops.cast(targets if len(targets.shape) == 2 else ops.argmax(targets, axis=-1), "int32")


def content_mask(permutation_mask, memory=None):
    """Returns what the content stream may attend to: what a permutation allows, itself and the memory.

    Args:
        permutation_mask: Bool `(B, T, T)`, or `None`.
        memory: `(B, L, M, D)`, or `None`.

    Returns:
        Bool `(B, T, M + T)`, or `None` without a permutation.

    Example:

    >>> import keras
    >>> print(content_mask(keras.ops.array([[[0, 1], [0, 0]]]), memory=keras.ops.ones((1, 1, 1, 4))).numpy())
    [[[ True  True  True]
      [ True False  True]]]
    """
    if permutation_mask is None:
        return None
    length = ops.shape(permutation_mask)[-1]
    mask = ops.logical_or(ops.cast(permutation_mask, "bool"), ops.eye(length, dtype="bool"))
    if memory is None:
        return mask
    past = ops.ones((ops.shape(mask)[0], length, ops.shape(memory)[2]), dtype="bool")
    return ops.concatenate([past, mask], axis=-1)


def known_memory(memory, memory_mask):
    """Returns the mask of a memory, bool `(B, M)`, everywhere True unless it is given; `None` without a memory."""
    if memory is None:
        return None
    return ops.ones_like(memory[:, 0, :, 0], dtype="bool") if memory_mask is None else ops.cast(memory_mask, "bool")
