"""From image files to answers: a model, its words and the search. Evaluation and serving both come through here.

Shapes: B images, T words, h x w the grid of locations.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.images.image_files import decode_each_image
from attention_zoo.pipelines.engine.serving.answers import empty_where
from attention_zoo.pipelines.engine.text.special_tokens import BOS


class Captioner:
    """Describes encoded images with a trained model. An image that cannot be decoded has empty values and an `error`.

    Args:
        model: A captioning model.
        words: `Words` of the captions.
        size: (height, width) that images are brought to.
        decoding: `DecodingSettings`.
        max_words: Longest caption.
    """

    def __init__(self, model, words, size, decoding, max_words):
        self.model = model
        self.words = words
        self.size = size
        self.decoding = decoding
        self.max_words = max_words

    def search(self, image_bytes):
        """Returns the decoded images, why one could not be decoded `(B,)`, and the hypotheses of `decode`."""
        images, error = decode_each_image(image_bytes, self.size)
        max_lengths = tf.fill([tf.shape(images)[0]], self.max_words)
        return images, error, decode(self.model, {"image": images}, self.decoding, max_lengths)

    def caption(self, image_bytes):
        """Returns the best `caption`, its `score` and the `error`, each `(B,)`."""
        _, error, hypotheses = self.search(image_bytes)
        caption = self.words.join(hypotheses["tokens"][:, 0])
        return empty_where(error, {"caption": caption, "score": hypotheses["scores"][:, 0]})

    def attend(self, image_bytes):
        """Captions, then reads the attention in one pass over the caption.

        Returns:
            `caption`, `score` and `error` `(B,)`, `words` `(B, T)`, `weights` `(B, T, h, w)` and `lengths` `(B,)`, the
            number of words of each.
        """
        images, error, hypotheses = self.search(image_bytes)
        tokens = hypotheses["tokens"][:, 0]  # (B, T)
        target = tf.pad(tokens, [[0, 0], [1, 0]], constant_values=BOS)  # (B, 1 + T)
        inputs = {"image": images, "target": target}
        _, scores = self.model(inputs, training=False, return_attention_scores=True)
        weights = self.model.alignment(scores)[:, :-1]  # without those of the end of the sentence
        answer = {
            "caption": self.words.join(tokens),
            "score": hypotheses["scores"][:, 0],
            "words": self.words.names(tokens),
            "weights": tf.reshape(weights, [*tf.unstack(tf.shape(tokens)), *self.model.grid]),
            "lengths": hypotheses["lengths"][:, 0],
        }
        return empty_where(error, answer)
