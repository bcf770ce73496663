"""Captioning: a word of a caption, and the locations of the image."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from explained.examples import CellExamples
from explained.written import WrittenExamples

SEARCHED = 64  # images that are captioned together


class CaptioningExamples(CellExamples, WrittenExamples):
    """Locations of images, and a word of the model's caption of each."""

    def __init__(self, task, model, count, like=None):
        if task.config.model.attention == "mean":
            raise UserError("expected a model with attention, received one with --model.attention mean")
        self.raw = like.raw if like is not None else task.examples["test"].images[:count]
        search = tf.function(task.captioner(model).search, autograph=False, reduce_retracing=True)
        found = [search(tf.constant(self.raw[start : start + SEARCHED])) for start in range(0, count, SEARCHED)]
        self.images = np.concatenate([images.numpy() for images, *_ in found]).astype("float32")
        words = [hypotheses["tokens"][:, 0].numpy() for *_, hypotheses in found]
        longest = max(one.shape[1] for one in words)
        words = np.concatenate([np.pad(one, [(0, 0), (0, longest - one.shape[1])]) for one in words])
        self.written = words if like is None else like.written
        self.model, self.inputs, self.grid = model, self.forced(self.written), model.grid
        super().__init__(self.grid, np.ones((len(self.images), self.grid[0] * self.grid[1]), bool), like)

    def given(self, features, inputs):
        """Returns the pixels, and the words so far."""
        return {"image": features, "target": inputs["target"]}
