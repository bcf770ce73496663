"""Image classification: from labelled images to a SavedModel that takes image files and shows where it looked.

    attention-zoo train image_classification                      # handwritten digits, a small Vision Transformer
    attention-zoo train image_classification --data.folder photos
    attention-zoo predict image_classification photo.jpg --attention attention.png

The file reads in the order in which an image travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `classifier.py` has what turns image files into answers.
"""

import math
from functools import partial

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.baselines.images import knn_predictions, svm_predictions, train_cnn
from attention_zoo.pipelines.datasets.image_sets import read_image_sets
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split, limit_of
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.heat_maps import heads_of, heat_maps_of
from attention_zoo.pipelines.engine.images.image_files import (
    ImageFile,
    decode_image,
    read_image_file,
)
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.scores.answer_lists import confusion_of, keep_answers
from attention_zoo.pipelines.engine.serving.asking import ask_image_files
from attention_zoo.pipelines.engine.storage.labels import keep_labels
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.views import ConfusionMatrix, HeatMaps
from attention_zoo.pipelines.image_classification.answers import answers_of
from attention_zoo.pipelines.image_classification.augmentation import augmentation
from attention_zoo.pipelines.image_classification.classifier import Classifier, in_channels, scaled
from attention_zoo.pipelines.image_classification.settings import ImageClassificationConfig
from attention_zoo.pipelines.image_classification.sizing import size_to_images
from attention_zoo.pipelines.models.vision_transformer import VisionTransformer, sizes_of

SHUFFLED = 10_000  # images among which the next is drawn, where they are not all in memory
LARGEST_IN_MEMORY = 4_000_000_000  # bytes of pixels


