"""Encodes an image as annotations: one vector of features for each location of a grid.

Shapes: B batch, H x W the image, h x w the grid, L = h w locations, D features.
"""

import inspect

import keras
from keras import ops

SMALL = (
    (24, 2),
    (48, 2),
    (96, 2),
    (128, 1),
)  # filters and stride of the 3 x 3 convolutions; the grid is an eighth of the image


@keras.saving.register_keras_serializable("attention_zoo")
class ImageEncoder(keras.layers.Layer):
    """A convolutional network whose feature map becomes a sequence of L annotations, with their coordinates.

    The layer appends the two coordinates of a location, from -1 to 1, to its features: the sum of attention loses the
    locations, and sentences mention them. (Xu et al. 2015 do not; their network can learn locations from the padding
    of its 5 stages.)

    Args:
        image_size: (H, W).
        backbone: `"small"`, four convolutions with batch normalisation, or the name of a class of
            `keras.applications`, such as `"VGG19"` or `"MobileNetV3Small"`, without its top and without a pooling layer
            at its end (VGG19 of 224 x 224 pixels gives the paper's 14 x 14 x 512). The layer applies the backbone's own
            preprocessing. Defaults to `"small"`.
        weights: For a class of `keras.applications`: `None` (random weights), `"imagenet"` or the path of a weights
            file. Defaults to `None`.
        frozen: Whether the backbone keeps its weights. Defaults to `False`.

    Call arguments:
        images: (B, H, W, 3), from 0 to 255.

    Returns:
        (B, L, D + 2).

    Raises:
        ValueError: If there is no such `backbone`.

    Example:

    >>> encoder = ImageEncoder((32, 48))
    >>> encoder.grid, tuple(encoder(keras.ops.zeros((2, 32, 48, 3))).shape)
    ((4, 6), (2, 24, 130))
    """

    def __init__(self, image_size, backbone="small", weights=None, frozen=False, **kwargs):
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)
        self.backbone = backbone
        self.weights_from = weights
        self.frozen = frozen
        shape = (*self.image_size, 3)
        if backbone == "small":
            self._preprocess, self.network = _centered, _small_network(shape)
        else:
            self._preprocess, self.network = _application(backbone, shape, weights)
        self.network.trainable = not frozen
        self.grid = tuple(self.network.output_shape[1:3])

    def build(self, input_shape=None):
        pass  # the network came with its weights

    def call(self, images, training=None):
        images = self._preprocess(ops.cast(images, "float32"))
        training = bool(training) and not self.frozen
        features = convolve(lambda images: self.network(images, training=training), images)  # (B, h, w, D)
        h, w = self.grid
        places = [ops.linspace(-1.0, 1.0, size) if size > 1 else ops.zeros((1,)) for size in (h, w)]
        places = ops.stack(ops.meshgrid(*places, indexing="ij"), axis=-1)  # (h, w, 2)
        places = ops.broadcast_to(ops.cast(places, features.dtype), (ops.shape(features)[0], h, w, 2))
        features = ops.concatenate([features, places], axis=-1)
        return ops.cast(ops.reshape(features, (-1, h * w, features.shape[-1])), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.grid[0] * self.grid[1], self.network.output_shape[-1] + 2)

    def get_config(self):
        # A saved model has its weights in its file: `from_config` need not fetch them first.
        config = {"image_size": self.image_size, "backbone": self.backbone, "weights": None, "frozen": self.frozen}
        return {**super().get_config(), **config}


def convolve(network, images):
    """Returns `network(images)`, also for an empty batch, which TensorFlow 2.21 returns unchanged on CPUs."""
    count = ops.shape(images)[0]
    if isinstance(count, int) and count > 0:
        return network(images)
    spare = ops.zeros((1, *images.shape[1:]), images.dtype)[ops.minimum(count, 1) :]  # a blank image for an empty batch
    return network(ops.concatenate([images, spare]))[:count]


def _centered(images):
    return images / 127.5 - 1.0


def _small_network(shape):
    image = features = keras.Input(shape)
    for number, (filters, stride) in enumerate(SMALL, 1):
        convolution = keras.layers.Conv2D(
            filters, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"conv_{number}"
        )
        features = keras.layers.BatchNormalization(name=f"norm_{number}")(convolution(features))
        features = keras.layers.ReLU(name=f"relu_{number}")(features)
    return keras.Model(image, features, name="small")


def _application(name, shape, weights):
    """The preprocessing and the network of a class of `keras.applications`."""
    for module in vars(keras.applications).values():
        network = getattr(module, name, None)
        if (
            inspect.ismodule(module)
            and hasattr(module, "preprocess_input")
            and callable(network)
            and name[:1].isupper()
        ):
            network = network(include_top=False, weights=weights, input_shape=shape)
            if isinstance(network.layers[-1], keras.layers.MaxPooling2D):
                network = keras.Model(network.input, network.layers[-2].output, name=network.name)
            return module.preprocess_input, network
    raise ValueError(
        f"ImageEncoder: `backbone` must be 'small' or a class of keras.applications. Received: backbone={name!r}"
    )
