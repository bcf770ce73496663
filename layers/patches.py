"""Images as sequences of patches with learned positions, and stochastic depth, which regularises deep stacks.

Shapes: B batch, H and W height and width of the image, C channels, P and Q height and width of a patch, D features.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer, check_share


@keras.saving.register_keras_serializable("attention_zoo")
class PatchEmbedding(keras.layers.Layer):
    """Cuts images into patches, projects each, and adds learned positions.

    Dosovitskiy et al. 2020, section 3.1, equation 1. The projection is a convolution whose stride equals its kernel
    size, computed as a matrix product: row `(i * Q + j) * C + c` of its kernel weighs channel c of the pixel (i, j) of
    a patch.

    An image of another size than `image_size` (it may be rectangular) gets interpolated positions (section 3.2). The
    interpolation is bilinear between the centres of the cells, and keeps the positions of the class token
    and the distillation token. The authors' code aligns the corner cells instead.

    Args:
        patch_size: `(P, Q)`, or one integer for both.
        dim: D.
        image_size: `(H, W)` that the positions are learned for, multiples of the patch; or one integer for both.
        class_token: Whether to put a learned vector, initially zeros, before the patches. Defaults to `True`.
        distillation_token: Whether to put one more between the class token and the patches (Touvron et al. 2021,
            section 4). Defaults to `False`.

    Call arguments:
        images: Floats `(B, H, W, C)`; H and W are known and multiples of the patch.

    Returns:
        `(B, H/P * W/Q, D)`, row by row; with `class_token` one vector more, the first; `distillation_token` adds
        another before the patches.

    Raises:
        ValueError: If a size is not a positive integer, or that of an image is unknown or no multiple of the patch.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import PatchEmbedding
    >>> embedding = PatchEmbedding(patch_size=4, dim=16, image_size=28)
    >>> tuple(embedding(keras.ops.zeros((2, 28, 28, 1))).shape), tuple(embedding(keras.ops.zeros((2, 20, 40, 1))).shape)
    ((2, 50, 16), (2, 51, 16))
    """

    def __init__(self, patch_size, dim, image_size, class_token=True, distillation_token=False, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("dim", dim)
        self.patch_size = _pair("patch_size", patch_size)
        self.dim = dim
        self.image_size = _pair("image_size", image_size)
        self.class_token = class_token
        self.distillation_token = distillation_token
        self.num_tokens = int(class_token) + int(distillation_token)  # those before the patches
        self.grid = self.grid_of((None, *self.image_size, None), "image_size")
        self.projection = keras.layers.Dense(
            dim, kernel_initializer="lecun_normal", dtype=self.dtype_policy, name="projection"
        )

    def build(self, images_shape):
        rows, columns = self.grid
        self.projection.build((None, None, self.patch_size[0] * self.patch_size[1] * images_shape[-1]))
        self.positions = self.add_weight(
            name="positions",
            shape=(rows * columns + self.num_tokens, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        if self.class_token:
            self.class_embedding = self.add_weight(name="class_token", shape=(1, 1, self.dim), initializer="zeros")
        if self.distillation_token:
            shape = (1, 1, self.dim)
            self.distillation_embedding = self.add_weight(name="distillation_token", shape=shape, initializer="zeros")

    def call(self, images):
        grid = self.grid_of(images.shape, "images")
        features = self.projection(self.patches(ops.cast(images, self.compute_dtype), grid))  # (B, N, D)
        tokens = [self.class_embedding] if self.class_token else []
        tokens += [self.distillation_embedding] if self.distillation_token else []
        if tokens:
            shape = (ops.shape(features)[0], 1, self.dim)
            tokens = [ops.broadcast_to(ops.cast(token, self.compute_dtype), shape) for token in tokens]
            features = ops.concatenate([*tokens, features], axis=1)  # (B, 1 + N, D)
        return features + ops.cast(self.positions_for(grid), self.compute_dtype)

    def patches(self, images, grid):
        """The pixels of each patch in one row: `(B, H, W, C)` to `(B, H/P * W/Q, P * Q * C)`."""
        (rows, columns), (height, width), channels = grid, self.patch_size, images.shape[-1]
        cut = ops.reshape(images, (-1, rows, height, columns, width, channels))
        cut = ops.transpose(cut, (0, 1, 3, 2, 4, 5))  # (B, H/P, W/Q, P, Q, C)
        return ops.reshape(cut, (-1, rows * columns, height * width * channels))

    def positions_for(self, grid):
        """The positions of a grid of patches, interpolated if it is not the grid of `image_size`: `(T, D)`."""
        if grid == self.grid:
            return ops.convert_to_tensor(self.positions)
        special = self.positions[: self.num_tokens]
        learned = ops.cast(self.positions[self.num_tokens :], "float32")
        learned = ops.reshape(learned, (*self.grid, self.dim))  # (h, w, D)
        down, across = (_interpolation(old, new) for old, new in zip(self.grid, grid))
        resized = ops.einsum("ih,hwd,jw->ijd", down, learned, across)
        resized = ops.reshape(resized, (grid[0] * grid[1], self.dim))
        return ops.concatenate([ops.cast(special, "float32"), resized], axis=0)

    def grid_of(self, images_shape, name="images"):
        """Rows and columns of patches of an image: `(H/P, W/Q)`."""
        size = tuple(images_shape[1:3])
        if None in size or size[0] % self.patch_size[0] or size[1] % self.patch_size[1]:
            raise ValueError(
                f"`{name}` must have a known height and width that are multiples of patch_size={self.patch_size}. "
                f"Received: {size}"
            )
        return size[0] // self.patch_size[0], size[1] // self.patch_size[1]

    def compute_output_shape(self, images_shape):
        rows, columns = self.grid_of(images_shape)
        return (images_shape[0], rows * columns + self.num_tokens, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "dim": self.dim,
            "image_size": self.image_size,
            "class_token": self.class_token,
            "distillation_token": self.distillation_token,
        }


@keras.saving.register_keras_serializable("attention_zoo")
class StochasticDepth(keras.layers.Layer):
    """Sets the inputs of random examples to zero in training, and scales up the others (Huang et al. 2016, section 3).

    `x + StochasticDepth(p)(f(x))` leaves out f with probability p in training; its expected value is the output in
    inference. The paper scales in inference instead, which is the same up to a factor in training.

    Args:
        rate: p, in [0, 1).
        seed: Integer seed. Defaults to `None`: Keras's global seed.

    Call arguments:
        inputs: `(B, ...)`.
        training: Whether to drop examples.

    Returns:
        As `inputs`.

    Raises:
        ValueError: If the rate is not in [0, 1).

    Example:

    >>> import keras
    >>> from attention_zoo.layers import StochasticDepth
    >>> kept = StochasticDepth(0.5, seed=1)(keras.ops.ones((100, 2, 3)), training=True)
    >>> sorted(set(keras.ops.convert_to_numpy(kept).ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        check_share("rate", rate)
        self.rate = rate
        self.seed = seed
        if rate:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = type(self).build is keras.layers.Layer.build  # nothing to build, unless a subclass has weights

    def call(self, inputs, training=None):
        if not training or not self.rate:
            return inputs
        shape = (ops.shape(inputs)[0], *[1] * (len(inputs.shape) - 1))
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
        return inputs * ops.cast(kept, inputs.dtype) / (1.0 - self.rate)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def _pair(name, size):
    """`(height, width)` of a size that may be one integer."""
    pair = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if len(pair) != 2:
        raise ValueError(f"`{name}` must be a positive integer or two. Received: {name}={size!r}")
    for side in pair:
        check_positive_integer(name, side)
    return pair


def _interpolation(old, new):
    """Weights of the linear interpolation from `old` cells to `new` ones over the same length: float32 `(new, old)`."""
    places = (ops.arange(new, dtype="float32") + 0.5) * (old / new) - 0.5  # centre of each new cell, in old cells
    places = ops.clip(places, 0.0, old - 1.0)
    return ops.relu(1.0 - ops.abs(places[:, None] - ops.arange(old, dtype="float32")))
