"""The Vision Transformer: an image is 16x16 words."""

import re

import keras
from keras import ops

from attention_zoo.layers import PatchEmbedding, TransformerEncoderBlock, attention_rollout
from attention_zoo.pipelines.models.parts.activations import activation_of

# Layers, width D, feed-forward width and heads. B, L and H are those of Dosovitskiy et al. 2020, table 1; Ti and S
# those of DeiT (Touvron et al. 2021, table 1).
SIZES = {
    "Ti": (12, 192, 768, 3),
    "S": (12, 384, 1536, 6),
    "B": (12, 768, 3072, 12),
    "L": (24, 1024, 4096, 16),
    "H": (32, 1280, 5120, 16),
}


def sizes_of(variant):
    """Arguments of `VisionTransformer` for a name such as "B/16": a size of `SIZES` and the size of a patch.

    Raises:
        ValueError: If it is no such name.

    Example:

    >>> sizes_of("B/16")
    {'num_layers': 12, 'hidden_dim': 768, 'intermediate_dim': 3072, 'num_heads': 12, 'patch_size': 16}
    """
    match = re.fullmatch(r"(\w+)/([1-9]\d*)", variant)
    if not match or match[1] not in SIZES:
        raise ValueError(
            f"`variant` must be one of {', '.join(SIZES)}, a slash and the patch, as B/16. Received: {variant!r}"
        )
    names = ("num_layers", "hidden_dim", "intermediate_dim", "num_heads")
    return dict(zip(names, SIZES[match[1]])) | {"patch_size": int(match[2])}


