"""Captioning: from images with captions to a SavedModel that takes image files and says what is where (Xu et al. 2015).

    attention-zoo train captioning                  # scenes of emoji, soft attention
    attention-zoo train captioning --preset hard
    attention-zoo predict captioning scene.png --attention attention.png

The file reads in the order in which an image travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `batches.py` makes the batches, and `captioner.py` turns image
files into answers.
"""

import json
from dataclasses import replace

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.captioning.batches import caption_batches, changes, changes_for, reader_of
from attention_zoo.pipelines.captioning.captioner import Captioner
from attention_zoo.pipelines.captioning.pictures import heat_maps_of
from attention_zoo.pipelines.captioning.settings import CaptioningConfig
from attention_zoo.pipelines.datasets.captioned_images import read_captioned_images
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import ImageFile, read_image_file
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.scores.captions import caption_scores, scores_by_count
from attention_zoo.pipelines.engine.scores.pointing import pointing_scores
from attention_zoo.pipelines.engine.serving.asking import answer_in_batches, ask_image_files
from attention_zoo.pipelines.engine.serving.sharing import sharing
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.text.special_tokens import BOS, begin_rows, end_rows
from attention_zoo.pipelines.engine.text.words import Words, learn_words
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.engine.views import HeatMaps
from attention_zoo.pipelines.models import ShowAttendTell

EVALUATION_BATCH = 64  # images captioned together


