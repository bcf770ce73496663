"""The class of an image, and where a Vision Transformer of the Hub looked.

Shapes: B images, C classes, L layers, H heads, h x w the grid of patches.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.heat_maps import heads_of, heat_maps_of
from attention_zoo.pipelines.engine.images.image_files import read_image_file
from attention_zoo.pipelines.engine.serving.answers import empty_where
from attention_zoo.pipelines.engine.serving.asking import ask_image_files
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.views import HeatMaps
from attention_zoo.pipelines.hub.folder import read_json
from attention_zoo.pipelines.hub.image_reader import image_reader_of


class ClassifyImages(Task):
    """Image file in, class out, with a `VisionTransformer` that has a head.

    An image that cannot be decoded has empty values and an `error`.

    Args:
        model: A `VisionTransformer` with `labels`.
        reader: An `ImageReader`.
    """

    name = "classify_images"
    answers_with = "image_confidences"
    can_embed = False
    View = HeatMaps
    read_input = staticmethod(read_image_file)
    ask = staticmethod(ask_image_files)

    def __init__(self, model, reader):
        self.model = model
        self.reader = reader
        self._read = tf.function(reader.read, autograph=False, reduce_retracing=True)  # one graph for both signatures

    @classmethod
    def of_folder(cls, folder, model):
        """Returns the ability of a `VisionTransformer` that `from_pretrained` has read from a folder.

        Raises:
            UserError: The model has no head or does not read colors, or its preprocessor_config.json is missing or asks
                for something that is not done here.
        """
        config = read_json(folder / "config.json")
        if model.labels is None:
            received = ", ".join(config.get("architectures") or ["none"])
            raise UserError(
                f"config.json: expected architectures that end with ForImageClassification, received {received}"
            )
        if model.options["num_channels"] != 3:
            raise UserError(f"config.json: expected num_channels 3, received {model.options['num_channels']}")
        return cls(model, image_reader_of(folder, config["model_type"], model.embedding.image_size))

    def respond(self, image_bytes):
        """Returns the best `label` and `error` `(B,)`; all `labels` and `image_confidences` `(B, C)`, best first.

        A model with one class predicts a number: its confidence is that number.
        """
        images, error = self._read(image_bytes)
        return empty_where(error, self.answer(self.model(images, training=False)))

    def attend(self, image_bytes):
        """Returns the answers of `respond`, and where the model looked.

        `attention` `(B, h, w)` is the rollout through all layers, `head_attention` `(B, L, H, h, w)` the attention of
        the class token, or of both tokens with a head, in every head of every layer, both float32.
        """
        images, error = self._read(image_bytes)
        logits, scores = self.model(images, training=False, return_attention_scores=True)
        maps = {
            "attention": self.model.rollout(scores, images.shape),
            "head_attention": self.model.head_maps(scores, images.shape),
        }
        return empty_where(error, self.answer(logits) | maps)

    def answer(self, logits):
        """Returns logits `(B, C)` in words."""
        labels = list(self.model.labels)
        shares = logits if len(labels) == 1 else tf.nn.softmax(logits)
        confidences, order = tf.math.top_k(shares, len(labels))
        names = tf.gather(tf.constant(labels), order)
        return {"label": names[:, 0], "labels": names, "image_confidences": confidences}

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention."""
        spec = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        signatures = {"serving_default": (self.respond, spec), "attention": (self.attend, spec)}
        grey = tf.io.encode_png(tf.fill([*self.reader.crop, 3], tf.constant(128, tf.uint8)))
        return [model], signatures, {"image_bytes": grey[None]}

    def describe(self):
        """Returns what the model is, in one line."""
        options, (height, width) = self.model.options, self.reader.crop
        return (
            f"{self.model.count_params():,} parameters, {options['num_layers']} layers of {options['num_heads']} "
            f"heads, {len(options['labels']):,} classes, images of {height} x {width} pixels"
        )

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, "photo.jpg", picture="attention.png")

    @staticmethod
    def say(answer):
        """Returns the file, its class, and how probable that is."""
        return f"{answer['input']}\t{answer['label']}\t{answer['image_confidences'][0]:.3f}"

    @staticmethod
    def view(answer):
        """Returns the rollout, and the heads of the last layer."""
        return heat_maps_of(answer | {"probabilities": answer["image_confidences"]})

    @staticmethod
    def view_heads(answer):
        """Returns the heads of all layers."""
        return heads_of(answer | {"probabilities": answer["image_confidences"]})