@keras.saving.register_keras_serializable("attention_zoo")
class VisionTransformer(keras.Model):
    """Classifies images by an encoder over their patches (Dosovitskiy et al. 2020, section 3.1 and equations 1 to 4).

    Patches, class token and learned positions; blocks with normalisation before each sublayer and exact GELU; a last
    normalisation; the class token, or the mean of the patches, through a linear head that starts at zero.

    DeiT (Touvron et al. 2021, section 4) has a distillation token, too, and a head for it; its answer is the mean of
    the logits of both heads.

    Args:
        num_classes: K; `None` for an encoder without a head.
        image_size: Height and width that the positions are learned for, or one integer for both. Images of other sizes
            get interpolated positions, see `PatchEmbedding`.
        patch_size: Height and width of a patch, or one integer for both.
        num_layers: Number of blocks.
        hidden_dim: Width D.
        intermediate_dim: Width of the blocks' inner layer.
        num_heads: Attention heads of a block; D must be a multiple.
        pooling: `"token"`, the class token's features, or `"mean"`, the mean of all patches, without a class token.
            Defaults to `"token"`.
        dropout: Share of the features dropped after the positions and after each sublayer. Defaults to 0.
        stochastic_depth: Probability that training leaves out the last block's sublayers for an example. It grows
            linearly from 0 at the first block (Huang et al. 2016, section 3). Defaults to 0.
        attention_dropout: Share of the attention weights dropped in training. Defaults to 0.
        activation: Of the blocks' inner layer, `"gelu"`, `"gelu_tanh"` or `"relu"`. Defaults to `"gelu"`.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-6.
        distilled: Whether there is a distillation token, behind the class token. Defaults to `False`.
        distillation_head: Whether that token has a head of its own. Defaults to `False`.
        pooler: Whether an encoder without a head has a dense layer with tanh on the class token. Defaults to `False`.
        labels: Names of the K classes. Defaults to `None`.

    Call arguments:
        images: Floats `(B, H, W, C)`, best between -1 and 1.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout and stochastic depth.

    Returns:
        Logits, float32 `(B, K)`, and with `return_attention_scores` also a dict of float32 weights `"encoder/0/self":
        (B, H, T, T)` and so on, T patches with the class token in front, if there is one, and the distillation token.
        Without a head, not the logits but a dict: "states" `(B, T, D)`, and with `pooler` "pooled" `(B, D)`.

    Raises:
        ValueError: If `pooling` is unknown, or sizes or options do not fit.

    Example:

    >>> import keras
    >>> model = VisionTransformer(10, 28, patch_size=7, num_layers=2, hidden_dim=16, intermediate_dim=32, num_heads=2)
    >>> logits, scores = model(keras.ops.zeros((3, 28, 28, 1)), return_attention_scores=True)
    >>> tuple(logits.shape), {name: tuple(weights.shape) for name, weights in scores.items()}
    ((3, 10), {'encoder/0/self': (3, 2, 17, 17), 'encoder/1/self': (3, 2, 17, 17)})
    >>> tuple(VisionTransformer(1000, 224, **sizes_of("Ti/16"))(keras.ops.zeros((1, 224, 192, 3))).shape)
    (1, 1000)
    """

    def __init__(
        self,
        num_classes,
        image_size,
        patch_size,
        num_layers,
        hidden_dim,
        intermediate_dim,
        num_heads,
        pooling="token",
        dropout=0.0,
        stochastic_depth=0.0,
        attention_dropout=0.0,
        activation="gelu",
        layer_norm_epsilon=1e-6,
        distilled=False,
        distillation_head=False,
        pooler=False,
        labels=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if pooling not in ("token", "mean"):
            raise ValueError(f'`pooling` must be "token" or "mean". Received: pooling={pooling!r}')
        if distilled and pooling != "token":
            raise ValueError(f'`distilled` needs pooling="token". Received: pooling={pooling!r}')
        if distillation_head and not (distilled and num_classes):
            received = f"distilled={distilled}, num_classes={num_classes}"
            raise ValueError(f"`distillation_head` needs distilled=True and num_classes. Received: {received}")
        if pooler and (num_classes or pooling != "token"):
            received = f"num_classes={num_classes}, pooling={pooling!r}"
            raise ValueError(f'`pooler` needs num_classes=None and pooling="token". Received: {received}')
        if labels is not None and len(labels) != num_classes:
            raise ValueError(f"`labels` must be num_classes={num_classes} names. Received: {len(labels)}")
        self.num_classes = num_classes
        self.image_size = image_size
        self.patch_size = patch_size
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.pooling = pooling
        self.dropout = dropout
        self.stochastic_depth = stochastic_depth
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.distilled = distilled
        self.distillation_head = distillation_head
        self.labels = None if labels is None else list(labels)
        self.embedding = PatchEmbedding(
            patch_size,
            hidden_dim,
            image_size,
            class_token=pooling == "token",
            distillation_token=distilled,
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.embedding_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="embedding_dropout")
        self.blocks = [
            TransformerEncoderBlock(
                num_heads,
                intermediate_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                activation=activation_of(activation),
                normalize_first=True,
                layer_norm_epsilon=layer_norm_epsilon,
                stochastic_depth=stochastic_depth * i / max(1, num_layers - 1),
                dtype=self.dtype_policy,
                name=f"block_{i}",
            )
            for i in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")
        dense = {"units": hidden_dim, "activation": "tanh", "dtype": self.dtype_policy}
        self.pooler = keras.layers.Dense(**dense, name="pooler") if pooler else None
        head = {"units": num_classes, "kernel_initializer": "zeros", "dtype": "float32"}
        self.head = None if num_classes is None else keras.layers.Dense(**head, name="head")
        self.teacher_head = keras.layers.Dense(**head, name="distillation_head") if distillation_head else None

    def call(self, images, return_attention_scores=False, training=None):
        states, scores = self.encode(images, return_attention_scores, training)  # (B, T, D)
        if self.head is None:
            answer = {"states": states} | ({"pooled": self.pooler(states[:, 0])} if self.pooler else {})
        else:
            answer = self.head(states[:, 0] if self.pooling == "token" else ops.mean(states, axis=1))  # (B, K)
        if self.teacher_head is not None:
            answer = (answer + self.teacher_head(states[:, 1])) / 2
        return (answer, scores) if return_attention_scores else answer

    def encode(self, images, return_attention_scores=False, training=None):
        """The normalised states of all tokens, `(B, T, D)`, and the dict of weights, empty if not asked for."""
        features = self.embedding_dropout(self.embedding(images), training=training)  # (B, T, D)
        scores = {}
        for i, block in enumerate(self.blocks):
            if return_attention_scores:
                features, scores[f"encoder/{i}/self"] = block(features, return_attention_scores=True, training=training)
            else:  # long sequences of patches then need no T x T matrix
                features = block(features, training=training)
        return self.norm(features), scores

    def rollout(self, scores, images_shape):
        """The patches that the answer depends on, through all blocks: `attention_rollout` of the pooled positions.

        These are the class token, with `distillation_head` that token, too, or, for `pooling="mean"`, all patches; it
        returns their mean.

        Args:
            scores: As the call returns them.
            images_shape: Of the images, `(B, H, W, C)`.

        Returns:
            Float32 `(B, H/P, W/P)`, each map summing to 1.
        """
        maps = attention_rollout([scores[f"encoder/{i}/self"] for i in range(self.num_layers)])  # (B, T, T)
        return self._map(maps[:, None], images_shape)[:, 0]

    def head_maps(self, scores, images_shape):
        """The attention of each head of each block, of the pooled positions on average; see `rollout`.

        Returns:
            `(B, num_layers, num_heads, H/P, W/P)`.
        """
        maps = [self._map(scores[f"encoder/{i}/self"], images_shape) for i in range(self.num_layers)]
        return ops.stack(maps, axis=1)

    def _map(self, weights, images_shape):
        """Weights `(B, N, T, T)` of the pooled positions on the grid of patches, `(B, N, H/P, W/P)`."""
        grid = self.embedding.grid_of(images_shape)
        if self.pooling == "token":
            weights = weights[:, :, : 1 + self.distillation_head, self.embedding.num_tokens :]
        pooled = ops.mean(weights, axis=2)  # (B, N, patches)
        pooled = pooled / ops.maximum(ops.sum(pooled, axis=-1, keepdims=True), 1e-12)
        return ops.reshape(pooled, (-1, weights.shape[1], *grid))

    @property
    def options(self):
        """The arguments of the constructor, and `num_channels`, those of the images that the model was built for."""
        height, width = self.embedding.patch_size
        kernel = self.embedding.projection.kernel.shape if self.embedding.built else None
        return self._arguments() | {"num_channels": kernel and kernel[0] // (height * width)}

    def get_config(self):
        return super().get_config() | self._arguments()

    def _arguments(self):
        names = (
            *("num_classes", "image_size", "patch_size", "num_layers", "hidden_dim", "intermediate_dim", "num_heads"),
            *("pooling", "dropout", "stochastic_depth", "attention_dropout", "activation", "layer_norm_epsilon"),
            *("distilled", "distillation_head"),
        )
        labels = None if self.labels is None else list(self.labels)
        return {name: getattr(self, name) for name in names} | {"pooler": self.pooler is not None, "labels": labels}
