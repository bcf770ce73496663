"""Image classification: the class of an image, and its patches."""

import numpy as np

from attention_zoo.pipelines.explanations.flow import attention_flow
from explained.examples import CellExamples, SelfAttentionExamples


class ImageClassificationExamples(CellExamples, SelfAttentionExamples):
    """Patches of images, and the class that the model answers."""

    def __init__(self, task, model, count, like=None):
        if like is None:
            batches = task.preprocess("test", 0).map(lambda batch: batch["images"]).unbatch().batch(count)
            self.images = next(iter(batches)).numpy()
        else:
            self.images = like.images
        self.model, self.inputs = model, {}
        self.grid = model.embedding.grid_of(self.images.shape)
        mask = np.ones((len(self.images), self.grid[0] * self.grid[1]), bool)
        super().__init__(self.grid, mask, like)

    def maps(self, scores):
        """Adds the flow through all blocks: there are few patches."""
        return super().maps(scores) | {"flow": attention_flow(scores)}

    def pooled(self, maps, inputs):
        """Returns the row that the classifier reads: that of the first token, or the mean."""
        tokens = self.model.embedding.num_tokens
        return (maps[:, 0] if self.model.pooling == "token" else maps.mean(axis=1))[:, tokens:]