class ImageClassification(Task):
    """Image in, class out; see `Task` for the order of the methods."""

    name = "image_classification"
    Config = ImageClassificationConfig
    View = HeatMaps
    answers_with = "label"
    unit = "images"
    changeable_data_settings = ("in_memory", "strict")
    sized_settings = ("data.height", "data.width", "data.color", "model.patch_size")
    read_input = staticmethod(read_image_file)
    ask = staticmethod(ask_image_files)
    view = staticmethod(heat_maps_of)
    view_heads = staticmethod(heads_of)

    def load(self):
        """Finds the images of the three splits; they stay encoded."""
        data = self.config.data
        self.size = (data.height, data.width)
        splits = (data.train_split, data.validation_split, data.test_split)
        self.sets = read_image_sets(data.dataset, splits, data.folder, data.strict, data.dev, data.test)
        self.labels, self.data_version = self.sets["train"].labels, self.sets["train"].version
        for split, one in self.sets.items():
            if data.limit:
                one.count = min(one.count, limit_of(split, data.limit))
                one.examples = one.examples.take(one.count)
            print(describe_split(split, one.count, f"images of {len(self.labels):,} classes"))

    def size_to_data(self, typed):
        """Reads size and color of a user's own images from them, and sets a patch that suits."""
        lines = size_to_images(self.config, self.sets["train"].look, typed, self.model_options()["patch_size"])
        self.size = (self.config.data.height, self.config.data.width)
        return lines

    def adapt(self):
        """Keeps the names of the classes, and decodes what is to be kept in memory."""
        keep_labels(self.folder.labels, self.labels)
        if not self.config.data.in_memory:
            return
        pixels = sum(one.count for one in self.sets.values()) * math.prod(self.image_shape()[1:])
        if pixels > LARGEST_IN_MEMORY:
            raise UserError(f"--data.in_memory: expected false for {pixels / 1e9:,.1f} GB of pixels, received true")
        self.arrays = {}
        for split in SPLITS:
            batches = list(self.decoded(self.sets[split].examples).batch(256).as_numpy_iterator())
            self.arrays[split] = {
                name: np.concatenate([batch[name] for batch in batches]) for name in ("image", "label")
            }

    def decoded(self, examples):
        """Encoded examples to pixels, uint8 `(H, W, C)`."""
        return examples.map(
            lambda row: {**row, "image": in_channels(decode_image(row["image"], self.size), self.config.data.color)},
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def preprocess(self, split, epoch):
        """Returns batches of images from -1 to 1 and one-hot labels; the training split shuffled and changed anew."""
        data, training = self.config.data, self.config.training
        seed = int(tf.random.experimental.stateless_fold_in([training.seed, 1], epoch)[1])  # the first of the two stays
        examples = (
            tf.data.Dataset.from_tensor_slices(self.arrays[split]) if data.in_memory else self.sets[split].examples
        )
        if split == "train":
            among = self.sets[split].count if data.in_memory else SHUFFLED
            examples = examples.shuffle(among, seed=seed, reshuffle_each_iteration=False)
        if not data.in_memory:
            examples = self.decoded(examples)
        change = augmentation(self.config.augmentation) if split == "train" else None

        def prepare(number, batch):
            ready = {
                "images": tf.cast(batch["image"], tf.float32),
                "labels": tf.one_hot(batch["label"], len(self.labels)),
            }
            if change:
                ready = change(ready, tf.stack([tf.cast(seed, tf.int64), number]))  # a seed for each batch
            return {"images": scaled(ready["images"]), "labels": ready["labels"]}

        batches = examples.batch(self.batch_size()).enumerate()
        return batches.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)

    def batch_size(self):
        """Images in a batch: `training.batch_tokens` over the patches and the class token of one."""
        options = self.model_options()
        patch, pooling = options["patch_size"], options["pooling"]
        tokens = (self.size[0] // patch) * (self.size[1] // patch) + (pooling == "token")
        if self.config.training.batch_tokens < tokens:
            raise UserError(f"--training.batch_tokens: expected at least {tokens}, those of an image; received less")
        return self.config.training.batch_tokens // tokens

    def model_options(self):
        """The arguments of `VisionTransformer`, a variant replaced by its sizes."""
        options = dict(vars(self.config.model))
        if options.pop("name") == "vit_variant":
            try:
                options |= sizes_of(options.pop("variant"))
            except ValueError as error:
                raise UserError(f"--model.variant: {error}") from None
        return options

    def build(self):
        """Returns the model, built by a call on one image."""
        options = self.model_options()
        patch = options["patch_size"]
        if any(side % patch for side in self.size):
            raise UserError(
                f"--data.height, --data.width: expected multiples of the patch, {patch}; received {self.size}"
            )
        model = VisionTransformer(len(self.labels), self.size, **options)
        model(tf.zeros(self.image_shape(1)))
        return model

    def image_shape(self, count=None):
        """Shape of a batch of images, `(B, H, W, C)`."""
        return (count, *self.size, 3 if self.config.data.color else 1)

    def loss(self, model, batch, training):
        """Cross-entropy of the labels, smoothed in training, summed over the images."""
        logits, labels = model(batch["images"], training=training), batch["labels"]
        smoothing = self.config.training.label_smoothing if training else 0.0
        log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))  # (B, K)
        nll = -tf.reduce_sum(labels * log_probabilities)
        uniform = -tf.reduce_sum(tf.reduce_mean(log_probabilities, axis=-1))
        right = tf.equal(tf.argmax(logits, axis=-1), tf.argmax(labels, axis=-1))
        parts = {"loss": nll, "accuracy": 100.0 * tf.reduce_sum(tf.cast(right, tf.float32))}
        return (1.0 - smoothing) * nll + smoothing * uniform, tf.cast(tf.shape(labels)[0], tf.float32), parts

    def evaluate(self, model, split):
        """Accuracy in percent; on the test split the answers are kept, too."""
        truths, answers, probabilities = answers_of(model, self.preprocess(split, 0))
        if split == "test":
            names = ([self.labels[number] for number in numbers] for numbers in (truths, answers))
            files = self.sets["test"].files or ()
            keep_answers(self.folder.test_answers, *names, probabilities, kind="image", names=files)
        return {"accuracy": 100.0 * float(np.mean(truths == answers))}

    def baselines(self):
        """Accuracies of the baselines in percent."""
        settings, found = self.config.baselines, {}
        for name in settings.names:
            print(f"baseline: {name}")
            if name == "cnn":
                seed = self.config.training.seed
                batches = partial(self.preprocess, "train")
                cnn = train_cnn(batches, self.image_shape()[1:], len(self.labels), settings.cnn_epochs, seed=seed)
                truths, answers, _ = answers_of(cnn, self.preprocess("test", 0))
                found[name] = 100.0 * float(np.mean(truths == answers))
                continue
            if not self.config.data.in_memory:
                raise UserError(f"--baselines.names: {name} needs --data.in_memory true; leave one of them out")
            predictions = {"knn": knn_predictions, "svm": svm_predictions}[name]
            train, test = self.arrays["train"], self.arrays["test"]
            found[name] = 100.0 * float(
                np.mean(predictions(train["image"], train["label"], test["image"]) == test["label"])
            )
        return found

    def signatures(self, model):
        """Returns what the SavedModel answers: the class, and the class with the attention."""
        spec = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        classifier = Classifier(model, self.labels, self.size, self.config.data.color)
        signatures = {"serving_default": (classifier.classify, spec), "attention": (classifier.attend, spec)}
        return [model], signatures, {"image_bytes": tf.constant([file.image_bytes for file in self.samples()[:2]])}

    def samples(self):
        """Returns the first four images of the test split."""
        images = next(iter(self.sets["test"].examples.batch(4)))["image"].numpy()
        return [ImageFile(f"image {number}", image) for number, image in enumerate(images, 1)]

    def truths(self):
        """Returns the classes of `samples`."""
        return [{"truth": self.labels[row["label"]]} for row in self.sets["test"].examples.take(4).as_numpy_iterator()]

    def illustrate(self, model, directory):
        """Draws which classes of the test split were taken for which."""
        counts = confusion_of(self.folder.test_answers, self.labels)
        title = f"test: {np.trace(counts):,} of {counts.sum():,} right"
        return [draw(ConfusionMatrix(self.labels, counts, title), directory / "confusion.png")]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.folder.example, picture="attention.png")

    @staticmethod
    def say(answer):
        """Returns the file, its class, and how probable that is."""
        return f"{answer['input']}\t{answer['label']}\t{answer['probabilities'][0]:.3f}"