class Captioning(Task):
    """Image in, sentence out; see `Task` for the order of the methods."""

    name = "captioning"
    Config = CaptioningConfig
    View = HeatMaps
    answers_with = "caption"
    sized_settings = ("augmentation.translation", "augmentation.zoom")
    adapted_settings = ("data.vocabulary_size",)
    enough_steps, enough_batches = 800, 1  # fewer images in a batch take as long, since words come one by one
    changeable_data_settings = ("strict",)
    read_input = staticmethod(read_image_file)
    ask = staticmethod(ask_image_files)
    view = staticmethod(heat_maps_of)

    def load(self):
        """Reads the images, still encoded, and the captions of the three splits."""
        data = self.config.data
        self.size = (self.config.model.image_size,) * 2
        self.examples = read_captioned_images(
            *(data.dataset, self.size, data.folder, data.limit, data.strict, data.dev, data.test)
        )
        self.data_version = self.examples["train"].version
        for split in SPLITS:
            captions = sum(map(len, self.examples[split].captions))
            print(describe_split(split, len(self.examples[split]), f"images with {captions:,} captions"))

    def size_to_data(self, typed):
        """Changes training images at random where a user has few."""
        if not self.config.data.folder:
            return []
        return changes_for(self.config.augmentation, len(self.examples["train"]), typed)

    def adapt(self):
        """Learns the words from the training split, once a run, and numbers those of all captions."""
        path = self.folder.words
        if not path.is_file():
            captions = (caption for several in self.examples["train"].captions for caption in several)
            atomic_write(path, "\n".join(learn_words(captions, self.config.data.vocabulary_size)))
        self.words = Words(path.read_text(encoding="utf-8").split("\n"))
        self.columns = {split: self.encode(split) for split in ("train", "validation")}

    def encode(self, split):
        """Numbers the words of a split: all captions, one after the other, and whose they are."""
        examples, limit = self.examples[split], self.config.data.max_words
        tokens = self.words.encode([caption for several in examples.captions for caption in several])
        owners = np.repeat(np.arange(len(examples)), [len(several) for several in examples.captions])
        fits = tokens.row_lengths().numpy() <= limit
        if not fits.all():
            print(f"{split}: {int((~fits).sum()):,} captions above data.max_words={limit} are left out")
        owners = owners[fits]
        images, first, counts = np.unique(owners, return_index=True, return_counts=True)
        if not len(images):
            raise UserError(f"--data.max_words: no caption of the {split} split has at most {limit} words")
        tokens, images_of = tf.ragged.boolean_mask(tokens, fits), reader_of(examples.images, self.size)

        @tf.function(autograph=False)  # traced once a split, where a dataset would trace it once an epoch
        def gather(rows, captions):
            caption = tf.gather(tokens, captions)
            return {
                "image": images_of(rows),
                "target": begin_rows(caption).to_tensor(),
                "labels": end_rows(caption).to_tensor(),
            }

        return {
            "tokens": tokens,
            "images": images,  # those that have a caption left, the number of its first one, and how many there are
            "first": first,
            "counts": counts,
            "gather": gather,
            "change": changes(self.config.augmentation) if split == "train" else None,
        }

    def preprocess(self, split, epoch):
        """Returns batches of images with a caption each, see `caption_batches`."""
        return caption_batches(self.columns[split], self.config.training, split, epoch)

    def build(self):
        """Returns the model, built."""
        settings = self.config.model
        names = ("attention", "backbone", "frozen", "embedding_dim", "units", "attention_units", "dropout", "inference")
        model = ShowAttendTell(
            self.words.vocabulary_size,
            image_size=self.size,
            weights=None if settings.weights == "none" else settings.weights,
            **{name: getattr(settings, name) for name in names},
        )
        model({"image": tf.zeros((1, *self.size, 3), tf.uint8), "target": tf.constant([[BOS]])})
        return model

    def loss(self, model, batch, training):
        """Cross-entropy of the next word, summed over words, not padding; in training also the attention's loss."""
        settings, labels = self.config.model, batch["labels"]
        logits, scores = model(batch, training=training, return_attention_scores=True)
        smoothing = self.config.training.label_smoothing if training else 0.0
        loss, nll, tokens = smoothed_cross_entropy(labels, logits, smoothing)
        if training and settings.attention != "mean":
            mask = labels != 0
            nlls = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.stop_gradient(logits))  # (B, T)
            log_likelihood = -tf.reduce_sum(tf.where(mask, nlls, 0.0), axis=1)  # (B,)
            names = ("doubly_stochastic", "reward_scale", "entropy_scale")
            weights = {name: getattr(settings, name) for name in names}
            loss += tf.reduce_sum(model.attention_loss(scores, mask, log_likelihood, **weights))
        return loss, tokens, {"loss": nll}

    @once
    def captioner(self, model):
        """Returns what answers image files with a model, in evaluation and in serving."""
        return Captioner(model, self.words, self.size, self.config.decoding, self.config.data.max_words)

    def evaluate(self, model, split):
        """BLEU, CIDEr-D, ROUGE-L and exact match; on the test split also where words look."""
        examples, captioner = self.examples[split], self.captioner(model)
        answer = captioner.attend if split == "test" else captioner.caption
        answers = list(answer_in_batches(answer, examples.images, EVALUATION_BATCH))
        captions = [answer["caption"] for answer in answers]
        scores = caption_scores(captions, examples.captions)
        if split != "test":
            return scores
        for caption, references in list(zip(captions, examples.captions))[:: max(1, len(captions) // 5)][:5]:
            print(f"  = {caption}\n    ({references[0]})")
        scores |= self.looking(answers, examples)
        self.keep_answers(captions, examples)
        return scores

    def looking(self, answers, examples):
        """Pointing and movement of the attention, where the model has one."""
        if self.config.model.attention == "mean":
            return {}
        objects = examples.objects or [None] * len(examples)
        spoken = (list(answer["words"][: answer["lengths"]]) for answer in answers)
        return pointing_scores(
            (words, answer["weights"], known) for words, answer, known in zip(spoken, answers, objects)
        )

    def keep_answers(self, captions, examples):
        """Writes captions beside their references, and the scores of scenes with as many things apart."""
        rows = ("\t".join([caption, *references]) + "\n" for caption, references in zip(captions, examples.captions))
        atomic_write(self.folder.test_captions, "".join(rows))
        if examples.objects is None:
            return
        counts = [len(names) for names, _ in examples.objects]
        by_count = scores_by_count(captions, examples.captions, counts)
        atomic_write(self.folder.test_by_objects, json.dumps(by_count, indent=1) + "\n")

    def baselines(self):
        """Scores of the decoder on mean-pooled features, trained beside the run."""
        settings = self.config
        if not settings.baseline.epochs or settings.model.attention == "mean":
            return {}
        config = replace(
            settings,
            model=replace(settings.model, attention="mean"),
            training=replace(settings.training, epochs=settings.baseline.epochs, max_minutes=0.0),
        )
        note, sized = "the same without attention, to compare with", "baseline.epochs" not in settings.typed
        twin, model, progress = train_twin(self, note, sized=sized, config=config)
        return twin.evaluate(model, "test") | {"minutes": progress.seconds / 60, "steps": progress.step}

    def signatures(self, model):
        """Returns what the SavedModel answers: the caption, and with it the attention."""
        spec = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        captioner = sharing(self.captioner(model), "search")
        signatures = {"serving_default": (captioner.caption, spec)}
        if self.config.model.attention != "mean":
            signatures["attention"] = (captioner.attend, spec)
        return [model, self.words], signatures, {"image_bytes": tf.constant(self.examples["test"].images[:2])}

    def sample_rows(self):
        """Numbers of four test images, from the longest caption to short ones."""
        captions = self.examples["test"].captions
        by_words = sorted(range(len(captions)), key=lambda row: -len(captions[row][0].split()))
        return by_words[:: max(1, len(by_words) // 4)][:4]

    def samples(self):
        """Returns the images of `sample_rows`."""
        return [ImageFile(f"image {row + 1}", self.examples["test"].images[row]) for row in self.sample_rows()]

    def truths(self):
        """Returns the first caption of each of `samples`."""
        return [{"reference": self.examples["test"].captions[row][0]} for row in self.sample_rows()]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.folder.example, picture="attention.png")

    @staticmethod
    def say(answer):
        """Returns the caption."""
        return answer["caption"]
